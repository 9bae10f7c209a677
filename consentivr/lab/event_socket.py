"""The simulated switch's mod_event_socket: who connects and knows the password hears of every leg."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable
from typing import Any, Protocol

import gevent
import gevent.event
from gevent.server import StreamServer

from consentivr.lab.simulated import words
from consentivr.lab.simulated.clients import Subscription
from consentivr.lab.simulated.faults import Faults

_ANSWERS_AT_ONCE = 50
"""A real one answers each command by itself: whoever asked reads on meanwhile."""


class Switch(Protocol):
    """What it serves: a ``SimulatedSwitch``, or ``many.ManyHeld``."""

    core_uuid: str
    faults: Faults
    listeners: list[Callable[[words.Event], None]]

    def api(self, command: str) -> str: ...


class SimulatedEventSocket:
    """Listens on a free port, or on the one given. Any number of clients."""

    def __init__(self, switch: Switch, password: str, port: int = 0) -> None:
        self._switch = switch
        self._password = password
        self._port = port
        self._clients: list[_Client] = []
        self.commands: list[str] = []
        """Every API command that was sent, without ``api`` or ``bgapi``."""
        self.listen()

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return "127.0.0.1", self._port

    @property
    def connections(self) -> int:
        """How many clients are let in now."""
        return sum(client.is_known for client in self._clients)

    def attach(self, switch: Switch) -> None:
        """Serve another switch from now on, as the same run of it: whoever watches it goes on."""
        switch.core_uuid = self._switch.core_uuid
        if self._hear in self._switch.listeners:
            self._switch.listeners.remove(self._hear)
        self._switch = switch
        self._listen_or_not()

    def listen(self) -> None:
        """Accept connections, again if need be."""
        self._server = StreamServer(("127.0.0.1", self._port), self._serve)
        self._server.start()
        self._port = self._server.server_port

    def cut(self) -> None:
        """Drop every connection and accept no other, as a network that fails."""
        self._server.stop(timeout=0)
        self.drop()

    def drop(self) -> None:
        """Drop every connection; the next may come."""
        for client in list(self._clients):
            client.close()

    def _serve(self, sock: Any, peer: Any) -> None:
        client = _Client(sock)
        self._clients.append(client)
        client.send(b"Content-Type: auth/request\n\n")
        buffer = b""
        try:
            while not client.is_over and (data := sock.recv(1 << 20)):
                *blocks, buffer = (buffer + data).split(b"\n\n")
                for number, block in enumerate(blocks, 1):
                    if not client.is_over:
                        self._obey(client, block.decode().strip("\n"))
                    if number % _ANSWERS_AT_ONCE == 0:
                        gevent.sleep(0)
                gevent.sleep(0)  # gevent does not switch while there is something to read
        except OSError:
            pass
        finally:
            self._clients.remove(client)
            self._listen_or_not()
            client.finish()

    def _listen_or_not(self) -> None:
        """Events are made only while somebody hears them."""
        listeners, wanted = self._switch.listeners, any(client.is_known for client in self._clients)
        if wanted != (self._hear in listeners):
            listeners.append(self._hear) if wanted else listeners.remove(self._hear)

    def _hear(self, event: words.Event) -> None:
        message = b""
        for client in self._clients:
            if client.is_known and client.subscription.wants(event):
                message = message or words.event_message(event)
                client.send(message)

    # --- commands ----------------------------------------------------------------------------

    def _obey(self, client: _Client, block: str) -> None:
        command, *headers = block.split("\n")
        word, _, rest = command.partition(" ")
        if not client.is_known and word not in ("auth", "exit"):
            client.send(words.reply("-ERR command not found"))
        elif word == "auth":
            client.is_known = rest == self._password
            client.send(words.reply("+OK accepted" if client.is_known else "-ERR invalid"))
            client.is_over = not client.is_known
            self._listen_or_not()
        elif word == "exit":
            client.send(words.reply("+OK bye"))
            client.send(b"Content-Type: text/disconnect-notice\nContent-Length: 0\n\n")
            client.is_over = True
        elif command.startswith("event json "):
            client.subscription.add(rest.split(" ")[1:])
            client.send(words.reply("+OK event listener enabled json"))
        elif word == "nixevent":
            client.subscription.remove(rest.split(" "))
            client.send(words.reply("+OK events nixed"))
        elif word == "noevents":
            client.subscription.clear()
            client.send(words.reply("+OK no longer listening for events"))
        elif word == "filter":
            client.send(words.reply(client.subscription.filters.add(rest)))
        elif word == "api":
            self._api(client, rest)
        elif word == "bgapi":
            given = dict(header.split(": ", 1) for header in headers if ": " in header)
            self._bgapi(client, rest, given.get("Job-UUID") or str(uuid.uuid4()))
        else:
            client.send(words.reply("-ERR command not found"))

    def _api(self, client: _Client, command: str) -> None:
        """One after the other: while one hangs or is slow, nothing else on this connection is obeyed."""
        self.commands.append(command)
        fault = self._switch.faults.met_by(command)
        if fault is not None and fault.hangs:
            client.gone.wait()
            return
        if fault is not None and fault.seconds:
            client.gone.wait(fault.seconds)
        said = fault.answer if fault is not None and fault.answer is not None else self._switch.api(command)
        client.send(words.api_response(said))

    def _bgapi(self, client: _Client, command: str, job: str) -> None:
        self.commands.append(command)
        client.send(words.reply(f"+OK Job-UUID: {job}\nJob-UUID: {job}"))
        fault = self._switch.faults.met_by(command)
        if fault is None:
            self._job_done(command, job, self._switch.api(command))
        elif fault.answer is not None:
            self._job_done(command, job, fault.answer)
        elif not fault.hangs:
            gevent.spawn_later(fault.seconds, lambda: self._job_done(command, job, self._switch.api(command)))

    def _job_done(self, command: str, job: str, said: str) -> None:
        name, _, arguments = command.partition(" ")
        event = words.without_a_channel("BACKGROUND_JOB", self._switch.core_uuid)
        event |= {"Job-UUID": job, "Job-Command": name} | ({"Job-Command-Arg": arguments} if arguments else {})
        self._hear(event | {"Content-Length": str(len(said.encode())), "_body": said})


class _Client:
    """One connection. Whoever tells it something does not wait for it."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self.subscription = Subscription()
        self.is_known = False
        self.is_over = False
        self.gone = gevent.event.Event()
        self._outgoing: list[bytes] = []
        self._wake = gevent.event.Event()
        self._writer = gevent.spawn(self._write)

    def send(self, data: bytes) -> None:
        """Queue what is said to it."""
        self._outgoing.append(data)
        self._wake.set()

    def _write(self) -> None:
        while not self.gone.is_set():
            self._wake.wait()
            self._wake.clear()
            data, self._outgoing = b"".join(self._outgoing), []
            try:
                self._sock.sendall(data)
            except OSError:
                return

    def finish(self) -> None:
        """Say what is queued, then close."""
        if self._outgoing and not self.gone.is_set():
            gevent.sleep(0)
        self.close()

    def close(self) -> None:
        """Close at once."""
        self.gone.set()
        self._wake.set()
        self.is_over = True
        with contextlib.suppress(OSError):
            self._sock.shutdown(gevent.socket.SHUT_RDWR)
        self._sock.close()
