"""greenswitch's InboundESL, guarded: a connection that we dial, and that hears of every channel of the switch.

Each method that overrides greenswitch names the row of FREESWITCH.md, section 6, that it answers.
"""

from __future__ import annotations

import time

import gevent.socket
from greenswitch import esl as greenswitch

from consentivr.esl.codec import Decoder, encode
from consentivr.esl.connection import GuardedConnection
from consentivr.esl.errors import RemoteProtocolError, SessionClosed

MAX_BODY_BYTES = 64 * 1024 * 1024
"""Largest body: the list of all calls has about 1 kB for each."""


class InboundConnection(GuardedConnection, greenswitch.InboundESL):  # type: ignore[misc]
    """A connection to mod_event_socket. Not to be shared between greenlets.

    The constructor does not connect. Raises as ``GuardedConnection`` does.
    """

    def __init__(self, address: tuple[str, int], password: str) -> None:
        """Rows H, I, N: no background greenlet that could die and leave a waiter behind."""
        self._address = address
        self._password = password

    def connect(self, *subscriptions: str, timeout: float = 5.0) -> None:
        """Connect, authenticate, subscribe; ``timeout`` in seconds for all of it.

        Row J: every step has the deadline, and a refusal is an error that says what to do.
        """
        deadline = time.monotonic() + timeout
        try:
            sock = gevent.socket.create_connection(self._address, timeout=timeout)
        except OSError as error:
            raise SessionClosed(f"cannot connect: {error.strerror or error}") from None
        GuardedConnection.__init__(self, sock, Decoder(MAX_BODY_BYTES))
        try:
            self._authenticate(deadline)
            for command in subscriptions:
                if not self.send(command, deadline - time.monotonic()).is_accepted:
                    raise RemoteProtocolError(f"the switch refused '{command}'")
        except BaseException:
            self.stop()
            raise

    def _authenticate(self, deadline: float) -> None:
        greeting = self._read_message(deadline)
        if greeting is None or greeting.content_type == "text/rude-rejection":
            raise RemoteProtocolError("the switch lets nobody in from this address: see its event_socket.conf, acl")
        if greeting.content_type != "auth/request":
            raise RemoteProtocolError("the peer is not an inbound socket of FreeSWITCH")
        # The password is not part of what an error may quote: the expected reply is named without it.
        if not self._reply_to(encode(f"auth {self._password}"), deadline).is_accepted:
            raise RemoteProtocolError("the switch refused the password: see its event_socket.conf")

    def authenticate(self) -> None:
        """Row J: a part of ``connect``, with its deadline."""
        raise NotImplementedError("connect() authenticates")
