"""Wordings and tallies come under the chain: rows for those that are there already.

A migration is history: it spells out its tables, and is never changed once released.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timezone

import sqlalchemy as sa
from alembic import op

from consentivr.core import chain

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """What they were before now, nothing proves; from now on a change is found.

    A wording that is not what its digest says was changed before: it gets no row, and ``verify`` finds it.
    """
    connection = op.get_bind()
    for digest, language, text, audio_sha256, duration_ms in connection.execute(
        sa.text("SELECT digest, language, text, audio_sha256, duration_ms FROM notice ORDER BY digest")
    ).all():
        if hashlib.sha256("\x00".join((language, text, audio_sha256)).encode("utf-8")).hexdigest() == digest:
            text_sha256 = hashlib.sha256(text.encode("utf-8")).hexdigest()
            said = {"notice": digest, "language": language, "text_sha256": text_sha256}
            _add(connection, "notice_added", {**said, "audio_sha256": audio_sha256, "duration_ms": duration_ms})
    tallies = connection.execute(sa.text("SELECT name, count FROM tally")).all()
    if tallies:
        counts = {hashlib.sha256(name.encode("utf-8")).hexdigest(): count for name, count in tallies}
        _add(connection, "tallied", {"tallies": counts})


def _add(connection: sa.Connection, turn: str, evidence: dict[str, object]) -> None:
    """A row at the end of the chain, of no call."""
    last = connection.execute(sa.text("SELECT position, hash FROM entry ORDER BY position DESC LIMIT 1")).one_or_none()
    position, previous = (last[0] + 1, last[1]) if last else (1, chain.GENESIS)
    key = secrets.token_hex(16)
    said = {
        "at": datetime.now(timezone.utc).isoformat(timespec="microseconds"),
        "channel_uuid": "-",
        "turn": turn,
        **dict.fromkeys(("line", "queue", "mode"), ""),
        "evidence": chain.canonical(evidence).decode("ascii"),
        "commitment": None,
        "position": position,
    }
    digest = chain.digest_of(key, said)
    row = {**said, "key": key, "digest": digest, "previous": previous, "hash": chain.link(previous, position, digest)}
    columns, values = ", ".join(row), ", ".join(f":{name}" for name in row)
    connection.execute(sa.text(f"INSERT INTO entry ({columns}) VALUES ({values})"), row)  # noqa: S608
