"""The course of a call, as its page tells it: each row, how the question went, and a picture of when what was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from consentivr.core.evidence import CallSummary
from consentivr.core.turn import ACCESS, Turn
from consentivr.disclosure import told
from consentivr.ledger import Entry

_SAID: Mapping[str, Sequence[str]] = {
    Turn.DECISION: ("reason", "key", "language", "language_by", "language_wanted", "purpose"),
    Turn.RECORDING_WITHHELD: ("why",),
    Turn.RECORDING_FAILED: ("why",),
    Turn.RECORDING_STOPPED: ("duration_ms", "completion_cause"),
    Turn.FORBIDDEN_RECORDING: ("leg", "why"),
    Turn.LOOKED_FOR_RECORDERS: ("recorders",),
    Turn.AGENT_ANSWERED: ("agent", "agent_agreed", "count"),
    Turn.AGENT_STARTED: ("by",),
    Turn.AGENT_STOPPED: ("by",),
    Turn.RECORDING_PAUSED: ("by",),
    Turn.RECORDING_RESUMED: ("by",),
    Turn.RECORDING_MASKED: ("why",),
    Turn.RECORDING_UNMASKED: ("why",),
    Turn.TAPPED: ("function", "leg", "ended"),
    Turn.COMMAND_FAILED: ("wanted",),
    Turn.ADOPTED: ("why",),
    Turn.UNWATCHED: ("since", "until"),
    Turn.WITHDRAWN: ("reason", "keys", "declared_on", "identity", "by", "erase", "kept_because", "stopped_ms"),
    Turn.AGREED_LATE: ("keys", "purpose"),
    Turn.QUEUE_LEFT: ("why",),
    Turn.CALL_ENDED: ("hangup_cause", "why"),
    Turn.CONNECTION_LOST: ("why",),
    Turn.RECORDING_REPAIRED: ("why",),
    Turn.RECORDING_SEALED: ("duration_ms", "channels", "sha256", "why"),
    Turn.RECORDING_ERASED: ("why",),
    Turn.RECORDING_ADOPTED: ("why",),
    Turn.RECORDING_DIFFERS: ("why", "talk_ms", "file_ms"),
    Turn.HOLD: ("why", "by"),
    Turn.HOLD_RELEASED: ("why", "by"),
    Turn.AUDIO_ERASED: ("why",),
    Turn.ERASURE: ("why", "audio"),
    Turn.QUARANTINED: ("why",),
    Turn.PERSON_SHOWN: ("by", "role", "why"),
    Turn.LISTENING_REQUESTED: ("by", "role", "purpose"),
    Turn.LISTENING_DECIDED: ("by", "role", "approved", "why"),
    Turn.GLASS_BROKEN: ("by", "role", "why"),
    Turn.RECORDING_PLAYED: ("by", "role", "purpose"),
    Turn.RECORDING_HEARD: ("by", "role", "heard_s"),
    Turn.HANDED_OVER: ("by", "role", "what", "why"),
    Turn.INCIDENT_ASSESSED: ("by", "role", "risk", "why"),
    Turn.OBJECTED: ("by", "role", "why"),
}
"""What the course says of a turn: no path, which another recorder may have made of a number."""

_GRAVE = frozenset(
    {
        Turn.FORBIDDEN_RECORDING,
        Turn.RECORDING_DIFFERS,
        Turn.RECORDING_FAILED,
        Turn.RECORDING_WITHHELD,
        Turn.COMMAND_FAILED,
        Turn.TAPPED,
        Turn.UNWATCHED,
        Turn.QUARANTINED,
        Turn.GLASS_BROKEN,
    }
)


@dataclass(frozen=True)
class Step:
    """One row of the course."""

    position: int | None
    at: datetime
    turn: str
    said: Sequence[tuple[str, Sequence[str]]]
    hash: str
    broken: bool
    """Whether verification found something in this row."""
    kind: str
    """'access', 'grave' or ''."""
    attempts: Sequence[Mapping[str, Any]] = ()


def course(
    rows: Sequence[Entry],
    language: str,
    hashes: Mapping[int, str],
    broken: frozenset[int],
    *,
    names: bool,
    agent: str | None,
    everybody: bool,
    account: str,
) -> list[Step]:
    """Each row in words. ``names``: of agents, too; ``agent`` is whose name is never hidden. ``everybody``: also who
    else looked, and listened; ``account`` is whose own name is shown there.
    """
    steps = []
    for row in rows:
        said = {name: row.evidence.get(name) for name in _SAID.get(row.turn, ())}
        if not names and said.get("agent") not in (None, agent):
            said["agent"] = None
        if row.turn in ACCESS and not everybody and row.evidence.get("by") != account:
            said = {name: value for name, value in said.items() if name in ("purpose", "heard_s", "approved")}
        steps.append(
            Step(
                row.position,
                row.at,
                row.turn,
                told(said, language),
                hashes.get(row.position or 0, ""),
                row.position in broken,
                "grave" if row.turn in _GRAVE else "access" if row.turn in ACCESS else "",
                row.evidence.get("attempts") or () if row.turn == Turn.DECISION else (),
            )
        )
    return steps


# --- the picture -----------------------------------------------------------------------------

WIDTH = 1000
"""Of the picture, in its own units."""


@dataclass(frozen=True)
class Bar:
    """A span of the picture: what it is (a word ``calls.bar_...``), where, and its two times."""

    kind: str
    x: float
    width: float
    began: datetime
    ended: datetime


@dataclass
class Picture:
    """The call above, what was recorded of it below."""

    call: list[Bar] = field(default_factory=list)
    recorded: list[Bar] = field(default_factory=list)
    silent: list[Bar] = field(default_factory=list)


def picture(call: CallSummary, rows: Sequence[Entry]) -> Picture | None:
    """Of a call that lasted; None of one that did not."""
    begin, end = call.started_at, max(call.ended_at, call.started_at)
    whole = (end - begin).total_seconds()
    if whole <= 0:
        return None

    def bar(kind: str, since: datetime, until: datetime) -> Bar | None:
        since, until = max(since, begin), min(until, end)
        width = (until - since).total_seconds() / whole * WIDTH
        x = (since - begin).total_seconds() / whole * WIDTH
        return Bar(kind, round(x, 1), round(max(width, 2.0), 1), since, until) if until >= since else None

    decided = next((row.at for row in rows if row.turn == Turn.DECISION), end)
    talk = next((row.at for row in rows if row.turn == Turn.AGENT_ANSWERED), None)
    found = Picture(_there([bar("question", begin, decided), bar("waiting", decided, talk or end)]))
    if talk is not None:
        found.call += _there([bar("talk", talk, end)])
    stopped = {row.evidence.get("path"): row.at for row in rows if row.turn == Turn.RECORDING_STOPPED}
    for one in call.recordings:
        kind = "recorded" if one.permitted else "forbidden"
        since = max(one.started_at, talk) if talk is not None and one.permitted else one.started_at
        found.recorded += _there([bar(kind, since, stopped.get(one.path, end))])
    found.silent += _there([bar("silent", span.began, span.ended or end) for span in call.masked])
    found.silent += _there([bar("paused", since, until or end) for since, until in _pauses(rows)])
    return found


def _pauses(rows: Sequence[Entry]) -> list[tuple[datetime, datetime | None]]:
    spans: list[tuple[datetime, datetime | None]] = []
    for row in rows:
        lasts = bool(spans) and spans[-1][1] is None
        if row.turn == Turn.RECORDING_PAUSED and not lasts:
            spans.append((row.at, None))
        elif row.turn == Turn.RECORDING_RESUMED and lasts:
            spans[-1] = (spans[-1][0], row.at)
    return spans


def _there(bars: Sequence[Bar | None]) -> list[Bar]:
    return [bar for bar in bars if bar is not None]
