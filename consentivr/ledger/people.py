"""A person in the ledger: whose calls a number finds, what is nearly that number, and what was asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from consentivr.core import requests
from consentivr.core.requests import PersonRequest
from consentivr.ledger.schema import callers, entries
from consentivr.ledger.search import spelled
from consentivr.ledger.searching import Searching
from consentivr.numbers import as_received, spellings

ALIKE = 7
"""Numbers whose last so many digits are the same may be one person's: with and without country, area, or trunk."""

MOST_ALIKE = 20


@dataclass(frozen=True)
class Alike:
    """A number that is kept and may be the same person's: nobody but a human can tell."""

    number: str
    channels: int


def calls_of_number(ledger: Searching, number: str) -> list[str]:
    """Every call of a number, however it is written: the visits of its channels, newest first. Raises LedgerError."""
    theirs = sa.select(callers.c.channel_uuid).where(spelled(number, ledger.country))
    query = (
        sa.select(entries.c.call)
        .where(entries.c.channel_uuid.in_(theirs))
        .group_by(entries.c.call)
        .order_by(sa.func.min(entries.c.seq).desc())
    )
    with ledger.reading() as connection:
        return list(connection.execute(query).scalars())


def alike(ledger: Searching, number: str) -> list[Alike]:
    """Other numbers that end alike, at most ``MOST_ALIKE``. Raises LedgerError."""
    digits = re.sub(r"\D", "", as_received(number) or "")
    if len(digits) < ALIKE:
        return []
    kept = callers.c.caller_id_number
    query = (
        sa.select(kept, sa.func.count())
        .where(kept.like(f"%{digits[-ALIKE:]}"), kept.notin_(sorted(spellings(number, ledger.country))))
        .group_by(kept)
        .order_by(sa.func.count().desc(), kept)
        .limit(MOST_ALIKE)
    )
    with ledger.reading() as connection:
        return [Alike(*row) for row in connection.execute(query)]


def number_of(ledger: Searching, call: str) -> str | None:
    """The number of a call, as the switch wrote it; None when it is not kept. Raises LedgerError."""
    query = (
        sa.select(callers.c.caller_id_number)
        .join(entries, entries.c.channel_uuid == callers.c.channel_uuid)
        .where(entries.c.call == call)
        .limit(1)
    )
    with ledger.reading() as connection:
        return connection.execute(query).scalar()


def hashes_at(ledger: Searching, positions: Sequence[int]) -> dict[int, str]:
    """The hash of each of these rows. Raises LedgerError."""
    found: dict[int, str] = {}
    for start in range(0, len(positions), 500):
        some = positions[start : start + 500]
        query = sa.select(entries.c.position, entries.c.hash).where(entries.c.position.in_(some))
        with ledger.reading() as connection:
            found |= {row.position: row.hash for row in connection.execute(query)}
    return found


def requests_noted(ledger: Searching) -> list[PersonRequest]:
    """What people asked for, the next one due first. Raises LedgerError."""
    return requests.requests_of(ledger.of_turns(requests.TURNS))


def request_noted(ledger: Searching, name: str | None) -> PersonRequest | None:
    """One of them by its name; None where there is none. Raises LedgerError."""
    return next((one for one in requests_noted(ledger) if one.name == name), None) if name else None
