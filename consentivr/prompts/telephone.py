"""What a telephone makes of speech, beforehand: its band, clear consonants, one level."""

from __future__ import annotations

import numpy as np

LEVEL_DBFS = -20.0
"""Of every announcement while it speaks, so that none startles after another: mean power, in dB below full scale."""

_LOWEST, _HIGHEST = 300.0, 3400.0
"""The band of a telephone at 8000 Hz (ITU-T G.712); at 16000 Hz it reaches twice as high."""

_CLEAR_FROM, _CLEAR_SHARE, _CLEAR_MOST_DB = 1000.0, 0.2, 15.0
"""So much of the power is above it, where consonants are: a voice that has less there is lifted, up to so many dB."""

_KNEE, _PEAK = 0.6, 0.89
"""No sample goes beyond the second; from the first on it is bent towards it."""

_WINDOW_SECONDS = 0.05
_PAUSE_DB = 30.0
"""What is softer than the loudest window by more is a pause."""


def levels_dbfs(samples: np.ndarray, rate: int) -> np.ndarray:
    """Level of each 50 ms, in dB below full scale."""
    window = max(1, int(rate * _WINDOW_SECONDS))
    padded = np.pad(samples, (0, -len(samples) % window)).reshape(-1, window)
    power = (padded.astype(np.float64) ** 2).mean(axis=1)
    return np.asarray(10 * np.log10(np.maximum(power, 1e-18)))


def level_dbfs(samples: np.ndarray, rate: int) -> float:
    """Level while it speaks, pauses left out, in dB below full scale."""
    levels = levels_dbfs(samples, rate)
    spoken = levels[levels > levels.max() - _PAUSE_DB]
    return float(10 * np.log10((10 ** (spoken / 10)).mean()))


def trimmed(samples: np.ndarray, rate: int) -> np.ndarray:
    """Without the silence before and behind."""
    window = max(1, int(rate * _WINDOW_SECONDS))
    levels = levels_dbfs(samples, rate)
    spoken = np.flatnonzero(levels > levels.max() - 2 * _PAUSE_DB)
    return samples[spoken[0] * window : (spoken[-1] + 1) * window]


def for_telephones(samples: np.ndarray, rate_in: int, rate: int) -> np.ndarray:
    """At another rate, in a telephone's band, clear, levelled, never clipped.

    By way of the spectrum: the whole announcement is at hand, so nothing rings at a seam.
    """
    length = round(len(samples) * rate / rate_in)
    spectrum = np.fft.rfft(samples)
    kept = np.zeros(length // 2 + 1, dtype=spectrum.dtype)
    shared = min(len(kept), len(spectrum))
    octaves = np.log2(np.maximum(np.fft.rfftfreq(length, 1 / rate), 1.0))
    kept[:shared] = spectrum[:shared]
    kept *= _band(octaves, rate)
    shaped = np.fft.irfft(kept * _lift(kept, octaves), length)
    levelled = shaped * 10 ** ((LEVEL_DBFS - level_dbfs(shaped, rate)) / 20)
    return _limited(levelled)


def _limited(samples: np.ndarray) -> np.ndarray:
    room = _PEAK - _KNEE
    bent = _KNEE + room * np.tanh((np.abs(samples) - _KNEE) / room)
    return np.where(np.abs(samples) > _KNEE, np.sign(samples) * bent, samples)


def _band(octaves: np.ndarray, rate: int) -> np.ndarray:
    """What is left of each frequency (log2 of Hz)."""
    highest = np.log2(_HIGHEST * rate / 8000)
    low = _step(octaves, np.log2(_LOWEST) - 0.5, np.log2(_LOWEST))
    return np.asarray(low * (1 - _step(octaves, highest, highest + 0.2)))


def _lift(spectrum: np.ndarray, octaves: np.ndarray) -> np.ndarray:
    power, high = np.abs(spectrum) ** 2, octaves >= np.log2(_CLEAR_FROM)
    share = power[high].sum() / max(power.sum(), 1e-18)
    wanted = _CLEAR_SHARE / (1 - _CLEAR_SHARE) * (1 - share) / max(share, 1e-9)
    decibels = np.clip(10 * np.log10(max(wanted, 1e-9)), 0, _CLEAR_MOST_DB)
    above = _step(octaves, np.log2(_CLEAR_FROM) - 0.5, np.log2(_CLEAR_FROM) + 0.5)
    return np.asarray(10 ** (above * decibels / 20))


def _step(at: np.ndarray, low: float, high: float) -> np.ndarray:
    """From 0 to 1, smoothly."""
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * np.clip((at - low) / (high - low), 0, 1)))
