"""Which rows are meant, and how that is asked of the database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from consentivr.ledger.entry import as_text
from consentivr.ledger.schema import callers, entries
from consentivr.numbers import spellings


@dataclass(frozen=True)
class Search:
    """Which rows. Everything named must fit; ``since`` is included, ``until`` is not; both are UTC.

    ``caller`` is a number, however it is written. As a ``visit``, a channel's UUID stands for its rows that name none.
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


EVERYTHING = Search()


def spelled(number: str, country: str | None) -> Any:
    """The callers whose number this is, however it is written."""
    return callers.c.caller_id_number.in_(sorted(spellings(number, country)))


def conditions(search: Search, country: str | None) -> list[Any]:
    """What the rows must fulfil; ``country`` as in ``Opened``."""
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
        theirs = sa.select(callers.c.channel_uuid).where(spelled(search.caller, country))
        found.append(entries.c.channel_uuid.in_(theirs))
    if search.since is not None:
        found.append(entries.c.at >= as_text(search.since))
    if search.until is not None:
        found.append(entries.c.at < as_text(search.until))
    return found


def order(search: Search) -> Any:
    """As they were written. Few rows are sorted; SQLite would else walk the whole table in its order."""
    few = search.caller is not None or search.channel is not None or search.visit is not None
    return entries.c.seq + 0 if few else entries.c.seq
