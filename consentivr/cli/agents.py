"""``consentivr agents``: who of the staff has agreed to be recorded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
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
    print_table,
)

if TYPE_CHECKING:
    from consentivr.web import Tokens


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
            "to": row.evidence.get("document") or row.evidence.get("wording"),
            "by": row.evidence.get("by"),
            "noted_at": row.as_dict()["at"],
        }
        for row in rows
    ]
    if print_json:
        print_json_value(said)
        return
    print_table(
        ["agent", "agreed", "on", "to", "by", "queues", "noted (UTC)"],
        [
            [
                str(one["agent"]),
                "yes" if one["agreed"] else "no",
                str(one["on"]),
                str(one["to"] or ("unknown" if one["agreed"] else ""))[:12],
                str(one["by"] or ""),
                " ".join(one["queues"]) if one["agreed"] and one["queues"] else "all" if one["agreed"] else "",
                str(one["noted_at"])[:19],
            ]
            for one in said
        ],
    )


@agents.command("agree")
@CONFIG
@click.argument("agent")
@click.option("--document", type=FILE, help="The document that was agreed to: its SHA-256 is kept, not the file.")
@click.option("--wording", help="Instead: the name or digest of the wording that was agreed to.")
@click.option("--queue", "queues", multiple=True, help="Only on this queue; may be given several times.")
@click.option(
    "--on", "day", type=click.DateTime(formats=["%Y-%m-%d"]), help="The day of the agreement.  [default: today]"
)
def agree(
    config_path: Path,
    agent: str,
    document: Path | None,
    wording: str | None,
    queues: tuple[str, ...],
    day: datetime | None,
) -> None:
    """Note that AGENT, such as 1001@default, has agreed to be recorded, and to what. From the next talk on.

    Agents can also do it themselves, by phone: see agents.line.
    """
    from consentivr import custody

    if (document is None) == (wording is None):
        raise Refused("say what was agreed to: --document FILE or --wording NAME (GDPR art. 7(1))")
    try:
        to = custody.AgreedTo.the_document(document.read_bytes()) if document else custody.AgreedTo(wording=wording)
    except OSError as error:
        raise Refused(f"{document} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise Refused(str(error)) from None
    with opened(load_configuration(config_path), signs=True, create=True) as book:
        custody.agree(book, agent, to, queues, f"{day:%Y-%m-%d}" if day else None)
    click.echo(f"{agent} has agreed")


@agents.group()
def pin() -> None:
    """PINs for the line on which agents agree (agents.line)."""


@pin.command("set")
@CONFIG
@click.argument("agent")
@click.option("--number", help="What the agent types to say who it is.  [default: the digits before the @]")
@click.password_option("--pin", prompt="PIN", help="Better left out: it is asked for, and not shown.")
def pin_set(config_path: Path, agent: str, number: str | None, pin: str) -> None:
    """Give AGENT a PIN of at least six digits, or a new one; that unlocks the number. It is kept hashed (scrypt)."""
    from consentivr import custody

    line = load_configuration(config_path).agents.line
    if line is None:
        raise Refused("there is no line for agents: see agents.line")
    number = number or agent.partition("@")[0]
    try:
        custody.Pins(line.pins_file).set(agent, number, pin)
    except (ValueError, OSError) as error:
        raise Refused(str(error)) from None
    click.echo(f"{agent} has a PIN, and the number {number}")


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


@agents.group("token")
def token() -> None:
    """Tokens by which agents' desktops, and monitoring, are known over HTTP; see http.tokens_file."""


@contextmanager
def _tokens(config_path: Path) -> Iterator[Tokens]:
    from consentivr.web import Tokens

    try:
        yield Tokens(load_configuration(config_path).http.tokens_file)
    except (OSError, ValueError) as error:
        raise Refused(f"{error}; see http.tokens_file") from None


@token.command("new")
@CONFIG
@click.argument("agent")
def token_new(config_path: Path, agent: str) -> None:
    """Make a token for AGENT, in place of an earlier one, and print it: it is shown this once.

    It is good for the talks of this agent, and for /v1/status and /metrics: give monitoring one of its own, such as
    'prometheus'. At once, also while 'serve' runs.
    """
    with _tokens(config_path) as tokens:
        click.echo(tokens.new(agent))


@token.command("list")
@CONFIG
@AS_JSON
def token_list(config_path: Path, print_json: bool) -> None:
    """List who has one."""
    with _tokens(config_path) as tokens:
        names = tokens.agents()
    if print_json:
        print_json_value(names)
    else:
        print_table(["agent"], [[name] for name in names])


@token.command("revoke")
@CONFIG
@click.argument("agent")
def token_revoke(config_path: Path, agent: str) -> None:
    """Make AGENT's token worthless, at once."""
    with _tokens(config_path) as tokens:
        had = tokens.revoke(agent)
    if not had:
        nothing(f"{agent} has no token")
    click.echo(f"{agent} has no token any more")
