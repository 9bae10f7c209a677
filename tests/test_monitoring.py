"""What is measured, the alerts on it, and the page that says what to do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.metrics import MetricWrapperBase

from consentivr import metrics
from consentivr.core.turn import Turn
from consentivr.ledger import Entry
from consentivr.ledger.measuring import expect, measure

ROOT = Path(__file__).parents[1]
RULES = ROOT / "monitoring" / "consentivr.rules.yaml"
PAGE = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
RULED = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
ALERTS = [rule["alert"] for rule in RULED]


def names() -> set[str]:
    """Of all our metrics, as Prometheus has them; a histogram by its own name."""
    found = set()
    for collector in vars(metrics).values():
        if isinstance(collector, MetricWrapperBase):
            (family,) = collector.describe()
            found.add(family.name + {"counter": "_total", "info": "_info"}.get(family.type, ""))
    return found


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_every_metric_has_its_line_and_every_line_its_metric() -> None:
    assert len(names()) > 15
    assert set(re.findall(r"^\| `(consentivr_\w+)` \|", PAGE, re.MULTILINE)) == names()


def test_every_alert_has_a_section_and_every_section_an_alert() -> None:
    assert len(ALERTS) == len(set(ALERTS)) > 10
    assert re.findall(r"^### (Consentivr\w+)$", PAGE, re.MULTILINE) == ALERTS


def test_alerts_ask_for_what_is_measured() -> None:
    known = names() | {f"{name}_{part}" for name in names() for part in ("bucket", "count", "sum")}
    asked = {name for rule in RULED for name in re.findall(r"consentivr_\w+", rule["expr"])}
    assert len(asked) > 10
    assert asked <= known


def test_reasons_and_incidents_that_alerts_name_are_there_from_the_start() -> None:
    """A counter that appears with its first count has not increased, and nobody is told."""
    expect("monitored")
    for reason in re.findall(r'"(\w+(?:\|\w+)+)"', RULES.read_text())[0].split("|"):
        labels = {"line": "monitored", "decision": "not_obtained", "reason": reason}
        assert REGISTRY.get_sample_value("consentivr_decisions_total", labels) == 0, reason
    for incident in ("forbidden_recording", "command_failed", "tapped"):
        assert REGISTRY.get_sample_value("consentivr_incidents_total", {"incident": incident}) is not None
    for turn in Turn:
        assert REGISTRY.get_sample_value("consentivr_ledger_rows_total", {"turn": turn.value}) is not None


def test_what_a_row_tells() -> None:
    def row(turn: Turn, **evidence: Any) -> None:
        measure(Entry("uuid", turn.value, "measured", "support@default", "caller_opt_in", evidence, at=at))

    at = datetime.now(timezone.utc)
    arrived = (at - timedelta(seconds=9)).isoformat()
    asked = {"decision": "given", "reason": "consent_key", "arrived_at": arrived, "attempts": [{"outcome": "key"}]}
    before = value("consentivr_decision_seconds_count", decision="given")
    stopped = value("consentivr_withdrawal_stop_seconds_bucket", le="0.2")
    row(Turn.DECISION, **asked)
    row(Turn.DECISION, **asked | {"attempts": []})
    row(Turn.WITHDRAWN, stopped_ms=31)
    row(Turn.WITHDRAWN, stopped_ms=None)
    row(Turn.WITHDRAWN, stopped_ms=201)
    labels = {"line": "measured", "decision": "given", "reason": "consent_key"}
    assert value("consentivr_decisions_total", **labels) == 2
    assert value("consentivr_decision_seconds_count", decision="given") == before + 1, "of whoever was asked"
    assert value("consentivr_withdrawal_stop_seconds_bucket", le="0.2") == stopped + 1


# --- promtool --------------------------------------------------------------------------------


def promtool(*arguments: str, said: bytes | None = None) -> None:
    program = shutil.which("promtool")
    if program is None and os.environ.get("CONSENTIVR_REQUIRE_PROMTOOL") != "1":
        pytest.skip("no promtool: install prometheus")
    assert program is not None, "no promtool: install prometheus"
    done = subprocess.run([program, *arguments], input=said, capture_output=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


def test_promtool_likes_the_rules() -> None:
    promtool("check", "rules", str(RULES))


def test_each_alert_fires_and_is_quiet_as_the_rules_test_says() -> None:
    file = ROOT / "tests" / "consentivr.rules.test.yaml"
    assert set(re.findall(r'alertname="(\w+)"', file.read_text())) == set(ALERTS)
    promtool("test", "rules", str(file))


def test_promtool_likes_what_is_measured() -> None:
    promtool("check", "metrics", said=generate_latest())
