"""What went wrong, as the ledger knows it (GDPR art. 33(5))."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from consentivr.core.turn import INCIDENTS
from consentivr.ledger import Entry, Search
from consentivr.ledger.searching import Searching


def happened(ledger: Searching, search: Search) -> list[Entry]:
    """The rows of incidents, as they were written. Raises LedgerError."""
    found = [list(ledger.read(replace(search, turn=turn.value))) for turn in INCIDENTS]
    return sorted(chain(*found), key=lambda row: row.position or 0)


def summed_up(rows: Sequence[Entry]) -> list[dict[str, Any]]:
    """For each kind: how many rows and visits, and from when to when, UTC."""
    told = []
    for turn in INCIDENTS:
        theirs = [row for row in rows if row.turn == turn]
        if theirs:
            times = [f"{row.at:%Y-%m-%d %H:%M}" for row in (theirs[0], theirs[-1])]
            visits = len({row.call for row in theirs if row.visit})
            told.append(
                {"turn": turn.value, "rows": len(theirs), "visits": visits, "first": times[0], "last": times[1]}
            )
    return told
