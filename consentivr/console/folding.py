"""What figures count, folded from the ledger beside the pages: in a thread of its own, a day at a time.

Nothing of it is stored: what is counted of a day is counted anew from the rows that are there, once one of its calls
got a row, or rows of it were erased. So erased calls are in no figure, and a ledger that was restored is read anew.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import structlog

from consentivr.console.books import Books
from consentivr.core.evidence import summarize
from consentivr.core.figures_of_promises import counted
from consentivr.core.measured import measure
from consentivr.core.statistics import Block, Counts, Group, Tally, TooFew, added, blocks
from consentivr.core.turn import Turn
from consentivr.ledger import NO_CALL, LedgerError
from consentivr.ledger import days as ledger_days

log = structlog.get_logger(__name__)

EVERY_S = 300
"""So often the ledger is looked at."""

_QUARANTINE = (Turn.QUARANTINED, Turn.RECORDING_ERASED, Turn.RECORDING_ADOPTED)


@dataclass(frozen=True)
class Folded:
    """What was counted: of the rows that were there ``as_of`` (UTC), of days before ``today``."""

    as_of: datetime
    today: date
    blocks: tuple[Block, ...] = ()
    too_few: tuple[TooFew, ...] = ()
    kept: Mapping[tuple[str, date], Counts] = field(default_factory=dict)
    """By queue and the day from which their term counts."""
    stray: int = 0
    """Files in quarantine that are no call's."""


@dataclass
class _Day:
    groups: dict[Group, Tally]
    kept: dict[tuple[str, date], Counts]
    first: int
    last: int
    """Positions of its decisions."""


class Folding:
    """``start`` it beside the pages; ``folded`` is None until it was done once."""

    def __init__(self, books: Books, time_zone: str, every_s: float = EVERY_S) -> None:
        self._books = books
        self._zone = ZoneInfo(time_zone)
        self._every_s = every_s
        self._days: dict[date, _Day] = {}
        self._seen: ledger_days.Head = (0, "")
        self._through: date | None = None
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self.folded: Folded | None = None

    @property
    def runs(self) -> bool:
        """Whether it does so by itself."""
        return self._thread is not None

    def current(self) -> Folded | None:
        """What is counted by now; None while it is done for the first time. Where nothing runs it is done here.

        Raises LedgerError.
        """
        if not self.runs and (self.folded is None or _age_s(self.folded) > self._every_s):
            self.fold()
        return self.folded

    def start(self) -> None:
        """From now on, until ``stop``."""
        self._thread = threading.Thread(target=self._run, name="figures", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """The ledger is not read any more when this returns."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(timeout=30)

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self.fold()
            except LedgerError as error:
                log.warning("figures cannot be counted", why=str(error))
            self._over.wait(self._every_s)

    def fold(self, now: datetime | None = None) -> None:
        """Bring it up to ``now``. Raises LedgerError; what was folded before stays then."""
        as_of = now or datetime.now(timezone.utc)
        today = as_of.astimezone(self._zone).date()
        with self._books.reading() as book:
            if not ledger_days.has(book, self._seen):
                self._days, self._seen, self._through = {}, (0, ""), None
            head = ledger_days.head(book)
            if self._through is None:
                oldest = ledger_days.first_decision(book)
                since = today if oldest is None else self._day(oldest)
                due = _from(since, today)
            else:
                due = _from(self._through, today)
                due |= set(map(self._day, ledger_days.touched(book, self._seen[0], self._begin(self._through))))
                for first, last in ledger_days.erased(book, self._seen[0]):
                    due |= {day for day, known in self._days.items() if first <= known.last and known.first <= last}
        for day in sorted(due, reverse=True):
            if self._over.is_set():
                return
            began = time.monotonic()
            self._fold_day(day)
            if self.runs:
                self._over.wait(min(time.monotonic() - began, 0.5))  # pages come first
        with self._books.reading() as book:
            strays = list(book.rows_of_visits([NO_CALL], _QUARANTINE))
        stray = [recording for rows in strays for recording in summarize(rows).audio if recording.quarantined]
        self._seen, self._through = head, today
        self.folded = self._together(as_of, today, len(stray))

    def _fold_day(self, day: date) -> None:
        groups: defaultdict[Group, list[Tally]] = defaultdict(list)
        kept: defaultdict[tuple[str, date], Counts] = defaultdict(Counts)
        positions: list[int] = []
        with self._books.reading() as book:
            calls = ledger_days.decided(book, self._begin(day), self._begin(day + timedelta(1)))
            for rows in book.rows_of_visits(calls):
                call = measure(rows, self._zone)
                if call is None or call.day != day:  # decided twice: the first one counts
                    continue
                groups[call.group].append(call.tally)
                positions += (row.position or 0 for row in rows if row.turn == Turn.DECISION)
                if call.kept is not None:
                    kept[call.group.queue, call.kept.ended].update(counted(call.kept))
        if positions:
            tallies = {group: added(some) for group, some in groups.items()}
            self._days[day] = _Day(tallies, kept, min(positions), max(positions))
        else:
            self._days.pop(day, None)

    def _together(self, as_of: datetime, today: date, stray: int) -> Folded:
        groups: defaultdict[Group, dict[date, Tally]] = defaultdict(dict)
        kept: defaultdict[tuple[str, date], Counts] = defaultdict(Counts)
        for day, counts in self._days.items():
            for group, tally in counts.groups.items():
                groups[group][day] = tally
            for place, some in counts.kept.items():
                kept[place].update(some)
        told, too_few = blocks(groups, today)
        return Folded(as_of, today, tuple(told), tuple(too_few), kept, stray)

    def _day(self, moment: datetime) -> date:
        return moment.astimezone(self._zone).date()

    def _begin(self, day: date) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=self._zone)


def _age_s(folded: Folded) -> float:
    return (datetime.now(timezone.utc) - folded.as_of).total_seconds()


def _from(since: date, until: date) -> set[date]:
    return {since + timedelta(n) for n in range((until - since).days)}
