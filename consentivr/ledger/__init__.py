"""The append-only store of who decided what, and what followed."""

from consentivr.ledger.entry import CallRef, Entry
from consentivr.ledger.errors import LedgerError, LedgerUnavailable
from consentivr.ledger.signing import SignedCheckpoint, Signer, Verifier, make_key
from consentivr.ledger.store import NO_CALL, REGISTER, Ledger, Search
from consentivr.ledger.writer import LedgerWriter

__all__ = [
    "NO_CALL",
    "REGISTER",
    "CallRef",
    "Entry",
    "Ledger",
    "LedgerError",
    "LedgerUnavailable",
    "LedgerWriter",
    "Search",
    "SignedCheckpoint",
    "Signer",
    "Verifier",
    "make_key",
]
