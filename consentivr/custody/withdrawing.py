"""A yes that is taken back after the call: by word, by letter, by mail (GDPR art. 7(3))."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from consentivr.core.confirmations import WITHDRAWN
from consentivr.core.consent import Reason
from consentivr.core.evidence import CallSummary, summarize
from consentivr.core.turn import Turn
from consentivr.custody.files import erase_files
from consentivr.custody.holds import Holds
from consentivr.ledger import CallRef, Entry, Ledger
from consentivr.ledger.searching import Searching
from consentivr.recordings import Places

WAYS: Mapping[str, Reason] = {"letter": Reason.BY_LETTER, "mail": Reason.BY_MAIL, "word": Reason.BY_WORD}
"""How a person may have said it."""

Stop = Callable[[str], str | None]
"""Lets ``serve`` take the yes of a channel under way back: None once it was seen to record no more, else why not."""


@dataclass(frozen=True)
class ToTakeBack:
    """The calls whose yes can be taken back: those that are ``over``, also where that was begun, and those ``live``."""

    over: Sequence[CallSummary]
    live: Sequence[CallSummary]

    @property
    def calls(self) -> Sequence[CallSummary]:
        """All of them."""
        return [*self.over, *self.live]


def to_take_back(ledger: Searching, channels: Sequence[str]) -> ToTakeBack:
    """Of all visits of these channels. Raises LedgerError."""
    over: list[CallSummary] = []
    live: list[CallSummary] = []
    for rows in ledger.rows_of(channels):
        call = summarize(rows)
        if call.decision == "given":
            (live if _is_under_way(rows) else over).append(call)
        elif call.decision == "withdrawn" and call.to_erase:
            over.append(call)
    return ToTakeBack(over, live)


def _is_under_way(rows: Sequence[Entry]) -> bool:
    """As far as the ledger knows. What 0.1.0 wrote names no visit, and is over."""
    return rows[-1].visit is not None and not any(row.turn == Turn.CALL_ENDED for row in rows)


@dataclass
class Withdrawal:
    """What became of it: calls by their visits, recordings by their paths."""

    calls: list[str] = field(default_factory=list)
    """Whose consent is taken back now."""
    erased: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    """What stays for a ground that was no yes, and which: the queue's, or the law's."""
    left: dict[str, str] = field(default_factory=dict)
    """Recordings that should be erased and are there, and why."""


def stop_live(calls: Sequence[CallSummary], stop: Stop) -> dict[str, str]:
    """Stop the calls under way; those that cannot be, by their visits, and why."""
    return {call.call: said for call in calls if (said := stop(call.channel_uuid)) is not None}


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
    by: str = "command",
) -> Withdrawal:
    """Take the yes of these calls back, and erase what was recorded (art. 17(1)(b)), but of queues for which
    ``kept_because`` states another ground: that goes into the row.

    ``stopped`` are calls under way that ``serve`` has just stopped: it erases their files itself.

    ``identity`` says how it was made sure that the caller said so, and goes into each row; ``by`` where it was entered.
    What is on legal hold is not erased (art. 17(3)(e)). Interrupted, it can be run again. Raises LedgerError.
    """
    done = Withdrawal()
    holds = Holds(ledger)
    for call in calls:
        kept = kept_because.get(call.queue)
        if call.decision == "given":
            said = {"reason": reason.value, "identity": identity, "declared_on": on.isoformat(), "erase": kept is None}
            ground = {} if kept is None else {"kept_because": kept}
            row = CallRef.of(call).row(Turn.WITHDRAWN, {**said, **ground, "by": by, "withdrawn": True})
            ledger.append([row])
            done.calls.append(call.call)
        if call.call not in stopped:
            ledger.append(_erase(places, call, kept, holds, done))
    return done


def would_withdraw(
    ledger: Searching, places: Places, calls: Sequence[CallSummary], *, kept_because: Mapping[str, str]
) -> Withdrawal:
    """What ``withdraw`` would do; of calls under way, with ``serve``. Raises LedgerError."""
    done = Withdrawal([call.call for call in calls if call.decision == "given"])
    holds = Holds(ledger)
    for call in calls:
        _erase(places, call, kept_because.get(call.queue), holds, done, dry_run=True)
    return done


def _erase(
    places: Places, call: CallSummary, kept: str | None, holds: Holds, done: Withdrawal, *, dry_run: bool = False
) -> list[Entry]:
    """The rows of it."""
    if kept is not None:
        done.kept |= {recording.path: kept for recording in call.audio}
        return []
    if holds.keep(call):
        done.left |= {recording.path: f"call {call.call} is on legal hold" for recording in call.audio}
        return []
    done.kept |= {recording.path: BY_LAW for recording in call.audio if recording.by_law}
    mine = [recording for recording in call.audio if not recording.by_law]
    files = erase_files(places, call, holds, only=mine, dry_run=dry_run)
    done.erased += [recording.path for recording in files.erased]
    done.left |= files.left
    return files.rows(WITHDRAWN)


BY_LAW = "recorded by law, whatever was agreed to"
