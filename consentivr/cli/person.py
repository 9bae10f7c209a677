"""``consentivr person NUMBER report | export | erase | withdraw``: what somebody may ask for whose calls there are."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

import click

from consentivr.cli.common import CONFIG, FILE, Refused, load_configuration, nothing, opened, print_table, shown
from consentivr.cli.ledger.forgetting import erase_now
from consentivr.cli.ledger.handing_over import new_file, say_left_out, signs
from consentivr.config import Configuration
from consentivr.core.consent import Reason
from consentivr.core.evidence import CallSummary, summarize
from consentivr.core.turn import Turn
from consentivr.custody import ErasedPerson, is_held
from consentivr.disclosure import LANGUAGES, Confirmation, Letter, hand_over
from consentivr.files import read_secret
from consentivr.ledger import Entry, Ledger, Search
from consentivr.numbers import is_withheld

LANGUAGE = click.option("--language", type=click.Choice(LANGUAGES), default="de", show_default=True)
TO = click.option("--to", multiple=True, metavar="LINE", help="A line of the person's name and address; several times.")
YES = click.option("--yes", is_flag=True, help="Do it. Without: show what would be done.")

_HOW = {"letter": Reason.BY_LETTER, "mail": Reason.BY_MAIL, "word": Reason.BY_WORD}


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
@click.option("--out", type=FILE, required=True, help="A new file: .html, to be printed, or .txt.")
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
    from consentivr.service import build

    configuration = load_configuration(config_path)
    with opened(configuration, signs=signs(configuration)) as book:
        letter = _letter(configuration, book, number, language, to, enclosed=True)
        if not letter.calls:
            nothing("there is nothing to hand over: 'report' writes the letter that says so")
        letters = {"letter.html": letter.render("html"), "letter.txt": letter.render("txt")}
        book.sign()
        places = build.places(configuration)
        with new_file(out) as file:
            done = hand_over(book, Search(caller=number), "json", file, places, audio=True, letters=letters)
    click.echo(f"{len(letter.calls)} call(s), {done.recordings} recording(s): {out}")
    say_left_out(done)


@person.command("erase")
@CONFIG
@click.option("--why", default="request of the person", show_default=True, help="For the receipt; no personal data.")
@YES
@LANGUAGE
@TO
@click.option("--out", type=FILE, help="With --yes, a new file for the letter that confirms it: .html or .txt.")
@click.pass_obj
def erase(
    number: str, config_path: Path, why: str, yes: bool, language: str, to: tuple[str, ...], out: Path | None
) -> None:
    """Erase the number and the recordings of all calls (GDPR art. 17); shows first what that means.

    The entries of the calls stay, without the person, until their term is over: what proves that callers were asked.
    The letter says what is gone, and what is left and why (art. 12(3), 12(4)). Only now can it be written: afterwards
    nobody finds these calls by the number.
    """
    from consentivr.service import build

    if out is not None and not yes:
        raise Refused("--out goes with --yes: a letter confirms what was done")
    form = None if out is None else _form_of(out)
    configuration = load_configuration(config_path)
    with opened(configuration, signs=yes) as book:
        controller = None if out is None else build.controller(configuration)
        calls = [call for call, _ in _calls(book, number)]
        if not yes:
            if not calls:
                nothing("nothing to erase")
            _preview(calls, [_erasing(call) for call in calls])
            click.echo("Nothing was erased: '--yes' does it.")
            return
        if out is None or form is None or controller is None:
            good = _erase(book, configuration, calls, why)[1]
        else:
            with new_file(out) as file:
                done, good = _erase(book, configuration, calls, why)
                left = {call: [is_held(said) for said in files.values()] for call, files in done.left.items()}
                letter = Confirmation(
                    number, book.country, controller, language, calls, held=done.held, left=left, to=to
                )
                file.write(letter.render(form).encode())
            click.echo(f"written: {out}; it holds the number: send it, and keep no copy longer than you must prove it")
            if controller.recipients:
                click.echo(f"tell those who got data of it (art. 19): {'; '.join(controller.recipients)}")
    if not good or (out is None and not calls):
        sys.exit(1)


def _form_of(out: Path) -> Literal["html", "txt"]:
    if out.suffix not in (".html", ".txt"):
        raise Refused("--out wants a name that ends in .html or .txt")
    return "txt" if out.suffix == ".txt" else "html"


def _erase(
    book: Ledger, configuration: Configuration, calls: Sequence[CallSummary], why: str
) -> tuple[ErasedPerson, bool]:
    """What was done, and whether nothing is left to be done."""
    if not calls:
        # An erasure that was killed has left what it erased in the database's files.
        left = book.overwrite_freed()
        click.echo(left or "nothing to erase; what was erased before is overwritten", err=True)
        return ErasedPerson(), left is None
    channels = list(dict.fromkeys(call.channel_uuid for call in calls))
    done, overwritten = erase_now(book, configuration, channels, why)
    return done, done.is_complete and overwritten


def _erasing(call: CallSummary) -> str:
    if call.held:
        return "kept, with the number: legal hold (art. 17(3)(e))"
    return f"number and {len(call.audio)} recording(s) erased" if call.audio else "number erased"


@person.command("withdraw")
@CONFIG
@click.option("--by", "how", type=click.Choice(list(_HOW)), required=True, help="How the person said it.")
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

    if not identity.strip():
        raise Refused("--identity must say how you made sure who said it")
    configuration = load_configuration(config_path)
    kept = {queue.name: why for queue in configuration.queues.values() if (why := queue.recording.kept_because)}
    with opened(configuration, signs=True) as book:
        calls = _calls(book, number)
        given = [(call, rows) for call, rows in calls if call.decision == "given"]
        live = [call for call, rows in given if _is_under_way(rows)]
        half_done = [call for call, _ in calls if call.decision == "withdrawn" and call.to_erase]
        over = [call for call, _ in calls if call in half_done or (call.decision == "given" and call not in live)]
        if not given and not half_done:
            nothing("there is no yes to take back")
        if not yes:
            _preview([*over, *live], [_withdrawing(call, kept, live) for call in [*over, *live]])
            click.echo("Nothing was taken back: '--yes' does it.")
            return
        unreached = {call.call: said for call in live if (said := _stop(configuration, call.channel_uuid)) is not None}
        stopped = [call for call in live if call.call not in unreached]
        on = (day or datetime.now().astimezone()).date()
        done = custody.withdraw(
            book,
            build.places(configuration),
            [*over, *stopped],
            _HOW[how],
            identity.strip(),
            on,
            kept_because=kept,
            stopped=[call.call for call in stopped],
        )
        left = book.overwrite_freed() if done.erased else None
    click.echo(f"taken back: {len(done.calls)} call(s), {len(done.erased)} recording(s) erased")
    for path in done.kept:
        click.echo(f"kept: {shown(path)}: recorded by law, whatever was agreed to")
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


def _withdrawing(call: CallSummary, kept: Mapping[str, str], live: Sequence[CallSummary]) -> str:
    said = "taken back" if call.decision == "given" else "taken back already"
    if call in live:
        said = "under way: stopped, and " + said
    if call.queue in kept and call.audio:
        return f"{said}; {len(call.audio)} recording(s) kept: {kept[call.queue]}"
    if call.audio and call.held:
        return f"{said}; {len(call.audio)} recording(s) kept: legal hold (art. 17(3)(e))"
    return f"{said}; {len(call.audio)} recording(s) erased" if call.audio else said


def _is_under_way(rows: Sequence[Entry]) -> bool:
    """As far as the ledger knows. What 0.1.0 wrote names no visit, and is over."""
    return rows[-1].visit is not None and not any(row.turn == Turn.CALL_ENDED for row in rows)


def _stop(configuration: Configuration, channel_uuid: str) -> str | None:
    """Let ``serve`` withdraw a call under way; None when it was seen to record no more, else why not."""
    http = configuration.http
    if http.listen is None or http.token_file is None:
        return "'serve' cannot be told without http.listen and http.token_file"
    wish = json.dumps({"wish": "withdraw"}).encode()
    url = f"http://{http.listen}/v1/calls/{urllib.parse.quote(channel_uuid)}/recording"
    try:
        headers = {
            "Authorization": f"Bearer {read_secret(http.token_file)}",
            "Content-Type": "application/json",
        }
        asked = urllib.request.Request(url, wish, headers)
        with urllib.request.urlopen(asked, timeout=10):  # noqa: S310
            return None
    except urllib.error.HTTPError as error:
        said = {404: "'serve' does not follow it (any more)", 504: "the switch has not confirmed that it stopped"}
        return said.get(error.code, f"'serve' answers {error.code}")
    except OSError as error:
        return f"'serve' cannot be reached: {getattr(error, 'reason', error)}"


def _calls(book: Ledger, number: str) -> list[tuple[CallSummary, list[Entry]]]:
    return [(summarize(rows), rows) for rows in book.rows_of(book.channels_of(number))]


def _preview(calls: Sequence[CallSummary], becomes: Sequence[str]) -> None:
    rows = [
        [call.call, f"{call.started_at:%Y-%m-%d %H:%M}", call.line, call.decision or "", what]
        for call, what in zip(calls, becomes, strict=True)
    ]
    print_table(["call", "at (UTC)", "line", "decision", "becomes"], rows)
