"""The answer to who asks what is known of a telephone number (GDPR art. 12(1), 15): a letter in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from consentivr.core.evidence import CallSummary, Recording, summarize
from consentivr.core.foreign import is_name
from consentivr.core.retention import RetentionTerms
from consentivr.core.turn import Turn
from consentivr.disclosure.export import HandedOver, hand_over
from consentivr.disclosure.paper import Controller, Paper, Section, plural
from consentivr.ledger import Entry, Search
from consentivr.ledger.export import RECORDINGS
from consentivr.ledger.searching import Searching
from consentivr.recordings import Elsewhere, Places

_LOOKED = {
    Turn.RECORDING_PLAYED.value: "looked_played",
    Turn.PERSON_SHOWN.value: "looked_shown",
    Turn.HANDED_OVER.value: "looked_handed",
}


class Letter(Paper):
    """Of everything that a ledger knows of a number, as it is made. ``places`` are where recordings lie."""

    subject = "subject"

    def __init__(
        self,
        ledger: Searching,
        number: str,
        controller: Controller,
        places: Places,
        language: str,
        *,
        to: Sequence[str] = (),
        enclosed: bool = False,
    ) -> None:
        """``enclosed``: data and recordings go with it. Raises LedgerError."""
        super().__init__(number, ledger.country, controller, language, to)
        self._ledger = ledger
        self._search = Search(caller=number)
        self._places = places
        self._enclosed = enclosed
        visits = ledger.rows_of(ledger.channels_of(number))
        self.calls = sorted(((summarize(rows), rows) for rows in visits), key=lambda call: call[0].started_at)

    def write_archive(self, out: IO[bytes]) -> HandedOver:
        """The letter, the data and the recordings, in one archive (zip) that verifies on its own (art. 15(3), 20).

        Signed when the ledger signs: sign its chain before. Raises NothingThere, LedgerError, OSError.
        """
        letters = {"letter.html": self.render("html"), "letter.txt": self.render("txt")}
        return hand_over(self._ledger, self._search, "json", out, self._places, audio=True, letters=letters)

    # --- what it says ------------------------------------------------------------------------

    @cached_property
    def recordings(self) -> list[Recording]:
        """Those that were not erased, but for files that are gone."""
        return [one for call, _ in self.calls for one in call.audio if self._where(one) != "file_gone"]

    def _is_enclosed(self, recording: Recording) -> bool:
        return self._enclosed and recording.sha256 is not None and self._where(recording) == "file_there"

    def _where(self, recording: Recording) -> str:
        """The word for where its file is."""
        try:
            file = self._places.file_of(recording.place)
        except Elsewhere:
            return "file_gone" if is_name(recording.place) else "file_elsewhere"
        return "file_there" if file.exists() else "file_gone"

    @cached_property
    def opening(self) -> list[str]:
        zone = self._controller.time_zone
        said = [self._say("asked", number=self._number, as_of=self._at(self._made_at), zone=zone)]
        if not self.calls:
            return [*said, self._say("nothing"), self._kept_numbers]
        count, recordings = len(self.calls), len(self.recordings)
        summary = self._say(plural("calls", count), count=count)
        summary += " " + self._say(plural("recordings", recordings), count=recordings)
        if recordings:
            enclosed = any(map(self._is_enclosed, self.recordings))
            summary += " " + self._say("copies_enclosed" if enclosed else "copies_on_request")
        return [*said, summary, self._say("only_number"), self._kept_numbers]

    @cached_property
    def sections(self) -> list[Section]:
        say, controller = self._say, self._controller
        points = [say("right_withdraw"), say("right_others"), say("right_object"), self._complaint]
        rights, ask = Section(say("rights"), points=points), self._contact
        if not self.calls:
            return [rights, ask]
        outside = (
            say("who_outside", recipients="; ".join(controller.recipients))
            if controller.recipients
            else say("who_nobody")
        )
        abroad = (
            say("who_abroad", countries=controller.third_countries)
            if controller.third_countries
            else say("who_not_abroad")
        )
        what = [say(f"what_{name}") for name in ("number", "times", "answer", "audio", "staff")]
        purposes = "; ".join(sorted({call.purpose for call, _ in self.calls if call.purpose})) or "-"
        return [
            Section(say("your_calls"), calls=[self._call(call, rows) for call, rows in self.calls]),
            Section(say("what"), points=what),
            Section(say("why"), [say("why_audio", purposes=purposes), say("why_proof")]),
            Section(say("source"), [say("source_you")]),
            Section(say("who"), [say("who_inside"), outside, abroad]),
            Section(say("how_long"), [*self._terms(), say("how_long_longer")]),
            Section(say("automated"), [say("automated_none")]),
            rights,
            ask,
        ]

    @cached_property
    def enclosures(self) -> list[str]:
        if not self._enclosed or not self.calls:
            return []
        said, count = [self._say("enclosed_data")], sum(map(self._is_enclosed, self.recordings))
        return [*said, self._say("enclosed_audio", count=count)] if count else said

    def _terms(self) -> list[str]:
        def said(days: int | None) -> str:
            return self._say("no_term") if days is None else self._say("days", days=days)

        lines = []
        for queue in sorted({call.queue for call, _ in self.calls}):
            terms = (self._controller.terms or {}).get(queue, RetentionTerms())
            days = terms.refusals_days
            refusals = "" if days is None else self._say("how_long_refusals", days=days)
            audio, rows = said(terms.audio_days), said(terms.rows_days)
            name = queue.partition("@")[0]
            lines.append(self._say("how_long_queue", queue=name, audio=audio, rows=rows, refusals=refusals))
        return lines

    # --- one call ----------------------------------------------------------------------------

    def _call(self, call: CallSummary, rows: Sequence[Entry]) -> tuple[str, list[tuple[str, list[str]]]]:
        decision: Mapping[str, Any] = next((row.evidence for row in rows if row.turn == Turn.DECISION), {})
        notice = self._ledger.notice(call.notice) if call.notice else None
        wording = "wording_told" if decision.get("reason") == "legal_basis" else "wording_asked"
        facts = [
            ("line", [self._line(call.line)]),
            ("ended", [self._at(call.ended_at)]),
            (
                wording,
                [self._say("quote", text=notice.text)] if notice else [],
            ),
            ("answer", [self._answer(decision)]),
            ("late", [self._late(row) for row in rows if row.turn == Turn.AGREED_LATE]),
            ("withdrawn", [self._withdrawn(row) for row in rows if row.turn == Turn.WITHDRAWN]),
            ("recording", [self._recording(one) for one in call.recordings] or [self._say("no_recording")]),
            ("silence", [self._silence(span.why, span.began, span.ended) for span in call.masked]),
            ("heard_by", [self._who(call, rows)]),
            ("looked_at", self._looked(rows)),
            ("purpose", [call.purpose] if call.purpose else []),
            ("basis", [self._basis(call, rows)]),
            ("kept_until", self._until(call)),
        ]
        return self._say("call", at=self._at(call.started_at)), [
            (self._say(name), said) for name, said in facts if said
        ]

    def _answer(self, decision: Mapping[str, Any]) -> str:
        attempts = decision.get("attempts") or [{}]
        at = attempts[-1].get("answered_at") or decision.get("arrived_at")
        return self._say(f"answer_{decision.get('reason', 'none')}", at=self._time(at), key=decision.get("key"))

    def _late(self, row: Entry) -> str:
        return self._say("late_consent_keys", at=self._time(row.at), key=row.evidence.get("keys"))

    def _withdrawn(self, row: Entry) -> str:
        evidence = row.evidence
        on = evidence.get("declared_on")
        day = self._day(datetime.fromisoformat(on).replace(tzinfo=self._zone) if on else row.at)
        said = self._say(evidence["reason"], at=self._time(row.at), on=day, key=evidence.get("keys"))
        identity = evidence.get("identity")
        return f"{said} {self._say('identity', identity=identity.rstrip('.'))}" if identity else said

    def _recording(self, recording: Recording) -> str:
        said = self._say(
            "recorded" if recording.permitted else "unpermitted",
            at=self._time(recording.started_at),
            length=self._length(recording.duration_ms),
        )
        if recording.erased_at is not None:
            return f"{said}; {self._say('erased', at=self._at(recording.erased_at))}"
        where = "file_enclosed" if self._is_enclosed(recording) else self._where(recording)
        return f"{said}; {self._say(where, name=f'{RECORDINGS}{Path(recording.place).name}')}"

    def _silence(self, why: str, began: datetime, ended: datetime | None) -> str:
        word = {"on_hold": "silence_hold", "outsider": "silence_outsider"}.get(why, "silence_other")
        until = self._time(ended) if ended else self._say("end_unknown")
        return self._say(word, from_=self._time(began), until=until)

    def _who(self, call: CallSummary, rows: Sequence[Entry]) -> str:
        answered = {row.evidence.get("agent_uuid") for row in rows if row.turn == Turn.AGENT_ANSWERED}
        staff = len(answered) or (1 if call.agent else 0)
        unanswered = any(row.turn == Turn.QUEUE_LEFT for row in rows)
        known = staff or unanswered or call.hangup_cause is not None
        said = self._say(plural("staff", staff) if known else "staff_unknown", count=staff)
        if any(span.why == "outsider" for span in call.masked):
            said += f" {self._say('outsider')}"
        functions = sorted({str(row.evidence.get("function")) for row in rows if row.turn == Turn.TAPPED})
        return ", ".join([said, *(self._say("tapped", function=function) for function in functions)])

    def _looked(self, rows: Sequence[Entry]) -> list[str]:
        """When the data were looked at, and what for; not by whom (CJEU C-579/21, 22 June 2023)."""
        said = [
            self._say(word, at=self._at(row.at), why=row.evidence.get("purpose") or row.evidence.get("why") or "-")
            for row in rows
            if (word := _LOOKED.get(row.turn))
        ]
        return list(dict.fromkeys(said))

    def _basis(self, call: CallSummary, rows: Sequence[Entry]) -> str:
        if call.reason == "legal_basis":
            return self._say("basis_law", basis=call.legal_basis)
        if call.decision == "withdrawn":
            kept = kept_because(rows) if call.audio else None
            said = self._say("basis_withdrawn")
            return f"{said}; {self._say('basis_since', why=kept.rstrip('.'))}" if kept else said
        return self._say("basis_consent" if call.decision == "given" else "basis_none")

    def _until(self, call: CallSummary) -> list[str]:
        if call.held:
            return [self._say("until_held")]
        terms = (self._controller.terms or {}).get(call.queue, RetentionTerms())
        said = []
        for word, days in (("audio", terms.audio_days if call.audio else -1), ("rows", terms.rows_days_of(call))):
            if days is None:
                said.append(self._say(f"until_none_{word}"))
            elif days >= 0:
                said.append(self._say(f"until_{word}", day=self._day(call.ended_at + timedelta(days=days))))
        return said


def kept_because(rows: Sequence[Entry]) -> str | None:
    """The ground on which a recording stays although its consent was taken back, as the last withdrawal names it."""
    said = [row.evidence.get("kept_because") for row in rows if row.turn == Turn.WITHDRAWN]
    return said[-1] if said else None
