"""Reading the ledger: rows, calls, the register, and the chain as it is stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from consentivr.core.chain import Link, Ranges
from consentivr.core.consent import NoticeVersion
from consentivr.core.evidence import Turn
from consentivr.ledger.counting import count
from consentivr.ledger.entry import ENTRY_COLUMNS, HASHED, REGISTER, Entry, as_text, entry_of, hashed
from consentivr.ledger.opening import Opened
from consentivr.ledger.schema import callers, checkpoints, entries, notices
from consentivr.ledger.search import EVERYTHING, Search, conditions, order
from consentivr.ledger.signing import SignedCheckpoint

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

    def read(self, search: Search = EVERYTHING, limit: int | None = None) -> Iterator[Entry]:
        """Rows in the order in which they were written; with ``limit`` the newest ones of them."""
        query = _ENTRIES.where(entries.c.channel_uuid.isnot(None), *conditions(search))
        if limit is not None:
            newest = query.order_by(entries.c.seq.desc()).limit(limit).subquery()
            query = sa.select(newest).order_by(newest.c.seq)
        else:
            query = query.order_by(order(search))
        for row in self._rows(query):
            yield _entry(row)

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
        """The same, the rows of each call apart: a channel may have several visits."""
        return _apart(self.call(name))

    def calls(self, search: Search, limit: int | None = None) -> Iterator[list[Entry]]:
        """The rows of each visit whose decision fits, oldest first; with ``limit`` the newest ones.

        ``agent`` fits a call that this agent took; a call without a decision is not found.
        """
        wanted = (
            sa.select(entries.c.seq, entries.c.call)
            .where(*conditions(replace(search, agent=None, turn=None)), entries.c.decision.isnot(None))
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
                found = self.database.run(connection, of_calls, {"names": self.database.names(some)})
            for row in found:
                entry = entry_of(row)
                by_visit[entry.call].append(entry)
            yield from (rows for rows in by_visit.values() if rows)

    def _whole(self, condition: Any) -> Iterator[Entry]:
        return map(_entry, self._rows(_ENTRIES.where(condition).order_by(entries.c.seq + 0)))

    def visits(self, search: Search, turn: Turn | None = None, *, without: Sequence[Turn] = ()) -> list[str]:
        """The calls that have a row which fits, of this turn if one is named, and no row of the turns ``without``.

        Each by its visit, else by its channel's UUID.
        """
        wanted = replace(search, turn=turn.value) if turn is not None else search
        query = sa.select(entries.c.call).where(entries.c.call.isnot(None), *conditions(wanted))
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

    def channels_of(self, caller_id_number: str) -> list[str]:
        """The calls of one caller."""
        query = sa.select(callers.c.channel_uuid).where(callers.c.caller_id_number == caller_id_number)
        with self.reading() as connection:
            return list(connection.execute(query).scalars())

    def notice(self, digest: str) -> NoticeVersion | None:
        """The wording behind a digest."""
        with self.reading() as connection:
            row = connection.execute(sa.select(notices).where(notices.c.digest == digest)).one_or_none()
        if row is None:
            return None
        return NoticeVersion(row.language, row.text, row.audio_sha256, row.duration_ms)

    def checkpoints(self) -> list[SignedCheckpoint]:
        """What was signed, in order."""
        with self.reading() as connection:
            rows = connection.execute(sa.select(checkpoints).order_by(checkpoints.c.position, checkpoints.c.key_id))
            return [SignedCheckpoint(**row._mapping) for row in rows]

    def stored(self) -> tuple[int, int]:
        """The numbers under which the first and the last row are stored; (0, 0) without any."""
        with self.reading() as connection:
            first, last = connection.execute(sa.select(sa.func.min(entries.c.seq), sa.func.max(entries.c.seq))).one()
        return first or 0, last or 0

    def links(self, search: Search = EVERYTHING, stored: tuple[int, int] | None = None) -> Iterator[Link]:
        """The chain in the order in which its rows are stored, for ``core.chain.verify``; or an excerpt.

        ``stored``: only what is stored from the one number to the other.
        """
        people, rows_erased = self._receipts()
        query = (
            sa.select(*_LINKED, callers.c.key.label("caller_key"), callers.c.caller_id_number)
            .join(callers, callers.c.channel_uuid == entries.c.channel_uuid, isouter=True)
            .where(*conditions(search))
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
                (caller_key, number) if caller_key is not None else None,
                person_erased=there and channel in people,
                row_erased=position in rows_erased,
            )

    def digests(self, first: int, last: int) -> dict[int, str]:
        """The digest of each row from ``first`` to ``last``, by position."""
        query = sa.select(entries.c.position, entries.c.digest).where(entries.c.position.between(first, last))
        with self.reading() as connection:
            return {row.position: row.digest for row in connection.execute(query)}

    def _receipts(self) -> tuple[set[str], Ranges]:
        """The calls whose caller was erased, and the rows that were, as their receipts say."""
        erased = sa.select(entries.c.channel_uuid).where(entries.c.turn == Turn.ERASURE.value)
        with self.reading() as connection:
            people = set(connection.execute(erased).scalars())
        receipts = self.read(Search(turn=Turn.ROWS_ERASED.value))
        return people, Ranges(pair for receipt in receipts for pair in receipt.evidence["rows"])

    def _rows(self, query: sa.Select[Any]) -> Iterator[Any]:
        with self.reading() as connection:
            yield from connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(query)


def _apart(rows: Iterable[Entry]) -> list[list[Entry]]:
    """The rows of each call."""
    calls: dict[str, list[Entry]] = {}
    for row in rows:
        calls.setdefault(row.call, []).append(row)
    return list(calls.values())


def portions(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Not more of them than go into one statement."""
    return (names[start : start + _NAMES_AT_ONCE] for start in range(0, len(names), _NAMES_AT_ONCE))


def _entry(row: Any) -> Entry:
    return entry_of([*(getattr(row, name) for name in ENTRY_COLUMNS), row.caller_id_number])
