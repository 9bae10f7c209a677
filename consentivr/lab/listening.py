"""Who is heard when, in which channel of a recording whose speakers hum one pitch each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

STEP_S = 0.1
"""Resolution of every span, in seconds."""

LOUD = 0.02
"""Amplitude from which a pitch counts as heard, of full scale: above what PCMA adds to a hum, far below the hum."""

Span = tuple[float, float]
"""From and to, in seconds from the file's beginning."""


def heard(path: Path, pitches: Mapping[str, int], *, join_s: float = 0.0) -> list[dict[str, list[Span]]]:
    """For each channel and each name of ``pitches`` (in hertz) the spans in which it is heard.

    Pitches must be 50 Hz apart or more. Spans with a gap of at most ``join_s`` between them, such as the key that
    interrupts a hum, become one. Raises soundfile.LibsndfileError for a file that cannot be read.
    """
    samples, rate = _read(path)
    return [
        {
            name: _spans(_amplitudes(channel, rate, hertz) >= LOUD, len(channel) / rate, join_s)
            for name, hertz in pitches.items()
        }
        for channel in samples.T
    ]


def silence(path: Path) -> list[list[Span]]:
    """For each channel the spans of exact zeros, as a masked recorder writes them."""
    samples, rate = _read(path)
    step = int(rate * STEP_S)
    found = []
    for channel in samples.T:
        steps = -(-len(channel) // step)
        zero = [not channel[index * step : (index + 1) * step].any() for index in range(steps)]
        found.append(_spans(np.array(zero, dtype=bool), len(channel) / rate, 0.0))
    return found


def duration(path: Path) -> float:
    """Seconds of sound in the file."""
    with soundfile.SoundFile(str(path)) as file:
        return float(file.frames / file.samplerate)


def total(spans: list[Span]) -> float:
    """Seconds in all spans together."""
    return sum(until - since for since, until in spans)


def _read(path: Path) -> tuple[npt.NDArray[np.float64], int]:
    samples, rate = soundfile.read(str(path), always_2d=True, dtype="float64")
    return samples, int(rate)


def _amplitudes(channel: npt.NDArray[np.float64], rate: int, hertz: int) -> npt.NDArray[np.float64]:
    """The amplitude at ``hertz`` in each step, through a Hann window: a neighbour 50 Hz off leaks less than 1 %."""
    step = int(rate * STEP_S)
    steps = -(-len(channel) // step)
    framed = np.zeros(steps * step)
    framed[: len(channel)] = channel
    window = np.hanning(step)
    wave = window * np.exp(-2j * np.pi * hertz * np.arange(step) / rate)
    found: npt.NDArray[np.float64] = 2 * np.abs(framed.reshape(steps, step) @ wave) / window.sum()
    return found


def _spans(loud: npt.NDArray[np.bool_], end_s: float, join_s: float) -> list[Span]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], loud, [False])).astype(int)))
    spans: list[Span] = []
    for first, after in edges.reshape(-1, 2):
        since, until = round(float(first * STEP_S), 3), round(float(min(after * STEP_S, end_s)), 3)
        if spans and since - spans[-1][1] <= join_s + 1e-9:
            since = spans.pop()[0]
        spans.append((since, until))
    return spans
