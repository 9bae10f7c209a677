"""What each event means to the switchboard and to who follows: real events, and none that could not come."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentivr.core.switchboard import Switchboard, Tap
from consentivr.esl.codec import Event
from consentivr.watch.stream import KINDS, Stream

CALLER, AGENT, OTHER = (f"{name}d9f23f0-fed1-4cfe-b05e-66ccabca7936" for name in "abc")


class Follower:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.board = Switchboard()
        self.told: list[tuple[Any, ...]] = []
        self.read: set[str] = set()
        """Legs whose rows are being read."""
        self.kept: list[Callable[[], None]] = []

    def keeps(self, leg: str, what: Callable[[], None]) -> bool:
        if leg in self.read:
            self.kept.append(what)
        return leg in self.read

    def refresh(self, legs: set[str]) -> None:
        self.told.append(("refresh", frozenset(legs)))

    def arrived_in_queue(self, event: Event) -> None:
        self.told.append(("arrived", event["CC-Queue"]))

    def left_queue(self, event: Event) -> None:
        self.told.append(("left", event["CC-Cause"]))

    def agent_found(self, leg: str, agent: str, event: Event) -> None:
        self.told.append(("agent", leg, agent))

    def pressed(self, leg: str, key: str, at_ms: int) -> None:
        self.told.append(("pressed", leg, key, at_ms))

    def recorder_found(self, leg: str, event: Event) -> None:
        self.told.append(("recorder", leg))

    def recorder_gone(self, path: str) -> None:
        self.told.append(("recorder gone", path))

    def closed(self, path: str, duration_ms: int | None, cause: str | None) -> None:
        self.told.append(("closed", path, duration_ms, cause))

    def gone(self, leg: str, cause: str) -> None:
        self.told.append(("gone", leg, cause))


def event(name: str, **headers: str) -> Event:
    """A header's ``_`` stands for ``-``, but for a variable's."""
    subclass = headers.pop("Event_Subclass", None)
    data: dict[str, str] = {"Event-Subclass": subclass} if subclass else {}
    data |= {"Event-Name": name, "Core-UUID": "c"}
    for header, text in headers.items():
        data[header if header.startswith("variable") else header.replace("_", "-")] = text
    return Event(json.dumps(data, separators=(",", ":")).encode())


class Heard:
    def __init__(self) -> None:
        self.follower = Follower()
        self.board = self.follower.board
        self.stream = Stream(self.follower)

    def hear(self, name: str, **headers: str) -> list[tuple[Any, ...]]:
        self.follower.told = []
        self.stream.hear(event(name, **headers))
        return self.follower.told

    def bridge(self, a: str, b: str, name: str = "CHANNEL_BRIDGE") -> None:
        self.hear(name, Unique_ID=a, Bridge_A_Unique_ID=a, Bridge_B_Unique_ID=b)


@pytest.fixture
def heard() -> Heard:
    return Heard()


def test_a_bridge_and_its_end(heard: Heard) -> None:
    heard.bridge(CALLER, AGENT)
    assert heard.board.room(CALLER) == {CALLER, AGENT}
    assert heard.follower.told == [("refresh", {CALLER, AGENT})]
    heard.bridge(CALLER, AGENT, "CHANNEL_UNBRIDGE")
    assert heard.board.room(CALLER) == {CALLER}


def test_the_end_of_a_bridge_names_who_was_bridged_and_not_who_comes_next(heard: Heard) -> None:
    """After ``intercept`` Other-Leg-Unique-ID is the new partner already (seen)."""
    heard.bridge(CALLER, AGENT)
    heard.hear(
        "CHANNEL_UNBRIDGE", Unique_ID=CALLER, Bridge_A_Unique_ID=CALLER, Bridge_B_Unique_ID=AGENT,
        Other_Leg_Unique_ID=OTHER,
    )  # fmt: skip
    assert heard.board.partner(CALLER) is None
    heard.bridge(OTHER, CALLER)
    assert heard.board.room(CALLER) == {CALLER, OTHER}


@pytest.mark.parametrize("headers", [{}, {"Bridge_A_Unique_ID": CALLER}, {"Bridge_B_Unique_ID": CALLER}])
def test_a_bridge_without_two_legs_is_none(heard: Heard, headers: dict[str, str]) -> None:
    assert heard.hear("CHANNEL_BRIDGE", **headers) == []


def test_a_hold_and_a_consultation_are_told_apart(heard: Heard) -> None:
    heard.bridge(CALLER, AGENT)
    heard.hear("CHANNEL_HOLD", Unique_ID=AGENT)
    assert heard.board.is_on_hold(AGENT)
    heard.hear("CHANNEL_EXECUTE", Unique_ID=AGENT, Application="att_xfer", Application_Data="user/2001@d")
    heard.hear("CHANNEL_UNHOLD", Unique_ID=AGENT)
    assert heard.board.holds(AGENT), "it consults still"
    assert not heard.board.is_on_hold(AGENT)
    heard.hear("CHANNEL_EXECUTE_COMPLETE", Unique_ID=AGENT, Application="att_xfer")
    assert not heard.board.holds(AGENT)


def test_a_recorder_is_known_by_its_media_bug(heard: Heard) -> None:
    bug = {"Unique_ID": AGENT, "Media_Bug_Function": "session_record", "Media_Bug_Target": "/r/a.wav"}
    assert ("recorder", AGENT) in heard.hear("MEDIA_BUG_START", **bug)
    assert heard.board.recorders_on(AGENT) == ("/r/a.wav",)
    assert ("recorder", AGENT) not in heard.hear("MEDIA_BUG_STOP", **bug)
    assert heard.board.recorders_on(AGENT) == ()


def test_a_callers_own_message_is_no_recorder(heard: Heard) -> None:
    """The application ``record`` gives RECORD_START alone, which is not even subscribed (FREESWITCH.md, section 7)."""
    assert "RECORD_START" not in KINDS
    assert heard.hear("RECORD_STOP", Unique_ID=CALLER, Record_File_Path="/vm/1.wav", variable_record_ms="1200") == [
        ("closed", "/vm/1.wav", 1200, None)
    ]
    assert heard.board.recorders_on(CALLER) == ()


@pytest.mark.parametrize(("ms", "known"), [("1200", 1200), ("", None), ("-1", None), ("1e9", None)])
def test_a_file_is_complete(heard: Heard, ms: str, known: int | None) -> None:
    told = heard.hear(
        "RECORD_STOP", Record_File_Path="/r/a.wav", variable_record_ms=ms, variable_record_completion_cause="hangup"
    )
    assert told == [("closed", "/r/a.wav", known, "hangup")]


def test_other_taps_are_known_by_their_function(heard: Heard) -> None:
    heard.hear("MEDIA_BUG_START", Unique_ID=CALLER, Media_Bug_Function="displace", Media_Bug_Target="/x.wav")
    assert list(heard.board.taps([CALLER])) == [Tap("displace", CALLER)]
    heard.hear("MEDIA_BUG_STOP", Unique_ID=CALLER, Media_Bug_Function="displace", Media_Bug_Target="/x.wav")
    assert list(heard.board.taps([CALLER])) == []


@pytest.mark.parametrize(("application", "speaks"), [("eavesdrop", False), ("three_way", True)])
def test_who_eavesdrops_is_found_by_the_execution(heard: Heard, application: str, speaks: bool) -> None:
    heard.bridge(CALLER, AGENT)
    heard.hear("CHANNEL_EXECUTE", Unique_ID=OTHER, Application=application, Application_Data=f"{CALLER} ")
    assert heard.board.room(CALLER) == {CALLER, AGENT, OTHER}
    assert heard.board.is_silent(OTHER) is not speaks
    heard.hear("MEDIA_BUG_START", Unique_ID=CALLER, Media_Bug_Function="eavesdrop")
    heard.hear("MEDIA_BUG_STOP", Unique_ID=CALLER, Media_Bug_Function="eavesdrop")
    assert heard.board.room(CALLER) == {CALLER, AGENT}


def test_who_eavesdrops_can_be_heard_after_a_key(heard: Heard) -> None:
    heard.hear("CHANNEL_EXECUTE", Unique_ID=OTHER, Application="eavesdrop", Application_Data=CALLER)
    for key, silent in (("2", False), ("0", True), ("5", True)):
        told = heard.hear("DTMF", Unique_ID=OTHER, DTMF_Digit=key, Event_Date_Timestamp="1790000000123456")
        assert heard.board.is_silent(OTHER) is silent
        assert told[-1] == ("pressed", OTHER, key, 1790000000123)
    heard.hear("CHANNEL_EXECUTE_COMPLETE", Unique_ID=OTHER, Application="eavesdrop", Application_Data=CALLER)
    assert heard.board.listens_to(OTHER) is None


def test_any_other_application_means_nothing(heard: Heard) -> None:
    assert heard.hear("CHANNEL_EXECUTE", Unique_ID=OTHER, Application="playback", Application_Data=CALLER) == []


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"CC_Action": "member-queue-start"}, [("arrived", "q")]),
        ({"CC_Action": "member-queue-resume"}, [("arrived", "q")]),
        ({"CC_Action": "member-queue-end", "CC_Cause": "Cancel"}, [("left", "Cancel")]),
        ({"CC_Action": "member-queue-end", "CC_Cause": "Terminated"}, []),
        ({"CC_Action": "bridge-agent-start"}, [("agent", AGENT, "1001@default")]),
        ({"CC_Action": "bridge-agent-end"}, []),
        ({"CC_Action": "agent-offering"}, []),
        ({}, []),
    ],
)
def test_the_queue(heard: Heard, headers: dict[str, str], told: list[tuple[Any, ...]]) -> None:
    of_agent = {"CC_Queue": "q", "CC_Agent": "1001@default", "CC_Agent_UUID": AGENT}
    assert heard.hear("CUSTOM", Event_Subclass="callcenter::info", **of_agent, **headers) == told
    assert heard.hear("CUSTOM", Event_Subclass="sofia::register", **of_agent, **headers) == []
    assert heard.hear("CUSTOM", **of_agent, **headers) == []


def test_a_conference(heard: Heard) -> None:
    def conference(action: str, **headers: str) -> list[tuple[Any, ...]]:
        return heard.hear(
            "CUSTOM", Event_Subclass="conference::maintenance", Action=action, Conference_Name="room", **headers
        )

    conference("add-member", Unique_ID=CALLER)
    conference("add-member", Unique_ID=OTHER)
    assert heard.board.room(CALLER) == {CALLER, OTHER}
    conference("start-recording", Path="/c/1.wav")
    assert [recorder.path for recorder in heard.board.recorders([CALLER])] == ["/c/1.wav"]
    assert conference("stop-recording", Path="/c/1.wav")[-1] == ("closed", "/c/1.wav", None, None)
    conference("del-member", Unique_ID=OTHER)
    assert heard.board.room(CALLER) == {CALLER}
    for action in ("conference-create", "floor-change", "add-member", "del-member"):
        assert conference(action) == [], "without a leg there is nobody"


def test_a_leg_is_gone(heard: Heard) -> None:
    assert heard.hear("CHANNEL_HANGUP_COMPLETE", Unique_ID=CALLER, Hangup_Cause="NORMAL_CLEARING") == [
        ("gone", CALLER, "NORMAL_CLEARING")
    ]


def test_what_must_not_be_missed_waits_while_a_visit_is_read(heard: Heard) -> None:
    heard.follower.read.add(CALLER)
    left = {"CC_Member_Session_UUID": CALLER, "CC_Action": "member-queue-end", "CC_Cause": "Cancel"}
    heard.hear("DTMF", Unique_ID=CALLER, DTMF_Digit="9", Event_Date_Timestamp="1795457911000000")
    heard.hear("CUSTOM", Event_Subclass="callcenter::info", **left)
    heard.hear("CHANNEL_HANGUP_COMPLETE", Unique_ID=CALLER, Hangup_Cause="NORMAL_CLEARING")
    assert heard.follower.told == []
    assert heard.hear("DTMF", Unique_ID=AGENT, DTMF_Digit="1", Event_Date_Timestamp="1795457911000000") != []
    heard.follower.read.clear()
    heard.follower.told = []
    for kept in heard.follower.kept:
        kept()
    assert heard.follower.told == [
        ("pressed", CALLER, "9", 1795457911000), ("left", "Cancel"), ("gone", CALLER, "NORMAL_CLEARING"),
    ]  # fmt: skip


NAMES = ["Unique_ID", "Bridge_A_Unique_ID", "Bridge_B_Unique_ID", "Media_Bug_Function", "Media_Bug_Target",
         "Application", "Application_Data", "DTMF_Digit", "Event_Subclass", "CC_Action", "CC_Cause", "CC_Queue",
         "Action", "Conference_Name", "Path", "Record_File_Path", "Event_Date_Timestamp"]  # fmt: skip
TEXTS = st.one_of(
    st.sampled_from([CALLER, AGENT, OTHER, "eavesdrop", "session_record", "three_way", "att_xfer", "callcenter::info",
                     "conference::maintenance", "add-member", "del-member", "start-recording", "room", "0", "2"]),
    st.text(max_size=5),
)  # fmt: skip


EVENTS = st.tuples(st.sampled_from(sorted(KINDS)), st.dictionaries(st.sampled_from(NAMES), TEXTS, max_size=6))


@given(events=st.lists(EVENTS, max_size=12))
@settings(max_examples=300, deadline=None)
def test_p9_no_event_however_odd_ends_the_watch(events: list[tuple[str, dict[str, str]]]) -> None:
    heard = Heard()
    for name, headers in events:
        heard.hear(name, **{"CC_Queue": "q", "CC_Cause": "", **headers})
        for leg in heard.board.legs():
            assert leg in heard.board.room(leg)
