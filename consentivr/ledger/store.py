"""The ledger in SQLite: schema, appending in one transaction, reading.

Everything here blocks and belongs into a worker thread (``writer``) or into the command line. One
``Ledger`` must be used by one thread only.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from consentivr.core import chain
from consentivr.core.consent import NoticeVersion
from consentivr.ledger.errors import LedgerError, LedgerUnavailable

SCHEMA_VERSION = 1

FIRST_TURN = "decision"
"""The turn that brings a caller's personal data into the ledger: later turns must not bring back what was erased."""

ERASURE = "erasure"
"""The turn that is the receipt for an erasure."""

metadata = sa.MetaData()

entries = sa.Table(
    "entry",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.Text, nullable=False, doc="UTC, ISO 8601 with microseconds"),
    sa.Column("channel_uuid", sa.Text, nullable=False, index=True),
    sa.Column("turn", sa.Text, nullable=False),
    sa.Column("line", sa.Text, nullable=False),
    sa.Column("queue", sa.Text, nullable=False),
    sa.Column("mode", sa.Text, nullable=False),
    sa.Column("evidence", sa.Text, nullable=False, doc="JSON object"),
    sa.Column("commitment", sa.Text, doc="of the caller's personal data; see core.chain"),
    sa.Column("position", sa.Integer, nullable=False, unique=True, doc="in the chain, from 1"),
    sa.Column("previous", sa.Text, nullable=False, doc="hash of the row before"),
    sa.Column("hash", sa.Text, nullable=False),
    sqlite_autoincrement=True,
)

callers = sa.Table(
    "caller",
    metadata,
    sa.Column("channel_uuid", sa.Text, primary_key=True),
    sa.Column("caller_id_number", sa.Text, nullable=False, index=True),
    sa.Column("key", sa.Text, nullable=False, doc="of the commitment; erased with the number"),
    comment="Personal data, apart from the rows so that a person can be forgotten (GDPR art. 17).",
)

notices = sa.Table(
    "notice",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("audio_sha256", sa.Text, nullable=False),
    sa.Column("duration_ms", sa.Integer, nullable=False),
    comment="Each wording that was ever asked, as it was heard.",
)

Notice = NoticeVersion


def _now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass(frozen=True)
class Entry:
    """One row: one turn of one call. ``at`` is UTC."""

    channel_uuid: str
    turn: str
    line: str
    queue: str
    mode: str
    evidence: dict[str, Any] = field(default_factory=dict)
    caller_id_number: str | None = None
    at: datetime = field(default_factory=_now)
    seq: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "seq": self.seq,
            "at": self.at.isoformat(timespec="microseconds"),
            "channel_uuid": self.channel_uuid,
            "turn": self.turn,
            "line": self.line,
            "queue": self.queue,
            "mode": self.mode,
            "evidence": self.evidence,
            "caller_id_number": self.caller_id_number,
        }


_HASHED = ("at", "channel_uuid", "turn", "line", "queue", "mode", "evidence", "commitment", "position")


class Ledger:
    """An open ledger file.

    Raises LedgerError with a remedy when the file cannot be opened; ``append`` raises
    LedgerUnavailable when nothing of the batch was written.
    """

    def __init__(self, path: Path, *, create: bool = True, busy_timeout_ms: int = 250) -> None:
        self.path = path
        if not create and not path.exists():
            raise LedgerError(f"there is no ledger at {path}: start 'consentivr serve' once, or see ledger.path")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._engine = sa.create_engine(
                f"sqlite:///{path}",
                poolclass=sa.pool.StaticPool,
                connect_args={"timeout": busy_timeout_ms / 1000, "check_same_thread": False},
            )
            sa.event.listen(self._engine, "connect", _prepare_connection)
            sa.event.listen(self._engine, "begin", _begin)
            self._prepare_schema()
        except (OSError, sa.exc.SQLAlchemyError, sqlite3.Error) as error:
            raise LedgerError(f"the ledger {path} cannot be opened: {_plain(error)}; {_remedy(error)}") from error

    def _prepare_schema(self) -> None:
        with self._engine.execution_options(**_WRITES).begin() as connection:
            version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
            if version > SCHEMA_VERSION:
                raise LedgerError(
                    f"the ledger {self.path} was written by a newer consentivr (schema {version}, "
                    f"this one knows {SCHEMA_VERSION}): install that version"
                )
            if version == 0:
                metadata.create_all(connection)
                for verb in ("UPDATE", "DELETE"):
                    connection.exec_driver_sql(
                        f"CREATE TRIGGER IF NOT EXISTS entry_no_{verb.lower()} BEFORE {verb} ON entry "
                        "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
                    )
                connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def append(self, batch: Sequence[Entry]) -> None:
        """Write all rows in one transaction; they are on disk when this returns."""
        try:
            with self._engine.execution_options(**_WRITES).begin() as connection:
                _extend(connection, batch, _keys_of_callers(connection, batch))
        except (sa.exc.SQLAlchemyError, sqlite3.Error) as error:
            raise LedgerUnavailable(f"{_plain(error)}; {_remedy(error)}") from error

    def add_notice(self, notice: NoticeVersion) -> None:
        """Keep the wording that decisions refer to by its digest."""
        row = {
            "digest": notice.digest,
            "language": notice.language,
            "text": notice.text,
            "audio_sha256": notice.audio_sha256,
            "duration_ms": notice.duration_ms,
        }
        try:
            with self._engine.execution_options(**_WRITES).begin() as connection:
                connection.execute(notices.insert().prefix_with("OR IGNORE"), row)
        except (sa.exc.SQLAlchemyError, sqlite3.Error) as error:
            raise LedgerUnavailable(f"{_plain(error)}; {_remedy(error)}") from error

    def check_writable(self) -> None:
        """Raises LedgerError unless a row could be written now. Leaves nothing behind."""
        try:
            with self._engine.execution_options(**_WRITES).connect() as connection:
                connection.execute(
                    notices.insert(),
                    {"digest": "-", "language": "", "text": "", "audio_sha256": "", "duration_ms": 0},
                )
                connection.rollback()
        except (sa.exc.SQLAlchemyError, sqlite3.Error) as error:
            raise LedgerError(f"the ledger {self.path} cannot be written: {_plain(error)}; {_remedy(error)}") from error

    def read(
        self, channel_uuid: str | None = None, turn: str | None = None, limit: int | None = None
    ) -> Iterator[Entry]:
        """Rows in the order in which they were written; with ``limit`` the newest ones of them."""
        query = sa.select(entries, callers.c.caller_id_number).join(
            callers, callers.c.channel_uuid == entries.c.channel_uuid, isouter=True
        )
        if channel_uuid is not None:
            query = query.where(entries.c.channel_uuid == channel_uuid)
        if turn is not None:
            query = query.where(entries.c.turn == turn)
        if limit is not None:
            newest = query.order_by(entries.c.seq.desc()).limit(limit).subquery()
            query = sa.select(newest)
            query = query.order_by(newest.c.seq)
        else:
            query = query.order_by(entries.c.seq)
        with self._engine.connect() as connection:
            for row in connection.execute(query):
                yield Entry(
                    channel_uuid=row.channel_uuid,
                    turn=row.turn,
                    line=row.line,
                    queue=row.queue,
                    mode=row.mode,
                    evidence=json.loads(row.evidence),
                    caller_id_number=row.caller_id_number,
                    at=datetime.fromisoformat(row.at),
                    seq=row.seq,
                )

    def links(
        self,
        channels: Sequence[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[chain.Link]:
        """The chain in the order in which its rows are stored, for ``core.chain.verify``.

        With ``channels``, ``since`` or ``until`` (UTC; the end is not included) an excerpt of it.
        """
        with self._engine.connect() as connection:
            receipts = set(
                connection.execute(sa.select(entries.c.channel_uuid).where(entries.c.turn == ERASURE)).scalars()
            )
            query = sa.select(entries, callers.c.key, callers.c.caller_id_number).join(
                callers, callers.c.channel_uuid == entries.c.channel_uuid, isouter=True
            )
            if channels is not None:
                query = query.where(entries.c.channel_uuid.in_(list(channels)))
            if since is not None:
                query = query.where(entries.c.at >= since.isoformat(timespec="microseconds"))
            if until is not None:
                query = query.where(entries.c.at < until.isoformat(timespec="microseconds"))
            for row in connection.execute(query.order_by(entries.c.seq)):
                content = {column: getattr(row, column) for column in _HASHED}
                personal = (row.key, row.caller_id_number) if row.key is not None else None
                yield chain.Link(row.position, row.previous, row.hash, content, personal, row.channel_uuid in receipts)

    def erase(self, channels: Sequence[str], evidence: dict[str, Any]) -> None:
        """Erase the personal data of calls and leave a receipt for each (GDPR art. 17).

        ``secure_delete`` overwrites the freed pages; the write-ahead log, which still holds older
        ones, is emptied. Raises LedgerUnavailable; nothing is erased then.
        """
        receipts = []
        for channel in channels:
            last = list(self.read(channel))[-1]
            receipts.append(replace(last, turn=ERASURE, evidence=evidence, at=_now(), seq=None, caller_id_number=None))
        try:
            with self._engine.execution_options(**_WRITES).begin() as connection:
                connection.execute(callers.delete().where(callers.c.channel_uuid.in_(list(channels))))
                _extend(connection, receipts, {})
            with self._engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        except (sa.exc.SQLAlchemyError, sqlite3.Error) as error:
            raise LedgerUnavailable(f"{_plain(error)}; {_remedy(error)}") from error

    def channels_of(self, caller_id_number: str) -> list[str]:
        """The calls of one caller."""
        query = sa.select(callers.c.channel_uuid).where(callers.c.caller_id_number == caller_id_number)
        with self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def notice(self, digest: str) -> NoticeVersion | None:
        """The wording behind a digest."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(notices).where(notices.c.digest == digest)).one_or_none()
        if row is None:
            return None
        return NoticeVersion(row.language, row.text, row.audio_sha256, row.duration_ms)

    def close(self) -> None:
        """Close the file."""
        self._engine.dispose()


def _prepare_connection(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # transactions begin in _begin, not behind SQLAlchemy's back
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    # FULL: a committed row survives the loss of power, not only of the process (promise P1).
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA secure_delete = ON")
    cursor.close()


_WRITES = {"consentivr_writes": True}


def _begin(connection: sa.Connection) -> None:
    """A writer takes its lock first: several processes may continue one chain."""
    options = connection.get_execution_options()
    if options.get("isolation_level") == "AUTOCOMMIT":
        return
    writes = options.get("consentivr_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


# --- the chain -------------------------------------------------------------------------------


def _extend(connection: sa.Connection, batch: Sequence[Entry], personal: Mapping[str, tuple[str, str]]) -> None:
    """Write rows after the last one there is; ``personal`` has the commitment's key and the number by call."""
    last = connection.execute(
        sa.select(entries.c.position, entries.c.hash).order_by(entries.c.position.desc()).limit(1)
    ).one_or_none()
    position, previous = (last.position, last.hash) if last else (0, chain.GENESIS)
    rows = []
    for entry in batch:
        position += 1
        rows.append(_chained(entry, position, previous, personal.get(entry.channel_uuid)))
        previous = rows[-1]["hash"]
    if rows:
        connection.execute(entries.insert(), rows)


def _keys_of_callers(connection: sa.Connection, batch: Sequence[Entry]) -> dict[str, tuple[str, str]]:
    """For each call of the batch whose caller is known: the commitment's key and the number.

    The first row of a call brings both into the table; later rows find them, unless they were erased.
    """
    new = {entry.channel_uuid: entry for entry in batch if entry.caller_id_number and entry.turn == FIRST_TURN}
    if new:
        people = [
            {"channel_uuid": channel, "caller_id_number": entry.caller_id_number, "key": secrets.token_hex(32)}
            for channel, entry in new.items()
        ]
        connection.execute(callers.insert().prefix_with("OR IGNORE"), people)
    wanted = sorted({entry.channel_uuid for entry in batch})
    found = connection.execute(sa.select(callers).where(callers.c.channel_uuid.in_(wanted)))
    return {row.channel_uuid: (row.key, row.caller_id_number) for row in found}


def _chained(entry: Entry, position: int, previous: str, personal: tuple[str, str] | None) -> dict[str, Any]:
    row = {
        "at": entry.at.isoformat(timespec="microseconds"),
        "channel_uuid": entry.channel_uuid,
        "turn": entry.turn,
        "line": entry.line,
        "queue": entry.queue,
        "mode": entry.mode,
        "evidence": chain.canonical(entry.evidence).decode("ascii"),
        "commitment": chain.commitment(*personal) if personal else None,
        "position": position,
    }
    return {**row, "previous": previous, "hash": chain.link(previous, row)}


def _plain(error: BaseException) -> str:
    return str(getattr(error, "orig", None) or error)


def _remedy(error: BaseException) -> str:
    text = _plain(error).lower()
    if "full" in text:
        return "make room on its disk"
    if "readonly" in text or "permission" in text or "unable to open" in text:
        return "give the user that runs consentivr write access to the file and its folder"
    if "locked" in text:
        return "end the program that holds the file locked"
    if "not a database" in text or "malformed" in text:
        return "move the damaged file away and restore it from the backup"
    return "see the message, and 'consentivr check'"
