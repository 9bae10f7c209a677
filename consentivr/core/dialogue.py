"""The whole call as one state machine: ``step(policy, state, event) -> (state, actions)``.

Read it from the top: what can happen (events), what we can do (actions), where a call can be
(phases), and then ``step`` with one function per phase, in the order in which a call passes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from consentivr.core.consent import AnswerOutcome, Attempt, Consent, ConsentDecision, Reason
from consentivr.core.evidence import Turn
from consentivr.core.recording import RecordingMode, verdict

CONSENT_BASIS = "consent, GDPR art. 6(1)(a)"
"""The legal basis of a recording whose caller was asked."""

# --- what an administrator chose for this line ------------------------------------------------


@dataclass(frozen=True)
class CallPolicy:
    """What the dialogue needs to know of the line that was called."""

    mode: RecordingMode
    consent_key: str = "1"
    objection_key: str = "9"
    max_attempts: int = 3
    purpose: str = ""
    """What the queue records for (GDPR art. 5(1)(b))."""
    legal_basis: str | None = None
    """The statute that demands the recording; None where consent is the basis."""
    transfer_when_unanswered: str | None = None
    """Extension that takes the caller when the queue ends without an agent; None hangs up."""


class Announcement(str, Enum):
    """Everything that a caller can hear from us. The administrator may leave out all but QUESTION."""

    WELCOME = "welcome"
    QUESTION = "question"
    NO_INPUT = "no_input"
    WRONG_KEY = "wrong_key"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    NOT_OBTAINED = "not_obtained"
    UNAVAILABLE = "unavailable"
    TOLD = "told"
    UNANSWERED = "unanswered"


# --- events: what can happen -----------------------------------------------------------------


@dataclass(frozen=True)
class Arrived:
    """The switch handed us the call."""


@dataclass(frozen=True)
class Answered:
    """The question with this number came back."""

    number: int
    attempt: Attempt


@dataclass(frozen=True)
class Committed:
    """The decision is durable."""


@dataclass(frozen=True)
class CommitFailed:
    """The decision is not durable, or not in time."""

    why: str


@dataclass(frozen=True)
class RecorderStarted:
    """RECORD_START: the only proof that something records (FREESWITCH.md, section 4)."""

    path: str


@dataclass(frozen=True)
class RecordCommandDone:
    """Our ``record_session`` completed, which it does whether or not it records."""


@dataclass(frozen=True)
class RecorderStopped:
    """RECORD_STOP."""

    path: str
    duration_ms: int | None = None
    completion_cause: str | None = None


@dataclass(frozen=True)
class AgentAnswered:
    """``callcenter`` completed because an agent took the call: the talk begins."""

    agent_uuid: str | None = None


@dataclass(frozen=True)
class QueueLeft:
    """``callcenter`` completed without an agent."""

    why: str


@dataclass(frozen=True)
class Bridged:
    """Caller and agent hear each other."""

    other_leg: str | None = None


@dataclass(frozen=True)
class Leg:
    """One leg of a talk. ``recorders`` are the files that something records it to; None when it could not be told."""

    name: str
    channel_uuid: str
    recorders: tuple[str, ...] | None


@dataclass(frozen=True)
class RecordersSeen:
    """What the switch said when it was asked who records."""

    legs: tuple[Leg, ...]


@dataclass(frozen=True)
class Unbridged:
    """Caller and agent no longer hear each other."""


@dataclass(frozen=True)
class HungUp:
    """The channel is going down."""

    cause: str


@dataclass(frozen=True)
class ChannelGone:
    """The channel is down and has said its last word."""

    cause: str
    agent: str | None = None


@dataclass(frozen=True)
class TimedOut:
    """The switch did not report what it should have reported by now."""


@dataclass(frozen=True)
class Failed:
    """We raised an exception, or the switch refused a command."""

    why: str


@dataclass(frozen=True)
class Disconnected:
    """The socket to the switch is gone; the dialplan has the call."""


Event = (
    Arrived
    | Answered
    | Committed
    | CommitFailed
    | RecorderStarted
    | RecordCommandDone
    | RecorderStopped
    | AgentAnswered
    | QueueLeft
    | Bridged
    | RecordersSeen
    | Unbridged
    | HungUp
    | ChannelGone
    | TimedOut
    | Failed
    | Disconnected
)

# --- actions: what we can do -----------------------------------------------------------------


@dataclass(frozen=True)
class TakeOver:
    """Answer the call; from now on the watchdog waits for our question, not for our connection."""


@dataclass(frozen=True)
class Play:
    """Play an announcement, if it is configured."""

    announcement: Announcement


@dataclass(frozen=True)
class Ask:
    """Put the question and collect one key."""

    number: int


@dataclass(frozen=True)
class Write:
    """Write a row. With ``permits`` the next step waits for it to be durable (promise P1)."""

    turn: Turn
    evidence: dict[str, Any] = field(default_factory=dict, hash=False)
    permits: bool = False


@dataclass(frozen=True)
class PermitRecording:
    """Clear the no-record flag and give the call a file that can be recorded to."""


@dataclass(frozen=True)
class StartRecording:
    """Record the talk, and only the talk."""


@dataclass(frozen=True)
class StopRecording:
    """Stop every recorder on the caller's leg, and on the other one if named, and set the no-record flag again."""

    other_leg: str | None = None


@dataclass(frozen=True)
class LookForRecorders:
    """Ask the switch whether anything records either leg: the negative proof (FREESWITCH.md, section 4)."""

    other_leg: str | None


@dataclass(frozen=True)
class JoinQueue:
    """Put the caller into the queue."""


@dataclass(frozen=True)
class HangUp:
    """End the call."""


@dataclass(frozen=True)
class Transfer:
    """Send the caller to another extension."""

    extension: str


@dataclass(frozen=True)
class LetGo:
    """Close the socket. Before the queue, the dialplan then takes the caller there, unrecorded."""


Action = (
    TakeOver
    | Play
    | Ask
    | Write
    | PermitRecording
    | StartRecording
    | StopRecording
    | LookForRecorders
    | JoinQueue
    | HangUp
    | Transfer
    | LetGo
)

# --- where a call can be ---------------------------------------------------------------------


class Phase(str, Enum):
    """Where a call is."""

    ARRIVING = "arriving"
    ASKING = "asking"
    DECIDING = "deciding"
    QUEUED = "queued"
    TALKING = "talking"
    LEAVING = "leaving"
    ENDED = "ended"


@dataclass(frozen=True)
class State:
    """Everything that the dialogue remembers of a call."""

    phase: Phase = Phase.ARRIVING
    attempts: tuple[Attempt, ...] = ()
    consent: Consent | None = None
    permitted: bool = False
    """Our word to record this call was given: set only together with PermitRecording."""
    recording: str | None = None
    """Path of the file that a recorder on this leg writes to now."""
    hung_up: bool = False


Result = tuple[State, tuple[Action, ...]]


def step(policy: CallPolicy, state: State, event: Event) -> Result:
    """What follows from ``event`` in ``state``. An event that means nothing there changes nothing."""
    if state.phase is Phase.ENDED:
        return state, ()
    if isinstance(event, (ChannelGone, Disconnected)):
        return _end(policy, state, event)
    if isinstance(event, HungUp):
        return _hung_up(policy, state)
    if isinstance(event, (RecorderStarted, RecorderStopped, RecordCommandDone)):
        return _recorder(policy, state, event)
    if isinstance(event, RecordersSeen):
        return _looked(policy, state, event)
    return _PHASES[state.phase](policy, state, event)


# --- the phases, in the order of a call ------------------------------------------------------


def _arriving(policy: CallPolicy, state: State, event: Event) -> Result:
    if isinstance(event, (Failed, TimedOut)):
        return replace(state, phase=Phase.ENDED), (LetGo(),)
    if not isinstance(event, Arrived):
        return state, ()
    greeting: tuple[Action, ...] = (TakeOver(), Play(Announcement.WELCOME))
    if policy.mode.asks:
        return replace(state, phase=Phase.ASKING), (*greeting, Ask(1))
    if policy.mode is RecordingMode.PERMANENT:
        greeting = (*greeting, Play(Announcement.TOLD))
        reason = Reason.LEGAL_BASIS
    else:
        reason = Reason.MODE_OFF
    state, actions = _conclude(policy, state, ConsentDecision.NOT_OBTAINED, reason)
    return state, (*greeting, *actions)


def _asking(policy: CallPolicy, state: State, event: Event) -> Result:
    if isinstance(event, TimedOut):
        return _conclude(policy, state, ConsentDecision.NOT_OBTAINED, Reason.SWITCH_SILENT)
    if isinstance(event, Failed):
        return _conclude(policy, state, ConsentDecision.NOT_OBTAINED, Reason.APPLICATION_FAILED)
    if not isinstance(event, Answered) or event.number != len(state.attempts) + 1:
        return state, ()

    attempt = event.attempt
    state = replace(state, attempts=(*state.attempts, attempt))
    if attempt.outcome is AnswerOutcome.HUNG_UP:
        return _hung_up(policy, state)
    if attempt.outcome is AnswerOutcome.NOT_ASKED:
        return _conclude(policy, state, ConsentDecision.NOT_OBTAINED, Reason.COULD_NOT_ASK)
    if attempt.outcome is AnswerOutcome.KEY and attempt.key == policy.consent_key:
        consent = Consent(ConsentDecision.GIVEN, Reason.CONSENT_KEY, state.attempts)
        state = replace(state, phase=Phase.DECIDING, consent=consent)
        return state, (_decision_row(policy, consent, permits=True),)
    if attempt.outcome is AnswerOutcome.KEY and attempt.key == policy.objection_key:
        return _conclude(policy, state, ConsentDecision.REFUSED, Reason.OBJECTION_KEY, Announcement.REFUSED)

    silent = attempt.outcome is AnswerOutcome.SILENCE
    if len(state.attempts) < policy.max_attempts:
        complaint = Announcement.NO_INPUT if silent else Announcement.WRONG_KEY
        return state, (Play(complaint), Ask(len(state.attempts) + 1))
    reason = Reason.SILENCE if silent else Reason.WRONG_KEY
    return _conclude(policy, state, ConsentDecision.NOT_OBTAINED, reason, Announcement.NOT_OBTAINED)


def _deciding(policy: CallPolicy, state: State, event: Event) -> Result:
    """A yes waits for its row (promise P1)."""
    if isinstance(event, Committed):
        state = replace(state, phase=Phase.QUEUED)
        if state.hung_up or not verdict(policy.mode, ConsentDecision.GIVEN, durable=True).record:
            return state, ()
        return replace(state, permitted=True), (
            PermitRecording(),
            Play(Announcement.ACCEPTED),
            StartRecording(),
            JoinQueue(),
        )
    if isinstance(event, (CommitFailed, Failed, TimedOut)):
        why = "no answer in time" if isinstance(event, TimedOut) else event.why
        return _send_to_queue(state, (Write(Turn.RECORDING_WITHHELD, {"why": why}), Play(Announcement.UNAVAILABLE)))
    return state, ()


def _queued(policy: CallPolicy, state: State, event: Event) -> Result:
    if isinstance(event, (AgentAnswered, Bridged)):
        state = replace(state, phase=Phase.TALKING)
        if isinstance(event, AgentAnswered):
            return state, (Write(Turn.AGENT_ANSWERED, {"agent_uuid": event.agent_uuid}),)
        return state, (
            Write(Turn.AGENT_ANSWERED, {"agent_uuid": event.other_leg}),
            *_prove_absence(policy, state, event),
        )
    if isinstance(event, QueueLeft):
        actions: tuple[Action, ...] = (Write(Turn.QUEUE_LEFT, {"why": event.why}),)
        if not state.hung_up:
            ending = policy.transfer_when_unanswered
            actions += (
                StopRecording(),
                Play(Announcement.UNANSWERED),
                Transfer(ending) if ending else HangUp(),
            )
        return replace(state, phase=Phase.LEAVING, permitted=False), actions
    if isinstance(event, (Failed, TimedOut)) and not state.hung_up:
        # The caller may not have reached the queue; the dialplan finds that out, we cannot.
        return replace(state, phase=Phase.ENDED), (
            Write(Turn.CONNECTION_LOST, {"why": event.why if isinstance(event, Failed) else "switch silent"}),
            LetGo(),
        )
    return state, ()


def _talking(policy: CallPolicy, state: State, event: Event) -> Result:
    if isinstance(event, Bridged):
        return state, _prove_absence(policy, state, event)
    if isinstance(event, Unbridged) and state.permitted and not state.hung_up:
        # The yes was for this talk. A recorder left running would start again with the next
        # bridge, whoever that is (FREESWITCH.md, section 4).
        return replace(state, permitted=False), (StopRecording(),)
    return state, ()


def _leaving(policy: CallPolicy, state: State, event: Event) -> Result:
    return state, ()


_PHASES = {
    Phase.ARRIVING: _arriving,
    Phase.ASKING: _asking,
    Phase.DECIDING: _deciding,
    Phase.QUEUED: _queued,
    Phase.TALKING: _talking,
    Phase.LEAVING: _leaving,
}

# --- what can happen in every phase ----------------------------------------------------------


def _recorder(policy: CallPolicy, state: State, event: RecorderStarted | RecorderStopped | RecordCommandDone) -> Result:
    if isinstance(event, RecorderStarted):
        state = replace(state, recording=event.path)
        if state.permitted or policy.mode is RecordingMode.PERMANENT:
            return state, (Write(Turn.RECORDING_STARTED, {"path": event.path}),)
        return state, (StopRecording(), Write(Turn.FORBIDDEN_RECORDING, {"path": event.path}))
    if isinstance(event, RecorderStopped):
        evidence = {
            "path": event.path,
            "duration_ms": event.duration_ms,
            "completion_cause": event.completion_cause,
        }
        return replace(state, recording=None), (Write(Turn.RECORDING_STOPPED, evidence),)
    if state.recording is None and state.permitted and not state.hung_up:
        return state, (Write(Turn.RECORDING_FAILED, {"why": "the switch reported no RECORD_START"}),)
    return state, ()


def _prove_absence(policy: CallPolicy, state: State, event: Bridged) -> tuple[Action, ...]:
    """Whoever did not agree has it in the ledger that nothing recorded the talk, at every bridge anew."""
    if state.permitted or state.hung_up or policy.mode is RecordingMode.PERMANENT:
        return ()
    return (LookForRecorders(event.other_leg),)


def _looked(policy: CallPolicy, state: State, event: RecordersSeen) -> Result:
    known = all(leg.recorders is not None for leg in event.legs)
    found = [(leg, path) for leg in event.legs for path in leg.recorders or ()]
    evidence = {
        "recorders": len(found) if known else None,
        "legs": [
            {
                "leg": leg.name,
                "channel_uuid": leg.channel_uuid,
                "recorders": None if leg.recorders is None else len(leg.recorders),
            }
            for leg in event.legs
        ],
    }
    actions: tuple[Action, ...] = (Write(Turn.LOOKED_FOR_RECORDERS, evidence),)
    if found and not state.permitted and policy.mode is not RecordingMode.PERMANENT:
        stop = StopRecording(next((leg.channel_uuid for leg in event.legs if leg.name != "caller"), None))
        rows = [
            Write(Turn.FORBIDDEN_RECORDING, {"path": path, "leg": leg.name})
            for leg, path in found
            if path != state.recording
        ]
        actions = (stop, *actions, *rows)
    return state, actions


def _hung_up(policy: CallPolicy, state: State) -> Result:
    state = replace(state, hung_up=True)
    if state.phase is Phase.ASKING:
        return _conclude(policy, state, ConsentDecision.NOT_OBTAINED, Reason.HANGUP)
    return state, ()


def _end(policy: CallPolicy, state: State, event: ChannelGone | Disconnected) -> Result:
    actions: tuple[Action, ...] = ()
    if state.phase is Phase.ASKING:
        reason = Reason.HANGUP if isinstance(event, ChannelGone) else Reason.CONNECTION_LOST
        consent = Consent(ConsentDecision.NOT_OBTAINED, reason, state.attempts)
        state = replace(state, consent=consent)
        actions = (_decision_row(policy, consent),)
    if isinstance(event, ChannelGone):
        actions += (Write(Turn.CALL_ENDED, {"hangup_cause": event.cause, "agent": event.agent}),)
    else:
        actions += (Write(Turn.CONNECTION_LOST, {"phase": state.phase.value}),)
    return replace(state, phase=Phase.ENDED, permitted=False), (*actions, LetGo())


def _conclude(
    policy: CallPolicy,
    state: State,
    decision: ConsentDecision,
    reason: Reason,
    announcement: Announcement | None = None,
) -> Result:
    """Any decision but a yes: write it, say so, and on to the queue without waiting for the disk."""
    consent = Consent(decision, reason, state.attempts)
    actions: tuple[Action, ...] = (_decision_row(policy, consent),)
    if announcement is not None:
        actions += (Play(announcement),)
    return _send_to_queue(replace(state, consent=consent), actions)


def _send_to_queue(state: State, actions: tuple[Action, ...]) -> Result:
    state = replace(state, phase=Phase.QUEUED)
    if state.hung_up:
        return state, tuple(action for action in actions if isinstance(action, Write))
    return state, (*actions, JoinQueue())


def _decision_row(policy: CallPolicy, consent: Consent, *, permits: bool = False) -> Write:
    said = verdict(policy.mode, consent.decision, durable=True)
    evidence = {
        "decision": consent.decision.value,
        "reason": consent.reason.value,
        "key": consent.key,
        "heard_ms": consent.heard_ms,
        "attempts": [
            {"outcome": attempt.outcome.value, "key": attempt.key, "heard_ms": attempt.heard_ms}
            for attempt in consent.attempts
        ],
        "verdict": {"record": said.record, "reason": said.reason.value},
        "purpose": policy.purpose,
        "legal_basis": policy.legal_basis or (CONSENT_BASIS if policy.mode.asks else None),
    }
    return Write(Turn.DECISION, evidence, permits)
