"""What becomes of the evidence after a call: sealed, held, erased when it is due, and looked after.

Files come before rows: whatever interrupts us, a row still explains each file that is left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import gevent
import gevent.queue
import gevent.threadpool
import structlog

from consentivr.core.evidence import CallSummary, Recording, Turn, summarize
from consentivr.core.retention import Due, RetentionTerms, due
from consentivr.ledger import REGISTER, Entry, Ledger, LedgerUnavailable, LedgerWriter, Search
from consentivr.recordings import (
    ErasedAudio,
    channel_of,
    erase_audio,
    files_below,
    fingerprint,
    quarantine,
)

log = structlog.get_logger(__name__)

UNDER_WAY = timedelta(hours=1)
"""A recording younger than this may still be written; it is neither missed nor quarantined."""

SEAL_PAUSE_S = 0.1
"""So long recordings that end are gathered before they are sealed."""

_AT_ONCE = 500


# --- sealing ---------------------------------------------------------------------------------


def seal(folder: Path, path: str) -> dict[str, Any]:
    """What a finished recording is, for the ledger; or why that cannot be said.

    Only below ``folder``: the switch names the path, and it is no licence to read whatever it names.
    """
    return _seal(folder.resolve(), path)


def _seal(below: Path, path: str) -> dict[str, Any]:
    file = Path(path).resolve()
    if not file.is_relative_to(below):
        return {"path": path, "why": "not below recordings.folder"}
    try:
        return {"path": path, **asdict(fingerprint(file))}
    except OSError as error:
        return {"path": path, "why": error.strerror or str(error)}


def _seal_each(folder: Path, paths: Sequence[str]) -> list[dict[str, Any]]:
    below = folder.resolve()
    return [_seal(below, path) for path in paths]


class Sealer:
    """Seals recordings as they end, one after the other in a thread of its own: hashing an hour of audio takes a
    while. What must be erased goes the same way.
    """

    def __init__(self, folder: Path, ledger: LedgerWriter, erase_below: Sequence[Path] = ()) -> None:
        """``folder`` holds our recordings; below ``erase_below`` those of others may be erased too."""
        self._folder = folder
        self._erasable = (folder, *erase_below)
        self._ledger = ledger
        self._pool = gevent.threadpool.ThreadPool(2)
        self._to_seal = gevent.queue.JoinableQueue()
        self._to_erase = gevent.queue.JoinableQueue()
        self._greenlets = [gevent.spawn(self._seal_all), gevent.spawn(self._erase_all)]

    def seal(self, stopped: Entry) -> None:
        """Takes the row of the recording's end; returns at once."""
        self._to_seal.put(stopped)

    def erase(self, about: Entry, paths: Sequence[str], why: str) -> None:
        """Erase files that must not be, in the middle of a call; returns at once. ``about`` names the call."""
        for path in paths:
            self._to_erase.put((about, path, why))

    def stop(self, timeout: float = 10.0) -> None:
        """Finish. What is left to seal, ``retention run`` seals."""
        for queue in (self._to_erase, self._to_seal):
            queue.join(timeout)
        gevent.killall(self._greenlets)

    def _seal_all(self) -> None:
        """All that wait in one go: at a full load a visit to the thread costs more than a seal."""
        while True:
            waiting = [self._to_seal.get()]
            while not self._to_seal.empty() and len(waiting) < _AT_ONCE:
                waiting.append(self._to_seal.get())
            paths = [str(stopped.evidence["path"]) for stopped in waiting]
            for stopped, said in zip(waiting, self._pool.apply(_seal_each, (self._folder, paths)), strict=True):
                self._note(_about(stopped, Turn.RECORDING_SEALED, said))
                self._to_seal.task_done()
            gevent.sleep(SEAL_PAUSE_S)

    def _erase_all(self) -> None:
        while True:
            about, path, why = self._to_erase.get()
            outcome = self._pool.apply(_erase_or_error, (self._erasable, path))
            if isinstance(outcome, Exception):
                log.error("recording not erased: look at it now", channel=about.channel_uuid, why=str(outcome))
            elif outcome.erased:
                self._note(_about(about, Turn.RECORDING_ERASED, {"why": why, "path": path}))
            self._to_erase.task_done()

    def _note(self, row: Entry) -> None:
        try:
            self._ledger.submit(row)
        except LedgerUnavailable as error:
            log.warning("row lost", channel=row.channel_uuid, turn=row.turn, why=str(error))


def _erase_or_error(folders: Sequence[Path], path: str) -> ErasedAudio | Exception:
    """In the worker thread, where gevent would print what is raised."""
    try:
        folder = next((known for known in folders if Path(path).resolve().is_relative_to(known.resolve())), folders[0])
        return erase_audio(folder, [path])
    except (OSError, ValueError) as error:
        return error


def _about(entry: Entry, turn: Turn, evidence: dict[str, Any]) -> Entry:
    """A new row about the call of ``entry``."""
    return Entry(entry.channel_uuid, turn.value, entry.line, entry.queue, entry.mode, evidence)


# --- a person's rights -----------------------------------------------------------------------


class OnHold(Exception):
    """A call is under a legal hold, and is not erased (GDPR art. 17(3)(e))."""


def erase_calls(ledger: Ledger, folder: Path, channels: Sequence[str], why: str) -> ErasedAudio:
    """Erase the audio and the personal data of calls, and leave a receipt for each (GDPR art. 17).

    Interrupted, it can be run again. Raises OnHold and ValueError before anything is erased; OSError,
    LedgerUnavailable.
    """
    calls = [summarize(rows) for rows in ledger.rows_of(channels)]
    held = [call.channel_uuid for call in calls if call.held]
    if held:
        raise OnHold(f"{len(held)} call(s) are on legal hold ({held[0]}): 'consentivr ledger release' first")
    paths = [recording.path for call in calls for recording in call.audio]
    audio = erase_audio(folder, paths)
    ledger.erase_people([call.channel_uuid for call in calls], {"why": why, "caller": True, "audio": bool(paths)})
    return audio


def hold(ledger: Ledger, channel_uuid: str, why: str, *, release: bool = False) -> bool:
    """Put a call under a legal hold, or release it. False when there is no such call, or nothing to do."""
    rows = ledger.call(channel_uuid)
    if not rows or summarize(rows).held is not release:
        return False
    turn = Turn.HOLD_RELEASED if release else Turn.HOLD
    ledger.append([_about(rows[-1], turn, {"why": why})])
    return True


# --- the agents' register ---------------------------------------------------------------------


def agree(ledger: Ledger, agent: str, queues: Sequence[str] = (), on: str | None = None) -> None:
    """Note that an agent agreed to be recorded, on all queues or on these; ``on`` is the day of the agreement."""
    said = {"agent": agent, "queues": list(queues), "on": on or f"{datetime.now(timezone.utc):%Y-%m-%d}"}
    ledger.append([Entry(REGISTER, Turn.AGENT_AGREED.value, "", "", "", said)])


def take_back(ledger: Ledger, agent: str) -> bool:
    """Note that an agent took that back; from the next talk on. False when there is nothing to take back."""
    if not any(row.evidence["agent"] == agent and row.turn == Turn.AGENT_AGREED for row in ledger.register()):
        return False
    ledger.append([Entry(REGISTER, Turn.AGENT_WITHDREW.value, "", "", "", {"agent": agent})])
    return True


# --- retention -------------------------------------------------------------------------------


@dataclass
class Report:
    """What a run of retention did, or would do. Files by their paths, calls by their channel UUIDs."""

    dry_run: bool
    audio_erased: list[str] = field(default_factory=list)
    calls_erased: list[str] = field(default_factory=list)
    rows_erased: int = 0
    held: list[str] = field(default_factory=list)
    sealed: list[str] = field(default_factory=list)
    quarantined: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    left: str | None = None

    @property
    def needs_attention(self) -> bool:
        """Whether someone should look."""
        return bool(self.quarantined or self.missing or self.failed or self.left)


class Retention:
    """One run: everything that is due is erased, and every file is accounted for.

    Safe to interrupt and to run again, also beside another run. Raises LedgerError when the ledger
    cannot be read or written.
    """

    def __init__(
        self,
        ledger: Ledger,
        folder: Path,
        terms: Mapping[str, RetentionTerms],
        *,
        dry_run: bool = False,
        at: datetime | None = None,
        progress: Callable[[str], None] = lambda what: None,
    ) -> None:
        """``terms`` by the queue's name in the ledger; ``at`` instead of the time now."""
        self._ledger = ledger
        self._folder = folder
        self._terms = terms
        self._now = at or datetime.now(timezone.utc)
        self._progress = progress
        self.report = Report(dry_run)
        self._gone: set[str] = set()

    def run(self) -> Report:
        """Do it."""
        for queue in sorted(set(self._ledger.queues()) - set(self._terms)):
            self.report.failed.append(
                f"queue {queue} is in the ledger, and in no configuration: nothing of it was erased"
            )
        for queue, terms in self._terms.items():
            self._progress(f"queue {queue}")
            self._erase_rows(queue, terms)
            self._erase_audio(queue, terms)
        self._progress("recordings")
        self._seal()
        self._miss()
        self._quarantine()
        if not self.report.dry_run:
            self.report.left = self._ledger.overwrite_freed()
        return self.report

    # --- what is due -------------------------------------------------------------------------

    def _erase_rows(self, queue: str, terms: RetentionTerms) -> None:
        if terms.rows_days is None:
            return
        old = Search(queue=queue, until=self._now - timedelta(days=terms.rows_days))
        for calls in self._due(self._ledger.channels(old), terms, Due.ROWS):
            gone = [call.channel_uuid for call in calls if self._audio_gone(call)]
            self.report.calls_erased += gone
            if not self.report.dry_run:
                why = {"why": f"retention: {terms.rows_days} days"}
                self.report.rows_erased += self._ledger.erase_rows(gone, why)

    def _erase_audio(self, queue: str, terms: RetentionTerms) -> None:
        if terms.audio_days is None:
            return
        old = Search(queue=queue, until=self._now - timedelta(days=terms.audio_days))
        gone_already = (Turn.AUDIO_ERASED, Turn.ERASURE)
        recorded = [
            channel
            for turn in (Turn.RECORDING_STARTED, Turn.FORBIDDEN_RECORDING)
            for channel in self._ledger.channels(old, turn, without=gone_already)
        ]
        for calls in self._due(list(dict.fromkeys(recorded)), terms, Due.AUDIO):
            gone = [call for call in calls if self._audio_gone(call)]
            if not self.report.dry_run:
                self._ledger.append([_audio_erased(call, f"retention: {terms.audio_days} days") for call in gone])

    def _due(self, channels: Sequence[str], terms: RetentionTerms, what: Due) -> list[list[CallSummary]]:
        """The calls for which ``what`` is due, in portions."""
        portions: list[list[CallSummary]] = [[]]
        for rows in self._ledger.rows_of(channels):
            call = summarize(rows)
            if call.held and call.channel_uuid not in self.report.held:
                self.report.held.append(call.channel_uuid)
            if due(call, terms, self._now) is what:
                if len(portions[-1]) == _AT_ONCE:
                    portions.append([])
                portions[-1].append(call)
        return portions if portions[0] else []

    def _audio_gone(self, call: CallSummary) -> bool:
        """Erase a call's files; False when that fails, and the call must wait."""
        paths = [recording.path for recording in call.audio]
        try:
            if not self.report.dry_run:
                erase_audio(self._folder, paths)
        except (OSError, ValueError) as error:
            self.report.failed.append(f"call {call.channel_uuid}: {error}")
            return False
        self.report.audio_erased += paths
        self._gone.update(paths)
        return True

    # --- every file accounted for ------------------------------------------------------------

    def _seal(self) -> None:
        """What no one sealed, because we were stopped."""
        gone = (Turn.RECORDING_SEALED, Turn.AUDIO_ERASED, Turn.ERASURE)
        for rows in self._ledger.rows_of(self._ledger.channels(Search(), Turn.RECORDING_STOPPED, without=gone)):
            for recording in summarize(rows).audio:
                due_now = recording.path in self._gone
                if recording.stopped and not recording.sealed and not due_now and Path(recording.path).exists():
                    self.report.sealed.append(recording.path)
                    if not self.report.dry_run:
                        said = seal(self._folder, recording.path)
                        self._ledger.append([_about(rows[-1], Turn.RECORDING_SEALED, said)])

    def _miss(self) -> None:
        gone = (Turn.AUDIO_ERASED, Turn.ERASURE)
        for rows in self._ledger.rows_of(self._ledger.channels(Search(), Turn.RECORDING_STARTED, without=gone)):
            call = summarize(rows)
            self.report.missing += [
                recording.path
                for recording in call.audio
                if self._should_be_there(recording)
                and not Path(recording.path).exists()
                and recording.path not in self._gone
            ]

    def _should_be_there(self, recording: Recording) -> bool:
        """A talk that never began leaves no file, and was sealed as such."""
        if self._now - recording.started_at < UNDER_WAY or not recording.permitted:
            return False
        return recording.sha256 is not None or not recording.sealed

    def _quarantine(self) -> None:
        files: list[Path] = []
        for file in files_below(self._folder):
            if self._is_old(file):
                files.append(file)
            if len(files) == _AT_ONCE:
                self._quarantine_unexplained(files)
                files = []
        self._quarantine_unexplained(files)

    def _is_old(self, file: Path) -> bool:
        if file.is_symlink() or file.name.startswith("."):
            return False
        return self._now.timestamp() - file.stat().st_mtime >= UNDER_WAY.total_seconds()

    def _quarantine_unexplained(self, files: Sequence[Path]) -> None:
        channels = sorted({channel for file in files if (channel := channel_of(file.stem))})
        calls = {rows[0].channel_uuid: summarize(rows) for rows in self._ledger.rows_of(channels)}
        for file in files:
            call = calls.get(channel_of(file.stem) or "")
            if call and any(Path(recording.path).resolve() == file.resolve() for recording in call.audio):
                continue
            self.report.quarantined.append(str(file))
            if self.report.dry_run:
                continue
            try:
                said = {"path": str(file), "to": str(quarantine(self._folder, file))}
            except OSError as error:
                self.report.failed.append(f"{file} cannot be quarantined: {error}")
                continue
            channel = channel_of(file.stem) or "-"
            said |= {name: value for name, value in seal(self._folder, said["to"]).items() if name != "path"}
            self._ledger.append([Entry(channel, Turn.QUARANTINED.value, "", "", "", said)])


def _audio_erased(call: CallSummary, why: str) -> Entry:
    files = [{"path": recording.path, "sha256": recording.sha256} for recording in call.audio]
    return Entry(
        call.channel_uuid, Turn.AUDIO_ERASED.value, call.line, call.queue, call.mode, {"why": why, "files": files}
    )


class DailyRetention:
    """Runs retention once a day beside the calls, in a thread with a connection of its own."""

    def __init__(self, daily_at: str, run: Callable[[], Report]) -> None:
        """``daily_at`` is HH:MM in UTC."""
        self._hour, self._minute = map(int, daily_at.split(":"))
        self._run = run
        self._pool = gevent.threadpool.ThreadPool(1)
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Wait for the first time."""
        self._greenlet = gevent.spawn(self._every_day)

    def stop(self) -> None:
        """No more; a run under way ends with the process, and the next one goes on."""
        if self._greenlet is not None:
            self._greenlet.kill()

    def seconds_until_next(self, now: datetime) -> float:
        """Seconds from ``now`` to the next time."""
        then = now.replace(hour=self._hour, minute=self._minute, second=0, microsecond=0)
        return ((then if then > now else then + timedelta(days=1)) - now).total_seconds()

    def _every_day(self) -> None:
        while True:
            gevent.sleep(self.seconds_until_next(datetime.now(timezone.utc)))
            outcome = self._pool.apply(_report_or_error, (self._run,))
            if isinstance(outcome, Report):
                _tell(outcome)
            else:
                log.error("retention failed", why=str(outcome))


def _report_or_error(run: Callable[[], Report]) -> Report | Exception:
    """In the worker thread, where gevent would print what is raised."""
    try:
        return run()
    except Exception as error:
        return error


def _tell(report: Report) -> None:
    counts = {name: len(value) for name, value in asdict(report).items() if isinstance(value, list)}
    tell = log.warning if report.needs_attention else log.info
    tell("retention", **counts, rows_erased=report.rows_erased, left=report.left)
