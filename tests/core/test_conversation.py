"""The conversation in words: what follows from what, one story a test. Every story is played in ``tests.core.room``."""

from __future__ import annotations

from dataclasses import replace

import pytest

from consentivr.core import actions as do
from consentivr.core import events as ev
from consentivr.core import talk_turns
from consentivr.core.consent import ConsentDecision
from consentivr.core.conversation import step
from consentivr.core.policy import AgentWish, Announcement, Outsiders, RecordingMode, TalkPolicy, Taps, WhileHeld
from consentivr.core.state import TalkState
from consentivr.core.turns import Withdrawn
from tests.core.moves import MOVES
from tests.core.promises import hold_settled
from tests.core.room import CALLER, NTH, OPT_OUT, Room, new_room

MANUAL = replace(OPT_OUT, mode=RecordingMode.MANUAL)
BY_LAW = TalkPolicy(RecordingMode.PERMANENT, "law")


def play(room: Room, *names: str, at_once: bool = True) -> list[str]:
    """Make the moves; the turns of the rows that follow."""
    before = len(room.rows)
    for name in names:
        MOVES[name](room)
        if at_once:
            room.settle()
            hold_settled(room)
    return [row.turn.value for row in room.rows[before:]]


def test_a_pause_outlives_that_the_yes_is_taken_back_and_given_again() -> None:
    """What the pause was for may still be said: only who resumes ends it."""
    room = new_room(OPT_OUT)
    play(room, "anna answers", "pause", "withdraw", "late_yes")
    assert room.state.paused
    assert not room.recorders()
    assert play(room, "resume") == ["recording_resumed", "recording_started"]


def test_a_recorder_that_begins_when_its_talk_is_over_is_stopped_and_the_next_talk_has_its_own() -> None:
    room = new_room(OPT_OUT)
    play(room, "anna answers", "commit", "talk_ends", "anna answers", at_once=False)
    assert [order[0] for order in room.orders] == ["start"]
    room.settle()
    hold_settled(room)
    assert [recorder.path for recorder in room.recorders()] == ["/r/visit-2.wav"]
    assert room.sealed == ("/r/visit.wav",)


def test_a_recorder_that_does_not_start_for_a_talk_that_is_over_is_no_failure_of_the_next() -> None:
    room = new_room(OPT_OUT)
    play(room, "anna answers", "commit", "talk_ends", "anna answers", "commit", "refuse", "obey", at_once=False)
    hold_settled(room)
    assert [recorder.path for recorder in room.recorders()] == ["/r/visit-2.wav"]


def test_what_would_not_stop_when_the_talk_ended_is_stopped_when_it_is_tried_again() -> None:
    room = new_room(OPT_OUT)
    play(room, "anna answers", "anna consults")
    play(room, "talk_ends", "refuse", at_once=False)
    assert room.recorders()
    play(room, "try_again")
    assert not room.recorders()


def test_p2_a_no_that_comes_while_a_late_yes_is_written_is_the_last_word() -> None:
    room = new_room(OPT_OUT, ConsentDecision.REFUSED)
    play(room, "anna answers")
    play(room, "late_yes", "withdraw", at_once=False)
    room.settle()
    hold_settled(room)
    assert not room.recorders()
    assert [row.turn.value for row in room.rows[-2:]] == ["agreed_late", "withdrawn"]


def test_p5_our_recorder_that_begins_after_the_yes_was_taken_back_is_an_incident_and_is_erased() -> None:
    room = new_room(OPT_OUT)
    play(room, "anna answers", "commit", "withdraw", at_once=False)
    assert "withdrawn" not in [row.turn.value for row in room.rows], "a recorder is about to start"
    room.settle()
    hold_settled(room)
    assert [row.turn.value for row in room.rows[-2:]] == ["forbidden_recording", "withdrawn"]
    assert set(room.erased) == {"/r/visit.wav"}
    assert room.sealed == ()


def test_p10_a_span_of_silence_is_over_when_it_is_heard_to_be() -> None:
    room = new_room(OPT_OUT)
    play(room, "anna answers", "hold")
    assert play(room, "hold", at_once=False) == []
    assert play(room, "obey", at_once=False) == ["recording_unmasked"]


def test_what_would_not_sound_again_is_tried_again() -> None:
    room = new_room(OPT_OUT)
    play(room, "anna answers", "hold")
    assert play(room, "hold", "refuse", at_once=False) == ["command_failed"]
    assert play(room, "try_again", "obey", at_once=False) == ["recording_unmasked"]
    hold_settled(room)


def test_a_pause_is_over_when_everything_is_heard_again() -> None:
    room = new_room(OPT_OUT)
    play(room, "anna answers", "others record anna", "pause", "hold", "hold")
    assert play(room, "resume", "obey", at_once=False) == []
    play(room, "obey", at_once=False)
    assert room.rows[-1].evidence() == {"by": "desktop", "paths": ["/theirs/anna.wav", "/r/visit.wav"]}


def test_a_pause_that_is_taken_back_at_once_has_no_row_nor_has_its_end() -> None:
    room = new_room(OPT_OUT)
    play(room, "anna answers")
    play(room, "pause", "resume", at_once=False)
    room.settle()
    hold_settled(room)
    assert play(room, "pause") == ["recording_paused"]
    play(room, "resume", "pause", at_once=False)
    assert play(room, "resume") == ["recording_resumed"]


def test_p6_every_recorder_that_does_not_obey_is_an_alarm_and_each_only_one() -> None:
    room = new_room(OPT_OUT)
    play(room, "anna answers", "others record anna")
    play(room, "withdraw", "refuse", "refuse", at_once=False)
    assert room.alarmed == ("/theirs/anna.wav", "/r/visit.wav")
    play(room, "try_again", "refuse", "refuse", at_once=False)
    assert len(room.alarmed) == 2
    assert play(room, "try_again") == ["withdrawn", "recording_stopped"]
    play(room, "others record anna", at_once=False)
    play(room, "refuse", at_once=False)
    assert len(room.alarmed) == 3, "another incident is another alarm"


def test_p6_what_would_not_stop_and_ends_by_itself_lets_the_withdrawal_be_said() -> None:
    room = new_room(OPT_OUT)
    play(room, "anna answers")
    play(room, "withdraw", "refuse", at_once=False)
    assert play(room, "a_recorder_ends_by_itself", at_once=False) == ["withdrawn", "recording_stopped"]
    assert room.rows[-2].evidence()["stopped_ms"] is None
    hold_settled(room)


def test_an_agent_who_left_a_conference_decides_nothing_any_more() -> None:
    room = new_room(NTH)
    play(room, "anna answers", "to_conference")
    play(room, "bert joins", "commit_as_first", at_once=False)
    room.settle()
    assert not room.recorders(), "not to be recorded with bert"
    assert play(room, "bert leaves") == ["recording_started"]


def test_an_agent_who_starts_again_after_a_failure_is_heard() -> None:
    room = new_room(MANUAL)
    play(room, "anna answers")
    assert play(room, "start", "refuse", at_once=False) == ["agent_started", "recording_failed"]
    assert play(room, "start") == ["agent_started", "recording_started"]


def test_an_agent_who_stops_a_recorder_that_is_about_to_start_is_heard() -> None:
    room = new_room(MANUAL)
    play(room, "anna answers")
    play(room, "start", "stop", at_once=False)
    room.settle()
    hold_settled(room)
    assert not room.recorders()
    assert sorted(row.turn.value for row in room.rows[-3:]) == [
        "agent_stopped",
        "recording_started",
        "recording_stopped",
    ]


def test_a_yes_whose_proof_is_read_later_counts_from_then_on() -> None:
    room = new_room(OPT_OUT, ConsentDecision.NOT_OBTAINED)
    room.state = room.state._replace(decision=ConsentDecision.GIVEN, durable=False)
    assert "recording_started" not in play(room, "anna answers")
    room.may = True
    assert play(room, "read_again_as_yes") == ["recording_started"]
    assert play(room, "read_again_as_no", "read_again_as_yes") == ["recording_stopped"]


def test_p3_a_yes_whose_rows_cannot_be_read_is_silence_until_they_are() -> None:
    """Neither is it heard, nor is it lost, nor an incident."""
    room = new_room(OPT_OUT)
    play(room, "anna answers")
    room.state = room.state._replace(durable=False, unread=True)
    room.may = False
    assert play(room, "hold", "hold") == ["recording_masked"]
    assert room.rows[-1].evidence()["why"] == "not_proven"
    room.may = True
    assert play(room, "read_again_as_yes") == ["recording_unmasked"]


def test_p3_a_yes_that_only_the_channel_tells_is_silence_and_its_no_is_a_no() -> None:
    """Taken up before it was decided; what was decided since cannot be read."""
    for word, follows in ((ConsentDecision.GIVEN, do.Mask), (ConsentDecision.REFUSED, do.Stop), (None, None)):
        room = new_room(OPT_OUT)
        play(room, "anna answers")
        state = room.state._replace(decision=None, durable=False)
        after, actions = step(OPT_OUT, state, ev.WordChanged(word, None, None))
        assert (type(actions[0]) if actions else None) is follows
        assert after.unread is (word is not None)
    assert step(OPT_OUT, room.state, ev.WordChanged(ConsentDecision.REFUSED, None, None)) == (room.state, ()), (
        "it was proven before"
    )


def test_p3_a_yes_that_its_rows_do_not_prove_is_stopped_once_they_are_read() -> None:
    room = new_room(OPT_OUT)
    play(room, "anna answers")
    room.state = room.state._replace(durable=False, unread=True)
    room.may = False
    assert play(room, "hold") == ["recording_masked"]
    room.tell(ev.WordChanged(ConsentDecision.GIVEN, False, None))
    assert play(room, "obey") == ["recording_stopped"]


def test_who_agreed_to_something_else_is_recorded_after_a_yes_to_this() -> None:
    room = new_room(OPT_OUT)
    assert play(room, "anna answers", "to a queue for another purpose")[-1] == "recording_stopped"
    assert play(room, "late_yes") == ["agreed_late", "agent_answered", "recording_started"]


def test_a_yes_that_is_taken_back_in_a_queue_by_law_stops_nothing_there_and_counts_afterwards() -> None:
    room = new_room(OPT_OUT)
    play(room, "anna answers", "to a queue by law")
    assert play(room, "withdraw") == ["withdrawn"]
    assert [recorder.path for recorder in room.recorders()] == ["/r/visit.wav"]
    play(room, "to a queue that asks")
    assert not room.recorders()


def test_p6_a_withdrawal_that_another_visit_overtakes_is_an_alarm_and_never_called_done() -> None:
    room = new_room(OPT_OUT)
    play(room, "anna answers")
    assert play(room, "withdraw", "another_visit", at_once=False)[-2:] == ["command_failed", "call_ended"]
    assert room.alarmed == ("/r/visit.wav",)


# --- keys -----------------------------------------------------------------------------------------

WITH_KEYS = replace(OPT_OUT, agent_keys=(("*3", AgentWish.PAUSE), ("*4", AgentWish.RESUME), ("*9", AgentWish.WITHDRAW)))


def press(room: Room, *pressed: tuple[str, int], by_agent: bool = False) -> None:
    for key, at_ms in pressed:
        room.tell(ev.KeyPressed(key, at_ms, by_agent))
    room.settle()
    hold_settled(room)


def test_the_agents_keys_are_the_agents() -> None:
    room = new_room(WITH_KEYS)
    play(room, "anna answers")
    room.tell(ev.KeyPressed("*", 0, by_agent=True))
    press(room, ("3", 0))
    assert not room.state.paused, "the caller's key does not end the agent's sequence"
    press(room, ("3", 100), by_agent=True)
    assert room.state.paused
    assert room.rows[-1].evidence()["by"] == "keys"
    press(room, ("*", 0), ("7", 1), ("4", 2), by_agent=True)
    assert room.state.paused, "a key between them ends the sequence"
    press(room, ("*", 0), ("4", 3001), by_agent=True)
    assert room.state.paused, "too late"
    press(room, ("*", 0), ("4", 3000), by_agent=True)
    assert not room.state.paused
    room.may = False
    press(room, ("*", 0), ("9", 1), by_agent=True)
    assert room.rows[-1].evidence()["reason"] == "by_word"


@pytest.mark.parametrize("keys", [("9",), ("*", "5"), ("*", "*"), ("*", "5", "9"), ("*", "3")])
def test_other_keys_mean_nothing_and_are_not_kept(keys: tuple[str, ...]) -> None:
    room = new_room(WITH_KEYS)
    play(room, "anna answers")
    before = room.state
    press(room, *((key, 0) for key in keys))
    assert room.state._replace(starred_ms=None) == before


@pytest.mark.parametrize(
    ("word", "policy"),
    [
        (ConsentDecision.GIVEN, OPT_OUT),
        (ConsentDecision.REFUSED, replace(OPT_OUT, late_consent_keys=None)),
        (ConsentDecision.REFUSED, replace(BY_LAW, late_consent_keys="*1")),
    ],
    ids=["agreed already", "not offered", "by law"],
)
def test_a_late_yes_is_taken_where_it_changes_something(word: ConsentDecision, policy: TalkPolicy) -> None:
    room = new_room(policy, word)
    assert play(room, "late_yes") == []


def test_what_the_law_demands_is_kept_when_a_yes_is_taken_back_and_the_row_says_so() -> None:
    room = new_room(BY_LAW, ConsentDecision.GIVEN)
    assert play(room, "anna answers", "withdraw")[-1:] == ["withdrawn"]
    taken_back = room.rows[-1]
    assert isinstance(taken_back, Withdrawn)
    assert (taken_back.erase, taken_back.kept_because) == (False, BY_LAW.legal_basis)
    assert not room.erased


def test_a_late_yes_that_cannot_be_proven_is_none() -> None:
    room = new_room(OPT_OUT, ConsentDecision.REFUSED)
    play(room, "anna answers")
    assert play(room, "late_yes", "commit_fails", at_once=False) == ["agreed_late", "recording_withheld"]
    room.settle()
    hold_settled(room)


def test_nobody_starts_where_the_mode_or_the_caller_does_not_let_them() -> None:
    for policy, word in [(OPT_OUT, ConsentDecision.GIVEN), (MANUAL, ConsentDecision.REFUSED)]:
        room = new_room(policy, word)
        assert play(room, "start", "stop", "pause", "resume") == [], "nobody talks"
        play(room, "anna answers")
        assert play(room, "start", "resume") == []


# --- erasing, taps, outsiders ---------------------------------------------------------------------


def test_a_withdrawal_that_erases_takes_every_file_of_the_visit() -> None:
    room = new_room(replace(OPT_OUT, erase_withdrawn=True))
    play(room, "anna answers", "talk_ends", "bert answers", "withdraw")
    assert sorted(room.erased) == ["/r/visit-2.wav", "/r/visit.wav"]


def test_a_withdrawal_leaves_what_a_queue_in_between_recorded_by_law() -> None:
    asks = replace(OPT_OUT, erase_withdrawn=True)
    room = new_room(asks)
    play(room, "anna answers", "talk_ends")
    room.policy = BY_LAW
    room.tell(ev.QueueEntered("law"))
    play(room, "bert answers")
    room.board.recording(CALLER, "/r/visit-2.wav", True)  # the queue's own
    room.refresh()
    play(room, "talk_ends")
    room.board.recording(CALLER, "/r/visit-2.wav", False)
    room.tell(ev.RecordingClosed("/r/visit-2.wav", 3000, "stopped"))
    room.policy = asks
    room.tell(ev.QueueEntered("other"))
    play(room, "withdraw")
    assert room.state.by_law == ("/r/visit-2.wav",)
    assert set(room.erased) == {"/r/visit.wav"}


@pytest.mark.parametrize(
    ("taps", "alarms", "ended"), [(Taps.NOTE, 0, False), (Taps.ALARM, 1, False), (Taps.END, 1, True)]
)
def test_p5_who_did_not_agree_and_is_tapped(taps: Taps, alarms: int, ended: bool) -> None:
    room = new_room(replace(OPT_OUT, taps=taps), ConsentDecision.REFUSED)
    play(room, "anna answers")
    _, actions = step(room.policy, room.state, ev.Changed(_with_ear(room)))
    assert [type(action) for action in actions].count(do.Alarm) == alarms
    (row,) = [action.row for action in actions if isinstance(action, do.Write)]
    assert row.evidence() == {"function": "eavesdrop", "leg": CALLER, "ended": False}
    assert (do.EndListening("ear", CALLER) in actions) == ended


@pytest.mark.parametrize("gone", [True, False])
def test_who_eavesdropped_is_said_to_be_gone_only_when_it_is_seen(gone: bool) -> None:
    room = new_room(replace(OPT_OUT, taps=Taps.END), ConsentDecision.REFUSED)
    play(room, "anna answers")
    _, actions = step(room.policy, room.state, ev.ListeningEnded(CALLER, gone, "-ERR"))
    rows = [action.row for action in actions if isinstance(action, do.Write)]
    if gone:
        assert rows == [talk_turns.Tapped("eavesdrop", CALLER, ended=True)]
    else:
        assert rows == [talk_turns.CommandFailed("end_listening", "-ERR", ())]
        assert do.Alarm(rows[0]) in actions


def test_who_eavesdrops_may_be_known_only_after_the_tap() -> None:
    """And nobody else is hung up for it, whoever they are."""
    room = new_room(replace(OPT_OUT, taps=Taps.END), ConsentDecision.REFUSED)
    play(room, "nobody answers")
    later = _with_ear(room)
    state, first = step(room.policy, room.state, ev.Changed(replace(later, parties=later.parties[1:], listeners=())))
    _, second = step(room.policy, state, ev.Changed(later))
    rows = [action.row.evidence()["ended"] for action in (*first, *second) if isinstance(action, do.Write)]
    assert rows == [False]
    ended = [action.leg for action in (*first, *second) if isinstance(action, do.EndListening)]
    assert ended == ["ear"]


def _with_ear(room: Room) -> ev.Situation:
    room = room.copy()
    room.board.tapped(CALLER, "eavesdrop", True)
    room.board.listening("ear", CALLER, speaks=False)
    return room.situation()


def test_an_outsider_is_announced_where_the_house_goes_on() -> None:
    room = new_room(replace(OPT_OUT, outsiders=Outsiders.ANNOUNCE))
    play(room, "anna answers")
    after = room.copy()
    after.board.listening("nobody", CALLER, speaks=True)
    _, actions = step(room.policy, room.state, ev.Changed(after.situation()))
    assert actions == (do.Announce(Announcement.OUTSIDER, both=True),)


@pytest.mark.parametrize(("held", "rows"), [(WhileHeld.SILENCE, ["recording_masked"]), (WhileHeld.RECORD, [])])
def test_what_is_recorded_while_somebody_is_on_hold(held: WhileHeld, rows: list[str]) -> None:
    room = new_room(replace(OPT_OUT, while_held=held))
    play(room, "anna answers")
    assert play(room, "hold") == rows


def test_p10_the_span_names_who_was_heard() -> None:
    room = new_room(OPT_OUT)
    play(room, "anna answers", "nobody joins")
    masked = room.rows[-1]
    assert masked.evidence() == {"why": "outsider", "parties": ["nobody"], "paths": ["/r/visit.wav"]}
    play(room, "nobody leaves")
    assert room.rows[-1].evidence() == {"why": "outsider", "parties": ["nobody"]}


# --- the end --------------------------------------------------------------------------------------


def test_who_was_never_decided_has_no_end_of_ours() -> None:
    state = TalkState("visit", CALLER, "/r/visit")
    assert step(OPT_OUT, state, ev.ChannelGone("NORMAL_CLEARING"))[1] == (
        do.Forget(talk_turns.CallEnded("NORMAL_CLEARING", None), undecided=True),
    )
    assert step(OPT_OUT, state, ev.WordChanged(None, False, None)) == (state, ())


def test_the_end_says_why_where_the_channel_goes_on() -> None:
    for name, told in [
        ("channel_gone", {"hangup_cause": "NORMAL_CLEARING", "agent": "anna@x"}),
        ("another_visit", {"hangup_cause": None, "agent": "anna@x", "why": "another visit began"}),
    ]:
        room = new_room(OPT_OUT)
        assert play(room, "anna answers", name, at_once=False)[-1] == "call_ended"
        assert room.rows[-1].evidence() == told


def test_what_was_seen_is_written_and_what_could_not_be_told_is_not_called_none() -> None:
    state = TalkState("visit", CALLER, "/r/visit")
    for recorders, number in [((), 0), (("/r/a.wav",), 1), (None, None)]:
        seen = talk_turns.LegSeen("caller", CALLER, recorders, ("eavesdrop",))
        _, (action,) = step(OPT_OUT, state, ev.LegsSeen((seen,)))
        assert isinstance(action, do.Write)
        assert action.row.evidence() == {
            "recorders": number,
            "legs": [{"leg": "caller", "channel_uuid": CALLER, "recorders": number, "taps": ["eavesdrop"]}],
        }


def test_p5_each_recorder_is_named_where_it_is() -> None:
    room = new_room(OPT_OUT, ConsentDecision.REFUSED)
    play(room, "anna answers", "others record anna", "others record caller", "ear_listens", "ear_is_recorded")
    play(room, "to_conference", "conference_is_recorded")
    where = [row.evidence()["leg"] for row in room.rows if isinstance(row, talk_turns.ForbiddenRecording)]
    assert where == ["agent", "caller", "listener", "conference"]
