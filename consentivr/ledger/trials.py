"""What the ledger says of trials of two wordings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from consentivr.core.consent import Variant
from consentivr.core.trial import NOBODYS_FAULT, Plan, Trial, Why, counted, trials
from consentivr.core.turn import Turn
from consentivr.ledger.entry import as_text
from consentivr.ledger.schema import entries, evidence_text
from consentivr.ledger.search import Search
from consentivr.ledger.searching import Searching


def known(book: Searching) -> dict[str, Trial]:
    """Every trial by its name. Raises LedgerError."""
    both = (Turn.TRIAL_BEGUN, Turn.TRIAL_ENDED)
    return trials(row for turn in both for row in book.read(Search(turn=turn.value, queue="")))


def asked(book: Searching, plan: Plan, since: datetime) -> dict[Variant, int]:
    """How often each wording was asked since then (UTC). Raises LedgerError."""
    variant = evidence_text("variant")
    failed = evidence_text("reason").in_([reason.value for reason in NOBODYS_FAULT])
    query = sa.select(variant, sa.func.count()).where(*_theirs(plan, since), ~failed).group_by(variant)
    with book.reading() as connection:
        return dict.fromkeys(Variant, 0) | {Variant(row[0]): row[1] for row in connection.execute(query)}


def decisions(book: Searching, plan: Plan, since: datetime) -> Iterator[tuple[str, dict[str, Any]]]:
    """The channel's UUID and the evidence of each decision of the trial since then (UTC). Raises LedgerError."""
    query = sa.select(entries.c.channel_uuid, entries.c.evidence).where(*_theirs(plan, since))
    with book.reading() as connection:
        for channel_uuid, evidence in connection.execute(query):
            yield channel_uuid, json.loads(evidence)


def ending(book: Searching, trial: Trial, why: Why, reason: str | None = None) -> dict[str, Any]:
    """What the row says with which it ends now, besides by whom. Raises LedgerError."""
    counts = counted(trial.plan, decisions(book, trial.plan, trial.begun_at))
    said = {"trial": trial.plan.trial, "why": why.value, "counts": counts.evidence()}
    return said if reason is None else said | {"reason": reason}


def _theirs(plan: Plan, since: datetime) -> list[Any]:
    """By the index of turn, queue and time."""
    return [
        entries.c.turn == Turn.DECISION.value,
        entries.c.queue == plan.queue,
        entries.c.at >= as_text(since),
        evidence_text("trial") == plan.trial,
    ]
