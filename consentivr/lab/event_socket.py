"""The simulated switch's mod_event_socket: who connects and knows the password hears of every leg."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import gevent
from gevent.server import StreamServer

from consentivr.lab.switch import SimulatedSwitch


class SimulatedEventSocket:
    """Listens on a free port, or on the one given."""

    def __init__(self, switch: SimulatedSwitch, password: str, port: int = 0) -> None:
        self._switch = switch
        self._password = password
        self._clients: list[gevent.socket.socket] = []
        self._server = StreamServer(("127.0.0.1", port), self._serve)
        self._server.start()

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return "127.0.0.1", self._server.server_port

    def cut(self) -> None:
        """Drop every connection and accept no other, as a network that fails."""
        self._server.stop()
        for client in self._clients:
            client.close()

    def _serve(self, client: Any, peer: Any) -> None:
        self._clients.append(client)
        client.sendall(b"Content-Type: auth/request\n\n")
        wanted: set[str] = set()

        def tell(event: dict[str, str]) -> None:
            if event["Event-Name"] in wanted:
                body = json.dumps(event, separators=(",", ":")).encode("utf-8", "surrogatepass")
                with contextlib.suppress(OSError):
                    client.sendall(b"Content-Length: %d\nContent-Type: text/event-json\n\n%s" % (len(body), body))

        self._switch.listeners.append(tell)
        buffer, known = b"", False
        try:
            while data := client.recv(65536):
                buffer += data
                while b"\n\n" in buffer:
                    block, _, buffer = buffer.partition(b"\n\n")
                    command = block.decode()
                    if not known:
                        known = command == f"auth {self._password}"
                        client.sendall(_reply("+OK accepted" if known else "-ERR invalid"))
                        if not known:
                            return
                    elif command.startswith("event json "):
                        wanted.update(command.split(" ")[2:])
                        client.sendall(_reply("+OK event listener enabled json"))
                    elif command.startswith("api "):
                        body = self._switch.api(command[4:]).encode()
                        client.sendall(b"Content-Type: api/response\nContent-Length: %d\n\n%s" % (len(body), body))
                    else:
                        client.sendall(_reply("-ERR command not found"))
        except OSError:
            pass
        finally:
            self._switch.listeners.remove(tell)
            client.close()


def _reply(text: str) -> bytes:
    return f"Content-Type: command/reply\nReply-Text: {text}\n\n".encode()
