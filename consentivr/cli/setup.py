"""'consentivr setup': from an existing FreeSWITCH to a first consented call."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
from pydantic import TypeAdapter

from consentivr.cli.common import CONFIG, Refused, load_configuration, nothing, shown
from consentivr.config import Configuration
from consentivr.config.announcing import languages
from consentivr.config.sample import commented
from consentivr.config.values import Address, Endpoint
from consentivr.esl.inbound import Login
from consentivr.files import read_secret
from consentivr.service.build import switches
from consentivr.setup import texts
from consentivr.setup.doing import do, pending, undo
from consentivr.setup.facts import PASSWORD, CannotAsk, Facts, Switch, ask_machine, ask_switch
from consentivr.setup.journal import Journal
from consentivr.setup.machine import CannotDo, Machine
from consentivr.setup.plan import Layout, Plan, Wishes, make_plan
from consentivr.setup.steps import Here, Step


def _address(_context: click.Context, _parameter: click.Parameter, text: str) -> Address:
    try:
        return TypeAdapter(Endpoint).validate_python(text)
    except ValueError:
        raise click.BadParameter("is not HOST:PORT, such as 127.0.0.1:8021") from None


@click.command()
@CONFIG
@click.option(
    "--switch",
    "address",
    default="127.0.0.1:8021",
    show_default=True,
    callback=_address,
    help="The switch's event socket.",
)
@click.option(
    "--password-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Holds the event socket's master password, which setup needs and does not keep. Without it: FreeSWITCH's own, "
    "then you are asked.",
)
@click.option("--number", help="The number that callers dial.  [default: 5000]")
@click.option("--queue", help="The queue that they come to, as mod_callcenter names it.  [default: support@default]")
@click.option(
    "--agent",
    "agents",
    multiple=True,
    help="Make this an agent of the queue, such as 1001@default, with the telephone of the directory's user 1001. "
    "Several times for several.",
)
@click.option(
    "--agreed",
    metavar="WORDING",
    help="These agents have agreed to be recorded: the name of the wording that they agreed to.",
)
@click.option("--language", help="Of the announcements.  [default: as this terminal's, else en]")
@click.option("--context", help="The dialplan context in which the number is dialled.  [default: public]")
@click.option("--keep-log", is_flag=True, help="Leave the switch's log as it is, with every key that callers press.")
@click.option("--dry-run", is_flag=True, help="Show the plan, change nothing; exit 1 if something is to be done.")
@click.option("--undo", "undoes", is_flag=True, help="Put back what setup changed; ledger and recordings stay.")
@click.option("-y", "--yes", is_flag=True, help="Do it without asking.")
def setup(
    config_path: Path,
    address: Address,
    password_file: Path | None,
    number: str | None,
    queue: str | None,
    agents: tuple[str, ...],
    agreed: str | None,
    language: str | None,
    context: str | None,
    keep_log: bool,
    dry_run: bool,
    undoes: bool,
    yes: bool,
) -> None:
    """Set up this machine and its FreeSWITCH: user, folders, dialplan, queue, rights, service.

    Asks the running switch where things are, shows what it would change, and does it after a yes. Once more it does no
    harm: what is done is left alone. --undo puts everything back, also after it was killed.
    """
    if os.geteuid() != 0:
        raise Refused("setup looks at what only root may read, and changes it: run it with sudo")
    journal = Journal(config_path.parent / "setup.journal")
    try:
        if undoes:
            _undo(journal, address, password_file, yes=yes)
            return
        with _sign_in(address, password_file) as (switch, password):
            layout = Layout(yaml=config_path)
            facts = ask_machine(ask_switch(switch, str(address), password), layout.folders)
            domain = facts.switch.variables.get("domain", "")
            if config_path.exists():
                if ignored := [name for name, value in {"--number": number, "--queue": queue, "--language": language,
                                                        "--context": context}.items() if value]:  # fmt: skip
                    raise Refused(f"{config_path} is there already and says it: change it there, not by {ignored[0]}")
                yaml_text, configuration = config_path.read_text(encoding="utf-8"), load_configuration(config_path)
            else:
                configuration = texts.first_configuration(
                    facts,
                    number=number or "5000",
                    queue=queue or "support@default",
                    language=_language(language),
                    context=context or "public",
                    agents={f"{agent.partition('@')[0]}@{domain}": agent for agent in agents},
                )
                yaml_text = commented(configuration)
            plan = make_plan(
                facts,
                Wishes(agents, agreed, quiet_log=not keep_log),
                texts.named_in(configuration, facts.switch.address),
                texts.make_texts(facts, configuration, yaml_text, layout),
                layout,
            )
            here = Here(Machine(), switch)
            left = pending(plan.steps, here, journal)
            _show(facts, plan, left)
            if dry_run:
                sys.exit(1 if left or plan.obstacles else 0)
            if plan.obstacles:
                nothing("Nothing was changed: see what is in the way.")
            if left:
                if not yes and not click.confirm("Do it?"):
                    nothing("Nothing was changed.")
                click.echo()
                do(plan.steps, here, journal, lambda said: click.echo(f"  done: {said}"))
        _try_account(configuration)
        _next_steps(configuration, agreed=agreed is not None)
    except CannotAsk as error:
        raise Refused(f"{error}\n{_ASKED}") from None
    except (CannotDo, OSError, ValueError) as error:
        raise Refused(f"stopped: {error}\nWhat was done by then is noted in {journal.path}: run it again to go on, or "
                      "with --undo to put it back") from None  # fmt: skip


_ASKED = (
    "setup asks the running FreeSWITCH: start it; --switch names its event socket, --password-file its master "
    "password, as in event_socket.conf.xml"
)


@contextmanager
def _sign_in(address: Address, password_file: Path | None) -> Iterator[tuple[Switch, str]]:
    """As master: with FreeSWITCH's own password, one of a file, or one that is asked for."""
    password = read_secret(password_file) if password_file else PASSWORD
    try:
        switch = Switch(address, Login(password))
    except CannotAsk as error:
        if password_file or "password" not in str(error) or not sys.stdin.isatty():
            raise
        password = click.prompt(f"Password of the event socket at {address}", hide_input=True, err=True)
        switch = Switch(address, Login(password))
    with switch:
        yield switch, password


def _undo(journal: Journal, address: Address, password_file: Path | None, *, yes: bool) -> None:
    begun = journal.begun()
    if not begun:
        nothing(f"There is nothing to undo: {journal.path} notes nothing.")
    click.echo(f"{len(begun)} steps are noted in {journal.path}. Ledger and recordings stay.")
    if not yes and not click.confirm("Undo them?"):
        nothing("Nothing was changed.")
    with ExitStack() as stack:
        switch = None
        try:
            switch = stack.enter_context(_sign_in(address, password_file))[0]
        except CannotAsk as error:
            click.echo(f"The switch is not told: {error}")
        left = undo(Here(Machine(), switch), journal, lambda said: click.echo(f"  {said}"))
    for why in left:
        click.echo(f"left: {why}", err=True)
    if left:
        nothing(f"{len(left)} step(s) are left, and still noted: run it again when they can be undone.")
    click.echo("The switch is as it was, and so is this machine, but for what was kept.")


def _show(facts: Facts, plan: Plan, left: list[Step]) -> None:
    switch = facts.switch
    click.echo(
        f"FreeSWITCH {switch.version} at {switch.address}, run by {switch.user}; "
        f"its configuration is in {switch.folder('conf_dir')}.\n"
    )
    if left:
        click.echo("To be done:")
        for number, step in enumerate(left, 1):
            click.echo(f"{number:4}. {shown_lines(step.says)}")
    else:
        click.echo("Everything is as it should be.")
    for title, lines in (("In the way:", plan.obstacles), ("Mind:", plan.remarks)):
        if lines:
            click.echo(f"\n{title}")
            for line in lines:
                click.echo(f"   - {shown_lines(line)}")
    click.echo()


def shown_lines(text: str) -> str:
    """For a terminal: lines stay lines, and nothing else steers it (promise P7)."""
    return "\n".join(map(shown, text.split("\n")))


def _try_account(configuration: Configuration) -> None:
    """Whether we are let in as 'serve' will be."""
    for address, login in switches(configuration):
        Switch(address, login).__exit__()


def _next_steps(configuration: Configuration, *, agreed: bool) -> None:
    line = next(iter(configuration.lines.values()))
    queue = configuration.queues[line.queue].name
    told = [
        f"Call {line.number} in the context '{configuration.freeswitch.context}', and press "
        f"{configuration.question.consent_key} when you are asked.",
        "consentivr ledger calls, and consentivr ledger show UUID",
        "consentivr check says whether all is well.",
    ]
    if configuration.agents.must_agree and not agreed:
        told.insert(0, f"Only talks with agents who agreed too are recorded. Who answers for {queue}, and has: "
                       "consentivr agents agree 1001@default --document signed.pdf")  # fmt: skip
    click.echo("\nNext:")
    for number, text in enumerate(told, 1):
        click.echo(f"  {number}. {text}")


def _language(asked: str | None) -> str:
    """As asked for, or as the terminal's, where we have a wording in it. Raises Refused."""
    known = languages()
    if asked is not None and asked not in known:
        raise Refused(f"there is no wording of ours in '{asked}': known are {', '.join(known)}")
    said = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    own = next(filter(None, said), "").partition("_")[0]
    return asked or (own if own in known else "en")
