"""What of a call somebody sees: whether at all, and whose names."""

from __future__ import annotations

import time
from collections.abc import Sequence

from flask import g

from consentivr.core.evidence import CallSummary
from consentivr.core.roles import Right, Scope
from consentivr.ledger import Entry

SHOWN_S = 15 * 60
"""So long a call's number and agents are seen, once they were asked for with a reason."""


def sees(scope: Scope, call: CallSummary, rows: Sequence[Entry]) -> bool:
    """Whether a call, of which these are the rows, is among those that somebody sees: every agent who took it does."""
    return any(scope.covers(call.queue, agent) for agent in {None, *(row.evidence.get("agent") for row in rows)})


def show(call: CallSummary) -> None:
    """From now on, to whoever is signed in; the row that says why is durable."""
    g.session.shown[call.call] = time.monotonic() + SHOWN_S


def is_shown(call: CallSummary) -> bool:
    """Whether whoever is signed in sees the number and the agents of this call."""
    may = bool(g.session.account.may(Right.SEE_PERSON))
    return may and g.session.shown.get(call.call, 0.0) > time.monotonic()


def sees_agent(call: CallSummary, agent: str | None) -> bool:
    """The same of one agent's name: one's own is never hidden."""
    return is_shown(call) or (agent is not None and agent == g.session.account.scope.agent)
