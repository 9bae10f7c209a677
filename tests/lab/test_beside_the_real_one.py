"""The simulated switch beside what a real one told on its event socket, conversation by conversation."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from consentivr.lab.caller import Caller
from consentivr.lab.switch import SimulatedSwitch
from tests.lab.talks import Told, ended, passes, talking
from tests.recorded import FOLDER, from_switch, messages
from tests.waiting import until

Story = list[tuple[str, ...]]


def told_story(events: list[dict], caller: str) -> Story:
    """Names, legs and other legs by the order in which they appear, from the first bridge or queue on.

    Left out: what the application did (recorders of the caller's leg that stop), noise, and what comes late.
    """
    legs = {caller: "caller"}

    def leg(uuid: str | None) -> str:
        return legs.setdefault(uuid, f"leg {len(legs)}") if uuid else "-"

    story: Story = []
    for event in events:
        name = event.get("CC-Action") or event.get("Action") or event["Event-Name"]
        function = event.get("Media-Bug-Function", "")
        if name in ("CHANNEL_BRIDGE", "CHANNEL_UNBRIDGE"):
            story.append((name, leg(event["Bridge-A-Unique-ID"]), leg(event["Bridge-B-Unique-ID"])))
            story[-1] += ("other", leg(event.get("Other-Leg-Unique-ID")))
        elif name.startswith(("MEDIA_BUG", "RECORD")) and event["Unique-ID"] == caller and function != "eavesdrop":
            continue
        elif name.startswith("MEDIA_BUG"):
            story.append((name, leg(event["Unique-ID"]), function))
        elif name in ("bridge-agent-start", "CHANNEL_HOLD", "CHANNEL_UNHOLD", "RECORD_START", "RECORD_STOP"):
            story.append((name, leg(event["Unique-ID"])))
        elif name in ("member-queue-start", "member-queue-end") and event.get("CC-Cause") != "Terminated":
            story.append((name, leg(event["Unique-ID"]), event.get("CC-Cancel-Reason", "")))
        elif name in ("agent-offering", "conference-create", "start-recording", "stop-recording", "conference-destroy"):
            story.append((name, leg(event.get("Unique-ID"))))
        elif name in ("add-member", "del-member"):
            story.append((name, leg(event["Unique-ID"])))
    return story


def endings(events: list[dict]) -> Counter[tuple[str, str]]:
    """What comes in either order: hang-ups with their causes, the queue's last words."""
    return Counter(
        (name, event.get("Hangup-Cause", event.get("CC-Hangup-Cause", "")))
        for event in events
        if (name := event.get("CC-Action") or event["Event-Name"]) in ("CHANNEL_HANGUP_COMPLETE", "bridge-agent-end")
    )


def real(name: str) -> tuple[list[dict], str]:
    """The events of a recorded conversation, and the caller's leg."""
    found = [
        json.loads(message.body)
        for message in messages(from_switch(f"{name}.inbound"))
        if message.content_type == "text/event-json"
    ]
    caller = next(event["Unique-ID"] for event in found if event.get("CC-Action") == "member-queue-start")
    return [event for event in found if event["Event-Name"] != "BACKGROUND_JOB"], caller


# --- what happened in each, once more --------------------------------------------------------


def yes(switch: SimulatedSwitch, _folder: Path) -> None:
    caller, _ = talking(switch)
    ended(caller)


def agent_hangs_up(switch: SimulatedSwitch, _folder: Path) -> None:
    caller, agent = talking(switch)
    agent.hang_up()
    until(lambda: caller.over)


def hold(switch: SimulatedSwitch, _folder: Path) -> None:
    caller, agent = talking(switch)
    agent.hold()
    agent.unhold()
    agent.hang_up()
    until(lambda: caller.over)


def handed_over(switch: SimulatedSwitch, _folder: Path) -> None:
    caller, agent = talking(switch)
    switch.consult(agent)
    agent.hang_up()
    ended(caller)


def declined(switch: SimulatedSwitch, _folder: Path) -> None:
    caller, agent = talking(switch)
    switch.consult_in_vain(agent)
    agent.hang_up()
    until(lambda: caller.over)


def colleague_hangs_up(switch: SimulatedSwitch, _folder: Path) -> None:
    caller, agent = talking(switch)
    switch.consult(agent).hang_up()
    ended(caller)


def refer(switch: SimulatedSwitch, _folder: Path) -> None:
    caller, agent = talking(switch)
    switch.refer(agent, "2001")
    until(lambda: caller.bridge)
    ended(caller)


def refer_attended(switch: SimulatedSwitch, _folder: Path) -> None:
    caller, agent = talking(switch)
    second, colleague = switch.second_line(agent)
    switch.replace(agent, second)
    second.hang_up()
    colleague.hang_up()
    until(lambda: caller.over)


def line_b(switch: SimulatedSwitch, _folder: Path) -> None:
    caller, agent = talking(switch, agents={"sales@default": "1002@default"})
    switch.refer(agent, "5001")
    until(lambda: caller.agent is not agent and caller.bridge)
    assert caller.agent is not None
    caller.agent.hang_up()
    until(lambda: caller.over)


def three_way(switch: SimulatedSwitch, _folder: Path) -> None:
    caller, agent = talking(switch)
    switch.listen_in(caller, three_way=True).hang_up()
    agent.hang_up()
    until(lambda: caller.over)


def eavesdrop_recorded(switch: SimulatedSwitch, folder: Path) -> None:
    caller, agent = talking(switch)
    supervisor = switch.leg("eavesdropper", "3009")
    supervisor.record(str(folder / "eavesdrop.wav"))
    switch.listen_in(caller, by=supervisor)
    passes(switch, 100)
    supervisor.hang_up()
    agent.hang_up()
    until(lambda: caller.over)


def intercept(switch: SimulatedSwitch, _folder: Path) -> None:
    caller, _ = talking(switch)
    switch.intercept(caller)
    ended(caller)


def conference_recorded(switch: SimulatedSwitch, folder: Path) -> None:
    caller, agent = talking(switch)
    room = switch.conference("room")
    room.add(caller, agent)
    room.record(str(folder / "room.wav"), by_itself=True)
    switch.api(f"conference room norecord {folder / 'room.wav'}")
    ended(caller)
    agent.hang_up()


def queue_times_out(switch: SimulatedSwitch, _folder: Path) -> None:
    caller = switch.call("5000", Caller(agent=None, waits_ms=200))
    until(lambda: caller.over)


PLAYED: dict[str, Callable[[SimulatedSwitch, Path], None]] = {
    "yes": yes,
    "no": agent_hangs_up,
    "pause_keys": agent_hangs_up,
    "hold": hold,
    "consultation_handed_over": handed_over,
    "consultation_declined": declined,
    "consultation_colleague_hangs_up": colleague_hangs_up,
    "refer": refer,
    "refer_attended": refer_attended,
    "line_b": line_b,
    "three_way": three_way,
    "eavesdrop_recorded": eavesdrop_recorded,
    "intercept": intercept,
    "conference_recorded": conference_recorded,
    "queue_times_out": queue_times_out,
}
"""All but the voice message, which has a test of its own (test_what_happens)."""


@pytest.mark.parametrize("name", PLAYED)
def test_the_simulated_switch_tells_what_the_real_one_told(
    switch: SimulatedSwitch, told: Told, tmp_path: Path, name: str
) -> None:
    events, real_caller = real(name)
    PLAYED[name](switch, tmp_path)
    passes(switch, 300)
    caller = told.of("member-queue-start")[0]["Unique-ID"]
    expected, found = told_story(events, real_caller), told_story(told.events, caller)
    if name == "conference_recorded":  # who comes in first is a matter of 20 ms
        expected, found = sorted(expected), sorted(found)
    assert found == expected
    assert endings(told.events) == endings(events)


def test_every_recorded_conversation_is_played() -> None:
    recorded = {path.name.removesuffix(".inbound.esl") for path in FOLDER.glob("*.inbound.esl")}
    assert recorded - set(PLAYED) == {"voice_message"}


KINDS = ["CHANNEL_BRIDGE", "RECORD_START", "MEDIA_BUG_START", "CHANNEL_HANGUP_COMPLETE", "bridge-agent-start", "DTMF"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_names_what_a_real_one_names(switch: SimulatedSwitch, told: Told, tmp_path: Path, kind: str) -> None:
    """Of the headers that are no variables, and of the queue's variables; the rest is media, SIP, and the account."""
    events, _ = real("yes")
    caller, _ = talking(switch)
    caller.record(str(tmp_path / "x.wav"))
    caller.press("1")
    passes(switch, 200)
    ended(caller)

    def headers(found: list[dict]) -> set[str]:
        event = next(event for event in found if kind in (event["Event-Name"], event.get("CC-Action")))
        return {key for key in event if not key.startswith(("variable_", "Other-Leg", "Caller-", "Channel-", "Event-"))}

    assert headers(events) - headers(told.events) - {"Other-Type", "Presence-Call-Direction"} == set()


@pytest.mark.parametrize("name", ["hold", "consultation_handed_over", "three_way", "conference_recorded"])
def test_lists_have_the_columns_of_the_real_ones(switch: SimulatedSwitch, name: str) -> None:
    jobs = {
        event["Job-Command-Arg"]: json.loads(event["_body"])
        for message in messages(from_switch(f"{name}.inbound"))
        if message.content_type == "text/event-json"
        and (event := json.loads(message.body)).get("Job-Command") in ("show", "conference")
        and event["Job-Command-Arg"].endswith(("as json", "json_list"))
    }
    caller, agent = talking(switch)
    if name == "conference_recorded":
        switch.conference("room").add(caller, agent)
        (theirs,), (ours,) = jobs["json_list"], json.loads(switch.api("conference json_list"))
        assert {"conference_name", "conference_uuid", "member_count", "recording", "members"} <= set(ours)
        assert set(ours) <= set(theirs)
        real_member, member = (
            next(one for one in room["members"] if one["type"] == "caller") for room in (theirs, ours)
        )
        assert set(member) == set(real_member)
    for what in ("channels as json", "calls as json"):
        theirs, ours = jobs[what]["rows"][0], json.loads(switch.api(f"show {what}"))["rows"][0]
        assert list(ours) == list(theirs)
