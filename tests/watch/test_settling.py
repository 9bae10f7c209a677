"""Every visit has one decision and one end, whoever lost them (promise P11): each rule, and each race."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from consentivr import switch
from consentivr.core.confirmations import WITHDRAWN as ERASED_AS_WITHDRAWN
from consentivr.core.consent import ConsentDecision
from consentivr.core.policy import RecordingMode
from consentivr.core.recorders import FORBIDDEN
from consentivr.core.talk_turns import CallEnded
from consentivr.ledger import CallRef
from consentivr.recordings import recording_path
from consentivr.watch.adopting import Channel
from consentivr.watch.settling import LEFT_OVER_SECONDS, PATIENCE_SECONDS, UNSEEN, YOUNG
from tests.watch.desk import (
    AGENT,
    CALLER,
    CORE,
    ENDED,
    LATER,
    LINE,
    NO_ARRIVAL,
    OTHER,
    QUEUE,
    SWITCH,
    VISIT,
    Desk,
    Said,
    decided,
    file,
    rows,
    started,
    stopped,
)  # fmt: skip

REF = CallRef(CALLER, VISIT, LINE, QUEUE, "permanent_opt_out")
END = CallEnded("NORMAL_CLEARING", None, None)
PATIENCE, YOUNG_SECONDS = PATIENCE_SECONDS + 0.1, YOUNG.total_seconds() + 0.1


def orphan(desk: Desk, *said: Said, why: str = "the channel was gone") -> list[str]:
    """A visit with these rows, whose channel is gone; what is written of it."""
    known = rows(*said)
    desk.ledger.entries += known
    desk.settling.orphan(known, why)
    desk.passes(0.1)
    return desk.ledger.turns()[len(known) :]


def foreign(path: str = "/x/y.wav") -> Said:
    """Somebody else's recorder."""
    return "forbidden_recording", {"path": path, "leg": "agent", "why": "refused"}


# --- a visit whose channel is gone -----------------------------------------------------------

UNWATCHED = ["unwatched", "recording_stopped"]
GIVEN, WITHDRAWN = decided(), ("withdrawn", {"reason": "key", "erase": True})
KEPT = ("withdrawn", {"reason": "key", "erase": False})
MASKED, UNMASKED = ("recording_masked", {"why": "held"}), ("recording_unmasked", {"why": "held"})
PAUSED, RESUMED = ("recording_paused", {"by": "a"}), ("recording_resumed", {"by": "a"})


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ((), ["decision", "call_ended"]),
        ((NO_ARRIVAL, GIVEN), ["arrived", "call_ended"]),
        ((NO_ARRIVAL, ENDED), ["arrived", "decision"]),
        ((ENDED,), ["decision"]),
        ((GIVEN,), ["call_ended"]),
        ((GIVEN, ENDED), []),
        ((GIVEN, started()), [*UNWATCHED, "call_ended"]),
        ((GIVEN, started(), stopped()), ["call_ended"]),
        ((GIVEN, started(), MASKED), ["recording_stopped", "call_ended"]),
        ((GIVEN, started(), MASKED, UNMASKED), [*UNWATCHED, "call_ended"]),
        ((GIVEN, started(), PAUSED), ["recording_stopped", "call_ended"]),
        ((GIVEN, started(), PAUSED, RESUMED), [*UNWATCHED, "call_ended"]),
        ((started(),), [*UNWATCHED, "decision", "call_ended"]),
    ],
)
def test_p11_what_is_missing_is_written(desk: Desk, said: tuple[Said, ...], written: list[str]) -> None:
    assert orphan(desk, *said) == written


def test_the_rows_say_where_and_why(desk: Desk) -> None:
    orphan(desk, NO_ARRIVAL, ("agent_answered", {"agent_uuid": AGENT, "agent": "1001@default"}), started(), why="gone")
    (unwatched,), (stop,) = desk.ledger.said("unwatched"), desk.ledger.said("recording_stopped")
    assert unwatched["paths"] == [file()]
    assert stop == {"path": file(), "duration_ms": None, "completion_cause": "cut"}
    (arrived,), (end,) = desk.ledger.said("arrived"), desk.ledger.said("call_ended")
    assert arrived["switch"], arrived["core"] == (SWITCH, CORE)
    assert (end["agent"], end["why"]) == ("1001@default", "gone")
    assert desk.ledger.entries[-1].about == REF


def test_all_that_wait_are_read_with_one_question(desk: Desk) -> None:
    for visit, channel in ((VISIT, CALLER), (LATER, OTHER)):
        known = rows(visit=visit, channel=channel)
        desk.ledger.entries += known
        desk.settling.orphan(known, "gone")
        desk.settling.orphan(known, "gone")
    desk.passes(1)
    assert desk.ledger.questions == [(VISIT, LATER)]
    for visit in (VISIT, LATER):
        assert desk.ledger.turns(visit).count("call_ended") == 1


def test_rows_that_came_since_count(desk: Desk) -> None:
    """Seen: another had said it meanwhile, and the visit had two ends."""
    old = rows()
    desk.ledger.entries += rows(GIVEN, ENDED)
    desk.settling.orphan(old, "gone")
    desk.passes(1)
    assert desk.ledger.turns() == ["arrived", "decision", "call_ended"]


def test_whole_as_it_is_it_is_not_even_read(desk: Desk) -> None:
    orphan(desk, GIVEN, ENDED)
    assert desk.ledger.questions == []


def test_rows_that_are_handed_in_and_cannot_be_read_yet_are_waited_for(desk: Desk) -> None:
    desk.ledger.behind.add(VISIT)
    assert orphan(desk) == []
    desk.passes(YOUNG_SECONDS)
    assert not any(desk.ledger.questions)
    desk.ledger.behind.clear()
    desk.ledger.entries += rows(NO_ARRIVAL, GIVEN, ENDED)
    desk.passes(YOUNG_SECONDS)
    assert desk.ledger.turns() == ["arrived", "decision", "call_ended"]


def test_whoever_is_behind_holds_up_nobody_else(desk: Desk) -> None:
    desk.ledger.behind.add(LATER)
    desk.settling.orphan(rows(visit=LATER, channel=OTHER), "gone")
    assert orphan(desk) == ["decision", "call_ended"]


@pytest.mark.parametrize("when", ["before its rows are read", "while they are read", "being read itself"])
def test_who_is_taken_up_meanwhile_does_not_end(desk: Desk, when: str) -> None:
    if when == "being read itself":
        desk.has(CALLER, variables=desk.calls())
        desk.following.adopting.take_up(Channel(CALLER, desk.switch.variables[CALLER].get), QUEUE, None)
        desk.following.agenda.clear()  # and the ledger takes its time
    elif when == "before its rows are read":
        desk.follows()
    else:
        desk.ledger.meanwhile = lambda: desk.follows() and None
    desk.settling.orphan(rows(), "gone")
    desk.passes(1)
    assert "call_ended" not in desk.ledger.turns()


def test_who_follows_in_another_visit_of_the_channel_is_no_reason_to_wait(desk: Desk) -> None:
    desk.follows(visit=LATER)
    assert orphan(desk) == ["decision", "call_ended"]


def test_a_ledger_that_is_down_is_left_to_the_next_start(desk: Desk) -> None:
    desk.ledger.down = True
    assert orphan(desk) == []
    desk.ledger.down = False
    desk.passes(60)
    assert desk.ledger.turns() == ["arrived"]


# --- its files -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "unwatched"),
    [
        ((started(),), True),
        ((started(), MASKED), False),
        ((started(), ("unwatched", {"paths": [file()]}), MASKED), True),
    ],
)
def test_an_open_file_is_sealed(desk: Desk, said: tuple[Said, ...], unwatched: bool) -> None:
    """``unwatched``: what sounded while nobody watched is taken out of it first."""
    orphan(desk, GIVEN, *said)
    assert desk.sealer.sealed == [(VISIT, file(), unwatched)]


def test_what_is_recorded_by_law_is_kept_whole(desk: Desk) -> None:
    desk.decides(RecordingMode.PERMANENT)
    assert orphan(desk, decided("not_obtained"), started()) == ["recording_stopped", "call_ended"]
    assert desk.sealer.sealed == [(VISIT, file(), False)]


def test_what_is_complete_is_not_sealed_again(desk: Desk) -> None:
    orphan(desk, GIVEN, started(), stopped(), started(2))
    assert desk.sealer.sealed == [(VISIT, file(2), True)]


@pytest.mark.parametrize("recorded", [0, 1, 2])
def test_what_nobody_saw_begin_or_end_is_erased(desk: Desk, recorded: int) -> None:
    """The recorder may have begun after the last row: at the places that come next."""
    known = rows(GIVEN)
    places = [recording_path("/r", VISIT, known[0].at.date(), number) for number in range(1, 5)]
    for path in places[:recorded]:
        known += rows(NO_ARRIVAL, ("recording_started", {"path": path}), ("recording_stopped", {"path": path}))
    desk.ledger.entries += known
    desk.settling.orphan(known, "gone")
    desk.passes(1)
    assert desk.sealer.erased == [(VISIT, tuple(places[recorded : recorded + 2]), UNSEEN, True)]


@pytest.mark.parametrize("decision", ["refused", "not_obtained"])
def test_who_did_not_agree_left_nothing_of_ours(desk: Desk, decision: str) -> None:
    orphan(desk, decided(decision))
    assert desk.sealer.erased == []


def test_a_yes_taken_back_is_erased_if_that_was_wanted(desk: Desk) -> None:
    orphan(desk, GIVEN, started(), stopped(), started(2), WITHDRAWN)
    assert (VISIT, (file(1), file(2)), ERASED_AS_WITHDRAWN, True) in desk.sealer.erased
    assert desk.sealer.sealed == [(VISIT, file(2), True)]


def test_a_yes_taken_back_is_kept_where_the_house_keeps_it(desk: Desk) -> None:
    orphan(desk, GIVEN, started(), stopped(), KEPT)
    assert desk.sealer.erased == []


def test_what_others_recorded_without_permission_is_erased_if_it_is_there_still(desk: Desk) -> None:
    orphan(desk, decided("refused"), foreign())
    assert desk.sealer.erased == [(VISIT, ("/x/y.wav",), FORBIDDEN, False)]


@pytest.mark.parametrize("turn", ["recording_erased", "quarantined"])
def test_what_is_erased_or_put_away_is_left_alone(desk: Desk, turn: str) -> None:
    orphan(desk, decided("refused"), foreign(), (turn, {"path": "/x/y.wav", "to": "/q/y.wav"}))
    assert desk.sealer.erased == []


# --- a visit that ended while it was followed, undecided as far as we know -------------------


def test_whoever_asked_has_a_while_to_hand_in_what_they_decided(desk: Desk) -> None:
    desk.ledger.entries += rows()
    desk.settling.over(REF, END)
    desk.passes(PATIENCE_SECONDS - 0.1)
    assert desk.ledger.turns() == ["arrived"]
    desk.ledger.entries += rows(NO_ARRIVAL, GIVEN)
    desk.passes(0.3)
    assert desk.ledger.turns() == ["arrived", "decision", "call_ended"]
    assert desk.ledger.said("call_ended")[0]["hangup_cause"] == "NORMAL_CLEARING"


def test_a_followed_visit_that_is_over_was_watched(desk: Desk) -> None:
    """To its end: nothing of it is taken out, nothing erased for want of a row."""
    desk.ledger.entries += rows(GIVEN, started())
    desk.settling.over(REF, END)
    desk.passes(PATIENCE)
    assert desk.ledger.turns()[3:] == ["recording_stopped", "call_ended"]
    assert desk.sealer.sealed == [(VISIT, file(), False)]
    assert desk.sealer.erased == []


def test_a_visit_of_which_there_is_no_row_has_all_of_them_in_the_end(desk: Desk) -> None:
    desk.settling.over(REF, END)
    desk.passes(PATIENCE)
    assert desk.ledger.turns() == ["arrived", "decision", "call_ended"]


# --- a visit that goes on, and that nobody has decided ---------------------------------------


def undecided(desk: Desk, *said: Said) -> Any:
    """Followed, in the queue; its rows are these."""
    visit = desk.follows(decision=None)
    desk.following.agenda.clear()
    desk.ledger.entries = rows(*said)
    desk.settling.later(visit)
    return visit


REASONS = {
    RecordingMode.OFF: "mode_off",
    RecordingMode.PERMANENT: "legal_basis",
    RecordingMode.PERMANENT_OPT_OUT: "application_failed",
    RecordingMode.MANUAL: "application_failed",
}


@pytest.mark.parametrize("mode", REASONS)
def test_p11_who_is_in_the_queue_undecided_is_decided_about(desk: Desk, mode: RecordingMode) -> None:
    visit = undecided(desk)
    desk.decides(mode)
    desk.passes(PATIENCE_SECONDS - 0.1)
    assert desk.ledger.turns() == ["arrived"]
    desk.passes(0.2)
    (said,) = desk.ledger.said("decision")
    assert (said["decision"], said["reason"]) == ("not_obtained", REASONS[mode])
    assert said["verdict"]["record"] is (mode is RecordingMode.PERMANENT)
    assert visit.state.decision is ConsentDecision.NOT_OBTAINED
    desk.passes(60)
    assert desk.ledger.turns().count("decision") == 1


def test_who_was_never_asked_is_said_so(desk: Desk) -> None:
    undecided(desk, ("arrived", {"switch": SWITCH, "core": CORE, "asked": False}))
    desk.passes(PATIENCE)
    assert desk.ledger.said("decision")[0]["reason"] == "not_asked"


def test_who_is_still_being_asked_is_left_alone(desk: Desk) -> None:
    visit = undecided(desk)
    visit.member = None
    desk.passes(60)
    assert desk.ledger.turns() == ["arrived"]
    assert visit.state.decision is None


def test_who_talks_is_decided_about_as_who_waits(desk: Desk) -> None:
    visit = undecided(desk)
    visit.member, visit.state = None, visit.state._replace(talking=True)
    desk.passes(PATIENCE)
    assert desk.ledger.turns() == ["arrived", "decision"]


def test_whoever_decided_meanwhile_has_decided(desk: Desk) -> None:
    visit = undecided(desk)
    desk.ledger.entries += rows(NO_ARRIVAL, GIVEN)
    desk.passes(PATIENCE)
    assert desk.ledger.turns() == ["arrived", "decision"]
    assert visit.is_decided
    assert visit.state.decision is None, "its word comes with its channel's, never from here"
    assert not visit.is_known, "and is read, whoever finds its channel next"


def test_who_is_known_to_be_decided_is_not_read(desk: Desk) -> None:
    visit = undecided(desk)
    visit.is_decided = True
    desk.ledger.questions.clear()
    desk.passes(60)
    assert desk.ledger.questions == []


def test_an_arrival_that_was_lost_is_written_beside_its_decision(desk: Desk) -> None:
    undecided(desk, NO_ARRIVAL, GIVEN)
    desk.passes(PATIENCE)
    assert desk.ledger.turns() == ["decision", "arrived"]


@pytest.mark.parametrize("hindrance", ["behind", "down"])
def test_a_ledger_that_cannot_say_is_asked_again(desk: Desk, hindrance: str) -> None:
    undecided(desk)
    if hindrance == "down":
        desk.ledger.down = True
    else:
        desk.ledger.behind.add(VISIT)
    desk.passes(3 * PATIENCE)
    assert desk.ledger.turns() == ["arrived"]
    desk.ledger.down = False
    desk.ledger.behind.clear()
    desk.passes(2 * PATIENCE)
    assert desk.ledger.turns() == ["arrived", "decision"]


def test_who_is_gone_by_then_is_told_nothing(desk: Desk) -> None:
    visit = undecided(desk)
    desk.ledger.meanwhile = desk.following.visits.clear
    desk.passes(PATIENCE)
    assert visit.state.decision is None


# --- visits that may have begun just now, and those that nobody follows ----------------------


def young(desk: Desk) -> None:
    known = rows(old=1)
    desk.ledger.entries += known
    desk.settling.young(known, "the channel was gone")


NOW: dict[str, tuple[Callable[[Desk], object], str | None]] = {
    "gone": (lambda desk: None, "the channel was gone"),
    "there": (lambda desk: desk.has(CALLER), None),
    "the switch does not say": (lambda desk: desk.switch.said.update({switch.exists(CALLER): "-ERR no reply"}), None),
    "followed": (lambda desk: desk.follows(), None),
    "on another visit": (lambda desk: desk.follows(visit=LATER), "another visit began"),
}


@pytest.mark.parametrize("now", NOW)
def test_a_young_visit_is_looked_at_once_more(desk: Desk, now: str) -> None:
    """A list can be older than the visit."""
    young(desk)
    desk.passes(YOUNG_SECONDS - 1)
    assert desk.switch.asked("uuid_exists") == []
    happens, why = NOW[now]
    happens(desk)
    desk.passes(1.1)
    assert [said["why"] for said in desk.ledger.said("call_ended")] == ([] if why is None else [why])


OLD = LEFT_OVER_SECONDS + 1
LEFT: dict[str, tuple[Callable[[Desk], object], bool]] = {
    "as it is": (lambda desk: None, True),
    "with an end": (lambda desk: desk.ledger.entries.extend(rows(NO_ARRIVAL, ENDED)), True),
    "too young": (lambda desk: desk.ledger.entries.__setitem__(slice(None), rows(old=LEFT_OVER_SECONDS - 5)), False),
    "followed": (lambda desk: desk.follows(decision=None), False),
    "on another switch": (lambda desk: desk.ledger.entries[0].evidence.update(switch="switch-b"), False),
    "its channel is there": (lambda desk: desk.has(CALLER), False),
    "ledger down": (lambda desk: setattr(desk.ledger, "down", True), False),
    "long ago": (lambda desk: desk.ledger.entries.__setitem__(slice(None), rows(old=2 * 3600)), False),
}


@pytest.mark.parametrize("how", LEFT)
def test_a_visit_that_nobody_follows_is_found(desk: Desk, how: str) -> None:
    """Also one that has an end and no decision: whoever asked died after its end was written."""
    desk.ledger.entries += rows(("arrived", {"switch": SWITCH, "core": CORE}), old=OLD)
    change, found = LEFT[how]
    change(desk)
    desk.following.agenda.clear()
    desk.following.beside(desk.settling.left_over)
    desk.passes(1)
    assert ({"decision", "call_ended"} <= set(desk.ledger.turns())) is found


# --- seals that were lost --------------------------------------------------------------------

SEALED = ("recording_sealed", {"path": file(), "sha256": "0"})


@pytest.mark.parametrize(
    ("said", "sealed"),
    [
        ((started(), stopped()), [(VISIT, file(), False)]),
        ((started(), ("unwatched", {"paths": [file()]}), stopped()), [(VISIT, file(), True)]),
        ((started(), stopped(), SEALED), []),
        ((started(), stopped(), ("recording_erased", {"path": file()})), []),
        ((foreign(file()), stopped()), []),
        ((started(), stopped(), started(2)), [(VISIT, file(), False)]),
    ],
)
def test_what_had_ended_and_lost_its_seal_is_sealed(desk: Desk, said: tuple[Said, ...], sealed: list[Any]) -> None:
    desk.ledger.entries += rows(GIVEN, *said, old=60)
    desk.following.watched_until = desk.following.began - 30
    desk.settling.unsealed()
    assert desk.sealer.sealed == sealed


@pytest.mark.parametrize(("watched_s_ago", "sealed"), [(None, False), (0, True), (30, True), (-20, False)])
def test_what_ended_long_before_nobody_watched_was_sealed_by_who_watched(
    desk: Desk, watched_s_ago: float | None, sealed: bool
) -> None:
    """Within a minute: it ended 50 s before this watch began."""
    desk.ledger.entries += rows(GIVEN, started(), stopped(), old=50)
    began = desk.following.began
    desk.following.watched_until = None if watched_s_ago is None else began - watched_s_ago
    desk.settling.unsealed()
    assert bool(desk.sealer.sealed) is sealed


def test_what_ended_since_we_watch_is_sealed_as_ever(desk: Desk) -> None:
    desk.ledger.entries += rows(GIVEN, started(), stopped(), old=50)
    desk.following.began -= 100
    desk.following.watched_until = desk.following.began - 1
    desk.settling.unsealed()
    assert desk.sealer.sealed == []


def test_without_a_ledger_no_seal_is_looked_for(desk: Desk) -> None:
    desk.ledger.down = True
    desk.following.watched_until = 1.0
    desk.settling.unsealed()
    assert desk.sealer.sealed == []
