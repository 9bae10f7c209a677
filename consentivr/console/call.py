"""One call: what was decided and how, its course, whether the evidence is whole; and what may be done with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, abort, g, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from consentivr import custody
from consentivr.console import access
from consentivr.console.books import Books
from consentivr.console.calls import UNREADABLE, marks_of, recorded
from consentivr.console.course import WIDTH, Step, course, picture
from consentivr.console.cut import cut
from consentivr.console.guard import needs
from consentivr.console.seeing import is_shown, sees, sees_agent, show
from consentivr.console.settings import Settings
from consentivr.core.chain import verify_excerpt
from consentivr.core.consent import NoticeVersion
from consentivr.core.evidence import CallSummary, Recording, summarize
from consentivr.core.roles import Right, Scope
from consentivr.core.turn import Turn
from consentivr.disclosure import LANGUAGES, evidence_sheet
from consentivr.ledger import NO_CALLS, CallRef, Entry, Search, Verifier
from consentivr.ledger.searching import Searching
from consentivr.ledger.verification import VerifiedCall, verify_call

LONGEST_WHY = 500
"""Characters of a reason."""


@dataclass(frozen=True)
class Found:
    """A call that somebody may see."""

    call: CallSummary
    rows: Sequence[Entry]


class Unreadable(Exception):
    """Rows of a call are not as any of ours: somebody changed them. The argument is what verification finds."""


def blueprint(settings: Settings, books: Books, spoken: Callable[[], str]) -> Blueprint:
    """The pages of it. ``spoken`` is the reader's language."""
    pages = Blueprint("call", __name__)
    zone = ZoneInfo(settings.time_zone)
    verifier = settings.chain.verifier if settings.chain else Verifier([])

    @pages.errorhandler(Unreadable)
    def unreadable(error: Unreadable) -> Any:
        return render_template("call_unreadable.html", findings=error.args[0]), 409

    @pages.get("/calls/<name>")
    @needs(Right.SEE_CALLS)
    def one(name: str) -> Any:
        return page(name)

    def page(name: str, wrong: Mapping[str, str] = {}) -> Any:
        with books.reading() as book:
            found = find(book, name, g.session.account.scope)
            if found.call.call != name:
                return redirect(f"/calls/{found.call.call}")
            told = _told(book, found, settings, verifier, spoken())
        response = render_template("call.html", **told, wrong=wrong, purposes=settings.purposes)
        return (response, 400) if wrong else response

    @pages.get("/calls/<name>.json")
    @needs(Right.SEE_CALLS)
    def as_json(name: str) -> Response:
        with books.reading() as book:
            told = _told(book, find(book, name, g.session.account.scope), settings, verifier, "en")
        return Response(json.dumps(_plain(told), ensure_ascii=False, default=str), content_type="application/json")

    @pages.post("/calls/<name>/person")
    @needs(Right.SEE_PERSON)
    def person(name: str) -> Any:
        found = _found(books, name)
        why = _why("person")
        if why is None:
            return page(name, {"person": "calls.wrong_why"})
        access.note(books, Turn.PERSON_SHOWN, CallRef.of(found.call), why=why)
        show(found.call)
        return _back(found)

    @pages.post("/calls/<name>/hold")
    @needs(Right.HOLD)
    def hold(name: str) -> Any:
        found = _found(books, name)
        why = _why("hold")
        if why is None:
            return page(name, {"hold": "calls.wrong_why"})
        with books.writing() as book:
            custody.hold(book, name, why, release=found.call.held, by=g.session.account.name)
        return _back(found)

    @pages.get("/calls/<name>/sheet")
    @needs(Right.HAND_OVER, again=True)
    def ask_for_sheet(name: str) -> Any:
        return render_template("call_sheet.html", call=_found(books, name).call, languages=LANGUAGES, wrong={})

    @pages.post("/calls/<name>/sheet")
    @needs(Right.HAND_OVER, again=True)
    def sheet(name: str) -> Any:
        found = _found(books, name)
        why, language = _why("sheet"), request.form.get("language", "")
        if why is None or language not in LANGUAGES:
            wrong = {"sheet": "calls.wrong_why"} if why is None else {"language": "calls.wrong_choice"}
            return render_template("call_sheet.html", call=found.call, languages=LANGUAGES, wrong=wrong), 400
        access.note(books, Turn.HANDED_OVER, CallRef.of(found.call), what="sheet", why=why)
        with books.reading() as book:
            rows = find(book, name, g.session.account.scope).rows
            text = evidence_sheet(book, rows, settings.places, verifier, language)
        response = Response(text, content_type="text/html; charset=utf-8")
        response.headers["Content-Disposition"] = f"attachment; filename={found.call.call}-{language}.html"
        return response

    @pages.get("/calls/<name>/withdrawal")
    @needs(Right.ANSWER_PEOPLE, again=True)
    def ask_for_withdrawal(name: str) -> Any:
        return withdrawal_page(_found(books, name))

    def withdrawal_page(found: Found, wrong: Mapping[str, str] = {}) -> Any:
        with books.reading() as book:
            over, live = _to_take_back(book, found.call)
            would = custody.would_withdraw(book, settings.places, over + live, kept_because=settings.kept_because)
        today = datetime.now(zone).date().isoformat()
        response = render_template(
            *("call_withdrawal.html",), call=found.call, would=would, live=live, wrong=wrong, today=today,
            ways=list(custody.WAYS), can=bool(over or live),
        )  # fmt: skip
        return (response, 400) if wrong else response

    @pages.post("/calls/<name>/withdrawal")
    @needs(Right.ANSWER_PEOPLE, again=True)
    def withdraw(name: str) -> Any:
        found = _found(books, name)
        way, identity = custody.WAYS.get(request.form.get("how", "")), request.form.get("identity", "").strip()
        wrong: dict[str, str] = {}
        try:
            on = date.fromisoformat(request.form.get("on", ""))
            if on > datetime.now(zone).date():
                wrong["on"] = "calls.wrong_day"
        except ValueError:
            wrong["on"] = "calls.wrong_day"
        if way is None:
            wrong["how"] = "calls.wrong_choice"
        if not identity or len(identity) > LONGEST_WHY:
            wrong["identity"] = "calls.wrong_identity"
        if wrong or way is None:
            return withdrawal_page(found, wrong)
        with books.writing() as book:
            over, live = _to_take_back(book, found.call)
            unreached = custody.stop_live(live, settings.stop) if live else {}
            stopped = [call for call in live if call.call not in unreached]
            done = custody.withdraw(
                book,
                settings.places,
                [*over, *stopped],
                way,
                identity,
                on,
                kept_because=settings.kept_because,
                stopped=[call.call for call in stopped],
                by=g.session.account.name,
            )
            left = book.overwrite_freed() if done.erased else None
        if not unreached and not done.left and left is None:
            return _back(found)
        return render_template("call_withdrawn.html", call=found.call, done=done, unreached=unreached, left=left), 409

    return pages


def _back(found: Found) -> AnyResponse:
    return redirect(f"/calls/{found.call.call}", 303)


def _why(field: str) -> str | None:
    """The reason in a form; None without one, or when it is too long."""
    why = request.form.get("why", "").strip()
    return why if why and len(why) <= LONGEST_WHY else None


def _found(books: Books, name: str) -> Found:
    with books.reading() as book:
        return find(book, name, g.session.account.scope)


def find(book: Searching, name: str, scope: Scope) -> Found:
    """The call of that name: a visit's, else a channel's, whose first visit it is then. Answers 404 where there is
    none, and where it is none that ``scope`` covers. Raises Unreadable.
    """
    if name in NO_CALLS:
        abort(404)
    for rows in book.calls_named(name):
        try:
            call = summarize(rows)
            if sees(scope, call, rows):
                return Found(call, rows)
        except UNREADABLE:
            if scope.everything or rows[0].queue in scope.queues:
                raise Unreadable(verify_excerpt(list(book.links(Search(visit=rows[0].call))))) from None
    return abort(404)


def _to_take_back(book: Searching, call: CallSummary) -> tuple[list[CallSummary], list[CallSummary]]:
    """This call, as one that is over, or under way; neither, when there is no yes to take back."""
    found = custody.to_take_back(book, [call.channel_uuid])
    return [one for one in found.over if one.call == call.call], [one for one in found.live if one.call == call.call]


# --- what is told of it ----------------------------------------------------------------------


def _told(book: Searching, found: Found, settings: Settings, verifier: Verifier, language: str) -> dict[str, Any]:
    call, rows, account = found.call, found.rows, g.session.account
    integrity = verify_call(book, call, settings.places, verifier)
    broken = frozenset(finding.position for finding in integrity.findings) & frozenset(integrity.hashes)
    names = is_shown(call)
    everybody = account.may(Right.SEE_ACCESS) or (account.scope.agent is not None and _took(rows, account.scope.agent))
    return {
        "call": _without_names(call, names),
        "names": names,
        "said": next((row.evidence for row in rows if row.turn == Turn.DECISION), {}),
        "notice": book.notice(call.notice) if call.notice else None,
        "steps": course(
            rows,
            language,
            integrity.hashes,
            broken,
            names=names,
            agent=account.scope.agent,
            everybody=everybody,
            account=account.name,
        ),
        "recordings": [
            (one if names else _without_path(one), integrity.audio.get(one.path)) for one in call.recordings
        ],
        "picture": picture(call, rows),
        "picture_width": WIDTH,
        "integrity": integrity,
        "verified": len(integrity.hashes) - len(broken),
        "recorded": recorded(call),
        "marks": [name for name, is_so in marks_of(call).items() if is_so],
        "visits": [visit for visit in _visits(book, call, account.scope) if visit.call != call.call],
        "cut": cut(book, settings.chain),
    }


def _took(rows: Sequence[Entry], agent: str) -> bool:
    return any(row.evidence.get("agent") == agent for row in rows)


def _visits(book: Searching, call: CallSummary, scope: Scope) -> list[CallSummary]:
    """Of the same channel, as far as somebody sees them."""
    found = [(summarize(rows), rows) for rows in book.calls_named(call.channel_uuid)]
    return [other for other, rows in found if sees(scope, other, rows)]


def _without_names(call: CallSummary, names: bool) -> CallSummary:
    """The call, with nobody's number, name, or path of another recorder, which may be made of them."""
    if names:
        return call
    return replace(
        call,
        caller_id_number=_hidden(call.caller_id_number),
        agent=call.agent if sees_agent(call, call.agent) else _hidden(call.agent),
        recordings=tuple(_without_path(one) for one in call.recordings),
    )


def _without_path(one: Recording) -> Recording:
    if one.permitted:
        return one
    return replace(one, path="hidden", quarantined=_hidden(one.quarantined))


def _hidden(name: str | None) -> str | None:
    return None if name is None else "hidden"


def _plain(told: Mapping[str, Any]) -> dict[str, Any]:
    call: CallSummary = told["call"]
    integrity: VerifiedCall = told["integrity"]
    notice: NoticeVersion | None = told["notice"]
    steps: Sequence[Step] = told["steps"]
    return {
        **call.as_dict(),
        "question": list(told["said"].get("attempts") or ()),
        "wording": notice and {"language": notice.language, "text": notice.text, "digest": notice.digest},
        "verified": {
            "rows": len(integrity.hashes),
            "good": told["verified"],
            "findings": [str(finding) for finding in integrity.findings],
            "signed_at": integrity.signed.at if integrity.signed else None,
            "signature_checked": integrity.checked,
            "recordings": [state for _, state in told["recordings"]],
            "cut": told["cut"]._asdict() if told["cut"] else None,
        },
        "course": [
            {
                "position": step.position,
                "at": step.at.isoformat(),
                "turn": step.turn,
                "said": {label: list(lines) for label, lines in step.said},
                "hash": step.hash,
                "broken": step.broken,
            }
            for step in steps
        ],
    }
