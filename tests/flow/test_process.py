"""``consentivr serve`` as a process of its own: killed, stopped, starved, at every stage of a call."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest

from consentivr.config import Configuration
from consentivr.lab.caller import Caller
from consentivr.lab.switch import Channel
from tests.served import Served

YES = Caller(keys={1: ("1", 1200)}, waits_ms=3000, talks_ms=3000)


@pytest.fixture
def served(configure: Callable[..., Configuration], tmp_path: Path) -> Iterator[Served]:
    made = Served(configure(), tmp_path)
    yield made
    made.end()


def reaches(channel: Channel, application: str, occurrence: int = 1, after: float = 0.05) -> None:
    """Wait until the call has started an application for the n-th time."""
    for _ in range(2000):
        if channel.applications.count(application) >= occurrence:
            gevent.sleep(after)
            return
        gevent.sleep(0.005)
    raise AssertionError(f"never reached {application}: {channel.applications}")


STAGES: dict[str, tuple[str, int]] = {
    "in the question": ("play_and_get_digits", 1),
    "in the announcement": ("playback", 2),
    "in the queue": ("callcenter", 1),
}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_p4_p1_killed_or_stopped(served: Served, stage: str, how: int) -> None:
    channel = served.switch.call("5000", YES)
    reaches(channel, *STAGES[stage])
    served.signal(how)
    channel.greenlet.join(60)
    assert channel.over
    assert channel.reached == ["support@default"], "the caller reaches or keeps the queue, once"
    assert channel.talked_ms > 0
    if stage == "in the question":
        assert channel.recorded == {}, "a yes that nobody could write down"
    if channel.recorded:
        assert any(row.evidence.get("decision") == "given" for row in served.rows(channel)), "P1: a durable row"


def test_p4_killed_in_the_talk(served: Served) -> None:
    channel = served.switch.call("5000", YES)
    while not channel.bugs_in_talk:
        gevent.sleep(0.01)
    served.signal(signal.SIGKILL)
    channel.greenlet.join(60)
    assert channel.reached == ["support@default"]
    assert channel.talked_ms >= 2500, "the talk goes on"
    assert len(channel.recorded) == 1
    assert any(row.evidence.get("decision") == "given" for row in served.rows(channel))


def test_p4_killed_before_the_call(served: Served) -> None:
    served.signal(signal.SIGKILL)
    served.process.wait()
    channel = served.switch.call("5000", YES)
    channel.greenlet.join(60)
    assert channel.reached == ["support@default"]
    assert channel.recorded == {}


def test_p4_stopped_before_the_call_and_woken_after_the_watchdog(served: Served) -> None:
    """It accepts and hangs; once awake, it must not touch a call that the dialplan has taken back."""
    served.signal(signal.SIGSTOP)
    channel = served.switch.call("5000", YES)
    reaches(channel, "callcenter")
    served.signal(signal.SIGCONT)
    channel.greenlet.join(60)
    assert channel.reached == ["support@default"]
    assert channel.recorded == {}
    assert channel.bugs_in_talk == [[]]


def test_told_to_stop_it_writes_its_rows_and_goes(served: Served) -> None:
    channel = served.switch.call("5000", YES)
    reaches(channel, "callcenter")
    served.signal(signal.SIGTERM)
    assert served.process.wait(10) == 0
    channel.greenlet.join(60)
    assert channel.reached == ["support@default"]
    assert [row.turn for row in served.rows(channel)][:2] == ["decision", "recording_started"]


def test_after_a_crash_it_serves_again(served: Served) -> None:
    served.signal(signal.SIGKILL)
    served.process.wait()
    served.start()
    channel = served.switch.call("5000", YES)
    channel.greenlet.join(60)
    assert len(channel.recorded) == 1


def test_p8_no_number_in_the_log(served: Served) -> None:
    channel = served.switch.call("5000", YES)
    channel.greenlet.join(60)
    log = (served.folder / "serve.log").read_text()
    assert channel.uuid in log
    assert "23125000" not in log
