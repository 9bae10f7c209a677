"""The tables, the same in SQLite and PostgreSQL. ``migrations`` makes them; a test holds both together."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement

from consentivr.core import turn as turns

SCHEMA = "0008"
"""The newest migration: the schema that this program writes."""


class evidence_text(FunctionElement[str]):
    """One member of the evidence, as text."""

    inherit_cache = True
    type = sa.Text()

    def __init__(self, member: str) -> None:
        self.member = member
        super().__init__()


@compiles(evidence_text, "sqlite")
def _on_sqlite(element: evidence_text, _compiler: Any, **_: Any) -> str:
    return f"json_extract(evidence, '$.{element.member}')"


@compiles(evidence_text, "postgresql")
def _on_postgresql(element: evidence_text, _compiler: Any, **_: Any) -> str:
    return f"evidence::json ->> '{element.member}'"


_big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

metadata = sa.MetaData()

entries = sa.Table(
    "entry",
    metadata,
    sa.Column("seq", _big, primary_key=True, autoincrement=True, doc="order of storing"),
    sa.Column("position", _big, nullable=False, unique=True, doc="in the chain, from 1"),
    sa.Column("previous", sa.Text, nullable=False, doc="hash of the row before"),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False, doc="HMAC of what follows, under 'key'; see core.chain"),
    # What follows is empty once the row was erased.
    sa.Column("key", sa.Text),
    sa.Column("at", sa.Text, index=True, doc="UTC, ISO 8601 with microseconds"),
    sa.Column("channel_uuid", sa.Text, index=True),
    sa.Column("turn", sa.Text),
    sa.Column("line", sa.Text),
    sa.Column("queue", sa.Text),
    sa.Column("mode", sa.Text),
    sa.Column("evidence", sa.Text, doc="JSON object"),
    sa.Column("commitment", sa.Text, doc="of the caller's personal data; see core.chain"),
    sa.Column("submission", sa.Text, unique=True),
    sa.Column("visit", sa.Text, doc="of a caller to a line; NULL in rows of 0.1.0, and where it is not known"),
    sa.Column("decision", sa.Text, sa.Computed(evidence_text("decision")), doc="of the evidence, for queries"),
    sa.Column("agent", sa.Text, sa.Computed(evidence_text("agent")), doc="of the evidence, for queries"),
    sa.Column("call", sa.Text, sa.Computed("coalesce(visit, channel_uuid)"), doc="the rows of one call share it"),
    sqlite_autoincrement=True,
)

sa.Index("ix_entry_turn", entries.c.turn, entries.c.queue, entries.c.at)
sa.Index("ix_entry_call", entries.c.call, entries.c.turn)
for _name, _with in (("decision", ("at", "queue", "call")), ("agent", ("call",))):
    _there = entries.c[_name].isnot(None)
    _columns = (entries.c[column] for column in (_name, *_with))
    sa.Index(f"ix_entry_{_name}", *_columns, sqlite_where=_there, postgresql_where=_there)

ACCESS = sa.text(
    f"turn IN ({', '.join(sorted(repr(turn.value) for turn in (*turns.ACCESS, turns.Turn.AGENTS_COUNTED)))})"
)
"""Rows of the access log, in the words of their index: a database takes it for no other ones."""

sa.Index("ix_entry_access", entries.c.at, entries.c.turn, sqlite_where=ACCESS, postgresql_where=ACCESS)
sa.Index("ix_entry_access_by", evidence_text("by"), entries.c.at, sqlite_where=ACCESS, postgresql_where=ACCESS)

callers = sa.Table(
    "caller",
    metadata,
    sa.Column("channel_uuid", sa.Text, primary_key=True),
    sa.Column("caller_id_number", sa.Text, nullable=False, index=True),
    sa.Column("key", sa.Text, nullable=False, doc="of the commitment; erased with the number"),
    comment="Personal data, apart from the rows so that a person can be forgotten (GDPR art. 17).",
)

foreign_files = sa.Table(
    "foreign_file",
    metadata,
    sa.Column("name", sa.Text, primary_key=True, doc="as rows have it; see core.foreign"),
    sa.Column("channel_uuid", sa.Text, nullable=False, index=True),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False, doc="of the commitment; erased with the path"),
    comment="Names that other recorders gave their files, apart from the rows so that they can be forgotten.",
)

listed = sa.Table(
    "listed",
    metadata,
    sa.Column("at", sa.Text, primary_key=True, doc="when the caller arrived; as in 'entry'"),
    sa.Column("position", _big, primary_key=True, autoincrement=False, doc="of the decision"),
    sa.Column("call", sa.Text, nullable=False, unique=True),
    sa.Column("queue", sa.Text, nullable=False),
    sa.Column("line", sa.Text, nullable=False),
    sa.Column("language", sa.Text),
    sa.Column("decision", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("notice", sa.Text),
    sa.Column("held", sa.Boolean, nullable=False),
    sa.Column("masked", sa.Boolean, nullable=False),
    sa.Column("unsealed", sa.Boolean, nullable=False),
    comment="A line of each call that was decided, for lists: it says nothing that rows do not.",
    sqlite_with_rowid=False,
)

taken = sa.Table(
    "taken",
    metadata,
    sa.Column("agent", sa.Text, primary_key=True),
    sa.Column("at", sa.Text, primary_key=True, doc="of the line"),
    sa.Column("position", _big, primary_key=True, autoincrement=False, doc="of the line"),
    comment="The lines of 'listed' by agent: of each who is named in a call's rows.",
    sqlite_with_rowid=False,
)

notices = sa.Table(
    "notice",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("audio_sha256", sa.Text, nullable=False),
    sa.Column("duration_ms", sa.Integer, nullable=False),
    comment="Each wording that was ever asked, as it was heard.",
)

checkpoints = sa.Table(
    "checkpoint",
    metadata,
    sa.Column("position", _big, primary_key=True, autoincrement=False),
    sa.Column("key_id", sa.Text, primary_key=True, doc="of the public key; see ledger.signing"),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("signature", sa.Text, nullable=False, doc="Ed25519, hexadecimal"),
    comment="What the chain was when it was signed.",
)

tallies = sa.Table(
    "tally",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
    comment="How often something happened, over all nodes and restarts; such as an agent's consenting calls.",
)

ERASED: dict[str, None] = dict.fromkeys(
    ("key", "at", "channel_uuid", "turn", "line", "queue", "mode", "evidence", "commitment", "submission", "visit")
)
"""The values of a row that was erased: the one change of a row that the triggers let through."""
