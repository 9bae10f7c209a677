"""Mistakes between sections."""

from __future__ import annotations

from collections.abc import Iterator

from consentivr.config import announcing
from consentivr.config.model import Configuration
from consentivr.core.policy import Announcement, RecordingMode

_Found = tuple[tuple[str, ...], str, str]


def cross_check(configuration: Configuration) -> Iterator[_Found]:
    """Each as (path, problem, hint)."""
    yield from _same_twice(configuration)
    for name in configuration.lines:
        yield from _line(configuration, name)
    if configuration.ledger.time_stamp_url and not configuration.ledger.time_stamp_roots:
        said = "stamps that nobody can verify are worth nothing"
        yield ("ledger", "time_stamp_url"), said, "name the root certificates in time_stamp_roots"


def _same_twice(configuration: Configuration) -> Iterator[_Found]:
    numbers: dict[str, str] = {}
    for name, line in configuration.lines.items():
        if line.number in numbers:
            yield ("lines", name, "number"), f"line '{numbers[line.number]}' has this number already", ""
        numbers.setdefault(line.number, name)
    if configuration.agents.line is not None and configuration.agents.line.number in numbers:
        yield ("agents", "line", "number"), "a line has this number already", ""
    names: dict[str, str] = {}
    for key, queue in configuration.queues.items():
        if queue.name in names:
            yield ("queues", key, "name"), f"queue '{names[queue.name]}' has this name already", ""
        names.setdefault(queue.name, key)


def _line(configuration: Configuration, name: str) -> Iterator[_Found]:
    line, language = configuration.lines[name], configuration.language_of(name)
    if line.queue not in configuration.queues:
        known = ", ".join(sorted(configuration.queues))
        yield ("lines", name, "queue"), f"there is no queue '{line.queue}'", f"known: {known}"
    if not configuration.texts_in(language):
        known = ", ".join(sorted({*configuration.announcements, *announcing.languages()}))
        yield ("lines", name), f"there are no announcements in language '{language}'", f"known: {known}"
    elif line.queue in configuration.queues:
        mode = configuration.queues[line.queue].recording.mode
        present = configuration.announcements_of(name)
        if mode.asks and Announcement.QUESTION not in present:
            yield ("lines", name), "its language has no announcement 'question'", ""
        if mode is RecordingMode.PERMANENT and Announcement.TOLD not in present:
            said = "its queue records by law, but its language has no announcement 'told'"
            yield ("lines", name), said, "the caller must be told"
