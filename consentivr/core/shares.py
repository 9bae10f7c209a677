"""Shares of counted calls, and how far chance alone may have moved them."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

_Z95 = NormalDist().inv_cdf(0.975)


class Band(NamedTuple):
    """Where a share, or a difference of two, lies in 95 of 100 cases; of 1."""

    low: float
    high: float


def wilson(of_them: int, number: int) -> Band:
    """The band of a share ``of_them / number`` (Wilson 1927); everything is possible of none."""
    if number == 0:
        return Band(0.0, 1.0)
    share, z2 = of_them / number, _Z95**2
    middle = share + z2 / (2 * number)
    half = _Z95 * math.sqrt(share * (1 - share) / number + z2 / (4 * number**2))
    whole = 1 + z2 / number
    return Band(max(0.0, min(share, (middle - half) / whole)), min(1.0, max(share, (middle + half) / whole)))


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
