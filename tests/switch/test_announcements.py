"""What callers hear and press on a real switch: announcements that are ended by a key, languages, details."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import numpy as np
import pytest
import soundfile

from consentivr.config import Configuration
from consentivr.config.model import SAMPLE_RATES
from tests.switch.parts import SALES, Call, eventually
from tests.switch.world import World

pytestmark = pytest.mark.freeswitch

LONG_S = 8.0
"""What nobody hears to its end."""


def lasting(folder: Path, seconds: float, *names: str, language: str = "de") -> None:
    """Make these announcements so long."""
    for rate in SAMPLE_RATES:
        for name in names:
            hum = 0.3 * np.sin(2 * np.pi * 300 * np.arange(int(rate * seconds)) / rate)
            path = folder / language / str(rate) / f"{name}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(str(path), hum, rate, subtype="PCM_16")


def hears(world: World, call: Call, name: str) -> None:
    """Wait until the caller hears an announcement."""
    eventually(lambda: any(row["uuid"] == call.leg and f"/{name}.wav" in row["application_data"]
                           for row in world.switch.channels()))  # fmt: skip
    gevent.sleep(0.3)


def seconds_to_the_queue(world: World, call: Call, key: str) -> float:
    began = time.monotonic()
    world.outside.press(call.phone, key)
    world.queued(call)
    return time.monotonic() - began


def test_what_is_said_after_the_decision_is_ended_by_any_key(
    configure_once: Callable[..., Configuration], sounds: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "sounds"
    shutil.copytree(sounds, folder)
    lasting(folder, LONG_S, "accepted", "refused", "not_obtained")
    with World(configure_once(sounds_folder=folder), tmp_path, sales=False) as world:
        call = world.call(agents=False)
        world.press(call, "9")
        hears(world, call, "refused")
        assert seconds_to_the_queue(world, call, "5") < 3
        world.end_call(call)
        assert world.whole(call)["decision"].evidence["reason"] == "objection_key"
        world.settle()

        call = world.call(agents=False)
        world.press(call, "1")
        hears(world, call, "accepted")
        assert seconds_to_the_queue(world, call, "*") < 3
        world.end_call(call)
        assert world.whole(call)["decision"].evidence["decision"] == "given"
        world.settle()

        call = world.call(agents=False)
        world.press(call, "1")
        hears(world, call, "accepted")
        world.outside.press(call.phone, "9")
        hears(world, call, "refused")
        assert seconds_to_the_queue(world, call, "1") < 3
        world.end_call(call)
        rows = world.whole(call)
        assert rows["withdrawn"].evidence["reason"] == "objection_after_consent", "9 in 'accepted' is a no"
        assert world.files == []


def bilingual(data: dict[str, Any]) -> None:
    """German, with English by key or by number, and details."""
    data["languages"] = {"en": {"key": "2", "prefixes": ["+44"]}, "de": {"key": "4"}}
    data["announcements"]["en"] = data["announcements"]["de"]
    data["question"]["details_key"] = "3"
    data["queues"]["sales"] = {**data["queues"]["sales"], "max_wait_s": 2}


@pytest.fixture(scope="module")
def world(
    configure_once: Callable[..., Configuration], sounds: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("bilingual")
    shutil.copytree(sounds / "de", folder / "sounds" / "de")
    shutil.copytree(sounds / "de", folder / "sounds" / "en")
    lasting(folder / "sounds", 1.5, "language-4")
    lasting(folder / "sounds", 1.5, "language-2", language="en")
    for language in ("de", "en"):
        lasting(folder / "sounds", LONG_S, "support-details", "sales-details", language=language)
        lasting(folder / "sounds", 3.0, "question", "unanswered", language=language)
    with World(configure_once(sounds_folder=folder / "sounds"), folder, change=bilingual) as made:
        yield made


def test_a_language_is_chosen_by_key_while_the_greeting_plays(world: World) -> None:
    call = world.call()
    hears(world, call, "language-2")
    world.outside.press(call.phone, "2")
    hears(world, call, "en/8000/question")
    world.press(call, "1")
    world.talking(call)
    assert "/de/8000/agent_recorded.wav" in world.switch.variable(call.leg, "cc_outbound_announce"), "to the agent"
    assert "/en/8000/unanswered.wav" in world.switch.variable(call.leg, "consent_unanswered")
    world.end_call(call)
    said = world.whole(call)["decision"].evidence
    assert (said["decision"], said["language"], said["language_by"]) == ("given", "en", "key")
    assert [(one["outcome"], one["language"]) for one in said["attempts"]] == [("key", "en")]
    world.settle()


def test_a_language_is_chosen_by_key_while_the_question_plays(world: World) -> None:
    call = world.call(agents=False)
    hears(world, call, "de/8000/question")
    world.outside.press(call.phone, "2")
    hears(world, call, "en/8000/question")
    world.outside.press(call.phone, "4")
    hears(world, call, "de/8000/question")
    world.outside.press(call.phone, "9")
    world.queued(call)
    world.end_call(call)
    said = world.whole(call)["decision"].evidence
    assert (said["decision"], said["language"], said["language_by"]) == ("refused", "de", "key")
    assert [one["outcome"] for one in said["attempts"]] == ["language", "language", "key"]
    world.settle()


def test_a_language_is_that_of_the_number_and_details_are_told(world: World) -> None:
    call = world.call(agents=False, number="+441632960123")
    hears(world, call, "en/8000/question")
    world.outside.press(call.phone, "3")
    hears(world, call, "en/8000/support-details")
    began = time.monotonic()
    world.outside.press(call.phone, "7")
    hears(world, call, "en/8000/question")
    assert time.monotonic() - began < 3, "any key ends the details"
    world.outside.press(call.phone, "1")
    world.queued(call)
    world.end_call(call)
    said = world.whole(call)["decision"].evidence
    assert (said["decision"], said["language"], said["language_by"]) == ("given", "en", "prefix")
    assert [(one["outcome"], one["key"]) for one in said["attempts"]] == [("details", "3"), ("key", "1")]
    world.settle()


def test_a_language_stays_on_the_next_line_and_one_that_is_not_to_be_had_is_said(world: World) -> None:
    call = world.call(agents=False)
    hears(world, call, "language-2")
    world.outside.press(call.phone, "2")
    hears(world, call, "en/8000/question")
    world.outside.press(call.phone, "9")
    world.queued(call)
    for wanted, spoken in (("", "en"), ("fi", "de")):
        if wanted:
            world.switch.api(f"uuid_setvar {call.leg} consent_language {wanted}")
        world.switch.api(f"uuid_transfer {call.leg} {SALES} XML public")
        hears(world, call, f"{spoken}/8000/question")
        world.outside.press(call.phone, "9")
        world.queued(call)
    assert "a language that the line does not speak" in world.log
    world.end_call(call)

    def told() -> list[tuple[str, str | None, str | None]]:
        said = [row.evidence for row in world.rows() if row.channel_uuid == call.leg and row.turn == "decision"]
        return [(one["language"], one.get("language_by"), one.get("language_wanted")) for one in said]

    expected = [("en", "key", None), ("en", "variable", None), ("de", None, "fi")]
    eventually(lambda: sorted(told(), key=str) == sorted(expected, key=str))
    world.settle()


def test_who_finds_nobody_hears_so_in_the_callers_language(world: World) -> None:
    for key, spoken in (("2", "en"), ("5", "de")):
        call = world.call(SALES, agents=False)
        hears(world, call, "language-2")
        world.outside.press(call.phone, key)
        hears(world, call, f"{spoken}/8000/question")
        world.outside.press(call.phone, "9")
        hears(world, call, f"{spoken}/8000/unanswered")
        eventually(lambda: not world.switch.channels())
        world.settle()
