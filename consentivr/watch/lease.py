"""Each switch has exactly one watch at a time: who holds the lease. It ends with its holder, however that dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Protocol


class Lease(Protocol):
    """To watch one switch."""

    def take(self) -> bool:
        """Whether it is ours now; does not wait."""
        ...

    def release(self) -> None:
        """Let somebody else have it."""
        ...


class FileLease:
    """A lock on a file beside the ledger: for processes of one machine."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def take(self) -> bool:
        """The kernel gives it back when the process ends. Raises OSError when the file cannot be made."""
        if self._file is not None:
            return True
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        self._file = file
        return True

    def release(self) -> None:
        """Let somebody else have it."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
