"""What an export holds, signed: so that nothing can be left out of it, put into it or exchanged in it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from consentivr.core import chain
from consentivr.core.chain import Link
from consentivr.ledger.entry import as_text, now
from consentivr.ledger.schema import entries
from consentivr.ledger.searching import Searching, portions
from consentivr.ledger.signing import Verifier

_DOMAIN = b"consentivr manifest\n"
"""Before what is signed: no signature of a checkpoint is one of a manifest."""


@dataclass(frozen=True)
class Manifest:
    """What was exported, when (UTC, ISO 8601). ``calls`` has for each call, by its visit or channel, the number of rows
    that the ledger held of it then, and the positions of those that were exported, as [first, last] pairs.
    """

    made_at: str
    rows: list[list[int]]
    """Positions of all rows."""
    hashes: str
    """SHA-256 over the hashes of rows and receipts, in their order."""
    receipts: list[list[int]]
    calls: dict[str, dict[str, Any]]
    notices: list[str]
    audio: dict[str, str]
    """SHA-256 of each recording that came along, by its file's name."""
    key_id: str | None = None
    signature: str | None = None
    """Ed25519, hexadecimal; None where nobody signed."""

    def holds(self, verifier: Verifier) -> bool:
        """Whether the signature is by one of the keys."""
        try:
            return verifier.signed(self.key_id or "", bytes.fromhex(self.signature or ""), self.signed)
        except ValueError:
            return False

    @property
    def signed(self) -> bytes:
        """The bytes under the signature."""
        said = asdict(self)
        del said["signature"]
        return _DOMAIN + chain.canonical(said)


def of_export(
    ledger: Searching,
    rows: Mapping[int, str],
    calls: Mapping[str, Sequence[int]],
    receipts: Mapping[int, str],
    notices: Iterable[str],
    audio: Mapping[str, str],
) -> Manifest:
    """The manifest of an export, signed if the ledger has a key. ``rows`` and ``receipts`` are hashes by position,
    ``calls`` positions by call. Raises LedgerError.
    """
    in_ledger = _rows_of(ledger, list(calls))
    key = ledger.signer
    manifest = Manifest(
        as_text(now()),
        chain.to_ranges(rows),
        hashes_of({**rows, **receipts}),
        chain.to_ranges(receipts),
        {call: {"rows": in_ledger[call], "here": chain.to_ranges(here)} for call, here in calls.items()},
        sorted(notices),
        dict(audio),
        key_id=key.key_id if key else None,
    )
    return Manifest(**{**vars(manifest), "signature": key.sign_bytes(manifest.signed).hex()}) if key else manifest


def hashes_of(hashes: Mapping[int, str]) -> str:
    """SHA-256 over hashes in the order of their positions."""
    return hashlib.sha256("".join(hashes[position] for position in sorted(hashes)).encode("ascii")).hexdigest()


def call_of(row: Link) -> str | None:
    """The call that a row belongs to; None once it was erased."""
    return None if row.content is None else str(row.content.get("visit") or row.content["channel_uuid"])


def _rows_of(ledger: Searching, calls: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for some in portions(calls):
        query = sa.select(entries.c.call, sa.func.count()).where(entries.c.call.in_(some)).group_by(entries.c.call)
        with ledger.reading() as connection:
            found |= {row[0]: row[1] for row in connection.execute(query)}
    return found
