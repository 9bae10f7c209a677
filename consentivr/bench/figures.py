"""Quantiles, and a table of figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured thing: what, under which condition, how much, in which unit; and its budget (DESIGN.md)."""

    what: str
    condition: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def budget(self) -> str:
        """The budget and whether it is met; nothing without one. What could not be measured meets none."""
        if self.at_least is None and self.at_most is None:
            return ""
        least, most = self.at_least is not None, self.at_most is not None
        met = (not least or self.value >= (self.at_least or 0)) and (not most or self.value <= (self.at_most or 0))
        wanted = f"at least {self.at_least:g}" if least else f"at most {self.at_most:g}"
        return f"{wanted}: {'met' if met else 'NOT MET'}"


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
