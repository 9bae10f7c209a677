"""What can happen: the words of the two state machines. The rules are in ``dialogue`` and ``conversation``."""

from __future__ import annotations

from dataclasses import dataclass

from consentivr.core.consent import Attempt, ConsentDecision, Notice
from consentivr.core.policy import AgentWish
from consentivr.core.switchboard import Recorder, Tap
from consentivr.core.talk_turns import LegSeen
from consentivr.core.turns import Row
from consentivr.core.verdict import Permission

# --- to both ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Committed:
    """The row that permits the next step is durable; with a tally, the number that it got."""

    row: Row
    count: int | None = None


@dataclass(frozen=True)
class CommitFailed:
    """The row is not durable, or not in time."""

    row: Row
    why: str


@dataclass(frozen=True)
class ChannelGone:
    """The channel is down and has said its last word."""

    cause: str


# --- to the dialogue -------------------------------------------------------------------------


@dataclass(frozen=True)
class Arrived:
    """The switch handed us the call; ``at`` is UTC, ISO 8601. ``offers``: the greeting offers languages by key."""

    switch: str = ""
    core: str = ""
    at: str | None = None
    notice: Notice | None = None
    offers: bool = False


@dataclass(frozen=True)
class Greeted:
    """The greeting is over, or was ended by a key; with ``notice`` the caller chose its language."""

    notice: Notice | None = None


@dataclass(frozen=True)
class Answered:
    """The question with this number came back. ``notice``: of the language that was chosen, if one was."""

    number: int
    attempt: Attempt
    notice: Notice | None = None


@dataclass(frozen=True)
class CallerPressed:
    """The caller pressed a key, at any time."""

    key: str


@dataclass(frozen=True)
class Announced:
    """The announcement whose end was waited for is over."""


@dataclass(frozen=True)
class Joined:
    """The switch executes ``callcenter``: the caller is the queue's."""


@dataclass(frozen=True)
class HungUp:
    """The channel is going down."""


@dataclass(frozen=True)
class TimedOut:
    """The switch did not report what it should have reported by now."""


@dataclass(frozen=True)
class Failed:
    """We raised an exception, or the switch refused a command."""

    why: str


@dataclass(frozen=True)
class Disconnected:
    """The socket to the switch is gone, or the watchdog has the call: the dialplan goes on with it."""


@dataclass(frozen=True)
class ServiceStops:
    """We were told to stop, and the time for what is under way is over."""


AskingEvent = (
    Arrived
    | Greeted
    | Answered
    | CallerPressed
    | Committed
    | CommitFailed
    | Announced
    | Joined
    | HungUp
    | ChannelGone
    | TimedOut
    | Failed
    | Disconnected
    | ServiceStops
)

# --- to the conversation ---------------------------------------------------------------------


@dataclass(frozen=True)
class Party:
    """Somebody in the room beside the caller."""

    leg: str
    kind: str
    """agent, caller, listener (hears, is not heard), or unknown."""
    name: str | None
    permission: Permission


@dataclass(frozen=True)
class Situation:
    """The room of a caller, as the switchboard has it now.

    ``recorders`` and ``taps`` are those of the whole room, without recorders of another visit. ``astray`` are ours
    outside of it. ``held``: somebody is on hold, or the caller waits while the agent consults.
    """

    parties: tuple[Party, ...] = ()
    held: bool = False
    recorders: tuple[Recorder, ...] = ()
    astray: tuple[Recorder, ...] = ()
    taps: tuple[Tap, ...] = ()
    listeners: tuple[str, ...] = ()
    """The legs that listen in, heard or not: known a moment after what they put on the leg."""
    known: bool = True
    """Whether it is known of everybody who they are, or that nobody can tell."""

    @property
    def talking(self) -> bool:
        """Whether the caller hears somebody, or will again when the hold is over."""
        return self.held or any(party.kind != "listener" for party in self.parties)


@dataclass(frozen=True)
class Changed:
    """Something in the room is not as it was."""

    now: Situation


@dataclass(frozen=True)
class KeyPressed:
    """The caller, or (``by_agent``) an agent of the talk, pressed a key; ``at_ms`` is any clock's, milliseconds."""

    key: str
    at_ms: int
    by_agent: bool = False


@dataclass(frozen=True)
class AgentAsked:
    """The agent, or the time that a pause may last, wants something of the recorder."""

    wish: AgentWish
    by: str


@dataclass(frozen=True)
class Silenced:
    """Nothing is heard in these any more: confirmed. The same for the end of recording (``stopped``)."""

    recorders: tuple[Recorder, ...]
    stopped: bool
    took_ms: int


@dataclass(frozen=True)
class ListeningEnded:
    """Who eavesdropped ``on`` a leg is gone: confirmed. Or not, and what the switch ``said``."""

    on: str
    gone: bool
    said: str


@dataclass(frozen=True)
class Sounding:
    """These hear again: confirmed."""

    recorders: tuple[Recorder, ...]


@dataclass(frozen=True)
class NotDone:
    """The switch did not do it, nor anything stronger: ``recorders`` may go on as they were."""

    wanted: str
    said: str
    recorders: tuple[Recorder, ...]


@dataclass(frozen=True)
class TryAgain:
    """Time has passed: what was not done may be ordered once more."""


@dataclass(frozen=True)
class RecordingClosed:
    """The file is complete."""

    path: str
    duration_ms: int | None
    completion_cause: str | None


@dataclass(frozen=True)
class LegsSeen:
    """What the switch said when it was asked what records the legs."""

    legs: tuple[LegSeen, ...]


@dataclass(frozen=True)
class QueueEntered:
    """The caller waits in a queue of mod_callcenter; the policy of the step is that queue's."""

    queue: str


@dataclass(frozen=True)
class QueueGaveUp:
    """The queue ended without an agent."""

    why: str


@dataclass(frozen=True)
class WordChanged:
    """What ledger and channel say of the caller's word now; ``durable`` None: the channel alone, no row can be read."""

    decision: ConsentDecision | None
    durable: bool | None
    purpose: str | None


@dataclass(frozen=True)
class WatchEnds:
    """Nobody watches from now on, until somebody takes the conversation up."""


@dataclass(frozen=True)
class Superseded:
    """The same channel began another visit."""


TalkEvent = (
    Changed
    | KeyPressed
    | AgentAsked
    | Committed
    | CommitFailed
    | Silenced
    | Sounding
    | ListeningEnded
    | NotDone
    | TryAgain
    | RecordingClosed
    | LegsSeen
    | QueueEntered
    | QueueGaveUp
    | WordChanged
    | WatchEnds
    | Superseded
    | ChannelGone
)
