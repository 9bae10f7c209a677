"""Which second wordings are asked now: what the ledger says of trials, looked at again and again."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import gevent
import gevent.event
import structlog

from consentivr.asking import Line
from consentivr.core.trial import Trial, is_asked, over
from consentivr.core.turn import Turn
from consentivr.ledger import CONSOLE, CallRef, LedgerWriter
from consentivr.ledger import trials as ledger_trials
from consentivr.ledger.searching import Searching
from consentivr.service.build import Rules
from consentivr.threads import Beside, Worker

log = structlog.get_logger(__name__)

LOOK_SECONDS = 30.0
"""So long a trial may go on after its end, or wait after its approval."""

SLOW_SECONDS = 10.0
"""A look that takes longer is one that failed; the next one waits for it."""

BY = {"by": "serve", "role": "service"}
"""Who ends a trial that is over."""


class Trials(Beside):
    """``lines`` are those of the configuration; with a second wording while the ledger says that it is asked.

    The ledger is read over a connection and in a thread of its own: no row and no call waits for it. Whenever it cannot
    be read or written, everybody is asked with the line's own wording.
    """

    def __init__(self, location: str | Path, ledger: LedgerWriter) -> None:
        self._location, self._ledger = location, ledger
        self._worker = Worker()
        self._again = gevent.event.Event()
        self._rules: Rules | None = None
        self._lines: Mapping[str, Line] = {}
        self._running: frozenset[str] = frozenset()
        self._ended: set[str] = set()
        """Those whose last row was handed in."""

    def take(self, rules: Rules) -> None:
        """Other rules from now on; the ledger is looked at at once, in the background."""
        self._rules, self._lines = rules, rules.lines
        self._again.set()

    @property
    def lines(self) -> Mapping[str, Line]:
        """By the number that callers dial."""
        assert self._rules is not None
        return self._rules.lines if self._ledger.failure is not None else self._lines

    def look(self) -> None:
        """Once: end what is over, and ask what is approved."""
        rules = self._rules
        assert rules is not None
        zone = rules.configuration.privacy.time_zone
        reading = self._worker.start(_look, self._location, zone)
        try:
            known, ended = reading.get(SLOW_SECONDS)
        except (Exception, gevent.Timeout) as error:
            self._ask(rules, frozenset(), f"the ledger cannot be read: {error}")
            return
        for one in ended:
            if one.trial in self._ended:
                continue
            self._ended.add(one.trial)
            self._ledger.note(CallRef(CONSOLE, None, "", "", "").row(Turn.TRIAL_ENDED, BY | one.evidence))
            log.info("a trial of two wordings is over", trial=one.trial, why=one.evidence["why"])
        today = datetime.now(zone).date()
        plans = {tried.plan.trial: tried.plan for tried in rules.tried.values()}
        asked = {name for name, plan in plans.items() if name not in self._ended and is_asked(plan, known, today)}
        self._ask(rules, frozenset(asked), "")

    def _ask(self, rules: Rules, running: frozenset[str], why: str) -> None:
        if rules is not self._rules:
            return  # other ones were taken meanwhile, and are looked at next
        tried = {number: one for number, one in rules.tried.items() if one.plan.trial in running}
        self._lines = rules.lines | {
            number: rules.lines[number].tried(one.plan.trial, one.line) for number, one in tried.items()
        }
        if running != self._running:
            log.info("second wordings on trial", asked=sorted(running), why=why or None)
        self._running = running

    def _run(self) -> None:
        while True:
            self._again.clear()
            self.look()
            self._again.wait(LOOK_SECONDS)


@dataclass(frozen=True)
class _Ends:
    """A trial that is over, and what its last row says."""

    trial: str
    evidence: dict[str, object]


def _look(location: str | Path, zone: ZoneInfo) -> tuple[dict[str, Trial], list[_Ends]]:
    """In the thread. Raises LedgerError."""
    with closing(Searching(location, create=False, patience_s=SLOW_SECONDS, read_only=True)) as book:
        known = ledger_trials.known(book)
        ended = []
        for trial in known.values():
            if trial.ended is None:
                why = over(trial.plan, ledger_trials.asked(book, trial.plan, trial.begun_at), datetime.now(zone).date())
                if why is not None:
                    ended.append(_Ends(trial.plan.trial, ledger_trials.ending(book, trial, why)))
        return known, ended
