"""In which language a caller is asked, before a key says it: the channel, the number, or the line says it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from consentivr.core.consent import LanguageBy
from consentivr.numbers import person_of


@dataclass(frozen=True)
class Languages:
    """How a line's callers come to another language than the line's own."""

    keys: Mapping[str, str]
    """The language that each key chooses."""
    prefixes: Mapping[str, str]
    """The language for numbers that begin so, such as +44."""
    country: str | None = None
    """Where calls come in (ISO 3166): what 0 and 00 stand for in a number (``numbers``)."""


class Chosen(NamedTuple):
    """A language, why it, and the one that was ``wanted`` instead and is not to be had."""

    language: str
    by: LanguageBy
    wanted: str | None = None


NEITHER = Languages({}, {})
UNKNOWN = "unknown"
"""What a channel's variable wants that names no language."""


def chosen(own: str, spoken: frozenset[str], ways: Languages, variable: str, number: str | None) -> Chosen:
    """Who is asked in which language; ``own`` is the line's, ``spoken`` are all that it can speak.

    ``variable`` may be of any form that names a language: ``en``, ``en-GB``, ``EN_us``. ``number`` is None for
    a withheld one, which chooses nothing.
    """
    wishes = []
    if variable:
        named = re.match(r"([A-Za-z]{2,3})(?![A-Za-z])", variable)
        wishes.append((named[1].lower() if named else UNKNOWN, LanguageBy.VARIABLE))
    if number and ways.prefixes:
        person = person_of(number, ways.country) or ""
        fitting = [prefix for prefix in ways.prefixes if person.startswith(prefix)]
        if fitting:
            wishes.append((ways.prefixes[max(fitting, key=len)], LanguageBy.PREFIX))
    for language, by in wishes:
        if language in spoken:
            return Chosen(language, by, wishes[0][0] if language != wishes[0][0] else None)
    return Chosen(own, LanguageBy.LINE, wishes[0][0] if wishes else None)
