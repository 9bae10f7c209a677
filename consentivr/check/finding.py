"""What a look at one thing comes to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any


class Level(str, Enum):
    """Silence is never ``GOOD``: what was not seen is ``NOT_SEEN``."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"
    NOT_SEEN = "not seen"

    @property
    def is_good(self) -> bool:
        return self is Level.GOOD


@dataclass(frozen=True)
class Element:
    """What to look for in the files of a configuration."""

    tag: str
    attributes: tuple[tuple[str, str], ...] = ()
    within: tuple[str, ...] = ()
    """``name`` or ``id`` of elements around it, or the file's own name."""
    holds: str = ""
    """What one of its attributes holds."""

    @classmethod
    def parameter(cls, name: str, *within: str) -> Element:
        """``<param name="NAME" .../>``."""
        return cls("param", (("name", name),), tuple(word for word in within if word))


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. Holds no secret and no telephone number: it is logged, and kept in the ledger."""

    what: str
    """Its name, the same each time."""
    level: Level
    said: str
    """What is so, and why that matters."""
    mend: str = ""
    setting: str = ""
    """Which setting it is, in the words of whoever wrote it."""
    part: str = "here"
    """``here``, ``law``, or the switch's address."""
    file: str | None = None
    line: int | None = None
    known: str = ""
    """Why it may stay, where somebody answers for it: it is good then."""
    element: Element | None = field(default=None, compare=False)
    """What ``file`` and ``line`` are found by."""

    def at(self, file: str, line: int | None) -> Finding:
        """The same, with its place."""
        return replace(self, file=file, line=line)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "part": self.part,
            "what": self.what,
            "level": self.level.value,
            "said": self.said,
            "mend": self.mend,
            "setting": self.setting,
            "known": self.known,
            "file": self.file,
            "line": self.line,
        }
