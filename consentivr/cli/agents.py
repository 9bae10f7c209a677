"""``consentivr agents``: who of the staff has agreed to be recorded."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from consentivr.cli.common import AS_JSON, CONFIG, load_configuration, nothing, opened, print_json_value, print_table


@click.group()
def agents() -> None:
    """The register of agents who have agreed to be recorded; see agents.must_agree."""


@agents.command("list")
@CONFIG
@AS_JSON
def list_(config_path: Path, print_json: bool) -> None:
    """List every agent that was ever in the register, with the newest word."""
    with opened(load_configuration(config_path)) as book:
        rows = book.register()
    said = [
        {
            "agent": row.evidence["agent"],
            "agreed": row.turn == "agent_agreed",
            "on": row.evidence.get("on", ""),
            "queues": row.evidence.get("queues", []),
            "noted_at": row.as_dict()["at"],
        }
        for row in rows
    ]
    if print_json:
        print_json_value(said)
        return
    print_table(
        ["agent", "agreed", "on", "queues", "noted (UTC)"],
        [
            [
                str(one["agent"]),
                "yes" if one["agreed"] else "no",
                str(one["on"]),
                " ".join(one["queues"]) if one["agreed"] and one["queues"] else "all" if one["agreed"] else "",
                str(one["noted_at"])[:19],
            ]
            for one in said
        ],
    )


@agents.command("agree")
@CONFIG
@click.argument("agent")
@click.option("--queue", "queues", multiple=True, help="Only on this queue; may be given several times.")
@click.option(
    "--on", "day", type=click.DateTime(formats=["%Y-%m-%d"]), help="The day of the agreement.  [default: today]"
)
def agree(config_path: Path, agent: str, queues: tuple[str, ...], day: datetime | None) -> None:
    """Note that AGENT, such as 1001@default, has agreed to be recorded. From the next talk on."""
    from consentivr import custody

    with opened(load_configuration(config_path), signs=True, create=True) as book:
        custody.agree(book, agent, queues, f"{day:%Y-%m-%d}" if day else None)
    click.echo(f"{agent} has agreed")


@agents.command("withdraw")
@CONFIG
@click.argument("agent")
def withdraw(config_path: Path, agent: str) -> None:
    """Note that AGENT has taken that back. From the next talk on."""
    from consentivr import custody

    with opened(load_configuration(config_path), signs=True) as book:
        done = custody.take_back(book, agent)
    if not done:
        nothing(f"{agent} has not agreed")
    click.echo(f"{agent} has taken it back")
