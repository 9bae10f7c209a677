"""A document from its page: text with facts filled in, then blocks, then HTML or plain text.

A page is written in a few marks - ``#`` title, ``##`` section, ``-`` item, ``|`` table, ``**strong**`` - so that a
lawyer can read it. What is filled in is never a mark: it passes through characters that no page has.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

import jinja2

from consentivr.privacy.facts import Facts
from consentivr.privacy.words import LANGUAGES, Words

DOCUMENTS = ("record", "notice", "measures", "impact", "retention", "agreement")
"""What 'consentivr privacy' makes; a page for each, in each language."""

_MARKS = str.maketrans("|*#-\n", "\ue000\ue001\ue002\ue003 ")
_TEXT = str.maketrans("\ue000\ue001\ue002\ue003", "|*#-")
_GAP = "\ue004"

_pages = jinja2.Environment(
    loader=jinja2.PackageLoader("consentivr.privacy", "pages"),
    autoescape=False,  # noqa: S701 - pages are plain text; page.html.j2 escapes every piece of them
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
    finalize=lambda value: value if isinstance(value, _Marked) else str(value).translate(_MARKS),
)
_html = jinja2.Environment(
    loader=jinja2.PackageLoader("consentivr.privacy", "pages"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)


class _Marked(str):
    """May hold marks."""


@dataclass(frozen=True)
class Piece:
    """Some words of a line."""

    text: str
    kind: Literal["plain", "strong", "gap"] = "plain"


Line = tuple[Piece, ...]


@dataclass(frozen=True)
class Block:
    """A section's title, a paragraph, a list or a table; ``rows`` are its lines, of a table its cells."""

    kind: Literal["section", "paragraph", "list", "table", "sign"]
    rows: tuple[tuple[Line, ...], ...]


@dataclass(frozen=True)
class Document:
    """A title and its blocks."""

    title: str
    language: str
    made: str
    blocks: tuple[Block, ...]

    @property
    def gaps(self) -> list[str]:
        """What the configuration does not say and this document wants."""
        pieces = (piece for block in self.blocks for row in block.rows for cell in row for piece in cell)
        return [piece.text for piece in pieces if piece.kind == "gap"]

    def html(self) -> str:
        """To be printed and signed."""
        return _html.get_template("page.html.j2").render(document=self, words=LANGUAGES[self.language])

    def text(self, width: int = 100) -> str:
        """For a terminal or a mail."""
        parts = [self.title, "=" * len(self.title), "", self.made]
        for block in self.blocks:
            parts += ["", *_as_text(block, width)]
        return "\n".join(parts) + "\n"


def document(name: str, facts: Facts, language: str, at: datetime, **more: Any) -> Document:
    """A document of ``DOCUMENTS``, as the configuration is at this moment; ``more`` is for its page."""
    words = LANGUAGES[language]
    page = _pages.get_template(f"{language}/{name}.j2").render(
        f=facts, gap=lambda what: _Marked(f"{_GAP}{words.missing}: {what}{_GAP}"), **_vocabulary(words), **more
    )
    title, blocks = _blocks(page)
    return Document(title, language, words.made.format(at=at, version=facts.version), blocks)


def _vocabulary(words: Words) -> dict[str, Any]:
    def days(number: int | None, where: str) -> object:
        if number is None:
            return _Marked(f"{_GAP}{words.missing}: {where}{_GAP}")
        return words.days(number)

    return {"days": days, "mode": words.modes.__getitem__, "wish": words.wishes.__getitem__}


def _blocks(page: str) -> tuple[str, tuple[Block, ...]]:
    title, blocks = "", list[Block]()
    for written in page.splitlines():
        line = written.strip()
        if line.startswith("# "):
            title = line[2:].translate(_TEXT)
            continue
        kind, cells = _read(line)
        if kind is None:
            blocks.append(Block("paragraph", ()))
        elif blocks and blocks[-1].kind == kind and blocks[-1].rows and kind != "section":
            joined = (*blocks[-1].rows, cells)
            blocks[-1] = replace(blocks[-1], rows=joined)
        else:
            blocks.append(Block(kind, (cells,)))
    return title, tuple(block for block in blocks if block.rows)


def _read(line: str) -> tuple[Literal["section", "paragraph", "list", "table", "sign"] | None, tuple[Line, ...]]:
    if not line:
        return None, ()
    if line.startswith("## "):
        return "section", (_line(line[3:]),)
    if line.startswith("- "):
        return "list", (_line(line[2:]),)
    if line.startswith("|"):
        return "table", tuple(_line(cell.strip()) for cell in line.strip("|").split("|"))
    if line.startswith("___"):
        return "sign", (_line(line.strip("_ ")),)
    return "paragraph", (_line(line),)


def _line(text: str) -> Line:
    """Its pieces; a citation is not torn apart at the end of a line."""
    text = re.sub(r"(§|\b(?:[Aa]rt|Abs|lit|[Nn]r|no)\.) ", "\\1\N{NO-BREAK SPACE}", text)
    pieces = []
    for part in re.split(rf"({_GAP}[^{_GAP}]*{_GAP}|\*\*[^*]+\*\*)", text):
        if part.startswith(_GAP):
            pieces.append(Piece(part.strip(_GAP).translate(_TEXT), "gap"))
        elif part.startswith("**"):
            pieces.append(Piece(part.strip("*").translate(_TEXT), "strong"))
        elif part:
            pieces.append(Piece(part.translate(_TEXT)))
    return tuple(pieces)


def _plain(line: Line) -> str:
    return "".join(f"[{piece.text}]" if piece.kind == "gap" else piece.text for piece in line)


def _as_text(block: Block, width: int) -> list[str]:
    if block.kind == "section":
        title = _plain(block.rows[0][0])
        return [title, "-" * len(title)]
    if block.kind == "list":
        return [
            line
            for row in block.rows
            for line in textwrap.wrap(_plain(row[0]), width, initial_indent="- ", subsequent_indent="  ")
        ]
    if block.kind == "table":
        head, *rows = block.rows
        if len(head) == 2:
            pairs = (f"{_plain(row[0])}: {_plain(row[-1])}".rstrip() for row in rows)
            return [line for pair in pairs for line in textwrap.wrap(pair, width, subsequent_indent="    ")]
        return [line for row in rows for line in [*_row_as_text(head, row, width), ""]][:-1]
    if block.kind == "sign":
        return [f"{_plain(row[0])}: {'_' * 40}" for row in block.rows]
    return textwrap.wrap(" ".join(_plain(row[0]) for row in block.rows), width)


def _row_as_text(head: tuple[Line, ...], row: tuple[Line, ...], width: int) -> list[str]:
    first, *rest = row
    said = textwrap.wrap(_plain(first), width)
    for name, cell in zip(head[1:], rest, strict=False):
        label = f"  {_plain(name)}: " if _plain(name) else "  "
        said += textwrap.wrap(_plain(cell), width, initial_indent=label, subsequent_indent="    ")
    return said
