"""An agent's own agreement to be recorded: given and taken back here, with the wording in view (GDPR art. 7)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, g, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from consentivr.console.books import Books
from consentivr.console.guard import needs
from consentivr.console.settings import Settings, Wording
from consentivr.console.tables import Table, answer, table_at
from consentivr.core.consent import NoticeVersion
from consentivr.core.roles import Right
from consentivr.core.turn import Turn
from consentivr.custody import AgreedTo, agreement, withdrawal
from consentivr.ledger import REGISTER, Entry, Search

COLUMNS = ("at", "word", "on", "queues", "to", "by")


def blueprint(settings: Settings, books: Books) -> Blueprint:
    """The pages of it."""
    pages = Blueprint("mine", __name__)

    @table_at(pages, "/mine")
    @needs(Right.AGREE)
    def shown(form: str) -> Any:
        return page(form)

    @pages.post("/mine/agree")
    @needs(Right.AGREE, again=True)
    def agree() -> Any:
        known = set(settings.queues)
        queues = [queue for queue in request.form.getlist("queue") if queue in known]
        if settings.wording is None or request.form.get("to") != digest_of(settings.wording):
            return page("html", wrong="changed"), 409
        if not queues:
            return page("html", wrong="no_queue"), 400
        with books.reading() as book:
            to = agreed_to(settings.wording, book.notices())
        books.append([agreement(agent(), to, queues, by=account())])
        return redirect("/mine", 303)

    @pages.post("/mine/withdraw")
    @needs(Right.AGREE)
    def withdraw() -> AnyResponse:
        """As easy as agreeing (GDPR art. 7(3)): without the password."""
        with books.reading() as book:
            newest = next(iter(book.read(Search(channel=REGISTER, agent=agent()), limit=1)), None)
        if newest is not None and newest.turn == Turn.AGENT_AGREED:
            books.append([withdrawal(agent(), by=account())])
        return redirect("/mine", 303)

    def agent() -> str:
        name = g.session.account.agent
        assert name is not None, "core.roles sees to it"
        return str(name)

    def account() -> str:
        return f"console:{g.session.account.name}"

    def page(form: str, wrong: str | None = None) -> Any:
        with books.reading() as book:
            rows = list(book.read(Search(channel=REGISTER, agent=agent())))
            notices = book.notices() if form == "html" else {}
        newest = rows[-1] if rows else None
        agreed = newest is not None and newest.turn == Turn.AGENT_AGREED
        told = [_told(row) for row in reversed(rows)]
        return answer(
            form,
            Table(COLUMNS, told),
            "mine.html",
            agent=agent(),
            newest=told[0] if told else None,
            agreed=agreed,
            text=said_of(newest, settings.wording, notices) if newest is not None and agreed else None,
            wording=settings.wording,
            digest=digest_of(settings.wording) if settings.wording else None,
            queues=settings.queues,
            must_agree=settings.must_agree,
            wrong=wrong,
        )

    return pages


def digest_of(wording: Wording) -> str:
    """SHA-256 of its text, in UTF-8: which one was in view when somebody agreed."""
    return hashlib.sha256(wording.text.encode("utf-8")).hexdigest()


def agreed_to(wording: Wording, notices: Mapping[str, NoticeVersion]) -> AgreedTo:
    """As the register says it: a wording of the agents' line by its digest in the ledger, which has its text; else the
    text itself, by its SHA-256.
    """
    same = (
        digest
        for digest, notice in notices.items()
        if (notice.text, notice.language) == (wording.text, wording.language)
    )
    found = min(same, default=None) if wording.is_spoken else None
    return AgreedTo(wording=found) if found else AgreedTo(document=digest_of(wording))


def said_of(row: Entry, wording: Wording | None, notices: Mapping[str, NoticeVersion]) -> str | None:
    """The text that was agreed to, where it is known here."""
    notice = notices.get(str(row.evidence.get("wording")))
    if notice is not None:
        return notice.text
    is_this = wording is not None and row.evidence.get("document") == digest_of(wording)
    return wording.text if wording is not None and is_this else None


def _told(row: Entry) -> dict[str, Any]:
    said = row.evidence
    queues: Sequence[str] | None = said.get("queues")
    return {
        "at": row.at,
        "word": row.turn,
        "on": said.get("on"),
        "queues": " ".join(queues) if queues else None,
        "to": said.get("wording") or said.get("document"),
        "by": said.get("by"),
    }
