"""What a recording is, so that it can be told later whether it still is the same."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import soundfile

from consentivr.recordings.repair import is_unfinished


@dataclass(frozen=True)
class Fingerprint:
    """A file's SHA-256 (hexadecimal), its size, and what is in it."""

    sha256: str
    bytes: int
    channels: int
    rate: int
    duration_ms: int


def fingerprint(path: Path) -> Fingerprint:
    """Read a recording. Raises OSError, also for a file that holds no sound, or that the switch never finished."""
    if is_unfinished(path):
        raise OSError("the switch never finished it: 'consentivr retention run' repairs it")
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    try:
        sound = soundfile.info(str(path))
    except soundfile.LibsndfileError as error:
        raise OSError(f"it holds no sound: {error}") from None
    duration_ms = int(sound.frames * 1000 // sound.samplerate)
    return Fingerprint(digest.hexdigest(), path.stat().st_size, sound.channels, sound.samplerate, duration_ms)
