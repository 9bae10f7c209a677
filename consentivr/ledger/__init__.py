"""The append-only store of who decided what, and what followed."""

from consentivr.ledger.errors import LedgerError, LedgerUnavailable
from consentivr.ledger.store import Entry, Ledger, Notice
from consentivr.ledger.writer import LedgerWriter

__all__ = ["Entry", "Ledger", "LedgerError", "LedgerUnavailable", "LedgerWriter", "Notice"]
