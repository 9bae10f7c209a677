"""The ledger by days, for figures: which calls were decided then, and on which days something became different."""

from __future__ import annotations

import json
from datetime import datetime
from itertools import chain

import sqlalchemy as sa

from consentivr.core.consent import ConsentDecision
from consentivr.core.turn import Turn
from consentivr.ledger.entry import as_text
from consentivr.ledger.opening import Opened
from consentivr.ledger.schema import entries, evidence_text
from consentivr.ledger.searching import portions

_DECISIONS = [decision.value for decision in ConsentDecision]
"""Named, they let the database use its index of decisions by their time."""

Head = tuple[int, str]
"""A row's position, and its hash."""


def head(book: Opened) -> Head:
    """The last row; (0, "") without any."""
    query = sa.select(entries.c.position, entries.c.hash).order_by(entries.c.position.desc()).limit(1)
    with book.reading() as connection:
        row = connection.execute(query).first()
    return (0, "") if row is None else (row.position, row.hash)


def has(book: Opened, row: Head) -> bool:
    """Whether the ledger still has this row where it was: else it is another ledger."""
    query = sa.select(entries.c.hash).where(entries.c.position == row[0])
    with book.reading() as connection:
        return row[0] == 0 or connection.execute(query).scalar() == row[1]


def first_decision(book: Opened) -> datetime | None:
    """When the oldest call of which rows are left was decided (UTC)."""
    query = sa.select(sa.func.min(entries.c.at)).where(entries.c.decision.in_(_DECISIONS))
    with book.reading() as connection:
        oldest = connection.execute(query).scalar()
    return None if oldest is None else datetime.fromisoformat(oldest)


def decided(book: Opened, since: datetime, until: datetime) -> list[str]:
    """The calls that were decided from ``since`` until before ``until`` (UTC)."""
    query = sa.select(entries.c.call).where(
        entries.c.decision.in_(_DECISIONS), entries.c.at >= as_text(since), entries.c.at < as_text(until)
    )
    with book.reading() as connection:
        return list(dict.fromkeys(connection.execute(query).scalars()))


def touched(book: Opened, after: int, before: datetime) -> list[datetime]:
    """When those calls were decided, before ``before`` (UTC), of which there are rows beyond position ``after``."""
    new = sa.select(entries.c.call).where(entries.c.position > after)
    found: set[str] = set()
    with book.reading() as connection:
        # In two steps, and as plainly as that: else SQLite goes through an index of all calls.
        calls = set(connection.execute(new).scalars()) - {None}
        for some in portions(sorted(calls)):
            query = sa.select(entries.c.at).where(
                entries.c.call.in_(some), entries.c.turn == Turn.DECISION.value, entries.c.at < as_text(before)
            )
            found.update(connection.execute(query).scalars())
    return [datetime.fromisoformat(at) for at in found]


def erased(book: Opened, after: int) -> list[tuple[int, int]]:
    """Which rows receipts beyond position ``after`` name as erased: from one position to another."""
    query = sa.select(evidence_text("rows")).where(entries.c.turn == Turn.ROWS_ERASED.value, entries.c.position > after)
    with book.reading() as connection:
        found = [json.loads(text) for text in connection.execute(query).scalars()]
    return [(first, last) for first, last in chain(*found)]
