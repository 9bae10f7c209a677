"""What follows an incident besides its row: the log, the count, the administrator's command."""

from __future__ import annotations

import json
import os
import signal
from collections import deque
from collections.abc import Sequence
from typing import Any

import gevent
import gevent.event
import gevent.subprocess
import structlog

from consentivr import metrics
from consentivr.core.foreign import withheld
from consentivr.core.turn import Turn
from consentivr.ledger import CallRef

log = structlog.get_logger(__name__)

COMMAND_SECONDS = 30.0
"""So long a command may run."""

WORKERS = 2
"""So many commands run beside each other: one that hangs does not hold up the next."""

GATHER_SECONDS = 0.5
"""Incidents that come within so long are told together."""

TOGETHER = 100
"""So many incidents at most one command is told of."""

WAITING_AT_MOST = 1000
"""Incidents that wait for a command; what comes then has its row, its line in the log, and is counted."""

for turn in (Turn.FORBIDDEN_RECORDING, Turn.COMMAND_FAILED, Turn.TAPPED):
    metrics.INCIDENTS.labels(turn.value)  # there from the start, at zero: else the first would be no increase


class Alarm:
    """Tells somebody."""

    def __init__(self, command: Sequence[str] | None) -> None:
        """``command`` gets incidents on its standard input, each as a line of JSON."""
        self._command: list[str] = []
        self._workers: list[gevent.Greenlet] = []
        self._waiting: deque[dict[str, Any]] = deque()
        self._left_out = 0
        self._some = gevent.event.Event()
        self._busy = 0
        self.incidents = 0
        self.untold = 0
        """Incidents that no command was told of, or whose command failed."""
        self.take(command)

    def take(self, command: Sequence[str] | None) -> None:
        """Tell this one from now on; None: nobody."""
        self._command = list(command or ())
        if self._command and not self._workers:
            self._workers = [gevent.spawn(self._work) for _ in range(WORKERS)]

    def raise_(self, about: CallRef, turn: Turn, evidence: dict[str, Any]) -> None:
        """Returns at once. Names no file of another recorder: its path may hold a number."""
        self.incidents += 1
        metrics.INCIDENTS.labels(turn.value).inc()
        evidence = withheld(evidence)
        log.error(
            f"incident: {turn.value}", channel=about.channel_uuid, visit=about.visit, queue=about.queue, **evidence
        )
        self.tell(
            {
                "incident": turn.value,
                "channel_uuid": about.channel_uuid,
                "visit": about.visit,
                "line": about.line,
                "queue": about.queue,
                **evidence,
            }
        )

    def tell(self, said: dict[str, Any]) -> None:
        """Let the command know of something that is no incident of a call. Returns at once."""
        if not self._command:
            return
        if len(self._waiting) >= WAITING_AT_MOST:
            self._untold(1)
            self._left_out += 1
            log.error("watch.command is too slow: incidents are left out")
            return
        self._waiting.append(said)
        self._some.set()

    def _untold(self, incidents: int) -> None:
        self.untold += incidents
        metrics.UNTOLD.inc(incidents)

    def stop(self, seconds: float) -> None:
        """Tell what waits, but not for longer."""
        with gevent.Timeout(seconds, False):
            while self._waiting or self._busy:
                gevent.sleep(0.02)
        gevent.killall(self._workers)

    def _work(self) -> None:
        while True:
            self._some.wait()
            self._busy += 1
            try:
                gevent.sleep(GATHER_SECONDS)
                self._tell(self._taken())
            finally:
                self._busy -= 1

    def _taken(self) -> list[dict[str, Any]]:
        """At most ``TOGETHER``; then how many are left out."""
        taken = [self._waiting.popleft() for _ in range(min(TOGETHER, len(self._waiting)))]
        if not self._waiting:
            self._some.clear()
        if self._left_out and taken:
            taken.append({"incident": "left_out", "count": self._left_out})
            self._left_out = 0
        return taken

    def _tell(self, incidents: list[dict[str, Any]]) -> None:
        if not incidents:
            return  # the other worker has them
        lines = "".join(json.dumps(incident) + "\n" for incident in incidents)
        try:
            process = gevent.subprocess.Popen(self._command, stdin=gevent.subprocess.PIPE, start_new_session=True)
            try:
                # Not communicate's own timeout: gevent's waits for ever for a process that has read all its input.
                with gevent.Timeout(COMMAND_SECONDS, TimeoutError(f"no end after {COMMAND_SECONDS:.0f} s")):
                    process.communicate(lines.encode())
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)  # with what it has started
                raise
            if process.returncode == 0:
                return
            why = f"exit {process.returncode}"
        except (OSError, gevent.subprocess.SubprocessError) as error:
            why = str(error)
        self._untold(len(incidents))
        log.error("watch.command failed", incidents=len(incidents), why=why)
