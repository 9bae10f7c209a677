"""Whoever outside is told of checkpoints: an administrator's address, a time stamping authority; and clocks."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import gevent
import pytest
import yaml
from click.testing import CliRunner

from consentivr.cli import main
from consentivr.config import Configuration
from consentivr.core.chain import Tampering
from consentivr.core.turn import Turn
from consentivr.ledger import Entry, Ledger, LedgerError, LedgerWriter, Search, make_key
from consentivr.ledger import witness as witnessing
from consentivr.ledger import writer as writing
from consentivr.ledger.stamping import Roots, Stamper, Stamps
from tests.ledgers import entry, opened, whole

Location = str | Path


@contextmanager
def answering(answer: Callable[[bytes], bytes | None]) -> Iterator[str]:
    """A web server of one address; None is an error of the server's."""

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(500 if said is None else 200)
            self.end_headers()
            self.wfile.write(said or b"")

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "CHECKPOINT_SECONDS", 0.1)
    monkeypatch.setattr(witnessing, "_RETRY_SECONDS", (0.1,))


def until(true: Callable[[], object]) -> None:
    with gevent.Timeout(10):
        while not true():
            gevent.sleep(0.02)


# --- an address of the administrator's -------------------------------------------------------


def test_checkpoints_are_posted_and_again_until_they_are_taken(location: Location, tmp_path: Path, quick: None) -> None:
    got: list[dict[str, Any]] = []

    def take(body: bytes) -> bytes | None:
        got.append(json.loads(body))
        return None if len(got) < 3 else b""

    signer = make_key(tmp_path / "key")
    with answering(take) as address:
        made = LedgerWriter(location, signer=signer, post_to=address)
        made.start()
        made.commit(entry(0), 5)
        until(lambda: len(got) == 3)
        made.note(entry(1))
        made.stop()
    assert [one["position"] for one in got] == [1, 1, 1, 2], "the last one when it stops"
    with opened(location) as ledger:
        assert ledger.checkpoints()[-1].__dict__ == got[-1]


def test_an_address_that_hangs_is_in_no_calls_way(location: Location, tmp_path: Path, quick: None) -> None:
    go_on = threading.Event()

    def hang(body: bytes) -> bytes | None:
        go_on.wait(30)
        return None

    with answering(hang) as address:
        made = LedgerWriter(location, signer=make_key(tmp_path / "key"), post_to=address)
        made.start()
        try:
            for number in range(5):
                made.commit(entry(number), 1)
                gevent.sleep(0.15)
            with opened(location) as ledger:
                assert ledger.checkpoints()[-1].position >= 4, "it is signed all the same"
        finally:
            go_on.set()
            made.stop()
    assert whole(location) == 5


# --- a time stamping authority ---------------------------------------------------------------

_TSA = """
[tsa]
default_tsa = this
[this]
serial = {folder}/serial
signer_cert = {folder}/{name}.pem
signer_key = {folder}/{name}.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
certs = {folder}/{name}.pem
ess_cert_id_alg = sha256
"""


class Authority:
    """From openssl, with a root of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.root = folder / "root.pem"
        extensions = folder / "extensions"
        extensions.write_text("extendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\n")
        self._openssl(
            "req",
            "-x509",
            *["-newkey", "rsa:2048", "-nodes", "-keyout", "root.key", "-out", "root.pem", "-days", "2"],
            "-subj",
            "/CN=Root",
        )
        self._openssl(
            "req", *["-newkey", "rsa:2048", "-nodes", "-keyout", "tsa.key", "-out", "tsa.csr"], "-subj", "/CN=Stamps"
        )
        self._openssl(
            *[
                "x509",
                "-req",
                "-in",
                "tsa.csr",
                "-CA",
                "root.pem",
                "-CAkey",
                "root.key",
                "-CAcreateserial",
                "-days",
                "2",
            ],
            "-extfile",
            "extensions",
            "-out",
            "tsa.pem",
        )
        (folder / "serial").write_text("01")
        (folder / "tsa.conf").write_text(_TSA.format(folder=folder, name="tsa"))

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=self.folder, timeout=60)

    def __call__(self, request: bytes) -> bytes:
        (self.folder / "request").write_bytes(request)
        self._openssl(
            *["ts", "-reply", "-config", "tsa.conf", "-section", "this", "-queryfile", "request", "-out", "answer"]
        )
        return (self.folder / "answer").read_bytes()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


def stamps_of(location: Location, authority: Authority) -> tuple[list[Entry], Stamps]:
    with opened(location) as ledger:
        rows = list(ledger.read(Search(turn=Turn.TIME_STAMPED.value)))
    return rows, Stamps.of(rows, Roots(authority.root))


def test_an_authority_says_when_rows_were_there(
    location: Location, authority: Authority, tmp_path: Path, quick: None, configure: Callable[..., Configuration]
) -> None:
    asked: list[bytes] = []

    def answer(request: bytes) -> bytes | None:
        asked.append(request)
        return authority(request) if len(asked) > 1 else None

    with answering(answer) as address:
        made = LedgerWriter(location, stamper=Stamper(address, Roots(authority.root)))
        made.start()
        for number in range(3):
            made.commit(entry(number), 5)
        until(lambda: stamps_of(location, authority)[0])
        gevent.sleep(0.5)
        made.stop()
    assert len(asked) == 2, "once more after an error; not for its own row"
    rows, stamps = stamps_of(location, authority)
    assert (len(rows), len(stamps.good), stamps.findings) == (1, 1, [])
    said = rows[0].evidence
    assert datetime.now(timezone.utc) - datetime.fromisoformat(said["time"]) < timedelta(minutes=1)
    with opened(location) as ledger:
        assert said["hash"] == ledger.hash_at(said["position"])
    assert whole(location) == 4

    data = configure().model_dump(mode="json", exclude_none=True)
    data["ledger"] |= {"path": str(location)} if isinstance(location, Path) else {"url": location}
    data["ledger"] |= {"head_file": str(tmp_path / "head"), "time_stamp_roots": str(authority.root)}
    path = tmp_path / "consentivr.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    done = CliRunner().invoke(main, ["ledger", "verify", "-c", str(path)])
    assert (done.exit_code, "1 time stamps hold" in done.output) == (0, True), done.output


def test_a_stamp_of_another_authority_or_row_does_not_hold(authority: Authority, tmp_path: Path) -> None:
    location = tmp_path / "ledger.sqlite3"
    with answering(authority) as address, opened(location) as ledger:
        ledger.append([entry(number) for number in range(3)])
        row = Stamper(address, Roots(authority.root)).stamp(ledger.head())
        assert row is not None
        other = Authority(tmp_path / "other")
        with pytest.raises(ValueError, match="does not hold"):
            Stamper(address, Roots(other.root)).stamp(ledger.head())
    for roots, said in (
        (other.root, row.evidence),
        (authority.root, {**row.evidence, "position": 2}),
        (authority.root, {**row.evidence, "hash": 64 * "0"}),
        (authority.root, {**row.evidence, "stamp": "AAAA"}),
        (authority.root, {"position": 3}),
    ):
        found = Stamps.of([replace(row, evidence=said, position=4)], Roots(roots))
        assert [(one.position, one.kind) for one in found.findings] == [(4, Tampering.TIME_STAMP)]
    with pytest.raises(LedgerError, match="holds no certificates"):
        Roots(tmp_path / "none")


# --- clocks ----------------------------------------------------------------------------------


def test_a_clock_that_is_set_back_is_noted_and_reported(location: Location, tmp_path: Path) -> None:
    ahead = datetime.now(timezone.utc) + timedelta(hours=1)
    with opened(location) as ledger:
        ledger.append([entry(0), replace(entry(1), at=ahead)])
    made = LedgerWriter(location)
    made.start()
    for number in range(2, 5):
        made.commit(entry(number), 5)
    made.stop()
    with opened(location) as ledger:
        (row,) = ledger.read(Search(turn=Turn.CLOCK_SET_BACK.value))
        assert row.evidence["seconds"] == pytest.approx(3600, abs=60)
        verified = _verified(ledger)
        assert verified.findings == []
        ((position, seconds),) = verified.backwards
        assert (position, seconds) == (3, pytest.approx(3600, abs=60))


def _verified(ledger: Ledger) -> Any:
    from consentivr.ledger import Verifier
    from consentivr.ledger.verification import verify_ledger

    return verify_ledger(ledger, Verifier([]))


def test_certificates_that_are_not_there_are_told_before_anything_is_served(
    configure: Callable[..., Configuration], tmp_path: Path
) -> None:
    data = configure().model_dump(mode="json", exclude_none=True)
    data["ledger"] |= {"path": str(tmp_path / "ledger.sqlite3"), "head_file": str(tmp_path / "head")}
    data["ledger"]["time_stamp_url"] = "http://127.0.0.1:1/"
    path = tmp_path / "consentivr.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    done = CliRunner().invoke(main, ["check", "-c", str(path)])
    assert (done.exit_code, "time_stamp_roots" in done.output) == (2, True), done.output
    data["ledger"]["time_stamp_roots"] = str(tmp_path / "none.pem")
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    for verb in ("check", "serve"):
        done = CliRunner().invoke(main, [verb, "-c", str(path)])
        assert (done.exit_code != 0, "holds no certificates" in done.output) == (True, True), done.output
    data["ledger"]["time_stamp_url"] = "ftp://127.0.0.1/"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    assert "must be http" in CliRunner().invoke(main, ["check", "-c", str(path)]).output
