"""Asking, as one state machine: ``step(policy, state, event) -> (state, actions)``.

One function for each phase, in the order in which a call passes them; before them what can happen in all.
After the queue has the caller, ``conversation`` goes on.
"""

from __future__ import annotations

from dataclasses import replace

from consentivr.core import actions as do
from consentivr.core.actions import AskingAction
from consentivr.core.consent import DETOURS, AnswerOutcome, Attempt, Consent, ConsentDecision, Reason
from consentivr.core.events import (
    Announced,
    Answered,
    Arrived,
    AskingEvent,
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
from consentivr.core.talk_turns import CallEnded
from consentivr.core.turns import CONSENT_BASIS, Decided, Withdrawn, Withheld
from consentivr.core.turns import Arrived as ArrivedRow
from consentivr.core.verdict import verdict

Result = tuple[AskingState, tuple[AskingAction, ...]]


def step(policy: LinePolicy, state: AskingState, event: AskingEvent) -> Result:
    """What follows from ``event`` in ``state``. An event that means nothing there changes nothing."""
    if state.phase is Phase.ENDED:
        return state, ()
    if isinstance(event, (ChannelGone, HungUp)):
        return _over(policy, state, event)
    if isinstance(event, (Disconnected, ServiceStops)):
        return _let_go(policy, state, event)
    if isinstance(event, Joined) and state.phase is not Phase.JOINING:
        return _let_go(policy, state, event)  # not by us: the dialplan has the caller, who is in a queue already
    return _PHASES[state.phase](policy, state, event)


# --- the phases, in the order of a call ------------------------------------------------------


def _arriving(policy: LinePolicy, state: AskingState, event: AskingEvent) -> Result:
    if isinstance(event, (Failed, TimedOut)):
        return state._replace(phase=Phase.ENDED), (do.LetGo(),)
    if not isinstance(event, Arrived):
        return state, ()
    state = state._replace(arrived_at=event.at, notice=event.notice)
    begun = (do.TakeOver(), do.Write(ArrivedRow(event.switch, event.core)))
    if event.offers:
        return state._replace(phase=Phase.GREETING), (*begun, do.Greet())
    state, actions = _ask_or_tell(policy, state)
    return state, (*begun, do.Play(Announcement.WELCOME), *actions)


def _greeting(policy: LinePolicy, state: AskingState, event: AskingEvent) -> Result:
    """Whatever becomes of the greeting, who is recorded by law is told so."""
    if isinstance(event, (TimedOut, Failed)) and policy.mode.asks:
        return _could_not_ask(policy, state, event)
    if not isinstance(event, (Greeted, TimedOut, Failed)):
        return state, ()
    spoken: tuple[AskingAction, ...] = ()
    if isinstance(event, Greeted) and event.notice is not None:
        state, spoken = state._replace(notice=event.notice), (do.Speak(event.notice.language),)
    state, actions = _ask_or_tell(policy, state)
    return state, (*spoken, *actions)


def _asking(policy: LinePolicy, state: AskingState, event: AskingEvent) -> Result:
    if isinstance(event, CallerPressed):
        heeded = event.key in (policy.consent_key, policy.objection_key)
        return (state._replace(pressed=event.key) if heeded else state), ()
    if isinstance(event, (TimedOut, Failed)):
        return _could_not_ask(policy, state, event)
    if not isinstance(event, Answered) or event.number != len(state.attempts) + 1:
        return state, ()
    return _answered(policy, state, event)


def _answered(policy: LinePolicy, state: AskingState, event: Answered) -> Result:
    attempt = event.attempt
    key = attempt.key if attempt.outcome is AnswerOutcome.KEY else None
    if key == policy.consent_key and state.pressed == policy.objection_key:
        # Both in the same breath: the last word counts (promise P2).
        key = policy.objection_key
        attempt = replace(attempt, key=key)
    if key == policy.consent_key and _heard_ms(state, attempt) < policy.min_heard_ms:
        attempt = replace(attempt, outcome=AnswerOutcome.TOO_EARLY)
    if attempt.outcome in DETOURS and not _may_detour(policy, state, event):
        attempt = replace(attempt, outcome=AnswerOutcome.WRONG_KEY)
    state = state._replace(attempts=(*state.attempts, attempt), pressed=None)
    if attempt.outcome is AnswerOutcome.HUNG_UP:
        return _over(policy, state, HungUp())
    if attempt.outcome is AnswerOutcome.NOT_ASKED:
        return _conclude(policy, state, ConsentDecision.NOT_OBTAINED, Reason.COULD_NOT_ASK)
    if attempt.outcome is AnswerOutcome.KEY and key == policy.consent_key:
        consent = Consent(ConsentDecision.GIVEN, Reason.CONSENT_KEY, state.attempts)
        state = state._replace(phase=Phase.DECIDING, consent=consent)
        return state, (_decision(policy, state, permits=True),)
    if attempt.outcome is AnswerOutcome.KEY and key == policy.objection_key:
        return _conclude(policy, state, ConsentDecision.REFUSED, Reason.OBJECTION_KEY, Announcement.REFUSED)
    if attempt.outcome is AnswerOutcome.DETAILS:
        return state, (do.Play(Announcement.DETAILS, skippable=True), do.Ask(len(state.attempts) + 1))
    chosen = event.notice if attempt.outcome is AnswerOutcome.LANGUAGE else None
    if chosen is not None:
        return state._replace(notice=chosen), (do.Speak(chosen.language), do.Ask(len(state.attempts) + 1))
    if sum(known.outcome not in DETOURS for known in state.attempts) < policy.max_attempts:
        complaint: tuple[AskingAction, ...] = ()
        if attempt.outcome is not AnswerOutcome.TOO_EARLY:
            silent = attempt.outcome is AnswerOutcome.SILENCE
            complaint = (do.Play(Announcement.NO_INPUT if silent else Announcement.WRONG_KEY),)
        return state, (*complaint, do.Ask(len(state.attempts) + 1))
    reason = {AnswerOutcome.SILENCE: Reason.SILENCE, AnswerOutcome.TOO_EARLY: Reason.TOO_EARLY}
    why = reason.get(attempt.outcome, Reason.WRONG_KEY)
    return _conclude(policy, state, ConsentDecision.NOT_OBTAINED, why, Announcement.NOT_OBTAINED)


def _heard_ms(state: AskingState, attempt: Attempt) -> int:
    """The most that was heard of one putting of the question, in the language that is spoken now; milliseconds."""
    most = attempt.heard_ms or 0
    for known in reversed(state.attempts):
        if known.outcome is AnswerOutcome.LANGUAGE:
            break
        most = max(most, known.heard_ms or 0)
    return most


def _may_detour(policy: LinePolicy, state: AskingState, event: Answered) -> bool:
    """Whoever goes round in circles is asked as one who presses keys without a meaning."""
    if event.attempt.outcome is AnswerOutcome.LANGUAGE and event.notice is None:
        return False
    return sum(known.outcome in DETOURS for known in state.attempts) < policy.max_detours


def _deciding(policy: LinePolicy, state: AskingState, event: AskingEvent) -> Result:
    """A yes waits for its row (promise P1)."""
    if isinstance(event, CallerPressed) and event.key == policy.objection_key and not state.taken_back:
        return state._replace(taken_back=True), (_withdrawn(policy),)
    if isinstance(event, (Committed, CommitFailed, Failed, TimedOut)) and state.taken_back:
        return _join_taken_back(state)
    if isinstance(event, Committed):
        return state._replace(phase=Phase.ANNOUNCING), (do.PlayToEnd(Announcement.ACCEPTED),)
    if isinstance(event, (CommitFailed, Failed, TimedOut)):
        why = "no answer in time" if isinstance(event, TimedOut) else event.why
        withheld = (
            do.Write(Withheld(why)),
            do.Play(Announcement.UNAVAILABLE, skippable=True),
            do.JoinQueue(do.NOT_PROVEN),
        )
        return state._replace(phase=Phase.JOINING), withheld
    return state, ()


def _announcing(policy: LinePolicy, state: AskingState, event: AskingEvent) -> Result:
    """The caller hears that the yes is accepted, and may still say no."""
    if isinstance(event, CallerPressed) and event.key == policy.objection_key:
        state, actions = _join_taken_back(state._replace(taken_back=True))
        return state, (_withdrawn(policy), *actions)
    if isinstance(event, Announced):
        armed = () if policy.starts_at_answer else (do.PermitRecording(), do.ArmRecorder())
        return state._replace(phase=Phase.JOINING), (*armed, do.JoinQueue(ConsentDecision.GIVEN.value))
    if isinstance(event, (Failed, TimedOut)):
        why = event.why if isinstance(event, Failed) else "no answer in time"
        return state._replace(phase=Phase.JOINING), (do.Write(Withheld(why)), do.JoinQueue(do.NOT_PROVEN))
    return state, ()


def _joining(policy: LinePolicy, state: AskingState, event: AskingEvent) -> Result:
    if isinstance(event, (Joined, Failed, TimedOut)):
        # After a failure the caller may not have reached the queue; the dialplan finds that out, we cannot.
        return state._replace(phase=Phase.ENDED), (do.LetGo(),)
    given = state.consent is not None and state.consent.decision is ConsentDecision.GIVEN
    if isinstance(event, CallerPressed) and event.key == policy.objection_key and given and not state.taken_back:
        return state._replace(taken_back=True), (do.TakeBack(), _withdrawn(policy))
    return state, ()


_PHASES = {
    Phase.ARRIVING: _arriving,
    Phase.GREETING: _greeting,
    Phase.ASKING: _asking,
    Phase.DECIDING: _deciding,
    Phase.ANNOUNCING: _announcing,
    Phase.JOINING: _joining,
}


_UNASKED = (Phase.GREETING, Phase.ASKING)


# --- what can happen in every phase ----------------------------------------------------------


def _over(policy: LinePolicy, state: AskingState, event: ChannelGone | HungUp) -> Result:
    """The caller has hung up before the queue. The visit's end is written when the channel has said its last word."""
    actions: tuple[AskingAction, ...] = ()
    if state.phase in _UNASKED and state.consent is None:
        consent = Consent(ConsentDecision.NOT_OBTAINED, Reason.HANGUP, state.attempts)
        state = state._replace(consent=consent)
        actions = (_decision(policy, state),)
    if isinstance(event, HungUp) or state.phase is Phase.ARRIVING:
        over = Phase.ENDED if state.phase is Phase.ARRIVING else Phase.JOINING
        return state._replace(phase=over), (*actions, *((do.LetGo(),) if over is Phase.ENDED else ()))
    return state._replace(phase=Phase.ENDED), (*actions, do.Write(CallEnded(event.cause, None)), do.LetGo())


def _let_go(policy: LinePolicy, state: AskingState, event: Disconnected | ServiceStops | Joined) -> Result:
    """The dialplan has the call, and takes it to the queue unrecorded. Whoever watches the switch writes its end."""
    lost = not isinstance(event, ServiceStops)
    actions: tuple[AskingAction, ...] = ()
    if state.phase in _UNASKED and state.consent is None:
        reason = Reason.CONNECTION_LOST if lost else Reason.SERVICE_STOPPED
        state = state._replace(consent=Consent(ConsentDecision.NOT_OBTAINED, reason, state.attempts))
        actions = (_decision(policy, state),)
    elif state.phase in (Phase.DECIDING, Phase.ANNOUNCING):
        actions = (do.Write(Withheld("connection lost" if lost else "service stopped")),)
    return state._replace(phase=Phase.ENDED), (*actions, do.LetGo())


def _ask_or_tell(policy: LinePolicy, state: AskingState) -> Result:
    """After the greeting."""
    if policy.mode.asks:
        return state._replace(phase=Phase.ASKING), (do.Ask(1),)
    if policy.mode is RecordingMode.PERMANENT:
        state, actions = _conclude(policy, state, ConsentDecision.NOT_OBTAINED, Reason.LEGAL_BASIS)
        return state, (do.Play(Announcement.TOLD), *actions)
    return _conclude(policy, state, ConsentDecision.NOT_OBTAINED, Reason.MODE_OFF)


def _could_not_ask(policy: LinePolicy, state: AskingState, event: TimedOut | Failed) -> Result:
    reason = Reason.SWITCH_SILENT if isinstance(event, TimedOut) else Reason.APPLICATION_FAILED
    return _conclude(policy, state, ConsentDecision.NOT_OBTAINED, reason)


def _conclude(
    policy: LinePolicy,
    state: AskingState,
    decision: ConsentDecision,
    reason: Reason,
    announcement: Announcement | None = None,
) -> Result:
    """Any decision but a yes: write it, say so, and on to the queue without waiting for the disk."""
    state = state._replace(consent=Consent(decision, reason, state.attempts), phase=Phase.JOINING)
    said = () if announcement is None else (do.Play(announcement, skippable=True),)
    return state, (_decision(policy, state), *said, do.JoinQueue(decision.value))


def _join_taken_back(state: AskingState) -> Result:
    """The last word was a no, whatever became of the row before it."""
    word = do.JoinQueue(ConsentDecision.WITHDRAWN.value)
    return state._replace(phase=Phase.JOINING), (do.Play(Announcement.REFUSED, skippable=True), word)


def _withdrawn(policy: LinePolicy) -> do.Write:
    reason = Reason.OBJECTION_AFTER_CONSENT.value
    return do.Write(Withdrawn(reason, policy.objection_key, "caller", erase=False, stopped_ms=None))


def _decision(policy: LinePolicy, state: AskingState, *, permits: bool = False) -> do.Write:
    consent = state.consent
    assert consent is not None
    said = verdict(
        policy.mode,
        consent.decision,
        durable=True,
        purpose_agreed=True,
        others=(),
        held=False,
        paused=False,
        is_nth=True,
        agent_wants=True,
    )
    basis = policy.legal_basis or (CONSENT_BASIS if policy.mode.asks else None)
    row = Decided(consent, said, policy.purpose, basis, state.arrived_at, state.notice, policy.confirmed)
    return do.Write(row, permits)
