"""What rows say of listening: every way that a request can take, and every moment of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import product
from typing import Any

import pytest

from consentivr.core.evidence import summarize
from consentivr.core.listening import (
    BEGUN_WITHIN,
    DECIDED_WITHIN,
    OPEN_FOR,
    Silence,
    listenings,
    may_be_played,
    silences,
)
from consentivr.core.roles import Account, Right, Role
from consentivr.core.turn import Turn
from consentivr.ledger import Entry
from tests.ledgers import UUIDS

BEGAN = datetime(2026, 3, 2, 9, tzinfo=timezone.utc)
PATH = "/r/a.wav"
BRIEF = timedelta(minutes=4)


def row(turn: Turn, at: datetime = BEGAN, mode: str = "permanent_opt_out", **said: Any) -> Entry:
    return Entry("c", turn.value, "support", "q", mode, said, None, at=at, visit=UUIDS[0])


def asked(at: datetime = BEGAN) -> Entry:
    return row(Turn.LISTENING_REQUESTED, at, request="r", by="sven", role="supervisor", purpose="training")


def broken(at: datetime = BEGAN) -> Entry:
    said = {"request": "r", "by": "olga", "role": "officer", "purpose": "a complaint", "why": "threat"}
    return row(Turn.GLASS_BROKEN, at, **said, until=(at + OPEN_FOR).isoformat())


def event(kind: str, at: datetime) -> Entry:
    said: dict[str, Any] = {"request": "r", "by": "olga" if kind != "own yes" else "sven", "role": "officer"}
    if kind in ("yes", "no", "own yes"):
        said |= {"approved": kind != "no"} | ({"until": (at + BEGUN_WITHIN).isoformat()} if kind != "no" else {})
        return row(Turn.LISTENING_DECIDED, at, **said)
    if kind == "played":
        return row(Turn.RECORDING_PLAYED, at, **said, playing=str(at), path=PATH, purpose="training")
    return row({"withdrawn": Turn.WITHDRAWN, "erased": Turn.AUDIO_ERASED}[kind], at)


KINDS = ("yes", "no", "own yes", "played", "withdrawn", "erased")

NEXT = {
    ("requested", "yes"): ("approved", BEGUN_WITHIN),
    ("requested", "no"): ("refused", None),
    ("approved", "played"): ("open", OPEN_FOR),
} | {(state, kind): ("ended", None) for state in ("requested", "approved", "open") for kind in ("withdrawn", "erased")}
IN_THE_END = {"requested": "lapsed", "approved": "lapsed", "open": "over"}


def walked(kinds: tuple[str, ...], moments: list[datetime], now: datetime, state: str, until: datetime) -> str:
    """The same as a table, from the beginning to ``now``."""
    limit: datetime | None = until
    for kind, at in [*zip(kinds, moments, strict=True), ("look", now)]:
        if limit is not None and at >= limit:
            state, limit = IN_THE_END[state], None
        if (state, kind) in NEXT:
            state, lasts = NEXT[state, kind]
            limit = at + lasts if lasts is not None else None
    return state


@pytest.mark.parametrize("pace", [BRIEF, timedelta(days=2), timedelta(days=6)])
@pytest.mark.parametrize("begun", ["asked", "broken"])
def test_every_way_of_a_request(pace: timedelta, begun: str) -> None:
    first, state, lasts = {"asked": (asked(), "requested", DECIDED_WITHIN), "broken": (broken(), "approved", OPEN_FOR)}[
        begun
    ]
    for kinds in product(KINDS, repeat=4):
        moments = [BEGAN + pace * number for number in range(1, 5)]
        rows = [first, *map(event, kinds, moments)]
        for later in (timedelta(), timedelta(minutes=1), OPEN_FOR, DECIDED_WITHIN):
            now = moments[-1] + later
            (one,) = listenings(rows)
            wanted = walked(kinds, moments, now, state, BEGAN + lasts)
            assert one.state(now).value == wanted, (kinds, later)
            assert one.may_be_heard(now) == (wanted in ("approved", "open"))


def test_nobody_decides_twice_nor_for_oneself() -> None:
    (one,) = listenings([asked(), event("own yes", BEGAN + BRIEF), event("no", BEGAN + 2 * BRIEF)])
    assert (one.approved, one.decided_by) == (False, "olga")
    (one,) = listenings([asked(), event("no", BEGAN + BRIEF), event("yes", BEGAN + 2 * BRIEF)])
    assert one.approved is False


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"by": "sven"}, {"by": "sven2", "person": "sven"}),
        ({"by": "sven", "person": "Sven Olsson"}, {"by": "olga", "person": "sven  olsson"}),
        ({"by": "sven", "subject": "248289761001"}, {"by": "s.olsson", "person": "x", "subject": "248289761001"}),
    ],
)
def test_nobody_decides_for_oneself_with_another_account(one: dict[str, str], two: dict[str, str]) -> None:
    for first, second in ((one, two), (two, one)):
        (found,) = listenings([told(asked(), first), told(event("yes", BEGAN + BRIEF), second)])
        assert found.approved is None
        seen = row(Turn.GLASS_SEEN, BEGAN + BRIEF, request="r", role="council", **second)
        (found,) = listenings([told(broken(), first), seen])
        assert found.seen_by is None
    (found,) = listenings([told(asked(), one), told(event("yes", BEGAN + BRIEF), {"by": "248289761001"})])
    assert found.approved is True, "a subject is no name"


def told(entry: Entry, by: dict[str, str]) -> Entry:
    """The same row, of somebody else."""
    return replace(entry, evidence=entry.evidence | by)


def test_the_quarter_of_an_hour_begins_with_the_first_playing() -> None:
    approved_at, played_at = BEGAN + BRIEF, BEGAN + timedelta(days=2)
    rows = [asked(), event("yes", approved_at), event("played", played_at), event("played", played_at + BRIEF)]
    (one,) = listenings(rows)
    assert one.until == approved_at + BEGUN_WITHIN
    assert one.open_until == played_at + OPEN_FOR
    assert len(one.playings) == 2


def test_what_was_heard_belongs_to_its_playing() -> None:
    rows = [asked(), event("yes", BEGAN + BRIEF)]
    played = [event("played", BEGAN + number * BRIEF) for number in (2, 3)]
    said = {"request": "r", "path": PATH, "counted_by": "player"}
    names = [one.evidence["playing"] for one in played]
    late = row(Turn.RECORDING_HEARD, **said, playing=names[1], heard_s=3.5, sent_s=9.0)
    again = row(Turn.RECORDING_HEARD, **said, playing=names[1], heard_s=7.0, sent_s=9.0)
    (one,) = listenings([*rows, *played, late, again])
    assert [playing.heard_s for playing in one.playings] == [None, 3.5]


def test_an_objection_and_who_saw_the_broken_glass() -> None:
    objected = row(Turn.OBJECTED, request="r", by="anna", role="agent", why="private")
    seen = [row(Turn.GLASS_SEEN, request="r", by=name, role="council") for name in ("carl", "cora")]
    (one,) = listenings([broken(), objected, *seen])
    assert one.seen_by == "carl"
    assert [objection.why for objection in one.objections] == ["private"]
    (one,) = listenings([asked(), seen[0]])
    assert one.seen_by is None


def test_rows_of_no_request_are_let_go() -> None:
    assert listenings([event("yes", BEGAN), event("played", BEGAN), row(Turn.HOLD)]) == []


def test_two_requests_of_one_call_do_not_touch() -> None:
    other = row(Turn.LISTENING_REQUESTED, request="s", by="anna", role="agent", purpose="training")
    one, two = listenings([asked(), other, event("yes", BEGAN + BRIEF)])
    assert (one.approved, two.approved) == (True, None)


# --- which recordings --------------------------------------------------------------------------


def recorded(*more: Entry, mode: str = "permanent_opt_out", decision: str = "given") -> list[Entry]:
    return [
        row(Turn.DECISION, mode=mode, decision=decision, reason="consent_key"),
        row(Turn.RECORDING_STARTED, mode=mode, path=PATH),
        row(Turn.RECORDING_STOPPED, path=PATH, duration_ms=60_000),
        row(Turn.RECORDING_SEALED, path=PATH, sha256="a" * 64, duration_ms=60_000, channels=2),
        *more,
    ]


@pytest.mark.parametrize(
    ("rows", "offered"),
    [
        (recorded(), True),
        (recorded()[:-1], False),
        (recorded(row(Turn.WITHDRAWN, erase=True)), False),
        (recorded(row(Turn.WITHDRAWN)), False),
        (recorded(row(Turn.WITHDRAWN), mode="permanent"), True),
        (recorded(row(Turn.WITHDRAWN), row(Turn.AGREED_LATE)), True),
        (recorded(mode="permanent", decision="not_obtained"), True),
        (recorded(decision="refused"), False),
        (recorded(row(Turn.ERASURE)), False),
        (recorded(row(Turn.ERASURE), mode="permanent"), False),
        (recorded(row(Turn.AUDIO_ERASED)), False),
        (recorded(row(Turn.RECORDING_ERASED, path=PATH)), False),
        (recorded(row(Turn.QUARANTINED, path=PATH, to="/q/a.wav")), False),
        (recorded(row(Turn.FORBIDDEN_RECORDING, path=PATH), recorded()[3]), False),
        (recorded(row(Turn.HOLD)), True),
    ],
)
def test_which_recordings_are_offered(rows: list[Entry], offered: bool) -> None:
    call = summarize(rows)
    assert [may_be_played(call, recording) for recording in call.recordings] == [offered]


# --- silence -----------------------------------------------------------------------------------


def at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def test_silence_is_told_from_the_beginning_of_the_file() -> None:
    rows = [
        row(Turn.RECORDING_MASKED, at(-9), why="on_hold", paths=[PATH]),
        row(Turn.RECORDING_STARTED, at(0), path=PATH),
        row(Turn.RECORDING_UNMASKED, at(5), why="on_hold"),
        row(Turn.RECORDING_PAUSED, at(10), by="keys", paths=[PATH, "/r/b.wav"]),
        row(Turn.RECORDING_MASKED, at(12), why="on_hold", paths=[PATH]),
        row(Turn.RECORDING_MASKED, at(14), why="outsider", paths=[PATH]),
        row(Turn.RECORDING_UNMASKED, at(16), why="outsider"),
        row(Turn.RECORDING_RESUMED, at(20), by="keys", paths=[]),
        row(Turn.RECORDING_PAUSED, at(30), by="keys", paths=["/r/b.wav"]),
        row(Turn.RECORDING_RESUMED, at(40), by="keys", paths=["/r/b.wav"]),
        row(Turn.RECORDING_PAUSED, at(50), by="keys", paths=[PATH]),
        row(Turn.RECORDING_SEALED, at(60), path=PATH, silenced=[[1.5, 2.5]]),
    ]
    assert silences(rows, PATH) == [
        Silence(0, 5, "on_hold"),
        Silence(1.5, 2.5, "nobody_watches"),
        Silence(10, 20, "paused"),
        Silence(12, 14, "on_hold"),
        Silence(14, 16, "outsider"),
        Silence(50, None, "paused"),
    ]


def test_silence_before_a_file_is_not_its_own() -> None:
    rows = [
        row(Turn.RECORDING_PAUSED, at(-9), by="keys", paths=[PATH]),
        row(Turn.RECORDING_RESUMED, at(-2), by="keys", paths=[PATH]),
        row(Turn.RECORDING_STARTED, at(0), path=PATH),
    ]
    assert silences(rows, PATH) == []
    assert silences(rows[:1], PATH) == []


# --- who ---------------------------------------------------------------------------------------


def test_a_right_reaches_as_far_as_the_role_that_gives_it() -> None:
    both = Account("b", frozenset({Role.SUPERVISOR, Role.AGENT}), frozenset({"q"}), "anna")
    assert both.scope_of(Right.ASK_TO_LISTEN).covers("q", "other")
    assert not both.scope_of(Right.APPROVE_LISTENING).covers("q", "other")
    assert both.scope_of(Right.APPROVE_LISTENING).covers("q", "anna")
    council = Account("c", frozenset({Role.COUNCIL, Role.AGENT}), agent="carl")
    assert not council.scope_of(Right.ASK_TO_LISTEN).covers("q", "anna")
