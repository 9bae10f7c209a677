"""Paths that other recorders chose are kept apart from the rows.

A migration is history: it spells out its tables, and is never changed once released.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the table. Rows of before keep the paths that they name: they are under hashes."""
    op.create_table(
        "foreign_file",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("channel_uuid", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        comment="Names that other recorders gave their files, apart from the rows so that they can be forgotten.",
    )
    op.create_index("ix_foreign_file_channel_uuid", "foreign_file", ["channel_uuid"])
    if op.get_bind().dialect.name != "sqlite":  # no samples of what they are called: see migration 0004
        for column in ("name", "channel_uuid", "path", "key"):
            op.execute(f"ALTER TABLE foreign_file ALTER COLUMN {column} SET STATISTICS 0")
