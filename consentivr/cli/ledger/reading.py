"""``consentivr ledger list | calls | count | show``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from consentivr.cli.common import (
    AS_JSON,
    CONFIG,
    load_configuration,
    nothing,
    opened,
    print_json_value,
    print_table,
    shown,
)
from consentivr.cli.ledger.options import NUMBERS, looks_at_agents, named, searching
from consentivr.core.evidence import summarize
from consentivr.core.turn import Turn
from consentivr.disclosure import LANGUAGES, WORDS, told
from consentivr.ledger import Entry, Search


@click.command("list")
@CONFIG
@AS_JSON
@searching()
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="The newest so many.")
@NUMBERS
def list_(config_path: Path, print_json: bool, search: Search, limit: int, numbers: bool) -> None:
    """List rows, oldest first."""
    configuration = load_configuration(config_path)
    with opened(configuration) as book:
        looks_at_agents(configuration, book, "ledger list", search)
        entries = list(book.read(named(book, search), limit=limit))
    if print_json:
        print_json_value([_row(entry, numbers) for entry in entries])
        return
    rows = [
        [
            str(entry.position),
            f"{entry.at:%Y-%m-%d %H:%M:%S}",
            entry.channel_uuid,
            entry.visit or "",
            entry.line,
            entry.turn,
            str(entry.evidence.get("decision") or ""),
            str(entry.evidence.get("reason") or entry.evidence.get("why") or entry.evidence.get("hangup_cause") or ""),
            *([entry.caller_id_number or ""] if numbers else []),
        ]
        for entry in entries
    ]
    head = ["row", "at (UTC)", "channel", "visit", "line", "turn", "decision", "why", *(["caller"] if numbers else [])]
    print_table(head, rows)


@click.command("calls")
@CONFIG
@AS_JSON
@searching("turn", "channel")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="The newest so many.")
@NUMBERS
def calls(config_path: Path, print_json: bool, search: Search, limit: int, numbers: bool) -> None:
    """List calls, oldest first: one line for each visit."""
    configuration = load_configuration(config_path)
    with opened(configuration) as book:
        looks_at_agents(configuration, book, "ledger calls", search)
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


@click.command("count")
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
@searching("turn", "channel")
def count(config_path: Path, print_json: bool, by: Sequence[str], search: Search) -> None:
    """Count decisions, over time or by queue, line, reason; by agent where agents.statistics allows it."""
    by = list(dict.fromkeys(by))
    configuration = load_configuration(config_path)
    with opened(configuration) as book:
        looks_at_agents(configuration, book, "ledger count", search, by)
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


@click.command("show")
@CONFIG
@AS_JSON
@click.argument("name", metavar="UUID")
@NUMBERS
@click.option("--language", type=click.Choice(LANGUAGES), default="en", show_default=True)
def show(config_path: Path, print_json: bool, name: str, numbers: bool, language: str) -> None:
    """Show everything that is known of one visit, or of every call of a channel, by its UUID.

    In words; --json has it as it was written.
    """
    with opened(load_configuration(config_path)) as book:
        calls = [[_row(entry, numbers) for entry in rows] for rows in book.calls_named(name)]
        entries = [entry for rows in calls for entry in rows]
        digests = sorted({entry["evidence"].get("notice") for entry in entries} - {None})
        said = {digest: notice.__dict__ for digest in digests if (notice := book.notice(digest))}
    if not entries:
        nothing(f"no call {name} in the ledger")
    if print_json:
        print_json_value({"entries": entries, "notices": said})
        return
    if len(calls) > 1:
        click.echo(f"{len(calls)} visits, each with a decision of its own:")
    for rows in calls:
        if rows[0]["visit"] or len(calls) > 1:
            click.echo(f"visit {shown(rows[0]['visit'] or 'unknown')}, line {shown(rows[0]['line'])}")
        for entry in rows:
            turn = entry["turn"]
            click.echo(f"{entry['at']}  {turn}: {WORDS[language].get(f'turn_{turn}', turn)}")
            for label, lines in told(entry["evidence"], language):
                click.echo(f"    {shown(label)}: {shown(lines[0])}")
                for line in lines[1:]:
                    click.echo(f"    {' ' * len(label)}  {shown(line)}")
        decisions = sum(entry["turn"] == Turn.DECISION for entry in rows)
        if decisions > 1:
            click.echo(f"{decisions} rows decide: the first one counts")
    if numbers:
        click.echo(f"caller: {shown(entries[0]['caller_id_number'])}")
    for digest, wording in said.items():
        click.echo(f"notice {digest[:12]} ({wording['language']}): {wording['text']}")


def _row(entry: Entry, numbers: bool) -> dict[str, Any]:
    return {name: value for name, value in entry.as_dict().items() if numbers or name != "caller_id_number"}
