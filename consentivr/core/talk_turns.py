"""What each row says of the conversation after the question: a type for each turn, as in ``turns``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from consentivr.core.turn import Turn
from consentivr.core.turns import Row


@dataclass(frozen=True)
class AgentAnswered(Row):
    """An agent is heard in the talk."""

    turn: ClassVar[Turn] = Turn.AGENT_ANSWERED
    agent_uuid: str
    agent: str | None
    agent_agreed: bool


@dataclass(frozen=True)
class AgentStarted(Row):
    turn: ClassVar[Turn] = Turn.AGENT_STARTED
    by: str


@dataclass(frozen=True)
class AgentStopped(Row):
    turn: ClassVar[Turn] = Turn.AGENT_STOPPED
    by: str


@dataclass(frozen=True)
class Paused(Row):
    """From now on silence is recorded, until somebody resumes."""

    turn: ClassVar[Turn] = Turn.RECORDING_PAUSED
    by: str
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Resumed(Row):
    turn: ClassVar[Turn] = Turn.RECORDING_RESUMED
    by: str
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Masked(Row):
    """Silence is recorded because of ``why`` (a verdict's reason); ``parties`` are the legs that it is about."""

    turn: ClassVar[Turn] = Turn.RECORDING_MASKED
    why: str
    parties: tuple[str, ...]
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Unmasked(Row):
    turn: ClassVar[Turn] = Turn.RECORDING_UNMASKED
    why: str
    parties: tuple[str, ...]
    """Everybody whom it was about, as far as their legs are known."""


@dataclass(frozen=True)
class RecordingStarted(Row):
    turn: ClassVar[Turn] = Turn.RECORDING_STARTED
    path: str
    leg: str | None


@dataclass(frozen=True)
class RecordingFailed(Row):
    turn: ClassVar[Turn] = Turn.RECORDING_FAILED
    why: str


@dataclass(frozen=True)
class RecordingStopped(Row):
    """``duration_ms`` and ``completion_cause`` are the switch's words; None when it did not say."""

    turn: ClassVar[Turn] = Turn.RECORDING_STOPPED
    path: str
    duration_ms: int | None
    completion_cause: str | None


@dataclass(frozen=True)
class ForbiddenRecording(Row):
    """Something recorded without permission: where, and what became of it."""

    turn: ClassVar[Turn] = Turn.FORBIDDEN_RECORDING
    path: str
    leg: str
    """caller, agent, listener, conference, or other."""
    why: str


@dataclass(frozen=True)
class LegSeen:
    """What the switch said of one leg: its recorders and other taps by function; None when it could not be told."""

    leg: str
    channel_uuid: str
    recorders: tuple[str, ...] | None
    taps: tuple[str, ...] = ()


@dataclass(frozen=True)
class LookedForRecorders(Row):
    """The negative proof (FREESWITCH.md, section 4): what records or hears the legs of a talk."""

    turn: ClassVar[Turn] = Turn.LOOKED_FOR_RECORDERS
    legs: tuple[LegSeen, ...]

    def evidence(self) -> dict[str, Any]:
        known = all(leg.recorders is not None for leg in self.legs)
        return {
            "recorders": sum(len(leg.recorders or ()) for leg in self.legs) if known else None,
            "legs": [
                {
                    "leg": leg.leg,
                    "channel_uuid": leg.channel_uuid,
                    "recorders": None if leg.recorders is None else len(leg.recorders),
                    "taps": list(leg.taps),
                }
                for leg in self.legs
            ],
        }


@dataclass(frozen=True)
class Tapped(Row):
    """Something other than a recorder listens to who did not agree; ``ended``: it was hung up, and is seen to be."""

    turn: ClassVar[Turn] = Turn.TAPPED
    function: str
    leg: str
    ended: bool


@dataclass(frozen=True)
class CommandFailed(Row):
    """The switch did not do what matters: ``wanted``, and what it said."""

    turn: ClassVar[Turn] = Turn.COMMAND_FAILED
    wanted: str
    said: str
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Adopted(Row):
    """A watch took up a conversation that it had not seen begin; ``switch`` and ``core`` as in ``Arrived``."""

    turn: ClassVar[Turn] = Turn.ADOPTED
    why: str
    switch: str
    core: str


@dataclass(frozen=True)
class Unwatched(Row):
    """Taken out of these files; ``since`` (None: their beginning) and ``until`` in UTC, ISO 8601 with milliseconds."""

    turn: ClassVar[Turn] = Turn.UNWATCHED
    since: str | None
    until: str
    paths: tuple[str, ...]


@dataclass(frozen=True)
class QueueLeft(Row):
    turn: ClassVar[Turn] = Turn.QUEUE_LEFT
    why: str


@dataclass(frozen=True)
class CallEnded(Row):
    """The visit is over: ``hangup_cause`` of the channel, or ``why`` when that is not how it ended."""

    turn: ClassVar[Turn] = Turn.CALL_ENDED
    if_known: ClassVar = ("why",)
    hangup_cause: str | None
    agent: str | None
    why: str | None = None
