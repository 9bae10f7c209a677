"""Whether a talk may be recorded now: one pure function of everything that counts.

Precedence (DESIGN.md): statute > caller's no or silence > any party without permission > agent's missing
consent > hold and pause > mode. Nothing has a default: what is not known must be said to be so.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

from consentivr.core.consent import ConsentDecision
from consentivr.core.policy import RecordingMode


class Do(str, Enum):
    """What a recorder must do."""

    RECORD = "record"
    MASK = "mask"
    """Nothing starts, and what runs hears silence."""
    NOTHING = "nothing"
    """Ours does not run; what others record with permission is theirs."""
    STOP = "stop"
    """Whatever records is stopped, and erased unless it is ours."""


class Permission(str, Enum):
    """Whether somebody who is heard may be recorded."""

    AGREED = "agreed"
    NOT_AGREED = "not_agreed"
    """An agent who is known, and not in the register."""
    UNKNOWN = "unknown"
    """Nobody known, or not known yet."""
    REFUSED = "refused"
    """Another caller, who did not say yes."""


class VerdictReason(str, Enum):
    """What decided a verdict."""

    LEGAL_BASIS = "legal_basis"
    MODE_OFF = "mode_off"
    CALLER_REFUSED = "caller_refused"
    CALLER_WITHDREW = "caller_withdrew"
    NO_ANSWER = "no_answer"
    NOT_PROVEN = "not_proven"
    OTHER_PURPOSE = "other_purpose"
    OTHER_CALLER_REFUSED = "other_caller_refused"
    OUTSIDER = "outsider"
    AGENT_NOT_AGREED = "agent_not_agreed"
    NOBODY_WATCHES = "nobody_watches"
    ON_HOLD = "on_hold"
    PAUSED = "paused"
    NOT_NTH = "not_nth"
    NOT_STARTED = "not_started"
    CALLER_AGREED = "caller_agreed"


@dataclass(frozen=True)
class Verdict:
    """What to do, and what says so."""

    do: Do
    reason: VerdictReason

    @property
    def record(self) -> bool:
        """Whether the talk is to be recorded and heard."""
        return self.do is Do.RECORD


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
    purpose_agreed: bool,
    others: Collection[Permission],
    held: bool,
    paused: bool,
    is_nth: bool,
    agent_wants: bool,
) -> Verdict:
    """Decide what recorders of a talk must do.

    ``durable`` says that the yes is committed in the ledger: one that cannot be shown (GDPR art. 7(1))
    does not count. ``purpose_agreed`` says that the queue records for what the caller agreed to (art.
    5(1)(b)). ``others`` are the permissions of everybody who is heard beside the caller. ``agent_wants``: with
    MANUAL only once the agent started it, in every mode no longer once the agent stopped it. A queue with a legal
    basis other than consent records whatever anyone says, because they were told and not asked; only the
    agent's pause, for what must not be kept at all, silences it.
    """
    if mode is RecordingMode.PERMANENT:
        return Verdict(Do.MASK, VerdictReason.PAUSED) if paused else Verdict(Do.RECORD, VerdictReason.LEGAL_BASIS)
    if mode is RecordingMode.OFF:
        return Verdict(Do.STOP, VerdictReason.MODE_OFF)
    if decision is not ConsentDecision.GIVEN:
        return Verdict(Do.STOP, _NO[decision])
    if not durable:
        return Verdict(Do.STOP, VerdictReason.NOT_PROVEN)
    if not purpose_agreed:
        return Verdict(Do.STOP, VerdictReason.OTHER_PURPOSE)
    if Permission.REFUSED in others:
        return Verdict(Do.STOP, VerdictReason.OTHER_CALLER_REFUSED)
    if Permission.UNKNOWN in others:
        return Verdict(Do.MASK, VerdictReason.OUTSIDER)
    if Permission.NOT_AGREED in others:
        return Verdict(Do.STOP, VerdictReason.AGENT_NOT_AGREED)
    if held:
        return Verdict(Do.MASK, VerdictReason.ON_HOLD)
    if paused:
        return Verdict(Do.MASK, VerdictReason.PAUSED)
    if mode is RecordingMode.EVERY_NTH and not is_nth:
        return Verdict(Do.NOTHING, VerdictReason.NOT_NTH)
    if not agent_wants:
        return Verdict(Do.NOTHING, VerdictReason.NOT_STARTED)
    return Verdict(Do.RECORD, VerdictReason.CALLER_AGREED)
