"""The path of a recording, made of nothing that a caller chose (promise P7)."""

from __future__ import annotations

import re
from datetime import date

_CHANNEL_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_channel_uuid(text: str) -> bool:
    """Whether ``text`` is a channel UUID as FreeSWITCH makes them."""
    return _CHANNEL_UUID.fullmatch(text) is not None


def recording_path(folder: str, channel_uuid: str, day: date) -> str:
    """``<folder>/YYYY/MM/DD/<channel_uuid>.wav``. Raises ValueError for what is no channel UUID."""
    if not is_channel_uuid(channel_uuid):
        raise ValueError("not a channel UUID")
    return f"{folder}/{day:%Y/%m/%d}/{channel_uuid}.wav"
