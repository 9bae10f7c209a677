"""How soon, and with how much memory, thousands of held conversations are taken up after a start.

The switch is ``lab.simulated.many`` in a process of its own; who takes up is ``python -m consentivr.bench.adoption
'<JSON>'`` in another, which prints JSON.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gevent
import structlog

from consentivr.bench.figures import Figure
from consentivr.bench.server import announcements, pin
from consentivr.config import Configuration, loads
from consentivr.core.turn import Turn
from consentivr.files import write_secret
from consentivr.lab.simulated.many import ManyHeld
from consentivr.ledger import CallRef, Entry, Ledger
from consentivr.resources import shipped

LONGEST_S = 300.0
"""After so many seconds it is given up, and what is missing told."""

_YAML = """
ledger: {{path: {folder}/ledger.sqlite3, head_file: {folder}/ledger.head}}
recordings: {{folder: {folder}/recordings}}
sounds: {{folder: {sounds}}}
agents: {{must_agree: false}}
switches: [{{address: "127.0.0.1:{port}", password_file: {folder}/password}}]
language: en
lines: {{support: {{number: "5000", queue: support}}}}
queues: {{support: {{name: support@default, recording: {{mode: permanent_opt_out}}}}}}
announcements: {announcements}
"""


def configuration(folder: Path, port: int) -> Configuration:
    """Of who takes up: everything below ``folder``, where the password is written too."""
    password = folder / "password"
    write_secret(password, "secret")
    return loads(
        _YAML.format(folder=folder, port=port, sounds=shipped("sounds"), announcements=announcements("question"))
    )


def write_rows(location: str, many: ManyHeld, switch: str, core: str) -> None:
    """What the ledger has of these visits: they arrived, said yes, and are recorded in their talks."""
    ledger = Ledger(location)
    try:
        for start in range(0, many.callers, 500):
            numbers = range(start, min(start + 500, many.callers))
            ledger.append([row for number in numbers for row in _rows(many, number, switch, core)])
    finally:
        ledger.close()


def _rows(many: ManyHeld, number: int, switch: str, core: str) -> Iterator[Entry]:
    caller = many.caller(number)
    ref = CallRef(caller, many.visit(number), "support", "support@default", "permanent_opt_out")
    yield ref.row(Turn.ARRIVED, {"switch": switch, "core": core, "asked": True})
    yield ref.row(Turn.DECISION, {"decision": "given", "reason": "consent_key", "purpose": "quality assurance"})
    yield ref.row(Turn.RECORDING_STARTED, {"path": many.file(number), "leg": caller})
    agent = {"agent_uuid": many.agent(number), "agent": "1001@default", "agent_agreed": True}
    yield ref.row(Turn.AGENT_ANSWERED, agent)


# --- who takes up ----------------------------------------------------------------------------


def take_up(folder: Path, port: int, conversations: int, *, traced: bool) -> dict[str, float]:
    """Start an application, and wait until it follows all of them and has seen their recorders.

    Seconds; kB of memory for each, of the process, or (``traced``) of what Python holds; how many were taken up, and
    how many of them were seen to be recorded.
    """
    from consentivr.service.service import Application

    application = Application(configuration(folder, port), listen=("127.0.0.1", 0))
    gc.collect()
    before = _resident_kb()
    if traced:
        tracemalloc.start()
    began, busy = time.perf_counter(), time.process_time()
    application.start()
    while application.recorded < conversations and time.perf_counter() - began < LONGEST_S:
        gevent.sleep(0.05)
    seconds, busy = time.perf_counter() - began, time.process_time() - busy
    gevent.sleep(1.0)  # what is still under way, such as the rows
    gc.collect()
    held = tracemalloc.get_traced_memory()[0] / 1000 if traced else _resident_kb() - before
    said = {"seconds": seconds, "busy": busy, "kb": held / conversations}
    said |= {"adopted": application.status().conversations, "recorded": application.recorded}
    application.stop()
    return said


def _resident_kb() -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


# --- beside a switch -------------------------------------------------------------------------


def run(conversations: int, tell: Callable[[str], None]) -> list[Figure]:
    """Measure. Raises RuntimeError when something was not taken up."""
    said: dict[str, dict[str, float]] = {}
    for name in ("process", "python"):
        tell(f"{conversations} held conversations: {'time and memory' if name == 'process' else 'what Python holds'}")
        with tempfile.TemporaryDirectory() as temporary, _switch(conversations, Path(temporary)) as (port, core):
            folder = Path(temporary)
            many = ManyHeld(conversations, folder=f"{folder}/recordings")
            write_rows(f"{folder}/ledger.sqlite3", many, many.api("switchname"), core)
            plan = {"folder": str(folder), "port": port, "conversations": conversations, "traced": name == "python"}
            said[name] = _in_a_process(plan)
        for what in ("adopted", "recorded"):
            if said[name][what] != conversations:
                raise RuntimeError(f"of {conversations} conversations {said[name][what]:.0f} were {what}")
    condition = f"{conversations} held conversations"
    return [
        Figure("adopted after a start, every recorder seen", condition, said["process"]["seconds"], "s", at_most=5.0),
        Figure("  processor time of it", condition, said["process"]["busy"], "s"),
        Figure("memory per conversation, of the process", condition, said["process"]["kb"], "kB", at_most=8.0),
        Figure("  what Python holds of it", condition, said["python"]["kb"], "kB"),
    ]


@contextmanager
def _switch(conversations: int, folder: Path) -> Iterator[tuple[int, str]]:
    """Its port, and the name of its run."""
    plan = {"callers": conversations, "password": "secret", "folder": f"{folder}/recordings"}
    command = [sys.executable, "-m", "consentivr.lab.simulated.many", json.dumps(plan)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        pin(process, first=False)
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        try:
            yield int(told["port"]), str(told["core"])
        finally:
            process.communicate("", timeout=30)


def _in_a_process(plan: dict[str, Any]) -> dict[str, float]:
    command = [sys.executable, "-m", "consentivr.bench.adoption", json.dumps(plan)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        pin(process, first=True)
        said, _ = process.communicate(timeout=LONGEST_S + 60)
    if process.returncode != 0:
        raise RuntimeError("it failed: see above")
    return dict(json.loads(said.splitlines()[-1]))


def main(plan: dict[str, Any]) -> None:
    """Take up, and print what was measured."""
    import logging

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    said = take_up(Path(plan["folder"]), plan["port"], plan["conversations"], traced=plan["traced"])
    print(json.dumps(said))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
