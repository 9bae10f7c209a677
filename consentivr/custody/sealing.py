"""Sealing recordings as they end, and erasing what must not be, beside the calls."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import gevent
import gevent.queue
import structlog

from consentivr.core.evidence import CallSummary, summarize
from consentivr.core.foreign import withheld
from consentivr.core.turn import Turn
from consentivr.core.unwatched import spans
from consentivr.ledger import CallRef, Entry, LedgerError, LedgerWriter
from consentivr.recordings import (
    CannotSilence,
    Elsewhere,
    Places,
    Unfinished,
    fingerprint,
    quarantine,
    repair,
    silence,
    visit_of,
)
from consentivr.threads import Worker

log = structlog.get_logger(__name__)

SEAL_PAUSE_S = 0.1
"""So long recordings that end are gathered before they are sealed."""

_AT_ONCE = 500
_SETTLE_S = 5.0


def seal(places: Places, path: str) -> dict[str, Any]:
    """What a finished recording is, for the ledger; or why that cannot be said."""
    return finish(places, path)[-1][1]


def finish(places: Places, path: str, visit: Sequence[Entry] = ()) -> list[tuple[Turn, dict[str, Any]]]:
    """What becomes of a finished recording, for the ledger: its seal, or why that cannot be said, and what came before.

    Only where recordings lie or lay: the switch names the path, and it is no licence to read whatever it names.
    ``visit`` are the rows of a visit that nobody watched for a while: what sounded then is taken out first (promise
    P10). Nothing is returned when that fails; it can be done again.
    """
    try:
        file = replace(places, others=()).file_of(path)
    except Elsewhere:
        return [(Turn.RECORDING_SEALED, {"path": path, "why": "not below recordings.folder"})]
    said = []
    try:
        ended = datetime.fromtimestamp(file.stat().st_mtime, timezone.utc)
        try:
            found = fingerprint(file)
        except Unfinished:
            repair(file)  # the switch died while it recorded: the samples are there
            said.append((Turn.RECORDING_REPAIRED, {"path": path, "why": "the switch never finished it"}))
            found = fingerprint(file)
    except OSError as error:
        return [*said, (Turn.RECORDING_SEALED, {"path": path, "why": error.strerror or str(error)})]
    unwatched = spans(visit, path, found.duration_ms / 1000, ended)
    try:
        if unwatched:
            silence(file, unwatched)
            found = fingerprint(file)
    except CannotSilence as error:
        file.unlink()
        return [*said, (Turn.RECORDING_ERASED, {"path": path, "why": f"nobody watched, and it is {error}"})]
    except OSError as error:
        log.error("what nobody watched is still in a recording; 'retention run' takes it out", why=error.strerror)
        return said
    silenced = {"silenced": [[round(at, 1) for at in span] for span in unwatched]} if unwatched else {}
    return [*said, (Turn.RECORDING_SEALED, {"path": path, **vars(found), **silenced})]


def _seal_each(
    places: Places, waiting: Sequence[tuple[str, Sequence[Entry]]]
) -> list[list[tuple[Turn, dict[str, Any]]]]:
    return [finish(places, path, visit) for path, visit in waiting]


class Sealer:
    """Seals recordings as they end, one after the other in a thread of its own: hashing an hour of audio takes a
    while. What must be erased goes the same way.
    """

    def __init__(self, places: Places, ledger: LedgerWriter) -> None:
        self.places = places
        """May be exchanged at any time."""
        self._ledger = ledger
        self._worker = Worker(2)
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

    @property
    def is_dead(self) -> bool:
        """Whether it ended, although it should go on."""
        return any(greenlet.ready() for greenlet in self._greenlets)

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
            seals = self._worker.run(_seal_each, self.places, [(path, visit) for _, path, visit in ready])
            for (about, _, _), rows in zip(ready, seals, strict=True):
                for turn, evidence in rows:
                    self._ledger.note(about.row(turn, evidence))
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
            call = self._known_of(about)
            if call is not None and call.held:
                log.warning(
                    "on legal hold: not erased before it is released",
                    channel=about.channel_uuid,
                    **withheld({"path": path}),
                )
                self._to_erase.task_done()
                continue
            try:
                turn, said = self._worker.run(removed, self.places, path, why, since)
                if "gone" not in said:  # else somebody else was as quick, and says so
                    self._ledger.note(about.row(turn, said))
                elif since is None and self._is_unaccounted_for(about, path):  # a talk that never began: sealed as such
                    self._ledger.note(about.row(Turn.RECORDING_SEALED, seal(self.places, path)))
            except (OSError, ValueError) as error:
                why_not = getattr(error, "strerror", None) or str(error)  # without the path, which may hold a number
                log.error("recording not erased: look at it now", channel=about.channel_uuid, why=why_not)
            self._to_erase.task_done()

    def _is_unaccounted_for(self, about: CallRef, path: str) -> bool:
        """Whether its rows, those too that wait to be written, say that it began, and not what became of it."""
        with gevent.Timeout(_SETTLE_S, False):
            while about.visit is not None and self._ledger.is_behind(about.visit):
                gevent.sleep(0.01)
        call = self._known_of(about)
        return call is not None and any(
            recording.path == path and not recording.sealed and recording.erased_at is None
            for recording in call.recordings
        )

    def _known_of(self, about: CallRef) -> CallSummary | None:
        """The visit that asks for it: under a legal hold, retention erases it once that is released."""
        if about.visit is None:
            return None
        try:
            return next((summarize(rows) for rows in self._ledger.rows_of_visits([about.visit])), None)
        except LedgerError as error:
            log.warning("whether a call is on hold cannot be read; it is erased", why=str(error))
            return None


def removed(
    places: Places, path: str, why: str, since: float | None, *, dry_run: bool = False
) -> tuple[Turn, dict[str, Any]]:
    """Erase a file that must not be, or put it away where it may be somebody's evidence; what is to be noted then.

    ``since`` as ``Sealer.erase`` has it; None for what is ours. Raises OSError, Elsewhere.
    """
    said = {"why": why, "path": path}
    try:
        file = places.file_of(path)
    except Elsewhere:
        if Path(path).parent.is_dir() and not os.path.lexists(path):
            return Turn.RECORDING_ERASED, said | {"gone": True}
        raise
    if since is not None and file.exists() and _may_be_evidence(places.folder, file, since):
        place = "" if dry_run else str(quarantine(places.folder.resolve(), file))
        return Turn.QUARANTINED, said | {"to": place}
    there = file.exists() if dry_run else places.erase(path)
    return Turn.RECORDING_ERASED, said if there else said | {"gone": True}


def _may_be_evidence(folder: Path, file: Path, since: float) -> bool:
    """Some visit's by its name, or there before ``since``: nothing of the visit that it is told of."""
    if file.is_relative_to(folder.resolve()) and visit_of(file.stem) is not None:
        return True
    return file.stat().st_mtime < since
