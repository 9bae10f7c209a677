"""A client of the simulated event socket."""

from __future__ import annotations

import json

import gevent
import gevent.socket

from consentivr.esl.codec import Decoder, Message
from consentivr.lab.event_socket import SimulatedEventSocket
from tests.waiting import until

PASSWORD = "ClueCon"


class Client:
    """Speaks inbound ESL; what arrives is in ``replies``, ``answers`` and ``events``."""

    def __init__(self, socket: SimulatedEventSocket, password: str = PASSWORD) -> None:
        self._sock = gevent.socket.create_connection(socket.address, timeout=5)
        self._decoder = Decoder(64 * 1024 * 1024)
        self.replies: list[Message] = []
        self.answers: list[str] = []
        self.events: list[dict] = []
        self.over = False
        self._reader = gevent.spawn(self._read)
        self.say(f"auth {password}")
        until(lambda: self.replies or self.over)

    def _read(self) -> None:
        try:
            while data := self._sock.recv(65536):
                self._decoder.feed(data)
                while (message := self._decoder.next_message()) is not None:
                    if message.content_type == "text/event-json":
                        self.events.append(json.loads(message.body))
                    elif message.content_type == "api/response":
                        self.answers.append(message.body.decode())
                    elif message.content_type == "command/reply":
                        self.replies.append(message)
        except OSError:
            pass
        self.over = True

    def say(self, *commands: str) -> None:
        self._sock.sendall("".join(f"{command}\n\n" for command in commands).encode())

    def ask(self, command: str) -> str:
        """``api``, and its answer."""
        known = len(self.answers)
        self.say(f"api {command}")
        until(lambda: len(self.answers) > known)
        return self.answers[-1]

    def names(self) -> list[str]:
        return [event.get("CC-Action", event["Event-Name"]) for event in self.events]

    def close(self) -> None:
        self._sock.close()
