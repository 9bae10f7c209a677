"""Done, done again, undone: killed at any point, and with what others changed meanwhile."""

from __future__ import annotations

import grp
import json
import os
import pwd
from collections.abc import Iterator
from pathlib import Path

import pytest

from consentivr.setup import steps
from consentivr.setup.doing import do, pending, undo
from consentivr.setup.journal import Journal
from consentivr.setup.machine import Machine
from consentivr.setup.steps import EditFile, Here, MakeDays, MakeFolder, Step, WriteFile

ME, MINE = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name


class Killed(BaseException):
    """Nothing can be done about it."""


class Mortal(Machine):
    """Dies after so many things that it has done, or just before them."""

    def __init__(self, lives: int, *, before: bool) -> None:
        self.lives = lives
        self.before = before

    def _live(self) -> None:
        self.lives -= 1
        if self.lives < 0:
            raise Killed

    def write(self, *args: object, **more: object) -> None:
        if self.before:
            self._live()
        super().write(*args, **more)  # type: ignore[arg-type]
        if not self.before:
            self._live()

    def make_folder(self, *args: object, **more: object) -> None:
        if self.before:
            self._live()
        super().make_folder(*args, **more)  # type: ignore[arg-type]
        if not self.before:
            self._live()


def ignore(said: str) -> None:
    """Nobody listens."""


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """The switch's configuration."""
    folder = tmp_path / "conf"
    folder.mkdir()
    (folder / "vars.xml").write_bytes(b"<include>\r\n<!-- \xff, as written in Latin-1 -->\r\n</include>\r\n")
    (folder / "vars.xml").chmod(0o604)
    (folder / "own.xml").write_text("theirs")
    return folder


def plan(tmp_path: Path, text: str = "ours") -> list[Step]:
    conf, state = tmp_path / "conf", tmp_path / "state"
    old = "</include>\r\n"
    return [
        MakeFolder(str(state), 0o711, ME, MINE),
        MakeFolder(str(state / "recordings"), 0o2770, ME, MINE),
        MakeDays(str(state / "recordings")),
        WriteFile(str(state / "config.yaml"), "a: 1", 0o640, ME, MINE, "what you can choose", keep=True),
        WriteFile(str(conf / "dialplan" / "public" / "ours.xml"), text, 0o640, None, None, "the lines"),
        WriteFile(str(conf / "own.xml"), text, 0o640, None, None, "a file that was there"),
        EditFile(str(conf / "vars.xml"), old, "  <line/>\r\n" + old, "a line"),
    ]


def contents(tmp_path: Path) -> dict[str, tuple[int, bytes]]:
    """Everything but the journal, with its rights."""
    return {
        str(path.relative_to(tmp_path)): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in tmp_path.rglob("*")
        if "etc" not in path.parts
    }


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "etc" / "setup.journal")


def test_done_and_undone(tmp_path: Path, conf: Path, journal: Journal) -> None:
    before, here, steps = contents(tmp_path), Here(Machine()), plan(tmp_path)
    do(steps, here, journal, ignore)
    assert pending(steps, here, journal) == []
    assert (conf / "vars.xml").read_bytes().endswith(b"  <line/>\r\n</include>\r\n")
    assert (conf / "vars.xml").stat().st_mode & 0o777 == 0o604
    assert (tmp_path / "state" / "recordings").stat().st_mode & 0o7777 == 0o2770
    assert journal.path.stat().st_mode & 0o777 == 0o600
    after = contents(tmp_path)
    do(steps, here, journal, pytest.fail)
    assert contents(tmp_path) == after, "again does nothing"
    assert undo(here, journal, ignore) == []
    assert contents(tmp_path) == before
    assert not journal.path.parent.exists()


def lives() -> Iterator[tuple[int, bool]]:
    for count in range(6):
        yield from ((count, True), (count, False))


@pytest.mark.parametrize(("count", "before"), list(lives()))
def test_killed_at_any_point_it_goes_on_or_is_undone(
    tmp_path: Path, conf: Path, journal: Journal, count: int, before: bool
) -> None:
    was, steps = contents(tmp_path), plan(tmp_path)
    with pytest.raises(Killed):
        do(steps, Here(Mortal(count, before=before)), journal, ignore)
    assert undo(Here(Machine()), journal, ignore) == []
    assert contents(tmp_path) == was, "undone"
    with pytest.raises(Killed):
        do(steps, Here(Mortal(count, before=before)), journal, ignore)
    do(steps, Here(Machine()), journal, ignore)
    done = contents(tmp_path)
    assert pending(steps, Here(Machine()), journal) == [], "gone on"
    with pytest.raises(Killed):
        undo(Here(Mortal(0, before=before)), journal, ignore)
    assert undo(Here(Machine()), journal, ignore) == []
    assert contents(tmp_path) == was, "killed while it undid, and undone"
    do(steps, Here(Machine()), journal, ignore)
    assert contents(tmp_path) == done


def test_a_journal_that_was_cut_off_is_gone_on_with(tmp_path: Path, conf: Path, journal: Journal) -> None:
    was, steps = contents(tmp_path), plan(tmp_path)
    do(steps, Here(Machine()), journal, ignore)
    with journal.path.open("a") as file:
        file.write('{"number": 99, "kind": "Ma')
    do([*steps, MakeFolder(str(tmp_path / "more"), 0o700, ME, MINE)], Here(Machine()), journal, ignore)
    assert all(json.loads(line) for line in journal.path.read_text().splitlines())
    assert undo(Here(Machine()), journal, ignore) == []
    assert contents(tmp_path) == was


def test_what_others_changed_meanwhile_stays(tmp_path: Path, conf: Path, journal: Journal) -> None:
    here = Here(Machine())
    do(plan(tmp_path), here, journal, ignore)
    vars_, ours = conf / "vars.xml", conf / "dialplan" / "public" / "ours.xml"
    vars_.write_bytes(vars_.read_bytes().replace(b"<include>", b"<include><!-- mine -->"))
    ours.write_text("changed by hand")
    (tmp_path / "state" / "config.yaml").write_text("a: 2")
    said: list[str] = []
    left = undo(here, journal, said.append)
    assert vars_.read_bytes() == b"<include><!-- mine -->\r\n<!-- \xff, as written in Latin-1 -->\r\n</include>\r\n"
    assert len(left) == 1
    assert "ours.xml was changed since setup wrote it" in left[0]
    assert ours.read_text() == "changed by hand"
    assert any("kept" in line and "config.yaml" in line for line in said)
    assert (tmp_path / "state" / "config.yaml").read_text() == "a: 2"
    ours.unlink()
    assert undo(here, journal, ignore) == []
    assert not ours.parent.exists()


def test_recordings_stay(tmp_path: Path, conf: Path, journal: Journal) -> None:
    here = Here(Machine())
    do(plan(tmp_path), here, journal, ignore)
    day = next((tmp_path / "state" / "recordings").glob("*/*/*"))
    (day / "call.wav").write_bytes(b"RIFF")
    assert undo(here, journal, ignore) == []
    assert [path.name for path in (tmp_path / "state").rglob("*") if path.is_file()] == ["call.wav"]


def test_what_render_wrote_anew_is_undone_too(tmp_path: Path, conf: Path, journal: Journal) -> None:
    was, here = contents(tmp_path), Here(Machine())
    do(plan(tmp_path), here, journal, ignore)
    for path in (conf / "dialplan" / "public" / "ours.xml", conf / "own.xml"):
        path.write_text("newer")  # as 'consentivr render' does
    do(plan(tmp_path, "newer"), here, journal, ignore)
    assert undo(here, journal, ignore) == []
    assert contents(tmp_path) == was


def test_a_newer_plan_is_undone_to_the_beginning(tmp_path: Path, conf: Path, journal: Journal) -> None:
    was, here = contents(tmp_path), Here(Machine())
    do(plan(tmp_path), here, journal, ignore)
    do(plan(tmp_path, "newer"), here, journal, ignore)
    assert (conf / "own.xml").read_text() == "newer"
    assert undo(here, journal, ignore) == []
    assert contents(tmp_path) == was


def test_a_unit_that_the_package_has_brought_is_not_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "PACKAGED", tmp_path / "lib")
    (tmp_path / "lib").mkdir()
    own, brought = tmp_path / "etc" / "ours.service", tmp_path / "lib" / "ours.service"
    own.parent.mkdir()
    unit, here = steps.WriteUnit(str(own), "[Unit]", 0o644, ME, MINE, "what systemd runs"), Here(Machine())
    assert not unit.is_done(here)
    brought.write_text("[Unit]")
    assert unit.is_done(here)
    brought.write_text("[Unit]\n# of an older package")
    assert not unit.is_done(here)
    brought.write_text("[Unit]")
    own.write_text("[Unit]\n# what an administrator wrote")
    assert not unit.is_done(here), "that one counts"
