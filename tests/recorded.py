"""Reading the recorded conversations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from consentivr.esl.codec import Decoder, Message

FOLDER = Path(__file__).parent / "transcripts"
NAMES = sorted(path.stem for path in FOLDER.glob("*.esl") if "bound" not in path.stem)
"""One call each, through a plain driver: the outbound socket alone."""

INBOUND = sorted(path.stem for path in FOLDER.glob("*.inbound.esl"))
OUTBOUND = sorted(path.stem for path in FOLDER.glob("*.outbound.esl"))
"""Conversations with both sockets, remade by tests/switch/record_conversations.py."""


def blocks(name: str) -> Iterator[tuple[str, bytes]]:
    """('<<<' or '>>>', bytes) in order."""
    data = (FOLDER / f"{name}.esl").read_bytes()
    position = 0
    while position < len(data):
        if data[position : position + 1] == b"\n":
            position += 1
            continue
        end = data.index(b"\n", position)
        direction, _seconds, length = data[position:end].decode().split()
        position = end + 1 + int(length)
        yield direction, data[end + 1 : position]


def from_switch(name: str) -> bytes:
    return b"".join(data for direction, data in blocks(name) if direction == "<<<")


def to_switch(name: str) -> list[str]:
    """The driver's commands, one by one."""
    sent = b"".join(data for direction, data in blocks(name) if direction == ">>>")
    return [command.strip("\n") for command in sent.decode().split("\n\n") if command.strip("\n")]


def messages(data: bytes) -> list[Message]:
    decoder = Decoder()
    decoder.feed(data)
    found = []
    while (message := decoder.next_message()) is not None:
        found.append(message)
    decoder.end()
    return found
