"""``consentivr privacy``: what a data protection officer signs, made from the configuration."""

from __future__ import annotations

import click

from consentivr.cli.common import AS_JSON, print_json_value
from consentivr.core.statutes import STATUTES


@click.group()
def privacy() -> None:
    """Documents for the data protection officer, made from the configuration."""


@privacy.command("statutes")
@AS_JSON
def statutes(print_json: bool) -> None:
    """List the statutes that mode 'permanent' may rest on, and what must be told."""
    if print_json:
        print_json_value([vars(one) for one in STATUTES])
        return
    for one in STATUTES:
        click.echo(f"{one.name}\n    {one.cites}")
        said = {"covers": one.what, "callers": one.callers, "staff": one.staff, "source": one.source}
        for name, text in {**said, "needs a confirmation": one.depends}.items():
            if text:
                click.echo(f"    {name}: {text}")
