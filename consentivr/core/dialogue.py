"""The whole call as one state machine: ``step(policy, state, event) -> (state, actions)``.

Read it from the top: what can happen (events), what we can do (actions), where a call can be
(phases), and then ``step`` with one function per phase, in the order in which a call passes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, NamedTuple

from consentivr.core.consent import AnswerOutcome, Attempt, Consent, ConsentDecision, Reason
from consentivr.core.evidence import Turn
from consentivr.core.recording import RecordingMode, Verdict, verdict

CONSENT_BASIS = "consent, GDPR art. 6(1)(a)"
"""The legal basis of a recording whose caller was asked."""

# --- what an administrator chose for this line ------------------------------------------------


class AgentWish(str, Enum):
    """What the agent can ask for, by key or from the desktop."""

    START = "start"
    STOP = "stop"
    PAUSE = "pause"
    RESUME = "resume"


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
    every: int = 1
    """With EVERY_NTH: of each agent's consenting calls, every so many is recorded."""
    agents_must_agree: bool = False
    """Only agents who are known to have agreed are recorded."""
    withdrawal_keys: str = "*9"
    """What takes a yes back, at any time (GDPR art. 7(3))."""
    late_consent_keys: str | None = None
    """What says yes after all, while waiting or talking; None where that is not offered."""
    erase_withdrawn: bool = False
    """Whether taking a yes back erases what was recorded."""
    agent_keys: tuple[tuple[str, AgentWish], ...] = ()
    """What the agent may ask for by pressing * and a key, on the agent's own leg."""
    transfer_when_unanswered: str | None = None
    """Extension that takes the caller when the queue ends without an agent; None hangs up."""

    @property
    def decides_at_answer(self) -> bool:
        """Whether a yes is not enough: who the agent is, or does, counts too."""
        return self.agents_must_agree or self.mode in (RecordingMode.EVERY_NTH, RecordingMode.MANUAL)


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
    WITHDRAWN = "withdrawn"
    AGENT_RECORDED = "agent_recorded"
    AGENT_NOT_RECORDED = "agent_not_recorded"


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
    """The row that permits the next step is durable; with a tally, the number that it got."""

    count: int | None = None


@dataclass(frozen=True)
class CommitFailed:
    """The decision is not durable, or not in time."""

    why: str


@dataclass(frozen=True)
class RecorderStarted:
    """RECORD_START: the only proof that something records (FREESWITCH.md, section 4).

    Here and below, ``leg`` is the UUID of the leg that is recorded; None is the caller's.
    """

    path: str
    leg: str | None = None


@dataclass(frozen=True)
class RecorderRefused:
    """The switch would not start a recorder."""


@dataclass(frozen=True)
class RecorderStopped:
    """RECORD_STOP."""

    path: str
    duration_ms: int | None = None
    completion_cause: str | None = None
    leg: str | None = None


@dataclass(frozen=True)
class AgentAnswered:
    """``callcenter`` completed because an agent took the call: the talk begins."""

    agent_uuid: str | None = None


@dataclass(frozen=True)
class AgentIdentified:
    """Who the agent on this leg is, and whether the register says that this agent agreed."""

    leg: str
    name: str | None
    agreed: bool


@dataclass(frozen=True)
class KeyPressed:
    """The caller or the agent pressed a key outside the question; ``at_ms`` is any clock's, in milliseconds."""

    key: str
    at_ms: int
    by_agent: bool = False


@dataclass(frozen=True)
class AgentAsked:
    """The agent, or the time that a pause may last, wants something of the recorder."""

    wish: AgentWish
    by: str


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
    | RecorderRefused
    | RecorderStopped
    | AgentAnswered
    | QueueLeft
    | Bridged
    | RecordersSeen
    | AgentIdentified
    | KeyPressed
    | AgentAsked
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
    """Write a row. With ``permits`` the next step waits for it to be durable (promise P1).

    With ``tally`` the row is counted under that name, over all nodes and restarts.
    """

    turn: Turn
    evidence: dict[str, Any] = field(default_factory=dict, hash=False)
    permits: bool = False
    tally: str | None = None


@dataclass(frozen=True)
class PermitRecording:
    """Clear the no-record flag and give the call a file that can be recorded to."""


@dataclass(frozen=True)
class StartRecording:
    """Record the talk, and only the talk."""


@dataclass(frozen=True)
class RecordNow:
    """Permit and start the recording while the caller waits or talks; each start of a call has its number."""

    number: int
    other_leg: str | None = None


@dataclass(frozen=True)
class Recorder:
    """A file that a leg is recorded to."""

    path: str
    leg: str | None = None


@dataclass(frozen=True)
class Mask:
    """Let these record silence from now on, or (``on`` false) sound again."""

    recorders: tuple[Recorder, ...]
    on: bool


@dataclass(frozen=True)
class EraseRecordings:
    """Erase these files: nobody permitted them, or the caller took the yes back and the policy says so."""

    paths: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Announce:
    """Play an announcement to a caller who waits, or to both sides of a talk."""

    announcement: Announcement
    both: bool


@dataclass(frozen=True)
class IdentifyAgent:
    """Ask the switch who the agent on this leg is, and the register whether this agent agreed."""

    leg: str


@dataclass(frozen=True)
class StopRecording:
    """Stop every recorder on the caller's leg, and on the other one if named; both get the no-record flag again."""

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
    | RecordNow
    | Mask
    | EraseRecordings
    | Announce
    | IdentifyAgent
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
class Agent:
    """Who talks to the caller."""

    name: str | None
    agreed: bool
    is_nth: bool = True


class State(NamedTuple):
    """Everything that the dialogue remembers of a call."""

    phase: Phase = Phase.ARRIVING
    attempts: tuple[Attempt, ...] = ()
    consent: Consent | None = None
    durable: bool = False
    """The yes is in the ledger."""
    awaits: Turn | None = None
    """The row whose durability permits the next step of a talk."""
    permitted: bool = False
    """Our word to record this call was given: set only together with PermitRecording or RecordNow."""
    recorders: tuple[Recorder, ...] = ()
    """What records this call now, with our word."""
    files: tuple[str, ...] = ()
    """Every file that this call was recorded to, with our word."""
    forbidden: tuple[str, ...] = ()
    """Files that something records to without our word: being stopped and erased."""
    starts: int = 0
    """How often we started a recorder: each start has a file of its own."""
    masked: bool = False
    erase: bool = False
    """What was recorded is to be erased: the yes was taken back."""
    talks: int = 0
    """Talks that are over. Without a register only the first is known to be with an agent."""
    leg: str | None = None
    """The other side of the talk."""
    bridged: bool = False
    agent: Agent | None = None
    """Who that is, once it is known."""
    starred_ms: int | None = None
    """When the caller pressed *, which may begin a sequence. No other key is kept."""
    agent_starred_ms: int | None = None
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
    if isinstance(event, (RecorderStarted, RecorderStopped, RecorderRefused)):
        return _recorder(policy, state, event)
    if isinstance(event, RecordersSeen):
        return _looked(policy, state, event)
    if isinstance(event, KeyPressed):
        return _key(policy, state, event)
    return _PHASES[state.phase](policy, state, event)


# --- the phases, in the order of a call ------------------------------------------------------


def _arriving(policy: CallPolicy, state: State, event: Event) -> Result:
    if isinstance(event, (Failed, TimedOut)):
        return state._replace(phase=Phase.ENDED), (LetGo(),)
    if not isinstance(event, Arrived):
        return state, ()
    greeting: tuple[Action, ...] = (TakeOver(), Play(Announcement.WELCOME))
    if policy.mode.asks:
        return state._replace(phase=Phase.ASKING), (*greeting, Ask(1))
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
    state = state._replace(attempts=(*state.attempts, attempt))
    if attempt.outcome is AnswerOutcome.HUNG_UP:
        return _hung_up(policy, state)
    if attempt.outcome is AnswerOutcome.NOT_ASKED:
        return _conclude(policy, state, ConsentDecision.NOT_OBTAINED, Reason.COULD_NOT_ASK)
    if attempt.outcome is AnswerOutcome.KEY and attempt.key == policy.consent_key:
        consent = Consent(ConsentDecision.GIVEN, Reason.CONSENT_KEY, state.attempts)
        state = state._replace(phase=Phase.DECIDING, consent=consent)
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
        state = state._replace(phase=Phase.QUEUED, durable=True)
        if state.hung_up:
            return state, ()
        if policy.decides_at_answer:
            return state, (Play(Announcement.ACCEPTED), JoinQueue())
        return state._replace(permitted=True, starts=1), (
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
        # A recorder that was started while the caller waits has an answer of its own: see RecorderRefused.
        at_once = state.consent is not None and state.consent.reason is Reason.CONSENT_KEY
        failed = _recording_failed(state) if at_once else ()
        if isinstance(event, AgentAnswered):
            state, actions = _answered(policy, state._replace(phase=Phase.TALKING, leg=event.agent_uuid))
        else:
            state, actions = _bridged(policy, state._replace(phase=Phase.TALKING), event)
        return state, (*failed, *actions)
    if isinstance(event, (Committed, CommitFailed)):
        return _settled(policy, state, event)
    if isinstance(event, QueueLeft):
        actions = (Write(Turn.QUEUE_LEFT, {"why": event.why}),)
        if not state.hung_up:
            ending = policy.transfer_when_unanswered
            actions += (
                StopRecording(),
                Play(Announcement.UNANSWERED),
                Transfer(ending) if ending else HangUp(),
            )
        return state._replace(phase=Phase.LEAVING, permitted=False), actions
    if isinstance(event, (Failed, TimedOut)) and not state.hung_up:
        # The caller may not have reached the queue; the dialplan finds that out, we cannot.
        return state._replace(phase=Phase.ENDED), (
            Write(Turn.CONNECTION_LOST, {"why": event.why if isinstance(event, Failed) else "switch silent"}),
            LetGo(),
        )
    return state, ()


def _talking(policy: CallPolicy, state: State, event: Event) -> Result:
    if isinstance(event, Bridged):
        return _bridged(policy, state, event)
    if isinstance(event, AgentIdentified):
        return _identified(policy, state, event)
    if isinstance(event, (Committed, CommitFailed)):
        return _settled(policy, state, event)
    if isinstance(event, AgentAsked):
        return _agent_asked(policy, state, event)
    if isinstance(event, Unbridged):
        # The yes goes on to whoever is next, the recorder does not: left running, it would start again
        # with the next bridge, whoever that is (FREESWITCH.md, section 4).
        actions = (StopRecording(state.leg),) if state.permitted and not state.hung_up else ()
        over = state._replace(
            permitted=False, masked=False, bridged=False, leg=None, agent=None, awaits=None, talks=state.talks + 1
        )
        return over, actions
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

# --- the talk: who it is with, and what that means for the recorder ---------------------------


def _answered(policy: CallPolicy, state: State) -> Result:
    if _asks_for_agent(policy, state):
        assert state.leg is not None
        return state, (IdentifyAgent(state.leg),)
    return state, (Write(Turn.AGENT_ANSWERED, {"agent_uuid": state.leg}),)


def _bridged(policy: CallPolicy, state: State, event: Bridged) -> Result:
    """Every bridge is decided anew: it may be another agent, or no agent at all."""
    actions: tuple[Action, ...] = ()
    same = state.leg is not None and event.other_leg in (state.leg, None)
    state = state._replace(bridged=True)
    if not same:
        state = state._replace(leg=event.other_leg, agent=None)
        state, actions = _answered(policy, state)
    if state.agent is None and _asks_for_agent(policy, state):
        return state, actions  # the proof, or the recording, follows when it is known who this is
    return state, (*actions, *_prove_absence(policy, state))


def _asks_for_agent(policy: CallPolicy, state: State) -> bool:
    """Whether the agent's identity decides. Without a register only the first talk can be one with an agent."""
    agreed = state.consent is not None and state.consent.decision is ConsentDecision.GIVEN and state.durable
    known_as_agent = policy.agents_must_agree or state.talks == 0
    return agreed and policy.decides_at_answer and known_as_agent and state.leg is not None and not state.hung_up


def _identified(policy: CallPolicy, state: State, event: AgentIdentified) -> Result:
    if event.leg != state.leg or state.agent is not None or not _asks_for_agent(policy, state):
        return state, ()
    agreed = event.agreed or not policy.agents_must_agree
    state = state._replace(agent=Agent(event.name, agreed, is_nth=False))
    counts = policy.mode is RecordingMode.EVERY_NTH and agreed and event.name is not None
    evidence = {"agent_uuid": event.leg, "agent": event.name, "agent_agreed": agreed}
    row = Write(Turn.AGENT_ANSWERED, evidence, permits=True, tally=f"agent:{event.name}" if counts else None)
    return state._replace(awaits=Turn.AGENT_ANSWERED), (row,)


def _settled(policy: CallPolicy, state: State, event: Committed | CommitFailed) -> Result:
    """The row that was waited for is durable, or not."""
    awaited, state = state.awaits, state._replace(awaits=None)
    if awaited is Turn.AGREED_LATE:
        return _late_yes_settled(policy, state, event)
    if awaited is Turn.AGENT_ANSWERED and state.agent is not None:
        return _agent_settled(policy, state, state.agent, event)
    return state, ()


def _agent_settled(policy: CallPolicy, state: State, agent: Agent, event: Committed | CommitFailed) -> Result:
    """The row says who the agent is, and whether this agent agreed."""
    if isinstance(event, CommitFailed):
        refused = state._replace(agent=replace(agent, agreed=False))
        return refused, (Write(Turn.RECORDING_WITHHELD, {"why": event.why}), *_prove_absence(policy, refused))
    is_nth = event.count is not None and event.count % policy.every == 0
    state = state._replace(agent=replace(agent, is_nth=is_nth))
    return _record_if_allowed(policy, state)


def _record_if_allowed(policy: CallPolicy, state: State, *, agent_started: bool = False) -> Result:
    """Start a recorder if the verdict says so; else prove that there is none."""
    if _talk_verdict(policy, state, agent_started=agent_started).record and not state.permitted and not state.hung_up:
        state = state._replace(permitted=True, starts=state.starts + 1)
        return state, (RecordNow(state.starts, state.leg),)
    return state, _prove_absence(policy, state) if state.bridged else ()


def _talk_verdict(policy: CallPolicy, state: State, *, agent_started: bool) -> Verdict:
    decision = state.consent.decision if state.consent else ConsentDecision.NOT_OBTAINED
    agent = state.agent or Agent(None, agreed=not policy.agents_must_agree and state.talks == 0, is_nth=False)
    return verdict(
        policy.mode,
        decision,
        durable=state.durable,
        agent_agreed=agent.agreed,
        is_nth=agent.is_nth,
        agent_started=agent_started,
    )


def _agent_asked(policy: CallPolicy, state: State, event: AgentAsked) -> Result:
    """The agent may do what the mode allows (DESIGN.md, "Recording modes of a queue")."""
    by = {"by": event.by}
    if event.wish is AgentWish.START and policy.mode is RecordingMode.MANUAL:
        state, actions = _record_if_allowed(policy, state, agent_started=True)
        started = any(isinstance(action, RecordNow) for action in actions)
        return state, ((Write(Turn.AGENT_STARTED, by), *actions) if started else ())
    if event.wish is AgentWish.STOP and state.permitted:
        state = state._replace(permitted=False, masked=False)
        return state, (StopRecording(state.leg), Write(Turn.AGENT_STOPPED, by))
    if event.wish is AgentWish.PAUSE and state.recorders and not state.masked:
        paused = Write(Turn.RECORDING_PAUSED, {**by, "paths": [recorder.path for recorder in state.recorders]})
        return state._replace(masked=True), (Mask(state.recorders, on=True), paused)
    if event.wish is AgentWish.RESUME and state.masked:
        resumed = Write(Turn.RECORDING_RESUMED, {**by, "paths": [recorder.path for recorder in state.recorders]})
        return state._replace(masked=False), (Mask(state.recorders, on=False), resumed)
    return state, ()


# --- second thoughts (GDPR art. 7(3)) ---------------------------------------------------------

SEQUENCE_MS = 3000
"""So close together the two keys of a sequence must be."""


def _key(policy: CallPolicy, state: State, event: KeyPressed) -> Result:
    """A * and one key after it mean something; whatever else is pressed is for others, and is not kept."""
    if state.phase not in (Phase.QUEUED, Phase.TALKING) or state.hung_up:
        return state, ()
    starred = state.agent_starred_ms if event.by_agent else state.starred_ms
    now = event.at_ms if event.key == "*" else None
    state = state._replace(agent_starred_ms=now) if event.by_agent else state._replace(starred_ms=now)
    if event.key == "*" or starred is None or not 0 <= event.at_ms - starred <= SEQUENCE_MS:
        return state, ()
    keys = f"*{event.key}"
    if event.by_agent:
        wish = dict(policy.agent_keys).get(keys)
        talks = state.phase is Phase.TALKING
        return _agent_asked(policy, state, AgentAsked(wish, "keys")) if wish and talks else (state, ())
    if keys == policy.withdrawal_keys:
        return _withdraw(policy, state)
    if keys == policy.late_consent_keys:
        return _agree_late(policy, state)
    return state, ()


def _withdraw(policy: CallPolicy, state: State) -> Result:
    if not policy.mode.asks or state.consent is None or state.consent.decision is not ConsentDecision.GIVEN:
        return state, ()
    consent = replace(state.consent, decision=ConsentDecision.WITHDRAWN, reason=Reason.WITHDRAWAL_KEYS)
    running = [recorder.path for recorder in state.recorders]
    finished = tuple(path for path in state.files if path not in running)
    state = state._replace(consent=consent, permitted=False, masked=False, awaits=None, erase=policy.erase_withdrawn)
    evidence = {"withdrawn": True, "keys": policy.withdrawal_keys, "erase": policy.erase_withdrawn}
    actions: tuple[Action, ...] = (StopRecording(state.leg), Write(Turn.WITHDRAWN, evidence))
    if policy.erase_withdrawn and finished:
        actions += (EraseRecordings(finished, _WITHDRAWN),)
    return state, (*actions, Announce(Announcement.WITHDRAWN, both=state.bridged))


def _agree_late(policy: CallPolicy, state: State) -> Result:
    agreed = state.consent is not None and state.consent.decision is ConsentDecision.GIVEN and state.durable
    if not policy.mode.asks or state.consent is None or agreed:
        return state, ()
    row = Write(Turn.AGREED_LATE, {"keys": policy.late_consent_keys}, permits=True)
    return state._replace(awaits=Turn.AGREED_LATE), (row,)


def _late_yes_settled(policy: CallPolicy, state: State, event: Committed | CommitFailed) -> Result:
    if isinstance(event, CommitFailed):
        withheld = Write(Turn.RECORDING_WITHHELD, {"why": event.why})
        return state, (withheld, Announce(Announcement.UNAVAILABLE, both=state.bridged))
    consent = Consent(ConsentDecision.GIVEN, Reason.LATE_CONSENT_KEYS, state.attempts)
    state = state._replace(consent=consent, durable=True, erase=False)
    thanks = Announce(Announcement.ACCEPTED, both=state.bridged)
    if not policy.decides_at_answer:
        state, actions = _record_if_allowed(policy, state)
        return state, (*actions, thanks)
    if state.leg is not None and state.agent is None and _asks_for_agent(policy, state):
        return state, (IdentifyAgent(state.leg), thanks)
    state, actions = _record_if_allowed(policy, state)
    return state, (*actions, thanks)


# --- what can happen in every phase ----------------------------------------------------------


_WITHDRAWN = "consent withdrawn"
_FORBIDDEN = "not permitted"


def _recorder(policy: CallPolicy, state: State, event: RecorderStarted | RecorderStopped | RecorderRefused) -> Result:
    if isinstance(event, RecorderStarted):
        return _recorder_started(policy, state, Recorder(event.path, event.leg))
    if isinstance(event, RecorderStopped):
        return _recorder_stopped(state, event)
    return state, _recording_failed(state)


def _recording_failed(state: State) -> tuple[Action, ...]:
    """By the beginning of the talk what was told to record must do so: RECORD_START comes at once, or never."""
    if state.recorders or not state.permitted or state.hung_up:
        return ()
    return (Write(Turn.RECORDING_FAILED, {"why": "the switch reported no RECORD_START"}),)


def _recorder_started(policy: CallPolicy, state: State, recorder: Recorder) -> Result:
    if recorder in state.recorders:
        return state, ()
    if not state.permitted and policy.mode is not RecordingMode.PERMANENT:
        state, actions = _forbid(state, (recorder,))
        return state, (StopRecording(recorder.leg), *actions)
    files = tuple(dict.fromkeys((*state.files, recorder.path)))
    state = state._replace(recorders=(*state.recorders, recorder), files=files)
    started = Write(Turn.RECORDING_STARTED, {"path": recorder.path})
    return state, (Mask((recorder,), on=True), started) if state.masked else (started,)


def _forbid(state: State, recorders: tuple[Recorder, ...]) -> Result:
    """Note and erase what was recorded without our word. The file is erased again when it is closed."""
    new = [recorder for recorder in recorders if recorder.path not in state.forbidden]
    rows = [
        Write(Turn.FORBIDDEN_RECORDING, {"path": recorder.path, "leg": "agent" if recorder.leg else "caller"})
        for recorder in new
    ]
    erase = [EraseRecordings(tuple(recorder.path for recorder in new), _FORBIDDEN)] if new else []
    return state._replace(forbidden=(*state.forbidden, *(recorder.path for recorder in new))), (*rows, *erase)


def _recorder_stopped(state: State, event: RecorderStopped) -> Result:
    if event.path in state.forbidden:
        state = state._replace(forbidden=tuple(path for path in state.forbidden if path != event.path))
        return state, (EraseRecordings((event.path,), _FORBIDDEN),)
    recorder = Recorder(event.path, event.leg)
    state = state._replace(recorders=tuple(known for known in state.recorders if known != recorder))
    evidence = {"path": event.path, "duration_ms": event.duration_ms, "completion_cause": event.completion_cause}
    stopped = Write(Turn.RECORDING_STOPPED, evidence)
    return state, (stopped, EraseRecordings((event.path,), _WITHDRAWN)) if state.erase else (stopped,)


def _prove_absence(policy: CallPolicy, state: State) -> tuple[Action, ...]:
    """Whoever did not agree has it in the ledger that nothing recorded the talk, at every bridge anew."""
    if state.permitted or state.hung_up or policy.mode is RecordingMode.PERMANENT:
        return ()
    return (LookForRecorders(state.leg),)


def _looked(policy: CallPolicy, state: State, event: RecordersSeen) -> Result:
    known = all(leg.recorders is not None for leg in event.legs)
    found = [
        Recorder(path, None if leg.name == "caller" else leg.channel_uuid)
        for leg in event.legs
        for path in leg.recorders or ()
    ]
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
    looked = Write(Turn.LOOKED_FOR_RECORDERS, evidence)
    if not found or state.permitted or policy.mode is RecordingMode.PERMANENT:
        return state, (looked,)
    stop = StopRecording(next((leg.channel_uuid for leg in event.legs if leg.name != "caller"), None))
    state, actions = _forbid(state, tuple(recorder for recorder in found if recorder not in state.recorders))
    return state, (stop, looked, *actions)


def _hung_up(policy: CallPolicy, state: State) -> Result:
    state = state._replace(hung_up=True)
    if state.phase is Phase.ASKING:
        return _conclude(policy, state, ConsentDecision.NOT_OBTAINED, Reason.HANGUP)
    return state, ()


def _end(policy: CallPolicy, state: State, event: ChannelGone | Disconnected) -> Result:
    actions: tuple[Action, ...] = ()
    if state.phase is Phase.ASKING:
        reason = Reason.HANGUP if isinstance(event, ChannelGone) else Reason.CONNECTION_LOST
        consent = Consent(ConsentDecision.NOT_OBTAINED, reason, state.attempts)
        state = state._replace(consent=consent)
        actions = (_decision_row(policy, consent),)
    if isinstance(event, ChannelGone):
        actions += (Write(Turn.CALL_ENDED, {"hangup_cause": event.cause, "agent": event.agent}),)
    else:
        actions += (Write(Turn.CONNECTION_LOST, {"phase": state.phase.value}),)
    return state._replace(phase=Phase.ENDED, permitted=False), (*actions, LetGo())


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
    return _send_to_queue(state._replace(consent=consent), actions)


def _send_to_queue(state: State, actions: tuple[Action, ...]) -> Result:
    state = state._replace(phase=Phase.QUEUED)
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
