"""What the lab's ears hear in files made for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from consentivr.lab.listening import duration, heard, silence, total

RATE = 8000
PITCHES = {"caller": 400, "agent": 600, "second": 650}


def hum(hertz: int, seconds: float, amplitude: float = 0.3) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * hertz * np.arange(int(RATE * seconds)) / RATE)


def quiet(seconds: float) -> np.ndarray:
    return np.zeros(int(RATE * seconds))


@pytest.fixture(params=["PCM_16", "ALAW"])
def stereo(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Caller left for 1 s, then nothing for 0.5 s, then again; agent right from 0.5 s on."""
    left = np.concatenate([hum(400, 1), quiet(0.5), hum(400, 0.53)])
    right = np.concatenate([quiet(0.5), hum(600, 1.53)])
    path = tmp_path / "made.wav"
    soundfile.write(str(path), np.column_stack([left, right]), RATE, subtype=request.param)
    return path


def test_each_channel_has_its_own_voices(stereo: Path) -> None:
    left, right = heard(stereo, PITCHES)
    assert left == {"caller": [(0.0, 1.0), (1.5, 2.03)], "agent": [], "second": []}
    assert right == {"caller": [], "agent": [(0.5, 2.03)], "second": []}
    assert duration(stereo) == pytest.approx(2.03)
    assert total(left["caller"]) == pytest.approx(1.53)


def test_a_gap_may_be_joined(stereo: Path) -> None:
    assert heard(stereo, PITCHES, join_s=0.5)[0]["caller"] == [(0.0, 2.03)]
    assert len(heard(stereo, PITCHES, join_s=0.4)[0]["caller"]) == 2


def test_two_voices_in_one_channel_and_a_neighbouring_pitch(tmp_path: Path) -> None:
    path = tmp_path / "mono.wav"
    soundfile.write(str(path), hum(400, 1) + hum(600, 1), RATE, subtype="ALAW")
    (mono,) = heard(path, PITCHES)
    assert mono == {"caller": [(0.0, 1.0)], "agent": [(0.0, 1.0)], "second": []}


def test_silence_is_exact_zeros(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).uniform(-0.001, 0.001, RATE // 2)
    path = tmp_path / "masked.wav"
    soundfile.write(str(path), np.concatenate([hum(400, 0.5), quiet(1), noise]), RATE, subtype="PCM_16")
    assert silence(path) == [[(0.5, 1.5)]]
    assert heard(path, {"caller": 400}) == [{"caller": [(0.0, 0.5)]}]


def test_an_empty_recording(tmp_path: Path) -> None:
    path = tmp_path / "empty.wav"
    soundfile.write(str(path), quiet(0), RATE, subtype="PCM_16")
    assert heard(path, PITCHES) == [{"caller": [], "agent": [], "second": []}]
    assert silence(path) == [[]]
