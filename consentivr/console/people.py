"""People: whoever asks what is known of them (GDPR art. 12 to 22). A number is typed here, and is in no address.

``answers`` has what is done for them; here they are found, and what they ask for is noted with its deadline.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, abort, g, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from consentivr import custody
from consentivr.console import access
from consentivr.console.books import Books
from consentivr.console.found import Found, remember
from consentivr.console.guard import needs
from consentivr.console.settings import Settings
from consentivr.console.tables import Table, answer, table_at
from consentivr.core.evidence import CallSummary, summarize
from consentivr.core.requests import Answer, PersonRequest, Wish
from consentivr.core.retention import RetentionTerms
from consentivr.core.roles import Right
from consentivr.core.turn import Turn
from consentivr.ledger.people import alike, calls_of_number, number_of, request_noted, requests_noted
from consentivr.numbers import in_print, is_withheld, names

ON_A_PAGE = 50

LONGEST = 200
"""Characters of what somebody writes down here."""

SOON_DAYS = 7

REQUESTS = ("request", "wishes", "received_on", "due_on", "days_left", "found", "reference", "answer")
CALLS = ("call", "at", "line", "queue", "decision", "recordings", "state", "kept_until")


def found_of(handle: str) -> Found:
    """Whose page it is; there is none when the session knows none of that name."""
    found: Found | None = g.session.people.get(handle)
    if found is None:
        abort(404, "person")
    return found


class Form:
    """What was sent, checked field by field; ``wrong`` has the word for what is the matter, by field.

    ``number`` must not be in what will be written down.
    """

    def __init__(self, number: str | None = None) -> None:
        self._number = number
        self.wrong: dict[str, str] = {}

    def text(self, name: str, *, needed: bool = True) -> str:
        """One line that goes into a row: not too long, and without the number."""
        said = " ".join(request.form.get(name, "").split())
        if not said and needed:
            self.wrong[name] = "people.needed"
        elif len(said) > LONGEST:
            self.wrong[name] = "people.too_long"
        elif self._number and names(said, self._number):
            self.wrong[name] = "people.no_number"
        return said

    def day(self, name: str, today: date) -> date:
        """A day that was, or is today."""
        try:
            day = date.fromisoformat(request.form.get(name, ""))
        except ValueError:
            self.wrong[name] = "people.no_day"
            return today
        if day > today:
            self.wrong[name] = "people.in_the_future"
        return day

    def one_of(self, name: str, known: Sequence[str]) -> str:
        """A choice."""
        said = request.form.get(name, "")
        if said not in known:
            self.wrong[name] = "people.needed"
        return said


def blueprint(settings: Settings, books: Books) -> Blueprint:
    """The pages of it."""
    pages = Blueprint("people", __name__)
    zone = ZoneInfo(settings.time_zone)

    def today() -> date:
        return datetime.now(zone).date()

    # --- looking for somebody ----------------------------------------------------------------

    @table_at(pages, "/people")
    @needs(Right.ANSWER_PEOPLE)
    def listed(form: str) -> Any:
        return people(form)

    def people(form: str = "html", **more: Any) -> Any:
        with books.reading() as book:
            noted = requests_noted(book)
        start = int(after) if (after := request.args.get("after", "")).isdecimal() else 0
        shown = noted[start : start + ON_A_PAGE]
        following = {"after": str(start + ON_A_PAGE)} if len(noted) > start + ON_A_PAGE else None
        table = Table(REQUESTS, [_listed(one, today()) for one in shown], following)
        said = {"wrong": {}, "why": "", **more}
        return answer(form, table, "people.html", soon=SOON_DAYS, longest=LONGEST, **said)

    @pages.post("/people")
    @needs(Right.ANSWER_PEOPLE)
    def look_for() -> AnyResponse | tuple[str, int]:
        number = request.form.get("number", "").strip()
        form = Form(number)
        why = form.text("why")
        if not number:
            form.wrong["number"] = "people.needed"
        elif is_withheld(number):
            form.wrong["number"] = "people.nobodys"
        elif len(number) > LONGEST:
            form.wrong["number"] = "people.too_long"
        if form.wrong:
            return people(wrong=form.wrong, why=why), 422
        return redirect(f"/people/{look(Found(number, why))}", 303)

    def look(found: Found) -> str:
        """The name of the page; that somebody looks is noted before."""
        with books.reading() as book:
            calls = len(calls_of_number(book, found.number))
        access.note(books, Turn.PERSON_LOOKED_FOR, found=calls, why=found.why, request=found.request)
        return remember(g.session.people, found)

    # --- the person --------------------------------------------------------------------------

    @table_at(pages, "/people/<handle>")
    @needs(Right.ANSWER_PEOPLE)
    def person(handle: str, form: str) -> Any:
        return page_of(handle, form)

    def page_of(handle: str, form: str = "html", **more: Any) -> Any:
        found = found_of(handle)
        with books.reading() as book:
            names_of_calls = calls_of_number(book, found.number)
            after = request.args.get("after")
            start = names_of_calls.index(after) + 1 if after in names_of_calls else 0
            shown = names_of_calls[start : start + ON_A_PAGE]
            calls = [summarize(rows) for rows in book.rows_of_visits(shown)]
            near = alike(book, found.number) if start == 0 and form == "html" else []
            asked = request_noted(book, found.request)
        following = {"after": shown[-1]} if len(names_of_calls) > start + ON_A_PAGE else None
        table = Table(CALLS, [called(call) for call in calls], following)
        return answer(
            form,
            table,
            "person.html",
            handle=handle,
            found=found,
            number=in_print(found.number, settings.country),
            number_of_calls=len(names_of_calls),
            near=near,
            asked=asked,
            today=today(),
            soon=SOON_DAYS,
            longest=LONGEST,
            wishes=list(Wish),
            controller=settings.controller,
            **({"wrong": {}, "said": {}} | more),
        )

    def called(call: CallSummary) -> dict[str, Any]:
        state = [
            *(["held"] if call.held else []),
            *(["withdrawn"] if call.withdrawn_at else []),
            *(["number_erased"] if call.person_erased_at else []),
        ]
        return {
            "call": call.call,
            "at": call.started_at,
            "line": call.line,
            "queue": call.queue,
            "decision": call.decision or "none",
            "recordings": len(call.audio),
            "state": state,
            "kept_until": kept_until(call),
        }

    def kept_until(call: CallSummary) -> date | None:
        """When its rows, and the number with them, are due for erasure; None for ever."""
        days = settings.terms.get(call.queue, RetentionTerms()).rows_days_of(call)
        held_or_kept = call.held or days is None
        return None if held_or_kept else (call.ended_at.astimezone(zone) + timedelta(days=days or 0)).date()

    @pages.post("/people/<handle>/close")
    @needs(Right.ANSWER_PEOPLE)
    def close(handle: str) -> AnyResponse:
        g.session.people.pop(handle, None)
        return redirect("/people", 303)

    @pages.post("/people/<handle>/hold")
    @needs(Right.HOLD)
    def hold(handle: str) -> Any:
        found = found_of(handle)
        form = Form(found.number)
        why, what = form.text("why_held"), form.one_of("what", ("hold", "release"))
        chosen = request.form.getlist("call")
        if not chosen:
            form.wrong["call"] = "people.choose"
        with books.reading() as book:
            theirs = set(calls_of_number(book, found.number))
            calls = [summarize(rows) for rows in book.rows_of_visits([name for name in chosen if name in theirs])]
        if form.wrong:
            return page_of(handle, wrong=form.wrong, said={"why_held": why}), 422
        for call in calls:
            with books.writing() as ledger:
                custody.hold(ledger, call.call, why, release=what == "release", by=g.session.account.name)
        return redirect(f"/people/{handle}", 303)

    # --- what was asked for ------------------------------------------------------------------

    @pages.post("/people/<handle>/requests")
    @needs(Right.ANSWER_PEOPLE)
    def receive(handle: str) -> Any:
        found = found_of(handle)
        form = Form(found.number)
        received_on, reference = form.day("received_on", today()), form.text("reference", needed=False)
        chosen = [wish for wish in Wish if wish.value in request.form.getlist("wishes")]
        if not chosen:
            form.wrong["wishes"] = "people.choose"
        if form.wrong:
            said = {"received_on": request.form.get("received_on", ""), "reference": reference, "wishes": chosen}
            return page_of(handle, wrong=form.wrong, said=said), 422
        with books.reading() as book:
            calls = calls_of_number(book, found.number)
        made = PersonRequest(f"{received_on:%y%m%d}-{secrets.token_hex(3)}", tuple(chosen), received_on)
        access.note(
            books,
            Turn.REQUEST_RECEIVED,
            request=made.name,
            wishes=[wish.value for wish in chosen],
            received_on=received_on.isoformat(),
            due_on=made.due_on.isoformat(),
            found=len(calls),
            call=next(iter(calls), None),
            reference=reference or None,
        )
        found.request = made.name
        return redirect(f"/people/{handle}", 303)

    @pages.get("/people/requests/<name>")
    @needs(Right.ANSWER_PEOPLE)
    def request_page(name: str) -> Any:
        return page_of_request(name)

    def page_of_request(name: str, **more: Any) -> Any:
        with books.reading() as book:
            asked = request_noted(book, name) or abort(404)
        handle = next((key for key, found in g.session.people.items() if found.request == name), None)
        return render_template(
            "request.html",
            asked=asked,
            handle=handle,
            today=today(),
            soon=SOON_DAYS,
            longest=LONGEST,
            answers=list(Answer),
            **({"wrong": {}, "said": {}} | more),
        )

    @pages.post("/people/requests/<name>/person")
    @needs(Right.ANSWER_PEOPLE)
    def find_again(name: str) -> Any:
        with books.reading() as book:
            asked = request_noted(book, name) or abort(404)
            number = number_of(book, asked.call) if asked.call else None
        if number is None:
            return page_of_request(name, wrong={"person": "people.number_gone"}), 422
        return redirect(f"/people/{look(Found(number, f'request {name}', name))}", 303)

    @pages.post("/people/requests/<name>/extend")
    @needs(Right.ANSWER_PEOPLE)
    def extend(name: str) -> Any:
        with books.reading() as book:
            asked = request_noted(book, name) or abort(404)
        form = Form(_number_of(name))
        why = form.text("why_longer")
        if not asked.may_be_extended(today()):
            form.wrong["why_longer"] = "people.not_longer"
        if form.wrong:
            return page_of_request(name, wrong=form.wrong, said={"why_longer": why}), 422
        longer = PersonRequest(name, asked.wishes, asked.received_on, extended_because=why)
        access.note(books, Turn.REQUEST_EXTENDED, request=name, due_on=longer.due_on.isoformat(), why=why)
        return redirect(f"/people/requests/{name}", 303)

    @pages.post("/people/requests/<name>/answer")
    @needs(Right.ANSWER_PEOPLE)
    def answered(name: str) -> Any:
        with books.reading() as book:
            asked = request_noted(book, name) or abort(404)
        form = Form(_number_of(name))
        what = form.one_of("answer", [one.value for one in Answer])
        why = form.text("why_answer", needed=what in (Answer.IN_PART.value, Answer.REFUSED.value))
        if asked.answered is not None:
            form.wrong["answer"] = "people.answered_already"
        if form.wrong:
            return page_of_request(name, wrong=form.wrong, said={"why_answer": why, "answer": what}), 422
        access.note(books, Turn.REQUEST_ANSWERED, request=name, answer=what, why=why or None)
        return redirect("/people", 303)

    return pages


def _number_of(name: str) -> str | None:
    """The number that this session knows a request by."""
    return next((found.number for found in g.session.people.values() if found.request == name), None)


def _listed(one: PersonRequest, today: date) -> dict[str, Any]:
    return {
        "request": one.name,
        "wishes": [wish.value for wish in one.wishes],
        "received_on": one.received_on,
        "due_on": one.due_on,
        "days_left": None if one.answered else one.days_left(today),
        "found": one.found,
        "reference": one.reference,
        "answer": one.answered.value if one.answered else None,
    }
