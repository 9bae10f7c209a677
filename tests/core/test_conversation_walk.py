"""Promises P5, P6, P10 in every room that short sequences of moves lead to, and in long ones at random.

A walk goes on from every room that was not met before. After each move what is outstanding is carried out in a copy of
the room, and everything that is promised must then be so (``tests.core.promises``).
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentivr.core.consent import ConsentDecision
from consentivr.core.policy import Outsiders, RecordingMode, TalkPolicy, Taps, WhileHeld
from tests.core.moves import MOVES
from tests.core.promises import hold_always, hold_settled
from tests.core.room import Room, new_room

OPT_OUT = TalkPolicy(RecordingMode.PERMANENT_OPT_OUT, "quality", late_consent_keys="*1")
NTH = replace(OPT_OUT, mode=RecordingMode.EVERY_NTH, every=2)
MANUAL = replace(OPT_OUT, mode=RecordingMode.MANUAL)
FREE = replace(OPT_OUT, agents_must_agree=False, taps=Taps.END)
BY_LAW = TalkPolicy(RecordingMode.PERMANENT, "law")
END = ["channel_gone", "another_visit"]
ALL_AT_ONCE = {
    "hold and pause": ["anna answers", "talk_ends", "hold", "anna consults", "declined", "pause", "resume", "withdraw"],
    "hand-over": [
        *("anna answers", "anna hands over to bert", "anna hands over to carl", "anna hands over to nobody"),
        *("carl answers", "nobody answers", "talk_ends", "pause", "queue_gives_up", "late_yes", *END),
    ],
    "others are heard": [
        *("anna answers", "nobody joins", "nobody leaves", "friend joins", "foe joins", "foe leaves", "hold"),
        *("carl joins", "carl leaves", "others record anna", "withdraw_by_word"),
    ],
    "others record": [
        *("anna answers", "talk_ends", "others record caller", "others record anna", "ear_listens", "ear_is_recorded"),
        *("ear_leaves", "pause", "withdraw", "late_yes", "a_recorder_ends_by_itself", "a_recorder_moves_to_anna"),
    ],
    "conference": [
        *("anna answers", "to_conference", "from_conference", "conference_is_recorded", "nobody joins", "withdraw"),
        *("late_yes", "hold"),
    ],
    "queues": [
        *("anna answers", "talk_ends", "to a queue for another purpose", "to a queue that is off", "late_yes"),
        *("to a queue by law", "to a queue that asks", "others record caller", "withdraw", "pause", "resume"),
        *("read_again_as_no", "read_again_as_yes"),
    ],
}


class Late(NamedTuple):
    """A switch that does one thing after another: what is so already, and what may happen."""

    policies: list[TalkPolicy]
    begun: list[str]
    names: list[str]


_SWITCH = ["obey", "refuse", "commit", "try_again"]
ONE_BY_ONE = {
    "talks": Late([OPT_OUT, FREE], [], [*_SWITCH, "anna answers", "talk_ends", "withdraw", "channel_gone"]),
    "holds": Late(
        [OPT_OUT, BY_LAW], ["anna answers", "others record caller"], [*_SWITCH, "hold", "pause", "resume", "withdraw"]
    ),
    "rows": Late(
        [OPT_OUT, NTH],
        [],
        [
            *("obey", "commit", "commit_fails", "commit_as_first", "anna answers", "talk_ends", "carl joins"),
            *("late_yes", "withdraw"),
        ],
    ),
    "agent": Late([MANUAL], ["anna answers"], [*_SWITCH, "start", "stop", "pause", "resume", "talk_ends", "withdraw"]),
    "others": Late(
        [OPT_OUT], ["anna answers"], [*_SWITCH, "others record anna", "foe joins", "foe leaves", "nobody joins"]
    ),
}


def walk(start: Room, names: list[str], depth: int, *, at_once: bool) -> int:
    known = {start.key()}
    level: list[tuple[Room, tuple[str, ...]]] = [(start, ())]
    for _ in range(depth):
        following = []
        for room, before in level:
            for name in names:
                after, path = room.copy(), (*before, name)
                try:
                    MOVES[name](after)
                    if at_once:
                        after.settle()
                        settled = after
                    else:
                        hold_always(after)
                        settled = after.copy()
                        settled.settle()
                    hold_settled(settled)
                except AssertionError as error:
                    raise AssertionError(f"{error}\n  after: {' / '.join(path)}") from error
                key = after.key()
                if key not in known:
                    known.add(key)
                    if not after.over:
                        following.append((after, path))
        level = following
    return len(known)


@pytest.mark.slow
@pytest.mark.parametrize("events_first", [True, False], ids=["events first", "answer first"])
@pytest.mark.parametrize(
    ("policy", "word"),
    [(OPT_OUT, ConsentDecision.GIVEN), (OPT_OUT, ConsentDecision.REFUSED), (FREE, ConsentDecision.GIVEN)],
    ids=["given", "refused", "given and armed"],
)
@pytest.mark.parametrize("theme", ALL_AT_ONCE)
def test_when_the_switch_obeys_at_once(
    theme: str, policy: TalkPolicy, word: ConsentDecision, events_first: bool
) -> None:
    met = walk(new_room(policy, word, events_first=events_first), ALL_AT_ONCE[theme], 5, at_once=True)
    print(f"{met} rooms")
    assert met > 5


@pytest.mark.slow
@pytest.mark.parametrize("events_first", [True, False], ids=["events first", "answer first"])
@pytest.mark.parametrize(
    ("theme", "number"), [(theme, n) for theme, late in ONE_BY_ONE.items() for n in range(len(late.policies))]
)
def test_when_the_switch_is_late_or_refuses(theme: str, number: int, events_first: bool) -> None:
    late = ONE_BY_ONE[theme]
    room = new_room(late.policies[number], events_first=events_first)
    for name in late.begun:
        MOVES[name](room)
        room.settle()
    met = walk(room, late.names, 5, at_once=False)
    print(f"{met} rooms")
    assert met > 50


@given(
    policy=st.builds(
        replace,
        st.sampled_from([OPT_OUT, NTH, MANUAL, FREE]),
        outsiders=st.sampled_from(Outsiders),
        while_held=st.sampled_from(WhileHeld),
        taps=st.sampled_from(Taps),
        erase_withdrawn=st.booleans(),
    ),
    word=st.sampled_from(ConsentDecision),
    events_first=st.booleans(),
    names=st.lists(st.sampled_from(sorted(MOVES)), max_size=30),
)
@settings(max_examples=1000, deadline=None)
def test_promises_hold_in_long_conversations(
    policy: TalkPolicy, word: ConsentDecision, events_first: bool, names: list[str]
) -> None:
    room = new_room(policy, word, events_first=events_first)
    for name in names:
        if room.over:
            break
        MOVES[name](room)
        hold_always(room)
        settled = room.copy()
        settled.settle()
        hold_settled(settled)
