"""The path of a recording, made of nothing that a caller chose (promise P7)."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache

_CHANNEL_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_channel_uuid(text: str) -> bool:
    """Whether ``text`` is a channel UUID as FreeSWITCH makes them."""
    return _CHANNEL_UUID.fullmatch(text) is not None


def recording_path(folder: str, visit: str, day: date, number: int = 1) -> str:
    """``<folder>/YYYY/MM/DD/<visit>.wav``, with ``-2`` and so on for a visit's further recordings.

    Raises ValueError for what is no UUID in the form of a channel's.
    """
    return f"{recording_stem(folder, visit, day)}{'' if number == 1 else f'-{number}'}.wav"


def recording_stem(folder: str, visit: str, day: date) -> str:
    """The path of a visit's recordings, without number and ending. Raises ValueError likewise."""
    if not is_channel_uuid(visit):
        raise ValueError("not a UUID")
    return f"{folder}/{_folders(day)}/{visit}"


@lru_cache(maxsize=4)
def _folders(day: date) -> str:
    return f"{day:%Y/%m/%d}"


def visit_of(stem: str) -> str | None:
    """The visit in a recording's name without its ending; None when it is no name of ours.

    A file that the queue named itself (mode ``permanent``), ``<uuid>-<epoch>``, has the channel's UUID there,
    as files of 0.1.0 have.
    """
    return stem[:36] if is_channel_uuid(stem[:36]) and re.fullmatch(r"(-[0-9]+)?", stem[36:]) else None
