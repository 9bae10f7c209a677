"""Whether a call may be recorded: the modes of a queue, the precedence, the verdict.

DESIGN.md, "Recording modes of a queue". Precedence: statute > caller's no or silence > mode.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from consentivr.core.consent import ConsentDecision


class RecordingMode(str, Enum):
    """How a queue records. ``every_nth`` and ``manual`` are not built yet and are refused by the configuration."""

    OFF = "off"
    CALLER_OPT_IN = "caller_opt_in"
    PERMANENT_OPT_OUT = "permanent_opt_out"
    PERMANENT = "permanent"

    @property
    def asks(self) -> bool:
        """Whether the caller is asked. ``permanent`` tells instead of asking, ``off`` does neither."""
        return self in (RecordingMode.CALLER_OPT_IN, RecordingMode.PERMANENT_OPT_OUT)


class VerdictReason(str, Enum):
    """What decided a verdict."""

    LEGAL_BASIS = "legal_basis"
    MODE_OFF = "mode_off"
    CALLER_AGREED = "caller_agreed"
    CALLER_REFUSED = "caller_refused"
    NO_ANSWER = "no_answer"
    NOT_PROVEN = "not_proven"


@dataclass(frozen=True)
class Verdict:
    """May this call be recorded, and what says so."""

    record: bool
    reason: VerdictReason


def verdict(mode: RecordingMode, decision: ConsentDecision, *, durable: bool) -> Verdict:
    """Decide whether a call may be recorded.

    ``durable`` says that the decision is committed in the ledger: a yes that cannot be shown
    (GDPR art. 7(1)) does not count. A queue with a legal basis other than consent records whatever
    the caller says, because the caller was told and not asked.
    """
    if mode is RecordingMode.PERMANENT:
        return Verdict(True, VerdictReason.LEGAL_BASIS)
    if mode is RecordingMode.OFF:
        return Verdict(False, VerdictReason.MODE_OFF)
    if decision is ConsentDecision.REFUSED:
        return Verdict(False, VerdictReason.CALLER_REFUSED)
    if decision is ConsentDecision.NOT_OBTAINED:
        return Verdict(False, VerdictReason.NO_ANSWER)
    if not durable:
        return Verdict(False, VerdictReason.NOT_PROVEN)
    return Verdict(True, VerdictReason.CALLER_AGREED)
