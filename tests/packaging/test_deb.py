"""The Debian package in a bare Debian: built, installed, used, removed, purged.

Skipped without root, debootstrap, debhelper and a mirror; CONSENTIVR_REQUIRE_DEB=1 fails instead. The bare Debian is
kept between runs below /var/cache/consentivr-tests.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import consentivr

ROOT = Path(__file__).parents[2]
CACHE = Path("/var/cache/consentivr-tests")
NEEDED = ("debootstrap", "dh", "dpkg-deb", "chroot", "unshare")


def test_its_version_is_ours() -> None:
    assert (ROOT / "debian" / "changelog").read_text().startswith(f"consentivr ({consentivr.__version__})")


def lacks() -> str | None:
    if os.geteuid() != 0:
        return "root"
    return next((name for name in NEEDED if not shutil.which(name)), None)


def not_tried(why: str) -> None:
    if os.environ.get("CONSENTIVR_REQUIRE_DEB"):
        pytest.fail(f"the Debian package cannot be tried: {why}")
    pytest.skip(f"THE DEBIAN PACKAGE IS NOT TRIED: {why}")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if missing := lacks():
        not_tried(f"it needs {missing}")
    source = tmp_path_factory.mktemp("package") / "source"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(source)], check=True)
    made = subprocess.run(["make", "deb"], cwd=source, check=False, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout[-2000:] + made.stderr[-2000:]
    (deb,) = (source / "dist").glob("consentivr_*.deb")
    return deb


class Debian:
    """A root of its own; ``run`` in it, as in a machine without systemd."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def run(self, *command: str, good: bool = True) -> str:
        done = subprocess.run(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "chroot", str(self.root),
             "/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=/root",
             "DEBIAN_FRONTEND=noninteractive", *command],
            check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600,
        )  # fmt: skip
        assert (done.returncode == 0) == good, f"{command}: {done.stdout[-3000:]}"
        return done.stdout

    def path(self, name: str) -> Path:
        return self.root / name.removeprefix("/")


def release() -> str:
    found = re.search(r"^VERSION_CODENAME=(\w+)$", Path("/etc/os-release").read_text(), re.MULTILINE)
    return found[1] if found else "stable"


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory, package: Path) -> Iterator[Debian]:
    bare = CACHE / release()
    if not (bare / "usr/bin/python3").exists():
        shutil.rmtree(bare, ignore_errors=True)
        CACHE.mkdir(parents=True, exist_ok=True)
        command = ["debootstrap", "--variant=minbase", "--include=adduser,python3", release(), str(bare)]
        made = subprocess.run(command, check=False, capture_output=True, text=True)
        if made.returncode != 0:
            shutil.rmtree(bare, ignore_errors=True)
            not_tried(f"debootstrap: {made.stderr.strip()[-200:] or made.stdout.strip()[-200:]}")
    root = tmp_path_factory.mktemp("debian") / "root"
    subprocess.run(["cp", "-a", str(bare), str(root)], check=True)
    shutil.copy(package, root / "tmp")
    made = Debian(root)
    yield made
    shutil.rmtree(root, ignore_errors=True)


def test_it_is_installed_used_removed_and_purged(debian: Debian, package: Path) -> None:
    debian.run("dpkg", "--install", f"/tmp/{package.name}")
    assert consentivr.__version__ in debian.run("consentivr", "--version")
    assert "consentivr:" in debian.run("getent", "passwd", "consentivr")
    said = debian.run("runuser", "-u", "consentivr", "--", "stat", "-c", "%U", "/var/lib/consentivr")
    assert said.strip() == "consentivr"
    debian.path("/etc/consentivr/consentivr.yaml").write_text(debian.run("consentivr", "config", "example"))
    said = debian.run("runuser", "-u", "consentivr", "--", "consentivr", "demo", "--speed", "20")
    assert "given         consent_key" in said
    # No path of where it was built.
    assert not debian.run("grep", "-rl", "/source/debian/", "/usr/lib/consentivr/bin", "/usr/bin", good=False)
    # Both databases are there.
    debian.run("/usr/lib/consentivr/bin/python3", "-c", "import psycopg, rfc3161_client")

    evidence = ["/var/lib/consentivr/ledger.sqlite3", "/var/lib/consentivr/recordings/2026/11/28/a.wav"]
    for name in evidence:
        debian.path(name).parent.mkdir(parents=True, exist_ok=True)
        debian.path(name).write_text("evidence")
    debian.run("dpkg", "--remove", "consentivr")
    assert not debian.path("/usr/lib/consentivr").exists()
    said = debian.run("dpkg", "--purge", "consentivr")
    assert "/var/lib/consentivr is kept" in said
    for name in evidence:
        assert debian.path(name).read_text() == "evidence"
    assert debian.path("/etc/consentivr/consentivr.yaml").exists()


def test_nothing_starts_unasked(debian: Debian, package: Path) -> None:
    debian.run("dpkg", "--install", f"/tmp/{package.name}")
    wanted = [str(path) for path in debian.path("/etc/systemd/system").rglob("*consentivr*")]
    assert wanted == []
