"""The ledger, for many threads: some read-only connections in turn, and one that appends."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from consentivr.ledger import Entry, Ledger, LedgerError
from consentivr.ledger.searching import Searching

AT_ONCE = 8
"""Read-only connections; whoever comes ninth waits."""


class Books:
    """``read`` opens one more read-only connection, ``write`` the one that appends; both raise LedgerError."""

    def __init__(self, read: Callable[[], Searching], write: Callable[[], Ledger]) -> None:
        self._read, self._write = read, write
        self._free: queue.LifoQueue[Searching | None] = queue.LifoQueue()
        for _ in range(AT_ONCE):
            self._free.put(None)
        self._writer: Ledger | None = None
        self._writing = threading.Lock()
        self.before_close: list[Callable[[], None]] = []
        """Who has rows to write then; each may raise LedgerError."""

    @contextmanager
    def reading(self) -> Iterator[Searching]:
        """The ledger, read-only, for this thread alone. Raises LedgerError; a broken connection is not used again."""
        book = self._free.get()
        try:
            if book is None:
                book = self._read()
            yield book
        except BaseException:
            if book is not None:
                book.close()
                book = None
            raise
        finally:
            self._free.put(book)

    @contextmanager
    def writing(self) -> Iterator[Ledger]:
        """The ledger for whoever appends and erases, one at a time. Raises LedgerError."""
        with self._writing:
            if self._writer is None:
                self._writer = self._write()
            try:
                yield self._writer
            except BaseException:
                self._writer.close()
                self._writer = None
                raise

    def append(self, rows: Sequence[Entry]) -> None:
        """Rows, durable when this returns. Raises LedgerError: nothing may be shown then that they tell of."""
        with self.writing() as book:
            book.append(rows)

    def close(self) -> None:
        """Close every connection; nobody else uses one any more."""
        for write_last in self.before_close:
            with suppress(LedgerError):
                write_last()
        with self._writing:
            if self._writer is not None:
                self._writer.close()
                self._writer = None
        while not self._free.empty():
            book = self._free.get()
            if book is not None:
                book.close()
