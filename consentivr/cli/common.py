"""What every verb shares: options, output, refusals."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click

from consentivr.config import ConfigError, Configuration, load
from consentivr.ledger import Ledger, LedgerError

FILE = click.Path(path_type=Path, dir_okay=False)
AS_JSON = click.option("--json", "print_json", is_flag=True, help="Print JSON instead of a table.")
CONFIG = click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    envvar="CONSENTIVR_CONFIG",
    default=Path("/etc/consentivr/consentivr.yaml"),
    show_default=True,
    help="The configuration file; also $CONSENTIVR_CONFIG.",
)


class Refused(click.ClickException):
    """A configuration or usage error."""

    exit_code = 2


def load_configuration(path: Path) -> Configuration:
    """The configuration. Raises Refused with every mistake in it."""
    try:
        return load(path, lambda text: click.echo(text, err=True))
    except ConfigError as error:
        raise Refused(f"{len(error.mistakes)} mistake(s) in the configuration:\n{error}") from None


def nothing(why: str) -> NoReturn:
    """There is nothing to do, or something is left to be done: said, and exit 1."""
    click.echo(why, err=True)
    sys.exit(1)


def print_json_value(value: Any) -> None:
    """Print JSON for people and programs."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def shown(text: object) -> str:
    """For a terminal: what a caller or a switch sent must not steer it (promise P7)."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in str(text))


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns as wide as they must be."""
    rows = [[shown(cell) for cell in row] for row in rows]
    widths = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, ["-" * width for width in widths], *rows]:
        click.echo("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@contextmanager
def opened(configuration: Configuration, *, signs: bool = False, create: bool = False) -> Iterator[Ledger]:
    """The ledger; its troubles become refusals."""
    from consentivr.service import build

    try:
        book = build.open_ledger(configuration, signs=signs, create=create)
        try:
            yield book
        finally:
            book.close()
    except LedgerError as error:
        raise Refused(str(error)) from None
