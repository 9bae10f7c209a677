"""Whether recordings still are what was sealed, and as long as the talk: all at once, or a part each night."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from consentivr.core.evidence import Recording, summarize
from consentivr.core.lengths import LEAST_MS, apart
from consentivr.core.turn import Turn
from consentivr.ledger import NO_CALL, CallRef, Entry, Ledger, Search
from consentivr.recordings import Elsewhere, Places, sha256_of

EACH_DAYS = 30
"""Each recording is hashed again about so often."""

ONCE_IN = timedelta(hours=12)
"""A second run in the same night checks nothing again."""

_AT_ONCE = 500


@dataclass(frozen=True)
class Differs:
    """A recording is not what it should be: ``why`` is missing, replaced, empty or length; the latter two with
    ``talk_ms`` and ``file_ms``, in milliseconds.
    """

    about: CallRef
    path: str
    why: str
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def said(self) -> str:
        """For people."""
        lengths = f", {self.more['file_ms']} ms of {self.more['talk_ms']} ms" if self.more else ""
        return f"{self.path}: {self.why}{lengths}"

    def row(self) -> Entry:
        return self.about.row(Turn.RECORDING_DIFFERS, {"path": self.path, "why": self.why, **self.more})


def check_all(ledger: Ledger, places: Places) -> Iterator[tuple[int, list[Differs]]]:
    """Every sealed recording that should be there, in portions: how many were looked at, and what is wrong.

    Raises LedgerError, and OSError when the folder is not there at all.
    """
    _be_there(places)
    sealed = _by_call(_sealed(ledger))
    calls = list(sealed)
    for start in range(0, len(calls), _AT_ONCE):
        looked, found = 0, []
        for rows in ledger.rows_of_visits(calls[start : start + _AT_ONCE]):
            for recording in _should_be_there(rows, sealed[rows[0].call]):
                looked += 1
                found += [*_content(rows, recording, places), *_length(rows, recording)]
        yield looked, found


def check_part(ledger: Ledger, places: Places, now: datetime) -> tuple[list[Entry], list[Differs]]:
    """A night's part: the lengths of what was sealed since, and the content of those that were hashed longest ago. The
    rows to be written, of which the last remembers how far it came; and what is wrong. Raises as ``check_all``.
    """
    last = next(iter(ledger.read(Search(turn=Turn.AUDIO_CHECKED.value), limit=1)), None)
    sealed = _sealed(ledger)
    if not sealed or (last is not None and now - last.at < ONCE_IN):
        return [], []
    _be_there(places)
    through, compared = (last.evidence["through"], last.evidence["compared"]) if last else (0, 0)
    share = -(-len(sealed) // EACH_DAYS)
    later = [one for one in sealed if one[0] > through]
    part = [*later, *sealed][: min(share, len(sealed))]
    new = _by_call([one for one in sealed if one[0] > compared])
    old = _by_call(part)
    looked, rows, found = 0, [], []
    calls = list(dict.fromkeys([*new, *old]))
    for start in range(0, len(calls), _AT_ONCE):
        for visit in ledger.rows_of_visits(calls[start : start + _AT_ONCE]):
            call = visit[0].call
            wrong = [d for one in _should_be_there(visit, new.get(call, ())) for d in _length(visit, one)]
            for recording in _should_be_there(visit, old.get(call, ())):
                looked += 1
                wrong += _content(visit, recording, places)
            noted = {(row.evidence["path"], row.evidence["why"]) for row in visit if row.turn == Turn.RECORDING_DIFFERS}
            rows += [one.row() for one in wrong if (one.path, one.why) not in noted]
            found += wrong
    said = {"through": part[-1][0], "compared": sealed[-1][0], "recordings": looked, "differ": len(found)}
    return [*rows, CallRef(NO_CALL, None, "", "", "").row(Turn.AUDIO_CHECKED, said)], found


_Sealed = tuple[int, str, str]
"""Position, call and path of a seal."""


def _sealed(ledger: Ledger) -> list[_Sealed]:
    return sorted(
        (row.position or 0, row.call, str(row.evidence["path"]))
        for turn in (Turn.RECORDING_SEALED, Turn.RECORDING_ADOPTED)
        for row in ledger.read(Search(turn=turn.value))
        if "sha256" in row.evidence
    )


def _by_call(sealed: Sequence[_Sealed]) -> dict[str, set[str]]:
    calls: dict[str, set[str]] = {}
    for _, call, path in sealed:
        calls.setdefault(call, set()).add(path)
    return calls


def _be_there(places: Places) -> None:
    if not places.folder.is_dir():
        raise FileNotFoundError(f"the folder {places.folder} is not there")


def _should_be_there(rows: Sequence[Entry], paths: Collection[str]) -> list[Recording]:
    return [one for one in summarize(rows).audio if one.path in paths and one.sha256 and not one.quarantined]


def _content(rows: Sequence[Entry], recording: Recording, places: Places) -> list[Differs]:
    about = rows[-1].about
    try:
        sha256 = sha256_of(places.file_of(recording.path))
    except Elsewhere:
        return []
    except FileNotFoundError:
        return [Differs(about, recording.path, "missing")]
    return [Differs(about, recording.path, "replaced")] if sha256 != recording.sha256 else []


def _length(rows: Sequence[Entry], recording: Recording) -> list[Differs]:
    file_ms = recording.duration_ms or 0
    talk_ms = apart(rows, recording.path, file_ms)
    if talk_ms is None:
        return []
    why = "empty" if file_ms == 0 and talk_ms >= LEAST_MS else "length"
    return [Differs(rows[-1].about, recording.path, why, {"talk_ms": talk_ms, "file_ms": file_ms})]
