"""The letter that an answer takes longer, and why (GDPR art. 12(3), second and third sentence)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from consentivr.core.requests import PersonRequest
from consentivr.disclosure.paper import Controller, Paper, Section


class Delay(Paper):
    """Of a request that was extended; the person has to have it within the first month."""

    subject = "delay_subject"

    def __init__(
        self,
        number: str,
        country: str | None,
        controller: Controller,
        language: str,
        asked: PersonRequest,
        *,
        to: Sequence[str] = (),
    ) -> None:
        super().__init__(number, country, controller, language, to)
        self._asked = asked

    @cached_property
    def opening(self) -> list[str]:
        asked = self._asked
        wishes = ", ".join(self._say(f"wish_{wish.value}") for wish in asked.wishes)
        return [
            self._say("delay_received", day=self._date(asked.received_on), wishes=wishes),
            self._say("delay_why", why=(asked.extended_because or "").rstrip("."), day=self._date(asked.due_on)),
        ]

    @cached_property
    def sections(self) -> list[Section]:
        rights = Section(self._say("rights"), points=[self._complaint])
        return [rights, self._contact]
