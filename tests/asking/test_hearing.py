"""What the words of the switch mean while a caller is asked: each kind, and what is no word for us."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentivr.asking import hearing
from consentivr.asking.hearing import Hearing, moment_ms, number_in
from consentivr.core import events as ev
from consentivr.core.consent import AnswerOutcome, Attempt
from consentivr.esl.codec import Event
from consentivr.esl.connection import Refused
from consentivr.esl.session import SUBSCRIPTIONS
from tests.asking.lines import channel, event, line
from tests.recorded import NAMES, from_switch, messages

MYEVENTS = {
    "CHANNEL_ANSWER",
    "CHANNEL_BRIDGE",
    "CHANNEL_CALLSTATE",
    "CHANNEL_EXECUTE",
    "CHANNEL_EXECUTE_COMPLETE",
    "CHANNEL_HANGUP",
    "CHANNEL_HANGUP_COMPLETE",
    "CHANNEL_PARK",
    "CHANNEL_STATE",
    "CHANNEL_UNBRIDGE",
    "CHANNEL_UNPARK",
    "DTMF",
    "PRESENCE_IN",
}
"""Of what ``myevents`` brings, what a call that is asked can cause."""


def declined() -> set[str]:
    return {kind for command in SUBSCRIPTIONS if command.startswith("nixevent") for kind in command.split()[1:]}


def test_every_kind_that_is_not_declined_is_understood() -> None:
    assert set(hearing._KINDS) == MYEVENTS - declined()


def test_the_recorded_conversations_hold_no_other_kind() -> None:
    told = {
        message.event()["Event-Name"]
        for name in NAMES
        for message in messages(from_switch(name))
        if message.content_type == "text/event-json"
    }
    assert told - declined() <= set(hearing._KINDS)


def test_what_each_kind_means() -> None:
    heard = Hearing(channel())
    for said, meaning in (
        (event("CHANNEL_EXECUTE", Application="callcenter"), ev.Joined()),
        (event("CHANNEL_EXECUTE", Application="playback"), None),
        (event("CHANNEL_EXECUTE_COMPLETE", Application_UUID="nobody-waits"), None),
        (event("CHANNEL_EXECUTE_COMPLETE"), None),
        (event("DTMF", DTMF_Digit="9"), ev.CallerPressed("9")),
        (event("CHANNEL_HANGUP"), ev.HungUp()),
        (event("CHANNEL_HANGUP_COMPLETE", Hangup_Cause="NORMAL_CLEARING"), ev.ChannelGone("NORMAL_CLEARING")),
        (event("CHANNEL_PARK"), None),
        (Refused("sendmsg answer"), ev.Failed("refused: sendmsg answer")),
    ):
        assert heard.meaning(said) == meaning
        assert meaning is None or type(meaning) in get_args(ev.AskingEvent)


def test_what_another_leg_says_is_not_ours() -> None:
    other = "11111111-fed1-4cfe-b05e-66ccabca7936"
    heard = Hearing(channel())
    for name in hearing._KINDS:
        assert heard.meaning(event(name, other, DTMF_Digit="1", Application="callcenter")) is None


def test_an_end_is_understood_once_and_not_after_it_is_forgotten() -> None:
    heard = Hearing(channel())
    heard.expect("e-1", lambda said: ev.Announced())
    heard.expect("e-2", lambda said: ev.Announced())
    ended = event("CHANNEL_EXECUTE_COMPLETE", Application_UUID="e-1")
    assert heard.meaning(ended) == ev.Announced()
    assert heard.meaning(ended) is None
    heard.forget()
    assert heard.meaning(event("CHANNEL_EXECUTE_COMPLETE", Application_UUID="e-2")) is None


# --- answers ---------------------------------------------------------------------------------


def answer(*, hear_to_end: bool = False, number: int = 1, **headers: str) -> Attempt:
    """What the end of ``play_and_get_digits`` means."""
    heard = Hearing(channel(line(hear_to_end=hear_to_end)))
    heard.expect("asked", lambda said: heard.answer(said, number, f"consent_key_{number}", "asked"))
    heard.meaning(event("CHANNEL_EXECUTE", Application="play_and_get_digits", Application_UUID="asked"))
    found = heard.meaning(event("CHANNEL_EXECUTE_COMPLETE", Application_UUID="asked", **headers))
    assert isinstance(found, ev.Answered)
    assert found.number == number
    assert found.attempt.asked_at == found.attempt.answered_at == "2026-09-21T14:13:20.123+00:00"
    return found.attempt


_WRONG = AnswerOutcome.WRONG_KEY
KEY = {"variable_read_result": "success", "variable_consent_key_1": "1"}


@pytest.mark.parametrize(
    ("headers", "outcome", "key", "heard_ms"),
    [
        (KEY, AnswerOutcome.KEY, "1", None),
        (KEY | {"variable_consent_key_1": "9"}, AnswerOutcome.KEY, "9", None),
        (KEY | {"variable_playback_last_offset_pos": "12000"}, AnswerOutcome.KEY, "1", 1500),
        (KEY | {"variable_playback_last_offset_pos": "99999"}, AnswerOutcome.KEY, "1", 2000),
        (KEY | {"variable_playback_last_offset_pos": "-1"}, AnswerOutcome.KEY, "1", None),
        (KEY | {"variable_consent_key_1": "5"}, AnswerOutcome.WRONG_KEY, "5", None),
        (KEY | {"variable_consent_key_1": "11"}, AnswerOutcome.WRONG_KEY, "1", None),
        (KEY | {"Answer_State": "hangup"}, AnswerOutcome.HUNG_UP, None, None),
        ({"variable_read_result": "failure"}, AnswerOutcome.SILENCE, None, 2000),
        (
            {"variable_read_result": "failure", "variable_consent_key_1_invalid": "5"},
            AnswerOutcome.WRONG_KEY,
            "5",
            None,
        ),
        # On the last try too few digits stay in the variable unchecked (FREESWITCH.md, section 3).
        ({"variable_read_result": "failure", "variable_consent_key_1": "1"}, AnswerOutcome.WRONG_KEY, "1", None),
        ({}, AnswerOutcome.NOT_ASKED, None, None),
        ({"variable_read_result": "timeout"}, AnswerOutcome.NOT_ASKED, None, None),
        ({"variable_consent_key_1": "1"}, AnswerOutcome.NOT_ASKED, None, None),
        (KEY | {"variable_consent_key_1": "1", "variable_read_result": "Success"}, AnswerOutcome.NOT_ASKED, None, None),
        # An answer to another question is none to this one.
        ({"variable_read_result": "success", "variable_consent_key_2": "1"}, AnswerOutcome.SILENCE, None, 2000),
    ],
)
def test_p2_an_answer(headers: dict[str, str], outcome: AnswerOutcome, key: str | None, heard_ms: int | None) -> None:
    found = answer(**headers)
    assert (found.outcome, found.key, found.heard_ms) == (outcome, key, heard_ms)


@given(
    headers=st.dictionaries(
        st.sampled_from(
            ["variable_read_result", "variable_consent_key_1", "variable_consent_key_1_invalid", "Answer_State",
             "variable_playback_last_offset_pos"]
        ),
        st.one_of(st.sampled_from(["success", "failure", "1", "9", "5", "11", ""]), st.text(max_size=9)),
    )
)  # fmt: skip
@settings(max_examples=400, deadline=None)
def test_p2_a_yes_is_success_with_the_consent_key_and_nothing_else(headers: dict[str, str]) -> None:
    found = answer(**headers)
    is_yes = found.outcome is AnswerOutcome.KEY and found.key == "1"
    said_so = headers.get("variable_read_result") == "success" and headers.get("variable_consent_key_1") == "1"
    assert is_yes == (said_so and headers.get("Answer_State") != "hangup")
    assert found.key is None or len(found.key) == 1


@pytest.mark.parametrize(
    ("response", "outcome"), [("FILE PLAYED", AnswerOutcome.KEY), ("FILE NOT FOUND", AnswerOutcome.NOT_ASKED)]
)
def test_p3_a_question_that_was_not_heard_was_not_asked(response: str, outcome: AnswerOutcome) -> None:
    heard = Hearing(channel(line(hear_to_end=True)))
    heard.question_plays()
    heard.expect("played", heard.question_follows)
    heard.expect("asked", lambda said: heard.answer(said, 1, "consent_key_1", "played"))
    heard.meaning(event("CHANNEL_EXECUTE", Application="playback", Application_UUID="played"))
    assert heard.meaning(
        event("CHANNEL_EXECUTE_COMPLETE", Application_UUID="played", Application_Response=response)
    ) is None  # fmt: skip
    found = heard.meaning(event("CHANNEL_EXECUTE_COMPLETE", Application_UUID="asked", **KEY))
    assert isinstance(found, ev.Answered)
    assert found.attempt.outcome is outcome
    assert found.attempt.heard_ms == (2000 if outcome is AnswerOutcome.KEY else None), "to its end"


# --- numbers and moments ---------------------------------------------------------------------


@pytest.mark.parametrize("bad", [None, "", "-1", "1.5", "١٢", "1" * 10, " 1", 7])
def test_what_is_no_number(bad: object) -> None:
    assert number_in(bad) is None


@given(st.text(max_size=30))
@settings(max_examples=200, deadline=None)
def test_any_timestamp_is_a_moment(text: str) -> None:
    said = event("DTMF")
    data = json.loads(said._body) | {"Event-Date-Timestamp": text}
    heard = Hearing(channel())
    heard.expect("asked", lambda said: heard.answer(said, 1, "consent_key_1", "asked"))
    data |= {"Event-Name": "CHANNEL_EXECUTE_COMPLETE", "Application-UUID": "asked"}
    found = heard.meaning(Event(json.dumps(data, separators=(",", ":")).encode()))
    assert isinstance(found, ev.Answered)
    assert found.attempt.answered_at
    assert moment_ms(said) == 1790000000123
