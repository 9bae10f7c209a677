"""What becomes of the evidence after a call: sealed, held, erased when it is due, and looked after.

Files come before rows: whatever interrupts us, a row still explains each file that is left.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from consentivr.core.unwatched import spans
from consentivr.ledger import (
    NO_CALL,
    REGISTER,
    CallRef,
    Entry,
    Ledger,
    LedgerError,
    LedgerUnavailable,
    LedgerWriter,
    Search,
)
from consentivr.recordings import (
    CannotSilence,
    ErasedAudio,
    Unfinished,
    erase_audio,
    files_below,
    fingerprint,
    is_unfinished,
    quarantine,
    repair,
    silence,
    visit_of,
)

log = structlog.get_logger(__name__)

UNDER_WAY = timedelta(hours=1)
"""A recording younger than this may still be written; it is neither missed nor quarantined."""

SEAL_PAUSE_S = 0.1
"""So long recordings that end are gathered before they are sealed."""

_AT_ONCE = 500
_SETTLE_S = 5.0


# --- sealing ---------------------------------------------------------------------------------


def seal(folder: Path, path: str) -> dict[str, Any]:
    """What a finished recording is, for the ledger; or why that cannot be said."""
    return finish(folder, path)[-1][1]


def finish(folder: Path, path: str, visit: Sequence[Entry] = ()) -> list[tuple[Turn, dict[str, Any]]]:
    """What becomes of a finished recording, for the ledger: its seal, or why that cannot be said, and what came before.

    Only below ``folder``: the switch names the path, and it is no licence to read whatever it names. ``visit`` are the
    rows of a visit that nobody watched for a while: what sounded then is taken out first (promise P10). Nothing is
    returned when that fails; it can be done again.
    """
    real = os.path.realpath(path)
    if not real.startswith(f"{folder.resolve()}{os.sep}"):
        return [(Turn.RECORDING_SEALED, {"path": path, "why": "not below recordings.folder"})]
    file, said = Path(real), []
    try:
        ended = datetime.fromtimestamp(file.stat().st_mtime, timezone.utc)
        try:
            found = fingerprint(file)
        except Unfinished:
            repair(file)  # the switch died while it recorded: the samples are there
            said.append((Turn.RECORDING_REPAIRED, _repaired(path)))
            found = fingerprint(file)
    except OSError as error:
        return [*said, (Turn.RECORDING_SEALED, {"path": path, "why": error.strerror or str(error)})]
    unwatched = spans(visit, path, found.duration_ms / 1000, ended)
    try:
        if unwatched:
            silence(file, unwatched)
            found = fingerprint(file)
    except CannotSilence as error:
        erase_audio(folder, [path])
        return [*said, (Turn.RECORDING_ERASED, {"path": path, "why": f"nobody watched, and it is {error}"})]
    except OSError as error:
        log.error("what nobody watched is still in a recording; 'retention run' takes it out", why=str(error))
        return said
    silenced = {"silenced": [[round(at, 1) for at in span] for span in unwatched]} if unwatched else {}
    return [*said, (Turn.RECORDING_SEALED, {"path": path, **vars(found), **silenced})]


def _seal_each(folder: Path, waiting: Sequence[tuple[str, Sequence[Entry]]]) -> list[list[tuple[Turn, dict[str, Any]]]]:
    return [finish(folder, path, visit) for path, visit in waiting]


def _repaired(path: str) -> dict[str, str]:
    return {"path": path, "why": "the switch never finished it"}


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

    def seal(self, about: CallRef, path: str, *, unwatched: bool = False) -> None:
        """Takes a recording that has ended, and whether its rows say that nobody watched; returns at once."""
        self._to_seal.put((about, path, unwatched))

    def erase(self, about: CallRef, paths: Sequence[str], why: str, *, ours: bool, since: float = 0.0) -> None:
        """Erase files that must not be, in the middle of a call; returns at once.

        A file that is not ``ours`` and has the name of some visit, or was last written before ``since`` (Unix time,
        seconds), is put into quarantine instead: it may be somebody's evidence, or on hold, whatever records to it now.
        """
        for path in paths:
            self._to_erase.put((about, path, why, None if ours else since))

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
            visits = self._visits([about.visit for about, _, unwatched in waiting if unwatched and about.visit])
            ready = [
                (about, path, visits.get(about.visit or "", ()))
                for about, path, unwatched in waiting
                if not unwatched or about.visit in visits
            ]
            seals = self._pool.apply(_seal_each, (self._folder, [(path, visit) for _, path, visit in ready]))
            for (about, _, _), rows in zip(ready, seals, strict=True):
                for turn, evidence in rows:
                    self._note(about.row(turn, evidence))
            for _ in waiting:
                self._to_seal.task_done()
            gevent.sleep(SEAL_PAUSE_S)

    def _visits(self, names: Sequence[str]) -> dict[str, list[Entry]]:
        """Their rows, the last ones too; nothing when they cannot be read: then 'retention run' seals."""
        if not names:
            return {}
        try:
            self._ledger.settle(_SETTLE_S)
            return {rows[0].call: rows for rows in self._ledger.rows_of_visits(names)}
        except LedgerError as error:
            log.error("recordings are not sealed now; 'retention run' does it", recordings=len(names), why=str(error))
            return {}

    def _erase_all(self) -> None:
        while True:
            about, path, why, since = self._to_erase.get()
            if self._is_held(about):
                log.warning("on legal hold: not erased before it is released", channel=about.channel_uuid, path=path)
                self._to_erase.task_done()
                continue
            away = since is not None and _may_be_evidence(self._folder, path, since)
            erase = _quarantine_or_error if away else _erase_or_error
            outcome = self._pool.apply(erase, (self._erasable, path))
            if isinstance(outcome, str):
                self._note(about.row(Turn.QUARANTINED, {"why": why, "path": path, "to": outcome}))
            elif isinstance(outcome, Exception):
                log.error("recording not erased: look at it now", channel=about.channel_uuid, why=str(outcome))
            elif outcome.erased:
                self._note(about.row(Turn.RECORDING_ERASED, {"why": why, "path": path}))
            self._to_erase.task_done()

    def _is_held(self, about: CallRef) -> bool:
        """Whether the visit that asks for it is under a legal hold: retention erases it once that is released."""
        if about.visit is None:
            return False
        try:
            return any(summarize(rows).held for rows in self._ledger.rows_of_visits([about.visit]))
        except LedgerError as error:
            log.warning("whether a call is on hold cannot be read; it is erased", why=str(error))
            return False

    def _note(self, row: Entry) -> None:
        try:
            self._ledger.submit(row)
        except LedgerUnavailable as error:
            log.warning("row lost", channel=row.channel_uuid, turn=row.turn, why=str(error))


def _may_be_evidence(folder: Path, path: str, since: float) -> bool:
    """Some visit's by its name, or there before ``since``: nothing of the visit that it is told of."""
    file = Path(path).resolve()
    if file.is_relative_to(folder.resolve()) and visit_of(file.stem) is not None:
        return True
    try:
        return file.stat().st_mtime < since
    except OSError:
        return False


def _quarantine_or_error(folders: Sequence[Path], path: str) -> str | Exception | ErasedAudio:
    """In the worker thread, where gevent would print what is raised."""
    try:
        if not Path(path).exists():
            return ErasedAudio(0, 1)
        return str(quarantine(folders[0].resolve(), Path(path).resolve()))
    except (OSError, ValueError) as error:
        return error


def _erase_or_error(folders: Sequence[Path], path: str) -> ErasedAudio | Exception:
    """In the worker thread, where gevent would print what is raised."""
    try:
        folder = next((known for known in folders if Path(path).resolve().is_relative_to(known.resolve())), folders[0])
        return erase_audio(folder, [path])
    except (OSError, ValueError) as error:
        return error


# --- a person's rights -----------------------------------------------------------------------


class OnHold(Exception):
    """A call is under a legal hold, and is not erased (GDPR art. 17(3)(e))."""


def calls_of_person(ledger: Ledger, channels: Sequence[str]) -> list[CallSummary]:
    """Every visit of these channels: a channel is one person's, whatever lines it came to."""
    return [summarize(rows) for rows in ledger.rows_of(channels)]


def erase_calls(ledger: Ledger, folder: Path, channels: Sequence[str], why: str) -> ErasedAudio:
    """Erase the audio and the personal data of channels with all their visits, and leave a receipt for each visit
    (GDPR art. 17).

    Interrupted, it can be run again. Raises OnHold, when one of the visits is held, and ValueError before anything
    is erased; OSError, LedgerUnavailable.
    """
    calls = calls_of_person(ledger, channels)
    paths = [recording.path for call in calls for recording in call.audio]
    holds = _Holds(ledger)
    held = [call.call for call in calls if call.held] or [holder for path in paths if (holder := holds.of(path))]
    if held:
        raise OnHold(f"{len(held)} call(s) are on legal hold ({held[0]}): 'consentivr ledger release' first")
    audio = erase_audio(folder, paths)
    people = list(dict.fromkeys(call.channel_uuid for call in calls))
    ledger.erase_people(people, {"why": why, "caller": True, "audio": bool(paths)})
    return audio


def hold(ledger: Ledger, name: str, why: str, *, release: bool = False) -> bool:
    """Put a visit, or every visit of a channel, under a legal hold, or release it. False when there is no such
    call, or nothing to do.
    """
    turn = Turn.HOLD_RELEASED if release else Turn.HOLD
    rows = [
        rows[-1].about.row(turn, {"why": why}) for rows in ledger.calls_named(name) if summarize(rows).held is release
    ]
    if rows:
        ledger.append(rows)
    return bool(rows)


class _Holds:
    """The calls on legal hold and their files: what a held call names is not erased for another one's sake."""

    def __init__(self, ledger: Ledger) -> None:
        self._holders: dict[Path, str] = {}
        self.channels: set[str] = set()
        """Of which something is held."""
        for rows in ledger.rows_of_visits(ledger.visits(Search(), Turn.HOLD)):
            call = summarize(rows)
            if call.held:
                self.channels.add(call.channel_uuid)
                self._holders |= {Path(recording.path).resolve(): call.call for recording in call.audio}

    def of(self, path: str) -> str | None:
        """The held call that names this file."""
        return self._holders.get(Path(path).resolve())


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
    """What a run of retention did, or would do. Files by their paths, calls by their visits, or their channels' UUIDs
    where no visit is known.
    """

    dry_run: bool
    audio_erased: list[str] = field(default_factory=list)
    calls_erased: list[str] = field(default_factory=list)
    rows_erased: int = 0
    held: list[str] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)
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
        self._holds = _Holds(self._ledger)
        for queue in sorted(set(self._ledger.queues()) - set(self._terms)):
            self.report.failed.append(
                f"queue {queue} is in the ledger, and in no configuration: nothing of it was erased"
            )
        for queue, terms in self._terms.items():
            self._progress(f"queue {queue}")
            self._erase_rows(queue, terms)
            self._erase_audio(queue, terms)
        self._progress("recordings")
        self._account_for_recordings()
        self._quarantine()
        if not self.report.dry_run:
            self.report.left = self._ledger.overwrite_freed()
        return self.report

    # --- what is due -------------------------------------------------------------------------

    def _erase_rows(self, queue: str, terms: RetentionTerms) -> None:
        if terms.rows_days is None:
            return
        old = Search(queue=queue, until=self._now - timedelta(days=terms.rows_days))
        for calls in self._due(queue, self._ledger.visits(old), terms, Due.ROWS):
            gone = [call.call for call in [*calls, *self._left_behind(calls)] if self._audio_gone(call)]
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
            visit
            for turn in (Turn.RECORDING_STARTED, Turn.FORBIDDEN_RECORDING)
            for visit in self._ledger.visits(old, turn, without=gone_already)
        ]
        for calls in self._due(queue, list(dict.fromkeys(recorded)), terms, Due.AUDIO):
            gone = [call for call in calls if self._audio_gone(call)]
            if not self.report.dry_run:
                self._ledger.append([_audio_erased(call, f"retention: {terms.audio_days} days") for call in gone])

    def _due(self, queue: str, visits: Sequence[str], terms: RetentionTerms, what: Due) -> Iterator[list[CallSummary]]:
        """The calls of this queue for which ``what`` is due, in portions."""
        visits = [visit for visit in visits if visit != NO_CALL]
        for start in range(0, len(visits), _AT_ONCE):
            calls = [summarize(rows) for rows in self._ledger.rows_of_visits(visits[start : start + _AT_ONCE])]
            ours = [call for call in calls if call.queue == queue]  # a talk may go on in another queue
            for call in ours:
                if call.held and call.call not in self.report.held:
                    self.report.held.append(call.call)
            found = [call for call in ours if due(call, terms, self._now) is what]
            apart = [call.channel_uuid for call in found if call.visit is None]
            kept = self._ledger.channels_with_visits(apart) if what is Due.ROWS else self._holds.channels
            found = [call for call in found if call.visit is not None or call.channel_uuid not in kept]
            if found:
                yield found

    def _left_behind(self, gone: Sequence[CallSummary]) -> list[CallSummary]:
        """Rows that name no visit, such as of a file that was found later: they go with their channel's last visit."""
        going = {call.call for call in gone}
        left: dict[str, list[CallSummary]] = {}
        channels = dict.fromkeys(call.channel_uuid for call in gone if call.visit is not None)
        for rows in self._ledger.rows_of(list(channels)):
            if rows[0].call not in going:
                left.setdefault(rows[0].channel_uuid, []).append(summarize(rows))
        return [
            call
            for others in left.values()
            for call in others
            if not any(other.visit is not None or other.held for other in others)
        ]

    def _audio_gone(self, call: CallSummary) -> bool:
        """Erase a call's files; False when that fails, and the call must wait."""
        paths = [recording.path for recording in call.audio]
        holder = next((holder for path in paths if (holder := self._holds.of(path))), None)
        if holder is not None:
            self.report.failed.append(f"call {call.call}: it names a recording of {holder}, which is on legal hold")
            return False
        try:
            if not self.report.dry_run:
                erase_audio(self._folder, paths)
        except (OSError, ValueError) as error:
            self.report.failed.append(f"call {call.call}: {error}")
            return False
        self.report.audio_erased += paths
        self._gone.update(paths)
        return True

    # --- every file accounted for ------------------------------------------------------------

    def _account_for_recordings(self) -> None:
        """What no one sealed, because we or the switch were stopped; and what is gone."""
        gone = (Turn.AUDIO_ERASED, Turn.ERASURE)
        visits = self._ledger.visits(Search(), Turn.RECORDING_STARTED, without=gone)
        for rows in self._ledger.rows_of_visits(visits):
            for recording in summarize(rows).audio:
                if recording.path in self._gone:
                    continue
                if not Path(recording.path).exists():
                    if self._should_be_there(recording):
                        self.report.missing.append(recording.path)
                elif recording.sha256 is None:
                    self._seal(rows, recording)

    def _seal(self, visit: Sequence[Entry], recording: Recording) -> None:
        path = Path(recording.path)
        below = path.resolve().is_relative_to(self._folder.resolve())
        if not recording.stopped and not (below and self._is_old(path)):
            return  # it may still be written
        try:
            broken = below and is_unfinished(path)
        except OSError as error:
            self.report.failed.append(f"{path} cannot be read: {error}")
            return
        if recording.sealed and not broken:
            return  # it was said then why it cannot be
        self.report.sealed.append(recording.path)
        if broken:
            self.report.repaired.append(recording.path)
        if not self.report.dry_run:
            rows = finish(self._folder, recording.path, visit)
            self._ledger.append([visit[-1].about.row(turn, evidence) for turn, evidence in rows])

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
        names = sorted({name for file in files if (name := visit_of(file.stem))})
        calls: dict[str, list[CallSummary]] = {}
        for rows in [*self._ledger.rows_of_visits(names), *self._ledger.rows_of(names)]:
            for name in {rows[0].call, rows[0].channel_uuid}:
                calls.setdefault(name, []).append(summarize(rows))
        for file in files:
            name = visit_of(file.stem) or NO_CALL
            explained = (Path(recording.path) for call in calls.get(name, ()) for recording in call.audio)
            if self._holds.of(str(file)) or any(path.resolve() == file.resolve() for path in explained):
                continue
            self.report.quarantined.append(str(file))
            if self.report.dry_run:
                continue
            try:
                said = {"path": str(file), "to": str(quarantine(self._folder, file))}
            except OSError as error:
                self.report.failed.append(f"{file} cannot be quarantined: {error}")
                continue
            said |= {of: value for of, value in seal(self._folder, said["to"]).items() if of != "path"}
            visit = next((call for call in calls.get(name, ()) if call.visit == name), None)
            about = _ref(visit) if visit else CallRef(name, None, "", "", "")
            self._ledger.append([about.row(Turn.QUARANTINED, said)])


def _ref(call: CallSummary) -> CallRef:
    return CallRef(call.channel_uuid, call.visit, call.line, call.queue, call.mode)


def _audio_erased(call: CallSummary, why: str) -> Entry:
    files = [{"path": recording.path, "sha256": recording.sha256} for recording in call.audio]
    return _ref(call).row(Turn.AUDIO_ERASED, {"why": why, "files": files})


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
