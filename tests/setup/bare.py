"""A machine with nothing but FreeSWITCH on it, within this one: files, network and processes of its own, gone after.

Namespaces of Linux's: what is changed below /etc, /var, /opt and where FreeSWITCH is installed is changed there only,
and nothing of it is left. Needs root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).parents[2]

_SPACES = ("--mount", "--net", "--pid", "--cgroup", "--uts", "--ipc")

_WITH_SYSTEMD = """
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir /run/lock
for unit in udevd.service udevd-kernel.socket udevd-control.socket udev-trigger.service tmpfiles-setup-dev.service; do
    ln -sf /dev/null /etc/systemd/system/systemd-$unit
done
rm -f /etc/systemd/system/*.wants/*
export container=bare
"""
_SYSTEMD = "/lib/systemd/systemd --system --unit=basic.target --log-target=null --show-status=no"

_BEGIN = """
set -e
ip link set lo up
ip address add 192.0.2.10/24 dev lo
ip route add default dev lo src 192.0.2.10
ip address add 2001:db8::10/64 dev lo nodad
mount -t tmpfs -o mode=755 tmpfs /mnt
for folder in {folders}; do
    mkdir -p /mnt$folder/upper /mnt$folder/work
    mount -t overlay -o lowerdir=$folder,upperdir=/mnt$folder/upper,workdir=/mnt$folder/work overlay $folder
done
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /tmp
for folder in {passed}; do chmod o+x $folder; done
getent passwd consentivr && userdel consentivr
getent passwd freeswitch || useradd --system --user-group --no-create-home --shell /usr/sbin/nologin freeswitch
{more}
rm -rf /etc/consentivr /var/lib/consentivr /var/log/consentivr /opt/consentivr
touch /tmp/ready
exec {first}
"""


def is_possible() -> bool:
    """Whether such a machine can be had here."""
    if os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("ip") is None:
        return False
    return subprocess.run(["unshare", "--mount", "--net", "--pid", "--fork", "true"], check=False).returncode == 0


class BareMachine:
    """Use it with ``with``. ``prefix`` is where FreeSWITCH is installed, with its vanilla configuration.

    With ``systemd`` that is its first process, as on any server.
    """

    def __init__(self, prefix: Path, *, systemd: bool = False) -> None:
        self.prefix = prefix
        self._systemd = systemd
        self._init: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> BareMachine:
        above = [
            folder for folder in (*self.prefix.parents, ROOT, *ROOT.parents, *_interpreter()) if folder != Path("/")
        ]
        tops = dict.fromkeys([*map(Path, ("/etc", "/var", "/opt")), *(Path("/", folder.parts[1]) for folder in above)])
        closed = dict.fromkeys(folder for folder in above if not folder.stat().st_mode & 0o001)
        script = _BEGIN.format(
            folders=" ".join(map(str, tops)),
            passed=" ".join(map(str, closed)),
            more=_WITH_SYSTEMD if self._systemd else "",
            first=_SYSTEMD if self._systemd else "sleep infinity",
        )
        command = ["unshare", *_SPACES, "--fork", "--kill-child", "--mount-proc", "sh", "-c", script]
        self._init = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while self.run("test -e /tmp/ready", check=False).returncode != 0:
            if self._init.poll() is not None or time.monotonic() > deadline:
                raise TimeoutError("no machine")
            time.sleep(0.05)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._init is not None:
            self._init.kill()
            self._init.wait()

    @property
    def _inside(self) -> list[str]:
        assert self._init is not None
        child = Path(f"/proc/{self._init.pid}/task/{self._init.pid}/children").read_text().split()
        return [
            "nsenter",
            "--target",
            child[0] if child else "0",
            "--mount",
            "--net",
            "--pid",
            "--cgroup",
            "--uts",
            "--ipc",
        ]

    def run(
        self, command: str, *, check: bool = True, user: str | None = None, online: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run a command line in it; what it said, standard error too. ``online``: with the network of this machine."""
        inside = [space for space in self._inside if not (online and space == "--net")]
        who = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"] if user else []
        done = subprocess.run(
            [*inside, *who, "sh", "-c", command],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, check=False,
        )  # fmt: skip
        if check and done.returncode != 0:
            raise AssertionError(f"{command}: {done.returncode}\n{done.stdout}")
        return done

    def start(self, command: str, *, user: str | None = None, output: str = "/dev/null") -> int:
        """Start a program that goes on; its process."""
        who = f"setpriv --reuid={user} --regid={user} --init-groups " if user else ""
        return int(self.run(f"setsid {who}{command} >{output} 2>&1 </dev/null & echo $!").stdout)

    def start_freeswitch(self, user: str = "freeswitch") -> None:
        """The vanilla configuration, as the user; returns when it takes calls."""
        # There is no Internet here: its own address is not asked of a STUN server.
        self.run(f"sed -i 's/cmd=\"stun-set\" data=\"\\(external_[a-z]*_ip\\)=[^\"]*/cmd=\"set\" "
                 f"data=\"\\1=$${{local_ip_v4}}/' {self.prefix}/etc/freeswitch/vars.xml")  # fmt: skip
        for folder in ("etc", "var"):
            self.run(f"chown -R {user}:{user} {self.prefix}/{folder}")
        self.start(f"{self.prefix}/bin/freeswitch -nonat -nf -nc -u {user} -g {user}", output="/tmp/freeswitch.out")
        self.until("sofia status", "RUNNING")

    def api(self, command: str) -> str:
        """Ask FreeSWITCH."""
        return self.run(f"{self.prefix}/bin/fs_cli -x '{command}'", check=False).stdout

    def settle(self, command: str, said: str, seconds: float = 20) -> None:
        """Run a command until it says so."""
        deadline = time.monotonic() + seconds
        while said not in (answer := self.run(command, check=False).stdout):
            if time.monotonic() > deadline:
                raise AssertionError(f"{command}: {answer}")
            time.sleep(0.2)

    def until(self, command: str, said: str, seconds: float = 8) -> str:
        """Ask it until it says so."""
        deadline = time.monotonic() + seconds
        while said not in (answer := self.api(command)):
            if time.monotonic() > deadline:
                raise AssertionError(f"{command}: {answer}\n{self.run('tail -20 /tmp/freeswitch.out').stdout}")
            time.sleep(0.2)
        return answer


def _interpreter() -> list[Path]:
    """The folders on the way to this Python."""
    return [folder for name in (sys.prefix, sys.base_prefix) for folder in (Path(name), *Path(name).parents)]
