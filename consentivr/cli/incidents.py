"""``consentivr incidents``: what went wrong, and what the law asks of it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import click

from consentivr.cli.common import AS_JSON, CONFIG, load_configuration, opened, print_json_value, print_table
from consentivr.cli.ledger.options import searching
from consentivr.cli.privacy import deliver, document_options
from consentivr.core.foreign import withheld
from consentivr.disclosure import told
from consentivr.disclosure.incidents import happened, summed_up
from consentivr.ledger import Search
from consentivr.privacy import LANGUAGES, document, facts_of

_OTHERS = ("channel", "caller", "line", "queue", "decision", "agent")
_MOMENT = click.DateTime(formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])


@click.group()
def incidents() -> None:
    """Forbidden recordings, refused commands, taps, quarantine, unwatched spans, lost recordings; what follows."""


@incidents.command("list")
@CONFIG
@AS_JSON
@searching(*_OTHERS, "turn")
def list_(config_path: Path, print_json: bool, search: Search) -> None:
    """List the rows of incidents, oldest first. Holds no telephone number, nor another recorder's file name."""
    with opened(load_configuration(config_path)) as book:
        rows = happened(book, search)
    if print_json:
        said = [row.as_dict() | {"evidence": withheld(row.evidence)} for row in rows]
        print_json_value([{k: v for k, v in row.items() if k != "caller_id_number"} for row in said])
        return
    print_table(
        ["row", "at (UTC)", "visit", "turn", "what"],
        [
            [
                str(row.position),
                f"{row.at:%Y-%m-%d %H:%M:%S}",
                row.visit or row.channel_uuid,
                row.turn,
                "; ".join(f"{label}: {' '.join(lines)}" for label, lines in told(withheld(row.evidence), "en")),
            ]
            for row in rows
        ],
    )


@incidents.command("report")
@CONFIG
@searching(*_OTHERS, "turn")
@click.option("--known-since", type=_MOMENT, help="UTC: since when the controller has known; 72 hours run from there.")
@document_options
def report(
    config_path: Path, search: Search, known_since: datetime | None, language: str, form: str, out: Path | None
) -> None:
    """Make the guide and the basis of a notification (GDPR art. 33, 34). Holds no telephone number."""
    configuration = load_configuration(config_path)
    with opened(configuration) as book:
        rows = happened(book, search)
    now = datetime.now(timezone.utc)
    made = document(
        "incidents",
        facts_of(configuration),
        language,
        now,
        since=f"{search.since:%Y-%m-%d}" if search.since else None,
        until=f"{search.until or now:%Y-%m-%d %H:%M} UTC",
        known=f"{known_since:%Y-%m-%d %H:%M}" if known_since else None,
        deadline=f"{known_since + timedelta(hours=72):%Y-%m-%d %H:%M}" if known_since else None,
        counts=[{**one, "what": LANGUAGES[language].turns[str(one["turn"])]} for one in summed_up(rows)],
        rows=len(rows),
        visits=len({row.call for row in rows if row.visit}),
        files=len({path for row in rows for path in _paths(row.evidence)}),
    )
    deliver(made, form, out)


def _paths(evidence: dict[str, object]) -> list[str]:
    paths = evidence.get("paths")
    return (
        [str(path) for path in paths]
        if isinstance(paths, list)
        else [str(evidence.get("path") or "")] * ("path" in evidence)
    )
