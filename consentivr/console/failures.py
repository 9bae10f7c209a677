"""Who could not sign in, as rows that a flood does not multiply: the first is one at once, what follows is counted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from consentivr.console import access
from consentivr.console.books import Books
from consentivr.core.roles import Account
from consentivr.core.turn import Turn

TOGETHER_S = 600
"""What fails alike within so many seconds is one row at first, and one at the end with how often it was."""


@dataclass
class _Counting:
    account: Account | None
    until: float
    times: int = 0


class Failures:
    """By account and reason; whatever names no account of ours is one, so that there are no more rows than accounts."""

    def __init__(self, books: Books, clock: Callable[[], float] = time.monotonic) -> None:
        self._books, self._clock = books, clock
        self._counting: dict[tuple[str, str], _Counting] = {}
        self._lock = threading.Lock()

    def note(self, account: Account | None, why: str) -> None:
        """``account`` None: a name that is none of ours, and is not kept: people type passwords there.

        Raises LedgerError.
        """
        with self._lock:
            key = (account.name if account else "", why)
            if key in self._counting:
                self._counting[key].times += 1
                return
            counting = self._counting[key] = _Counting(account, self._clock() + TOGETHER_S)
        try:
            self._write(account, why, 1)
        except BaseException:
            counting.times += 1
            raise

    def flush(self, *, all_of_it: bool = False) -> None:
        """Rows of what was counted long enough. Raises LedgerError: what was counted is kept then."""
        with self._lock:
            over = [key for key, one in self._counting.items() if all_of_it or one.until <= self._clock()]
        for key in over:
            with self._lock:
                one = self._counting.pop(key, None)
            if one is not None and one.times:
                try:
                    self._write(one.account, key[1], one.times)
                except BaseException:
                    with self._lock:
                        self._counting.setdefault(key, one)
                    raise

    def _write(self, account: Account | None, why: str, times: int) -> None:
        self._books.append([access.row_of(account, Turn.SIGN_IN_FAILED, why=why, times=times)])
