"""Which keys a text names, so that what must be told before a yes is told (GDPR art. 7(3), third sentence).

Keys are found by their digit; star and hash also by their word in the languages that we have a wording in, digits by
their word in German and English alone: elsewhere the word for 1 is an article. What a sentence means is not read: "do
not press 1" names the key 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

ENOUGH = "|"
"""In a question's text: here the caller knows what is asked. It is not spoken."""

_WORDS = {
    "de": dict(enumerate(("null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"))),
    "en": dict(enumerate(("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"))),
}
_STAR_AND_HASH = {
    "cs": ("hvězdičk(?:a|y|u|ou)", "křížek|mřížk(?:a|y|u|ou)"),
    "da": ("stjernen?|stjernetasten", "firkant(?:en)?|havelåge"),
    "de": ("stern|sternchen|sterntaste", "raute|rautetaste"),
    "en": ("star|asterisk", "hash|pound"),
    "es": ("asterisco|estrella", "almohadilla|numeral"),
    "fr": ("étoile|astérisque", "dièse"),
    "it": ("asterisco|stella", "cancelletto"),
    "nl": ("ster|sterretje", "hekje"),
    "pl": ("gwiazdk(?:a|i|ę|ą)", "krzyżyk|kratk(?:a|i|ę|ą)"),
    "pt": ("asterisco|estrela", "cardinal"),
    "sv": ("stjärnan?|asterisk", "fyrkant(?:en)?"),
    "tr": (r"y\u0131ld\u0131z(?:a|\u0131)?", "kare(?:ye|yi)?"),
}
_BETWEEN = r"[\s,-]*(?:[^\W\d]{1,5}[\s,]+){0,3}"
"""Between star and a key: "Stern und dann die 9"."""


class Asked(NamedTuple):
    """A question as it is put in one language: its text, with the mark, and the keys that it must name."""

    text: str
    language: str
    keys: tuple[str, str]
    withdrawal_keys: str

    @property
    def heard(self) -> str:
        """The beginning of it after which a caller knows what is asked (promise P2)."""
        return heard(self.text, self.language, self.keys, self.withdrawal_keys)

    @property
    def enough(self) -> float:
        """Its share of the question's letters, of 1: how long it lasts where nobody has measured it."""
        return len(self.heard) / max(1, len(spoken(self.text)))

    @property
    def untold(self) -> list[str]:
        """The keys that are not named before a yes counts."""
        return untold(self.text, self.language, self.keys, self.withdrawal_keys)


def spoken(text: str) -> str:
    """A text as it is said."""
    return text.replace(ENOUGH, "")


def way_back(text: str, language: str, keys: str) -> re.Match[str] | None:
    """Where the keys that take a yes back are named, such as ``*9``."""
    return re.search(rf"(?<!\w){_named(keys[0], language)}{_BETWEEN}{_named(keys[1], language)}(?!\w)", text, re.I)


def places(text: str, language: str, key: str) -> Iterator[int]:
    """Behind each place where a key is named."""
    for found in re.finditer(rf"(?<!\w){_named(key, language)}(?!\w)", text, re.I):
        yield found.end()


def heard(text: str, language: str, keys: tuple[str, str], withdrawal_keys: str) -> str:
    """The beginning of a question after which a caller knows what is asked (promise P2).

    Up to the mark; without one until both ``keys`` have been named, and the way back if it is; a question that names
    them otherwise must be heard to its end.
    """
    if ENOUGH in text:
        return text[: text.index(ENOUGH)]
    back = way_back(text, language, withdrawal_keys)
    rest = _without(text, back)
    ends = [next(places(rest, language, key), None) for key in keys]
    told = [end for end in ends if end is not None]
    return text[: max(*told, back.end() if back else 0)] if len(told) == len(keys) else text


def untold(text: str, language: str, keys: tuple[str, str], withdrawal_keys: str) -> list[str]:
    """The keys that are not named in what a caller must have heard of a question before a yes counts."""
    heard = text.partition(ENOUGH)[0]
    back = way_back(heard, language, withdrawal_keys)
    rest = _without(heard, back)
    missing = [key for key in keys if next(places(rest, language, key), None) is None]
    return missing if back else [*missing, withdrawal_keys]


def _named(key: str, language: str) -> str:
    star_and_hash = dict(zip("*#", _STAR_AND_HASH.get(language, ()), strict=False))
    word = _WORDS[language].get(int(key)) if key.isdigit() and language in _WORDS else star_and_hash.get(key)
    return f"(?:{re.escape(key)}|{word})" if word else re.escape(key)


def _without(text: str, found: re.Match[str] | None) -> str:
    """The same text, as long, with something blotted out."""
    return text if found is None else text[: found.start()] + " " * len(found.group()) + text[found.end() :]
