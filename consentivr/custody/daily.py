"""Retention once a day, beside the calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, time, timedelta, timezone

import gevent
import structlog

from consentivr import metrics
from consentivr.custody.report import Report
from consentivr.threads import Worker

log = structlog.get_logger(__name__)

for outcome in ("good", "attention", "failed"):
    metrics.RETENTION_RUNS.labels(outcome)  # there from the start, at zero: else the first would be no increase


class DailyRetention:
    """Runs retention once a day beside the calls, in a thread with a connection of its own."""

    def __init__(self, daily_at: time, run: Callable[[], Report]) -> None:
        """``daily_at`` is in UTC."""
        self._daily_at = daily_at
        self._run = run
        self._worker = Worker()
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Wait for the first time."""
        self._greenlet = gevent.spawn(self._every_day)

    def stop(self) -> None:
        """No more; a run under way ends with the process, and the next one goes on."""
        if self._greenlet is not None:
            self._greenlet.kill()

    def seconds_until_next(self, now: datetime) -> float:
        """Seconds from ``now`` to the next time."""
        then = datetime.combine(now, self._daily_at, now.tzinfo)
        return ((then if then > now else then + timedelta(days=1)) - now).total_seconds()

    def _every_day(self) -> None:
        while True:
            gevent.sleep(self.seconds_until_next(datetime.now(timezone.utc)))
            try:
                _tell(self._worker.run(self._run))
            except Exception as error:
                metrics.RETENTION_RUNS.labels("failed").inc()
                log.error("retention failed", why=getattr(error, "strerror", None) or str(error))


def _tell(report: Report) -> None:
    counts = {name: len(value) for name, value in asdict(report).items() if isinstance(value, list)}
    metrics.RETENTION_RUNS.labels("attention" if report.needs_attention else "good").inc()
    tell = log.warning if report.needs_attention else log.info
    tell("retention", **counts, rows_erased=report.rows_erased, left=report.left)
