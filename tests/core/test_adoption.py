"""A conversation taken up again (promise P11): from rows and the channel's word together."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import pytest

from consentivr.core import events as ev
from consentivr.core.adoption import ChannelSays, Told, restored, told, word
from consentivr.core.consent import ConsentDecision
from consentivr.core.identity import agent_on
from consentivr.core.policy import RecordingMode, TalkPolicy
from consentivr.core.state import AgentNoted
from consentivr.core.talk_turns import Adopted, AgentAnswered
from tests.core.moves import MOVES
from tests.core.promises import hold_settled
from tests.core.room import NTH, OPT_OUT, Room, new_room

D = ConsentDecision


@dataclass(frozen=True)
class Written:
    turn: str
    evidence: dict = field(default_factory=dict)
    queue: str = "support@default"
    mode: str = "permanent_opt_out"


def written(room: Room) -> list[Written]:
    """As the ledger has them: a row that was counted says its number."""
    nth = room.policy.mode is RecordingMode.EVERY_NTH
    counted = {"count": 2} if nth and room.may else {}
    return [
        Written(row.turn.value, row.evidence() | (counted if isinstance(row, AgentAnswered) else {}))
        for row in room.rows
    ]


def test_what_was_recorded_by_law_is_known_by_its_row() -> None:
    rows = [
        Written("recording_started", {"path": "/r/v.wav"}, "law", "permanent"),
        Written("recording_started", {"path": "/r/v-2.wav"}),
    ]
    state = restored("v", "caller", "/r/v", "", OPT_OUT, told(rows), ChannelSays(None, None, False))
    assert (state.by_law, state.files) == (("/r/v.wav",), ("/r/v.wav", "/r/v-2.wav"))


WORDS = [None, *(decision.value for decision in D), "not_proven", "forged"]


@pytest.mark.parametrize(("known", "says"), [*itertools.product([None, *D], WORDS)])
def test_p3_a_yes_counts_only_where_row_and_channel_say_it(known: D | None, says: str | None) -> None:
    decision, durable = word(Told(decision=known), ChannelSays(says, None, False))
    if decision is D.GIVEN and durable:
        assert (known, says) == (D.GIVEN, "given")
    if D.WITHDRAWN in (known, says):
        assert decision in (D.WITHDRAWN, known), "the stricter word holds"
        assert decision is not D.GIVEN
    if known is None:
        assert not durable
        assert decision == (says if says in set(D) else None)


def test_the_first_decision_counts_and_what_came_after_it() -> None:
    given = Written("decision", {"decision": "given", "purpose": "quality"})
    assert told([given, Written("decision", {"decision": "refused"})]).decision is D.GIVEN
    known = told([given, Written("withdrawn", {"erase": True})])
    assert (known.decision, known.erase) == (D.WITHDRAWN, True)
    known = told([given, Written("withdrawn", {"erase": True}), Written("agreed_late", {"purpose": "training"})])
    assert (known.decision, known.erase, known.purpose) == (D.GIVEN, False, "training")
    assert told([Written("arrived"), Written("hold")]) == Told(queue="support@default", arrived=True)


def test_a_no_that_only_the_channel_carries_is_settled_when_nothing_records() -> None:
    rows = [Written("decision", {"decision": "given", "purpose": "quality"})]
    state = restored("v", "caller", "/r/v", "", OPT_OUT, told(rows), ChannelSays("withdrawn", "/r/v.wav", False))
    assert (state.decision, state.files) == (D.WITHDRAWN, ("/r/v.wav",))
    assert state.withdrawal is not None
    assert (state.withdrawal.reason, state.withdrawal.by) == ("not_said", "channel")


STORIES = [
    ["anna answers"],
    ["anna answers", "pause"],
    ["anna answers", "hold"],
    ["anna answers", "nobody joins", "withdraw"],
    ["anna answers", "talk_ends", "bert answers"],
    ["anna answers", "withdraw", "late_yes"],
    ["anna answers", "withdraw", "others record anna"],
    ["anna answers", "pause", "resume", "hold"],
]


@pytest.mark.parametrize("policy", [OPT_OUT, NTH], ids=lambda policy: policy.mode.value)
@pytest.mark.parametrize("then", [None, "hold", "resume", "withdraw", "nobody joins", "talk_ends", "bert answers"])
@pytest.mark.parametrize("story", STORIES, ids=" / ".join)
def test_p11_whatever_was_so_goes_on_after_a_restart(story: list[str], then: str | None, policy: TalkPolicy) -> None:
    """The state is made anew from the rows; the switch is as it was, and its recorders hear what they heard."""
    room = new_room(policy)
    for name in story:
        MOVES[name](room)
        room.settle()
    _restart(room)
    hold_settled(room)
    if then is not None:
        MOVES[then](room)
        room.settle()
        hold_settled(room)


def _restart(room: Room) -> None:
    before = room.state
    decided = Written("decision", {"decision": "given", "purpose": "quality"})
    says = ChannelSays(None if before.decision is None else before.decision.value, None, before.paused)
    known = told([decided, *written(room)])
    room.state = restored("visit", before.channel, before.stem, "support@default", room.policy, known, says)
    assert (room.state.decision, room.state.paused) == (before.decision, before.paused)
    assert (room.state.files, room.state.unclosed, room.state.span) == (before.files, before.unclosed, before.span)
    room.tell(ev.Changed(room.situation()))
    room.settle()


def test_the_end_and_what_is_forbidden_are_known() -> None:
    rows = [Written("forbidden_recording", {"path": "/theirs/a.wav"}), Written("call_ended", {})]
    known = told(rows)
    assert known.ended
    state = restored("v", "caller", "/r/v", "q", OPT_OUT, known, ChannelSays(None, None, False))
    assert state.forbidden == ("/theirs/a.wav",)
    assert told([Written("arrived", {"asked": False})]).asked is False


def test_an_agent_who_was_noted_again_after_a_late_yes_counts_as_noted_last() -> None:
    rows = [Written("agent_answered", {"agent_uuid": "anna", "agent": "anna@x", **more}) for more in ({}, {"count": 2})]
    state = restored("v", "caller", "/r/v", "q", NTH, told(rows), ChannelSays("given", None, False))
    assert state.noted == (AgentNoted("anna", proven=True, is_nth=True),)


# --- who is on a leg ------------------------------------------------------------------------------

DIALLED = {"Call-Direction": "outbound", "variable_cc_side": "agent", "variable_cc_member_session_uuid": "m"}
USER = {
    "Call-Direction": "outbound",
    "variable_dialed_user": "1001",
    "variable_dialed_domain": "x",
    "variable_presence_id": "1001@x",
}
USERS = {"1001@x": "anna@x"}


@pytest.mark.parametrize(
    ("channel", "agent"),
    [
        (DIALLED | {"variable_cc_agent": "anna@x"}, "anna@x"),
        (DIALLED | {"variable_cc_agent": "anna@x", "Call-Direction": "inbound"}, None),
        (DIALLED | {"variable_cc_agent": "anna@x", "variable_sip_redirected_to": "sip:elsewhere"}, None),
        (DIALLED | {"variable_cc_agent": "a\nb"}, None),
        (DIALLED | {"variable_cc_agent": "a" * 201}, None),
        (DIALLED, None),
        ({"Call-Direction": "outbound", "variable_cc_agent": "anna@x"}, None),
        (USER, "anna@x"),
        (
            {name: text for name, text in USER.items() if "presence" not in name} | {"Channel-Presence-ID": "1001@x"},
            "anna@x",
        ),
        (USER | {"variable_presence_id": "1002@x"}, None),
        (USER | {"variable_dialed_user": "1002", "variable_presence_id": "1002@x"}, None),
        ({}, None),
    ],
)
def test_an_agent_is_who_was_dialled_and_nobody_else(channel: dict[str, str], agent: str | None) -> None:
    assert agent_on(channel, USERS) == agent


def test_which_switch_a_visit_is_on_is_known_from_who_took_it_up_as_well() -> None:
    row = Adopted("no row says that it arrived", "north", "run-2")
    taken_up = [Written(row.turn.value, row.evidence())]
    assert told(taken_up).switch == "north"
    assert told(taken_up).core == "run-2"
    assert not told(taken_up).arrived
    assert told(()).switch is None
