"""What is wrong with a configuration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mistake:
    """One mistake: where, what is wrong there, and what to do."""

    file: str
    line: int
    key: str
    problem: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: {self.key}" if self.key else f"{self.file}:{self.line}"
        return f"{place}: {self.problem}" + (f" ({self.hint})" if self.hint else "")


class ConfigError(Exception):
    """All mistakes of a configuration."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        self.mistakes = sorted(mistakes, key=lambda mistake: (mistake.file, mistake.line, mistake.key))
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))
