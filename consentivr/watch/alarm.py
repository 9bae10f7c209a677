"""What follows an incident besides its row: the log, the count, the administrator's command."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import gevent
import gevent.pool
import gevent.subprocess
import structlog

from consentivr.core.evidence import Turn
from consentivr.core.foreign import withheld
from consentivr.ledger import CallRef

log = structlog.get_logger(__name__)

COMMAND_SECONDS = 30.0
AT_ONCE = 4
"""So many commands run beside each other; the next waits."""


class Alarm:
    """Tells somebody."""

    def __init__(self, command: Sequence[str] | None) -> None:
        """``command`` gets the incident as JSON on its standard input."""
        self._command = command
        self._running = gevent.pool.Pool(AT_ONCE)
        self.incidents = 0

    def raise_(self, about: CallRef, turn: Turn, evidence: dict[str, Any]) -> None:
        """Returns at once. Names no file of another recorder: its path may hold a number."""
        self.incidents += 1
        evidence = withheld(evidence)
        log.error(
            f"incident: {turn.value}", channel=about.channel_uuid, visit=about.visit, queue=about.queue, **evidence
        )
        if self._command:
            gevent.spawn(self._running.spawn, self._run, list(self._command), about, turn, evidence)

    def _run(self, command: list[str], about: CallRef, turn: Turn, evidence: dict[str, Any]) -> None:
        incident = {
            "incident": turn.value,
            "channel_uuid": about.channel_uuid,
            "visit": about.visit,
            "line": about.line,
            "queue": about.queue,
            **evidence,
        }
        try:
            process = gevent.subprocess.Popen(command, stdin=gevent.subprocess.PIPE)
            try:
                process.communicate(json.dumps(incident).encode(), timeout=COMMAND_SECONDS)
            except gevent.subprocess.TimeoutExpired:
                process.kill()
                raise
            if process.returncode != 0:
                log.error("watch.command failed", exit=process.returncode)
        except (OSError, gevent.subprocess.SubprocessError) as error:
            log.error("watch.command failed", why=str(error))
