"""``consentivr console``: the pages, and who may sign in there."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import click

from consentivr.cli.common import CONFIG, Refused, load_configuration
from consentivr.cli.log import configure_log


@click.group()
def console() -> None:
    """The pages for supervisors, data protection officers, works councils and agents."""


@console.command()
@CONFIG
@click.option("--log-json", is_flag=True, help="Log JSON lines.")
def serve(config_path: Path, log_json: bool) -> None:
    """Serve the pages, until told to stop."""
    from consentivr.ledger import LedgerError
    from consentivr.service.build import CannotServe
    from consentivr.service.console import server

    configuration = load_configuration(config_path)
    configure_log("info", json_lines=log_json)
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    try:
        pages, books = server(configuration)
        with books.reading():  # whatever is wrong with the ledger is said now
            pass
        pages.start()
    except (CannotServe, LedgerError, OSError) as error:
        raise Refused(str(error)) from None
    over.wait()
    pages.stop()
    books.close()
