"""One call as a vCon (IETF draft-ietf-vcon-vcon-core) with a consent attachment (draft-howe-vcon-consent)."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from consentivr.core.consent import NoticeVersion
from consentivr.core.evidence import CallSummary, Recording

_STATUS = {"given": "granted", "refused": "denied", "not_obtained": "denied"}


def vcon(
    call: CallSummary, notice: NoticeVersion | None, export: str, export_type: str, audio: Mapping[str, bytes]
) -> dict[str, Any]:
    """The call's parties, its recordings as far as they are in ``audio`` (by path), and the consent.

    ``export`` is the ledger's own JSON for this call: the proof, which verifies by itself.
    """
    parties: list[dict[str, Any]] = [{"role": "caller"}, {"role": "agent"}]
    if call.caller_id_number:
        parties[0]["tel"] = call.caller_id_number
    if call.agent:
        parties[1]["name"] = call.agent
    dialogs = [_dialog(recording, audio[recording.path]) for recording in call.audio if recording.path in audio]
    start = call.started_at.isoformat()
    return {
        "vcon": "0.3.0",
        "uuid": call.call,
        "created_at": call.ended_at.isoformat(),
        "subject": f"{call.line}, {call.queue}",
        "parties": parties,
        "dialog": dialogs,
        "analysis": [],
        "attachments": [
            _attachment("consent", start, json.dumps(_consent(call, notice, len(dialogs)), ensure_ascii=False)),
            _attachment(export_type, start, export),
        ],
    }


def _attachment(kind: str, start: str, body: str) -> dict[str, Any]:
    return {"type": kind, "start": start, "party": 0, "mediatype": "application/json", "encoding": "none", "body": body}


def _consent(call: CallSummary, notice: NoticeVersion | None, dialogs: int) -> dict[str, Any]:
    consent: dict[str, Any] = {
        "party": 0,
        "dialogs": list(range(dialogs)),
        "expiration": None,
        "consents": [
            {
                "purpose": f"recording: {call.purpose}" if call.purpose else "recording",
                "status": _STATUS.get(call.decision or "", "denied"),
                "reason": call.reason,
                "legal_basis": call.legal_basis,
                "timestamp": (call.decided_at or call.started_at).isoformat(),
            }
        ],
    }
    if notice is not None:
        consent["terms"] = {"digest": notice.digest, **notice.__dict__}
    return consent


def _dialog(recording: Recording, audio: bytes) -> dict[str, Any]:
    hashed = base64.urlsafe_b64encode(hashlib.sha512(audio).digest()).decode("ascii").rstrip("=")
    return {
        "type": "recording",
        "start": recording.started_at.isoformat(),
        "duration": (recording.duration_ms or 0) / 1000,
        "parties": [0, 1],
        "mediatype": "audio/x-wav",
        "mimetype": "audio/x-wav",  # what drafts before 0.3.0 call it, and their readers look for
        "filename": recording.path.rpartition("/")[2],
        "encoding": "base64url",
        "body": base64.urlsafe_b64encode(audio).decode("ascii").rstrip("="),
        "content_hash": f"sha512-{hashed}",
    }
