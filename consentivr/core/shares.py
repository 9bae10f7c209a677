"""Two shares beside each other: how far they differ, how far chance may have moved that, how many calls tell."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

from consentivr.core.statistics import wilson

_Z95 = NormalDist().inv_cdf(0.975)


class Band(NamedTuple):
    """Where a difference lies in 95 of 100 cases; of 1."""

    low: float
    high: float


def difference(first: tuple[int, int], second: tuple[int, int]) -> Band:
    """The band of the second share less the first one, each as (of them, number): Newcombe 1998, method 10."""
    (p1, (l1, u1)), (p2, (l2, u2)) = ((k / n if n else 0.5, wilson(k, n)) for k, n in (first, second))
    change = p2 - p1
    return Band(change - math.hypot(p2 - l2, u1 - p1), change + math.hypot(u2 - p2, p1 - l1))


def calls_needed(first: float, second: float, power: float = 0.8) -> int:
    """How many calls each wording needs, so that two shares (of 1) that differ so are told apart at 5 % in ``power`` of
    all trials (two-sided, by the normal approximation)."""
    if first == second:
        raise ValueError("two shares that are the same are never told apart")
    middle, z_power = (first + second) / 2, NormalDist().inv_cdf(power)
    spread = math.sqrt(first * (1 - first) + second * (1 - second))
    together = _Z95 * math.sqrt(2 * middle * (1 - middle)) + z_power * spread
    return math.ceil((together / (second - first)) ** 2)
