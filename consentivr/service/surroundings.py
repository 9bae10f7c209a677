"""What calls need besides us: announcements as they were read, room on the disks. Looked at every few seconds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import gevent
import structlog

from consentivr import metrics
from consentivr.prompts import Spoken
from consentivr.threads import Beside, Worker

log = structlog.get_logger(__name__)

LOOK_SECONDS = 10.0

LEAST_FREE_BYTES = 256 * 1024 * 1024
"""Stereo recordings take 32 kB a second each: of a hundred talks, a minute and a half."""


class Surroundings(Beside):
    """``wrong`` names what is not as it should be. The disks are asked in a thread: one that hangs holds up no call."""

    def __init__(self, sounds: Sequence[Spoken], disks: dict[str, Path]) -> None:
        """``disks``: a folder, or a file, on each of them, by what lies there."""
        self.sounds = sounds
        """May be exchanged at any time."""
        self._disks = disks
        self._worker = Worker()
        self.wrong: dict[str, str] = {}
        """``sounds``, ``disk``: why."""

    def look(self) -> None:
        """Once; waits for the disks."""
        changed, free = self._worker.run(_look, tuple(self.sounds), self._disks)
        wrong = {}
        if changed:
            wrong["sounds"] = f"changed on the disk since they were read, not asked with until a reload: {changed}"
        full = [f"{room >> 20} MB are left for the {what}" for what, room in free.items() if room < LEAST_FREE_BYTES]
        if full:
            wrong["disk"] = ", ".join(full)
        for name, why in wrong.items():
            if self.wrong.get(name) != why:
                log.error(f"{name}: something is wrong", why=why)
        self.wrong = wrong
        metrics.SOUNDS_UNCHANGED.set(not changed)
        for what, room in free.items():
            metrics.DISK_FREE.labels(what).set(room)

    def _run(self) -> None:
        while True:
            self.look()
            gevent.sleep(LOOK_SECONDS)


def _look(sounds: Sequence[Spoken], disks: dict[str, Path]) -> tuple[str, dict[str, int]]:
    changed = sorted({sound.path for sound in sounds if not sound.is_as_read()})
    return ", ".join(changed), {what: _free_bytes(path) for what, path in disks.items()}


def _free_bytes(path: Path) -> int:
    """On the disk where it is, or where it will be; none where the disk does not say."""
    try:
        while not path.exists():
            path = path.parent
        there = os.statvfs(path)
    except OSError:
        return 0
    return there.f_bavail * there.f_frsize
