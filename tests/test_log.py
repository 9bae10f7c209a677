"""The log: the same warning is not said so often that it hides the others."""

from __future__ import annotations

import json

import pytest
import structlog

from consentivr.cli.log import LINES_A_MINUTE, Rate, configure_log


def test_the_same_warning_has_a_rate_and_a_summary(capsys: pytest.CaptureFixture[str]) -> None:
    rate = Rate()
    configure_log("info", json_lines=True, rate=rate)
    log = structlog.get_logger("test")

    def lines() -> list[dict]:
        return [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    for number in range(LINES_A_MINUTE + 130):
        log.warning("wrong token", number=number)
        log.info("a call")
    log.error("something else")
    heard = lines()
    assert [line["number"] for line in heard if line["event"] == "wrong token"] == list(range(LINES_A_MINUTE))
    assert len([line for line in heard if line["event"] == "a call"]) == LINES_A_MINUTE + 130
    assert heard[-1]["event"] == "something else"
    rate.tell()
    (summary,) = lines()
    assert (summary["event"], summary["level"], summary["left_out"]) == ("wrong token", "warning", 130)
    log.warning("wrong token", number=1)
    rate.tell()
    assert [line.get("number") for line in lines()] == [1], "another minute"


def test_an_exception_has_one_too(capsys: pytest.CaptureFixture[str]) -> None:
    rate = Rate()
    configure_log("info", json_lines=True, rate=rate)
    log = structlog.get_logger("test")
    for _ in range(LINES_A_MINUTE + 1):
        try:
            raise ValueError("x")
        except ValueError:
            log.exception("it failed")
    rate.tell()
    said = capsys.readouterr().err
    assert said.count("it failed") == LINES_A_MINUTE + 1
    assert '"left_out": 1' in said
