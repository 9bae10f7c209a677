"""The ledger: appending in one transaction, reading, erasing with a receipt.

Everything here blocks and belongs into a worker thread (``writer``) or into the command line. One
``Ledger`` must be used by one thread only.
"""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from consentivr.core import chain
from consentivr.core.chain import Link, Ranges
from consentivr.core.consent import NoticeVersion
from consentivr.core.evidence import Turn
from consentivr.ledger.databases import WRITES, DatabaseError, open_database, plain
from consentivr.ledger.entry import (
    CHAINED,
    ENTRY_COLUMNS,
    CallRef,
    Entry,
    as_text,
    chained,
    entry_of,
    hashed,
    now,
    storable,
)
from consentivr.ledger.errors import LedgerError, LedgerUnavailable
from consentivr.ledger.schema import ERASED, SCHEMA, callers, checkpoints, entries, evidence_text, notices, tallies
from consentivr.ledger.signing import SignedCheckpoint, Signer

FIRST_TURN = Turn.DECISION.value
"""The turn that brings a caller's personal data into the ledger: later turns must not bring back what was erased."""

REGISTER = "register"
"""Stands for the channel in the rows of the agents' register."""

NO_CALL = "-"
"""Stands for the channel in rows of no call: receipts for erased rows, which are kept for ever, and stray files."""

CHECKPOINT_ROWS = 1000
"""A batch that passes a multiple of so many rows ends in a signed checkpoint."""

_ROWS_AT_ONCE = 1000

# Statements of every append, made once.
_LAST_ENTRY = "SELECT position, hash FROM entry ORDER BY position DESC LIMIT 1"
_THEIR_KEYS = "SELECT channel_uuid, caller_id_number, key FROM caller WHERE {}"

_WHOLE = f"""SELECT {", ".join(f"entry.{name}" for name in ENTRY_COLUMNS)}, caller.caller_id_number
FROM entry LEFT JOIN caller ON caller.channel_uuid = entry.channel_uuid WHERE {{}} ORDER BY entry.seq + 0"""  # noqa: S608

_PERSON = {name: sa.bindparam(name, type_=sa.Text) for name in ("channel_uuid", "caller_id_number", "key")}
_NOT_ERASED = ~sa.exists().where(
    entries.c.channel_uuid == _PERSON["channel_uuid"], entries.c.turn == sa.literal_column(f"'{Turn.ERASURE.value}'")
)
"""A further visit does not bring back who was erased: its number under a new key would deny the older rows."""


@dataclass(frozen=True)
class Search:
    """Which rows. Everything named must fit; ``since`` is included, ``until`` is not; both are UTC.

    As a ``visit``, a channel's UUID stands for its rows that name no visit.
    """

    channel: str | None = None
    visit: str | None = None
    caller: str | None = None
    turn: str | None = None
    line: str | None = None
    queue: str | None = None
    decision: str | None = None
    agent: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Appended:
    """What came of an append: the checkpoint that was signed with it, and the count of each row with a tally."""

    checkpoint: SignedCheckpoint | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    """By the entry's ``submission``."""


class Ledger:
    """An open ledger: a path, or a postgresql:// URL.

    ``patience_s`` is how many seconds a lock is waited for. Raises LedgerError with a remedy when it
    cannot be opened; ``append`` raises LedgerUnavailable when nothing of the batch was written.
    """

    def __init__(
        self,
        location: str | Path,
        *,
        create: bool = True,
        patience_s: float = 0.25,
        signer: Signer | None = None,
        any_schema: bool = False,
    ) -> None:
        self._signer = signer
        self._in_doubt = False
        try:
            self._database = open_database(location, patience_s=patience_s, create=create)
            self.name = self._database.name
            if not create and not self._database.exists():
                raise LedgerError(
                    f"there is no ledger at {self.name}: start 'consentivr serve' once, or see ledger.path"
                )
            self._engine = self._database.engine
            self._writes = self._engine.execution_options(**WRITES)
            # As text: SQLAlchemy's own handling of many parameters costs as much as the database.
            self._add_entries = str(entries.insert().inline().compile(self._engine, column_keys=CHAINED))
            new = self._database.insert(callers).from_select(
                list(_PERSON), sa.select(*_PERSON.values()).where(_NOT_ERASED)
            )
            self._their_keys = _THEIR_KEYS.format(self._database.among("channel_uuid"))
            self._of_calls = _WHOLE.format(self._database.among('entry."call"'))
            self._add_callers = str(new.on_conflict_do_nothing().compile(self._engine))
            self._database.check_promises()
            if not any_schema:
                self._check_schema(create)
        except DatabaseError as error:
            raise LedgerError(
                f"the ledger {location} cannot be opened: {plain(error)}; {self._remedy(error)}"
            ) from error

    def _remedy(self, error: BaseException) -> str:
        database = getattr(self, "_database", None)
        return database.remedy(error) if database else "see ledger.path"

    def _unavailable(self, error: BaseException) -> LedgerUnavailable:
        return LedgerUnavailable(f"{plain(error)}; {self._remedy(error)}")

    # --- schema ------------------------------------------------------------------------------

    def _check_schema(self, create: bool) -> None:
        version = self._schema_version()
        if version is None and create:
            self.migrate()
        elif version is None:
            raise LedgerError(
                f"{self.name} holds no ledger: start 'consentivr serve' once, or 'consentivr ledger migrate'"
            )
        elif version < SCHEMA:
            raise LedgerError(f"the ledger {self.name} is of an older version: run 'consentivr ledger migrate'")
        elif version > SCHEMA:
            raise LedgerError(
                f"the ledger {self.name} was written by a newer consentivr (schema {version}, "
                f"this one knows {SCHEMA}): install that version"
            )

    def _schema_version(self) -> str | None:
        with self._engine.connect() as connection:
            tables = sa.inspect(connection).get_table_names()
            if "alembic_version" in tables:
                version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one_or_none()
                if version is not None:
                    return str(version)
            if "entry" in tables:
                raise LedgerError(
                    f"the ledger {self.name} was made by a consentivr from before its first release: "
                    "export it with that one, then move it away"
                )
        return None

    def migrate(self) -> None:
        """Bring the schema up to this program's, all or nothing."""
        from consentivr.ledger.migrate import upgrade

        with self._writes.begin() as connection:
            upgrade(connection)

    @classmethod
    def upgrade(cls, location: str | Path) -> tuple[str | None, str]:
        """Migrate a ledger of any version; returns its schema before and after. Raises LedgerError."""
        ledger = cls(location, patience_s=5.0, any_schema=True)
        try:
            before = ledger._schema_version()
            if before is not None and before > SCHEMA:
                ledger._check_schema(create=False)
            ledger.migrate()
        except DatabaseError as error:
            raise LedgerError(f"{ledger.name} cannot be migrated: {plain(error)}; {ledger._remedy(error)}") from error
        finally:
            ledger.close()
        return before, SCHEMA

    def copy_to(self, other: Ledger, progress: Callable[[int], None] = lambda rows: None) -> int:
        """Copy everything into an empty ledger, and verify the copy; returns the number of rows.

        This ledger takes no rows meanwhile. Raises LedgerError; the other one is left empty then.
        """
        try:
            with self._writes.begin() as source, other._writes.begin() as destination:
                if other._end_of_chain(destination)[0]:
                    raise LedgerError(f"{other.name} is not empty: name a new one")
                for table in (notices, callers, checkpoints, tallies, entries):
                    self._copy_table(table, source, destination, progress)
                if self._end_of_chain(source) != other._end_of_chain(destination):
                    raise LedgerError("the copy does not end as the ledger does; nothing was copied")
                if destination.dialect.name == "postgresql":
                    destination.exec_driver_sql(
                        "SELECT setval(pg_get_serial_sequence('entry', 'seq'), max(seq)) FROM entry"
                    )
        except DatabaseError as error:
            raise LedgerError(f"cannot copy to {other.name}: {plain(error)}; {other._remedy(error)}") from error
        other.analyze()
        rows = 0

        def counted() -> Iterator[Link]:
            nonlocal rows
            for link in other.links():
                rows += 1
                yield link

        findings = chain.verify(counted(), [signed.checkpoint for signed in other.checkpoints()])
        if findings:
            raise LedgerError(f"the copy is not whole: row {findings[0].position}: {findings[0].kind.value}")
        return rows

    def _copy_table(
        self, table: sa.Table, source: sa.Connection, destination: sa.Connection, progress: Callable[[int], None]
    ) -> None:
        columns = [column for column in table.columns if column.computed is None]
        query = sa.select(*columns).order_by(*table.primary_key.columns)
        done = 0
        for rows in source.execution_options(yield_per=10_000).execute(query).mappings().partitions():
            destination.execute(table.insert(), [dict(row) for row in rows])
            done += len(rows)
            if table is entries:
                progress(done)

    # --- writing -----------------------------------------------------------------------------

    def append(self, batch: Sequence[Entry]) -> Appended:
        """Write all rows in one transaction; they are durable when this returns.

        After an append whose answer
        was lost the same rows may be handed in again: none is written twice.
        """
        try:
            with self._writes.begin() as connection:
                counts: dict[str, int] = {}
                if self._in_doubt:
                    batch = self._not_yet_written(connection, batch, counts)
                batch = [self._counted(connection, entry, counts) for entry in batch]
                signed = self._extend(connection, batch, self._keys_of_callers(connection, batch))
        except DatabaseError as error:
            self._in_doubt = True
            raise self._unavailable(error) from error
        self._in_doubt = False
        return Appended(signed, counts)

    def _counted(self, connection: sa.Connection, entry: Entry, counts: dict[str, int]) -> Entry:
        """An entry with a tally gets its number, under the chain's lock."""
        if entry.tally is None:
            return entry
        once = self._database.insert(tallies).values(name=storable(entry.tally), count=1)
        again = once.on_conflict_do_update(index_elements=["name"], set_={"count": tallies.c.count + 1})
        count = connection.execute(again.returning(tallies.c.count)).scalar_one()
        counts[entry.submission] = count
        return replace(entry, evidence={**entry.evidence, "count": count})

    def _not_yet_written(
        self, connection: sa.Connection, batch: Sequence[Entry], counts: dict[str, int]
    ) -> list[Entry]:
        query = sa.select(entries.c.submission, entries.c.evidence)
        names = [entry.submission for entry in batch]
        there = set()
        for row in connection.execute(query.where(entries.c.submission.in_(names))):
            there.add(row.submission)
            counts[row.submission] = json.loads(row.evidence).get("count")
        if there:
            self._database.settle_doubt(connection)
        return [entry for entry in batch if entry.submission not in there]

    def _extend(
        self, connection: sa.Connection, batch: Sequence[Entry], personal: Mapping[str, tuple[str, str]]
    ) -> SignedCheckpoint | None:
        """Write rows after the last one there is; ``personal`` has the commitment's key and the number by call."""
        first, previous = self._end_of_chain(connection)
        position = first
        random = secrets.token_hex(16 * len(batch))
        commitments = {channel: chain.commitment(*theirs) for channel, theirs in personal.items()}
        rows = []
        for entry in batch:
            key = random[32 * (position - first) : 32 * (position - first + 1)]
            position += 1
            rows.append(chained(entry, position, previous, key, commitments.get(entry.channel_uuid)))
            previous = rows[-1]["hash"]
        if rows:
            self._database.run(connection, self._add_entries, rows)
        if self._signer and position // CHECKPOINT_ROWS > first // CHECKPOINT_ROWS:
            return self._sign(connection, position, previous)
        return None

    def _end_of_chain(self, connection: sa.Connection) -> tuple[int, str]:
        last = self._database.run(connection, _LAST_ENTRY)
        return (last[0][0], last[0][1]) if last else (0, chain.GENESIS)

    def _keys_of_callers(self, connection: sa.Connection, batch: Sequence[Entry]) -> dict[str, tuple[str, str]]:
        """For each call of the batch whose caller is known: the commitment's key and the number.

        The first row of a call brings both into the table; later rows find them, unless they were erased.
        """
        new = {entry.channel_uuid: entry for entry in batch if entry.caller_id_number and entry.turn == FIRST_TURN}
        if new:
            people = [
                {
                    "channel_uuid": channel,
                    "caller_id_number": storable(entry.caller_id_number or ""),
                    "key": secrets.token_hex(32),
                }
                for channel, entry in new.items()
            ]
            self._database.run(connection, self._add_callers, people)
        wanted = self._database.names(sorted({entry.channel_uuid for entry in batch}))
        found = self._database.run(connection, self._their_keys, {"names": wanted})
        return {channel: (key, number) for channel, number, key in found}

    def sign(self) -> SignedCheckpoint | None:
        """Sign what the chain is now; None without a key, and when nothing is there or new."""
        if self._signer is None:
            return None
        try:
            with self._writes.begin() as connection:
                position, last = self._end_of_chain(connection)
                newest = connection.execute(sa.select(sa.func.max(checkpoints.c.position))).scalar_one()
                return self._sign(connection, position, last) if position > (newest or 0) else None
        except DatabaseError as error:
            raise self._unavailable(error) from error

    def _sign(self, connection: sa.Connection, position: int, last: str) -> SignedCheckpoint:
        assert self._signer is not None
        signed = self._signer.sign(position, last, as_text(now()))
        connection.execute(self._database.insert(checkpoints).on_conflict_do_nothing(), dict(signed.__dict__))
        return signed

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
            with self._writes.begin() as connection:
                connection.execute(self._database.insert(notices).on_conflict_do_nothing(), row)
        except DatabaseError as error:
            raise self._unavailable(error) from error

    def check_writable(self) -> None:
        """Raises LedgerError unless a row could be written now. Leaves nothing behind."""
        try:
            with self._writes.connect() as connection:
                connection.execute(
                    notices.insert(),
                    {"digest": "-", "language": "", "text": "", "audio_sha256": "", "duration_ms": 0},
                )
                connection.rollback()
        except DatabaseError as error:
            raise LedgerError(
                f"the ledger {self.name} cannot be written: {plain(error)}; {self._remedy(error)}"
            ) from error

    def analyze(self) -> None:
        """After many rows at once; a database that grows by and by does it by itself."""
        self._database.analyze()

    def interrupt(self) -> None:
        """From another thread: end a statement that has not come back for too long."""
        self._database.interrupt()

    # --- reading -----------------------------------------------------------------------------

    def read(self, search: Search = Search(), limit: int | None = None) -> Iterator[Entry]:
        """Rows in the order in which they were written; with ``limit`` the newest ones of them."""
        query = (
            sa.select(entries, callers.c.caller_id_number)
            .join(callers, callers.c.channel_uuid == entries.c.channel_uuid, isouter=True)
            .where(entries.c.channel_uuid.isnot(None), *_conditions(search))
        )
        if limit is not None:
            newest = query.order_by(entries.c.seq.desc()).limit(limit).subquery()
            query = sa.select(newest).order_by(newest.c.seq)
        else:
            query = query.order_by(_order(search))
        for row in self._rows(query):
            yield _entry(row)

    def search_of(self, name: str) -> Search:
        """The search for a visit, or for the channel of that UUID: whichever ``name`` is."""
        query = sa.select(entries.c.seq).where(entries.c.call == name, entries.c.visit == name).limit(1)
        with self._reading() as connection:
            is_visit = connection.execute(query).first() is not None
        return Search(visit=name) if is_visit else Search(channel=name)

    def call(self, name: str) -> list[Entry]:
        """The rows of a visit, or of everything on a channel, by its UUID."""
        return list(self.read(self.search_of(name)))

    def calls_named(self, name: str) -> list[list[Entry]]:
        """The same, the rows of each call apart: a channel may have several visits."""
        return _apart(self.call(name))

    def calls(self, search: Search, limit: int | None = None) -> Iterator[list[Entry]]:
        """The rows of each visit whose decision fits, oldest first; with ``limit`` the newest ones.

        ``agent`` fits a call that this agent took; a call without a decision is not found.
        """
        wanted = (
            sa.select(entries.c.seq, entries.c.call)
            .where(*_conditions(replace(search, agent=None, turn=None)), entries.c.decision.isnot(None))
            .order_by(entries.c.at.desc(), entries.c.seq.desc())
        )
        if search.agent is not None:
            taken = sa.select(entries.c.call).where(entries.c.agent == search.agent)
            wanted = wanted.where(entries.c.call.in_(taken))
        if limit is not None:
            wanted = wanted.limit(2 * limit)  # a second decision of a visit makes no second call
        with self._reading() as connection:
            found = [row.call for row in connection.execute(wanted)]
        yield from self.rows_of_visits(list(dict.fromkeys(reversed(found)))[-(limit or 0) :])

    def rows_of(self, channels: Sequence[str]) -> Iterator[list[Entry]]:
        """The rows of each visit of these channels, and apart from them those that name no visit."""
        for some in _portions(channels):
            by_channel: dict[str, list[Entry]] = {channel: [] for channel in some}
            for entry in self._whole(entries.c.channel_uuid.in_(some)):
                by_channel[entry.channel_uuid].append(entry)
            for rows in by_channel.values():
                yield from _apart(rows)

    def rows_of_visits(self, visits: Sequence[str]) -> Iterator[list[Entry]]:
        """The rows of each of these visits; a channel's UUID stands for its rows that name no visit."""
        for some in _portions(visits):
            by_visit: dict[str, list[Entry]] = {visit: [] for visit in some}
            with self._reading() as connection:
                found = self._database.run(connection, self._of_calls, {"names": self._database.names(some)})
            for row in found:
                entry = entry_of(row)
                by_visit[entry.call].append(entry)
            yield from (rows for rows in by_visit.values() if rows)

    def _whole(self, condition: Any) -> Iterator[Entry]:
        query = (
            sa.select(entries, callers.c.caller_id_number)
            .join(callers, callers.c.channel_uuid == entries.c.channel_uuid, isouter=True)
            .where(condition)
            .order_by(entries.c.seq + 0)
        )
        return map(_entry, self._rows(query))

    def visits(self, search: Search, turn: Turn | None = None, *, without: Sequence[Turn] = ()) -> list[str]:
        """The calls that have a row which fits, of this turn if one is named, and no row of the turns ``without``.

        Each by its visit, else by its channel's UUID.
        """
        wanted = replace(search, turn=turn.value) if turn is not None else search
        query = sa.select(entries.c.call).where(entries.c.call.isnot(None), *_conditions(wanted))
        if without:
            others = sa.select(entries.c.call).where(entries.c.turn.in_([other.value for other in without]))
            query = query.where(entries.c.call.notin_(others))
        with self._reading() as connection:
            return list(connection.execute(query.distinct()).scalars())

    def channels_with_visits(self, channels: Sequence[str]) -> set[str]:
        """Those of these channels of which a row names a visit."""
        found: set[str] = set()
        for some in _portions(channels):
            query = sa.select(entries.c.channel_uuid).where(
                entries.c.channel_uuid.in_(some), entries.c.visit.isnot(None)
            )
            with self._reading() as connection:
                found.update(connection.execute(query.distinct()).scalars())
        return found

    def open_visits(self, since: datetime) -> list[list[Entry]]:
        """The rows of every visit that met us at ``since`` (UTC) or later and has not ended."""
        return list(self.rows_of_visits(self.names_of_open_visits(since)))

    def names_of_open_visits(self, since: datetime) -> list[str]:
        """The same visits, oldest first. What 0.1.0 wrote names no visit, and is not among them."""
        there = entries.alias("there")
        ended = sa.exists().where(there.c.call == entries.c.call, there.c.turn == Turn.CALL_ENDED.value)
        query = (
            sa.select(entries.c.visit)
            .where(
                entries.c.turn.in_([Turn.ARRIVED.value, Turn.ADOPTED.value, Turn.DECISION.value]),
                entries.c.at >= as_text(since),
                entries.c.visit.isnot(None),
                ~ended,
            )
            .order_by(entries.c.at)
        )
        with self._reading() as connection:
            return list(dict.fromkeys(connection.execute(query).scalars()))

    def queues(self) -> list[str]:
        """Every queue that a call was for."""
        query = sa.select(entries.c.queue).where(entries.c.turn == FIRST_TURN).distinct()
        with self._reading() as connection:
            return sorted(connection.execute(query).scalars())

    def count(self, by: Sequence[str], search: Search = Search()) -> list[tuple[Any, ...]]:
        """Decisions counted: rows of (value of each of ``by``..., decision, number), in order.

        ``by`` out of hour, day, month, queue, line, reason, agent; times are UTC.
        """
        source: Any = entries
        conditions = [entries.c.decision.isnot(None), *_conditions(replace(search, agent=None))]
        if "agent" in by or search.agent is not None:
            source = entries.join(_TAKEN, _TAKEN.c.call == entries.c.call, isouter=search.agent is None)
            conditions += [_TAKEN.c.agent == search.agent] if search.agent is not None else []
        columns = [_GROUPS[name].label(name) for name in by]
        query = (
            sa.select(*columns, entries.c.decision, sa.func.count())
            .select_from(source)
            .where(*conditions)
            .group_by(*(_GROUPS[name] for name in by), entries.c.decision)
            .order_by(*(_GROUPS[name] for name in by), entries.c.decision)
        )
        with self._reading() as connection:
            return [tuple(row) for row in connection.execute(query)]

    def agent_agreed(self, agent: str, queue: str) -> bool:
        """Whether the register says that this agent agreed to be recorded on this queue."""
        newest = next(iter(self.read(Search(channel=REGISTER, agent=agent), limit=1)), None)
        if newest is None or newest.turn != Turn.AGENT_AGREED:
            return False
        queues = newest.evidence.get("queues")
        return not queues or queue in queues

    def agents_agreed(self, agents: Iterable[str], queue: str) -> frozenset[str]:
        """Those of them of whom the register says so."""
        return frozenset(agent for agent in agents if self.agent_agreed(agent, queue))

    def register(self) -> list[Entry]:
        """The newest word of each agent in the register."""
        newest = {row.evidence["agent"]: row for row in self.read(Search(channel=REGISTER))}
        return [newest[agent] for agent in sorted(newest)]

    def channels_of(self, caller_id_number: str) -> list[str]:
        """The calls of one caller."""
        query = sa.select(callers.c.channel_uuid).where(callers.c.caller_id_number == caller_id_number)
        with self._reading() as connection:
            return list(connection.execute(query).scalars())

    def notice(self, digest: str) -> NoticeVersion | None:
        """The wording behind a digest."""
        with self._reading() as connection:
            row = connection.execute(sa.select(notices).where(notices.c.digest == digest)).one_or_none()
        if row is None:
            return None
        return NoticeVersion(row.language, row.text, row.audio_sha256, row.duration_ms)

    def checkpoints(self) -> list[SignedCheckpoint]:
        """What was signed, in order."""
        with self._reading() as connection:
            rows = connection.execute(sa.select(checkpoints).order_by(checkpoints.c.position, checkpoints.c.key_id))
            return [SignedCheckpoint(**row._mapping) for row in rows]

    def links(self, search: Search = Search()) -> Iterator[Link]:
        """The chain in the order in which its rows are stored, for ``core.chain.verify``; or an excerpt."""
        people, rows_erased = self._receipts()
        query = (
            sa.select(entries, callers.c.key.label("caller_key"), callers.c.caller_id_number)
            .join(callers, callers.c.channel_uuid == entries.c.channel_uuid, isouter=True)
            .where(*_conditions(search))
            .order_by(_order(search))
        )
        for row in self._rows(query):
            there = row.channel_uuid is not None
            yield Link(
                row.position,
                row.previous,
                row.hash,
                row.digest,
                row.key,
                hashed(row._mapping) if there else None,
                (row.caller_key, row.caller_id_number) if row.caller_key is not None else None,
                person_erased=there and row.channel_uuid in people,
                row_erased=row.position in rows_erased,
            )

    def digests(self, first: int, last: int) -> dict[int, str]:
        """The digest of each row from ``first`` to ``last``, by position."""
        query = sa.select(entries.c.position, entries.c.digest).where(entries.c.position.between(first, last))
        with self._reading() as connection:
            return {row.position: row.digest for row in connection.execute(query)}

    def _receipts(self) -> tuple[set[str], Ranges]:
        """The calls whose caller was erased, and the rows that were, as their receipts say."""
        erased = sa.select(entries.c.channel_uuid).where(entries.c.turn == Turn.ERASURE.value)
        with self._reading() as connection:
            people = set(connection.execute(erased).scalars())
        receipts = self.read(Search(turn=Turn.ROWS_ERASED.value))
        return people, Ranges(pair for receipt in receipts for pair in receipt.evidence["rows"])

    # --- erasing, with a receipt -------------------------------------------------------------

    def erase_people(self, channels: Sequence[str], evidence: dict[str, Any]) -> None:
        """Erase the personal data of channels and leave a receipt for each of their visits (GDPR art. 17).

        Raises LedgerUnavailable; nothing is erased then. ``overwrite_freed`` belongs to it.
        """
        receipts = [rows[-1].about.row(Turn.ERASURE, evidence) for rows in self.rows_of(channels)]
        with self._erasing() as connection:
            for some in _portions(channels):
                connection.execute(callers.delete().where(callers.c.channel_uuid.in_(some)))
            self._extend(connection, receipts, {})

    def erase_rows(self, visits: Sequence[str], evidence: dict[str, Any]) -> int:
        """Erase all rows of calls (as ``rows_of_visits`` names them); one receipt names the rows.

        The personal data go with the last call of their channel. Returns the number of rows. The chain keeps
        their digests, which tell nothing without the keys that are erased with them. Calls of one queue
        belong into one receipt: it names the queue of the first.
        """
        with self._erasing() as connection:
            positions: list[int] = []
            queue = ""
            for some in _portions(visits):
                of_calls = entries.c.call.in_(some)
                columns = (entries.c.position, entries.c.queue, entries.c.channel_uuid)
                channels = set()
                for row in connection.execute(sa.select(*columns).where(of_calls)):
                    positions.append(row.position)
                    queue = queue or row.queue
                    channels.add(row.channel_uuid)
                connection.execute(entries.update().where(of_calls).values(ERASED))
                left = sa.exists().where(entries.c.channel_uuid == callers.c.channel_uuid)
                connection.execute(callers.delete().where(callers.c.channel_uuid.in_(channels), ~left))
            if positions:
                said = {**evidence, "calls": len(visits), "rows": chain.to_ranges(positions)}
                receipt = CallRef(NO_CALL, None, "", queue, "").row(Turn.ROWS_ERASED, said)
                self._extend(connection, [receipt], {})
        return len(positions)

    def overwrite_freed(self) -> str | None:
        """Overwrite what was erased where the database kept it; else what the operator must do for that."""
        try:
            return self._database.overwrite_freed()
        except DatabaseError as error:
            return f"what was erased is not overwritten yet: {plain(error)}; {self._remedy(error)}"

    # --- inside ------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except DatabaseError as error:
            raise LedgerError(
                f"the ledger {self.name} cannot be read: {plain(error)}; {self._remedy(error)}"
            ) from error

    @contextlib.contextmanager
    def _erasing(self) -> Iterator[sa.Connection]:
        try:
            with self._writes.begin() as connection:
                yield connection
        except DatabaseError as error:
            raise self._unavailable(error) from error

    def _rows(self, query: sa.Select[Any]) -> Iterator[Any]:
        with self._reading() as connection:
            yield from connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(query)

    def close(self) -> None:
        """Close it."""
        self._database.close()


def _apart(rows: Iterable[Entry]) -> list[list[Entry]]:
    """The rows of each call."""
    calls: dict[str, list[Entry]] = {}
    for row in rows:
        calls.setdefault(row.call, []).append(row)
    return list(calls.values())


def _portions(channels: Sequence[str], size: int = 500) -> Iterable[Sequence[str]]:
    return (channels[start : start + size] for start in range(0, len(channels), size))


def _conditions(search: Search) -> list[Any]:
    found: list[Any] = [
        entries.c[column] == value
        for column, value in (
            ("channel_uuid", search.channel),
            ("call", search.visit),
            ("turn", search.turn),
            ("line", search.line),
            ("queue", search.queue),
            ("decision", search.decision),
            ("agent", search.agent),
        )
        if value is not None
    ]
    if search.caller is not None:
        theirs = sa.select(callers.c.channel_uuid).where(callers.c.caller_id_number == search.caller)
        found.append(entries.c.channel_uuid.in_(theirs))
    if search.since is not None:
        found.append(entries.c.at >= as_text(search.since))
    if search.until is not None:
        found.append(entries.c.at < as_text(search.until))
    return found


def _order(search: Search) -> Any:
    """As they were written. Few rows are sorted; SQLite would else walk the whole table in its order."""
    few = search.caller is not None or search.channel is not None or search.visit is not None
    return entries.c.seq + 0 if few else entries.c.seq


_TAKEN = (
    sa.select(entries.c.call, sa.func.max(entries.c.agent).label("agent"))
    .where(entries.c.agent.isnot(None))
    .group_by(entries.c.call)
    .subquery("taken")
)
"""Which agent took a call."""

_GROUPS: dict[str, Any] = {
    "hour": sa.func.substr(entries.c.at, 1, 13),
    "day": sa.func.substr(entries.c.at, 1, 10),
    "month": sa.func.substr(entries.c.at, 1, 7),
    "queue": entries.c.queue,
    "line": entries.c.line,
    "reason": evidence_text("reason"),
    "agent": sa.func.coalesce(_TAKEN.c.agent, ""),
}


def _entry(row: Any) -> Entry:
    return entry_of([*(getattr(row, name) for name in ENTRY_COLUMNS), row.caller_id_number])
