"""``consentivr ledger``: reading, verifying, handing over, forgetting; a file for each kind."""

import click

from consentivr.cli.ledger.forgetting import erase, hold, release
from consentivr.cli.ledger.handing_over import export_, sheet
from consentivr.cli.ledger.moving import copy, migrate
from consentivr.cli.ledger.reading import calls, count, list_, show
from consentivr.cli.ledger.verifying import checkpoint, keygen, repair, verify


@click.group()
def ledger() -> None:
    """Read the record of every decision; verify it, hand it over, forget a person."""


for command in (
    *(list_, calls, count, show),
    *(verify, repair, keygen, checkpoint),
    *(export_, sheet),
    *(erase, hold, release),
    *(migrate, copy),
):
    ledger.add_command(command)
