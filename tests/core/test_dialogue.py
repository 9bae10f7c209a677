"""Promises P1-P4 in every reachable state of the dialogue.

The set of states is finite for a small policy, so the walk below covers event sequences of every
length: it follows each event from each reachable pair of (dialogue, what an observer has seen).
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from datetime import date
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentivr.core.actions import (
    NOT_PROVEN,
    ArmRecorder,
    Ask,
    Greet,
    JoinQueue,
    LetGo,
    PermitRecording,
    Play,
    PlayToEnd,
    Speak,
    TakeBack,
    TakeOver,
    Write,
)
from consentivr.core.consent import (
    DETOURS,
    AnswerOutcome,
    Attempt,
    Consent,
    ConsentDecision,
    LanguageBy,
    Notice,
    Reason,
)
from consentivr.core.dialogue import step
from consentivr.core.events import (
    Announced,
    Answered,
    Arrived,
    CallerPressed,
    ChannelGone,
    CommitFailed,
    Committed,
    Disconnected,
    Failed,
    Greeted,
    HungUp,
    Joined,
    ServiceStops,
    TimedOut,
)
from consentivr.core.policy import Announcement, LinePolicy, RecordingMode
from consentivr.core.state import AskingState, Phase
from consentivr.core.statutes import Confirmation
from consentivr.core.talk_turns import CallEnded
from consentivr.core.turns import Arrived as ArrivedRow
from consentivr.core.turns import Decided, Withdrawn, Withheld
from tests.core.rows import hold_as_json, rows

MIN_HEARD = 400
YES = Attempt(AnswerOutcome.KEY, "1", 500, "2026-11-24T12:00:00+00:00", "2026-11-24T12:00:01+00:00")
EARLY = Attempt(AnswerOutcome.KEY, "1", 100)
NO = Attempt(AnswerOutcome.KEY, "9", 500)
WRONG = Attempt(AnswerOutcome.WRONG_KEY, "5", 500)
SILENCE = Attempt(AnswerOutcome.SILENCE, None, 500)
NOT_ASKED = Attempt(AnswerOutcome.NOT_ASKED)
DETAILS = Attempt(AnswerOutcome.DETAILS, "3", 500)
LANGUAGE = Attempt(AnswerOutcome.LANGUAGE, "2", 500)
ENGLISH = Notice("cd", 800, "en", LanguageBy.KEY)
ATTEMPTS = [
    YES,
    EARLY,
    Attempt(AnswerOutcome.KEY, "1"),
    NO,
    Attempt(AnswerOutcome.KEY, "5", 500),
    Attempt(AnswerOutcome.WRONG_KEY, "1", 500),
    WRONG,
    SILENCE,
    NOT_ASKED,
    Attempt(AnswerOutcome.HUNG_UP),
    DETAILS,
    LANGUAGE,
]
ROW = ArrivedRow("", "")
OTHER_EVENTS = [
    Arrived("switch", "core", "2026-11-24T12:00:00+00:00", Notice("ab", 900, "de")),
    Arrived("switch", "core", "2026-11-24T12:00:00+00:00", Notice("ab", 900, "de"), offers=True),
    Greeted(),
    Greeted(ENGLISH),
    Committed(ROW),
    CommitFailed(ROW, "disk full"),
    *(CallerPressed(key) for key in "195"),
    Announced(),
    Joined(),
    HungUp(),
    ChannelGone("NORMAL_CLEARING"),
    TimedOut(),
    Failed("KeyError"),
    Disconnected(),
    ServiceStops(),
]
EVENTS = [Answered(number, attempt) for number in (1, 2, 3) for attempt in ATTEMPTS] + OTHER_EVENTS
EVENTS += [Answered(number, LANGUAGE, ENGLISH) for number in (1, 2, 3)]
POLICIES = [
    LinePolicy(RecordingMode.OFF, purpose="quality"),
    LinePolicy(RecordingMode.PERMANENT, legal_basis="MiFID II"),
    LinePolicy(RecordingMode.PERMANENT_OPT_OUT, max_attempts=2, min_heard_ms=MIN_HEARD, max_detours=1),
    LinePolicy(RecordingMode.CALLER_OPT_IN, max_attempts=1, max_detours=2),
    LinePolicy(RecordingMode.MANUAL, max_attempts=1, min_heard_ms=MIN_HEARD, starts_at_answer=True, max_detours=1),
]


class Observer(NamedTuple):
    """What someone who sees only events and actions knows of a call."""

    arrived: bool = False
    asked: int = 0
    heard_ms: int = 0
    """The most that was heard of one putting of the question, in the language that is spoken."""
    spoken: str | None = None
    detours: int = 0
    last_word: str | None = None
    """The last of the two keys that was pressed since the question was put last, however we came to know of it."""
    yes: bool = False
    """The question that was put last came back with the consent key, after enough of it was heard."""
    row: bool = False
    """A row with that yes was handed in, to be made durable."""
    durable: bool = False
    decisions: int = 0
    withdrawn: int = 0
    permitted: bool = False
    joined: str | None = None
    let_go: int = 0
    ended: int = 0
    gone: bool = False
    """The caller hung up, or the dialplan has the call."""


def watch(policy: LinePolicy, seen: Observer, event: object, actions: tuple[object, ...]) -> Observer:
    """Update the observer, and hold every action against the promises."""
    seen = _heard(policy, seen, event)
    for action in actions:
        if isinstance(action, Ask):
            assert action.number == seen.asked + 1 <= policy.max_attempts + seen.detours
            assert seen.detours <= policy.max_detours
            assert not seen.decisions, "asked again after the decision"
            seen = seen._replace(asked=action.number, last_word=None, yes=False)
        elif isinstance(action, Write):
            seen = _written(policy, seen, action)
        elif isinstance(action, (PermitRecording, ArmRecorder)):
            assert seen.durable, "P1: recording before the proof is durable"
            assert seen.yes, "P2: recording without a yes"
            assert seen.last_word != policy.objection_key, "P2: the last word counts"
            assert policy.mode.asks
            assert not policy.starts_at_answer, "the agent is not known yet"
            assert not seen.gone, "P3: recording a call that is gone"
            seen = seen._replace(permitted=True)
        elif isinstance(action, JoinQueue):
            assert seen.joined is None, "P4: in the queue twice"
            assert not seen.gone
            assert seen.decisions == 1
            assert action.word != "given" or seen.durable
            assert action.word == "given" or not seen.permitted
            seen = seen._replace(joined=action.word)
        elif isinstance(action, TakeBack):
            assert seen.joined is not None or seen.gone
        elif isinstance(action, Speak):
            assert not seen.decisions
            seen = seen._replace(spoken=action.language, heard_ms=0)
        elif isinstance(action, Play):
            decided = seen.decisions > 0 and action.announcement is not Announcement.TOLD
            assert action.skippable == (decided or action.announcement is Announcement.DETAILS)
        elif isinstance(action, LetGo):
            seen = seen._replace(let_go=seen.let_go + 1)
    assert max(seen.decisions, seen.withdrawn, seen.let_go, seen.ended) <= 1
    hold_as_json(rows(actions))
    return seen


def _heard(policy: LinePolicy, seen: Observer, event: object) -> Observer:
    if isinstance(event, Arrived):
        return seen._replace(arrived=True)
    if isinstance(event, (HungUp, ChannelGone, Disconnected, ServiceStops)):
        return seen._replace(gone=True)
    if isinstance(event, CallerPressed) and event.key in "19" and seen.asked:
        # Once it is decided, a key is no answer to our question any more: it can only take the yes back.
        return seen if event.key == "1" and seen.decisions else seen._replace(last_word=event.key)
    if isinstance(event, Committed):
        return seen._replace(durable=seen.durable or seen.row)
    if isinstance(event, Answered) and event.number == seen.asked and not seen.decisions:
        attempt = event.attempt
        seen = seen._replace(heard_ms=max(seen.heard_ms, attempt.heard_ms or 0))
        if attempt.outcome in DETOURS and (attempt.outcome is not AnswerOutcome.LANGUAGE or event.notice is not None):
            seen = seen._replace(detours=min(seen.detours + 1, policy.max_detours))
        agreed = attempt.outcome is AnswerOutcome.KEY and attempt.key == policy.consent_key
        enough = seen.heard_ms >= policy.min_heard_ms
        seen = seen._replace(yes=agreed and enough, gone=attempt.outcome is AnswerOutcome.HUNG_UP)
        return seen._replace(last_word=seen.last_word or attempt.key)
    return seen


def _written(policy: LinePolicy, seen: Observer, action: Write) -> Observer:
    row = action.row
    if isinstance(row, Decided):
        given_ = row.consent.decision is ConsentDecision.GIVEN
        assert given_ == action.permits, "P1: whoever goes on must wait for it"
        assert not given_ or (seen.yes and seen.last_word != policy.objection_key), "P2: a yes that nobody said"
        assert row.said.record == (given_ or policy.mode is RecordingMode.PERMANENT)
        return seen._replace(decisions=seen.decisions + 1, row=given_)
    assert not action.permits
    if isinstance(row, Withdrawn):
        assert seen.row
        assert seen.last_word == policy.objection_key
        return seen._replace(withdrawn=seen.withdrawn + 1)
    if isinstance(row, CallEnded):
        return seen._replace(ended=seen.ended + 1)
    assert isinstance(row, (ArrivedRow, Withheld))
    return seen


def same_future(state: AskingState, seen: Observer) -> tuple[AskingState, Observer]:
    """Without what is remembered for the evidence alone."""
    if state.phase is Phase.ENDED:
        return AskingState(Phase.ENDED), Observer(decisions=seen.decisions)
    if state.phase in (Phase.ARRIVING, Phase.ASKING) or state.consent is None:
        return state, seen
    consent = replace(state.consent, attempts=(), reason=Reason.SILENCE)
    return state._replace(attempts=(), consent=consent, notice=None), seen._replace(
        asked=1, heard_ms=0, spoken=None, detours=0
    )


Edge = tuple[AskingState, Observer, object, AskingState, Observer, tuple[object, ...]]


def explore(policy: LinePolicy) -> list[Edge]:
    start = (AskingState(), Observer())
    edges: list[Edge] = []
    known, todo = {start}, deque([start])
    while todo:
        state, seen = todo.popleft()
        for event in EVENTS:
            if isinstance(event, Arrived) and state.phase is not Phase.ARRIVING:
                continue  # a call arrives once
            if isinstance(event, Arrived) and event.offers and policy.mode is RecordingMode.OFF:
                continue  # nothing is offered where nothing is said
            after, actions = step(policy, state, event)
            now = watch(policy, seen, event, actions)
            edges.append((state, seen, event, after, now, actions))
            future = same_future(after, now)
            if future not in known:
                known.add(future)
                if after.phase is not Phase.ENDED:
                    todo.append((after, now))
    return edges


@pytest.fixture(scope="module", params=POLICIES, ids=lambda policy: policy.mode.value)
def explored(request: pytest.FixtureRequest) -> tuple[LinePolicy, list[Edge]]:
    return request.param, explore(request.param)


def test_p1_p2_p3_hold_on_every_edge(explored: tuple[LinePolicy, list[Edge]]) -> None:
    policy, edges = explored  # explore() has held every action against the promises already
    asked = len({(state, seen) for state, seen, *_ in edges})
    assert asked > (20 if policy.mode.asks else 2)
    permitting = [event for _, _, event, _, _, actions in edges if PermitRecording() in actions]
    assert bool(permitting) == (policy.mode.asks and not policy.starts_at_answer)
    assert all(isinstance(event, Announced) for event in permitting)


def test_p1_permission_and_recorder_go_together_and_before_the_queue(explored: tuple[LinePolicy, list[Edge]]) -> None:
    for *_, actions in explored[1]:
        assert (PermitRecording() in actions) == (ArmRecorder() in actions)
        if PermitRecording() in actions:
            assert actions[-3:] == (PermitRecording(), ArmRecorder(), JoinQueue("given"))


def test_p2_the_last_word_is_in_the_ledger(explored: tuple[LinePolicy, list[Edge]]) -> None:
    """A no after a yes has a row, on whatever way the call then goes."""
    policy, edges = explored
    taken_back = [
        edge for edge in edges if edge[4].row and edge[4].last_word == "9" and edge[0].phase is not Phase.ENDED
    ]
    assert bool(taken_back) == policy.mode.asks
    for state, seen, event, after, now, _ in taken_back:
        assert now.withdrawn == 1, (state, event)
        assert after.taken_back
        assert seen.joined or now.joined in (None, "withdrawn")


def test_p2_a_key_too_early_is_asked_again(explored: tuple[LinePolicy, list[Edge]]) -> None:
    policy, edges = explored
    again, refused = 0, 0
    for state, seen, event, after, now, actions in edges:
        if not isinstance(event, Answered) or event.attempt is not EARLY:
            continue
        early = now.heard_ms < policy.min_heard_ms
        if early and state.phase is Phase.ASKING and event.number == seen.asked and state.pressed != "9":
            assert after.attempts[-1].outcome is AnswerOutcome.TOO_EARLY
            if event.number - seen.detours < policy.max_attempts:
                again += 1
                assert actions == (Ask(event.number + 1),)
            else:
                refused += 1
                assert after.consent is not None
                assert after.consent.reason is Reason.TOO_EARLY
    assert bool(refused) == (policy.mode.asks and policy.min_heard_ms > 0)
    assert bool(again) == (bool(refused) and policy.max_attempts > 1)


def test_p4_a_call_ends_with_the_socket_let_go_and_a_caller_who_is_there_in_the_queue(
    explored: tuple[LinePolicy, list[Edge]],
) -> None:
    for state, seen, event, after, now, actions in explored[1]:
        assert (after.phase is Phase.ENDED and state.phase is not Phase.ENDED) == (LetGo() in actions)
        if LetGo() in actions:
            assert actions[-1] == LetGo()
            before_we_took_it = state.phase is Phase.ARRIVING
            in_a_queue = isinstance(event, Joined)  # also when somebody else took the caller there
            assert now.joined or now.gone or before_we_took_it or in_a_queue, (state, event)
        if now.ended > seen.ended:
            assert isinstance(event, ChannelGone)


def test_p4_whatever_fails_the_call_moves_on(explored: tuple[LinePolicy, list[Edge]]) -> None:
    """From every state two time-outs, or two failures, let the caller go: nothing waits for ever."""
    policy, edges = explored
    for state in {state for state, *_ in edges}:
        for event in (TimedOut(), Failed("KeyError")):
            first, actions = step(policy, state, event)
            second, more = step(policy, first, event)
            assert second.phase is Phase.ENDED
            assert (*actions, *more).count(LetGo()) == 1
            is_asking = state.phase in (Phase.GREETING, Phase.ASKING)
            assert not is_asking or any(isinstance(action, JoinQueue) for action in actions)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (ServiceStops(), Reason.SERVICE_STOPPED),
        (Disconnected(), Reason.CONNECTION_LOST),
        (Joined(), Reason.CONNECTION_LOST),
    ],
)
def test_p11_stopping_at_any_step_leaves_one_decision(
    explored: tuple[LinePolicy, list[Edge]], event: object, reason: Reason
) -> None:
    policy, edges = explored
    for state, seen in {(state, seen) for state, seen, *_ in edges}:
        after, actions = step(policy, state, event)
        assert after.phase is Phase.ENDED
        assert actions[-1:] == (LetGo(),)
        decided = [row for row in rows(actions) if isinstance(row, Decided)]
        assert len(decided) + seen.decisions == (0 if state.phase is Phase.ARRIVING else 1)
        if state.phase in (Phase.GREETING, Phase.ASKING):
            assert [row.consent.reason for row in decided] == [reason]
        withheld = [row for row in rows(actions) if isinstance(row, Withheld)]
        assert bool(withheld) == (state.phase in (Phase.DECIDING, Phase.ANNOUNCING))


def test_every_call_that_was_taken_over_has_exactly_one_decision(explored: tuple[LinePolicy, list[Edge]]) -> None:
    ended = [(after, now) for _, _, _, after, now, _ in explored[1] if after.phase is Phase.ENDED]
    assert {now.decisions for _, now in ended} == {0, 1}
    for after, now in ended:
        assert now.decisions == (0 if after.arrived_at is None else 1)


def test_ended_is_the_end(explored: tuple[LinePolicy, list[Edge]]) -> None:
    for event in EVENTS:
        assert step(explored[0], AskingState(Phase.ENDED), event) == (AskingState(Phase.ENDED), ())


def test_p2_the_language_that_is_spoken_is_the_one_in_the_row(explored: tuple[LinePolicy, list[Edge]]) -> None:
    """And a yes needs enough of the question in that language: ``watch`` forgets what was heard in another."""
    for *_, now, actions in explored[1]:
        for row in rows(actions):
            if isinstance(row, Decided) and row.notice is not None:
                assert row.notice.language == (now.spoken or "de")


@given(
    policy=st.builds(
        LinePolicy,
        mode=st.sampled_from(RecordingMode),
        max_attempts=st.integers(1, 10),
        min_heard_ms=st.sampled_from((0, MIN_HEARD)),
        max_detours=st.integers(0, 3),
        starts_at_answer=st.booleans(),
    ),
    events=st.lists(
        st.sampled_from(OTHER_EVENTS[2:])
        | st.builds(Answered, st.integers(1, 11), st.sampled_from(ATTEMPTS), st.sampled_from((None, ENGLISH))),
        max_size=40,
    ),
)
@settings(max_examples=1000, deadline=None)
def test_promises_hold_in_long_calls(policy: LinePolicy, events: list) -> None:
    state, seen = AskingState(), Observer()
    for event in [Arrived(offers=policy.mode.asks), *events]:
        state, actions = step(policy, state, event)
        seen = watch(policy, seen, event, actions)


# --- the ordinary calls, in words ------------------------------------------------------------

OPT_OUT = LinePolicy(RecordingMode.PERMANENT_OPT_OUT, purpose="quality", max_attempts=2, min_heard_ms=MIN_HEARD)
NOTICE = Notice("ab", 900, "de")


def play(policy: LinePolicy, *events: object) -> tuple[AskingState, list]:
    state, said = AskingState(), []
    for event in [Arrived("switch", "core", None, NOTICE), *events]:
        state, actions = step(policy, state, event)
        said += actions
    return state, said


def test_a_yes() -> None:
    state, said = play(OPT_OUT, CallerPressed("1"), Answered(1, YES))
    assert said[:4] == [TakeOver(), Write(ArrivedRow("switch", "core")), Play(Announcement.WELCOME), Ask(1)]
    assert state.phase is Phase.DECIDING
    assert said[4].permits
    assert said[4].row.evidence() == {
        "decision": "given",
        "reason": "consent_key",
        "key": "1",
        "heard_ms": 500,
        "attempts": [
            {
                "outcome": "key",
                "key": "1",
                "heard_ms": 500,
                "asked_at": YES.asked_at,
                "answered_at": YES.answered_at,
            }
        ],
        "verdict": {"record": True, "reason": "caller_agreed"},
        "purpose": "quality",
        "legal_basis": "consent, GDPR art. 6(1)(a)",
        "arrived_at": None,
        "notice": "ab",
        "notice_ms": 900,
        "language": "de",
    }
    state, said = play(OPT_OUT, Answered(1, YES), Committed(ROW), Announced(), Joined())
    assert said[5:] == [
        PlayToEnd(Announcement.ACCEPTED),
        PermitRecording(),
        ArmRecorder(),
        JoinQueue("given"),
        LetGo(),
    ]
    assert state.phase is Phase.ENDED


@pytest.mark.parametrize(
    ("attempts", "decision", "reason", "announcement"),
    [
        ([NO], ConsentDecision.REFUSED, Reason.OBJECTION_KEY, Announcement.REFUSED),
        ([SILENCE] * 2, ConsentDecision.NOT_OBTAINED, Reason.SILENCE, Announcement.NOT_OBTAINED),
        ([WRONG] * 2, ConsentDecision.NOT_OBTAINED, Reason.WRONG_KEY, Announcement.NOT_OBTAINED),
        ([EARLY] * 2, ConsentDecision.NOT_OBTAINED, Reason.TOO_EARLY, Announcement.NOT_OBTAINED),
        ([SILENCE, NO], ConsentDecision.REFUSED, Reason.OBJECTION_KEY, Announcement.REFUSED),
        ([NOT_ASKED], ConsentDecision.NOT_OBTAINED, Reason.COULD_NOT_ASK, None),
    ],
)
def test_everything_else_is_a_no(
    attempts: list[Attempt], decision: ConsentDecision, reason: Reason, announcement: Announcement | None
) -> None:
    events = [Answered(number, attempt) for number, attempt in enumerate(attempts, 1)]
    state, said = play(OPT_OUT, *events)
    assert state.consent is not None
    assert (state.consent.decision, state.consent.reason) == (decision, reason)
    assert said[-1] == JoinQueue(decision.value)
    assert PermitRecording() not in said
    if announcement is not None:
        assert said[-2] == Play(announcement, skippable=True)


@pytest.mark.parametrize(
    ("attempt", "complaint"), [(SILENCE, [Play(Announcement.NO_INPUT)]), (WRONG, [Play(Announcement.WRONG_KEY)])]
)
def test_asked_again(attempt: Attempt, complaint: list) -> None:
    _, said = play(OPT_OUT, Answered(1, attempt))
    assert said[4:] == [*complaint, Ask(2)]


def test_p2_who_heard_the_question_once_may_say_yes_early_the_next_time() -> None:
    state, _ = play(OPT_OUT, Answered(1, SILENCE), Answered(2, EARLY))
    assert state.phase is Phase.DECIDING


def greeted(policy: LinePolicy, *events: object) -> tuple[AskingState, list]:
    """What follows a greeting that offers another language."""
    state, said = step(policy, AskingState(), Arrived("switch", "core", None, NOTICE, offers=True))
    assert said == (TakeOver(), Write(ArrivedRow("switch", "core")), Greet())
    assert state.phase is Phase.GREETING
    done: list = []
    for event in events:
        state, actions = step(policy, state, event)
        done += actions
    return state, done


def test_a_language_is_chosen_while_the_greeting_plays() -> None:
    assert greeted(OPT_OUT, Greeted())[1] == [Ask(1)]
    _, said = greeted(OPT_OUT, Greeted(ENGLISH), Answered(1, NO))
    assert said[:2] == [Speak("en"), Ask(1)]
    (row,) = rows(said)
    assert row.evidence().items() >= {"language": "en", "language_by": "key", "notice": "cd"}.items()
    law = LinePolicy(RecordingMode.PERMANENT, legal_basis="MiFID II")
    _, said = greeted(law, Greeted(ENGLISH))
    assert said[:2] == [Speak("en"), Play(Announcement.TOLD)]
    _, said = greeted(law, TimedOut())
    assert said[0] == Play(Announcement.TOLD), "the caller is told all the same"


def test_a_language_is_chosen_while_the_question_plays_and_that_is_no_attempt() -> None:
    state, said = play(OPT_OUT, Answered(1, LANGUAGE, ENGLISH), Answered(2, SILENCE), Answered(3, NO))
    assert said[4:8] == [Speak("en"), Ask(2), Play(Announcement.NO_INPUT), Ask(3)]
    assert state.consent is not None
    assert [attempt.outcome.value for attempt in state.consent.attempts] == ["language", "silence", "key"]
    assert state.notice == ENGLISH


def test_p2_what_was_heard_in_another_language_does_not_count() -> None:
    state, said = play(OPT_OUT, Answered(1, LANGUAGE, ENGLISH), Answered(2, EARLY))
    assert state.attempts[-1].outcome is AnswerOutcome.TOO_EARLY
    assert said[-1] == Ask(3)


def test_details_are_told_and_the_question_follows() -> None:
    state, said = play(OPT_OUT, Answered(1, DETAILS), Answered(2, EARLY))
    assert said[4:6] == [Play(Announcement.DETAILS, skippable=True), Ask(2)]
    assert state.phase is Phase.DECIDING, "the question was heard before"
    policy = replace(OPT_OUT, max_attempts=1, max_detours=1)
    state, said = play(policy, Answered(1, DETAILS), Answered(2, DETAILS))
    assert state.consent is not None
    assert state.consent.reason is Reason.WRONG_KEY, "not for ever"


def test_who_cannot_be_greeted_is_not_asked() -> None:
    for event, reason in [(TimedOut(), Reason.SWITCH_SILENT), (Failed("KeyError"), Reason.APPLICATION_FAILED)]:
        state, said = greeted(OPT_OUT, event)
        assert state.consent is not None
        assert state.consent.reason is reason
        assert said[-1] == JoinQueue("not_obtained")


def test_a_language_that_was_wanted_and_is_not_to_be_had_is_in_the_row() -> None:
    notice = Notice("ab", 900, "de", LanguageBy.LINE, "fi")
    _, actions = step(
        LinePolicy(RecordingMode.PERMANENT, legal_basis="MiFID II"), AskingState(), Arrived(notice=notice)
    )
    (_, row) = rows(actions)
    assert row.evidence()["language_wanted"] == "fi"
    assert "language_by" not in row.evidence()


@pytest.mark.parametrize(
    "events",
    [
        [CallerPressed("1"), CallerPressed("9"), Answered(1, YES)],
        [CallerPressed("1"), Answered(1, YES), CallerPressed("9"), Committed(ROW)],
        [CallerPressed("1"), Answered(1, YES), CallerPressed("9"), CommitFailed(ROW, "disk full")],
        [CallerPressed("1"), Answered(1, YES), CallerPressed("9"), TimedOut()],
        [CallerPressed("1"), Answered(1, YES), Committed(ROW), CallerPressed("9")],
        [CallerPressed("1"), Answered(1, YES), Committed(ROW), CallerPressed("9"), CallerPressed("9"), Announced()],
    ],
    ids=["same breath", "while it is written", "not written", "not written in time", "while accepted plays", "twice"],
)
def test_p2_the_last_word_counts(events: list) -> None:
    state, said = play(OPT_OUT, *events)
    assert state.phase is Phase.JOINING
    assert PermitRecording() not in said
    assert Play(Announcement.REFUSED, skippable=True) in said
    words = [action.word for action in said if isinstance(action, JoinQueue)]
    assert words == (["refused"] if isinstance(events[-1], Answered) else ["withdrawn"])
    assert len([row for row in rows(said) if isinstance(row, Withdrawn)]) == (words == ["withdrawn"])


def test_p2_a_no_on_the_way_into_the_queue_stops_what_was_armed() -> None:
    _, said = play(OPT_OUT, Answered(1, YES), Committed(ROW), Announced(), CallerPressed("9"), CallerPressed("9"))
    assert said.count(TakeBack()) == 1
    assert said[-2] == TakeBack(), "before anything is written"
    assert said[-1].row.evidence() == {
        "reason": "objection_after_consent",
        "keys": "9",
        "by": "caller",
        "erase": False,
        "stopped_ms": None,
        "withdrawn": True,
    }


def test_a_yes_that_cannot_be_proven_is_not_recorded() -> None:
    for event, why in [(CommitFailed(ROW, "disk full"), "disk full"), (TimedOut(), "no answer in time")]:
        _, said = play(OPT_OUT, Answered(1, YES), event)
        assert said[5:] == [Write(Withheld(why)), Play(Announcement.UNAVAILABLE, skippable=True), JoinQueue(NOT_PROVEN)]
    _, said = play(OPT_OUT, Answered(1, YES), Committed(ROW), TimedOut())
    assert said[6:] == [Write(Withheld("no answer in time")), JoinQueue(NOT_PROVEN)]


def test_silence_is_told_apart_from_a_hangup_and_from_a_lost_connection() -> None:
    for event, reason in [
        (HungUp(), Reason.HANGUP),
        (Answered(1, Attempt(AnswerOutcome.HUNG_UP)), Reason.HANGUP),
        (ChannelGone("NORMAL_CLEARING"), Reason.HANGUP),
        (Disconnected(), Reason.CONNECTION_LOST),
        (ServiceStops(), Reason.SERVICE_STOPPED),
    ]:
        state, _ = play(OPT_OUT, event)
        assert state.consent is not None
        assert state.consent.reason is reason


def test_who_hangs_up_has_an_end_when_the_channel_has_said_its_last_word() -> None:
    state, said = play(OPT_OUT, HungUp())
    assert state.phase is Phase.JOINING
    assert LetGo() not in said
    _, said = play(OPT_OUT, HungUp(), ChannelGone("ORIGINATOR_CANCEL"))
    assert said[-2:] == [Write(CallEnded("ORIGINATOR_CANCEL", None)), LetGo()]


def test_where_the_agent_decides_too_nothing_is_armed() -> None:
    policy = replace(OPT_OUT, starts_at_answer=True)
    _, said = play(policy, Answered(1, YES), Committed(ROW), Announced())
    assert said[-2:] == [PlayToEnd(Announcement.ACCEPTED), JoinQueue("given")]


def test_permanent_tells_and_off_says_nothing() -> None:
    _, said = play(LinePolicy(RecordingMode.PERMANENT, legal_basis="MiFID II"))
    assert Play(Announcement.TOLD) in said
    assert said[-1] == JoinQueue("not_obtained")
    (_, row) = rows(said)
    assert (row.evidence()["legal_basis"], row.evidence()["reason"]) == ("MiFID II", "legal_basis")
    assert "confirmed_by" not in row.evidence()
    confirmed = Confirmation("A. Adler", date(2026, 11, 1))
    _, said = play(LinePolicy(RecordingMode.PERMANENT, legal_basis="HGB § 257", confirmed=confirmed))
    (_, row) = rows(said)
    assert row.evidence().items() >= {"confirmed_by": "A. Adler", "confirmed_on": "2026-11-01"}.items()
    _, said = play(LinePolicy(RecordingMode.OFF))
    assert not [action for action in said if isinstance(action, Ask) or action == Play(Announcement.TOLD)]
    (_, row) = rows(said)
    assert (row.evidence()["legal_basis"], row.evidence()["reason"]) == (None, "mode_off")


def test_a_call_without_a_notice_names_none() -> None:
    _, actions = step(LinePolicy(RecordingMode.OFF), AskingState(), Arrived())
    (_, row) = rows(actions)
    assert isinstance(row, Decided)
    assert row.consent == Consent(ConsentDecision.NOT_OBTAINED, Reason.MODE_OFF)
    assert "notice" not in row.evidence()
