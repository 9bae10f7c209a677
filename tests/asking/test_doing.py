"""What each action says to the switch, on a session whose other end is read."""

from __future__ import annotations

from typing import get_args

import pytest

from consentivr.asking.doing import EXPORTED, PERFORM, UNHEEDED
from consentivr.core import actions as do
from consentivr.core import events as ev
from consentivr.core.policy import Announcement
from consentivr.esl.errors import SessionClosed
from tests.asking.lines import UUID, VISIT, channel, event, line, without
from tests.asking.saying import saying


def test_every_action_but_write_is_in_the_table() -> None:
    assert set(PERFORM) == set(get_args(do.AskingAction)) - {do.Write}


def test_taking_over_moves_the_watchdog_in_a_group_of_its_own() -> None:
    made = channel()
    with saying(made) as said:
        sent = said.perform(do.TakeOver())
    declined = [command.removeprefix("filter Application -") for command in sent if "filter Application" in command]
    assert declined == [*UNHEEDED, "playback"]
    assert [command for command in sent if not command.startswith("filter")] == [
        f"api uuid_setvar_multi {UUID} consent_visit={VISIT};playback_terminators=none;consent_proof=;"
        "consent_called_at=",
        f"api sched_del consentivr-{UUID}",
        f"api sched_api +{made.line.watchdog_s} consentivr-{UUID} uuid_transfer {UUID} "
        "consentivr-support-fallback XML public",
        "answer",
    ]
    with saying(channel(line(hear_to_end=True))) as said:
        assert "filter Application -playback" not in said.perform(do.TakeOver()), "its end is waited for"


def test_an_announcement_is_played_if_there_is_one() -> None:
    with saying(channel(without(line(), Announcement.WELCOME))) as said:
        assert said.perform(do.Play(Announcement.TOLD)) == ["playback /s/8000/told.wav"]
        assert said.perform(do.Play(Announcement.WELCOME)) == []
        assert said.perform(do.Play(Announcement.WELCOME, skippable=True)) == []
        assert (said.outcome, said.doing.deadline_s) == (None, None)


def test_any_key_ends_an_announcement_after_the_decision_and_none_from_before_it() -> None:
    with saying() as said:
        sent = said.perform(do.Play(Announcement.REFUSED, skippable=True))
        assert sent == [
            "flush_dtmf",
            "play_and_get_digits 1 1 1 1 # /s/8000/refused.wav silence_stream://10 consent_skipped . 1",
        ]
        ended = event("CHANNEL_EXECUTE_COMPLETE", Application_UUID=said.uuids[0])
        assert said.hearing.meaning(ended) is None, "the queue follows anyway"


def test_the_end_of_an_announcement_is_waited_for() -> None:
    with saying(channel(without(line(), Announcement.WELCOME))) as said:
        (sent,) = said.perform(do.PlayToEnd(Announcement.ACCEPTED))  # and no key before it is thrown away
        assert sent.startswith(
            "play_and_get_digits 1 1 1 1 # /s/8000/accepted.wav silence_stream://10 consent_skipped . "
        )
        assert said.outcome is None
        assert said.doing.deadline_s == 2 + 5
        ended = event("CHANNEL_EXECUTE_COMPLETE", Application_UUID=said.uuids[0])
        assert said.hearing.meaning(ended) == ev.Announced()
        assert said.perform(do.PlayToEnd(Announcement.WELCOME)) == []
        assert said.outcome == ev.Announced(), "there is nothing to wait for"


def test_p2_a_question_begins_without_what_was_pressed_before() -> None:
    with saying() as said:
        sent = said.perform(do.Ask(2))
        assert sent[0] == "multiset ^^|read_result=|playback_last_offset_pos=|consent_key_2="
        assert sent[1] == "flush_dtmf"
        assert sent[2] == (
            "play_and_get_digits 1 1 1 5000 # /s/8000/question.wav silence_stream://10 consent_key_2 [19] 5000"
        )
        assert said.doing.deadline_s is not None
        assert said.doing.deadline_s > 2 + 5
        ended = event(
            "CHANNEL_EXECUTE_COMPLETE",
            Application_UUID=said.uuids[0],
            variable_read_result="success",
            variable_consent_key_2="1",
        )
        found = said.hearing.meaning(ended)
        assert isinstance(found, ev.Answered)
        assert (found.number, found.attempt.key) == (2, "1")


def test_a_question_that_must_be_heard_to_its_end_is_played_first() -> None:
    with saying(channel(line(hear_to_end=True))) as said:
        sent = said.perform(do.Ask(1))
    assert sent[2:] == [
        "playback /s/8000/question.wav",
        "play_and_get_digits 1 1 1 5000 # silence_stream://10 silence_stream://10 consent_key_1 [19] 5000",
    ]


def test_permitting_and_arming() -> None:
    made = channel()
    with saying(made) as said:
        (permit,) = said.perform(do.PermitRecording())
        assert permit.startswith("multiset ^^|RECORD_STEREO=true|RECORD_BRIDGE_REQ=true|")
        for word in ("RECORD_APPEND=false", "recording_follow_transfer=false", "RECORD_TOGGLE_ON_REPEAT=false"):
            assert word in permit, "a global variable of that name must not change our recordings"
        assert f"|consent_record_file={made.recording_path}|consent_no_record=false" in permit
        assert said.perform(do.ArmRecorder()) == [f"record_session {made.recording_path}"]


def test_taking_back_stops_and_forbids_at_once() -> None:
    """By api, which works while ``callcenter`` waits (FREESWITCH.md, section 2)."""
    with saying() as said:
        assert said.perform(do.TakeBack()) == [
            f"api uuid_setvar_multi {UUID} consent_no_record=true;"
            f"consent_record_file=/dev/null/no-record/{UUID}.wav;consent_decision=withdrawn",
            f"api uuid_record {UUID} stop all",
        ]


@pytest.mark.parametrize(
    ("word", "whisper"),
    [("given", "agent_recorded"), ("refused", "agent_not_recorded"), (do.NOT_PROVEN, "agent_not_recorded")],
)
def test_joining_the_queue_takes_the_watchdog_off_last(word: str, whisper: str) -> None:
    made = channel(variable_cc_export_vars="crm_id,consent_decision", variable_playback_terminators="#")
    with saying(made) as said:
        sent = said.perform(do.JoinQueue(word))
        assert sent == [
            f"multiset ^^|cc_export_vars=crm_id,consent_decision,consent_no_record,{','.join(EXPORTED[2:])}"
            f"|cc_outbound_announce=/s/8000/{whisper}.wav|consent_decision={word}|consent_handled=true"
            "|playback_terminators=#",
            "callcenter support@default",
            f"api sched_del consentivr-{UUID}",
        ]
        assert said.doing.deadline_s is not None


def test_p4_what_others_set_on_the_channel_is_put_back() -> None:
    with saying(channel(without(line(), Announcement.AGENT_NOT_RECORDED))) as said:
        sent = said.perform(do.JoinQueue("refused"))
        assert "cc_outbound_announce" not in sent[0], "an announcement of others is left alone"
        assert sent[0].endswith("|playback_terminators="), "unset, as it was"
        assert f"cc_export_vars={','.join(EXPORTED)}|" in sent[0]
        assert {"sip_disable_recording", "digits_dialed_filter", "RECORD_HANGUP_ON_ERROR"} < set(EXPORTED)


def test_letting_go_closes_and_waits_for_nothing() -> None:
    with saying() as said:
        said.perform(do.PlayToEnd(Announcement.ACCEPTED))
        said.doing.perform(do.LetGo())
        assert said.hearing.meaning(event("CHANNEL_EXECUTE_COMPLETE", Application_UUID=said.uuids[0])) is None
        with pytest.raises(SessionClosed):
            said.session.api("status")
        assert said.switch.recv(1) == b"", "the switch sees it closed"
