"""The measurements measure: small, and never held against the clock."""

from __future__ import annotations

import json
import math

import pytest
from click.testing import CliRunner

from consentivr.bench.figures import quantile, spread
from consentivr.cli import main


def test_quantiles() -> None:
    values = [float(number) for number in range(1, 101)]
    assert (quantile(values, 0.5), quantile(values, 0.99), quantile(values, 1.0)) == (50.0, 99.0, 100.0)
    assert [figure.value for figure in spread("x", "y", [0.001])] == [1.0, 1.0, 1.0]
    with pytest.raises(ValueError, match="no values"):
        quantile([], 0.5)


def test_calls_are_measured_beside_the_peer() -> None:
    result = CliRunner().invoke(
        main,
        ["bench", "calls", "--json", "--seconds", "0.5", "--rounds", "1", "--held", "20", "--burst", "20"],
    )
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    figures = {(figure["what"], figure["condition"]): figure["value"] for figure in said["figures"]}
    for name in ("consentivr", "greenswitch"):
        assert figures["complete flows per CPU-second", name] > 0
        assert figures["memory per held call", f"{name}, 20 calls"] > 0
        assert not math.isnan(figures["burst: until each call got its first command", f"{name}, 20 calls"])
    assert figures["ratio of flows", "consentivr to greenswitch"] > 0
    assert figures["reaction to a no, p99", "200 questions under way"] > 0
    assert said["machine"]["greenswitch"]


def test_the_ledger_is_measured() -> None:
    options = ["--json", "--seconds", "0.2", "--rate", "20", "--rows", "10000"]
    result = CliRunner().invoke(main, ["bench", "ledger", *options])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)["figures"]
    assert all(figure["value"] >= 0 for figure in figures)
    assert len(figures) > 15
