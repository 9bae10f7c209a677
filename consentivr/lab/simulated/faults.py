"""What may go wrong on the event socket, on demand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass
class Fault:
    """What happens to commands that match. ``times`` None: as long as nobody calls ``Faults.clear``."""

    pattern: re.Pattern[str]
    answer: str | None = None
    """Said instead of obeying."""
    hangs: bool = False
    seconds: float = 0.0
    """Obeyed so much later, in real seconds."""
    times: int | None = None
    met: int = 0
    """How many commands met it."""


class Faults:
    """Commands are matched as they are sent, without ``api`` or ``bgapi``, by ``re.search``."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lost: set[str] = set()
        self.hidden: set[str] = set()
        """UUIDs of legs that ``show`` does not list yet: it lags behind the events."""
        self.lost: list[Mapping[str, Any]] = []
        """The events that nobody was told of."""

    def refuse(self, pattern: str, answer: str = "-ERR no reply\n", times: int | None = None) -> Fault:
        """Answer so, and do nothing."""
        return self._add(Fault(re.compile(pattern), answer=answer, times=times))

    def hang(self, pattern: str, times: int | None = None) -> Fault:
        """Never answer, and do nothing: after ``api`` the whole connection waits, after ``bgapi`` that job."""
        return self._add(Fault(re.compile(pattern), hangs=True, times=times))

    def slow(self, pattern: str, seconds: float, times: int | None = None) -> Fault:
        """Obey and answer later, in real seconds."""
        return self._add(Fault(re.compile(pattern), seconds=seconds, times=times))

    def lose(self, *names: str) -> None:
        """Tell nobody of events with these names; for CUSTOM, the subclass or its action names it."""
        self._lost.update(names)

    def clear(self) -> None:
        """All is well again."""
        self._faults.clear()
        self._lost.clear()
        self.hidden.clear()

    def _add(self, fault: Fault) -> Fault:
        self._faults.append(fault)
        return fault

    def met_by(self, command: str) -> Fault | None:
        """The fault that a command meets now."""
        for fault in self._faults:
            if fault.times != 0 and fault.pattern.search(command):
                fault.met += 1
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None

    def loses(self, event: Mapping[str, Any]) -> bool:
        """Whether the stream loses an event."""
        if not self._lost:
            return False
        named = {event.get(name, "") for name in ("Event-Name", "Event-Subclass", "CC-Action", "Action")}
        if self._lost & named:
            self.lost.append(event)
            return True
        return False
