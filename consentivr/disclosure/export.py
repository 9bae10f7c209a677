"""Handing over a call, a caller or a span of time: to the person (GDPR art. 15, 20), to a court, to another system."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, TextIO

from consentivr.core.evidence import Recording, summarize
from consentivr.disclosure.vcon import vcon
from consentivr.ledger import Search, jws
from consentivr.ledger.export import IN_ARCHIVE, RECORDINGS, write_csv, write_json
from consentivr.ledger.searching import Searching
from consentivr.recordings import Places


class NothingThere(Exception):
    """No row fits."""


@dataclass(frozen=True)
class HandedOver:
    """How many rows and recordings were handed over; which recordings were not, by their paths, and why."""

    rows: int
    recordings: int = 0
    left_out: Mapping[str, str] = field(default_factory=dict)


def hand_over(
    ledger: Searching,
    search: Search,
    form: str,
    out: IO[bytes],
    places: Places,
    *,
    audio: bool,
    letters: Mapping[str, str] | None = None,
) -> HandedOver:
    """Write an export; ``form`` is json, csv or vcon. With ``audio`` JSON becomes an archive (zip), in which
    ``letters`` lie too, by their names.

    A vCon is signed when the ledger was opened to sign. Nothing outside of ``places`` is handed over. Raises
    NothingThere, ValueError for a vCon of more than one call, LedgerError, OSError.
    """
    if not list(ledger.read(search, limit=1)):
        raise NothingThere
    if form == "csv":
        return _text(out, lambda text: write_csv(text, ledger.links(search)))
    if form == "vcon":
        return _vcon(ledger, search, out, places, audio=audio)
    if not audio:
        return _text(out, lambda text: write_json(text, ledger, search))
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (letters or {}).items():
            archive.writestr(name, text)
        left_out: dict[str, str] = {}
        hashes: dict[str, str] = {}
        for recording in _audio_of(ledger, search):
            try:
                file_path = _sealed_file(recording, places)
                hashes[file_path.name] = _into(archive, file_path)
            except (OSError, ValueError) as error:
                left_out[recording.place] = _why(error)
        with archive.open(IN_ARCHIVE, "w", force_zip64=True) as file:
            written = _text(file, lambda text: write_json(text, ledger, search, hashes))
    return HandedOver(written.rows, len(hashes), left_out)


def _sealed_file(recording: Recording, places: Places) -> Path:
    """Where it is. Raises ValueError also while nothing proves what it was: it may still be written."""
    if recording.sha256 is None:
        raise ValueError("it has no seal, which 'consentivr retention run' makes up for unless it holds no sound")
    return places.file_of(recording.place)


def _why(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)


def _into(archive: zipfile.ZipFile, path: Path) -> str:
    """Put a recording into an archive; returns its SHA-256. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as source, archive.open(f"{RECORDINGS}{path.name}", "w", force_zip64=True) as file:
        while block := source.read(1 << 20):
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def _text(out: IO[bytes], write: Callable[[TextIO], int]) -> HandedOver:
    text = io.TextIOWrapper(out, encoding="utf-8", newline="")
    rows = write(text)
    text.flush()
    text.detach()
    return HandedOver(rows)


def _vcon(ledger: Searching, search: Search, out: IO[bytes], places: Places, *, audio: bool) -> HandedOver:
    visits = ledger.visits(search)
    if len(visits) > 1:
        raise ValueError(f"a vCon holds one call, and these are {len(visits)}: name one with --channel")
    (rows,) = ledger.rows_of_visits(visits)
    call = summarize(rows)
    contents: dict[str, bytes] = {}
    left_out = {}
    for recording in call.audio if audio else ():
        try:
            contents[recording.path] = _sealed_file(recording, places).read_bytes()
        except (OSError, ValueError) as error:
            left_out[recording.place] = _why(error)
    proof = io.StringIO()
    names = {recording.path: Path(recording.place).name for recording in call.audio}
    hashes = {names[path]: hashlib.sha256(content).hexdigest() for path, content in contents.items()}
    write_json(proof, ledger, Search(visit=call.call), hashes)
    notice = ledger.notice(call.notice) if call.notice else None
    said = vcon(rows, notice, json.loads(proof.getvalue()), contents, datetime.now(timezone.utc))
    if ledger.signer is not None:
        said = jws.sign(said, ledger.signer)
    out.write(json.dumps(said, indent=1, ensure_ascii=False).encode() + b"\n")
    return HandedOver(len(rows), len(contents), left_out)


def _audio_of(ledger: Searching, search: Search) -> Iterator[Recording]:
    for rows in ledger.rows_of_visits(ledger.visits(search)):
        yield from summarize(rows).audio
