"""Erasing what the ledger knows of people and calls; a receipt says so, and the chain still verifies."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from consentivr.core import chain
from consentivr.core.requests import TURNS
from consentivr.core.turn import Turn
from consentivr.ledger import foreign, listing
from consentivr.ledger.appending import Appending
from consentivr.ledger.databases import DatabaseError
from consentivr.ledger.entry import CONSOLE, NO_CALL, REGISTER, CallRef, Entry, as_text
from consentivr.ledger.schema import ERASED, callers, entries, evidence_text
from consentivr.ledger.searching import Searching, counted, portions


class Erasing:
    """Erases in an open ledger, and adds the receipts."""

    def __init__(self, ledger: Searching, appending: Appending) -> None:
        self._ledger = ledger
        self._appending = appending

    def people(self, channels: Sequence[str], evidence: dict[str, Any]) -> None:
        """Erase the personal data of channels and leave a receipt for each of their visits (GDPR art. 17).

        Raises LedgerUnavailable; nothing is erased then. ``overwrite_freed`` belongs to it. Raises LedgerError for
        what is no call.
        """
        self._ledger.must_be_calls(channels)
        receipts = [rows[-1].about.row(Turn.ERASURE, evidence) for rows in self._ledger.rows_of(channels)]
        with self._ledger.writing() as connection:
            for some in portions(channels):
                connection.execute(callers.delete().where(callers.c.channel_uuid.in_(some)))
            self._appending.extend(connection, receipts, {})

    def rows(self, visits: Sequence[str], evidence: dict[str, Any]) -> int:
        """Erase all rows of calls (as ``rows_of_visits`` names them); one receipt names the rows.

        The personal data go with the last row that is bound to them. Returns the number of rows. The chain keeps
        their digests, which tell nothing without the keys that are erased with them. Calls of one queue
        belong into one receipt: it names the queue of the first. Raises LedgerError for what is no call.
        """
        self._ledger.must_be_calls(visits)
        with self._ledger.writing() as connection:
            positions: list[int] = []
            counts: dict[str, int] = {}
            queue = ""
            for some in portions(visits):
                of_calls = entries.c.call.in_(some)
                columns = (entries.c.position, entries.c.queue, entries.c.channel_uuid)
                channels = set()
                for row in connection.execute(sa.select(*columns).where(of_calls)):
                    positions.append(row.position)
                    queue = queue or row.queue
                    channels.add(row.channel_uuid)
                counts |= {name: max(count, counts.get(name, 0)) for name, count in counted(connection, of_calls)}
                listing.forget(connection, some)
                connection.execute(entries.update().where(of_calls).values(ERASED))
                bound = (entries.c.channel_uuid == callers.c.channel_uuid, entries.c.commitment.isnot(None))
                left = sa.exists().where(*bound)
                connection.execute(callers.delete().where(callers.c.channel_uuid.in_(channels), ~left))
                foreign.forget(connection, channels)
            if positions:
                said = {**evidence, "calls": len(visits), "rows": chain.to_ranges(positions)}
                of_no_call = CallRef(NO_CALL, None, "", queue, "")
                receipts: list[Entry] = [of_no_call.row(Turn.ROWS_ERASED, said)]
                if counts:
                    receipts.append(of_no_call.row(Turn.TALLIED, {"tallies": counts}))
                self._appending.extend(connection, receipts, {})
        return len(positions)

    def accesses(self, until: datetime, evidence: dict[str, Any]) -> int:
        """Erase the access log's rows of no call before ``until``; one receipt names the rows. Returns their number."""
        with self._ledger.writing() as connection:
            positions = self.accesses_before(connection, until)
            self._rows_of_no_call(connection, positions, evidence)
        return len(positions)

    @staticmethod
    def accesses_before(connection: sa.Connection, until: datetime) -> list[int]:
        """The positions of what ``accesses`` would erase: what a person asked for waits until it is answered."""
        theirs = (entries.c.channel_uuid == CONSOLE, entries.c.at < as_text(until))
        columns = (entries.c.position, entries.c.turn, evidence_text("request").label("request"))
        noted = connection.execute(sa.select(*columns).where(entries.c.turn.in_([turn.value for turn in TURNS]))).all()
        answered = {row.request for row in noted if row.turn == Turn.REQUEST_ANSWERED}
        waiting = {row.position for row in noted if row.request not in answered}
        found = connection.execute(sa.select(entries.c.position).where(*theirs)).scalars()
        return [position for position in found if position not in waiting]

    def _rows_of_no_call(self, connection: sa.Connection, positions: Sequence[int], evidence: dict[str, Any]) -> None:
        for some in portions(positions):
            connection.execute(entries.update().where(entries.c.position.in_(some)).values(ERASED))
        if positions:
            said = {**evidence, "calls": 0, "rows": chain.to_ranges(positions)}
            self._appending.extend(connection, [CallRef(NO_CALL, None, "", "", "").row(Turn.ROWS_ERASED, said)], {})

    def register(self, agents: Sequence[str], evidence: dict[str, Any]) -> int:
        """Erase what the register says of agents; one receipt names the rows. Returns their number."""
        theirs = (entries.c.channel_uuid == REGISTER, entries.c.agent.in_(agents))
        with self._ledger.writing() as connection:
            positions = list(connection.execute(sa.select(entries.c.position).where(*theirs)).scalars())
            self._rows_of_no_call(connection, positions, evidence)
        return len(positions)

    def overwrite_freed(self) -> str | None:
        """Overwrite what was erased where the database kept it; else what the operator must do for that."""
        try:
            return self._ledger.database.overwrite_freed()
        except DatabaseError as error:
            return f"what was erased is not overwritten yet: {self._ledger.explained(error)}"
