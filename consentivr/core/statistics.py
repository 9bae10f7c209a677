"""Figures of many calls: how sure one can be of a share, and how few calls are too few to say anything of.

**Nothing is told of fewer than twenty calls**, nor can it be worked out. Calls are put into blocks (``blocks``): those
of one group - a queue, a line, a language, a mode, a wording - on one day; where those are fewer than twenty, what is
left of the week; then of four weeks. A block is told of once its time is over, as a whole or not at all; every figure
is added up from whole blocks. So the difference of any two figures - of two ranges, two queues, a total and its parts,
today and tomorrow - is again one of whole blocks, each of twenty calls at least.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import accumulate
from typing import NamedTuple

FEWEST = 20
"""Of fewer calls nothing is told."""

SPANS = (1, 7, 28)
"""Days of a block: the smallest that has enough calls. Weeks begin on Mondays, four weeks with every fourth of them."""

BIN_S = 0.5
"""Seconds are counted in bins as wide as this."""

Counts = Counter[str]


@dataclass(frozen=True)
class Tally:
    """What was counted of some calls: how often or how much, and of times how often in which bin.

    ``measured`` says what there is.
    """

    counts: Counts = field(default_factory=Counter)
    bins: dict[str, Counter[int]] = field(default_factory=dict)

    def __getitem__(self, what: str) -> int:
        return self.counts[what]

    def binned(self, what: str) -> Mapping[int, int]:
        """How often in each bin."""
        return self.bins.get(what, {})

    def put(self, what: str, place: int) -> None:
        """Once more in this bin."""
        self.bins.setdefault(what, Counter())[place] += 1


class Group(NamedTuple):
    """Calls that are alike; an empty text where it is not known, or there is none."""

    queue: str
    line: str
    language: str
    mode: str
    notice: str
    """Digest of the wording."""


@dataclass(frozen=True)
class Block:
    """Calls of a group, from one day to another, both included; the days are of the house's time zone."""

    group: Group
    since: date
    until: date
    tally: Tally


@dataclass(frozen=True)
class TooFew:
    """Calls of which nothing is told: there were fewer than ``FEWEST`` until then."""

    group: Group
    until: date


def blocks(days: Mapping[Group, Mapping[date, Tally]], today: date) -> tuple[list[Block], list[TooFew]]:
    """Of what was counted on each day; nothing of today, nor of a week that is not over."""
    found: list[Block] = []
    left_out: list[TooFew] = []
    for group, left in days.items():
        for length in SPANS:
            spans: dict[int, dict[date, Tally]] = {}
            for day, tally in left.items():
                spans.setdefault((day.toordinal() - 1) // length, {})[day] = tally
            left = {}
            for number, members in spans.items():
                last = date.fromordinal((number + 1) * length)
                together = added(members.values())
                if last < today and together["calls"] >= FEWEST:
                    found.append(Block(group, min(members), last, together))
                elif last < today and length == SPANS[-1]:
                    left_out.append(TooFew(group, last))
                else:
                    left.update(members)
    return found, left_out


def added(tallies: Iterable[Tally], binned: Collection[str] | None = None) -> Tally:
    """All of them together; of what is ``binned`` only these are wanted."""
    together = Tally()
    for tally in tallies:
        together.counts.update(tally.counts)
        for what in tally.bins if binned is None else binned:
            if what in tally.bins:
                together.bins.setdefault(what, Counter()).update(tally.bins[what])
    return together


def week_of(day: date) -> date:
    """The Monday of its week."""
    return date.fromordinal((day.toordinal() - 1) // 7 * 7 + 1)


def share(hits: int, of: int) -> float | None:
    """From 0 to 1; None of too few."""
    return hits / of if of >= FEWEST else None


def wilson(hits: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """Between which shares the true one is, with 95 % certainty (Wilson 1927): also right for few, and near 0 and 1.

    Nothing is known of none: (0, 1). Raises ValueError for more hits than calls.
    """
    if not 0 <= hits <= of:
        raise ValueError(f"{hits} of {of}")
    if of == 0:
        return 0.0, 1.0
    rate, weight = hits / of, z * z / of
    middle = (rate + weight / 2) / (1 + weight)
    half = z * math.sqrt(rate * (1 - rate) / of + weight / (4 * of)) / (1 + weight)
    return (0.0 if hits == 0 else middle - half), (1.0 if hits == of else middle + half)


def bin_of(seconds: float) -> int:
    """The bin of a time; whatever is longer than five minutes shares one."""
    return min(max(int(seconds / BIN_S), 0), 600)


def quantile(bins: Mapping[int, int], part: float) -> float | None:
    """Seconds that this part of the calls stayed below, as if they lay evenly in their bin; None of too few."""
    places = sorted(place for place in bins if bins[place])
    ends = list(accumulate(bins[place] for place in places))
    if not ends or ends[-1] < FEWEST:
        return None
    number = min(bisect_left(ends, part * ends[-1]), len(ends) - 1)
    within = bins[places[number]]
    return (places[number] + 1 - (ends[number] - part * ends[-1]) / within) * BIN_S


def coarse(count: int) -> int | None:
    """As it is told where blocks do not help: in whole tens; None for fewer than ``FEWEST``, but none is 0."""
    return None if 0 < count < FEWEST else count // 10 * 10
