"""Recordings that the switch never finished, because it died: what is in them can be read again.

Seen of FreeSWITCH 1.10.12 killed in a recording: the 44 bytes of libsndfile's header, with 8 for the size of
the RIFF and 0 for that of the data, and the sound in whole blocks of 64 KiB; what was in memory is lost.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path

from consentivr.recordings.changing import make_ours

HEADER_BYTES = 4096
"""More than libsndfile writes before the sound, with every text that FreeSWITCH can set."""

_UNSET = (0, 0xFFFFFFFF)
_BEFORE_SOUND = (b"LIST", b"fact")
_LARGEST = 0xFFFFFFFF - HEADER_BYTES


@dataclass(frozen=True)
class _Sizes:
    """What must be written into a header, and where. All in bytes."""

    size_at: int
    sound: int

    @property
    def whole(self) -> int:
        return self.size_at + 4 + self.sound


def is_unfinished(path: Path) -> bool:
    """Whether ``repair`` would change the file. Raises OSError."""
    with path.open("rb") as file:
        return is_cut_short(file.read(HEADER_BYTES), path.stat().st_size)


def is_cut_short(header: bytes, length: int) -> bool:
    """The same of a file that begins so and has ``length`` bytes."""
    return _missing(header, length) is not None


@dataclass(frozen=True)
class Sound:
    """What a finished WAV holds, by its header alone. ``frames`` of ``channels`` samples, ``rate`` in Hz."""

    channels: int
    rate: int
    frames: int


def plain_sound(header: bytes, length: int) -> Sound | None:
    """Of a file that begins so and has ``length`` bytes; None for all that is not plain, whole 16-bit PCM."""
    if header[:4] != b"RIFF" or header[8:16] != b"WAVEfmt " or _missing(header, length) is not None:
        return None
    frame, start = _bytes_of_frame(header), sound_at(header)
    if frame is None or start is None:
        return None
    (sound,) = struct.unpack_from("<I", header, start - 4)
    channels, rate = struct.unpack_from("<HI", header, 22)
    if sound in _UNSET or start + sound > length:
        return None
    return Sound(channels, rate, sound // frame)


def repair(path: Path) -> bool:
    """Complete the sizes in a WAV's header from the file's length. False, and nothing is done, when they are there
    already, and for anything but 16-bit PCM with one or two channels. Raises OSError.

    Nobody may be writing the file. It is changed where it is, so that its owner and rights stay, unless it must be made
    ours first; interrupted, it can be run again. Durable when it returns.
    """
    with path.open("rb") as file:
        if _missing(file.read(HEADER_BYTES), os.fstat(file.fileno()).st_size) is None:
            return False
    make_ours(path)
    with path.open("r+b") as file:
        header = bytearray(file.read(HEADER_BYTES))
        sizes = _missing(header, os.fstat(file.fileno()).st_size)
        if sizes is None:
            return False
        struct.pack_into("<I", header, 4, sizes.whole - 8)
        struct.pack_into("<I", header, sizes.size_at, sizes.sound)
        os.truncate(file.fileno(), sizes.whole)  # no half frame at the end
        os.pwrite(file.fileno(), header[: sizes.size_at + 4], 0)
        os.fsync(file.fileno())
    return True


def _missing(header: bytes | bytearray, length: int) -> _Sizes | None:
    """What is missing in a file of ``length`` bytes; None when nothing is, or it is no file that we know."""
    if header[:4] != b"RIFF" or header[8:16] != b"WAVEfmt ":
        return None
    frame = _bytes_of_frame(header)
    start = sound_at(header)
    if frame is None or start is None or length > _LARGEST:
        return None
    (riff,) = struct.unpack_from("<I", header, 4)
    (sound,) = struct.unpack_from("<I", header, start - 4)
    sizes = _Sizes(start - 4, (length - start) // frame * frame)
    end = start + (0 if sound in _UNSET else sound)
    if end > length or length < riff + 8 <= 0xFFFFFFFF:
        return None  # the header is whole and the file is not: it was cut by someone else
    if riff + 8 == length and (end == length or header[end : end + 4] == b"LIST" or end > len(header)):
        return None
    if sound not in _UNSET and end < length and riff + 8 > end:
        return None  # something we do not know follows the sound
    return sizes


def _bytes_of_frame(header: bytes | bytearray) -> int | None:
    """Of 16-bit PCM in one or two channels; None for another format."""
    if len(header) < 36:
        return None
    size, tag, channels, rate, per_second, frame, bits = struct.unpack_from("<IHHIIHH", header, 16)
    known = size == 16 and tag == 1 and channels in (1, 2) and bits == 16 and rate > 0
    return frame if known and frame == 2 * channels and per_second == rate * frame else None


def sound_at(header: bytes | bytearray) -> int | None:
    """Where the sound begins; None when that is not to be seen."""
    at = 36
    while at + 8 <= len(header):
        kind, size = bytes(header[at : at + 4]), struct.unpack_from("<I", header, at + 4)[0]
        if kind == b"data":
            return at + 8
        if kind not in _BEFORE_SOUND:
            return None
        at += 8 + size + size % 2
    return None
