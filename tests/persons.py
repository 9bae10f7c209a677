"""Calls of people who may ask what is known of them, and who answers."""

from __future__ import annotations

import zoneinfo
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import soundfile

from consentivr import custody
from consentivr.core.consent import NoticeVersion
from consentivr.core.retention import RetentionTerms
from consentivr.disclosure import Controller
from consentivr.ledger import CallRef, Entry, Ledger
from consentivr.recordings import Places
from tests.ledgers import NUMBER, UUIDS

QUEUE = "support@default"
AT = datetime(2026, 11, 2, 9, 30, tzinfo=timezone.utc)
NOTICE = NoticeVersion("de", "Dürfen wir dieses Gespräch <aufzeichnen>?", "aa", 4000)
CONTROLLER = Controller(
    "Muster & Söhne GmbH",
    ("Musterstraße 1", "10115 Berlin"),
    authority="Aufsicht X",
    time_zone=zoneinfo.ZoneInfo("Europe/Berlin"),
    terms={QUEUE: RetentionTerms(90, 1095, 60)},
    lines={"support": "5000"},
)
VISITS = [uuid.replace("26c9", "36c9", 1) for uuid in UUIDS[:20]]


def row_of(about: CallRef, turn: str, evidence: dict, at: datetime, caller: str | None = None) -> Entry:
    return Entry(
        about.channel_uuid, turn, about.line, about.queue, about.mode, evidence, caller, at=at, visit=about.visit
    )


def conversation(
    ledger: Ledger, folder: Path, number: int, decision: str = "given", caller: str = NUMBER, **more: object
) -> Path:
    """A call of who agreed, with a recording, or of who did not."""
    about = CallRef(UUIDS[number], VISITS[number], "support", QUEUE, "permanent_opt_out")
    reason = {"given": "consent_key", "refused": "objection_key"}.get(decision, "silence")
    attempts = [{"outcome": "key", "key": "1", "heard_ms": 4000, "answered_at": "2026-11-02T09:30:05.000+00:00"}]
    said = {"decision": decision, "reason": reason, "key": "1", "attempts": attempts, "notice": NOTICE.digest}
    rows = [
        row_of(about, "arrived", {}, AT),
        row_of(about, "decision", said | {"purpose": "Schulung"} | more, AT + timedelta(seconds=6), caller),
    ]
    path = folder / "2026" / f"{VISITS[number]}.wav"
    if decision == "given":
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(str(path), np.zeros((8000, 2)), 8000, subtype="PCM_16")
        for turn in ("recording_started", "recording_stopped"):
            rows.append(row_of(about, turn, {"path": str(path), "duration_ms": 83_000}, AT + timedelta(seconds=20)))
        rows.append(
            row_of(about, "recording_sealed", custody.seal(Places(folder), str(path)) | {"duration_ms": 83_000}, AT)
        )
        rows.append(row_of(about, "agent_answered", {"agent": "1001@default", "agent_uuid": "x"}, AT))
    rows.append(
        row_of(about, "call_ended", {"hangup_cause": "NORMAL_CLEARING", "agent": None}, AT + timedelta(minutes=3))
    )
    ledger.append(rows)
    return path
