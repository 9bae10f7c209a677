"""Calls, and what may follow their decision."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta, timezone

from consentivr.ledger import Entry
from tests.ledgers import entry

NOON = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)


def call(number: int, decision: str = "given", **more: str) -> Entry:
    said = {"decision": decision, "reason": "consent_key", "language": "de", "notice": "ab", **more}
    return replace(entry(number, **said), at=NOON + timedelta(seconds=number))


def a_life(chance: random.Random, number: int) -> list[Entry]:
    """What may follow a decision, in an order that can be."""
    rows = [call(number, chance.choice(["given", "refused", "not_obtained"]))]
    for path in [f"/r/{number}-{n}.wav" for n in range(chance.randrange(3))]:
        rows.append(entry(number, "recording_started", path=path))
        sealed = {"path": path, "sha256": "ab"} if chance.random() < 0.7 else {"path": path, "why": "not there"}
        rows += [entry(number, "recording_sealed", **sealed)] if chance.random() < 0.8 else []
        rows += [entry(number, "recording_erased", path=path)] if chance.random() < 0.2 else []
    for turn, evidence in (
        ("recording_masked", {"why": "on_hold", "parties": [], "paths": []}),
        ("withdrawn", {"erase": True}),
        ("agreed_late", {"keys": "*1"}),
        ("hold", {"why": "court"}),
        ("hold_released", {"why": "over"}),
        ("erasure", {"audio": False}),
        ("audio_erased", {"why": "due"}),
        ("erasure", {"audio": True}),
        ("agent_answered", {"agent": "1001@default", "agent_uuid": "x"}),
        ("agent_answered", {"agent": "1002@default", "agent_uuid": "y"}),
        ("agent_answered", {"agent": None, "agent_uuid": "z"}),
        ("call_ended", {"hangup_cause": "NORMAL_CLEARING", "agent": "1002@default"}),
    ):
        rows += [entry(number, turn, **evidence)] if chance.random() < 0.3 else []
    return rows
