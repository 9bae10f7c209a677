"""Names that other recorders gave their files: whatever they like, also a caller's number.

A row names such a file by a commitment, as it does a caller; the path itself is kept apart, and goes with the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

FOREIGN = "foreign:"
"""Before the commitment, where a row would name the path."""

NAMED = re.compile(FOREIGN + "[0-9a-f]{64}")

WITHHELD = "a file of another recorder: see 'consentivr ledger show'"
"""What is said of it where no such name may stand."""

_OURS = re.compile(r"(?P<folders>.*/)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(-(?P<more>\d+))?\.[a-z][a-z0-9]{0,3}")
_DATED = re.compile(r".*/(\d{4})/(\d\d)/(\d\d)/")
_FURTHER = 3
"""Digits of a visit's further recordings."""

_DIGITS_OF_A_FOLDER = 4
"""A year has so many; a number has more."""


def says_nobody(path: str) -> bool:
    """Whether a path can hold nothing of a person: a name of ours, in folders that hold no number."""
    found = _OURS.fullmatch(path)
    if found is None:
        return False
    folders, more = found["folders"] or "", found["more"] or ""
    if any(sum(map(str.isdigit, folder)) > _DIGITS_OF_A_FOLDER for folder in folders.split("/")):
        return False
    return len(more) <= _FURTHER or _is_time_of(folders, int(more))


def _is_time_of(folders: str, epoch: int) -> bool:
    """A queue's own file has the time when it began (Unix, seconds), in the folder of that day."""
    dated = _DATED.fullmatch(folders)
    if dated is None:
        return False
    try:
        day = datetime.fromisoformat("-".join(dated.groups()) + "T00:00:00+00:00")
    except ValueError:
        return False
    return abs(epoch - day.timestamp()) < timedelta(days=3).total_seconds()


def paths_in(evidence: Mapping[str, Any]) -> list[str]:
    """The foreign paths that a row names."""
    return [path for path in dict.fromkeys(_paths(evidence)) if path and not says_nobody(path) and not is_name(path)]


def _paths(evidence: Mapping[str, Any]) -> Iterator[str]:
    for member in ("path", "to"):
        if member in evidence:
            yield str(evidence[member])
    yield from map(str, evidence.get("paths", ()))
    for file in evidence.get("files", ()):
        yield str(file["path"])


def is_name(path: str) -> bool:
    """Whether this is a commitment, in a row whose file is gone."""
    return NAMED.fullmatch(path) is not None


def renamed(value: Any, names: Mapping[str, str]) -> Any:
    """``value`` with each of these paths replaced, also within what the switch said of it."""
    if isinstance(value, str):
        for path in sorted(names, key=len, reverse=True):
            value = value.replace(path, names[path])
        return value
    if isinstance(value, Mapping):
        return {member: renamed(inner, names) for member, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [renamed(inner, names) for inner in value]
    return value


def withheld(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """For a log and an alarm: neither the paths nor commitments to them."""
    return dict(renamed(evidence, dict.fromkeys(paths_in(evidence), WITHHELD)))
