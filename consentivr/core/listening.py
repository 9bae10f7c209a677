"""Listening to a recording, as the rows of its call tell it: one asks, another decides, and it is open for a while.

Rows are all there is to it: whoever reads them later, also after a restart, finds the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from consentivr.core.evidence import CallSummary, Recording, Row
from consentivr.core.foreign import is_name
from consentivr.core.roles import persons
from consentivr.core.turn import Turn

DECIDED_WITHIN = timedelta(days=7)
"""A request that nobody decided is over then."""

BEGUN_WITHIN = timedelta(days=3)
"""So long after an approval may be begun: who asked need not sit and wait for it."""

OPEN_FOR = timedelta(minutes=15)
"""From the first playing on; broken glass is also to be begun within it."""


class State(str, Enum):
    """Of a request."""

    REQUESTED = "requested"
    APPROVED = "approved"
    """May be begun, until the approval says."""
    OPEN = "open"
    """Was begun: may be heard, ``OPEN_FOR`` long."""
    REFUSED = "refused"
    OVER = "over"
    """It was open."""
    LAPSED = "lapsed"
    """Nobody decided in time, or nobody began."""
    ENDED = "ended"
    """The caller took the yes back, or what was recorded is erased."""


@dataclass(frozen=True)
class Playing:
    """One opening of the player, named by ``playing``. ``heard_s``: seconds; None while that is not known.

    ``counted_by``: 'player', or 'bytes' for what was sent, which is the most that can have been heard.
    """

    playing: str
    path: str
    at: datetime
    by: str
    role: str
    purpose: str
    second: str | None
    agent: str | None
    heard_s: float | None = None
    counted_by: str | None = None


@dataclass(frozen=True)
class Objection:
    """An agent's. ``by`` is an account."""

    request: str
    at: datetime
    by: str
    why: str


@dataclass(frozen=True)
class Listening:
    """One request and what became of it. ``by``, ``decided_by``, ``seen_by`` are accounts; ``persons``: whose ``by``
    is; times are UTC.
    """

    request: str
    by: str
    persons: frozenset[str]
    role: str
    at: datetime
    purpose: str
    why: str | None = None
    """Why the glass was broken."""
    broken: bool = False
    """Nobody else approved: the glass was broken."""
    approved: bool | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    until: datetime | None = None
    """By then it is to be begun."""
    opened_at: datetime | None = None
    ended_at: datetime | None = None
    seen_by: str | None = None
    """Who of the works council saw that the glass was broken."""
    playings: tuple[Playing, ...] = ()
    objections: tuple[Objection, ...] = ()

    @property
    def open_until(self) -> datetime | None:
        """By then all is heard; None before it was begun."""
        return self.opened_at + OPEN_FOR if self.opened_at is not None else None

    def state(self, now: datetime) -> State:
        """At ``now`` (UTC)."""
        state = self._in_time(now if self.ended_at is None else min(now, self.ended_at))
        if self.ended_at is not None and state in (State.REQUESTED, State.APPROVED, State.OPEN):
            return State.ENDED
        return state

    def _in_time(self, now: datetime) -> State:
        if self.approved is None:
            return State.REQUESTED if now < self.at + DECIDED_WITHIN else State.LAPSED
        if not self.approved:
            return State.REFUSED
        if self.open_until is not None:
            return State.OPEN if now < self.open_until else State.OVER
        return State.APPROVED if self.until is not None and now < self.until else State.LAPSED

    def may_be_heard(self, now: datetime) -> bool:
        """By who asked, now."""
        return self.state(now) in (State.APPROVED, State.OPEN)


_ENDS = (Turn.WITHDRAWN, Turn.ERASURE, Turn.AUDIO_ERASED)


def listenings(rows: Iterable[Row]) -> list[Listening]:
    """Every request of a call, in the order in which they came; ``rows`` are all of the call's.

    What does not follow - a decision of one's own, or a second one, or one that came too late - changes nothing.
    """
    found: dict[str, Listening] = {}
    for row in rows:
        said = row.evidence
        if row.turn in _ENDS:
            found = {name: replace(one, ended_at=one.ended_at or row.at) for name, one in found.items()}
            continue
        name = str(said.get("request", ""))
        if row.turn == Turn.LISTENING_REQUESTED:
            found.setdefault(name, _begun(name, row))
        elif row.turn == Turn.GLASS_BROKEN:
            until = datetime.fromisoformat(said["until"])
            broken = replace(_begun(name, row), why=said["why"], broken=True)
            found.setdefault(name, replace(broken, approved=True, decided_at=row.at, until=until))
        elif name in found:
            found[name] = _followed(found[name], row)
    return list(found.values())


def _begun(name: str, row: Row) -> Listening:
    said = row.evidence
    return Listening(name, said["by"], _persons(row), said["role"], row.at, said["purpose"])


def _persons(row: Row) -> frozenset[str]:
    said = row.evidence
    return persons(said["by"], said.get("person"), said.get("subject"))


def _followed(one: Listening, row: Row) -> Listening:
    said = row.evidence
    if row.turn == Turn.LISTENING_DECIDED:
        if _persons(row) & one.persons or one.state(row.at) is not State.REQUESTED:
            return one
        until = datetime.fromisoformat(said["until"]) if said["approved"] else None
        return replace(one, approved=said["approved"], decided_by=said["by"], decided_at=row.at, until=until)
    if row.turn == Turn.GLASS_SEEN and one.broken and not _persons(row) & one.persons:
        return replace(one, seen_by=one.seen_by or said["by"])
    if row.turn == Turn.RECORDING_PLAYED:
        playing = Playing(
            said["playing"],
            said["path"],
            row.at,
            said["by"],
            said["role"],
            said["purpose"],
            said.get("second"),
            said.get("agent"),
        )
        opened_at = row.at if one.state(row.at) is State.APPROVED else one.opened_at
        return replace(one, opened_at=opened_at, playings=(*one.playings, playing))
    if row.turn == Turn.RECORDING_HEARD:
        return replace(one, playings=tuple(_heard(playing, said) for playing in one.playings))
    if row.turn == Turn.OBJECTED:
        return replace(one, objections=(*one.objections, Objection(one.request, row.at, said["by"], said["why"])))
    return one


def _heard(one: Playing, said: Mapping[str, Any]) -> Playing:
    is_it = one.playing == said["playing"] and one.heard_s is None
    return replace(one, heard_s=said["heard_s"], counted_by=said["counted_by"]) if is_it else one


def may_be_played(call: CallSummary, recording: Recording) -> bool:
    """Whether one of the call's recordings is offered: sealed, so that it can be told whether it still is the same,
    with permission that still holds, neither erased nor in quarantine.
    """
    return (
        recording.sha256 is not None
        and recording.permitted
        and recording.erased_at is None
        and recording.quarantined is None
        and not is_name(recording.path)
        and (recording.by_law or call.decision == "given")
        and recording not in call.to_erase
    )


@dataclass(frozen=True)
class Silence:
    """A span of a file in which nothing is heard on purpose. Seconds from its beginning; to its end if ``until_s`` is
    None. ``why`` is a verdict's reason.
    """

    since_s: float
    until_s: float | None
    why: str


_WHY = {Turn.RECORDING_PAUSED.value: "paused", Turn.RECORDING_MASKED.value: None}
"""What begins silence in a file, and why; None where the row says."""

_ENDS_SILENCE = {
    Turn.RECORDING_RESUMED.value: Turn.RECORDING_PAUSED.value,
    Turn.RECORDING_UNMASKED.value: Turn.RECORDING_MASKED.value,
}


def silences(rows: Sequence[Row], path: str) -> list[Silence]:
    """Of the file at ``path``, as the rows of its call say, which is as exact as the switch was quick to tell.

    Of a recording whose beginning no row tells, only what was silenced afterwards is known.
    """
    began: datetime | None = None
    lasting: dict[str, tuple[datetime, str]] = {}
    found: list[Silence] = []

    def end(turn: str, at: datetime | None) -> None:
        if turn in lasting and began is not None:
            since, why = lasting[turn]
            found.append(Silence(_after(began, since), None if at is None else _after(began, at), why))
        lasting.pop(turn, None)

    for row in rows:
        said = row.evidence
        if row.turn == Turn.RECORDING_STARTED and said.get("path") == path:
            began = row.at
        elif row.turn in _WHY and path in said.get("paths", (path,)):
            end(row.turn, row.at)
            lasting[row.turn] = (row.at, _WHY[row.turn] or str(said["why"]))
        elif row.turn in _ENDS_SILENCE:
            end(_ENDS_SILENCE[row.turn], row.at)
        elif row.turn == Turn.RECORDING_SEALED and said.get("path") == path:
            found += [Silence(since, until, "nobody_watches") for since, until in said.get("silenced", ())]
    for turn in tuple(lasting):
        end(turn, None)
    return sorted(found, key=lambda span: span.since_s)


def _after(began: datetime, at: datetime) -> float:
    return max(0.0, (at - began).total_seconds())
