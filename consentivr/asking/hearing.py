"""What the words of the switch mean to the dialogue."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from consentivr.asking.channel import Channel
from consentivr.core import events as ev
from consentivr.core.consent import AnswerOutcome, Attempt
from consentivr.core.events import AskingEvent
from consentivr.core.policy import Announcement
from consentivr.esl.codec import Event
from consentivr.esl.connection import Refused

LANGUAGE_KEY = "consent_language_key"
"""The variable that holds the key which the greeting was ended with."""

Meaning = Callable[[Event], AskingEvent | None]


class Hearing:
    """Understands the events of one call. What is awaited is known by the Event-UUID of its execution."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self._awaited: dict[str, Meaning] = {}
        self._began: dict[str, str] = {}
        self._question_heard = True

    def expect(self, execution: str, meaning: Meaning) -> None:
        """What the end of this execution will mean."""
        self._awaited[execution] = meaning

    def forget(self) -> None:
        """Nothing is awaited any more."""
        self._awaited.clear()

    def meaning(self, word: Event | Refused) -> AskingEvent | None:
        """None for what means nothing; every kind of event that we subscribed to is named in ``_KINDS``."""
        if isinstance(word, Refused):
            return ev.Failed(f"refused: {word.command}")
        if not word.is_of(self.channel.uuid):
            return None
        understand = _KINDS.get(word["Event-Name"])
        return understand(self, word) if understand else None

    # --- kinds of events ---------------------------------------------------------------------

    def _executes(self, event: Event) -> AskingEvent | None:
        if event.get("Application") == "callcenter":
            return ev.Joined()
        execution = event.get("Application-UUID", "")
        if execution in self._awaited:
            self._began[execution] = _moment(event)
        return None

    def _executed(self, event: Event) -> AskingEvent | None:
        understand = self._awaited.pop(event.get("Application-UUID", ""), None)
        return understand(event) if understand else None

    def _key(self, event: Event) -> AskingEvent | None:
        return ev.CallerPressed(event.get("DTMF-Digit", ""))

    def _hung_up(self, event: Event) -> AskingEvent | None:
        return ev.HungUp()

    def _gone(self, event: Event) -> AskingEvent | None:
        return ev.ChannelGone(event.get("Hangup-Cause", ""))

    # --- what an execution's end means -------------------------------------------------------

    def question_follows(self, event: Event) -> None:
        """The question was played to its end, or there was none to play."""
        self._question_heard = event.get("Application-Response") == "FILE PLAYED"

    def question_plays(self) -> None:
        """It is ordered, and not heard yet."""
        self._question_heard = False

    def greeted(self, event: Event) -> AskingEvent:
        """The greeting is over: a key may have chosen another language."""
        if event.get("Answer-State") == "hangup":
            return ev.HungUp()
        key = event.get(f"variable_{LANGUAGE_KEY}", "")
        language = self.channel.offers.get(key) if event.get("variable_read_result") == "success" else None
        return ev.Greeted(self.channel.speaking(language).notice if language else None)

    def answer(self, event: Event, number: int, variable: str, asked_by: str) -> AskingEvent:
        """FREESWITCH.md, section 3: what ``play_and_get_digits`` leaves on the channel.

        ``asked_by`` is the execution with which the question began to sound.
        """
        line = self.channel.line
        key = event.get(f"variable_{variable}", "")
        wrong_key = event.get(f"variable_{variable}_invalid", "")
        result = event.get("variable_read_result", "")
        sound = self.channel.sounds.get(Announcement.QUESTION)
        whole = sound.duration_ms if sound else None
        times: dict[str, Any] = {"asked_at": self._began.pop(asked_by, None), "answered_at": _moment(event)}
        if self.channel.base.further:
            times["language"] = line.language
        notice = None
        if event.get("Answer-State") == "hangup":
            attempt = Attempt(AnswerOutcome.HUNG_UP, **times)
        elif result not in ("success", "failure") or not self._question_heard:
            attempt = Attempt(AnswerOutcome.NOT_ASKED, **times)
        elif result == "success" and key in (line.policy.consent_key, line.policy.objection_key):
            attempt = Attempt(AnswerOutcome.KEY, key, whole if line.hear_to_end else self._heard_ms(event), **times)
        elif result == "success" and key == line.policy.details_key:
            attempt = Attempt(AnswerOutcome.DETAILS, key, self._heard_ms(event), **times)
        elif result == "success" and key in self.channel.offers:
            attempt = Attempt(AnswerOutcome.LANGUAGE, key, self._heard_ms(event), **times)
            notice = self.channel.speaking(self.channel.offers[key]).notice
        elif key or wrong_key:
            attempt = Attempt(AnswerOutcome.WRONG_KEY, (wrong_key or key)[:1], self._heard_ms(event), **times)
        else:
            attempt = Attempt(AnswerOutcome.SILENCE, None, whole, **times)
        return ev.Answered(number, attempt, notice)

    def _heard_ms(self, event: Event) -> int | None:
        position = number_in(event.get("variable_playback_last_offset_pos"))
        sound = self.channel.sounds.get(Announcement.QUESTION)
        if position is None or sound is None:
            return None
        return min(position * 1000 // sound.rate, sound.duration_ms)


_KINDS: Mapping[str, Callable[[Hearing, Event], AskingEvent | None]] = {
    "CHANNEL_EXECUTE": Hearing._executes,
    "CHANNEL_EXECUTE_COMPLETE": Hearing._executed,
    "DTMF": Hearing._key,
    "CHANNEL_HANGUP": Hearing._hung_up,
    "CHANNEL_HANGUP_COMPLETE": Hearing._gone,
}


def number_in(value: Any, digits: int = 9) -> int | None:
    """A whole number that the switch wrote, or None."""
    whole = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= digits
    return int(value) if whole else None


def moment_ms(event: Event) -> int:
    """When the switch saw it, in milliseconds since 1970; else now."""
    return number_in(event.get("Event-Date-Timestamp", "")[:-3], digits=15) or int(time.time() * 1000)


def _moment(event: Event) -> str:
    try:
        return datetime.fromtimestamp(moment_ms(event) / 1000, timezone.utc).isoformat(timespec="milliseconds")
    except (OverflowError, OSError, ValueError):
        return datetime.now(timezone.utc).isoformat(timespec="milliseconds")
