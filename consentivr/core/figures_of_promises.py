"""What is told of promises: what went wrong, what is proven, and what is kept until when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from consentivr.core.figures import apart, together, week_of_block
from consentivr.core.measured import Kept
from consentivr.core.retention import RetentionTerms
from consentivr.core.statistics import FEWEST, Block, Counts, coarse, share

# --- (g) what went wrong ---------------------------------------------------------------------


@dataclass(frozen=True)
class Guarded:
    """Of a week: incidents for each thousand callers who did not agree; how many of their talks are proven to have had
    no recorder; yeses that were not recorded after all; seconds in which nobody watched over a recorder.
    """

    week: date | None
    """None: the whole range."""
    calls: int
    without_yes: int | None
    incidents: int | None
    incident_rate: float | None
    talks: int | None
    proven: int | None
    proven_rate: float | None
    withheld: int | None
    blind_s: float


def guarded(blocks: Sequence[Block]) -> list[Guarded]:
    """By week, and the whole range last."""
    weeks = sorted(apart(blocks, week_of_block).items())
    return [_guard(week, some) for week, some in weeks] + ([_guard(None, blocks)] if blocks else [])


def _guard(week: date | None, blocks: Sequence[Block]) -> Guarded:
    tally = together(blocks)
    without = tally["asked"] + tally["fault"] - tally["yes"]
    talks, proven, yes = tally["to_prove"], tally["proven"], tally["yes"]
    few, unproven = without < FEWEST, talks < FEWEST
    return Guarded(
        week,
        tally["calls"],
        None if few else without,
        None if few else tally["incidents"],
        None if few else tally["incidents"] / without * 1000,
        None if unproven else talks,
        None if unproven else proven,
        share(proven, talks),
        None if yes < FEWEST else tally["withheld"],
        tally["blind_ms"] / 1000,
    )


# --- (h) what is kept ------------------------------------------------------------------------


@dataclass(frozen=True)
class Stock:
    """Recordings, in whole tens; None for fewer than twenty."""

    what: str
    recordings: int | None


STOCK = ("due", "within_7", "within_30", "within_90", "later", "no_term", "held", "quarantined")


def stock(
    kept: Mapping[tuple[str, date], Counts], terms: Mapping[str, RetentionTerms], today: date, stray: int
) -> list[Stock]:
    """What there is, and until when. ``kept``: what ``Kept`` says, by queue and day; ``terms`` by queue; ``stray`` lies
    in quarantine and is no call's.
    """
    found = Counts(quarantined=stray)
    for (queue, ended), counts in kept.items():
        days = terms[queue].audio_days if queue in terms else None
        left = None if days is None else (ended + timedelta(days) - today).days
        found["due"] += counts["to_erase"]
        found[_until(left)] += counts["kept"]
        found["held"] += counts["held"]
        found["quarantined"] += counts["quarantined"]
    return [Stock(what, coarse(found[what])) for what in STOCK]


def _until(left: int | None) -> str:
    if left is None:
        return "no_term"
    return next((f"within_{days}" for days in (7, 30, 90) if left <= days), "later") if left >= 0 else "due"


def counted(kept: Kept) -> Counts:
    """As ``stock`` takes it."""
    return Counts({what: getattr(kept, what) for what in ("kept", "to_erase", "held", "quarantined")})
