"""A line and a channel, made without a configuration."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from consentivr.asking.channel import Channel
from consentivr.asking.line import Line
from consentivr.core.policy import Announcement, LinePolicy, RecordingMode
from consentivr.esl.codec import Event
from consentivr.prompts import Spoken

UUID = "26c9d23f-fed1-4cfe-b05e-66ccabca7936"
VISIT = "0b3d9e5e-31f5-4c1f-8a39-5b0f4f7f1c11"
HEADERS = {
    "Unique-ID": UUID,
    "Caller-Destination-Number": "5000",
    "Caller-Caller-ID-Number": "+493023125000",
    "Channel-Read-Codec-Rate": "8000",
    "FreeSWITCH-Switchname": "switch-1",
    "Core-UUID": "c-1",
}


def line(announcements: Iterable[Announcement] = Announcement, *, hear_to_end: bool = False, **policy: object) -> Line:
    """Each announcement lasts 2 s, at both rates."""
    return Line(
        name="support",
        policy=LinePolicy(**{"mode": RecordingMode.PERMANENT_OPT_OUT, "max_attempts": 2, **policy}),
        queue_name="support@default",
        context="public",
        fallback="consentivr-support-fallback",
        answer_timeout_ms=5000,
        hear_to_end=hear_to_end,
        recordings_folder="/r",
        stereo=True,
        sounds={
            rate: {
                said: Spoken(f"/s/{rate}/{said.value}.wav", "de", "Text", "00", 2000, rate) for said in announcements
            }
            for rate in (8000, 16000)
        },
    )


def channel(of: Line | None = None, **headers: str) -> Channel:
    """What ``connect`` says, with other headers."""
    data = HEADERS | {name.replace("_", "-"): text for name, text in headers.items() if not name.startswith("variable")}
    data |= {name: text for name, text in headers.items() if name.startswith("variable")}
    return Channel.of(data, {"5000": of or line()}, VISIT)


def without(made: Line, *announcements: Announcement) -> Line:
    """The same line, which leaves these out."""
    sounds: Mapping[int, Mapping[Announcement, Spoken]] = {
        rate: {said: sound for said, sound in known.items() if said not in announcements}
        for rate, known in made.sounds.items()
    }
    return replace(made, sounds=sounds)


def event(name: str, uuid: str = UUID, **headers: str) -> Event:
    data = {"Event-Name": name, "Core-UUID": "c", "Event-Date-Timestamp": "1790000000123456", "Unique-ID": uuid}
    data |= {header.replace("_", "-") if not header.startswith("variable") else header: text
             for header, text in headers.items()}  # fmt: skip
    return Event(json.dumps(data, separators=(",", ":")).encode())
