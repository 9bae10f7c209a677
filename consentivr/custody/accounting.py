"""Every recording that a row names, and every file that there is, accounted for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from consentivr.core.evidence import CallSummary, Recording, summarize
from consentivr.core.turn import Turn
from consentivr.custody.holds import Holds
from consentivr.custody.report import Report
from consentivr.custody.sealing import finish, removed, seal
from consentivr.ledger import NO_CALL, CallRef, Entry, Ledger, Search
from consentivr.recordings import Elsewhere, Places, files_below, is_unfinished, quarantine, visit_of

UNDER_WAY = timedelta(hours=1)
"""A recording younger than this may still be written; it is neither missed nor quarantined."""

_AT_ONCE = 500
_LEFT = "recorded without permission, and left by a process that died"

_OF_RECORDINGS = frozenset(
    {
        Turn.RECORDING_STARTED,
        Turn.FORBIDDEN_RECORDING,
        Turn.RECORDING_STOPPED,
        Turn.RECORDING_REPAIRED,
        Turn.RECORDING_SEALED,
        Turn.RECORDING_ERASED,
        Turn.RECORDING_DIFFERS,
        Turn.RECORDING_ADOPTED,
        Turn.QUARANTINED,
        Turn.AUDIO_ERASED,
        Turn.ERASURE,
    }
)
"""What ``summarize`` needs to tell of a call's recordings."""


class Accounting:
    """Of one run of retention. ``gone``: paths that this run has erased, or would."""

    def __init__(
        self, ledger: Ledger, places: Places, report: Report, holds: Holds, gone: set[str], now: datetime
    ) -> None:
        self._ledger = ledger
        self._places = places
        self._folder = places.folder
        self._report = report
        self._holds = holds
        self._gone = gone
        self._now = now
        self._named: set[Path] = set()
        """Files of visits that met a forbidden recording: whatever their names, rows explain them."""

    def forbidden(self) -> None:
        """What was recorded without permission and is there still: we were stopped between its row and its erasure."""
        visits = self._ledger.visits(Search(), Turn.FORBIDDEN_RECORDING, without=(Turn.AUDIO_ERASED,))
        for rows in self._ledger.rows_of_visits(visits):
            call = summarize(rows)
            over = any(row.turn == Turn.CALL_ENDED for row in rows) or self._now - call.ended_at >= UNDER_WAY
            self._named.update(self._file_of(recording) for recording in call.audio)
            for recording in call.audio if over and not self._holds.keep(call) else ():
                if not recording.permitted and not recording.quarantined and recording.path not in self._gone:
                    self._remove(rows, recording.path)

    def _remove(self, visit: Sequence[Entry], path: str) -> None:
        holder = self._holds.of(path)
        if holder is not None:
            self._report.failed.append(f"{path}: call {holder} names it, and is on legal hold")
            return
        since = visit[0].at.timestamp()
        try:
            turn, said = removed(self._places, path, _LEFT, since, dry_run=self._report.dry_run)
        except (OSError, ValueError) as error:
            self._report.failed.append(f"{path}: recorded without permission, and there still: {error}")
            return
        (self._report.quarantined if turn is Turn.QUARANTINED else self._report.audio_erased).append(path)
        self._gone.add(path)
        if not self._report.dry_run:
            self._ledger.append([visit[-1].about.row(turn, said)])

    def recordings(self) -> None:
        """What no one sealed, because we or the switch were stopped; and what is gone."""
        visits = dict.fromkeys(
            visit
            for turn in (Turn.RECORDING_STARTED, Turn.RECORDING_ADOPTED)
            for visit in self._ledger.visits(Search(), turn, without=(Turn.AUDIO_ERASED,))
        )
        for rows in self._ledger.rows_of_visits(list(visits), _OF_RECORDINGS):
            for recording in summarize(rows).audio:
                if recording.path in self._gone:
                    continue
                if not self._file_of(recording).exists():
                    if self._should_be_there(recording):
                        self._report.missing.append(recording.path)
                elif recording.sha256 is None:
                    self._seal(next(self._ledger.rows_of_visits([rows[0].call])), recording)

    def _file_of(self, recording: Recording) -> Path:
        try:
            return self._places.file_of(recording.place)
        except Elsewhere:
            return Path(recording.place)

    def _seal(self, visit: Sequence[Entry], recording: Recording) -> None:
        path = self._file_of(recording)
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
            rows = finish(self._places, recording.path, visit)
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
            explained = (self._file_of(recording) for call in calls.get(name, ()) for recording in call.audio)
            if (
                self._holds.of(str(file))
                or file.resolve() in self._named
                or any(path.resolve() == file.resolve() for path in explained)
            ):
                continue
            self._report.quarantined.append(str(file))
            if self._report.dry_run:
                continue
            try:
                said = {"path": str(file), "to": str(quarantine(self._folder, file))}
            except OSError as error:
                self._report.failed.append(f"{file} cannot be quarantined: {error}")
                continue
            said |= {of: value for of, value in seal(self._places, said["to"]).items() if of != "path"}
            visit = next((call for call in calls.get(name, ()) if call.visit == name), None)
            about = CallRef.of(visit) if visit else CallRef(name, None, "", "", "")
            self._ledger.append([about.row(Turn.QUARANTINED, said)])
