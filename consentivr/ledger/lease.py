"""Who may do what only one may do at a time, held where the ledger is: a lock that ends with its holder.

A file's lock beside SQLite, an advisory lock of PostgreSQL for several machines.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path
from typing import Any

from consentivr.files import open_private
from consentivr.threads import Worker


class FileLease:
    """A lock on a file: for processes of one machine. The kernel gives it back when the process ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def take(self) -> bool:
        """Whether it is ours now; does not wait. Raises OSError when the file cannot be made."""
        if self._file is not None:
            return True
        file = open_private(self._path, os.O_RDWR)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        self._file = file
        return True

    def holds(self) -> bool:
        """Whether it still is ours."""
        return self._file is not None

    def release(self) -> None:
        """Let somebody else have it."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


_SILENT_PEER = (
    ("tcp_keepalives_idle", 2),
    ("tcp_keepalives_interval", 2),
    ("tcp_keepalives_count", 3),
    ("tcp_user_timeout", 6000),
)
"""PostgreSQL's own settings, in seconds, the last in milliseconds: when the other end is taken for dead. Its defaults
would keep a lock for hours after the machine of its holder lost power."""


class PostgresLease:
    """A session's advisory lock: it ends when the connection does, on whichever machine its holder was."""

    def __init__(self, url: str, name: str) -> None:
        """``name`` of what may be done by one alone."""
        self._url = url
        self._key = int.from_bytes(hashlib.sha256(f"consentivr {name}".encode()).digest()[:8], "big", signed=True)
        self._worker = Worker()
        self._connection: Any = None

    def take(self) -> bool:
        """Whether it is ours now; does not wait for who has it. Raises OSError when the database does not answer."""
        return self._worker.run(self._take)

    def holds(self) -> bool:
        """Whether it still is ours: a connection that was lost has let go of it."""
        return self._worker.run(self._is_alive)

    def release(self) -> None:
        """Let somebody else have it."""
        self._worker.run(self._close)

    def _take(self) -> bool:
        import psycopg

        if self._is_alive():
            return True
        try:
            connection = psycopg.connect(
                self._url,
                autocommit=True,
                connect_timeout=5,
                target_session_attrs="read-write",  # a lock on a standby is another lock
                keepalives_idle=2,
                keepalives_interval=2,
                keepalives_count=3,
                tcp_user_timeout=6000,
            )
            for name, value in _SILENT_PEER:
                connection.execute(f"SET {name} = {value}")
            found = connection.execute("SELECT pg_try_advisory_lock(%s)", (self._key,)).fetchone()
        except psycopg.Error as error:
            raise OSError(f"the ledger's database does not answer: {error}") from None
        if found is None or not found[0]:
            connection.close()
            return False
        self._connection = connection
        return True

    def _is_alive(self) -> bool:
        import psycopg

        if self._connection is None:
            return False
        try:
            self._connection.execute("SELECT 1")
        except psycopg.Error:
            self._close()
            return False
        return True

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def lease_for(location: str, name: str) -> FileLease | PostgresLease:
    """To do ``name`` alone, among all that share the ledger at this path or URL."""
    if location.startswith("postgresql://"):
        return PostgresLease(location, name)
    place = Path(location)
    return FileLease(place.with_name(f"{place.name}.{hashlib.sha256(name.encode()).hexdigest()[:16]}.lease"))
