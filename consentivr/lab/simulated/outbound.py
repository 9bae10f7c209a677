"""The outbound socket of one call: what the application says on it, and what it hears."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import gevent
import gevent.socket

from consentivr.lab.simulated import words
from consentivr.lab.simulated.clients import Filters

if TYPE_CHECKING:
    from consentivr.lab.simulated.execution import Execution

_MY_EVENTS = {
    "CHANNEL_ANSWER", "CHANNEL_APPLICATION", "CHANNEL_BRIDGE", "CHANNEL_CREATE", "CHANNEL_DATA", "CHANNEL_DESTROY",
    "CHANNEL_EXECUTE", "CHANNEL_EXECUTE_COMPLETE", "CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_ORIGINATE",
    "CHANNEL_UUID", "CHANNEL_OUTGOING", "CHANNEL_PARK", "CHANNEL_PROGRESS", "CHANNEL_PROGRESS_MEDIA", "CHANNEL_STATE",
    "CHANNEL_UNBRIDGE", "CHANNEL_UNPARK", "DETECTED_SPEECH", "DTMF", "NOTALK", "TALK",
}  # fmt: skip
"""What ``myevents`` brings (FREESWITCH.md, section 2)."""


class OutboundSocket:
    """Replies to commands at once; what is to be executed waits in ``commands``."""

    def __init__(self, sock: Any, channel: Execution) -> None:
        self._sock = sock
        self._channel = channel
        self.commands: deque[tuple[str, str, str]] = deque()
        """(application, argument, Event-UUID), in the order in which they came."""
        self.lingers = False
        self._subscribed = False
        self._wanted: set[str] = set(_MY_EVENTS)
        self.filters = Filters()
        gevent.spawn(self._read)

    # --- what the application says -----------------------------------------------------------

    def _read(self) -> None:
        buffer = b""
        try:
            while data := self._sock.recv(65536):
                *blocks, buffer = (buffer + data).split(b"\n\n")
                for block in blocks:
                    self._obey(block.decode("utf-8").strip("\n"))
        except (OSError, UnicodeDecodeError):
            pass
        self._channel.tell_itself("closed", self)

    def _obey(self, block: str) -> None:
        command, *lines = block.split("\n")
        word, _, rest = command.partition(" ")
        if command == "connect":
            self.send(self._channel_data())
        elif word == "linger":
            self.lingers = True
            self._reply("+OK will linger 10 seconds")
        elif command == "myevents json":
            self._subscribed = True
            self._reply("+OK Events Enabled")
        elif command.startswith("event json"):
            self._wanted.update(command.split(" ")[2:])
            self._reply("+OK event listener enabled json")
        elif word == "nixevent":
            self._wanted.difference_update(rest.split(" "))
            self._reply("+OK events nixed")
        elif word == "filter":
            self._reply(self.filters.add(rest))
        elif command == "exit":
            self._reply("+OK bye")
            self._channel.tell_itself("closed", self)
        elif command == "sendmsg":
            headers = dict(line.split(": ", 1) for line in lines)
            self._reply("-ERR invalid session id" if self._channel.over else "+OK")
            named = (headers["execute-app-name"], headers.get("execute-app-arg", ""), headers.get("Event-UUID", ""))
            self._channel.tell_itself("command", named)
        elif word == "api":
            self.send(words.api_response(self._channel.switch.api(rest)))
        else:
            self._reply("-ERR command not found")

    def _channel_data(self) -> bytes:
        """Plain and URL-encoded (FREESWITCH.md, section 2)."""
        headers = self._channel.headers("CHANNEL_DATA")
        lines = [f"{key}: {words.switch_url_encode(_plain(value))}" for key, value in headers.items()]
        lines += ["Content-Type: command/reply", "Reply-Text: %2BOK%0A", "Socket-Mode: async", "Control: full"]
        return ("\n".join(lines) + "\n\n").encode()

    # --- what it hears -----------------------------------------------------------------------

    def wants(self, name: str) -> bool:
        """Whether it is told of events of this name at all."""
        return self._subscribed and name in self._wanted

    def hear(self, event: words.Event) -> None:
        """An event that it wants, unless a filter keeps it back."""
        if self.filters.pass_(event):
            self.send(words.event_message(event))

    def notice(self, disposition: str) -> None:
        """``text/disconnect-notice``."""
        self.send(
            f"Content-Type: text/disconnect-notice\nControlled-Session-UUID: {self._channel.uuid}\n"
            f"Content-Disposition: {disposition}\nContent-Length: 0\n\n".encode()
        )

    def _reply(self, text: str) -> None:
        self.send(words.reply(text))

    def send(self, data: bytes) -> None:
        """Send; a connection that is gone is found out by reading."""
        try:
            self._sock.sendall(data)
        except OSError:
            self._channel.socket_is_gone(self)

    def close(self) -> None:
        """Close."""
        self._sock.close()


def _plain(value: str | list[str]) -> str:
    """A list as FreeSWITCH prints it where there is no JSON."""
    return value if isinstance(value, str) else f"ARRAY::{'|:'.join(value)}"
