"""The append-only store of who decided what, and what followed."""

from consentivr.ledger.errors import LedgerError, LedgerUnavailable
from consentivr.ledger.export import as_csv, as_json, verify_json
from consentivr.ledger.store import Entry, Ledger, Notice
from consentivr.ledger.writer import LedgerWriter

__all__ = [
    "Entry",
    "Ledger",
    "LedgerError",
    "LedgerUnavailable",
    "LedgerWriter",
    "Notice",
    "as_csv",
    "as_json",
    "verify_json",
]
