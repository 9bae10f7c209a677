"""The access log: who did what at the console, and who counted by agent. Newest first, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from consentivr.core.chain import Finding, Link, verify_excerpt
from consentivr.ledger.entry import ENTRY_COLUMNS, HASHED, Entry, as_text, entry_of, hashed
from consentivr.ledger.opening import Opened
from consentivr.ledger.schema import ACCESS, entries, evidence_text

_LINK = ("previous", "hash", "digest", "key")


@dataclass(frozen=True)
class Accesses:
    """Which rows. Everything named must fit; ``since`` is included, ``until`` is not; both are UTC.

    ``by`` is an account, ``turns`` are some of the access log's. ``after``: those that come after this one on a list
    with the newest first, by ``place``.
    """

    by: str | None = None
    turns: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    after: str | None = None


def place(entry: Entry) -> str:
    """Where a row stands on the list, for ``Accesses.after``."""
    return f"{as_text(entry.at)} {entry.position}"


def accesses(ledger: Opened, wanted: Accesses, limit: int) -> tuple[list[Entry], list[Finding]]:
    """The newest rows that fit, without anybody's number, and what is wrong with any of them, seen alone.

    Raises LedgerError; ValueError when ``after`` is no place.
    """
    conditions = [ACCESS]
    if wanted.by is not None:
        conditions.append(evidence_text("by") == wanted.by)  # type: ignore[arg-type]
    if wanted.turns:
        # Not by the index of turns, which is in another order.
        conditions.append(sa.func.coalesce(entries.c.turn, "").in_(wanted.turns))  # type: ignore[arg-type]
    if wanted.since is not None:
        conditions.append(entries.c.at >= as_text(wanted.since))  # type: ignore[arg-type]
    if wanted.until is not None:
        conditions.append(entries.c.at < as_text(wanted.until))  # type: ignore[arg-type]
    if wanted.after is not None:
        at, _, position = wanted.after.partition(" ")
        there = sa.tuple_(entries.c.at, entries.c.position)
        conditions.append(there < sa.tuple_(as_text(datetime.fromisoformat(at)), int(position)))  # type: ignore[arg-type]
    columns = dict.fromkeys((*ENTRY_COLUMNS, *HASHED, *_LINK))
    query = (
        sa.select(*(entries.c[name] for name in columns))
        .where(*conditions)
        .order_by(entries.c.at.desc(), entries.c.position.desc())
        .limit(limit)
    )
    with ledger.reading() as connection:
        rows = connection.execute(query).all()
    found = [entry_of([*(getattr(row, name) for name in ENTRY_COLUMNS), None]) for row in rows]
    return found, verify_excerpt(sorted(map(_link, rows), key=lambda link: link.position))


def _link(row: sa.Row[tuple[object, ...]]) -> Link:
    """The number that a row may be committed to is not looked at."""
    said = {name: getattr(row, name) for name in HASHED}
    content = hashed(said)
    return Link(row.position, row.previous, row.hash, row.digest, row.key, content, None, person_erased=True)
