"""``consentivr console``: the pages, and who may sign in there."""

from __future__ import annotations

import os
import pwd
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from consentivr.cli.common import (
    AS_JSON,
    CONFIG,
    Refused,
    load_configuration,
    nothing,
    opened,
    print_json_value,
    print_table,
)
from consentivr.cli.log import configure_log
from consentivr.config import Configuration
from consentivr.core.roles import Account, Role

if TYPE_CHECKING:
    from consentivr.console.accounts import Accounts, Known


TURN_S = 0.0005
"""So long a thread that computes keeps a page waiting, each time that the page has read something; Python's own is ten
times that, and a page reads many times."""


@click.group()
def console() -> None:
    """The pages for supervisors, data protection officers, works councils and agents."""


@contextmanager
def _with_libraries() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise Refused(f"{error.name} is not here: run \"pip install 'consentivr[console]'\"") from None


@console.command()
@CONFIG
@click.option("--log-json", is_flag=True, help="Log JSON lines.")
def serve(config_path: Path, log_json: bool) -> None:
    """Serve the pages, until told to stop."""
    from consentivr.ledger import LedgerError
    from consentivr.service.build import CannotServe

    with _with_libraries():
        from consentivr.service.console import server
    from consentivr.service.supervised import Supervised

    supervised = Supervised()
    configuration = load_configuration(config_path)
    configure_log("info", json_lines=log_json)
    sys.setswitchinterval(TURN_S)
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    try:
        pages, books = server(configuration, config_path)
        with books.reading():  # whatever is wrong with the ledger is said now
            pass
        pages.start()
    except (CannotServe, LedgerError, OSError) as error:
        raise Refused(str(error)) from None
    supervised.ready()
    over.wait()
    supervised.stopping()
    pages.stop()
    books.close()


# --- who may sign in -------------------------------------------------------------------------


ROLES = click.option(
    "--role", "roles", multiple=True, required=True, type=click.Choice([role.value for role in Role]),
    help="May be given several times; an administrator has no other.",
)  # fmt: skip
QUEUES = click.option("--queue", "queues", multiple=True, help="Of a supervisor; may be given several times.")
AGENT = click.option("--agent", help="Of an agent: the name in mod_callcenter, such as 1001@default.")
PERSON = click.option(
    "--person", metavar="PERSON", help="Who uses it, where several are one person's: nobody approves for oneself.",
)  # fmt: skip


@console.group()
def user() -> None:
    """Local accounts. A console that runs takes each change at once."""


@user.command("add")
@CONFIG
@click.argument("name")
@ROLES
@QUEUES
@AGENT
@PERSON
@click.option("--no-password", is_flag=True, help="Who signs in elsewhere: see console.oidc and console.proxy.")
def user_add(
    config_path: Path,
    name: str,
    roles: Sequence[str],
    queues: Sequence[str],
    agent: str | None,
    person: str | None,
    no_password: bool,
) -> None:
    """Give NAME an account. The password is asked for, or read from standard input when that is no terminal."""
    with _changing(config_path) as (configuration, accounts):
        if accounts.known(name) is not None:
            raise Refused(f"{name} has an account: see 'consentivr console user role' and 'password'")
        who = _account(configuration, name, roles, queues, agent, person)
        _note_and_put(configuration, accounts, who, "added", None if no_password else _password())
    click.echo(f"{name} may sign in: {', '.join(sorted(set(roles)))}")


@user.command("role")
@CONFIG
@click.argument("name")
@ROLES
@QUEUES
@AGENT
@PERSON
def user_role(
    config_path: Path, name: str, roles: Sequence[str], queues: Sequence[str], agent: str | None, person: str | None
) -> None:
    """Give NAME these roles, queues and agent's name in place of all there were. Whoever is signed in signs in again.

    Who uses it stays, unless --person says another. An account that was disabled is open again, and without a password.
    """
    with _changing(config_path) as (configuration, accounts):
        had = _known(accounts, name).account
        who = _account(configuration, name, roles, queues, agent, had.person if person is None else person, had.queues)
        _note_and_put(configuration, accounts, who, "role")
    click.echo(f"{name}: {', '.join(sorted(set(roles)))}")


@user.command("password")
@CONFIG
@click.argument("name")
def user_password(config_path: Path, name: str) -> None:
    """Give NAME another password, asked for or read from standard input. Whoever is signed in signs in again."""
    with _changing(config_path) as (configuration, accounts):
        who = _known(accounts, name).account
        _note_and_put(configuration, accounts, who, "password", _password())
    click.echo(f"{name} has another password")


@user.command("disable")
@CONFIG
@click.argument("name")
def user_disable(config_path: Path, name: str) -> None:
    """Close the account of NAME: whoever is signed in is signed out, and the password is forgotten."""
    from consentivr.console import access

    with _changing(config_path) as (configuration, accounts):
        who = _known(accounts, name)
        if who.disabled:
            nothing(f"{name} is disabled")
        with opened(configuration, signs=True, create=True) as book:
            book.append([access.account_changed(_me(), who.account, "disabled")])
        accounts.disable(name)
    click.echo(f"{name} may not sign in any more")


@user.command("list")
@CONFIG
@AS_JSON
def user_list(config_path: Path, print_json: bool) -> None:
    """List every account. Who signs in elsewhere and has none here is not among them."""
    configuration = load_configuration(config_path)
    with _accounts(configuration) as accounts:
        everybody = accounts.all()
    if print_json:
        print_json_value(
            [
                {
                    "account": known.account.name,
                    "roles": sorted(known.account.roles),
                    "queues": sorted(known.account.queues),
                    "agent": known.account.agent,
                    "person": known.account.used_by,
                    "signs_in": _signs_in(known),
                }
                for known in everybody
            ]
        )
        return
    print_table(
        ["account", "roles", "queues", "agent", "person", "signs in"],
        [
            [
                known.account.name,
                " ".join(sorted(known.account.roles)),
                " ".join(sorted(known.account.queues)),
                known.account.agent or "",
                known.account.used_by,
                _signs_in(known),
            ]
            for known in everybody
        ],
    )


def _signs_in(known: Known) -> str:
    return "no" if known.disabled else "here" if known.password_hash else "elsewhere"


@contextmanager
def _accounts(configuration: Configuration) -> Iterator[Accounts]:
    with _with_libraries():
        from consentivr.console.accounts import Accounts
    try:
        yield Accounts(configuration.console.accounts_file)
    except (OSError, ValueError) as error:
        raise Refused(str(error)) from None


@contextmanager
def _changing(config_path: Path) -> Iterator[tuple[Configuration, Accounts]]:
    configuration = load_configuration(config_path)
    with _accounts(configuration) as accounts, accounts.changing():
        yield configuration, accounts


def _known(accounts: Accounts, name: str) -> Known:
    known = accounts.known(name)
    if known is None:
        raise Refused(f"{name} has no account; 'consentivr console user list' shows who has")
    return known


def _account(
    configuration: Configuration,
    name: str,
    roles: Sequence[str],
    queues: Sequence[str],
    agent: str | None,
    person: str | None,
    had: frozenset[str] = frozenset(),
) -> Account:
    """Raises ValueError, Refused."""
    from consentivr.console.accounts import account

    there = sorted(queue.name for queue in configuration.queues.values())
    for queue in queues:
        if queue not in there and queue not in had:
            raise Refused(f"--queue {queue} is none of the configuration; there are: {', '.join(there)}")
    if queues and Role.SUPERVISOR.value not in roles:
        raise Refused("--queue is for --role supervisor: officer and council see every queue, an agent the own talks")
    if agent and Role.AGENT.value not in roles:
        raise Refused("--agent is for --role agent")
    return account(name, roles, queues, agent, person)


def _note_and_put(
    configuration: Configuration, accounts: Accounts, who: Account, what: str, password: str | None = None
) -> None:
    """The row is on disk before the file changes."""
    from consentivr.console import access

    with opened(configuration, signs=True, create=True) as book:
        book.append([access.account_changed(_me(), who, what)])
    accounts.put(who, password)


def _password() -> str:
    """Raises ValueError when it cannot be one."""
    from consentivr.console.accounts import check_password

    if sys.stdin.isatty():
        password = str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    check_password(password)
    return password


def _me() -> str:
    """The system's user; of sudo, who called it."""
    name = pwd.getpwuid(os.getuid()).pw_name
    called_by = os.environ.get("SUDO_USER")
    return f"{name} ({called_by})" if os.getuid() == 0 and called_by else name
