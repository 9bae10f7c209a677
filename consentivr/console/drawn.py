"""Figures as charts and as tables for people, in the words of a language; what is drawn how is in ``charts``."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from consentivr.console.charts import (
    Axes,
    Bar,
    Drawing,
    Pair,
    Point,
    Twin,
    bars_below,
    bars_height,
    columns,
    course,
    heat,
    heat_height,
    pairs,
    pairs_height,
    stacks,
    twins,
    twins_height,
)
from consentivr.core.figures import Cost, Hour, Step, YesRate
from consentivr.core.figures_of_promises import Guarded, Stock
from consentivr.core.figures_of_wordings import SHARES, Part, Wording
from consentivr.core.statistics import FEWEST, wilson

MOST_SERIES = 6
"""So many queues, lines or languages are drawn; the table has all."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TO = "\N{EN DASH}"


@dataclass(frozen=True)
class Saying:
    """The words of a language, and how it writes numbers and days."""

    say: Callable[[str], str]
    language: str

    def __call__(self, word: str) -> str:
        return self.say(f"numbers.{word}")

    def number(self, value: float | None, digits: int = 0) -> str:
        """With the language's own separators; "few" where nothing is told."""
        if value is None:
            return self("few")
        text = f"{value:,.{digits}f}"
        return text.translate({44: ".", 46: ","}) if self.language == "de" else text

    def percent(self, share: float | None, digits: int = 0) -> str:
        """Of a share from 0 to 1."""
        if share is None:
            return self("few")
        return self.number(share * 100, digits) + ("\N{NO-BREAK SPACE}%" if self.language == "de" else "%")

    def all_of(self, share: float | None) -> str:
        """Of a share that must be whole: what is not is never rounded up to it, and stands out."""
        if share is None or share == 1:
            return self.percent(share, 1)
        return f"\N{WARNING SIGN} {self.percent(math.floor(share * 1000) / 1000, 1)}"

    def day(self, day: date) -> str:
        """With its year."""
        return f"{day:%d.%m.%Y}" if self.language == "de" else f"{day.day} {_MONTHS[day.month - 1]} {day.year}"

    def short_day(self, day: date) -> str:
        """Without its year."""
        return f"{day:%d.%m.}" if self.language == "de" else f"{day.day} {_MONTHS[day.month - 1]}"

    def named(self, name: str) -> str:
        """Of a queue, a line, a language; it may be unknown."""
        return name or self("unknown")

    def language_named(self, code: str) -> str:
        """As people call it, where we know it."""
        return self(f"language_{code}") if code in ("de", "en") else self.named(code)


@dataclass(frozen=True)
class Shown:
    """A table for people: its titles, which of them head numbers, and its cells."""

    titles: Sequence[str]
    numbers: Sequence[bool]
    rows: Sequence[Sequence[str]]


def _shown(saying: Saying, titles: Mapping[str, bool], rows: Sequence[Sequence[str]]) -> Shown:
    return Shown([saying(title) for title in titles], list(titles.values()), rows)


def _weeks(weeks: Sequence[date]) -> list[date]:
    """All from the first to the last, also those without a figure."""
    first, last = min(weeks), max(weeks)
    return [first + timedelta(weeks=number) for number in range((last - first).days // 7 + 1)]


def _ceiling(value: float) -> float:
    """A round number that is not below it, for the top of an axis."""
    size = 1.0
    while size * 10 < value:
        size *= 10
    while size > value and size > 0.01:
        size /= 10
    return next(size * step for step in (1, 2, 3, 4, 6, 8, 10) if size * step >= value or step == 10)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


# --- (a) -------------------------------------------------------------------------------------


def yes(saying: Saying, rows: Sequence[YesRate]) -> list[Drawing]:
    """A course for each queue, line or language."""
    weeks = _weeks([row.week for row in rows])
    apart: defaultdict[str, dict[date, YesRate]] = defaultdict(dict)
    for row in rows:
        apart[row.of][row.week] = row
    drawings: list[Drawing] = []
    for number, (name, known) in enumerate(list(apart.items())[:MOST_SERIES]):
        told = [row for row in known.values() if row.rate is not None]
        asked, said = sum(row.asked or 0 for row in told), sum(row.yes or 0 for row in told)
        title = f"{saying.named(name)}: {saying.percent(said / asked if asked else None)} ({_n(saying, asked)})"
        points = [_yes_point(saying, known.get(week)) for week in weeks]
        marks = [(place, saying("new_wording")) for place, week in enumerate(weeks) if week in known]
        marks = [mark for mark in marks if known[weeks[mark[0]]].new_wording]
        drawing = Drawing(f"yes{number}", 158, title, saying("yes_desc"))
        axes = Axes([saying.short_day(week) for week in weeks], 1.0, saying.percent, marks)
        drawings.append(course(drawing, points, axes))
    return drawings


def _yes_point(saying: Saying, row: YesRate | None) -> Point:
    if row is None or row.rate is None:
        return Point(None)
    says = f"{saying.day(row.week)}: {_rate(saying, row)}, {_n(saying, row.asked)}"
    return Point(row.rate, row.low, row.high, says)


def _n(saying: Saying, number: int | None) -> str:
    return f"n = {saying.number(number)}"


def _rate(saying: Saying, row: YesRate) -> str:
    if row.rate is None or row.low is None or row.high is None:
        return saying("few")
    return f"{saying.percent(row.rate)} ({saying.number(row.low * 100)}{_TO}{saying.number(row.high * 100)})"


def yes_table(saying: Saying, rows: Sequence[YesRate]) -> Shown:
    titles = {"of": False, "week": False, "asked": True, "yes": True, "rate": True, "wording_title": False}
    return _shown(
        saying,
        titles,
        [
            [
                saying.named(row.of),
                saying.day(row.week),
                saying.number(row.asked),
                saying.number(row.yes),
                _rate(saying, row),
                saying("new_wording") if row.new_wording else "",
            ]
            for row in rows
        ],
    )


# --- (b) -------------------------------------------------------------------------------------


def hours(saying: Saying, rows: Sequence[Hour]) -> list[Drawing]:
    """How many call, and how many of them say yes."""
    days = saying("weekdays").split()
    most = max((row.calls or 0 for row in rows), default=0) or 1
    calls: list[list[tuple[float | None, str]]] = [[] for _ in range(24)]
    rates: list[list[tuple[float | None, str]]] = [[] for _ in range(24)]
    for row in rows:
        calls[row.hour].append(
            (None, "") if row.calls is None else (row.calls / most, saying.number(row.calls) if row.calls else "")
        )
        empty: tuple[float | None, str] = (0.0, "") if row.calls == 0 else (None, "")
        rates[row.hour].append(empty if row.rate is None else (row.rate, f"{row.rate:.0%}"))
    open_hours = [row.hour for row in rows if row.calls != 0]
    shown = range(min(open_hours, default=0), max(open_hours, default=23) + 1)
    when = f"{saying.day(rows[0].since)} {_TO} {saying.day(rows[0].until)}"
    drawings = [
        Drawing(f"hours{n}", heat_height(shown), f"{saying(title)}, {when}", saying("hours_desc"))
        for n, title in enumerate(("hours_calls", "hours_rate"))
    ]
    return [heat(drawing, days, shown, cells) for drawing, cells in zip(drawings, (calls, rates), strict=True)]


def hours_table(saying: Saying, rows: Sequence[Hour]) -> Shown:
    days = saying("weekdays").split()
    return _shown(
        saying,
        {"weekday": False, "hour": False, "calls": True, "rate": True},
        [
            [
                days[row.weekday],
                f"{row.hour:02d}{_TO}{row.hour + 1:02d}",
                saying.number(row.calls),
                saying.percent(row.rate),
            ]
            for row in rows
            if row.calls != 0
        ],
    )


# --- (c) -------------------------------------------------------------------------------------

_STAGES = ("answered", "begun", "queue", "agent")


def way(saying: Saying, rows: Sequence[Step]) -> list[Drawing]:
    """Bars below each other: what a call comes to, and how it went on from there."""
    bars = [
        Bar(
            saying(f"step_{row.step}"),
            row.calls,
            f"{saying.number(row.calls)} · {saying.percent(row.rate)}",
            "main" if row.step in _STAGES else "part" if row.step in ("to_end", "cut_short") else "other",
        )
        for row in rows
    ]
    return [bars_below(Drawing("way0", bars_height(bars), saying("way_title"), saying("way_desc")), bars)]


def way_table(saying: Saying, rows: Sequence[Step]) -> Shown:
    return _shown(
        saying,
        {"step": False, "calls": True, "part": True},
        [[saying(f"step_{row.step}"), saying.number(row.calls), saying.percent(row.rate, 1)] for row in rows],
    )


# --- (d) -------------------------------------------------------------------------------------


def cost(saying: Saying, rows: Sequence[Cost]) -> list[Drawing]:
    """Bars in three parts for each week, with the median and what nine of ten stay below."""
    by_week = {row.week: row for row in rows if row.week is not None}
    weeks = _weeks(list(by_week))
    told = [by_week.get(week) for week in weeks]
    highest = max((row.p90 or 0.0 for row in rows), default=0.0)
    axes = Axes(
        [saying.short_day(week) for week in weeks],
        _ceiling(highest * 1.02 or 1),
        lambda seconds: f"{saying.number(seconds)} s" if seconds == int(seconds) else f"{saying.number(seconds, 1)} s",
    )
    bars: list[tuple[Sequence[float], str] | None] = []
    marks: list[tuple[float, float] | None] = []
    for row in told:
        if row is None or row.speech is None or row.waiting is None or row.repeats is None:
            bars.append(None)
            marks.append(None)
            continue
        assert row.week is not None
        says = f"{saying.day(row.week)}: {saying.number(row.median, 1)} s, {_n(saying, row.timed)}"
        bars.append(((row.speech, row.waiting, row.repeats), says))
        marks.append((row.median or 0.0, row.p90 or 0.0))
    drawing = Drawing("cost0", 250, saying("cost_title"), saying("cost_desc"))
    legend = [saying(part) for part in ("speech", "waiting", "repeats")]
    return [stacks(drawing, bars, legend, axes, marks, (saying("median"), saying("p90")))]


def cost_table(saying: Saying, rows: Sequence[Cost]) -> Shown:
    titles = ("timed", "median", "p90", "minutes_a_day", "speech", "waiting", "repeats")
    return _shown(
        saying,
        {"week": False} | dict.fromkeys(titles, True),
        [
            [
                saying("whole_range") if row.week is None else saying.day(row.week),
                saying.number(row.timed),
                *(saying.number(getattr(row, title), 1) for title in titles[1:]),
            ]
            for row in rows
        ],
    )


# --- (e) -------------------------------------------------------------------------------------


def leaving(saying: Saying, rows: Sequence[Part]) -> list[Drawing]:
    """For each wording its sentences, with how many hang up in each, and as long on a line that does not ask."""
    drawings: list[Drawing] = []
    for number, notice in enumerate(list(dict.fromkeys(row.notice for row in rows))[:3]):
        theirs = [row for row in rows if row.notice == notice]
        twin = [
            Twin(
                _cut(_part(saying, row), 62),
                row.rate,
                row.off_rate,
                (_of_1000(saying, row.rate), _of_1000(saying, row.off_rate)),
            )
            for row in theirs
        ]
        title = (
            f"{saying.language_named(theirs[0].language)}, {saying('from_day')} {saying.day(theirs[0].used_from)} "
            f"· {notice[:8]} ({_n(saying, theirs[0].there)})"
        )
        drawing = Drawing(f"leaving{number}", twins_height(twin), title, saying("leaving_desc"))
        drawings.append(twins(drawing, twin, (saying("asking_line"), saying("off_line"))))
    return drawings


def _part(saying: Saying, row: Part) -> str:
    return saying(f"part_{row.part}") if row.part in ("greeting", "key") else row.part


def _of_1000(saying: Saying, rate: float | None) -> str:
    return saying.number(rate, 1)


def leaving_table(saying: Saying, rows: Sequence[Part]) -> Shown:
    titles = {"notice": False, "part_title": False, "seconds": True, "there": True, "hung": True, "of_1000": True}
    titles |= {"off_there": True, "off_1000": True}
    return _shown(
        saying,
        titles,
        [
            [
                row.notice[:8],
                _part(saying, row),
                f"{saying.number(row.since, 1)}{_TO}{saying.number(row.until, 1)}",
                saying.number(row.there),
                saying.number(row.hung),
                saying.number(row.rate, 1),
                saying.number(row.off_there),
                saying.number(row.off_rate, 1),
            ]
            for row in rows
        ],
    )


# --- (f) -------------------------------------------------------------------------------------


def wording(saying: Saying, rows: Sequence[Wording]) -> list[Drawing]:
    """For each line and language that has changed it the last two wordings beside each other."""
    apart: defaultdict[tuple[str, str], list[Wording]] = defaultdict(list)
    for row in rows:
        apart[row.line, row.language].append(row)
    drawings: list[Drawing] = []
    for (line, language), theirs in apart.items():
        if len(theirs) < 2:
            continue
        before, after = theirs[-2:]
        lines = [
            Pair(
                saying(f"share_{share}"),
                _share_point(saying, before, share),
                _share_point(saying, after, share),
                f"{saying.percent(getattr(before, share))} → {saying.percent(getattr(after, share))}",
            )
            for share in SHARES
        ]
        title = (
            f"{saying.named(line)}, {saying.language_named(language)}, {saying('from_day')} {saying.day(after.since)}"
        )
        drawing = Drawing(f"wording{len(drawings)}", pairs_height(lines), title, saying("wording_desc"))
        legend = (
            f"{before.notice[:8]} ({_n(saying, before.asked)})",
            f"{after.notice[:8]} ({_n(saying, after.asked)})",
        )
        drawings.append(pairs(drawing, lines, legend))
    return drawings


def _share_point(saying: Saying, row: Wording, what: str) -> Point:
    value, asked = getattr(row, what), row.asked or 0
    if value is None:
        return Point(None)
    of = round((row.yes or 0) * asked) if what == "taken_back" else asked
    return Point(value, *wilson(round(value * of), of), f"{saying(f'share_{what}')}: {saying.percent(value, 1)}")


def wording_table(saying: Saying, rows: Sequence[Wording]) -> Shown:
    titles = {"line": False, "language": False, "notice": False, "since": False, "until": False, "asked": True}
    return _shown(
        saying,
        titles | {f"share_{share}": True for share in SHARES},
        [
            [
                saying.named(row.line),
                saying.language_named(row.language),
                row.notice[:8],
                saying.day(row.since),
                saying.day(row.until),
                saying.number(row.asked),
                *(saying.percent(getattr(row, share), 1) for share in SHARES),
            ]
            for row in rows
        ],
    )


# --- (g) -------------------------------------------------------------------------------------


def guard(saying: Saying, rows: Sequence[Guarded]) -> list[Drawing]:
    """By week: incidents, proofs, yeses that were not recorded, seconds in which nobody watched."""
    by_week = {row.week: row for row in rows if row.week is not None}
    weeks = _weeks(list(by_week))
    labels = [saying.short_day(week) for week in weeks]
    whole = next(row for row in rows if row.week is None)
    drawings: list[Drawing] = []
    for what, digits in (("incident_rate", 1), ("proven_rate", 1), ("withheld", 0), ("blind_s", 0)):
        told = [None if week not in by_week else getattr(by_week[week], what) for week in weeks]
        is_share = what == "proven_rate"
        value = getattr(whole, what)
        title = f"{saying(what)}: {saying.all_of(value) if is_share else saying.number(value, digits)}"
        drawing = Drawing(f"guard{len(drawings)}", 116, title, saying("guard_desc"))
        if is_share:
            points = [Point(value, says=f"{labels[n]}: {saying.all_of(value)}") for n, value in enumerate(told)]
            drawings.append(course(drawing, points, Axes(labels, 1.0, saying.percent)))
            continue
        top = _ceiling(max((value or 0.0 for value in told), default=0.0) or 1.0)
        bars = [
            None if value is None else (float(value), f"{labels[n]}: {saying.number(value, digits)}")
            for n, value in enumerate(told)
        ]
        tick = _tick(saying, top)
        drawings.append(columns(drawing, bars, Axes(labels, top, tick)))
    return drawings


def _tick(saying: Saying, top: float) -> Callable[[float], str]:
    return lambda value: saying.number(value, 0 if (top / 2).is_integer() else 1)


def guard_table(saying: Saying, rows: Sequence[Guarded]) -> Shown:
    titles = ("without_yes", "incidents", "incident_rate", "talks", "proven", "proven_rate", "withheld", "blind_s")
    return _shown(
        saying,
        {"week": False} | dict.fromkeys(titles, True),
        [
            [
                saying("whole_range") if row.week is None else saying.day(row.week),
                saying.number(row.without_yes),
                saying.number(row.incidents),
                saying.number(row.incident_rate, 1),
                saying.number(row.talks),
                saying.number(row.proven),
                saying.all_of(row.proven_rate),
                saying.number(row.withheld),
                saying.number(row.blind_s),
            ]
            for row in rows
        ],
    )


# --- (h) -------------------------------------------------------------------------------------


def stock(saying: Saying, rows: Sequence[Stock]) -> list[Drawing]:
    """What is kept, by when it is due."""
    kinds = {"due": "main", "held": "other", "quarantined": "other"}
    bars = [
        Bar(saying(f"stock_{row.what}"), row.recordings, _tens(saying, row.recordings), kinds.get(row.what, "part"))
        for row in rows
    ]
    return [bars_below(Drawing("stock0", bars_height(bars), saying("stock_title"), saying("stock_desc")), bars, 172)]


def _tens(saying: Saying, number: int | None) -> str:
    return f"< {FEWEST}" if number is None else saying.number(number)


def stock_table(saying: Saying, rows: Sequence[Stock]) -> Shown:
    return _shown(
        saying,
        {"what": False, "recordings": True},
        [[saying(f"stock_{row.what}"), _tens(saying, row.recordings)] for row in rows],
    )
