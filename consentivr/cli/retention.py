"""``consentivr retention``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from consentivr.cli.common import (
    AS_JSON,
    CONFIG,
    Refused,
    load_configuration,
    nothing,
    opened,
    print_json_value,
    print_table,
    shown,
)
from consentivr.ledger import Ledger, LedgerError
from consentivr.recordings import Places

if TYPE_CHECKING:
    from consentivr.custody import Quarantined

_SAYS = {
    "audio_erased": "recordings erased",
    "calls_erased": "calls erased from the ledger",
    "agents_forgotten": "agents that the register forgot: no call of theirs is left",
    "held": "calls kept by a legal hold",
    "repaired": "recordings that the switch never finished, completed",
    "sealed": "recordings sealed late",
    "quarantined": "files that no row explains, put into quarantine",
    "differs": "recordings that are not what was sealed, or not as long as the talk",
    "missing": "recordings that are gone without an erasure",
    "failed": "problems",
}
_NAMED = ("quarantined", "differs", "missing", "failed")


@click.group()
def retention() -> None:
    """Erase what is due, and account for every recording."""


@retention.group()
def quarantine() -> None:
    """What lies in quarantine: files that nothing explains, or that may be somebody's evidence."""


_QUARANTINED = ("name", "since", "until", "call", "why", "was")
_NAME = click.argument("name", metavar="NAME")
_WHY = click.option("--why", required=True, help="For the ledger; no personal data.")


@quarantine.command("list")
@CONFIG
@AS_JSON
def list_(config_path: Path, print_json: bool) -> None:
    """List what lies there, oldest first. Where it came from may hold a number."""
    from consentivr import custody
    from consentivr.service import build

    configuration = load_configuration(config_path)
    days = timedelta(days=configuration.retention.quarantine_days)
    with opened(configuration) as book:
        found = [
            (one.name, f"{one.at:%Y-%m-%d %H:%M}", f"{one.at + days:%Y-%m-%d}", one.call, one.why, one.was)
            for one in custody.quarantined(book, build.places(configuration))
        ]
    if print_json:
        print_json_value([dict(zip(_QUARANTINED, row, strict=True)) for row in found])
        return
    print_table(["name", "since (UTC)", "until", "call", "why", "was"], found)


@quarantine.command("erase")
@CONFIG
@_NAME
@_WHY
def erase(config_path: Path, name: str, why: str) -> None:
    """Erase a file, by its name in the list."""
    from consentivr import custody

    with _quarantined(config_path, name) as (book, _, one):
        custody.erase_quarantined(book, one, custody.Holds(book), why)
        left = book.overwrite_freed()
    click.echo(f"erased: {one.name}")
    if left:
        nothing(left)


@quarantine.command("adopt")
@CONFIG
@_NAME
@click.option("--visit", required=True, metavar="UUID", help="Whose recording it is; it must permit one.")
@_WHY
def adopt(config_path: Path, name: str, visit: str, why: str) -> None:
    """Take a file back as a recording of a visit: sealed, held and erased like any other."""
    from consentivr import custody

    with _quarantined(config_path, name) as (book, places, one):
        place = custody.adopt(book, places, one, visit, why)
    click.echo(f"it is a recording of {visit} now: {place}")


@contextmanager
def _quarantined(config_path: Path, name: str) -> Iterator[tuple[Ledger, Places, Quarantined]]:
    """The file of that name; what cannot be done to it is refused."""
    from consentivr import custody
    from consentivr.service import build

    configuration = load_configuration(config_path)
    places = build.places(configuration)
    with opened(configuration, signs=True) as book:
        one = next((one for one in custody.quarantined(book, places) if one.name == name), None)
        if one is None:
            nothing(f"there is no {name} in quarantine: see 'consentivr retention quarantine list'")
        try:
            yield book, places, one
        except (custody.Refused, OSError) as error:
            raise Refused(str(error)) from None


@retention.command("run")
@CONFIG
@AS_JSON
@click.option("--dry-run", is_flag=True, help="Say what would be done; change nothing.")
def run(config_path: Path, print_json: bool, dry_run: bool) -> None:
    """Erase what is due by queues.*.retention; exit 1 if someone should look at something.

    Safe to interrupt and to run again.
    """
    from consentivr.service import build

    def progress(what: str) -> None:
        click.echo(f"{what} ...", err=True)

    try:
        report = build.retain(load_configuration(config_path), dry_run=dry_run, progress=progress)
    except LedgerError as error:
        raise Refused(str(error)) from None
    said = asdict(report)
    if print_json:
        print_json_value(said)
    else:
        if dry_run:
            click.echo("Nothing was changed. This would be done:")
        for name, words in _SAYS.items():
            click.echo(f"{len(said[name]):7} {words}")
            for what in said[name] if name in _NAMED else ():
                click.echo(f"          {shown(what)}")
        click.echo(f"{report.accesses_erased:7} rows of the access log erased")
        for left in filter(None, (report.left, report.beyond)):
            click.echo(left)
    if report.needs_attention:
        sys.exit(1)
