"""The pre-flight check, when somebody asks for it: beside the pages, one at a time, with an end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

PATIENCE_S = 60.0


@dataclass(frozen=True)
class Look:
    """What was found, and when (UTC). ``failed``: why nothing was."""

    at: datetime
    findings: Sequence[Mapping[str, Any]] = ()
    failed: str | None = None


class Looking:
    """What came of the last look is kept until the next."""

    def __init__(self, look: Callable[[float], Sequence[Mapping[str, Any]]] | None) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self.last: Look | None = None

    @property
    def is_running(self) -> bool:
        """Whether one is under way."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> bool:
        """Begin; False when one is under way, or nobody can. Returns at once."""
        with self._lock:
            if self.is_running or self._look is None:
                return False
            self._thread = threading.Thread(target=self._run, args=(self._look,), daemon=True)
            self._thread.start()
            return True

    def wait(self, seconds: float) -> None:
        """Until it is over, or so long."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self, look: Callable[[float], Sequence[Mapping[str, Any]]]) -> None:
        try:
            found, failed = look(PATIENCE_S), None
        except OSError as error:  # TimeoutError is one
            found, failed = (), str(error)
        self.last = Look(datetime.now(timezone.utc), found, failed)
