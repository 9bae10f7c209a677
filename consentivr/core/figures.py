"""What is told of many calls: eight tables, each of whole blocks (see ``statistics``).

Shares are from 0 to 1, times are seconds unless their name says otherwise. None is what is not told, because fewer than
twenty calls are behind it.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import TypeVar

from consentivr.core.consent import NoticeVersion
from consentivr.core.measured import Kept
from consentivr.core.retention import RetentionTerms
from consentivr.core.statistics import (
    BIN_S,
    FEWEST,
    SPANS,
    Block,
    Counts,
    Tally,
    added,
    coarse,
    quantile,
    share,
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


def _apart(blocks: Iterable[Block], key: Callable[[Block], Key]) -> dict[Key, list[Block]]:
    found: defaultdict[Key, list[Block]] = defaultdict(list)
    for block in blocks:
        found[key(block)].append(block)
    return dict(found)


def _together(blocks: Iterable[Block], *binned: str) -> Tally:
    return added((block.tally for block in blocks), binned)


def _week(block: Block) -> date:
    return week_of(block.until)


def _asking(blocks: Iterable[Block]) -> list[Block]:
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
    for (queue, line, language), theirs in _apart(asked, lambda b: b.group[:3]).items():
        first = {
            notice: min(block.since for block in some)
            for notice, some in _apart(theirs, lambda b: b.group.notice).items()
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
    apart = _apart(_asking(blocks), key)
    new = {(getattr(change, by), week_of(change.day)) for change in changed}
    found = []
    for name, theirs in sorted(apart.items(), key=lambda item: (-_together(item[1])["asked"], item[0])):
        for week, some in sorted(_apart(theirs, _week).items()):
            tally = _together(some)
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
    tally = _together(there, "hour", "hour_asked", "hour_yes")
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
    asking = _asking(blocks)
    tally = _together(asking)
    calls = tally["calls"]
    if calls < FEWEST:
        return []
    early, hung = 0, 0
    for some in _apart(asking, lambda block: block.group.notice).values():
        before, during = _hung(_together(some, *_GONE))
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


_GONE = ("began", "gone")


def _hung(tally: Tally) -> tuple[int, int]:
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
    asking = _asking(blocks)
    weeks = sorted(_apart(asking, _week).items())
    return [_cost(week, some) for week, some in weeks] + ([_cost(None, asking)] if asking else [])


def _cost(week: date | None, blocks: Sequence[Block]) -> Cost:
    tally = _together(blocks, "cost")
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


# --- (e) where they hang up ------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """A sentence of the question, ``since`` to ``until`` after the call arrived: of those who were ``there`` at its
    beginning so many ``hung`` up in it, ``rate`` of a thousand; and so many of a line that does not ask in the same
    seconds. ``since`` of a sentence is reckoned from the letters before it.
    """

    notice: str
    language: str
    used_from: date
    """When the wording was first asked, in this range."""
    part: str
    """The sentence; or 'greeting' before the question, 'key' after it."""
    since: float
    until: float
    there: int | None
    hung: int | None
    rate: float | None
    off_there: int | None
    off_hung: int | None
    off_rate: float | None


_SENTENCE = re.compile(r"(?<=[.!?])\s+")

KEY_S = 5.0
"""So long after the question hang-ups are looked at."""


def leaving(blocks: Sequence[Block], notices: Mapping[str, NoticeVersion]) -> list[Part]:
    """For each wording, the most asked first."""
    off = _together((block for block in blocks if block.group.mode == "off"), "stayed", "left")
    apart = _apart(_asking(blocks), lambda b: b.group.notice)
    asked = {notice: _together(some, "began", "first", "hung", "gone") for notice, some in apart.items()}
    found: list[Part] = []
    for digest in sorted(asked, key=lambda digest: (-asked[digest]["asked"], digest)):
        began = quantile(asked[digest].binned("began"), 0.5)
        if began is None or digest not in notices:
            continue
        used_from = min(block.since for block in apart[digest])
        for part, since, until in _parts(notices[digest], began):
            here = _left(asked[digest], ("first", "hung", "gone"), ("hung", "gone"), since, until)
            elsewhere = _left(off, ("stayed",), ("left",), since, until)
            language = notices[digest].language
            found.append(Part(digest, language, used_from, part, since, until, *here, *elsewhere))
    return found


def sentences(notice: NoticeVersion) -> list[tuple[str, float, float]]:
    """Each with its beginning and its end in seconds: spoken evenly, by letters."""
    said = _SENTENCE.split(notice.text.strip())
    second = notice.duration_ms / 1000 / max(sum(map(len, said)), 1)
    before, found = 0, []
    for sentence in said:
        after = before + len(sentence)
        found.append((sentence, round(before * second, 1), round(after * second, 1)))
        before = after
    return found


def _parts(notice: NoticeVersion, began: float) -> list[tuple[str, float, float]]:
    end = round(began + notice.duration_ms / 1000, 1)
    said = [(text, round(began + since, 1), round(began + until, 1)) for text, since, until in sentences(notice)]
    return [("greeting", 0.0, round(began, 1)), *said, ("key", end, end + KEY_S)]


def _left(
    tally: Tally, there: Sequence[str], hung: Sequence[str], since: float, until: float
) -> tuple[int | None, int | None, float | None]:
    """Who was there at ``since``, who left until ``until``, and that of a thousand."""
    first, last = since / BIN_S, until / BIN_S
    stayed = _within(tally, there, first, math.inf)
    if stayed < FEWEST:
        return None, None, None
    gone = _within(tally, hung, first, last)
    return stayed, gone, gone / stayed * 1000


def _within(tally: Tally, what: Sequence[str], first: float, last: float) -> int:
    return sum(number for name in what for place, number in tally.binned(name).items() if first <= place < last)


# --- (f) before and after a wording ----------------------------------------------------------


@dataclass(frozen=True)
class Wording:
    """What callers of a line do with a wording: shares of the ``asked``, but ``taken_back`` of those who said yes."""

    line: str
    language: str
    notice: str
    since: date
    until: date
    asked: int | None
    yes: float | None
    no: float | None
    none: float | None
    cut_short: float | None
    taken_back: float | None


SHARES = ("yes", "no", "none", "cut_short", "taken_back")
"""Of a wording."""


def wordings(blocks: Sequence[Block]) -> list[Wording]:
    """By line and language, in the order of their use."""
    found = []
    apart = _apart([block for block in _asking(blocks) if block.group.notice], lambda b: (b.group[1:3], b.group.notice))
    for ((line, language), notice), some in apart.items():
        tally = _together(some, *_GONE)
        asked, yes, no = (tally[what] for what in ("asked", "yes", "no"))
        cut = tally["cut_short"] + _hung(tally)[1]
        found.append(
            Wording(
                line,
                language,
                notice,
                min(block.since for block in some),
                max(block.until for block in some),
                asked if asked >= FEWEST else None,
                share(yes, asked),
                share(no, asked),
                share(asked - yes - no, asked),
                share(min(cut, asked), asked),
                share(tally["taken_back"], yes),
            )
        )
    return sorted(found, key=lambda wording: (wording.line, wording.language, wording.since, wording.notice))


# --- (g) what went wrong ---------------------------------------------------------------------


@dataclass(frozen=True)
class Guarded:
    """Of a week: incidents for each thousand callers who did not agree; how many of their talks are proven to have had
    no recorder; yeses that were not recorded after all; seconds in which nobody watched over a recorder.
    """

    week: date | None
    """None: the whole range."""
    calls: int
    without_yes: int | None
    incidents: int | None
    incident_rate: float | None
    talks: int | None
    proven: int | None
    proven_rate: float | None
    withheld: int | None
    blind_s: float


def guarded(blocks: Sequence[Block]) -> list[Guarded]:
    """By week, and the whole range last."""
    weeks = sorted(_apart(blocks, _week).items())
    return [_guard(week, some) for week, some in weeks] + ([_guard(None, blocks)] if blocks else [])


def _guard(week: date | None, blocks: Sequence[Block]) -> Guarded:
    tally = _together(blocks)
    without = tally["asked"] + tally["fault"] - tally["yes"]
    talks, proven, yes = tally["to_prove"], tally["proven"], tally["yes"]
    few, unproven = without < FEWEST, talks < FEWEST
    return Guarded(
        week,
        tally["calls"],
        None if few else without,
        None if few else tally["incidents"],
        None if few else tally["incidents"] / without * 1000,
        None if unproven else talks,
        None if unproven else proven,
        share(proven, talks),
        None if yes < FEWEST else tally["withheld"],
        tally["blind_ms"] / 1000,
    )


# --- (h) what is kept ------------------------------------------------------------------------


@dataclass(frozen=True)
class Stock:
    """Recordings, in whole tens; None for fewer than twenty."""

    what: str
    recordings: int | None


STOCK = ("due", "within_7", "within_30", "within_90", "later", "no_term", "held", "quarantined")


def stock(
    kept: Mapping[tuple[str, date], Counts], terms: Mapping[str, RetentionTerms], today: date, stray: int
) -> list[Stock]:
    """What there is, and until when. ``kept``: what ``Kept`` says, by queue and day; ``terms`` by queue; ``stray`` lies
    in quarantine and is no call's.
    """
    found = Counts(quarantined=stray)
    for (queue, ended), counts in kept.items():
        days = terms[queue].audio_days if queue in terms else None
        left = None if days is None else (ended + timedelta(days) - today).days
        found["due"] += counts["to_erase"]
        found[_until(left)] += counts["kept"]
        found["held"] += counts["held"]
        found["quarantined"] += counts["quarantined"]
    return [Stock(what, coarse(found[what])) for what in STOCK]


def _until(left: int | None) -> str:
    if left is None:
        return "no_term"
    return next((f"within_{days}" for days in (7, 30, 90) if left <= days), "later") if left >= 0 else "due"


def counted(kept: Kept) -> Counts:
    """As ``stock`` takes it."""
    return Counts({what: getattr(kept, what) for what in ("kept", "to_erase", "held", "quarantined")})
