"""A line of each call that was decided, for lists.

A migration is history: it spells out its tables, and is never changed once released.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_AT_ONCE = 1000


def upgrade() -> None:
    """Add the table, and a line of each call that is there."""
    big = sa.Integer() if op.get_bind().dialect.name == "sqlite" else sa.BigInteger()
    made = op.create_table(
        "listed",
        sa.Column("at", sa.Text, primary_key=True),
        sa.Column("position", big, primary_key=True, autoincrement=False),
        sa.Column("call", sa.Text, nullable=False, unique=True),
        sa.Column("queue", sa.Text, nullable=False),
        sa.Column("line", sa.Text, nullable=False),
        *(sa.Column(name, sa.Text) for name in ("language", "decision", "reason", "notice")),
        *(sa.Column(name, sa.Boolean, nullable=False) for name in ("held", "masked", "unsealed")),
        comment="A line of each call that was decided, for lists: it says nothing that rows do not.",
        sqlite_with_rowid=False,
    )
    connection = op.get_bind()
    some: list[dict[str, Any]] = []
    for line in _lines(connection):
        some.append(line)
        if len(some) == _AT_ONCE:
            connection.execute(made.insert(), some)
            some = []
    if some:
        connection.execute(made.insert(), some)


def _lines(connection: sa.Connection) -> Iterator[dict[str, Any]]:
    lines: dict[str, dict[str, Any]] = {}
    begun: dict[str, set[str]] = {}
    """Paths of recordings that are neither sealed nor erased, by call."""
    rows = connection.execute(
        sa.text(
            'SELECT coalesce(visit, channel_uuid) AS "call", position, at, turn, queue, line, evidence FROM entry '
            "WHERE turn IN ('decision', 'withdrawn', 'agreed_late', 'hold', 'hold_released', 'recording_masked', "
            "'recording_started', 'recording_sealed', 'recording_erased', 'recording_adopted', 'audio_erased', "
            "'erasure') ORDER BY seq"
        ).execution_options(yield_per=_AT_ONCE)
    )
    for call, position, at, turn, queue, line, evidence in rows:
        said = json.loads(evidence)
        if turn == "decision" and call not in lines:
            lines[call] = {
                **{"at": _arrived(said) or at, "position": position, "call": call, "queue": queue, "line": line},
                **{name: said.get(name) for name in ("language", "decision", "reason", "notice")},
                **{"held": False, "masked": False, "unsealed": False},
            }
        elif turn == "recording_started":
            begun.setdefault(call, set()).add(said.get("path"))
        elif turn == "recording_erased" or (turn == "recording_sealed" and "sha256" in said):
            begun.get(call, set()).discard(said.get("path"))
        elif (
            turn == "audio_erased"
            or (turn == "erasure" and said.get("audio"))
            or (turn == "recording_adopted" and "sha256" in said)
        ):
            begun.pop(call, None)
        elif call in lines:
            lines[call] |= _CHANGES.get(turn, {})
    for call, line in lines.items():
        yield {**line, "unsealed": bool(begun.get(call))}


_CHANGES: dict[str, dict[str, Any]] = {
    "withdrawn": {"decision": "withdrawn"},
    "agreed_late": {"decision": "given", "reason": "late_consent_keys"},
    "hold": {"held": True},
    "hold_released": {"held": False},
    "recording_masked": {"masked": True},
}


def _arrived(said: dict[str, Any]) -> str | None:
    try:
        return datetime.fromisoformat(said["arrived_at"]).astimezone(timezone.utc).isoformat(timespec="microseconds")
    except (KeyError, TypeError, ValueError):
        return None
