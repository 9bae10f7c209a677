"""``consentivr ledger export | sheet``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from consentivr.cli.common import CONFIG, FILE, Refused, load_configuration, nothing, opened, print_table, shown
from consentivr.cli.ledger.options import KEYS, looks_at_agents, named, searching
from consentivr.config import Configuration
from consentivr.core.evidence import CallSummary, summarize
from consentivr.disclosure import LANGUAGES, HandedOver, NothingThere, evidence_sheet, hand_over
from consentivr.files import new_private
from consentivr.ledger import LedgerError, Search, Verifier


@click.command("export")
@CONFIG
@searching()
@click.option("--format", "form", type=click.Choice(["json", "csv", "vcon"]), default="json", show_default=True)
@click.option("--audio", is_flag=True, help="With the recordings: JSON becomes a zip archive, a vCon holds them.")
@click.option("--out", type=FILE, help="A new file; default: standard output.")
def export_(config_path: Path, search: Search, form: str, audio: bool, out: Path | None) -> None:
    """Hand over what is known of a call, a caller or a span of time (GDPR art. 15, 20); holds the numbers.

    JSON and vCon verify on their own: 'ledger verify --export FILE'. What is in them is signed with ledger.signing_key.
    """
    if audio and (form == "csv" or out is None):
        raise Refused("--audio goes with --format json or vcon, and --out")
    from consentivr.service import build

    configuration = load_configuration(config_path)
    places = build.places(configuration)
    try:
        with opened(configuration, signs=signs(configuration)) as book, new_file(out) as file:
            looks_at_agents(configuration, book, "ledger export", search)
            book.sign()
            done = hand_over(book, named(book, search), form, file, places, audio=audio)
    except NothingThere:
        nothing("nothing to export")
    except ValueError as error:
        raise Refused(str(error)) from None
    if out is None:
        return
    click.echo(f"{done.rows} rows, {done.recordings} recordings: {out}")
    say_left_out(done)


def say_left_out(done: HandedOver) -> None:
    """Name the recordings that are not in it; exit 1 if there are any."""
    for path, why in done.left_out.items():
        click.echo(f"is not in it: {shown(path)}: {shown(why)}", err=True)
    if done.left_out:
        sys.exit(1)


def signs(configuration: Configuration) -> bool:
    """Whether there is a key to sign with; it is said when not."""
    from consentivr.service import build

    try:
        signed, why = build.signer(configuration) is not None, "there is no ledger.signing_key"
    except LedgerError as error:
        signed, why = False, str(error)
    if not signed:
        click.echo(f"not signed, so nothing proves that it is complete: {why}", err=True)
    return signed


@contextmanager
def new_file(out: Path | None) -> Iterator[Any]:
    """A new file that only its owner can read, gone again if it cannot be finished; or standard output."""
    if out is None:
        yield sys.stdout.buffer
        return
    try:
        with new_private(out) as file:
            yield file
    except FileExistsError as error:
        raise Refused(f"cannot write {out}: {error.strerror}; name a file that is not there yet") from None
    except OSError as error:
        raise Refused(f"cannot write {out}: {error.strerror}") from None


@click.command("sheet")
@CONFIG
@click.argument("name", metavar="UUID")
@click.option("--language", type=click.Choice(LANGUAGES), default="en", show_default=True)
@KEYS
@click.option("--out", type=FILE, required=True, help="A new HTML file, to be printed.")
def sheet(config_path: Path, name: str, language: str, public_keys: tuple[Path, ...], out: Path) -> None:
    """Write the evidence of one visit on one page that a lawyer can read; holds the number.

    UUID is the visit's or the channel's; asks which one is meant if the channel has several.
    """
    from consentivr.service import build

    configuration = load_configuration(config_path)
    places = build.places(configuration)
    try:
        with opened(configuration) as book:
            calls = book.calls_named(name)
            if not calls:
                nothing(f"no call {name} in the ledger")
            rows = calls[_which([summarize(rows) for rows in calls]) if len(calls) > 1 else 0]
            page = evidence_sheet(book, rows, places, Verifier.of_files(public_keys), language)
    except LedgerError as error:
        raise Refused(str(error)) from None
    with new_file(out) as file:
        file.write(page.encode())
    click.echo(f"written: {out}")


def _which(calls: Sequence[CallSummary]) -> int:
    """Asks which one of a channel's calls is meant."""
    rows = [
        [str(number), f"{call.started_at:%Y-%m-%d %H:%M:%S}", call.visit or "unknown", call.line, call.decision or ""]
        for number, call in enumerate(calls, 1)
    ]
    print_table(["", "at (UTC)", "visit", "line", "decision"], rows)
    return int(click.prompt("Which visit", type=click.IntRange(1, len(calls)))) - 1
