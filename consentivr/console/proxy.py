"""A proxy in front: whose address it forwards, and whom it says to be there. Nobody else is believed."""

from __future__ import annotations

from flask import g, request

from consentivr.console import access
from consentivr.console.accounts import Accounts
from consentivr.console.books import Books
from consentivr.console.failures import Failures
from consentivr.console.groups import NotLetIn, account_of
from consentivr.console.sessions import Session, Sessions
from consentivr.console.settings import Settings
from consentivr.core.turn import Turn


def address(settings: Settings) -> str:
    """Of the browser: what the proxy adds last to X-Forwarded-For, if one is told of; '' when that is not known.

    What a browser itself writes there stands before it, and from who is no proxy it is not read.
    """
    peer = request.remote_addr or ""
    if not settings.proxy.is_one(peer):
        return peer
    return request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()


class Named:
    """Whom the proxy names has a session, for as long as it names the same."""

    def __init__(
        self, settings: Settings, books: Books, accounts: Accounts, sessions: Sessions, failures: Failures
    ) -> None:
        self._settings, self._books = settings, books
        self._accounts, self._sessions, self._failures = accounts, sessions, failures

    def who(self) -> str | None:
        """The name in the header; None without one. The guard has refused whoever is no proxy."""
        header = self._settings.proxy.user
        return (request.headers.get(header) or None) if header else None

    def goes_on(self, session: Session) -> bool:
        """Whether a session fits what the proxy says now."""
        who = self.who()
        return who == session.account.name if session.by == "proxy" else who in (None, session.account.name)

    def begin(self) -> Session | None:
        """A session of whom it names, whose cookie is in ``g.begun``; None when it names nobody.

        Raises NotLetIn; LedgerError: its row could not be written.
        """
        who = self.who()
        if who is None:
            return None
        proxy = self._settings.proxy
        groups = request.headers.get(proxy.groups, "") if proxy.groups else ""
        is_in = [group.strip() for group in groups.replace(";", ",").split(",")]
        agent = request.headers.get(proxy.agent) if proxy.agent else None
        try:
            account, known = account_of(self._accounts, self._settings.groups, who, is_in, agent)
        except NotLetIn as error:
            self._failures.note(error.account, error.why)
            raise
        self._books.append([access.row(account, Turn.SIGNED_IN, how="proxy")])
        g.begun = self._sessions.begin(account, known, "proxy", is_proven=False)
        return self._sessions.of(g.begun)
