"""``consentivr ledger erase | hold | release``."""

from __future__ import annotations

from pathlib import Path

import click

from consentivr.cli.common import CONFIG, Refused, load_configuration, nothing, opened, print_table
from consentivr.ledger import LedgerError


@click.command("erase")
@CONFIG
@click.option("--channel", "name", metavar="UUID", help="One channel, by its own UUID or that of a visit.")
@click.option("--caller", "caller_id_number", help="All calls of this number, however it is written.")
@click.option("--why", default="request of the person", show_default=True, help="For the receipt; no personal data.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(config_path: Path, name: str | None, caller_id_number: str | None, why: str, yes: bool) -> None:
    """Erase a caller's number and recordings (GDPR art. 17); the decision stays, and so does the proof.

    A channel is one person's: all its visits are erased.
    """
    from consentivr import custody

    if (name is None) == (caller_id_number is None):
        raise Refused("name either --channel or --caller")
    configuration = load_configuration(config_path)
    folder = Path(configuration.recordings.folder)
    with opened(configuration, signs=True) as book:
        channels = [row.channel_uuid for row in book.call(name)] if name else book.channels_of(str(caller_id_number))
        channels = list(dict.fromkeys(channels))
        found = custody.calls_of_person(book, channels)
        if not found:
            nothing("nothing to erase")
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
        try:
            audio = custody.erase_calls(book, folder, channels, why)
        except (LedgerError, OSError, ValueError, custody.OnHold) as error:
            raise Refused(f"nothing was erased from the ledger: {error}") from None
        left = book.overwrite_freed()
    gone = f" ({audio.missing} were gone already)" if audio.missing else ""
    click.echo(f"erased: {len(found)} call(s), {audio.erased} recording(s){gone}")
    if left:
        nothing(left)


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
