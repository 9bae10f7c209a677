"""What a day came to, by queue: decisions, and what was taken back."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from consentivr.core.consent import ConsentDecision
from consentivr.core.turn import Turn
from consentivr.ledger.entry import as_text
from consentivr.ledger.opening import Opened
from consentivr.ledger.schema import entries

_DECISIONS = [one.value for one in (ConsentDecision.GIVEN, ConsentDecision.REFUSED, ConsentDecision.NOT_OBTAINED)]


def since(ledger: Opened, moment: datetime) -> dict[str, dict[str, int]]:
    """By queue, how many callers decided how since ``moment`` (UTC), and how many took a yes back (``withdrawn``)."""
    decided = (
        sa.select(entries.c.queue, entries.c.decision, sa.func.count())
        # By name: the index of decisions begins with it.
        .where(entries.c.decision.in_(_DECISIONS), entries.c.at >= as_text(moment))
        .group_by(entries.c.queue, entries.c.decision)
    )
    withdrawn = (
        sa.select(entries.c.queue, sa.literal("withdrawn"), sa.func.count())
        .where(entries.c.turn == Turn.WITHDRAWN.value, entries.c.at >= as_text(moment))
        .group_by(entries.c.queue)
    )
    said: dict[str, dict[str, int]] = {}
    with ledger.reading() as connection:
        for query in (decided, withdrawn):
            for queue, what, number in connection.execute(query):
                said.setdefault(queue, {})[what] = number
    return said
