"""How long a talk was recorded, and how long its file is."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from consentivr.core.lengths import apart
from consentivr.ledger import Entry

BEGAN = datetime(2026, 11, 28, 9, tzinfo=timezone.utc)
PATH = "/r/a.wav"


def row(seconds: float, turn: str, **evidence: Any) -> Entry:
    return Entry("c", turn, "line", "queue", "mode", evidence, at=BEGAN + timedelta(seconds=seconds))


def talk(seconds: float, said: int | None = None, cause: str | None = None, *between: Entry) -> list[Entry]:
    return [
        row(0, "recording_started", path=PATH),
        *between,
        row(seconds, "recording_stopped", path=PATH, duration_ms=said, completion_cause=cause),
    ]


@pytest.mark.parametrize(
    ("rows", "file_ms", "expected"),
    [
        (talk(600), 600_000, None),
        (talk(600), 594_000, None),
        (talk(600), 593_900, 600_000),
        (talk(600), 0, 600_000),
        (talk(2), 1_000, None),
        (talk(2), 900, 2_000),
        (talk(600, 600_000), 607_000, 600_000),
        (talk(600, 300_000), 300_000, 600_000),
        (talk(600), 700_000, None),  # the row of its beginning may be late: it was taken up
        (talk(600, None, "cut"), 300_000, None),
        (talk(600, 600_000, "cut"), 300_000, 600_000),
        (talk(600, None, None, row(100, "recording_masked"), row(200, "recording_unmasked")), 500_000, None),
        (talk(600, None, None, row(100, "recording_masked"), row(200, "recording_unmasked")), 600_000, None),
        (talk(600, None, None, row(100, "recording_masked"), row(200, "recording_unmasked")), 490_000, 600_000),
        (talk(600, None, None, row(100, "recording_masked")), 100_000, None),
        (talk(600, None, None, row(100, "recording_paused"), row(300, "recording_resumed")), 400_000, None),
        (talk(600)[:1], 0, None),
        ([*talk(600), *talk(600)], 0, None),
        ([*talk(600), row(700, "recording_masked")], 500_000, 600_000),
    ],
)
def test_more_than_one_percent_apart(rows: list[Entry], file_ms: int, expected: int | None) -> None:
    assert apart(rows, PATH, file_ms) == expected
