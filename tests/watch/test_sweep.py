"""What a sweep finds, and what it leaves alone: one list proves nothing, the stream may be ahead of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from consentivr import switch
from consentivr.core.consent import ConsentDecision
from consentivr.core.policy import Announcement, RecordingMode
from consentivr.core.switchboard import Recorder
from consentivr.watch.settling import LEFT_OVER_SECONDS
from consentivr.watch.sweep import BEAT_SECONDS, CLOSED_SECONDS, LEGS_AT_ONCE, LOOK_SECONDS, SOON_SECONDS
from tests.watch.desk import AGENT, CALLER, FOURTH, LATER, OTHER, SOUND, VISIT, Desk, file, leg, rows

# --- how often -------------------------------------------------------------------------------


def test_it_looks_four_times_a_second_and_sweeps_as_often_as_the_house_wants(desk: Desk) -> None:
    """At the beginning twice soon: what the lists did not know yet is known then, and believed the second time."""
    begun = desk.clock.at
    swept: list[float] = []
    while desk.clock.at < begun + 21:
        desk.clock.at += LOOK_SECONDS / 10
        before = len(desk.switch.asked(switch.CHANNELS))
        desk.following._sweep.now_and_then()
        desk.work()
        swept += [desk.clock.at - begun] * (len(desk.switch.asked(switch.CHANNELS)) - before)
    pauses = [later - sooner for sooner, later in itertools.pairwise([0, *swept])]
    assert pauses == pytest.approx([SOON_SECONDS, SOON_SECONDS, 5, 5, 5], abs=2 * LOOK_SECONDS)
    beats = desk.switch.asked("global_setvar consentivr_watched_until=")
    assert 21 / (BEAT_SECONDS + 2 * LOOK_SECONDS) <= len(beats) <= 21 / BEAT_SECONDS + 1


def test_no_sweep_begins_while_another_one_or_the_return_is_under_way(desk: Desk) -> None:
    desk.following.returning.under_way = True
    desk.sweeps(3)
    assert desk.switch.commands == [], "nor is the switch told that it is watched"
    desk.following.returning.under_way = False
    desk.switch.holds_back = (switch.CHANNELS,)
    desk.sweeps(3)
    assert desk.switch.asked(switch.CHANNELS) == [switch.CHANNELS]
    desk.switch.holds_back = ()
    desk.sweeps(2)
    assert len(desk.switch.asked(switch.CHANNELS)) == 2 + 1


@pytest.mark.parametrize("said", ["-ERR no reply\n", "", "[", '{"rows": 1}', "1"])
def test_what_is_no_list_says_of_nobody_that_they_are_gone(desk: Desk, said: str) -> None:
    desk.follows()
    desk.switch.said[switch.CHANNELS] = desk.switch.said[switch.CALLS] = said
    desk.sweeps(3)
    assert desk.followed == {CALLER: VISIT}
    assert len(desk.switch.asked(switch.CHANNELS)) == 3, "and the next sweep comes"


def test_visits_that_nobody_follows_are_looked_for_once_a_minute(desk: Desk) -> None:
    desk.ledger.entries += rows(visit=LATER, channel=OTHER, old=LEFT_OVER_SECONDS + 1)
    desk.sweeps(2)
    assert desk.ledger.turns(LATER) == ["arrived"]
    desk.passes(LEFT_OVER_SECONDS)
    desk.sweeps()
    assert desk.ledger.turns(LATER) == ["arrived", "decision", "call_ended"]


# --- pauses ----------------------------------------------------------------------------------


def paused(desk: Desk) -> None:
    """In a talk with an agent and somebody else."""
    visit = desk.follows()
    desk.speaks(visit, Announcement.STILL_PAUSED)
    for other in (AGENT, OTHER):
        desk.has(other, direction="outbound")
    desk.switch.calls = [(CALLER, AGENT)]
    desk.switch.bugs[CALLER] = [("eavesdrop", CALLER)]
    desk.following.board.tapped(CALLER, "eavesdrop", on=True)
    desk.following.people.agent_found(AGENT, "1001@default")
    desk.following.refresh(desk.following.board.bridged(CALLER, AGENT))
    desk.following.refresh(desk.following.board.listening(OTHER, CALLER, speaks=True))
    desk.work()
    visit.state = visit.state._replace(paused=True)


REMINDED = switch.play_to(AGENT, SOUND, both=False)


def test_the_agent_is_reminded_of_a_pause_again_and_again_and_nobody_else(desk: Desk) -> None:
    paused(desk)
    visit = desk.following.visits[CALLER]
    visit.remind_after(30)
    for number in range(1, 4):
        desk.passes(29)
        desk.following._sweep.now_and_then()
        assert len(desk.switch.asked("uuid_broadcast")) == number - 1
        desk.passes(1)
        desk.following._sweep.now_and_then()
        assert desk.switch.asked("uuid_broadcast") == [REMINDED] * number
    assert visit.state.paused


def test_a_pause_ends_by_itself_at_its_time_and_not_at_the_first_reminder(desk: Desk) -> None:
    paused(desk)
    visit = desk.following.visits[CALLER]
    visit.remind_after(10)
    visit.resume_after(20)
    desk.passes(10)
    desk.following._sweep.now_and_then()
    assert visit.state.paused
    assert desk.switch.asked("uuid_broadcast") == [REMINDED]
    visit.remind_after(10)
    desk.passes(10)
    desk.following._sweep.now_and_then()
    desk.work()
    assert not visit.state.paused
    assert visit.resume_at is None, "once"
    assert desk.ledger.said("recording_resumed")[0]["by"] == "timer"
    assert desk.switch.asked("uuid_broadcast") == [REMINDED], "who resumes is not reminded"


def test_a_house_without_such_a_sound_reminds_nobody(desk: Desk) -> None:
    paused(desk)
    visit = desk.following.visits[CALLER]
    visit.sounds = {}
    visit.remind_after(1)
    desk.sweeps()
    assert desk.switch.asked("uuid_broadcast") == []


# --- what was not done -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("refused", "decision", "again"), [("failed", "refused", "stop"), ("mute", "given", "unmask"), ("", "refused", "")]
)
def test_what_the_switch_refused_is_tried_again(desk: Desk, refused: str, decision: str, again: str) -> None:
    visit = desk.follows(decision=decision)
    recorder = Recorder(file(), CALLER)
    desk.switch.bugs[CALLER] = [(switch.RECORDS, recorder.path)]
    desk.following.board.recording(CALLER, recorder.path, on=True)
    now = desk.following.situation(visit)
    visit.state = visit.state._replace(now=now, files=(recorder.path,), **({refused: (recorder,)} if refused else {}))
    if refused == "mute":
        visit.state = visit.state._replace(masked=(recorder,))
    desk.switch.commands.clear()
    desk.sweeps()
    assert [command.split()[2] for command in desk.switch.asked("uuid_record")][:1] == ([again] if again else [])


# --- files that end without a word -----------------------------------------------------------


def test_a_file_that_nothing_records_to_is_complete_soon_also_when_no_event_says_so(desk: Desk) -> None:
    visit = desk.follows()
    board = desk.following.board
    path = visit.state.stem + ".wav"
    visit.state = visit.state._replace(files=(path,), unclosed=(path,))
    desk.following._owners[path] = visit
    board.recording(CALLER, path, on=True)
    desk.switch.bugs[CALLER] = [(switch.RECORDS, path)]
    desk.sweeps()
    assert desk.following.vanished == {}
    desk.switch.bugs[CALLER] = []
    desk.sweeps()
    assert list(desk.following.vanished) == [path]
    assert desk.ledger.said("recording_stopped") == [], "its event may come a second late"
    desk.sweeps()
    assert [said["path"] for said in desk.ledger.said("recording_stopped")] == [path]
    assert desk.following.vanished == {}


def test_a_file_that_vanished_and_is_recorded_to_again_goes_on(desk: Desk) -> None:
    desk.follows()
    desk.following.vanished[file()] = desk.clock.at
    desk.following.board.recording(OTHER, file(), on=True)
    desk.has(OTHER, direction="outbound")
    desk.passes(CLOSED_SECONDS)
    desk.sweeps()
    assert desk.following.vanished == {}
    assert desk.ledger.said("recording_stopped") == []


# --- channels --------------------------------------------------------------------------------


def test_a_leg_that_two_lists_lack_is_gone(desk: Desk) -> None:
    desk.follows()
    desk.switch.channels.clear()
    desk.sweeps()
    assert desk.followed == {CALLER: VISIT}, "one list proves nothing"
    desk.sweeps()
    assert desk.followed == {}
    assert desk.ledger.turns()[-1] == "call_ended"


def test_lists_that_lack_a_leg_count_in_a_row_only(desk: Desk) -> None:
    desk.follows()
    there = dict(desk.switch.channels)
    for _ in range(3):
        desk.switch.channels = {}
        desk.sweeps()
        desk.switch.channels = there
        desk.sweeps()
    assert desk.followed == {CALLER: VISIT}


def test_a_leg_that_the_stream_touched_between_two_lists_is_not_gone(desk: Desk) -> None:
    desk.follows()
    desk.switch.channels.clear()
    desk.sweeps()
    desk.following.board.bridged(CALLER, AGENT)
    desk.sweeps()
    assert desk.followed == {CALLER: VISIT}


def test_a_name_that_is_no_channels_is_never_gone(desk: Desk) -> None:
    desk.following.board.recording("no channel", file(), on=True)
    desk.sweeps(3)
    assert "no channel" in desk.following.board


@pytest.mark.parametrize("holds", [True, False])
def test_a_hold_that_the_stream_lost(desk: Desk, holds: bool) -> None:
    desk.follows()
    board = desk.following.board
    board.held(CALLER, True)
    board.held(CALLER, not holds)
    desk.switch.channels[CALLER]["callstate"] = "HELD" if holds else "ACTIVE"
    desk.sweeps()
    assert board.is_on_hold(CALLER) is not holds
    desk.sweeps()
    assert board.is_on_hold(CALLER) is holds


def test_a_hold_between_two_lists_is_the_streams(desk: Desk) -> None:
    desk.follows()
    board = desk.following.board
    desk.switch.channels[CALLER]["callstate"] = "HELD"
    desk.sweeps()
    board.held(CALLER, True)
    desk.switch.channels[CALLER]["callstate"] = "ACTIVE"
    desk.sweeps()
    assert board.is_on_hold(CALLER)


def test_who_is_on_hold_and_nobody_follows_is_left_alone(desk: Desk) -> None:
    desk.has(OTHER, direction="outbound", callstate="HELD")
    desk.sweeps(3)
    assert OTHER not in desk.following.board


@pytest.mark.parametrize(
    ("application", "tapped", "listens", "silent"),
    [
        ("eavesdrop", True, True, True),
        ("three_way", True, True, False),
        ("eavesdrop", False, False, False),
        ("bridge", True, False, False),
    ],
)
def test_who_listens_in_and_whose_beginning_was_lost(
    desk: Desk, application: str, tapped: bool, listens: bool, silent: bool
) -> None:
    """Only where the leg is tapped so: the application may wait for somebody who is not there."""
    desk.follows()
    desk.has(OTHER, direction="outbound", application=application, application_data=f" {CALLER} ")
    desk.switch.bugs[CALLER] = [("eavesdrop", CALLER)] if tapped else []
    desk.sweeps(2)
    assert (desk.following.board.listens_to(OTHER) == CALLER) is listens
    assert desk.following.board.is_silent(OTHER) is silent


def test_who_listens_in_already_is_not_told_again(desk: Desk) -> None:
    """By a key an eavesdropper may have begun to speak: the list does not know."""
    desk.follows()
    desk.has(OTHER, direction="outbound", application="eavesdrop", application_data=CALLER)
    desk.switch.bugs[CALLER] = [("eavesdrop", CALLER)]
    desk.following.board.tapped(CALLER, "eavesdrop", on=True)
    desk.following.board.listening(OTHER, CALLER, speaks=True)
    desk.sweeps(2)
    assert not desk.following.board.is_silent(OTHER)


# --- callers whom nobody follows -------------------------------------------------------------


def test_a_caller_whom_nobody_follows_is_taken_up(desk: Desk) -> None:
    desk.has(CALLER, variables=desk.calls())
    desk.sweeps()
    assert desk.followed == {CALLER: VISIT}


WORDS: dict[str, Callable[[dict[str, str]], object]] = {
    "in no queue": lambda said: said.pop("cc_queue"),
    "never joined": lambda said: said.pop(switch.JOINED),
    "joined before this line": lambda said: said.update({switch.JOINED_BEFORE: said[switch.JOINED]}),
    "nobody has decided": lambda said: said.pop(switch.DECISION),
    "an error": lambda said: said.update({switch.DECISION: "-ERR no"}),
    "no line": lambda said: said.pop(switch.LINE),
}


@pytest.mark.parametrize("lacks", WORDS)
def test_who_is_still_being_asked_is_not(desk: Desk, lacks: str) -> None:
    said = desk.calls()
    WORDS[lacks](said)
    desk.has(CALLER, variables=said)
    desk.sweeps(3)
    assert desk.followed == {}


@pytest.mark.parametrize(("name", "direction"), [(CALLER, "outbound"), ("no-channel", "inbound")])
def test_who_did_not_call_is_not_asked(desk: Desk, name: str, direction: str) -> None:
    desk.has(name, direction=direction, variables=desk.calls())
    desk.sweeps(2)
    assert desk.switch.asked("uuid_getvar") == []


def test_a_caller_of_no_line_is_asked_once_and_again_when_they_go_elsewhere(desk: Desk) -> None:
    desk.has(CALLER)
    asked = []
    for change in ({}, {}, {"application": "bridge"}, {}, {"dest": "5002"}, {}):
        desk.switch.channels[CALLER].update(change)
        desk.switch.commands.clear()
        desk.sweeps()
        asked.append(bool(desk.switch.asked("uuid_getvar")))
    assert asked == [True, False, True, False, True, False]


def test_who_left_and_came_back_is_asked_again(desk: Desk) -> None:
    desk.has(CALLER)
    desk.sweeps()
    row = desk.switch.channels.pop(CALLER)
    desk.sweeps()
    desk.switch.channels[CALLER] = row
    desk.switch.commands.clear()
    desk.sweeps()
    assert desk.switch.asked("uuid_getvar")


def test_who_was_followed_from_the_lines_number_on_need_not_be_asked(desk: Desk) -> None:
    desk.follows()
    desk.sweeps(2)
    assert desk.switch.asked("uuid_getvar") == []


def test_another_queue_is_found_also_before_the_first_sweep(desk: Desk) -> None:
    """The caller went to another number before anybody swept."""
    visit = desk.follows()
    desk.decides(RecordingMode.OFF, "sales@default")
    desk.switch.channels[CALLER]["dest"] = "queue-sales"
    desk.switch.variables[CALLER]["cc_queue"] = "sales@default"
    desk.sweeps()
    assert visit.ref.queue == "sales@default"
    assert visit.policy.mode is RecordingMode.OFF


def test_a_followed_caller_without_a_decision_is_asked_until_there_is_one(desk: Desk) -> None:
    visit = desk.follows(decision=None)
    desk.following.agenda.clear()
    desk.sweeps(2)
    assert len(desk.switch.asked(switch.variable_of(CALLER, switch.DECISION))) == 2
    desk.switch.variables[CALLER][switch.DECISION] = "refused"
    desk.sweeps()
    assert visit.state.decision is ConsentDecision.REFUSED
    desk.switch.commands.clear()
    desk.sweeps(2)
    assert desk.switch.asked("uuid_getvar") == []


def test_another_visit_of_the_same_channel_is_found(desk: Desk) -> None:
    desk.follows()
    desk.switch.channels[CALLER]["dest"] = "5002"
    desk.switch.variables[CALLER] = desk.calls(LATER, decision="refused")
    desk.sweeps()
    assert desk.followed == {CALLER: LATER}
    assert desk.ledger.turns()[-1] == "call_ended"


# --- bridges ---------------------------------------------------------------------------------


def bridged(desk: Desk, *pairs: tuple[str, str], board: tuple[str, str] | None = None) -> None:
    desk.follows()
    for other in (AGENT, OTHER, FOURTH):
        desk.has(other, direction="outbound")
    if board:
        desk.following.board.bridged(*board)
    desk.switch.calls = list(pairs)


def test_a_bridge_that_two_lists_have(desk: Desk) -> None:
    bridged(desk, (CALLER, AGENT))
    desk.sweeps()
    assert desk.following.board.partner(CALLER) is None
    desk.sweeps()
    assert desk.following.board.partner(CALLER) == AGENT


def test_a_bridge_is_found_from_either_side(desk: Desk) -> None:
    bridged(desk, (AGENT, CALLER))
    desk.sweeps(2)
    assert desk.following.board.room(CALLER) == {CALLER, AGENT}


def test_two_lists_with_two_partners_say_nothing_yet(desk: Desk) -> None:
    bridged(desk, (CALLER, AGENT))
    desk.sweeps()
    desk.switch.calls = [(CALLER, OTHER)]
    desk.sweeps()
    assert desk.following.board.partner(CALLER) is None
    desk.sweeps()
    assert desk.following.board.partner(CALLER) == OTHER


def test_a_bridge_that_the_stream_told_between_two_lists_is_not_undone(desk: Desk) -> None:
    bridged(desk, (CALLER, AGENT), board=(CALLER, OTHER))
    desk.sweeps()
    desk.following.board.bridged(CALLER, FOURTH)
    desk.sweeps()
    assert desk.following.board.partner(CALLER) == FOURTH


@pytest.mark.parametrize("pairs", [[(CALLER, AGENT), (CALLER, OTHER)], [(CALLER, AGENT), (OTHER, AGENT)]])
def test_who_consults_is_in_two_rows_and_left_to_the_stream(desk: Desk, pairs: list[tuple[str, str]]) -> None:
    bridged(desk, *pairs, board=(CALLER, FOURTH))
    desk.sweeps(3)
    assert desk.following.board.partner(CALLER) == FOURTH


def test_who_is_in_no_bridge_in_two_lists_is_alone(desk: Desk) -> None:
    bridged(desk, board=(CALLER, AGENT))
    desk.sweeps()
    assert desk.following.board.partner(CALLER) == AGENT
    desk.sweeps()
    assert desk.following.board.room(CALLER) == {CALLER}


def test_half_a_bridge_is_none(desk: Desk) -> None:
    bridged(desk, (CALLER, ""), ("", CALLER), board=(CALLER, AGENT))
    desk.sweeps(2)
    assert desk.following.board.partner(CALLER) is None


# --- what listens ----------------------------------------------------------------------------


def test_every_leg_of_every_room_is_asked_what_listens_to_it_so_many_at_a_time(desk: Desk) -> None:
    desk.follows()
    for number in range(LEGS_AT_ONCE + 50):
        desk.following.board.listening(leg(number), CALLER, speaks=True)
        desk.has(leg(number), direction="outbound")
    desk.following.board.listening("no channel", CALLER, speaks=True)
    asked = []
    for _ in range(3):
        desk.switch.commands.clear()
        desk.sweeps()
        asked.append(desk.switch.asked("uuid_buglist"))
    assert [len(some) for some in asked] == [LEGS_AT_ONCE] * 3
    everybody = {switch.taps_of(one) for one in (CALLER, *map(leg, range(LEGS_AT_ONCE + 50)))}
    assert set(asked[0]) | set(asked[1]) == everybody
    assert set(asked[0]) & set(asked[1]) == set(asked[0][: 2 * LEGS_AT_ONCE - len(everybody)])


def test_a_recorder_whose_beginning_was_lost_is_stopped(desk: Desk) -> None:
    desk.follows(decision="refused")
    desk.switch.bugs[CALLER] = [(switch.RECORDS, "/x/y.wav")]
    desk.sweeps()
    assert desk.switch.asked("uuid_record") == [switch.stop_recorder(CALLER, "/x/y.wav")] or desk.incidents


def test_conferences_are_asked_for_when_there_is_one(desk: Desk) -> None:
    desk.follows()
    desk.sweeps()
    assert desk.switch.asked(switch.CONFERENCES) == []
    desk.following.board.in_conference(CALLER, "room")
    desk.sweeps()
    assert desk.switch.asked(switch.CONFERENCES) == [switch.CONFERENCES]
    assert desk.following.board.conference_of(CALLER) is None, "the switch's list has it no longer"


def test_nobody_followed_is_nothing_asked(desk: Desk) -> None:
    desk.sweeps()
    assert desk.switch.asked("uuid_buglist") == []
