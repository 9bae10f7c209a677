"""What callers hear, where the configuration does not say it in words of its own: our wordings, a file a language.

And what a text leaves open: the key of a language (``{key}``), what is told of the house (``{controller}`` ...).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

import yaml

from consentivr.core.policy import Announcement
from consentivr.resources import shipped

FACTS = ("controller", "contact", "notice_at", "audio_days", "rows_days")
"""What the announcement 'details' may name in braces: of the section ``privacy``, and of the queue's ``retention``."""

_DETAILS_OFFER = "details_offer"
_OPEN = re.compile(r"\{([a-z_]+)\}")


@lru_cache
def languages() -> tuple[str, ...]:
    """Those that we have a wording in."""
    return tuple(sorted(path.parent.name for path in shipped("sounds").glob("*/wording.yaml")))


def ours(language: str) -> Mapping[Announcement, str]:
    """Our wording in a language, with the mark (``wording.ENOUGH``); empty where we have none."""
    return {Announcement(name): text for name, text in _read(language).items() if name != _DETAILS_OFFER}


def details_offer(language: str, key: str) -> str:
    """What our question ends with where a key tells more."""
    return filled(_read(language)[_DETAILS_OFFER], {"key": key})


@lru_cache
def _read(language: str) -> Mapping[str, str]:
    if language not in languages():
        return {}
    texts = yaml.safe_load((shipped("sounds") / language / "wording.yaml").read_text(encoding="utf-8"))
    return {str(name): str(text) for name, text in texts.items()}


def left_open(text: str) -> frozenset[str]:
    """The names in braces."""
    return frozenset(_OPEN.findall(text))


def filled(text: str, values: Mapping[str, object]) -> str:
    """With what the names in braces stand for; an unknown one stays."""
    return _OPEN.sub(lambda found: str(values.get(found[1], found[0])), text)


def as_said(address: str) -> str:
    """An address of the web, as people say it."""
    return re.sub(r"^https?://", "", address)
