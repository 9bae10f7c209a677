"""Checkpoints told to others over HTTP: to an address of the administrator's, and to a time stamping authority.

An authority signs that a checkpoint was there at some moment (RFC 3161): rows before it were not made later, not
even by who has our key. Its answer becomes a row.
"""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from cryptography import x509

from consentivr.core.chain import Checkpoint, Finding, Tampering
from consentivr.core.turn import Turn
from consentivr.ledger.entry import NO_CALL, CallRef, Entry, as_text
from consentivr.ledger.errors import LedgerError
from consentivr.ledger.signing import SignedCheckpoint

HTTP_SECONDS = 10.0
"""So long an answer is waited for."""

_LONGEST = 1_000_000
"""Bytes of an answer that are read."""


def post(address: str, checkpoint: SignedCheckpoint) -> None:
    """Post a checkpoint as JSON. Raises OSError."""
    _ask(address, "application/json", json.dumps(checkpoint.__dict__).encode("ascii"))


def _ask(address: str, content_type: str, body: bytes) -> bytes:
    request = urllib.request.Request(address, body, {"Content-Type": content_type})  # noqa: S310 - the model says http
    try:
        with urllib.request.urlopen(request, timeout=HTTP_SECONDS) as answer:  # noqa: S310
            return answer.read(_LONGEST)  # type: ignore[no-any-return]
    except urllib.error.HTTPError as error:
        error.close()  # it holds the connection
        raise


class Roots:
    """Whose time stamps are believed: root certificates in a PEM file. Raises LedgerError."""

    def __init__(self, path: Path) -> None:
        try:
            import rfc3161_client
        except ImportError:
            raise LedgerError("time stamps need more: pip install 'consentivr[timestamps]'") from None
        self._library = rfc3161_client
        try:
            self._certificates = x509.load_pem_x509_certificates(path.read_bytes())
        except (OSError, ValueError) as error:
            raise LedgerError(f"{path} holds no certificates: {error}") from None

    def time_of(self, stamp: bytes, position: int, hash_: str) -> datetime:
        """When the stamp says that the checkpoint was there, in UTC. Raises ValueError when it does not hold."""
        try:
            answer = self._library.decode_timestamp_response(stamp)
            checking = self._library.VerifierBuilder(roots=list(self._certificates)).build()
            checking.verify_message(answer, _stamped(position, hash_))
            moment: datetime = answer.tst_info.gen_time
        except (self._library.VerificationError, ValueError) as error:
            raise ValueError(f"the time stamp does not hold: {error}") from None
        return moment.astimezone(timezone.utc)


class Stamper:
    """Asks an authority for time stamps. ``roots`` must lead to it: what cannot be verified is not kept."""

    def __init__(self, address: str, roots: Roots) -> None:
        self._address = address
        self._roots = roots
        self._stamped = 0

    def stamp(self, checkpoint: SignedCheckpoint) -> Entry | None:
        """The row of a new time stamp; None when there is none to be had, as nothing but the last one's row is new.

        Blocks. Raises OSError, ValueError.
        """
        import rfc3161_client

        if checkpoint.position <= self._stamped + 1:
            return None
        message = _stamped(checkpoint.position, checkpoint.hash)
        builder = rfc3161_client.TimestampRequestBuilder().data(message)
        request = builder.hash_algorithm(rfc3161_client.HashAlgorithm.SHA256).build()
        answer = _ask(self._address, "application/timestamp-query", request.as_bytes())
        if rfc3161_client.decode_timestamp_response(answer).tst_info.nonce != request.nonce:
            raise ValueError("the time stamp answers another request")
        moment = self._roots.time_of(answer, checkpoint.position, checkpoint.hash)
        self._stamped = checkpoint.position
        said = {
            "position": checkpoint.position,
            "hash": checkpoint.hash,
            "time": as_text(moment),
            "authority": self._address,
            "stamp": base64.b64encode(answer).decode("ascii"),
        }
        return CallRef(NO_CALL, None, "", "", "").row(Turn.TIME_STAMPED, said)


def _stamped(position: int, hash_: str) -> bytes:
    """The bytes that are stamped: POSITION:HASH, as 'ledger verify' prints it."""
    return f"{position}:{hash_}".encode("ascii")


@dataclass
class Stamps:
    """The time stamps of a ledger. Those that hold are checkpoints that the chain must lead to."""

    good: list[Checkpoint] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    newest: str | None = None
    """The time of the last one that holds."""

    @classmethod
    def of(cls, rows: Iterable[Entry], roots: Roots) -> Stamps:
        """Verify them."""
        stamps = cls()
        for row in rows:
            said: dict[str, Any] = row.evidence
            try:
                moment = roots.time_of(base64.b64decode(said["stamp"]), said["position"], said["hash"])
            except (ValueError, KeyError, TypeError):
                stamps.findings.append(Finding(row.position or 0, Tampering.TIME_STAMP))
                continue
            stamps.good.append(Checkpoint(said["position"], said["hash"]))
            stamps.newest = as_text(moment)
        return stamps
