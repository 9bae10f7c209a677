"""SQLite and PostgreSQL: everything in which they differ."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from consentivr.files import make_folder, open_private
from consentivr.ledger.errors import LedgerError

WRITES = {"consentivr_writes": True}
"""Execution options of a transaction that writes: it takes the chain's lock first."""

_CHAIN_LOCK = 0x636F6E73
"""PostgreSQL's advisory lock for whoever continues the chain: 'cons' in ASCII."""

LONGEST_READ_S = 10
"""A statement of a read-only connection is ended after so many seconds."""

Identity = tuple[int, int, int]
"""Of a file: device, inode, number of links."""

DatabaseError = (sa.exc.SQLAlchemyError, sqlite3.Error, OSError)


class Database(ABC):
    """A place for a ledger. One database must be used by one thread only, but for ``interrupt``."""

    name: str
    """For messages; holds no secret."""
    engine: sa.Engine

    @abstractmethod
    def exists(self) -> bool:
        """Whether there is anything yet."""

    @abstractmethod
    def insert(self, table: sa.Table) -> Any:
        """An insert in this database's dialect, which knows what to do about a key that is there already."""

    @abstractmethod
    def among(self, column: str) -> str:
        """A condition: the column is one of the parameter ``names``, made by ``names``."""

    def names(self, names: Sequence[str]) -> Any:
        """The parameter for ``among``."""
        return list(names)

    @abstractmethod
    def parameter(self, name: str) -> str:
        """How a statement of the database's own names a parameter."""

    def run(self, connection: sa.Connection, sql: str, parameters: Any = None) -> Sequence[Any]:
        """The rows that a statement of every call gives. Like the statement it is the database's own."""
        result = connection.exec_driver_sql(sql, parameters)
        return result.all() if result.returns_rows else ()

    @abstractmethod
    def overwrite_freed(self) -> str | None:
        """Overwrite what was deleted. None when nothing is left of it, else what the operator must do.

        To be done once more by whoever finds that an erasure was interrupted: it does no harm.
        """

    beyond: str | None = None
    """Where what was deleted may still be, out of our reach."""

    def empty_log(self) -> None:  # noqa: B027 - that of PostgreSQL is its own
        """Of what an erasure that was killed may have left there."""

    def check_promises(self) -> None:  # noqa: B027 - SQLite is told on each connection
        """Raises LedgerError when a committed row would not survive the loss of power."""

    def freeze(self, connection: sa.Connection) -> None:  # noqa: B027 - in SQLite it always is so
        """All that this transaction reads is of one moment. To be called first in it."""

    def settle_doubt(self, connection: sa.Connection) -> None:  # noqa: B027 - SQLite needs none
        """Rows of an append whose answer was lost are there: make this transaction wait for them to be safe."""

    def interrupt(self) -> None:  # noqa: B027 - SQLite needs none
        """Called from another thread when nothing came back for too long: the statement fails then."""

    def remember_place(self) -> None:  # noqa: B027 - a connection to PostgreSQL is to the database, not to its place
        """It is where it should be now; for ``displaced``."""

    def displaced(self) -> str | None:
        """Why what is written is not found where the ledger is looked for, and what to do; None when it is."""
        return None

    @abstractmethod
    def remedy(self, error: BaseException) -> str:
        """What the operator can do about an error."""

    def analyze(self) -> None:
        """Let the database learn what is in it, so that it answers in the best way."""
        with self.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.exec_driver_sql("ANALYZE")

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def open_database(location: str | Path, *, patience_s: float, create: bool, read_only: bool = False) -> Database:
    """The database at a path or a postgresql:// URL. ``patience_s`` is how long a lock is waited for.

    ``read_only``: no statement changes anything, and none takes longer than ``LONGEST_READ_S``.
    """
    if str(location).startswith("postgresql://"):
        return Postgresql(str(location), patience_s, read_only)
    return Sqlite(Path(location), patience_s, create, read_only)


def plain(error: BaseException) -> str:
    """The database's own words, in one line."""
    return " ".join(str(getattr(error, "orig", None) or error).split())


# --- SQLite ----------------------------------------------------------------------------------


class Sqlite(Database):
    """A file."""

    def __init__(self, path: Path, patience_s: float, create: bool, read_only: bool = False) -> None:
        self.name = str(path)
        self._path = path
        if create:
            make_folder(path.parent)
            # WAL and shared memory take their mode from it. One that is there is not opened: closing it would end the
            # locks that SQLite has on it elsewhere in this process. Why it cannot be made, SQLite says.
            with contextlib.suppress(OSError):
                os.close(open_private(path, os.O_RDWR | os.O_EXCL))
        self.engine = sa.create_engine(
            f"sqlite:///{path}",
            poolclass=sa.pool.StaticPool,
            hide_parameters=True,  # a number in a message would end in a log (promise P8)
            paramstyle="named",
            connect_args={"timeout": patience_s, "check_same_thread": False},
        )
        sa.event.listen(self.engine, "connect", _read_only_sqlite if read_only else _prepare_sqlite)
        sa.event.listen(self.engine, "begin", _begin_sqlite)
        self._place: list[Identity | None] | None = None

    def exists(self) -> bool:
        return self._path.exists()

    def insert(self, table: sa.Table) -> Any:
        return sqlite.insert(table)

    def among(self, column: str) -> str:
        return f"{column} IN (SELECT value FROM json_each(:names))"  # noqa: S608

    def names(self, names: Sequence[str]) -> Any:
        return json.dumps(names)

    def parameter(self, name: str) -> str:
        return f":{name}"

    def run(self, connection: sa.Connection, sql: str, parameters: Any = None) -> Sequence[Any]:
        """Past SQLAlchemy, which takes ten times as long for a statement as SQLite does."""
        raw: Any = connection.connection.dbapi_connection
        many = isinstance(parameters, list)
        return (raw.executemany if many else raw.execute)(sql, parameters or {}).fetchall()  # type: ignore[no-any-return]

    def remember_place(self) -> None:
        self._place = self._files()

    def displaced(self) -> str | None:
        """Who moves or replaces the file or its write-ahead log only hides those that are open here."""
        if self._place is None or self._files() == self._place:
            return None
        return (
            f"{self.name} or its write-ahead log was moved, deleted, linked or replaced while it is written, so its "
            "rows are found by nobody: put back what was there, or stop consentivr, restore the ledger and start again"
        )

    def _files(self) -> list[Identity | None]:
        return [_identity(self._path), _identity(self._path.with_name(f"{self._path.name}-wal"))]

    def overwrite_freed(self) -> str | None:
        """``secure_delete`` has overwritten the freed pages; the write-ahead log still holds older ones.

        It can only be emptied while nobody reads what is in it, which is waited for.
        """
        if self._empties_log():
            return None
        return (
            f"someone is reading {self.name}, so its write-ahead log still holds what was erased: "
            "end that program, then run 'consentivr retention run', which empties it"
        )

    def empty_log(self) -> None:
        with contextlib.suppress(*DatabaseError):
            self._empties_log()

    def _empties_log(self) -> bool:
        with self.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]
        return not busy

    def remedy(self, error: BaseException) -> str:
        text = plain(error).lower()
        if "full" in text:
            return "make room on its disk"
        if "readonly" in text or "permission" in text or "unable to open" in text:
            return "give the user that runs consentivr write access to the file and its folder"
        if "locked" in text:
            return "end the program that holds the file locked"
        if "not a database" in text or "malformed" in text:
            return "move the damaged file away and restore it from the backup"
        return "see the message, and 'consentivr check'"


def _identity(path: Path) -> Identity | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_nlink


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # transactions begin in _begin_sqlite, not behind SQLAlchemy's back
    cursor = connection.cursor()
    with contextlib.suppress(sqlite3.OperationalError):  # a read-only file is read as it is
        cursor.execute("PRAGMA journal_mode = WAL")
    # FULL: a committed row survives the loss of power, not only of the process (promise P1).
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA secure_delete = ON")
    cursor.close()


def _read_only_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA query_only = ON")
    began = time.monotonic()

    def is_new_statement(_statement: str) -> None:
        nonlocal began
        began = time.monotonic()

    connection.set_trace_callback(is_new_statement)
    connection.set_progress_handler(lambda: time.monotonic() - began > LONGEST_READ_S, 100_000)


def _begin_sqlite(connection: sa.Connection) -> None:
    """A writer takes its lock first: several processes may continue one chain."""
    options = connection.get_execution_options()
    if options.get("isolation_level") != "AUTOCOMMIT":
        raw: Any = connection.connection.dbapi_connection
        raw.execute("BEGIN IMMEDIATE" if options.get("consentivr_writes") else "BEGIN")


# --- PostgreSQL ------------------------------------------------------------------------------


class Postgresql(Database):
    """A server, or several of which one takes writes. The password comes from libpq's password file."""

    def __init__(self, url: str, patience_s: float, read_only: bool = False) -> None:
        try:
            import psycopg
            from psycopg import conninfo
        except ImportError:
            raise LedgerError("PostgreSQL needs more: pip install 'consentivr[postgresql]'") from None
        try:
            given = conninfo.conninfo_to_dict(url)
        except psycopg.Error as error:
            raise LedgerError(f"ledger.url is no address of PostgreSQL: {plain(error)}") from None
        self.name = f"{given.get('dbname', '')} on {given.get('host', 'localhost')}"
        # No statement_timeout: it would end the wait for a synchronous standby with a mere warning.
        settings = (
            f"-c lock_timeout={int(patience_s * 1000)} -c synchronous_commit=on "
            "-c idle_in_transaction_session_timeout=60000 -c cursor_tuple_fraction=1"  # answers are read to their end
        )
        if read_only:
            settings += f" -c default_transaction_read_only=on -c statement_timeout={LONGEST_READ_S}s"
        self._connect_with: dict[str, Any] = {
            # A node that is gone is given up within seconds, and a standby is no place to write to.
            "connect_timeout": 3,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 2,
            "tcp_user_timeout": 5000,
            "target_session_attrs": "any" if read_only else "read-write",
            "application_name": "consentivr",
            **given,
            "options": f"{settings} {given.get('options', '')}".strip(),
        }
        self._connection: Any = None
        self.engine = sa.create_engine(
            "postgresql+psycopg://",
            creator=self._connect,
            pool_size=1,
            max_overflow=1,
            pool_pre_ping=True,
            hide_parameters=True,
        )
        sa.event.listen(self.engine, "begin", _begin_postgresql)

    def _connect(self) -> Any:
        import psycopg

        self._connection = psycopg.connect(**self._connect_with)
        return self._connection

    def exists(self) -> bool:
        return True

    def insert(self, table: sa.Table) -> Any:
        return postgresql.insert(table)

    def among(self, column: str) -> str:
        return f"{column} = ANY(%(names)s)"

    def parameter(self, name: str) -> str:
        return f"%({name})s"

    beyond = (
        "numbers are gone from PostgreSQL's tables; its write-ahead log (pg_wal) holds them until it is recycled, and "
        "archives, standbys' logs and backups as long as you keep them. The space of forgotten rows is free, and holds "
        "them until new rows take it: 'VACUUM (FULL) entry' ends that, at a time when no call comes"
    )

    def overwrite_freed(self) -> str | None:
        """What is erasable is written anew, which frees its old file; the rows are vacuumed.

        So are the samples that PostgreSQL keeps of what stood in them: there are none of the numbers (migration 0004).
        """
        with self.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            for statement in (
                "VACUUM (FULL) caller",
                "VACUUM (FULL) foreign_file",
                "VACUUM (ANALYZE) entry",
                "VACUUM (ANALYZE) taken",
                "VACUUM (FULL) pg_catalog.pg_statistic",
            ):
                connection.exec_driver_sql(statement)
        return None

    def check_promises(self) -> None:
        with self.engine.connect() as connection:
            if connection.exec_driver_sql("SHOW fsync").scalar_one() != "on":
                raise LedgerError(f"{self.name} runs with fsync off, and loses rows with its power: set fsync = on")

    def freeze(self, connection: sa.Connection) -> None:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")

    def settle_doubt(self, connection: sa.Connection) -> None:
        """A commit that writes nothing would not wait for the disk, nor for a synchronous standby."""
        connection.exec_driver_sql("SELECT pg_logical_emit_message(true, 'consentivr', '')")

    def interrupt(self) -> None:
        """Cut the connection under a statement that the server has not answered."""
        connection = self._connection
        if connection is not None and not connection.closed:
            with contextlib.suppress(OSError), socket.socket(fileno=connection.fileno()) as shared:
                try:
                    shared.shutdown(socket.SHUT_RDWR)
                finally:
                    shared.detach()

    def remedy(self, error: BaseException) -> str:
        text = plain(error).lower()
        if "password" in text or "authentication" in text or "pg_hba" in text:
            return "put the password into libpq's password file (PGPASSFILE), or see pg_hba.conf"
        if "does not exist" in text:
            return "make the database and its user, or see ledger.url"
        if "permission denied" in text or "must be owner" in text:
            return "make the user of ledger.url the owner of the database"
        if "could not extend" in text or "no space" in text or "disk full" in text:
            return "make room on the server's disk"
        if "lock timeout" in text:
            return "someone holds the ledger locked: see pg_stat_activity"
        if "read-only" in text or "not accepting connections" in text or "starting up" in text:
            return "promote a server that takes writes"
        if "connect" in text or "server closed" in text or "terminat" in text:
            return "see that the server runs and is reached"
        return "see the message, and 'consentivr check'"


def _begin_postgresql(connection: sa.Connection) -> None:
    """Whoever continues the chain does so alone, on whatever node."""
    if connection.get_execution_options().get("consentivr_writes"):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_CHAIN_LOCK})")
