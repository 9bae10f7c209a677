"""Whether a talk may be recorded: the modes of a queue, the precedence, the verdict.

DESIGN.md, "Recording modes of a queue". Precedence: statute > caller's no or silence > agent's missing
consent > mode.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from consentivr.core.consent import ConsentDecision


class RecordingMode(str, Enum):
    """How a queue records."""

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


class VerdictReason(str, Enum):
    """What decided a verdict."""

    LEGAL_BASIS = "legal_basis"
    MODE_OFF = "mode_off"
    CALLER_REFUSED = "caller_refused"
    CALLER_WITHDREW = "caller_withdrew"
    NO_ANSWER = "no_answer"
    NOT_PROVEN = "not_proven"
    AGENT_NOT_AGREED = "agent_not_agreed"
    NOT_NTH = "not_nth"
    NOT_STARTED = "not_started"
    CALLER_AGREED = "caller_agreed"


@dataclass(frozen=True)
class Verdict:
    """May this talk be recorded, and what says so."""

    record: bool
    reason: VerdictReason


_NO = {
    ConsentDecision.REFUSED: VerdictReason.CALLER_REFUSED,
    ConsentDecision.NOT_OBTAINED: VerdictReason.NO_ANSWER,
    ConsentDecision.WITHDRAWN: VerdictReason.CALLER_WITHDREW,
}


def verdict(
    mode: RecordingMode,
    decision: ConsentDecision,
    *,
    durable: bool,
    agent_agreed: bool = True,
    is_nth: bool = True,
    agent_started: bool = True,
) -> Verdict:
    """Decide whether a talk may be recorded.

    ``durable`` says that the decision is committed in the ledger: a yes that cannot be shown
    (GDPR art. 7(1)) does not count. ``agent_agreed``, ``is_nth`` (of this agent's calls) and
    ``agent_started`` are of the agent who talks. A queue with a legal basis other than consent records
    whatever anyone says, because they were told and not asked.
    """
    if mode is RecordingMode.PERMANENT:
        return Verdict(True, VerdictReason.LEGAL_BASIS)
    if mode is RecordingMode.OFF:
        return Verdict(False, VerdictReason.MODE_OFF)
    if decision is not ConsentDecision.GIVEN:
        return Verdict(False, _NO[decision])
    if not durable:
        return Verdict(False, VerdictReason.NOT_PROVEN)
    if not agent_agreed:
        return Verdict(False, VerdictReason.AGENT_NOT_AGREED)
    if mode is RecordingMode.EVERY_NTH and not is_nth:
        return Verdict(False, VerdictReason.NOT_NTH)
    if mode is RecordingMode.MANUAL and not agent_started:
        return Verdict(False, VerdictReason.NOT_STARTED)
    return Verdict(True, VerdictReason.CALLER_AGREED)


def is_forbidden(flags: Iterable[str | None], queues: Iterable[str | None], statutory: frozenset[str]) -> bool:
    """Whether a recorder must go that is on a call of which nothing is known but what its legs say themselves.

    ``flags`` are the legs' values of ``consent_no_record``, ``queues`` their ``cc_queue``. One flag forbids
    (promise P5); a queue that records by law is left alone.
    """
    return any(flag == "true" for flag in flags) and not any(queue in statutory for queue in queues)
