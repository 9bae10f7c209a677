"""The composition root: every object is built here and handed what it needs, by name."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import structlog

from consentivr.call import Call, Line
from consentivr.config import Configuration
from consentivr.config.model import SAMPLE_RATES, endpoint, path_of
from consentivr.core.dialogue import AgentWish, Announcement
from consentivr.core.recording import RecordingMode
from consentivr.custody import DailyRetention, Report, Retention, Sealer
from consentivr.esl.errors import ESLError
from consentivr.esl.inbound import InboundConnection
from consentivr.esl.server import OutboundServer
from consentivr.esl.session import OutboundSession
from consentivr.guard import Alarm, Guard
from consentivr.ledger import Entry, Ledger, LedgerError, LedgerUnavailable, LedgerWriter, Signer
from consentivr.prompts import AudioProblem, Spoken, inspect, written_for
from consentivr.rendering import DialplanLine, Queue, render
from consentivr.resources import read_secret, room_for_calls, shipped
from consentivr.web import Desk, Status, WebServer

log = structlog.get_logger(__name__)


def sounds_folder(configuration: Configuration) -> Path:
    """Where the announcements are: the administrator's folder, or the one that we ship."""
    return path_of(configuration.sounds.folder) if configuration.sounds.folder else shipped("sounds")


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
            recordings_folder=configuration.recordings.folder,
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
        lines.append(DialplanLine(name, line.number, known[line.queue], str(sound) if sound else None))
    return lines


def rendered(configuration: Configuration) -> dict[str, str]:
    """Everything that ``consentivr render`` writes."""
    return render(
        shipped("freeswitch_xml"),
        lines=dialplan_lines(configuration),
        queues=list(queues(configuration).values()),
        context=configuration.freeswitch.context,
        hosts=configuration.service.hosts,
        watchdog_s=configuration.freeswitch.connect_watchdog_s,
    )


# --- could we serve? -------------------------------------------------------------------------


@dataclass(frozen=True)
class Finding:
    """One thing that ``consentivr check`` looked at."""

    what: str
    level: Literal["good", "warning", "bad"]
    said: str


def check(configuration: Configuration, *, port: bool = True) -> list[Finding]:
    """Whether ``serve`` could work: sound files, ledger, recordings folder, port."""
    findings = _check_sounds(configuration)
    findings.append(_check_ledger(configuration))
    findings.append(_check_recordings(configuration))
    findings.append(_check_guard(configuration))
    findings.append(_check_descriptors(configuration))
    if port:
        findings.append(_check_port(configuration))
    return findings


def _check_sounds(configuration: Configuration) -> list[Finding]:
    folder = sounds_folder(configuration)
    findings = []
    for (language, stem), text in sorted(configuration.sound_files().items()):
        for rate in SAMPLE_RATES:
            what = f"sound {language}/{rate}/{stem}"
            try:
                spoken = inspect(folder, language, rate, stem, text)
            except AudioProblem as problem:
                findings.append(Finding(what, "bad", str(problem)))
                continue
            if written_for(Path(spoken.path), text) is False:
                findings.append(Finding(what, "warning", "its text was changed since: run 'consentivr prompts build'"))
            elif " " in spoken.path:
                findings.append(Finding(what, "bad", "its path has a blank, where FreeSWITCH ends it: move it"))
            else:
                findings.append(
                    Finding(what, "good", f"{spoken.duration_ms / 1000:.1f} s, version {spoken.notice.digest[:12]}")
                )
    return findings


def _check_ledger(configuration: Configuration) -> Finding:
    try:
        key = signer(configuration)
        ledger = Ledger(configuration.ledger.location)
        ledger.check_writable()
        ledger.close()
    except LedgerError as error:
        return Finding("ledger", "bad", str(error))
    signed = f"checkpoints are signed by {key.key_id}" if key else "checkpoints are not signed"
    return Finding("ledger", "good", f"{ledger.name} can be written; {signed}")


def _check_recordings(configuration: Configuration) -> Finding:
    folder = Path(configuration.recordings.folder)
    if folder.is_dir() and not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        said = f"{folder}: recordings cannot be sealed and erased; run as FreeSWITCH's user, or see docs/admin.md"
        return Finding("recordings", "bad", said)
    if folder.is_dir():
        return Finding("recordings", "good", f"{folder} is there; FreeSWITCH's user must be able to write to it")
    return Finding("recordings", "warning", f"{folder} is not there yet: make it, writable for FreeSWITCH's user")


def _check_guard(configuration: Configuration) -> Finding:
    address = configuration.guard.address
    if address is None:
        said = "nobody watches for recordings that others start: set guard.address"
        return Finding("guard", "warning", said)
    try:
        password = read_secret(path_of(configuration.guard.password_file or ""))
        connection = InboundConnection(endpoint(address), password)
        connection.connect()
        connection.stop()
    except (OSError, ESLError) as error:
        return Finding("guard", "bad", f"{address}: {error}")
    return Finding("guard", "good", f"{address} lets us in")


def _check_descriptors(configuration: Configuration) -> Finding:
    wanted = configuration.service.max_connections
    room = room_for_calls(wanted)
    if room < wanted:
        return Finding("descriptors", "warning", _too_few(wanted, room))
    return Finding("descriptors", "good", f"enough for service.max_connections, {wanted} calls")


def _too_few(wanted: int, room: int) -> str:
    return (
        f"service.max_connections is {wanted}, but the system allows this process {room} calls at once: raise "
        "LimitNOFILE in its systemd unit, or 'ulimit -n'"
    )


def _check_port(configuration: Configuration) -> Finding:
    host, port = endpoint(configuration.service.listen)
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        return Finding(
            "port", "bad", f"{configuration.service.listen} cannot be listened on: {error.strerror or error}"
        )
    return Finding("port", "good", f"{configuration.service.listen} is free")


# --- the ledger ------------------------------------------------------------------------------


def signer(configuration: Configuration) -> Signer | None:
    """The key that signs checkpoints, if there is to be one. Raises LedgerError."""
    key = configuration.ledger.signing_key
    return Signer.of_file(path_of(key)) if key else None


def open_ledger(configuration: Configuration, *, signs: bool = False, create: bool = False) -> Ledger:
    """The ledger, for the command line. Only who writes needs the key. Raises LedgerError."""
    key = signer(configuration) if signs else None
    return Ledger(configuration.ledger.location, create=create, patience_s=5.0, signer=key)


def retain(
    configuration: Configuration, *, dry_run: bool = False, progress: Callable[[str], None] = lambda what: None
) -> Report:
    """Erase what is due and account for every file. Raises LedgerError."""
    ledger = open_ledger(configuration, signs=True)
    try:
        return Retention(
            ledger,
            Path(configuration.recordings.folder),
            {queue.name: queue.retention.terms() for queue in configuration.queues.values()},
            dry_run=dry_run,
            progress=progress,
        ).run()
    finally:
        ledger.close()


# --- serving ---------------------------------------------------------------------------------


class CannotServe(Exception):
    """``serve`` will not start. The message says what to do."""


def build_lines(configuration: Configuration) -> dict[str, Line]:
    """The lines by the number that callers dial.

    Raises CannotServe when an announcement cannot be heard: a caller who is not asked properly
    cannot agree.
    """
    folder = sounds_folder(configuration)
    problems: list[str] = []
    lines: dict[str, Line] = {}
    for template in dialplan_lines(configuration):
        name = template.name
        language = configuration.language_of(name)
        sounds: dict[int, dict[Announcement, Spoken]] = {rate: {} for rate in SAMPLE_RATES}
        for announcement, (stem, text) in configuration.announcements_of(name).items():
            for rate in SAMPLE_RATES:
                try:
                    sounds[rate][announcement] = inspect(folder, language, rate, stem, text)
                except AudioProblem as problem:
                    problems.append(str(problem))
        question = configuration.question_of(name)
        lines[template.number] = Line(
            name=name,
            policy=configuration.policy(name),
            queue_name=template.queue.name,
            context=configuration.freeswitch.context,
            fallback=template.fallback,
            answer_timeout_ms=question.answer_timeout_ms,
            hear_to_end=question.hear_to_end,
            recordings_folder=configuration.recordings.folder,
            stereo=configuration.recordings.stereo,
            pause_max_s=configuration.agents.pause_max_s,
            sounds=sounds,
        )
    if problems:
        raise CannotServe("\n".join(sorted(set(problems))))
    return lines


def web_server(configuration: Configuration, desk: Desk) -> WebServer | None:
    """The HTTP interface, if there is to be one. Raises CannotServe."""
    if configuration.http.listen is None:
        return None
    try:
        token = read_secret(path_of(configuration.http.token_file or ""), shortest=16)
    except OSError as error:
        raise CannotServe(str(error)) from error
    return WebServer(endpoint(configuration.http.listen), desk, token)


class Application:
    """The service: started, it answers for every call that the switch hands over."""

    def __init__(self, configuration: Configuration, *, listen: tuple[str, int] | None = None) -> None:
        """``listen`` instead of the configured address; port 0 takes a free one."""
        self._lines = build_lines(configuration)
        self._commit_timeout = configuration.ledger.commit_timeout_ms / 1000
        try:
            key = signer(configuration)
        except LedgerError as error:
            raise CannotServe(str(error)) from error
        self.ledger = LedgerWriter(configuration.ledger.location, signer=key, slow_s=max(1.0, self._commit_timeout))
        self._known: dict[str, Call] = {}
        self._max_connections = configuration.service.max_connections
        self._web = web_server(configuration, self)
        others = [path_of(path) for path in configuration.guard.erase_below]
        self._sealer = Sealer(Path(configuration.recordings.folder), self.ledger, others)
        self._alarm = Alarm(configuration.guard.command)
        self._guard = self._watch(configuration)
        daily_at = configuration.retention.daily_at
        self._retention = DailyRetention(daily_at, lambda: retain(configuration)) if daily_at else None
        self._server = OutboundServer(
            listen or endpoint(configuration.service.listen),
            self._serve_call,
            allowed_peers=configuration.service.allowed_peers,
            max_connections=self._max_connections,
        )

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return self._server.address

    @property
    def calls(self) -> int:
        """Calls under way."""
        return self._server.calls

    def start(self) -> None:
        """Open the ledger, note the announcements' versions, listen.

        Raises CannotServe; nothing is left open then.
        """
        try:
            self.ledger.start()
            for line in self._lines.values():
                for sounds in line.sounds.values():
                    for announcement in (Announcement.QUESTION, Announcement.TOLD):
                        if announcement in sounds:
                            self.ledger.add_notice(sounds[announcement].notice)
        except LedgerError as error:
            raise CannotServe(str(error)) from error
        room = room_for_calls(self._max_connections)
        if room < self._max_connections:
            log.warning("too few descriptors", why=_too_few(self._max_connections, room))
        try:
            self._server.start()
        except OSError as error:
            self.ledger.stop()
            raise CannotServe(f"cannot listen: {error}; see service.listen") from error
        if self._web is not None:
            try:
                self._web.start()
            except OSError as error:
                self._server.stop()
                self.ledger.stop()
                raise CannotServe(f"cannot listen: {error}; see http.listen") from error
        if self._retention is not None:
            self._retention.start()
        if self._guard is not None:
            self._guard.start()
        log.info("serving", address="{}:{}".format(*self.address), lines=[line.name for line in self._lines.values()])

    def stop(self, grace: float = 0.0) -> None:
        """Let the calls under way go to the dialplan, write the last rows, close."""
        self._server.stop(grace)
        if self._guard is not None:
            self._guard.stop()
        if self._web is not None:
            self._web.stop()
        if self._retention is not None:
            self._retention.stop()
        self._sealer.stop()
        self.ledger.stop()

    def _serve_call(self, session: OutboundSession) -> None:
        Call(
            session,
            self._lines,
            self.ledger,
            self._commit_timeout,
            self._sealer.seal,
            self._sealer.erase,
            self._alarm.raise_,
            self._known,
        ).run()

    # --- the guard -----------------------------------------------------------------------------

    def _watch(self, configuration: Configuration) -> Guard | None:
        address = configuration.guard.address
        if address is None:
            return None
        try:
            password = read_secret(path_of(configuration.guard.password_file or ""))
        except OSError as error:
            raise CannotServe(f"guard: {error}") from error
        return Guard(
            endpoint(address),
            password,
            self._known,
            frozenset(
                queue.name for queue in configuration.queues.values() if queue.recording.mode is RecordingMode.PERMANENT
            ),
            self._found,
            self._sealer.erase,
        )

    def _found(self, about: Entry) -> None:
        """A forbidden recording on a leg that no call of ours knows."""
        self._alarm.raise_(about)
        try:
            self.ledger.submit(about)
        except LedgerUnavailable as error:
            log.error("row lost", turn=about.turn, why=str(error))

    # --- for the agents' desktops ------------------------------------------------------------

    def ask_of_call(self, channel_uuid: str, wish: AgentWish, by: str) -> bool | None:
        """Whether the wish was passed on; None when there is no such call."""
        call = self._known.get(channel_uuid)
        return None if call is None else call.ask(wish, by)

    def ask_of_agent(self, agent: str, wish: AgentWish, by: str) -> bool | None:
        """The same for the talk that an agent is in."""
        call = next((call for call in self._known.values() if call.agent == agent), None)
        return None if call is None else call.ask(wish, by)

    def status(self) -> Status:
        """How it is now."""
        guard = self._guard
        watches = None if guard is None else guard.blind_since is None
        return Status(
            self.calls,
            self.ledger.pending,
            self.ledger.failure,
            watches,
            self._alarm.incidents,
            self.ledger.rows,
            self.ledger.transactions,
        )
