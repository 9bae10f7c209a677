"""Asking, as one state machine: ``step(policy, state, event) -> (state, actions)``.

One function for each phase, in the order in which a call passes them; before them what can happen in all.
After the queue has the caller, ``conversation`` goes on.
"""

from __future__ import annotations

from dataclasses import replace

from consentivr.core import actions as do
from consentivr.core.actions import AskingAction
from consentivr.core.consent import AnswerOutcome, Consent, ConsentDecision, Reason
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
    begun: tuple[AskingAction, ...] = (
        do.TakeOver(),
        do.Write(ArrivedRow(event.switch, event.core)),
        do.Play(Announcement.WELCOME),
    )
    if policy.mode.asks:
        return state._replace(phase=Phase.ASKING), (*begun, do.Ask(1))
    reason = Reason.MODE_OFF
    if policy.mode is RecordingMode.PERMANENT:
        begun, reason = (*begun, do.Play(Announcement.TOLD)), Reason.LEGAL_BASIS
    state, actions = _conclude(policy, state, ConsentDecision.NOT_OBTAINED, reason)
    return state, (*begun, *actions)


def _asking(policy: LinePolicy, state: AskingState, event: AskingEvent) -> Result:
    if isinstance(event, CallerPressed):
        heeded = event.key in (policy.consent_key, policy.objection_key)
        return (state._replace(pressed=event.key) if heeded else state), ()
    if isinstance(event, TimedOut):
        return _conclude(policy, state, ConsentDecision.NOT_OBTAINED, Reason.SWITCH_SILENT)
    if isinstance(event, Failed):
        return _conclude(policy, state, ConsentDecision.NOT_OBTAINED, Reason.APPLICATION_FAILED)
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
    heard = [known.heard_ms or 0 for known in (*state.attempts, attempt)]
    if key == policy.consent_key and max(heard) < policy.min_heard_ms:
        attempt = replace(attempt, outcome=AnswerOutcome.TOO_EARLY)
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
    if len(state.attempts) < policy.max_attempts:
        complaint: tuple[AskingAction, ...] = ()
        if attempt.outcome is not AnswerOutcome.TOO_EARLY:
            silent = attempt.outcome is AnswerOutcome.SILENCE
            complaint = (do.Play(Announcement.NO_INPUT if silent else Announcement.WRONG_KEY),)
        return state, (*complaint, do.Ask(len(state.attempts) + 1))
    reason = {AnswerOutcome.SILENCE: Reason.SILENCE, AnswerOutcome.TOO_EARLY: Reason.TOO_EARLY}
    why = reason.get(attempt.outcome, Reason.WRONG_KEY)
    return _conclude(policy, state, ConsentDecision.NOT_OBTAINED, why, Announcement.NOT_OBTAINED)


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
    Phase.ASKING: _asking,
    Phase.DECIDING: _deciding,
    Phase.ANNOUNCING: _announcing,
    Phase.JOINING: _joining,
}


# --- what can happen in every phase ----------------------------------------------------------


def _over(policy: LinePolicy, state: AskingState, event: ChannelGone | HungUp) -> Result:
    """The caller has hung up before the queue. The visit's end is written when the channel has said its last word."""
    actions: tuple[AskingAction, ...] = ()
    if state.phase is Phase.ASKING and state.consent is None:
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
    if state.phase is Phase.ASKING and state.consent is None:
        reason = Reason.CONNECTION_LOST if lost else Reason.SERVICE_STOPPED
        state = state._replace(consent=Consent(ConsentDecision.NOT_OBTAINED, reason, state.attempts))
        actions = (_decision(policy, state),)
    elif state.phase in (Phase.DECIDING, Phase.ANNOUNCING):
        actions = (do.Write(Withheld("connection lost" if lost else "service stopped")),)
    return state._replace(phase=Phase.ENDED), (*actions, do.LetGo())


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
