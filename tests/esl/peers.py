"""Peers that are not well: small servers and clients that say exactly what a test wants."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent
import gevent.socket

from consentivr.esl.session import OutboundSession

CONNECT_REPLY = (
    b"Event-Name: CHANNEL_DATA\nUnique-ID: 26c9d23f-fed1-4cfe-b05e-66ccabca7936\n"
    b"Caller-Caller-ID-Number: +493023125000\nContent-Type: command/reply\nReply-Text: %2BOK%0A\n\n"
)
OK = b"Content-Type: command/reply\nReply-Text: +OK\n\n"


def event(name: str, **headers: str) -> bytes:
    import json

    body = json.dumps({"Event-Name": name, **headers}, separators=(",", ":")).encode()
    return b"Content-Length: %d\nContent-Type: text/event-json\n\n%s" % (len(body), body)


def complete(event_uuid: str, application: str = "playback") -> bytes:
    return event("CHANNEL_EXECUTE_COMPLETE", **{"Application-UUID": event_uuid, "Application": application})


@contextmanager
def pair() -> Iterator[tuple[OutboundSession, gevent.socket.socket]]:
    """Our session, and the socket of the switch at its other end."""
    ours, theirs = gevent.socket.socketpair()
    session = OutboundSession(("127.0.0.1", 0), ours)
    try:
        yield session, theirs
    finally:
        session.stop()
        theirs.close()


@contextmanager
def connected() -> Iterator[tuple[OutboundSession, gevent.socket.socket]]:
    """The same after a good ``connect``."""
    with pair() as (session, switch):
        switch.sendall(CONNECT_REPLY + OK * 4)
        session.connect()
        switch.recv(65536)
        yield session, switch


def within(seconds: float, what: Callable[[], object]) -> object:
    """Run ``what``; raises AssertionError when it takes longer."""
    greenlet = gevent.spawn(what)
    greenlet.join(seconds)
    if not greenlet.ready():
        greenlet.kill()
        raise AssertionError(f"still waiting after {seconds} s")
    if greenlet.exception is not None:
        raise greenlet.exception
    return greenlet.value
