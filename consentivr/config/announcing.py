"""What callers hear, where the configuration does not say it in words of its own: our wordings, a file a language."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import yaml

from consentivr.core.policy import Announcement
from consentivr.resources import shipped


def languages() -> tuple[str, ...]:
    """Those that we have a wording in."""
    return tuple(sorted(path.parent.name for path in shipped("sounds").glob("*/wording.yaml")))


@lru_cache
def ours(language: str) -> Mapping[Announcement, str]:
    """Our wording in a language, with the mark (``wording.ENOUGH``); empty where we have none."""
    if language not in languages():
        return {}
    file = shipped("sounds") / language / "wording.yaml"
    texts = yaml.safe_load(file.read_text(encoding="utf-8"))
    return {Announcement(name): text for name, text in texts.items()}
