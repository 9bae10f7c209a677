"""Recorded files, as they lie below a recordings folder."""

from __future__ import annotations

import os
import struct
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import soundfile

from tests.ledgers import UUIDS

QUEUE = "support@default"
NOW = datetime.now(timezone.utc)
BLOCK = 65536


def wav(folder: Path, number: int, age: timedelta = timedelta(days=1)) -> Path:
    path = folder / "2026" / "01" / "01" / f"{UUIDS[number]}.wav"
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(str(path), np.zeros((8000, 2)), 8000, subtype="PCM_16")
    moment = (NOW - age).timestamp()
    os.utime(path, (moment, moment))
    return path


def unfinished(
    channels: int = 2, rate: int = 8000, sound: int = BLOCK, *, riff: int = 8, data: int = 0, before: bytes = b""
) -> bytes:
    """What FreeSWITCH 1.10.12 leaves when it is killed (-9) in a recording: whole blocks of sound, no sizes."""
    frame = 2 * channels
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, rate, rate * frame, frame, 16)
    noise = bytes(range(1, 251)) * (sound // 250 + 1)
    return (
        struct.pack("<4sI4s", b"RIFF", riff, b"WAVE")
        + form
        + before
        + struct.pack("<4sI", b"data", data)
        + noise[:sound]
    )
