"""What the law wants of a configuration."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from consentivr.check import Level
from consentivr.check.law import law
from consentivr.config import Configuration, loads
from consentivr.config.values import written


def changed(configuration: Configuration, change: Callable[[dict[str, Any]], None]) -> Configuration:
    import yaml

    data = written(configuration)
    change(data)
    return loads(yaml.safe_dump(data, allow_unicode=True))


def found(configuration: Configuration) -> dict[str, Level]:
    return {one.what: one.level for one in law(configuration)}


def test_each_part_is_told_of(configure: Callable[..., Configuration]) -> None:
    findings = law(configure())
    assert {one.part for one in findings} == {"law"}
    assert {"question of line support", "purpose support", "retention support", "privacy"} <= {
        one.what for one in findings
    }


@pytest.mark.parametrize(
    ("change", "what", "level"),
    [
        (lambda data: data["queues"]["support"].pop("retention"), "retention support", Level.BAD),
        (lambda data: data["queues"]["support"]["recording"].pop("purpose"), "purpose support", Level.WARNING),
        (
            lambda data: data["queues"]["support"]["recording"].update(purpose="training"),
            "purpose support",
            Level.GOOD,
        ),
        (lambda data: data["queues"]["support"]["recording"].update(mode="off"), "purpose support", Level.GOOD),
        (lambda data: data["privacy"].update(controller=None), "privacy", Level.WARNING),
    ],
)
def test_what_is_missing_is_found(
    configure: Callable[..., Configuration], change: Callable[[dict[str, Any]], None], what: str, level: Level
) -> None:
    assert found(changed(configure(), change))[what] is level


@pytest.mark.parametrize(
    ("days", "kept", "level"),
    [(10, 30, Level.GOOD), (0, 30, Level.GOOD), (-1, 30, Level.WARNING), (29, 30, Level.GOOD), (30, 30, Level.WARNING)],
)
def test_a_trial_can_still_be_asked_and_its_calls_are_there_until_it_is_over(
    configure: Callable[..., Configuration], days: int, kept: int, level: Level
) -> None:
    def on_trial(data: dict[str, Any]) -> None:
        until = datetime.now(ZoneInfo("UTC")).date() + timedelta(days)
        question = "Ja: 1. Nein: 9. Widerruf: *9."
        data["lines"]["support"]["trial"] = {"name": "short", "question": question, "until": until.isoformat()}
        data["queues"]["support"]["retention"]["refusals_days"] = kept
        data["privacy"]["time_zone"] = "UTC"

    assert found(changed(configure(), on_trial))["trial of line support"] is level
    assert "trial of line support" not in found(configure())
