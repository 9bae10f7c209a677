"""Where in a file the sound is that nobody watched over: it is taken out before the file is sealed (promise P10).

The switch records on when we die. Who came and went before the next watch looked cannot be told afterwards, so the
whole span goes. A recorder loses frames now and then, while held above all: what is at which second of a file is known
only between two bounds, and what lies between them goes as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from consentivr.core.evidence import Row
from consentivr.core.turn import Turn

MARGIN_S = 0.3
"""Between what happens on a line and its row, generously."""


def spans(rows: Iterable[Row], path: str, seconds: float, ended: datetime) -> list[tuple[float, float]]:
    """Seconds from the beginning of the file at ``path``: from, to. ``rows`` are those of its visit.

    ``seconds`` is the length of the file, ``ended`` when it was last written (UTC).
    """
    there = list(rows)
    started = [row.at for row in there if row.turn == Turn.RECORDING_STARTED.value and row.evidence["path"] == path]
    latest = ended - timedelta(seconds=seconds)  # frames are lost, never made
    began = min(latest, *started) if started else latest
    lost = (latest - began).total_seconds()
    found = []
    for row in there:
        if row.turn == Turn.UNWATCHED.value and path in row.evidence["paths"]:
            since = _after(began, row.evidence["since"] or began.isoformat()) - lost - MARGIN_S
            until = _after(began, row.evidence["until"]) + MARGIN_S
            found.append((max(0.0, since), min(seconds, until)))
    return [(since, until) for since, until in found if since < until]


def _after(began: datetime, at: str) -> float:
    return (datetime.fromisoformat(at) - began).total_seconds()
