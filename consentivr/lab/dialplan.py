"""Enough of FreeSWITCH's XML dialplan to execute what consentivr renders."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

_VARIABLE = re.compile(r"\$\{([A-Za-z0-9_]+)\}")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace ``${name}``; an unset variable is empty."""
    return _VARIABLE.sub(lambda match: variables.get(match.group(1), ""), text)


@dataclass(frozen=True)
class Action:
    """One application of the dialplan, not yet expanded."""

    application: str
    data: str


class Dialplan:
    """The extensions of one context, in order."""

    def __init__(self, xml: str) -> None:
        self._extensions = list(ElementTree.fromstring(xml).iter("extension"))  # noqa: S314 - our own rendering

    def route(self, destination: str, variables: Mapping[str, str]) -> list[Action]:
        """The actions of the first extension whose conditions all hold; empty when none does."""

        def value_of(field: str) -> str:
            return destination if field == "destination_number" else expand(field, variables)

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
