"""What a caller's side can put on a channel, and what of it we use (promise P7)."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentivr.asking.channel import Channel
from consentivr.asking.languages import Languages
from consentivr.asking.line import Line
from consentivr.core.consent import Variant
from consentivr.core.policy import Announcement, RecordingMode
from consentivr.core.trial import variant_of
from consentivr.esl.errors import RemoteProtocolError
from consentivr.recordings import is_channel_uuid
from tests.asking.lines import HEADERS, UUID, VISIT, channel, line, without

HOSTILE = ["a b", "a|b=1", "a'b", 'a"b', "${system(reboot)}", "a\nb", "a\x00", "ä", "x" * 81, "\x1b[2J", "\u202e"]


def test_an_ordinary_channel() -> None:
    made = channel()
    assert (made.uuid, made.visit, made.line.name, made.mode) == (UUID, VISIT, "support", "permanent_opt_out")
    assert (made.switch, made.core, made.caller_id_number) == ("switch-1", "c-1", "+493023125000")
    assert re.fullmatch(rf"/r/\d{{4}}/\d\d/\d\d/{VISIT}\.wav", made.recording_path), (
        "named after the visit, not the leg"
    )
    assert made.recording_path == f"/r/{made.day:%Y/%m/%d}/{VISIT}.wav"
    assert made.arrived_at.startswith(f"{made.day:%Y-%m-%d}T"), "one moment for both"
    assert made.notice is not None
    assert (made.notice.duration_ms, made.notice.language) == (2000, "de")


@pytest.mark.parametrize("uuid", ["", "x", UUID.upper(), UUID + "\n", "../../etc/passwd", UUID[:-1] + "/", "a" * 4000])
def test_a_channel_without_a_valid_uuid_is_none(uuid: str) -> None:
    with pytest.raises(RemoteProtocolError, match="no valid UUID"):
        channel(Unique_ID=uuid)


@pytest.mark.parametrize("number", ["", "5001", "5000 ", "5000\n", "${5000}"])
def test_a_number_that_is_no_line(number: str) -> None:
    with pytest.raises(RemoteProtocolError, match="render and reload"):
        channel(Caller_Destination_Number=number)


def test_a_channel_that_says_nothing_of_itself() -> None:
    made = Channel.of({"Unique-ID": UUID, "Caller-Destination-Number": "5000"}, {"5000": line()}, VISIT)
    assert (made.switch, made.core, made.exports, made.terminators, made.caller_id_number) == ("", "", "", "", None)
    assert made.sounds is made.line.sounds[8000]


@pytest.mark.parametrize("bad", HOSTILE)
@pytest.mark.parametrize("header", ["FreeSWITCH_Switchname", "Core_UUID", "variable_playback_terminators"])
def test_p7_a_word_that_is_none_is_left_out(header: str, bad: str) -> None:
    made = channel(**{header: bad})
    said = {
        "FreeSWITCH_Switchname": made.switch,
        "Core_UUID": made.core,
        "variable_playback_terminators": made.terminators,
    }
    assert said[header] == ""


@pytest.mark.parametrize("good", ["none", "#", "*#", "any", ""])
def test_terminators_of_others_are_put_back_as_they_were(good: str) -> None:
    assert channel(variable_playback_terminators=good).terminators == good


@pytest.mark.parametrize("bad", ["a b", "a,b|c=1", "a,${x}", "a,b'", "a;b", "a,,b", ",", "a\n", "x" * 501, "a.b", "-"])
def test_p7_exports_that_are_no_names_are_left_out(bad: str) -> None:
    assert channel(variable_cc_export_vars=bad).exports == ""


def test_exports_of_others_are_kept() -> None:
    assert channel(variable_cc_export_vars="crm_id,sip_h_X_1").exports == "crm_id,sip_h_X_1"


@given(text=st.text(max_size=600))
@settings(max_examples=300, deadline=None)
def test_p7_whatever_a_channel_says_one_word_comes_of_it(text: str) -> None:
    made = channel(
        FreeSWITCH_Switchname=text, Core_UUID=text, variable_playback_terminators=text, variable_cc_export_vars=text,
        Caller_Caller_ID_Number=text, Channel_Read_Codec_Rate=text,
    )  # fmt: skip
    for word in (made.switch, made.core, made.terminators, made.exports):
        assert not re.search(r"[\s|'\"$]", word)
        assert len(word) <= 500
    assert made.sounds in made.line.sounds.values()
    assert made.caller_id_number is None or len(made.caller_id_number) <= 64
    assert is_channel_uuid(made.recording_path.rpartition("/")[2].removesuffix(".wav"))


@pytest.mark.parametrize(
    ("rate", "played"),
    [("8000", 8000), ("16000", 16000), ("48000", 16000), ("4000", 8000), ("", 8000), ("1e9", 8000), ("9999999", 8000)],
)
def test_the_sounds_for_a_rate(rate: str, played: int) -> None:
    assert channel(Channel_Read_Codec_Rate=rate).sounds[Announcement.QUESTION].rate == played


def test_the_wording_is_the_questions_or_the_one_that_tells() -> None:
    assert channel(without(line(), Announcement.QUESTION)).notice is None
    told = line(mode=RecordingMode.PERMANENT, legal_basis="MiFID II")
    made = channel(without(told, Announcement.QUESTION))
    assert made.notice is not None
    assert channel(without(told, Announcement.TOLD)).notice is None
    assert channel(**HEADERS_AS_WORDS).line.name == "support"


HEADERS_AS_WORDS = {name.replace("-", "_"): text for name, text in HEADERS.items()}


def test_how_long_a_line_may_take() -> None:
    made = line()
    spoken = 2 * len(Announcement)
    assert made.watchdog_s == 15 + spoken + 2 * (2 + 2 + 5), "each announcement once, and each attempt"
    assert made.asking_s(made.sounds[8000]) == spoken + 5


@pytest.mark.parametrize(
    "said",
    [
        {"Caller_Privacy_Hide_Number": "true"},
        {"variable_sip_Privacy": "id"},
        {"variable_sip_Privacy": "user;ID;critical"},
        {"Caller_Caller_ID_Number": "anonymous"},
        {"Caller_Caller_ID_Number": "0000000000"},
        {"Caller_Caller_ID_Number": ""},
    ],
)
def test_a_withheld_number_is_not_taken(said: dict[str, str]) -> None:
    assert channel(**said).caller_id_number is None


@pytest.mark.parametrize("said", [{"variable_sip_Privacy": "none"}, {"Caller_Privacy_Hide_Number": "false"}])
def test_a_number_that_is_not_withheld_is_kept_as_it_is(said: dict[str, str]) -> None:
    assert channel(Caller_Caller_ID_Number="030-23125000", **said).caller_id_number == "03023125000"


# --- two wordings on trial ---------------------------------------------------------------------


def on_trial() -> Line:
    """German, with a second wording, and English."""
    german, english = replace(line(), language="de"), replace(line(), language="en")
    german = replace(german, further={"en": english}, languages=Languages({"2": "en", "4": "de"}, {}))
    sounds = {
        rate: {**said, Announcement.QUESTION: replace(said[Announcement.QUESTION], text="Two", duration_ms=3000)}
        for rate, said in german.sounds.items()
    }
    return german.tried("short", replace(german, sounds=sounds))


@pytest.mark.parametrize("number", range(12))
def test_a_caller_stays_with_one_wording_also_after_another_language(number: int) -> None:
    uuid = f"26c9d23f-fed1-4cfe-b05e-{number:012x}"
    variant = variant_of("short", uuid)
    length = 3000 if variant is Variant.B else 2000
    made = channel(on_trial(), Unique_ID=uuid)
    for _ in range(2):
        assert made.notice is not None
        assert (made.notice.on_trial, made.notice.duration_ms) == (("short", variant), length)
        assert made.line.policy is made.base.policy
        english = made.speaking("en")
        assert english.notice is not None
        assert (english.notice.on_trial, english.notice.duration_ms) == (None, 2000), "only the line's own language"
        made = english.speaking("de")


def test_without_a_trial_nothing_is_said_of_one() -> None:
    notice = channel().notice
    assert notice is not None
    assert notice.on_trial is None
