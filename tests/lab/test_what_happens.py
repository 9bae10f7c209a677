"""What may happen to a call on the simulated switch, in the order in which a real one told it (FREESWITCH.md, 7)."""

from __future__ import annotations

import json
from pathlib import Path

import gevent
import pytest

from consentivr.lab.caller import Caller
from consentivr.lab.switch import SimulatedSwitch
from tests.lab.talks import QUEUE, Told, ended, passes, talking
from tests.waiting import until


def test_a_queue_call_from_its_beginning_to_its_end(switch: SimulatedSwitch, told: Told) -> None:
    caller, agent = talking(switch)
    assert told.story == [
        "member-queue-start caller",
        "agent-offering nobody",
        "bridge-agent-start agent",
        "BRIDGE caller-agent",
    ]
    (started,) = told.of("bridge-agent-start")
    assert started["CC-Agent"] == "1001@default"
    assert started["CC-Agent-UUID"] == started["Unique-ID"] == agent.uuid
    assert started["CC-Member-Session-UUID"] == caller.uuid
    assert started["CC-Queue"] == QUEUE
    (bridged,) = told.of("CHANNEL_BRIDGE")
    assert bridged["Other-Leg-Unique-ID"] == agent.uuid
    assert bridged["variable_cc_agent_uuid"] == agent.uuid
    assert "variable_cc_agent" not in bridged
    assert caller.variables["cc_agent"] == agent.variables["cc_agent"] == "1001@default"
    assert (caller.variables["cc_side"], agent.variables["cc_side"]) == ("member", "agent")
    assert agent.variables["cc_member_session_uuid"] == caller.uuid
    told.forget()
    ended(caller)
    until(lambda: told.of("member-queue-end"))
    assert told.story == ["UNBRIDGE caller-agent", "HANGUP_COMPLETE caller", "HANGUP_COMPLETE agent"]
    (over,) = told.of("bridge-agent-end")
    assert (over["CC-Agent-UUID"], over["CC-Member-Session-UUID"]) == (agent.uuid, caller.uuid)
    assert told.of("member-queue-end")[0]["CC-Cause"] == "Terminated"
    assert switch.legs == {}


def test_the_agent_hangs_up_and_the_dialplan_goes_on(switch: SimulatedSwitch, told: Told) -> None:
    caller, agent = talking(switch)
    told.forget()
    agent.hang_up()
    until(lambda: caller.over)
    assert told.story == ["HANGUP_COMPLETE agent", "UNBRIDGE caller-agent", "HANGUP_COMPLETE caller"]
    assert caller.applications[-2:] == ["transfer", "hangup"]


def test_an_agent_declines_and_the_next_one_comes(switch: SimulatedSwitch, told: Told) -> None:
    talking(switch, declined_by=("1007@default",))
    (failed,) = told.of("bridge-agent-fail")
    assert (failed["CC-Agent"], failed["CC-Hangup-Cause"]) == ("1007@default", "USER_BUSY")
    assert "Unique-ID" not in failed
    assert len(told.of("agent-offering")) == 2


@pytest.mark.parametrize(("script", "why"), [({"agent": None}, "TIMEOUT"), ({"waits_ms": 60_000}, "BREAK_OUT")])
def test_a_queue_that_is_left_without_an_agent(switch: SimulatedSwitch, told: Told, script: dict, why: str) -> None:
    caller = switch.call("5000", Caller(**{"waits_ms": 200, **script}))
    until(lambda: caller.reached)
    if why == "BREAK_OUT":
        caller.hang_up()
    until(lambda: caller.over)
    assert told.story == ["member-queue-start caller", "member-queue-end caller", "HANGUP_COMPLETE caller"]
    assert told.of("member-queue-end")[0]["CC-Cancel-Reason"] == why
    assert caller.variables["cc_cancel_reason"] == why


# --- hold, consultation, hand-over -----------------------------------------------------------


def test_hold(switch: SimulatedSwitch, told: Told) -> None:
    caller, agent = talking(switch)
    told.forget()
    agent.hold()
    assert switch.legs[agent.uuid].row()["callstate"] == "HELD"
    assert (caller.application, caller.application_data) == ("playback", "local_stream://moh")
    agent.unhold()
    assert told.story == ["HOLD agent", "UNHOLD agent"]
    assert told.of("CHANNEL_HOLD")[0]["Other-Leg-Unique-ID"] == caller.uuid
    assert caller.partner is agent


def test_a_consultation_that_hands_over(switch: SimulatedSwitch, told: Told) -> None:
    caller, agent = talking(switch)
    told.forget()
    colleague = switch.consult(agent)
    assert told.story == ["BRIDGE agent-colleague"], "nothing of the caller"
    assert caller.partner is agent, "the caller's bridge stays"
    calls = json.loads(switch.api("show calls as json"))["rows"]
    pairs = [(row["uuid"], row["b_uuid"]) for row in calls]
    assert pairs == [(caller.uuid, agent.uuid), (agent.uuid, colleague.uuid)]
    assert colleague.variables["originating_leg_uuid"] == agent.uuid
    assert colleague.variables["presence_id"] == "2001@127.0.0.1"
    assert agent.variables["dialed_user"] == "2001", "the dialling leg names the other"
    told.forget()
    agent.hang_up()
    assert told.story == [
        "UNBRIDGE agent-colleague",
        "UNBRIDGE caller-agent",
        "HANGUP_COMPLETE agent",
        "BRIDGE colleague-caller",
    ]
    assert caller.partner is colleague
    assert caller.variables["cc_agent"] == "1001@default", "it stays"
    until(lambda: told.of("member-queue-end"))
    told.forget()
    colleague.hang_up()
    until(lambda: caller.over)
    assert told.story[:2] == ["UNBRIDGE colleague-caller", "HANGUP_COMPLETE colleague"]


def test_a_colleague_who_declines(switch: SimulatedSwitch, told: Told) -> None:
    caller, agent = talking(switch)
    colleague = switch.consult(agent, directory=False)
    assert "dialed_user" not in colleague.variables
    told.forget()
    colleague.hang_up()
    assert told.story == [
        "HANGUP_COMPLETE colleague",
        "UNBRIDGE agent-colleague",
        "UNBRIDGE caller-agent",
        "BRIDGE agent-caller",
    ]
    assert (caller.partner, agent.partner) == (agent, caller)


def test_a_colleagues_telephone_forwards_and_the_caller_is_alone(switch: SimulatedSwitch, told: Told) -> None:
    caller, agent = talking(switch)
    told.forget()
    other = switch.consult_redirected(agent)
    assert told.story == ["HANGUP_COMPLETE colleague", "UNBRIDGE caller-agent", "BRIDGE agent-colleague"]
    assert agent.partner is other
    assert "dialed_user" not in other.variables
    assert agent.variables["dialed_user"] == "2001", "it stays on the leg that dialled"
    passes(switch, 200)
    assert (caller.partner, caller.over) == (None, False)
    ended(caller)


def test_an_agents_telephone_forwards_and_only_a_variable_tells(switch: SimulatedSwitch, told: Told) -> None:
    talking(switch, agent_variables={"sip_redirected_to": "<sip:2098@127.0.0.1>"})
    (started,) = told.of("bridge-agent-start")
    assert started["variable_sip_redirected_to"] == "<sip:2098@127.0.0.1>"
    assert started["CC-Agent"] == "1001@default"


def test_a_caller_who_hangs_up_during_a_consultation_is_told_of_later(switch: SimulatedSwitch, told: Told) -> None:
    caller, agent = talking(switch)
    colleague = switch.consult(agent)
    told.forget()
    caller.hang_up()
    passes(switch, 500)
    assert told.story == []
    assert switch.api(f"uuid_exists {caller.uuid}") == "false"
    assert caller.uuid in switch.api("show channels as json")
    colleague.hang_up()
    until(lambda: caller.over)
    assert "HANGUP_COMPLETE caller" in told.story
    assert "HANGUP_COMPLETE agent" in told.story


def test_a_caller_who_leaves_two_who_consult(switch: SimulatedSwitch, told: Told) -> None:
    caller, agent = talking(switch)
    colleague = switch.consult(agent)
    picked = switch.intercept(caller)
    assert caller.partner is picked
    assert agent.partner is colleague, "they talk on"
    agent.hang_up()
    assert not colleague.up
    assert caller.partner is picked


def test_two_lines_of_the_agents_phone(switch: SimulatedSwitch, told: Told) -> None:
    _, agent = talking(switch)
    told.forget()
    second, colleague = switch.second_line(agent)
    assert told.story == ["HOLD agent", "BRIDGE agent-colleague"]
    told.forget()
    switch.replace(agent, second)
    assert told.story == [
        "UNBRIDGE agent-colleague",
        "UNHOLD agent",
        "HANGUP_COMPLETE agent",
        "UNBRIDGE caller-agent",
        "BRIDGE caller-colleague",
    ]
    assert second.up, "parked until the phone hangs it up"
    assert colleague.variables["originating_leg_uuid"] == second.uuid


# --- transfers -------------------------------------------------------------------------------


def test_a_blind_transfer_to_a_colleague(switch: SimulatedSwitch, told: Told) -> None:
    caller, agent = talking(switch)
    told.forget()
    switch.refer(agent, "2001")
    until(lambda: caller.bridge)
    assert told.story == ["HANGUP_COMPLETE agent", "UNBRIDGE caller-agent", "BRIDGE caller-colleague"]
    assert "Other-Leg-Unique-ID" not in told.of("CHANNEL_UNBRIDGE")[0]
    assert caller.variables["dialed_user"] == "2001"


def test_a_transfer_to_another_queue_overtakes_the_end_of_the_first(switch: SimulatedSwitch, told: Told) -> None:
    caller, agent = talking(switch, agents={"sales@default": "1002@default"}, waits_ms=20)
    told.forget()
    assert switch.api(f"uuid_transfer {caller.uuid} 5001 XML public") == "+OK\n"
    until(lambda: caller.agent is not agent and caller.bridge and told.of("member-queue-end"))
    actions = [event["CC-Action"] for event in told.events if "CC-Action" in event]
    assert actions[:1] == ["member-queue-start"]
    assert set(actions[-2:]) == {"bridge-agent-end", "member-queue-end"}
    (over,) = told.of("member-queue-end")
    assert over["CC-Queue"] == QUEUE
    assert over["CC-Member-UUID"] != caller.variables["cc_member_uuid"]
    assert over["CC-Agent-UUID"] == agent.uuid
    assert not agent.up
    assert caller.reached == ["support@default", "sales@default"]


def test_both_are_sent_on(switch: SimulatedSwitch) -> None:
    caller, agent = talking(switch)
    assert switch.api(f"uuid_transfer {caller.uuid} -both park XML public") == "+OK\n"
    until(lambda: caller.applications[-1] == "park")
    assert not agent.up
    assert switch.api("uuid_transfer nobody park") == "-ERR No such channel!\n"


def test_a_voicemail_is_no_media_bug(switch: SimulatedSwitch, told: Told, tmp_path: Path) -> None:
    caller, _ = talking(switch)
    caller.variables["mailbox"] = str(tmp_path / "message.wav")
    caller.transfer("2099")
    until(lambda: told.of("RECORD_START"))
    assert told.of("MEDIA_BUG_START") == []
    assert switch.api(f"uuid_buglist {caller.uuid}") == "<media-bugs>\n</media-bugs>\n"
    assert caller.row()["application"] == "record"
    ended(caller)
    assert [line for line in told.story if "RECORD" in line] == ["RECORD_START caller", "RECORD_STOP caller"]


# --- who else hears --------------------------------------------------------------------------


@pytest.mark.parametrize("three_way", [False, True])
def test_somebody_listens_in(switch: SimulatedSwitch, told: Told, three_way: bool, tmp_path: Path) -> None:
    caller, _ = talking(switch)
    told.forget()
    leg = switch.listen_in(caller, three_way=three_way)
    (executed,) = told.of("CHANNEL_EXECUTE")
    assert executed["Application"] == ("three_way" if three_way else "eavesdrop")
    assert (executed["Application-Data"], executed["Unique-ID"]) == (caller.uuid, leg.uuid)
    (tapped,) = told.of("MEDIA_BUG_START")
    assert (tapped["Unique-ID"], tapped["Media-Bug-Target"]) == (caller.uuid, caller.uuid)
    assert f"<function>eavesdrop</function>\n  <target>{caller.uuid}</target>" in switch.api(
        f"uuid_buglist {caller.uuid}"
    )
    assert leg.row()["application_data"] == caller.uuid
    assert leg.record(str(tmp_path / "supervisor.wav"))
    told.forget()
    leg.hang_up()
    assert told.story == [
        "MEDIA_BUG_STOP caller eavesdrop",
        f"RECORD_STOP {leg.role}",
        f"MEDIA_BUG_STOP {leg.role} session_record",
        f"HANGUP_COMPLETE {leg.role}",
    ]


def test_a_listener_goes_with_the_call(switch: SimulatedSwitch) -> None:
    caller, _ = talking(switch)
    leg = switch.listen_in(caller)
    ended(caller)
    assert not leg.up


def test_any_other_tap(switch: SimulatedSwitch, told: Told) -> None:
    caller, _ = talking(switch)
    told.forget()
    tap = caller.tap("displace", "/tmp/x.wav")
    caller.untap(tap)
    assert told.story == ["MEDIA_BUG_START caller displace", "MEDIA_BUG_STOP caller displace"]


def test_a_call_is_picked_up(switch: SimulatedSwitch, told: Told) -> None:
    caller, agent = talking(switch)
    told.forget()
    colleague = switch.intercept(caller)
    assert told.story == ["HANGUP_COMPLETE agent", "UNBRIDGE caller-agent", "BRIDGE colleague-caller"]
    assert agent.hangup_cause == "PICKED_OFF"
    assert told.of("CHANNEL_UNBRIDGE")[0]["Other-Leg-Unique-ID"] == colleague.uuid, "the new one"


def test_a_waiting_caller_is_picked_up(switch: SimulatedSwitch, told: Told) -> None:
    caller = switch.call("5000", Caller(waits_ms=100_000))
    until(lambda: caller.reached)
    colleague = switch.intercept(caller)
    until(lambda: told.of("member-queue-end"))
    passes(switch, 100)
    assert caller.partner is colleague
    assert told.of("member-queue-end")[0]["CC-Cancel-Reason"] == "BREAK_OUT"


def test_two_callers_are_put_through_to_one_another(switch: SimulatedSwitch, told: Told) -> None:
    one, first = talking(switch)
    other, second = talking(switch, role="other caller")
    told.forget()
    assert switch.api(f"uuid_bridge {one.uuid} {other.uuid}") == f"+OK {other.uuid}\n"
    assert told.story == [
        "HANGUP_COMPLETE agent",
        "UNBRIDGE caller-agent",
        "HANGUP_COMPLETE agent",
        "UNBRIDGE other caller-agent",
        "BRIDGE caller-other caller",
    ]
    assert not first.up
    assert not second.up
    assert (one.variables["cc_agent"], other.variables["cc_agent"]) == ("1001@default", "1001@default")
    ended(one)
    until(lambda: other.over)


def test_parked_and_fetched(switch: SimulatedSwitch, told: Told) -> None:
    caller, agent = talking(switch)
    told.forget()
    switch.park(caller)
    assert not agent.up
    assert caller.row()["application_data"] == "lot 8001"
    assert "signal_bond" not in caller.variables
    assert caller.variables["bridge_uuid"] == agent.uuid, "it stays"
    colleague = switch.fetch(caller)
    assert [line for line in told.story if "BRIDGE" in line] == ["UNBRIDGE caller-agent", "BRIDGE caller-colleague"]
    assert caller.partner is colleague
    passes(switch, 200)
    assert caller.partner is colleague


def test_a_conference(switch: SimulatedSwitch, told: Told, tmp_path: Path) -> None:
    caller, agent = talking(switch)
    outsider = switch.leg("outsider", "3001")
    told.forget()
    room = switch.conference("room")
    room.add(caller, agent)
    room.add(outsider)
    assert told.story == [
        "conference-create nobody",
        "UNBRIDGE caller-agent",
        "add-member caller",
        "add-member agent",
        "add-member outsider",
    ]
    path = str(tmp_path / "room.wav")
    told.forget()
    assert room.record(path)
    (started,) = told.of("start-recording")
    assert (started["Path"], started["Conference-Name"]) == (path, "room")
    assert "Unique-ID" not in started
    assert told.of("RECORD_START") == []
    assert switch.api(f"uuid_buglist {caller.uuid}") == "<media-bugs>\n</media-bugs>\n"
    (said,) = json.loads(switch.api("conference json_list"))
    assert (said["conference_name"], said["member_count"], said["recording"]) == ("room", 3, True)
    assert {"recording_node", "caller"} == {member["type"] for member in said["members"]}
    assert caller.uuid in [member.get("uuid") for member in said["members"]]
    answer = f"-ERR non-existant recording '{path}x'\n+OK Stopped recording 0 files\n"
    assert switch.api(f"conference room norecord {path}x") == answer
    answer = f"Stopped recording file {path}\n+OK Stopped recording 1 file\n"
    assert switch.api(f"conference room norecord {path}") == answer
    assert len(told.of("stop-recording")) == 1
    told.forget()
    ended(caller)
    assert told.story == ["del-member caller", "HANGUP_COMPLETE caller"]
    agent.hang_up()
    outsider.hang_up()
    assert switch.api("conference json_list") == "[]"
    assert switch.api("conference room norecord all") == "-ERR Conference room not found\n"


def test_a_room_that_records_by_itself(switch: SimulatedSwitch, tmp_path: Path) -> None:
    room = switch.conference("room")
    room.add(switch.leg("outsider", "3001"))
    path = str(tmp_path / "auto.wav")
    room.record(path, by_itself=True)
    said = f"Stopped AUTO recording file {path} (Auto Recording Now Disabled)\n+OK Stopped recording 0 files\n"
    assert switch.api(f"conference room norecord {path}") == said
    assert json.loads(switch.api("conference json_list"))[0]["recording"] is False


# --- the end of the switch -------------------------------------------------------------------


def test_the_switch_dies_and_comes_back(switch: SimulatedSwitch, told: Told, tmp_path: Path) -> None:
    import soundfile

    caller, _ = talking(switch)
    path = tmp_path / "talk.wav"
    caller.record(str(path))
    passes(switch, 500)
    core = switch.core_uuid
    told.forget()
    switch.crash()
    assert told.events == []
    assert caller.over
    assert path.stat().st_size > 1000, "the samples are there"
    with pytest.raises(soundfile.LibsndfileError):
        soundfile.info(str(path))
    switch.come_back()
    assert switch.core_uuid != core
    assert switch.api("show channels as json") == '{"row_count": 0}\n'
    gevent.sleep(0.02)
    assert talking(switch)[0].bridge
