"""Whether the evidence is genuine: the ledger, an export without it, one call with its recordings.

Everything here returns what was found; whoever asked says it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from consentivr.core import chain
from consentivr.core.chain import Checkpoint, Finding, Link, Tampering
from consentivr.core.evidence import CallSummary, Turn
from consentivr.ledger import jws
from consentivr.ledger.errors import LedgerError
from consentivr.ledger.export import Export, read_export, segments
from consentivr.ledger.foreign import ForeignNames, wrong_paths
from consentivr.ledger.search import Search
from consentivr.ledger.searching import Searching
from consentivr.ledger.signing import SignedCheckpoint, Verifier
from consentivr.recordings import fingerprint


@dataclass
class Verified:
    """What a ledger or an export turned out to be. ``signed_rows`` of its rows lead to a signed checkpoint.

    With keys to verify with, only those count whose signature holds.
    """

    rows: int
    findings: list[Finding] = field(default_factory=list)
    signed_rows: int = 0
    recordings: int = 0
    """That came with an export."""
    checkpoint: str | None = None
    """POSITION:HASH of a ledger's last row, to be kept elsewhere."""


# --- the ledger ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kept:
    """What was kept elsewhere: it tells a cut tail and a rewritten chain."""

    noted: Sequence[Checkpoint] = ()
    signed: Sequence[SignedCheckpoint] = ()

    @classmethod
    def of(cls, texts: Iterable[str]) -> Kept:
        """Each POSITION:HASH, or the name of a file with signed checkpoints as lines of JSON. Raises LedgerError."""
        noted: list[Checkpoint] = []
        signed: list[SignedCheckpoint] = []
        for text in texts:
            position, _, digest = text.partition(":")
            if position.isdigit() and re.fullmatch("[0-9a-f]{64}", digest):
                noted.append(Checkpoint(int(position), digest))
                continue
            try:
                lines = Path(text).read_text(encoding="utf-8").splitlines()
                signed += [SignedCheckpoint(**json.loads(line)) for line in lines if line.strip()]
            except (OSError, ValueError, TypeError) as error:
                raise LedgerError(
                    f"'{text}' is neither POSITION:HASH as 'consentivr ledger verify' prints it, "
                    f"nor a file of 'consentivr ledger checkpoint': {error}"
                ) from None
        return cls(noted, signed)


def verify_ledger(ledger: Searching, verifier: Verifier, kept: Kept = Kept()) -> Verified:
    """Verify the whole chain, against its own checkpoints and what was ``kept``. Raises LedgerError.

    Memory does not grow with the chain.
    """
    signed = [*ledger.checkpoints(), *kept.signed]
    good, forged = verifier.check(signed) if verifier else ([known.checkpoint for known in signed], [])
    said = Verified(0, checkpoint=f"0:{chain.GENESIS}")
    foreign = ForeignNames()

    def counted() -> Iterator[Link]:
        for row in ledger.links():
            said.rows += 1
            said.checkpoint = f"{row.position}:{row.hash}"
            foreign.note(row)
            yield row

    said.findings = chain.verify(counted(), [*kept.noted, *good]) + forged
    said.findings += foreign.wrong(ledger.foreign_files())
    said.signed_rows = min(said.rows, max((known.position for known in good), default=0))
    return said


# --- an export, without the ledger -----------------------------------------------------------


def verify_export(path: Path, verifier: Verifier) -> Verified:
    """Verify a JSON export, an archive with recordings, or a vCon. Raises LedgerError when it is none of them."""
    export = read_export(path)
    said = Verified(len(export.rows), chain.verify_excerpt(export.rows))
    if verifier:
        _verify_signatures(said, export, verifier)
        if export.vcon is not None and not (jws.is_signed(export.vcon) and jws.holds(export.vcon, verifier)):
            said.findings.append(Finding(0, Tampering.VCON))
    _verify_audio(said, export.rows, export.audio)
    said.findings += wrong_paths(export.files)
    return said


def _verify_signatures(said: Verified, export: Export, verifier: Verifier) -> None:
    known = {**export.digests, **{row.position: row.digest for row in export.rows}}
    hashes = {row.position: row.hash for row in export.rows}
    for checkpoint, segment in segments(hashes, export.checkpoints):
        if not verifier.holds(checkpoint):
            said.findings.append(Finding(checkpoint.position, Tampering.SIGNATURE))
        elif chain.path_to(hashes[segment[0]], segment[0], known, checkpoint.checkpoint):
            said.signed_rows += len(segment)
        else:
            said.findings.append(Finding(segment[0], Tampering.REWRITTEN))


def _verify_audio(said: Verified, rows: Iterable[Link], audio: Mapping[str, str]) -> None:
    sealed = {}
    for row in rows:
        if row.content is not None and row.content["turn"] == Turn.RECORDING_SEALED:
            evidence = json.loads(row.content["evidence"])
            sealed[Path(evidence["path"]).name] = (row.position, evidence.get("sha256"))
    for name, digest in audio.items():
        position, promised = sealed.get(name, (0, None))
        said.recordings += 1
        if digest != promised:
            said.findings.append(Finding(position, Tampering.AUDIO))


# --- one call --------------------------------------------------------------------------------


@dataclass(frozen=True)
class VerifiedCall:
    """What one call's rows and recordings turned out to be."""

    findings: Sequence[Finding]
    hashes: Mapping[int, str]
    """Of each row, by its position."""
    signed: SignedCheckpoint | None
    """The first checkpoint that covers all rows."""
    audio: Mapping[str, str]
    """By path: 'holds', 'differs' or 'absent'; without what was never sealed or lies elsewhere."""


def verify_call(ledger: Searching, call: CallSummary, folder: Path, verifier: Verifier) -> VerifiedCall:
    """Verify the rows of one call, and its recordings below ``folder``. Raises LedgerError."""
    links = list(ledger.links(Search(visit=call.call)))
    first, last = links[0], links[-1]
    signed = next((known for known in ledger.checkpoints() if known.position >= last.position), None)
    findings = chain.verify_excerpt(links)
    if signed is not None and not (
        (not verifier or verifier.holds(signed))
        and chain.path_to(
            first.hash, first.position, ledger.digests(first.position, signed.position), signed.checkpoint
        )
    ):
        findings.append(Finding(signed.position, Tampering.SIGNATURE))
    return VerifiedCall(findings, {row.position: row.hash for row in links}, signed, _compare_audio(call, folder))


def _compare_audio(call: CallSummary, folder: Path) -> dict[str, str]:
    """Whether each recording still is what was sealed."""
    said = {}
    for recording in call.audio:
        file = Path(recording.path).resolve()
        try:
            if recording.sha256 is not None and file.is_relative_to(folder.resolve()):
                said[recording.path] = "holds" if fingerprint(file).sha256 == recording.sha256 else "differs"
        except OSError:
            said[recording.path] = "absent"
    return said
