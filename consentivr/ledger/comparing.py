"""Whether the list of calls says what the rows say: who writes to the database could leave a call out of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from consentivr.core.chain import Finding, Link, Tampering
from consentivr.core.turn import Turn
from consentivr.ledger.listing import TURNS, Line, lines_of, rows_of_calls
from consentivr.ledger.opening import Opened
from consentivr.ledger.schema import entries, listed, taken
from consentivr.ledger.searching import portions

_ROWS_AT_ONCE = 5000

_COLUMNS = tuple(column.name for column in listed.columns if column.name != "call")


class Passing:
    """Compares the lines of calls whose rows pass by, some at a time: memory does not grow with them.

    ``doubtful`` are calls whose rows, those that came at the same time, say something else than their line. Of a call
    that is not among them all is well: whichever of its rows came last said what its line has.
    """

    def __init__(self, location: str | Path) -> None:
        self.doubtful: set[str] = set()
        self._ledger = Opened(location, create=False, patience_s=5.0)
        self._rows: list[tuple[Any, ...]] = []

    def note(self, row: Link) -> None:
        """One more, in the order of the chain."""
        said = row.content
        if said is not None and said["turn"] in TURNS:
            call = said.get("visit") or said["channel_uuid"]
            columns = (said["at"], said["turn"], said["queue"], said["line"], said["evidence"])
            self._rows.append((call, row.position, *columns))
            if len(self._rows) == _ROWS_AT_ONCE:
                self._compare()

    def _compare(self) -> None:
        told = lines_of(self._rows)
        self._rows = []
        with self._ledger.reading() as connection:
            there = _lines(self._ledger, connection, list(told))
        for call, line in told.items():
            kept = there.get(call)
            if kept is None:
                if line.is_there:
                    self.doubtful.add(call)
            elif not line.columns.items() <= kept.items():
                self.doubtful.add(call)

    def close(self) -> None:
        """After the last one."""
        try:
            self._compare()
        finally:
            self._ledger.close()


def wrong_with_list(ledger: Opened, doubtful: Iterable[str]) -> list[Finding]:
    """What the list says that the rows do not: exactly, of ``doubtful`` calls, and of lines that have no row."""
    findings: list[Finding] = []
    wrong: dict[tuple[int, str], set[str]] = {}
    for call, line, kept in _compared(ledger, doubtful):
        where = (line.columns["position"], call)
        if kept is None:
            findings.append(Finding(where[0], Tampering.LIST_REMOVED, call))
        elif differing := {name for name in _COLUMNS if line.columns[name] != kept[name]}:
            wrong[where] = differing
    for position, call in _asked(ledger, _NOT_TAKEN) + _asked(ledger, _NEVER_TAKEN):
        wrong.setdefault((position, call), set()).add("agent")
    for (position, call), names in wrong.items():
        findings.append(Finding(position, Tampering.LIST_CHANGED, f"{call}: {', '.join(sorted(names))}"))
    findings += [Finding(0, Tampering.LIST_INSERTED, call) for (call,) in _asked(ledger, _OF_NO_ROW)]
    findings += [Finding(0, Tampering.LIST_INSERTED, "of an agent") for _ in _asked(ledger, _OF_NO_LINE)]
    return sorted(findings, key=lambda finding: (finding.position, finding.kind.value, finding.about))


def _compared(ledger: Opened, calls: Iterable[str]) -> Iterator[tuple[str, Line, dict[str, Any] | None]]:
    """Those that were decided: what the rows say, and the line that is there, both of one moment."""
    for some in portions(sorted(calls)):
        with ledger.reading() as connection:
            ledger.database.freeze(connection)
            told, there = _told(ledger, connection, some), _lines(ledger, connection, some)
        yield from ((call, line, there.get(call)) for call, line in told.items() if line.is_there)


def _told(ledger: Opened, connection: sa.Connection, calls: Sequence[str]) -> dict[str, Line]:
    named = {"names": ledger.database.names(calls)}
    return lines_of(ledger.database.run(connection, rows_of_calls(ledger.database), named))


def _lines(ledger: Opened, connection: sa.Connection, calls: Sequence[str]) -> dict[str, dict[str, Any]]:
    named = {"names": ledger.database.names(calls)}
    of_calls = ledger.database.among('"call"')
    columns = ", ".join(_COLUMNS)
    rows = ledger.database.run(connection, f'SELECT "call", {columns} FROM listed WHERE {of_calls}', named)  # noqa: S608
    return {call: dict(zip(_COLUMNS, values, strict=True)) for call, *values in rows}


def put_right(ledger: Opened) -> int:
    """Write anew each line that says something else than its rows; returns of how many calls. Raises LedgerError.

    Calls are taken meanwhile: few lines at a time are written.
    """
    decided = [call for (call,) in _asked(ledger, sa.select(entries.c.call).where(_IS_DECISION).distinct())]
    wrong = {call for call, line, kept in _compared(ledger, decided) if line.columns != kept}
    wrong |= {call for _, call in _asked(ledger, _NOT_TAKEN) + _asked(ledger, _NEVER_TAKEN)}
    wrong |= {call for (call,) in _asked(ledger, _OF_NO_ROW)}
    for some in portions(sorted(wrong)):  # all first: one may stand where another belongs
        with ledger.writing() as connection:
            connection.execute(listed.delete().where(listed.c.call.in_(some)))
    with ledger.writing() as connection:
        connection.execute(taken.delete().where(_HAS_NO_LINE))
    for some in portions(sorted(wrong)):
        with ledger.writing() as connection:
            there = {call: line for call, line in _told(ledger, connection, some).items() if line.is_there}
            lines = [{**line.columns, "call": call} for call, line in there.items()]
            agents = [
                {"agent": agent, "at": line.columns["at"], "position": line.columns["position"]}
                for line in there.values()
                for agent in line.agents
            ]
            for table, rows in ((listed, lines), (taken, agents)):
                if rows:
                    connection.execute(ledger.database.insert(table).on_conflict_do_nothing(), rows)
    return len(wrong)


def _asked(ledger: Opened, query: sa.Select[Any]) -> list[Any]:
    with ledger.reading() as connection:
        return [tuple(row) for row in connection.execute(query)]


_IS_DECISION = entries.c.turn == sa.literal_column(f"'{Turn.DECISION.value}'")
_SAME_LINE = (taken.c.at == listed.c.at, taken.c.position == listed.c.position)
_HAS_NO_LINE = ~sa.exists().where(*_SAME_LINE)

_OF_NO_ROW = sa.select(listed.c.call).where(~sa.exists().where(entries.c.call == listed.c.call, _IS_DECISION))
_OF_NO_LINE = sa.select(taken.c.position).where(_HAS_NO_LINE)
_MISSING = (
    sa.select(entries.c.call, entries.c.agent)
    .where(entries.c.agent.isnot(None))
    .except_(sa.select(listed.c.call, taken.c.agent).join(taken, sa.and_(*_SAME_LINE)))
    .subquery()
)
_NOT_TAKEN = sa.select(listed.c.position, listed.c.call).join(_MISSING, _MISSING.c.call == listed.c.call).distinct()
"""Calls of an agent who does not find them."""
_NEVER_TAKEN = (
    sa.select(listed.c.position, listed.c.call)
    .join(taken, sa.and_(*_SAME_LINE))
    .where(~sa.exists().where(entries.c.agent == taken.c.agent, entries.c.call == listed.c.call))
    .distinct()
)
"""Calls that an agent finds who is not named in them."""
