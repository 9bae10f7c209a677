"""A yes that is taken back after the call: by word, by letter, by mail (GDPR art. 7(3))."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from consentivr.core.confirmations import WITHDRAWN
from consentivr.core.consent import Reason
from consentivr.core.evidence import CallSummary
from consentivr.core.turn import Turn
from consentivr.custody.files import erase_files
from consentivr.custody.holds import Holds
from consentivr.ledger import CallRef, Ledger
from consentivr.recordings import Places


@dataclass
class Withdrawal:
    """What became of it: calls by their visits."""

    calls: list[str] = field(default_factory=list)
    """Whose consent is taken back now."""
    erased: list[str] = field(default_factory=list)
    """Paths."""
    kept: list[str] = field(default_factory=list)
    """Paths of what was recorded by law, in a queue before or after: no yes was its ground."""
    left: dict[str, str] = field(default_factory=dict)
    """Recordings that should be erased and are there, and why."""


def withdraw(
    ledger: Ledger,
    places: Places,
    calls: Sequence[CallSummary],
    reason: Reason,
    identity: str,
    on: date,
    *,
    kept_because: Mapping[str, str],
    stopped: Collection[str] = (),
) -> Withdrawal:
    """Take the yes of these calls back, and erase what was recorded (art. 17(1)(b)), but of queues for which
    ``kept_because`` states another ground: that goes into the row.

    ``stopped`` are calls under way that ``serve`` has just stopped: it erases their files itself.

    ``identity`` says how it was made sure that the caller said so, and goes into each row. What is on legal hold is not
    erased (art. 17(3)(e)). Interrupted, it can be run again. Raises LedgerError.
    """
    done = Withdrawal()
    holds = Holds(ledger)
    for call in calls:
        kept = kept_because.get(call.queue)
        if call.decision == "given":
            said = {"reason": reason.value, "identity": identity, "declared_on": on.isoformat(), "erase": kept is None}
            ground = {} if kept is None else {"kept_because": kept}
            row = CallRef.of(call).row(Turn.WITHDRAWN, {**said, **ground, "by": "command", "withdrawn": True})
            ledger.append([row])
            done.calls.append(call.call)
        if kept is None and call.call not in stopped:
            _erase(ledger, places, call, holds, done)
    return done


def _erase(ledger: Ledger, places: Places, call: CallSummary, holds: Holds, done: Withdrawal) -> None:
    if holds.keep(call):
        done.left |= {recording.path: f"call {call.call} is on legal hold" for recording in call.audio}
        return
    done.kept += [recording.path for recording in call.audio if recording.by_law]
    files = erase_files(places, call, holds, only=[recording for recording in call.audio if not recording.by_law])
    ledger.append(files.rows(WITHDRAWN))
    done.erased += [recording.path for recording in files.erased]
    done.left |= files.left
