"""What can go wrong with the ledger."""


class LedgerError(Exception):
    """The ledger cannot be opened or read. The message says what to do."""


class NoLedger(LedgerError):
    """There is none at that place. ``what`` says it without what to do."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}: {remedy}")
        self.what = what


class LedgerUnavailable(LedgerError):
    """A row is not durable now, or not in time. It is kept and tried again."""
