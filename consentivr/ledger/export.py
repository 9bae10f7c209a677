"""Handing over what the ledger knows of a call, a caller or a span of time (GDPR art. 15, 20).

The JSON form carries the chain's hashes, so that it can be verified without the ledger.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from consentivr.core.chain import Finding, Link, canonical, verify_excerpt
from consentivr.core.consent import NoticeVersion
from consentivr.ledger.errors import LedgerError

FORMAT = "consentivr-ledger-export-1"

_CSV_COLUMNS = (
    "position",
    "at",
    "channel_uuid",
    "turn",
    "line",
    "queue",
    "mode",
    "caller_id_number",
    "evidence",
    "hash",
)


def as_json(links: Iterable[Link], notices: Iterable[NoticeVersion]) -> str:
    """Rows with their hashes, the caller's number with the key of its commitment, and the wordings asked."""
    rows = [
        {
            **row.content,
            "evidence": json.loads(row.content["evidence"]),
            "previous": row.previous,
            "hash": row.hash,
            "erased": row.erased,
            "caller": {"key": row.personal[0], "caller_id_number": row.personal[1]} if row.personal else None,
        }
        for row in links
    ]
    wordings = {notice.digest: dict(notice.__dict__) for notice in notices}
    return json.dumps({"format": FORMAT, "rows": rows, "notices": wordings}, indent=1, ensure_ascii=False) + "\n"


def as_csv(links: Iterable[Link]) -> str:
    """One line for each row; for a spreadsheet. A value that a spreadsheet would compute is quoted with '."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_CSV_COLUMNS)
    for row in links:
        number = row.personal[1] if row.personal else ""
        values = {**row.content, "caller_id_number": number, "hash": row.hash}
        writer.writerow([_harmless(str(values[column])) for column in _CSV_COLUMNS])
    return text.getvalue()


def verify_json(path: Path) -> tuple[int, list[Finding]]:
    """Verify a JSON export on its own: the number of rows, and what is wrong with them.

    Raises LedgerError when it is no export.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        links = [_link(row) for row in data["rows"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LedgerError(f"{path} is no export of consentivr: {error}") from error
    return len(links), verify_excerpt(links)


def _link(row: dict[str, Any]) -> Link:
    apart = ("previous", "hash", "erased", "caller")
    content = {name: value for name, value in row.items() if name not in apart}
    content["evidence"] = canonical(content["evidence"]).decode("ascii")
    caller = row["caller"]
    personal = (caller["key"], caller["caller_id_number"]) if caller else None
    return Link(row["position"], row["previous"], row["hash"], content, personal, bool(row["erased"]))


def _harmless(value: str) -> str:
    return "'" + value if value[:1] in "=+-@" else value
