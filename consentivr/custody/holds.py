"""What a court may forbid to erase (GDPR art. 17(3)(e))."""

from __future__ import annotations

from pathlib import Path

from consentivr.core.evidence import CallSummary, summarize
from consentivr.core.turn import Turn
from consentivr.ledger import Ledger, Search
from consentivr.ledger.searching import Searching


def hold(ledger: Ledger, name: str, why: str, *, release: bool = False, by: str | None = None) -> bool:
    """Put a visit, or every visit of a channel, under a legal hold, or release it. False when there is no such
    call, or nothing to do. ``by``: the account of the console where it was said. Raises LedgerError for receipts and
    registers, which are no calls.
    """
    turn = Turn.HOLD_RELEASED if release else Turn.HOLD
    said = {"why": why} | ({} if by is None else {"by": by})
    rows = [rows[-1].about.row(turn, said) for rows in ledger.calls_named(name) if summarize(rows).held is release]
    if rows:
        ledger.append(rows)
    return bool(rows)


class Holds:
    """The calls on legal hold and their files: what a held call names is not erased for another one's sake."""

    def __init__(self, ledger: Searching) -> None:
        self._holders: dict[Path, str] = {}
        self.channels: set[str] = set()
        """Of which something is held."""
        self.calls: set[str] = set()
        for rows in ledger.rows_of_visits(ledger.visits(Search(), Turn.HOLD)):
            call = summarize(rows)
            if call.held:
                self.channels.add(call.channel_uuid)
                self.calls.add(call.call)
                self._holders |= {Path(recording.place).resolve(): call.call for recording in call.audio}

    def keep(self, call: CallSummary) -> bool:
        """Whether this call is on hold; what names no visit is so with any visit of its channel."""
        return call.held or (call.visit is None and call.channel_uuid in self.channels)

    def of(self, path: str) -> str | None:
        """The held call that names this file."""
        return self._holders.get(Path(path).resolve())
