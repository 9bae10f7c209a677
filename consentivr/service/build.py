"""The only reader of the configuration: what it says, as the other rooms want it."""

from __future__ import annotations

import contextlib
import os
import pwd
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog
from pydantic import BaseModel

from consentivr.asking import Languages, Line
from consentivr.config import Configuration
from consentivr.config.model import SAMPLE_RATES
from consentivr.config.wording import Asked
from consentivr.core.consent import Variant
from consentivr.core.enrolling import AgentAnnouncement
from consentivr.core.policy import FOR_AGENTS, Announcement, LinePolicy
from consentivr.core.trial import Plan
from consentivr.custody import Pins, Report, Retention
from consentivr.disclosure import Controller
from consentivr.enrolling import AgentLine
from consentivr.esl.inbound import Login
from consentivr.files import kept_secret, read_secret
from consentivr.ledger import HeadFile, Ledger, LedgerError, Signer
from consentivr.ledger.stamping import Roots, Stamper
from consentivr.prompts import AudioProblem, Spoken, inspect, written_for
from consentivr.recordings import Places
from consentivr.rendering import DialplanLine, Queue, render
from consentivr.resources import shipped
from consentivr.switch import NEUTRAL, UNTOLD_DIGITS
from consentivr.watch import House
from consentivr.web import Tokens

log = structlog.get_logger(__name__)

FREESWITCH = "freeswitch"
"""The user that its packages run it as."""
OWN_USER = "consentivr"
"""As whom 'serve' runs, where it was set up so: nobody else's user, least of all a web server's."""


class CannotServe(Exception):
    """``serve`` will not start. The message says what to do."""


def sounds_folder(configuration: Configuration) -> Path:
    """Where the announcements are: the administrator's folder, or the one that we ship."""
    return configuration.sounds.folder or shipped("sounds")


# --- FreeSWITCH's XML ------------------------------------------------------------------------


def queues(configuration: Configuration) -> dict[str, Queue]:
    """The queues as the templates want them."""
    return {
        name: Queue(
            name=queue.name,
            mode=queue.recording.mode,
            strategy=queue.strategy,
            music=queue.music,
            max_wait_s=queue.max_wait_s,
            max_wait_no_agent_s=queue.max_wait_no_agent_s,
            recordings_folder=str(configuration.recordings.folder),
            stereo=configuration.recordings.stereo,
            legal_basis=queue.recording.legal_basis,
            unanswered_extension=queue.unanswered.extension,
        )
        for name, queue in configuration.queues.items()
    }


def dialplan_lines(configuration: Configuration) -> list[DialplanLine]:
    """The lines as the templates want them."""
    known = queues(configuration)
    folder = sounds_folder(configuration)
    lines = []
    for name, line in configuration.lines.items():
        unanswered = configuration.announcements_of(name).get(Announcement.UNANSWERED)
        sound = (
            folder / configuration.language_of(name) / str(SAMPLE_RATES[0]) / f"{unanswered[0]}.wav"
            if unanswered
            else None
        )
        several = len(configuration.spoken_on(name)) > 1
        lines.append(DialplanLine(name, line.number, known[line.queue], str(sound) if sound else None, several))
    return lines


def rendered(configuration: Configuration, secret: str | None = None) -> dict[str, str]:
    """Everything that ``consentivr render`` writes. ``secret`` stands for the dialplan's, which is made otherwise."""
    return render(
        shipped("freeswitch_xml"),
        lines=dialplan_lines(configuration),
        queues=list(queues(configuration).values()),
        context=configuration.freeswitch.context,
        hosts=list(map(str, configuration.service.hosts)),
        watchdog_s=configuration.freeswitch.connect_watchdog_s,
        secret=secret or dialplan_secret(configuration),
        agents_number=configuration.agents.line.number if configuration.agents.line else None,
        neutral=NEUTRAL,
        untold=UNTOLD_DIGITS,
    )


def dialplan_secret(configuration: Configuration) -> str | None:
    """By which the dialplan proves itself, made if need be; None when it need not. Raises CannotServe."""
    file = configuration.service.secret_file
    try:
        return None if file is None else kept_secret(file)
    except OSError as error:
        raise CannotServe(f"the dialplan's secret: {error}; see service.secret_file") from error


def peer_users(configuration: Configuration) -> frozenset[int] | None:
    """The users (uid) on this machine who may hand over calls; None for any. Raises CannotServe."""
    name = configuration.service.peer_user
    if name == "*":
        return None
    if name is not None:
        try:
            return frozenset({pwd.getpwnam(name).pw_uid})
        except KeyError:
            raise CannotServe(f"there is no user '{name}' on this machine: see service.peer_user") from None
    # Whoever is the user that serves can do all that we can: that one is no stranger.
    users = {os.geteuid()}
    with contextlib.suppress(KeyError):
        users.add(pwd.getpwnam(FREESWITCH).pw_uid)
    return frozenset(users)


# --- the ledger ------------------------------------------------------------------------------


def signer(configuration: Configuration) -> Signer | None:
    """The key that signs checkpoints, if there is to be one. Raises LedgerError."""
    key = configuration.ledger.signing_key
    return Signer.of_file(key) if key else None


def stamper(configuration: Configuration) -> Stamper | None:
    """Who asks for time stamps, if they are to be had. Raises LedgerError."""
    address, roots = configuration.ledger.time_stamp_url, configuration.ledger.time_stamp_roots
    return Stamper(address, Roots(roots)) if address and roots else None


def head_file(configuration: Configuration) -> HeadFile:
    """Where the head of the chain is kept."""
    return HeadFile(configuration.ledger.head_file)


def open_ledger(configuration: Configuration, *, signs: bool = False, create: bool = False) -> Ledger:
    """The ledger, for the command line. Only who writes needs the key. Raises LedgerError."""
    key = signer(configuration) if signs else None
    country = configuration.numbers.country
    return Ledger(configuration.ledger.location, create=create, patience_s=5.0, signer=key, country=country)


def controller(configuration: Configuration) -> Controller:
    """Who answers for the recordings, for letters. Raises LedgerError with what is missing."""
    section = configuration.privacy
    missing = [name for name in ("controller", "recipients", "third_countries") if getattr(section, name) is None]
    if missing:
        raise LedgerError(f"a letter has to say it: set {', '.join(f'privacy.{name}' for name in missing)}")
    name, *address = str(section.controller).split(", ")
    return Controller(
        name,
        address=tuple(address),
        contact=section.contact,
        dpo=section.dpo,
        authority=section.authority,
        recipients=section.recipients or (),
        third_countries=section.transfers(),
        time_zone=section.time_zone,
        whose_number=configuration.ledger.numbers,
        terms={queue.name: queue.retention.terms() for queue in configuration.queues.values()},
        lines={name: line.number for name, line in configuration.lines.items()},
    )


def places(configuration: Configuration) -> Places:
    """Where recordings lie, lay, and may be erased."""
    recordings = configuration.recordings
    return Places(recordings.folder, recordings.former_folders, configuration.watch.erase_below)


def kept_because(configuration: Configuration) -> dict[str, str]:
    """By queue, why what was recorded stays although the yes was taken back, where a ground is stated."""
    queues = configuration.queues.values()
    return {queue.name: why for queue in queues if (why := queue.recording.kept_because)}


def retain(
    configuration: Configuration, *, dry_run: bool = False, progress: Callable[[str], None] = lambda what: None
) -> Report:
    """Erase what is due and account for every file. Raises LedgerError."""
    ledger = open_ledger(configuration, signs=True)
    try:
        return Retention(
            ledger,
            places(configuration),
            {queue.name: queue.retention.terms() for queue in configuration.queues.values()},
            quarantine_days=configuration.retention.quarantine_days,
            access_days=configuration.retention.access_days,
            dry_run=dry_run,
            progress=progress,
        ).run()
    finally:
        ledger.close()


# --- serving ---------------------------------------------------------------------------------

FIXED = ("service", "ledger", "http", "switches", "recordings")
"""Sections that stay while ``serve`` runs: ports, the ledger, connections, where recordings lie."""


@dataclass(frozen=True)
class Tried:
    """A line with its second wording, and what must have been approved before it is asked."""

    plan: Plan
    line: Line


@dataclass(frozen=True)
class Rules:
    """How callers are asked and what follows: what a service that runs can take anew, for new calls."""

    configuration: Configuration
    lines: dict[str, Line]
    """By the number that callers dial."""
    tried: dict[str, Tried]
    """Second wordings, by the same: whether they are asked the ledger says."""
    agents_line: AgentLine | None
    pins: Pins | None
    house: House
    places: Places

    @property
    def _spoken(self) -> list[Line]:
        """Every line, in each of its languages and wordings."""
        tried = [second.line for second in self.tried.values()]
        return [spoken for line in self.lines.values() for spoken in (line, *line.further.values())] + tried

    @property
    def sounds(self) -> list[Spoken]:
        """Every announcement that callers or agents may hear."""
        heard = [spoken for line in self._spoken for said in line.sounds.values() for spoken in said.values()]
        agents = self.agents_line.sounds.values() if self.agents_line else ()
        return heard + [spoken for said in agents for spoken in said.values()]

    @property
    def wordings(self) -> list[Spoken]:
        """The announcements whose versions decisions will name."""
        heard = [
            sounds[announcement]
            for line in self._spoken
            for sounds in line.sounds.values()
            for announcement in (Announcement.QUESTION, Announcement.DETAILS, Announcement.TOLD)
            if announcement in sounds
        ]
        agents = self.agents_line.sounds.values() if self.agents_line else ()
        return heard + [sounds[AgentAnnouncement.WORDING] for sounds in agents]


def rules(configuration: Configuration) -> Rules:
    """Read the announcements, and bring it all together. Raises CannotServe with what cannot be heard."""
    lines = build_lines(configuration)
    agents = configuration.agents.line
    return Rules(
        configuration,
        lines,
        build_tried(configuration, lines),
        agents_line(configuration),
        Pins(agents.pins_file) if agents else None,
        house(configuration, lines),
        places(configuration),
    )


def fixed(running: Configuration, wanted: Configuration) -> tuple[Configuration, list[str]]:
    """What a running service can take of a configuration, and the settings that wait for the next start."""
    waiting = [
        f"{section}.{name}" if section != "switches" else section
        for section in FIXED
        for name in _differ(getattr(running, section), getattr(wanted, section))
    ]
    return wanted.model_copy(update={section: getattr(running, section) for section in FIXED}), waiting


def _differ(before: Any, after: Any) -> list[str]:
    if not isinstance(before, BaseModel):
        return [""] if before != after else []
    return [name for name in type(before).model_fields if getattr(before, name) != getattr(after, name)]


def build_lines(configuration: Configuration) -> dict[str, Line]:
    """The lines by the number that callers dial.

    Raises CannotServe when an announcement cannot be heard: a caller who is not asked properly
    cannot agree.
    """
    problems: list[str] = []
    lines: dict[str, Line] = {}
    for template in dialplan_lines(configuration):
        name = template.name
        own, *others = configuration.spoken_on(name)
        line, wrong = _line(configuration, template, own)
        problems += wrong
        further = {}
        for language in others:
            spoken, wrong = _line(configuration, template, language)
            if wrong:
                log.error("a language is left out: its callers are asked in the line's own", line=name, why=wrong[0])
            else:
                further[language] = spoken
        lines[template.number] = replace(line, further=further, languages=_languages(configuration, name))
    if problems:
        raise CannotServe("\n".join(sorted(set(problems))))
    return lines


def _line(configuration: Configuration, template: DialplanLine, language: str) -> tuple[Line, list[str]]:
    """A line in one of its languages, and why callers would not hear it as they should."""
    name, own = template.name, configuration.language_of(template.name)
    said = {one: (language, *what) for one, what in configuration.announcements_of(name, language).items()}
    for_agents = {one: (own, *what) for one, what in configuration.announcements_of(name).items() if one in FOR_AGENTS}
    said = {one: what for one, what in said.items() if one not in FOR_AGENTS} | for_agents
    folder, problems = sounds_folder(configuration), []
    sounds: dict[int, dict[Announcement, Spoken]] = {rate: {} for rate in SAMPLE_RATES}
    for announcement, (spoken, stem, text) in said.items():
        for rate in SAMPLE_RATES:
            try:
                sounds[rate][announcement] = inspect(folder, spoken, rate, stem, text)
            except AudioProblem as problem:
                problems.append(str(problem))
    question = configuration.question_of(name)
    line = Line(
        name=name,
        policy=_policy(configuration, name, configuration.asked(name, language), sounds),
        queue_name=template.queue.name,
        context=configuration.freeswitch.context,
        fallback=template.fallback,
        answer_timeout_ms=question.answer_timeout_ms,
        hear_to_end=question.hear_to_end,
        recordings_folder=str(configuration.recordings.folder),
        stereo=configuration.recordings.stereo,
        sounds=sounds,
        whose_number=configuration.ledger.numbers,
        language=language,
    )
    return line, problems


def _policy(
    configuration: Configuration, name: str, asked: Asked, sounds: Mapping[int, Mapping[Announcement, Spoken]]
) -> LinePolicy:
    return configuration.line_policy(name, _question_ms(sounds), _heard_ms(sounds, asked.heard), asked)


def build_tried(configuration: Configuration, lines: dict[str, Line]) -> dict[str, Tried]:
    """The lines with their second wordings, by the number that callers dial; ``lines`` as ``build_lines`` made them.

    One that cannot be heard is left out: callers are asked as if there were none.
    """
    tried = {}
    for number, line in lines.items():
        asked = configuration.tried(line.name)
        if asked is None:
            continue
        try:
            plan, _, second = _plan(configuration, line.name)
        except AudioProblem as problem:
            log.error("a trial is left out: nobody is asked with its wording", line=line.name, why=str(problem))
            continue
        sounds = {rate: {**said, Announcement.QUESTION: second[rate]} for rate, said in line.sounds.items()}
        policy = _policy(configuration, line.name, asked, sounds)
        tried[number] = Tried(plan, replace(line, sounds=sounds, policy=policy))
    return tried


def planned(configuration: Configuration) -> tuple[list[tuple[Plan, dict[Variant, Path]]], list[str]]:
    """What an approval would fix of each trial of the configuration, with a file to hear each wording; and the lines of
    whose trial a sound is missing or says something else."""
    found, silent = [], []
    for name, line in configuration.lines.items():
        if line.trial is not None:
            try:
                plan, first, second = _plan(configuration, name)
            except AudioProblem:
                silent.append(name)
            else:
                both = zip(Variant, (first, second), strict=True)
                found.append((plan, {variant: Path(said[SAMPLE_RATES[0]].path) for variant, said in both}))
    return found, silent


def _plan(configuration: Configuration, name: str) -> tuple[Plan, dict[int, Spoken], dict[int, Spoken]]:
    """Of the trial of a line, and both wordings by sample rate. Raises AudioProblem."""
    trial, own = configuration.lines[name].trial, configuration.announcements_of(name)[Announcement.QUESTION]
    other = configuration.tried_file(name)
    assert trial is not None
    assert other is not None
    folder, language = sounds_folder(configuration), configuration.language_of(name)
    first, second = (
        {rate: inspect(folder, language, rate, stem, text) for rate in SAMPLE_RATES} for stem, text in (own, other)
    )
    a, b = (tuple(said[rate].notice.digest for rate in SAMPLE_RATES) for said in (first, second))
    queue = configuration.queues[configuration.lines[name].queue].name
    return Plan(trial.name, name, queue, language, a, b, trial.calls, trial.until), first, second


def _languages(configuration: Configuration, name: str) -> Languages:
    ways = configuration.languages_of(name)
    return Languages(
        keys={way.key: language for language, way in ways.items() if way.key is not None},
        prefixes={prefix: language for language, way in ways.items() for prefix in way.prefixes},
        country=configuration.numbers.country,
    )


def agents_line(configuration: Configuration) -> AgentLine | None:
    """The line on which agents agree. Raises CannotServe when an announcement of it cannot be heard."""
    line = configuration.agents.line
    if line is None:
        return None
    folder, language = sounds_folder(configuration), line.language or configuration.language
    try:
        sounds = {
            rate: {
                announcement: inspect(folder, language, rate, f"agents-{announcement.value}", text)
                for announcement, text in line.announcements.items()
            }
            for rate in SAMPLE_RATES
        }
    except AudioProblem as problem:
        raise CannotServe(str(problem)) from None
    return AgentLine(line.number, line.agree_key, line.decline_key, sounds)


def _question_ms(sounds: Mapping[int, Mapping[Announcement, Spoken]]) -> int:
    """Of the longest, in milliseconds."""
    return max(
        (said[Announcement.QUESTION].duration_ms for said in sounds.values() if Announcement.QUESTION in said),
        default=0,
    )


def _heard_ms(sounds: Mapping[int, Mapping[Announcement, Spoken]], heard: str) -> int | None:
    """Of the beginning of the question that must be heard, in milliseconds, where 'prompts build' has measured it."""
    asked = [said[Announcement.QUESTION] for said in sounds.values() if Announcement.QUESTION in said]
    if not all(written_for(Path(sound.path), sound.text, heard) for sound in asked):
        return None
    return max((sound.heard_ms or 0 for sound in asked), default=None)


def house(configuration: Configuration, lines: dict[str, Line]) -> House:
    """What the watch needs to know; ``lines`` as ``build_lines`` made them."""
    agents = configuration.agents
    return House(
        lines={line.name: line for line in lines.values()},
        policies={
            (line, queue.name): configuration.talk_policy(line, key)
            for line in configuration.lines
            for key, queue in configuration.queues.items()
        },
        folder=str(configuration.recordings.folder),
        stereo=configuration.recordings.stereo,
        numbers={line.name: number for number, line in lines.items()},
        users=agents.users,
        commit_timeout=configuration.ledger.commit_timeout_ms / 1000,
        sweep_s=configuration.watch.sweep_s,
        remind_paused_s=agents.remind_paused_s,
        resume_after_s=agents.resume_after_s,
        whose_number=configuration.ledger.numbers,
    )


def tokens(configuration: Configuration) -> Tokens:
    """Who may ask over HTTP. Raises CannotServe."""
    http = configuration.http
    try:
        shared = None if http.token_file is None else read_secret(http.token_file, shortest=16)
        made = Tokens(http.tokens_file, shared)
        made.agents()
    except OSError as error:
        raise CannotServe(f"{error}; see 'http'") from error
    return made


def switches(configuration: Configuration) -> list[tuple[tuple[str, int], Login]]:
    """Where each switch's event socket is, and how we sign in. Raises CannotServe with what to do."""
    found: list[tuple[tuple[str, int], Login]] = []
    for switch in configuration.switches:
        try:
            found.append((switch.address, Login(read_secret(switch.password_file), switch.user)))
        except OSError as error:
            raise CannotServe(
                f"the event socket {switch.address}: {error}; put FreeSWITCH's password (event_socket.conf.xml) into "
                f"{switch.password_file}, readable by its owner only, or see 'switches'"
            ) from error
    return found
