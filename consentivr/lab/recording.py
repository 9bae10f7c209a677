"""Recorded conversations: both sockets of a real switch, message by message, as ``tests/transcripts`` keeps them.

A *tap* is an inbound connection that subscribes as the watch does; a *relay* stands between the switch and
``consentivr serve`` and passes every byte on.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import gevent
import gevent.event
import gevent.socket
from gevent.server import StreamServer

from consentivr.lab.process import ADDRESS

EVENTS = (
    "RECORD_START RECORD_STOP MEDIA_BUG_START MEDIA_BUG_STOP DTMF CHANNEL_BRIDGE CHANNEL_UNBRIDGE CHANNEL_HOLD"
    " CHANNEL_UNHOLD CHANNEL_HANGUP_COMPLETE BACKGROUND_JOB CUSTOM callcenter::info conference::maintenance"
)
"""What the watch subscribes to."""

NOISE = (
    "variable_sip_via", "variable_sip_full", "variable_sip_local_sdp", "variable_sip_looped", "variable_sip_nat",
    "variable_sip_recv", "variable_sip_network", "variable_sip_invite", "variable_sip_contact", "variable_sip_use",
    "variable_sip_audio", "variable_sip_2833", "variable_sip_rtp", "variable_sip_user_agent", "variable_sip_allow",
    "variable_sip_cseq", "variable_sip_outgoing", "variable_sip_gateway", "variable_sip_reply", "variable_sip_term",
    "variable_sip_local_network", "variable_sip_acl", "variable_rtp_", "variable_switch_", "variable_remote_",
    "variable_local_media", "variable_advertised", "variable_video", "variable_text", "variable_ep_codec",
    "variable_dtmf_type", "variable_read_", "variable_write_", "variable_swtich", "variable_playback_",
    "variable_DP_MATCH", "variable_DIALPLAN", "variable_use_profile", "variable_recovery", "variable_flow",
    "Event-Calling", "Event-Date-GMT", "Event-Date-Local", "FreeSWITCH-IPv6", "Core-UUID",
)  # fmt: skip
"""Beginnings of headers that say nothing about a conversation: media negotiation and SIP transport."""

KEPT_NOISE = frozenset({"variable_read_result"})


@dataclass
class Conversation:
    """The messages of one connection, in order: direction, seconds since the beginning, bytes."""

    began: float
    blocks: list[tuple[str, float, bytes]] = field(default_factory=list)

    def add(self, direction: str, data: bytes) -> None:
        """``<<<`` is from the switch, ``>>>`` to it."""
        self.blocks.append((direction, time.monotonic() - self.began, data))

    def text(self, replaced: Mapping[str, str]) -> bytes:
        """The file: noise left out, and what is this machine's own replaced."""
        written = []
        for direction, seconds, data in self.blocks:
            tidied = _tidy(data, replaced)
            written.append(f"{direction} {seconds:.3f} {len(tidied)}\n".encode() + tidied + b"\n")
        return b"\n".join(written)


class Tap:
    """An inbound connection of the lab: subscribes, keeps what it hears, asks. Close it."""

    def __init__(self, port: int, password: str, events: str = EVENTS) -> None:
        self._sock = gevent.socket.create_connection((ADDRESS, port), timeout=10)
        self._messages = _messages(lambda: self._sock.recv(65536))
        next(self._messages)
        self._sock.sendall(f"auth {password}\n\n".encode())
        next(self._messages)
        self.conversation = Conversation(time.monotonic())
        self.events: list[dict[str, str]] = []
        self._answers: dict[str, gevent.event.AsyncResult[str]] = {}
        self._say(f"event json {events}\n\n")
        self._reader = gevent.spawn(self._read)

    def ask(self, command: str, seconds: float = 10) -> str:
        """``bgapi``: the answer comes as BACKGROUND_JOB. Raises gevent.Timeout."""
        job = str(uuid.uuid4())
        answer: gevent.event.AsyncResult[str] = gevent.event.AsyncResult()
        self._answers[job] = answer
        self._say(f"bgapi {command}\nJob-UUID: {job}\n\n")
        return str(answer.get(timeout=seconds))

    def close(self) -> None:
        """Hang up."""
        self._reader.kill()
        self._sock.close()

    def _say(self, command: str) -> None:
        self.conversation.add(">>>", command.encode())
        self._sock.sendall(command.encode())

    def _read(self) -> None:
        for message in self._messages:
            head, _, body = message.partition(b"\n\n")
            event = json.loads(body) if b"text/event-json" in head else {}
            is_answer = event.get("Event-Name") == "BACKGROUND_JOB"
            if is_answer and event.get("Job-UUID") not in self._answers:
                continue  # to somebody else: the switch tells everybody of every job
            self.conversation.add("<<<", message)
            if event:
                self.events.append(event)
            if is_answer:
                self._answers.pop(event["Job-UUID"]).set(event.get("_body", "").strip())


class Relay:
    """Between the switch and ``consentivr serve``: one ``Conversation`` for each connection. Stop it."""

    def __init__(self, serve_port: int) -> None:
        self._serve_port = serve_port
        self.conversations: list[Conversation] = []
        self._server = StreamServer((ADDRESS, 0), self._relay)
        self._server.start()

    @property
    def port(self) -> int:
        """Where the switch should connect."""
        return int(self._server.server_port)

    def stop(self) -> None:
        """Take no more connections, and end those that there are."""
        self._server.stop(timeout=0)

    def _relay(self, switch: gevent.socket.socket, _address: object) -> None:
        conversation = Conversation(time.monotonic())
        self.conversations.append(conversation)
        try:
            serve = gevent.socket.create_connection((ADDRESS, self._serve_port), timeout=5)
        except OSError:
            return
        serve.settimeout(None)
        gevent.joinall(
            [
                gevent.spawn(_pass_on, switch, serve, lambda message: conversation.add("<<<", message)),
                gevent.spawn(_pass_on, serve, switch, lambda message: conversation.add(">>>", message)),
            ]
        )


def _pass_on(source: gevent.socket.socket, target: gevent.socket.socket, keep: Callable[[bytes], None]) -> None:
    def receive() -> bytes:
        try:
            data: bytes = source.recv(65536)
            if data:
                target.sendall(data)
        except OSError:
            return b""
        return data

    for message in _messages(receive):
        keep(message)
    with suppress(OSError):
        target.shutdown(gevent.socket.SHUT_WR)


def _messages(receive: Callable[[], bytes]) -> Iterator[bytes]:
    """Whole messages of either direction: a block of lines, an empty line, Content-Length bytes."""
    data = b""
    while True:
        end = data.find(b"\n\n")
        if end >= 0:
            length = 0
            for line in data[:end].split(b"\n"):
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            if len(data) >= end + 2 + length:
                yield data[: end + 2 + length]
                data = data[end + 2 + length :]
                continue
        more = receive()
        if not more:
            return
        data += more


def _tidy(message: bytes, replaced: Mapping[str, str]) -> bytes:
    head, _, body = message.partition(b"\n\n")
    if b"text/event-json" in head:
        event = json.loads(body)
        kept = {name: value for name, value in event.items() if name in KEPT_NOISE or not name.startswith(NOISE)}
        body = json.dumps(kept, separators=(",", ":"), ensure_ascii=False).encode()
    for old, new in replaced.items():
        head, body = head.replace(old.encode(), new.encode()), body.replace(old.encode(), new.encode())
    lines = [
        b"Content-Length: %d" % len(body) if line.startswith(b"Content-Length:") else line for line in head.split(b"\n")
    ]
    return b"\n".join(lines) + b"\n\n" + body
