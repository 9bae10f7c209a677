"""An application under test, in a process of its own; CPU time and memory are read from the system."""

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

from consentivr.resources import shipped

OURS = "consentivr"
OURS_ON_POSTGRESQL = "consentivr on PostgreSQL"
PEERS = ("greenswitch", "genesis")

_YAML = """
service: {{listen: "127.0.0.1:{port}", hosts: ["127.0.0.1:{port}"], max_connections: 19000}}
ledger: {{{ledger}}}
recordings: {{folder: {folder}/recordings}}
sounds: {{folder: {sounds}}}
http: {{listen: "127.0.0.1:{http}", token_file: {folder}/token}}
agents: {{must_agree: false}}
language: en
lines: {{support: {{number: "5000", queue: support}}}}
queues: {{support: {{name: support@default, recording: {{mode: permanent_opt_out}}}}}}
announcements:
  en: {{welcome: Welcome, question: "May we?", accepted: Thank you, refused: All right}}
"""


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


class Server:
    """One application. ``url`` is the ledger of OURS_ON_POSTGRESQL. Raises RuntimeError when it does not start."""

    def __init__(self, name: str, folder: Path, url: str | None = None) -> None:
        self.name = name
        self.port, self._http = _free_port(), _free_port()
        self._token = secrets.token_urlsafe(32)
        if name in PEERS:
            command = ["-m", "consentivr.bench.peers", name, str(self.port)]
        else:
            ledger = f"url: {json.dumps(url)}" if name == OURS_ON_POSTGRESQL else f"path: {folder}/ledger.sqlite3"
            (folder / "token").touch(mode=0o600)
            (folder / "token").write_text(self._token)
            configuration = folder / "consentivr.yaml"
            configuration.write_text(
                _YAML.format(port=self.port, http=self._http, folder=folder, ledger=ledger, sounds=shipped("sounds"))
            )
            command = ["-m", "consentivr", "serve", "--config", str(configuration)]
        self._log = (folder / "log").open("w")
        self._process = subprocess.Popen([sys.executable, *command], stderr=self._log, stdout=self._log)
        pin(self._process, first=True)
        self._wait()

    def _wait(self) -> None:
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                if self._process.poll() is not None:
                    break
                time.sleep(0.02)
            else:
                time.sleep(0.2)
                return
        self.end()
        raise RuntimeError(f"{self.name} does not start: {Path(self._log.name).read_text()[-2000:]}")

    @property
    def cpu_s(self) -> float:
        """CPU time so far, of all its threads, in seconds."""
        threads = Path(f"/proc/{self._process.pid}/task").iterdir()
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9

    @property
    def memory_kb(self) -> int:
        """Resident memory, in kB."""
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))

    def status(self) -> dict[str, Any]:
        """What consentivr says of itself over HTTP."""
        connection = http.client.HTTPConnection("127.0.0.1", self._http, timeout=10)
        connection.request("GET", "/v1/status", headers={"Authorization": f"Bearer {self._token}"})
        status: dict[str, Any] = json.load(connection.getresponse())
        connection.close()
        return status

    def end(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()
        self._log.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(name: str, url: str | None = None) -> Iterator[Server]:
    """A server in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(name, Path(folder), url)
        try:
            yield server
        finally:
            server.end()


def load(plan: dict[str, Any]) -> dict[str, Any]:
    """Run a load to its end."""
    return loads([plan])[0]


def loads(plans: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Run loads side by side, each in a process of its own, to their end. The first is measured: others give way."""
    running = [subprocess.Popen(_load_command(plan), stdout=subprocess.PIPE, text=True) for plan in plans]
    for process in running:
        pin(process, first=False)
    for process in running[1:]:
        os.setpriority(os.PRIO_PROCESS, process.pid, 10)
    said = [process.communicate(timeout=600)[0] for process in running]
    if any(process.returncode for process in running):
        raise RuntimeError("a load failed: see above")
    return [dict(json.loads(text.splitlines()[-1])) for text in said]


@contextmanager
def held(plan: dict[str, Any]) -> Iterator[int]:
    """Keep calls in their talk meanwhile; how many there are."""
    with subprocess.Popen(_load_command(plan), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        pin(process, first=False)
        assert process.stdout is not None
        yield int(json.loads(process.stdout.readline())["there"])
        process.communicate("", timeout=120)


def _load_command(plan: dict[str, Any]) -> list[str]:
    return [sys.executable, "-m", "consentivr.bench.load", json.dumps(plan)]
