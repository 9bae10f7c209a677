"""Recordings that nothing explains are moved where nobody listens to them by accident."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

from consentivr.core.foreign import says_nobody

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
    """Move ``file`` into the quarantine of ``folder``; returns where it is now. Raises OSError.

    A name that somebody else chose may hold a number, and is not kept.
    """
    if file.is_relative_to(folder) and says_nobody(str(file.relative_to(folder))):
        place = folder / QUARANTINE / file.relative_to(folder)
    else:
        kind = file.suffix if re.fullmatch(r"\.[a-z][a-z0-9]{0,3}", file.suffix) else ""
        place = folder / QUARANTINE / f"{uuid.uuid4()}{kind}"
    (folder / QUARANTINE).mkdir(mode=0o700, exist_ok=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():
        raise FileExistsError(f"{place} is there already")
    file.rename(place)
    return place
