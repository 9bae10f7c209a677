"""The measurements measure: small, and never held against the clock."""

from __future__ import annotations

import importlib.util
import json
import math
from pathlib import Path

import pytest
from click.testing import CliRunner

from consentivr.bench.figures import Figure, quantile, spread
from consentivr.bench.words import CHANNEL, VISIT, Words
from consentivr.cli import main
from consentivr.esl.codec import Event

pytestmark = pytest.mark.slow


def test_quantiles() -> None:
    values = [float(number) for number in range(1, 101)]
    assert (quantile(values, 0.5), quantile(values, 0.99), quantile(values, 1.0)) == (50.0, 99.0, 100.0)
    assert [figure.value for figure in spread("x", "y", [0.001])] == [1.0, 1.0, 1.0]
    with pytest.raises(ValueError, match="no values"):
        quantile([], 0.5)


def test_calls_are_measured_beside_the_peer(tmp_path: Path) -> None:
    options = [
        "--seconds",
        "0.5",
        "--rounds",
        "1",
        "--held",
        "10",
        "--held",
        "20",
        "--burst",
        "20",
        "--rate",
        "20",
        "--rate",
        "30",
    ]
    plot = ["--plot", str(tmp_path / "knee.png")] if importlib.util.find_spec("matplotlib") else []
    result = CliRunner().invoke(main, ["bench", "calls", "--json", *options, *plot])
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    figures = {(figure["what"], figure["condition"]): figure["value"] for figure in said["figures"]}
    for name in ("consentivr", "greenswitch"):
        assert figures["complete flows per CPU-second", name] > 0
        assert figures["memory per held call", f"{name}, 20 calls"] > 0
        assert figures["yes to the next command, p99", f"{name}, 20 calls/s"] > 0
        assert figures["knee: the last rate with a p99 of one media frame", name] in (0, 20, 30)
        assert not math.isnan(figures["burst: until each call got its first command", f"{name}, 20 calls"])
    assert figures["  rows in a transaction", "consentivr, 20 calls/s"] >= 1
    assert figures["  rows in the ledger for each flow", "consentivr"] >= 6, "the conversations were followed"
    ratio = next(figure for figure in said["figures"] if figure["what"] == "ratio of flows")
    assert ratio["value"] > 0
    assert ratio["budget"].startswith("at least 3: ")
    assert figures["ratio of what one more call costs", "consentivr, beside 20 calls to beside 10"] > 0
    assert figures["reaction to a no, p99", "200 questions under way"] > 0
    assert said["machine"]["greenswitch"]
    assert not plot or (tmp_path / "knee.png").read_bytes().startswith(b"\x89PNG")


def test_one_part_alone() -> None:
    result = CliRunner().invoke(main, ["bench", "calls", "--only", "burst", "--burst", "5"])
    assert result.exit_code == 0, result.output
    assert "consentivr, 5 calls" in result.output
    assert "flows" not in result.output


def test_budgets() -> None:
    assert Figure("x", "y", 3.0, "", at_least=3).budget == "at least 3: met"
    assert Figure("x", "y", 2.9, "", at_least=3).budget == "at least 3: NOT MET"
    assert Figure("x", "y", 35.1, "kB", at_most=35).budget == "at most 35: NOT MET"
    assert Figure("x", "y", float("nan"), "kB", at_most=35).budget == "at most 35: NOT MET"
    assert Figure("x", "y", 1.0, "kB").budget == ""


def test_the_ledger_is_measured() -> None:
    options = ["--json", "--seconds", "0.2", "--rate", "20", "--rows", "10000"]
    result = CliRunner().invoke(main, ["bench", "ledger", *options])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)["figures"]
    assert all(figure["value"] >= 0 for figure in figures)
    assert len(figures) > 15


@pytest.mark.slow
def test_the_console_is_measured_beside_calls() -> None:
    options = ["--calls", "300", "--people", "4", "--think", "0.1", "0.3", "--seconds", "2", "--rounds", "1"]
    result = CliRunner().invoke(main, ["bench", "console", "--json", *options, "--rate", "5"])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)["figures"]
    assert any(figure["what"] == "/calls, p50" and figure["value"] > 0 for figure in figures)
    assert {figure["what"] for figure in figures} >= {"a page, p99", "yes to the next command, p99"}


def test_without_a_freeswitch_there_is_nothing_to_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONSENTIVR_FREESWITCH", raising=False)
    monkeypatch.setenv("PATH", "")
    result = CliRunner().invoke(main, ["bench", "switch"])
    assert result.exit_code == 2
    assert "no FreeSWITCH" in result.output


@pytest.mark.freeswitch
def test_real_calls_are_measured_beside_the_switch() -> None:
    options = ["--calls", "6", "--rounds", "1", "--waits", "1", "--held", "6"]
    result = CliRunner().invoke(main, ["bench", "switch", "--json", *options])
    assert result.exit_code == 0, result.output
    figures = {figure["what"]: figure for figure in json.loads(result.stdout)["figures"]}
    assert figures["processor time a call, FreeSWITCH, median"]["value"] > 0
    assert figures["consentivr to FreeSWITCH, median"]["budget"].startswith("at most 0.1: ")
    assert figures["create to answer, consentivr, median"]["value"] >= 0
    assert figures["announcement to queue, Lua, median"]["value"] >= 0
    assert figures["  memory of the process before the first"]["value"] > 10


def test_what_the_load_says_is_what_is_understood() -> None:
    """Its events, at the sizes of a real switch, with what they are about where the watch looks for it."""
    words = Words("/recordings/2026/11/25")
    _, body = words.watched("CHANNEL_HANGUP_COMPLETE", "given", Hangup__Cause="NORMAL_CLEARING").split(b"\n\n", 1)
    event = Event(body)
    assert abs(len(body) - 13_400) < 100
    assert (event["Event-Name"], event["Unique-ID"]) == ("CHANNEL_HANGUP_COMPLETE", CHANNEL)
    assert event["Hangup-Cause"] == "NORMAL_CLEARING"
    _, body = words.queue("member-queue-start", "given").split(b"\n\n", 1)
    event = Event(body)
    assert (event["CC-Member-Session-UUID"], event["variable_consent_visit"]) == (CHANNEL, VISIT)
    assert event["variable_consent_record_file"] == words.recording
