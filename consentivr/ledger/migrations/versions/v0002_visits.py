"""A caller's visit to a line has an identity of its own: one channel may see several.

A migration is history: it spells out its tables, and is never changed once released.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_KEPT = ("seq", "position", "previous", "hash", "digest")
_ERASABLE = (
    *("key", "at", "channel_uuid", "turn", "line", "queue", "mode", "evidence", "commitment", "submission"),
    "visit",
)


def upgrade() -> None:
    """Add ``visit``, what the rows of one call share, and what erases both: the rows keep their digests."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    op.add_column("entry", sa.Column("visit", sa.Text))
    shared = sa.Computed("coalesce(visit, channel_uuid)", persisted=None if sqlite else True)
    op.add_column("entry", sa.Column("call", sa.Text, shared))
    op.create_index("ix_entry_call", "entry", ["call", "turn"])
    for name, more in (("decision", ["at", "queue", "call"]), ("agent", ["call"])):
        there = sa.text(f"{name} IS NOT NULL")
        op.drop_index(f"ix_entry_{name}", "entry")
        op.create_index(f"ix_entry_{name}", "entry", [name, *more], sqlite_where=there, postgresql_where=there)
    unchanged = " AND ".join(f"NEW.{name} = OLD.{name}" for name in _KEPT)
    only_erases = unchanged + "".join(f" AND NEW.{name} IS NULL" for name in _ERASABLE)
    if sqlite:
        op.execute("DROP TRIGGER entry_no_update")
        op.execute(
            f"CREATE TRIGGER entry_no_update BEFORE UPDATE ON entry WHEN NOT ({only_erases}) "
            "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
        )
        return
    op.execute("DROP TRIGGER entry_no_update ON entry")
    op.execute(
        f"CREATE TRIGGER entry_no_update BEFORE UPDATE ON entry FOR EACH ROW WHEN (NOT ({only_erases})) "
        "EXECUTE FUNCTION entry_is_append_only()"
    )
