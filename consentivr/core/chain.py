"""The hash chain that makes the ledger tamper-evident, without a database.

Each link is SHA-256 over the hash before it, the row's position, and a keyed digest of what the row
says. What a row says can be erased together with its key, and so can a caller's number inside it,
which is there only as a commitment of its own: a person can be forgotten and the chain still verifies
(GDPR art. 17).
"""

from __future__ import annotations

import bisect
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

GENESIS = "0" * 64
"""What the first row follows."""

_quoted = json.encoder.encode_basestring_ascii
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, check_circular=False)


def canonical(content: Mapping[str, Any]) -> bytes:
    """One form for equal content: JSON in ASCII, sorted keys, no blanks (as RFC 8785 for what we store)."""
    members = []
    for name in sorted(content):
        value = content[name]
        if type(value) is str:
            members.append(f"{_quoted(name)}:{_quoted(value)}")
        elif type(value) is int:
            members.append(f"{_quoted(name)}:{value}")
        elif value is None:
            members.append(f"{_quoted(name)}:null")
        else:
            break
    else:
        return f"{{{','.join(members)}}}".encode("ascii")
    return _CANONICAL.encode(content).encode("ascii")


def commitment(key: str, personal: str) -> str:
    """HMAC-SHA-256 of personal data under a random key in hexadecimal digits."""
    return _hmac(key, personal.encode("utf-8"))


def digest_of(key: str, content: Mapping[str, Any]) -> str:
    """HMAC-SHA-256 of what a row says, under the row's random key: untestable once the key is erased."""
    return _hmac(key, canonical(content))


_INNER, _OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))


def _hmac(key: str, message: bytes) -> str:
    """HMAC-SHA-256 (RFC 2104) in hexadecimal digits. For what is short, two thirds of the library's own time."""
    block = bytes.fromhex(key)
    if len(block) > 64:
        return hmac.digest(block, message, "sha256").hex()
    block = block.ljust(64, b"\0")
    inner = hashlib.sha256(block.translate(_INNER) + message).digest()
    return hashlib.sha256(block.translate(_OUTER) + inner).hexdigest()


def link(previous: str, position: int, digest: str) -> str:
    """The hash of the row at ``position`` that follows ``previous``; all in 64 hexadecimal digits."""
    return hashlib.sha256(bytes.fromhex(previous) + position.to_bytes(8, "big") + bytes.fromhex(digest)).hexdigest()


@dataclass(slots=True)
class Link:
    """A row as the chain sees it. Not to be changed; frozen, it would take twice as long to make."""

    position: int
    previous: str
    hash: str
    digest: str
    key: str | None = None
    content: Mapping[str, Any] | None = None
    """All that the digest covers, ``position`` and ``commitment`` among it; None once it was erased."""
    personal: tuple[str, str] | None = None
    """(key, personal data) while they are there; a row without a commitment says that there are none."""
    person_erased: bool = False
    """A receipt in the ledger says that the personal data were erased."""
    row_erased: bool = False
    """A receipt in the ledger says that the row was erased."""


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
    EMPTY = "empty, although its rows are to be signed"
    ROW_ERASED = "row erased without a receipt"
    PERSONAL_CHANGED = "personal data changed"
    PERSONAL_REMOVED = "personal data removed without a receipt"
    PERSONAL_INSERTED = "personal data added to what had none"
    TALLY = "tally that its rows do not say"
    SECOND_DECISION = "second decision of one visit"
    AUDIO = "recording is not the one that was sealed"
    TIME_STAMP = "time stamp that does not hold"
    VCON = "vCon that is not signed with this key"
    SIGNATURE = "checkpoint with a signature that is not of this key"
    UNSIGNED = "not signed with a key that was named"
    NOT_THE_MANIFEST = "not what the manifest of the export says"
    NOTICE_CHANGED = "wording changed"
    NOTICE_REMOVED = "wording removed"
    NOTICE_INSERTED = "wording that no row names"
    LIST_CHANGED = "list of calls says what the rows do not"
    LIST_REMOVED = "call that the list of calls leaves out"
    LIST_INSERTED = "line of the list of calls that no row stands for"


@dataclass(frozen=True)
class Finding:
    """One place where the ledger is not what it was. ``position`` is that of the first row concerned, 0 if it is none;
    ``about`` names what else is concerned.
    """

    position: int
    kind: Tampering
    about: str = ""

    def __str__(self) -> str:
        where = f"row {self.position}: " if self.position else ""
        return f"{where}{self.kind.value}{f' ({self.about})' if self.about else ''}"


@dataclass
class _Gaps:
    """Which positions were passed over, as ranges: a chain of a million rows leaves none."""

    ranges: list[tuple[int, int]]

    def skip(self, first: int, last: int) -> None:
        self.ranges.append((first, last))

    def fill(self, position: int) -> bool:
        """Whether ``position`` was missing until now."""
        for index, (first, last) in enumerate(self.ranges):
            if first <= position <= last:
                rest = [(first, position - 1), (position + 1, last)]
                self.ranges[index : index + 1] = [pair for pair in rest if pair[0] <= pair[1]]
                return True
        return False


def verify(
    links: Iterable[Link], checkpoints: Iterable[Checkpoint] = (), after: Checkpoint = Checkpoint(0, GENESIS)
) -> list[Finding]:
    """Everything that is wrong with a chain, in the order in which the rows are stored.

    A chain that was computed anew from some row on is consistent in itself; only a checkpoint that was
    kept elsewhere tells (REWRITTEN), as it does of a cut tail (TRUNCATED). Memory does not grow with
    the chain. ``after``: the row before the first one.
    """
    findings: list[Finding] = []
    noted: dict[int, set[str]] = {}
    for checkpoint in checkpoints:
        noted.setdefault(checkpoint.position, set()).add(checkpoint.hash)
    gaps = _Gaps([])
    committed = lru_cache(10_000)(commitment)  # the rows of a call share theirs
    expected, last = after.position + 1, after.hash
    for row in links:
        if row.position < expected and not gaps.fill(row.position):
            findings.append(Finding(row.position, Tampering.INSERTED))
            continue
        if noted.pop(row.position, {row.hash}) != {row.hash}:
            findings.append(Finding(row.position, Tampering.REWRITTEN))
        wrong = _wrong_with(row, committed)
        if wrong is Tampering.CHANGED:
            findings.append(Finding(row.position, wrong))
            if row.position >= expected:
                # Its number may be false too: what counts is its place.
                expected, last = expected + 1, row.hash
            continue
        if wrong is not None:
            findings.append(Finding(row.position, wrong))
        if row.position < expected:
            findings.append(Finding(row.position, Tampering.REORDERED))
            continue
        if row.position > expected:
            findings.append(Finding(expected, Tampering.REMOVED))
            gaps.skip(expected, row.position - 1)
        elif row.previous != last:
            # This row is whole and follows another one than the one before it, which was replaced.
            findings.append(Finding(max(1, row.position - 1), Tampering.CHANGED))
        expected, last = row.position + 1, row.hash
    for position in sorted(noted):
        if position >= expected:
            findings.append(Finding(expected, Tampering.TRUNCATED))
            break
    return _without_echo(findings)


def verify_excerpt(links: Iterable[Link]) -> list[Finding]:
    """The same for some rows of a chain, in its order: what lies between them cannot be told."""
    findings: list[Finding] = []
    last: Link | None = None
    for row in links:
        wrong = _wrong_with(row)
        if wrong is not None:
            findings.append(Finding(row.position, wrong))
        elif last is not None and row.position <= last.position:
            findings.append(Finding(row.position, Tampering.REORDERED))
        elif last is not None and row.position == last.position + 1 and row.previous != last.hash:
            findings.append(Finding(last.position, Tampering.CHANGED))
        last = row
    return findings


def _wrong_with(row: Link, commitment: Callable[[str, str], str] = commitment) -> Tampering | None:
    """What is wrong with a row, seen alone."""
    if link(row.previous, row.position, row.digest) != row.hash:
        return Tampering.CHANGED
    if row.content is None and row.key is None:
        return None if row.row_erased else Tampering.ROW_ERASED
    if row.content is None or row.key is None or digest_of(row.key, row.content) != row.digest:
        return Tampering.CHANGED
    if row.content.get("position") != row.position:
        return Tampering.CHANGED
    promised = row.content.get("commitment")
    if promised is None:
        return None if row.personal is None else Tampering.PERSONAL_INSERTED
    if row.personal is None:
        return None if row.person_erased else Tampering.PERSONAL_REMOVED
    return None if commitment(*row.personal) == promised else Tampering.PERSONAL_CHANGED


def _without_echo(findings: list[Finding]) -> list[Finding]:
    """A row that was moved leaves a gap where it was: say 'reordered' once, not 'removed' as well."""
    moved = {finding.position for finding in findings if finding.kind is Tampering.REORDERED}
    return [f for f in findings if not (f.kind is Tampering.REMOVED and f.position in moved)]


# --- proof that a row was in the ledger when a checkpoint was signed --------------------------


def path_to(row_hash: str, position: int, digests: Mapping[int, str], checkpoint: Checkpoint) -> bool:
    """Whether the chain leads from a row to a checkpoint.

    ``digests`` holds the digest of every row after ``position`` up to the checkpoint's; nothing else of
    those rows is needed, so an excerpt proves its place without telling of other people's calls.
    """
    reached = row_hash
    for between in range(position + 1, checkpoint.position + 1):
        digest = digests.get(between)
        if digest is None:
            return False
        reached = link(reached, between, digest)
    return reached == checkpoint.hash


# --- ranges of positions, as receipts name them -----------------------------------------------


def to_ranges(positions: Iterable[int]) -> list[list[int]]:
    """Positions as [first, last] pairs."""
    ranges: list[list[int]] = []
    for position in sorted(positions):
        if ranges and position == ranges[-1][1] + 1:
            ranges[-1][1] = position
        else:
            ranges.append([position, position])
    return ranges


class Ranges:
    """The positions in [first, last] pairs, for ``in``."""

    def __init__(self, pairs: Iterable[Iterable[int]]) -> None:
        self._pairs = sorted(tuple(pair) for pair in pairs)

    def __contains__(self, position: int) -> bool:
        after = bisect.bisect_right(self._pairs, (position, float("inf")))
        return after > 0 and position <= self._pairs[after - 1][1]
