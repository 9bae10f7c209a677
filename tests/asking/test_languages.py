"""In which language a caller is asked, before and after a key."""

from __future__ import annotations

from dataclasses import replace

import pytest

from consentivr.asking.channel import Channel
from consentivr.asking.hearing import Hearing
from consentivr.asking.languages import Chosen, Languages, chosen
from consentivr.asking.line import Line
from consentivr.core import actions as do
from consentivr.core import events as ev
from consentivr.core.consent import AnswerOutcome, LanguageBy
from consentivr.core.policy import Announcement, RecordingMode
from tests.asking.lines import UUID, channel, event, line
from tests.asking.saying import saying

WAYS = Languages({"2": "en", "4": "de", "5": "fr"}, {"+44": "en", "+4420": "fr", "+33": "fr"}, "DE")
SPOKEN = frozenset({"de", "en"})


@pytest.mark.parametrize(
    ("variable", "number", "expected"),
    [
        ("", None, Chosen("de", LanguageBy.LINE)),
        ("", "+493023125000", Chosen("de", LanguageBy.LINE)),
        ("", "+441632960001", Chosen("en", LanguageBy.PREFIX)),
        ("", "00441632960001", Chosen("en", LanguageBy.PREFIX)),
        ("", "01632960001", Chosen("de", LanguageBy.LINE)),
        ("", "+442079460001", Chosen("de", LanguageBy.LINE, "fr")),
        ("en", "+493023125000", Chosen("en", LanguageBy.VARIABLE)),
        ("EN-gb", None, Chosen("en", LanguageBy.VARIABLE)),
        ("en_US", None, Chosen("en", LanguageBy.VARIABLE)),
        ("fi", None, Chosen("de", LanguageBy.LINE, "fi")),
        ("fi", "+441632960001", Chosen("en", LanguageBy.PREFIX, "fi")),
        ("english", None, Chosen("de", LanguageBy.LINE, "unknown")),
        ("${x}", None, Chosen("de", LanguageBy.LINE, "unknown")),
        ("", "nobody", Chosen("de", LanguageBy.LINE)),
    ],
)
def test_who_is_asked_in_which_language(variable: str, number: str | None, expected: Chosen) -> None:
    assert chosen("de", SPOKEN, WAYS, variable, number) == expected


def several(**policy: object) -> Line:
    """German, which can speak English, and has a key for French that it cannot speak."""
    english = line(**policy)
    sounds = {
        rate: {
            said: replace(sound, language="en", path=sound.path.replace("/s/", "/en/")) for said, sound in all_.items()
        }
        for rate, all_ in english.sounds.items()
    }
    english = replace(english, language="en", sounds=sounds)
    return replace(line(**policy), language="de", further={"en": english}, languages=WAYS)


def test_a_channel_offers_what_is_not_spoken_already() -> None:
    made = channel(several())
    assert made.offers == {"2": "en"}
    assert channel(several(), Caller_Caller_ID_Number="+441632960001").offers == {"4": "de"}
    assert channel(several(), variable_consent_language="en").offers == {}, "it was known before"
    assert channel(several(), variable_consent_language="fi").offers == {"2": "en"}
    assert channel(several(mode=RecordingMode.OFF)).offers == {}
    assert channel().offers == {}


def test_the_notice_says_the_language_and_why() -> None:
    made = channel(several(), Caller_Caller_ID_Number="+441632960001")
    assert made.notice is not None
    assert (made.notice.language, made.notice.by) == ("en", LanguageBy.PREFIX)
    notice = made.speaking("de").notice
    assert notice is not None
    assert (notice.language, notice.by) == ("de", LanguageBy.KEY)
    notice = channel(several(), variable_consent_language="fi").notice
    assert notice is not None
    assert (notice.by, notice.wanted) == (LanguageBy.LINE, "fi")


def test_the_greeting_is_said_with_its_offers_and_a_key_ends_it() -> None:
    with saying(channel(several())) as said:
        sent = said.perform(do.Greet())
        assert sent == [
            "multiset ^^|read_result=|consent_language_key=",
            "flush_dtmf",
            "play_and_get_digits 1 1 1 1500 # file_string:///s/8000/welcome.wav!/en/8000/language.wav "
            "silence_stream://10 consent_language_key [2] 1500",
        ]
        assert said.doing.deadline_s == 4 + 1.5 + 5
        ended = event(
            "CHANNEL_EXECUTE_COMPLETE",
            Application_UUID=said.uuids[0],
            variable_read_result="success",
            variable_consent_language_key="2",
        )
        found = said.hearing.meaning(ended)
        assert isinstance(found, ev.Greeted)
        assert found.notice is not None
        assert found.notice.language == "en"


def test_another_key_or_none_ends_the_greeting_without_a_choice() -> None:
    hearing = Hearing(channel(several()))
    assert (
        hearing.greeted(event("X", variable_read_result="failure", variable_consent_language_key_invalid="1"))
        == ev.Greeted()
    )
    assert hearing.greeted(event("X", variable_read_result="failure")) == ev.Greeted()
    assert hearing.greeted(event("X", Answer_State="hangup")) == ev.HungUp()


def test_from_then_on_everything_is_in_that_language() -> None:
    with saying(channel(several())) as said:
        sent = said.perform(do.Speak("en"))
        assert sent == [f"api uuid_setvar_multi {UUID} consent_language=en"]
        asked = said.perform(do.Ask(1))[2]
        assert "/en/8000/question.wav" in asked
        assert "consent_key_1 [194] 5000" in asked, "and back"
        assert "/en/8000/refused.wav" in said.perform(do.Play(Announcement.REFUSED, skippable=True))[1]
        (variables, *_) = said.perform(do.JoinQueue("refused"))
        assert "consent_unanswered=/en/8000/unanswered.wav" in variables
    with saying(channel(several())) as said:
        assert "consent_unanswered" not in said.perform(do.JoinQueue("refused"))[0]


def answer(made: Channel, key: str) -> ev.Answered:
    found = Hearing(made).answer(
        event("X", variable_read_result="success", variable_k=key, variable_playback_last_offset_pos="8000"),
        1,
        "k",
        "x",
    )
    assert isinstance(found, ev.Answered)
    return found


def test_what_the_question_came_back_with() -> None:
    made = channel(several(details_key="3"))
    chose = answer(made, "2")
    assert (chose.attempt.outcome, chose.attempt.key, chose.attempt.language) == (AnswerOutcome.LANGUAGE, "2", "de")
    assert chose.notice is not None
    assert chose.notice.language == "en"
    assert answer(made, "3").attempt.outcome is AnswerOutcome.DETAILS
    assert answer(made, "5").attempt.outcome is AnswerOutcome.WRONG_KEY, "the line cannot speak it"
    assert answer(channel(line(details_key="3")), "3").attempt.language is None, "there is only one"
    with saying(made) as said:
        assert "[1932]" in said.perform(do.Ask(1))[2]


def test_the_watchdog_waits_for_every_detour() -> None:
    plain, with_details = line(), line(details_key="3")
    assert with_details.watchdog_s > plain.watchdog_s
    assert several().watchdog_s > plain.watchdog_s
