"""``consentivr person NUMBER report | export | erase | withdraw | receipt``: what somebody may ask for who called."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Literal

import click

from consentivr.cli.common import CONFIG, FILE, Refused, load_configuration, nothing, opened, print_table, shown
from consentivr.cli.ledger.forgetting import erase_now
from consentivr.cli.ledger.handing_over import new_file, say_left_out, signs
from consentivr.config import Configuration
from consentivr.core.evidence import CallSummary
from consentivr.custody import WAYS, ErasedCall, ErasedPerson, Withdrawal
from consentivr.disclosure import LANGUAGES, Confirmation, Letter, Receipt
from consentivr.ledger import Ledger
from consentivr.numbers import is_withheld

LANGUAGE = click.option("--language", type=click.Choice(LANGUAGES), default="de", show_default=True)
TO = click.option("--to", multiple=True, metavar="LINE", help="A line of the person's name and address; several times.")
PAPER = click.option("--out", type=FILE, required=True, help="A new file: .html, to be printed, or .txt.")
YES = click.option("--yes", is_flag=True, help="Do it. Without: show what would be done.")


@click.group()
@click.argument("number")
@click.pass_context
def person(context: click.Context, number: str) -> None:
    """Answer whoever calls from NUMBER, however it is written: tell, hand over, erase, take a yes back.

    Make sure first that whoever asks is the one who called (GDPR art. 12(6)).
    """
    if is_withheld(number):
        raise Refused(f"'{number}' is nobody's number: it is what switches write when a number is withheld")
    context.obj = number


def _letter(
    configuration: Configuration, book: Ledger, number: str, language: str, to: Sequence[str], *, enclosed: bool
) -> Letter:
    from consentivr.service import build

    places = build.places(configuration)
    return Letter(book, number, build.controller(configuration), places, language, to=to, enclosed=enclosed)


@person.command("report")
@CONFIG
@LANGUAGE
@TO
@PAPER
@click.pass_obj
def report(number: str, config_path: Path, language: str, to: tuple[str, ...], out: Path) -> None:
    """Write the letter that answers a request for access (GDPR art. 15), also when there is nothing to tell."""
    form = _form_of(out)
    configuration = load_configuration(config_path)
    with opened(configuration) as book:
        letter = _letter(configuration, book, number, language, to, enclosed=False)
        page = letter.render(form)
    with new_file(out) as file:
        file.write(page.encode())
    click.echo(f"written: {out}, {len(letter.calls)} call(s), {len(letter.recordings)} recording(s)")


@person.command("export")
@CONFIG
@LANGUAGE
@TO
@click.option("--out", type=FILE, required=True, help="A new archive (zip).")
@click.pass_obj
def export_(number: str, config_path: Path, language: str, to: tuple[str, ...], out: Path) -> None:
    """Write letter, data and recordings into one archive (GDPR art. 15(3), 20).

    The data verify on their own: 'ledger verify --export FILE'. Recordings hold other people's voices too: look at what
    you hand over (art. 15(4)).
    """
    configuration = load_configuration(config_path)
    with opened(configuration, signs=signs(configuration)) as book:
        letter = _letter(configuration, book, number, language, to, enclosed=True)
        if not letter.calls:
            nothing("there is nothing to hand over: 'report' writes the letter that says so")
        book.sign()
        with new_file(out) as file:
            done = letter.write_archive(file)
    click.echo(f"{len(letter.calls)} call(s), {done.recordings} recording(s): {out}")
    say_left_out(done)


@person.command("erase")
@CONFIG
@click.option("--why", default="request of the person", show_default=True, help="For the receipt; no personal data.")
@YES
@LANGUAGE
@TO
@click.option("--out", type=FILE, help="With --yes, a new file for the letter that confirms it: .html or .txt.")
@click.option("--receipt", type=FILE, help="With --yes, a new file for the receipt, as 'receipt' writes it.")
@click.pass_obj
def erase(
    number: str,
    config_path: Path,
    why: str,
    yes: bool,
    language: str,
    to: tuple[str, ...],
    out: Path | None,
    receipt: Path | None,
) -> None:
    """Erase the number and the recordings of all calls (GDPR art. 17); shows first what that means.

    The entries of the calls stay, without the person, until their term is over: what proves that callers were asked.
    The letter says what is gone, and what is left and why (art. 12(3), 12(4)). Only now can it be written, and the
    receipt: afterwards nobody finds these calls by the number.
    """
    from consentivr import custody
    from consentivr.service import build

    wanted = {paper: _form_of(paper) for paper in (out, receipt) if paper is not None}
    if wanted and not yes:
        raise Refused("--out and --receipt go with --yes: they say what was done")
    if out is not None and out == receipt:
        raise Refused("--out and --receipt want a file each")
    configuration = load_configuration(config_path)
    with opened(configuration, signs=yes) as book:
        controller = build.controller(configuration) if wanted else None
        channels = book.channels_of(number)
        if not yes:
            if not channels:
                nothing("nothing to erase")
            would = custody.would_erase(book, build.places(configuration), channels).becomes
            _preview([erased.call for erased in would], [_erasing(erased) for erased in would])
            click.echo("Nothing was erased: '--yes' does it.")
            return
        with ExitStack() as papers:
            files = {paper: papers.enter_context(new_file(paper)) for paper in wanted}
            done, good = _erase(book, configuration, channels, why)
            if out is not None and controller is not None:
                letter = Confirmation(number, book.country, controller, language, done.becomes, to=to)
                files[out].write(letter.render(wanted[out]).encode())
            if receipt is not None and controller is not None:
                proof = Receipt(book, number, channels, controller, language, to=to)
                files[receipt].write(proof.render(wanted[receipt]).encode())
    for paper in wanted:
        click.echo(f"written: {paper}; it holds the number: send it, and keep no copy longer than you must prove it")
    if controller is not None and controller.recipients:
        click.echo(f"tell those who got data of it (art. 19): {'; '.join(controller.recipients)}")
    if not good or (not wanted and not channels):
        sys.exit(1)


@person.command("receipt")
@CONFIG
@LANGUAGE
@TO
@PAPER
@click.pass_obj
def receipt_(number: str, config_path: Path, language: str, to: tuple[str, ...], out: Path) -> None:
    """Write the receipt of what was taken back or erased: the ledger's rows that say it, and their hashes.

    Whoever has it can have the ledger checked for these rows later. Of an erasure 'erase --yes --receipt' writes it.
    """
    from consentivr.service import build

    form = _form_of(out)
    configuration = load_configuration(config_path)
    with opened(configuration) as book:
        channels = book.channels_of(number)
        paper = Receipt(book, number, channels, build.controller(configuration), language, to=to)
        if not paper.calls:
            nothing("nothing was taken back or erased of a call that is found by this number")
        page = paper.render(form)
    with new_file(out) as file:
        file.write(page.encode())
    click.echo(f"written: {out}, {len(paper.calls)} call(s)")


def _form_of(out: Path) -> Literal["html", "txt"]:
    if out.suffix not in (".html", ".txt"):
        raise Refused("--out wants a name that ends in .html or .txt")
    return "txt" if out.suffix == ".txt" else "html"


def _erase(book: Ledger, configuration: Configuration, channels: Sequence[str], why: str) -> tuple[ErasedPerson, bool]:
    """What was done, and whether nothing is left to be done."""
    if not channels:
        # An erasure that was killed has left what it erased in the database's files.
        left = book.overwrite_freed()
        click.echo(left or "nothing to erase; what was erased before is overwritten", err=True)
        return ErasedPerson(), left is None
    done, overwritten = erase_now(book, configuration, channels, why)
    return done, done.is_complete and overwritten


def _erasing(erased: ErasedCall) -> str:
    if erased.held:
        return "kept, with the number: legal hold (art. 17(3)(e))"
    count = erased.recordings + erased.gone
    gone = (["number"] if erased.number else []) + ([f"{count} recording(s)"] if count else [])
    stays = [] if erased.number else ["number kept: another visit of this channel is on legal hold"]
    stays += [f"left: {shown(path)}: {shown(why)}" for path, why in erased.left.items()]
    return "; ".join([f"{' and '.join(gone)} erased" if gone else "nothing erased", *stays])


@person.command("withdraw")
@CONFIG
@click.option("--by", "how", type=click.Choice(list(WAYS)), required=True, help="How the person said it.")
@click.option("--identity", required=True, help="How you made sure who said it; goes into the rows, no personal data.")
@click.option("--on", "day", type=click.DateTime(formats=["%Y-%m-%d"]), help="When it reached you.  [default: today]")
@YES
@click.pass_obj
def withdraw(number: str, config_path: Path, how: str, identity: str, day: datetime | None, yes: bool) -> None:
    """Take the yes of all calls back (GDPR art. 7(3)); recordings are erased as the queue's erase_withdrawn says.

    A call under way is stopped by 'serve', over HTTP; when that cannot be reached, this says so and exits with 1.
    """
    from consentivr import custody
    from consentivr.service import build
    from consentivr.service.wishing import wish

    if not identity.strip():
        raise Refused("--identity must say how you made sure who said it")
    configuration = load_configuration(config_path)
    kept, places = build.kept_because(configuration), build.places(configuration)
    with opened(configuration, signs=True) as book:
        found = custody.to_take_back(book, book.channels_of(number))
        live = {call.call: call for call in found.live}
        if not found.calls:
            nothing("there is no yes to take back")
        if not yes:
            would = custody.would_withdraw(book, places, found.calls, kept_because=kept)
            _preview(found.calls, [_withdrawing(call, would, live) for call in found.calls])
            click.echo("Nothing was taken back: '--yes' does it.")
            return
        unreached = custody.stop_live(found.live, lambda channel: wish(configuration, channel, "withdraw"))
        stopped = [call for name, call in live.items() if name not in unreached]
        on = (day or datetime.now().astimezone()).date()
        done = custody.withdraw(
            book,
            places,
            [*found.over, *stopped],
            custody.WAYS[how],
            identity.strip(),
            on,
            kept_because=kept,
            stopped=[call.call for call in stopped],
        )
        left = book.overwrite_freed() if done.erased else None
    click.echo(f"taken back: {len(done.calls)} call(s), {len(done.erased)} recording(s) erased")
    for path, why in done.kept.items():
        click.echo(f"kept: {shown(path)}: {shown(why)}")
    for path, why in done.left.items():
        click.echo(f"left: {shown(path)}: {shown(why)}", err=True)
    for call_name, why in unreached.items():
        click.echo(
            f"NOT STOPPED: call {call_name} is under way, and goes on as it is: {why}. "
            "Let the agent end the recording, then run this again",
            err=True,
        )
    if left:
        nothing(left)
    if done.left or unreached:
        sys.exit(1)


def _withdrawing(call: CallSummary, would: Withdrawal, live: Collection[str]) -> str:
    said = "taken back" if call.decision == "given" else "taken back already"
    if call.call in live:
        said = "under way: stopped, and " + said
    paths = [recording.path for recording in call.audio]
    if erased := sum(path in would.erased for path in paths):
        said += f"; {erased} recording(s) erased"
    for path in paths:
        if why := would.kept.get(path) or would.left.get(path):
            said += f"; 1 recording(s) kept: {why}"
    return said


def _preview(calls: Sequence[CallSummary], becomes: Sequence[str]) -> None:
    rows = [
        [call.call, f"{call.started_at:%Y-%m-%d %H:%M}", call.line, call.decision or "", what]
        for call, what in zip(calls, becomes, strict=True)
    ]
    print_table(["call", "at (UTC)", "line", "decision", "becomes"], rows)
