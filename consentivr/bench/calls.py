"""The call path under load, beside the same consent line on other libraries, in one run.

The server under test is a process of its own, the load another; CPU time is read from the system, for the
server alone. Nothing else should run on the machine meanwhile.
"""

from __future__ import annotations

import importlib.util
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from consentivr.bench.figures import Figure, quantile
from consentivr.resources import shipped

OURS = "consentivr"
PEERS = ("greenswitch", "genesis")

STEP_S = 0.02
"""How long an announcement, an unmeasured question, the queue and the talk take: short, but not nothing, because what
FreeSWITCH says afterwards comes on its own."""

_YAML = """
service: {{listen: "127.0.0.1:{port}", hosts: ["127.0.0.1:{port}"], max_connections: 20000}}
ledger: {{path: {folder}/ledger.sqlite3}}
recordings: {{folder: {folder}/recordings}}
sounds: {{folder: {sounds}}}
agents: {{must_agree: false}}
language: en
lines: {{support: {{number: "5000", queue: support}}}}
queues: {{support: {{name: support@default, recording: {{mode: permanent_opt_out}}}}}}
announcements:
  en: {{welcome: Welcome, question: "May we?", accepted: Thank you, refused: All right}}
"""


def available(peers: Sequence[str]) -> list[str]:
    """Those of the peers that are installed."""
    return [peer for peer in peers if importlib.util.find_spec(peer) is not None]


class Server:
    """One application in a process of its own."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        if name == OURS:
            configuration = folder / "consentivr.yaml"
            configuration.write_text(_YAML.format(port=self.port, folder=folder, sounds=shipped("sounds")))
            command = ["-m", "consentivr", "serve", "--config", str(configuration)]
        else:
            command = ["-m", "consentivr.bench.peers", name, str(self.port)]
        self._log = (folder / f"{name}.log").open("w")
        self._process = subprocess.Popen([sys.executable, *command], stderr=self._log, stdout=self._log)
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
        raise RuntimeError(f"{self.name} does not start: see {self._log.name}")

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

    def end(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()
        self._log.close()


@contextmanager
def served(name: str) -> Iterator[Server]:
    """A server in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(name, Path(folder))
        try:
            yield server
        finally:
            server.end()


def load(plan: dict[str, Any]) -> dict[str, Any]:
    """Run the load to its end."""
    command = [sys.executable, "-m", "consentivr.bench.load", json.dumps(plan)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def run(
    *, seconds: float, rounds: int, held: Sequence[int], bursts: Sequence[int], tell: Callable[[str], None]
) -> list[Figure]:
    """Measure ours and every installed peer, alternating. Raises RuntimeError when a server does not start."""
    names = [OURS, *available(PEERS)]
    figures: list[Figure] = []
    figures += _flows(names, seconds, rounds, tell)
    figures += _reaction(seconds, tell)
    for name in names:
        for calls in bursts:
            tell(f"{name}: {calls} calls at once")
            with served(name) as server:
                said = load({"what": "burst", "port": server.port, "calls": calls})
            complete = said["first_commands"] == calls
            value = said["seconds"] if complete else float("nan")
            figures.append(Figure("burst: until each call got its first command", f"{name}, {calls} calls", value, "s"))
    for name in names:
        figures += _held(name, held, tell)
    return figures


def _flows(names: Sequence[str], seconds: float, rounds: int, tell: Callable[[str], None]) -> list[Figure]:
    """Complete flows for each second of the server's CPU time: the median of the rounds, and their spread."""
    rates: dict[str, list[float]] = {name: [] for name in names}
    shares: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names:
            tell(f"{name}: flows, round {number + 1} of {rounds}")
            with served(name) as server:
                plan = {"what": "flows", "port": server.port, "key": "1", "concurrency": 100, "step_s": STEP_S}
                load({**plan, "seconds": min(1.0, seconds)})
                before = server.cpu_s
                said = load({**plan, "seconds": seconds})
                used = server.cpu_s - before
            if said["failed"]:
                raise RuntimeError(f"{name}: {said['failed']} calls failed")
            rates[name].append(said["flows"] / used)
            shares[name].append(said["cpu_s"] / said["seconds"])
    figures = []
    for name in names:
        values = sorted(rates[name])
        middle = quantile(values, 0.5)
        figures.append(Figure("complete flows per CPU-second", name, middle, "flows"))
        figures.append(Figure("  spread over the rounds", name, 100 * (values[-1] - values[0]) / middle, "%"))
        figures.append(Figure("  the load's own share of a core", name, 100 * max(shares[name]), "%"))
        if name != OURS:
            figures.append(
                Figure("ratio of flows", f"{OURS} to {name}", quantile(sorted(rates[OURS]), 0.5) / middle, "")
            )
    return figures


def _reaction(seconds: float, tell: Callable[[str], None]) -> list[Figure]:
    """From the answer's event to the next command, with 200 questions under way."""
    figures = []
    for key, what in (("9", "a no"), ("1", "a yes, its row durable first")):
        tell(f"{OURS}: reaction to {what}")
        with served(OURS) as server:
            plan = {
                "what": "flows",
                "port": server.port,
                "key": key,
                "step_s": STEP_S,
                "question_s": 2.0,
                "rate": 100,
                "seconds": seconds,
            }
            said = load(plan)
        for label, share in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)):
            value = quantile(said["reactions_s"], share) * 1000
            figures.append(Figure(f"reaction to {what}, {label}", "200 questions under way", value, "ms"))
    return figures


def _held(name: str, steps: Sequence[int], tell: Callable[[str], None]) -> list[Figure]:
    """Memory for each call that is in its talk."""
    figures = []
    for calls in steps:
        tell(f"{name}: {calls} calls held")
        with served(name) as server:
            load({"what": "flows", "port": server.port, "key": "1", "concurrency": 5, "step_s": STEP_S, "seconds": 1.0})
            before = server.memory_kb
            plan = json.dumps({"what": "hold", "port": server.port, "key": "1", "step_s": STEP_S, "calls": calls})
            command = [sys.executable, "-m", "consentivr.bench.load", plan]
            with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout is not None
                there = json.loads(process.stdout.readline())["there"]
                time.sleep(1.0)
                used = server.memory_kb - before
                process.communicate("", timeout=120)
        value = used / there if there == calls else float("nan")
        figures.append(Figure("memory per held call", f"{name}, {calls} calls", value, "kB"))
    return figures
