"""Events that the stream loses are found by the sweep, within two rounds; and what comes twice changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gevent
import pytest

from consentivr.lab.caller import Caller
from consentivr.lab.switch import Channel
from tests.flow.talks import NO, Talks, everybody, press, stays
from tests.waiting import until

Make = Callable[..., Talks]
TWO_ROUNDS = 4.0
"""Of a sweep each second, and what follows from it."""


def silent(channel: Channel) -> bool:
    return all(recorder.masked for recorder in channel.recorders.values())


def lost(made: Talks) -> None:
    """It was, and is no longer."""
    assert made.switch.faults.lost
    made.switch.faults.clear()


@pytest.mark.parametrize("lose", ["member-queue-start", "callcenter::info"])
def test_a_caller_joins_a_queue(talks: Make, lose: str) -> None:
    made = talks()
    made.switch.faults.lose(lose)
    channel = made.switch.call("5000", Caller(keys=NO, talks_ms=10_000_000))
    until(lambda: channel.bugs_in_talk)
    lost(made)
    until(lambda: made.follows(channel), TWO_ROUNDS)
    path = made.foreign()
    channel.record_without_asking(str(path), agent=True)
    until(lambda: not channel.agent_recorders, 1)
    until(lambda: not path.exists())
    made.ended(channel)


def test_a_caller_joins_another_queue(talks: Make) -> None:
    """The queue where the talk is decides, also when nobody said that it is another."""
    made = talks(queues={"sales": {"recording": {"mode": "off"}}})
    channel = made.recorded()
    before = channel.agent
    made.switch.faults.lose("member-queue-start")
    channel.transfer("queue-sales")
    until(lambda: channel.agent is not before and channel.partner is channel.agent)
    lost(made)
    until(lambda: made.visit(channel).ref.queue == "sales@default", TWO_ROUNDS)
    until(lambda: not channel.recorders, 1)
    made.ended(channel)
    assert made.rows(channel)[-1].queue == "sales@default"


@pytest.mark.parametrize("lose", ["MEDIA_BUG_START", "CHANNEL_BRIDGE", "bridge-agent-start"])
def test_p5_somebody_else_records_who_said_no(talks: Make, lose: str) -> None:
    made = talks()
    made.switch.faults.lose(lose)
    channel = made.talking(NO)
    path = made.foreign()
    channel.record_without_asking(str(path), agent=True)
    gevent.sleep(0.05)
    lost(made)
    until(lambda: not channel.agent_recorders, TWO_ROUNDS)
    made.sees(channel, "forbidden_recording")
    until(lambda: not path.exists())
    made.ended(channel)


@pytest.mark.parametrize("lose", ["MEDIA_BUG_STOP", "RECORD_STOP", "both"])
def test_the_end_of_a_recording(talks: Make, lose: str) -> None:
    made = talks()
    channel = made.recorded()
    (path,) = channel.recorders
    made.switch.faults.lose(*(["MEDIA_BUG_STOP", "RECORD_STOP"] if lose == "both" else [lose]))
    made.switch.api(f"uuid_record {channel.uuid} stop all")
    lost(made)
    made.sees(channel, "recording_sealed", seconds=TWO_ROUNDS + 4)
    (stopped,) = made.said(channel, "recording_stopped")
    assert stopped["path"] == path
    made.ended(channel)


def test_the_end_of_a_bridge(talks: Make) -> None:
    """The agent is gone and the caller stays: what comes next is another talk."""
    made = talks()
    channel = made.recorded()
    made.switch.faults.lose("CHANNEL_UNBRIDGE", "CHANNEL_HANGUP_COMPLETE")
    made.switch.park(channel)
    lost(made)
    until(lambda: not made.visit(channel).state.talking, TWO_ROUNDS)
    until(lambda: not channel.recorders)
    made.ended(channel)


def test_p10_a_bridge_with_somebody_else(talks: Make) -> None:
    made = talks()
    channel = made.recorded()
    made.switch.faults.lose("CHANNEL_BRIDGE", "CHANNEL_UNBRIDGE", "CHANNEL_HANGUP_COMPLETE")
    outsider = made.switch.leg("outsider", "3001")
    made.switch.bridge(outsider, channel)
    lost(made)
    until(lambda: silent(channel), TWO_ROUNDS)
    stays(lambda: silent(channel))
    made.ended(channel)


@pytest.mark.parametrize("lose", ["CHANNEL_HOLD", "CHANNEL_UNHOLD"])
def test_p10_a_hold(talks: Make, lose: str) -> None:
    made = talks()
    channel = made.recorded()
    made.switch.faults.lose(lose)
    channel.agent.hold()
    if lose == "CHANNEL_HOLD":
        lost(made)
    until(lambda: silent(channel), TWO_ROUNDS)
    channel.agent.unhold()
    if lose == "CHANNEL_UNHOLD":
        lost(made)
    until(lambda: not silent(channel), TWO_ROUNDS)
    said = made.ended(channel)
    assert said.count("recording_masked") == said.count("recording_unmasked") == 1


def test_the_end_of_a_call(talks: Make) -> None:
    made = talks()
    channel = made.recorded()
    made.switch.faults.lose("CHANNEL_HANGUP_COMPLETE", "CHANNEL_UNBRIDGE")
    channel.hang_up()
    until(lambda: channel.over)
    lost(made)
    made.sees(channel, "call_ended", seconds=TWO_ROUNDS)
    assert made.visit(channel) is None
    until(lambda: not made.unfinished(channel))


@pytest.mark.parametrize("lose", ["add-member", "start-recording"])
def test_p5_a_conference(talks: Make, lose: str) -> None:
    made = talks()
    channel = made.talking(NO)
    room = made.switch.conference("room")
    room.add(made.switch.leg("outsider", "3001"))
    gevent.sleep(0.05)
    made.switch.faults.lose(lose)
    room.add(channel, channel.agent)
    path = made.foreign("room")
    room.record(str(path))
    gevent.sleep(0.05)
    lost(made)
    until(lambda: not room.recorders, TWO_ROUNDS)
    made.sees(channel, "forbidden_recording")
    made.ended(channel)


def test_p10_a_member_leaves_a_conference(talks: Make) -> None:
    made = talks()
    channel = made.recorded()
    room = made.switch.conference("room")
    outsider = made.switch.leg("outsider", "3001")
    room.add(channel, channel.agent, outsider)
    until(lambda: silent(channel))
    made.switch.faults.lose("del-member", "CHANNEL_HANGUP_COMPLETE")
    outsider.hang_up()
    lost(made)
    until(lambda: channel.recorders and not silent(channel), TWO_ROUNDS)
    made.ended(channel)
    assert "outsider" not in everybody(made.files())


@pytest.mark.parametrize("lose", ["CHANNEL_EXECUTE", "MEDIA_BUG_START"])
def test_p10_somebody_joins_in(talks: Make, lose: str) -> None:
    made = talks()
    channel = made.recorded()
    made.switch.faults.lose(lose)
    outsider = made.switch.listen_in(channel, three_way=True)
    gevent.sleep(0.02)
    lost(made)
    until(lambda: silent(channel), TWO_ROUNDS)
    outsider.hang_up()
    until(lambda: not silent(channel), TWO_ROUNDS)
    made.ended(channel)


def test_answers_of_background_jobs(talks: Make) -> None:
    """A lost answer is no answer: what is stronger follows, or it is tried again."""
    made = talks()
    channel = made.recorded()
    hear = made.event_socket._hear
    made.event_socket._hear = lambda event: None if event["Event-Name"] == "BACKGROUND_JOB" else hear(event)  # type: ignore[method-assign]
    press(channel, "*9")
    gevent.sleep(0.3)
    made.event_socket._hear = hear  # type: ignore[method-assign]
    made.sees(channel, "withdrawn", seconds=TWO_ROUNDS + 2)
    assert not channel.recorders
    made.ended(channel)


def test_everything_is_told_twice(talks: Make, tmp_path: Path) -> None:
    made = talks()
    hear = made.event_socket._hear
    made.event_socket._hear = lambda event: (hear(event), hear(event))  # type: ignore[method-assign]
    made.event_socket.attach(made.switch)
    channel = made.recorded()
    channel.agent.hold()
    until(lambda: silent(channel))
    channel.agent.unhold()
    until(lambda: not silent(channel))
    gevent.sleep(0.1)
    said = made.ended(channel)
    for turn in ("recording_started", "agent_answered", "recording_masked", "recording_unmasked", "recording_stopped"):
        assert said.count(turn) == 1, said
