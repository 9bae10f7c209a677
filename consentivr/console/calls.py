"""Calls: the list, and one call with its timeline. No sound is loaded here: looking is not hearing."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g

from consentivr.console.books import Books
from consentivr.console.guard import needs
from consentivr.console.settings import Settings
from consentivr.console.tables import Table, answer, table_at
from consentivr.core.evidence import summarize
from consentivr.core.roles import Right
from consentivr.ledger import Search

ON_A_PAGE = 50


def blueprint(settings: Settings, books: Books) -> Blueprint:
    """The pages of it."""
    pages = Blueprint("calls", __name__)

    @table_at(pages, "/calls")
    @needs(Right.SEE_CALLS)
    def listed(form: str) -> Any:
        scope = g.session.account.scope
        with books.reading() as book:
            calls = [summarize(rows) for rows in book.calls(Search(), limit=ON_A_PAGE)]
        rows = [
            {
                "call": call.call,
                "at": call.started_at,
                "line": call.line,
                "queue": call.queue,
                "decision": call.decision,
                "reason": call.reason,
            }
            for call in reversed(calls)
            if scope.covers(call.queue, call.agent)
        ]
        return answer(form, Table(("call", "at", "line", "queue", "decision", "reason"), rows), "calls.html")

    return pages
