"""Reading announcements: what FreeSWITCH would play, and whether a caller would hear it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import soundfile

from consentivr.core.consent import NoticeVersion
from consentivr.prompts.telephone import levels_dbfs

SILENCE_DBFS = -50.0
"""An announcement whose loudest 50 ms are below this is taken for silent."""

_TEXT_MARK = "consentivr text sha256:"
_HEARD_MARK = " heard sha256:"


class AudioProblem(Exception):
    """An announcement that callers would not hear as it should be. The message says what to do."""


@dataclass(frozen=True)
class Spoken:
    """An announcement that can be played. ``rate`` in Hz."""

    path: str
    language: str
    text: str
    audio_sha256: str
    duration_ms: int
    rate: int
    heard_ms: int | None = None
    """After so much of it a caller knows what is asked, as ``prompts build`` measured it; None: nobody has."""
    stamp: tuple[int, int, int] | None = None
    """Of the file, as it was read."""

    def is_as_read(self) -> bool:
        """Whether its file is the one that was read: else evidence would name what no caller heard."""
        return self.stamp == _stamp(self.path)

    @cached_property
    def notice(self) -> NoticeVersion:
        """Its version for the ledger."""
        return NoticeVersion(self.language, self.text, self.audio_sha256, self.duration_ms)


def sound_path(folder: Path, language: str, rate: int, stem: str) -> Path:
    """Where an announcement lies."""
    return folder / language / str(rate) / f"{stem}.wav"


def inspect(folder: Path, language: str, rate: int, stem: str, text: str) -> Spoken:
    """Read an announcement and see that it can be heard.

    Raises AudioProblem when it is missing, unreadable, of the wrong kind, rate or length, silent, or made from another
    text: evidence would say what no caller heard.
    """
    path = sound_path(folder, language, rate, stem)
    if not path.exists():
        raise AudioProblem(f"{path} is missing: put a recording there, or run 'consentivr prompts build'")
    try:
        stamp = _stamp(str(path))
        data = path.read_bytes()
        with soundfile.SoundFile(str(path)) as file:
            kind, subtype, found_rate, channels = file.format, file.subtype, file.samplerate, file.channels
            samples, comment = file.read(dtype="float32", always_2d=True), file.comment or ""
    except (OSError, soundfile.LibsndfileError) as error:
        raise AudioProblem(f"{path} cannot be read: {error}") from None
    if kind not in ("WAV", "WAVEX") or subtype not in ("PCM_16", "ALAW", "ULAW"):
        raise AudioProblem(f"{path} is {kind}/{subtype}: WAV with 16-bit PCM is wanted")
    if found_rate != rate:
        raise AudioProblem(f"{path} has {found_rate} Hz: {rate} Hz is wanted in this folder")
    if channels != 1:
        raise AudioProblem(f"{path} has {channels} channels: one is wanted")
    if len(samples) == 0 or loudest_dbfs(samples[:, 0], rate) < SILENCE_DBFS:
        raise AudioProblem(f"{path} is silent: callers would hear nothing")
    if _made_from(comment, text) is False:
        raise AudioProblem(f"{path} was made from another text than the configured one: run 'consentivr prompts build'")
    return Spoken(
        path=str(path),
        language=language,
        text=text,
        audio_sha256=hashlib.sha256(data).hexdigest(),
        duration_ms=len(samples) * 1000 // rate,
        rate=rate,
        heard_ms=_heard_ms(comment),
        stamp=stamp,
    )


def _stamp(path: str) -> tuple[int, int, int] | None:
    """What changes with a file: which one it is, its size, when it was written. None: it is not there."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def loudest_dbfs(samples: np.ndarray, rate: int) -> float:
    """Level of the loudest 50 ms, in dB below full scale."""
    return float(levels_dbfs(samples, rate).max())


def text_mark(text: str, heard: str | None = None, heard_ms: int = 0) -> str:
    """What ``prompts build`` notes in a file: the text that it was made from, and how long its beginning lasts."""
    mark = _TEXT_MARK + _sha256(text)
    return mark if heard is None else f"{mark}{_HEARD_MARK}{_sha256(heard)} {heard_ms}"


def written_for(path: Path, text: str, heard: str | None = None) -> bool | None:
    """Whether a file was made from this text, and ``heard``, its beginning, measured; None for a file that ``prompts
    build`` did not make."""
    try:
        with soundfile.SoundFile(str(path)) as file:
            comment = file.comment or ""
    except (OSError, soundfile.LibsndfileError):
        return None
    return _made_from(comment, text, heard)


def _made_from(comment: str, text: str, heard: str | None = None) -> bool | None:
    if not comment.startswith(_TEXT_MARK):
        return None
    made, _, measured = comment.partition(_HEARD_MARK)
    return made == text_mark(text) and (heard is None or measured.startswith(_sha256(heard) + " "))


def _heard_ms(comment: str) -> int | None:
    found = comment.partition(_HEARD_MARK)[2].partition(" ")[2]
    return int(found) if found.isascii() and found.isdigit() else None


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
