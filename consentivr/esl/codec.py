"""Bytes to messages and commands to bytes, without a socket.

FREESWITCH.md, section 2. A message is a block of ``Name: value`` lines ended by an empty line, then
``Content-Length`` bytes of body. Only ``connect`` answers with the channel in the block itself,
URL-encoded; everything else that we ask for carries JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, cast
from urllib.parse import unquote

import orjson

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

_HEADER_LINES = re.compile(rb"[!-9;-~]+:[^\n\r\x00]*(?:\n[!-9;-~]+:[^\n\r\x00]*)*")
_ORDINARY_EVENT = re.compile(rb"Content-Length: ([0-9]{1,9})\nContent-Type: text/event-json")
_ORDINARY_REPLY = re.compile(rb"Content-Type: command/reply\nReply-Text: [\x20-\x7e]*")
"""The two heads that nearly all messages have, recognized whole; every other is looked at line by line."""

_LENGTH = re.compile(r"[0-9]{1,9}")
_MEDIA_BUG = re.compile(r"<function>([^<]*)</function>\s*<target>([^<]*)</target>")
_FORBIDDEN_IN_COMMAND = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
"""All control characters but the line break, of which there must be one for each header."""


class Headers(Mapping[str, str]):
    """A block of header lines, searched and decoded one value at a time when asked for.

    The order matters: decoding before splitting lets a caller's ``%0A`` become a line of its own
    (FREESWITCH.md, section 6, row B).
    """

    __slots__ = ("_block",)

    def __init__(self, block: bytes) -> None:
        self._block = b"\n" + block + b"\n"

    def __getitem__(self, name: str) -> str:
        mark = b"\n" + name.encode() + b":"
        start = self._block.find(mark)
        if start < 0:
            raise KeyError(name)
        start += len(mark)
        text = self._block[start : self._block.index(b"\n", start)].strip(b" ").decode("utf-8", "replace")
        return unquote(text, errors="replace") if "%" in text else text

    def __iter__(self) -> Iterator[str]:
        return (line.partition(b":")[0].decode("ascii") for line in self._block.strip(b"\n").split(b"\n"))

    def __len__(self) -> int:
        return self._block.count(b"\n") - 1

    def count(self, name: str) -> int:
        """How many lines have this name."""
        return self._block.count(b"\n" + name.encode() + b":")


class Message(NamedTuple):
    """One message of the switch."""

    content_type: str
    headers: Headers
    body: bytes = b""

    @property
    def reply_text(self) -> str:
        """What a ``command/reply`` says: ``+OK ...`` or ``-ERR ...``."""
        return self.headers.get("Reply-Text", "").strip()

    def event(self) -> dict[str, Any]:
        """The event in a ``text/event-json`` body.

        Raises RemoteProtocolError when the body is not one JSON object of strings (or, as FreeSWITCH
        sends for repeated headers, arrays of strings).
        """
        try:
            event = orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise RemoteProtocolError(f"the body of an event is not JSON: {error}") from None
        if not isinstance(event, dict):
            raise RemoteProtocolError("the body of an event is not a JSON object")
        for value in event.values():
            if value.__class__ is not str and not _is_list_of_strings(value):
                raise RemoteProtocolError("an event has a value that is not a string")
        if not isinstance(event.get("Event-Name"), str):
            raise RemoteProtocolError("an event has no Event-Name")
        return cast("dict[str, Any]", event)


def _is_list_of_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


_OK_REPLY = b"Content-Type: command/reply\nReply-Text: +OK\n\n"
_OK = Message("command/reply", Headers(_OK_REPLY[:-2]))
"""Every other message of a call is this one."""


class Decoder:
    """Turns the bytes of a connection into messages, whatever the chunks they come in."""

    __slots__ = ("_buffer", "_head", "_max_body", "_scanned")

    def __init__(self, max_body: int = MAX_BODY_BYTES) -> None:
        """``max_body`` in bytes: a longer body is refused before it is collected."""
        self._max_body = max_body
        self._buffer = bytearray()
        self._scanned = 0
        self._head: tuple[str, Headers, int] | None = None

    def feed(self, data: bytes) -> None:
        """Add what arrived."""
        self._buffer += data

    def next_message(self) -> Message | None:
        """The next whole message, or None while it is incomplete.

        Raises RemoteProtocolError at the first byte that cannot belong to a valid message; the
        connection is of no further use then.
        """
        if self._head is None:
            if self._buffer.startswith(_OK_REPLY):
                del self._buffer[: len(_OK_REPLY)]
                self._scanned = 0
                return _OK
            block = self._take_block()
            if block is None:
                return None
            self._head = _parse_head(block, self._max_body)
        content_type, headers, length = self._head
        if len(self._buffer) < length:
            return None
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        self._head = None
        return Message(content_type, headers, body)

    def end(self) -> None:
        """The stream has ended. Raises RemoteProtocolError when it ended inside a message (row A)."""
        if self._head is not None or self._buffer.strip(b"\n"):
            raise RemoteProtocolError("the connection ended inside a message")

    def _take_block(self) -> bytes | None:
        buffer = self._buffer
        end = buffer.find(b"\n\n", max(0, self._scanned - 1))
        if end < 0:
            self._scanned = len(buffer)
            if len(buffer) > MAX_HEADER_BYTES:
                raise RemoteProtocolError(f"a header block is larger than {MAX_HEADER_BYTES} bytes")
            return None
        if end > MAX_HEADER_BYTES:
            raise RemoteProtocolError(f"a header block is larger than {MAX_HEADER_BYTES} bytes")
        block = bytes(buffer[:end])
        del buffer[: end + 2]
        self._scanned = 0
        return block


def _parse_head(block: bytes, max_body: int) -> tuple[str, Headers, int]:
    ordinary = _ORDINARY_EVENT.fullmatch(block)
    if ordinary is not None and int(ordinary[1]) <= max_body:
        return "text/event-json", Headers(block), int(ordinary[1])
    if _ORDINARY_REPLY.fullmatch(block):
        return "command/reply", Headers(block), 0
    if block.count(b"\n") >= MAX_HEADER_LINES:
        raise RemoteProtocolError(f"a header block has more than {MAX_HEADER_LINES} lines")
    if not _HEADER_LINES.fullmatch(block):
        raise RemoteProtocolError("a line is not a header, or holds a control character")
    headers = Headers(block)
    for name in ("Content-Type", "Content-Length", "Reply-Text"):
        if headers.count(name) > 1:
            raise RemoteProtocolError(f"{name} is given twice")
    content_type = headers.get("Content-Type")
    if content_type is None:
        raise RemoteProtocolError("a message has no Content-Type")
    if content_type not in CONTENT_TYPES:
        raise RemoteProtocolError("a message has a Content-Type that was not asked for")
    if content_type == "command/reply" and not headers.count("Reply-Text"):
        raise RemoteProtocolError("a reply has no Reply-Text")
    if content_type in ("text/event-json", "api/response") and not headers.count("Content-Length"):
        raise RemoteProtocolError(f"a message of type {content_type} has no Content-Length")
    text = headers.get("Content-Length", "0")
    if not _LENGTH.fullmatch(text):
        raise RemoteProtocolError("Content-Length is not a number of bytes")
    length = int(text)
    if length > max_body:
        raise RemoteProtocolError(f"a body is larger than {max_body} bytes")
    return content_type, headers, length


def recorders_of(buglist: str) -> tuple[str, ...] | None:
    """The files that something records a leg to, from the answer to ``uuid_buglist``; None when it is no list.

    FREESWITCH.md, section 4: the negative proof.
    """
    if "<media-bugs>" not in buglist:
        return None
    return tuple(path for function, path in _MEDIA_BUG.findall(buglist) if function in ("session_record", "record"))


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


def encode_execute(application: str, argument: str, event_uuid: str) -> bytes:
    """``sendmsg`` that executes a dialplan application on the controlled channel.

    ``event-lock`` makes the switch finish it before it takes the next one, so that commands can be
    sent in one go. Raises LocalProtocolError for ``${`` in the argument: the switch would expand it
    (FREESWITCH.md, section 2), and no argument of ours needs that.
    """
    if "${" in argument:
        raise LocalProtocolError("an argument must not hold a variable for the switch to expand")
    headers = {"call-command": "execute", "execute-app-name": application}
    if argument:
        headers["execute-app-arg"] = argument
    headers["Event-UUID"] = event_uuid
    if application != "callcenter":
        # While callcenter waits, an event lock would hold back what others broadcast to the caller.
        headers["event-lock"] = "true"
    return encode("sendmsg", headers)
