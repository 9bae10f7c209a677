"""``consentivr ledger erase | hold | release``."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from consentivr.cli.common import CONFIG, Refused, load_configuration, nothing, opened, print_table, shown
from consentivr.config import Configuration
from consentivr.ledger import Ledger, LedgerError

if TYPE_CHECKING:
    from consentivr.custody import ErasedPerson


@click.command("erase")
@CONFIG
@click.option("--channel", "name", metavar="UUID", help="One channel, by its own UUID or that of a visit.")
@click.option("--caller", "caller_id_number", help="All calls of this number, however it is written.")
@click.option("--why", default="request of the person", show_default=True, help="For the receipt; no personal data.")
@click.option(
    "--gone",
    "said_gone",
    metavar="PATH",
    multiple=True,
    help="A file, as its row names it, that you know is gone.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(
    config_path: Path, name: str | None, caller_id_number: str | None, why: str, said_gone: tuple[str, ...], yes: bool
) -> None:
    """Erase a caller's number and recordings (GDPR art. 17); the decision stays, and so does the proof.

    A channel is one person's: all its visits are erased. Whatever cannot be erased is named, exit 1, and keeps nothing
    else; 'consentivr retention run' tries it again.
    """
    from consentivr import custody

    if (name is None) == (caller_id_number is None):
        raise Refused("name either --channel or --caller")
    configuration = load_configuration(config_path)
    with opened(configuration, signs=True) as book:
        channels = [row.channel_uuid for row in book.call(name)] if name else book.channels_of(str(caller_id_number))
        channels = list(dict.fromkeys(channels))
        found = custody.calls_of_person(book, channels)
        if not found:
            # An erasure that was killed has left what it erased in the database's files.
            nothing(book.overwrite_freed() or "nothing to erase; what was erased before is overwritten")
        table = [
            [
                call.call,
                f"{call.started_at:%Y-%m-%d %H:%M}",
                call.line,
                " ".join(recording.path for recording in call.audio) or "no recording",
            ]
            for call in found
        ]
        print_table(["call", "at (UTC)", "line", "recording"], table)
        if not yes:
            click.confirm("Erase the caller's number and the recordings of these calls?", abort=True)
        done, overwritten = erase_now(book, configuration, channels, why, said_gone)
    if not (done.is_complete and overwritten):
        sys.exit(1)


def erase_now(
    book: Ledger, configuration: Configuration, channels: Sequence[str], why: str, said_gone: Collection[str] = ()
) -> tuple[ErasedPerson, bool]:
    """Erase, and say what was and what is left; and whether what was erased is overwritten in the database's files."""
    from consentivr import custody
    from consentivr.service import build

    try:
        done = custody.erase_calls(book, build.places(configuration), channels, why, said_gone=said_gone)
    except LedgerError as error:
        raise Refused(f"not everything was erased: {error}; run it again") from None
    left, beyond = book.overwrite_freed(), book.beyond
    gone = f" ({done.gone} more were gone already)" if done.gone else ""
    click.echo(f"erased: {done.calls} call(s), {done.recordings} recording(s){gone}")
    for held in done.held:
        click.echo(f"kept: {held} is on legal hold: 'consentivr ledger release', then erase it", err=True)
    for call, files in done.left.items():
        for path, why_left in files.items():
            click.echo(f"left: {shown(path)} of {call}: {shown(why_left)}", err=True)
    if done.left:
        click.echo(
            "Erase what is left by hand, then say so: 'consentivr ledger erase --channel UUID --gone PATH'; of a moved "
            "folder see recordings.former_folders",
            err=True,
        )
    if beyond:
        click.echo(beyond)
    if left:
        click.echo(left, err=True)
    return done, left is None


def _hold_command(name: str, help_text: str, *, release: bool) -> click.Command:
    @click.command(name, help=help_text)
    @CONFIG
    @click.argument("name", metavar="UUID")
    @click.option("--why", required=True, help="For the ledger; no personal data.")
    def command(config_path: Path, name: str, why: str) -> None:
        from consentivr import custody

        with opened(load_configuration(config_path), signs=True) as book:
            done = custody.hold(book, name, why, release=release)
        if not done:
            nothing(f"there is no call {name}, or nothing to do")
        click.echo("released" if release else "held: neither 'retention run' nor 'ledger erase' touches this call")

    return command


hold = _hold_command(
    "hold", "Put a visit, or all of a channel, under a legal hold: not erased (GDPR art. 17(3)(e)).", release=False
)
release = _hold_command("release", "Release a visit, or all of a channel, from legal hold.", release=True)
