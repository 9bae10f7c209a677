"""Recordings that nothing explains are moved where nobody listens to them by accident."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

QUARANTINE = "quarantine"
"""The folder below the recordings' folder, readable by its owner only."""


def files_below(folder: Path) -> Iterator[Path]:
    """Every file of the recordings' folder but those in quarantine, in order; links are not followed."""
    for root, folders, names in os.walk(folder):
        if Path(root) == folder and QUARANTINE in folders:
            folders.remove(QUARANTINE)
        folders.sort()
        yield from (Path(root) / name for name in sorted(names))


def quarantine(folder: Path, file: Path) -> Path:
    """Move ``file``, which lies below ``folder``, into quarantine; returns where it is now. Raises OSError."""
    place = folder / QUARANTINE / file.relative_to(folder)
    (folder / QUARANTINE).mkdir(mode=0o700, exist_ok=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():
        raise FileExistsError(f"{place} is there already")
    file.rename(place)
    return place
