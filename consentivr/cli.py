"""The command line. Exit 0 is good, 1 is a finding, 2 is a usage or configuration error."""

from __future__ import annotations

import json
import logging
import re
import signal
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click
import structlog

import consentivr
from consentivr.config import ConfigError, Configuration, load
from consentivr.config.model import SAMPLE_RATES, path_of
from consentivr.core import chain
from consentivr.core.chain import Checkpoint
from consentivr.ledger import Ledger, LedgerError, as_csv, as_json, verify_json
from consentivr.resources import shipped

_AS_JSON = click.option("--json", "print_json", is_flag=True, help="Print JSON instead of a table.")
_CONFIG = click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    envvar="CONSENTIVR_CONFIG",
    default=Path("/etc/consentivr/consentivr.yaml"),
    show_default=True,
    help="The configuration file; also $CONSENTIVR_CONFIG.",
)


class _Refused(click.ClickException):
    """A configuration or usage error."""

    exit_code = 2


def _load(path: Path) -> Configuration:
    try:
        return load(path)
    except ConfigError as error:
        raise _Refused(f"{len(error.mistakes)} mistake(s) in the configuration:\n{error}") from None


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _shown(text: object) -> str:
    """For a terminal: what a caller or a switch sent must not steer it (promise P7)."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in str(text))


def _print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    rows = [[_shown(cell) for cell in row] for row in rows]
    widths = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, ["-" * width for width in widths], *rows]:
        click.echo("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _configure_log(level: str, *, json_lines: bool) -> None:
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer()
            if json_lines
            else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
    )


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(consentivr.__version__, prog_name="consentivr")
def main() -> None:
    """Asks a caller "may we record this call?" and keeps its word whatever breaks."""


@main.command()
@_CONFIG
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info", show_default=True
)
@click.option("--log-json", is_flag=True, help="Log JSON lines.")
@click.option(
    "--grace",
    type=click.FloatRange(0, 3600),
    default=0.0,
    show_default=True,
    help="Seconds to let calls end when told to stop.",
)
def serve(config_path: Path, log_level: str, log_json: bool, grace: float) -> None:
    """Answer for the calls that FreeSWITCH hands over, until told to stop."""
    import gevent
    import gevent.event

    from consentivr.app import Application, CannotServe

    configuration = _load(config_path)
    _configure_log(log_level, json_lines=log_json)
    try:
        application = Application(configuration)
        application.start()
    except CannotServe as error:
        raise _Refused(str(error)) from None
    told_to_stop = gevent.event.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, told_to_stop.set)
    told_to_stop.wait()
    application.stop(grace)


@main.command()
@_CONFIG
@_AS_JSON
@click.option("--no-port", is_flag=True, help="Do not look at the port (consentivr is running).")
def check(config_path: Path, print_json: bool, no_port: bool) -> None:
    """Say whether 'serve' could work: configuration, sounds, ledger, recordings folder, port."""
    from consentivr import app

    findings = app.check(_load(config_path), port=not no_port)
    if print_json:
        _print_json([finding.__dict__ for finding in findings])
    else:
        _print_table(["what", "", "said"], [[finding.what, finding.level, finding.said] for finding in findings])
    if any(finding.level == "bad" for finding in findings):
        sys.exit(1)


@main.command()
@_CONFIG
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="FreeSWITCH's configuration folder, or any other.",
)
@click.option(
    "--diff", "only_diff", is_flag=True, help="Show what would change, write nothing; exit 1 if anything would."
)
def render(config_path: Path, out: Path, only_diff: bool) -> None:
    """Write FreeSWITCH's XML: dialplan, queues, and the default that makes calls unrecordable."""
    from consentivr import app, rendering

    files = app.rendered(_load(config_path))
    try:
        changes = rendering.differences(out, files)
        click.echo(changes or "nothing to change\n", nl=False)
        if only_diff:
            sys.exit(1 if changes else 0)
        for path in rendering.write(out, files):
            click.echo(f"written: {path}")
    except OSError as error:
        raise _Refused(f"cannot write below {out}: {error}") from None


@main.command()
@_AS_JSON
@click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    help="Default: the sample that comes with consentivr.",
)
@click.option(
    "--keep", type=click.Path(path_type=Path, file_okay=False), help="Keep recordings and ledger in this folder."
)
@click.option(
    "--speed", type=click.FloatRange(1, 100), default=10.0, show_default=True, help="Simulated seconds in a real one."
)
@click.option("--verbose", is_flag=True, help="Show the application's log as well.")
def demo(print_json: bool, config_path: Path | None, keep: Path | None, speed: float, verbose: bool) -> None:
    """Play five callers on a simulated switch and show what each of them met."""
    from consentivr.lab import demo as demonstration

    configuration = _load(config_path or shipped("config") / "consentivr.yaml")
    _configure_log("info" if verbose else "error", json_lines=False)
    folder = (keep or Path(tempfile.mkdtemp(prefix="consentivr-demo-"))).resolve()
    outcomes = demonstration.run(configuration, folder, (lambda text: None) if print_json else click.echo, speed)
    if print_json:
        _print_json([outcome.as_dict() for outcome in outcomes])
        return
    click.echo()
    head = ["caller", "decision", "why", "recorded", "ledger row"]
    _print_table(head, [[o.caller, o.decision, o.why, o.recorded, o.ledger_row] for o in outcomes])
    click.echo("\nRecordings (caller left, agent right):")
    for outcome in outcomes:
        if outcome.file:
            click.echo(f"  {outcome.file}")
    click.echo(f"Ledger: {folder / 'ledger.sqlite3'}")


@main.group()
def ledger() -> None:
    """Read the record of every decision."""


def _open_ledger(config_path: Path) -> Ledger:
    try:
        return Ledger(path_of(_load(config_path).ledger.path), create=False)
    except LedgerError as error:
        raise _Refused(str(error)) from None


@ledger.command("list")
@_CONFIG
@_AS_JSON
@click.option("--turn", help="Only this turn, such as 'decision'.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="The newest so many.")
@click.option("--numbers", is_flag=True, help="Show callers' numbers.")
def ledger_list(config_path: Path, print_json: bool, turn: str | None, limit: int, numbers: bool) -> None:
    """List rows, oldest first."""
    book = _open_ledger(config_path)
    entries = list(book.read(turn=turn, limit=limit))
    book.close()
    if print_json:
        _print_json([_without_number(entry.as_dict(), numbers) for entry in entries])
        return
    rows = [
        [
            str(entry.seq),
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
    _print_table(
        ["row", "at (UTC)", "channel", "line", "turn", "decision", "why", *(["caller"] if numbers else [])], rows
    )


@ledger.command("show")
@_CONFIG
@_AS_JSON
@click.argument("channel_uuid")
@click.option("--numbers", is_flag=True, help="Show the caller's number.")
def ledger_show(config_path: Path, print_json: bool, channel_uuid: str, numbers: bool) -> None:
    """Show everything that is known of one call."""
    book = _open_ledger(config_path)
    entries = [_without_number(entry.as_dict(), numbers) for entry in book.read(channel_uuid)]
    digests = {entry["evidence"].get("notice") for entry in entries} - {None}
    notices = {digest: book.notice(digest) for digest in digests}
    book.close()
    if not entries:
        click.echo(f"no call {channel_uuid} in the ledger", err=True)
        sys.exit(1)
    said = {digest: notice.__dict__ for digest, notice in notices.items() if notice}
    if print_json:
        _print_json({"entries": entries, "notices": said})
        return
    for entry in entries:
        click.echo(f"{entry['at']}  {entry['turn']}")
        for name, value in entry["evidence"].items():
            if value not in (None, "", []):
                click.echo(f"    {name}: {_shown(value)}")
    if numbers:
        click.echo(f"caller: {_shown(entries[0]['caller_id_number'])}")
    for digest, notice in said.items():
        click.echo(f"notice {digest[:12]} ({notice['language']}): {notice['text']}")


@ledger.command("verify")
@_CONFIG
@_AS_JSON
@click.option(
    "--checkpoint",
    "checkpoints",
    multiple=True,
    metavar="POSITION:HASH",
    help="What an earlier verify printed and you kept elsewhere; it tells a cut tail and a rewritten chain.",
)
@click.option("--export", type=click.Path(path_type=Path, dir_okay=False), help="A JSON export, instead of the ledger.")
def ledger_verify(config_path: Path, print_json: bool, checkpoints: tuple[str, ...], export: Path | None) -> None:
    """Say whether rows were changed, removed, inserted or reordered; exit 1 if so. Works offline."""
    kept = [_checkpoint(text) for text in checkpoints]
    if export is not None:
        try:
            rows, findings = verify_json(export)
        except LedgerError as error:
            raise _Refused(str(error)) from None
        last = None
    else:
        book = _open_ledger(config_path)
        links = list(book.links())
        book.close()
        rows, findings = len(links), chain.verify(links, kept)
        last = f"{links[-1].position}:{links[-1].hash}" if links else "0:" + chain.GENESIS
    if print_json:
        found = [{"position": finding.position, "kind": finding.kind.value} for finding in findings]
        _print_json({"rows": rows, "findings": found, "checkpoint": last})
    else:
        for finding in findings:
            click.echo(f"row {finding.position}: {finding.kind.value}")
        click.echo(f"{rows} rows, {'NOT whole' if findings else 'whole'}")
        if last:
            click.echo(f"checkpoint, to be kept elsewhere: {last}")
    if findings:
        sys.exit(1)


_DAY = click.DateTime(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


@ledger.command("export")
@_CONFIG
@click.option("--channel", "channel_uuid", help="One call.")
@click.option("--caller", "caller_id_number", help="All calls of this number, written as in the ledger.")
@click.option("--since", type=_DAY, help="UTC, included.")
@click.option("--until", type=_DAY, help="UTC, not included.")
@click.option("--format", "form", type=click.Choice(["json", "csv"]), default="json", show_default=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="A new file; default: standard output.")
def ledger_export(
    config_path: Path,
    channel_uuid: str | None,
    caller_id_number: str | None,
    since: datetime | None,
    until: datetime | None,
    form: str,
    out: Path | None,
) -> None:
    """Hand over what is known of a call, a caller or a span of time (GDPR art. 15, 20); holds the numbers."""
    book = _open_ledger(config_path)
    channels = [channel_uuid] if channel_uuid else book.channels_of(caller_id_number) if caller_id_number else None
    links = list(book.links(channels, *(moment and moment.replace(tzinfo=timezone.utc) for moment in (since, until))))
    digests = {json.loads(row.content["evidence"]).get("notice") for row in links} - {None}
    notices = [notice for notice in map(book.notice, sorted(digests)) if notice]
    book.close()
    if not links:
        click.echo("nothing to export", err=True)
        sys.exit(1)
    text = as_json(links, notices) if form == "json" else as_csv(links)
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        with out.open("x", encoding="utf-8", newline="") as file:
            out.chmod(0o600)
            file.write(text)
    except OSError as error:
        raise _Refused(f"cannot write {out}: {error.strerror}; name a file that is not there yet") from None
    click.echo(f"{len(links)} rows: {out}")


def _checkpoint(text: str) -> Checkpoint:
    position, _, digest = text.partition(":")
    if not position.isdigit() or not re.fullmatch("[0-9a-f]{64}", digest):
        raise _Refused(f"'{text}' is not POSITION:HASH as 'consentivr ledger verify' prints it")
    return Checkpoint(int(position), digest)


@ledger.command("erase")
@_CONFIG
@click.option("--channel", "channel_uuid", help="One call.")
@click.option("--caller", "caller_id_number", help="All calls of this number, written as in the ledger.")
@click.option("--why", default="request of the person", show_default=True, help="For the receipt; no personal data.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def ledger_erase(
    config_path: Path, channel_uuid: str | None, caller_id_number: str | None, why: str, yes: bool
) -> None:
    """Erase a caller's number and recordings (GDPR art. 17); the decision stays, and so does the proof."""
    from consentivr.app import erase_calls, recordings_of

    if (channel_uuid is None) == (caller_id_number is None):
        raise _Refused("name either --channel or --caller")
    configuration = _load(config_path)
    book = _open_ledger(config_path)
    try:
        channels = [channel_uuid] if channel_uuid else book.channels_of(str(caller_id_number))
        found = [(channel, list(book.read(channel)), recordings_of(book, channel)) for channel in channels]
        found = [(channel, entries, files) for channel, entries, files in found if entries]
        if not found:
            click.echo("nothing to erase", err=True)
            sys.exit(1)
        rows = [
            [channel, f"{entries[0].at:%Y-%m-%d %H:%M}", entries[0].line, " ".join(files) or "no recording"]
            for channel, entries, files in found
        ]
        _print_table(["call", "at (UTC)", "line", "recording"], rows)
        if not yes:
            click.confirm("Erase the caller's number and the recordings of these calls?", abort=True)
        audio = erase_calls(configuration, book, [channel for channel, _, _ in found], why)
    except (LedgerError, OSError, ValueError) as error:
        raise _Refused(f"nothing was erased from the ledger: {error}") from None
    finally:
        book.close()
    gone = f" ({audio.missing} were gone already)" if audio.missing else ""
    click.echo(f"erased: {len(found)} call(s), {audio.erased} recording(s){gone}")


def _without_number(entry: dict[str, Any], numbers: bool) -> dict[str, Any]:
    return entry if numbers else {name: value for name, value in entry.items() if name != "caller_id_number"}


@main.group()
def prompts() -> None:
    """The announcements that callers hear."""


@prompts.command("build")
@_CONFIG
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Default: sounds.folder.")
@click.option("--program", help="Text-to-speech command with {language}, {text} and {output}.  [default: espeak-ng]")
@click.option("--force", is_flag=True, help="Also replace files that we did not make.")
def prompts_build(config_path: Path, out: Path | None, program: str | None, force: bool) -> None:
    """Make the announcements from their texts, where they are missing or out of date."""
    from consentivr.app import sounds_folder
    from consentivr.prompts import BuildError, build
    from consentivr.prompts.build import DEFAULT_PROGRAM

    configuration = _load(config_path)
    folder = out or sounds_folder(configuration)
    try:
        made = build(
            folder,
            configuration.sound_files(),
            SAMPLE_RATES,
            program=program or DEFAULT_PROGRAM,
            force=force,
            progress=lambda path, what: click.echo(f"{what}: {path}"),
        )
    except (BuildError, OSError) as error:
        raise _Refused(str(error)) from None
    click.echo(f"{made} file(s) made")


@main.group()
def config() -> None:
    """The configuration's sample and schema."""


@config.command("example")
def config_example() -> None:
    """Print the commented sample to start from."""
    click.echo((shipped("config") / "consentivr.yaml").read_text(encoding="utf-8"), nl=False)


@config.command("schema")
def config_schema() -> None:
    """Print the JSON schema, for an editor."""
    _print_json(Configuration.model_json_schema())
