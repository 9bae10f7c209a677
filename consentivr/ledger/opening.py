"""Opening a ledger: its database, its schema, and what its errors mean for an operator."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from consentivr.ledger.databases import WRITES, DatabaseError, open_database, plain
from consentivr.ledger.errors import LedgerError, LedgerUnavailable, NoLedger
from consentivr.ledger.schema import SCHEMA


class Opened:
    """An open ledger: a path, or a postgresql:// URL.

    ``patience_s`` is how many seconds a lock is waited for. ``read_only`` goes with ``create=False``: no statement
    changes anything. Raises LedgerError with a remedy when it cannot be opened.
    """

    country: str | None = None
    """Where calls come in (ISO 3166): tells which spellings of a number are one person's."""

    def __init__(
        self,
        location: str | Path,
        *,
        create: bool = True,
        patience_s: float = 0.25,
        any_schema: bool = False,
        read_only: bool = False,
    ) -> None:
        self.location = location
        try:
            self.database = open_database(location, patience_s=patience_s, create=create, read_only=read_only)
            self.name = self.database.name
            if not create and not self.database.exists():
                raise NoLedger(
                    f"there is no ledger at {self.name}", "start 'consentivr serve' once, or see ledger.path"
                )
            self.engine = self.database.engine
            self.writes = self.engine.execution_options(**WRITES)
            self.database.check_promises()
            if not any_schema:
                self._check_schema(create)
            self.database.remember_place()
        except DatabaseError as error:
            raise LedgerError(
                f"the ledger {location} cannot be opened: {plain(error)}; {self._remedy(error)}"
            ) from error

    def close(self) -> None:
        """Close it."""
        self.database.close()

    # --- transactions ------------------------------------------------------------------------

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection to read with; its errors become LedgerError."""
        try:
            with self.engine.connect() as connection:
                yield connection
        except DatabaseError as error:
            raise self.failure("cannot be read", error) from error

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that alone continues the chain; its errors become LedgerUnavailable, and nothing is written.

        Unless the database is no longer where it was: what is written then is lost, and LedgerUnavailable as well.
        """
        try:
            with self.writes.begin() as connection:
                yield connection
        except DatabaseError as error:
            raise LedgerUnavailable(self.database.displaced() or self.explained(error)) from error
        displaced = self.database.displaced()
        if displaced:
            raise LedgerUnavailable(displaced)

    def explained(self, error: BaseException) -> str:
        """The database's own words, and what the operator can do."""
        return f"{plain(error)}; {self._remedy(error)}"

    def failure(self, what: str, error: BaseException) -> LedgerError:
        """To be raised."""
        return LedgerError(f"the ledger {self.name} {what}: {self.explained(error)}")

    def _remedy(self, error: BaseException) -> str:
        database = getattr(self, "database", None)
        return database.remedy(error) if database else "see ledger.path"

    # --- schema ------------------------------------------------------------------------------

    def _check_schema(self, create: bool) -> None:
        version = self._schema_version()
        if version is None and create:
            self.migrate()
        elif version is None:
            raise NoLedger(
                f"{self.name} holds no ledger", "start 'consentivr serve' once, or 'consentivr ledger migrate'"
            )
        elif version < SCHEMA:
            raise LedgerError(f"the ledger {self.name} is of an older version: run 'consentivr ledger migrate'")
        elif version > SCHEMA:
            raise LedgerError(
                f"the ledger {self.name} was written by a newer consentivr (schema {version}, "
                f"this one knows {SCHEMA}): install that version"
            )

    def _schema_version(self) -> str | None:
        with self.engine.connect() as connection:
            tables = sa.inspect(connection).get_table_names()
            if "alembic_version" in tables:
                version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one_or_none()
                if version is not None:
                    return str(version)
            if "entry" in tables:
                raise LedgerError(
                    f"the ledger {self.name} was made by a consentivr from before its first release: "
                    "export it with that one, then move it away"
                )
        return None

    def migrate(self) -> None:
        """Bring the schema up to this program's, all or nothing."""
        from consentivr.ledger.migrate import upgrade

        with self.writes.begin() as connection:
            upgrade(connection)

    @staticmethod
    def upgrade(location: str | Path) -> tuple[str | None, str]:
        """Migrate a ledger of any version; returns its schema before and after. Raises LedgerError."""
        ledger = Opened(location, patience_s=5.0, any_schema=True)
        try:
            before = ledger._schema_version()
            if before is not None and before > SCHEMA:
                ledger._check_schema(create=False)
            ledger.migrate()
        except DatabaseError as error:
            raise LedgerError(f"{ledger.name} cannot be migrated: {ledger.explained(error)}") from error
        finally:
            ledger.close()
        return before, SCHEMA
