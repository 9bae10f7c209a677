"""Charts as SVG, made from figures: text in, text out. Each says in words what it shows (title and description), tells
shapes apart by pattern as well as by colour, and takes its colours from the style sheet by class, in light and in dark.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

WIDTH = 400
"""Of every chart, in its own units: narrow, so that its words are large enough on a telephone."""

_LEFT, _RIGHT = 38, 10
_ROW = 23


@dataclass(frozen=True)
class Point:
    """Of a series: its place on the axis, its value, and between what it is; None where nothing is told."""

    value: float | None
    low: float | None = None
    high: float | None = None
    says: str = ""
    """Shown while it is pointed at."""


@dataclass(frozen=True)
class Bar:
    """One of several below each other. ``value`` None: fewer than may be told. ``kind``: main, part or other."""

    label: str
    value: float | None
    text: str
    kind: str = "main"


class Drawing:
    """An SVG that grows. ``name`` is unique on the page."""

    def __init__(self, name: str, height: float, title: str, description: str) -> None:
        self.name, self.height = name, height
        self.title, self._description = title, description
        self._parts: list[str] = []

    def add(self, tag: str, text: str | None = None, says: str = "", **attributes: object) -> None:
        """An element; ``_`` in names of attributes is ``-``, and ``kind`` is its class."""
        told = "".join(
            f' {"class" if name == "kind" else name.replace("_", "-")}="{_attribute(value)}"'
            for name, value in attributes.items()
        )
        inner = (f"<title>{html.escape(says)}</title>" if says else "") + html.escape(text or "")
        self._parts.append(f"<{tag}{told}>{inner}</{tag}>")

    def text(self, x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> None:
        self.add("text", text, x=x, y=y, kind=f"c-text {kind}".strip(), text_anchor=anchor)

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        self.add("line", x1=x1, y1=y1, x2=x2, y2=y2, kind=kind)

    def fill(self, pattern: str) -> str:
        """What an element is filled with: stripes, dots or hatch."""
        return f"url(#{self.name}-{pattern})"

    def figure(self) -> Markup:
        """For a page, below its title."""
        name = self.name
        return Markup(  # noqa: S704 - every text was escaped on its way in
            f"<figure><figcaption>{html.escape(self.title)}</figcaption>"
            f'<svg class="chart" viewBox="0 0 {WIDTH} {_number(self.height)}" role="img" '
            f'aria-labelledby="{name}-t {name}-d"><title id="{name}-t">{html.escape(self.title)}</title>'
            f'<desc id="{name}-d">{html.escape(self._description)}</desc>{_PATTERNS.replace("NAME", name)}'
            f"{''.join(self._parts)}</svg></figure>"
        )


_PATTERNS = (
    "<defs>"
    '<pattern id="NAME-stripes" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="6" height="6" class="c-wash"/><rect width="3" height="6" class="c-second"/></pattern>'
    '<pattern id="NAME-dots" width="6" height="6" patternUnits="userSpaceOnUse">'
    '<rect width="6" height="6" class="c-wash"/><circle cx="3" cy="3" r="1.6" class="c-third"/></pattern>'
    '<pattern id="NAME-hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(-45)">'
    '<rect width="5" height="5" class="c-wash"/><rect width="1" height="5" class="c-rule"/></pattern>'
    "</defs>"
)


def _attribute(value: object) -> str:
    return _number(value) if isinstance(value, float) else html.escape(str(value))


def _number(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


@dataclass(frozen=True)
class Axes:
    """What stands along a chart over time: the places' labels, from ``bottom`` 0 to ``top``, and marks at places."""

    labels: Sequence[str]
    top: float
    tick: Callable[[float], str]
    marks: Sequence[tuple[int, str]] = field(default=())


def _frame(drawing: Drawing, axes: Axes, upper: float, lower: float) -> Callable[[int], float]:
    """Grid, ticks, labels and marks; the middle of each place."""
    for part in (0.0, 0.5, 1.0):
        y = lower - part * (lower - upper)
        drawing.line(_LEFT, y, WIDTH - _RIGHT, y, "c-grid")
        drawing.text(_LEFT - 6, y + 4, axes.tick(part * axes.top), "c-dim", "end")
    step = (WIDTH - _RIGHT - _LEFT) / max(len(axes.labels), 1)

    def middle(place: int) -> float:
        return _LEFT + (place + 0.5) * step

    shown = _spread(len(axes.labels), 4)
    for place in shown:
        drawing.text(middle(place), lower + 16, axes.labels[place], "c-dim", "middle")
    for place, word in axes.marks:
        x = middle(place) - step / 2
        drawing.line(x, upper - 4, x, lower, "c-change")
        on_right = x < WIDTH * 0.62
        drawing.text(x + (5 if on_right else -5), upper + 4, word, "c-small", "start" if on_right else "end")
    return middle


def _spread(number: int, most: int) -> list[int]:
    """Places of which labels have room: the first, the last, some between."""
    if number <= most:
        return list(range(number))
    return [round(n * (number - 1) / (most - 1)) for n in range(most)]


def course(drawing: Drawing, points: Sequence[Point], axes: Axes) -> Drawing:
    """A line through values, within the band in which they truly are; broken where nothing is told."""
    upper, lower = 14.0, drawing.height - 24
    middle = _frame(drawing, axes, upper, lower)

    def y(value: float) -> float:
        return lower - min(value, axes.top) / axes.top * (lower - upper)

    for run in _runs(points):
        known = [(middle(place), points[place]) for place in run]
        if len(run) == 1:
            x, point = known[0]
            drawing.line(x, y(point.low or 0.0), x, y(point.high or 0.0), "c-whisker")
        elif known[0][1].low is not None:
            there = [f"{_number(x)},{_number(y(point.high or 0.0))}" for x, point in known]
            back = [f"{_number(x)},{_number(y(point.low or 0.0))}" for x, point in reversed(known)]
            drawing.add("polygon", points=" ".join(there + back), kind="c-band")
        path = " ".join(f"{_number(x)},{_number(y(point.value or 0.0))}" for x, point in known)
        drawing.add("polyline", points=path, kind="c-line")
        for x, point in known:
            drawing.add("circle", says=point.says, cx=x, cy=y(point.value or 0.0), r=3.0, kind="c-dot")
    return drawing


def _runs(points: Sequence[Point]) -> list[list[int]]:
    """The places that follow each other and are told of."""
    runs: list[list[int]] = []
    for place, point in enumerate(points):
        if point.value is None:
            continue
        if runs and runs[-1][-1] == place - 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    return runs


PATTERNS = ("", "stripes", "dots")
"""How the parts of a bar are filled, from below."""


def stacks(
    drawing: Drawing,
    bars: Sequence[tuple[Sequence[float], str] | None],
    legend: Sequence[str],
    axes: Axes,
    marks: Sequence[tuple[float, float] | None],
    mark_words: tuple[str, str],
) -> Drawing:
    """Bars in parts over time, with a stroke at one mark of each and a diamond at another."""
    upper, lower = 46.0, drawing.height - 24
    x = 2.0
    for number, word in enumerate(legend):
        _filled(drawing, x, 4.0, 14.0, 11.0, PATTERNS[number])
        drawing.text(x + 19, 14, word)
        x += 30 + 6.6 * len(word)
    drawing.line(2, 30, 16, 30, "c-median")
    drawing.text(21, 34, mark_words[0])
    x = 40 + 6.6 * len(mark_words[0])
    _diamond(drawing, x, 30.0)
    drawing.text(x + 9, 34, mark_words[1])
    middle = _frame(drawing, axes, upper, lower)
    width = min(26.0, (WIDTH - _RIGHT - _LEFT) / max(len(bars), 1) * 0.66)
    scale = (lower - upper) / axes.top
    for place, bar in enumerate(bars):
        at = middle(place)
        if bar is None:
            _filled(drawing, at - width / 2, lower - 8, width, 8.0, "hatch")
            continue
        parts, says = bar
        y = lower
        for number, part in enumerate(parts):
            y -= part * scale
            _filled(drawing, at - width / 2, y, width, part * scale, PATTERNS[number], says)
        mark = marks[place]
        if mark is not None:
            median, high = (lower - min(value, axes.top) * scale for value in mark)
            drawing.line(at - width / 2 - 2, median, at + width / 2 + 2, median, "c-median")
            _diamond(drawing, at, high)
    return drawing


def _filled(
    drawing: Drawing, x: float, y: float, width: float, height: float, pattern: str, says: str = "", kind: str = "c-bar"
) -> None:
    place: dict[str, Any] = {"x": x, "y": y, "width": width, "height": max(height, 0.0)}
    if pattern:
        drawing.add("rect", says=says, **place, fill=drawing.fill(pattern), kind="c-edge")
    else:
        drawing.add("rect", says=says, **place, kind=kind)


def _diamond(drawing: Drawing, x: float, y: float) -> None:
    points = " ".join(f"{_number(x + dx)},{_number(y + dy)}" for dx, dy in ((0, -5), (5, 0), (0, 5), (-5, 0)))
    drawing.add("polygon", points=points, kind="c-diamond")


def columns(drawing: Drawing, bars: Sequence[tuple[float, str] | None], axes: Axes) -> Drawing:
    """One bar at each place; a short hatched one where nothing is told."""
    upper, lower = 12.0, drawing.height - 24
    middle = _frame(drawing, axes, upper, lower)
    width = min(26.0, (WIDTH - _RIGHT - _LEFT) / max(len(bars), 1) * 0.66)
    for place, bar in enumerate(bars):
        at = middle(place) - width / 2
        if bar is None:
            _filled(drawing, at, lower - 8, width, 8.0, "hatch")
        else:
            height = min(bar[0], axes.top) / axes.top * (lower - upper)
            _filled(drawing, at, lower - height, width, height, "", bar[1])
    return drawing


def bars_height(bars: Sequence[Bar]) -> float:
    """How high a drawing has to be for them."""
    return len(bars) * _ROW + 6.0


def bars_below(drawing: Drawing, bars: Sequence[Bar], label_width: float = 150) -> Drawing:
    """Bars below each other: parts are striped and set in, others are dotted."""
    top = max((bar.value or 0.0 for bar in bars), default=0.0) or 1.0
    room = WIDTH - label_width - 92
    for number, bar in enumerate(bars):
        y = 3.0 + number * _ROW
        inset = 0 if bar.kind == "main" else 12
        drawing.text(inset, y + 14, bar.label, "" if bar.kind == "main" else "c-dim")
        drawing.add("rect", x=label_width, y=y + 2, width=room, height=15, kind="c-wash")
        if bar.value is None:
            _filled(drawing, label_width, y + 2, 14, 15, "hatch")
        else:
            width = bar.value / top * room
            pattern = {"main": "", "part": "stripes", "other": "dots"}[bar.kind]
            _filled(drawing, label_width, y + 2, width, 15, pattern, f"{bar.label}: {bar.text}")
        drawing.text(WIDTH - 2, y + 14, bar.text, "", "end")
    return drawing


def heat(
    drawing: Drawing,
    days: Sequence[str],
    hours: Sequence[int],
    cells: Sequence[Sequence[tuple[float | None, str]]],
) -> Drawing:
    """Hours below each other, days beside each other. Of each cell of a day how strong it is (0 to 1, None: nothing is
    told, and it is hatched), and what stands in it.
    """
    left, top, high = 30.0, 20.0, 17.0
    wide = (WIDTH - left) / len(days)
    for number, day in enumerate(days):
        drawing.text(left + (number + 0.5) * wide, 13, day, "c-dim", "middle")
    for place, hour in enumerate(hours):
        y = top + place * high
        if hour % 2 == 0:
            drawing.text(left - 6, y + 12.5, f"{hour:02d}", "c-dim", "end")
        for number, (strength, text) in enumerate(cells[hour]):
            x = left + number * wide
            if strength is None:
                _filled(drawing, x + 1, y + 1, wide - 2, high - 2, "hatch")
                continue
            step = min(5, int(strength * 5.999)) if strength > 0 else 0
            drawing.add("rect", x=x + 1, y=y + 1, width=wide - 2, height=high - 2, kind=f"c-heat{step}")
            drawing.text(x + wide / 2, y + 12.5, text, f"c-on{step}", "middle")
    return drawing


def heat_height(hours: Sequence[int]) -> float:
    """How high a drawing has to be for them."""
    return 20.0 + len(hours) * 17 + 2


@dataclass(frozen=True)
class Pair:
    """A share before and after, each with the bounds in which it truly is; None where nothing is told."""

    label: str
    before: Point
    after: Point
    text: str


def pairs(drawing: Drawing, rows: Sequence[Pair], legend: tuple[str, str], label_width: float = 118) -> Drawing:
    """Shares from 0 to 1 before (a ring) and after (a full dot)."""
    room = WIDTH - label_width - 86

    def x(value: float) -> float:
        return label_width + value * room

    drawing.add("circle", cx=8, cy=9, r=4.5, kind="c-ring")
    drawing.text(18, 13, legend[0])
    start = 34 + 6.6 * len(legend[0])
    drawing.add("circle", cx=start, cy=9, r=4.5, kind="c-dot")
    drawing.text(start + 10, 13, legend[1])
    end = 26.0 + len(rows) * 34
    for part in (0, 0.25, 0.5, 0.75, 1):
        drawing.line(x(part), 24, x(part), end, "c-grid")
        drawing.text(x(part), end + 14, f"{part * 100:.0f}", "c-dim", "middle")
    drawing.text(WIDTH - 2, end + 14, "%", "c-dim", "end")
    for number, row in enumerate(rows):
        y = 43.0 + number * 34
        drawing.text(0, y + 4, row.label)
        for point, dy, kind in ((row.before, -6, "c-ring"), (row.after, 6, "c-dot")):
            if point.value is not None:
                drawing.line(x(point.low or 0.0), y + dy, x(point.high or 0.0), y + dy, "c-whisker")
                drawing.add("circle", says=point.says, cx=x(point.value), cy=y + dy, r=4.5, kind=kind)
        drawing.text(WIDTH - 2, y + 4, row.text, "", "end")
    return drawing


def pairs_height(rows: Sequence[Pair]) -> float:
    """How high a drawing has to be for them."""
    return 26.0 + len(rows) * 34 + 20


@dataclass(frozen=True)
class Twin:
    """What is compared: here (a full bar) and elsewhere (a dotted one); None where nothing is told."""

    label: str
    here: float | None
    elsewhere: float | None
    texts: tuple[str, str]


def twins(drawing: Drawing, rows: Sequence[Twin], legend: tuple[str, str]) -> Drawing:
    """Two bars below each label."""
    top = max((value or 0.0 for row in rows for value in (row.here, row.elsewhere)), default=0.0) or 1.0
    room = WIDTH - 60.0
    _filled(drawing, 2.0, 4.0, 14.0, 11.0, "")
    drawing.text(21, 14, legend[0])
    start = 36 + 6.6 * len(legend[0])
    _filled(drawing, start, 4.0, 14.0, 11.0, "dots")
    drawing.text(start + 19, 14, legend[1])
    for number, row in enumerate(rows):
        y = 26.0 + number * 47
        drawing.text(0, y + 12, row.label)
        for value, text, dy, pattern in (
            (row.here, row.texts[0], 17.0, ""),
            (row.elsewhere, row.texts[1], 30.0, "dots"),
        ):
            if value is None:
                _filled(drawing, 0.0, y + dy, 14.0, 11.0, "hatch")
            else:
                _filled(drawing, 0.0, y + dy, max(value / top * room, 1.0), 11.0, pattern, f"{row.label}: {text}")
            width = 14.0 if value is None else max(value / top * room, 1.0)
            drawing.text(width + 6, y + dy + 9.5, text, "c-small")
    return drawing


def twins_height(rows: Sequence[Twin]) -> float:
    """How high a drawing has to be for them."""
    return 26.0 + len(rows) * 47 + 4
