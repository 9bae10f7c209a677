"""The rows of a talk that was recorded, with a pause in it."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from consentivr.core.turn import Turn
from consentivr.ledger import Entry
from tests.console.people import QUEUE
from tests.ledgers import UUIDS

BEGAN = datetime(2026, 3, 2, 9, tzinfo=timezone.utc)
CALL = UUIDS[1]
SECONDS = 90


def turn(call: str, what: Turn, queue: str = QUEUE, **said: Any) -> Entry:
    return Entry(f"channel-{call}", what.value, "support", queue, "permanent_opt_out", said, None, at=BEGAN, visit=call)


def talk(call: str, path: Path, agent: str) -> list[Entry]:
    queue = QUEUE if call == CALL else "sales@default"
    rows = [
        turn(call, Turn.DECISION, queue, decision="given", reason="consent_key"),
        turn(call, Turn.AGENT_ANSWERED, queue, agent_uuid="a", agent=agent, agent_agreed=True),
        turn(call, Turn.RECORDING_STARTED, queue, path=str(path), leg="caller"),
        turn(call, Turn.RECORDING_PAUSED, queue, by="keys", paths=[str(path)]),
        turn(call, Turn.RECORDING_RESUMED, queue, by="keys", paths=[str(path)]),
        turn(call, Turn.RECORDING_STOPPED, queue, path=str(path), duration_ms=SECONDS * 1000),
        turn(call, Turn.CALL_ENDED, queue, agent=agent, hangup_cause="NORMAL_CLEARING"),
        turn(
            call,
            Turn.RECORDING_SEALED,
            queue,
            path=str(path),
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            duration_ms=SECONDS * 1000,
            channels=2,
        ),
    ]
    for seconds, row in ((10, rows[3]), (25, rows[4]), (SECONDS, rows[5])):
        row.at = BEGAN + timedelta(seconds=seconds)
    return rows
