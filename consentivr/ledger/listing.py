"""Calls as lists ask for them: a line of each in a table of its own, which says nothing that rows do not.

The newest page of what is asked for is found at once, whatever is asked: a ledger's rows alone would all be read for a
rare reason. Lines follow the rows within their transaction, and go with them. So do the calls of each agent: a call
that was transferred is in the list of everybody who took it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

import sqlalchemy as sa

from consentivr.core.roles import Scope
from consentivr.core.turn import Turn
from consentivr.ledger.databases import Database
from consentivr.ledger.entry import Entry, as_text, storable
from consentivr.ledger.opening import Opened
from consentivr.ledger.schema import entries, listed, taken

# --- what a line says ------------------------------------------------------------------------

_CHANGES: Mapping[str, Mapping[str, Any]] = {
    Turn.WITHDRAWN.value: {"decision": "withdrawn"},
    Turn.AGREED_LATE.value: {"decision": "given", "reason": "late_consent_keys"},
    Turn.HOLD.value: {"held": True},
    Turn.HOLD_RELEASED.value: {"held": False},
    Turn.RECORDING_MASKED.value: {"masked": True},
}
"""What these turns change in the line of their call, as ``core.evidence`` tells it."""

_OF_RECORDINGS = frozenset(
    turn.value
    for turn in (
        Turn.RECORDING_STARTED,
        Turn.RECORDING_SEALED,
        Turn.RECORDING_ADOPTED,
        Turn.RECORDING_ERASED,
        Turn.AUDIO_ERASED,
        Turn.ERASURE,
    )
)

TURNS = frozenset({Turn.DECISION.value, *_CHANGES, *_OF_RECORDINGS})
"""Those on which a line depends. Any row may name an agent besides."""

_MARKS = ("held", "masked", "unsealed")
_CHANGING = ("decision", "reason", *_MARKS)


class Line:
    """What rows of one call say of its line, told in their order."""

    __slots__ = ("_begun", "agents", "columns")

    def __init__(self) -> None:
        self.columns: dict[str, Any] = {}
        """Those that the rows name: all but the call's name once the decision is among them."""
        self.agents: set[str] = set()
        """Whom they name."""
        self._begun: set[str] = set()
        """Recordings of ours that are neither sealed with their hash nor erased."""

    @property
    def is_there(self) -> bool:
        """Whether the call was decided, with which its line begins."""
        return "position" in self.columns

    def tell(self, position: int, at: str, turn: str, queue: str, line: str, said: Mapping[str, Any]) -> None:
        """One more row; ``said`` is its evidence."""
        agent = said.get("agent")
        if agent is not None:
            self.agents.add(agent)
        if turn in _CHANGES:
            self.columns.update(_CHANGES[turn])
        elif turn in _OF_RECORDINGS:
            self._tell_of_recording(turn, said)
        elif turn == Turn.DECISION and not self.is_there:  # the first one of a call counts
            marks = {name: self.columns.get(name, False) for name in _MARKS}
            words = {name: said.get(name) for name in ("language", "decision", "reason", "notice")}
            when = {"at": _arrived(said) or at, "position": position}
            self.columns = {**when, "queue": queue, "line": line, **words, **marks}

    def _tell_of_recording(self, turn: str, said: Mapping[str, Any]) -> None:
        path, sealed = str(said.get("path")), said.get("sha256") is not None
        if turn == Turn.RECORDING_STARTED:
            self._begun.add(path)
        elif turn == Turn.RECORDING_ERASED or (turn == Turn.RECORDING_SEALED and sealed):
            self._begun.discard(path)
        elif (
            turn == Turn.AUDIO_ERASED
            or (turn == Turn.ERASURE and said.get("audio"))
            or (turn == Turn.RECORDING_ADOPTED and sealed)
        ):
            self._begun.clear()
        else:
            return
        self.columns["unsealed"] = bool(self._begun)


def _arrived(said: Mapping[str, Any]) -> str | None:
    try:
        return as_text(datetime.fromisoformat(said["arrived_at"]))
    except (KeyError, TypeError, ValueError):
        return None


# --- following the rows ----------------------------------------------------------------------


_ON_WHAT_WAS_BEFORE = frozenset(turn.value for turn in (Turn.DECISION, Turn.RECORDING_SEALED, Turn.RECORDING_ERASED))
"""What these turns say of a line, earlier rows of the call decide."""


class Listing:
    """Keeps the lines; its statements are made once."""

    def __init__(self, opened: Opened) -> None:
        self._database: Database = opened.database
        self._earlier = f"{rows_of_calls(self._database)} AND position < {self._database.parameter('first')}"
        new = self._database.insert(listed)
        told = {name: new.excluded[name] for name in _CHANGING}
        put = new.on_conflict_do_update(index_elements=["call"], set_=told)
        self._put = str(put.compile(opened.engine, column_keys=[column.name for column in listed.columns]))
        given = {name: sa.bindparam(name, type_=listed.c[name].type) for name in ("call", *_CHANGING)}
        kept = {name: sa.func.coalesce(given[name], listed.c[name]) for name in _CHANGING}
        self._change = str(listed.update().where(listed.c.call == given["call"]).values(kept).compile(opened.engine))
        line = sa.select(sa.bindparam("agent", type_=sa.Text), listed.c.at, listed.c.position)
        line = line.where(listed.c.call == given["call"])
        take = self._database.insert(taken).from_select(["agent", "at", "position"], line).on_conflict_do_nothing()
        self._take = str(take.compile(opened.engine))

    def follow(self, connection: sa.Connection, batch: Sequence[Entry], first: int) -> None:
        """After these rows were written, of which the first has the position ``first``."""
        told: dict[str, Line] = {}
        asked = {storable(entry.call) for entry in batch if entry.turn in _ON_WHAT_WAS_BEFORE}
        if asked:
            earlier = {"names": self._database.names(list(asked)), "first": first}
            told = lines_of(self._database.run(connection, self._earlier, earlier))
        named: set[tuple[str, str]] = set()
        for position, entry in enumerate(batch, first):
            agent = entry.evidence.get("agent")
            if agent is not None or entry.turn in TURNS:
                call = storable(entry.call)
                line = told.setdefault(call, Line())
                line.tell(position, as_text(entry.at), entry.turn, entry.queue, entry.line, entry.evidence)
                whom = line.agents if entry.turn == Turn.DECISION else () if agent is None else (agent,)
                named.update((storable(name), call) for name in whom)
        new = [{**line.columns, "call": call} for call, line in told.items() if line.is_there]
        changed = [
            {**dict.fromkeys(_CHANGING), **line.columns, "call": call}
            for call, line in told.items()
            if line.columns and not line.is_there
        ]
        taking = [{"agent": agent, "call": call} for agent, call in named]
        for statement, parameters in ((self._put, new), (self._change, changed), (self._take, taking)):
            if parameters:
                self._database.run(connection, statement, parameters)


def rows_of_calls(database: Database) -> str:
    """The statement that gives what ``lines_of`` is told, of the calls in its parameter ``names``."""
    return f"""SELECT "call", position, at, turn, queue, line, evidence FROM entry WHERE {database.among('"call"')}
AND (turn IN ({", ".join(sorted(map(repr, TURNS)))}) OR agent IS NOT NULL)"""  # noqa: S608


def lines_of(rows: Iterable[Sequence[Any]]) -> dict[str, Line]:
    """What rows say of the lines of their calls, whatever the order in which they come."""
    found: dict[str, Line] = {}
    for call, position, at, turn, queue, line, evidence in sorted(rows, key=itemgetter(1)):
        try:
            found.setdefault(call, Line()).tell(position, at, turn, queue, line, json.loads(evidence))
        except (AttributeError, TypeError, ValueError):
            continue  # somebody changed it, as verification says: it costs no further row
    return found


def forget(connection: sa.Connection, calls: Sequence[str]) -> None:
    """Of calls whose rows are to be erased: they say still whom they name."""
    named = sa.select(entries.c.agent, listed.c.at, listed.c.position).where(
        entries.c.call == listed.c.call, entries.c.agent.isnot(None), listed.c.call.in_(calls)
    )
    connection.execute(taken.delete().where(sa.tuple_(*taken.primary_key.columns).in_(named)))
    connection.execute(listed.delete().where(listed.c.call.in_(calls)))


# --- asking ----------------------------------------------------------------------------------


class Place(NamedTuple):
    """Where a page ended: the next one begins with what is older."""

    at: str
    position: int


@dataclass(frozen=True)
class Listed:
    """Which calls. Everything named must fit; ``since`` is included, ``until`` is not; both are UTC, of the arrival.

    ``decision`` and ``reason`` are those that count now: also 'withdrawn'. ``notice`` is a wording's digest.
    """

    since: datetime | None = None
    until: datetime | None = None
    queue: str | None = None
    line: str | None = None
    language: str | None = None
    decision: str | None = None
    reason: str | None = None
    notice: str | None = None
    held: bool = False
    masked: bool = False
    unsealed: bool = False


def newest(
    ledger: Opened, wanted: Listed, scope: Scope, limit: int, after: Place | None = None
) -> tuple[list[str], Place | None]:
    """The newest calls that fit and that ``scope`` covers, and where to go on; None at the end. Raises LedgerError.

    A call is named by its visit, else by its channel's UUID.
    """
    parts = list(_within(wanted, scope, limit + 1, after))
    if not parts:
        return [], None
    query: Any = parts[0]
    if len(parts) > 1:
        both = sa.union(*(sa.select(part.subquery()) for part in parts)).subquery()
        query = sa.select(both).order_by(both.c.at.desc(), both.c.position.desc()).limit(limit + 1)
    with ledger.reading() as connection:
        found = connection.execute(query).all()
    last = found[limit - 1] if len(found) > limit else None
    return [row.call for row in found[:limit]], Place(last.at, last.position) if last is not None else None


def _within(wanted: Listed, scope: Scope, limit: int, after: Place | None) -> Iterator[sa.Select[Any]]:
    """The newest of each kind that the scope covers: each is found by an index of its own."""

    def newest_of(lines: sa.Table, *condition: Any) -> sa.Select[Any]:
        query = sa.select(listed.c.call, lines.c.at, lines.c.position).where(*condition, *_conditions(wanted))
        if wanted.since is not None:
            query = query.where(lines.c.at >= as_text(wanted.since))
        if wanted.until is not None:
            query = query.where(lines.c.at < as_text(wanted.until))
        if after is not None:
            query = query.where(sa.tuple_(lines.c.at, lines.c.position) < sa.tuple_(after.at, after.position))
        return query.order_by(lines.c.at.desc(), lines.c.position.desc()).limit(limit)

    if scope.everything:
        yield newest_of(listed)
        return
    if scope.queues:
        yield newest_of(listed, listed.c.queue.in_(sorted(scope.queues)))
    if scope.agent is not None:
        same = (listed.c.at == taken.c.at, listed.c.position == taken.c.position)
        yield newest_of(taken, *same, taken.c.agent == scope.agent)


def _conditions(wanted: Listed) -> list[Any]:
    found = [
        listed.c[name] == value
        for name in ("queue", "line", "language", "decision", "reason", "notice")
        if (value := getattr(wanted, name)) is not None
    ]
    found += [listed.c[name] for name in ("held", "masked", "unsealed") if getattr(wanted, name)]
    return found
