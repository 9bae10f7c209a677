"""Paths of recordings, and erasing nothing but them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from consentivr.recordings import Elsewhere, Places, is_channel_uuid, recording_path

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
    assert Places(tmp_path).erase(str(file)) is True
    assert Places(tmp_path).erase(str(file)) is False, "it was not there"
    with pytest.raises(FileNotFoundError, match="is not there"):
        Places(tmp_path / "unmounted").erase(str(tmp_path / "unmounted" / "a.wav"))


def test_nothing_outside_is_erased(tmp_path: Path) -> None:
    inside, outside = tmp_path / "recordings" / "a.wav", tmp_path / "passwd"
    inside.parent.mkdir()
    for file in (inside, outside):
        file.write_bytes(b"x")
    link = tmp_path / "recordings" / "link.wav"
    link.symlink_to(outside)
    for path in (str(outside), str(inside.parent / ".." / "passwd"), str(link)):
        with pytest.raises(Elsewhere):
            Places(inside.parent).erase(path)
    assert outside.exists()


def test_recordings_that_were_moved(tmp_path: Path) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    places = Places(new, former=(old,))
    for folder in (new, old):
        folder.mkdir()
    (new / "a.wav").write_bytes(b"x")
    (new / "out.wav").symlink_to(tmp_path / "passwd")
    assert places.file_of(str(old / "a.wav")) == new / "a.wav"
    (old / "a.wav").write_bytes(b"y")
    assert places.file_of(str(old / "a.wav")) == old / "a.wav", "not moved yet"
    with pytest.raises(Elsewhere):
        places.file_of(str(old / "out.wav"))
