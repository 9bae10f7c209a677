"""``consentivr serve`` in a process of its own, and a simulated switch that dials it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import gevent
import yaml

from consentivr.app import queues, rendered
from consentivr.config import Configuration, load
from consentivr.lab.switch import Channel, SimulatedSwitch
from consentivr.ledger import Entry, Ledger

SPEED = 4


class Served:
    """Everything lies in ``folder``; ``end`` it."""

    def __init__(self, configuration: Configuration, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        data = configuration.model_dump(mode="json", exclude_none=True)
        data["service"] |= {"listen": f"127.0.0.1:{self.port}", "hosts": [f"127.0.0.1:{self.port}"]}
        data["ledger"]["path"] = str(folder / "ledger.sqlite3")
        data["recordings"]["folder"] = str(folder / "recordings")
        self.yaml = folder / "consentivr.yaml"
        self.yaml.write_text(yaml.safe_dump(data), encoding="utf-8")
        self.configuration = load(self.yaml)
        self.folder = folder
        files = rendered(self.configuration)
        dialplan = next(text for name, text in files.items() if name.startswith("dialplan/"))
        templates = {queue.name: queue.record_template for queue in queues(self.configuration).values()}
        self.switch = SimulatedSwitch(dialplan, templates, speed=SPEED)
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "consentivr", "serve", "--config", str(self.yaml)],
            stderr=(self.folder / "serve.log").open("a"),
        )
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                gevent.sleep(0.02)
            else:
                return
        raise AssertionError((self.folder / "serve.log").read_text())

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def rows(self, channel: Channel) -> list[Entry]:
        ledger = Ledger(self.folder / "ledger.sqlite3")
        try:
            return list(ledger.read(channel.uuid))
        finally:
            ledger.close()

    def end(self) -> None:
        self.signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()
