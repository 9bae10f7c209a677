"""What setup has begun, durable before it is done: so that it can be undone, also after setup was killed."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from consentivr.setup.machine import flush_folder


@dataclass(frozen=True)
class Begun:
    """A step that was begun: which one it is, what it is made of, and what must be known to undo it."""

    number: int
    kind: str
    fields: dict[str, Any]
    before: dict[str, Any]
    done: bool = False


class Journal:
    """A file of JSON lines, for root's eyes: it holds what files held before. Raises OSError; ValueError when it cannot
    be understood, and then nothing is done or undone.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def begun(self) -> list[Begun]:
        """What was begun and is not undone, the oldest first. A last line that was not finished was never acted on."""
        if not self.path.exists():
            return []
        begun: dict[int, Begun] = {}
        for line in self.path.read_text(encoding="ascii").splitlines(keepends=True):
            if not line.endswith("\n"):
                break
            said = json.loads(line)
            if "undone" in said:
                begun.pop(said["undone"], None)
            elif "done" in said:
                begun[said["done"]] = replace(begun[said["done"]], done=True)
            else:
                begun[said["number"]] = Begun(**said)
        return list(begun.values())

    def begin(self, kind: str, fields: dict[str, Any], before: dict[str, Any]) -> int:
        """To be called before a step is done; its number."""
        number = 1 + max((step.number for step in self.begun()), default=0)
        self._add({"number": number, "kind": kind, "fields": fields, "before": before})
        return number

    def done(self, number: int) -> None:
        """To be called after it."""
        self._add({"done": number})

    def undone(self, step: Begun) -> None:
        """To be called after it was undone."""
        self._add({"undone": step.number})

    def end(self) -> None:
        """Nothing is left to be undone. Its folder stays where something else is in it."""
        self.path.unlink(missing_ok=True)
        try:
            self.path.parent.rmdir()
        except OSError:
            flush_folder(self.path.parent)

    def _add(self, said: dict[str, Any]) -> None:
        self.path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            length = os.lseek(file, 0, os.SEEK_END)
            whole = os.pread(file, length, 0).rfind(b"\n") + 1
            os.truncate(file, whole)  # a line that a crash cut off
            os.pwrite(file, json.dumps(said).encode("ascii") + b"\n", whole)
            os.fsync(file)
        finally:
            os.close(file)
        flush_folder(self.path.parent)
