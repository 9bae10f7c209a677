"""What the scenarios on a real switch share: waiting, one call, who is heard in a file."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import gevent

from consentivr.lab.listening import Span, heard
from consentivr.lab.outside import CALLER_HZ, MUSIC_HZ, PHONES

PITCHES: Mapping[str, int] = {"caller": CALLER_HZ, "music": MUSIC_HZ, **PHONES}
"""Everybody who can be heard, by the pitch they hum."""

AGENT_KEYS = {"pause": "*3", "resume": "*4"}
NUMBERS = (f"+4930231250{number:02d}" for number in itertools.count())
SUPPORT, SALES = "5000", "5002"
"""The lines' numbers."""

_Found = TypeVar("_Found")


def within(seconds: float, what: Callable[[], _Found]) -> _Found | None:
    """Poll until it is true; None when it does not come to be."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := what():
            return found
        gevent.sleep(0.04)
    return None


def eventually(what: Callable[[], _Found], seconds: float = 15) -> _Found:
    """The same; AssertionError when it does not come to be."""
    if (found := within(seconds, what)) is not None:
        return found
    raise AssertionError(f"it does not happen within {seconds} s: {getattr(what, '__qualname__', what)}")


@dataclass
class Call:
    """One caller: ``phone`` is the leg outside; ``leg`` and, in a talk, ``agent`` are on the switch in the middle."""

    number: str
    phone: str
    leg: str = ""
    agent: str = ""


def audible(path: Path, channel: int | None = None, at_least: float = 0.2) -> set[str]:
    """Who is heard in a file, in one channel or any, for so many seconds or more."""
    channels = heard(path, PITCHES, join_s=0.2)
    return {
        name
        for index, voices in enumerate(channels)
        if channel in (None, index)
        for name, spans in voices.items()
        if any(until - since >= at_least for since, until in spans)
    }


def voices(path: Path) -> list[dict[str, list[Span]]]:
    """For each channel the spans of each of ``PITCHES`` that is heard in it at all."""
    return [{name: spans for name, spans in channel.items() if spans} for channel in heard(path, PITCHES, join_s=0.2)]


def all_of(*scenarios: Callable[[], object]) -> None:
    """Run several scenarios at once; the first failure is raised."""
    gevent.joinall([gevent.spawn(scenario) for scenario in scenarios], raise_error=True)


def add_sales(data: dict[str, Any]) -> None:
    """A second line with a queue of its own, otherwise as ``support``."""
    support = data["queues"]["support"]
    data["queues"]["sales"] = {**support, "name": "sales@default"}
    data["lines"]["sales"] = {**data["lines"]["support"], "number": SALES, "queue": "sales"}
