"""What a switch answered to what it was asked: the one place where its answers are read.

Nothing is guessed: no answer, a refusal and what cannot be read are the same, *not seen*. The answers hold every secret
of the switch (passwords of its users, of its event socket): they are never logged, nor kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any
from xml.etree import ElementTree

from consentivr import switch

NOTHING_THERE = "can't find anything"
"""``xml_locate``: there is no such configuration."""

NOT_SET = "-ERR no reply"
"""``user_data``: the user has no such variable, or is not there."""

SCRIPTS, GATEWAYS = ("lua", "perl", "python", "python3"), ("xml_curl", "xml_scgi")
"""Modules that answer for sections of the configuration: from a script, from somewhere else."""

_NO_ANSWER = re.compile(r"\s*(?:$|-ERR|-USAGE|INVALID COMMAND|COMMAND RETURNED ERROR)")


class Answers:
    """By the commands of ``switch``; None for what was not answered."""

    def __init__(self, said: Mapping[str, str | None]) -> None:
        self._said = dict(said)
        self._read: dict[str, Any] = {}

    def why_unseen(self, command: str) -> str | None:
        """Why the answer to a command cannot be had; None when it can."""
        text = self._said.get(command)
        if text is None:
            return "it was not asked" if command not in self._said else "no answer came"
        if command.startswith("user_data ") and text.startswith(NOT_SET):
            return None
        if _NO_ANSWER.match(text):
            return f"the answer was '{text.strip()[:60]}'" if text.strip() else "the answer was empty"
        if _reader(command)(text) is None:
            return "the answer cannot be read"
        return None

    def said(self, command: str) -> str:
        """The answer as text; empty when there is none."""
        text = (self._said.get(command) or "").strip()
        return "" if self.why_unseen(command) or text.startswith("-ERR") else text

    def rows(self, command: str) -> list[dict[str, Any]]:
        """Of a list in JSON."""
        return self._of(command) or []

    def xml(self, command: str) -> ElementTree.Element:
        """An element without anything in it where nothing is, and where nothing was seen."""
        found = self._of(command)
        return ElementTree.Element("nothing") if found is None else found

    def configuration(self, name: str) -> ElementTree.Element:
        """What a module would load next."""
        return self.xml(switch.configuration(name))

    def _of(self, command: str) -> Any:
        if self.why_unseen(command):
            return None
        if command not in self._read:
            self._read[command] = _reader(command)(self._said[command] or "")
        return self._read[command]

    # --- what several rows want to know ------------------------------------------------------

    @cached_property
    def globals(self) -> Mapping[str, str]:
        """The global variables: each channel's default."""
        found = {}
        for line in self.said(switch.GLOBALS).splitlines():
            name, sign, value = line.partition("=")
            if sign:
                found[name] = value
        return found

    def set_globally(self, name: str) -> str | None:
        """A global variable; FreeSWITCH tells no cases apart."""
        return next((value for key, value in self.globals.items() if key.casefold() == name.casefold()), None)

    @cached_property
    def modules(self) -> Mapping[str, str]:
        """The modules that are loaded, with the files that they came from."""
        rows = self.rows(switch.MODULES)
        return {str(row.get("ikey")): str(row.get("filename", "")) for row in rows if row.get("ikey")}

    def is_loaded(self, module: str) -> bool | None:
        """Whether a module is loaded; None where that was not told. The list lags behind, a little."""
        if self.said(switch.is_loaded(module)) == "true" or module in self.modules:
            return True
        known = self.said(switch.is_loaded(module)) == "false" or self.modules
        return False if known else None

    @cached_property
    def profiles(self) -> list[str]:
        """The SIP profiles that are loaded."""
        found = self.xml(switch.PROFILES).iter("profile")
        return sorted({str(one.findtext("name")) for one in found if switch.is_word(str(one.findtext("name")))})

    def bound(self, section: str) -> str | None:
        """The module that answers for a section (``dialplan``, ``directory``) call by call, if any: then nothing shows
        the whole of it."""
        for module in SCRIPTS:
            bindings = parameters(self.configuration(module)).get("xml-handler-bindings", "")
            if self.is_loaded(f"mod_{module}") and section in re.split(r"[|,\s]+", bindings):
                return f"mod_{module}"
        for module in GATEWAYS:
            for param in self.configuration(module).iter("param"):
                words = re.split(r"[|,\s]+", param.get("bindings", ""))
                if self.is_loaded(f"mod_{module}") and section in words:
                    return f"mod_{module}"
        return None


def parameters(element: ElementTree.Element, where: str = "settings") -> dict[str, str]:
    """``<param name= value=>`` in the child ``where``; the later one counts, as for FreeSWITCH."""
    return {
        param.get("name", "").casefold(): param.get("value", "")
        for param in element.findall(f"./{where}/param" if where else "./param")
    }


def is_true(value: str | None) -> bool:
    """As FreeSWITCH reads it."""
    word = (value or "").strip().casefold()
    return word in ("yes", "on", "true", "t", "enabled", "active", "allow") or (
        word.lstrip("-").isdigit() and word != "0"
    )


def named(element: ElementTree.Element, path: str) -> Iterator[tuple[str, ElementTree.Element]]:
    """Elements with their names."""
    for found in element.findall(path):
        yield found.get("name", ""), found


def _reader(command: str) -> Any:
    if command.startswith("json ") or command.endswith((" as json", " json_list")):
        return _json
    if command.startswith("xml_locate ") or command.startswith("sofia xmlstatus"):
        return _xml
    return str


def _json(text: str) -> list[dict[str, Any]] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    if isinstance(found, dict) and "row_count" in found:
        found = found.get("rows", [])
    elif isinstance(found, dict) and "response" in found:  # of the API command "json"
        found = found["response"]
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        return None
    return found


def _xml(text: str) -> ElementTree.Element | None:
    if text.startswith(NOTHING_THERE):
        return ElementTree.Element("nothing")
    try:
        return ElementTree.fromstring(text)  # noqa: S314 - of our switch; expat bounds entities
    except ElementTree.ParseError:
        return None
