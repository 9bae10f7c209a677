"""Bringing a ledger's schema up to this program's, forwards only."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

_MIGRATIONS = Path(__file__).with_name("migrations")


def migrations() -> Config:
    """Alembic's configuration; there is no alembic.ini."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(connection: sa.Connection) -> None:
    """Run what is missing, in the connection's transaction: all of it or nothing."""
    config = migrations()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
