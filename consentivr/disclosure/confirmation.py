"""The letter that confirms an erasure (GDPR art. 12(3), 12(4), 17, 19): what is gone, what is left and why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import Protocol

from consentivr.core.evidence import CallSummary
from consentivr.core.retention import RetentionTerms
from consentivr.disclosure.paper import Controller, Paper, Section, plural


class Became(Protocol):
    """What became of one call, as whoever erases says it (``custody.ErasedCall``)."""

    @property
    def call(self) -> CallSummary: ...
    @property
    def number(self) -> bool: ...
    @property
    def held(self) -> bool: ...
    @property
    def recordings(self) -> int: ...
    @property
    def gone(self) -> int: ...
    @property
    def left_for_holds(self) -> Sequence[bool]: ...


class Confirmation(Paper):
    """What became of these calls, as they were before: afterwards nobody finds them by the number."""

    subject = "erased_subject"

    def __init__(
        self,
        number: str,
        country: str | None,
        controller: Controller,
        language: str,
        calls: Sequence[Became],
        *,
        to: Sequence[str] = (),
    ) -> None:
        super().__init__(number, country, controller, language, to)
        self._calls = sorted(calls, key=lambda became: became.call.started_at)

    @cached_property
    def opening(self) -> list[str]:
        said = [self._say("erased_asked", number=self._number, at=self._at(self._made_at))]
        if not self._calls:
            return [*said, self._say("erased_nothing"), self._kept_numbers]
        in_part = any(became.held or became.left_for_holds for became in self._calls)
        return [*said, self._say("erased_in_part" if in_part else "erased_all")]

    @cached_property
    def sections(self) -> list[Section]:
        say = self._say
        rights = Section(say("rights"), points=[say("right_more"), self._complaint])
        if not self._calls:
            return [rights, self._contact]
        recipients = "; ".join(self._controller.recipients)
        told = say("erased_recipients", recipients=recipients) if recipients else say("erased_nobody")
        return [
            Section(say("erased_what"), calls=[self._call(became) for became in self._calls]),
            Section(say("erased_left"), points=[say("left_entry"), say("left_receipt")]),
            Section(say("erased_copies"), [say("erased_backups")]),
            Section(say("erased_told"), [told]),
            rights,
            self._contact,
        ]

    def _call(self, became: Became) -> tuple[str, list[tuple[str, list[str]]]]:
        call, gone, left = became.call, [], []
        if became.number:
            gone.append(self._say("erased_number"))
        else:
            left.append(self._say("left_held" if became.held else "left_number"))
        erased = became.recordings + became.gone
        if erased:
            gone.append(self._say(plural("erased_recordings", erased), count=erased))
        left += [self._say("left_file_held" if held else "left_file") for held in sorted(set(became.left_for_holds))]
        facts = [("erased_gone", gone), ("erased_stays", left), ("kept_until", self._until(became))]
        return self._say("call", at=self._at(call.started_at)), [
            (self._say("line"), [self._line(call.line)]),
            *((self._say(name), said) for name, said in facts if said),
        ]

    def _until(self, became: Became) -> list[str]:
        """How long its entry stays."""
        if became.held:
            return []
        call = became.call
        days = (self._controller.terms or {}).get(call.queue, RetentionTerms()).rows_days_of(call)
        if days is None:
            return [self._say("until_none_rows")]
        return [self._say("until_rows", day=self._day(call.ended_at + timedelta(days=days)))]
