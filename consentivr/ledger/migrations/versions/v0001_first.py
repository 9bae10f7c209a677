"""The ledger of 0.1.0.

A migration is history: it spells out its tables, and is never changed once released.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_KEPT = ("seq", "position", "previous", "hash", "digest")
_ERASABLE = ("key", "at", "channel_uuid", "turn", "line", "queue", "mode", "evidence", "commitment", "submission")


def upgrade() -> None:
    """Make the tables, and the triggers that keep them append-only."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    big = sa.Integer() if sqlite else sa.BigInteger()

    def of_evidence(member: str) -> sa.Computed:
        return sa.Computed(
            f"json_extract(evidence, '$.{member}')" if sqlite else f"evidence::json ->> '{member}'",
            persisted=None if sqlite else True,
        )

    op.create_table(
        "entry",
        sa.Column("seq", big, primary_key=True, autoincrement=True),
        sa.Column("position", big, nullable=False, unique=True),
        sa.Column("previous", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        *(sa.Column(name, sa.Text, unique=name == "submission") for name in _ERASABLE),
        sa.Column("decision", sa.Text, of_evidence("decision")),
        sa.Column("agent", sa.Text, of_evidence("agent")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_entry_at", "entry", ["at"])
    op.create_index("ix_entry_channel_uuid", "entry", ["channel_uuid"])
    op.create_index("ix_entry_turn", "entry", ["turn", "queue", "at"])
    for name, more in (("decision", ["at", "queue", "channel_uuid"]), ("agent", ["channel_uuid"])):
        there = sa.text(f"{name} IS NOT NULL")
        op.create_index(f"ix_entry_{name}", "entry", [name, *more], sqlite_where=there, postgresql_where=there)
    op.create_table(
        "caller",
        sa.Column("channel_uuid", sa.Text, primary_key=True),
        sa.Column("caller_id_number", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        comment="Personal data, apart from the rows so that a person can be forgotten (GDPR art. 17).",
    )
    op.create_index("ix_caller_caller_id_number", "caller", ["caller_id_number"])
    op.create_table(
        "notice",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("audio_sha256", sa.Text, nullable=False),
        sa.Column("duration_ms", sa.Integer, nullable=False),
        comment="Each wording that was ever asked, as it was heard.",
    )
    op.create_table(
        "checkpoint",
        sa.Column("position", big, primary_key=True, autoincrement=False),
        sa.Column("key_id", sa.Text, primary_key=True),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("signature", sa.Text, nullable=False),
        comment="What the chain was when it was signed.",
    )
    op.create_table(
        "tally",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
        comment="How often something happened, over all nodes and restarts; such as an agent's consenting calls.",
    )
    unchanged = " AND ".join(f"NEW.{name} = OLD.{name}" for name in _KEPT)
    only_erases = unchanged + "".join(f" AND NEW.{name} IS NULL" for name in _ERASABLE)
    if sqlite:
        refuse = "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
        op.execute(f"CREATE TRIGGER entry_no_update BEFORE UPDATE ON entry WHEN NOT ({only_erases}) {refuse}")
        op.execute(f"CREATE TRIGGER entry_no_delete BEFORE DELETE ON entry {refuse}")
        return
    op.execute(
        "CREATE FUNCTION entry_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$"
    )
    refuse = "EXECUTE FUNCTION entry_is_append_only()"
    op.execute(
        f"CREATE TRIGGER entry_no_update BEFORE UPDATE ON entry FOR EACH ROW WHEN (NOT ({only_erases})) {refuse}"
    )
    op.execute(f"CREATE TRIGGER entry_no_delete BEFORE DELETE ON entry FOR EACH ROW {refuse}")
    op.execute(f"CREATE TRIGGER entry_no_truncate BEFORE TRUNCATE ON entry {refuse}")
