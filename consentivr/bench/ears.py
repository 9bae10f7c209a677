"""Hearing what happens on callers' legs, and when, by the switch's own clock."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import gevent

from consentivr.esl.codec import Event
from consentivr.esl.errors import ESLError
from consentivr.esl.inbound import InboundConnection, Login
from consentivr.lab.native import ADDRESS

if TYPE_CHECKING:
    from consentivr.bench.stage import Stage


class Ears(ABC):
    """Hears, from the beginning until ``stop``."""

    def __init__(self, stage: Stage, events: str) -> None:
        self._connection = InboundConnection((ADDRESS, stage.switch.event_socket_port), Login(stage.switch.password))
        self._connection.connect(f"event json {events}")
        self._greenlet = gevent.spawn(self._hear)

    def stop(self) -> None:
        """Hear no more."""
        self._greenlet.kill()
        self._connection.stop()

    def _hear(self) -> None:
        try:
            while True:
                event = self._connection.receive()
                if isinstance(event, Event) and event.get("Call-Direction") == "inbound":
                    self._note(event, int(event.get("Event-Date-Timestamp", "0")) / 1000)
        except ESLError:
            return

    @abstractmethod
    def _note(self, event: Event, at: float) -> None:
        """It happened at so many milliseconds."""
