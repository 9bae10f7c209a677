"""Recorders of the simulated switch: their answers, their events, and who is to be heard in the files."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

from consentivr.lab.listening import duration, heard, silence, total
from consentivr.lab.simulated.legs import PITCHES, Leg
from consentivr.lab.switch import SimulatedSwitch
from tests.lab.talks import Told, ended, kept, passes, talking
from tests.waiting import until


def shares(path: Path) -> list[dict[str, float]]:
    """Of each channel, for which share of the file each role is heard; who is never heard is left out."""
    whole = duration(path)
    found = heard(path, PITCHES)
    return [{role: round(total(spans) / whole, 1) for role, spans in channel.items() if spans} for channel in found]


@pytest.mark.parametrize("which", ["caller", "agent"])
def test_any_leg_is_recorded_and_the_answers_are_the_real_ones(
    switch: SimulatedSwitch, told: Told, tmp_path: Path, which: str
) -> None:
    caller, agent = talking(switch)
    leg = caller if which == "caller" else agent
    path = str(tmp_path / "deep" / "x.wav")
    told.forget()
    ask = switch.api
    assert ask(f"uuid_record {leg.uuid} stop all") == "-ERR Cannot stop record session!\n"
    assert ask(f"uuid_record {leg.uuid} stop {path}") == "-ERR Cannot stop record session!\n"
    assert ask(f"uuid_record {leg.uuid} mask {path}") == "-ERR Cannot mask recording session!\n"
    assert ask(f"uuid_record {leg.uuid} unmask {path}") == "-ERR Cannot unmask recording session!\n"
    assert ask(f"uuid_record {leg.uuid} start /dev/null/x.wav") == "-ERR Cannot record session!\n"
    assert ask(f"uuid_record nobody stop {path}") == "-ERR Cannot locate session!\n"
    assert ask("uuid_buglist nobody") == ""
    assert told.story == []
    for _ in range(2):
        assert ask(f"uuid_record {leg.uuid} start {path}") == "+OK Success\n"
    assert told.story == [f"RECORD_START {which}", f"MEDIA_BUG_START {which} session_record"]
    assert [event.get("Media-Bug-Target", event.get("Record-File-Path")) for event in told.events] == [path, path]
    listed = ask(f"uuid_buglist {leg.uuid}")
    assert listed == (
        "<media-bugs>\n <media-bug>\n  <function>session_record</function>\n"
        f"  <target>{path}</target>\n  <thread-locked>0</thread-locked>\n </media-bug>\n</media-bugs>\n"
    )
    assert ask(f"uuid_record {leg.uuid} mask {path}") == "+OK Success\n"
    assert ask(f"uuid_record {leg.uuid} mask {path}") == "+OK Success\n"
    assert ask(f"uuid_buglist {leg.uuid}") == listed, "a masked recorder looks the same"
    told.forget()
    passes(switch, 100)
    assert ask(f"uuid_record {leg.uuid} stop all") == "+OK Success\n"
    assert told.story == [f"RECORD_STOP {which}", f"MEDIA_BUG_STOP {which} session_record"]
    (stopped,) = told.of("RECORD_STOP")
    assert int(stopped["variable_record_ms"]) >= 90
    assert stopped["Record-File-Path"] == path


def test_nothing_is_told_of_a_recorder_that_began_before_anybody_listened(
    switch: SimulatedSwitch, told: Told, tmp_path: Path
) -> None:
    caller, _ = talking(switch)
    told.forget()
    caller.record_without_asking(str(tmp_path / "x.wav"), agent=True, told=False)
    assert told.events == []
    assert caller.agent_recorders


def test_caller_left_agent_right_zeros_while_masked(switch: SimulatedSwitch, tmp_path: Path) -> None:
    caller, _ = talking(switch)
    path = str(tmp_path / "x.wav")
    caller.record(path)
    passes(switch, 2000)
    caller.mask(path, True)
    passes(switch, 2000)
    caller.mask(path, False)
    passes(switch, 2000)
    ended(caller)
    left, right = heard(kept(caller), PITCHES)
    assert [role for role, spans in left.items() if spans] == ["caller"]
    assert [role for role, spans in right.items() if spans] == ["agent"]
    (first, second), _ = left["caller"], right
    assert 1.5 < first[1] < 2.8
    assert second[0] - first[1] > 1.5
    assert total(silence(kept(caller))[0]) > 1.5


def test_only_the_talk_is_in_the_file(switch: SimulatedSwitch, tmp_path: Path) -> None:
    from consentivr.lab.caller import Caller

    paths = {}
    for only_bridged in (True, False):
        caller = switch.call("5000", Caller(waits_ms=1000, talks_ms=1000))
        until(lambda: caller.reached)  # noqa: B023 - waited for here
        caller.set_variable("RECORD_BRIDGE_REQ", str(only_bridged).lower())
        caller.record(str(tmp_path / f"{only_bridged}.wav"))
        until(lambda: caller.over)  # noqa: B023
        paths[only_bridged] = kept(caller)
        assert caller.talked_ms >= 900
    assert duration(paths[False]) - duration(paths[True]) > 0.5
    assert shares(paths[True])[1]["agent"] == 1.0
    assert shares(paths[False])[1]["agent"] < 0.8


def test_a_queue_that_nobody_answers_leaves_no_file(switch: SimulatedSwitch, told: Told, tmp_path: Path) -> None:
    from consentivr.lab.caller import Caller

    caller = switch.call("5000", Caller(agent=None, waits_ms=500))
    until(lambda: caller.reached)
    caller.set_variable("RECORD_BRIDGE_REQ", "true")
    caller.record(str(tmp_path / "x.wav"))
    until(lambda: caller.over)
    assert caller.recorded == {}
    assert list(tmp_path.iterdir()) == []
    assert told.of("RECORD_STOP")[0]["Record-Completion-Cause"] == "empty-file"


def test_hold_the_callers_room_stays_in_the_file(switch: SimulatedSwitch, tmp_path: Path) -> None:
    caller, agent = talking(switch)
    caller.set_variable("RECORD_BRIDGE_REQ", "true")
    caller.record(str(tmp_path / "x.wav"))
    passes(switch, 1500)
    agent.hold()
    passes(switch, 1500)
    ended(caller)
    left, right = shares(kept(caller))
    assert left["caller"] == 1.0
    assert right["agent"] < 0.7


def test_hand_over_the_file_goes_on_with_the_colleague(switch: SimulatedSwitch, tmp_path: Path) -> None:
    caller, agent = talking(switch)
    caller.set_variable("RECORD_BRIDGE_REQ", "true")
    caller.record(str(tmp_path / "x.wav"))
    passes(switch, 1500)
    switch.consult(agent)
    passes(switch, 1500)
    agent.hang_up()
    passes(switch, 1500)
    ended(caller)
    left, right = heard(kept(caller), PITCHES)
    assert total(left["caller"]) == pytest.approx(duration(kept(caller)), abs=0.1)
    assert right["agent"][-1][1] < right["colleague"][0][0] - 1.0, "music in between"


def test_who_hears_both_has_both_in_the_file(switch: SimulatedSwitch, tmp_path: Path) -> None:
    caller, _ = talking(switch)
    supervisor = switch.listen_in(caller)
    supervisor.set_variable("RECORD_STEREO", "true")
    supervisor.record(str(tmp_path / "supervisor.wav"))
    passes(switch, 1000)
    supervisor.hang_up()
    _, right = shares(kept(supervisor))
    assert set(right) == {"caller", "agent"}


@pytest.mark.parametrize("on", ["caller", "agent"])
def test_an_outsider_is_heard_by_both(switch: SimulatedSwitch, tmp_path: Path, on: str) -> None:
    caller, agent = talking(switch)
    recorded: Leg = caller if on == "caller" else agent
    recorded.set_variable("RECORD_STEREO", "true")
    recorded.record(str(tmp_path / "x.wav"))
    passes(switch, 1000)
    outsider = switch.listen_in(caller, three_way=True)
    passes(switch, 1000)
    outsider.hang_up()
    recorded.stop_all_recording()
    _, right = shares(kept(recorded))
    assert 0.2 < right["outsider"] < 0.8


def test_a_conference_is_one_file_of_all(switch: SimulatedSwitch, tmp_path: Path) -> None:
    caller, agent = talking(switch)
    room = switch.conference("room")
    room.add(caller, agent)
    room.record(str(tmp_path / "room.wav"))
    caller.record(str(tmp_path / "caller.wav"))
    passes(switch, 1000)
    room.add(switch.leg("outsider", "3001"))
    passes(switch, 1000)
    ended(caller)
    room.norecord("all")
    (mixed,) = shares(Path(next(iter(room.recorded))))
    assert set(mixed) == {"caller", "agent", "outsider"}
    assert set(shares(kept(caller))[1]) == {"agent", "outsider"}


def test_a_recorder_moves_to_the_other_leg(switch: SimulatedSwitch, told: Told, tmp_path: Path) -> None:
    caller, agent = talking(switch)
    caller.set_variable("recording_follow_transfer", "true")
    path = str(tmp_path / "x.wav")
    caller.record(path)
    passes(switch, 1000)
    told.forget()
    caller.move_recorders(agent)
    assert told.story == ["MEDIA_BUG_START agent session_record", "MEDIA_BUG_STOP caller session_record"]
    assert (list(caller.recorders), list(agent.recorders)) == ([], [path])
    passes(switch, 1000)
    assert agent.stop_recording(path)
    left, right = shares(Path(path))
    assert set(left) == set(right) == {"caller", "agent"}, "the sides are those of the leg"


def test_a_telephone_asks_for_a_recording(switch: SimulatedSwitch, told: Told, tmp_path: Path) -> None:
    caller, agent = talking(switch)
    caller.set_variable("sip_disable_recording", "true")
    assert not caller.press_record(str(tmp_path / "caller.wav"))
    told.forget()
    assert agent.press_record(str(tmp_path / "agent.wav")), "what forbids it on one leg does not on the other"
    assert told.story == ["RECORD_START agent", "MEDIA_BUG_START agent session_record"]


def test_a_mono_file_mixes(switch: SimulatedSwitch, tmp_path: Path) -> None:
    _, agent = talking(switch)
    agent.record(str(tmp_path / "x.wav"))
    passes(switch, 500)
    agent.stop_all_recording()
    assert soundfile.info(str(kept(agent))).channels == 1
    (mixed,) = shares(kept(agent))
    assert set(mixed) == {"caller", "agent"}


def test_a_queues_own_template_records_before_the_bridge(switch: SimulatedSwitch, told: Told, tmp_path: Path) -> None:
    template = "${strftime(%Y/%m/%d)}/${uuid}-${cc_queue_joined_epoch}.wav"
    switch.queues["support@default"] = f"{tmp_path}/{template}"
    caller, _ = talking(switch)
    assert told.story[2:] == [
        "bridge-agent-start agent",
        "RECORD_START caller",
        "MEDIA_BUG_START caller session_record",
        "BRIDGE caller-agent",
    ]
    ended(caller)
    joined = caller.variables["cc_queue_joined_epoch"]
    assert kept(caller).name == f"{caller.uuid}-{joined}.wav"
    assert caller.variables["cc_record_filename"] == str(kept(caller))
