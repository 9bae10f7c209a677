"""The switch refuses, hangs, is slow, loses events: what stronger follows, and what may be said (promises P6, P10)."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import gevent
import pytest

from consentivr.lab.simulated.faults import Fault
from consentivr.lab.switch import Channel
from tests.flow.talks import NO, YES, Desktop, Talks, audible, press, stays
from tests.waiting import until

Make = Callable[..., Talks]
FAULTS = ["refuses", "hangs", "slow"]


def fault(made: Talks, how: str, pattern: str, times: int | None = None) -> Fault:
    faults = made.switch.faults
    if how == "slow":
        return faults.slow(pattern, 1.0, times)
    return (faults.refuse if how == "refuses" else faults.hang)(pattern, times=times)


def recorded(made: Talks) -> tuple[Channel, str]:
    """A talk that is recorded, and its file."""
    channel = made.recorded()
    (path,) = channel.recorders
    return channel, path


def silent(channel: Channel) -> bool:
    return all(recorder.masked for recorder in channel.recorders.values())


# --- a stop ----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", FAULTS)
def test_p6_a_stop_that_fails_is_followed_by_stop_all(talks: Make, how: str) -> None:
    made = talks()
    channel, _ = recorded(made)
    met = fault(made, how, f"uuid_record {channel.uuid} stop /")
    press(channel, "*9")
    until(lambda: not channel.recorders, 2)
    (withdrawn,) = made.sees(channel, "withdrawn")
    assert met.met == 1
    assert f"uuid_record {channel.uuid} stop all" in made.commands
    assert "command_failed" not in made.turns(channel)
    assert withdrawn["stopped_ms"] < 1000
    made.ended(channel)


@pytest.mark.parametrize("how", ["refuses", "hangs"])
def test_p6_what_cannot_be_stopped_is_an_alarm_and_not_said_to_be(talks: Make, tmp_path: Path, how: str) -> None:
    told = tmp_path / "told"
    program = f"import sys; open({str(told)!r}, 'a').write(sys.stdin.read())"
    made = talks(watch={"command": [sys.executable, "-c", program]}, desktops=True)
    desktop = Desktop(made)
    channel, path = recorded(made)
    fault(made, how, "uuid_record .* stop")
    assert desktop.wishes(channel, "withdraw") == 504
    (failed,) = made.sees(channel, "command_failed")
    assert (failed["wanted"], failed["paths"]) == ("stop", [path])
    assert "withdrawn" not in made.turns(channel)
    assert channel.recorders, "it really goes on"
    assert made.incidents == 1, "one alarm, however often it is tried"
    until(lambda: told.exists() and told.read_text().endswith("}\n"))
    incident = json.loads(told.read_text().splitlines()[0])
    assert (incident["incident"], incident["channel_uuid"]) == ("command_failed", channel.uuid)
    assert "49" not in told.read_text().replace(channel.uuid, "").replace(path, "").replace(incident["visit"], "")
    stays(lambda: "withdrawn" not in made.turns(channel), 0.3)
    made.switch.faults.clear()
    until(lambda: not channel.recorders, 3)
    made.sees(channel, "withdrawn")
    assert desktop.wishes(channel, "withdraw") == 409, "it is so already"
    said = made.ended(channel)
    assert said.index("command_failed") < said.index("withdrawn")
    assert said.count("command_failed") == 1


def test_a_stop_whose_answer_is_a_lie_is_not_believed(talks: Make) -> None:
    made = talks()
    channel, _ = recorded(made)
    made.switch.faults.refuse("uuid_record .* stop", "+OK Success\n")
    press(channel, "*9")
    made.sees(channel, "command_failed")
    assert "withdrawn" not in made.turns(channel)
    made.switch.faults.clear()
    made.sees(channel, "withdrawn")
    assert not channel.recorders
    made.ended(channel)


def test_a_list_that_does_not_come_proves_nothing(talks: Make) -> None:
    made = talks()
    channel, _ = recorded(made)
    made.switch.faults.refuse("uuid_buglist", "")
    press(channel, "*9")
    made.sees(channel, "command_failed")
    assert not channel.recorders
    assert "withdrawn" not in made.turns(channel), "nobody has seen it"
    made.switch.faults.clear()
    made.sees(channel, "withdrawn")
    made.ended(channel)


def test_p5_what_cannot_be_stopped_on_an_eavesdropper_ends_the_leg(talks: Make) -> None:
    made = talks()
    channel = made.talking(NO)
    spy = made.switch.listen_in(channel)
    gevent.sleep(0.05)
    made.switch.faults.refuse("uuid_record .* stop")
    spy.record(str(made.foreign()))
    until(lambda: not spy.up, 3)
    made.ended(channel)
    assert channel.cause == "NORMAL_CLEARING"
    assert "command_failed" not in made.turns(channel)


# --- silence ---------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["refuses", "hangs"])
@pytest.mark.parametrize("why", ["pause", "hold"])
def test_p10_what_cannot_be_silenced_is_stopped(talks: Make, how: str, why: str) -> None:
    made = talks()
    channel, _ = recorded(made)
    fault(made, how, "uuid_record .* mask")
    if why == "pause":
        press(channel, "*3", agent=True)
        made.sees(channel, "recording_paused", seconds=3)
        assert not channel.recorders, "only now it is said"
    else:
        channel.agent.hold()
        until(lambda: not channel.recorders, 2)
    made.switch.faults.clear()
    if why == "pause":
        press(channel, "*4", agent=True)
        until(lambda: made.said(channel, "recording_resumed"))
    else:
        channel.agent.unhold()
    until(lambda: channel.recorders and not silent(channel), why=lambda: made.turns(channel))
    gevent.sleep(0.1)
    said = made.ended(channel)
    assert "command_failed" not in said
    assert len(channel.recorded) == 2


def test_p6_a_pause_that_is_not_so_is_not_said(talks: Make) -> None:
    made = talks(desktops=True)
    desktop = Desktop(made)
    channel, _ = recorded(made)
    made.switch.faults.refuse("uuid_record .* (mask|stop)")
    assert desktop.wishes(channel, "pause") == 504
    (failed,) = made.sees(channel, "command_failed")
    assert failed["wanted"] == "mask"
    assert made.incidents == 1
    assert not silent(channel)
    assert "recording_paused" not in made.turns(channel)
    made.switch.faults.clear()
    until(lambda: silent(channel), 3)
    made.sees(channel, "recording_paused")
    made.ended(channel)


@pytest.mark.parametrize("how", ["refuses", "hangs"])
def test_a_recorder_that_does_not_hear_again_is_said_and_tried_again(talks: Make, how: str) -> None:
    made = talks()
    channel, _ = recorded(made)
    press(channel, "*3", agent=True)
    made.sees(channel, "recording_paused")
    fault(made, how, "uuid_record .* unmask")
    press(channel, "*4", agent=True)
    (failed,) = made.sees(channel, "command_failed")
    assert failed["wanted"] == "unmask"
    assert silent(channel)
    assert "recording_resumed" not in made.turns(channel)
    made.switch.faults.clear()
    until(lambda: not silent(channel), 3)
    made.sees(channel, "recording_resumed")
    assert made.turns(channel).count("command_failed") == 1
    made.ended(channel)


# --- a start ---------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["refuses", "hangs"])
def test_p3_a_start_that_fails_is_said_and_not_tried_again_in_this_talk(talks: Make, how: str) -> None:
    made = talks(agents={"must_agree": True})
    made.register("1001@default", "1002@default")
    fault(made, how, "uuid_record .* start")
    channel = made.talking(YES)
    made.sees(channel, "recording_failed")
    made.switch.faults.clear()
    stays(lambda: not channel.recorders, 1.5)
    assert "recording_started" not in made.turns(channel)
    before = channel.agent
    channel.transfer("queue-sales")
    until(lambda: channel.agent is not before and channel.recorders)
    gevent.sleep(0.1)
    made.ended(channel)
    assert len(channel.recorded) == 1
    assert audible(next(iter(channel.recorded))) == {"caller", "agent"}


def test_a_start_that_is_slow_is_not_taken_for_failed(talks: Make) -> None:
    made = talks(agents={"must_agree": True})
    made.register("1001@default")
    made.switch.faults.slow("uuid_record .* start", 1.0)
    channel = made.talking(YES)
    until(lambda: channel.recorders)
    made.sees(channel, "recording_started")
    assert "recording_failed" not in made.ended(channel)


def test_a_caller_who_takes_it_back_while_the_recorder_starts(talks: Make) -> None:
    made = talks(agents={"must_agree": True})
    made.register("1001@default")
    made.switch.faults.slow("uuid_record .* start", 0.5)
    channel = made.talking(YES)
    until(lambda: any(" start " in command for command in made.commands))
    press(channel, "*9")
    gevent.sleep(0.6)
    until(lambda: not channel.recorders, 2)
    made.sees(channel, "withdrawn")
    stays(lambda: not channel.recorders, 0.3)
    made.ended(channel)
