"""``consentivr serve`` as a process of its own: killed, stopped, starved, at every stage of a call."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import gevent
import pytest

from consentivr.config import Configuration
from consentivr.lab.caller import Caller
from consentivr.lab.switch import Channel
from consentivr.ledger import Entry
from tests.flow.calling import visits
from tests.served import Served
from tests.waiting import until

YES = Caller(keys={1: ("1", 1200)}, waits_ms=3000, talks_ms=3000)
LONG = replace(YES, talks_ms=600_000)


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


def talks(channel: Channel) -> None:
    until(lambda: channel.bugs_in_talk)
    gevent.sleep(0.1)


def again(served: Served) -> None:
    served.gone()
    served.start()


def ended(served: Served, channel: Channel) -> list[Entry]:
    """Its rows, once the visit has its decision and its end, and its recordings have become something."""

    def is_so() -> bool:
        turns = Counter(row.turn for row in served.rows(channel))
        became = turns["recording_sealed"] + turns["recording_erased"]
        return turns["call_ended"] >= turns["arrived"] and became == turns["recording_started"]

    until(is_so, 20)
    rows = served.rows(channel)
    visits(rows)
    return rows


def decision(rows: list[Entry]) -> tuple[str, str]:
    (row,) = [row for row in rows if row.turn == "decision"]
    return row.evidence["decision"], row.evidence["reason"]


STAGES: dict[str, tuple[str, int]] = {
    "in the question": ("play_and_get_digits", 1),
    "in the announcement": ("play_and_get_digits", 2),
    "in the queue": ("callcenter", 1),
}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_p4_p1_killed_or_stopped(served: Served, stage: str, how: int) -> None:
    """Killed it is started again while the caller is there; stopped it wakes up when the call is over."""
    channel = served.switch.call("5000", LONG if how == signal.SIGKILL else YES)
    reaches(channel, *STAGES[stage])
    served.signal(how)
    if how == signal.SIGKILL:
        again(served)
        talks(channel)
        gevent.sleep(1)
        channel.hang_up()
    channel.greenlet.join(60)
    assert channel.over
    assert channel.reached == ["support@default"], "the caller reaches or keeps the queue, once"
    assert channel.talked_ms > 0
    served.signal(signal.SIGCONT)
    rows = ended(served, channel)
    if how == signal.SIGKILL:
        assert (decision(rows)[0] == "given") == (stage != "in the question")
    if stage == "in the queue":
        assert channel.recorded
    else:
        assert channel.recorded == {}, "a yes that nobody could write down, or that was not yet said to be accepted"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "told to stop"])
def test_p11_restarted_in_the_talk(served: Served, how: int) -> None:
    """The talk goes on, is recorded to its end into one file, and everything that was promised still works."""
    channel = served.switch.call("5000", LONG)
    talks(channel)
    until(lambda: any(row.turn == "agent_answered" for row in served.rows(channel)))
    served.signal(how)
    again(served)
    until(lambda: any(row.turn == "adopted" for row in served.rows(channel)))
    channel.hang_up()
    channel.greenlet.join(60)
    assert channel.reached == ["support@default"]
    rows = ended(served, channel)
    turns = [row.turn for row in rows]
    assert turns[:4] == ["arrived", "decision", "recording_started", "agent_answered"]
    # Told to stop, it leaves silence behind until somebody watches again (promise P10); killed, it cannot: then the
    # file is silenced (decision 12).
    silence = ["recording_masked", "recording_unmasked"] if how == signal.SIGTERM else ["unwatched"]
    expected = ["adopted", "call_ended", "recording_sealed", "recording_stopped", *silence]
    assert sorted(turns[4:]) == sorted(expected)
    (path,) = channel.recorded
    sealed = next(row for row in rows if row.turn == "recording_sealed").evidence
    assert (sealed["path"], "silenced" in sealed) == (path, how == signal.SIGKILL)
    assert channel.recorded[path] >= channel.talked_ms - 100, "without a gap"


@pytest.mark.parametrize("key", ["9", "*9"])
def test_p6_a_yes_is_taken_back_after_a_restart(served: Served, key: str) -> None:
    channel = served.switch.call("5000", LONG)
    talks(channel)
    served.signal(signal.SIGKILL)
    again(served)
    until(lambda: any(row.turn == "adopted" for row in served.rows(channel)))
    for digit in key:
        channel.press(digit)
    if key == "9":
        gevent.sleep(0.3)
        assert channel.recorders, "a digit of the talk means nothing"
    else:
        until(lambda: not channel.recorders, 2)
    channel.hang_up()
    channel.greenlet.join(60)
    assert ("withdrawn" in [row.turn for row in ended(served, channel)]) == (key == "*9")


def test_p11_the_call_ended_while_nobody_was_there(served: Served) -> None:
    channel = served.switch.call("5000", YES)
    talks(channel)
    served.signal(signal.SIGKILL)
    channel.greenlet.join(60)
    again(served)
    rows = ended(served, channel)
    assert [row.turn for row in rows][-3:] == ["recording_stopped", "call_ended", "recording_sealed"]
    assert rows[-2].evidence["why"] == "the channel was gone"
    assert len(channel.recorded) == 1


def test_p4_killed_before_the_call(served: Served) -> None:
    served.signal(signal.SIGKILL)
    served.gone()
    channel = served.switch.call("5000", YES)
    channel.greenlet.join(60)
    assert channel.reached == ["support@default"]
    assert channel.recorded == {}
    assert served.all_rows() == []


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
    assert decision(ended(served, channel))[0] == "not_obtained"


def test_told_to_stop_it_lets_the_question_end(served: Served) -> None:
    """Within --grace, by default 20 s; nobody else is asked meanwhile."""
    channel = served.switch.call("5000", YES)
    reaches(channel, "play_and_get_digits")
    served.signal(signal.SIGTERM)
    gevent.sleep(0.1)
    late = served.switch.call("5000", YES)
    assert served.gone() == 0
    served.start()
    channel.greenlet.join(60)
    late.greenlet.join(60)
    assert channel.reached == late.reached == ["support@default"]
    assert decision(ended(served, channel)) == ("given", "consent_key")
    assert len(channel.recorded) == 1
    assert decision(ended(served, late)) == ("not_obtained", "not_asked")
    assert late.recorded == {}


def test_told_to_stop_it_waits_no_longer_than_it_may(served: Served) -> None:
    served.signal(signal.SIGTERM)
    served.gone()
    served.start("--grace", "0.2")
    channel = served.switch.call("5000", LONG)
    reaches(channel, "play_and_get_digits", after=0)
    served.switch.speed = 0.5
    began = time.monotonic()
    served.signal(signal.SIGTERM)
    assert served.gone() == 0
    assert time.monotonic() - began < 3
    served.switch.speed = 8
    served.start()
    talks(channel)
    channel.hang_up()
    channel.greenlet.join(60)
    assert channel.reached == ["support@default"]
    assert decision(ended(served, channel)) == ("not_obtained", "service_stopped")
    assert channel.recorded == {}


def test_after_a_crash_it_serves_again(served: Served) -> None:
    served.signal(signal.SIGKILL)
    served.gone()
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
