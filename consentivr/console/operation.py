"""For those who run the console: whether it is well, and what it counts."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, request
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

from consentivr.console.books import Books
from consentivr.console.guard import needs, refuse
from consentivr.ledger import Search

COUNTED = (
    "consentivr_console_refused_total",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
    "process_start_time_seconds",
)
"""What is this process's own: the rest belongs to ``serve``, and stands still here."""


def blueprint(books: Books, may_scrape: Callable[[str], bool]) -> Blueprint:
    """The pages of it. ``may_scrape``: whether a token is one of monitoring's."""
    pages = Blueprint("operation", __name__)

    @pages.get("/health")
    @needs(None)
    def health() -> Response:
        with books.reading() as book:
            list(book.read(Search(), limit=1))
        return Response("well\n", content_type="text/plain")

    @pages.get("/metrics")
    @needs(None)
    def metrics() -> Response:
        if not may_scrape(request.headers.get("Authorization", "").removeprefix("Bearer ")):
            refuse(401, "token")
        shown = REGISTRY.restricted_registry(COUNTED)
        return Response(generate_latest(shown), content_type=CONTENT_TYPE_LATEST)

    return pages
