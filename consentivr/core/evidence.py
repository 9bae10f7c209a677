"""What a ledger's rows say together: one call, told from its turns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol, TypeVar

from consentivr.core.turn import ACCESS, Turn

AFTERWARDS = ACCESS | frozenset(
    {
        Turn.RECORDING_REPAIRED,
        Turn.RECORDING_SEALED,
        Turn.RECORDING_ERASED,
        Turn.HOLD,
        Turn.HOLD_RELEASED,
        Turn.AUDIO_ERASED,
        Turn.ERASURE,
        Turn.ROWS_ERASED,
        Turn.LEDGER_BEGUN,
        Turn.TIME_STAMPED,
        Turn.CLOCK_SET_BACK,
        Turn.QUARANTINED,
        Turn.RECORDING_ADOPTED,
        Turn.RECORDING_DIFFERS,
        Turn.AUDIO_CHECKED,
    }
)
"""Turns that are not the call's own: they do not make it any younger. Nor does a yes taken back afterwards, which says
when that was declared.
"""


class Row(Protocol):
    """What is read of a row of the ledger."""

    @property
    def at(self) -> datetime: ...
    @property
    def channel_uuid(self) -> str: ...
    @property
    def visit(self) -> str | None: ...
    @property
    def turn(self) -> str: ...
    @property
    def line(self) -> str: ...
    @property
    def queue(self) -> str: ...
    @property
    def mode(self) -> str: ...
    @property
    def evidence(self) -> Mapping[str, Any]: ...
    @property
    def caller_id_number(self) -> str | None: ...


@dataclass(frozen=True)
class Recording:
    """One file. What is not known is None; ``duration_ms`` in milliseconds, ``sha256`` in hexadecimal digits."""

    path: str
    started_at: datetime
    permitted: bool = True
    by_law: bool = False
    """Whether the queue recorded it by law: no yes was its ground."""
    duration_ms: int | None = None
    channels: int | None = None
    sha256: str | None = None
    stopped: bool = False
    sealed: bool = False
    erased_at: datetime | None = None
    repaired: bool = False
    """The switch died while it recorded: the end may be missing."""
    differs: tuple[str, ...] = ()
    """What was found when it was looked at again: missing, replaced, empty, length."""
    quarantined: str | None = None
    """Where it is, when it was put into quarantine."""

    @property
    def place(self) -> str:
        """Where the file is, as far as rows tell."""
        return self.quarantined or self.path


class Masked(NamedTuple):
    """A span of silence in what was recorded. ``ended`` is None while it lasts."""

    began: datetime
    ended: datetime | None
    why: str


@dataclass(frozen=True)
class CallSummary:
    """One call: a visit of a caller to a line. All moments are UTC."""

    channel_uuid: str
    line: str
    queue: str
    mode: str
    started_at: datetime
    ended_at: datetime
    caller_id_number: str | None = None
    decision: str | None = None
    reason: str | None = None
    decided_at: datetime | None = None
    notice: str | None = None
    """Digest of the wording that was asked or told."""
    purpose: str | None = None
    legal_basis: str | None = None
    agent: str | None = None
    hangup_cause: str | None = None
    recordings: tuple[Recording, ...] = ()
    no_recorder_at: datetime | None = None
    """When the legs of the talk were looked at and no recorder was on any of them."""
    withdrawn_at: datetime | None = None
    erase: bool = False
    """What was recorded is to be erased: the yes was taken back, or the person asked for it."""
    held: bool = False
    person_erased_at: datetime | None = None
    visit: str | None = None
    """None for a call of 0.1.0, and for rows of a channel that name no visit."""
    decisions: int = 0
    """Rows that decide: the first one counts; there should be no other."""
    masked: tuple[Masked, ...] = ()

    @property
    def call(self) -> str:
        """What its rows share: the visit, else the channel's UUID."""
        return self.visit or self.channel_uuid

    @property
    def audio(self) -> tuple[Recording, ...]:
        """The recordings that were not erased."""
        return tuple(recording for recording in self.recordings if recording.erased_at is None)

    @property
    def to_erase(self) -> tuple[Recording, ...]:
        """Those of them that are to be erased, whatever their term: a person asked for it, or took the yes back that
        was their ground, which of what a queue recorded by law none was (GDPR art. 17(1)(b), 17(3)(b))."""
        if not self.erase:
            return ()
        asked = self.person_erased_at is not None
        return tuple(recording for recording in self.audio if asked or not recording.by_law)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""

        def plain(value: object) -> object:
            return value.isoformat(timespec="microseconds") if isinstance(value, datetime) else value

        said: dict[str, Any] = {name: plain(value) for name, value in self.__dict__.items()}
        said["recordings"] = [
            {name: plain(value) for name, value in recording.__dict__.items()} for recording in self.recordings
        ]
        said["masked"] = [{name: plain(value) for name, value in span._asdict().items()} for span in self.masked]
        return said


T = TypeVar("T", CallSummary, Recording)


def replace(what: T, **changes: Any) -> T:
    """As of dataclasses, which takes ten times as long: summaries are most of a run of retention."""
    made = object.__new__(type(what))
    made.__dict__.update(what.__dict__, **changes)
    return made


def summarize(rows: Iterable[Row]) -> CallSummary:
    """The rows of one call, in their order, as one call. Raises ValueError without a row, and for several calls: a
    channel may have several visits, and none speaks for another.
    """
    call: CallSummary | None = None
    recordings: dict[str, Recording] = {}
    for row in rows:
        if call is None:
            call = CallSummary(
                row.channel_uuid,
                row.line,
                row.queue,
                row.mode,
                row.at,
                row.at,
                row.caller_id_number,
                visit=row.visit,
            )
        if (row.visit or row.channel_uuid) != call.call:
            raise ValueError(f"these are the rows of several calls: {call.call}, {row.visit or row.channel_uuid}")
        if not call.queue and row.queue:
            call = replace(call, line=row.line, queue=row.queue, mode=row.mode)
        if row.turn not in AFTERWARDS and "declared_on" not in row.evidence:
            call = replace(call, ended_at=row.at)
        call = _told(call, row)
        _recorded(recordings, row)
    if call is None:
        raise ValueError("a call has at least one row")
    return replace(call, recordings=tuple(recordings.values()))


def _told(call: CallSummary, row: Row) -> CallSummary:
    evidence = row.evidence
    if row.turn == Turn.ARRIVED and call.decisions == 0:
        return replace(call, line=row.line, queue=row.queue, mode=row.mode)
    if row.turn == Turn.DECISION:
        if call.decisions:
            return replace(call, decisions=call.decisions + 1)
        said: dict[str, Any] = {
            name: evidence.get(name) for name in ("decision", "reason", "notice", "purpose", "legal_basis")
        }
        said |= {"line": row.line, "queue": row.queue, "mode": row.mode, "decisions": 1}
        arrived = evidence.get("arrived_at")
        started_at = datetime.fromisoformat(arrived) if arrived else call.started_at
        return replace(call, started_at=started_at, decided_at=row.at, **said)
    if row.turn == Turn.WITHDRAWN:
        return replace(call, decision="withdrawn", withdrawn_at=row.at, erase=call.erase or bool(evidence.get("erase")))
    if row.turn == Turn.AGREED_LATE:
        return replace(
            call,
            decision="given",
            reason="late_consent_keys",
            decided_at=row.at,
            erase=call.person_erased_at is not None,
        )
    if row.turn in (Turn.AGENT_ANSWERED, Turn.CALL_ENDED):
        call = replace(call, agent=evidence.get("agent") or call.agent)
        masked = _masked(call.masked, row) if row.turn == Turn.CALL_ENDED else call.masked
        return replace(call, hangup_cause=evidence.get("hangup_cause") or call.hangup_cause, masked=masked)
    if row.turn == Turn.LOOKED_FOR_RECORDERS and evidence.get("recorders") == 0:
        return replace(call, no_recorder_at=row.at)
    if row.turn in (Turn.HOLD, Turn.HOLD_RELEASED):
        return replace(call, held=row.turn == Turn.HOLD)
    if row.turn in (Turn.RECORDING_MASKED, Turn.RECORDING_UNMASKED):
        return replace(call, masked=_masked(call.masked, row))
    if row.turn == Turn.ERASURE:
        return replace(call, person_erased_at=row.at, caller_id_number=None, erase=True)
    return call


def _masked(spans: tuple[Masked, ...], row: Row) -> tuple[Masked, ...]:
    """A further reason begins a further span."""
    lasts = bool(spans) and spans[-1].ended is None
    why = str(row.evidence.get("why", ""))
    if row.turn == Turn.RECORDING_MASKED and lasts and spans[-1].why == why:
        return spans
    if lasts:
        spans = (*spans[:-1], spans[-1]._replace(ended=row.at))
    return (*spans, Masked(row.at, None, why)) if row.turn == Turn.RECORDING_MASKED else spans


def _recorded(recordings: dict[str, Recording], row: Row) -> None:
    path = str(row.evidence.get("path", ""))
    if row.turn in (Turn.RECORDING_STARTED, Turn.FORBIDDEN_RECORDING):
        ours = row.turn == Turn.RECORDING_STARTED
        recordings[path] = Recording(path, row.at, permitted=ours, by_law=ours and row.mode == "permanent")
    elif row.turn == Turn.QUARANTINED and row.evidence.get("to"):
        found = recordings.get(path) or Recording(path, row.at, permitted=False, sha256=row.evidence.get("sha256"))
        recordings[path] = replace(found, quarantined=str(row.evidence["to"]))
    elif row.turn == Turn.RECORDING_ADOPTED:
        for left in row.evidence.get("paths", ()):
            recordings.pop(left, None)
        if "by" not in row.evidence:
            recordings[path] = _sealed(Recording(path, row.at, stopped=True), row.evidence)
    elif row.turn == Turn.AUDIO_ERASED or (row.turn == Turn.ERASURE and row.evidence.get("audio")):
        for name, recording in recordings.items():
            recordings[name] = replace(recording, erased_at=recording.erased_at or row.at)
    elif path not in recordings:
        return
    elif row.turn == Turn.RECORDING_ERASED:
        recordings[path] = replace(recordings[path], erased_at=recordings[path].erased_at or row.at)
    elif row.turn == Turn.RECORDING_STOPPED:
        recordings[path] = replace(recordings[path], stopped=True, duration_ms=row.evidence.get("duration_ms"))
    elif row.turn == Turn.RECORDING_DIFFERS:
        known = recordings[path]
        recordings[path] = replace(known, differs=tuple(dict.fromkeys((*known.differs, str(row.evidence["why"])))))
    elif row.turn == Turn.RECORDING_REPAIRED:
        recordings[path] = replace(recordings[path], repaired=True)
    elif row.turn == Turn.RECORDING_SEALED:
        recordings[path] = _sealed(recordings[path], row.evidence)


def _sealed(recording: Recording, evidence: Mapping[str, Any]) -> Recording:
    return replace(
        recording,
        sealed=True,
        sha256=evidence.get("sha256"),
        channels=evidence.get("channels"),
        duration_ms=evidence.get("duration_ms"),  # the file's own, not the talk's
    )
