"""What the law wants said and ended: wordings, terms of retention, purposes. Judged from the configuration alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from consentivr.check.finding import Finding, Level
from consentivr.config import Configuration, announcing, wording
from consentivr.core.enrolling import AgentAnnouncement
from consentivr.core.policy import Announcement, RecordingMode
from consentivr.privacy import missing


def law(configuration: Configuration) -> list[Finding]:
    """All of it."""
    looks: tuple[Callable[[Configuration], Iterator[Finding]], ...] = (
        questions,
        trials,
        agents_line,
        purposes,
        terms,
        documents,
    )
    return [finding for look in looks for finding in look(configuration)]


def _found(what: str, level: Level, said: str, mend: str = "", setting: str = "") -> Finding:
    return Finding(what, level, said, mend, setting, part="law")


def questions(configuration: Configuration) -> Iterator[Finding]:
    """Both keys and the way back are told before the yes (GDPR art. 7(3)), in each language of a line."""
    for name, line in configuration.lines.items():
        if configuration.queues[line.queue].recording.mode.asks:
            for language in configuration.spoken_on(name):
                yield from _question(configuration, name, language)


def _question(configuration: Configuration, name: str, language: str) -> Iterator[Finding]:
    own = language == configuration.language_of(name)
    what = f"question of line {name}" if own else f"question of line {name} in {language}"
    setting, see = f"announcements.{language}.question", "see docs/announcements.md"
    question = configuration.question_of(name)
    untold = configuration.asked(name, language).untold
    if not untold:
        yield _found(what, Level.GOOD, f"names both keys, and the way back ({question.withdrawal_keys})")
    for key in untold:
        said = f"a caller may agree before the key {key} was named"
        if key == question.withdrawal_keys:
            said = f"a caller may agree before hearing that {key} takes it back; GDPR art. 7(3) wants it told before"
        yield _found(what, Level.WARNING, said, see, setting)
    text, more = configuration.question_text(name, language), question.details_key
    if more is not None and next(wording.places(wording.spoken(text), language, more), None) is None:
        yield _found(what, Level.WARNING, f"it does not say that the key {more} tells more", "say so", setting)
    asks_itself = Announcement.QUESTION in configuration.lines[name].announcements
    if asks_itself and Announcement.QUESTION not in configuration.own_texts(name, language):
        place = f"lines.{name}.languages.{language}.announcements.question"
        yield _found(what, Level.WARNING, "it is the general one, where the line has its own", "write it", place)
    offered = configuration.languages_of(name).get(language)
    if offered and offered.key and Announcement.LANGUAGE not in configuration.announcements_of(name, language):
        said = f"nobody hears that the key {offered.key} chooses this language"
        yield _found(what, Level.WARNING, said, "write it", f"announcements.{language}.language")
    if text == announcing.ours(language).get(Announcement.QUESTION) and not _is_quality(configuration, name):
        said = "it is ours, and asks for quality assurance; the queue's purpose is another"
        yield _found(what, Level.WARNING, said, see, setting)


def trials(configuration: Configuration) -> Iterator[Finding]:
    """A second wording can still be asked, and its calls are there until it is over. What it must say is checked as the
    configuration is read."""
    today = datetime.now(configuration.privacy.time_zone).date()
    for name, line in configuration.lines.items():
        if line.trial is None:
            continue
        what, setting = f"trial of line {name}", f"lines.{name}.trial.until"
        kept = configuration.trial_kept_days(name)
        if today > line.trial.until:
            yield _found(what, Level.WARNING, "its last day is over: nobody is asked with it", "take it out", setting)
        elif kept is not None and (line.trial.until - today).days >= kept:
            said = f"rows are erased from day {kept} on, before it is over: it cannot be approved"
            yield _found(what, Level.WARNING, said, "set an earlier day", setting)
        else:
            said = f"the second wording names both keys, and the way back; until {line.trial.until}"
            yield _found(what, Level.GOOD, said)


def _is_quality(configuration: Configuration, name: str) -> bool:
    """Whether a purpose can be the one that our wording names, in any of our languages."""
    purpose = configuration.queues[configuration.lines[name].queue].recording.purpose.casefold()
    return any(word in purpose for word in ("quali", "kwali", "kvali", "calid", "kalit", "jako"))


def agents_line(configuration: Configuration) -> Iterator[Finding]:
    """The wording to which agents agree names its keys."""
    line = configuration.agents.line
    if line is None:
        return
    text, language = line.announcements[AgentAnnouncement.WORDING], line.language or configuration.language
    untold = [
        key for key in (line.agree_key, line.decline_key) if next(wording.places(text, language, key), None) is None
    ]
    if untold:
        said = f"'wording' does not name the key {' and '.join(untold)}"
        yield _found("agents.line", Level.WARNING, said, "name it", "agents.line.announcements.wording")
    else:
        yield _found("agents.line", Level.GOOD, "'wording' names both keys")


def purposes(configuration: Configuration) -> Iterator[Finding]:
    """Each queue says what its recordings are for (GDPR art. 5(1)(b)), and on what they rest."""
    for name, queue in configuration.queues.items():
        recording = queue.recording
        what, setting = f"purpose {name}", f"queues.{name}.recording.purpose"
        if recording.mode is RecordingMode.OFF:
            yield _found(what, Level.GOOD, "nothing is recorded")
        elif "purpose" not in recording.model_fields_set:
            said = f"it is nobody's own: '{recording.purpose}' is what stands there when nothing is said"
            yield _found(what, Level.WARNING, said, "say what the recordings are for", setting)
        else:
            basis = recording.legal_basis or "consent (GDPR art. 6(1)(a))"
            yield _found(what, Level.GOOD, f"{recording.purpose}, on {basis}")


def terms(configuration: Configuration) -> Iterator[Finding]:
    """What is kept without an end is kept too long (GDPR art. 5(1)(e))."""
    for name, queue in configuration.queues.items():
        kept = queue.retention.terms()
        what, setting = f"retention {name}", f"queues.{name}.retention"
        if kept.rows_days is None:
            said = f"what is known of its calls is kept for ever: see {setting}"
            yield _found(what, Level.BAD, said, "set audio_days and rows_days", setting)
        elif kept.refusals_days is None and queue.recording.mode.asks:
            said = f"a refusal is kept as long as a yes, {kept.rows_days} days"
            yield _found(what, Level.WARNING, said, "set refusals_days", setting)
        else:
            refusals = f", refusals {kept.refusals_days}" if queue.recording.mode.asks else ""
            said = f"recordings {kept.audio_days} days, rows {kept.rows_days}{refusals}"
            yield _found(what, Level.GOOD, said)


def documents(configuration: Configuration) -> Iterator[Finding]:
    """What the documents of 'consentivr privacy' want is there."""
    gaps = missing(configuration)
    if gaps:
        said = "the documents want what is not there: " + "; ".join(f"{name}: {what}" for name, what in gaps.items())
        yield _found("privacy", Level.WARNING, said, "fill in the section 'privacy'", "privacy")
    else:
        yield _found("privacy", Level.GOOD, "'consentivr privacy' has everything that its documents want")
