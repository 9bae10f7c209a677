"""When each step of a call began and ended, by the switch's own clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consentivr.bench.ears import Ears
from consentivr.esl.codec import Event

if TYPE_CHECKING:
    from consentivr.bench.stage import Stage

STEPS = (
    "create to answer",
    "answer to welcome",
    "welcome to question",
    "key to announcement",
    "announcement to queue",
)

_EVENTS = "CHANNEL_CREATE CHANNEL_ANSWER CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE DTMF"


class Moments(Ears):
    """Of every caller."""

    def __init__(self, stage: Stage) -> None:
        self._heard: dict[str, list[tuple[float, str]]] = {}
        """By the caller's number: when (ms), and what."""
        super().__init__(stage, _EVENTS)

    def _note(self, event: Event, at: float) -> None:
        self._heard.setdefault(event.get("Caller-Caller-ID-Number", ""), []).append((at, _what(event)))

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
