"""Changes of a line or two in a file of FreeSWITCH's that an administrator owns. Pure.

Everything else in the file stays byte for byte. What stands in a comment is no place for anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


class NoPlace(ValueError):
    """The file has no place for it. The message says what was looked for."""


@dataclass(frozen=True)
class Edit:
    """``new`` in the place of ``old``, which stands there exactly once."""

    old: str
    new: str

    def apply(self, text: str) -> str:
        """Raises NoPlace."""
        if text.count(self.old) != 1:
            raise NoPlace(f"'{self.old.strip()}' does not stand there once")
        return text.replace(self.old, self.new)

    def take_back(self, text: str) -> str | None:
        """The text without it, also where others have changed something else meanwhile; None when it is not there."""
        return text.replace(self.new, self.old) if text.count(self.new) == 1 else None


def queues_included(text: str) -> Edit | None:
    """In callcenter.conf.xml, before all other queues: of two with one name mod_callcenter takes the first.

    None where it is there already; raises NoPlace. So do all others here.
    """
    line = '<X-PRE-PROCESS cmd="include" data="consentivr/queues.xml"/>'
    return None if _has(text, line) else _after(text, r"<queues>", f"    {line}")


def variables_included(text: str) -> Edit | None:
    """In vars.xml, at its end."""
    line = '<X-PRE-PROCESS cmd="include" data="vars/consentivr.xml"/>'
    return None if _has(text, line) else _before_last(text, r"</include>", f"  {line}")


def module_loaded(text: str, module: str) -> Edit | None:
    """In modules.conf.xml, after all others."""
    line = f'<load module="{module}"/>'
    return None if _has(text, line) else _before_last(text, r"</modules>", f"    {line}")


def keys_unlogged(text: str) -> Edit | None:
    """In logfile.conf.xml: nothing below NOTICE goes into the file, because FreeSWITCH writes every key at INFO.

    Raises NoPlace where it is not said in one line of the known form.
    """
    maps = {
        found[0]: found
        for found in re.finditer(r'<map\s+name="all"\s+value="([^"]*)"\s*/>', text)
        if not _in_comment(text, found.start())
    }
    loud = [found for found in maps.values() if set(re.split(r"[\s,]+", found[1])) & _LOUD]
    if maps and not loud:
        return None
    if len(loud) != 1 or text.count(loud[0][0]) != 1:
        raise NoPlace('not one line \'<map name="all" value="..."/>\'')
    kept = [level for level in re.split(r"[\s,]+", loud[0][1]) if level not in _LOUD and level]
    if "all" in re.split(r"[\s,]+", loud[0][1]):
        kept = ["console", "notice", "warning", "err", "crit", "alert"]
    new = loud[0][0].replace(f'value="{loud[0][1]}"', f'value="{",".join(kept)}"')
    return Edit(loud[0][0], new)


_LOUD = {"debug", "info", "all"}


def _has(text: str, line: str) -> bool:
    """Whether it stands there, with any blanks, and in no comment."""
    words = r"\s*".join(map(re.escape, re.findall(r'"[^"]*"|[\w/<>=-]+', line)))
    return any(not _in_comment(text, found.start()) for found in re.finditer(words, text))


def _after(text: str, anchor: str, line: str) -> Edit:
    found = _places(text, anchor)
    if len(found) != 1:
        raise NoPlace(f"{anchor} does not stand in one line of its own")
    return _put(text, found[0].end(), f"{line}{_ending(found[0][0])}")


def _before_last(text: str, anchor: str, line: str) -> Edit:
    found = _places(text, anchor)
    if not found:
        raise NoPlace(f"{anchor} does not stand in one line of its own")
    return _put(text, found[-1].start(), f"{line}{_ending(found[-1][0])}")


def _put(text: str, at: int, line: str) -> Edit:
    """A line more there, told with so many of the lines around it that the place is the only one of its kind."""
    above, below = text[:at].splitlines(keepends=True), text[at:].splitlines(keepends=True)
    around = 1
    while text.count("".join((*above[-around:], *below[:around]))) > 1:
        around += 1
    before, after = "".join(above[-around:]), "".join(below[:around])
    return Edit(before + after, before + line + after)


def _places(text: str, anchor: str) -> list[re.Match[str]]:
    """The lines that hold this alone, and in no comment, with their ends."""
    lines = re.finditer(rf"^[ \t]*{anchor}[ \t]*(?:\r?\n|\Z)", text, re.MULTILINE)
    return [found for found in lines if not _in_comment(text, found.start())]


def _ending(line: str) -> str:
    return "\r\n" if line.endswith("\r\n") else "\n"


def _in_comment(text: str, at: int) -> bool:
    return any(found.start() < at < found.end() for found in re.finditer(r"<!--.*?-->", text, re.DOTALL))
