"""In which language a page speaks."""

from __future__ import annotations

from flask import request

from consentivr.console.words import LANGUAGES


def spoken() -> str:
    """The language of this page: chosen before, else the browser's."""
    chosen = request.cookies.get("language")
    return chosen if chosen in LANGUAGES else request.accept_languages.best_match(LANGUAGES) or LANGUAGES[0]
