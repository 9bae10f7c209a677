"""Trials of two wordings: planned, approved by the officer, over. Before the end nothing is shown but how many.

What is shown afterwards is which one was understood. Which one had more of a yes is not: see ``core.trial``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, abort, g, redirect, render_template, request, send_file
from werkzeug.wrappers import Response as AnyResponse

from consentivr.console import access
from consentivr.console.books import Books
from consentivr.console.guard import needs
from consentivr.console.settings import PlannedTrial, Settings
from consentivr.console.tables import Table, answer, table_at
from consentivr.core import chain
from consentivr.core.consent import Variant
from consentivr.core.roles import Right
from consentivr.core.shares import Band
from consentivr.core.statistics import FEWEST, wilson
from consentivr.core.trial import Count, Counts, Plan, Trial, Why
from consentivr.core.turn import Turn
from consentivr.ledger import trials as ledger_trials
from consentivr.ledger.searching import Searching

LONGEST_REASON = 500

COLUMNS = ("trial", "line", "state", "begun", "until", "calls", "asked_a", "asked_b")
ASKED = ("wording", "asked", "calls")
"""All that is told before the end, and of few calls."""
RESULT = ("wording", "asked", "understood", "share", "low", "high", "cut_short", "again")


@dataclass(frozen=True)
class Shown:
    """A trial as far as anybody knows: what the configuration wants of it, what the ledger says."""

    plan: Plan
    state: str
    """planned, unread, asked, not_asked, over, ended."""
    planned: PlannedTrial | None
    begun: Trial | None
    asked: Mapping[Variant, int]

    @property
    def counts(self) -> Counts | None:
        """Of one that ended."""
        return self.begun.ended.counts if self.begun and self.begun.ended else None


@dataclass(frozen=True)
class Wording:
    """One of the two, as it is heard. ``text`` is None where nobody has noted it."""

    variant: Variant
    text: str | None
    seconds: float | None
    sound: bool


def blueprint(settings: Settings, books: Books) -> Blueprint:
    """The pages of it."""
    pages = Blueprint("trials", __name__)
    zone = ZoneInfo(settings.time_zone)

    def all_of(book: Searching) -> dict[str, Shown]:
        known, planned = ledger_trials.known(book), {one.plan.trial: one for one in settings.trials()[0]}
        today = datetime.now(zone).date()
        return {
            name: _shown(book, planned.get(name), known.get(name), today)
            for name in sorted({*known, *planned}, key=lambda name: (name in known, name))
        }

    def one_of(book: Searching, name: str) -> tuple[Shown, str | None]:
        """It, and why it cannot be approved."""
        everything = all_of(book)
        shown = everything.get(name) or abort(404)
        return shown, _obstacle(shown, everything.values(), datetime.now(zone).date())

    @table_at(pages, "/trials")
    @needs(Right.SEE_NUMBERS)
    def listed(form: str) -> Any:
        with books.reading() as book:
            rows = [_row(one) for one in all_of(book).values()]
        return answer(form, Table(COLUMNS, rows), "trials.html", silent=settings.trials()[1])

    @table_at(pages, "/trials/<name>")
    @needs(Right.SEE_NUMBERS)
    def one(form: str, name: str) -> Any:
        with books.reading() as book:
            shown, obstacle = one_of(book, name)
            wordings = _wordings(book, shown)
        more = {"trial": shown, "wordings": wordings, "obstacle": obstacle, "result": _result(shown)}
        return answer(form, _table(shown), "trials_one.html", **more)

    @pages.get("/trials/<name>/<any(a, b):variant>.wav")
    @needs(Right.SEE_NUMBERS)
    def sound(name: str, variant: str) -> Response:
        with books.reading() as book:
            shown, _ = one_of(book, name)
        if shown.planned is None:
            abort(404)
        return send_file(shown.planned.sounds[Variant(variant)], mimetype="audio/wav", conditional=True)

    @pages.get("/trials/<name>/approve")
    @needs(Right.APPROVE_TRIAL, again=True)
    def before_approving(name: str) -> str:
        with books.reading() as book:
            shown, obstacle = one_of(book, name)
            return _approve_page(book, shown, obstacle)

    @pages.post("/trials/<name>/approve")
    @needs(Right.APPROVE_TRIAL, again=True)
    def approve(name: str) -> AnyResponse:
        with books.writing() as book:
            shown, obstacle = one_of(book, name)
            if obstacle is None and request.form.get("plan") != _fingerprint(shown.plan):
                obstacle = "changed"
            if obstacle is not None:
                return Response(_approve_page(book, shown, obstacle), 409)
            book.append([access.row(g.session.account, Turn.TRIAL_BEGUN, **shown.plan.evidence())])
        return redirect(f"/trials/{name}", 303)

    @pages.route("/trials/<name>/stop", methods=["GET", "POST"])
    @needs(Right.APPROVE_TRIAL, again=True)
    def stop(name: str) -> AnyResponse:
        reason = " ".join(request.form.get("reason", "").split())[:LONGEST_REASON]
        with books.writing() as book:
            shown, _ = one_of(book, name)
            if shown.begun is None or shown.begun.ended is not None:
                return redirect(f"/trials/{name}", 303)
            if request.method == "GET" or not reason:
                missing = request.method == "POST"
                page = render_template("trials_stop.html", trial=shown, missing=missing, longest=LONGEST_REASON)
                return Response(page, 422 if missing else 200)
            said = ledger_trials.ending(book, shown.begun, Why.STOPPED, reason)
            book.append([access.row(g.session.account, Turn.TRIAL_ENDED, **said)])
        return redirect(f"/trials/{name}", 303)

    def _approve_page(book: Searching, shown: Shown, obstacle: str | None) -> str:
        return render_template(
            "trials_approve.html",
            trial=shown,
            wordings=_wordings(book, shown),
            obstacle=obstacle,
            fingerprint=_fingerprint(shown.plan),
        )

    return pages


# --- how it is ---------------------------------------------------------------------------------


def _shown(book: Searching, planned: PlannedTrial | None, begun: Trial | None, today: date) -> Shown:
    if begun is None:
        assert planned is not None
        noted = all(book.notice(digest) for digest in (*planned.plan.first, *planned.plan.second))
        return Shown(planned.plan, "planned" if noted else "unread", planned, None, dict.fromkeys(Variant, 0))
    same = planned if planned is not None and planned.plan == begun.plan else None
    if begun.ended is not None:
        counts = begun.ended.counts
        return Shown(begun.plan, "ended", same, begun, {Variant.A: counts.a.asked, Variant.B: counts.b.asked})
    state = "over" if today > begun.plan.until else "not_asked" if same is None else "asked"
    return Shown(begun.plan, state, same, begun, ledger_trials.asked(book, begun.plan, begun.begun_at))


def _obstacle(shown: Shown, others: Iterable[Shown], today: date) -> str | None:
    """Why it cannot be approved now; None when it can."""
    if shown.begun is not None:
        return "begun"
    if shown.state == "unread":
        return "unread"
    if today > shown.plan.until:
        return "past"
    kept_days = shown.planned.kept_days if shown.planned else None
    if kept_days is not None and (shown.plan.until - today).days >= kept_days:
        return "kept"
    running = (one for one in others if one.begun is not None and one.begun.ended is None)
    return "other" if any(one.plan.line == shown.plan.line for one in running) else None


def _fingerprint(plan: Plan) -> str:
    """Of what is shown, so that nothing else is approved."""
    return hashlib.sha256(chain.canonical(plan.evidence())).hexdigest()


def _wordings(book: Searching, shown: Shown) -> list[Wording]:
    found = []
    for variant in Variant:
        notice = next(filter(None, map(book.notice, shown.plan.wording(variant))), None)
        seconds = notice.duration_ms / 1000 if notice else None
        found.append(Wording(variant, notice.text if notice else None, seconds, shown.planned is not None))
    return found


# --- how it came out ---------------------------------------------------------------------------


def _row(shown: Shown) -> dict[str, Any]:
    return {
        "trial": shown.plan.trial,
        "line": shown.plan.line,
        "state": shown.state,
        "begun": shown.begun.begun_at if shown.begun else None,
        "until": shown.plan.until.isoformat(),
        "calls": shown.plan.calls,
        "asked_a": shown.asked[Variant.A],
        "asked_b": shown.asked[Variant.B],
    }


def _told(shown: Shown) -> Counts | None:
    """What may be told: it is over, and there are enough calls."""
    counts = shown.counts
    return None if counts is None or min(counts.a.asked, counts.b.asked) < FEWEST else counts


def _table(shown: Shown) -> Table:
    """A row for each wording."""
    counts = _told(shown)
    if counts is None:
        plan, asked = shown.plan, shown.asked
        return Table(ASKED, [{"wording": one.value, "asked": asked[one], "calls": plan.calls} for one in Variant])
    return Table(RESULT, [_shares("a", counts.a), _shares("b", counts.b)])


def _shares(wording: str, count: Count) -> dict[str, Any]:
    low, high = wilson(count.understood, count.asked)
    return {
        "wording": wording,
        "asked": count.asked,
        "understood": count.understood,
        "share": round(count.understood / count.asked, 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "cut_short": round(count.cut_short / count.asked, 4),
        "again": round(count.again / count.asked, 4),
    }


@dataclass(frozen=True)
class Result:
    """What is said of one that ended: by how much the second wording was understood better, of 1."""

    by: float
    band: Band
    answers_differ: Sequence[float]

    @property
    def says(self) -> str:
        """second, first, or neither: which was understood better."""
        return "second" if self.band.low > 0 else "first" if self.band.high < 0 else "neither"

    @property
    def pushes(self) -> bool:
        """Whether the answers differ by more than chance."""
        return self.answers_differ[1] > 0


def _result(shown: Shown) -> Result | None:
    counts = _told(shown)
    if counts is None:
        return None
    by = counts.b.understood / counts.b.asked - counts.a.understood / counts.a.asked
    return Result(by, counts.understood, counts.answers_differ)
