"""The conversation in words: what follows from what, one story a test. Every story is played in ``tests.core.room``."""

from __future__ import annotations

from dataclasses import replace

import pytest

from consentivr.core import actions as do
from consentivr.core import events as ev
from consentivr.core import turns
from consentivr.core.consent import ConsentDecision
from consentivr.core.conversation import step
from consentivr.core.policy import Announcement, AgentWish, Outsiders, RecordingMode, TalkPolicy, Taps, WhileHeld
from consentivr.core.state import TalkState
from consentivr.core.switchboard import Recorder
from consentivr.core.verdict import Permission
from tests.core.moves import MOVES
from tests.core.promises import hold_settled
from tests.core.room import CALLER, Room, new_room

OPT_OUT = TalkPolicy(RecordingMode.PERMANENT_OPT_OUT, "quality", late_consent_keys="*1")
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
