"""Counting decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from consentivr.ledger.opening import Opened
from consentivr.ledger.schema import entries, evidence_text
from consentivr.ledger.search import Search, conditions

_TAKEN = (
    sa.select(entries.c.call, sa.func.max(entries.c.agent).label("agent"))
    .where(entries.c.agent.isnot(None))
    .group_by(entries.c.call)
    .subquery("taken")
)
"""Which agent took a call."""

_GROUPS: dict[str, Any] = {
    "hour": sa.func.substr(entries.c.at, 1, 13),
    "day": sa.func.substr(entries.c.at, 1, 10),
    "month": sa.func.substr(entries.c.at, 1, 7),
    "queue": entries.c.queue,
    "line": entries.c.line,
    "reason": evidence_text("reason"),
    "agent": sa.func.coalesce(_TAKEN.c.agent, ""),
}


def count(ledger: Opened, by: Sequence[str], search: Search) -> list[tuple[Any, ...]]:
    """Decisions counted: rows of (value of each of ``by``..., decision, number), in order.

    ``by`` out of hour, day, month, queue, line, reason, agent; times are UTC.
    """
    source: Any = entries
    wanted = [entries.c.decision.isnot(None), *conditions(replace(search, agent=None), ledger.country)]
    if "agent" in by or search.agent is not None:
        source = entries.join(_TAKEN, _TAKEN.c.call == entries.c.call, isouter=search.agent is None)
        wanted += [_TAKEN.c.agent == search.agent] if search.agent is not None else []
    columns = [_GROUPS[name].label(name) for name in by]
    query = (
        sa.select(*columns, entries.c.decision, sa.func.count())
        .select_from(source)
        .where(*wanted)
        .group_by(*(_GROUPS[name] for name in by), entries.c.decision)
        .order_by(*(_GROUPS[name] for name in by), entries.c.decision)
    )
    with ledger.reading() as connection:
        return [tuple(row) for row in connection.execute(query)]
