"""What the tests do to ledgers, in both databases."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from consentivr.core import chain
from consentivr.ledger import Entry, Ledger

UUIDS = [f"26c9d23f-fed1-4cfe-b05e-{number:012x}" for number in range(20_000)]
NUMBER = "+493023125000"


def entry(number: int = 0, turn: str = "decision", caller: str | None = NUMBER, **evidence: Any) -> Entry:
    return Entry(UUIDS[number], turn, "support", "support@default", "permanent_opt_out", evidence, caller)


@contextmanager
def opened(location: str | Path, **how: Any) -> Iterator[Ledger]:
    ledger = Ledger(location, **how)
    try:
        yield ledger
    finally:
        ledger.close()


@contextmanager
def sql(location: str | Path) -> Iterator[Any]:
    """A connection of the database's own, beside ours; each statement by itself."""
    if isinstance(location, Path):
        connection: Any = sqlite3.connect(location, isolation_level=None)
    else:
        import psycopg

        connection = psycopg.connect(location, autocommit=True)
    try:
        yield connection
    finally:
        connection.close()


def as_administrator(location: str | Path, *statements: str) -> None:
    """Run SQL past the triggers, as who owns the database can."""
    with sql(location) as connection:
        if isinstance(location, Path):
            for trigger in ("entry_no_update", "entry_no_delete"):
                connection.execute(f"DROP TRIGGER IF EXISTS {trigger}")
        else:
            connection.execute("ALTER TABLE entry DISABLE TRIGGER ALL")
        for statement in statements:
            connection.execute(statement)


@contextmanager
def locked(location: str | Path) -> Iterator[None]:
    """Someone holds the lock that writers need."""
    with sql(location) as connection:
        if isinstance(location, Path):
            connection.execute("BEGIN IMMEDIATE")
        else:
            connection.execute("BEGIN")
            connection.execute("LOCK TABLE entry IN EXCLUSIVE MODE")
        yield
        connection.execute("ROLLBACK")


def whole(location: str | Path) -> int:
    """The number of rows of a ledger that verifies."""
    with opened(location) as ledger:
        links = list(ledger.links())
        findings = chain.verify(links, [signed.checkpoint for signed in ledger.checkpoints()])
    assert findings == [], findings
    return len(links)
