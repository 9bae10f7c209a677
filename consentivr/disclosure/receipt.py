"""The receipt of what was taken back and erased: what the ledger's rows say, where they stand, and their hashes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property

from consentivr.core.evidence import CallSummary, summarize
from consentivr.core.turn import Turn
from consentivr.disclosure.paper import Controller, Paper, Section, plural
from consentivr.ledger import Entry
from consentivr.ledger.people import hashes_at
from consentivr.ledger.searching import Searching

PROVES = (Turn.WITHDRAWN, Turn.ERASURE, Turn.AUDIO_ERASED, Turn.RECORDING_ERASED)


class Receipt(Paper):
    """For the person, of these channels: afterwards anybody can have the ledger checked for these rows."""

    subject = "receipt_subject"

    def __init__(
        self,
        ledger: Searching,
        number: str,
        channels: Sequence[str],
        controller: Controller,
        language: str,
        *,
        to: Sequence[str] = (),
    ) -> None:
        """Raises LedgerError."""
        super().__init__(number, ledger.country, controller, language, to)
        found: list[tuple[CallSummary, list[Entry]]] = []
        for rows in ledger.rows_of(channels):
            proving = [row for row in rows if row.turn in PROVES]
            if proving:
                found.append((summarize(rows), proving))
        self.calls = sorted(found, key=lambda call: call[0].started_at)
        """Those of which something was taken back or erased."""
        self._hashes = hashes_at(ledger, [row.position or 0 for _, rows in self.calls for row in rows])

    @cached_property
    def opening(self) -> list[str]:
        return [self._say("receipt_of" if self.calls else "receipt_nothing", zone=self._controller.time_zone)]

    @cached_property
    def sections(self) -> list[Section]:
        if not self.calls:
            return [self._contact]
        calls = [(self._say("call", at=self._at(call.started_at)), self._facts(rows)) for call, rows in self.calls]
        return [
            Section(self._say("receipt_rows"), calls=calls),
            Section(self._say("receipt_check"), [self._say("receipt_how")]),
            self._contact,
        ]

    def _facts(self, rows: Sequence[Entry]) -> list[tuple[str, list[str]]]:
        return [
            (
                self._say("receipt_row", position=row.position),
                [self._said(row), self._say("receipt_hash", hash=self._hashes.get(row.position or 0, "-"))],
            )
            for row in rows
        ]

    def _said(self, row: Entry) -> str:
        at = self._at(row.at)
        if row.turn == Turn.WITHDRAWN:
            on = row.evidence.get("declared_on")
            day = self._day(datetime.fromisoformat(on).replace(tzinfo=self._zone) if on else row.at)
            return self._say(str(row.evidence["reason"]), at=at, on=day, key=row.evidence.get("keys"))
        if row.turn == Turn.ERASURE:
            return self._say("receipt_number", at=at)
        files = row.evidence.get("files", [{}]) if row.turn == Turn.AUDIO_ERASED else [row.evidence]
        count = sum(not file.get("gone") for file in files)
        return self._say(plural("receipt_recordings", count), count=count, at=at)
