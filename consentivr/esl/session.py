"""greenswitch's OutboundSession, guarded: one greenlet owns the call, its socket and its waits.

greenswitch runs two greenlets beside the application and hands events over queues. Here the
application's own greenlet reads: ``receive`` returns the next message, and commands collect until the
greenlet is about to wait, then leave in one piece (FREESWITCH.md, section 2: pipelining). Each method
that overrides greenswitch names the row of FREESWITCH.md, section 6, that it answers.
"""

from __future__ import annotations

import time
import uuid
from collections import deque
from typing import Any

import gevent
import gevent.socket
from greenswitch import esl as greenswitch

from consentivr.esl.codec import Decoder, Headers, Message, encode, encode_execute
from consentivr.esl.errors import LocalProtocolError, RemoteProtocolError, SessionClosed, WaitTimedOut

_RECEIVE_BYTES = 65536
_SEND_SECONDS = 5.0
_MESSAGES_BEFORE_OTHERS = 32
_ANSWER = "answer "
"""Marks a reply that is awaited for what it says."""

SUBSCRIPTIONS = (
    "linger 10",
    "myevents json",
    "event json RECORD_START RECORD_STOP",
    "nixevent CHANNEL_STATE CHANNEL_CALLSTATE CHANNEL_EXECUTE PRESENCE_IN",
)
"""FREESWITCH.md, section 2: ``myevents`` alone leaves out the recorder's events; JSON keeps a
caller's text a value; ``linger`` brings the events after the hangup."""


class _Interrupted(BaseException):
    """Woken while waiting for the socket; nothing that was read is lost."""


class OutboundSession(greenswitch.OutboundSession):  # type: ignore[misc]
    """One call's connection. Not to be shared between greenlets.

    ``receive`` and ``wait_for_complete`` raise SessionClosed when the switch is gone, WaitTimedOut at
    the deadline, RemoteProtocolError when the peer does not speak ESL. All are ordinary exceptions.
    """

    def __init__(self, client_address: tuple[str, int], sock: gevent.socket.socket) -> None:
        """Rows H, I, N: no background greenlet that could die and leave a waiter behind."""
        self.client_address = client_address
        self.sock = sock
        self.connected = True
        self.session_data: dict[str, str] = {}
        self._decoder = Decoder()
        self._outgoing: list[bytes] = []
        self._expected_replies: deque[str] = deque()
        self._events: deque[dict[str, Any]] = deque()
        self._messages = 0
        self._receiving: Any = None

    # --- connecting --------------------------------------------------------------------------

    def connect(self, timeout: float = 5.0) -> Headers:
        """Take the call and subscribe, in one go. Returns the channel's data, lazily decoded.

        Row J: has a deadline and refuses ``-ERR``. Row B: the block is split before it is decoded.
        """
        self._queue(encode("connect"), "connect")
        for command in SUBSCRIPTIONS:
            self._queue(encode(command), command)
        deadline = time.monotonic() + timeout
        message = self._next_reply(deadline)
        if not message.reply_text.startswith("+OK"):
            raise RemoteProtocolError("the switch refused to hand over the call")
        self._expected_replies.popleft()
        # Not the whole channel: 160 headers are most of what a waiting call would weigh.
        self.session_data = {"Unique-ID": message.headers.get("Unique-ID", "")}
        return message.headers

    @property
    def uuid(self) -> str | None:
        """The caller's channel, as the switch names it."""
        return self.session_data.get("Unique-ID")

    # --- commands ----------------------------------------------------------------------------

    def call_command(
        self, app_name: str, app_args: str = "", block: bool = False, response_timeout: float | None = None
    ) -> str:
        """Execute a dialplan application; returns the Event-UUID that its COMPLETE will carry.

        Row C: waits go by that UUID, never by the application's name. Row E: the codec refuses line
        breaks. Row D: nothing of the wait depends on registered handlers.
        """
        event_uuid = str(uuid.uuid4())
        self._queue(encode_execute(app_name, app_args, event_uuid), f"sendmsg {app_name}")
        if block:
            self.wait_for_complete(event_uuid, response_timeout)
        return event_uuid

    def play_and_get_digits(
        self,
        *,
        prompt_file: str,
        variable: str,
        digits_regex: str,
        timeout_ms: int,
        min_digits: int = 1,
        max_digits: int = 1,
        tries: int = 1,
        terminators: str = "#",
    ) -> str:
        """Ask for keys; returns the Event-UUID. FREESWITCH.md, section 3.

        Row F: every argument has a value. Row I: waiting is ``wait_for_complete``'s business.
        """
        words = [
            str(min_digits),
            str(max_digits),
            str(tries),
            str(timeout_ms),
            terminators,
            prompt_file,
            "silence_stream://10",
            variable,
            digits_regex,
            str(timeout_ms),
        ]
        if any(not word or " " in word for word in words):
            raise LocalProtocolError("an argument of play_and_get_digits is empty or holds a blank")
        return self.call_command("play_and_get_digits", " ".join(words))

    def playback(self, path: str, block: bool = False) -> str:
        """Play a file. Row C, by way of ``call_command``."""
        return self.call_command("playback", path, block)

    def set_variables(self, variables: dict[str, str]) -> str:
        """Set several channel variables at once; an empty value unsets one."""
        for name, value in variables.items():
            if "|" in name or "|" in value:
                raise LocalProtocolError("a variable must not hold the separator of multiset")
        pairs = "|".join(f"{name}={value}" for name, value in variables.items())
        return self.call_command("multiset", f"^^|{pairs}")

    def api(self, command: str, *, answer: bool = False) -> None:
        """Queue an API command: works at any time, also while ``callcenter`` waits (section 2).

        With ``answer`` what it says comes as an event named ``API_ANSWER``.
        """
        if "${" in command:
            raise LocalProtocolError("an API command must not hold a variable for the switch to expand")
        self._queue(encode(f"api {command}"), f"{_ANSWER}{command}" if answer else f"api {command.split(' ')[0]}")

    def send(self, data: str, timeout: float = 5.0) -> Message:
        """Send one command and wait for its reply.

        Row G: all bytes are sent. Rows H, J: the wait ends with the connection or at its deadline.
        """
        self._queue(encode(data), data.split(" ")[0])
        deadline = time.monotonic() + timeout
        while len(self._expected_replies) > 1:
            self._pump(deadline)
        message = self._next_reply(deadline)
        self._expected_replies.popleft()
        return message

    # --- waiting -----------------------------------------------------------------------------

    def receive(self, timeout: float | None = None) -> dict[str, Any]:
        """The next event of the call, after sending what is queued.

        ``timeout`` in seconds, None waits as long as the connection lives. A refused command comes as
        an event too, named ``COMMAND_REFUSED``.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._events:
            self._pump(deadline)
        return self._events.popleft()

    def inject(self, event: dict[str, Any]) -> None:
        """Let ``receive`` return an event that does not come from the switch. From any greenlet of the same hub."""
        self._events.append(event)
        gevent.get_hub().loop.run_callback(self._interrupt)

    def _interrupt(self) -> None:
        """In the hub: wake the call's greenlet if, and only if, it waits for the socket."""
        if self._receiving is not None:
            self._receiving.throw(_Interrupted)

    def wait_for_complete(self, event_uuid: str, timeout: float | None = None) -> dict[str, Any]:
        """Wait for the CHANNEL_EXECUTE_COMPLETE of one command, keeping all other events for ``receive``.

        Rows C, H and I: matched by Application-UUID, ended by a dead connection, never leaked.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        seen = 0
        while True:
            while seen < len(self._events):
                event = self._events[seen]
                complete = event["Event-Name"] == "CHANNEL_EXECUTE_COMPLETE"
                if complete and event.get("Application-UUID") == event_uuid:
                    del self._events[seen]
                    return event
                seen += 1
            self._pump(deadline)

    def flush(self) -> None:
        """Send what is queued now. Row G: ``sendall``, not ``send``, and not for ever."""
        if not self._outgoing:
            return
        if not self.connected:
            raise SessionClosed("the connection is closed")
        data, self._outgoing = b"".join(self._outgoing), []
        self.sock.settimeout(_SEND_SECONDS)
        try:
            self.sock.sendall(data)
        except OSError as error:
            self.connected = False
            raise SessionClosed(f"the switch is gone: {error}") from None

    def stop(self) -> None:
        """Close at once, without asking the peer. Row P: nothing here can wait."""
        self.connected = False
        self.sock.close()

    # --- inside ------------------------------------------------------------------------------

    def _queue(self, data: bytes, expects: str) -> None:
        if not self.connected:
            raise SessionClosed("the connection is closed")
        self._outgoing.append(data)
        self._expected_replies.append(expects)

    def _next_reply(self, deadline: float) -> Message:
        """The reply to the oldest command, which stays on the list of expected replies."""
        while True:
            message = self._read_message(deadline)
            if message is None:
                continue
            if message.content_type in ("command/reply", "api/response"):
                return message
            self._sort(message)

    def _pump(self, deadline: float | None) -> None:
        message = self._read_message(deadline)
        if message is not None:
            self._sort(message)

    def _sort(self, message: Message) -> None:
        kind = message.content_type
        if kind == "text/event-json":
            self._events.append(message.event())
        elif kind in ("command/reply", "api/response"):
            if not self._expected_replies:
                raise RemoteProtocolError("the switch replied to a command that was not sent")
            command = self._expected_replies.popleft()
            if command.startswith(_ANSWER):
                said = message.body.decode("utf-8", "replace") if kind == "api/response" else "-ERR"
                self._events.append({"Event-Name": "API_ANSWER", "Command": command[len(_ANSWER) :], "Body": said})
            elif kind == "command/reply" and not message.reply_text.startswith("+OK"):
                self._events.append({"Event-Name": "COMMAND_REFUSED", "Command": command})
        elif kind == "text/disconnect-notice":
            # Row H. The first notice of a lingering socket is not the end (section 2).
            if message.headers.get("Content-Disposition") != "linger":
                self.connected = False
        else:
            raise RemoteProtocolError("the peer is not an outbound socket of FreeSWITCH")

    def _read_message(self, deadline: float | None) -> Message | None:
        """Rows A, B, N, R: one bounded decoder, an end of stream that ends, nothing decoded early.

        None when ``inject`` woke us instead.
        """
        self.flush()
        while True:
            message = self._decoder.next_message()
            if message is not None:
                self._let_others_run()
                return message
            if not self.connected:
                raise SessionClosed("the switch said goodbye")
            try:
                data = self._read_socket(self.sock, deadline)
            except _Interrupted:
                return None
            if not data:
                self.connected = False
                self._decoder.end()
                raise SessionClosed("the switch closed the connection")
            self._decoder.feed(data)

    def _let_others_run(self) -> None:
        """Promise P9: gevent does not switch while there is something to read, so a peer that never
        stops talking would starve every other call."""
        self._messages += 1
        if self._messages % _MESSAGES_BEFORE_OTHERS == 0:
            gevent.sleep(0)

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

    # --- greenswitch's own state, as its inherited methods read it ---------------------------

    _lingering = False

    @property
    def _outbound_connected(self) -> bool:
        return self.connected

    # --- greenswitch's own machinery, which none of the above needs --------------------------

    def register_handle(self, name: str, handler: Any) -> None:
        """Row D: nothing is called from behind; ``receive`` returns every event."""
        raise NotImplementedError("one greenlet owns a call: use receive()")

    def start_event_handlers(self) -> None:
        """Rows D, H, N: there is no second greenlet."""
        raise NotImplementedError("one greenlet owns a call: use receive()")

    def receive_events(self) -> None:
        """Row N: see ``receive``."""
        raise NotImplementedError("one greenlet owns a call: use receive()")

    def process_events(self) -> None:
        """Row D: see ``receive``."""
        raise NotImplementedError("one greenlet owns a call: use receive()")

    def register_expected_event(self, *args: Any) -> None:
        """Row C: see ``wait_for_complete``."""
        raise NotImplementedError("waits go by Event-UUID: use wait_for_complete()")

    def on_hangup(self, event: Any) -> None:
        """Row S: the caller's number is nobody's log line."""
        raise NotImplementedError("the application decides what a hangup means")
