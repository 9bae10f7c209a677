"""The wheel, installed into an empty virtual environment, in an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]


def test_the_installed_wheel_runs_the_demonstration(tmp_path: Path) -> None:
    source = tmp_path / "source"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(source)], check=True)
    for changed in subprocess.run(
        ["git", "ls-files", "--modified", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.splitlines():  # fmt: skip
        target = source / changed
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / changed).exists():
            target.write_bytes((ROOT / changed).read_bytes())
        else:
            target.unlink(missing_ok=True)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(source)]
    subprocess.run(build, check=True)
    (wheel,) = tmp_path.glob("consentivr-*.whl")
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", str(wheel)], check=True)
    here, (there,) = ROOT / "consentivr" / "console", (tmp_path / "venv").rglob("site-packages/consentivr/console")
    pages = {file.relative_to(here) for end in ("templates", "static") for file in (here / end).rglob("*.*")}
    assert {file.relative_to(there) for end in ("templates", "static") for file in (there / end).rglob("*.*")} == pages
    empty = tmp_path / "empty"
    empty.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [tmp_path / "venv" / "bin" / "consentivr", "demo", "--keep", str(tmp_path / "demo"), "--speed", "20"],
        cwd=empty, env=environment, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "given         consent_key" in done.stdout
    assert len(list((tmp_path / "demo").rglob("*.wav"))) == 2
    assert list(empty.iterdir()) == []
    rendered = subprocess.run(
        [tmp_path / "venv" / "bin" / "consentivr", "config", "example"], cwd=empty, check=True, capture_output=True
    )
    (empty / "c.yaml").write_bytes(rendered.stdout)
    out = [tmp_path / "venv" / "bin" / "consentivr", "render", "-c", "c.yaml", "--out", "xml"]
    subprocess.run(out, cwd=empty, check=True, capture_output=True)
    assert len(list((empty / "xml").rglob("*.xml"))) == 3
