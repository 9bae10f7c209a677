"""The pre-flight check, when somebody asks for it: beside the pages, one at a time, with an end.

Here and before the law it is run from here. Switches are looked at by ``serve``, which alone signs in to them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

PATIENCE_S = 60.0

Findings = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Look:
    """What was found, and when (UTC). ``failed``: why nothing was."""

    at: datetime
    findings: Findings = ()
    failed: str | None = None


class Looking:
    """What came of the last look is kept until the next."""

    def __init__(self, here: Callable[[float], Findings] | None, switches: Callable[[], Findings] | None) -> None:
        """``here`` takes so many seconds at most. Both raise OSError; None: there is nobody who could."""
        self._here = here
        self._switches = switches
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self.here: Look | None = None
        """On this machine, and before the law."""
        self.switches: Look | None = None

    @property
    def is_running(self) -> bool:
        """Whether one is under way."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> bool:
        """Begin; False when one is under way, or nobody can. Returns at once."""
        with self._lock:
            if self.is_running or (self._here is None and self._switches is None):
                return False
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
            return True

    def wait(self, seconds: float) -> None:
        """Until it is over, or so long."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        here, switches = self._here, self._switches
        if switches is not None:
            self.switches = _looked(switches)
        if here is not None:
            self.here = _looked(lambda: here(PATIENCE_S))


def _looked(look: Callable[[], Findings]) -> Look:
    try:
        found, failed = look(), None
    except OSError as error:  # TimeoutError is one
        found, failed = (), str(error)
    return Look(datetime.now(timezone.utc), found, failed)
