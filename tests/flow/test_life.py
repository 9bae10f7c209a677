"""``consentivr serve`` as systemd and an administrator know it: started, reloaded, told to stop, with a standby."""

from __future__ import annotations

import signal
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import gevent
import pytest

from consentivr.config import Configuration
from consentivr.lab.caller import Caller
from consentivr.lab.native import free_port
from consentivr.lab.serving import serve
from consentivr.lab.switch import Channel
from tests import waiting
from tests.flow.talks import changed
from tests.served import Served
from tests.systemd import Systemd

until = partial(waiting.until, seconds=60)  # two processes start in it, on a machine that may do other things
YES = Caller(keys={1: ("1", 1200)}, talks_ms=600_000)

PATIENT = {"answer_timeout_ms": 5000}


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    made = Systemd(str(tmp_path / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "600000")
    yield made
    made.close()


@pytest.fixture
def served(configure: Callable[..., Configuration], tmp_path: Path) -> Iterator[Served]:
    made = Served(changed(configure(), question=PATIENT), tmp_path)
    yield made
    made.end()


def log(served: Served) -> str:
    return (served.folder / "serve.log").read_text()


def turns(served: Served, channel: Channel) -> list[str]:
    return [row.turn for row in served.rows(channel)]


def decision(served: Served, channel: Channel) -> str:
    until(lambda: any(row.turn == "decision" for row in served.rows(channel)))
    (row,) = [row for row in served.rows(channel) if row.turn == "decision"]
    return str(row.evidence["decision"])


def ready(address: str) -> bool:
    """Whether somebody says so over HTTP."""

    def ask() -> bool:
        try:
            with urllib.request.urlopen(f"http://{address}/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    return bool(gevent.get_hub().threadpool.apply(ask))


def test_systemd_knows_how_it_is(systemd: Systemd, served: Served) -> None:
    said: list[str] = []

    def hears(what: str) -> bool:
        said.extend(systemd.heard())
        return any(line.startswith(what) for line in said)

    until(lambda: hears("READY=1"))
    until(lambda: hears("WATCHDOG=1\nSTATUS=0 asked, 0 followed, 0 recorded"))
    good = served.yaml.read_text()
    served.yaml.write_text("lines: [")
    said.clear()
    served.signal(signal.SIGHUP)
    until(lambda: hears("RELOADING=1") and hears("READY=1"))
    assert "configuration not taken: the one before goes on" in log(served)
    until(lambda: hears("WATCHDOG=1\nSTATUS=0 asked, 0 followed, 0 recorded; not good: configuration"))
    channel = served.switch.call("5000", YES)
    assert decision(served, channel) == "given"
    served.yaml.write_text(good)
    served.signal(signal.SIGHUP)
    until(lambda: "configuration taken" in log(served))
    channel.hang_up()
    said.clear()
    served.signal(signal.SIGTERM)
    until(lambda: hears("STOPPING=1"))
    assert served.gone(60) == 0


def test_the_hub_that_hangs_is_not_heard(systemd: Systemd, served: Served) -> None:
    until(lambda: any("WATCHDOG=1" in line for line in systemd.heard()))
    served.signal(signal.SIGSTOP)
    until(lambda: systemd.heard() == [])
    with pytest.raises(AssertionError):
        until(systemd.heard, seconds=1)


def test_an_upgrade_is_a_restart_beside_a_standby(configure: Callable[..., Configuration], tmp_path: Path) -> None:
    """Callers are asked while the first one is told to stop, is gone, and is back; talks are followed all the time."""
    web = f"127.0.0.1:{free_port()}"
    served = Served(changed(configure(), http={"listen": web}, question=PATIENT), tmp_path, standby=True)
    standby = serve(served.yaml, "--standby")
    try:
        until(lambda: "standby=True" in log(served))
        before = served.switch.call("5000", YES)
        until(lambda: before.bugs_in_talk)
        asked = served.switch.call("5000", YES)
        until(lambda: "play_and_get_digits" in asked.applications)
        served.signal(signal.SIGTERM)
        until(lambda: not served.answers())
        meanwhile = served.switch.call("5000", YES)
        assert [decision(served, channel) for channel in (before, asked, meanwhile)] == ["given"] * 3
        assert served.gone(60) == 0
        until(lambda: "adopted" in turns(served, before))
        until(lambda: ready(web))
        served.start(watching=False)
        after = served.switch.call("5000", YES)
        assert decision(served, after) == "given"
        standby.send_signal(signal.SIGTERM)
        until(lambda: standby.poll() == 0)
        everybody = (before, asked, meanwhile, after)
        until(lambda: log(served).count("event='watching'") == 3 and all(c.recorders for c in everybody))
        until(lambda: ready(web))
        gevent.sleep(0.5)
        for channel in everybody:
            channel.press("*")
            channel.press("9")
        until(lambda: not any(channel.recorders for channel in everybody))
        for channel in everybody:
            channel.hang_up()
        until(lambda: all("call_ended" in turns(served, channel) for channel in everybody))
        for channel in everybody:
            for turn in ("arrived", "decision", "withdrawn", "call_ended"):
                assert turns(served, channel).count(turn) == 1, turns(served, channel)
    finally:
        standby.kill()
        standby.wait()
        served.end()
