"""How loud a recording is over its time: what a waveform is drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

import numpy as np
import soundfile

PARTS = 600
"""More than a page is wide enough to show apart."""

_FULL = 32768


@dataclass(frozen=True)
class Peaks:
    """``tracks``: for each channel the loudest sample of each part, from 0 to 1. ``kind``: as libsndfile names it."""

    duration_s: float
    kind: str
    tracks: tuple[tuple[float, ...], ...]


def peaks(file: IO[bytes], parts: int = PARTS) -> Peaks:
    """Of a recording of any kind that libsndfile reads; fewer parts where there are fewer samples.

    Raises OSError for what holds no sound.
    """
    try:
        with soundfile.SoundFile(file) as sound:
            size = max(1, -(-sound.frames // parts))
            loudest = [_loudest(block) for block in sound.blocks(size, dtype="int16", always_2d=True)]
            tracks = np.array(loudest, dtype=float).reshape(-1, sound.channels).T
            return Peaks(sound.frames / sound.samplerate, sound.format, tuple(map(tuple, tracks.round(3).tolist())))
    except soundfile.LibsndfileError as error:
        raise OSError(f"it holds no sound: {error}") from None


def _loudest(block: np.ndarray) -> np.ndarray:
    loudest: np.ndarray = np.maximum(block.max(axis=0).astype(int), -block.min(axis=0).astype(int)) / _FULL
    return loudest
