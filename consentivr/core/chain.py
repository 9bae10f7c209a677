"""The hash chain that makes the ledger tamper-evident, without a database.

Each link is SHA-256 over the hash before it and the canonical form of the row. Personal data are not
in it: a row holds a keyed commitment to them, whose key lies beside the data and is erased with them,
so that a person can be forgotten and the chain still verifies (GDPR art. 17).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

GENESIS = "0" * 64
"""What the first row follows."""


def canonical(content: Mapping[str, Any]) -> bytes:
    """One form for equal content: JSON in ASCII, sorted keys, no blanks (as RFC 8785 for what we store)."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def link(previous: str, content: Mapping[str, Any]) -> str:
    """The hash of a row that follows ``previous``; both in 64 hexadecimal digits."""
    return hashlib.sha256(bytes.fromhex(previous) + canonical(content)).hexdigest()


def commitment(key: str, personal: str) -> str:
    """HMAC-SHA-256 of personal data under a random key in hexadecimal digits."""
    return hmac.new(bytes.fromhex(key), personal.encode("utf-8"), hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Link:
    """A row as the chain sees it. ``content`` is all that is hashed, ``position`` and ``commitment`` among it."""

    position: int
    previous: str
    hash: str
    content: Mapping[str, Any]
    personal: tuple[str, str] | None = None
    """(key, personal data) while they are there."""
    erased: bool = False
    """A receipt in the ledger says that the personal data were erased."""


@dataclass(frozen=True)
class Checkpoint:
    """What the chain was at some moment, as noted then."""

    position: int
    hash: str


class Tampering(str, Enum):
    """What was done to a ledger."""

    CHANGED = "changed"
    REMOVED = "removed"
    INSERTED = "inserted"
    REORDERED = "reordered"
    TRUNCATED = "truncated"
    REWRITTEN = "rewritten"
    PERSONAL_CHANGED = "personal data changed"
    PERSONAL_REMOVED = "personal data removed without a receipt"


@dataclass(frozen=True)
class Finding:
    """One place where the ledger is not what it was. ``position`` is that of the first row concerned."""

    position: int
    kind: Tampering


def verify(links: Iterable[Link], checkpoints: Iterable[Checkpoint] = ()) -> list[Finding]:
    """Everything that is wrong with a chain, in the order in which the rows are stored.

    A chain that was computed anew from some row on is consistent in itself; only a checkpoint that was
    kept elsewhere tells (REWRITTEN), as it does of a cut tail (TRUNCATED).
    """
    findings: list[Finding] = []
    seen: dict[int, str] = {}
    expected, last = 1, GENESIS
    for row in links:
        content_is_whole = link(row.previous, row.content) == row.hash and row.content.get("position") == row.position
        if row.position in seen:
            findings.append(Finding(row.position, Tampering.INSERTED))
            continue
        seen[row.position] = row.hash
        if not content_is_whole:
            findings.append(Finding(row.position, Tampering.CHANGED))
        elif row.position < expected:
            findings.append(Finding(row.position, Tampering.REORDERED))
            continue
        elif row.position > expected:
            findings.append(Finding(expected, Tampering.REMOVED))
        elif row.previous != last:
            # This row is whole and follows another one than the one before it, which was replaced.
            findings.append(Finding(max(1, row.position - 1), Tampering.CHANGED))
        findings += _personal(row)
        expected, last = row.position + 1, row.hash
    for checkpoint in checkpoints:
        if checkpoint.position >= expected:
            findings.append(Finding(expected, Tampering.TRUNCATED))
        elif seen.get(checkpoint.position, checkpoint.hash) != checkpoint.hash:
            findings.append(Finding(checkpoint.position, Tampering.REWRITTEN))
    return _without_echo(findings)


def verify_excerpt(links: Iterable[Link]) -> list[Finding]:
    """The same for some rows of a chain, in its order: what lies between them cannot be told."""
    findings: list[Finding] = []
    last: Link | None = None
    for row in links:
        if link(row.previous, row.content) != row.hash or row.content.get("position") != row.position:
            findings.append(Finding(row.position, Tampering.CHANGED))
        elif last is not None and row.position <= last.position:
            findings.append(Finding(row.position, Tampering.REORDERED))
        elif last is not None and row.position == last.position + 1 and row.previous != last.hash:
            findings.append(Finding(last.position, Tampering.CHANGED))
        findings += _personal(row)
        last = row
    return findings


def _personal(row: Link) -> list[Finding]:
    promised = row.content.get("commitment")
    if promised is None:
        return []
    if row.personal is None:
        return [] if row.erased else [Finding(row.position, Tampering.PERSONAL_REMOVED)]
    if commitment(*row.personal) != promised:
        return [Finding(row.position, Tampering.PERSONAL_CHANGED)]
    return []


def _without_echo(findings: list[Finding]) -> list[Finding]:
    """A row that was moved leaves a gap where it was: say 'reordered' once, not 'removed' as well."""
    moved = {finding.position for finding in findings if finding.kind is Tampering.REORDERED}
    return [f for f in findings if not (f.kind is Tampering.REMOVED and f.position in moved)]
