"""Rows that tests of several screens want."""

from __future__ import annotations

from consentivr.core.turn import Turn
from consentivr.ledger import NO_CALL, CallRef, Entry


def checked(findings: dict[str, str], not_seen: tuple[str, ...] = ()) -> Entry:
    """A look at a switch found this."""
    said = {"switch": "127.0.0.1:8021", "new": [], "gone": [], "findings": findings, "not_seen": list(not_seen)}
    return CallRef(NO_CALL, None, "", "", "").row(Turn.SWITCH_CHECKED, said)
