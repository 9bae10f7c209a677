"""What callers hear and press on a real switch: announcements that are ended by a key."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import gevent
import numpy as np
import pytest
import soundfile

from consentivr.config import Configuration
from consentivr.config.model import SAMPLE_RATES
from tests.switch.parts import Call, eventually
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
