"""The lab's PostgreSQL server, as the tests know it."""

from __future__ import annotations

from consentivr.lab.postgres import Server, find_postgres

__all__ = ["Server", "find_postgres"]
