"""An agent agrees by phone: every state, every event."""

from __future__ import annotations

import itertools
from collections import deque

from consentivr.core.enrolling import (
    ATTEMPTS,
    Action,
    AgentAnnouncement,
    Arrived,
    Ask,
    Check,
    Checked,
    EnrolState,
    Event,
    HangUp,
    Lost,
    Note,
    Phase,
    Proof,
    Say,
    Typed,
    Written,
    step,
)

EVENTS: tuple[Event, ...] = (
    Arrived(),
    Typed(""),
    Typed("1"),
    Typed("9"),
    Typed("5"),
    Checked(Proof.PROVEN, "anna"),
    Checked(Proof.WRONG, "anna"),
    Checked(Proof.LOCKED, "anna"),
    Written(True),
    Written(False),
    Lost(),
)


def play(*events: Event) -> tuple[EnrolState, list[Action]]:
    state, said = EnrolState(), []
    for event in events:
        state, actions = step("1", "9", state, event)
        said += actions
    return state, said


PROVEN = (Arrived(), Typed("1001"), Typed("654321"), Checked(Proof.PROVEN, "anna"))


def test_who_proves_it_and_presses_the_key_has_agreed() -> None:
    for key, agrees, last in (("1", True, AgentAnnouncement.AGREED), ("9", False, AgentAnnouncement.DECLINED)):
        state, said = play(*PROVEN, Typed(key), Written(True))
        assert said[-3:] == [Note("anna", agrees), Say(last), HangUp()]
        assert Check("1001", "654321") in said
        assert state.phase is Phase.ENDED


def test_nothing_is_said_to_be_noted_that_is_not() -> None:
    _, said = play(*PROVEN, Typed("1"), Written(False))
    assert said[-2:] == [Say(AgentAnnouncement.FAILED), HangUp()]


def test_so_often_and_no_more() -> None:
    wrong = (Typed("1001"), Typed("000000"), Checked(Proof.WRONG))
    _, said = play(Arrived(), *(wrong * ATTEMPTS))
    assert said[-2:] == [Say(AgentAnnouncement.WRONG), HangUp()]
    assert [action for action in said if isinstance(action, Check)] == [Check("1001", "000000")] * ATTEMPTS
    _, said = play(*PROVEN, *([Typed("5")] * ATTEMPTS))
    assert said.count(Ask(AgentAnnouncement.WORDING)) == ATTEMPTS
    assert said[-2:] == [Say(AgentAnnouncement.FAILED), HangUp()]


def test_a_pin_is_remembered_nowhere_and_shown_nowhere() -> None:
    state, said = play(Arrived(), Typed("1001"), Typed("654321"))
    assert "654321" not in repr(state)
    assert "654321" not in repr([*said, Typed("654321")])


def test_nobody_is_noted_without_proof_and_every_call_ends_once() -> None:
    """Whatever happens in whatever order, as deep as there are states."""
    start = (EnrolState(), "", 0)
    known, todo = {start}, deque([start])
    while todo:
        state, proven, ends = todo.popleft()
        for event in EVENTS:
            after, actions = step("1", "9", state, event)
            shown = proven
            if state.phase is Phase.CHECKING and isinstance(event, Checked):
                shown = event.agent if event.proof is Proof.PROVEN else ""
            for action in actions:
                if isinstance(action, Note):
                    assert action.agent == shown == "anna"
                    assert isinstance(event, Typed)
                    assert event.digits == ("1" if action.agrees else "9")
            hung_up = ends + actions.count(HangUp()) + (isinstance(event, Lost) and not ends)
            assert hung_up == (after.phase is Phase.ENDED)
            if (after, shown, hung_up) not in known:
                known.add((after, shown, hung_up))
                todo.append((after, shown, hung_up))
    assert {state.phase for state, _, _ in known} == set(Phase)


def test_each_attempt_asks_for_something_that_is_answered() -> None:
    for events in itertools.product(EVENTS, repeat=3):
        state, said = play(Arrived(), *events)
        waits = state.phase in (Phase.NUMBER, Phase.PIN, Phase.WORDING)
        assert not waits or any(isinstance(action, Ask) for action in said)
