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

    def __post_init__(self) -> None:
        if self.rows_days is not None and (self.audio_days is None or self.audio_days > self.rows_days):
            raise ValueError("audio cannot be kept longer than the rows that explain it")


def due(call: CallSummary, terms: RetentionTerms, now: datetime) -> Due:
    """What is due of a call. A legal hold (art. 17(3)(e)) keeps everything."""
    age = now - call.ended_at
    if call.held:
        return Due.NOTHING
    if terms.rows_days is not None and age >= timedelta(days=terms.rows_days):
        return Due.ROWS
    if call.audio and call.erase:
        return Due.AUDIO
    if call.audio and terms.audio_days is not None and age >= timedelta(days=terms.audio_days):
        return Due.AUDIO
    return Due.NOTHING
