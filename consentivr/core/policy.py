"""What an administrator chose: for a line, for a queue, for the house."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from consentivr.core.statutes import Confirmation


class RecordingMode(str, Enum):
    """How a queue records (DESIGN.md, "Recording modes of a queue")."""

    OFF = "off"
    CALLER_OPT_IN = "caller_opt_in"
    PERMANENT_OPT_OUT = "permanent_opt_out"
    PERMANENT = "permanent"
    EVERY_NTH = "every_nth"
    MANUAL = "manual"

    @property
    def asks(self) -> bool:
        """Whether the caller is asked. ``permanent`` tells instead of asking, ``off`` does neither."""
        return self not in (RecordingMode.OFF, RecordingMode.PERMANENT)


class Announcement(str, Enum):
    """Everything that somebody can hear from us. The administrator may leave out all but QUESTION."""

    WELCOME = "welcome"
    LANGUAGE = "language"
    """Which key chooses this language, said in it."""
    QUESTION = "question"
    DETAILS = "details"
    """What GDPR art. 13 wants told besides: controller, retention, rights, where to read more."""
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
    STILL_PAUSED = "still_paused"
    OUTSIDER = "outsider"


FOR_AGENTS = frozenset({Announcement.AGENT_RECORDED, Announcement.AGENT_NOT_RECORDED, Announcement.STILL_PAUSED})
"""What an agent hears alone: in the language of the line, whatever the caller's is."""


class AgentWish(str, Enum):
    """What the agent can ask for, by key or from the desktop."""

    START = "start"
    STOP = "stop"
    PAUSE = "pause"
    RESUME = "resume"
    WITHDRAW = "withdraw"
    """The caller said it, and the agent enters it (GDPR art. 7(3))."""


class WhileHeld(str, Enum):
    """What a recorder hears while somebody of the talk is on hold, or waits for a consultation to end."""

    SILENCE = "silence"
    RECORD = "record"


class Outsiders(str, Enum):
    """What follows when somebody is heard who is neither the caller nor a known agent."""

    SILENCE = "silence"
    ANNOUNCE = "announce"
    """Tell everybody, and go on: who stays has been told. An administrator must have a basis for it."""
    ALLOW = "allow"


class Taps(str, Enum):
    """What follows when something other than a recorder listens to a caller who did not agree."""

    NOTE = "note"
    ALARM = "alarm"
    END = "end"
    """Hang up the leg that eavesdrops, where there is one; else the alarm."""


@dataclass(frozen=True)
class LinePolicy:
    """How callers of a line are asked."""

    mode: RecordingMode
    """Of the line's queue."""
    purpose: str = ""
    """What they are asked for (GDPR art. 5(1)(b))."""
    legal_basis: str | None = None
    """The statute that demands the recording; None where consent is the basis."""
    confirmed: Confirmation | None = None
    """Who confirmed that, where the statute is not in the list."""
    consent_key: str = "1"
    objection_key: str = "9"
    details_key: str | None = None
    """Tells more, and then the question is put again; None where that is not offered."""
    max_attempts: int = 3
    max_detours: int = 3
    """So often, besides, a caller may want to know more or choose another language."""
    min_heard_ms: int = 0
    """So much of the question must have been heard before a yes is one, in milliseconds (promise P2)."""
    starts_at_answer: bool = False
    """Whether a yes is not enough to arm the recorder: who the agent is, or does, counts too."""


@dataclass(frozen=True)
class TalkPolicy:
    """What decides in a talk: its queue, the keys of the line that asked, the house."""

    mode: RecordingMode
    purpose: str = ""
    legal_basis: str | None = None
    confirmed: Confirmation | None = None
    every: int = 1
    """With EVERY_NTH: of each agent's consenting calls, every so many is recorded."""
    erase_withdrawn: bool = True
    """Whether taking a yes back erases what was recorded (GDPR art. 17(1)(b))."""
    kept_because: str | None = None
    """Where it does not: the ground for that."""
    withdrawal_keys: str = "*9"
    """What takes a yes back, at any time (GDPR art. 7(3))."""
    late_consent_keys: str | None = None
    """What says yes after all, while waiting or talking; None where that is not offered."""
    agents_must_agree: bool = True
    """Only agents who are known to have agreed are recorded."""
    agent_keys: tuple[tuple[str, AgentWish], ...] = ()
    """What the agent may ask for by pressing * and a key, on the agent's own leg."""
    while_held: WhileHeld = WhileHeld.SILENCE
    outsiders: Outsiders = Outsiders.SILENCE
    taps: Taps = Taps.ALARM

    @property
    def starts_at_answer(self) -> bool:
        """Whether who the agent is, or does, decides too (``LinePolicy.starts_at_answer``)."""
        return self.agents_must_agree or self.mode in (RecordingMode.EVERY_NTH, RecordingMode.MANUAL)
