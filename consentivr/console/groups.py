"""Who somebody is whom a provider or a proxy has named: what the accounts file says of that name, else the groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from consentivr.console.accounts import Accounts, Known, account
from consentivr.console.trust import Group
from consentivr.core.roles import Account


class NotLetIn(Exception):
    """``why``: one word, as rows and pages have it. ``account`` is known where it is one of the accounts file."""

    def __init__(self, why: str, account: Account | None = None) -> None:
        super().__init__(why)
        self.why, self.account = why, account


def account_of(
    accounts: Accounts, groups: Mapping[str, Group], name: str, is_in: Iterable[str], agent: str | None
) -> tuple[Account, Known | None]:
    """Raises NotLetIn; AccountsUnreadable."""
    known = accounts.known(name)
    if known is not None:
        if known.disabled:
            raise NotLetIn("disabled", known.account)
        return known.account, known
    theirs = [groups[group] for group in is_in if group in groups]
    if not theirs:
        raise NotLetIn("no_role")
    roles = {role.value for group in theirs for role in group.roles}
    queues = {queue for group in theirs for queue in group.queues}
    try:
        return account(name, roles, queues, agent or None), None
    except ValueError as error:
        raise NotLetIn("unfit") from error
