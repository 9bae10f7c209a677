"""What records or listens on a leg, and what is in the files.

A file holds who was audible when: each leg hums at its own pitch. On the left, or mixed in without
RECORD_STEREO, the recorded leg itself; on the right what it hears; zeros while masked.
"""

from __future__ import annotations

import itertools
import math
import wave
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from consentivr.lab.simulated.legs import Leg

RATE, FRAME_MS = 8000, 20
SESSION_RECORD = "session_record"
Audible = tuple[frozenset[int], frozenset[int], bool]
"""Pitches in Hz on the left and on the right, and whether this is in the file at all."""

_LOUDNESS = 0.2
_STAND_IN = b"RIFF\x00\x00\x00\x00WAVEfmt "
"""What is on the disk while it records: no reader opens it (FREESWITCH.md, section 7)."""


@dataclass(eq=False)
class Tap:
    """A media bug that is no recorder. ``by`` is the leg that listens, if one does."""

    function: str
    target: str
    by: Leg | None = None
    heard: bool = False
    """Whether the leg that listens is heard by the others (``three_way``)."""


@dataclass(frozen=True)
class Moment:
    """Who is audible from here on: pitches in Hz; ``counts`` while it is in the file at all."""

    at_ms: float
    left: frozenset[int]
    right: frozenset[int]
    counts: bool
    masked: bool


class Recorder:
    """Records to one file. ``audible`` says who is to be heard now: left, right, and whether that counts."""

    function = SESSION_RECORD

    def __init__(
        self,
        path: str,
        stereo: bool,
        clock: Callable[[], float],
        audible: Callable[[], Audible],
    ) -> None:
        """Creates the file. Raises OSError when it cannot be created."""
        self.path = path
        self.stereo = stereo
        self._clock = clock
        self._audible = audible
        self.masked = False
        self._moments: list[Moment] = []
        file = Path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_STAND_IN)
        self.note()

    @property
    def target(self) -> str:
        """As ``uuid_buglist`` says it."""
        return self.path

    def note(self) -> None:
        """Something may have changed."""
        moment = Moment(self._clock(), *self._audible(), self.masked)
        last = self._moments[-1] if self._moments else None
        if last is None or (last.left, last.right, last.counts, last.masked) != (
            moment.left,
            moment.right,
            moment.counts,
            moment.masked,
        ):
            self._moments.append(moment)

    def follow(self, audible: Callable[[], Audible]) -> None:
        """Go on with another leg."""
        self._audible = audible
        self.note()

    def mask(self, on: bool) -> None:
        """From here on zeros, or sound again."""
        self.masked = on
        self.note()

    def _spans(self) -> list[tuple[Moment, float]]:
        """What is in the file, in order: who, and for how many ms."""
        last = self._moments[-1]
        ends = [moment.at_ms for moment in self._moments[1:]] + [max(self._clock(), last.at_ms + FRAME_MS)]
        return [(moment, end - moment.at_ms) for moment, end in zip(self._moments, ends, strict=True) if moment.counts]

    @property
    def duration_ms(self) -> int:
        """How much is in the file until now."""
        return int(sum(length for _, length in self._spans()))

    def finish(self) -> int:
        """Write the file, or remove it when nothing is in it; returns its milliseconds.

        One that was erased meanwhile is not made again: a switch has its own open all the time.
        """
        spans = self._spans()
        duration = int(sum(length for _, length in spans))
        if duration > 0:
            with suppress(FileNotFoundError), Path(self.path).open("r+b") as there, wave.open(there, "wb") as file:
                there.truncate()
                file.setparams((2 if self.stereo else 1, 2, RATE, 0, "NONE", ""))
                file.writeframes(_sound(spans, self.stereo).tobytes())
        else:
            Path(self.path).unlink(missing_ok=True)
        return duration

    def abandon(self) -> None:
        """The switch dies: the samples are there, the header was never completed."""
        with Path(self.path).open("ab") as file:
            file.write(_sound(self._spans(), self.stereo).tobytes())


def _sound(spans: list[tuple[Moment, float]], stereo: bool) -> npt.NDArray[np.int16]:
    edges = [0, *(int(ms * RATE / 1000) for ms in itertools.accumulate(length for _, length in spans))]
    sound = np.zeros((edges[-1], 2 if stereo else 1), dtype=np.int16)
    for (moment, _), begin, end in zip(spans, edges, edges[1:], strict=False):
        if moment.masked:
            continue
        sides = (moment.left, moment.right) if stereo else (moment.left | moment.right,)
        for side, pitches in enumerate(sides):
            for pitch in pitches:
                sound[begin:end, side] += np.resize(np.roll(_hum(pitch), -begin), end - begin)
    return sound


@cache
def _hum(pitch: int) -> npt.NDArray[np.int16]:
    """One second of it: whole waves, since pitches are whole numbers."""
    return (_LOUDNESS * 32767 * np.sin(2 * math.pi * pitch * np.arange(RATE) / RATE)).astype(np.int16)
