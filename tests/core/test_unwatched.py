"""P10 and P11: what ran while nobody watched may hold whoever is there when the watch is back."""

from __future__ import annotations

import pytest

from consentivr.core import actions as do
from consentivr.core.consent import ConsentDecision
from consentivr.core.conversation import step
from consentivr.core.events import Changed, Party, Silenced, Situation, Sounding, WatchEnds
from consentivr.core.policy import Outsiders, RecordingMode, TalkPolicy
from consentivr.core.state import TalkState
from consentivr.core.switchboard import Recorder
from consentivr.core.turns import ForbiddenRecording, Unmasked
from consentivr.core.verdict import Permission

FILE = "/r/v.wav"
RECORDER = Recorder(FILE, "c")
AGENT = Party("a", "agent", "1001@default", Permission.AGREED)
POLICY = TalkPolicy(RecordingMode.CALLER_OPT_IN, "quality", agents_must_agree=False)


def taken_up(*parties: Party, known: bool = True, policy: TalkPolicy = POLICY, unwatched: bool = True) -> list[type]:
    """What follows when a talk is taken up whose recorder sounded."""
    state = TalkState("v", "c", "/r/v", "q", ConsentDecision.GIVEN, True, "quality", files=(FILE,), unclosed=(FILE,))
    now = Situation(parties, recorders=(RECORDER,), known=known)
    state, actions = step(policy, state._replace(unwatched=unwatched), Changed(now))
    assert state.unwatched is (unwatched and not known)
    return [type(action.row if isinstance(action, (do.Write, do.Alarm)) else action) for action in actions]


@pytest.mark.parametrize(
    "stranger",
    [
        Party("x", "unknown", None, Permission.UNKNOWN),
        Party("x", "caller", None, Permission.REFUSED),
    ],
    ids=["outsider", "another caller who said no"],
)
def test_a_stranger_who_is_heard_takes_the_file_away(stranger: Party) -> None:
    said = taken_up(AGENT, stranger)
    assert {ForbiddenRecording, do.Stop, do.Erase} <= set(said)


@pytest.mark.parametrize(
    ("parties", "more"),
    [
        ((AGENT,), {}),
        ((AGENT, Party("x", "listener", None, Permission.UNKNOWN)), {}),
        ((AGENT, Party("x", "unknown", None, Permission.UNKNOWN)), {"known": False}),
        ((AGENT, Party("x", "unknown", None, Permission.UNKNOWN)), {"unwatched": False}),
        (
            (AGENT, Party("x", "unknown", None, Permission.UNKNOWN)),
            {"policy": POLICY.__class__(RecordingMode.PERMANENT, "quality")},
        ),
        (
            (AGENT, Party("x", "unknown", None, Permission.UNKNOWN)),
            {"policy": POLICY.__class__(RecordingMode.CALLER_OPT_IN, "quality", outsiders=Outsiders.ALLOW)},
        ),
    ],
    ids=["nobody strange", "a silent listener", "not known yet", "watched all the time", "by law", "allowed"],
)
def test_nobody_else_does(parties: tuple[Party, ...], more: dict) -> None:
    assert do.Erase not in taken_up(*parties, **more)


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
