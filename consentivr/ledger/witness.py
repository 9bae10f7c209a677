"""Whoever outside the ledger is told of its checkpoints: a head file, a time stamping authority, an address."""

from __future__ import annotations

from collections.abc import Callable

import gevent
import gevent.event
import structlog

from consentivr.ledger.entry import Entry
from consentivr.ledger.signing import SignedCheckpoint
from consentivr.threads import Worker

log = structlog.get_logger(__name__)

_RETRY_SECONDS = (5.0, 20.0, 60.0, 300.0)


class Witness:
    """Tells one place of the newest checkpoint, in a thread of its own, again until it is told; no call waits for it.

    ``tell`` may block and raise; a row that it returns goes to ``note``. ``every_s``: not more often than that.
    """

    def __init__(
        self,
        name: str,
        tell: Callable[[SignedCheckpoint], Entry | None],
        *,
        note: Callable[[Entry], None] = lambda entry: None,
        every_s: float = 0.0,
    ) -> None:
        self._name = name
        self._tell = tell
        self._note = note
        self._every_s = every_s
        self._worker = Worker()
        self._newest: SignedCheckpoint | None = None
        self._offered = gevent.event.Event()
        self._quiet = gevent.event.Event()
        self._quiet.set()
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Begin to tell."""
        self._greenlet = gevent.spawn(self._run)

    def offer(self, checkpoint: SignedCheckpoint) -> None:
        """A newer one: an older one that was not told yet is covered by it."""
        self._newest = checkpoint
        self._offered.set()

    def stop(self, timeout: float) -> None:
        """Let it be told what it was offered, within ``timeout`` seconds, unless it was told not long ago."""
        if self._greenlet is not None:
            gevent.sleep(0)
            self._quiet.wait(timeout)
            self._greenlet.kill()

    def _run(self) -> None:
        failures = 0
        while True:
            self._offered.wait()
            self._offered.clear()
            self._quiet.clear()
            checkpoint = self._newest
            assert checkpoint is not None
            try:
                row = self._worker.run(self._tell, checkpoint)
            except Exception as error:
                if failures == 0:
                    log.error("checkpoint not kept elsewhere", where=self._name, why=str(error))
                self._offered.set()
                gevent.sleep(_RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)])
                failures += 1
                continue
            if failures:
                log.info("checkpoints are kept elsewhere again", where=self._name)
            failures = 0
            if row is not None:
                self._note(row)
            if self._every_s or not self._offered.is_set():
                self._quiet.set()
            gevent.sleep(self._every_s)
