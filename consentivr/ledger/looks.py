"""What was found on the switches, and what was gone, newest first."""

from __future__ import annotations

import sqlalchemy as sa

from consentivr.core.turn import Turn
from consentivr.ledger.entry import ENTRY_COLUMNS, Entry, entry_of
from consentivr.ledger.opening import Opened
from consentivr.ledger.schema import entries, evidence_text

_COLUMNS = [entries.c[name] for name in ENTRY_COLUMNS]


def looks(book: Opened, limit: int, before: int | None = None) -> list[tuple[Entry, Entry | None]]:
    """The rows of looks that found something else than the one before, each with that one of the same switch.

    ``before`` a row's position.
    """
    found = _newest(book, limit, before)
    following: dict[str, int] = {}
    pairs: list[tuple[Entry, Entry | None]] = [(row, None) for row in found]
    for number, row in enumerate(found):
        switch = row.evidence["switch"]
        if switch in following:
            pairs[following[switch]] = (found[following[switch]], row)
        following[switch] = number
    for switch, number in following.items():
        oldest = found[number]
        pairs[number] = (oldest, next(iter(_newest(book, 1, oldest.position, switch)), None))
    return pairs


def _newest(book: Opened, limit: int, before: int | None, switch: str | None = None) -> list[Entry]:
    """They are few among many: sorted as they are found, or the database would walk through all rows in their order."""
    wanted = [entries.c.turn == Turn.SWITCH_CHECKED.value]
    if before is not None:
        wanted.append(entries.c.position < before)
    if switch is not None:
        wanted.append(evidence_text("switch") == switch)
    query = sa.select(*_COLUMNS).where(*wanted).order_by((entries.c.position + 0).desc()).limit(limit)
    with book.reading() as connection:
        return [entry_of([*row, None]) for row in connection.execute(query)]
