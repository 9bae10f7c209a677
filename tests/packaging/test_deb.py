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
from consentivr.lab.native import find_freeswitch

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

    def run(self, *command: str, good: bool = True, before: str = "true") -> str:
        """``before``, a line of shell outside of it, a network of its own is made ready."""
        network = [] if before == "true" else ["--net"]
        done = subprocess.run(
            ["unshare", "--mount", *network, "--pid", "--fork", "--kill-child",
             "sh", "-ec", f'{before}; exec "$@"', "sh", "chroot", str(self.root), "/usr/bin/env",
             "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=/root",
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_nothing_starts_unasked_and_setup_shows_its_plan(debian: Debian, package: Path) -> None:
    debian.run("dpkg", "--install", f"/tmp/{package.name}")
    units = debian.path("/lib/systemd/system")
    shipped = {path.name for path in (ROOT / "systemd").iterdir()}
    assert {path.name for path in units.glob("consentivr*")} == shipped
    assert list(debian.path("/etc/systemd/system").rglob("*consentivr*")) == []
    prefix = Path(find_freeswitch() or "/").resolve().parent.parent
    if not (prefix / "etc" / "freeswitch" / "vars.xml").exists():
        pytest.skip("setup not tried: needs a FreeSWITCH with its vanilla configuration")
    told = debian.run(
        "sh", "-c", PLAN.format(prefix=prefix),
        before=f"ip link set lo up; ip address add 198.51.100.99/24 dev lo; ip route add default dev lo; "
        f"mkdir -p {debian.root}{prefix} {debian.root}/libraries; mount -t tmpfs tmpfs {debian.root}/libraries; "
        f"cp -L {' '.join(libraries(prefix))} {debian.root}/libraries; mount --bind {prefix} {debian.root}{prefix}; "
        f"mount -t proc proc {debian.root}/proc",
    )  # fmt: skip
    assert "exit 1" in told, told
    assert "dialplan/public/00_consentivr.xml" in told
    assert not debian.path("/etc/consentivr/setup.journal").exists()


PLAN = """
export LD_LIBRARY_PATH=/libraries
sed 's/cmd="stun-set"/cmd="set"/; s/data="\\(external_[a-z]*_ip\\)=[^"]*/data="\\1=198.51.100.99/' \\
  {prefix}/etc/freeswitch/vars.xml > /tmp/vars.xml
cp -a {prefix}/etc/freeswitch /tmp/conf && cp /tmp/vars.xml /tmp/conf/
sed -i 's/value="::"/value="127.0.0.1"/' /tmp/conf/autoload_configs/event_socket.conf.xml
mkdir -p /tmp/log /tmp/db /tmp/run
{prefix}/bin/freeswitch -nonat -nf -nc -conf /tmp/conf -log /tmp/log -db /tmp/db -run /tmp/run >/tmp/out 2>&1 &
unset LD_LIBRARY_PATH
for i in $(seq 60); do consentivr setup --dry-run > /tmp/said 2>&1; code=$?; [ $code = 2 ] || break; sleep 1; done
cat /tmp/said; echo exit $code
"""


def libraries(prefix: Path) -> list[str]:
    """What FreeSWITCH needs of a system, and a bare one has not."""
    programs = [prefix / "bin" / "freeswitch", *prefix.rglob("mod/*.so")]
    said = subprocess.run(["ldd", *map(str, programs)], check=False, capture_output=True, text=True).stdout
    found = {Path(path).name: path for path in re.findall(r"=> (/\S+)", said) if not Path(path).is_relative_to(prefix)}
    return sorted(path for name, path in found.items() if name.split(".")[0] not in ("libc", "libm", "libpthread"))
