"""An application under test, in a process of its own, and the switches that call it, in others.

CPU time and memory are read from the system.
"""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from consentivr.bench.event_socket import PASSWORD
from consentivr.bench.machine import resident_kb
from consentivr.config import announcing
from consentivr.core.policy import Announcement
from consentivr.files import write_secret
from consentivr.lab.serving import serve
from consentivr.resources import shipped

OURS = "consentivr"
OURS_ON_POSTGRESQL = "consentivr on PostgreSQL"
PEERS = ("greenswitch", "genesis")

_YAML = """
service: {{listen: "127.0.0.1:{port}", hosts: ["127.0.0.1:{port}"], max_connections: 19000, secret_file: null}}
switches: {switches}
ledger: {{{ledger}, head_file: {folder}/ledger.head}}
recordings: {{folder: {folder}/recordings}}
sounds: {{folder: {sounds}}}
http: {{listen: "127.0.0.1:{http}", token_file: {folder}/token}}
agents: {{must_agree: false}}
question: {{min_heard_ms: 0}}
language: en
lines: {{support: {{number: "5000", queue: support}}}}
queues: {{support: {{name: support@default, recording: {{mode: permanent_opt_out}}}}}}
announcements: {announcements}
"""


def announcements(*names: str) -> str:
    """The texts of shipped announcements, in YAML: another one than is spoken is refused."""
    return json.dumps({"en": {name: announcing.ours("en")[Announcement(name)] for name in names}})


def pin(process: subprocess.Popen[Any], *, first: bool) -> None:
    """The server to the ``first`` core, the load to the others: so neither moves about, and each has its own caches.

    Where the system can do that, and there is more than one core.
    """
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))[:1] if first else sorted(os.sched_getaffinity(0))[1:]
        if cores:
            os.sched_setaffinity(process.pid, cores)


def available(peers: Sequence[str]) -> list[str]:
    """Those of the peers that are installed."""
    return [peer for peer in peers if importlib.util.find_spec(peer) is not None]


class Load:
    """A switch with callers: a process of its own. Those that are not measured (``aside``) give way."""

    def __init__(self, *, aside: bool = False) -> None:
        command = [sys.executable, "-m", "consentivr.bench.load"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        pin(self._process, first=False)
        if aside:
            os.setpriority(os.PRIO_PROCESS, self._process.pid, 10)
        self.event_socket: int = self.said()["event_socket"]

    def begin(self, plan: dict[str, Any]) -> None:
        """Tell it what to do."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(plan) + "\n")
        self._process.stdin.flush()

    def said(self) -> dict[str, Any]:
        """What it measured, once it is done. Raises RuntimeError."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("a load failed: see above")
        return dict(json.loads(line))

    def end(self) -> None:
        """Kill it."""
        with self._process:  # which closes its pipes, and waits
            self._process.kill()


class Server:
    """One application, called by so many ``switches``. ``url`` is the ledger of OURS_ON_POSTGRESQL.

    Raises RuntimeError when it does not start.
    """

    def __init__(self, name: str, folder: Path, url: str | None = None, switches: int = 1) -> None:
        self.name = name
        self.port, self._http = _free_port(), _free_port()
        self._token = secrets.token_urlsafe(32)
        self._loads = [Load(aside=number > 0) for number in range(switches)]
        self._log = folder / "log"
        if name in PEERS:
            command = [sys.executable, "-m", "consentivr.bench.peers", name, str(self.port)]
            with self._log.open("wb") as out:
                self._process = subprocess.Popen(command, stdout=out, stderr=out)
        else:
            ledger = f"url: {json.dumps(url)}" if name == OURS_ON_POSTGRESQL else f"path: {folder}/ledger.sqlite3"
            self._process = serve(self._configure(folder, ledger), log=self._log)
        pin(self._process, first=True)
        self._wait()

    def _configure(self, folder: Path, ledger: str) -> Path:
        for name, secret in (("token", self._token), ("password", PASSWORD)):
            write_secret(folder / name, secret)
        switches = [
            {"address": f"127.0.0.1:{load.event_socket}", "password_file": str(folder / "password")}
            for load in self._loads
        ]
        path = folder / "consentivr.yaml"
        path.write_text(
            _YAML.format(
                port=self.port,
                announcements=announcements("welcome", "question", "accepted", "refused"),
                http=self._http,
                folder=folder,
                ledger=ledger,
                sounds=shipped("sounds"),
                switches=json.dumps(switches),
            )
        )
        return path

    def _wait(self) -> None:
        for _ in range(3000):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                if self._process.poll() is not None:
                    break
                time.sleep(0.02)
            else:
                time.sleep(0.2)
                while self.name not in PEERS and not self.status()["watching"]:
                    time.sleep(0.02)
                return
        self.end()
        raise RuntimeError(f"{self.name} does not start: {self._log.read_text()[-2000:]}")

    def load(self, plan: dict[str, Any]) -> dict[str, Any]:
        """Let callers come from the first switch, until all is done. Raises RuntimeError."""
        return self.loads([plan])[0]

    def loads(self, plans: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Let them come from several, side by side. Raises RuntimeError."""
        loads = self._loads[: len(plans)]
        for load, plan in zip(loads, plans, strict=True):
            load.begin({**plan, "port": self.port, "watched": self.name not in PEERS})
        return [load.said() for load in loads]

    def settle(self, conversations: int = 0) -> None:
        """Until it has done what is to do for calls that are over: that is part of their cost. Raises RuntimeError."""
        if self.name in PEERS:
            return
        for _ in range(600):
            status = self.status()
            if status["conversations"] <= conversations and not status["ledger_rows_pending"]:
                return
            time.sleep(0.05)
        raise RuntimeError(f"{self.name} does not come to an end with calls that are over: {self.status()}")

    @property
    def cpu_s(self) -> float:
        """CPU time so far, of all its threads, in seconds."""
        threads = Path(f"/proc/{self._process.pid}/task").iterdir()
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9

    @property
    def memory_kb(self) -> int:
        """Resident memory, in kB."""
        return resident_kb(self._process.pid)

    @property
    def rows(self) -> int:
        """Rows in its ledger, made durable by it; 0 of a peer."""
        return self.counted("consentivr_ledger_rows")

    def counted(self, counter: str) -> int:
        """What consentivr has counted since its start, whatever the labels; 0 of a peer."""
        if self.name in PEERS:
            return 0
        families = text_string_to_metric_families(self._asked("/metrics"))
        return int(sum(sample.value for family in families if family.name == counter for sample in family.samples))

    def status(self) -> dict[str, Any]:
        """What consentivr says of itself over HTTP."""
        status: dict[str, Any] = json.loads(self._asked("/v1/status"))
        return status

    def _asked(self, path: str) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self._http, timeout=10)
        connection.request("GET", path, headers={"Authorization": f"Bearer {self._token}"})
        said = connection.getresponse().read().decode()
        connection.close()
        return said

    def end(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()
        for load in self._loads:
            load.end()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(name: str, url: str | None = None, switches: int = 1) -> Iterator[Server]:
    """A server in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(name, Path(folder), url, switches)
        try:
            yield server
        finally:
            server.end()
