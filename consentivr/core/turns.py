"""What each row of the ledger says: a type for each turn of a call, complete when it leaves the core.

Here of the question and of the caller's word; ``talk_turns`` has those of the conversation after it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from consentivr.core.consent import Attempt, Consent, LanguageBy, Notice, NoticeVersion
from consentivr.core.statutes import Confirmation
from consentivr.core.turn import Turn
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
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value


@dataclass(frozen=True)
class NoticeAdded(Row):
    """A wording that callers hear from now on, by all that its words and its sound are: none can be exchanged later."""

    turn: ClassVar[Turn] = Turn.NOTICE_ADDED
    notice: str
    """The digest that decisions name."""
    language: str
    text_sha256: str
    audio_sha256: str
    duration_ms: int

    @classmethod
    def of(cls, notice: NoticeVersion) -> NoticeAdded:
        """The row of a wording."""
        text_sha256 = hashlib.sha256(notice.text.encode("utf-8")).hexdigest()
        return cls(notice.digest, notice.language, text_sha256, notice.audio_sha256, notice.duration_ms)


@dataclass(frozen=True)
class SwitchChecked(Row):
    """How a switch is set up is other than it was when it was last looked at; it is named by its event socket."""

    turn: ClassVar[Turn] = Turn.SWITCH_CHECKED
    switch: str
    new: tuple[str, ...]
    gone: tuple[str, ...]
    findings: Mapping[str, str]
    """All that is found now, by name: ``warning`` or ``bad``."""
    not_seen: tuple[str, ...]
    """What could not be looked at: nothing is known of it."""


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
            told |= {"language_by": notice.by.value} if notice.by is not LanguageBy.LINE else {}
            told |= {"language_wanted": notice.wanted} if notice.wanted is not None else {}
            if notice.on_trial is not None:
                told |= {"trial": notice.on_trial.trial, "variant": notice.on_trial.variant.value}
        return told | (self.confirmed.evidence() if self.confirmed else {})


def _attempt(attempt: Attempt) -> dict[str, Any]:
    told = {"outcome": attempt.outcome.value, "key": attempt.key, "heard_ms": attempt.heard_ms}
    known = {"asked_at": attempt.asked_at, "answered_at": attempt.answered_at, "language": attempt.language}
    return told | {name: value for name, value in known.items() if value is not None}


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
