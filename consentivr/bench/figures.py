"""Quantiles, and a table of figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured thing: what, under which condition, how much, in which unit."""

    what: str
    condition: str
    value: float
    unit: str


def quantile(sorted_values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` of the values do not exceed. Raises ValueError without values."""
    if not sorted_values:
        raise ValueError("no values")
    return sorted_values[max(0, math.ceil(share * len(sorted_values)) - 1)]


def spread(what: str, condition: str, seconds: Sequence[float]) -> list[Figure]:
    """Median, 99th percentile and maximum, in milliseconds."""
    values = sorted(seconds)
    return [
        Figure(f"{what}, {name}", condition, quantile(values, share) * 1000, "ms")
        for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
    ]
