"""The words of the two state machines: each is said and heard somewhere, and no other is."""

from __future__ import annotations

import ast
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

from consentivr import core
from consentivr.core import actions, conversation, events, talk_turns, turns
from consentivr.core.actions import AskingAction, TalkAction
from consentivr.core.consent import Notice
from consentivr.core.conversation import step
from consentivr.core.dialogue import step as ask
from consentivr.core.events import AskingEvent, TalkEvent
from consentivr.core.policy import LinePolicy, RecordingMode, TalkPolicy
from consentivr.core.state import AskingState, TalkState
from consentivr.core.turn import Turn

CORE = Path(core.__path__[0])
RULES = [path for path in CORE.glob("*.py") if path.stem not in ("events", "actions")]


def names_used(prefix: str, module: str) -> set[str]:
    """The names of a module that the rules use: imported, or (``do.Write``) as attributes."""
    found = set()
    for path in RULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == module:
                found |= {name.name for name in node.names}
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == prefix:
                found.add(node.attr)
    return found


def classes(module: ModuleType) -> set[type[Any]]:
    return {one for one in vars(module).values() if isinstance(one, type) and one.__module__ == module.__name__}


def test_every_event_of_a_conversation_has_a_rule_and_every_rule_an_event() -> None:
    assert set(conversation._RULES) == set(get_args(TalkEvent))


def test_every_event_is_of_one_of_the_two_and_known_to_its_rules() -> None:
    members = {*get_args(AskingEvent), *get_args(TalkEvent)}
    assert classes(events) - {events.Party, events.Situation} == members
    used = names_used("ev", "consentivr.core.events")
    assert {one.__name__ for one in members} <= used


def test_every_action_is_of_one_of_the_two_and_said_somewhere() -> None:
    members = {*get_args(AskingAction), *get_args(TalkAction)}
    assert classes(actions) == members
    used = names_used("do", "consentivr.core.actions")
    assert {one.__name__ for one in members} <= used


def test_every_row_has_a_turn_of_its_own() -> None:
    rows = (classes(turns) | classes(talk_turns)) - {turns.Row, Notice, talk_turns.LegSeen}
    assert len({row.turn for row in rows}) == len(rows)
    assert {row.turn for row in rows} <= set(Turn)


def test_an_event_of_the_other_is_none_of_either() -> None:
    """What the dialogue does not know changes nothing; what a conversation does not know is a fault."""
    state = AskingState()
    for event in set(get_args(TalkEvent)) - set(get_args(AskingEvent)):
        assert ask(LinePolicy(RecordingMode.OFF), state, object.__new__(event)) == (state, ())
    for event in set(get_args(AskingEvent)) - set(get_args(TalkEvent)):
        try:
            step(TalkPolicy(RecordingMode.OFF), TalkState("v", "c", "/r/v"), object.__new__(event))
        except KeyError:
            continue
        raise AssertionError(event)


def test_no_file_of_the_core_is_longer_than_300_lines() -> None:
    for path in CORE.glob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, path.name
