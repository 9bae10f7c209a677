"""Today: whether everything is well, calls now, what callers said, incidents and their clock; an agent's own talk."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, abort, g, redirect, render_template, request

from consentivr.console import access
from consentivr.console.books import Books
from consentivr.console.desk import Seen
from consentivr.console.guard import needs
from consentivr.console.settings import Settings
from consentivr.console.tables import Table, answer, table_at
from consentivr.core.policy import AgentWish
from consentivr.core.roles import Account, Right, Role
from consentivr.core.turn import Turn
from consentivr.disclosure.incidents import happened
from consentivr.ledger import NO_CALL, Entry, LedgerError, Search
from consentivr.ledger.searching import Searching
from consentivr.ledger.today import since

CLOCK = timedelta(hours=72)
"""To tell the authority of a breach, once one knows of it (GDPR art. 33(1))."""

INCIDENT_DAYS = 14
RISKS = ("none", "risk", "high")
"""Unlikely to be any; to be told to the authority (art. 33); to be told to the persons, too (art. 34)."""

WISHES = (AgentWish.START, AgentWish.STOP, AgentWish.PAUSE, AgentWish.RESUME)
TOLD = ("done", "unknown", "refused", "unconfirmed", "not_seen")
LONGEST_REASON = 300
PARTS = {"ledger": "ledger", "watch": "switches", "disk": "disk", "sounds": "sounds"}
"""What each light stands for: a name of what is not good."""

COLUMNS = ("queue", "given", "refused", "not_obtained", "withdrawn")


@dataclass(frozen=True)
class Light:
    """``level``: good, warn, bad, not_seen. ``age_s``: since it was looked at, where that is known."""

    name: str
    level: str
    why: str = ""
    age_s: float | None = None


@dataclass(frozen=True)
class Incidents:
    """What happened on one day in one queue, of one kind. ``due``: when the clock of the first one that nobody has
    assessed ends; None: all are assessed, with ``risk``.
    """

    day: date
    turn: str
    queue: str
    rows: Sequence[Entry]
    open: Sequence[Entry]
    due: datetime | None
    risk: str | None


def blueprint(settings: Settings, books: Books) -> Blueprint:
    """The pages of it."""
    pages = Blueprint("today", __name__)
    zone = ZoneInfo(settings.time_zone)

    @table_at(pages, "/today")
    @needs(Right.SEE_TODAY)
    def shown(form: str) -> Any:
        return page(form)

    @pages.get("/today/now")
    @needs(Right.SEE_TODAY, quiet=True)
    def now() -> Any:
        """The part that is fetched anew every few seconds."""
        return render_template("today_now.html", **live())

    @pages.post("/today/recording")
    @needs(Right.CONTROL_OWN_TALK)
    def control() -> Any:
        wish, agent = request.form.get("wish", ""), g.session.account.agent
        if wish not in [one.value for one in WISHES]:
            abort(400)
        said = "not_seen" if settings.desk is None else settings.desk.ask(agent, wish, g.session.account.name)
        return redirect(f"/today?wish={wish}&told={said}", 303)

    @pages.post("/today/assess")
    @needs(Right.ASSESS_INCIDENT)
    def assess() -> Any:
        form = request.form
        risk, why = form.get("risk", ""), " ".join(form.get("why", "").split())[:LONGEST_REASON]
        wanted = tuple(form.get(name, "") for name in ("day", "turn", "queue"))
        if risk not in RISKS or not why:
            return page("html", wrong=wanted), 400
        with books.reading() as book:
            theirs = [one for one in incidents(book, g.session.account, zone) if key_of(one) == wanted]
        rows = [
            access.row(g.session.account, Turn.INCIDENT_ASSESSED, row.about, row=row.position, risk=risk, why=why)
            for one in theirs
            for row in one.open
        ]
        if rows:
            books.append(rows)
        return redirect("/today#incidents", 303)

    def live() -> dict[str, Any]:
        account: Account = g.session.account
        seen = settings.desk.look() if settings.desk is not None else None
        talk = None
        if account.may(Right.CONTROL_OWN_TALK) and account.agent and settings.desk is not None:
            talk = settings.desk.talk_of(account.agent)
        house = sees_house(account)
        found: list[Light] = []
        if house:
            with books.reading() as book:
                found = lights(seen, book, settings)
        return {
            "house": house,
            "seen": seen is not None,
            "lights": found,
            "tiles": tiles(seen, account) if house else None,
            "talk": talk,
            "talk_s": None if talk is None else max(0.0, time.time() - talk["since"]),
            "as_of": datetime.now(timezone.utc),
        }

    def page(form: str, wrong: tuple[str, ...] | None = None) -> Any:
        account: Account = g.session.account
        with books.reading() as book:
            counted = since(book, midnight(zone)) if sees_house(account) else {}
            found = incidents(book, account, zone) if sees_house(account) else []
        mine = {queue: said for queue, said in counted.items() if covers(account, queue)}
        rows = [{"queue": queue, **{name: mine[queue].get(name, 0) for name in COLUMNS[1:]}} for queue in sorted(mine)]
        told = request.args.get("told")
        return answer(
            form,
            Table(COLUMNS, rows),
            "today.html",
            incidents=found,
            key_of=key_of,
            wrong=wrong,
            risks=RISKS,
            longest=LONGEST_REASON,
            told=told if told in TOLD else None,
            hours_left=hours_left,
            at_all={name: sum(row[name] for row in rows) for name in COLUMNS[1:]},
            **(live() if form == "html" else {}),
        )

    return pages


def sees_house(account: Account) -> bool:
    """Whether somebody sees more than the own talk."""
    return account.roles != {Role.AGENT}


def covers(account: Account, queue: str) -> bool:
    """Numbers by queue: of the own queues; officer, works council and administrators see those of all."""
    return account.scope.covers(queue, None) or Role.ADMIN in account.roles


def midnight(zone: ZoneInfo) -> datetime:
    """When this day began, in UTC."""
    here = datetime.now(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return here.astimezone(timezone.utc)


def lights(seen: Seen | None, book: Searching, settings: Settings) -> list[Light]:
    """What is well, from what ``serve`` says of itself and what the ledger holds. What was not seen is not good."""
    found = [Light("asking", *_asking(seen))]
    for name, part in PARTS.items():
        if seen is None:
            found.append(Light(name, "not_seen"))
        elif name == "watch" and "some_switches" in seen.not_good and part not in seen.not_good:
            found.append(Light(name, "warn", seen.not_good["some_switches"]))
        else:
            found.append(Light(name, "bad" if part in seen.not_good else "good", seen.not_good.get(part, "")))
    if _lost(book, settings):
        found = [Light("ledger", "bad") if light.name == "ledger" else light for light in found]
    return [*found, pre_flight(seen, checked(book))]


def _asking(seen: Seen | None) -> tuple[str, str]:
    if seen is None:
        return "not_seen", ""
    wrong = {name: why for name, why in seen.not_good.items() if name not in ("configuration", "some_switches")}
    if wrong:
        return "bad", "; ".join(filter(None, wrong.values()))
    return ("warn", seen.not_good["configuration"]) if "configuration" in seen.not_good else ("good", "")


def _lost(book: Searching, settings: Settings) -> bool:
    """Whether the ledger does not hold the end that is kept elsewhere."""
    if settings.chain is None:
        return False
    try:
        return settings.chain.head_file.missing_in(book) is not None
    except LedgerError:
        return False


def checked(book: Searching) -> dict[str, Entry]:
    """The newest row of each switch that was found set up otherwise than before."""
    return {
        row.evidence["switch"]: row
        for row in book.read(Search(channel=NO_CALL, turn=Turn.SWITCH_CHECKED.value), limit=500)
    }


def pre_flight(seen: Seen | None, rows: Mapping[str, Entry]) -> Light:
    """What the looks at the switches found; without a look that was seen, nothing is good."""
    levels = {level for row in rows.values() for level in row.evidence["findings"].values()}
    ages = [] if seen is None or seen.looked is None else list(seen.looked.values())
    known = [age for age in ages if age is not None]
    age = max(known) if known and len(known) == len(ages) else None
    if "bad" in levels:
        return Light("pre_flight", "bad", age_s=age)
    if age is None or any(row.evidence["not_seen"] for row in rows.values()):
        return Light("pre_flight", "not_seen", age_s=age)
    return Light("pre_flight", "warn" if levels else "good", age_s=age)


def tiles(seen: Seen | None, account: Account) -> dict[str, float] | None:
    """Calls now, of the queues that somebody sees; None: not seen."""
    if seen is None or seen.queues is None:
        return None
    mine = [now for queue, now in seen.queues.items() if covers(account, queue)]
    total = {name: sum(now[name] for now in mine) for name in ("asked", "waiting", "talking", "recorded", "paused")}
    return {**total, "longest_wait_s": max((now["longest_wait_s"] for now in mine), default=0.0)}


def incidents(book: Searching, account: Account, zone: ZoneInfo) -> list[Incidents]:
    """Of the last days, as far as somebody sees the queues: first whose clock ends first, then those assessed."""
    begin = datetime.now(timezone.utc) - timedelta(days=INCIDENT_DAYS)
    assessed = {
        row.evidence.get("row"): str(row.evidence.get("risk"))
        for row in book.read(Search(turn=Turn.INCIDENT_ASSESSED.value, since=begin))
    }
    groups: dict[tuple[date, str, str], list[Entry]] = {}
    for row in happened(book, Search(since=begin)):
        if covers(account, row.queue):
            groups.setdefault((row.at.astimezone(zone).date(), row.turn, row.queue), []).append(row)
    found = []
    for (day, turn, queue), rows in groups.items():
        left = [row for row in rows if row.position not in assessed]
        risks = [risk for risk in reversed(RISKS) if risk in {assessed.get(row.position) for row in rows}]
        due = left[0].at + CLOCK if left else None
        found.append(Incidents(day, turn, queue, rows, left, due, risks[0] if risks and not left else None))
    return sorted(found, key=lambda one: (one.due is None, one.due or one.rows[-1].at))


def key_of(one: Incidents) -> tuple[str, str, str]:
    """Which one a form means."""
    return one.day.isoformat(), one.turn, one.queue


def hours_left(due: datetime) -> int:
    """Whole hours until then; negative: over since."""
    return int((due - datetime.now(timezone.utc)).total_seconds() // 3600)
