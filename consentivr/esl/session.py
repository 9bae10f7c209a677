"""greenswitch's OutboundSession, guarded: a call that the switch handed to us.

Each method that overrides greenswitch names the row of FREESWITCH.md, section 6, that it answers.
"""

from __future__ import annotations

import itertools
import time
import uuid
from functools import lru_cache
from typing import Any

import gevent.socket
from greenswitch import esl as greenswitch

from consentivr.esl.codec import Event, Headers, encode, encode_execute
from consentivr.esl.connection import GuardedConnection
from consentivr.esl.errors import LocalProtocolError, RemoteProtocolError

SUBSCRIPTIONS = (
    "linger 10",
    "myevents json",
    "nixevent CHANNEL_STATE CHANNEL_CALLSTATE PRESENCE_IN CHANNEL_PARK CHANNEL_UNPARK CHANNEL_ANSWER CHANNEL_BRIDGE "
    "CHANNEL_UNBRIDGE RECORD_START RECORD_STOP",
)
"""FREESWITCH.md, section 2: JSON keeps a caller's text a value; ``linger`` brings the events after the hangup;
nobody here waits for the rest. Recorders and bridges are the watch's."""

_HANDSHAKE = tuple((encode(command), command) for command in SUBSCRIPTIONS)


_PROCESS, _EXECUTIONS = str(uuid.uuid4())[:24], itertools.count(1)
"""Together the Event-UUID of an execution: never the same twice."""


@lru_cache(maxsize=16)
def _filters(applications: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(encode(f"filter Application -{application}") for application in applications)


class OutboundSession(GuardedConnection, greenswitch.OutboundSession):  # type: ignore[misc]
    """One call's connection. Not to be shared between greenlets.

    ``receive`` and ``wait_for_complete`` raise SessionClosed when the switch is gone, WaitTimedOut at
    the deadline, RemoteProtocolError when the peer does not speak ESL. All are ordinary exceptions.
    """

    rest_s = 0.025
    """A media frame and a little: what the switch plays next has begun then, and no caller answers it so soon."""

    def __init__(self, client_address: tuple[str, int], sock: gevent.socket.socket) -> None:
        """Rows H, I, N: no background greenlet that could die and leave a waiter behind."""
        super().__init__(sock)
        self.client_address = client_address
        self.session_data: dict[str, str] = {}

    # --- connecting --------------------------------------------------------------------------

    def connect(self, timeout: float = 5.0) -> Headers:
        """Take the call and subscribe, in one go. Returns the channel's data, lazily decoded.

        Row J: has a deadline and refuses ``-ERR``. Row B: the block is split before it is decoded.
        """
        message = self._reply_to(encode("connect"), time.monotonic() + timeout, *_HANDSHAKE)
        if not message.is_accepted:
            raise RemoteProtocolError("the switch refused to hand over the call")
        # Not the whole channel: 160 headers are most of what a waiting call would weigh.
        self.session_data = {"Unique-ID": message.headers.get("Unique-ID", "")}
        return message.headers

    @property
    def uuid(self) -> str | None:
        """The caller's channel, as the switch names it."""
        return self.session_data.get("Unique-ID")

    # --- commands ----------------------------------------------------------------------------

    def decline(self, *applications: str) -> None:
        """Have the switch keep to itself that these applications have ended: most events of a call are such.

        A filter lets through what any positive filter names, unless a negative one names it too: so first all
        of this channel, then all but these.
        """
        self._queue(encode(f"filter Unique-ID {self.uuid}"), "filter")
        for command in _filters(applications):
            self._queue(command, "filter")

    def execute(self, app_name: str, app_args: str = "") -> None:
        """Execute a dialplan application whose end nobody waits for."""
        self._queue(encode_execute(app_name, app_args), f"sendmsg {app_name}")

    def call_command(
        self,
        app_name: str,
        app_args: str = "",
        block: bool = False,
        response_timeout: float | None = None,
    ) -> str:
        """Execute a dialplan application; returns the Event-UUID that its COMPLETE will carry.

        Row C: waits go by that UUID, never by the application's name. Row E: the codec refuses line
        breaks. Row D: nothing of the wait depends on registered handlers.
        """
        event_uuid = f"{_PROCESS}{next(_EXECUTIONS):012x}"
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

    def set_variables(self, variables: dict[str, str]) -> None:
        """Set several channel variables at once; an empty value unsets one."""
        pairs = "|".join([f"{name}={value}" for name, value in variables.items()])
        if pairs.count("|") != len(variables) - 1:
            raise LocalProtocolError("a variable must not hold the separator of multiset")
        self.execute("multiset", f"^^|{pairs}")

    # --- waiting -----------------------------------------------------------------------------

    def wait_for_complete(self, event_uuid: str, timeout: float | None = None) -> Event:
        """Wait for the CHANNEL_EXECUTE_COMPLETE of one command, keeping all other events for ``receive``.

        Rows C, H and I: matched by Application-UUID, ended by a dead connection, never leaked.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        seen = 0
        while True:
            while seen < len(self._events):
                event = self._events[seen]
                complete = isinstance(event, Event) and event["Event-Name"] == "CHANNEL_EXECUTE_COMPLETE"
                if isinstance(event, Event) and complete and event.get("Application-UUID") == event_uuid:
                    del self._events[seen]
                    return event
                seen += 1
            self._pump(deadline)

    # --- greenswitch's own state, as its inherited methods read it ---------------------------

    _lingering = False

    @property
    def _outbound_connected(self) -> bool:
        return self.connected

    # --- greenswitch's own machinery, which none of the above needs --------------------------

    def register_expected_event(self, *args: Any) -> None:
        """Row C: see ``wait_for_complete``."""
        raise NotImplementedError("waits go by Event-UUID: use wait_for_complete()")

    def on_hangup(self, event: Any) -> None:
        """Row S: the caller's number is nobody's log line."""
        raise NotImplementedError("the application decides what a hangup means")
