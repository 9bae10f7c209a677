"""The HTTP interface's doors: tokens in a file, few connections, none for long."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import gevent
import gevent.socket
import pytest
import yaml
from click.testing import CliRunner
from structlog.testing import capture_logs

from consentivr.cli import main
from consentivr.config import Configuration
from consentivr.lab.caller import Caller
from consentivr.lab.native import free_port
from consentivr.web import Status, Tokens, WebServer
from consentivr.web.connections import AT_ONCE
from tests.served import Served

pytestmark = pytest.mark.slow

SHARED = "everybody's own secret"
STATUS = b"GET /v1/status HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\n\r\n"


# --- tokens ----------------------------------------------------------------------------------


def test_only_hashes_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "made" / "tokens"
    before = os.umask(0)
    try:
        one = Tokens(file).new("1001@default")
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text() == f"1001@default {hashlib.sha256(one.encode()).hexdigest()}\n"
    tokens = Tokens(file)
    two = tokens.new("1002@default")
    again = tokens.new("1001@default")
    assert tokens.agents() == ["1001@default", "1002@default"]
    assert tokens.asker(one) is None, "there is a newer one"
    for token, agent in ((again, "1001@default"), (two, "1002@default")):
        asker = tokens.asker(token)
        assert asker is not None
        assert (asker.agent, asker.by) == (agent, f"http:{agent}")
    assert tokens.asker("") is None
    assert tokens.asker("http") is None
    assert tokens.revoke("1001@default")
    assert not tokens.revoke("1001@default")
    assert tokens.asker(again) is None


def test_what_is_no_file_of_tokens(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    tokens = Tokens(file)
    assert tokens.agents() == []
    for name in ("", "a b", "a\nb", "x" * 81):
        with pytest.raises(ValueError, match="no blanks"):
            tokens.new(name)
    token = tokens.new("a")
    file.chmod(0o640)
    with pytest.raises(OSError, match="chmod 600"):
        tokens.asker(token)
    file.chmod(0o600)
    assert tokens.asker(token)
    file.write_text("a b c\n")
    with pytest.raises(OSError, match="line 1 is no agent"):
        Tokens(file).agents()


def test_the_verbs(configure: Callable[..., Configuration], tmp_path: Path) -> None:
    data = configure().model_dump(mode="json", exclude_none=True)
    data["http"]["tokens_file"] = str(tmp_path / "tokens")
    path = tmp_path / "consentivr.yaml"
    path.write_text(yaml.safe_dump(data))

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["agents", "token", *arguments, "-c", str(path)])
        return done.exit_code, done.output

    code, token = run("new", "1001@default")
    assert code == 0
    asker = Tokens(tmp_path / "tokens").asker(token.strip())
    assert asker is not None
    assert asker.agent == "1001@default"
    assert run("new", "a b")[0] == 2
    assert run("list", "--json") == (0, '[\n  "1001@default"\n]\n')
    assert run("revoke", "1001@default") == (0, "1001@default has no token any more\n")
    assert run("revoke", "1001@default") == (1, "1001@default has no token\n")


# --- connections -----------------------------------------------------------------------------


class Desk:
    """Whatever is asked takes so many seconds."""

    seconds = 0.0

    def look_at_switches(self) -> list[dict[str, Any]]:
        return [{"what": "1 queues"}]

    def status(self) -> Status:
        gevent.sleep(self.seconds)
        return Status(0, 0, 0, True, 0, 0, 0, {})


@contextmanager
def serving(tmp_path: Path, desk: Desk) -> Iterator[tuple[tuple[str, int], bytes]]:
    tokens = Tokens(tmp_path / "tokens", SHARED)
    web = WebServer(("127.0.0.1", 0), desk, tokens)  # type: ignore[arg-type]
    web.start()
    try:
        yield web.address, STATUS % tokens.new("1001@default").encode()
    finally:
        web.stop()


def ask(address: tuple[str, int], said: bytes) -> bytes:
    with gevent.socket.create_connection(address, timeout=5) as peer:
        peer.sendall(said)
        heard = b""
        while data := peer.recv(65536):
            heard += data
        return heard


def idle(stack: ExitStack, address: tuple[str, int], count: int, said: bytes = b"") -> list[gevent.socket.socket]:
    peers = [stack.enter_context(gevent.socket.create_connection(address, timeout=5)) for _ in range(count)]
    for peer in peers:
        peer.sendall(said)
    return peers


@pytest.mark.parametrize("said", [b"", b"GET /v1/status HTTP/1.1\r\nHost: x\r\n"], ids=["nothing", "half a header"])
def test_however_many_idle_ones_there_are_a_desktop_is_served(tmp_path: Path, said: bytes) -> None:
    with serving(tmp_path, Desk()) as (address, status), ExitStack() as stack:
        idle(stack, address, 3 * AT_ONCE, said)
        began = time.monotonic()
        for _ in range(5):
            assert b"200 OK" in ask(address, status)
        assert time.monotonic() - began < 2


def test_idle_ones_are_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentivr.web.connections.UNKNOWN_SECONDS", 0.3)
    with serving(tmp_path, Desk()) as (address, _), ExitStack() as stack:
        began = time.monotonic()
        (silent, drips) = idle(stack, address, 2)

        def drip() -> None:
            for byte in b"GET /v1/status HTTP/1.1\r\n" * 100:
                drips.sendall(bytes([byte]))
                gevent.sleep(0.05)

        dripping = gevent.spawn(drip)
        assert silent.recv(100) == b""
        with suppress(ConnectionError):
            assert drips.recv(100) == b""
        assert time.monotonic() - began < 1.5
        dripping.kill()


def test_who_shows_a_token_has_longer_but_not_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentivr.web.connections.UNKNOWN_SECONDS", 0.2)
    monkeypatch.setattr("consentivr.web.connections.KNOWN_SECONDS", 1.0)
    desk = Desk()
    with serving(tmp_path, desk) as (address, status):
        desk.seconds = 0.5
        assert b"200 OK" in ask(address, status)
        desk.seconds = 10
        began = time.monotonic()
        assert b"200 OK" not in ask(address, status)
        assert time.monotonic() - began < 3


def test_known_ones_are_not_sent_away_and_are_bounded(tmp_path: Path) -> None:
    desk = Desk()
    with serving(tmp_path, desk) as (address, status), ExitStack() as stack, capture_logs() as log:
        desk.seconds = 1.0
        peers = idle(stack, address, AT_ONCE, status)
        gevent.sleep(0.3)
        assert ask(address, b"") == b"", "closed at once"
        assert all(b"200 OK" in peer.recv(65536) for peer in peers)
    assert "turned away" in str(log)


def test_one_request_a_connection(tmp_path: Path) -> None:
    with serving(tmp_path, Desk()) as (address, status):
        heard = ask(address, status * 2)
        assert heard.count(b"200 OK") == 1
        assert b"Connection: close" in heard


def test_what_is_found_on_a_switch_is_for_the_shared_token(tmp_path: Path) -> None:
    with serving(tmp_path, Desk()) as (address, agents):
        check = b"POST /v1/check HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\n\r\n"
        assert b'{"findings":[{"what":"1 queues"}]}' in ask(address, check % SHARED.encode())
        token = agents.partition(b"Bearer ")[2].strip()
        assert b" 403 " in ask(address, check % token)
        assert b" 405 " in ask(address, agents.replace(b"status", b"check"))


# --- calls come first ------------------------------------------------------------------------


def test_http_never_takes_a_descriptor_of_a_call(configure: Callable[..., Configuration], tmp_path: Path) -> None:
    made = configure()
    port = free_port()
    made = made.changed(http=made.http.changed(listen=f"127.0.0.1:{port}"))
    served = Served(made, tmp_path, descriptors=256)
    try:
        log = (tmp_path / "serve.log").read_text()
        assert "the system allows this process 56 calls at once" in log
        with ExitStack() as stack:
            idle(stack, ("127.0.0.1", port), 320)
            gevent.sleep(0.5)
            assert len(list(Path(f"/proc/{served.process.pid}/fd").iterdir())) < 130
            script = Caller(keys={1: ("1", 1200)}, talks_ms=1_000_000)
            calls = [served.switch.call("5000", script) for _ in range(40)]
            for _ in range(3000):
                if all(call.recorders for call in calls):
                    break
                gevent.sleep(0.01)
            assert all(call.recorders for call in calls), "all at once, while the idle ones are there"
            token = Tokens(tmp_path / "agents.tokens").new("1001@default")
            assert b"200 OK" in ask(("127.0.0.1", port), STATUS % token.encode())
    finally:
        served.end()
    assert "call turned away" not in (tmp_path / "serve.log").read_text()


def test_too_few_for_any_call_is_said(configure: Callable[..., Configuration], tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="allows this process 0 calls at once"):
        Served(configure(), tmp_path, descriptors=150)
