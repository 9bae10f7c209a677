"""One call on one printable page, for someone who reads law and not logs (GDPR art. 7(1))."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import jinja2

import consentivr
from consentivr.core.evidence import summarize
from consentivr.core.turn import Turn
from consentivr.disclosure.telling import told
from consentivr.disclosure.words import WORDS
from consentivr.ledger import Entry, Verifier
from consentivr.ledger.searching import Searching
from consentivr.ledger.verification import verify_call
from consentivr.recordings import Places


def evidence_sheet(ledger: Searching, rows: Sequence[Entry], places: Places, verifier: Verifier, language: str) -> str:
    """The evidence of one call, of which these are the rows, verified as it is made.

    An HTML page without anything from outside. ``places`` are where recordings lie. Raises LedgerError.
    """
    call = summarize(rows)
    decision: Mapping[str, Any] = next((row.evidence for row in rows if row.turn == Turn.DECISION), {})
    words = WORDS[language]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["moment"] = _moment
    return environment.get_template("sheet.html.j2").render(
        language=language,
        say=words.__getitem__,
        why_masked=lambda why: words.get(f"because_{why}", why),
        told=lambda row: told({name: row.evidence.get(name) for name in _SAID.get(row.turn, ())}, language),
        call=call,
        confirmed=", ".join(decision[name] for name in ("confirmed_by", "confirmed_on") if name in decision),
        withdrawal=told(_withdrawal(rows), language),
        visits=len(ledger.calls_named(call.channel_uuid)),
        attempts=decision.get("attempts", []),
        basis=words.get(call.legal_basis or "no_basis", call.legal_basis),
        notice=ledger.notice(call.notice) if call.notice else None,
        rows=rows,
        integrity=verify_call(ledger, call, places, verifier),
        made_at=datetime.now(timezone.utc),
        version=consentivr.__version__,
    )


def _withdrawal(rows: Sequence[Entry]) -> Mapping[str, Any]:
    """How the yes was taken back, and why something is kept all the same."""
    said: Mapping[str, Any] = next((row.evidence for row in reversed(rows) if row.turn == Turn.WITHDRAWN), {})
    return {name: said.get(name) for name in ("reason", "by", "declared_on", "identity", "kept_because")}


_SAID = {
    Turn.RECORDING_STOPPED: ("completion_cause",),
    Turn.RECORDING_WITHHELD: ("why",),
    Turn.RECORDING_FAILED: ("why",),
    Turn.FORBIDDEN_RECORDING: ("leg", "why"),
    Turn.COMMAND_FAILED: ("wanted", "said"),
    Turn.TAPPED: ("function", "leg"),
    Turn.WITHDRAWN: ("reason", "by"),
    Turn.HOLD: ("why",),
    Turn.HOLD_RELEASED: ("why",),
    Turn.QUARANTINED: ("why",),
    Turn.RECORDING_ADOPTED: ("why",),
    Turn.RECORDING_ERASED: ("why",),
    Turn.AUDIO_ERASED: ("why",),
    Turn.ERASURE: ("why",),
}
"""What the course says of a turn beside its name: the rest of the sheet has the other things."""


def _moment(value: datetime | str | None) -> str:
    """A moment to the second; '' for none."""
    if value is None:
        return ""
    text = value.isoformat() if isinstance(value, datetime) else value
    return text[:19].replace("T", " ")
