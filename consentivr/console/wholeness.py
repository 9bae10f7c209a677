"""What a page says of the ledger's being whole: its end, what was signed, what was kept elsewhere, the last look."""

from __future__ import annotations

from dataclasses import dataclass

from consentivr.console.settings import Chain
from consentivr.console.verifying import Outcome, Verifying
from consentivr.ledger import LedgerError, SignedCheckpoint
from consentivr.ledger.searching import Searching


@dataclass(frozen=True)
class Wholeness:
    """``head``: whether the ledger holds the head that is kept elsewhere: 'there', 'missing', 'not_seen'. ``running``:
    the rows that were looked at so far, while a look at all of them is under way.
    """

    rows: int
    signed: SignedCheckpoint | None
    head: str
    kept: int | None
    last: Outcome | None
    running: int | None


def wholeness(book: Searching, chain: Chain | None, verifying: Verifying) -> Wholeness:
    """Of the ledger, now. Raises LedgerError when it cannot be read."""
    checkpoints = book.checkpoints()
    head, kept = "not_seen", None
    if chain is not None:
        try:
            there = chain.head_file.read()
            kept = None if there is None else there.position
            if kept is not None:
                head = "missing" if chain.head_file.missing_in(book) else "there"
        except LedgerError:
            head = "not_seen"
    running = verifying.progress if verifying.is_running else None
    return Wholeness(
        book.head().position, checkpoints[-1] if checkpoints else None, head, kept, verifying.last, running
    )
