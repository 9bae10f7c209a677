"""One call on one printable page, for someone who reads law and not logs (GDPR art. 7(1))."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2

from consentivr.core.consent import NoticeVersion
from consentivr.core.evidence import CallSummary, Row, Turn
from consentivr.handover.words import WORDS

LANGUAGES = tuple(WORDS)


@dataclass(frozen=True)
class Integrity:
    """What was verified when the sheet was made. ``audio``: by path, 'holds', 'differs' or 'absent'."""

    findings: Sequence[str]
    signed_at: str | None
    key_id: str | None
    audio: Mapping[str, str]


def evidence_sheet(
    call: CallSummary,
    rows: Sequence[tuple[int, str, Row]],
    notice: NoticeVersion | None,
    integrity: Integrity,
    *,
    language: str,
    made_at: datetime,
    version: str,
) -> str:
    """An HTML page without anything from outside. ``rows`` are (position, hash, row)."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["moment"] = _moment
    decision: Mapping[str, Any] = next((row.evidence for _, _, row in rows if row.turn == Turn.DECISION), {})
    words = WORDS[language]
    return environment.get_template("sheet.html.j2").render(
        language=language,
        say=words.__getitem__,
        why_masked=lambda why: words.get(f"masked_{why}", why),
        call=call,
        attempts=decision.get("attempts", []),
        basis=words.get(call.legal_basis or "no_basis", call.legal_basis),
        notice=notice,
        rows=rows,
        integrity=integrity,
        made_at=made_at,
        version=version,
    )


def _moment(value: datetime | str | None) -> str:
    """A moment to the second; '' for none."""
    if value is None:
        return ""
    text = value.isoformat() if isinstance(value, datetime) else value
    return text[:19].replace("T", " ")
