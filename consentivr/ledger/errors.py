"""What can go wrong with the ledger."""


class LedgerError(Exception):
    """The ledger cannot be opened or read. The message says what to do."""


class LedgerUnavailable(LedgerError):
    """A row is not durable now, or not in time. It is kept and tried again."""
