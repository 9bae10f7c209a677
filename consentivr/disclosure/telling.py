"""What a row says, as people read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from consentivr.disclosure.words import WORDS

_UNSAID = frozenset({"core", "withdrawn", "tally", "tallies"})
"""What only programs ask for."""

_PREFIX = {
    "answer": "answer_",
    "by": "through_",
    "completion_cause": "completion_",
    "decision": "",
    "leg": "leg_",
    "legal_basis": "",
    "language_by": "language_by_",
    "outcome": "outcome_",
    "role": "role_",
    "what": "what_",
    "why": "because_",
    "wishes": "wishes_",
}
"""How the words for the values of a member are named."""


_ORDER = {name: number for number, name in enumerate(WORDS["en"])}


def told(evidence: Mapping[str, Any], language: str) -> list[tuple[str, Sequence[str]]]:
    """Label and lines of each member that says something, in the words of a language, and in their order."""
    words = WORDS[language]
    return [(label(member, words), _lines(member, value, words)) for member, value in _in_order(evidence)]


def _in_order(evidence: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """As the words stand; rows have their members by the alphabet."""
    said = [(name, value) for name, value in evidence.items() if name not in _UNSAID and value not in (None, "", [])]
    return sorted(said, key=lambda member: _ORDER.get(f"said_{member[0]}", len(_ORDER)))


def label(member: str, words: Mapping[str, str]) -> str:
    """What a member is called; one without a word by its own name."""
    return words.get(f"said_{member}", member.replace("_", " "))


def _lines(member: str, value: Any, words: Mapping[str, str]) -> Sequence[str]:
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        return [f"{number}. {_plain(member, one, words)}" for number, one in enumerate(value, 1)]
    return [_plain(member, value, words)]


def _plain(member: str, value: Any, words: Mapping[str, str]) -> str:
    if isinstance(value, bool):
        return words["yes" if value else "no"]
    if isinstance(value, Mapping):
        return ", ".join(f"{label(name, words)}: {_plain(name, one, words)}" for name, one in _in_order(value))
    if isinstance(value, list) and all(isinstance(one, list) for one in value):
        return ", ".join(" - ".join(map(str, dict.fromkeys(one))) for one in value)
    if isinstance(value, list):
        return ", ".join(_plain(member, one, words) for one in value)
    if member.endswith("_ms"):
        return f"{value / 1000:.1f} s"
    if member.endswith("_at") or member in ("since", "until"):
        return f"{str(value)[:19].replace('T', ' ')} UTC"
    if member == "reason":
        value_name = "legal_basis_reason" if value == "legal_basis" else str(value)
        return words.get(value_name, words.get(f"because_{value}", str(value)))
    return words.get(f"{_PREFIX[member]}{value}", str(value)) if member in _PREFIX else str(value)
