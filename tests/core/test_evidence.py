"""What rows say together."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone

import pytest

from consentivr.core.evidence import summarize


@dataclass(frozen=True)
class Row:
    visit: str | None
    turn: str = "arrived"
    channel_uuid: str = "c"
    line: str = "support"
    queue: str = "support@default"
    mode: str = "permanent_opt_out"
    evidence: dict = field(default_factory=dict)
    caller_id_number: str | None = None
    at: datetime = datetime(2026, 11, 28, tzinfo=timezone.utc)


def test_no_visit_speaks_for_another() -> None:
    with pytest.raises(ValueError, match="several calls: a, b"):
        summarize([Row("a"), Row("b")])


def test_nothing_is_no_call() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        summarize([])


def test_a_queue_that_is_named_later_is_its_queue() -> None:
    assert summarize([Row("a", queue=""), Row("a", "decision", evidence={"decision": "refused"})]).queue
