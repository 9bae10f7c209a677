"""Two wordings of a question on trial: which caller hears which, when it is over, which one was understood.

The goal is *understood*: a caller answers the question when it is first put, with a yes or a no. It is not the yes: a
wording chosen because more people agree to it is what the EDPB calls deceptive design (Guidelines 03/2022). So it is
counted nowhere which of the two has more of them, only whether the two differ.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any, NamedTuple

from consentivr.core.consent import DETOURS, AnswerOutcome, ConsentDecision, Reason, Variant
from consentivr.core.evidence import Row
from consentivr.core.shares import Band, difference
from consentivr.core.turn import Turn

NOBODYS_FAULT = frozenset(
    {
        Reason.COULD_NOT_ASK,
        Reason.SWITCH_SILENT,
        Reason.APPLICATION_FAILED,
        Reason.CONNECTION_LOST,
        Reason.SERVICE_STOPPED,
    }
)
"""Decisions that say nothing of a wording: the question was not put, or its answer was not heard."""

CUT_SHORT_MS = 200
"""A question that ended so much earlier than its file was cut short, by a key; in milliseconds."""

_NO_DETOUR = frozenset(outcome.value for outcome in AnswerOutcome) - {outcome.value for outcome in DETOURS}


def variant_of(trial: str, channel_uuid: str) -> Variant:
    """Which wording a caller hears: the first bit of a hash. Anybody can recompute it from the ledger."""
    first = hashlib.sha256(f"{trial}\x00{channel_uuid}".encode()).digest()[0]
    return Variant.B if first & 0x80 else Variant.A


# --- what is fixed beforehand ----------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """Everything of a trial that is fixed before it begins. ``queue`` as mod_callcenter names it."""

    trial: str
    line: str
    queue: str
    language: str
    first: tuple[str, ...]
    """The digests of the line's wording, one for each sample rate; ``second``: of the other one."""
    second: tuple[str, ...]
    calls: int
    """It ends when each wording was asked so often,"""
    until: date
    """or when this day is over."""

    def wording(self, variant: Variant) -> tuple[str, ...]:
        """Its digests."""
        return self.first if variant is Variant.A else self.second

    def evidence(self) -> dict[str, Any]:
        """For the row with which it begins."""
        return {
            "trial": self.trial,
            "line": self.line,
            "queue": self.queue,
            "language": self.language,
            "wordings": {variant.value: list(self.wording(variant)) for variant in Variant},
            "calls": self.calls,
            "until": self.until.isoformat(),
        }

    @classmethod
    def of(cls, evidence: Mapping[str, Any]) -> Plan:
        """What such a row says. Raises KeyError, TypeError, ValueError."""
        first, second = (tuple(evidence["wordings"][variant.value]) for variant in Variant)
        line, queue, language = evidence["line"], evidence["queue"], evidence["language"]
        until = date.fromisoformat(evidence["until"])
        return cls(evidence["trial"], line, queue, language, first, second, int(evidence["calls"]), until)


# --- what rows say of it ---------------------------------------------------------------------


class Why(str, Enum):
    """Why a trial ended."""

    ASKED = "asked_often_enough"
    DAY_OVER = "day_over"
    STOPPED = "stopped"
    """By somebody, who said why; evidence ``reason``."""


@dataclass(frozen=True)
class Ended:
    """When, why and by whom. ``counts``: what was counted until then."""

    at: datetime
    why: Why
    by: str
    counts: Counts
    reason: str | None = None


@dataclass(frozen=True)
class Trial:
    """One that was begun."""

    plan: Plan
    begun_at: datetime
    by: str
    ended: Ended | None = None


def trials(rows: Iterable[Row]) -> dict[str, Trial]:
    """Every trial by its name; of ``rows`` those that begin one come before those that end one.

    Of each the first counts: nobody begins a trial again. A row that says less than it should does nothing.
    """
    found: dict[str, Trial] = {}
    for row in rows:
        said = row.evidence
        try:
            if row.turn == Turn.TRIAL_BEGUN and said["trial"] not in found:
                found[said["trial"]] = Trial(Plan.of(said), row.at, said["by"])
            elif row.turn == Turn.TRIAL_ENDED and (begun := found[said["trial"]]).ended is None:
                counts = Counts.of(said["counts"])
                ended = Ended(row.at, Why(said["why"]), said["by"], counts, said.get("reason"))
                found[said["trial"]] = Trial(begun.plan, begun.begun_at, begun.by, ended)
        except (KeyError, TypeError, ValueError):
            continue
    return found


def is_asked(plan: Plan, known: Mapping[str, Trial], today: date) -> bool:
    """Whether the second wording may be asked: exactly this was approved, and it is not over."""
    trial = known.get(plan.trial)
    return trial is not None and trial.ended is None and trial.plan == plan and today <= plan.until


def over(plan: Plan, asked: Mapping[Variant, int], today: date) -> Why | None:
    """Why it is to end now; None while it goes on. ``today`` where the house is."""
    if min(asked.get(variant, 0) for variant in Variant) >= plan.calls:
        return Why.ASKED
    return Why.DAY_OVER if today > plan.until else None


# --- counting --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Count:
    """Of one wording: calls."""

    asked: int = 0
    understood: int = 0
    """Answered by a yes or a no when the question was first put."""
    cut_short: int = 0
    """Of all that were asked: a key came before the question's end."""
    again: int = 0
    """The question had to be put again."""


class Differ(NamedTuple):
    """By how much the share of yes among yes and no differs between the two, without a sign; of 1, with its band."""

    by: float
    low: float
    high: float


NOTHING_KNOWN = Differ(0.0, 0.0, 1.0)
"""Where nobody answered."""


@dataclass(frozen=True)
class Counts:
    """Of both wordings."""

    a: Count = Count()
    b: Count = Count()
    answers_differ: Differ = NOTHING_KNOWN
    misfits: int = 0
    """Rows of callers who, by the hash or by the wording that the row names, should have heard the other one: there are
    none unless somebody changed something. They are not counted."""

    @property
    def understood(self) -> Band:
        """By how much more the second one was understood, of 1."""
        return difference((self.a.understood, self.a.asked), (self.b.understood, self.b.asked))

    def evidence(self) -> dict[str, Any]:
        """For the row with which the trial ends."""
        differ = [round(part, 4) for part in self.answers_differ]
        return {"a": asdict(self.a), "b": asdict(self.b), "answers_differ": differ, "misfits": self.misfits}

    @classmethod
    def of(cls, evidence: Mapping[str, Any]) -> Counts:
        """What such a row says. Raises KeyError, TypeError, ValueError."""
        by, low, high = map(float, evidence["answers_differ"])
        differ = Differ(by, low, high)
        return cls(Count(**evidence["a"]), Count(**evidence["b"]), differ, int(evidence["misfits"]))


def counted(plan: Plan, decisions: Iterable[tuple[str, Mapping[str, Any]]]) -> Counts:
    """Of the decisions that name this trial: the channel's UUID, and the evidence of each."""
    found = {variant: dict.fromkeys(("asked", "understood", "cut_short", "again"), 0) for variant in Variant}
    answered, agreed = dict.fromkeys(Variant, 0), dict.fromkeys(Variant, 0)
    misfits = 0
    for channel_uuid, said in decisions:
        if said["reason"] in NOBODYS_FAULT:
            continue
        variant = variant_of(plan.trial, channel_uuid)
        if said["variant"] != variant or said["notice"] not in plan.wording(variant):
            misfits += 1
            continue
        tries = [attempt for attempt in said["attempts"] if attempt["outcome"] in _NO_DETOUR]
        count = found[variant]
        count["asked"] += 1
        count["understood"] += bool(tries) and tries[0]["outcome"] == AnswerOutcome.KEY
        count["cut_short"] += bool(tries) and _is_cut_short(tries[0], said["notice_ms"])
        count["again"] += len(tries) > 1
        answered[variant] += said["decision"] in (ConsentDecision.GIVEN, ConsentDecision.REFUSED)
        agreed[variant] += said["decision"] == ConsentDecision.GIVEN
    a, b = (Count(**found[variant]) for variant in Variant)
    first, second = ((agreed[variant], answered[variant]) for variant in Variant)
    return Counts(a, b, _unsigned(first, second), misfits)


def _is_cut_short(attempt: Mapping[str, Any], notice_ms: int) -> bool:
    heard_ms = attempt["heard_ms"]
    return heard_ms is not None and heard_ms < notice_ms - CUT_SHORT_MS


def _unsigned(first: tuple[int, int], second: tuple[int, int]) -> Differ:
    """Which of the two has more is not said: nobody shall choose by that."""
    if not first[1] or not second[1]:
        return NOTHING_KNOWN
    low, high = difference(first, second)
    by = abs(second[0] / second[1] - first[0] / first[1])
    return Differ(by, 0.0 if low <= 0 <= high else min(abs(low), abs(high)), max(abs(low), abs(high)))
