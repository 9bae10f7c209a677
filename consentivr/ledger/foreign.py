"""The paths of other recorders' files, apart from the rows, so that they can be forgotten (GDPR art. 17)."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from consentivr.core import chain
from consentivr.core.chain import Finding, Link, Tampering
from consentivr.core.foreign import FOREIGN, NAMED, paths_in, renamed
from consentivr.core.turn import Turn
from consentivr.ledger.entry import Entry, storable
from consentivr.ledger.schema import entries, foreign_files

_GONE = frozenset({Turn.RECORDING_ERASED.value, Turn.AUDIO_ERASED.value, Turn.RECORDING_ADOPTED.value})
"""With such a row the path goes too: its file is gone, or has a name of ours."""


def committed(connection: sa.Connection, batch: Sequence[Entry]) -> Sequence[Entry]:
    """The rows as they are written: each foreign path kept apart, and a commitment in its place."""
    return [_committed(connection, entry) if paths_in(entry.evidence) else entry for entry in batch]


def _committed(connection: sa.Connection, entry: Entry) -> Entry:
    names: dict[str, str] = {}
    channel = storable(entry.channel_uuid)
    for path in paths_in(entry.evidence):
        kept = storable(path)
        known = sa.select(foreign_files.c.name).where(
            foreign_files.c.channel_uuid == channel, foreign_files.c.path == kept
        )
        name = connection.execute(known).scalar_one_or_none()
        if name is None:
            key = secrets.token_hex(32)
            name = f"{FOREIGN}{chain.commitment(key, kept)}"
            row = {"name": name, "channel_uuid": channel, "path": kept, "key": key}
            connection.execute(foreign_files.insert(), row)
        names[path] = name
    if entry.turn in _GONE:
        connection.execute(foreign_files.delete().where(foreign_files.c.name.in_(names.values())))
    return replace(entry, evidence=renamed(entry.evidence, names))


def resolved(connection: sa.Connection, texts: Sequence[str]) -> Sequence[str]:
    """Evidence as it is read: with each path that is there still."""
    names = {name for text in texts if FOREIGN in text for name in NAMED.findall(text)}
    if not names:
        return texts
    query = sa.select(foreign_files.c.name, foreign_files.c.path).where(foreign_files.c.name.in_(names))
    paths = {row.name: json.dumps(row.path)[1:-1] for row in connection.execute(query)}
    return [NAMED.sub(lambda found: paths.get(found[0], found[0]), text) if FOREIGN in text else text for text in texts]


def forget(connection: sa.Connection, channels: Iterable[str]) -> None:
    """The paths of these channels that no row names any more."""
    channels = list(channels)
    named = sa.select(entries.c.evidence).where(
        entries.c.channel_uuid.in_(channels), entries.c.evidence.contains(FOREIGN)
    )
    left = {name for text in connection.execute(named).scalars() for name in NAMED.findall(text)}
    of_channels = foreign_files.c.channel_uuid.in_(channels)
    connection.execute(foreign_files.delete().where(of_channels, foreign_files.c.name.notin_(left)))


def _is_of(name: str, path: str, key: str) -> bool:
    try:
        return name == f"{FOREIGN}{chain.commitment(key, path)}"
    except ValueError:
        return False


class ForeignNames:
    """Whether the paths are those to which the rows are committed."""

    def __init__(self) -> None:
        self._named: dict[str, int] = {}
        self._gone: set[str] = set()

    def note(self, row: Link) -> None:
        """See a row of the chain."""
        if row.content is None or FOREIGN not in row.content["evidence"]:
            return
        for name in NAMED.findall(row.content["evidence"]):
            self._named.setdefault(name, row.position)
            if row.content["turn"] in _GONE:
                self._gone.add(name)

    def go_on(self, further: ForeignNames) -> None:
        """With what was seen of rows that follow."""
        self._named = further._named | self._named
        self._gone |= further._gone

    def wrong(self, files: Iterable[Any]) -> list[Finding]:
        """What is wrong with the table's rows (name, path, key), by the first row that names them."""
        missing = {name: at for name, at in self._named.items() if name not in self._gone}
        findings = []
        for name, path, key in files:
            missing.pop(name, None)
            if not _is_of(name, path, key):
                findings.append(Finding(self._named.get(name, 0), Tampering.PERSONAL_CHANGED))
            elif name not in self._named:
                findings.append(Finding(0, Tampering.PERSONAL_INSERTED))
        return findings + [Finding(at, Tampering.PERSONAL_REMOVED) for at in missing.values()]
