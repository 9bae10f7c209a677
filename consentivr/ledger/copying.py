"""Copying a ledger into another database."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from consentivr.ledger.appending import end_of_chain
from consentivr.ledger.databases import DatabaseError
from consentivr.ledger.errors import LedgerError
from consentivr.ledger.opening import Opened
from consentivr.ledger.schema import callers, checkpoints, entries, foreign_files, listed, notices, taken, tallies


def copy(ledger: Opened, other: Opened, progress: Callable[[int], None]) -> None:
    """Copy everything into an empty ledger, all or nothing; ``progress`` is told the number of rows so far.

    Neither takes rows meanwhile. Raises LedgerError; the other one is left empty then.
    """
    try:
        with ledger.writes.begin() as source, other.writes.begin() as destination:
            if end_of_chain(other.database, destination)[0]:
                raise LedgerError(f"{other.name} is not empty: name a new one")
            for table in (notices, callers, foreign_files, checkpoints, tallies, listed, taken, entries):
                _copy_table(table, source, destination, progress)
            if end_of_chain(ledger.database, source) != end_of_chain(other.database, destination):
                raise LedgerError("the copy does not end as the ledger does; nothing was copied")
            if destination.dialect.name == "postgresql":
                destination.exec_driver_sql(
                    "SELECT setval(pg_get_serial_sequence('entry', 'seq'), max(seq)) FROM entry"
                )
    except DatabaseError as error:
        raise LedgerError(f"cannot copy to {other.name}: {other.explained(error)}") from error
    other.database.analyze()


def _copy_table(
    table: sa.Table, source: sa.Connection, destination: sa.Connection, progress: Callable[[int], None]
) -> None:
    columns = [column for column in table.columns if column.computed is None]
    query = sa.select(*columns).order_by(*table.primary_key.columns)
    done = 0
    for rows in source.execution_options(yield_per=10_000).execute(query).mappings().partitions():
        destination.execute(table.insert(), [dict(row) for row in rows])
        done += len(rows)
        if table is entries:
            progress(done)
