"""How long a talk was recorded, and how long its file is: they say the same, or somebody should look."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise

from consentivr.core.evidence import Row
from consentivr.core.turn import Turn

SHARE = 0.01
LEAST_MS = 1000
"""What begins and ends a recording is told some time after it is so: less than a second is no difference."""

_SILENCE = {
    Turn.RECORDING_MASKED.value: Turn.RECORDING_UNMASKED.value,
    Turn.RECORDING_PAUSED.value: Turn.RECORDING_RESUMED.value,
}
"""What begins silence, and what ends it: a switch may write none of it."""

_CUT = "cut"
"""Of a recording whose end nobody saw: when it was is not known."""


def apart(rows: Sequence[Row], path: str, file_ms: int) -> int | None:
    """How long the recording at ``path`` went on, in milliseconds, when its file is more than 1 % longer or shorter;
    None when it is not, or when that cannot be told. ``rows`` are those of its visit.

    Silence on purpose may be in the file or not. What was silenced later is in it.
    """
    began = [row.at for row in rows if row.turn == Turn.RECORDING_STARTED and row.evidence.get("path") == path]
    ended = [row for row in rows if row.turn == Turn.RECORDING_STOPPED and row.evidence.get("path") == path]
    if len(began) != 1 or len(ended) != 1:
        return None
    said = ended[0].evidence.get("duration_ms")
    if said is not None and _differ(file_ms, said, said):
        return int(said)
    if ended[0].evidence.get("completion_cause") == _CUT:
        return None
    talk_ms = _ms(began[0], ended[0].at)
    silent_ms = sum(_silent(rows, began[0], ended[0].at, *turns) for turns in _SILENCE.items())
    return talk_ms if file_ms < talk_ms and _differ(file_ms, talk_ms - silent_ms, talk_ms) else None


def _differ(file_ms: int, shortest_ms: int, longest_ms: int) -> bool:
    return not (
        shortest_ms - max(LEAST_MS, SHARE * shortest_ms) <= file_ms <= longest_ms + max(LEAST_MS, SHARE * longest_ms)
    )


def _silent(rows: Iterable[Row], began: datetime, ended: datetime, on: str, off: str) -> int:
    """Milliseconds of silence between these moments."""
    turned = [(row.at, row.turn == on) for row in rows if row.turn in (on, off)]
    spans = pairwise([*turned, (ended, False)])
    return sum(max(0, _ms(max(at, began), min(until, ended))) for (at, silent), (until, _) in spans if silent)


def _ms(began: datetime, ended: datetime) -> int:
    return round((ended - began).total_seconds() * 1000)
