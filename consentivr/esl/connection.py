"""One guarded connection to a switch, whichever side dialled: one greenlet owns it, its socket and its waits.

greenswitch runs two greenlets beside the application and hands events over queues. Here the
application's own greenlet reads: ``receive`` returns the next message, and commands collect until the
greenlet is about to wait, then leave in one piece (FREESWITCH.md, section 2: pipelining). Each method
that overrides greenswitch names the row of FREESWITCH.md, section 6, that it answers.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gevent
import gevent.socket

from consentivr.esl.codec import ACCEPTED, Decoder, Event, Message, encode
from consentivr.esl.errors import LocalProtocolError, RemoteProtocolError, SessionClosed, WaitTimedOut

_RECEIVE_BYTES = 65536
_SEND_SECONDS = 5.0
_MESSAGES_BEFORE_OTHERS = 32


@dataclass(frozen=True)
class Refused:
    """The switch refused a command, named without its arguments: they may hold what is nobody's business."""

    command: str


Answer = Callable[[str], None]
"""What to do with the text that an API command answers."""


class _Woken(BaseException):
    """Woken while waiting for the socket; nothing that was read is lost."""


class GuardedConnection:
    """What both directions share. Not to be shared between greenlets.

    ``receive`` and ``send`` raise SessionClosed when the switch is gone, WaitTimedOut at the deadline,
    RemoteProtocolError when the peer does not speak ESL. All are ordinary exceptions.
    """

    rest_s = 0.0
    """So long after commands have left nothing is read that ``receive`` waits for: the replies, and what begins with
    them, are looked at in one go. To wake for each costs more than the replies do."""

    def __init__(self, sock: gevent.socket.socket, decoder: Decoder | None = None) -> None:
        """Rows H, I, N: no background greenlet that could die and leave a waiter behind."""
        self.sock = sock
        self.connected = True
        self._decoder = decoder or Decoder()
        self._outgoing: list[bytes] = []
        self._expected_replies: deque[str | list[Message] | Answer] = deque()
        """Of each command under way its name, the list that its reply is put into, or who gets its answer."""
        self._events: deque[Event | Refused] = deque()
        self._messages = 0
        self._woken = False
        self._receiving: Any = None

    # --- commands ----------------------------------------------------------------------------

    def api(self, command: str, then: Answer | None = None) -> None:
        """Queue an API command: works at any time, also while ``callcenter`` waits (section 2).

        ``then`` gets what it answers, in the greenlet that receives.
        """
        self._queue(encode(f"api {literal(command)}"), then or f"api {command.split(' ')[0]}")

    def send(self, data: str, timeout: float = 5.0) -> Message:
        """Send one command and wait for its reply.

        Row G: all bytes are sent. Rows H, J: the wait ends with the connection or at its deadline.
        """
        return self._reply_to(encode(data), time.monotonic() + timeout)

    # --- waiting -----------------------------------------------------------------------------

    def receive(self, timeout: float | None = None) -> Event | Refused | None:
        """The next event; before it waits for one, what is queued is sent. None when ``wake`` ended the wait.

        ``timeout`` in seconds, None waits as long as the connection lives.
        """
        events = self._events
        if not events:
            deadline = None if timeout is None else time.monotonic() + timeout
            while not events and not self._woken:
                self._pump(deadline, wakeable=True)
        self._woken = False
        return events.popleft() if events else None

    def wake(self) -> None:
        """Let ``receive`` return. From any greenlet of the same hub."""
        self._woken = True
        gevent.get_hub().loop.run_callback(self._interrupt)

    def _interrupt(self) -> None:
        """In the hub: wake the owner if, and only if, it waits for the socket."""
        if self._woken and self._receiving is not None:
            self._receiving.throw(_Woken)

    def flush(self) -> None:
        """Send what is queued now. Row G: all of it, however many pieces that takes, but not for ever."""
        if not self._outgoing:
            return
        if not self.connected:
            raise SessionClosed("the connection is closed")
        data, self._outgoing = b"".join(self._outgoing), []
        self.sock.settimeout(_SEND_SECONDS)
        try:
            sent = self.sock.send(data)
            if sent < len(data):
                self.sock.sendall(data[sent:])
        except OSError as error:
            self.connected = False
            raise SessionClosed(f"the switch is gone: {error}") from None

    def stop(self) -> None:
        """Close at once, without asking the peer. Row P: nothing here can wait."""
        self.connected = False
        self.sock.close()

    # --- inside ------------------------------------------------------------------------------

    def _queue(self, data: bytes, expects: str | list[Message] | Answer) -> None:
        if not self.connected:
            raise SessionClosed("the connection is closed")
        self._outgoing.append(data)
        self._expected_replies.append(expects)

    def _reply_to(self, data: bytes, deadline: float, *more: tuple[bytes, str]) -> Message:
        """Send a command, with ``more`` in the same go, and wait for its reply; what else arrives is kept."""
        reply: list[Message] = []
        self._queue(data, reply)
        for following, name in more:
            self._queue(following, name)
        while not reply:
            self._pump(deadline)
        return reply[0]

    def _pump(self, deadline: float | None, *, wakeable: bool = False) -> None:
        message = self._read_message(deadline, wakeable=wakeable)
        if message is not None:
            self._sort(message)

    def _read_message(self, deadline: float | None, *, wakeable: bool = False) -> Message | None:
        """The next message; when nothing is left of what was read, what is queued is sent first.

        Rows A, B, N, R: one bounded decoder, an end of stream that ends, nothing decoded early.
        None after replies that need no look, and when ``wake`` ended the wait.
        """
        while True:
            accepted = self._decoder.skip_accepted()
            if accepted:
                for _ in range(accepted):
                    self._settle(ACCEPTED)
                return None
            message = self._decoder.next_message()
            if message is not None:
                self._messages += 1
                if self._messages % _MESSAGES_BEFORE_OTHERS == 0:
                    # Promise P9: gevent does not switch while there is something to read, so a peer that never
                    # stops talking would starve every other call.
                    gevent.sleep(0)
                return message
            if self._outgoing:
                self.flush()
                if wakeable and self.rest_s and not self._woken:
                    gevent.sleep(self.rest_s)
            if wakeable and self._woken:
                return None
            if not self.connected:
                raise SessionClosed("the switch said goodbye")
            try:
                data = self._read_socket(self.sock, deadline)
            except _Woken:
                return None
            if not data:
                self.connected = False
                self._decoder.end()
                raise SessionClosed("the switch closed the connection")
            self._decoder.feed(data)

    def _sort(self, message: Message) -> None:
        kind = message.content_type
        if kind == "text/event-json":
            self._events.append(message.event())
        elif kind in ("command/reply", "api/response"):
            self._settle(message)
        elif kind == "text/disconnect-notice":
            # Row H. The first notice of a lingering socket is not the end (section 2).
            if message.headers.get("Content-Disposition") != "linger":
                self.connected = False
        else:
            raise RemoteProtocolError("the peer is not an outbound socket of FreeSWITCH")

    def _settle(self, reply: Message) -> None:
        """A reply belongs to the oldest command under way."""
        if not self._expected_replies:
            raise RemoteProtocolError("the switch replied to a command that was not sent")
        expects = self._expected_replies.popleft()
        if isinstance(expects, list):
            expects.append(reply)
        elif callable(expects):
            said = reply.body.decode("utf-8", "replace") if reply.content_type == "api/response" else "-ERR refused"
            expects(said)
        elif reply is not ACCEPTED and reply.content_type == "command/reply" and not reply.is_accepted:
            self._events.append(Refused(expects))

    def _read_socket(self, sock: gevent.socket.socket, deadline: float | None) -> bytes:
        """Row A: one ``recv``, whose empty result is the end, with a deadline."""
        if deadline is None:
            sock.settimeout(None)
        else:
            left = deadline - time.monotonic()
            if left <= 0:
                raise WaitTimedOut("the switch did not answer in time")
            sock.settimeout(left)
        self._receiving = gevent.getcurrent()
        try:
            return bytes(sock.recv(_RECEIVE_BYTES))
        except TimeoutError:
            raise WaitTimedOut("the switch did not answer in time") from None
        except OSError as error:
            self.connected = False
            raise SessionClosed(f"the switch is gone: {error}") from None
        finally:
            self._receiving = None

    # --- greenswitch's own machinery, which none of the above needs --------------------------

    def register_handle(self, name: str, handler: Any) -> None:
        """Row D: nothing is called from behind; ``receive`` returns every event."""
        raise NotImplementedError("one greenlet owns a connection: use receive()")

    def start_event_handlers(self) -> None:
        """Rows D, H, N: there is no second greenlet."""
        raise NotImplementedError("one greenlet owns a connection: use receive()")

    def receive_events(self) -> None:
        """Row N: see ``receive``."""
        raise NotImplementedError("one greenlet owns a connection: use receive()")

    def process_events(self) -> None:
        """Row D: see ``receive``."""
        raise NotImplementedError("one greenlet owns a connection: use receive()")


def literal(command: str) -> str:
    """Row E's kin: the switch would expand a variable in an API command."""
    if "${" in command:
        raise LocalProtocolError("an API command must not hold a variable for the switch to expand")
    return command
