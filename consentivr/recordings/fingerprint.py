"""What a recording is, so that it can be told later whether it still is the same."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import soundfile

from consentivr.recordings.repair import HEADER_BYTES, Sound, is_cut_short, plain_sound

_BLOCK_BYTES = 1 << 20


def sha256_of(path: Path) -> str:
    """Of any file, in hexadecimal digits. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


class Unfinished(OSError):
    """The switch died while it recorded."""


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
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        length = os.fstat(file.fileno()).st_size
        block = header = file.read(_BLOCK_BYTES)
        if is_cut_short(header[:HEADER_BYTES], length):
            raise Unfinished("the switch never finished it: 'consentivr retention run' repairs it")
        while block:
            digest.update(block)
            block = file.read(_BLOCK_BYTES)
    sound = plain_sound(header[:HEADER_BYTES], length)
    if sound is None:
        sound = _sound_in(path)
    duration_ms = sound.frames * 1000 // sound.rate
    return Fingerprint(digest.hexdigest(), length, sound.channels, sound.rate, duration_ms)


def _sound_in(path: Path) -> Sound:
    """Of any other kind of file."""
    try:
        info = soundfile.info(str(path))
    except soundfile.LibsndfileError as error:
        raise OSError(f"it holds no sound: {error}") from None
    return Sound(info.channels, info.samplerate, info.frames)
