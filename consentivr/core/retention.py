"""What is due for erasure (GDPR art. 5(1)(e)): pure, so that every case can be tried."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from consentivr.core.evidence import CallSummary


class Due(str, Enum):
    """What is to be erased of a call now."""

    NOTHING = "nothing"
    AUDIO = "audio"
    ROWS = "rows"
    """Everything: the audio that is still there, the number, and the rows."""


@dataclass(frozen=True)
class RetentionTerms:
    """How long a queue's calls are kept, in days after their end; None keeps them for ever."""

    audio_days: int | None = None
    rows_days: int | None = None
    refusals_days: int | None = None
    """For the rows of who did not agree, and of whom nothing was recorded; None: as ``rows_days``."""

    def __post_init__(self) -> None:
        if self.rows_days is not None and (self.audio_days is None or self.audio_days > self.rows_days):
            raise ValueError("audio cannot be kept longer than the rows that explain it")

    @property
    def rows_from_days(self) -> int | None:
        """When rows may be due at the earliest."""
        return min((days for days in (self.rows_days, self.refusals_days) if days is not None), default=None)

    @property
    def rows_said(self) -> str:
        """For a receipt."""
        refusals = "" if self.refusals_days is None else f", refusals {self.refusals_days} days"
        return f"{self.rows_days} days{refusals}"

    def rows_days_of(self, call: CallSummary) -> int | None:
        """How long the rows of this call are kept, in days."""
        refused = call.decision in ("refused", "not_obtained") and call.reason != "legal_basis" and not call.recordings
        return self.refusals_days if refused and self.refusals_days is not None else self.rows_days


def due(call: CallSummary, terms: RetentionTerms, now: datetime) -> Due:
    """What is due of a call. A legal hold (art. 17(3)(e)) keeps everything."""
    age = now - call.ended_at
    if call.held:
        return Due.NOTHING
    rows_days = terms.rows_days_of(call)
    if rows_days is not None and age >= timedelta(days=rows_days):
        return Due.ROWS
    if call.audio and call.to_erase == call.audio:
        return Due.AUDIO
    if call.audio and terms.audio_days is not None and age >= timedelta(days=terms.audio_days):
        return Due.AUDIO
    return Due.NOTHING
