"""The append-only store of who decided what, and what followed."""

from consentivr.ledger.entry import CONSOLE, NO_CALL, NO_CALLS, REGISTER, CallRef, Entry
from consentivr.ledger.errors import LedgerError, LedgerUnavailable, NoLedger
from consentivr.ledger.head import HeadFile, check_head, check_there
from consentivr.ledger.lease import FileLease, PostgresLease, lease_for
from consentivr.ledger.search import Search
from consentivr.ledger.signing import SignedCheckpoint, Signer, Verifier, make_key
from consentivr.ledger.store import Ledger
from consentivr.ledger.writer import LedgerWriter

__all__ = [
    "CONSOLE",
    "NO_CALL",
    "NO_CALLS",
    "REGISTER",
    "CallRef",
    "Entry",
    "FileLease",
    "HeadFile",
    "Ledger",
    "LedgerError",
    "LedgerUnavailable",
    "LedgerWriter",
    "NoLedger",
    "PostgresLease",
    "Search",
    "SignedCheckpoint",
    "Signer",
    "Verifier",
    "check_head",
    "check_there",
    "lease_for",
    "make_key",
]
