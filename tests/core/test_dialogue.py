"""Promises P1-P4 in every reachable state of the dialogue.

The set of states is finite for a small policy, so the walk below covers event sequences of every
length: it follows each event from each reachable pair of (dialogue, what an observer has seen).
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentivr.core.consent import AnswerOutcome, Attempt, ConsentDecision, Reason
from consentivr.core.dialogue import (
    AgentAnswered,
    AgentAsked,
    AgentIdentified,
    AgentWish,
    Announcement,
    Answered,
    Arrived,
    Ask,
    Bridged,
    CallPolicy,
    ChannelGone,
    CommitFailed,
    Committed,
    Disconnected,
    EraseRecordings,
    Failed,
    HangUp,
    HungUp,
    JoinQueue,
    KeyPressed,
    Leg,
    LetGo,
    LookForRecorders,
    Mask,
    PermitRecording,
    Phase,
    Play,
    QueueLeft,
    Recorder,
    RecorderRefused,
    RecordersSeen,
    RecorderStarted,
    RecorderStopped,
    RecordNow,
    StartRecording,
    State,
    StopRecording,
    TakeOver,
    TimedOut,
    Transfer,
    Unbridged,
    Write,
    step,
)
from consentivr.core.evidence import Turn
from consentivr.core.recording import RecordingMode

ATTEMPTS = [
    Attempt(AnswerOutcome.KEY, "1", 500),
    Attempt(AnswerOutcome.KEY, "9", 500),
    Attempt(AnswerOutcome.WRONG_KEY, "5"),
    Attempt(AnswerOutcome.KEY, "5"),
    Attempt(AnswerOutcome.WRONG_KEY, "1"),
    Attempt(AnswerOutcome.SILENCE, None, 1000),
    Attempt(AnswerOutcome.NOT_ASKED),
    Attempt(AnswerOutcome.HUNG_UP),
]
OTHER_EVENTS = [
    Arrived(),
    Committed(),
    CommitFailed("disk full"),
    RecorderStarted("/r/a.wav"),
    RecorderRefused(),
    RecorderStopped("/r/a.wav", 1000, "success-silence"),
    AgentAnswered("leg"),
    QueueLeft("TIMEOUT"),
    Bridged("leg"),
    Bridged("other"),
    AgentIdentified("leg", "1001@default", True),
    AgentIdentified("leg", "1002@default", False),
    Committed(2),
    KeyPressed("*", 0),
    KeyPressed("9", 0),
    KeyPressed("1", 0),
    *(AgentAsked(wish, "key") for wish in AgentWish),
    RecordersSeen((Leg("caller", "a", ()), Leg("agent", "b", ()))),
    RecordersSeen((Leg("caller", "a", ("/r/a.wav",)), Leg("agent", "b", ()))),
    Unbridged(),
    HungUp("NORMAL_CLEARING"),
    ChannelGone("NORMAL_CLEARING", "1001@default"),
    TimedOut(),
    Failed("KeyError"),
    Disconnected(),
]
EVENTS_OF_THE_AGENTS_LEG = [
    RecorderStarted("/r/b.wav", "leg"),
    RecordersSeen((Leg("caller", "a", ()), Leg("agent", "leg", ("/r/b.wav",)))),
    RecorderStopped("/r/b.wav", 1000, None, "leg"),
    KeyPressed("*", 0, by_agent=True),
    KeyPressed("3", 0, by_agent=True),
]
EVENTS = [Answered(number, attempt) for number in (1, 2, 3) for attempt in ATTEMPTS] + OTHER_EVENTS
PLAIN = [
    CallPolicy(RecordingMode.OFF),
    CallPolicy(RecordingMode.PERMANENT),
    CallPolicy(RecordingMode.PERMANENT_OPT_OUT, max_attempts=2),
    CallPolicy(RecordingMode.MANUAL, max_attempts=1),
]
WITH_SECOND_THOUGHTS = CallPolicy(
    RecordingMode.CALLER_OPT_IN,
    max_attempts=1,
    transfer_when_unanswered="6000",
    late_consent_keys="*1",
    erase_withdrawn=True,
)
WITH_REGISTER = CallPolicy(RecordingMode.EVERY_NTH, max_attempts=1, every=2, agents_must_agree=True)
WITH_AGENTS_KEYS = CallPolicy(
    RecordingMode.PERMANENT_OPT_OUT, max_attempts=1, agent_keys=(("*3", AgentWish.PAUSE), ("*4", AgentWish.RESUME))
)
POLICIES = [*PLAIN, WITH_SECOND_THOUGHTS, WITH_REGISTER, WITH_AGENTS_KEYS]


def events_of(policy: CallPolicy) -> list[object]:
    """The agent's leg doubles the states several times over: it is walked with one policy."""
    return [*EVENTS, *EVENTS_OF_THE_AGENTS_LEG] if policy.agent_keys else EVENTS


class Observer(NamedTuple):
    """What someone who sees only events and actions knows of a call."""

    asked: int = 0
    yes: bool = False
    """The question that was put last came back with the consent key, or *1 was pressed later; and no *9 since."""
    row: bool = False
    """A row with that yes was handed in, to be made durable."""
    durable: bool = False
    joined: bool = False
    gone: bool = False
    """Caller hung up, or the dialplan has the call."""
    star: bool = False
    agreed: bool = False
    """The agent's consent is known, and in the ledger."""
    tallied: bool = False
    nth: bool = False
    started: bool = False
    decisions: int = 0


def watch(policy: CallPolicy, seen: Observer, event: object, actions: tuple[object, ...]) -> Observer:
    """Update the observer, and hold every action against the promises."""
    if isinstance(event, (HungUp, ChannelGone, Disconnected)):
        seen = seen._replace(gone=True)
    if isinstance(event, Answered) and event.number == seen.asked and not seen.decisions:
        if event.attempt.outcome is AnswerOutcome.HUNG_UP:
            seen = seen._replace(gone=True)
        if event.attempt.outcome is AnswerOutcome.KEY and event.attempt.key == policy.consent_key:
            seen = seen._replace(yes=True)
    if isinstance(event, KeyPressed) and not event.by_agent:
        if seen.star and event.key == "1" and event.at_ms == 0 and policy.late_consent_keys:
            seen = seen._replace(yes=True)
        seen = seen._replace(star=event.key == "*" and event.at_ms == 0)
    if isinstance(event, Unbridged):
        seen = seen._replace(agreed=False, nth=False, tallied=False)
    if isinstance(event, Committed):
        seen = seen._replace(durable=seen.durable or seen.row)
        if seen.tallied:
            seen = seen._replace(tallied=False, nth=event.count is not None and event.count % 2 == 0)
    seen = seen._replace(started=isinstance(event, AgentAsked) and event.wish is AgentWish.START)
    for action in actions:
        if isinstance(action, Ask):
            assert action.number == seen.asked + 1 <= policy.max_attempts
            assert not seen.decisions, "asked again after the decision"
            seen = seen._replace(asked=action.number)
        elif isinstance(action, Write) and action.turn is Turn.DECISION:
            seen = seen._replace(decisions=seen.decisions + 1)
            given_ = action.evidence["decision"] == "given"
            assert given_ == action.permits
            assert not given_ or seen.yes, "P2: a yes that nobody said"
            seen = seen._replace(row=seen.row or given_)
        elif isinstance(action, Write) and "agent_agreed" in action.evidence:
            assert action.permits
            seen = seen._replace(agreed=action.evidence["agent_agreed"], tallied=action.tally is not None)
        elif isinstance(action, Write) and action.turn is Turn.AGREED_LATE:
            assert seen.yes
            assert action.permits
            seen = seen._replace(row=True)
        elif isinstance(action, Write) and action.turn is Turn.WITHDRAWN:
            assert isinstance(actions[0], StopRecording), "P6: first the recorder, then everything else"
            seen = seen._replace(yes=False, row=False, durable=False)
        elif isinstance(action, (PermitRecording, StartRecording, RecordNow)):
            assert seen.durable, "P1: recording before the proof is durable"
            assert seen.yes, "P2: recording without a yes"
            assert policy.mode.asks
            assert not seen.gone, "P3: recording a call that is gone"
            assert not policy.agents_must_agree or seen.agreed, "the agent has not agreed"
            assert policy.mode is not RecordingMode.EVERY_NTH or seen.nth
            assert policy.mode is not RecordingMode.MANUAL or seen.started
        elif isinstance(action, JoinQueue):
            assert not seen.joined, "P4: in the queue twice"
            seen = seen._replace(joined=True)
        elif isinstance(action, (HangUp, Transfer)):
            assert isinstance(event, QueueLeft), "P4: a caller is sent away only after the queue"
        elif isinstance(action, LetGo):
            seen = seen._replace(gone=True)
    assert seen.decisions <= 1
    return seen._replace(started=False)


def same_future(policy: CallPolicy, state: State, seen: Observer) -> tuple[State, Observer]:
    """Without what is remembered for the evidence alone."""
    if not policy.agents_must_agree:
        seen = seen._replace(agreed=False)
    if policy.mode is not RecordingMode.EVERY_NTH:
        seen = seen._replace(nth=False)
    if state.phase is Phase.ENDED:
        return State(Phase.ENDED), Observer()
    if state.phase in (Phase.ARRIVING, Phase.ASKING) or state.consent is None:
        return state, seen
    consent = replace(state.consent, attempts=(), reason=Reason.SILENCE)
    files = state.files if policy.erase_withdrawn else ()
    return state._replace(attempts=(), consent=consent, files=files), seen._replace(asked=0)


def explore(policy: CallPolicy) -> list[tuple[State, Observer, object, State, tuple[object, ...]]]:
    start = (State(), Observer())
    known, todo, edges = {start}, deque([start]), []
    while todo:
        state, seen = todo.popleft()
        for event in events_of(policy):
            after, actions = step(policy, state, event)
            now = watch(policy, seen, event, actions)
            edges.append((state, seen, event, after, actions))
            bounded = after.starts <= 1 and after.talks <= 1  # an agent may start and stop for ever
            future = same_future(policy, after, now)
            if bounded and future not in known:
                known.add(future)
                todo.append((after, now))
    return edges


@pytest.fixture(
    scope="module",
    params=POLICIES,
    ids=lambda policy: policy.mode.value,
)
def explored(request: pytest.FixtureRequest) -> tuple[CallPolicy, list]:
    return request.param, explore(request.param)


def test_p1_p2_p3_hold_on_every_edge(explored: tuple[CallPolicy, list]) -> None:
    policy, edges = explored  # explore() has held every action against the promises already
    assert len(edges) > 500
    permitting = [event for _, _, event, _, actions in edges if PermitRecording() in actions]
    assert bool(permitting) == (policy.mode.asks and not policy.decides_at_answer)
    assert all(isinstance(event, Committed) for event in permitting)
    later = [event for _, _, event, _, actions in edges if any(isinstance(action, RecordNow) for action in actions)]
    assert bool(later) == ((policy.mode.asks and policy.decides_at_answer) or bool(policy.late_consent_keys))
    assert all(isinstance(event, (Committed, AgentAsked)) for event in later)


def test_p1_permission_and_recorder_go_together(explored: tuple[CallPolicy, list]) -> None:
    for _, _, _, after, actions in explored[1]:
        assert (PermitRecording() in actions) == (StartRecording() in actions)
        if PermitRecording() in actions:
            assert after.permitted
            assert actions.index(PermitRecording()) < actions.index(StartRecording()) < actions.index(JoinQueue())


def test_p3_a_recorder_that_was_not_permitted_is_stopped(explored: tuple[CallPolicy, list]) -> None:
    policy, edges = explored
    for state, _, event, _, actions in edges:
        if isinstance(event, RecorderStarted) and state.phase is not Phase.ENDED:
            allowed = state.permitted or policy.mode is RecordingMode.PERMANENT
            recorder = Recorder(event.path, event.leg)
            assert (StopRecording(event.leg) in actions) == (not allowed and recorder not in state.recorders)
            known = recorder in state.recorders or (not allowed and event.path in state.forbidden)
            assert not state.masked or not allowed or known or Mask((recorder,), on=True) in actions
            turns = [action.turn for action in actions if isinstance(action, Write)]
            assert turns == ([] if known else [Turn.RECORDING_STARTED if allowed else Turn.FORBIDDEN_RECORDING])
            erased = [action for action in actions if isinstance(action, EraseRecordings)]
            assert bool(erased) == (not allowed and not known)


def test_p4_no_call_is_lost(explored: tuple[CallPolicy, list]) -> None:
    """A call ends only because the caller is gone, or was in the queue, or the dialplan has it."""
    for _, seen, event, after, actions in explored[1]:
        if after.phase is Phase.ENDED:
            over = isinstance(event, (ChannelGone, Disconnected))
            assert over or seen.gone or seen.joined or LetGo() in actions


def test_p4_a_failure_or_a_time_out_moves_the_call_on(explored: tuple[CallPolicy, list]) -> None:
    for state, seen, event, _, actions in explored[1]:
        waiting_for_us = state.phase in (Phase.ARRIVING, Phase.ASKING, Phase.DECIDING)
        if waiting_for_us and isinstance(event, (Failed, TimedOut)) and not seen.gone:
            assert JoinQueue() in actions or LetGo() in actions


def test_every_call_has_exactly_one_decision(explored: tuple[CallPolicy, list]) -> None:
    policy, edges = explored
    for _, seen, event, after, actions in edges:
        if after.phase is Phase.ENDED and after.phase is not Phase.ARRIVING:
            now = watch(policy, seen, event, actions)
            assert now.decisions == (0 if after.consent is None else 1)


def test_ended_is_the_end(explored: tuple[CallPolicy, list]) -> None:
    for state, _, _, after, actions in explored[1]:
        if state.phase is Phase.ENDED:
            assert after is state
            assert actions == ()


@given(
    policy=st.builds(
        CallPolicy,
        mode=st.sampled_from(RecordingMode),
        consent_key=st.just("1"),
        objection_key=st.just("9"),
        max_attempts=st.integers(1, 10),
        transfer_when_unanswered=st.none() | st.just("6000"),
        every=st.just(2),
        agents_must_agree=st.booleans(),
        late_consent_keys=st.none() | st.just("*1"),
        erase_withdrawn=st.booleans(),
        agent_keys=st.just(()) | st.just((("*3", AgentWish.PAUSE), ("*4", AgentWish.RESUME))),
    ),
    events=st.lists(
        st.sampled_from([*OTHER_EVENTS, *EVENTS_OF_THE_AGENTS_LEG])
        | st.builds(Answered, st.integers(1, 11), st.sampled_from(ATTEMPTS)),
        max_size=40,
    ),
)
@settings(max_examples=2000, deadline=None)
def test_promises_hold_in_long_calls(policy: CallPolicy, events: list) -> None:
    state, seen = State(), Observer()
    for event in [Arrived(), *events]:
        state, actions = step(policy, state, event)
        seen = watch(policy, seen, event, actions)


# --- the ordinary calls, in words ------------------------------------------------------------

OPT_OUT = CallPolicy(RecordingMode.PERMANENT_OPT_OUT, max_attempts=2)


def play(policy: CallPolicy, *events: object) -> tuple[State, list]:
    state, said = State(), []
    for event in events:
        state, actions = step(policy, state, event)
        said += actions
    return state, said


def test_a_yes() -> None:
    state, said = play(OPT_OUT, Arrived(), Answered(1, ATTEMPTS[0]))
    assert said[:3] == [TakeOver(), Play(Announcement.WELCOME), Ask(1)]
    assert state.phase is Phase.DECIDING
    assert said[3].permits
    assert said[3].evidence["key"] == "1"
    assert said[3].evidence["heard_ms"] == 500
    state, said = play(OPT_OUT, Arrived(), Answered(1, ATTEMPTS[0]), Committed())
    assert said[4:] == [PermitRecording(), Play(Announcement.ACCEPTED), StartRecording(), JoinQueue()]


@pytest.mark.parametrize(
    ("attempts", "decision", "reason", "announcement"),
    [
        ([ATTEMPTS[1]], ConsentDecision.REFUSED, Reason.OBJECTION_KEY, Announcement.REFUSED),
        ([ATTEMPTS[5]] * 2, ConsentDecision.NOT_OBTAINED, Reason.SILENCE, Announcement.NOT_OBTAINED),
        ([ATTEMPTS[2]] * 2, ConsentDecision.NOT_OBTAINED, Reason.WRONG_KEY, Announcement.NOT_OBTAINED),
        ([ATTEMPTS[5], ATTEMPTS[1]], ConsentDecision.REFUSED, Reason.OBJECTION_KEY, Announcement.REFUSED),
        ([ATTEMPTS[6]], ConsentDecision.NOT_OBTAINED, Reason.COULD_NOT_ASK, None),
    ],
)
def test_everything_else_is_a_no(
    attempts: list[Attempt], decision: ConsentDecision, reason: Reason, announcement: Announcement | None
) -> None:
    events = [Answered(number, attempt) for number, attempt in enumerate(attempts, 1)]
    state, said = play(OPT_OUT, Arrived(), *events)
    assert state.consent is not None
    assert (state.consent.decision, state.consent.reason) == (decision, reason)
    assert said[-1] == JoinQueue()
    assert PermitRecording() not in said
    if announcement is not None:
        assert said[-2] == Play(announcement)


@pytest.mark.parametrize(("attempt", "complaint"), [(5, Announcement.NO_INPUT), (2, Announcement.WRONG_KEY)])
def test_asked_again(attempt: int, complaint: Announcement) -> None:
    _, said = play(OPT_OUT, Arrived(), Answered(1, ATTEMPTS[attempt]))
    assert said[3:] == [Play(complaint), Ask(2)]


def test_a_yes_that_cannot_be_proven_is_not_recorded() -> None:
    _, said = play(OPT_OUT, Arrived(), Answered(1, ATTEMPTS[0]), CommitFailed("disk full"))
    assert [type(action) for action in said[4:]] == [Write, Play, JoinQueue]
    assert said[4].evidence == {"why": "disk full"}


def test_silence_is_told_apart_from_a_hangup_and_from_a_lost_connection() -> None:
    for event, reason in [(HungUp("X"), Reason.HANGUP), (Disconnected(), Reason.CONNECTION_LOST)]:
        state, _ = play(OPT_OUT, Arrived(), event)
        assert state.consent is not None
        assert state.consent.reason is reason


def test_the_queue_ends_without_an_agent() -> None:
    queued = (Arrived(), Answered(1, ATTEMPTS[1]), QueueLeft("TIMEOUT"))
    _, said = play(OPT_OUT, *queued)
    assert said[-2:] == [Play(Announcement.UNANSWERED), HangUp()]
    _, said = play(replace(OPT_OUT, transfer_when_unanswered="6000"), *queued)
    assert said[-1] == Transfer("6000")


def test_a_yes_ends_with_the_talk_it_was_given_for() -> None:
    state, said = play(
        OPT_OUT, Arrived(), Answered(1, ATTEMPTS[0]), Committed(), AgentAnswered("leg"), Bridged(), Unbridged()
    )
    assert said[-1] == StopRecording("leg")
    assert not state.permitted


def test_p5_a_forbidden_recorder_is_stopped_noted_and_erased_twice() -> None:
    """At once, and when the file is closed; a second word about it adds no row."""
    state, _ = play(OPT_OUT, Arrived(), Answered(1, ATTEMPTS[1]), AgentAnswered("leg"), Bridged("leg"))
    erase = EraseRecordings(("/r/b.wav",), "not permitted")
    state, actions = step(OPT_OUT, state, RecorderStarted("/r/b.wav", "leg"))
    assert (actions[0], actions[-1]) == (StopRecording("leg"), erase)
    assert actions[1].evidence == {"path": "/r/b.wav", "leg": "agent"}
    state, actions = step(OPT_OUT, state, RecorderStarted("/r/b.wav", "leg"))
    assert actions == (StopRecording("leg"),)
    state, actions = step(OPT_OUT, state, RecorderStopped("/r/b.wav", 1, None, "leg"))
    assert actions == (erase,)
    assert state.forbidden == ()


def test_the_agents_keys() -> None:
    policy = WITH_AGENTS_KEYS
    agreed = (Arrived(), Answered(1, ATTEMPTS[0]), Committed(), AgentAnswered("leg"), Bridged("leg"))
    state, _ = play(policy, *agreed, RecorderStarted("/r/a.wav"), RecorderStarted("/r/b.wav", "leg"))
    both = (Recorder("/r/a.wav"), Recorder("/r/b.wav", "leg"))
    state, actions = step(policy, state, KeyPressed("*", 0, by_agent=True))
    assert actions == ()
    assert step(policy, state, KeyPressed("3", 0))[1] == (), "the caller's key does not end the agent's sequence"
    state, actions = step(policy, state, KeyPressed("3", 0, by_agent=True))
    assert actions[0] == Mask(both, on=True)
    assert actions[1].evidence == {"by": "keys", "paths": ["/r/a.wav", "/r/b.wav"]}


def test_a_recorder_that_does_not_start_is_noted() -> None:
    agreed = (Arrived(), Answered(1, ATTEMPTS[0]), Committed())
    failed = Write(Turn.RECORDING_FAILED, {"why": "the switch reported no RECORD_START"})
    for event in (RecorderRefused(), AgentAnswered("leg"), Bridged("leg")):
        assert failed in play(OPT_OUT, *agreed, event)[1]
        assert failed not in play(OPT_OUT, *agreed, RecorderStarted("/r/a.wav"), event)[1]
    assert failed not in play(OPT_OUT, *agreed, KeyPressed("*", 0), KeyPressed("9", 0), AgentAnswered("leg"))[1]
    assert failed not in play(OPT_OUT, *agreed, HungUp("NORMAL_CLEARING"), Bridged("leg"))[1]


def test_a_recorder_of_a_late_yes_may_start_after_the_agent_answered() -> None:
    late = (Arrived(), Answered(1, ATTEMPTS[1]), KeyPressed("*", 0), KeyPressed("1", 0), Committed())
    failed = Write(Turn.RECORDING_FAILED, {"why": "the switch reported no RECORD_START"})
    _, said = play(WITH_SECOND_THOUGHTS, *late, AgentAnswered("leg"))
    assert any(isinstance(action, RecordNow) for action in said)
    assert failed not in said
    assert failed in play(WITH_SECOND_THOUGHTS, *late, RecorderRefused(), AgentAnswered("leg"))[1]


def test_permanent_tells_and_off_says_nothing() -> None:
    _, said = play(CallPolicy(RecordingMode.PERMANENT), Arrived())
    assert Play(Announcement.TOLD) in said
    assert said[-1] == JoinQueue()
    _, said = play(CallPolicy(RecordingMode.OFF), Arrived())
    assert not [action for action in said if isinstance(action, Ask) or action == Play(Announcement.TOLD)]


# --- the negative proof ----------------------------------------------------------------------

SEEN = (
    RecordersSeen((Leg("caller", "a", ()), Leg("agent", "b", ()))),
    RecordersSeen((Leg("caller", "a", ("/r/a.wav",)), Leg("agent", "b", ("/r/b.wav",)))),
    RecordersSeen((Leg("caller", "a", None),)),
)


def test_a_talk_that_is_not_recorded_is_looked_at(explored: tuple[CallPolicy, list]) -> None:
    policy, edges = explored
    looked = 0
    for state, _, event, after, actions in edges:
        if any(isinstance(action, LookForRecorders) for action in actions):
            looked += 1
            assert not after.permitted
            assert policy.mode is not RecordingMode.PERMANENT
        elif isinstance(event, Bridged) and state.phase in (Phase.QUEUED, Phase.TALKING) and not state.hung_up:
            waits_for_the_agent = after.agent is None and policy.decides_at_answer and after.durable
            assert after.permitted or policy.mode is RecordingMode.PERMANENT or waits_for_the_agent
    assert bool(looked) == (policy.mode is not RecordingMode.PERMANENT)


def test_what_was_seen_is_written_and_what_is_forbidden_is_stopped_on_both_legs() -> None:
    refused = (Arrived(), Answered(1, ATTEMPTS[1]), AgentAnswered("b"), Bridged("b"))
    state, said = play(OPT_OUT, *refused)
    assert said[-1] == LookForRecorders("b")
    _, (row,) = step(OPT_OUT, state, SEEN[0])
    assert row.evidence["recorders"] == 0
    assert [leg["leg"] for leg in row.evidence["legs"]] == ["caller", "agent"]
    _, actions = step(OPT_OUT, state, SEEN[1])
    assert actions[0] == StopRecording("b"), "before anything is written"
    assert [(row.turn, row.evidence.get("path")) for row in actions[1:-1]] == [
        (Turn.LOOKED_FOR_RECORDERS, None),
        (Turn.FORBIDDEN_RECORDING, "/r/a.wav"),
        (Turn.FORBIDDEN_RECORDING, "/r/b.wav"),
    ]
    assert actions[-1] == EraseRecordings(("/r/a.wav", "/r/b.wav"), "not permitted")
    _, (row,) = step(OPT_OUT, state, SEEN[2])
    assert row.evidence["recorders"] is None, "what could not be told is not called none"
    agreed = (Arrived(), Answered(1, ATTEMPTS[0]), Committed(), AgentAnswered("b"), Bridged("b"))
    state, _ = play(OPT_OUT, *agreed)
    assert StopRecording("b") not in step(OPT_OUT, state, SEEN[1])[1]


def test_purpose_and_legal_basis_are_in_the_decision() -> None:
    for policy, basis in (
        (replace(OPT_OUT, purpose="quality"), "consent, GDPR art. 6(1)(a)"),
        (
            CallPolicy(RecordingMode.PERMANENT, purpose="quality", legal_basis="MiFID II"),
            "MiFID II",
        ),
        (CallPolicy(RecordingMode.OFF, purpose="quality"), None),
    ):
        _, said = play(policy, Arrived(), Answered(1, ATTEMPTS[1]))
        row = next(action for action in said if isinstance(action, Write))
        assert (row.evidence["purpose"], row.evidence["legal_basis"]) == ("quality", basis)
