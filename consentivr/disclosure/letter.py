"""The answer to who asks what is known of a telephone number (GDPR art. 12(1), 15): a letter in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import jinja2

from consentivr.core.callers import WhoseNumber
from consentivr.core.evidence import CallSummary, Recording, summarize
from consentivr.core.retention import RetentionTerms
from consentivr.core.turn import Turn
from consentivr.disclosure.letter_words import WORDS
from consentivr.ledger import Entry, Ledger
from consentivr.ledger.export import RECORDINGS
from consentivr.numbers import in_print


@dataclass(frozen=True)
class Controller:
    """Who answers for the recordings (GDPR art. 4(7)), and what letters say of it."""

    name: str
    address: tuple[str, ...] = ()
    contact: str | None = None
    dpo: str | None = None
    authority: str | None = None
    recipients: tuple[str, ...] = ()
    """Outside of the house; none: nobody."""
    third_countries: str | None = None
    time_zone: tzinfo = timezone.utc
    whose_number: WhoseNumber = WhoseNumber.GIVEN
    terms: Mapping[str, RetentionTerms] | None = None
    """How long calls are kept, by queue."""
    lines: Mapping[str, str] | None = None
    """What callers dial, by line."""


@dataclass(frozen=True)
class Section:
    """A part of the letter: paragraphs, then points, then what is known of each call."""

    title: str
    paragraphs: Sequence[str] = ()
    points: Sequence[str] = ()
    calls: Sequence[tuple[str, Sequence[tuple[str, Sequence[str]]]]] = ()


class Letter:
    """Of everything that a ledger knows of a number, as it is made. ``folder`` is where recordings lie."""

    def __init__(
        self,
        ledger: Ledger,
        number: str,
        controller: Controller,
        folder: Path,
        language: str,
        *,
        to: Sequence[str] = (),
        enclosed: bool = False,
    ) -> None:
        """``to`` are the lines of an address; ``enclosed``: data and recordings go with it. Raises LedgerError."""
        self._ledger = ledger
        self._number = in_print(number, ledger.country).replace(" ", "\N{NO-BREAK SPACE}")
        self._controller = controller
        self._folder = folder
        self._words = WORDS[language]
        self._language = language
        self._zone = controller.time_zone
        self._to = to
        self._enclosed = enclosed
        self._made_at = datetime.now(timezone.utc)
        visits = ledger.rows_of(ledger.channels_of(number))
        self.calls = sorted(((summarize(rows), rows) for rows in visits), key=lambda call: call[0].started_at)

    def render(self, form: Literal["html", "txt"]) -> str:
        """As a page without anything from outside, or as text."""
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(Path(__file__).parent),
            autoescape=jinja2.select_autoescape(("html.j2",)),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        controller, say = self._controller, self._say
        return environment.get_template(f"letter.{form}.j2").render(
            language=self._language,
            say=say,
            controller=controller,
            to=self._to or [say("to_holder", number=self._number)],
            number=self._number,
            day=self._day(self._made_at),
            opening=self._opening,
            sections=self._sections,
            enclosures=self._enclosures,
        )

    # --- words -------------------------------------------------------------------------------

    def _say(self, word: str, **values: object) -> str:
        return self._words[word].format(**values)

    def _day(self, moment: datetime) -> str:
        local = moment.astimezone(self._zone)
        if self._language == "de":
            return f"{local.day}. {_MONTHS_DE[local.month - 1]} {local.year}"
        return f"{local.day} {_MONTHS_EN[local.month - 1]} {local.year}"

    def _time(self, moment: datetime | str | None) -> str:
        if moment is None:
            return "?"
        at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        return self._say("clock", time=f"{at.astimezone(self._zone):%H:%M:%S}")

    def _at(self, moment: datetime) -> str:
        return f"{self._day(moment)}, {self._time(moment)}"

    def _length(self, milliseconds: int | None) -> str:
        if milliseconds is None:
            return self._say("length_unknown")
        minutes, seconds = divmod(round(milliseconds / 1000), 60)
        return self._say("minutes", minutes=minutes, seconds=seconds)

    # --- what it says ------------------------------------------------------------------------

    @property
    def recordings(self) -> list[Recording]:
        """Those that are there."""
        return [recording for call, _ in self.calls for recording in call.audio]

    @cached_property
    def _opening(self) -> list[str]:
        zone = self._controller.time_zone
        said = [self._say("asked", number=self._number, as_of=self._at(self._made_at), zone=zone)]
        if not self.calls:
            return [*said, self._say("nothing"), self._say(f"kept_{self._controller.whose_number.value}")]
        count, recordings = len(self.calls), len(self.recordings)
        summary = self._say(_plural("calls", count), count=count)
        summary += " " + self._say(_plural("recordings", recordings), count=recordings)
        if recordings:
            summary += " " + self._say("copies_enclosed" if self._enclosed else "copies_on_request")
        return [*said, summary, self._say("only_number"), self._say(f"kept_{self._controller.whose_number.value}")]

    @cached_property
    def _sections(self) -> list[Section]:
        say, controller = self._say, self._controller
        contact = controller.contact or ", ".join((controller.name, *controller.address))
        complain = say("right_complain", authority=controller.authority or say("any_authority"))
        rights = Section(
            say("rights"), points=[say("right_withdraw"), say("right_others"), say("right_object"), complain]
        )
        whom = [say("dpo", dpo=controller.dpo)] if controller.dpo else []
        ask = Section(say("contact"), [*whom, say("write_to", contact=contact), say("limits")])
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
    def _enclosures(self) -> list[str]:
        if not self._enclosed or not self.calls:
            return []
        said = [self._say("enclosed_data")]
        return [*said, self._say("enclosed_audio", count=len(self.recordings))] if self.recordings else said

    def _terms(self) -> list[str]:
        def said(days: int | None) -> str:
            return self._say("no_term") if days is None else self._say("days", days=days)

        lines = []
        for queue in sorted({call.queue for call, _ in self.calls}):
            terms = (self._controller.terms or {}).get(queue, RetentionTerms())
            days = terms.refusals_days
            refusals = "" if days is None else self._say("how_long_refusals", days=days)
            audio, rows = said(terms.audio_days), said(terms.rows_days)
            lines.append(self._say("how_long_queue", queue=queue, audio=audio, rows=rows, refusals=refusals))
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
            ("purpose", [call.purpose] if call.purpose else []),
            ("basis", [self._basis(call)]),
            ("kept_until", self._until(call)),
        ]
        return self._say("call", at=self._at(call.started_at)), [
            (self._say(name), said) for name, said in facts if said
        ]

    def _line(self, name: str) -> str:
        number = (self._controller.lines or {}).get(name)
        return f"{number} ({name})" if number else name

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
        file = Path(recording.path)
        there = file.resolve().is_relative_to(self._folder.resolve()) and file.exists()
        kept = self._say("file_enclosed" if self._enclosed else "file_there", name=f"{RECORDINGS}{file.name}")
        return f"{said}; {kept if there else self._say('file_gone')}"

    def _silence(self, why: str, began: datetime, ended: datetime | None) -> str:
        word = {"on_hold": "silence_hold", "outsider": "silence_outsider"}.get(why, "silence_other")
        until = self._time(ended) if ended else self._say("end_unknown")
        return self._say(word, from_=self._time(began), until=until)

    def _who(self, call: CallSummary, rows: Sequence[Entry]) -> str:
        answered = {row.evidence.get("agent_uuid") for row in rows if row.turn == Turn.AGENT_ANSWERED}
        staff = len(answered) or (1 if call.agent else 0)
        unanswered = any(row.turn == Turn.QUEUE_LEFT for row in rows)
        known = staff or unanswered or call.hangup_cause is not None
        said = self._say(_plural("staff", staff) if known else "staff_unknown", count=staff)
        if any(span.why == "outsider" for span in call.masked):
            said += f" {self._say('outsider')}"
        functions = sorted({str(row.evidence.get("function")) for row in rows if row.turn == Turn.TAPPED})
        return ", ".join([said, *(self._say("tapped", function=function) for function in functions)])

    def _basis(self, call: CallSummary) -> str:
        if call.reason == "legal_basis":
            return self._say("basis_law", basis=call.legal_basis)
        if call.decision == "withdrawn":
            return self._say("basis_withdrawn")
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


def _plural(word: str, count: int) -> str:
    return f"{word}_{'none' if count == 0 else 'one' if count == 1 else 'many'}"


_MONTHS_EN = "January February March April May June July August September October November December".split()  # noqa: SIM905
_MONTHS_DE = "Januar Februar März April Mai Juni Juli August September Oktober November Dezember".split()  # noqa: SIM905
