"""The switch's inbound event socket, as cheap as it can be made: the calls of ``flow`` are on it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import gevent
import gevent.event
import gevent.lock
from gevent.server import StreamServer

from consentivr.bench.words import job_done, row

PASSWORD = "ClueCon"  # noqa: S105 - of a switch that is none
SWITCHNAME, CORE = "bench", "0" * 8 + "-0000-4000-8000-" + "0" * 12
_OK = b"Content-Type: command/reply\nReply-Text: +OK\n\n"


@dataclass
class Leg:
    """What the switch says of a channel when asked: its row in a list, variables, partner, what it records to."""

    row: str
    variables: dict[str, str] = field(default_factory=dict)
    partner: str | None = None
    file: str | None = None


class EventSocket:
    """Listens on ``port``. ``tell`` it what happens; its ``legs`` are asked for."""

    def __init__(self) -> None:
        self.legs: dict[str, Leg] = {}
        self._clients: list[_Client] = []
        self._server = StreamServer(("127.0.0.1", 0), self._serve)
        self._server.start()
        self.port = int(self._server.server_port)
        self._watched = gevent.event.Event()

    def wait_until_watched(self, seconds: float = 20.0) -> None:
        """Until somebody hears of the calls. Raises RuntimeError."""
        if not self._watched.wait(seconds):
            raise RuntimeError("nobody watches this switch")

    def tell(self, name: str, message: bytes, action: str = "") -> None:
        """An event, to those who want it; waits until it is on its way."""
        for client in self._clients:
            if client.wants(name, action):
                client.send(message)

    def arrive(self, leg: str, direction: str) -> Leg:
        """A leg exists from now on."""
        made = self.legs[leg] = Leg("")
        self.does(leg, direction, "socket" if direction == "inbound" else "")
        return made

    def does(self, leg: str, direction: str, application: str) -> None:
        """What a leg executes from now on."""
        self.legs[leg].row = json.dumps(row(leg, direction, application), separators=(",", ":"))

    # --- its clients -------------------------------------------------------------------------

    def _serve(self, sock: Any, peer: Any) -> None:
        client = _Client(sock)
        client.send(b"Content-Type: auth/request\n\n")
        self._clients.append(client)
        buffer = b""
        try:
            while data := sock.recv(65536):
                *blocks, buffer = (buffer + data).split(b"\n\n")
                for block in blocks:
                    self._obey(client, block.decode())
        except OSError:
            pass
        finally:
            self._clients.remove(client)

    def _obey(self, client: _Client, block: str) -> None:
        command, _, rest = block.partition(" ")
        if command == "event":
            client.events.update(rest.split(" ")[1:])
        elif command == "filter":
            client.filters.add(tuple(rest.split(" ", 1)))
        if command == "api":
            said = self._answer(rest).encode()
            client.send(b"Content-Type: api/response\nContent-Length: %d\n\n%s" % (len(said), said))
        elif command == "bgapi":
            asked, _, header = rest.partition("\n")
            job = header.partition(": ")[2]
            client.send(_OK[:-1] + f"Job-UUID: {job}\n\n".encode() + job_done(job, asked, self._answer(asked)))
        else:
            client.send(_OK)
        if client.wants("BACKGROUND_JOB", "") and command == "api":
            self._watched.set()  # it has subscribed, and looks around

    def _answer(self, command: str) -> str:
        name, *words = command.split(" ")
        leg = self.legs.get(words[0]) if words else None
        if command == "show channels as json":
            rows = [known.row for known in self.legs.values()]
            return f'{{"row_count":{len(rows)},"rows":[{",".join(rows)}]}}'
        if command == "show calls as json":
            pairs = [{"uuid": uuid, "b_uuid": known.partner} for uuid, known in self.legs.items() if known.partner]
            return json.dumps({"row_count": len(pairs), "rows": pairs})
        if name == "uuid_buglist":
            if leg is None:
                return ""
            bug = f"<media-bug>\n<function>session_record</function>\n<target>{leg.file}</target>\n</media-bug>\n"
            return f"<media-bugs>\n{bug if leg.file else ''}</media-bugs>\n"
        if name == "uuid_getvar":
            return leg.variables.get(words[1], "_undef_") if leg else "-ERR No such channel!\n"
        if name == "uuid_record":
            return "+OK Success\n" if leg else "-ERR Cannot locate session!\n"
        known = {"switchname": SWITCHNAME, "global_getvar": CORE, "conference": "[]"}
        return known.get(name) or ("+OK\n" if leg else "-ERR No such channel!\n")


class _Client:
    """One connection. One message goes out after the other, whoever sends it."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._turn = gevent.lock.BoundedSemaphore()
        self.events: set[str] = set()
        self.filters: set[tuple[str, ...]] = set()

    def wants(self, name: str, action: str) -> bool:
        """Whether it has subscribed to this, and no filter takes it away."""
        through = ("Event-Name", name), ("CC-Action", action)
        return name in self.events and (not self.filters or not self.filters.isdisjoint(through))

    def send(self, data: bytes) -> None:
        with self._turn:
            self._sock.sendall(data)
