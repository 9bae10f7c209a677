"""``consentivr retention``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click

from consentivr.cli.common import AS_JSON, CONFIG, Refused, load_configuration, print_json_value, shown
from consentivr.ledger import LedgerError

_SAYS = {
    "audio_erased": "recordings erased",
    "calls_erased": "calls erased from the ledger",
    "agents_forgotten": "agents that the register forgot: no call of theirs is left",
    "held": "calls kept by a legal hold",
    "repaired": "recordings that the switch never finished, completed",
    "sealed": "recordings sealed late",
    "quarantined": "files that no row explains, put into quarantine",
    "missing": "recordings that are gone without an erasure",
    "failed": "problems",
}
_NAMED = ("quarantined", "missing", "failed")


@click.group()
def retention() -> None:
    """Erase what is due, and account for every recording."""


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
        if report.left:
            click.echo(report.left)
    if report.needs_attention:
        sys.exit(1)
