"""Whether the ledger's end was cut off, as the head that was kept elsewhere tells."""

from __future__ import annotations

from typing import NamedTuple

from consentivr.console.settings import Chain
from consentivr.ledger import LedgerError
from consentivr.ledger.searching import Searching


class Cut(NamedTuple):
    """The ledger ends at row ``end``; what was kept elsewhere knows row ``known`` of the time ``at`` (UTC)."""

    end: int
    known: int
    at: str


def cut(book: Searching, chain: Chain | None) -> Cut | None:
    """None when it holds all that is known, or nothing was kept that can be read. Raises LedgerError."""
    if chain is None:
        return None
    try:
        kept = chain.head_file.read()
    except LedgerError:  # the access log's page says so
        return None
    if kept is None or kept.position == 0 or book.hash_at(kept.position) == kept.hash:
        return None
    return Cut(book.head().position, kept.position, kept.at[:19].replace("T", " "))
