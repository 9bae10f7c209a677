"""A letter of the house: who writes to whom, in which language, and its words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timezone, tzinfo
from functools import cached_property
from pathlib import Path
from typing import Literal

import jinja2

from consentivr.core.callers import WhoseNumber
from consentivr.core.retention import RetentionTerms
from consentivr.disclosure.letter_words import WORDS
from consentivr.numbers import in_print


@dataclass(frozen=True)
class Controller:
    """Who answers for the recordings (GDPR art. 4(7)), and what letters say of it."""

    name: str
    address: tuple[str, ...] = ()
    contact: str | None = None
    dpo: str | None = None
    authority: str | None = None
    recipients: tuple[str, ...] = ()
    """Outside of the house; none: nobody."""
    third_countries: str | None = None
    """None or '': there are no transfers."""
    time_zone: tzinfo = timezone.utc
    whose_number: WhoseNumber = WhoseNumber.GIVEN
    terms: Mapping[str, RetentionTerms] | None = None
    """How long calls are kept, by queue."""
    lines: Mapping[str, str] | None = None
    """What callers dial, by line."""


@dataclass(frozen=True)
class Section:
    """A part of the letter: paragraphs, then points, then what is known of each call."""

    title: str
    paragraphs: Sequence[str] = ()
    points: Sequence[str] = ()
    calls: Sequence[tuple[str, Sequence[tuple[str, Sequence[str]]]]] = ()


class Paper:
    """What every letter has. Those who write one say its ``subject``, ``opening``, ``sections`` and ``enclosures``."""

    subject: str
    """The name of a word."""

    def __init__(
        self, number: str, country: str | None, controller: Controller, language: str, to: Sequence[str] = ()
    ) -> None:
        """``to`` are the lines of an address; ``country``: where numbers are read."""
        self._number = in_print(number, country).replace(" ", "\N{NO-BREAK SPACE}")
        self._controller = controller
        self._words = WORDS[language]
        self._language = language
        self._zone = controller.time_zone
        self._to = to
        self._made_at = datetime.now(timezone.utc)

    def render(self, form: Literal["html", "txt"]) -> str:
        """As a page without anything from outside, or as text."""
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(Path(__file__).parent),
            autoescape=jinja2.select_autoescape(("html.j2",)),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        controller, say = self._controller, self._say
        return environment.get_template(f"letter.{form}.j2").render(
            language=self._language,
            say=say,
            subject=say(self.subject),
            controller=controller,
            to=self._to or [say("to_holder", number=self._number)],
            number=self._number,
            day=self._day(self._made_at),
            opening=self.opening,
            sections=self.sections,
            enclosures=self.enclosures,
        )

    @property
    def opening(self) -> Sequence[str]:
        """Paragraphs before the first section."""
        raise NotImplementedError

    @property
    def sections(self) -> Sequence[Section]:
        raise NotImplementedError

    @property
    def enclosures(self) -> Sequence[str]:
        """What goes with it."""
        return ()

    # --- words -------------------------------------------------------------------------------

    def _say(self, word: str, **values: object) -> str:
        return self._words[word].format(**values)

    def _day(self, moment: datetime) -> str:
        return self._date(moment.astimezone(self._zone).date())

    def _date(self, day: date) -> str:
        if self._language == "de":
            return f"{day.day}. {_MONTHS_DE[day.month - 1]} {day.year}"
        return f"{day.day} {_MONTHS_EN[day.month - 1]} {day.year}"

    def _time(self, moment: datetime | str | None) -> str:
        if moment is None:
            return "?"
        at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        return self._say("clock", time=f"{at.astimezone(self._zone):%H:%M:%S}")

    def _at(self, moment: datetime) -> str:
        return f"{self._day(moment)}, {self._time(moment)}"

    def _length(self, milliseconds: int | None) -> str:
        if milliseconds is None:
            return self._say("length_unknown")
        minutes, seconds = divmod(round(milliseconds / 1000), 60)
        return self._say("minutes", minutes=minutes, seconds=seconds)

    def _line(self, name: str) -> str:
        number = (self._controller.lines or {}).get(name)
        return f"{number} ({name})" if number else name

    # --- what every letter says ------------------------------------------------------------------

    @cached_property
    def _complaint(self) -> str:
        return self._say("right_complain", authority=self._controller.authority or self._say("any_authority"))

    @cached_property
    def _contact(self) -> Section:
        controller = self._controller
        contact = controller.contact or ", ".join((controller.name, *controller.address))
        whom = [self._say("dpo", dpo=controller.dpo)] if controller.dpo else []
        return Section(self._say("contact"), [*whom, self._say("write_to", contact=contact), self._say("limits")])

    @cached_property
    def _kept_numbers(self) -> str:
        return self._say(f"kept_{self._controller.whose_number.value}")


def plural(word: str, count: int) -> str:
    """The name of the word for none, one or many."""
    return f"{word}_{'none' if count == 0 else 'one' if count == 1 else 'many'}"


_MONTHS_EN = "January February March April May June July August September October November December".split()  # noqa: SIM905
_MONTHS_DE = "Januar Februar März April Mai Juni Juli August September Oktober November Dezember".split()  # noqa: SIM905
