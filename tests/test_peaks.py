"""What is handed out of a recording: no byte that was not compared with its seal, and what a waveform is drawn from."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from consentivr.recordings.compared import BLOCK_BYTES, Compared, NotAsSealed
from consentivr.recordings.peaks import peaks

NOISE = np.random.default_rng(1).bytes(3 * BLOCK_BYTES + 100)


def sealed(path: Path, content: bytes = NOISE) -> Compared:
    path.write_bytes(content)
    return Compared(path, hashlib.sha256(content).hexdigest())


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Compared:
    return sealed(tmp_path_factory.mktemp("sound") / "a.wav")


@given(st.integers(0, len(NOISE) + 9), st.integers(0, len(NOISE) + 9))
def test_any_part_of_it_is_read(noise: Compared, start: int, length: int) -> None:
    assert noise.read(start, length) == NOISE[start : start + length]


def test_another_file_is_not_opened(tmp_path: Path) -> None:
    sealed(tmp_path / "a.wav").close()
    with pytest.raises(NotAsSealed):
        Compared(tmp_path / "a.wav", hashlib.sha256(NOISE[:-1]).hexdigest())
    with pytest.raises(FileNotFoundError):
        Compared(tmp_path / "b.wav", "0" * 64)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(NotAsSealed):
        Compared(tmp_path / "fifo", hashlib.sha256(b"").hexdigest())
    (tmp_path / "link").symlink_to(tmp_path / "a.wav")
    with pytest.raises(OSError, match="symbolic"):
        Compared(tmp_path / "link", hashlib.sha256(NOISE).hexdigest())


def test_what_is_changed_afterwards_is_not_read(tmp_path: Path) -> None:
    file = sealed(tmp_path / "a.wav")
    with (tmp_path / "a.wav").open("r+b") as other:
        other.seek(BLOCK_BYTES + 7)
        other.write(b"x")
    assert file.read(0, BLOCK_BYTES) == NOISE[:BLOCK_BYTES]
    for start in (BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 7, BLOCK_BYTES * 2 - 1):
        with pytest.raises(NotAsSealed):
            file.read(start, 2)
    os.truncate(tmp_path / "a.wav", 2 * BLOCK_BYTES)
    with pytest.raises(NotAsSealed):
        file.read(len(NOISE) - 5, 5)


def test_it_stays_what_it_was_when_another_takes_its_name(tmp_path: Path) -> None:
    file = sealed(tmp_path / "a.wav")
    (tmp_path / "b.wav").write_bytes(b"other")
    (tmp_path / "b.wav").rename(tmp_path / "a.wav")
    assert file.read(0, len(NOISE)) == NOISE


def test_nothing_is_read_of_what_is_closed(tmp_path: Path) -> None:
    file = sealed(tmp_path / "a.wav")
    file.close()
    file.close()
    with pytest.raises(ValueError, match="closed"):
        file.read(0, 1)


def wav(samples: np.ndarray) -> io.BytesIO:
    file = io.BytesIO()
    soundfile.write(file, samples, 8000, subtype="PCM_16", format="WAV")
    file.seek(0)
    return file


def test_each_track_is_drawn_for_itself(tmp_path: Path) -> None:
    samples = np.zeros((8000, 2), dtype=np.int16)
    samples[2000:4000, 0] = 16384
    samples[6000, 1] = -32768
    content = wav(samples).getvalue()
    for file in (wav(samples), sealed(tmp_path / "a.wav", content).as_file()):
        found = peaks(file, 4)
        assert found.tracks == ((0, 0.5, 0, 0), (0, 0, 0, 1))
        assert (found.duration_s, found.kind) == (1.0, "WAV")


@pytest.mark.parametrize("frames", [0, 1, 599, 601, 8000])
def test_however_short(frames: int) -> None:
    found = peaks(wav(np.full((frames, 1), 0.25)))
    assert len(found.tracks) == 1
    assert len(found.tracks[0]) <= 600
    assert all(peak == 0.25 for peak in found.tracks[0])
    assert found.duration_s == frames / 8000


def test_what_holds_no_sound(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no sound"):
        peaks(io.BytesIO(b"nothing"))
