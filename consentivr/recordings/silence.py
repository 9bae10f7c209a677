"""Silence in place of what must not be kept, in a finished recording."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from consentivr.recordings.changing import make_ours
from consentivr.recordings.repair import HEADER_BYTES, plain_sound, sound_at

_BLOCK = bytes(1 << 20)


class CannotSilence(Exception):
    """The file is no plain WAV: where a second of it begins is not known."""


def silence(path: Path, spans: Sequence[tuple[float, float]]) -> None:
    """Write silence over these spans: seconds from the beginning, from, to. Durable when it returns.

    Nobody may be writing the file. It is changed where it is, and keeps its times, so that it can be done again.
    Raises CannotSilence for anything but 16-bit PCM with one or two channels, OSError.
    """
    make_ours(path)
    with path.open("r+b") as file:
        before = os.fstat(file.fileno())
        header = file.read(HEADER_BYTES)
        sound, start = plain_sound(header, before.st_size), sound_at(header)
        if sound is None or start is None:
            raise CannotSilence("not a plain WAV")
        frame = 2 * sound.channels
        for since, until in spans:
            first, last = (max(0, min(sound.frames, round(at * sound.rate))) for at in (since, until))
            file.seek(start + first * frame)
            left = max(0, last - first) * frame
            while left:
                left -= file.write(_BLOCK[: min(left, len(_BLOCK))])
        file.flush()
        os.fsync(file.fileno())
        os.utime(file.fileno(), ns=(before.st_atime_ns, before.st_mtime_ns))
