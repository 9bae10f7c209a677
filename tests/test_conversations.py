"""The recorded conversations with both sockets: whole, readable, and what their names say."""

from __future__ import annotations

import json

import pytest

from tests.recorded import FOLDER, INBOUND, OUTBOUND, blocks, from_switch, messages

EXPECTED = {
    "yes": {
        "RECORD_START",
        "RECORD_STOP",
        "CHANNEL_BRIDGE",
        "bridge-agent-start",
        "bridge-agent-end",
        "member-queue-end",
    },
    "no": {"CHANNEL_BRIDGE", "bridge-agent-start", "CHANNEL_HANGUP_COMPLETE"},
    "hold": {"CHANNEL_HOLD", "CHANNEL_UNHOLD"},
    "consultation_handed_over": {"CHANNEL_UNBRIDGE", "bridge-agent-end"},
    "consultation_declined": {"CHANNEL_HANGUP_COMPLETE"},
    "consultation_colleague_hangs_up": {"CHANNEL_UNBRIDGE"},
    "refer": {"CHANNEL_UNBRIDGE"},
    "refer_attended": {"CHANNEL_HOLD", "CHANNEL_UNHOLD"},
    "line_b": {"CHANNEL_UNBRIDGE", "RECORD_STOP"},
    "three_way": {"MEDIA_BUG_START", "MEDIA_BUG_STOP"},
    "eavesdrop_recorded": {"MEDIA_BUG_START", "MEDIA_BUG_STOP"},
    "intercept": {"CHANNEL_UNBRIDGE"},
    "conference_recorded": {"add-member", "del-member", "start-recording", "stop-recording"},
    "voice_message": {"RECORD_START", "member-queue-end"},
    "queue_times_out": {"member-queue-end"},
    "pause_keys": {"DTMF"},
}
"""Events, or their Action, that must be among those of the inbound socket."""

RECORDERS = {"yes": 1, "no": 0, "voice_message": 1, "eavesdrop_recorded": 2}
"""RECORD_STARTs of a conversation."""


def events(name: str) -> list[dict[str, object]]:
    return [json.loads(m.body) for m in messages(from_switch(name)) if m.content_type == "text/event-json"]


def words(name: str) -> list[str]:
    return [str(e.get("CC-Action") or e.get("Action") or e["Event-Name"]) for e in events(name)]


@pytest.mark.parametrize("name", [*INBOUND, *OUTBOUND])
def test_a_conversation_is_whole_and_says_nothing_of_the_machine(name: str) -> None:
    assert {direction for direction, _ in blocks(name)} == {"<<<", ">>>"}
    assert messages(from_switch(name))
    data = (FOLDER / f"{name}.esl").read_bytes()
    assert len(data) < 300_000
    for word in (b"/tmp", b"/root", b"pytest", b"auth "):
        assert word not in data


@pytest.mark.parametrize("name", EXPECTED)
def test_a_conversation_is_what_its_name_says(name: str) -> None:
    said = words(f"{name}.inbound")
    assert EXPECTED[name] <= set(said)
    if name in RECORDERS:
        assert said.count("RECORD_START") == RECORDERS[name]


def test_every_conversation_has_both_sockets_and_is_described() -> None:
    assert [f"{name}.inbound" for name in sorted(EXPECTED)] == INBOUND
    assert {name.partition(".")[0].partition("-")[0] for name in OUTBOUND} == set(EXPECTED)
    described = (FOLDER / "README.md").read_text()
    assert [name for name in EXPECTED if name not in described] == []
