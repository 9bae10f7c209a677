"""Root asks whether the user that serves could: a folder that root made is found before 'serve' falls over it."""

from __future__ import annotations

import os
import pwd
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from consentivr.check import Level
from consentivr.config import Configuration, load
from consentivr.resources import shipped
from consentivr.service import reach

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="asks about another user than the one that tests")


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Configuration]:
    """By 'nobody', in a folder to which everybody finds the way."""
    monkeypatch.setattr(reach, "OWN_USER", "nobody")
    configuration = load(shipped("config") / "consentivr.yaml")
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "recordings").mkdir()
        (folder / "secret").write_text("x" * 32)
        (folder / "secret").chmod(0o600)
        yield configuration.changed(
            ledger=configuration.ledger.changed(path=folder / "ledger.sqlite3", head_file=folder / "head"),
            recordings=configuration.recordings.changed(folder=folder / "recordings"),
            service=configuration.service.changed(secret_file=folder / "secret"),
            switches=[configuration.switches[0].changed(password_file=folder / "secret")],
        )


def test_what_root_made_is_out_of_reach(served: Configuration) -> None:
    said = [(finding.level, finding.said) for finding in reach.reach(served)]
    folder = served.ledger.path.parent
    assert (Level.BAD, f"nobody, who serves, may not write to {folder}") in said
    assert (Level.BAD, f"nobody, who serves, may not write to {folder / 'recordings'}") in said
    assert (Level.BAD, f"nobody, who serves, may not read {folder / 'secret'}") in said


def test_what_is_given_to_it_is_not(served: Configuration) -> None:
    nobody, folder = pwd.getpwnam("nobody"), served.ledger.path.parent
    for path in (folder, *folder.iterdir()):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    assert [finding.level for finding in reach.reach(served)] == [Level.GOOD]


def test_where_nobody_serves_so_nothing_is_said(served: Configuration, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "OWN_USER", "nobody-of-that-name")
    assert list(reach.reach(served)) == []
