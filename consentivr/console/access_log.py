"""The access log: who did what here. Everybody's rows open to whoever says why; one's own are always there."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, abort, g, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from consentivr.console import access
from consentivr.console.books import Books
from consentivr.console.guard import needs
from consentivr.console.settings import Settings
from consentivr.console.signin import inside
from consentivr.console.tables import Table, answer, table_at
from consentivr.console.verifying import Verifying
from consentivr.console.wholeness import wholeness
from consentivr.core.chain import Finding
from consentivr.core.roles import Account, Right, Role
from consentivr.core.turn import ACCESS, Turn
from consentivr.ledger import NO_CALLS, Entry
from consentivr.ledger.accesses import Accesses, accesses, place

ON_A_PAGE = 50
IN_A_FILE = 50_000
"""Rows of a table as JSON or CSV; JSON names what follows."""

OPEN_S = 900
"""So long everybody's rows are open to whoever said why."""

LONGEST_REASON = 300

TURNS = sorted(turn.value for turn in (*ACCESS, Turn.AGENTS_COUNTED))
COLUMNS = ("at", "by", "role", "turn", "call", "details")
TOLD = (
    *("why", "purpose", "what", "approved", "heard_s", "found", "risk", "row", "form", "rows"),
    *("person", "account", "roles", "queues", "agent", "times", "how", "query", "agreement", "request"),
)
"""Members of the evidence that the page tells, in this order. An agent's name is told to that agent only."""


VALUES = ("password", "oidc", "proxy", "access_log", "register", "sheet", "none", "risk", "high")
"""Values of these members that have words of their own."""


def blueprint(settings: Settings, books: Books, verifying: Verifying) -> Blueprint:
    """The pages of it."""
    pages = Blueprint("access_log", __name__)
    zone = ZoneInfo(settings.time_zone)

    @pages.get("/access")
    @needs(Right.SEE_OWN_ACCESS)
    def everybody() -> Any:
        if not g.session.account.may(Right.SEE_ACCESS):
            return redirect("/access/mine")
        if not is_open():
            return render_template("access_reason.html", missing=False, longest=LONGEST_REASON)
        return listed("html", None)

    @pages.get("/access.<any(json, csv):form>")
    @needs(Right.SEE_ACCESS, again=True)
    def handed_over(form: str) -> Any:
        if not is_open():
            abort(403, "closed")
        return listed(form, None)

    @pages.post("/access/open")
    @needs(Right.SEE_ACCESS)
    def open_it() -> Any:
        why = " ".join(request.form.get("why", "").split())[:LONGEST_REASON]
        if not why:
            return render_template("access_reason.html", missing=True, longest=LONGEST_REASON), 400
        access.note(books, Turn.ACCESS_OPENED, why=why)
        g.session.log_open_until = time.monotonic() + OPEN_S
        return redirect("/access", 303)

    @table_at(pages, "/access/mine")
    @needs(Right.SEE_OWN_ACCESS)
    def mine(form: str) -> Any:
        return listed(form, g.session.account.name)

    @pages.post("/verify")
    @needs(Right.SEE_INSTALLATION)
    def verify() -> AnyResponse:
        verifying.start()
        return redirect(inside(request.headers.get("Referer", "/")), 303)

    def is_open() -> bool:
        return bool(time.monotonic() < g.session.log_open_until)

    def listed(form: str, by: str | None) -> str | AnyResponse:
        wanted, wrong = asked(request.args, zone, by)
        limit = ON_A_PAGE if form == "html" else IN_A_FILE
        with books.reading() as book:
            found, broken = accesses(book, wanted, limit + 1)
            state = wholeness(book, settings.chain, verifying) if form == "html" else None
        more, found = len(found) > limit, found[:limit]
        rows = [told(row, g.session.account) for row in found]
        if form != "html" and by is None:
            access.note(books, Turn.HANDED_OVER, what="access_log", form=form, rows=len(rows))
        if form == "csv":
            rows = [{**row, "details": json.dumps(row["details"], ensure_ascii=False)} for row in rows]
        following = {"after": place(found[-1])} if more else None
        return answer(
            form,
            Table(COLUMNS, rows, following),
            "access.html",
            turns=TURNS,
            values=VALUES,
            roles=[role.value for role in Role],
            asked=request.args,
            wrong=wrong,
            mine=by is not None,
            broken=_of(broken, found),
            whole=state,
        )

    return pages


def asked(args: Mapping[str, str], zone: ZoneInfo, by: str | None) -> tuple[Accesses, list[str]]:
    """What the filters in an address mean, and the names of those that mean nothing: they filter nothing."""
    wrong = []

    def day(name: str, plus: int) -> datetime | None:
        try:
            there = date.fromisoformat(args[name]) + timedelta(days=plus) if args.get(name) else None
        except (ValueError, OverflowError):
            wrong.append(name)
            return None
        # Midnight where the house is: a day is not always 24 hours.
        return None if there is None else datetime.combine(there, datetime.min.time(), zone).astimezone(timezone.utc)

    turn, after = args.get("turn", ""), args.get("after") or None
    if turn and turn not in TURNS:
        wrong.append("turn")
        turn = ""
    if after is not None and not _is_place(after):
        wrong.append("after")
        after = None
    who = by if by is not None else " ".join(args.get("by", "").split()) or None
    return Accesses(who, (turn,) if turn else (), day("since", 0), day("until", 1), after), wrong


def _is_place(text: str) -> bool:
    at, _, position = text.partition(" ")
    try:
        return datetime.fromisoformat(at).tzinfo is not None and 0 < int(position) < 2**63
    except ValueError:
        return False


def told(row: Entry, reader: Account) -> dict[str, Any]:
    """A row as a reader may see it: of no number, and of no agent's name but the reader's own."""
    details = {name: row.evidence[name] for name in TOLD if row.evidence.get(name) not in (None, "", [])}
    if "agent" in details and details["agent"] != reader.agent:
        details["agent"] = "hidden"
    return {
        "position": row.position,
        "at": row.at,
        "by": row.evidence.get("by"),
        "role": row.evidence.get("role"),
        "turn": row.turn,
        "call": None if row.channel_uuid in NO_CALLS else row.call,
        "details": details,
    }


def _of(broken: list[Finding], rows: list[Entry]) -> list[Finding]:
    """Those of the rows that are shown."""
    shown = {row.position for row in rows}
    return [one for one in broken if one.position in shown]
