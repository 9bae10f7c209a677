"""Every recording that a row names, and every file that there is, accounted for."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from pathlib import Path

from consentivr.core.evidence import CallSummary, Recording, Turn, summarize
from consentivr.custody.report import Report
from consentivr.custody.rights import Holds
from consentivr.custody.sealing import finish, seal
from consentivr.ledger import NO_CALL, CallRef, Entry, Ledger, Search
from consentivr.recordings import files_below, is_unfinished, quarantine, visit_of

UNDER_WAY = timedelta(hours=1)
"""A recording younger than this may still be written; it is neither missed nor quarantined."""

_AT_ONCE = 500

_OF_RECORDINGS = frozenset(
    {
        Turn.RECORDING_STARTED,
        Turn.FORBIDDEN_RECORDING,
        Turn.RECORDING_STOPPED,
        Turn.RECORDING_REPAIRED,
        Turn.RECORDING_SEALED,
        Turn.RECORDING_ERASED,
        Turn.AUDIO_ERASED,
        Turn.ERASURE,
    }
)
"""What ``summarize`` needs to tell of a call's recordings."""


class Accounting:
    """Of one run of retention. ``gone``: paths that this run has erased, or would."""

    def __init__(
        self, ledger: Ledger, folder: Path, report: Report, holds: Holds, gone: AbstractSet[str], now: datetime
    ) -> None:
        self._ledger = ledger
        self._folder = folder
        self._report = report
        self._holds = holds
        self._gone = gone
        self._now = now

    def recordings(self) -> None:
        """What no one sealed, because we or the switch were stopped; and what is gone."""
        gone = (Turn.AUDIO_ERASED, Turn.ERASURE)
        visits = self._ledger.visits(Search(), Turn.RECORDING_STARTED, without=gone)
        for rows in self._ledger.rows_of_visits(visits, _OF_RECORDINGS):
            for recording in summarize(rows).audio:
                if recording.path in self._gone:
                    continue
                if not Path(recording.path).exists():
                    if self._should_be_there(recording):
                        self._report.missing.append(recording.path)
                elif recording.sha256 is None:
                    self._seal(next(self._ledger.rows_of_visits([rows[0].call])), recording)

    def _seal(self, visit: Sequence[Entry], recording: Recording) -> None:
        path = Path(recording.path)
        below = path.resolve().is_relative_to(self._folder.resolve())
        if not recording.stopped and not (below and self._is_old(path)):
            return  # it may still be written
        try:
            broken = below and is_unfinished(path)
        except OSError as error:
            self._report.failed.append(f"{path} cannot be read: {error}")
            return
        if recording.sealed and not broken:
            return  # it was said then why it cannot be
        self._report.sealed.append(recording.path)
        if broken:
            self._report.repaired.append(recording.path)
        if not self._report.dry_run:
            rows = finish(self._folder, recording.path, visit)
            self._ledger.append([visit[-1].about.row(turn, evidence) for turn, evidence in rows])

    def _should_be_there(self, recording: Recording) -> bool:
        """A talk that never began leaves no file, and was sealed as such."""
        if self._now - recording.started_at < UNDER_WAY or not recording.permitted:
            return False
        return recording.sha256 is not None or not recording.sealed

    def files(self) -> None:
        """What no row explains is put into quarantine."""
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
            self._report.quarantined.append(str(file))
            if self._report.dry_run:
                continue
            try:
                said = {"path": str(file), "to": str(quarantine(self._folder, file))}
            except OSError as error:
                self._report.failed.append(f"{file} cannot be quarantined: {error}")
                continue
            said |= {of: value for of, value in seal(self._folder, said["to"]).items() if of != "path"}
            visit = next((call for call in calls.get(name, ()) if call.visit == name), None)
            about = CallRef.of(visit) if visit else CallRef(name, None, "", "", "")
            self._ledger.append([about.row(Turn.QUARANTINED, said)])
