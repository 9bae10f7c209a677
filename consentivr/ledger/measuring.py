"""What rows tell the monitoring, once they are durable: counted here, whoever of us wrote them."""

from __future__ import annotations

from datetime import datetime
from functools import cache

from consentivr import metrics
from consentivr.core.consent import ConsentDecision, Reason
from consentivr.core.turn import Turn
from consentivr.ledger.entry import Entry

# To find a child by its labels costs more than to count.
_rows = cache(metrics.ROWS.labels)
_decisions = cache(metrics.DECISIONS.labels)
_decision_seconds = cache(metrics.DECISION_SECONDS.labels)

for turn in Turn:
    _rows(turn.value)  # there from the start, at zero: else the first of a kind would be no increase

OUR_FAULT = (
    Reason.COULD_NOT_ASK,
    Reason.SWITCH_SILENT,
    Reason.APPLICATION_FAILED,
    Reason.CONNECTION_LOST,
    Reason.NOT_ASKED,
)
"""Decisions that no caller made: somebody should look."""


def expect(line: str) -> None:
    """Decisions of a line that somebody should look at are there from the start as well."""
    for reason in OUR_FAULT:
        metrics.DECISIONS.labels(line, ConsentDecision.NOT_OBTAINED.value, reason.value)


def measure(entry: Entry) -> None:
    """Count a row. Of a decision also how long it took, where there was a question; of a withdrawal likewise, until
    nothing recorded."""
    _rows(entry.turn).inc()
    said = entry.evidence
    if entry.turn == Turn.DECISION.value:
        _decisions(entry.line, said.get("decision"), said.get("reason")).inc()
        if said.get("attempts") and said.get("arrived_at"):
            took = entry.at - datetime.fromisoformat(said["arrived_at"])
            _decision_seconds(said.get("decision")).observe(took.total_seconds())
    elif entry.turn == Turn.WITHDRAWN.value and said.get("stopped_ms") is not None:
        metrics.WITHDRAWAL_STOP_SECONDS.observe(said["stopped_ms"] / 1000)
