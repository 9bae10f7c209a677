"""One row of the ledger, before it has a place there and after."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from consentivr.core import chain
from consentivr.core.evidence import CallSummary
from consentivr.core.turn import Turn

REGISTER = "register"
"""Stands for the channel in the rows of the agents' register."""

NO_CALL = "-"
"""Stands for the channel in rows of no call, kept for ever: receipts for erased rows, stray files, wordings."""


CONSOLE = "console"
"""Stands for the channel in rows of the access log that are about no call."""

NO_CALLS = {
    REGISTER: "the agents' register",
    NO_CALL: "receipts, which are kept for ever",
    CONSOLE: "the access log",
}
"""What stands for a channel in rows that are no call's: neither held, nor anybody's to be erased."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""What no database takes in a text: NUL and lone surrogates. A hostile switch can send both (promise P7)."""

_MAY_BE_UNSTORABLE = re.compile(r"\\u(?:0000|d[89a-f])")
"""How JSON in ASCII writes them, and what else begins so."""


def storable(text: str) -> str:
    """``text`` with what cannot be stored replaced, so that a caller's text never costs a row."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def tally_name(tally: str) -> str:
    """How rows name a tally: one of a member of staff is kept for ever, its name is not."""
    return hashlib.sha256(storable(tally).encode("utf-8")).hexdigest()


CLOCK_TOLERANCE = timedelta(seconds=5)
"""Rows of several nodes, or that were kept back a moment, may be out of order by so much."""


def now() -> datetime:
    """The time now, in UTC."""
    return datetime.now(timezone.utc)


def as_text(moment: datetime) -> str:
    """A moment as the ledger stores it: equal lengths, so that text sorts as time does."""
    return moment.astimezone(timezone.utc).isoformat(timespec="microseconds")


_PROCESS = secrets.token_hex(16)
_HANDED_IN = itertools.count(1)


@dataclass(frozen=True)
class CallRef:
    """Which call a row is about. ``visit`` is None where it is not known, as in the rows of 0.1.0."""

    channel_uuid: str
    visit: str | None
    line: str
    queue: str
    mode: str

    @classmethod
    def of(cls, call: CallSummary) -> CallRef:
        """The call of which this was summarized."""
        return cls(call.channel_uuid, call.visit, call.line, call.queue, call.mode)

    def row(
        self, turn: Turn, evidence: dict[str, Any], *, caller_id_number: str | None = None, tally: str | None = None
    ) -> Entry:
        """A new row about this call, said now."""
        return Entry(
            self.channel_uuid,
            turn.value,
            self.line,
            self.queue,
            self.mode,
            evidence,
            caller_id_number,
            tally=tally,
            visit=self.visit,
        )


@dataclass(slots=True)
class Entry:
    """One row: one turn of one call. ``at`` is UTC. Not to be changed; frozen, it would take twice as long to make."""

    channel_uuid: str
    turn: str
    line: str
    queue: str
    mode: str
    evidence: dict[str, Any] = field(default_factory=dict)
    caller_id_number: str | None = None
    at: datetime = field(default_factory=now)
    position: int | None = None
    """In the chain, from 1; None until it is written."""
    tally: str | None = None
    """Count this row under that name; its number becomes the evidence's ``count``."""
    submission: str = field(default_factory=lambda: f"{_PROCESS}-{next(_HANDED_IN)}", compare=False, repr=False)
    """Names the handing-in, so that a retry after a lost answer writes nothing twice."""
    visit: str | None = None
    """Of the caller to the line, UUID; None where it is not known."""

    @property
    def call(self) -> str:
        """What the rows of one call share: the visit, else the channel's UUID."""
        return self.visit or self.channel_uuid

    @property
    def about(self) -> CallRef:
        """The call that this row is about."""
        return CallRef(self.channel_uuid, self.visit, self.line, self.queue, self.mode)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "position": self.position,
            "at": as_text(self.at),
            "channel_uuid": self.channel_uuid,
            "visit": self.visit,
            "turn": self.turn,
            "line": self.line,
            "queue": self.queue,
            "mode": self.mode,
            "evidence": self.evidence,
            "caller_id_number": self.caller_id_number,
        }


ENTRY_COLUMNS = ("channel_uuid", "turn", "line", "queue", "mode", "evidence", "at", "position", "submission", "visit")
"""What an entry is read from, besides the caller's number."""


def entry_of(row: Sequence[Any]) -> Entry:
    """The entry in a row of ``ENTRY_COLUMNS``, and the caller's number last."""
    channel, turn, line, queue, mode, evidence, at, position, submission, visit, number = row
    return Entry(
        channel,
        turn,
        line,
        queue,
        mode,
        json.loads(evidence),
        number,
        at=datetime.fromisoformat(at),
        position=position,
        submission=submission or "",
        visit=visit,
    )


HASHED = ("at", "channel_uuid", "turn", "line", "queue", "mode", "evidence", "commitment", "position", "visit")
"""What a row says: the columns under its digest."""


def hashed(columns: Mapping[str, Any]) -> dict[str, Any]:
    """What the digest of a row covers. No visit is not said, as rows were written before there were visits."""
    said = {name: columns[name] for name in HASHED}
    if said["visit"] is None:
        del said["visit"]
    return said


CHAINED = (*HASHED, "submission", "key", "digest", "previous", "hash")
"""The columns of a row that is written."""


def chained(entry: Entry, position: int, previous: str, key: str, commitment: str | None) -> dict[str, Any]:
    """The row of the table that follows ``previous``. ``key`` is random, for this row alone; ``commitment`` is
    to the caller's number.
    """
    said = {
        "at": as_text(entry.at),
        "channel_uuid": storable(entry.channel_uuid),
        "turn": entry.turn,
        "line": entry.line,
        "queue": entry.queue,
        "mode": entry.mode,
        "evidence": _evidence_text(entry.evidence),
        "commitment": commitment,
        "position": position,
    }
    if entry.visit is not None:
        said["visit"] = storable(entry.visit)
    digest = chain.digest_of(key, said)
    return {
        "visit": None,
        **said,
        "submission": entry.submission,
        "key": key,
        "digest": digest,
        "previous": previous,
        "hash": chain.link(previous, position, digest),
    }


def _evidence_text(evidence: dict[str, Any]) -> str:
    text = chain.canonical(evidence).decode("ascii")
    return chain.canonical(_storable(evidence)).decode("ascii") if _MAY_BE_UNSTORABLE.search(text) else text


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(name): _storable(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_storable(inner) for inner in value]
    return value
