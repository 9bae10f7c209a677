"""What we can do: the words that the two state machines answer with."""

from __future__ import annotations

from dataclasses import dataclass

from consentivr.core.policy import Announcement
from consentivr.core.switchboard import Recorder
from consentivr.core.talk_turns import CallEnded
from consentivr.core.turns import Row

# --- of both ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Write:
    """Write a row. With ``permits`` the next step waits for it to be durable (promise P1).

    With ``tally`` the row is counted under that name, over all nodes and restarts.
    """

    row: Row
    permits: bool = False
    tally: str | None = None


# --- of the dialogue -------------------------------------------------------------------------


@dataclass(frozen=True)
class TakeOver:
    """Answer the call; from now on the watchdog waits for our question, not for our connection."""


@dataclass(frozen=True)
class Play:
    """Play an announcement, if it is configured. ``skippable``: any key ends it."""

    announcement: Announcement
    skippable: bool = False


@dataclass(frozen=True)
class Greet:
    """Play the greeting and which keys choose another language, and collect one key."""


@dataclass(frozen=True)
class Speak:
    """From now on in this language."""

    language: str


@dataclass(frozen=True)
class PlayToEnd:
    """The same, and tell when it is over, or ended by a key."""

    announcement: Announcement


@dataclass(frozen=True)
class Ask:
    """Put the question and collect one key."""

    number: int


@dataclass(frozen=True)
class PermitRecording:
    """Clear the no-record flag and give the call a file that can be recorded to."""


@dataclass(frozen=True)
class ArmRecorder:
    """``record_session``: record the talk, and only the talk."""


@dataclass(frozen=True)
class TakeBack:
    """The last word is a no: set the flag again, and stop what records."""


@dataclass(frozen=True)
class JoinQueue:
    """Put the caller into the queue. ``word`` is what the channel carries on: a decision, or NOT_PROVEN."""

    word: str


NOT_PROVEN = "not_proven"
"""The word of a caller whose yes is not in the ledger."""


@dataclass(frozen=True)
class LetGo:
    """Close the socket. Before the queue, the dialplan then takes the caller there, unrecorded."""


AskingAction = (
    Write
    | TakeOver
    | Greet
    | Speak
    | Play
    | PlayToEnd
    | Ask
    | PermitRecording
    | ArmRecorder
    | TakeBack
    | JoinQueue
    | LetGo
)

# --- of the conversation ---------------------------------------------------------------------


@dataclass(frozen=True)
class StartRecorder:
    """Start our recorder on the caller's leg; each start of a visit has a file of its own."""

    path: str


@dataclass(frozen=True)
class Stop:
    """Stop these, and see that they are."""

    recorders: tuple[Recorder, ...]


@dataclass(frozen=True)
class Mask:
    """Let these hear silence from now on (``on``), or sound again, and see that they do."""

    recorders: tuple[Recorder, ...]
    on: bool


@dataclass(frozen=True)
class Mark:
    """Set the channel's own word, which outlives us: may it be recorded, what the caller decided, is it paused.

    None leaves a word as it is. ``over``: the talk is, and the next queue's own recorder must not write its file again.
    """

    record: bool | None = None
    decision: str | None = None
    paused: bool | None = None
    over: bool = False


@dataclass(frozen=True)
class Seal:
    """The file is complete: keep what it is."""

    path: str


@dataclass(frozen=True)
class Erase:
    """Erase these files. ``ours``: this visit wrote them; else only what is younger than the visit, and no other's."""

    paths: tuple[str, ...]
    why: str
    ours: bool


@dataclass(frozen=True)
class Announce:
    """Play an announcement to a caller who waits, to both sides of a talk (``both``), or to one leg."""

    announcement: Announcement
    both: bool = False
    leg: str | None = None


@dataclass(frozen=True)
class LookAtLegs:
    """Ask the switch what records and hears these legs: the negative proof (FREESWITCH.md, section 4)."""

    legs: tuple[str, ...]


@dataclass(frozen=True)
class EndListening:
    """Hang up a leg that eavesdrops ``on`` another."""

    leg: str
    on: str


@dataclass(frozen=True)
class Alarm:
    """Somebody must be told."""

    row: Row


@dataclass(frozen=True)
class Remind:
    """Begin (``on``) or end the time after which a forgotten pause is reminded of, or ended."""

    on: bool


@dataclass(frozen=True)
class Forget:
    """The visit is over, by this row; whether it was ``undecided`` is looked up before that is written."""

    end: CallEnded
    undecided: bool


TalkAction = (
    Write
    | StartRecorder
    | Stop
    | Mask
    | Mark
    | Seal
    | Erase
    | Announce
    | LookAtLegs
    | EndListening
    | Alarm
    | Remind
    | Forget
)
