"""Mistakes between sections."""

from __future__ import annotations

from collections.abc import Iterator

from consentivr.config import announcing, wording
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
    trials: dict[str, str] = {}
    for key, line in configuration.lines.items():
        if line.trial is not None and line.trial.name in trials:
            yield ("lines", key, "trial", "name"), f"line '{trials[line.trial.name]}' has a trial of this name", ""
        elif line.trial is not None:
            trials[line.trial.name] = key


def _line(configuration: Configuration, name: str) -> Iterator[_Found]:
    line = configuration.lines[name]
    yield from _languages(configuration, name)
    if line.queue not in configuration.queues:
        known = ", ".join(sorted(configuration.queues))
        yield ("lines", name, "queue"), f"there is no queue '{line.queue}'", f"known: {known}"
        return
    mode = configuration.queues[line.queue].recording.mode
    for language in filter(configuration.texts_in, configuration.spoken_on(name)):
        present = {*configuration.texts_in(language), *configuration.own_texts(name, language)}
        its = "its language" if language == configuration.language_of(name) else f"its language '{language}'"
        if mode.asks and Announcement.QUESTION not in present:
            yield ("lines", name), f"{its} has no announcement 'question'", ""
        if mode is RecordingMode.PERMANENT and Announcement.TOLD not in present:
            said = f"its queue records by law, but {its} has no announcement 'told'"
            yield ("lines", name), said, "the caller must be told"
        yield from _details(configuration, name, language)
    yield from _trial(configuration, name)


def _languages(configuration: Configuration, name: str) -> Iterator[_Found]:
    """There is a wording in each, and no key means two things."""
    for language in configuration.spoken_on(name):
        if not configuration.texts_in(language):
            known = ", ".join(sorted({*configuration.announcements, *announcing.languages()}))
            yield ("lines", name), f"there are no announcements in language '{language}'", f"known: {known}"
    question = configuration.question_of(name)
    taken = {question.consent_key: "consent_key", question.objection_key: "objection_key"}
    if question.details_key is not None:
        taken[question.details_key] = "details_key"
    for language, way in configuration.languages_of(name).items():
        if way.key in taken:
            yield ("lines", name), f"the key {way.key} of language '{language}' is {taken[way.key]} already", ""
        elif way.key is not None:
            taken[way.key] = f"that of '{language}'"


def _details(configuration: Configuration, name: str, language: str) -> Iterator[_Found]:
    """Whatever 'details' names in braces is known."""
    if configuration.question_of(name).details_key is None:
        return
    told = configuration.announcements_of(name, language)[Announcement.DETAILS][1]
    if not told:
        yield ("lines", name), f"language '{language}' has no announcement 'details'", ""
    for fact in sorted(announcing.left_open(told)):
        where = "the queue's 'retention'" if fact.endswith("_days") else "'privacy'"
        hint = f"set it in {where}" if fact in announcing.FACTS else f"known: {', '.join(announcing.FACTS)}"
        yield ("lines", name), f"'details' tells {{{fact}}}, which is not said", hint


def _trial(configuration: Configuration, name: str) -> Iterator[_Found]:
    """The second wording is put to callers, is another one, and tells what must be told before a yes."""
    line, tried = configuration.lines[name], configuration.tried(name)
    if tried is None:
        return
    place = ("lines", name, "trial", "question")
    if not configuration.queues[line.queue].recording.mode.asks:
        yield ("lines", name, "trial"), f"its queue '{line.queue}' asks nobody", ""
    if wording.spoken(tried.text) == wording.spoken(configuration.question_text(name)):
        yield place, "it is the wording that the line has", ""
    for key in tried.untold:
        yield place, f"a caller may agree before the key {key} was named", "see docs/announcements.md"
    details = configuration.question_of(name).details_key
    if details is not None and next(wording.places(wording.spoken(tried.text), tried.language, details), None) is None:
        yield place, f"it does not say that the key {details} tells more", ""
