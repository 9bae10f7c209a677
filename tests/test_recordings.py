"""Paths of recordings, and erasing nothing but them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from consentivr.recordings import ErasedAudio, erase_audio, is_channel_uuid, recording_path

UUID = "26c9d23f-fed1-4cfe-b05e-66ccabca7936"


def test_a_path_holds_nothing_of_the_callers() -> None:
    assert recording_path("/r", UUID, date(2026, 11, 3)) == f"/r/2026/11/03/{UUID}.wav"


@pytest.mark.parametrize("text", ["", "../../etc/passwd", UUID.upper(), UUID + "\n", UUID[:-1], f"{UUID}/x", "ä" * 36])
def test_what_is_no_channel_uuid(text: str) -> None:
    assert not is_channel_uuid(text)
    with pytest.raises(ValueError, match="not a UUID"):
        recording_path("/r", text, date(2026, 11, 3))


def test_erasing(tmp_path: Path) -> None:
    file = tmp_path / "2026" / "a.wav"
    file.parent.mkdir()
    file.write_bytes(b"x")
    assert erase_audio(tmp_path, [str(file), str(tmp_path / "gone.wav")]) == ErasedAudio(1, 1)
    assert not file.exists()


def test_nothing_outside_is_erased(tmp_path: Path) -> None:
    inside, outside = tmp_path / "recordings" / "a.wav", tmp_path / "passwd"
    inside.parent.mkdir()
    for file in (inside, outside):
        file.write_bytes(b"x")
    link = tmp_path / "recordings" / "link.wav"
    link.symlink_to(outside)
    for path in (str(outside), str(inside.parent / ".." / "passwd"), str(link)):
        with pytest.raises(ValueError, match="erase it by hand"):
            erase_audio(inside.parent, [str(inside), path])
    assert inside.exists()
    assert outside.exists()
