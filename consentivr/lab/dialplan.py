"""Enough of FreeSWITCH's XML dialplan to execute what consentivr renders."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

Functions = Callable[[str, str], str]
"""What ``${name(arguments)}`` becomes."""


def expand(text: str, variables: Mapping[str, str], functions: Functions = lambda name, arguments: "") -> str:
    """Replace ``${name}`` and ``${function(arguments)}``, also within one another; an unset variable is empty.

    What a variable held is not expanded again.
    """
    made: list[str] = []
    position = 0
    while (begin := text.find("${", position)) >= 0 and (end := _closing(text, begin + 2)) >= 0:
        made.append(text[position:begin])
        inner = text[begin + 2 : end]
        name, parenthesis, arguments = inner.partition("(")
        if parenthesis and inner.endswith(")"):
            made.append(functions(name, expand(arguments[:-1], variables, functions)))
        else:
            made.append(variables.get(inner, ""))
        position = end + 1
    return "".join(made) + text[position:]


def _closing(text: str, position: int) -> int:
    depth = 1
    for index in range(position, len(text)):
        depth += {"{": 1, "}": -1}.get(text[index], 0)
        if depth == 0:
            return index
    return -1


_CONDITION = re.compile(
    r"('(?P<qa>[^']*)'|(?P<a>\S+))\s*(?P<how>==|!=)\s*('(?P<qb>[^']*)'|(?P<b>\S+))\s*\?(?P<then>.*)"
)


def cond(arguments: str) -> str:
    """The API command ``cond``: ``a == b ? this : that``. Two numbers are compared as such, all else as text."""
    found = _CONDITION.fullmatch(arguments)
    if found is None:
        return "-ERR"
    one, other = found["a"] or found["qa"] or "", found["b"] or found["qb"] or ""
    if found["a"] and found["b"] and _is_number(one) and _is_number(other):
        same = float(one) == float(other)
    else:
        same = one == other
    then, _, otherwise = found["then"].partition(":")
    return (then if same == (found["how"] == "==") else otherwise).strip()


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?\d+(\.\d*)?", text) is not None


@dataclass(frozen=True)
class Action:
    """One application of the dialplan, not yet expanded."""

    application: str
    data: str


class Dialplan:
    """The extensions of one context, in order."""

    def __init__(self, xml: str, *more: str) -> None:
        """``more`` are extensions besides, in XML; they come first."""
        self._extensions = [
            extension
            for text in (*more, xml)
            for extension in ElementTree.fromstring(text).iter("extension")  # noqa: S314 - our own rendering
        ]

    def route(
        self, destination: str, variables: Mapping[str, str], functions: Functions = lambda name, arguments: ""
    ) -> list[Action]:
        """The actions of the first extension whose conditions all hold; empty when none does."""

        def value_of(field: str) -> str:
            return destination if field == "destination_number" else expand(field, variables, functions)

        for extension in self._extensions:
            actions = _actions(extension, value_of)
            if actions is not None:
                return actions
        return []


def _actions(extension: ElementTree.Element, value_of: Callable[[str], str]) -> list[Action] | None:
    actions: list[Action] = []
    for condition in extension.findall("condition"):
        field, expression = condition.get("field"), condition.get("expression", "")
        if field is not None and not re.search(expression, value_of(field)):
            return None
        actions += [
            Action(action.get("application", ""), action.get("data", "")) for action in condition.findall("action")
        ]
    return actions
