"""Erasing recordings, and nothing but recordings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ErasedAudio:
    """How many files were erased, and how many were gone already."""

    erased: int
    missing: int


def erase_audio(folder: Path, paths: Iterable[str]) -> ErasedAudio:
    """Erase files below ``folder``.

    Raises ValueError, before anything is erased, for a path that leads out of it: a row of the ledger
    is no licence to delete whatever it names. Raises OSError when a file cannot be erased.
    """
    root = folder.resolve()
    files = [Path(path).resolve() for path in paths]
    for file in files:
        if not file.is_relative_to(root):
            raise ValueError(f"{file} is not below {root}: erase it by hand, if it is a recording")
    erased = missing = 0
    for file in files:
        if file.exists():
            file.unlink()
            erased += 1
        else:
            missing += 1
    return ErasedAudio(erased, missing)
