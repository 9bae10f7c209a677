"""When each step of a call began and ended, by the switch's own clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gevent

from consentivr.esl.codec import Event
from consentivr.esl.errors import ESLError
from consentivr.esl.inbound import InboundConnection, Login
from consentivr.lab.native import ADDRESS

if TYPE_CHECKING:
    from consentivr.bench.stage import Stage

STEPS = (
    "create to answer",
    "answer to welcome",
    "welcome to question",
    "key to announcement",
    "announcement to queue",
)

_SUBSCRIPTION = "event json CHANNEL_CREATE CHANNEL_ANSWER CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE DTMF"


class Moments:
    """Hears every event until ``stop``."""

    def __init__(self, stage: Stage) -> None:
        self._connection = InboundConnection((ADDRESS, stage.switch.event_socket_port), Login(stage.switch.password))
        self._connection.connect(_SUBSCRIPTION)
        self._heard: dict[str, list[tuple[float, str]]] = {}
        """By the caller's number: when (ms), and what."""
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
                    at = int(event.get("Event-Date-Timestamp", "0")) / 1000
                    self._heard.setdefault(event.get("Caller-Caller-ID-Number", ""), []).append((at, _what(event)))
        except ESLError:
            return

    def steps_of(self, caller: str) -> dict[str, float]:
        """Milliseconds of each of ``STEPS``. Raises RuntimeError when the call did not go that way."""
        first: dict[str, float] = {}
        for at, what in self._heard.pop(caller, []):
            first.setdefault(what, at)
        try:
            return {
                "create to answer": first["CHANNEL_ANSWER"] - first["CHANNEL_CREATE"],
                "answer to welcome": first["begins welcome"] - first["CHANNEL_ANSWER"],
                "welcome to question": first["begins question"] - first["ends welcome"],
                "key to announcement": first["begins accepted"] - first["DTMF"],
                "announcement to queue": first["begins callcenter"] - first["ends accepted"],
            }
        except KeyError as missing:
            raise RuntimeError(f"a call did not go the way it should: {missing} is not seen") from None


def _what(event: Event) -> str:
    """The event, or which announcement an application begins or ends with."""
    name, application = event["Event-Name"], event.get("Application", "")
    if not name.startswith("CHANNEL_EXECUTE"):
        return name
    verb = "begins" if name == "CHANNEL_EXECUTE" else "ends"
    argument = event.get("Application-Data", "")
    sound = next((sound for sound in ("welcome", "question", "accepted") if f"/{sound}.wav" in argument), application)
    return f"{verb} {sound}"
