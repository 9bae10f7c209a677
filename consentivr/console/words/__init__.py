"""What the pages say, by language: a file for each screen, whose keys begin with its name. A test holds both
languages, the templates and these together.
"""

from __future__ import annotations

from types import ModuleType

from consentivr.console.words import (
    access,
    calls,
    frame,
    installation,
    listening,
    mine,
    numbers,
    people,
    rights,
    signin,
    today,
    trials,
)
from consentivr.disclosure import WORDS as SAID

SCREENS: tuple[ModuleType, ...] = (
    frame,
    signin,
    rights,
    calls,
    listening,
    trials,
    access,
    mine,
    numbers,
    people,
    today,
    installation,
)

LANGUAGES = ("en", "de")


def _merged(language: str) -> dict[str, str]:
    words: dict[str, str] = dict(SAID[language])
    for screen in SCREENS:
        words |= screen.WORDS[language]
    return words


WORDS: dict[str, dict[str, str]] = {language: _merged(language) for language in LANGUAGES}
"""Also with what the sheet for a court says: turns, decisions, reasons."""
