"""What is told of many calls: tables, each of whole blocks (see ``statistics``). Here of how callers are asked;
``figures_of_wordings`` and ``figures_of_promises`` have the others.

Shares are from 0 to 1, times are seconds unless their name says otherwise. None is what is not told, because fewer than
twenty calls are behind it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import TypeVar

from consentivr.core.statistics import (
    BIN_S,
    FEWEST,
    SPANS,
    Block,
    Tally,
    added,
    coarse,
    quantile,
    week_of,
    wilson,
)

Key = TypeVar("Key")

BY: Mapping[str, Callable[[Block], str]] = {
    "queue": lambda block: block.group.queue,
    "line": lambda block: block.group.line,
    "language": lambda block: block.group.language,
}
"""How the first table tells calls apart."""


def apart(blocks: Iterable[Block], key: Callable[[Block], Key]) -> dict[Key, list[Block]]:
    """By what ``key`` says of each."""
    found: defaultdict[Key, list[Block]] = defaultdict(list)
    for block in blocks:
        found[key(block)].append(block)
    return dict(found)


def together(blocks: Iterable[Block], *binned: str) -> Tally:
    """All that was counted in them; of what is binned only this."""
    return added((block.tally for block in blocks), binned)


def week_of_block(block: Block) -> date:
    """In which it is told: that of its last day."""
    return week_of(block.until)


def asking(blocks: Iterable[Block]) -> list[Block]:
    """Those of lines that ask."""
    return [block for block in blocks if block.tally["asked"] or block.tally["fault"]]


# --- (a) who says yes ------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """From this day on a line asked with another wording."""

    queue: str
    line: str
    language: str
    day: date
    before: str
    after: str
    """Digests."""


def changes(blocks: Iterable[Block]) -> list[Change]:
    """Of all blocks that there are, oldest first: a range alone does not show which wording was there before it."""
    found = []
    asked = [block for block in blocks if block.group.notice]
    for (queue, line, language), theirs in apart(asked, lambda b: b.group[:3]).items():
        first = {
            notice: min(block.since for block in some)
            for notice, some in apart(theirs, lambda b: b.group.notice).items()
        }
        used = sorted(first, key=lambda notice: (first[notice], notice))
        found += [Change(queue, line, language, first[after], before, after) for before, after in pairwise(used)]
    return sorted(found, key=lambda change: (change.day, change.line, change.language))


@dataclass(frozen=True)
class YesRate:
    """Of a week's callers who were asked, how many said yes, and between which shares that says it is (95 %)."""

    of: str
    """The queue, line or language."""
    week: date
    asked: int | None
    yes: int | None
    rate: float | None
    low: float | None
    high: float | None
    new_wording: bool


def yes_rates(blocks: Sequence[Block], by: str, changed: Sequence[Change]) -> list[YesRate]:
    """By ``by`` (one of ``BY``), those with most calls first, and by week."""
    key = BY[by]
    kinds = apart(asking(blocks), key)
    new = {(getattr(change, by), week_of(change.day)) for change in changed}
    found = []
    for name, theirs in sorted(kinds.items(), key=lambda item: (-together(item[1])["asked"], item[0])):
        for week, some in sorted(apart(theirs, week_of_block).items()):
            tally = together(some)
            asked, yes = tally["asked"], tally["yes"]
            marked = (name, week) in new
            if asked < FEWEST:
                found.append(YesRate(name, week, None, None, None, None, None, marked))
            else:
                found.append(YesRate(name, week, asked, yes, yes / asked, *wilson(yes, asked), marked))
    return found


# --- (b) when they call ----------------------------------------------------------------------


@dataclass(frozen=True)
class Hour:
    """An hour of the week, Monday is 0: its calls in whole tens, and how many of them say yes in steps of 5 %."""

    weekday: int
    hour: int
    calls: int | None
    rate: float | None
    since: date
    until: date


def twelve_weeks(until: date) -> tuple[date, date]:
    """The first and the last of the twelve weeks of which hours are told: up to the last four weeks that are over then.

    An hour cuts across blocks, so that it is told coarsely, and of no range that somebody chose: by moving the ends of
    one by a day each, what is coarse could be made fine again.
    """
    last = until.toordinal() // SPANS[-1] * SPANS[-1]
    return date.fromordinal(last - 3 * SPANS[-1] + 1), date.fromordinal(last)


def hours(blocks: Iterable[Block], until: date) -> list[Hour]:
    """All 168, of ``twelve_weeks``."""
    first, last = twelve_weeks(until)
    there = (block for block in blocks if first <= block.until <= last)
    tally = together(there, "hour", "hour_asked", "hour_yes")
    calls, asked_in, yes_in = (tally.binned(what) for what in ("hour", "hour_asked", "hour_yes"))
    found = []
    for number in range(168):
        asked, yes = asked_in.get(number, 0), yes_in.get(number, 0)
        rate = round(yes / asked * 20) / 20 if coarse(asked) else None
        found.append(Hour(number // 24, number % 24, coarse(calls.get(number, 0)), rate, first, last))
    return found


# --- (c) how far they come -------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """How many calls came so far; ``rate`` of those that lines answered which ask."""

    step: str
    calls: int
    rate: float


def funnel(blocks: Sequence[Block]) -> list[Step]:
    """The steps in their order; none of too few calls."""
    asked = asking(blocks)
    tally = together(asked)
    calls = tally["calls"]
    if calls < FEWEST:
        return []
    early, hung = 0, 0
    for some in apart(asked, lambda block: block.group.notice).values():
        before, during = hung_up(together(some, *GONE))
        early, hung = early + before, hung + during
    steps = {
        "answered": calls,
        "fault": tally["fault"],
        "left_before": early,
        "begun": tally["begun"] + hung,
        "to_end": tally["to_end"],
        "cut_short": tally["cut_short"] + hung,
        "yes": tally["yes"],
        "no": tally["no"],
        "wrong_key": tally["wrong_key"],
        "silence": tally["silence"],
        "hangup": tally["hangup"] - early,
        "queue": tally["queue"],
        "agent": tally["agent"],
    }
    return [Step(name, number, number / calls) for name, number in steps.items()]


GONE = ("began", "gone")


def hung_up(tally: Tally) -> tuple[int, int]:
    """Of those who are gone: how many before the question began, and in its first putting. It begins when it does for
    half of the callers.
    """
    began = quantile(tally.binned("began"), 0.5) or 0.0
    gone = tally.binned("gone")
    early = sum(number for place, number in gone.items() if (place + 1) * BIN_S <= began)
    return early, sum(gone.values()) - early


# --- (d) what the question costs -------------------------------------------------------------


@dataclass(frozen=True)
class Cost:
    """How long it takes to ask: of a week's callers, and what they spend together each day, in minutes.

    On average so much is speech, waiting for a key, and repeats with what is said before them.
    """

    week: date | None
    """None: the whole range."""
    timed: int | None
    median: float | None = None
    p90: float | None = None
    minutes_a_day: float | None = None
    speech: float | None = None
    waiting: float | None = None
    repeats: float | None = None


def costs(blocks: Sequence[Block]) -> list[Cost]:
    """By week, and the whole range last."""
    asked = asking(blocks)
    weeks = sorted(apart(asked, week_of_block).items())
    return [_cost(week, some) for week, some in weeks] + ([_cost(None, asked)] if asked else [])


def _cost(week: date | None, blocks: Sequence[Block]) -> Cost:
    tally = together(blocks, "cost")
    timed = tally["timed"]
    if timed < FEWEST:
        return Cost(week, None)
    bins = tally.binned("cost")
    parts = [tally[part] / 1000 for part in ("speech_ms", "waiting_ms", "repeats_ms")]
    days = (max(block.until for block in blocks) - (week or min(block.since for block in blocks))).days + 1
    return Cost(
        week,
        timed,
        quantile(bins, 0.5),
        quantile(bins, 0.9),
        sum(parts) / 60 / days,
        *(part / timed for part in parts),
    )
