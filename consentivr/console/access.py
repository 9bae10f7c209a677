"""Rows of the access log: durable before what they tell of is shown or done."""

from __future__ import annotations

from typing import Any

from flask import g

from consentivr.console.books import Books
from consentivr.core.roles import Account, Role
from consentivr.core.turn import Turn
from consentivr.ledger import CONSOLE, CallRef, Entry

SHELL = "shell"
"""The role in rows of whoever has no account: a user of the system."""

UNKNOWN = "-"
"""Stands for account and role of somebody who is none of ours."""

NO_CALL_AT_ALL = CallRef(CONSOLE, None, "", "", "")


def row(account: Account, turn: Turn, about: CallRef | None = None, **evidence: Any) -> Entry:
    """Who did what. ``about`` is the call; without, the row is about none. No number goes into it."""
    whose = {"person": account.person, "subject": account.subject}
    said = {"by": account.name, "role": said_roles(account), **whose, **evidence}
    return (about or NO_CALL_AT_ALL).row(turn, {name: value for name, value in said.items() if value is not None})


def row_of(account: Account | None, turn: Turn, **evidence: Any) -> Entry:
    """The same, also of somebody unknown."""
    if account is not None:
        return row(account, turn, **evidence)
    return NO_CALL_AT_ALL.row(turn, {"by": UNKNOWN, "role": UNKNOWN, **evidence})


def note(books: Books, turn: Turn, about: CallRef | None = None, **evidence: Any) -> None:
    """A row of whoever is signed in, durable when this returns. Raises LedgerError: show nothing then."""
    books.append([row(g.session.account, turn, about, **evidence)])


def said_roles(account: Account) -> str:
    """As rows have them."""
    return "+".join(role.value for role in Role if role in account.roles)


def account_changed(by: str, account: Account, what: str) -> Entry:
    """Somebody has other roles, or another password: ``by`` a user of the system, at a shell. ``what`` was done."""
    said = {
        "by": by,
        "role": SHELL,
        "account": account.name,
        "what": what,
        "roles": sorted(role.value for role in account.roles),
        "queues": sorted(account.queues),
        "agent": account.agent,
        "person": account.person,
    }
    return NO_CALL_AT_ALL.row(Turn.ACCOUNT_CHANGED, {name: value for name, value in said.items() if value is not None})
