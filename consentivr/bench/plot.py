"""The rising load as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from consentivr.bench.calls import FRAME_MS, Point


def draw(points: Sequence[Point], file: Path) -> None:
    """Calls a second against the p99 of the reaction, one line for each application. Raises OSError."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 5))
    for name in dict.fromkeys(point.name for point in points):
        own = [point for point in points if point.name == name]
        axes.plot([point.rate for point in own], [point.p99 for point in own], marker="o", label=name)
    axes.axhline(FRAME_MS, color="grey", linestyle="--", linewidth=1)
    axes.text(0, FRAME_MS * 1.1, "one media frame", color="grey")
    axes.set_yscale("log")
    axes.set_xlabel("calls a second, offered")
    axes.set_ylabel("from a yes to the next command, p99, in ms")
    axes.set_xlim(left=0)
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(file, dpi=120)
    pyplot.close(figure)
