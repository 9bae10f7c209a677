"""What is done for a person who asks: told, handed over, erased, taken back. Each is noted before it is done."""

from __future__ import annotations

import hashlib
import tempfile
from datetime import date, datetime
from typing import Any, Literal, cast
from zoneinfo import ZoneInfo

import structlog
from flask import Blueprint, abort, g, redirect, render_template, request, send_file

from consentivr import custody
from consentivr.console import access
from consentivr.console.books import Books
from consentivr.console.found import Found
from consentivr.console.guard import needs
from consentivr.console.people import LONGEST, Form, found_of
from consentivr.console.settings import Settings
from consentivr.core.roles import Right
from consentivr.core.turn import Turn
from consentivr.custody import ErasedPerson
from consentivr.disclosure import LANGUAGES, Confirmation, Controller, Delay, Letter, Paper, Receipt
from consentivr.ledger import LedgerError, Signer
from consentivr.ledger.people import request_noted
from consentivr.ledger.searching import Searching
from consentivr.numbers import in_print

log = structlog.get_logger(__name__)

MOST_LINES = 8
"""Of an address."""

PAPERS = (
    "letter.html",
    "letter.txt",
    "archive.zip",
    "confirmation.html",
    "confirmation.txt",
    "receipt.html",
    "receipt.txt",
    "delay.html",
    "delay.txt",
)
"""What may leave, and as what."""

TYPES = {"html": "text/html", "txt": "text/plain", "zip": "application/zip"}


def blueprint(settings: Settings, books: Books) -> Blueprint:
    """The pages of it."""
    pages = Blueprint("answers", __name__)
    zone = ZoneInfo(settings.time_zone)

    def today() -> date:
        return datetime.now(zone).date()

    def page(template: str, handle: str, found: Found, **more: Any) -> str:
        return render_template(
            template,
            handle=handle,
            found=found,
            number=in_print(found.number, settings.country),
            today=today(),
            longest=LONGEST,
            controller=settings.controller,
            lacking=settings.lacking,
            languages=LANGUAGES,
            **({"wrong": {}, "said": {}} | more),
        )

    # --- told and handed over ----------------------------------------------------------------

    @pages.get("/people/<handle>/answer")
    @needs(Right.ANSWER_PEOPLE, again=True)
    def papers(handle: str) -> Any:
        return papers_of(handle)

    def papers_of(handle: str, **more: Any) -> str:
        found = found_of(handle)
        with books.reading() as book:
            asked = request_noted(book, found.request)
            channels = channels_of(book, found)
        can = {
            "letter": True,
            "archive": bool(channels) and found.erased is None,
            "confirmation": found.erased is not None,
            "receipt": bool(channels),
            "delay": asked is not None and asked.extended_because is not None,
        }
        return page("answer.html", handle, found, can=can, asked=asked, **({"left_out": {}} | more))

    @pages.post("/people/<handle>/answer")
    @needs(Right.ANSWER_PEOPLE, again=True)
    def hand_over(handle: str) -> Any:
        found = found_of(handle)
        form = Form(found.number)
        found.identity = form.text("identity")
        language = form.one_of("language", LANGUAGES)
        what, _, ending = form.one_of("paper", PAPERS).partition(".")
        to = request.form.get("to", "")
        said = {"to": to, "language": language}
        if form.wrong or settings.controller is None:
            return papers_of(handle, wrong=form.wrong, said=said), 422
        signer = sign() if ending == "zip" else None
        file = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed when it was sent
        with books.reading() as book:
            book.signer = signer
            paper, calls = paper_of(what, book, found, settings.controller, language, _lines(to))
            if isinstance(paper, Letter) and ending == "zip":
                left_out = paper.write_archive(file).left_out
                if left_out and "incomplete" not in request.form:
                    return papers_of(handle, said=said, left_out=left_out), 422
            else:
                file.write(paper.render(cast(Literal["html", "txt"], ending)).encode())
        file.seek(0)
        access.note(books, Turn.HANDED_OVER, what=what, calls=calls, identity=found.identity, request=found.request)
        return send_file(file, mimetype=TYPES[ending], as_attachment=True, download_name=f"{what}.{ending}")

    def sign() -> Signer | None:
        """Sign what the chain is now; the key is for what is handed over of it, where there is one."""
        with books.writing() as ledger:
            ledger.sign()
            return ledger.signer

    def paper_of(
        what: str, book: Searching, found: Found, controller: Controller, language: str, to: list[str]
    ) -> tuple[Paper, int]:
        """And how many calls it is about. Aborts when there is nothing that it could say."""
        channels = channels_of(book, found)
        if what in ("letter", "archive"):
            archive = what == "archive"
            letter = Letter(book, found.number, controller, settings.places, language, to=to, enclosed=archive)
            if letter.calls or not archive:
                return letter, len(letter.calls)
        elif what == "confirmation" and found.erased is not None:
            becomes = found.erased.becomes
            return Confirmation(found.number, book.country, controller, language, becomes, to=to), len(becomes)
        elif what == "receipt" and channels:
            receipt = Receipt(book, found.number, channels, controller, language, to=to)
            return receipt, len(receipt.calls)
        elif what == "delay":
            asked = request_noted(book, found.request)
            if asked is not None and asked.extended_because is not None:
                return Delay(found.number, book.country, controller, language, asked, to=to), 0
        return abort(404)

    # --- erased ------------------------------------------------------------------------------

    @pages.get("/people/<handle>/erase")
    @needs(Right.ANSWER_PEOPLE, again=True)
    def erasure(handle: str) -> Any:
        return erasure_of(handle)

    def erasure_of(handle: str, **more: Any) -> str:
        found = found_of(handle)
        with books.reading() as book:
            would = custody.would_erase(book, settings.places, channels_of(book, found))
        return page("erase.html", handle, found, would=would, count=_count(would), seen=_seen(would), **more)

    @pages.post("/people/<handle>/erase")
    @needs(Right.ANSWER_PEOPLE, again=True)
    def erase(handle: str) -> Any:
        found = found_of(handle)
        form = Form(found.number)
        found.identity, why = form.text("identity"), form.text("why")
        with books.reading() as book:
            channels = channels_of(book, found)
            would = custody.would_erase(book, settings.places, channels)
        if request.form.get("seen") != _seen(would):
            form.wrong["seen"] = "people.changed"
        if request.form.get("count", "").strip() != str(_count(would)):
            form.wrong["count"] = "people.other_count"
        if form.wrong:
            return erasure_of(handle, wrong=form.wrong, said={"why": why}), 422
        order(found, "erase", _count(would), why=why)
        found.erasing = tuple(channels)
        try:
            with books.writing() as ledger:
                found.erased = custody.erase_calls(ledger, settings.places, channels, why)
                found.to_do = [said for said in (ledger.overwrite_freed(), ledger.beyond) if said]
        except LedgerError as error:
            log.error("an answer to a person was interrupted", why=str(error))
            return page("erase.html", handle, found, would=None, wrong={"seen": "people.interrupted"}), 503
        return redirect(f"/people/{handle}", 303)

    # --- taken back --------------------------------------------------------------------------

    @pages.get("/people/<handle>/withdraw")
    @needs(Right.ANSWER_PEOPLE, again=True)
    def withdrawal(handle: str) -> Any:
        return withdrawal_of(handle)

    def withdrawal_of(handle: str, **more: Any) -> str:
        found = found_of(handle)
        with books.reading() as book:
            theirs, would = would_take_back(book, found)
        ways = list(custody.WAYS)
        return page("withdraw.html", handle, found, theirs=theirs, would=would, ways=ways, seen=_seen(would), **more)

    def would_take_back(book: Searching, found: Found) -> tuple[custody.ToTakeBack, custody.Withdrawal]:
        theirs = custody.to_take_back(book, channels_of(book, found))
        return theirs, custody.would_withdraw(book, settings.places, theirs.calls, kept_because=settings.kept_because)

    @pages.post("/people/<handle>/withdraw")
    @needs(Right.ANSWER_PEOPLE, again=True)
    def withdraw(handle: str) -> Any:
        found = found_of(handle)
        form = Form(found.number)
        found.identity, on = form.text("identity"), form.day("on", today())
        how = form.one_of("how", list(custody.WAYS))
        with books.reading() as book:
            theirs, would = would_take_back(book, found)
        if request.form.get("seen") != _seen(would) or not theirs.calls:
            form.wrong["seen"] = "people.changed"
        if form.wrong:
            said = {"on": request.form.get("on", ""), "how": how}
            return withdrawal_of(handle, wrong=form.wrong, said=said), 422
        order(found, "withdraw", len(theirs.calls))
        found.unreached = custody.stop_live(theirs.live, settings.stop)
        stopped = [call for call in theirs.live if call.call not in found.unreached]
        try:
            with books.writing() as ledger:
                found.taken_back = custody.withdraw(
                    ledger,
                    settings.places,
                    [*theirs.over, *stopped],
                    custody.WAYS[how],
                    found.identity,
                    on,
                    kept_because=settings.kept_because,
                    stopped=[call.call for call in stopped],
                    by=g.session.account.name,
                )
                left = ledger.overwrite_freed() if found.taken_back.erased else None
                found.to_do = [left] if left else []
        except LedgerError as error:
            log.error("an answer to a person was interrupted", why=str(error))
            return withdrawal_of(handle, wrong={"seen": "people.interrupted"}), 503
        return redirect(f"/people/{handle}", 303)

    def order(found: Found, what: str, calls: int, **more: Any) -> None:
        said = {"what": what, "calls": calls, "identity": found.identity, "request": found.request, **more}
        access.note(books, Turn.ORDERED, **said)

    return pages


def channels_of(book: Searching, found: Found) -> list[str]:
    """The person's, also those whose number was erased here."""
    return list(dict.fromkeys([*book.channels_of(found.number), *found.erasing]))


def _lines(text: str) -> list[str]:
    return [line for said in text.splitlines() if (line := " ".join(said.split())[:LONGEST])][:MOST_LINES]


def _count(would: ErasedPerson) -> int:
    """Of the calls of which something is erased."""
    return sum(not call.held for call in would.becomes)


def _seen(would: ErasedPerson | custody.Withdrawal) -> str:
    """What somebody saw, so that nothing else is done."""
    return hashlib.sha256(repr(would).encode()).hexdigest()
