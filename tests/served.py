"""``consentivr serve`` in a process of its own, and a simulated switch that dials it."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from pathlib import Path

import gevent
import yaml

from consentivr.config import Configuration, load
from consentivr.lab.event_socket import SimulatedEventSocket
from consentivr.lab.laboratory import password_file, simulated_switch, with_switch
from consentivr.lab.native import free_port
from consentivr.lab.serving import serve
from consentivr.lab.switch import Channel
from consentivr.ledger import NO_CALLS, Entry
from tests.ledgers import opened

SPEED = 4
PASSWORD = "ClueCon"


def localize(configuration: Configuration, folder: Path, port: int, **queue: object) -> Path:
    """Write the configuration with everything below ``folder``; ``queue`` changes the queue 'support'."""
    data = configuration.model_dump(mode="json", exclude_none=True)
    data["service"] |= {"listen": f"127.0.0.1:{port}", "hosts": [f"127.0.0.1:{port}"]}
    data["ledger"] |= {"path": str(folder / "ledger.sqlite3"), "head_file": str(folder / "ledger.head")}
    data["http"] |= {"tokens_file": str(folder / "agents.tokens")}
    data["service"]["secret_file"] = str(folder / "dialplan.secret")
    data["recordings"]["folder"] = str(folder / "recordings")
    data["queues"]["support"] |= queue
    path = folder / "consentivr.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    return path


class Served:
    """Everything lies in ``folder``; ``end`` it."""

    def __init__(
        self,
        configuration: Configuration,
        folder: Path,
        speed: float = SPEED,
        ledger_path: str | Path | None = None,
        descriptors: int | None = None,
        standby: bool = False,
    ) -> None:
        """``standby``: the dialplan also looks for one; start it with ``serve(yaml, "--standby")``."""
        self._descriptors = descriptors
        self.port = free_port()
        self.folder = folder
        event_socket_port = free_port()
        address = ("127.0.0.1", event_socket_port)
        configuration = with_switch(configuration, address, password_file(folder, PASSWORD))
        self.yaml = localize(configuration, folder, self.port)
        data = yaml.safe_load(self.yaml.read_text())
        if isinstance(ledger_path, Path):
            data["ledger"]["path"] = str(ledger_path)
        if standby:
            data["service"]["standby"] = f"127.0.0.1:{free_port()}"
            data["service"]["hosts"].append(data["service"]["standby"])
        self.yaml.write_text(yaml.safe_dump(data))
        self.configuration = load(self.yaml)
        self.switch = simulated_switch(self.configuration, speed=speed)
        self.event_socket = SimulatedEventSocket(self.switch, PASSWORD, event_socket_port)
        self.switch.sockets.append(self.event_socket)
        self.start()

    def start(self, *options: str, watching: bool = True) -> None:
        """Returns when it answers for calls, and, with ``watching``, hears both streams of the switch."""
        self.process = serve(self.yaml, *options, descriptors=self._descriptors)
        self._until(self.answers, 60)
        if watching:
            self._until(lambda: self.event_socket.connections == 2, 60)

    def gone(self, seconds: float = 60) -> int | None:
        """Its exit status, once it has ended; the simulated switch goes on meanwhile."""
        self._until(lambda: self.process.poll() is not None, seconds)
        return self.process.returncode

    def answers(self) -> bool:
        """Whether it listens."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def _until(self, what: Callable[[], bool], seconds: float) -> None:
        for _ in range(int(seconds / 0.02)):
            if what():
                return
            if self.process.poll() is not None:
                break
            gevent.sleep(0.02)
        raise AssertionError((self.folder / "serve.log").read_text())

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def rows(self, channel: Channel) -> list[Entry]:
        with opened(self.configuration.ledger.location) as ledger:
            return ledger.call(channel.uuid)

    def all_rows(self) -> list[Entry]:
        with opened(self.configuration.ledger.location) as ledger:
            return [row for row in ledger.read() if row.channel_uuid not in NO_CALLS]

    def end(self) -> None:
        self.signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()
        self.event_socket.cut()
