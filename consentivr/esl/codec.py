"""Bytes to messages and commands to bytes, without a socket.

FREESWITCH.md, section 2. A message is a block of ``Name: value`` lines ended by an empty line, then
``Content-Length`` bytes of body. Only ``connect`` answers with the channel in the block itself,
URL-encoded; everything else that we ask for carries JSON.
"""

from __future__ import annotations

import json
import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import unquote

from consentivr.esl.errors import LocalProtocolError, RemoteProtocolError

MAX_HEADER_BYTES = 256 * 1024
"""Largest block of headers. A real ``connect`` reply has 7 kB; a caller can add many X- headers."""

MAX_BODY_BYTES = 1024 * 1024
"""Largest body. A real event has 5-13 kB."""

MAX_HEADER_LINES = 4096

CONTENT_TYPES = frozenset(
    {
        "auth/request",
        "command/reply",
        "api/response",
        "text/event-json",
        "text/disconnect-notice",
        "text/rude-rejection",
    }
)
"""What FreeSWITCH sends to someone who never asks for plain or XML events, nor for the log."""

_HEADER_LINES = re.compile(rb"[!-9;-~]+:.*(?:\n[!-9;-~]+:.*)*")
_EVENT = re.compile(rb"(Content-Length: ([0-9]{1,9})\nContent-Type: text/event-json)\n\n")
_REPLY = re.compile(rb"(Content-Type: command/reply\nReply-Text: [\x20-\x7e]{0,500})\n\n")
_ANSWER = re.compile(rb"(Content-Type: api/response\nContent-Length: ([0-9]{1,9}))\n\n")
"""The three heads that nearly all messages have, recognized whole; every other is looked at line by line."""

_ACCEPTED = b"Content-Type: command/reply\nReply-Text: +OK"

_EVENT_BEGINS = (b'{"Event-Name":"', b'{"Event-Subclass":"')
"""The first header of an event; the second of those two of a custom one."""
_JSON = json.JSONDecoder(strict=False)
_BEFORE_VARIABLES = 1500
"""So many bytes of an event are looked at first."""
_JSON_TEXT = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*(?=")', re.DOTALL)
_LENGTH = re.compile(r"[0-9]{1,9}")
_FORBIDDEN_IN_COMMAND = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
"""All control characters but the line break, of which there must be one for each header."""


class _Searched(Mapping[str, str]):
    """Texts by name, searched in bytes when asked for: ``get`` says how."""

    __slots__ = ()

    def __getitem__(self, name: str) -> str:
        text: str | None = self.get(name)
        if text is None:
            raise KeyError(name)
        return text

    @abstractmethod
    def get(self, name: str, default: Any = None) -> Any:
        """The text of this name, or ``default``."""


class Headers(_Searched):
    """A block of header lines, searched and decoded one value at a time when asked for.

    The order matters: decoding before splitting lets a caller's ``%0A`` become a line of its own
    (FREESWITCH.md, section 6, row B).
    """

    __slots__ = ("_block",)

    def __init__(self, block: bytes) -> None:
        self._block = b"\n" + block + b"\n"

    def get(self, name: str, default: Any = None) -> Any:
        mark = b"\n" + name.encode() + b":"
        # Backwards it goes faster: of line breaks there are fewer than of colons.
        start = self._block.rfind(mark) + len(mark)
        if start < len(mark):
            return default
        text = self._block[start : self._block.index(b"\n", start)].strip(b" ").decode("utf-8", "replace")
        return unquote(text, errors="replace") if "%" in text else text

    def __iter__(self) -> Iterator[str]:
        return (line.partition(b":")[0].decode("ascii") for line in self._block.strip(b"\n").split(b"\n"))

    def __len__(self) -> int:
        return self._block.count(b"\n") - 1

    def count(self, name: str) -> int:
        """How many lines have this name: none, one, or (2) several."""
        mark = b"\n" + name.encode() + b":"
        last = self._block.rfind(mark)
        return 0 if last < 0 else 1 + (self._block.rfind(mark, 0, last) >= 0)


class Message(NamedTuple):
    """One message of the switch."""

    content_type: str
    block: bytes
    body: bytes = b""

    @property
    def headers(self) -> Headers:
        """Its header lines."""
        return Headers(self.block)

    @property
    def reply_text(self) -> str:
        """What a ``command/reply`` says: ``+OK ...`` or ``-ERR ...``."""
        return str(self.headers.get("Reply-Text", "")).strip()

    @property
    def is_accepted(self) -> bool:
        """Whether a ``command/reply`` says that the command is carried out."""
        return self.block.startswith(_ACCEPTED) or self.reply_text.startswith("+OK")

    def event(self) -> Event:
        """The event in a ``text/event-json`` body. Raises RemoteProtocolError when it holds none."""
        return Event(self.body)


class Event(_Searched):
    """An event, searched and decoded one value at a time when asked for: of its 200 headers we read five.

    FreeSWITCH writes one flat object that begins with the event's name. Within a text it escapes each quote, so
    ``,"Name":"`` always begins a header, whatever a caller wrote (promise P7). A header that repeats comes as an
    array, and counts as absent. Bytes that are not UTF-8, such as a display name in Latin-1, are replaced.

    Raises RemoteProtocolError when ``body`` is no such object.
    """

    __slots__ = ("_body",)

    def __init__(self, body: bytes) -> None:
        if not body.startswith(_EVENT_BEGINS) or not body.endswith((b'"}', b'"]}')):
            raise RemoteProtocolError("the body of an event is not a JSON object as FreeSWITCH writes it")
        self._body = body

    def get(self, name: str, default: Any = None) -> Any:
        body = self._body
        mark = b',"%s":"' % name.encode()
        if body.startswith(mark[1:], 1):
            start = len(mark)
        else:
            # What an event is about stands before a channel's 200 variables, or after them.
            start = body.find(mark, 0, _BEFORE_VARIABLES)
            if start < 0:
                start = body.rfind(mark)
            if start < 0:
                return default
            start += len(mark)
        end = body.find(b'"', start)
        if body.find(b"\\", start, end if end >= 0 else None) < 0:
            return str(body[start:end], "utf-8", "replace") if end >= 0 else default
        try:
            return str(_JSON.raw_decode(str(body[start - 1 :], "utf-8", "replace"))[0])
        except ValueError:  # an escape that is none: as it stands there
            text = _JSON_TEXT.match(body, start)
            return text[0].decode("utf-8", "replace") if text else default

    def is_of(self, channel_uuid: str) -> bool:
        """Whether it happened on this channel. Asked of each event; the header stands near the beginning."""
        return b',"Unique-ID":"%s"' % channel_uuid.encode() in self._body

    def __iter__(self) -> Iterator[str]:
        return iter(self._headers())

    def __len__(self) -> int:
        return len(self._headers())

    def _headers(self) -> dict[str, Any]:
        """All of them, for tests and tools."""
        headers: dict[str, Any] = json.loads(self._body)
        return headers


_OK_REPLY = b"Content-Type: command/reply\nReply-Text: +OK\n\n"
ACCEPTED = Message("command/reply", _OK_REPLY[:-2])
"""What ``Decoder.skip_accepted`` passes over."""


class Decoder:
    """Turns the bytes of a connection into messages, whatever the chunks they come in."""

    __slots__ = ("_at", "_buffer", "_head", "_max_body", "_scanned")

    def __init__(self, max_body: int = MAX_BODY_BYTES) -> None:
        """``max_body`` in bytes: a longer body is refused before it is collected."""
        self._max_body = max_body
        self._buffer: bytes | bytearray = b""
        self._at = self._scanned = 0
        self._head: tuple[str, bytes, int] | None = None

    def feed(self, data: bytes) -> None:
        """Add what arrived."""
        if self._at == len(self._buffer):
            self._buffer = data
        else:
            # Only here it is a bytearray, which grows in place: a peer may send byte by byte.
            rest = self._buffer if isinstance(self._buffer, bytearray) else bytearray(self._buffer)
            del rest[: self._at]
            rest += data
            self._buffer = rest
        self._scanned = max(0, self._scanned - self._at)
        self._at = 0

    def skip_accepted(self) -> int:
        """Pass over the plain ``+OK`` replies that come next; how many there were. Most messages are such."""
        if self._head is not None:
            return 0
        began = self._at
        while self._buffer.startswith(_OK_REPLY, self._at):
            self._at += len(_OK_REPLY)
        return (self._at - began) // len(_OK_REPLY)

    def next_message(self) -> Message | None:
        """The next whole message, or None while it is incomplete.

        Raises RemoteProtocolError at the first byte that cannot belong to a valid message; the
        connection is of no further use then.
        """
        if self._head is None:
            if self._at == len(self._buffer):
                # A held call must not keep what it has read.
                self._buffer = b""
                self._at = self._scanned = 0
                return None
            event = _EVENT.match(self._buffer, self._at)
            if event is not None and int(event[2]) <= self._max_body:
                self._at = event.end()
                self._head = "text/event-json", event[1], int(event[2])
            else:
                reply = _REPLY.match(self._buffer, self._at)
                if reply is not None:
                    self._at = reply.end()
                    return Message("command/reply", reply[1])
                answer = _ANSWER.match(self._buffer, self._at)
                if answer is not None and int(answer[2]) <= self._max_body:
                    self._at = answer.end()
                    self._head = "api/response", answer[1], int(answer[2])
                else:
                    block = self._take_block()
                    if block is None:
                        return None
                    self._head = _parse_head(block, self._max_body)
        content_type, block, length = self._head
        end = self._at + length
        if len(self._buffer) < end:
            return None
        body = bytes(memoryview(self._buffer)[self._at : end])
        self._at = end
        self._head = None
        return Message(content_type, block, body)

    def end(self) -> None:
        """The stream has ended. Raises RemoteProtocolError when it ended inside a message (row A)."""
        if self._head is not None or self._buffer[self._at :].strip(b"\n"):
            raise RemoteProtocolError("the connection ended inside a message")

    def _take_block(self) -> bytes | None:
        buffer, at = self._buffer, self._at
        end = buffer.find(b"\n\n", max(at, self._scanned - 1))
        if max(end, len(buffer) if end < 0 else 0) - at > MAX_HEADER_BYTES:
            raise RemoteProtocolError(f"a header block is larger than {MAX_HEADER_BYTES} bytes")
        if end < 0:
            self._scanned = len(buffer)
            return None
        self._at = end + 2
        return bytes(buffer[at:end])


def _parse_head(block: bytes, max_body: int) -> tuple[str, bytes, int]:
    if block.count(b"\n") >= MAX_HEADER_LINES:
        raise RemoteProtocolError(f"a header block has more than {MAX_HEADER_LINES} lines")
    if b"\r" in block or b"\0" in block or not _HEADER_LINES.fullmatch(block):
        raise RemoteProtocolError("a line is not a header, or holds a control character")
    headers = Headers(block)
    lines = {name: headers.count(name) for name in ("Content-Type", "Content-Length", "Reply-Text")}
    for name, number in lines.items():
        if number > 1:
            raise RemoteProtocolError(f"{name} is given twice")
    content_type = headers.get("Content-Type")
    if content_type is None:
        raise RemoteProtocolError("a message has no Content-Type")
    if content_type not in CONTENT_TYPES:
        raise RemoteProtocolError("a message has a Content-Type that was not asked for")
    if content_type == "command/reply" and not lines["Reply-Text"]:
        raise RemoteProtocolError("a reply has no Reply-Text")
    if content_type in ("text/event-json", "api/response") and not lines["Content-Length"]:
        raise RemoteProtocolError(f"a message of type {content_type} has no Content-Length")
    text = headers.get("Content-Length", "0")
    if not _LENGTH.fullmatch(text):
        raise RemoteProtocolError("Content-Length is not a number of bytes")
    length = int(text)
    if length > max_body:
        raise RemoteProtocolError(f"a body is larger than {max_body} bytes")
    return content_type, block, length


def encode(command: str, headers: Mapping[str, str] | None = None) -> bytes:
    """One command as bytes: the only place that makes them.

    Raises LocalProtocolError for a control character (a line break would start a second command,
    row E) and for an empty command.
    """
    text = command
    if headers:
        text += "".join([f"\n{name}: {value}" for name, value in headers.items()])
    if not command or _FORBIDDEN_IN_COMMAND.search(text) or text.count("\n") != len(headers or ()):
        raise LocalProtocolError("a command must not be empty or hold a control character")
    try:
        return f"{text}\n\n".encode()
    except UnicodeEncodeError:
        raise LocalProtocolError("a command is not valid Unicode") from None


def encode_execute(application: str, argument: str, event_uuid: str | None = None) -> bytes:
    """``sendmsg`` that executes a dialplan application on the controlled channel.

    ``event_uuid`` is ours, and comes back as Application-UUID. Raises LocalProtocolError for ``${`` in the
    argument: the switch would expand it (FREESWITCH.md, section 2), and no argument of ours needs that.
    """
    execution = (_said_to_everybody if application in _SAME else _execution)(application, argument)
    return execution if event_uuid is None else b"%sEvent-UUID: %s\n\n" % (execution[:-1], event_uuid.encode())


_SAME = frozenset({"answer", "callcenter", "flush_dtmf", "play_and_get_digits", "playback"})
"""What a line says to every caller alike. Kept; all else names a visit, and would be kept for nothing."""


def _execution(application: str, argument: str) -> bytes:
    """``event-lock`` makes the switch finish it before it takes the next one, so that commands can be sent in one
    go. While callcenter waits, it would hold back what others broadcast to the caller.
    """
    if "${" in argument:
        raise LocalProtocolError("an argument must not hold a variable for the switch to expand")
    headers = {"call-command": "execute", "execute-app-name": application}
    if argument:
        headers["execute-app-arg"] = argument
    if application != "callcenter":
        headers["event-lock"] = "true"
    return encode("sendmsg", headers)


_said_to_everybody = lru_cache(maxsize=1024)(_execution)
