"""Folders in which two users may record, write and erase."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import gevent
import numpy as np
import pytest
import soundfile

from consentivr.custody import DayFolders
from consentivr.recordings import is_unfinished, make_days, repair, silence

DAY = date(2026, 12, 30)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs another user than the one that tests")


def rights(path: Path) -> tuple[int, int, int]:
    there = path.stat()
    return stat.S_IMODE(there.st_mode), there.st_uid, there.st_gid


def test_yesterday_today_and_a_week(tmp_path: Path) -> None:
    tmp_path.chmod(0o2770)
    make_days(tmp_path, DAY)
    days = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/*/*"))
    assert days == ["2026/12/29", "2026/12/30", "2026/12/31", *(f"2027/01/0{day}" for day in range(1, 7))]
    for path in tmp_path.rglob("*"):
        assert rights(path) == rights(tmp_path), path
    (tmp_path / "2026" / "12" / "31").chmod(0o700)  # as one who was killed leaves it
    make_days(tmp_path, DAY)
    assert rights(tmp_path / "2026" / "12" / "31") == rights(tmp_path)


@as_root
def test_made_by_root_they_are_its_owners_and_others_are_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o2770)
    os.chown(tmp_path, 4711, 4712)
    theirs = tmp_path / "2026"
    theirs.mkdir(0o750)
    os.chown(theirs, 4713, 4713)
    before = rights(theirs)
    make_days(tmp_path, DAY)
    assert rights(theirs) == before, "FreeSWITCH's own"
    assert rights(tmp_path / "2027" / "01" / "01") == (0o2770, 4711, 4712)


def test_serve_keeps_them_ready(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    DayFolders(tmp_path / "not there").start()
    folder.mkdir()
    days = DayFolders(folder)
    days.start()
    gevent.sleep(0.05)
    days.stop()
    assert len(list(folder.glob("*/*/*"))) == 9


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """One to which every user finds the way."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@as_root
def test_a_recording_of_another_user_is_repaired_and_silenced(open_folder: Path) -> None:
    """As FreeSWITCH with umask 022 leaves it: in our folder, and not ours to write to."""
    file = open_folder / "call.wav"
    soundfile.write(file, np.full((16000, 2), 1000, np.int16), 8000, subtype="PCM_16")
    raw = bytearray(file.read_bytes())
    raw[4:8] = raw[40:44] = b"\0\0\0\0"
    file.write_bytes(raw)
    file.chmod(0o640)
    os.chown(open_folder, 4711, 4712)
    os.chown(file, 4713, 4712)
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setgid(4712)
        os.setuid(4711)
        try:
            assert not os.access(file, os.W_OK)
            assert repair(file)
            silence(file, [(0.0, 1.0)])
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert not is_unfinished(file)
    assert rights(file) == (0o640, 4711, 4712)
    sound, _ = soundfile.read(file, dtype="int16")
    assert not sound[:8000].any()
    assert sound[8000:].all()
