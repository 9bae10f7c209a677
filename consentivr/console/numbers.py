"""Numbers: eight charts of many calls, each with its table, for a range of days; nothing of anybody, of no agent.

What is told, and why nothing can be worked out of fewer than twenty calls: ``core.statistics``, ``core.figures``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, timedelta
from typing import Any

from flask import Blueprint, abort, g, make_response, render_template, request
from markupsafe import Markup

from consentivr.console import charts, drawn
from consentivr.console.books import Books
from consentivr.console.folding import Folded, Folding
from consentivr.console.guard import needs
from consentivr.console.settings import Settings
from consentivr.console.spoken import spoken
from consentivr.console.tables import Table, answer, table_at
from consentivr.console.words import WORDS
from consentivr.core import figures, figures_of_promises, figures_of_wordings
from consentivr.core.consent import NoticeVersion
from consentivr.core.retention import RetentionTerms
from consentivr.core.roles import Account, Right, Role
from consentivr.core.statistics import Block, TooFew

RANGES = ("weeks", "week", "month", "quarter", "own")
"""The last thirteen weeks; this week, month, quarter; from one day to another."""


class WrongRange(ValueError):
    """Of a range in the address; its text is the word that says so."""


@dataclass(frozen=True)
class Days:
    """From one day to another, both included; ``kind`` is one of ``RANGES``."""

    kind: str
    since: date
    until: date


def days_of(wanted: Mapping[str, str], today: date) -> Days:
    """Of an address. Raises WrongRange."""
    kind = wanted.get("range", RANGES[0])
    if kind == "own":
        try:
            since, until = (date.fromisoformat(wanted.get(name, "")) for name in ("from", "to"))
        except ValueError:
            raise WrongRange("numbers.wrong_day") from None
        if since > until:
            raise WrongRange("numbers.wrong_order")
        return Days(kind, since, until)
    begins = {
        "weeks": today - timedelta(weeks=13) + timedelta(1),
        "week": today - timedelta(today.weekday()),
        "month": today.replace(day=1),
        "quarter": today.replace(month=(today.month - 1) // 3 * 3 + 1, day=1),
    }
    if kind not in begins:
        raise WrongRange("numbers.wrong_range")
    return Days(kind, begins[kind], today)


def covers(account: Account, queue: str) -> bool:
    """Whether somebody is told of a queue. Figures have no people, so that administrators are told of all."""
    return account.scope.covers(queue, None) or Role.ADMIN in account.roles


@dataclass(frozen=True)
class Told:
    """What a chart is made of: what was folded, as far as somebody is told of it."""

    folded: Folded
    everything: Sequence[Block]
    """Of whichever day."""
    changed: Sequence[figures.Change]
    notices: Mapping[str, NoticeVersion]
    days: Days
    queue: str
    """The only one that was asked for; an empty text for all."""
    by: str
    account: Account
    terms: Mapping[str, RetentionTerms]

    def has(self, queue: str) -> bool:
        """Whether it is about this queue."""
        return self.queue in ("", queue) and covers(self.account, queue)

    @property
    def blocks(self) -> list[Block]:
        """Of the range."""
        return [block for block in self.everything if self.days.since <= block.until <= self.days.until]

    @property
    def until(self) -> date:
        """The last day of the range that is over."""
        return min(self.days.until, self.folded.today - timedelta(1))


def _stock(told: Told) -> list[figures_of_promises.Stock]:
    kept = {key: counts for key, counts in told.folded.kept.items() if told.has(key[0])}
    of_all = not told.queue and (told.account.scope.everything or Role.ADMIN in told.account.roles)
    stray = told.folded.stray if of_all else 0
    return figures_of_promises.stock(kept, told.terms, told.folded.today, stray)


@dataclass(frozen=True)
class Chart:
    """One of the eight: how its rows are made, of which type they are, and how they are drawn."""

    name: str
    rows: Callable[[Told], Sequence[Any]]
    row: type
    draw: Callable[[drawn.Saying, Sequence[Any]], Sequence[charts.Drawing]]
    table: Callable[[drawn.Saying, Sequence[Any]], drawn.Shown]

    @property
    def columns(self) -> list[str]:
        """Of its table."""
        return [field.name for field in fields(self.row)]


CHARTS = {
    chart.name: chart
    for chart in (
        Chart(
            "yes",
            lambda told: figures.yes_rates(told.blocks, told.by, told.changed),
            figures.YesRate,
            drawn.yes,
            drawn.yes_table,
        ),
        Chart(
            "hours",
            lambda told: figures.hours(told.everything, told.until),
            figures.Hour,
            drawn.hours,
            drawn.hours_table,
        ),
        Chart("way", lambda told: figures.funnel(told.blocks), figures.Step, drawn.way, drawn.way_table),
        Chart("cost", lambda told: figures.costs(told.blocks), figures.Cost, drawn.cost, drawn.cost_table),
        Chart(
            "leaving",
            lambda told: figures_of_wordings.leaving(told.blocks, told.notices),
            figures_of_wordings.Part,
            drawn.leaving,
            drawn.leaving_table,
        ),
        Chart(
            "wording",
            lambda told: figures_of_wordings.wordings(told.blocks),
            figures_of_wordings.Wording,
            drawn.wording,
            drawn.wording_table,
        ),
        Chart(
            "guard",
            lambda told: figures_of_promises.guarded(told.blocks),
            figures_of_promises.Guarded,
            drawn.guard,
            drawn.guard_table,
        ),
        Chart("stock", _stock, figures_of_promises.Stock, drawn.stock, drawn.stock_table),
    )
}
"""In the order of the page."""


class _Drawings:
    """Made once for those who see the same, until it is counted anew."""

    MOST = 512

    def __init__(self) -> None:
        self._folded: Folded | None = None
        self._made: dict[tuple[Any, ...], tuple[list[Markup], drawn.Shown]] = {}
        self._lock = threading.Lock()

    def of(self, name: str, told: Told, saying: drawn.Saying) -> tuple[list[Markup], drawn.Shown]:
        """A chart's figures as they stand in the page, and its table."""
        with self._lock:
            if self._folded is not told.folded or len(self._made) >= self.MOST:
                self._folded, self._made = told.folded, {}
            made = self._made
        who = (told.account.scope, Role.ADMIN in told.account.roles)
        key = (name, saying.language, who, told.days, told.queue, told.by)
        if key not in made:
            chart, rows = CHARTS[name], CHARTS[name].rows(told)
            made[key] = (
                [drawing.figure() for drawing in chart.draw(saying, rows)] if rows else [],
                chart.table(saying, rows),
            )
        return made[key]


def blueprint(settings: Settings, books: Books, folding: Folding) -> Blueprint:
    """The pages of it."""
    pages = Blueprint("numbers", __name__)
    drawings = _Drawings()

    @pages.get("/numbers")
    @needs(Right.SEE_NUMBERS)
    def numbers() -> Any:
        return shown(list(CHARTS))

    @table_at(pages, "/numbers/<name>")
    @needs(Right.SEE_NUMBERS)
    def one(name: str, form: str) -> Any:
        if name not in CHARTS:
            abort(404)
        if form == "html":
            return shown([name])
        try:
            told = telling()
        except WrongRange:
            abort(400, "range")
        if told is None:
            abort(503, "counting")
        chart = CHARTS[name]
        rows = [_plain(row) for row in chart.rows(told)]
        return answer(form, Table(chart.columns, rows), "numbers.html")

    def telling() -> Told | None:
        """Raises WrongRange."""
        folded, account = folding.current(), g.session.account
        if folded is None:
            return None
        days = days_of(request.args, folded.today)
        queue, by = request.args.get("queue", ""), request.args.get("by", "queue")
        theirs = [
            block for block in folded.blocks if queue in ("", block.group.queue) and covers(account, block.group.queue)
        ]
        with books.reading() as book:
            notices = book.notices()
        by = by if by in figures.BY else "queue"
        return Told(folded, theirs, figures.changes(theirs), notices, days, queue, by, account, settings.terms)

    def shown(names: Sequence[str]) -> Any:
        language = spoken()
        saying = drawn.Saying(WORDS[language].__getitem__, language)
        wrong, told = None, None
        try:
            told = telling()
        except WrongRange as error:
            wrong = str(error)
        made = [] if told is None else [(name, *drawings.of(name, told, saying)) for name in names]
        few = [] if told is None else _too_few(told)
        page = render_template(
            "numbers.html",
            charts=made,
            alone=len(names) == 1,
            wrong=wrong,
            told=told,
            few=len(few),
            queues=sorted(queue for queue in settings.queues if covers(g.session.account, queue)),
            ranges=RANGES,
            by=tuple(figures.BY),
            wanted=request.args,
            saying=saying,
            query=request.query_string.decode("ascii", "replace"),
        )
        return make_response(page, 400 if wrong else 200)

    return pages


def _too_few(told: Told) -> list[TooFew]:
    return [
        one
        for one in told.folded.too_few
        if told.has(one.group.queue) and told.days.since <= one.until <= told.days.until
    ]


def _plain(row: Any) -> dict[str, Any]:
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(row).items()}
