"""Reading the ledger: rows, calls, the register, and the chain as it is stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa

from consentivr.core.chain import Link, Ranges
from consentivr.core.consent import NoticeVersion
from consentivr.core.turn import Turn
from consentivr.ledger import foreign
from consentivr.ledger.appending import end_of_chain, hash_at
from consentivr.ledger.counting import count
from consentivr.ledger.entry import (
    ENTRY_COLUMNS,
    HASHED,
    NO_CALLS,
    REGISTER,
    Entry,
    as_text,
    entry_of,
    hashed,
    now,
    tally_name,
)
from consentivr.ledger.errors import LedgerError
from consentivr.ledger.opening import Opened
from consentivr.ledger.schema import callers, checkpoints, entries, evidence_text, foreign_files, notices, tallies
from consentivr.ledger.search import EVERYTHING, Search, conditions, order, spelled
from consentivr.ledger.signing import SignedCheckpoint, Signer

Name = TypeVar("Name", str, int)

_ROWS_AT_ONCE = 1000
_NAMES_AT_ONCE = 500

_WHOLE = f"""SELECT {", ".join(f"entry.{name}" for name in ENTRY_COLUMNS)}, caller.caller_id_number
FROM entry LEFT JOIN caller ON caller.channel_uuid = entry.channel_uuid WHERE {{}} ORDER BY entry.seq + 0"""  # noqa: S608

_LINKED = [entries.c[name] for name in ("previous", "hash", "digest", "key", *HASHED)]
"""What the chain sees of a row. The computed columns would take the database as long as all others."""

_ENTRIES = sa.select(entries, callers.c.caller_id_number).join(
    callers, callers.c.channel_uuid == entries.c.channel_uuid, isouter=True
)


class Searching(Opened):
    """An open ledger that is asked. One must be used by one thread only."""

    signer: Signer | None = None
    """Signs what is handed over, where there is a key."""

    def read(self, search: Search = EVERYTHING, limit: int | None = None) -> Iterator[Entry]:
        """Rows in the order in which they were written; with ``limit`` the newest ones of them."""
        query = _ENTRIES.where(entries.c.channel_uuid.isnot(None), *conditions(search, self.country))
        if limit is not None:
            newest = query.order_by(entries.c.seq.desc()).limit(limit).subquery()
            query = sa.select(newest).order_by(newest.c.seq)
        else:
            query = query.order_by(order(search))
        yield from self._entries(query)

    def search_of(self, name: str) -> Search:
        """The search for a visit, or for the channel of that UUID: whichever ``name`` is."""
        query = sa.select(entries.c.seq).where(entries.c.call == name, entries.c.visit == name).limit(1)
        with self.reading() as connection:
            is_visit = connection.execute(query).first() is not None
        return Search(visit=name) if is_visit else Search(channel=name)

    def call(self, name: str) -> list[Entry]:
        """The rows of a visit, or of everything on a channel, by its UUID."""
        return list(self.read(self.search_of(name)))

    def calls_named(self, name: str) -> list[list[Entry]]:
        """The same, the rows of each call apart: a channel may have several visits.

        Raises LedgerError for what is no call.
        """
        self.must_be_calls([name])
        return _apart(self.call(name))

    @staticmethod
    def must_be_calls(names: Iterable[str]) -> None:
        """Raises LedgerError when the register or receipts are among them."""
        for name in names:
            if name in NO_CALLS:
                raise LedgerError(f"'{name}' is no call: it holds {NO_CALLS[name]}")

    def calls(self, search: Search, limit: int | None = None) -> Iterator[list[Entry]]:
        """The rows of each visit whose decision fits, oldest first; with ``limit`` the newest ones.

        ``agent`` fits a call that this agent took; a call without a decision is not found.
        """
        wanted = (
            sa.select(entries.c.seq, entries.c.call)
            .where(*conditions(replace(search, agent=None, turn=None), self.country), entries.c.decision.isnot(None))
            .order_by(entries.c.at.desc(), entries.c.seq.desc())
        )
        if search.agent is not None:
            taken = sa.select(entries.c.call).where(entries.c.agent == search.agent)
            wanted = wanted.where(entries.c.call.in_(taken))
        if limit is not None:
            wanted = wanted.limit(2 * limit)  # a second decision of a visit makes no second call
        with self.reading() as connection:
            found = [row.call for row in connection.execute(wanted)]
        yield from self.rows_of_visits(list(dict.fromkeys(reversed(found)))[-(limit or 0) :])

    def rows_of(self, channels: Sequence[str]) -> Iterator[list[Entry]]:
        """The rows of each visit of these channels, and apart from them those that name no visit."""
        for some in portions(channels):
            by_channel: dict[str, list[Entry]] = {channel: [] for channel in some}
            for entry in self._whole(entries.c.channel_uuid.in_(some)):
                by_channel[entry.channel_uuid].append(entry)
            for rows in by_channel.values():
                yield from _apart(rows)

    def rows_of_visits(self, visits: Sequence[str], turns: Iterable[Turn] = ()) -> Iterator[list[Entry]]:
        """The rows of each of these visits, only those of ``turns`` if any are named; a channel's UUID stands for its
        rows that name no visit.
        """
        of_calls = self.database.among('entry."call"')
        if turns:
            of_calls += f" AND entry.turn IN ({', '.join(repr(turn.value) for turn in turns)})"
        of_calls = _WHOLE.format(of_calls)
        for some in portions(visits):
            by_visit: dict[str, list[Entry]] = {visit: [] for visit in some}
            with self.reading() as connection:
                rows = self.database.run(connection, of_calls, {"names": self.database.names(some)})
                found = _named(connection, rows)
            for entry in found:
                by_visit[entry.call].append(entry)
            yield from (rows for rows in by_visit.values() if rows)

    def of_turns(self, turns: Iterable[Turn]) -> Iterator[Entry]:
        """The rows of these turns as they were written, where there are few of them."""
        return self._whole(entries.c.turn.in_([turn.value for turn in turns]))

    def _whole(self, condition: Any) -> Iterator[Entry]:
        return self._entries(_ENTRIES.where(condition).order_by(entries.c.seq + 0))

    def visits(self, search: Search, turn: Turn | None = None, *, without: Sequence[Turn] = ()) -> list[str]:
        """The calls that have a row which fits, of this turn if one is named, and no row of the turns ``without``.

        Each by its visit, else by its channel's UUID.
        """
        wanted = replace(search, turn=turn.value) if turn is not None else search
        query = sa.select(entries.c.call).where(entries.c.call.isnot(None), *conditions(wanted, self.country))
        if without:
            others = sa.select(entries.c.call).where(entries.c.turn.in_([other.value for other in without]))
            query = query.where(entries.c.call.notin_(others))
        with self.reading() as connection:
            return list(connection.execute(query.distinct()).scalars())

    def channels_with_visits(self, channels: Sequence[str]) -> set[str]:
        """Those of these channels of which a row names a visit."""
        found: set[str] = set()
        for some in portions(channels):
            query = sa.select(entries.c.channel_uuid).where(
                entries.c.channel_uuid.in_(some), entries.c.visit.isnot(None)
            )
            with self.reading() as connection:
                found.update(connection.execute(query.distinct()).scalars())
        return found

    def open_visits(self, since: datetime) -> list[list[Entry]]:
        """The rows of every visit that met us at ``since`` (UTC) or later and has no end, or no decision."""
        return list(self.rows_of_visits(self.names_of_open_visits(since)))

    def names_of_open_visits(self, since: datetime) -> list[str]:
        """The same visits, oldest first. What 0.1.0 wrote names no visit, and is not among them."""
        there = entries.alias("there")

        def has(turn: Turn) -> sa.Exists:
            return sa.exists().where(there.c.call == entries.c.call, there.c.turn == turn.value)

        query = (
            sa.select(entries.c.visit)
            .where(
                entries.c.turn.in_([Turn.ARRIVED.value, Turn.ADOPTED.value, Turn.DECISION.value]),
                entries.c.at >= as_text(since),
                entries.c.visit.isnot(None),
                ~has(Turn.CALL_ENDED) | ~has(Turn.DECISION),
            )
            .order_by(entries.c.at)
        )
        with self.reading() as connection:
            return list(dict.fromkeys(connection.execute(query).scalars()))

    def queues(self) -> list[str]:
        """Every queue that a call was for."""
        query = sa.select(entries.c.queue).where(entries.c.turn == Turn.DECISION.value).distinct()
        with self.reading() as connection:
            return sorted(connection.execute(query).scalars())

    def count(self, by: Sequence[str], search: Search = EVERYTHING) -> list[tuple[Any, ...]]:
        """Decisions counted: rows of (value of each of ``by``..., decision, number), in order.

        ``by`` out of hour, day, month, queue, line, reason, agent; times are UTC.
        """
        return count(self, by, search)

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

    def former_agents(self) -> list[str]:
        """Who took the agreement back, and is in no row of a call any more."""
        calls = sa.select(entries.c.seq).where(entries.c.channel_uuid != REGISTER)
        gone = [row.evidence["agent"] for row in self.register() if row.turn == Turn.AGENT_WITHDREW]
        with self.reading() as connection:
            return [
                name for name in gone if not connection.execute(calls.where(entries.c.agent == name).limit(1)).first()
            ]

    def channels_of(self, caller_id_number: str) -> list[str]:
        """The calls of one caller, however the number is written."""
        query = sa.select(callers.c.channel_uuid).where(spelled(caller_id_number, self.country))
        with self.reading() as connection:
            return list(connection.execute(query).scalars())

    def notice(self, digest: str) -> NoticeVersion | None:
        """The wording behind a digest."""
        return self._notices(notices.c.digest == digest).get(digest)

    def notices(self) -> dict[str, NoticeVersion]:
        """Every wording, by the digest under which it is kept: whether it is its own, verification tells."""
        return self._notices(sa.true())

    def _notices(self, condition: Any) -> dict[str, NoticeVersion]:
        with self.reading() as connection:
            rows = connection.execute(sa.select(notices).where(condition)).all()
        return {row.digest: NoticeVersion(row.language, row.text, row.audio_sha256, row.duration_ms) for row in rows}

    def notices_asked(self) -> list[tuple[int, str, int | None]]:
        """Each wording that decisions name, and each length that they say it has: the first such row, digest, ms."""
        digest, length = evidence_text("notice"), evidence_text("notice_ms")
        query = (
            sa.select(sa.func.min(entries.c.position), digest, length)
            .where(entries.c.turn == Turn.DECISION.value, digest.isnot(None))
            .group_by(digest, length)
        )
        with self.reading() as connection:
            return [(row[0], row[1], None if row[2] is None else int(row[2])) for row in connection.execute(query)]

    def checkpoints(self) -> list[SignedCheckpoint]:
        """What was signed, in order."""
        with self.reading() as connection:
            rows = connection.execute(sa.select(checkpoints).order_by(checkpoints.c.position, checkpoints.c.key_id))
            return [SignedCheckpoint(**row._mapping) for row in rows]

    def checkpoint_from(self, position: int) -> SignedCheckpoint | None:
        """The first one that covers the row there."""
        query = sa.select(checkpoints).where(checkpoints.c.position >= position)
        with self.reading() as connection:
            found = connection.execute(query.order_by(checkpoints.c.position, checkpoints.c.key_id).limit(1)).first()
        return SignedCheckpoint(**found._mapping) if found else None

    def head(self) -> SignedCheckpoint:
        """What the chain is now, unsigned. Raises LedgerError."""
        with self.reading() as connection:
            return SignedCheckpoint(*end_of_chain(self.database, connection), as_text(now()), "", "")

    def hash_at(self, position: int) -> str | None:
        """The hash of the row there; None where there is none. Raises LedgerError."""
        with self.reading() as connection:
            return hash_at(connection, position)

    def stored(self) -> tuple[int, int]:
        """The numbers under which the first and the last row are stored; (0, 0) without any."""
        with self.reading() as connection:
            first, last = connection.execute(sa.select(sa.func.min(entries.c.seq), sa.func.max(entries.c.seq))).one()
        return first or 0, last or 0

    def links(self, search: Search = EVERYTHING, stored: tuple[int, int] | None = None) -> Iterator[Link]:
        """The chain in the order in which its rows are stored, for ``core.chain.verify``; or an excerpt.

        ``stored``: only what is stored from the one number to the other.
        """
        people, rows_erased = self._receipts(search)
        query = (
            sa.select(*_LINKED, callers.c.key.label("caller_key"), callers.c.caller_id_number)
            .join(callers, callers.c.channel_uuid == entries.c.channel_uuid, isouter=True)
            .where(*conditions(search, self.country))
            .order_by(order(search))
        )
        if stored is not None:
            query = query.where(entries.c.seq.between(*stored))
        for previous, hash_, digest, key, *columns, caller_key, number in self._rows(query):
            said = dict(zip(HASHED, columns, strict=True))
            channel, position = said["channel_uuid"], said["position"]
            there = channel is not None
            yield Link(
                position,
                previous,
                hash_,
                digest,
                key,
                hashed(said) if there else None,
                (caller_key, number) if caller_key is not None and said["commitment"] else None,
                person_erased=there and channel in people,
                row_erased=position in rows_erased,
            )

    def people_of_no_row(self, channel: str | None = None) -> list[tuple[str, int]]:
        """Each channel that has a number to which no row is committed, and its first row (0 without one)."""
        theirs = entries.c.channel_uuid == callers.c.channel_uuid
        query = (
            sa.select(callers.c.channel_uuid, sa.func.coalesce(sa.func.min(entries.c.position), 0))
            .join(entries, theirs, isouter=True)
            .where(~sa.exists().where(theirs, entries.c.commitment.isnot(None)).correlate(callers))
            .group_by(callers.c.channel_uuid)
        )
        if channel is not None:
            query = query.where(callers.c.channel_uuid == channel)
        with self.reading() as connection:
            return [(row[0], row[1]) for row in connection.execute(query)]

    def tallies(self) -> tuple[dict[str, int], dict[str, int]]:
        """Every tally by the name that rows have for it: as it is kept, and as the rows say."""
        said: dict[str, int] = {}
        for row in self.read(Search(turn=Turn.TALLIED.value)):
            said |= {name: max(count, said.get(name, 0)) for name, count in row.evidence["tallies"].items()}
        with self.reading() as connection:
            said |= {name: max(count, said.get(name, 0)) for name, count in counted(connection, sa.true())}
            kept = connection.execute(sa.select(tallies.c.name, tallies.c.count)).all()
        return {tally_name(name): count for name, count in kept}, said

    def second_decisions(self) -> list[tuple[int, str]]:
        """The last decision of each visit that has more than one, and the visit."""
        decided = entries.c.turn == Turn.DECISION.value
        several = sa.select(entries.c.call).where(decided).group_by(entries.c.call).having(sa.func.count() > 1)
        query = (
            sa.select(sa.func.max(entries.c.position), entries.c.visit)
            .where(decided, entries.c.call.in_(several), entries.c.visit.isnot(None))
            .group_by(entries.c.visit)
        )
        with self.reading() as connection:
            return [(row[0], row[1]) for row in connection.execute(query)]

    def digests(self, first: int, last: int) -> dict[int, str]:
        """The digest of each row from ``first`` to ``last``, by position."""
        query = sa.select(entries.c.position, entries.c.digest).where(entries.c.position.between(first, last))
        with self.reading() as connection:
            return {row.position: row.digest for row in connection.execute(query)}

    def _receipts(self, search: Search) -> tuple[set[str], Ranges]:
        """The channels whose caller was erased, and the rows that were, as their receipts say: as far as they matter to
        what is searched for. A row that was erased fits no search but that for everything.
        """
        erased = sa.select(entries.c.channel_uuid).where(entries.c.turn == Turn.ERASURE.value)
        if search.visit is not None:
            theirs = sa.select(entries.c.channel_uuid).where(entries.c.call == search.visit)
            erased = erased.where(entries.c.channel_uuid.in_(theirs))
        with self.reading() as connection:
            people = set(connection.execute(erased).scalars())
        receipts = self.read(Search(turn=Turn.ROWS_ERASED.value)) if search == EVERYTHING else ()
        return people, Ranges(pair for receipt in receipts for pair in receipt.evidence["rows"])

    def _rows(self, query: sa.Select[Any]) -> Iterator[Any]:
        with self.reading() as connection:
            yield from connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(query)

    def _entries(self, query: sa.Select[Any]) -> Iterator[Entry]:
        with self.reading() as connection:
            found = connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(query)
            for rows in found.partitions():
                columns = [[getattr(row, name) for name in (*ENTRY_COLUMNS, "caller_id_number")] for row in rows]
                yield from _named(connection, columns)

    def foreign_files(self) -> Iterator[tuple[str, str, str]]:
        """Name, path and key of each file of another recorder that is not known to be gone."""
        files = foreign_files.c
        for row in self._rows(sa.select(files.name, files.path, files.key).order_by(files.name)):
            yield row.name, row.path, row.key


def counted(connection: sa.Connection, condition: Any) -> list[tuple[str, int]]:
    """The tallies that rows name, and how far they counted: an agent's calls are all that is counted."""
    name = evidence_text("tally")
    query = (
        sa.select(name, sa.func.max(sa.cast(evidence_text("count"), sa.Integer)))
        .where(condition, entries.c.turn == Turn.AGENT_ANSWERED.value, name.isnot(None))
        .group_by(name)
    )
    return [(row[0], row[1]) for row in connection.execute(query)]


def _apart(rows: Iterable[Entry]) -> list[list[Entry]]:
    """The rows of each call."""
    calls: dict[str, list[Entry]] = {}
    for row in rows:
        calls.setdefault(row.call, []).append(row)
    return list(calls.values())


def portions(names: Sequence[Name]) -> Iterator[Sequence[Name]]:
    """Not more of them than go into one statement."""
    return (names[start : start + _NAMES_AT_ONCE] for start in range(0, len(names), _NAMES_AT_ONCE))


_EVIDENCE = ENTRY_COLUMNS.index("evidence")


def _named(connection: sa.Connection, rows: Sequence[Sequence[Any]]) -> list[Entry]:
    """The entries in rows of ``ENTRY_COLUMNS`` and the caller's number, with the paths of other recorders' files."""
    evidence = foreign.resolved(connection, [row[_EVIDENCE] for row in rows])
    return [
        entry_of([*row[:_EVIDENCE], text, *row[_EVIDENCE + 1 :]]) if text is not row[_EVIDENCE] else entry_of(row)
        for row, text in zip(rows, evidence, strict=True)
    ]
