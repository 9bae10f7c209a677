"""The switchboard against a naive model of it: a set of facts, and rooms found by brute force."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentivr.core.switchboard import Recorder, Switchboard, Tap

LEGS = ("caller", "agent", "colleague", "other", "ear")
PATHS = ("/r/a.wav", "/r/b.wav")
CONFERENCES = ("3000", "4000")


class Facts:
    """What is so, as plain sets. Whoever turned to somebody who talks to a third waits for that one."""

    def __init__(self) -> None:
        self.legs: set[str] = set()
        self.turned_to: dict[str, str] = {}
        self.holding: set[tuple[str, str]] = set()
        self.listening: dict[str, tuple[str, bool]] = {}
        self.members: set[tuple[str, str]] = set()
        self.recordings: set[tuple[str, str]] = set()
        self.recorders: dict[str, list[str]] = {}
        self.functions: dict[str, list[str]] = {}

    def bridged(self, leg: str, other: str) -> None:
        self.legs |= {leg, other}
        self.turned_to |= {leg: other, other: leg}

    def unbridged(self, leg: str, other: str) -> None:
        for one, partner in ((leg, other), (other, leg)) if self.turned_to.get(leg) == other else ():
            if self.turned_to.get(one) == partner:
                del self.turned_to[one]
                self.holding = {(holder, why) for holder, why in self.holding if holder != one}

    def held(self, leg: str, on: bool, why: str) -> None:
        self.legs |= {leg} if on else set()
        (self.holding.add if on else self.holding.discard)((leg, why))

    def recording(self, leg: str, path: str, on: bool) -> None:
        self._attached(self.recorders, leg, path, on)

    def tapped(self, leg: str, function: str, on: bool) -> None:
        self._attached(self.functions, leg, function, on)

    def _attached(self, where: dict[str, list[str]], leg: str, one: str, on: bool) -> None:
        self.legs |= {leg} if on else set()
        there = where.setdefault(leg, [])
        if on and one not in there:
            there.append(one)
        elif not on and one in there:
            there.remove(one)

    def listening_(self, leg: str, target: str | None, speaks: bool) -> None:
        self.listening.pop(leg, None)
        if target is not None:
            self.legs |= {leg, target}
            self.listening[leg] = (target, speaks)

    def in_conference(self, leg: str, conference: str | None) -> None:
        self.members = {(one, name) for one, name in self.members if one != leg}
        if conference is not None:
            self.legs.add(leg)
            self.members.add((leg, conference))

    def conference_recording(self, conference: str, path: str, on: bool) -> None:
        (self.recordings.add if on else self.recordings.discard)((conference, path))

    def gone(self, leg: str) -> None:
        self.unbridged(leg, self.turned_to.get(leg, ""))
        for other in [one for one, to in self.turned_to.items() if to == leg]:
            self.unbridged(other, leg)
        self.in_conference(leg, None)
        self.listening = {one: to for one, to in self.listening.items() if leg not in (one, to[0])}
        self.holding = {(holder, why) for holder, why in self.holding if holder != leg}
        self.legs.discard(leg)
        self.recorders.pop(leg, None)
        self.functions.pop(leg, None)

    def hear(self, one: str, other: str) -> bool:
        """Whether a link makes these two hear each other, or one of them the other."""
        together = any((one, name) in self.members and (other, name) in self.members for name in CONFERENCES)
        bridged = self.turned_to.get(one) == other and self.turned_to.get(other) == one
        listens = self.listening.get(one, ("",))[0] == other or self.listening.get(other, ("",))[0] == one
        return together or bridged or listens

    def room(self, leg: str) -> frozenset[str]:
        found = {leg}
        for _ in LEGS:
            found |= {other for other in LEGS for one in found if self.hear(one, other)}
        return frozenset(found)

    def view(self, leg: str) -> object:
        """What can be asked about a leg's room."""
        room = sorted(self.room(leg))
        records = [Recorder(path, one) for one in room for path in self.recorders.get(one, ())]
        names = {name for one, name in self.members if one in room}
        records += [Recorder(path, None, name) for name, path in sorted(self.recordings) if name in names]
        partner = self.turned_to.get(leg)
        ear = self.listening.get(leg)
        return (
            leg in self.legs,
            room,
            records,
            [Tap(function, one) for one in room for function in self.functions.get(one, ())],
            partner,
            partner is not None and self.turned_to.get(partner) != leg,
            any(holder == leg for holder, _ in self.holding),
            (leg, "hold") in self.holding,
            ear[0] if ear else None,
            ear is not None and not ear[1],
            tuple(self.recorders.get(leg, ())),
            {one for one, to in self.listening.items() if to[0] == leg},
            next((name for one, name in self.members if one == leg), None),
        )


def view(board: Switchboard, leg: str) -> object:
    room = sorted(board.room(leg))
    return (
        leg in board,
        room,
        list(board.recorders(room)),
        list(board.taps(room)),
        board.partner(leg),
        board.waits(leg),
        board.holds(leg),
        board.is_on_hold(leg),
        board.listens_to(leg),
        board.is_silent(leg),
        board.recorders_on(leg),
        board.listeners(leg),
        board.conference_of(leg),
    )


_leg, _on = st.sampled_from(LEGS), st.booleans()
_pair = st.permutations(LEGS).map(lambda legs: tuple(legs[:2]))
_conference = st.sampled_from(CONFERENCES)
_path = st.sampled_from(PATHS)
VERBS = st.one_of(
    st.tuples(st.just("bridged"), _pair),
    st.tuples(st.just("unbridged"), _pair),
    st.tuples(st.just("held"), st.tuples(_leg, _on, st.sampled_from(("hold", "consultation")))),
    st.tuples(st.just("recording"), st.tuples(_leg, _path, _on)),
    st.tuples(st.just("tapped"), st.tuples(_leg, st.sampled_from(("eavesdrop", "displace")), _on)),
    st.tuples(st.just("listening"), st.tuples(_pair, _on).map(lambda drawn: (*drawn[0], drawn[1]))),
    st.tuples(st.just("listening"), st.tuples(_leg, st.none(), _on)),
    st.tuples(st.just("in_conference"), st.tuples(_leg, st.none() | _conference)),
    st.tuples(st.just("conference_recording"), st.tuples(_conference, _path, _on)),
    st.tuples(st.just("gone"), st.tuples(_leg)),
)


def tell(board: Switchboard, facts: Facts, verb: str, told: tuple) -> set[str]:
    if verb == "listening":
        leg, target, speaks = told
        facts.listening_(leg, target, speaks)
        return board.listening(leg, target, speaks=speaks)
    getattr(facts, verb)(*told)
    return getattr(board, verb)(*told)


@given(st.lists(VERBS, max_size=25))
@settings(max_examples=600, deadline=None)
def test_whatever_happens_the_switchboard_says_what_the_facts_say(story: list) -> None:
    board, facts = Switchboard(), Facts()
    for verb, told in story:
        before = {leg: view(board, leg) for leg in LEGS}
        rooms = {leg: board.room(leg) for leg in LEGS}
        touched = tell(board, facts, verb, told)
        after = {leg: view(board, leg) for leg in LEGS}
        assert after == {leg: facts.view(leg) for leg in LEGS}
        assert set(board.legs()) == facts.legs
        assert len(board) == len(facts.legs)
        for path in PATHS:
            assert set(board.where(path)) == {leg for leg, paths in facts.recorders.items() if path in paths}
        busy = {name for _, name in facts.members} | {name for name, _ in facts.recordings}
        assert board.conferences() == tuple(sorted(busy))
        for name in CONFERENCES:
            assert board.recordings_of(name) == {path for other, path in facts.recordings if other == name}
        for leg in LEGS:
            if before[leg] != after[leg] and not (verb == "gone" and leg == told[0]):
                assert touched & (board.room(leg) | rooms[leg]), f"{leg} is not as it was, and nobody is told"
                assert touched & board.room(leg), f"{leg} is not as it was, and its room is not looked at"


@given(st.lists(VERBS, max_size=40))
@settings(max_examples=200, deadline=None)
def test_nothing_is_left_of_legs_that_are_gone(story: list) -> None:
    board, facts = Switchboard(), Facts()
    for verb, told in story:
        tell(board, facts, verb, told)
    for leg in LEGS:
        board.gone(leg)
        assert leg not in board
    for name, path in facts.recordings:
        board.conference_recording(name, path, False)
    assert len(board) == 0
    assert board.conferences() == ()
    assert not any(held_back for held_back in vars(board).values()), vars(board)
    for leg in LEGS:
        assert board.room(leg) == {leg}


# --- the ordinary ones, in words (FREESWITCH.md, section 7) -----------------------------------


@pytest.fixture
def board() -> Switchboard:
    board = Switchboard()
    assert board.bridged("agent", "caller") == {"agent", "caller"}
    return board


def rooms(board: Switchboard, *legs: str) -> Iterator[list[str]]:
    return (sorted(board.room(leg)) for leg in legs)


def test_a_consultation_that_ends_with_a_hand_over(board: Switchboard) -> None:
    assert board.bridged("agent", "colleague") == {"agent", "colleague", "caller"}
    assert [*rooms(board, "caller", "agent")] == [["caller"], ["agent", "colleague"]]
    assert board.waits("caller")
    assert board.unbridged("agent", "colleague") == {"agent", "colleague"}
    assert board.waits("caller"), "until somebody takes the call"
    board.gone("agent")
    assert not board.waits("caller")
    assert board.unbridged("caller", "agent") == set()
    board.bridged("colleague", "caller")
    assert [*rooms(board, "caller")] == [["caller", "colleague"]]


def test_a_consultation_that_is_declined(board: Switchboard) -> None:
    board.bridged("agent", "colleague")
    assert board.gone("colleague") == {"agent"}
    assert board.waits("caller")
    assert board.unbridged("caller", "agent") == {"agent", "caller"}
    board.bridged("agent", "caller")
    assert not board.waits("caller")
    assert [*rooms(board, "caller")] == [["agent", "caller"]]


def test_who_was_taken_over_while_waiting_stays_so_when_the_agent_hangs_up(board: Switchboard) -> None:
    """``uuid_bridge colleague caller`` while the agent consults: the agent's end is nothing to them."""
    board.bridged("agent", "third")
    board.bridged("colleague", "caller")
    board.gone("agent")
    assert [*rooms(board, "caller")] == [["caller", "colleague"]]


def test_two_who_wait_for_one_agent_both_wait_no_longer_when_the_agent_is_gone(board: Switchboard) -> None:
    board.bridged("agent", "other")
    board.bridged("agent", "colleague")
    assert board.waits("caller")
    assert board.waits("other")
    board.gone("agent")
    assert not board.waits("caller")
    assert not board.waits("other")


def test_a_hold_ends_with_the_bridge_on_both_legs(board: Switchboard) -> None:
    board.held("agent", True)
    board.unbridged("caller", "agent")
    assert not board.holds("agent")


def test_an_ear_hears_and_is_not_heard(board: Switchboard) -> None:
    assert board.listening("ear", "caller", speaks=False) == {"ear", "caller"}
    assert board.is_silent("ear")
    assert [*rooms(board, "agent")] == [["agent", "caller", "ear"]]
    board.listening("ear", "caller", speaks=True)
    assert not board.is_silent("ear")
    assert board.gone("caller") == {"agent", "ear"}
    assert board.listens_to("ear") is None


def test_a_conference_records_everybody_in_it(board: Switchboard) -> None:
    board.unbridged("caller", "agent")
    for leg in ("caller", "agent", "other"):
        board.in_conference(leg, "3000")
    assert board.conference_recording("3000", "/r/c.wav", True) == {"caller", "agent", "other"}
    assert [*board.recorders(board.room("caller"))] == [Recorder("/r/c.wav", None, "3000")]
    board.in_conference("caller", None)
    assert not [*board.recorders(board.room("caller"))]
