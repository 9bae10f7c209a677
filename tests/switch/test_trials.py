"""Two wordings on trial, on a real switch: which file it plays is what the ledger says."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from consentivr.config import Configuration
from consentivr.config.model import SAMPLE_RATES
from consentivr.core.consent import Variant
from consentivr.core.trial import variant_of
from consentivr.core.turn import Turn
from consentivr.ledger import CONSOLE, CallRef
from consentivr.service.build import planned
from tests.ledgers import opened
from tests.switch.parts import Call, eventually
from tests.switch.world import World

pytestmark = pytest.mark.freeswitch

FILES = {Variant.A: "question", Variant.B: "support-question-short"}


def on_trial(data: dict[str, Any]) -> None:
    last_day = (date.today() + timedelta(1)).isoformat()
    wording = "Ja: 1. Nein: 9. Widerruf mit Stern 9."
    data["lines"]["support"]["trial"] = {"name": "short", "question": wording, "calls": 100, "until": last_day}


def heard_file(world: World, call: Call) -> str:
    """The stem of the question's file that the switch plays to the caller."""

    def playing() -> str:
        said = [row["application_data"] for row in world.switch.channels() if row["uuid"] == call.leg]
        return next((name for name in FILES.values() if said and f"/{name}.wav" in said[0]), "")

    return eventually(playing)


def test_the_switch_plays_to_each_caller_the_wording_that_the_row_names(
    configure_once: Callable[..., Configuration], sounds: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "sounds"
    shutil.copytree(sounds, folder)
    for rate in SAMPLE_RATES:
        hum = 0.3 * np.sin(2 * np.pi * 500 * np.arange(int(rate * 2.5)) / rate)
        soundfile.write(str(folder / "de" / str(rate) / "support-question-short.wav"), hum, rate, subtype="PCM_16")
    with World(configure_once(sounds_folder=folder), tmp_path, sales=False, change=on_trial) as world:
        call = world.call(agents=False)
        assert heard_file(world, call) == "question", "nobody has approved it"
        world.press(call, "1")
        world.queued(call)
        world.end_call(call)
        assert "trial" not in world.whole(call)["decision"].evidence
        world.settle()

        (((plan, _),), _) = planned(world.configuration)
        begun = {"by": "olga", "role": "officer", **plan.evidence()}
        with opened(world.configuration.ledger.location) as ledger:
            ledger.append([CallRef(CONSOLE, None, "", "", "").row(Turn.TRIAL_BEGUN, begun)])
        assert world.process is not None
        world.process.send_signal(signal.SIGHUP)
        eventually(lambda: "second wordings on trial" in world.log)
        met = set()
        for _ in range(20):
            call = world.call(agents=False)
            variant = variant_of("short", call.leg)
            assert heard_file(world, call) == FILES[variant]
            world.press(call, "9", after=0.7)
            world.queued(call)
            world.end_call(call)
            said = world.whole(call)["decision"].evidence
            assert (said["trial"], said["variant"]) == ("short", variant.value)
            assert said["notice"] in plan.wording(variant)
            assert said["heard_ms"] <= said["notice_ms"]
            met.add((variant, said["notice_ms"]))
            world.settle()
            if len(met) == len(Variant):
                break
        assert met == {(Variant.A, 1000), (Variant.B, 2500)}
