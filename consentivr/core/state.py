"""What the two state machines remember. They share nothing: the one asks, the other follows the conversation."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from consentivr.core.consent import Attempt, Consent, ConsentDecision, Notice
from consentivr.core.events import Situation
from consentivr.core.switchboard import Recorder, Tap
from consentivr.core.turns import Withdrawn


class Phase(str, Enum):
    """Where a call is while it is asked."""

    ARRIVING = "arriving"
    GREETING = "greeting"
    """The greeting plays, and the caller may choose another language."""
    ASKING = "asking"
    DECIDING = "deciding"
    """The caller said yes, and the row is not durable yet."""
    ANNOUNCING = "announcing"
    """The yes is proven and is being said so; the other key still makes it a no."""
    JOINING = "joining"
    ENDED = "ended"


class AskingState(NamedTuple):
    """Of the dialogue."""

    phase: Phase = Phase.ARRIVING
    arrived_at: str | None = None
    notice: Notice | None = None
    attempts: tuple[Attempt, ...] = ()
    pressed: str | None = None
    """The last of the two keys that was pressed since the question was put."""
    consent: Consent | None = None
    taken_back: bool = False
    """The objection key came after the consent key."""


class AgentNoted(NamedTuple):
    """An agent of this talk whose row is durable, or could not be made so."""

    leg: str
    proven: bool
    is_nth: bool


class TalkState(NamedTuple):
    """Of a conversation: one visit of a caller."""

    visit: str
    channel: str
    """The caller's leg."""
    stem: str
    """The path of the visit's recordings, without number and ending."""
    queue: str = ""
    decision: ConsentDecision | None = None
    """None: nobody has decided yet, which permits nothing."""
    durable: bool = False
    purpose: str | None = None
    """What the caller agreed to."""
    now: Situation = Situation()
    files: tuple[str, ...] = ()
    """Every file that this visit was recorded to, with our word, in the order of their starts."""
    unclosed: tuple[str, ...] = ()
    """Those of them that were started and are not complete."""
    by_law: tuple[str, ...] = ()
    """Those of them that a queue recorded by law: no yes was their ground, and none that is taken back ends them."""
    over: tuple[str, ...] = ()
    """Those of talks that are over: what still records to one of them, or begins to, must stop."""
    starting: str | None = None
    """The file that our recorder was told to begin, until it is seen to."""
    start_failed: bool = False
    """In this talk: not tried again before the next."""
    stopping: tuple[Recorder, ...] = ()
    masking: tuple[Recorder, ...] = ()
    masked: tuple[Recorder, ...] = ()
    unmasking: tuple[Recorder, ...] = ()
    strangers: frozenset[str] = frozenset()
    """Everybody whom silence was recorded for, since it is."""
    span: str | None = None
    """Why silence is recorded, when a row says so."""
    paused: bool = False
    pause_by: str | None = None
    """Who asked for the pause, or for its end, while that is not confirmed."""
    forbidden: tuple[str, ...] = ()
    """Files of others that must not be, until they are complete and erased."""
    tapped: tuple[Tap, ...] = ()
    ended: tuple[str, ...] = ()
    """The legs that listened in and were hung up."""
    looked_at: frozenset[str] = frozenset()
    """The legs whose recorders were looked for."""
    noted: tuple[AgentNoted, ...] = ()
    awaited: frozenset[str] = frozenset()
    """Legs of agents whose row is under way."""
    agent: str | None = None
    agent_started: bool = False
    agent_stopped: bool = False
    stop_by: str | None = None
    withdrawal: Withdrawn | None = None
    """The row of a withdrawal, until nothing records any more."""
    failed: tuple[Recorder, ...] = ()
    """What the switch would not stop, or silence: the alarm was raised, once for each."""
    mute: tuple[Recorder, ...] = ()
    """What the switch would not let sound again."""
    agreeing_late: bool = False
    erase: bool = False
    """What was recorded is to be erased: the yes was taken back."""
    talking: bool = False
    was_silent: bool = False
    """The rows say that what records hears silence, and it was not seen yet since the conversation was taken up."""
    unwatching: bool = False
    """We are about to end: who comes then is seen by nobody, until another watch has taken over."""
    unwatched: bool = False
    """A recorder of ours sounded while nobody watched: that is taken out of its file before it is sealed."""
    starred_ms: int | None = None
    """When the caller pressed *, which may begin a sequence. No other key is kept."""
    agent_starred_ms: int | None = None
    unread: bool = False
    """The rows cannot be read yet: a yes that the channel tells may be proven by them."""
