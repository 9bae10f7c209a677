"""What was asked for, played and objected to: found by its rows, newest first, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from consentivr.core.roles import Scope
from consentivr.core.turn import Turn
from consentivr.ledger.entry import Entry, as_text
from consentivr.ledger.opening import Opened
from consentivr.ledger.schema import entries, evidence_text

_BEGINS = (Turn.LISTENING_REQUESTED.value, Turn.GLASS_BROKEN.value)


@dataclass(frozen=True)
class Found:
    """Where a row is, which call it is about, which request, and which playing of it."""

    position: int
    call: str
    request: str
    playing: str | None = None


def named(row: Entry, turn: Turn, request: str) -> Entry:
    """The row under a name by which it is found, and of which the ledger takes only one: a request is made once, and
    decided once, however often it is sent and by however many.
    """
    return replace(row, submission=f"{turn.value}-{request}")


def call_of(book: Opened, request: str) -> str | None:
    """The call that a request is about; None when there is no such request, or its rows are erased."""
    names = [f"{turn}-{request}" for turn in _BEGINS]
    query = sa.select(entries.c.call).where(entries.c.submission.in_(names))
    with book.reading() as connection:
        return connection.execute(query).scalars().first()


def requests(
    book: Opened, limit: int, *, before: int | None = None, by: str = "", scope: Scope | None = None
) -> list[Found]:
    """Requests and broken glass: those of the account ``by``, and those about calls in ``scope``."""
    wanted: list[Any] = [entries.c.turn.in_(_BEGINS)]
    if scope is not None and not scope.everything:
        ours: list[Any] = [evidence_text("by") == by, entries.c.queue.in_(sorted(scope.queues))]
        wanted.append(sa.or_(*ours, *([_taken_by(scope.agent)] if scope.agent is not None else [])))
    return _newest(book, wanted, limit, before)


def played_of(book: Opened, agent: str, limit: int, before: int | None = None) -> list[Found]:
    """Playings of recordings in which this agent is heard: of every call that this agent took, also in part."""
    return _newest(book, [entries.c.turn == Turn.RECORDING_PLAYED.value, _taken_by(agent)], limit, before)


def undecided(book: Opened, since: datetime) -> list[Found]:
    """Requests since then (UTC) that nobody has decided."""
    recent = entries.c.at >= as_text(since)
    decided = {one.request for one in _newest(book, [entries.c.turn == Turn.LISTENING_DECIDED.value, recent])}
    asked = _newest(book, [entries.c.turn == Turn.LISTENING_REQUESTED.value, recent])
    return [one for one in asked if one.request not in decided]


def objections(book: Opened, limit: int) -> list[Found]:
    """The newest."""
    return _newest(book, [entries.c.turn == Turn.OBJECTED.value], limit)


def unseen(book: Opened) -> list[Found]:
    """Broken glass that nobody of the works council has said to have seen."""
    seen = {one.request for one in _newest(book, [entries.c.turn == Turn.GLASS_SEEN.value])}
    broken = _newest(book, [entries.c.turn == Turn.GLASS_BROKEN.value])
    return [one for one in broken if one.request not in seen]


def _taken_by(agent: str) -> Any:
    other = entries.alias("taken")
    return sa.exists().where(other.c.call == entries.c.call, other.c.agent == agent)


def _newest(book: Opened, wanted: list[Any], limit: int | None = None, before: int | None = None) -> list[Found]:
    """They are few among many: sorted as they are found, or the database would walk through all rows in their order."""
    if before is not None:
        wanted = [*wanted, entries.c.position < before]
    query = sa.select(entries.c.position, entries.c.call, evidence_text("request"), evidence_text("playing"))
    query = query.where(*wanted)
    with book.reading() as connection:
        rows = connection.execute(query.order_by((entries.c.position + 0).desc()).limit(limit))
        return [Found(*row) for row in rows]
