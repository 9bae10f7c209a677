"""Calls as lists ask for them: a line of each in a table of its own, which says nothing that rows do not.

The newest page of what is asked for is found at once, whatever is asked: a ledger's rows alone would all be read for a
rare reason. Lines follow the rows within their transaction, and go with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from consentivr.core.roles import Scope
from consentivr.core.turn import Turn
from consentivr.ledger.databases import Database
from consentivr.ledger.entry import Entry, as_text, storable
from consentivr.ledger.opening import Opened
from consentivr.ledger.schema import entries, listed

# --- following the rows ----------------------------------------------------------------------


class Listing:
    """Keeps the lines; its statements are made once."""

    def __init__(self, opened: Opened) -> None:
        self._database: Database = opened.database
        new = self._database.insert(listed).on_conflict_do_nothing()
        self._add = str(new.compile(opened.engine, column_keys=[column.name for column in listed.columns]))
        self._change = {turn: _changing(opened, changes) for turn, changes in _CHANGES.items()}

    def follow(self, connection: sa.Connection, batch: Sequence[Entry], first: int) -> None:
        """After these rows were written, of which the first has the position ``first``."""
        new = [line_of(entry, first + n) for n, entry in enumerate(batch) if entry.turn == Turn.DECISION]
        if new:
            self._database.run(connection, self._add, new)
        for entry in batch:
            change = self._change.get(entry.turn)
            if change is not None:
                self._database.run(connection, change, {"name": storable(entry.call)})


def line_of(entry: Entry, position: int) -> dict[str, Any]:
    """The line that a decision begins: the first one of a call counts."""
    said = entry.evidence
    return {
        "at": as_text(_arrived(said) or entry.at),
        "position": position,
        "call": storable(entry.call),
        "queue": entry.queue,
        "line": entry.line,
        "language": said.get("language"),
        "decision": said.get("decision"),
        "reason": said.get("reason"),
        "notice": said.get("notice"),
        "held": False,
        "masked": False,
        "unsealed": False,
    }


def _arrived(said: Mapping[str, Any]) -> datetime | None:
    try:
        return datetime.fromisoformat(said["arrived_at"])
    except (KeyError, TypeError, ValueError):
        return None


def _unsealed(dialect: str) -> str:
    """Whether a recording of ours was begun in the call ``:name``, and is neither sealed with its hash nor erased."""

    def of(row: str, member: str) -> str:
        if dialect == "sqlite":
            return f"json_extract({row}.evidence, '$.{member}')"
        return f"({row}.evidence::json ->> '{member}')"

    same = f"{of('after', 'path')} = {of('begun', 'path')}"
    sealed = f"{of('after', 'sha256')} IS NOT NULL"
    return f"""EXISTS (SELECT 1 FROM entry AS begun WHERE begun.call = :name AND begun.turn = 'recording_started'
AND NOT EXISTS (SELECT 1 FROM entry AS after WHERE after.call = begun.call
AND after.turn IN ('recording_sealed', 'recording_erased', 'recording_adopted', 'audio_erased', 'erasure') AND (
after.turn = 'audio_erased' OR (after.turn = 'recording_erased' AND {same})
OR (after.turn = 'recording_sealed' AND {same} AND {sealed}) OR (after.turn = 'recording_adopted' AND {sealed})
OR (after.turn = 'erasure' AND {of("after", "audio")} IN ('1', 'true')))))"""  # noqa: S608


_CHANGES: Mapping[str, str] = {
    Turn.WITHDRAWN.value: "decision = 'withdrawn'",
    Turn.AGREED_LATE.value: "decision = 'given', reason = 'late_consent_keys'",
    Turn.HOLD.value: "held = true",
    Turn.HOLD_RELEASED.value: "held = false",
    Turn.RECORDING_MASKED.value: "masked = true",
    Turn.RECORDING_STARTED.value: "unsealed = {unsealed}",
    Turn.RECORDING_SEALED.value: "unsealed = {unsealed}",
    Turn.RECORDING_ADOPTED.value: "unsealed = {unsealed}",
    Turn.RECORDING_ERASED.value: "unsealed = {unsealed}",
    Turn.AUDIO_ERASED.value: "unsealed = {unsealed}",
    Turn.ERASURE.value: "unsealed = {unsealed}",
}
"""What each turn changes in the line of its call, as ``core.evidence`` tells it."""


def _changing(opened: Opened, changes: str) -> str:
    made = changes.format(unsealed=_unsealed(opened.engine.dialect.name))
    return str(sa.text(f"UPDATE listed SET {made} WHERE call = :name").compile(opened.engine))  # noqa: S608


def forget(connection: sa.Connection, calls: Iterable[str]) -> None:
    """Of calls whose rows are erased."""
    connection.execute(listed.delete().where(listed.c.call.in_(list(calls))))


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
    query = (
        sa.select(listed.c.call, listed.c.at, listed.c.position)
        .where(*_conditions(wanted), *_within(scope))
        .order_by(listed.c.at.desc(), listed.c.position.desc())
        .limit(limit + 1)
    )
    if after is not None:
        query = query.where(sa.tuple_(listed.c.at, listed.c.position) < sa.tuple_(after.at, after.position))
    with ledger.reading() as connection:
        found = connection.execute(query).all()
    last = found[limit - 1] if len(found) > limit else None
    return [row.call for row in found[:limit]], Place(last.at, last.position) if last is not None else None


def _conditions(wanted: Listed) -> list[Any]:
    found = [
        listed.c[name] == value
        for name in ("queue", "line", "language", "decision", "reason", "notice")
        if (value := getattr(wanted, name)) is not None
    ]
    found += [listed.c[name] for name in ("held", "masked", "unsealed") if getattr(wanted, name)]
    if wanted.since is not None:
        found.append(listed.c.at >= as_text(wanted.since))
    if wanted.until is not None:
        found.append(listed.c.at < as_text(wanted.until))
    return found


def _within(scope: Scope) -> list[Any]:
    if scope.everything:
        return []
    theirs: list[Any] = [sa.false()]
    if scope.queues:
        theirs.append(listed.c.queue.in_(sorted(scope.queues)))
    if scope.agent is not None:
        theirs.append(listed.c.call.in_(sa.select(entries.c.call).where(entries.c.agent == scope.agent)))
    return [sa.or_(*theirs)]
