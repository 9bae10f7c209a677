"""``consentivr ledger verify | keygen | checkpoint``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from consentivr.cli.common import (
    AS_JSON,
    CONFIG,
    FILE,
    Refused,
    load_configuration,
    nothing,
    opened,
    print_json_value,
    shown,
)
from consentivr.cli.ledger.options import KEYS
from consentivr.config import Configuration
from consentivr.core.chain import Finding, Tampering
from consentivr.core.turn import Turn
from consentivr.ledger import Ledger, LedgerError, Search, Verifier, check_there, make_key
from consentivr.ledger.comparing import put_right
from consentivr.ledger.repairing import receipts_in, reissue
from consentivr.ledger.stamping import Roots, Stamps
from consentivr.ledger.verification import Kept, Verified, verify_export, verify_ledger

_CALLS_SHOWN = 20

if TYPE_CHECKING:
    from consentivr.config import Configuration
    from consentivr.custody.checking import Differs


@click.command("verify")
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
@KEYS
@click.option("--audio", is_flag=True, help="Also hash every sealed recording that should be there; takes a while.")
@click.option("--export", type=FILE, help="An export (JSON, zip, vCon), instead of the ledger.")
def verify(
    config_path: Path,
    print_json: bool,
    kept: tuple[str, ...],
    public_keys: tuple[Path, ...],
    audio: bool,
    export: Path | None,
) -> None:
    """Say whether rows were changed, removed, inserted or reordered; exit 1 if so. Works offline.

    The ledger is compared with ledger.head_file as well, and the console's list of calls with the rows: 'ledger repair'
    puts that right.
    """
    from consentivr.service.build import head_file

    stamps = None
    if audio and export is not None:
        raise Refused("--audio is of the ledger's recordings; those of an export are verified with it")
    recordings: int | None = None
    differ: list[Differs] = []
    try:
        verifier = Verifier.of_files(public_keys)
        elsewhere = Kept.of(kept)
        if export is not None:
            verified = verify_export(export, verifier)
        else:
            configuration = load_configuration(config_path)
            head = head_file(configuration).read()
            check_there(configuration.ledger.location, head_file(configuration))
            with opened(configuration) as book:
                stamps = _stamps(book, configuration)
                elsewhere = elsewhere.and_head(head).and_stamps(stamps or Stamps())
                verified = verify_ledger(book, verifier, elsewhere)
                if audio:
                    recordings, differ = _check_audio(book, configuration)
            verified.findings += stamps.findings if stamps else []
            if not verified.rows and configuration.ledger.signing_key:
                verified.findings.append(Finding(1, Tampering.EMPTY))
    except (LedgerError, OSError) as error:
        raise Refused(str(error)) from None
    findings, signed_rows = verified.findings, verified.signed_rows
    if print_json:
        found = [{"position": one.position, "kind": one.kind.value, "about": one.about} for one in findings]
        print_json_value(
            {
                "rows": verified.rows,
                "findings": found,
                "checkpoint": verified.checkpoint,
                "clock_set_back": [{"position": row, "seconds": seconds} for row, seconds in verified.backwards],
                "time_stamps": len(stamps.good) if stamps else None,
                "calls": verified.calls,
                "signed_rows": signed_rows if verifier else "not verified",
                "recordings": recordings,
                "recordings_differ": [
                    {"call": one.about.visit or one.about.channel_uuid, "path": one.path, "why": one.why, **one.more}
                    for one in differ
                ],
            }
        )
    else:
        for finding in findings:
            click.echo(str(finding))
        for one in differ:
            click.echo(f"recording {shown(one.said)}")
        if recordings is not None:
            click.echo(f"{recordings} recordings looked at, {len(differ)} findings")
        click.echo(f"{verified.rows} rows, {'NOT whole' if findings else 'whole'}")
        if verifier:
            click.echo(f"{signed_rows} of them lead to a checkpoint that was signed with a key that you named")
        else:
            click.echo("signatures: not verified; name --public-key to check them")
        for position, seconds in verified.backwards[:20]:
            click.echo(f"row {position}: its clock was {seconds:.0f} s behind a row before it")
        if len(verified.backwards) > 20:
            click.echo(f"... and {len(verified.backwards) - 20} more")
        if stamps is not None and stamps.newest:
            click.echo(f"{len(stamps.good)} time stamps hold; the newest is of {stamps.newest[:19]} UTC")
        for line in _completeness(verified) if export is not None else ():
            click.echo(line)
        if verified.checkpoint:
            click.echo(f"checkpoint, to be kept elsewhere: {verified.checkpoint}")
    if findings or differ:
        sys.exit(1)


def _completeness(verified: Verified) -> Iterator[str]:
    """Whether an export holds all of each call."""
    if verified.calls is None:
        yield "complete: not known; it has no manifest, as those of 0.1.0"
        return
    whole = [call for call, (here, all_) in verified.calls.items() if here == all_]
    if len(verified.calls) > _CALLS_SHOWN:
        yield f"all rows of {len(whole)} calls"
    for call, (here, all_) in verified.calls.items():
        if here != all_ or len(verified.calls) <= _CALLS_SHOWN:
            yield f"{here} of {all_} rows of {call}"


@click.command("repair")
@CONFIG
@click.argument("older", nargs=-1, metavar="[OLDER]...")
def repair(config_path: Path, older: tuple[str, ...]) -> None:
    """Make the list of calls say what the rows say, and issue receipts anew that retention of 0.1.0 erased with what it
    was to erase.

    OLDER is a backup (a file, or postgresql://...) or a JSON export from before, for the receipts. A receipt counts
    that the chain still proves: its text gives the digest at its place. Exit 1 if rows without a receipt are left.
    """
    try:
        with opened(load_configuration(config_path), signs=True) as book:
            put = put_right(book)
            repaired = sum(reissue(book, receipts_in(source)) for source in older)
            findings = verify_ledger(book, Verifier([])).findings
    except LedgerError as error:
        raise Refused(str(error)) from None
    click.echo(f"the list of calls was put right for {put} calls")
    if older:
        click.echo(f"{repaired} rows have a receipt again")
    left = sum(finding.kind is Tampering.ROW_ERASED for finding in findings)
    if left:
        nothing(f"{left} rows have none: no receipt names them, so nothing proves that they were forgotten")


def _stamps(book: Ledger, configuration: Configuration) -> Stamps | None:
    """Those that the ledger has; None without certificates to verify them with. Raises LedgerError."""
    roots = configuration.ledger.time_stamp_roots
    return Stamps.of(book.read(Search(turn=Turn.TIME_STAMPED.value)), Roots(roots)) if roots else None


def _check_audio(book: Ledger, configuration: Configuration) -> tuple[int, list[Differs]]:
    """How many recordings there should be, and what is wrong with them."""
    from consentivr import custody
    from consentivr.service import build

    looked, differ = 0, []
    for some, found in custody.check_all(book, build.places(configuration)):
        looked += some
        differ += found
        click.echo(f"{looked} recordings ...", err=True)
    return looked, differ


@click.command("keygen")
@click.option("--out", type=FILE, required=True, help="A new file for the private key; see ledger.signing_key.")
def keygen(out: Path) -> None:
    """Make a key that signs checkpoints. Prints the public key: give it to whoever verifies."""
    try:
        key = make_key(out)
    except LedgerError as error:
        raise Refused(str(error)) from None
    click.echo(key.public_pem, nl=False)
    click.echo(f"key {key.key_id} is in {out}, readable by its owner only", err=True)


@click.command("checkpoint")
@CONFIG
@click.option("--all", "every", is_flag=True, help="All checkpoints that there are, not only the newest.")
def checkpoint(config_path: Path, every: bool) -> None:
    """Sign what the ledger is now, and print it as a line of JSON: append it to a file elsewhere."""
    with opened(load_configuration(config_path), signs=True) as book:
        book.sign()
        signed = book.checkpoints()
    if not signed:
        raise Refused("nothing is signed: see ledger.signing_key, or the ledger is empty")
    for one in signed if every else signed[-1:]:
        click.echo(json.dumps(one.__dict__))
