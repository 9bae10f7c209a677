"""One call as a vCon (draft-ietf-vcon-vcon-core-04, syntax 0.4.0) with its basis (draft-howe-vcon-lawful-basis-02)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from consentivr.core.consent import NoticeVersion
from consentivr.core.evidence import Recording, summarize
from consentivr.core.turn import Turn
from consentivr.ledger import Entry

SYNTAX = "0.4.0"
LAWFUL_BASIS = "lawful_basis"
MASKED = "silence in the recording"

_CALLER = 0

_LEFT = (Turn.QUEUE_LEFT, Turn.CALL_ENDED)


@dataclass
class _Talk:
    """The caller and one agent; ``agent`` is a party, None when nobody is known. ``dialogs`` in the vCon."""

    began: datetime
    ended: datetime
    agent: int | None
    taken_over: bool = False
    """From the agent of the talk before."""
    dialogs: list[int] = field(default_factory=list)


def vcon(
    rows: Sequence[Entry],
    notice: NoticeVersion | None,
    export: Mapping[str, Any],
    audio: Mapping[str, bytes],
    made_at: datetime,
) -> dict[str, Any]:
    """The call of which these are the rows: how it was asked, its talks and transfers, recordings as far as they are in
    ``audio`` (by path), where those are silent, and what permits them.

    ``export`` is the ledger's own JSON for this call: the proof, which verifies by itself.
    """
    return _Vcon(rows, notice, export, audio).made(made_at)


class _Vcon:
    def __init__(
        self,
        rows: Sequence[Entry],
        notice: NoticeVersion | None,
        export: Mapping[str, Any],
        audio: Mapping[str, bytes],
    ) -> None:
        self._rows = rows
        self._call = summarize(rows)
        self._notice = notice
        self._export = export
        self._audio = audio
        self._parties: list[dict[str, Any]] = [{"type": "person"}]
        if self._call.caller_id_number:
            self._parties[_CALLER]["tel"] = self._call.caller_id_number
        self._legs = {self._call.channel_uuid: _CALLER}
        self._dialogs: list[dict[str, Any]] = []
        self._of_recording: dict[str, int] = {}

    def made(self, made_at: datetime) -> dict[str, Any]:
        talks = self._talks()
        we = len(self._parties)
        self._parties.append({"type": "organization", "name": self._call.line})
        self._ask(we)
        for talk in talks:
            self._talk(talk)
        for before, after in pairwise(talks):
            if after.taken_over:
                self._transfer(before, after)
        for talk in talks:
            self._events(talk)
        return {
            "vcon": SYNTAX,
            "uuid": self._call.call,
            "extensions": [LAWFUL_BASIS],
            "created_at": _moment(made_at),
            "subject": f"{self._call.line}, {self._call.queue}",
            "parties": self._parties,
            "dialog": self._dialogs,
            "attachments": self._attachments(we),
        }

    # --- who, and when -----------------------------------------------------------------------

    def _talks(self) -> list[_Talk]:
        talks: list[_Talk] = []
        together = False
        for row in self._rows:
            if row.turn == Turn.AGENT_ANSWERED:
                agent = self._party(row.evidence.get("agent_uuid"), row.evidence.get("agent"))
                if together:
                    talks[-1].ended = row.at
                talks.append(_Talk(row.at, self._call.ended_at, agent, together and talks[-1].agent != agent))
                together = True
            elif row.turn in _LEFT and together:
                talks[-1].ended, together = row.at, False
        if not talks and self._call.recordings:
            talks.append(_Talk(self._call.recordings[0].started_at, self._call.ended_at, None))
        return talks

    def _party(self, leg: str | None, name: str | None) -> int:
        known = {party.get("name"): index for index, party in enumerate(self._parties)}
        index = known.get(name) if name else self._legs.get(leg or "")
        if index is None:
            index = len(self._parties)
            self._parties.append({"type": "person", **({"name": name} if name else {})})
        if leg:
            self._legs[leg] = index
        return index

    # --- dialogs -----------------------------------------------------------------------------

    def _ask(self, we: int) -> None:
        """What the caller was asked or told, and the key that answered: one dialog for each time."""
        decision: Mapping[str, Any] = next((row.evidence for row in self._rows if row.turn == Turn.DECISION), {})
        for attempt in decision.get("attempts") or [{}]:
            asked = attempt.get("asked_at") or _moment(self._call.started_at)
            dialog: dict[str, Any] = {"type": "text", "start": asked, "parties": [we, _CALLER]}
            if self._notice is not None:
                dialog |= {"mediatype": "text/plain", "encoding": "none", "body": self._notice.text}
            if attempt.get("heard_ms") is not None:
                dialog["duration"] = attempt["heard_ms"] / 1000
            if attempt.get("key"):
                pressed = attempt.get("answered_at") or asked
                dialog["party_history"] = [_pressed(pressed, attempt["key"])]
            self._dialogs.append(dialog)

    def _talk(self, talk: _Talk) -> None:
        """A dialog for each of its recordings; for a talk in which none began one without content."""
        agents = [] if talk.agent is None else [talk.agent]
        began = [one for one in self._call.recordings if self._talk_of(talk, one)]
        for recording in began:
            talk.dialogs.append(len(self._dialogs))
            self._of_recording[recording.path] = len(self._dialogs)
            self._dialogs.append(self._recording(recording, agents))
        if not began:
            talk.dialogs.append(len(self._dialogs))
            length = (talk.ended - talk.began).total_seconds()
            parties = [_CALLER, *agents]
            start = _moment(talk.began)
            self._dialogs.append({"type": "recording", "start": start, "duration": length, "parties": parties})

    def _talk_of(self, talk: _Talk, recording: Recording) -> bool:
        """Whether it began in this talk, or before the first."""
        return recording.path not in self._of_recording and recording.started_at < talk.ended

    def _recording(self, recording: Recording, agents: list[int]) -> dict[str, Any]:
        dialog: dict[str, Any] = {
            "type": "recording",
            "start": _moment(recording.started_at),
            "duration": (recording.duration_ms or 0) / 1000,
            "parties": [_CALLER, agents or None] if recording.channels == 2 else [_CALLER, *agents],
        }
        content = self._audio.get(recording.path)
        if content is not None:
            dialog |= {
                "mediatype": "audio/x-wav",
                "filename": recording.place.rpartition("/")[2],
                "encoding": "base64url",
                "body": _base64(content),
                "content_hash": f"sha512-{_base64(hashlib.sha512(content).digest())}",
            }
        return dialog

    def _transfer(self, before: _Talk, after: _Talk) -> None:
        self._dialogs.append(
            {
                "type": "transfer",
                "start": _moment(after.began),
                "transferee": _CALLER,
                "transferor": before.agent,
                "transfer_target": after.agent,
                "original": before.dialogs,
                "target_dialog": after.dialogs,
            }
        )

    def _events(self, talk: _Talk) -> None:
        """Who came and went, was held, and pressed keys; said once, in the first dialog of the talk."""
        history = [] if talk.agent is None else [_event(talk.began, talk.agent, "join")]
        held: list[int] = []
        for row in self._rows:
            if not talk.began <= row.at <= talk.ended:
                continue
            if row.turn == Turn.RECORDING_MASKED and row.evidence.get("why") == "on_hold":
                held = [self._legs[leg] for leg in row.evidence.get("parties", ()) if leg in self._legs]
                history += [_event(row.at, party, "hold") for party in held]
            elif row.turn == Turn.RECORDING_UNMASKED:
                history += [_event(row.at, party, "unhold") for party in held]
                held = []
            elif row.turn in (Turn.WITHDRAWN, Turn.AGREED_LATE):
                history += [_pressed(_moment(row.at), key) for key in row.evidence.get("keys") or ""]
        if talk.agent is not None:
            history.append(_event(talk.ended, talk.agent, "drop"))
        if history:
            self._dialogs[talk.dialogs[0]]["party_history"] = history

    # --- attachments -------------------------------------------------------------------------

    def _attachments(self, we: int) -> list[dict[str, Any]]:
        decided = _moment(self._call.decided_at or self._call.started_at)
        attachments = [_attachment(LAWFUL_BASIS, decided, _CALLER, 0, self._basis())]
        if self._call.masked:
            spans = [
                {"start": _moment(span.began), "end": _moment(span.ended) if span.ended else None, "why": span.why}
                for span in self._call.masked
            ]
            first = min(self._of_recording.values(), default=0)
            attachments.append(_attachment(MASKED, _moment(self._call.masked[0].began), we, first, spans))
        attachments.append(_attachment(self._export["format"], decided, we, 0, dict(self._export)))
        return attachments

    def _basis(self) -> dict[str, Any]:
        call = self._call
        by_law = call.reason == "legal_basis"
        granted = by_law or call.decision == "given"
        grant: dict[str, Any] = {
            "purpose": "recording",
            "granted": granted,
            "granted_at": _moment(call.withdrawn_at or call.decided_at or call.started_at),
        }
        conditions = [condition for condition in (call.purpose, call.legal_basis if by_law else None) if condition]
        if conditions:
            grant["conditions"] = conditions
        return {
            "lawful_basis": "legal_obligation" if by_law else "consent",
            "expiration": None,
            "purpose_grants": [grant],
            "proof_mechanisms": self._proofs(),
            "metadata": {"decision": call.decision, "reason": call.reason, "legal_basis": call.legal_basis},
        }

    def _proofs(self) -> list[dict[str, Any]]:
        """Each signed checkpoint to which the rows lead; those are in the export."""
        return [
            {"proof_type": "external_system", "timestamp": signed["at"], "proof_data": {"checkpoint": signed}}
            for signed in self._export["proof"]["checkpoints"]
        ]


def _attachment(purpose: str, start: str, party: int, dialog: int, body: Any) -> dict[str, Any]:
    where = {"purpose": purpose, "start": start, "party": party, "dialog": dialog}
    return {**where, "mediatype": "application/json", "encoding": "json", "body": body}


def _event(at: datetime, party: int, event: str) -> dict[str, Any]:
    return {"party": party, "time": _moment(at), "event": event}


def _pressed(at: str, key: str) -> dict[str, Any]:
    return {"party": _CALLER, "time": at, "event": "keydown", "button": key}


def _moment(at: datetime) -> str:
    return at.isoformat()


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode("ascii").rstrip("=")
