"""Rows that tests of several screens want."""

from __future__ import annotations

from typing import Any

from consentivr.core.turn import Turn
from consentivr.ledger import NO_CALL, CallRef, Entry


def checked(findings: dict[str, str], not_seen: tuple[str, ...] = (), **said: Any) -> Entry:
    """A look at a switch found this; ``said`` instead, where it is otherwise."""
    usual = {"switch": "127.0.0.1:8021", "new": [], "gone": [], "findings": findings, "not_seen": list(not_seen)}
    said = usual | said
    return CallRef(NO_CALL, None, "", "", "").row(Turn.SWITCH_CHECKED, said)
