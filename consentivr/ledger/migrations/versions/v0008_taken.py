"""The calls of each agent, for lists.

A migration is history: it spells out its tables, and is never changed once released.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the table, and who is named in the calls that are there."""
    big = sa.Integer() if op.get_bind().dialect.name == "sqlite" else sa.BigInteger()
    op.create_table(
        "taken",
        sa.Column("agent", sa.Text, primary_key=True),
        sa.Column("at", sa.Text, primary_key=True),
        sa.Column("position", big, primary_key=True, autoincrement=False),
        comment="The lines of 'listed' by agent: of each who is named in a call's rows.",
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO taken (agent, at, position) SELECT DISTINCT entry.agent, listed.at, listed.position "
        'FROM entry JOIN listed ON listed."call" = entry."call" WHERE entry.agent IS NOT NULL'
    )
