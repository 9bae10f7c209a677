"""The conversation in words: what follows from what, one story a test. Every story is played in ``tests.core.room``."""

from __future__ import annotations

from dataclasses import replace

from consentivr.core.consent import ConsentDecision
from consentivr.core.policy import RecordingMode, TalkPolicy
from tests.core.moves import MOVES
from tests.core.promises import hold_settled
from tests.core.room import Room, new_room

OPT_OUT = TalkPolicy(RecordingMode.PERMANENT_OPT_OUT, "quality", late_consent_keys="*1")
MANUAL = replace(OPT_OUT, mode=RecordingMode.MANUAL)
NTH = replace(OPT_OUT, mode=RecordingMode.EVERY_NTH, every=2)
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
