"""The watch begins, or is back after it was blind: what it asks, what it takes up, and what came in between."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from consentivr import switch
from consentivr.core.consent import ConsentDecision
from consentivr.esl.codec import Event
from consentivr.recordings import recording_stem
from consentivr.watch.adopting import Channel
from consentivr.watch.returning import AT_ONCE, rows_of
from consentivr.watch.settling import PATIENCE_SECONDS, YOUNG
from tests.watch.desk import (
    AGENT,
    CALLER,
    CORE,
    ENDED,
    FOURTH,
    LATER,
    LINE,
    OTHER,
    PORTION,
    QUEUE,
    SWITCH,
    VISIT,
    Desk,
    Said,
    decided,
    file,
    leg,
    rows,
    started,
)  # fmt: skip

GIVEN = decided()
STEM = "the visit's own"


def on(core: str = CORE, name: str = SWITCH) -> Said:
    return "arrived", {"switch": name, "core": core}


def asked(desk: Desk, leg: str) -> set[str]:
    """Which variables of a channel."""
    return {command.split()[2] for command in desk.switch.asked(f"uuid_getvar {leg} ")}


# --- what the switch is ----------------------------------------------------------------------


def test_the_switch_and_its_run_are_named(desk: Desk) -> None:
    desk.following.switch_name = ("", "")
    desk.returns()
    assert desk.following.switch_name == (SWITCH, CORE)


def test_a_run_without_a_name_has_none(desk: Desk) -> None:
    desk.switch.said[switch.CORE_UUID] = "-ERR no such variable\n"
    desk.returns()
    assert desk.following.switch_name == (SWITCH, "")


@pytest.mark.parametrize(
    ("said", "seen", "until"),
    [
        ("1790000000123", None, 1790000000.123),
        ("1790000000123\n", 1.0, 1790000000.123),
        ("1790000000123", 1790000001.0, 1790000001.0),
        ("", None, None),
        ("-ERR no", 5.0, 5.0),
        ("-1", 5.0, 5.0),
        ("\u0661\u0662", None, None),
    ],
)
def test_until_when_somebody_watched(desk: Desk, said: str, seen: float | None, until: float | None) -> None:
    """By the switch's memory or our own, whichever is later."""
    desk.following.watched_until = seen
    desk.switch.said[switch.WATCHED_UNTIL] = said
    desk.returns()
    assert desk.following.watched_until == until


def test_without_a_list_of_channels_nothing_is_taken_up_and_nothing_waits_for_it(desk: Desk) -> None:
    desk.ledger.entries += rows(GIVEN)
    desk.switch.said[switch.CHANNELS] = "-ERR show Command not found!\n"
    desk.returns()
    assert not desk.following.returning.under_way
    assert desk.ledger.turns() == ["arrived", "decision"], "who is not listed may be there all the same"


def test_an_empty_switch(desk: Desk) -> None:
    desk.returns()
    assert not desk.following.returning.under_way
    assert desk.followed == {}


# --- who is connected to whom ----------------------------------------------------------------


def test_holds_and_bridges_are_known_from_the_start(desk: Desk) -> None:
    desk.has(CALLER)
    desk.has(AGENT, direction="outbound", callstate="HELD")
    desk.switch.calls = [(CALLER, AGENT), ("no channel", OTHER), (FOURTH, "")]
    desk.returns()
    board = desk.following.board
    assert board.room(CALLER) == {CALLER, AGENT}
    assert board.is_on_hold(AGENT)
    assert set(board.legs()) == {CALLER, AGENT}


@pytest.mark.parametrize("told", [(CALLER, OTHER), (OTHER, AGENT)])
def test_what_the_stream_told_since_is_newer_than_the_list(desk: Desk, told: tuple[str, str]) -> None:
    desk.switch.calls = [(CALLER, AGENT)]
    desk.switch.meanwhile[switch.CALLS] = lambda: desk.following.board.bridged(*told) and None
    desk.returns()
    assert desk.following.board.partner(told[0]) == told[1]
    assert desk.following.board.room(told[0]) == set(told)


@pytest.mark.parametrize(
    ("bond", "with_", "waits"), [(CALLER, CALLER, OTHER), (OTHER, OTHER, CALLER), ("", None, None)]
)
def test_who_consults_talks_to_their_bond_and_the_other_one_waits(
    desk: Desk, bond: str, with_: str | None, waits: str | None
) -> None:
    for one in (CALLER, AGENT, OTHER):
        desk.has(one, direction="outbound", variables={"signal_bond": bond} if one == AGENT and bond else {})
    desk.switch.calls = [(CALLER, AGENT), (OTHER, AGENT)]
    desk.returns()
    board = desk.following.board
    assert board.partner(AGENT) in (CALLER, OTHER)
    if with_ and waits:
        assert board.room(AGENT) == {AGENT, with_}
        assert board.waits(waits)


BONDS: dict[str, tuple[str, set[str]]] = {
    "the same": (AGENT, {CALLER, AGENT}),
    "another": (OTHER, {CALLER, OTHER}),
    "nobody": ("_undef_", {CALLER}),
    "no channel": ("x", {CALLER, AGENT}),
}


@pytest.mark.parametrize("bond", BONDS)
@pytest.mark.parametrize("visit", [VISIT, LATER])
def test_whom_a_caller_talks_to_is_the_channels_word_and_the_lists_are_behind(
    desk: Desk, bond: str, visit: str
) -> None:
    """Also of a channel that is on another visit than the rows."""
    said, room = BONDS[bond]
    desk.has(CALLER, variables={**desk.calls(visit), switch.PARTNER: said})
    desk.ledger.entries += rows(GIVEN)
    desk.switch.calls = [(CALLER, AGENT)]
    for other in (AGENT, OTHER):
        desk.has(other, direction="outbound")
    desk.returns()
    assert desk.following.board.room(CALLER) == room


def test_conferences_are_known_from_the_start(desk: Desk) -> None:
    desk.has(CALLER)
    members = [{"type": "caller", "uuid": CALLER}, {"type": "recording_node", "record_path": "/c/1.wav"}]
    desk.switch.conferences = [{"conference_name": "room", "members": members}]
    desk.returns()
    assert desk.following.board.conference_of(CALLER) == "room"
    assert desk.following.board.recordings_of("room") == {"/c/1.wav"}


# --- visits that nobody ended ----------------------------------------------------------------


def test_p11_a_conversation_goes_on(desk: Desk) -> None:
    desk.has(CALLER, variables=desk.calls())
    desk.ledger.entries += rows(GIVEN, started())
    desk.switch.bugs[CALLER] = [(switch.RECORDS, file())]
    desk.returns()
    assert desk.followed == {CALLER: VISIT}
    visit = desk.following.visits[CALLER]
    assert (visit.state.decision, visit.state.durable) == (ConsentDecision.GIVEN, True)
    assert [recorder.path for recorder in visit.state.now.recorders] == [file()], "known when it is taken up"
    assert desk.ledger.said("adopted")[0]["why"] == "taken up again"
    assert "call_ended" not in desk.ledger.turns()
    assert desk.incidents == []


TOLD: dict[str, tuple[float, Said, Callable[[Desk], object], str | None, str | None]] = {
    "channel gone": (60, on(), lambda desk: None, "the channel was gone", None),
    "channel gone, and young": (1, on(), lambda desk: None, None, "the channel was gone"),
    "another run of the switch": (60, on("core-0"), lambda desk: desk.has(CALLER), "the channel was gone", None),
    "a run that is not known": (60, on(""), lambda desk: desk.has(CALLER, variables=desk.calls()), None, None),
    "another switch": (60, on(name="switch-b"), lambda desk: None, None, None),
    "another visit followed": (60, on(), lambda desk: desk.follows(visit=LATER), "another visit began", None),
    "of long ago": (3 * 86400, on(), lambda desk: None, None, None),
}


@pytest.mark.parametrize("case", TOLD)
def test_what_becomes_of_a_visit_that_nobody_ended(desk: Desk, case: str) -> None:
    old, arrived, happens, at_once, later = TOLD[case]
    desk.ledger.entries += rows(arrived, GIVEN, old=old)
    happens(desk)
    desk.returns()
    desk.passes(0.1)
    assert [said["why"] for said in desk.ledger.said("call_ended")] == ([at_once] if at_once else [])
    desk.passes(YOUNG.total_seconds() + 1)
    assert [said["why"] for said in desk.ledger.said("call_ended")] == ([at_once or later] if at_once or later else [])


def test_who_is_followed_already_in_this_visit_is_left_alone(desk: Desk) -> None:
    """The stream was faster than the lists."""
    desk.follows()
    del desk.switch.channels[CALLER]
    desk.returns()
    desk.passes(60)
    assert desk.followed == {CALLER: VISIT}
    assert "call_ended" not in desk.ledger.turns()


# --- what the channel says -------------------------------------------------------------------


def test_a_channel_that_ends_while_it_is_asked(desk: Desk) -> None:
    desk.has(CALLER, variables=desk.calls())
    desk.ledger.entries += rows(GIVEN)
    desk.switch.meanwhile[switch.CALLS] = lambda: desk.switch.channels.clear()
    desk.returns()
    desk.passes(0.1)
    assert desk.ledger.said("call_ended")[0]["why"] == "the channel was gone"


@pytest.mark.parametrize(("begins", "why"), [(VISIT, []), (LATER, ["another visit began"])])
def test_a_channel_that_is_taken_up_while_it_is_asked(desk: Desk, begins: str, why: list[str]) -> None:
    """It joined a queue meanwhile, and the stream told of it."""
    desk.has(CALLER, variables=desk.calls())
    desk.ledger.entries += rows(GIVEN)
    last = switch.variable_of(CALLER, switch.PAUSED)
    desk.switch.meanwhile[last] = lambda: _takes_up(desk, begins)
    desk.returns()
    desk.passes(0.1)
    assert desk.followed == {CALLER: begins}
    assert [said["why"] for said in desk.ledger.said("call_ended")] == why
    assert desk.ledger.turns(begins).count("adopted") <= 1


def test_who_agrees_while_the_rows_are_read_has_agreed(desk: Desk) -> None:
    """The channel says it already, the rows that were read do not yet: they are older."""
    desk.has(CALLER, variables=desk.calls(decision=None))
    desk.ledger.entries += rows()

    def agrees() -> None:
        desk.ledger.meanwhile = lambda: None
        desk.ledger.entries += rows(GIVEN)[1:]
        desk.switch.variables[CALLER] = desk.calls()
        desk.switch.bugs[CALLER] = [(switch.RECORDS, file())]

    desk.ledger.meanwhile = agrees
    desk.returns()
    desk.passes(1)
    visit = desk.following.visits[CALLER]
    assert (visit.state.decision, visit.state.durable) == (ConsentDecision.GIVEN, True)
    assert [recorder.path for recorder in visit.state.now.recorders] == [file()]
    assert (desk.incidents, desk.sealer.erased) == ([], [])
    assert desk.ledger.said("adopted")[0]["why"] == "taken up again"


@pytest.mark.parametrize("down", [False, True], ids=["", "and the ledger is down"])
def test_who_has_agreed_by_the_channels_word_alone_is_not_recorded(desk: Desk, down: bool) -> None:
    """The rows are read once more, and still do not say it."""
    desk.has(CALLER, variables=desk.calls())
    desk.ledger.entries += rows()
    desk.switch.bugs[CALLER] = [(switch.RECORDS, file())]

    def goes_down() -> None:
        desk.ledger.down = down

    desk.ledger.meanwhile = goes_down
    desk.returns()
    desk.passes(0.1)
    assert desk.following.visits[CALLER].state.durable is False
    assert desk.incidents[0][0] == "forbidden_recording"


def test_of_rows_that_cannot_be_read_nothing_is_said(desk: Desk) -> None:
    """Seen under load: 'no row says that it arrived', of a visit whose rows only came too late."""
    desk.ledger.entries += rows(GIVEN)
    desk.has(CALLER, variables=desk.calls())
    desk.ledger.down = True
    desk.following.adopting.take_up(Channel(CALLER, desk.calls().get), QUEUE, "a member")
    desk.passes(0.1)
    visit = desk.following.visits[CALLER]
    assert (visit.state.durable, desk.ledger.turns()) == (False, ["arrived", "decision"])
    desk.ledger.down = False
    desk.passes(3)
    assert (visit.state.decision, visit.state.durable) == (ConsentDecision.GIVEN, True)
    assert not desk.ledger.said("adopted")


def test_who_was_followed_before_the_decision_is_judged_when_it_is_read(desk: Desk) -> None:
    """The recorder begins with the talk, before the row was looked for."""
    visit = desk.follows(decision=None)
    desk.ledger.entries += rows(GIVEN)[1:]
    desk.following.adopting.take_up(Channel(CALLER, desk.calls().get), QUEUE, "another member")
    desk.following.refresh(desk.following.board.recording(CALLER, file(), True))
    desk.passes(0.1)
    assert (visit.state.decision, visit.state.durable) == (ConsentDecision.GIVEN, True)
    assert [recorder.path for recorder in visit.state.now.recorders] == [file()]
    assert (desk.incidents, desk.sealer.erased) == ([], [])


@pytest.mark.parametrize(
    ("word", "follows", "incidents"),
    [("given", "mask", []), ("refused", "stop", ["forbidden_recording"]), (None, "stop", ["forbidden_recording"])],
)
def test_who_was_followed_before_the_decision_is_not_recorded_while_the_ledger_is_down(
    desk: Desk, word: str | None, follows: str, incidents: list[str]
) -> None:
    """Seen under load, after a restart: what said yes meanwhile was stopped, and put into quarantine."""
    desk.follows(decision=None)
    desk.ledger.down = True
    desk.following.adopting.take_up(Channel(CALLER, desk.calls(decision=word).get), QUEUE, "another member")
    desk.following.refresh(desk.following.board.recording(CALLER, file(), True))
    desk.passes(0.1)
    assert [command.split()[2] for command in desk.switch.asked("uuid_record")] == [follows]
    assert [incident for incident, _ in desk.incidents] == incidents


def is_told(desk: Desk) -> None:
    """The watch looks around while a caller hears that the yes is accepted: the row is there, the channel's word not
    yet, and the recorder is armed for the talk."""
    desk.has(CALLER, variables=desk.calls(decision=None, joined=False), application="playback")
    desk.ledger.entries += rows(GIVEN)
    desk.switch.bugs[CALLER] = [(switch.RECORDS, file())]
    desk.returns()
    desk.following.refresh(desk.following.board.recording(CALLER, file(), True))
    desk.passes(1)
    assert (desk.incidents, desk.sealer.erased) == ([], []), "nobody is talked to yet"


def test_who_hears_that_the_yes_is_accepted_while_the_watch_begins_is_recorded(desk: Desk) -> None:
    is_told(desk)
    desk.switch.variables[CALLER] = desk.calls()
    desk.following.adopting.take_up(Channel(CALLER, desk.calls().get), QUEUE, "a member")
    desk.following.refresh(desk.following.board.bridged(CALLER, AGENT))
    desk.passes(0.1)
    visit = desk.following.visits[CALLER]
    assert (visit.state.decision, visit.state.durable) == (ConsentDecision.GIVEN, True)
    assert (desk.incidents, desk.sealer.erased) == ([], [])


def test_p3_who_was_not_told_that_the_yes_is_accepted_is_not_recorded(desk: Desk) -> None:
    """Whoever asked died: the dialplan takes the caller to the queue, and the channel has no word."""
    is_told(desk)
    desk.following.adopting.take_up(Channel(CALLER, desk.calls(decision=None).get), QUEUE, "a member")
    desk.following.refresh(desk.following.board.bridged(CALLER, AGENT))
    desk.passes(0.1)
    assert desk.following.visits[CALLER].state.durable is False
    assert desk.incidents[0][0] == "forbidden_recording"


def _takes_up(desk: Desk, visit: str) -> None:
    known = rows(GIVEN, visit=visit)
    desk.following.adopting.begin(Channel(CALLER, desk.calls(visit).get), QUEUE, None, known, None)


def test_a_channel_on_another_visit_is_taken_up_there(desk: Desk) -> None:
    desk.has(CALLER, variables=desk.calls(LATER))
    desk.ledger.entries += rows(GIVEN)
    desk.ledger.entries += rows(GIVEN, ENDED, visit=LATER)[:2]
    desk.returns()
    desk.passes(0.1)
    assert desk.followed == {CALLER: LATER}
    assert desk.ledger.said("call_ended")[0]["why"] == "another visit began"
    assert "call_ended" not in desk.ledger.turns(LATER)


@pytest.mark.parametrize("said", [(), (GIVEN,)])
def test_a_channel_that_is_on_its_way_to_the_question_again(desk: Desk, said: tuple[Said, ...]) -> None:
    """Whoever asks names the visit: rows without a decision may be its own, those with one are of the last visit."""
    desk.has(CALLER, application="socket", variables={switch.LINE: LINE})
    desk.ledger.entries += rows(*said)
    desk.returns()
    desk.passes(0.1)
    assert desk.followed == {}
    assert ("call_ended" in desk.ledger.turns()) is bool(said)


def test_a_caller_in_the_queue_whom_nobody_asked_has_a_visit_from_now_on(desk: Desk) -> None:
    said = desk.calls(decision=None)
    del said[switch.VISIT]
    desk.has(CALLER, variables=said)
    desk.returns()
    desk.passes(PATIENCE_SECONDS + 1)
    (visit,) = desk.followed.values()
    assert desk.switch.variables[CALLER][switch.VISIT] == visit
    assert desk.ledger.said("arrived", visit)[0]["asked"] is False
    assert desk.ledger.said("decision", visit)[0]["reason"] == "not_asked"


CHANNELS: dict[str, tuple[dict[str, Any], bool]] = {
    "a caller": ({}, True),
    "of no line": ({"variables": {switch.VISIT: VISIT}}, False),
    "just arrived": ({"variables": {switch.LINE: LINE}}, False),
    "called by us": ({"direction": "outbound"}, False),
}


@pytest.mark.parametrize("who", CHANNELS)
def test_a_channel_of_which_there_is_no_row(desk: Desk, who: str) -> None:
    row, followed = CHANNELS[who]
    desk.has(CALLER, **{"variables": desk.calls(), **row})
    desk.returns()
    desk.passes(0.1)
    assert bool(desk.followed) is followed
    assert not desk.following.returning.under_way


def test_a_channel_without_a_line_is_asked_for_nothing_else(desk: Desk) -> None:
    desk.has(CALLER)
    desk.returns()
    assert asked(desk, CALLER) == {switch.LINE}


@pytest.mark.parametrize("runs", [file(), STEM + ".wav", STEM + "-2.wav"])
def test_a_file_that_ended_while_nobody_watched_has_its_end_and_one_that_began_is_followed(
    desk: Desk, runs: str
) -> None:
    known = rows(GIVEN, started())
    desk.has(CALLER, variables=desk.calls())
    desk.ledger.entries += known
    path = runs.replace(STEM, recording_stem("/r", VISIT, known[0].at.date()))
    desk.switch.bugs[CALLER] = [(switch.RECORDS, path)]
    desk.returns()
    assert set(desk.ledger.said("unwatched")[0]["paths"]) == {file(), path}
    assert path in desk.following.visits[CALLER].state.files
    desk.sweeps()
    ended = [said["path"] for said in desk.ledger.said("recording_stopped")]
    assert ended == ([] if path == file() else [file()])


def test_a_ledger_that_is_down_takes_no_conversation_from_us(desk: Desk) -> None:
    """Unrecorded, until its rows can be read."""
    desk.has(CALLER, variables=desk.calls())
    desk.ledger.entries += rows(GIVEN)
    desk.ledger.down = True
    desk.returns()
    desk.passes(0.1)
    assert desk.followed == {CALLER: VISIT}
    assert not desk.following.visits[CALLER].state.durable
    desk.ledger.down = False
    desk.passes(3)
    assert desk.following.visits[CALLER].state.durable


# --- in what order ---------------------------------------------------------------------------


def many(desk: Desk, count: int, decision: str = "refused") -> None:
    for number in range(count):
        visit = leg(1000 + number)
        desk.has(leg(number), variables=desk.calls(visit, decision=decision))
        desk.ledger.entries += rows(decided(decision), visit=visit, channel=leg(number))


def test_so_many_are_asked_at_a_time(desk: Desk) -> None:
    """A command that matters does not wait behind thousands."""
    many(desk, 3 * AT_ONCE)
    desk.switch.holds_back = ("uuid_getvar",)
    desk.returns()
    assert len({command.split()[1] for command in desk.switch.asked("uuid_getvar")}) == AT_ONCE
    read = sum(map(len, desk.ledger.questions))
    assert read <= 2 * AT_ONCE + PORTION, "nor are the rows of many more read than are asked about"
    desk.switch.holds_back = ()
    desk.work()
    assert len(desk.followed) == 3 * AT_ONCE
    assert not desk.following.returning.under_way


def test_what_records_the_caller_is_known_first_and_who_is_talked_to_when_everybody_is_taken_up(desk: Desk) -> None:
    many(desk, 2, "given")
    for number in range(2):
        desk.has(leg(100 + number), direction="outbound")
        desk.switch.calls.append((leg(number), leg(100 + number)))
    desk.returns()
    looks = [command.split()[1] for command in desk.switch.asked("uuid_buglist")]
    first = [looks.index(leg(number)) for number in (0, 1, 100, 101)]
    assert max(first[:2]) < min(first[2:])
    last = max(place for place, command in enumerate(desk.switch.commands) if command.startswith("uuid_getvar"))
    assert all(place > last for place in map(desk.switch.commands.index, map(switch.taps_of, map(leg, (100, 101)))))


def test_the_room_of_who_did_not_agree_is_looked_at_at_once(desk: Desk) -> None:
    many(desk, 1)
    desk.has(AGENT, direction="outbound")
    desk.switch.calls = [(leg(0), AGENT)]
    desk.switch.bugs[AGENT] = [(switch.RECORDS, "/x/y.wav")]
    desk.returns()
    assert switch.stop_recorder(AGENT, "/x/y.wav") in desk.switch.commands


def test_it_is_under_way_until_the_last_answer(desk: Desk) -> None:
    many(desk, 1, "given")
    desk.has(AGENT, direction="outbound")
    desk.switch.calls = [(leg(0), AGENT)]
    desk.switch.holds_back = (switch.taps_of(AGENT),)
    desk.returns()
    assert desk.following.returning.under_way
    desk.switch.holds_back = ()
    desk.work()
    assert not desk.following.returning.under_way


# --- what happens to a channel that is being asked -------------------------------------------


def key(digit: str) -> Event:
    said = {
        "Event-Name": "DTMF",
        "Unique-ID": CALLER,
        "DTMF-Digit": digit,
        "Core-UUID": "c",
        "Event-Date-Timestamp": "1790000000000000",
    }
    return Event(json.dumps(said, separators=(",", ":")).encode())


def test_what_happens_to_a_channel_that_is_being_asked_is_not_missed(desk: Desk) -> None:
    desk.has(CALLER, variables=desk.calls())
    desk.ledger.entries += rows(GIVEN, started())
    desk.switch.bugs[CALLER] = [(switch.RECORDS, file())]
    desk.switch.holds_back = ("uuid_getvar",)
    desk.returns()
    for digit in "*9":
        desk.following._stream.hear(key(digit))
    desk.switch.holds_back = ()
    desk.work()
    assert desk.following.visits[CALLER].state.decision is ConsentDecision.WITHDRAWN


def test_what_happened_to_a_channel_that_is_nobodys_is_told_as_well(desk: Desk) -> None:
    """Then nobody keeps it for ever."""
    desk.has(CALLER)
    desk.ledger.entries += rows()
    desk.switch.holds_back = ("uuid_getvar",)
    desk.returns()
    desk.following._stream.hear(key("9"))
    assert desk.following.adopting._kept
    desk.switch.holds_back = ()
    desk.work()
    assert not desk.following.adopting._kept
    assert not desk.following.adopting._awaited


# --- lists -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "rows"),
    [
        ('{"row_count": 0}', []),
        ('{"row_count": 1, "rows": [{"uuid": "a", "b": 1, "c": 2}]}', [{"uuid": "a", "b": "1"}]),
        ('{"rows": [{"uuid": null}, 5, "x"]}', [{"uuid": "None"}]),
        ('{"rows": 5}', None),
        ("[]", None),
        ("", None),
        ("-ERR no reply\n", None),
    ],
)
def test_the_rows_of_a_list(said: str, rows: list[dict[str, str]] | None) -> None:
    assert rows_of(said, "uuid", "b") == rows
