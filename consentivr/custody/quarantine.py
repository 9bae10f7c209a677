"""What lies in quarantine: listed, erased in the end or with its person, or taken back as a visit's recording."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from consentivr.core.evidence import summarize
from consentivr.core.foreign import is_name, says_nobody
from consentivr.core.turn import Turn
from consentivr.custody.holds import Holds
from consentivr.custody.sealing import seal
from consentivr.ledger import NO_CALL, CallRef, Ledger, Search
from consentivr.ledger.searching import Searching
from consentivr.recordings import QUARANTINE, Elsewhere, Places, recording_path

NOT_ROWED = "no row names it"

_TELLING = 8
"""So many digits at the end of a number are the same however it is written."""


class Refused(Exception):
    """It is not done; the message says why."""


@dataclass(frozen=True)
class Quarantined:
    """A file in quarantine. ``at`` in UTC; ``was`` is the path from which it came."""

    name: str
    """Below the quarantine."""
    file: Path
    at: datetime
    about: CallRef
    was: str
    why: str

    @property
    def call(self) -> str:
        return self.about.visit or self.about.channel_uuid


def quarantined(ledger: Searching, places: Places) -> list[Quarantined]:
    """Every file that lies in quarantine, oldest first. Raises LedgerError."""
    root = places.folder / QUARANTINE
    found = {}
    for row in ledger.read(Search(turn=Turn.QUARANTINED.value)):
        said = row.evidence
        try:
            file = places.file_of(str(said["to"]))
        except Elsewhere:
            continue
        if file.is_file() and file.is_relative_to(root.resolve()):
            name = str(file.relative_to(root.resolve()))
            why = str(said.get("why", "no row explained it"))
            found[name] = Quarantined(name, file, row.at, row.about, str(said["path"]), why)
    for file in _files(root.resolve()):
        name = str(file.relative_to(root.resolve()))
        if name not in found:
            at = datetime.fromtimestamp(file.stat().st_ctime, timezone.utc)  # of its renaming
            found[name] = Quarantined(name, file, at, CallRef(NO_CALL, None, "", "", ""), str(file), NOT_ROWED)
    return sorted(found.values(), key=lambda one: one.at)


def _files(root: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(root):
        yield from (Path(folder) / name for name in names)


def is_due(one: Quarantined, days: int, now: datetime) -> bool:
    """Whether it has lain there for so many days."""
    return now - one.at >= timedelta(days=days)


def names_number(one: Quarantined, numbers: Iterable[str]) -> bool:
    """Whether a stray file was called by one of these numbers."""
    digits = "".join(filter(str.isdigit, Path(one.was).name))
    ends = ("".join(filter(str.isdigit, number))[-_TELLING:] for number in numbers)
    return one.about.channel_uuid == NO_CALL and any(len(end) == _TELLING and end in digits for end in ends)


def note_gone(ledger: Ledger, places: Places) -> None:
    """Forget the path of a file that is not there any more: we were stopped between its erasure and the row."""
    root = places.folder / QUARANTINE
    for row in list(ledger.read(Search(turn=Turn.QUARANTINED.value))) if root.is_dir() else ():
        path, place = str(row.evidence["path"]), str(row.evidence["to"])
        if is_name(path) or says_nobody(path):
            continue
        try:
            there = places.file_of(place).exists()
        except Elsewhere:
            continue
        if not there:
            said = {"why": "it was not in quarantine any more", "path": path, "to": place, "gone": True}
            ledger.append([row.about.row(Turn.RECORDING_ERASED, said)])


def erase_quarantined(ledger: Ledger, one: Quarantined, holds: Holds, why: str) -> None:
    """Erase it, with a row. Raises Refused when it is on legal hold, OSError, LedgerError."""
    if holds.of(str(one.file)) or holds.of(one.was) or one.call in holds.calls:
        raise Refused("it belongs to a call on legal hold")
    one.file.unlink(missing_ok=True)
    ledger.append([one.about.row(Turn.RECORDING_ERASED, {"why": why, "path": one.was, "to": str(one.file)})])


def adopt(ledger: Ledger, places: Places, one: Quarantined, visit: str, why: str) -> Path:
    """Take a file back, as a recording of a visit that permitted one; returns where it is now, sealed.

    Raises Refused, OSError, LedgerError.
    """
    rows = next((rows for rows in ledger.calls_named(visit) if rows[0].visit == visit), None)
    if rows is None:
        raise Refused(f"there is no visit {visit}")
    call = summarize(rows)
    if call.decision != "given" and call.reason != "legal_basis":
        raise Refused(f"nothing permits a recording of visit {visit}: erase the file")
    if call.person_erased_at is not None:
        raise Refused(f"the caller of visit {visit} was erased: erase the file")
    place = _free(places.folder, visit, call.started_at, {recording.path for recording in call.recordings})
    place.parent.mkdir(parents=True, exist_ok=True)
    one.file.rename(place)
    sealed = {member: value for member, value in seal(places, str(place)).items() if member != "path"}
    said = {"path": str(place), "paths": [one.was], "why": why, **sealed}
    adopted = [rows[-1].about.row(Turn.RECORDING_ADOPTED, said)]
    if one.call != visit:
        left = {"path": str(place), "paths": [one.was], "why": why, "by": visit}
        adopted.append(one.about.row(Turn.RECORDING_ADOPTED, left))
    ledger.append(adopted)
    return place


def _free(folder: Path, visit: str, day: datetime, taken: Collection[str]) -> Path:
    number = 1
    while True:
        path = Path(recording_path(str(folder), visit, day.date(), number))
        if not path.exists() and str(path) not in taken:
            return path
        number += 1
