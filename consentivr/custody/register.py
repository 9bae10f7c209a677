"""The agents' register: who of the staff has agreed to be recorded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

from consentivr.core.evidence import Turn
from consentivr.ledger import REGISTER, Entry, Ledger


def agree(ledger: Ledger, agent: str, queues: Sequence[str] = (), on: str | None = None) -> None:
    """Note that an agent agreed to be recorded, on all queues or on these; ``on`` is the day of the agreement."""
    said = {"agent": agent, "queues": list(queues), "on": on or f"{datetime.now(timezone.utc):%Y-%m-%d}"}
    ledger.append([Entry(REGISTER, Turn.AGENT_AGREED.value, "", "", "", said)])


def take_back(ledger: Ledger, agent: str) -> bool:
    """Note that an agent took that back; from the next talk on. False when there is nothing to take back."""
    if not any(row.evidence["agent"] == agent and row.turn == Turn.AGENT_AGREED for row in ledger.register()):
        return False
    ledger.append([Entry(REGISTER, Turn.AGENT_WITHDREW.value, "", "", "", {"agent": agent})])
    return True
