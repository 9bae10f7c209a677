"""``consentivr ledger migrate | copy``."""

from __future__ import annotations

from pathlib import Path

import click

from consentivr.cli.common import CONFIG, Refused, load_configuration, opened
from consentivr.ledger import Ledger, LedgerError


@click.command("migrate")
@CONFIG
def migrate(config_path: Path) -> None:
    """Bring the database to this version's schema, all or nothing. Make a backup first."""
    location = load_configuration(config_path).ledger.location
    try:
        before, after = Ledger.upgrade(location)
    except LedgerError as error:
        raise Refused(str(error)) from None
    click.echo(f"schema {after}, as before" if before == after else f"schema {before or 'none'} -> {after}")


@click.command("copy")
@CONFIG
@click.argument("destination")
def copy(config_path: Path, destination: str) -> None:
    """Copy the ledger to DESTINATION, an empty postgresql:// database or a new file, and verify the copy.

    Stop 'serve' first: while it is copied, the ledger takes no rows, and calls go on unrecorded.
    """
    try:
        with opened(load_configuration(config_path)) as book:
            other = Ledger(destination if destination.startswith("postgresql://") else Path(destination).expanduser())
            try:
                rows = book.copy_to(other, progress=lambda done: click.echo(f"{done} rows ...", err=True))
            finally:
                other.close()
    except LedgerError as error:
        raise Refused(str(error)) from None
    click.echo(f"{rows} rows, the copy is whole: put it into ledger.url or ledger.path")
