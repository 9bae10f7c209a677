"""``consentivr ledger``: reading, verifying, handing over, forgetting."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any, NoReturn

import click

from consentivr.cli.common import (
    AS_JSON,
    CONFIG,
    Refused,
    load_configuration,
    opened,
    print_json_value,
    print_table,
    shown,
)
from consentivr.config.model import path_of
from consentivr.core.evidence import CallSummary, Turn, summarize
from consentivr.disclosure import LANGUAGES
from consentivr.files import new_private
from consentivr.ledger import Entry, Ledger, LedgerError, Search, Verifier, make_key
from consentivr.ledger.verification import Kept, verify_export, verify_ledger

_DAY = click.DateTime(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])
_FILE = click.Path(path_type=Path, dir_okay=False)
_NUMBERS = click.option("--numbers", is_flag=True, help="Show callers' numbers.")
_KEYS = click.option("--public-key", "public_keys", type=_FILE, multiple=True, help="Whose signatures count (PEM).")


@click.group()
def ledger() -> None:
    """Read the record of every decision; verify it, hand it over, forget a person."""


# --- which rows ------------------------------------------------------------------------------

_SEARCH = {
    "channel": click.option("--channel", metavar="UUID", help="One channel, with all its visits; or one visit."),
    "caller": click.option("--caller", metavar="NUMBER", help="All calls of this number, written as in the ledger."),
    "turn": click.option("--turn", help="Only this turn, such as 'decision'."),
    "line": click.option("--line", help="A line, by its name in the configuration."),
    "queue": click.option("--queue", help="A queue, by its name in mod_callcenter."),
    "decision": click.option("--decision", type=click.Choice(["given", "refused", "not_obtained"])),
    "agent": click.option("--agent", help="Calls that this agent took, such as 1001@default."),
    "day": click.option("--day", type=click.DateTime(formats=["%Y-%m-%d"]), help="One day, UTC."),
    "since": click.option("--since", type=_DAY, help="UTC, included."),
    "until": click.option("--until", type=_DAY, help="UTC, not included."),
}


def _searching(*without: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Options that choose rows; the command gets them as one ``search``."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def wrapped(**given: Any) -> None:
            day = given.pop("day", None)
            if day is not None:
                given["since"], given["until"] = day, day + timedelta(days=1)
            for name in ("since", "until"):
                moment = given.get(name)
                given[name] = moment.replace(tzinfo=timezone.utc) if moment is not None else None
            asked = {field.name: given.pop(field.name, None) for field in fields(Search)}
            command(search=Search(**asked), **given)

        for name in reversed([name for name in _SEARCH if name not in without]):
            wrapped = _SEARCH[name](wrapped)
        return wrapped

    return decorate


def _named(book: Ledger, search: Search) -> Search:
    """``--channel`` names a channel or a visit."""
    if search.channel is None:
        return search
    found = book.search_of(search.channel)
    return replace(search, channel=found.channel, visit=found.visit)


# --- reading ---------------------------------------------------------------------------------


@ledger.command("list")
@CONFIG
@AS_JSON
@_searching()
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="The newest so many.")
@_NUMBERS
def list_(config_path: Path, print_json: bool, search: Search, limit: int, numbers: bool) -> None:
    """List rows, oldest first."""
    with opened(config_path) as book:
        entries = list(book.read(_named(book, search), limit=limit))
    if print_json:
        print_json_value([_row(entry, numbers) for entry in entries])
        return
    rows = [
        [
            str(entry.position),
            f"{entry.at:%Y-%m-%d %H:%M:%S}",
            entry.channel_uuid,
            entry.line,
            entry.turn,
            str(entry.evidence.get("decision") or ""),
            str(entry.evidence.get("reason") or entry.evidence.get("why") or entry.evidence.get("hangup_cause") or ""),
            *([entry.caller_id_number or ""] if numbers else []),
        ]
        for entry in entries
    ]
    head = ["row", "at (UTC)", "channel", "line", "turn", "decision", "why", *(["caller"] if numbers else [])]
    print_table(head, rows)


@ledger.command("calls")
@CONFIG
@AS_JSON
@_searching("turn", "channel")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="The newest so many.")
@_NUMBERS
def calls(config_path: Path, print_json: bool, search: Search, limit: int, numbers: bool) -> None:
    """List calls, oldest first: one line for each visit."""
    with opened(config_path) as book:
        found = [summarize(rows) for rows in book.calls(search, limit=limit)]
    if print_json:
        print_json_value(
            [{k: v for k, v in call.as_dict().items() if numbers or k != "caller_id_number"} for call in found]
        )
        return
    head = ["at (UTC)", "channel", "visit", "queue", "decision", "why", "agent", "recording", "held"]
    rows = [
        [
            f"{call.started_at:%Y-%m-%d %H:%M:%S}",
            call.channel_uuid,
            call.visit or "",
            call.queue,
            f"{call.decision or ''}{f' ({call.decisions} rows)' if call.decisions > 1 else ''}",
            call.reason or "",
            call.agent or "",
            "kept" if call.audio else "erased" if call.recordings else "none",
            "yes" if call.held else "",
            *([call.caller_id_number or ""] if numbers else []),
        ]
        for call in found
    ]
    print_table([*head, *(["caller"] if numbers else [])], rows)


@ledger.command("count")
@CONFIG
@AS_JSON
@click.option(
    "--by",
    type=click.Choice(["hour", "day", "month", "queue", "line", "reason", "agent"]),
    multiple=True,
    default=["day"],
    show_default=True,
    help="May be given several times.",
)
@_searching("turn", "channel")
def count(config_path: Path, print_json: bool, by: Sequence[str], search: Search) -> None:
    """Count decisions, over time or by queue, line, reason, agent."""
    by = list(dict.fromkeys(by))
    with opened(config_path) as book:
        counted = book.count(by, search)
    if print_json:
        print_json_value([dict(zip([*by, "decision", "calls"], row, strict=True)) for row in counted])
        return
    decisions = ["given", "refused", "not_obtained"]
    groups: dict[tuple[str, ...], dict[str, int]] = {}
    for *group, decision, number in counted:
        groups.setdefault(tuple(map(str, group)), {})[decision] = number
    rows = []
    for names, numbers in groups.items():
        total = sum(numbers.values())
        share = f"{100 * numbers.get('given', 0) / total:.1f} %"
        rows.append([*names, *(str(numbers.get(decision, 0)) for decision in decisions), str(total), share])
    print_table([*by, *decisions, "all", "share given"], rows)


@ledger.command("show")
@CONFIG
@AS_JSON
@click.argument("name", metavar="UUID")
@_NUMBERS
def show(config_path: Path, print_json: bool, name: str, numbers: bool) -> None:
    """Show everything that is known of one visit, or of every call of a channel, by its UUID."""
    with opened(config_path) as book:
        calls = [[_row(entry, numbers) for entry in rows] for rows in book.calls_named(name)]
        entries = [entry for rows in calls for entry in rows]
        digests = sorted({entry["evidence"].get("notice") for entry in entries} - {None})
        said = {digest: notice.__dict__ for digest in digests if (notice := book.notice(digest))}
    if not entries:
        _nothing(f"no call {name} in the ledger")
    if print_json:
        print_json_value({"entries": entries, "notices": said})
        return
    for rows in calls:
        if rows[0]["visit"] or len(calls) > 1:
            click.echo(f"visit {shown(rows[0]['visit'] or 'unknown')}, line {shown(rows[0]['line'])}")
        for entry in rows:
            click.echo(f"{entry['at']}  {entry['turn']}")
            for member, value in entry["evidence"].items():
                if value not in (None, "", []):
                    click.echo(f"    {member}: {shown(value)}")
        decisions = sum(entry["turn"] == Turn.DECISION for entry in rows)
        if decisions > 1:
            click.echo(f"{decisions} rows decide: the first one counts")
    if numbers:
        click.echo(f"caller: {shown(entries[0]['caller_id_number'])}")
    for digest, wording in said.items():
        click.echo(f"notice {digest[:12]} ({wording['language']}): {wording['text']}")


def _row(entry: Entry, numbers: bool) -> dict[str, Any]:
    return {name: value for name, value in entry.as_dict().items() if numbers or name != "caller_id_number"}


def _nothing(why: str) -> NoReturn:
    click.echo(why, err=True)
    sys.exit(1)


# --- verifying -------------------------------------------------------------------------------


@ledger.command("verify")
@CONFIG
@AS_JSON
@click.option(
    "--checkpoint",
    "kept",
    multiple=True,
    metavar="POSITION:HASH|FILE",
    help="What you kept elsewhere: a checkpoint that an earlier verify printed, or a file of 'ledger checkpoint'. "
    "It tells a cut tail and a rewritten chain.",
)
@_KEYS
@click.option("--export", type=_FILE, help="An export (JSON, zip, vCon), instead of the ledger.")
def verify(
    config_path: Path, print_json: bool, kept: tuple[str, ...], public_keys: tuple[Path, ...], export: Path | None
) -> None:
    """Say whether rows were changed, removed, inserted or reordered; exit 1 if so. Works offline."""
    try:
        verifier = Verifier.of_files(public_keys)
        elsewhere = Kept.of(kept)
        if export is not None:
            verified = verify_export(export, verifier)
        else:
            with opened(config_path) as book:
                verified = verify_ledger(book, verifier, elsewhere)
    except LedgerError as error:
        raise Refused(str(error)) from None
    findings, signed_rows = verified.findings, verified.signed_rows
    if print_json:
        found = [{"position": finding.position, "kind": finding.kind.value} for finding in findings]
        print_json_value(
            {
                "rows": verified.rows,
                "findings": found,
                "checkpoint": verified.checkpoint,
                "signed_rows": signed_rows if verifier else None,
            }
        )
    else:
        for finding in findings:
            click.echo(f"row {finding.position}: {finding.kind.value}")
        click.echo(f"{verified.rows} rows, {'NOT whole' if findings else 'whole'}")
        if verifier:
            click.echo(f"{signed_rows} of them lead to a checkpoint that was signed with a key that you named")
        elif signed_rows:
            click.echo(f"{signed_rows} of them lead to signed checkpoints; name --public-key to verify the signatures")
        if verified.checkpoint:
            click.echo(f"checkpoint, to be kept elsewhere: {verified.checkpoint}")
    if findings:
        sys.exit(1)


@ledger.command("keygen")
@click.option("--out", type=_FILE, required=True, help="A new file for the private key; see ledger.signing_key.")
def keygen(out: Path) -> None:
    """Make a key that signs checkpoints. Prints the public key: give it to whoever verifies."""
    try:
        key = make_key(out)
    except LedgerError as error:
        raise Refused(str(error)) from None
    click.echo(key.public_pem, nl=False)
    click.echo(f"key {key.key_id} is in {out}, readable by its owner only", err=True)


@ledger.command("checkpoint")
@CONFIG
@click.option("--all", "every", is_flag=True, help="All checkpoints that there are, not only the newest.")
def checkpoint(config_path: Path, every: bool) -> None:
    """Sign what the ledger is now, and print it as a line of JSON: append it to a file elsewhere."""
    with opened(config_path, signs=True) as book:
        book.sign()
        signed = book.checkpoints()
    if not signed:
        raise Refused("nothing is signed: see ledger.signing_key, or the ledger is empty")
    for one in signed if every else signed[-1:]:
        click.echo(json.dumps(one.__dict__))


# --- handing over ----------------------------------------------------------------------------


@ledger.command("export")
@CONFIG
@_searching()
@click.option("--format", "form", type=click.Choice(["json", "csv", "vcon"]), default="json", show_default=True)
@click.option("--audio", is_flag=True, help="With the recordings: JSON becomes a zip archive, a vCon holds them.")
@click.option("--out", type=_FILE, help="A new file; default: standard output.")
def export_(config_path: Path, search: Search, form: str, audio: bool, out: Path | None) -> None:
    """Hand over what is known of a call, a caller or a span of time (GDPR art. 15, 20); holds the numbers.

    JSON and vCon verify on their own: 'ledger verify --export FILE'.
    """
    from consentivr import disclosure

    if audio and (form == "csv" or out is None):
        raise Refused("--audio goes with --format json or vcon, and --out")
    folder = Path(load_configuration(config_path).recordings.folder)
    try:
        with opened(config_path) as book, _new_file(out) as file:
            done = disclosure.hand_over(book, _named(book, search), form, file, folder, audio=audio)
    except disclosure.NothingThere:
        _nothing("nothing to export")
    except ValueError as error:
        raise Refused(str(error)) from None
    if out is None:
        return
    click.echo(f"{done.rows} rows, {done.recordings} recordings: {out}")
    for path in done.unreadable:
        click.echo(f"cannot be read: {path}", err=True)
    if done.unreadable:
        sys.exit(1)


@contextmanager
def _new_file(out: Path | None) -> Iterator[Any]:
    """A new file that only its owner can read, gone again if it cannot be finished; or standard output."""
    if out is None:
        yield sys.stdout.buffer
        return
    try:
        with new_private(out) as file:
            yield file
    except FileExistsError:
        raise Refused(f"cannot write {out}: name a file that is not there yet") from None
    except OSError as error:
        raise Refused(f"cannot write {out}: {error.strerror}") from None


@ledger.command("sheet")
@CONFIG
@click.argument("name", metavar="UUID")
@click.option("--language", type=click.Choice(LANGUAGES), default="en", show_default=True)
@_KEYS
@click.option("--out", type=_FILE, required=True, help="A new HTML file, to be printed.")
def sheet(config_path: Path, name: str, language: str, public_keys: tuple[Path, ...], out: Path) -> None:
    """Write the evidence of one visit on one page that a lawyer can read; holds the number.

    UUID is the visit's or the channel's; asks which one is meant if the channel has several.
    """
    from consentivr import disclosure

    folder = Path(load_configuration(config_path).recordings.folder)
    try:
        with opened(config_path) as book:
            calls = book.calls_named(name)
            if not calls:
                _nothing(f"no call {name} in the ledger")
            rows = calls[_which([summarize(rows) for rows in calls]) if len(calls) > 1 else 0]
            page = disclosure.evidence_sheet(book, rows, folder, Verifier.of_files(public_keys), language)
    except LedgerError as error:
        raise Refused(str(error)) from None
    with _new_file(out) as file:
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


# --- forgetting ------------------------------------------------------------------------------


@ledger.command("erase")
@CONFIG
@click.option("--channel", "name", metavar="UUID", help="One channel, by its own UUID or that of a visit.")
@click.option("--caller", "caller_id_number", help="All calls of this number, written as in the ledger.")
@click.option("--why", default="request of the person", show_default=True, help="For the receipt; no personal data.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(config_path: Path, name: str | None, caller_id_number: str | None, why: str, yes: bool) -> None:
    """Erase a caller's number and recordings (GDPR art. 17); the decision stays, and so does the proof.

    A channel is one person's: all its visits are erased.
    """
    from consentivr import custody

    if (name is None) == (caller_id_number is None):
        raise Refused("name either --channel or --caller")
    folder = Path(load_configuration(config_path).recordings.folder)
    with opened(config_path, signs=True) as book:
        channels = [row.channel_uuid for row in book.call(name)] if name else book.channels_of(str(caller_id_number))
        channels = list(dict.fromkeys(channels))
        found = custody.calls_of_person(book, channels)
        if not found:
            _nothing("nothing to erase")
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
        _nothing(left)


def _hold_command(name: str, help_text: str, *, release: bool) -> None:
    @ledger.command(name, help=help_text)
    @CONFIG
    @click.argument("name", metavar="UUID")
    @click.option("--why", required=True, help="For the ledger; no personal data.")
    def command(config_path: Path, name: str, why: str) -> None:
        from consentivr import custody

        with opened(config_path, signs=True) as book:
            done = custody.hold(book, name, why, release=release)
        if not done:
            _nothing(f"there is no call {name}, or nothing to do")
        click.echo("released" if release else "held: neither 'retention run' nor 'ledger erase' touches this call")


_hold_command(
    "hold", "Put a visit, or all of a channel, under a legal hold: not erased (GDPR art. 17(3)(e)).", release=False
)
_hold_command("release", "Release a visit, or all of a channel, from legal hold.", release=True)


# --- databases -------------------------------------------------------------------------------


@ledger.command("migrate")
@CONFIG
def migrate(config_path: Path) -> None:
    """Bring the database to this version's schema, all or nothing. Make a backup first."""
    location = load_configuration(config_path).ledger.location
    try:
        before, after = Ledger.upgrade(location)
    except LedgerError as error:
        raise Refused(str(error)) from None
    click.echo(f"schema {after}, as before" if before == after else f"schema {before or 'none'} -> {after}")


@ledger.command("copy")
@CONFIG
@click.argument("destination")
def copy(config_path: Path, destination: str) -> None:
    """Copy the ledger to DESTINATION, an empty postgresql:// database or a new file, and verify the copy.

    Stop 'serve' first: while it is copied, the ledger takes no rows, and calls go on unrecorded.
    """
    try:
        with opened(config_path) as book:
            other = Ledger(destination if destination.startswith("postgresql://") else path_of(destination))
            try:
                rows = book.copy_to(other, progress=lambda done: click.echo(f"{done} rows ...", err=True))
            finally:
                other.close()
    except LedgerError as error:
        raise Refused(str(error)) from None
    click.echo(f"{rows} rows, the copy is whole: put it into ledger.url or ledger.path")
