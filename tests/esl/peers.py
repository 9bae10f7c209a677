"""Peers that are not well: small servers and clients that say exactly what a test wants."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import gevent
import gevent.socket

from consentivr.asking.proof import proof
from consentivr.config import Configuration
from consentivr.esl.inbound import InboundConnection, Login
from consentivr.esl.session import SUBSCRIPTIONS, OutboundSession
from consentivr.service.build import dialplan_secret

T = TypeVar("T")

CONNECT_REPLY = (
    b"Event-Name: CHANNEL_DATA\nUnique-ID: 26c9d23f-fed1-4cfe-b05e-66ccabca7936\n"
    b"Caller-Caller-ID-Number: +493023125000\nContent-Type: command/reply\nReply-Text: %2BOK%0A\n\n"
)
OK = b"Content-Type: command/reply\nReply-Text: +OK\n\n"


def event(name: str, **headers: str) -> bytes:
    """As FreeSWITCH writes it."""
    body = json.dumps({"Event-Name": name, **headers}, separators=(",", ":")).encode()
    return b"Content-Length: %d\nContent-Type: text/event-json\n\n%s" % (len(body), body)


def answer(text: str) -> bytes:
    """To a plain API command."""
    return b"Content-Type: api/response\nContent-Length: %d\n\n%s" % (len(text.encode()), text.encode())


def done(job: str, text: str) -> bytes:
    """The end of a background job."""
    return event("BACKGROUND_JOB", **{"Job-UUID": job, "_body": text})


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
        switch.sendall(CONNECT_REPLY + OK * len(SUBSCRIPTIONS))
        session.connect()
        switch.recv(65536)
        yield session, switch


@contextmanager
def dialled(*subscriptions: str) -> Iterator[tuple[InboundConnection, gevent.socket.socket]]:
    """Our connection to a switch that lets us in, and the socket at its other end."""
    listener = gevent.socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    connection = InboundConnection(listener.getsockname(), Login("ClueCon"))
    connecting = gevent.spawn(connection.connect, *subscriptions)
    switch, _ = listener.accept()
    try:
        switch.sendall(b"Content-Type: auth/request\n\n")
        for _ in ("auth", *subscriptions):
            switch.recv(65536)
            switch.sendall(OK)
        connecting.get(timeout=5)
        yield connection, switch
    finally:
        connecting.kill()
        if hasattr(connection, "sock"):
            connection.stop()
        switch.close()
        listener.close()


def within(seconds: float, what: Callable[[], T]) -> T:
    """Run ``what``; raises AssertionError when it takes longer."""
    greenlet = gevent.spawn(what)
    greenlet.join(seconds)
    if not greenlet.ready():
        greenlet.kill()
        raise AssertionError(f"still waiting after {seconds} s")
    if greenlet.exception is not None:
        raise greenlet.exception
    value: T = greenlet.value
    return value


def proven(connected: bytes, configuration: Configuration) -> bytes:
    """What ``connect`` answered, with what the dialplan proves by its secret; it ends with its Content-Type."""
    secret = dialplan_secret(configuration)
    found = re.search(rb"Unique-ID: (\S+)", connected)
    assert secret is not None
    assert found is not None
    now = str(int(time.time()))
    made = proof(secret, found[1].decode(), now)
    said = f"variable_consent_called_at: {now}\nvariable_consent_proof: {made}\nContent-Type: command/reply"
    return connected.replace(b"Content-Type: command/reply", said.encode(), 1)


def handed_over(configuration: Configuration, channel_uuid: str = "26c9d23f-fed1-4cfe-b05e-66ccabca7936") -> bytes:
    """A call on the line 5000, and what follows: the answers to our subscriptions."""
    said = CONNECT_REPLY.replace(b"26c9d23f-fed1-4cfe-b05e-66ccabca7936", channel_uuid.encode())
    said = said.replace(b"Caller-Caller", b"Caller-Destination-Number: 5000\nCaller-Caller", 1)
    return proven(said, configuration) + OK * len(SUBSCRIPTIONS)
