"""Options that several verbs of ``consentivr ledger`` share: which rows, whose keys, whose numbers."""

from __future__ import annotations

import functools
import getpass
import os
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from datetime import timedelta, timezone
from typing import Any

import click

from consentivr.cli.common import FILE, Refused
from consentivr.config import Configuration
from consentivr.custody import note_statistics
from consentivr.ledger import Ledger, Search

_DAY = click.DateTime(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])
NUMBERS = click.option("--numbers", is_flag=True, help="Show callers' numbers.")
KEYS = click.option("--public-key", "public_keys", type=FILE, multiple=True, help="Whose signatures count (PEM).")

_SEARCH = {
    "channel": click.option("--channel", metavar="UUID", help="One channel, with all its visits; or one visit."),
    "caller": click.option("--caller", metavar="NUMBER", help="All calls of this number, however it is written."),
    "turn": click.option("--turn", help="Only this turn, such as 'decision'."),
    "line": click.option("--line", help="A line, by its name in the configuration."),
    "queue": click.option("--queue", help="A queue, by its name in mod_callcenter."),
    "decision": click.option("--decision", type=click.Choice(["given", "refused", "not_obtained"])),
    "agent": click.option("--agent", help="Calls that this agent took, such as 1001@default."),
    "day": click.option("--day", type=click.DateTime(formats=["%Y-%m-%d"]), help="One day, UTC."),
    "since": click.option("--since", type=_DAY, help="UTC, included."),
    "until": click.option("--until", type=_DAY, help="UTC, not included."),
}


def searching(*without: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
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


def looks_at_agents(
    configuration: Configuration, book: Ledger, verb: str, search: Search, by: Sequence[str] = ()
) -> None:
    """Refuse what counts or lists by agent unless an agreement allows it, and note that it was done."""
    if search.agent is None and "agent" not in by:
        return
    allowed_by = configuration.agents.statistics.agreement
    if allowed_by is None:
        raise Refused(
            "counting or listing by agent is off: it needs an agreement (BetrVG § 87(1) no. 6), named in "
            "agents.statistics.agreement; each such query is then a row of the ledger"
        )
    asked: dict[str, object] = {"agent": search.agent, "queue": search.queue, "decision": search.decision}
    asked |= {name: f"{day:%Y-%m-%d}" for name in ("since", "until") if (day := getattr(search, name)) is not None}
    words = [verb, *(f"--by {name}" for name in by), *(f"--{name} {value}" for name, value in asked.items() if value)]
    note_statistics(book, " ".join(words), allowed_by, os.environ.get("SUDO_USER") or getpass.getuser())


def named(book: Ledger, search: Search) -> Search:
    """``--channel`` names a channel or a visit."""
    if search.channel is None:
        return search
    found = book.search_of(search.channel)
    return replace(search, channel=found.channel, visit=found.visit)
