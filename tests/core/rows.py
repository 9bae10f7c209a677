"""What the tests of the core ask of every row, and of every list of actions."""

from __future__ import annotations

import json
from collections.abc import Iterable

from consentivr.core.actions import Write
from consentivr.core.turns import Row


def rows(actions: Iterable[object]) -> list[Row]:
    """The rows among the actions."""
    return [action.row for action in actions if isinstance(action, Write)]


def hold_as_json(found: Iterable[Row]) -> None:
    """A row's evidence is JSON as it stands: nothing that only looks alike, such as a tuple or an enum."""
    for row in found:
        evidence = row.evidence()
        _plain(evidence, row)
        assert json.loads(json.dumps(evidence)) == evidence


def _plain(value: object, row: Row) -> None:
    assert type(value) in (dict, list, str, int, bool, type(None)), (row, value)
    inside = value.items() if isinstance(value, dict) else ((0, one) for one in value) if type(value) is list else ()
    for key, one in inside:
        assert type(key) in (str, int)
        _plain(one, row)
