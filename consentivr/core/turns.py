"""What each row of the ledger says: a type for each turn of a call, complete when it leaves the core."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar

from consentivr.core.consent import Attempt, Consent, Notice
from consentivr.core.evidence import Turn
from consentivr.core.statutes import Confirmation
from consentivr.core.verdict import Verdict

CONSENT_BASIS = "consent, GDPR art. 6(1)(a)"
"""The legal basis of a recording whose caller was asked."""


@dataclass(frozen=True)
class Row:
    """One turn; its fields are the evidence."""

    turn: ClassVar[Turn]
    if_known: ClassVar[tuple[str, ...]] = ()
    """Fields that are left out when they are None."""

    def evidence(self) -> dict[str, Any]:
        """For the ledger: JSON."""
        said = {field.name: _plain(getattr(self, field.name)) for field in fields(self)}
        return {name: value for name, value in said.items() if value is not None or name not in self.if_known}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


@dataclass(frozen=True)
class Arrived(Row):
    """A caller met a line: there will be a decision and an end. ``switch`` is the switch's own name."""

    turn: ClassVar[Turn] = Turn.ARRIVED
    switch: str
    core: str
    """Of this run of the switch: after another start no channel of it exists."""
    asked: bool = True
    """Whether we had the call: else nobody answered for the line, and the dialplan took it to the queue."""


@dataclass(frozen=True)
class Decided(Row):
    """What the caller decided, and how we know."""

    turn: ClassVar[Turn] = Turn.DECISION
    consent: Consent
    said: Verdict
    purpose: str
    legal_basis: str | None
    arrived_at: str | None
    notice: Notice | None
    confirmed: Confirmation | None = None

    def evidence(self) -> dict[str, Any]:
        """Flat, as the ledger has always had it."""
        consent = self.consent
        told: dict[str, Any] = {
            "decision": consent.decision.value,
            "reason": consent.reason.value,
            "key": consent.key,
            "heard_ms": consent.heard_ms,
            "attempts": [_attempt(attempt) for attempt in consent.attempts],
            "verdict": {"record": self.said.record, "reason": self.said.reason.value},
            "purpose": self.purpose,
            "legal_basis": self.legal_basis,
            "arrived_at": self.arrived_at,
        }
        notice = self.notice
        if notice is not None:
            told |= {"notice": notice.digest, "notice_ms": notice.duration_ms, "language": notice.language}
        return told | (self.confirmed.evidence() if self.confirmed else {})


def _attempt(attempt: Attempt) -> dict[str, Any]:
    told = {"outcome": attempt.outcome.value, "key": attempt.key, "heard_ms": attempt.heard_ms}
    times = {"asked_at": attempt.asked_at, "answered_at": attempt.answered_at}
    return told | {name: moment for name, moment in times.items() if moment is not None}


@dataclass(frozen=True)
class Withheld(Row):
    """A yes that is not recorded after all."""

    turn: ClassVar[Turn] = Turn.RECORDING_WITHHELD
    why: str


@dataclass(frozen=True)
class Withdrawn(Row):
    """The yes was taken back, and nothing records any more: how, and how long that took, in milliseconds.

    ``erase``: what was recorded is erased; else ``kept_because`` may say on which ground it is kept.
    """

    turn: ClassVar[Turn] = Turn.WITHDRAWN
    if_known: ClassVar = ("kept_because",)
    reason: str
    keys: str | None
    by: str
    erase: bool
    stopped_ms: int | None
    withdrawn: bool = True
    kept_because: str | None = None


@dataclass(frozen=True)
class AgreedLate(Row):
    """A yes after all."""

    turn: ClassVar[Turn] = Turn.AGREED_LATE
    keys: str
    purpose: str


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
    """Something other than a recorder listens to who did not agree; ``ended``: it was hung up."""

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
