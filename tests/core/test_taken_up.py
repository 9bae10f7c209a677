"""A conversation taken up again: rows and channel together, every combination (promises P3, P11)."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import pytest

from consentivr.core.adoption import _FOLDS, ChannelSays, Told, restored, told, word
from consentivr.core.consent import ConsentDecision
from consentivr.core.evidence import AFTERWARDS
from consentivr.core.policy import RecordingMode, TalkPolicy
from consentivr.core.state import AgentNoted, TalkState
from consentivr.core.turn import Turn
from consentivr.core.turns import Withdrawn

GIVEN, REFUSED, NOT_OBTAINED, WITHDRAWN = ConsentDecision


@dataclass
class Row:
    turn: str
    evidence: dict[str, Any] = field(default_factory=dict)
    queue: str = "support@default"
    at: datetime = datetime(2026, 11, 25, tzinfo=timezone.utc)
    channel_uuid: str = "c"
    visit: str | None = "v"
    line: str = "support"
    mode: str = "permanent_opt_out"
    caller_id_number: str | None = None


def decided(decision: str = "given", purpose: str = "quality") -> Row:
    return Row("decision", {"decision": decision, "purpose": purpose})


def file(turn: str, path: str = "/r/a.wav") -> Row:
    return Row(turn, {"path": path})


def silent(decision: str | None = "given", file: str | None = None, paused: bool = False) -> ChannelSays:
    return ChannelSays(decision, file, paused)


def state(
    rows: list[Row], says: ChannelSays, queue: str = "", mode: RecordingMode = RecordingMode.PERMANENT_OPT_OUT
) -> TalkState:
    return restored("v", "c", "/r/v", queue, TalkPolicy(mode, every=3), told(rows), says)


# --- rows ------------------------------------------------------------------------------------


def test_no_row_says_nothing() -> None:
    assert told([]) == Told()


def test_a_whole_call() -> None:
    known = told(
        [
            Row("arrived", {"switch": "s"}),
            decided(),
            Row("agent_answered", {"agent": "anna", "agent_uuid": "a"}),
            file("recording_started"),
            Row("recording_masked", {"why": "on_hold"}),
            Row("recording_paused", {"by": "http"}),
        ]
    )
    assert known == Told(
        arrived=True,
        switch="s",
        decision=GIVEN,
        purpose="quality",
        queue="support@default",
        files=("/r/a.wav",),
        unclosed=("/r/a.wav",),
        paused=True,
        span="on_hold",
        agent="anna",
        agents=(("a", None),),
        decided=True,
    )


def test_the_first_decision_of_a_visit_is_its_decision() -> None:
    assert told([decided("refused", "a"), decided("given", "b")])[:2] == (REFUSED, "a")


def test_the_word_that_was_said_last_counts() -> None:
    back, late = Row("withdrawn", {"erase": True}), Row("agreed_late", {"purpose": "training"})
    assert told([decided(), back])[:2] == (WITHDRAWN, "quality")
    assert told([decided(), back]).erase
    again = told([decided("refused"), late])
    assert (again.decision, again.purpose, again.erase) == (GIVEN, "training", False)
    assert told([decided("refused"), Row("agreed_late")]).purpose == "quality", "a row of 0.1.0 names none"
    assert told([decided(), back, late])[0] is GIVEN
    assert told([decided("refused"), late, back])[0] is WITHDRAWN


def test_files_that_are_open_and_files_that_are_complete() -> None:
    known = told(
        [
            file("recording_started"),
            file("recording_started", "/r/b.wav"),
            file("recording_stopped"),
            file("recording_stopped", "/r/another's.wav"),
            file("recording_started"),
        ]
    )
    assert known.files == ("/r/a.wav", "/r/b.wav"), "each once"
    assert known.unclosed == ("/r/b.wav", "/r/a.wav"), "the switch began the first one anew"


def test_what_began_may_have_ended() -> None:
    began = [Row("recording_paused"), Row("recording_masked", {"why": "outsider"})]
    ended = [Row("recording_resumed"), Row("recording_unmasked"), Row("call_ended")]
    assert (told(began).paused, told(began).span, told(began).ended) == (True, "outsider", False)
    over = told([*began, *ended])
    assert (over.paused, over.span, over.ended) == (False, None, True)


def test_the_queue_is_that_of_the_last_row_that_names_one() -> None:
    assert told([Row("arrived", queue="a"), Row("call_ended", queue=""), Row("decision", {"decision": "given"}, "b")])[
        2
    ] == "b"  # fmt: skip
    assert told([Row("arrived", queue="a"), Row("queue_left", queue="")]).queue == "a"


def test_who_the_agent_is_is_not_forgotten() -> None:
    assert told([Row("agent_answered", {"agent": "anna"}), Row("agent_answered", {"agent": None})]).agent == "anna"


@pytest.mark.parametrize("turn", [turn for turn in Turn if turn.value not in _FOLDS])
def test_every_other_turn_changes_nothing(turn: Turn) -> None:
    before = told([decided(), file("recording_started")])
    assert told([decided(), file("recording_started"), Row(turn.value, {"path": "/r/a.wav", "erase": True})]) == before


def test_what_becomes_of_the_evidence_afterwards_is_not_part_of_the_state() -> None:
    assert not {turn.value for turn in AFTERWARDS} & set(_FOLDS)


# --- the word --------------------------------------------------------------------------------

SAID = [None, "", "nonsense", "not_proven", *(decision.value for decision in ConsentDecision)]


@pytest.mark.parametrize("says", SAID)
@pytest.mark.parametrize("known", [None, *ConsentDecision])
def test_p3_a_yes_counts_only_when_row_and_channel_say_it(known: ConsentDecision | None, says: str | None) -> None:
    """All of them: the stricter word holds, whichever of the two has it."""
    decision, durable = word(Told(decision=known), silent(says))
    is_proven_yes = decision is GIVEN and durable
    assert is_proven_yes == (known is GIVEN and says == "given")
    if known is GIVEN and says == "withdrawn":
        assert decision is WITHDRAWN
    elif known is not None:
        assert decision is known
    else:
        assert (decision.value if decision else None) == (says if says in SAID[4:] else None)
        assert not durable, "without a row nothing is proven"


# --- the state -------------------------------------------------------------------------------


def test_a_conversation_goes_on_as_it_was() -> None:
    answered = Row("agent_answered", {"agent": "anna", "agent_uuid": "a"})
    rows = [decided(), answered, file("recording_started"), Row("recording_paused")]
    assert state(rows, silent(file="/r/a.wav")) == TalkState(
        visit="v",
        channel="c",
        stem="/r/v",
        queue="support@default",
        decision=GIVEN,
        durable=True,
        purpose="quality",
        files=("/r/a.wav",),
        unclosed=("/r/a.wav",),
        paused=True,
        was_silent=True,
        agent="anna",
        noted=(AgentNoted("a", proven=True, is_nth=True),),
    )


@pytest.mark.parametrize(("count", "is_nth"), [(3, True), (6, True), (1, False), (None, False)])
def test_whose_turn_it_is_is_not_counted_again(count: int | None, is_nth: bool) -> None:
    rows = [decided(), Row("agent_answered", {"agent": "anna", "agent_uuid": "a", "count": count})]
    assert state(rows, silent(), mode=RecordingMode.EVERY_NTH).noted == (AgentNoted("a", True, is_nth),)
    assert state(rows, silent()).noted == (AgentNoted("a", True, True),), "in other modes everybody's"


def test_who_was_never_asked() -> None:
    assert told([Row("arrived", {"asked": False})]).asked is False
    assert told([Row("arrived", {"asked": True})]).asked is True
    assert told([Row("arrived")]).asked is True


def test_a_file_that_only_the_channel_names_is_the_visits_too() -> None:
    made = state([decided()], silent(file="/r/a.wav"))
    assert (made.files, made.unclosed) == (("/r/a.wav",), ()), "whether it is open, the switch tells"
    assert state([decided(), file("recording_started")], silent(file="/r/a.wav")).files == ("/r/a.wav",)


@pytest.mark.parametrize(("by_row", "by_channel"), [*itertools.product([False, True], repeat=2)])
def test_a_pause_stays_whoever_remembers_it(by_row: bool, by_channel: bool) -> None:
    rows = [decided(), *([Row("recording_paused")] if by_row else [])]
    assert state(rows, silent(paused=by_channel)).paused == (by_row or by_channel)


def test_the_queue_where_the_caller_is_comes_first() -> None:
    assert state([decided()], silent(), queue="sales@default").queue == "sales@default"
    assert state([decided()], silent()).queue == "support@default"


def test_a_withdrawal_whose_row_was_lost_is_written_when_nothing_records() -> None:
    lost = state([decided()], silent("withdrawn")).withdrawal
    assert lost == Withdrawn("not_said", None, "channel", erase=False, stopped_ms=None)
    assert state([decided(), Row("withdrawn")], silent("withdrawn")).withdrawal is None, "it has its row"
    assert state([], silent("withdrawn")).withdrawal is None, "there was no yes"
    assert state([decided()], silent()).withdrawal is None
    assert state([decided(), Row("withdrawn", {"erase": True})], silent("withdrawn")).erase
