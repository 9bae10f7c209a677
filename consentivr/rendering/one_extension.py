"""A line's way through the dialplan as one extension, for a dialplan that is kept in a database entry by entry."""

from __future__ import annotations

import xml.etree.ElementTree as ET


def one_extension(dialplan: str, line: str) -> str:
    """Of the rendered dialplan what belongs to a line, a condition for each of its extensions.

    Each ends with the first that matches, so the order decides as it does between extensions.
    """
    name = f"consentivr-{line}"
    one = ET.Element("extension", {"name": name, "continue": "false"})
    for extension in ET.fromstring(dialplan).iter("extension"):  # noqa: S314
        if extension.get("name") == name or str(extension.get("name")).startswith(f"{name}-"):
            one.append(_condition(extension))
    ET.indent(one)
    return ET.tostring(one, encoding="unicode") + "\n"


def _condition(extension: ET.Element) -> ET.Element:
    """What matched when all its conditions did."""
    conditions = extension.findall("condition")
    if len(conditions) == 1:
        one = ET.Element("condition", {**conditions[0].attrib, "break": "on-true"})
    else:
        one = ET.Element("condition", {"regex": "all", "break": "on-true"})
        one.extend(ET.Element("regex", condition.attrib) for condition in conditions)
    one.extend(action for condition in conditions for action in condition.findall("action"))
    return one
