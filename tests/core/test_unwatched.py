"""P10 and P11: what ran while nobody watched may hold whoever is there when the watch is back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentivr.core import actions as do
from consentivr.core.consent import ConsentDecision
from consentivr.core.conversation import step
from consentivr.core.events import Changed, Party, Silenced, Situation, Sounding, WatchEnds
from consentivr.core.policy import RecordingMode, TalkPolicy
from consentivr.core.state import TalkState
from consentivr.core.switchboard import Recorder
from consentivr.core.talk_turns import Unmasked, Unwatched
from consentivr.core.unwatched import spans
from consentivr.core.verdict import Permission

FILE = "/r/v.wav"
RECORDER = Recorder(FILE, "c")
AGENT = Party("a", "agent", "1001@default", Permission.AGREED)
POLICY = TalkPolicy(RecordingMode.CALLER_OPT_IN, "quality", agents_must_agree=False)


BEGAN = datetime(2026, 11, 28, 9, 0, 0, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Written:
    turn: str
    evidence: dict
    at: datetime = BEGAN


def after(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def unwatched(since: float | None, until: float, path: str = FILE) -> Written:
    since_at = None if since is None else after(since).isoformat()
    row = Unwatched(since_at, after(until).isoformat(), (path,))
    return Written(row.turn.value, row.evidence())


STARTED = Written("recording_started", {"path": FILE})


@pytest.mark.parametrize(
    ("rows", "seconds", "ended", "gone"),
    [
        ([STARTED], 60, 60, []),
        ([STARTED, unwatched(20, 25)], 60, 60, [(19.7, 25.3)]),
        ([STARTED, unwatched(20, 25, "/r/other.wav")], 60, 60, []),
        ([STARTED, unwatched(None, 25)], 60, 60, [(0, 25.3)]),
        ([STARTED, unwatched(-5, 1)], 60, 60, [(0, 1.3)]),
        ([STARTED, unwatched(55, 70)], 60, 60, [(54.7, 60)]),
        ([STARTED, unwatched(65, 70)], 60, 60, []),
        # Three seconds of a minute are not in the file, and nobody knows where they were lost.
        ([STARTED, unwatched(20, 25)], 57, 60, [(16.7, 25.3)]),
        # It began before anybody saw it.
        ([Written("recording_started", {"path": FILE}, after(10)), unwatched(5, 10)], 70, 60, [(14.7, 20.3)]),
        ([unwatched(20, 25)], 60, 60, [(19.7, 25.3)]),
        ([STARTED, unwatched(1, 2), unwatched(8, 9)], 60, 60, [(0.7, 2.3), (7.7, 9.3)]),
    ],
)
def test_p10_where_in_a_file_it_is(rows: list, seconds: float, ended: float, gone: list) -> None:
    found = spans(rows, FILE, seconds, after(ended))
    assert [pytest.approx(span) for span in found] == gone


@given(lost=st.floats(0, 20), lost_at=st.floats(0, 100), since=st.floats(0, 100), length=st.floats(0, 30))
def test_p10_wherever_frames_were_lost_it_is_in_the_span(
    lost: float, lost_at: float, since: float, length: float
) -> None:
    """What was said at a moment lies in the file that moment after its beginning, less what was lost before it."""
    seconds = 130 - lost

    def in_file(at: float) -> float:
        return at - (min(lost, max(0.0, at - lost_at)))

    ((first, last),) = spans([STARTED, unwatched(since, since + length)], FILE, seconds, after(130))
    assert first <= in_file(since)
    assert last >= min(seconds, in_file(since + length)) - 1e-9


def test_whoever_ends_leaves_silence_and_whoever_comes_back_ends_it() -> None:
    state = TalkState("v", "c", "/r/v", "q", ConsentDecision.GIVEN, True, "quality", files=(FILE,), unclosed=(FILE,))
    now = Situation((AGENT,), recorders=(RECORDER,))
    state, _ = step(POLICY, state, Changed(now))
    state, actions = step(POLICY, state, WatchEnds())
    assert do.Mask((RECORDER,), on=True) in actions
    state, actions = step(POLICY, state, Silenced((RECORDER,), stopped=False, took_ms=1))
    assert [action.row.evidence()["why"] for action in actions if isinstance(action, do.Write)] == ["nobody_watches"]
    back = TalkState(
        "v", "c", "/r/v", "q", ConsentDecision.GIVEN, True, "quality", files=(FILE,), unclosed=(FILE,),
        span="nobody_watches", was_silent=True,
    )  # fmt: skip
    back, actions = step(POLICY, back, Changed(now))
    assert do.Mask((RECORDER,), on=False) in actions
    assert back.span == "nobody_watches", "not said before it is so"
    back, actions = step(POLICY, back, Sounding((RECORDER,)))
    assert Unmasked("nobody_watches", ()) in [action.row for action in actions if isinstance(action, do.Write)]


def test_by_law_it_goes_on_while_nobody_watches() -> None:
    law = TalkPolicy(RecordingMode.PERMANENT, "quality")
    state = TalkState("v", "c", "/r/v", "q", ConsentDecision.NOT_OBTAINED, True, files=(FILE,), unclosed=(FILE,))
    state, _ = step(law, state, Changed(Situation((AGENT,), recorders=(RECORDER,))))
    assert step(law, state, WatchEnds())[1] == ()
