"""What the watch hears and does: each table against what it must be complete for."""

from __future__ import annotations

from typing import get_args

from consentivr.core import actions as do
from consentivr.watch import stream
from consentivr.watch.doing import PERFORM


def subscribed(commands: tuple[str, ...]) -> tuple[set[str], set[str]]:
    """The kinds of events that ``event json`` names, and the subclasses of custom ones."""
    (words,) = [command.split()[2:] for command in commands if command.startswith("event json ")]
    if "CUSTOM" not in words:
        return set(words), set()
    at = words.index("CUSTOM")
    return set(words[: at + 1]), set(words[at + 1 :])


def test_every_action_of_a_conversation_is_in_the_table() -> None:
    assert set(PERFORM) == set(get_args(do.TalkAction))


def test_every_kind_that_is_subscribed_is_understood() -> None:
    events, custom = subscribed(stream.SUBSCRIPTIONS)
    executions, _ = subscribed(stream.EXECUTIONS)
    # The ends of background jobs go to who waits for them (esl.inbound).
    assert set(stream.KINDS) == (events - {"BACKGROUND_JOB"}) | executions
    assert "BACKGROUND_JOB" in events
    assert custom == {"callcenter::info", "conference::maintenance"}


def filters(commands: tuple[str, ...]) -> list[tuple[str, str]]:
    """Header and value of each filter; all of them let something through."""
    said = [command.split(" ", 2) for command in commands if command.startswith("filter ")]
    found = [(header, value) for _, header, value in said]
    assert not any(value.startswith("-") for _, value in found)
    return found


def test_filters_let_every_event_through_but_those_of_queues_and_conferences_that_mean_nothing() -> None:
    events, _ = subscribed(stream.SUBSCRIPTIONS)
    through = filters(stream.SUBSCRIPTIONS)
    assert {value for header, value in through if header == "Event-Name"} == events - {"CUSTOM"}
    assert {value for header, value in through if header == "CC-Action"} == {
        "member-queue-start",
        "member-queue-resume",
        "bridge-agent-start",
    }
    assert ("CC-Cause", "Cancel") in through, "a member-queue-end of a caller who was served means nothing"
    assert {value for header, value in through if header == "Action"} == {
        "add-member",
        "del-member",
        "start-recording",
        "stop-recording",
    }


def test_executions_are_filtered_on_a_connection_of_their_own() -> None:
    assert filters(stream.EXECUTIONS) == [("Application", application) for application in stream.APPLICATIONS]
