"""Several machines on this one: network namespaces on a bridge, each with a host name, an address and its own loopback.

What runs on them is what docs/ha.md says: PostgreSQL, two nodes, two switches with an HAProxy on the loopback of each,
and Kamailio in front; HAProxy and Kamailio with the very files of docs/ha. The outside world is here, on 198.51.100.1.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gevent
import gevent.socket
import yaml

from consentivr.config import load
from consentivr.files import kept_secret
from consentivr.lab.native import NativeSwitch, find_freeswitch
from consentivr.lab.outside import Outside
from consentivr.lab.postgres import Server, find_postgres
from consentivr.lab.process import Machine, free_port
from tests.switch.parts import eventually

HA = Path(__file__).parents[2] / "docs" / "ha"
BRIDGE, HERE_ADDRESS = "consentivr-ha", "198.51.100.1"
ADDRESSES: Mapping[str, str] = {
    "front": "198.51.100.5",
    "database": "198.51.100.10",
    "node1": "198.51.100.11",
    "node2": "198.51.100.12",
    "switch1": "198.51.100.21",
    "switch2": "198.51.100.22",
}
AGENTS: Mapping[str, Sequence[str]] = {
    "switch1": [f"{number}@default" for number in range(1001, 1013)],
    "switch2": [f"{number}@default" for number in range(1101, 1113)],
}


def missing() -> str | None:
    """What this machine lacks for it; None when it has everything."""
    if os.geteuid() != 0:
        return "root"
    if not find_freeswitch():
        return "FreeSWITCH"
    if not find_postgres():
        return "postgresql"
    return next((name for name in ("ip", "unshare", "haproxy", "kamailio") if not shutil.which(name)), None)


def answers_sip() -> bool:
    """Whether Kamailio answers anything."""
    with gevent.socket.socket(gevent.socket.AF_INET, gevent.socket.SOCK_DGRAM) as sock:
        sock.bind((HERE_ADDRESS, 0))
        sock.settimeout(0.5)
        port = sock.getsockname()[1]
        head = [
            f"OPTIONS sip:{ADDRESSES['front']} SIP/2.0",
            f"Via: SIP/2.0/UDP {HERE_ADDRESS}:{port};branch=z9hG4bK{secrets.token_hex(8)}",
            f"From: <sip:lab@{HERE_ADDRESS}>;tag=lab",
            f"To: <sip:{ADDRESSES['front']}>",
            f"Call-ID: {secrets.token_hex(8)}",
            "CSeq: 1 OPTIONS",
            "Max-Forwards: 70",
            "Content-Length: 0",
        ]
        with contextlib.suppress(OSError):
            sock.connect((ADDRESSES["front"], 5060))
            sock.send("\r\n".join([*head, "", ""]).encode())
            return sock.recv(4096).startswith(b"SIP/2.0 ")
    return False


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


class Namespace:
    """One machine: a network of its own, and its own host name (FreeSWITCH tells its rows by it)."""

    def __init__(self, name: str) -> None:
        self.name, self.address = name, ADDRESSES[name]
        self._space, self._wire = f"consentivr-{name}", f"ha-{name}"
        ip("netns", "add", self._space)
        ip("link", "add", self._wire, "type", "veth", "peer", "name", "eth0", "netns", self._space)
        ip("link", "set", self._wire, "master", BRIDGE, "up")
        ip("-n", self._space, "addr", "add", f"{self.address}/24", "dev", "eth0")
        ip("-n", self._space, "link", "set", "eth0", "up")
        ip("-n", self._space, "link", "set", "lo", "up")

    @property
    def machine(self) -> Machine:
        """For who starts a process there."""
        named = ("unshare", "--uts", "sh", "-c", 'hostname "$0"; exec "$@"', self.name)
        return Machine(self.address, ("ip", "netns", "exec", self._space, *named))

    def start(self, command: Sequence[str], log: Path, **environment: str) -> subprocess.Popen[bytes]:
        """A program, which the kernel ends with this process at the latest."""
        with log.open("ab") as output:
            return subprocess.Popen(
                [*self.machine.within, "setpriv", "--pdeathsig", "KILL", *command],
                stdout=output, stderr=subprocess.STDOUT, env=os.environ | environment,
            )  # fmt: skip

    def unplug(self) -> None:
        """No packet leaves or comes: as when its power is gone, nobody is told of anything."""
        ip("link", "set", self._wire, "down")

    def plug(self) -> None:
        """And back."""
        ip("link", "set", self._wire, "up")

    def processes(self) -> list[int]:
        """What runs there."""
        found = subprocess.run(["ip", "netns", "pids", self._space], check=False, capture_output=True, text=True)
        return [int(word) for word in found.stdout.split()]

    def end(self) -> None:
        for process in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        with contextlib.suppress(subprocess.CalledProcessError):
            ip("netns", "del", self._space)


class Machines:
    """Use it with ``with``; one at a time on a machine, the second one waits."""

    def __init__(self, configuration: dict[str, Any], folder: Path) -> None:
        """``configuration`` is the data of a consentivr.yaml, whose addresses and folders are set here."""
        self.folder = folder
        self._data = configuration
        self._lock = Path("/run/lock/consentivr-ha").open("w")  # noqa: SIM115 - until the end
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Machines:
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            self._begin()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def _begin(self) -> None:
        ip("link", "add", BRIDGE, "type", "bridge")
        ip("addr", "add", f"{HERE_ADDRESS}/24", "dev", BRIDGE)
        ip("link", "set", BRIDGE, "up")
        self.at = {name: Namespace(name) for name in ADDRESSES}
        self.database = Server(self._below("database"), self.at["database"].machine)
        self.ledger = self.database.new()
        self._event_socket, self._password = free_port(), secrets.token_hex(16)
        for name in ("node1", "node2"):
            self._configure(name)
        self.outside = Outside(self.folder / "outside", machine=Machine(HERE_ADDRESS))
        self.outside.central = f"{ADDRESSES['front']}:5060"
        self.outside.launch()
        self.switches = {name: self._switch(name) for name in AGENTS}
        for switch in (self.outside, *self.switches.values()):
            switch.wait_until_up()
        for name in ("node1", "node2", "haproxy-switch1", "haproxy-switch2", "kamailio"):
            self.start(name)

    def _below(self, name: str) -> Path:
        path = self.folder / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def _configure(self, node: str) -> None:
        """Two nodes differ in their addresses, their head file, and in nothing else."""
        folder, address = self._below(node), ADDRESSES[node]
        password = folder / "event_socket.password"
        password.write_text(self._password)
        password.chmod(0o600)
        secret = folder / "dialplan.secret"
        if node != "node1":
            shutil.copy2(self.folder / "node1" / "dialplan.secret", secret)
        kept_secret(secret)
        data = self._data | {
            "service": {
                "listen": f"{address}:8184",
                "hosts": ["127.0.0.1:8184"],
                "allowed_peers": [ADDRESSES[name] for name in AGENTS],
                "secret_file": str(secret),
            },
            "http": {"listen": f"{address}:8185", "tokens_file": str(folder / "agents.tokens")},
            "ledger": {"url": self.ledger, "head_file": str(folder / "ledger.head")},
            "recordings": {"folder": str(self.folder / "recordings")},
            "switches": [
                {"address": f"{ADDRESSES[name]}:{self._event_socket}", "password_file": str(password)}
                for name in AGENTS
            ],
            "watch": {"sweep_s": 1},
        }
        (folder / "consentivr.yaml").write_text(yaml.safe_dump(data))

    def _switch(self, name: str) -> NativeSwitch:
        switch = NativeSwitch(
            load(self.folder / "node1" / "consentivr.yaml"),
            self._below(name),
            agents={agent: ["support@default"] for agent in AGENTS[name]},
            outside=f"{HERE_ADDRESS}:{self.outside.sip_port}",
            event_socket_port=self._event_socket,
            password=self._password,
            sip_port=5060,
            machine=self.at[name].machine,
        )
        switch.launch()
        return switch

    # --- its parts -------------------------------------------------------------------------------

    def start(self, part: str) -> None:
        """A node, an HAProxy or Kamailio, as an administrator would; waits until it works."""
        log = self._below("log") / f"{part}.log"
        if part.startswith("node"):
            command = [
                sys.executable,
                "-m",
                "consentivr",
                "serve",
                "--config",
                str(self.folder / part / "consentivr.yaml"),
            ]
            begun = log.read_text().count("serving") if log.exists() else 0
            self._running[part] = self.at[part].start(command, log)
            eventually(lambda: log.read_text().count("serving") > begun, 90)
        elif part == "kamailio":
            command = ["kamailio", "-DD", "-E", "-m", "32", "-f", str(HA / "kamailio.cfg")]
            command += ["-A", f'SWITCHES="{HA / "dispatcher.list"}"']
            self._running[part] = self.at["front"].start(command, log)
            eventually(answers_sip, 15)
        else:
            self._running[part] = self.at[part.removeprefix("haproxy-")].start(
                ["haproxy", "-db", "-f", str(HA / "haproxy.cfg")], log
            )

    def kill(self, part: str, how: signal.Signals = signal.SIGKILL) -> None:
        """As a crash does, by default."""
        process = self._running.pop(part)
        if part == "kamailio":
            for child in self.at["front"].processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, how)
        process.send_signal(how)
        process.wait(60)

    def restart_switch(self, name: str) -> None:
        """It comes up again, and its agents are there."""
        switch = self.switches[name]
        switch.launch()
        switch.wait_until_up()
        switch.agents_wait()

    def log(self, part: str) -> str:
        """What it has said."""
        return (self.folder / "log" / f"{part}.log").read_text(errors="replace")

    def end(self) -> None:
        for process in self._running.values():
            process.kill()
            process.wait()
        for switch in (*getattr(self, "switches", {}).values(), getattr(self, "outside", None)):
            if switch is not None:
                switch.kill()
        if hasattr(self, "database"):
            self.database.end()
        for machine in getattr(self, "at", {}).values():
            machine.end()
        with contextlib.suppress(subprocess.CalledProcessError):
            ip("link", "del", BRIDGE)
        gevent.sleep(0)
        self._lock.close()
