"""In which file, and on which line, a setting is written.

A switch tells what it would load, not where that is written. Where its files can be read from here they are searched.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.parsers import expat

from consentivr.check.finding import Element, Finding

MOST_FILES, MOST_BYTES = 2000, 4 * 1024 * 1024
"""Files that are read at most, and of what length."""


@dataclass(frozen=True)
class Written:
    """An element of a file; ``within`` are the names of those around it, and that of the file."""

    file: str
    line: int
    tag: str
    attributes: Mapping[str, str]
    within: frozenset[str]

    def is_(self, element: Element) -> bool:
        """Whether it is what is looked for."""
        values = [value.casefold() for value in self.attributes.values()]
        return (
            self.tag == element.tag
            and all(self.attributes.get(name, "").casefold() == value.casefold() for name, value in element.attributes)
            and all(name.casefold() in self.within for name in element.within)
            and any(element.holds.casefold() in value for value in values or [""])
        )


def elements(file: str, text: bytes) -> list[Written]:
    """Of one file; none of a file that is no XML: FreeSWITCH would not read it either."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    around: list[str] = [Path(file).name.removesuffix(".xml")]
    found: list[Written] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        names = frozenset(name.casefold() for name in around if name)
        found.append(Written(file, parser.CurrentLineNumber, tag, attributes, names))
        around.append(attributes.get("name") or attributes.get("id") or "")

    def end(tag: str) -> None:
        around.pop()

    parser.StartElementHandler, parser.EndElementHandler = start, end
    try:
        parser.Parse(text, True)
    except expat.ExpatError:
        return []
    return found


def read(folder: Path) -> Iterator[Written]:
    """All elements of the files below a folder, as far as they can be read."""
    files = 0
    for where, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(where, name)
            if not name.endswith(".xml") or files >= MOST_FILES:
                continue
            files += 1
            try:
                if path.stat().st_size <= MOST_BYTES:
                    yield from elements(str(path), path.read_bytes())
            except OSError:
                continue


def values(written: Iterable[Written], element: Element, known: Mapping[str, str]) -> list[str]:
    """What a parameter is set to, with the preprocessor's variables (``known``) filled in."""
    return [
        re.sub(r"\$\$\{(\w+)\}", lambda name: known.get(name[1], ""), one.attributes.get("value", ""))
        for one in written
        if one.is_(element)
    ]


def located(findings: Iterable[Finding], written: Iterable[Written]) -> list[Finding]:
    """The findings, each with its place where that was found; of several places the first."""
    there = list(written)
    return [_located(finding, there) for finding in findings]


def _located(finding: Finding, written: list[Written]) -> Finding:
    if finding.element is None:
        return finding
    found = next((one for one in written if one.is_(finding.element)), None)
    return finding if found is None else finding.at(found.file, found.line)
