"""Whether the evidence is genuine: the ledger, an export without it, one call with its recordings.

Everything here returns what was found; whoever asked says it.
"""

from __future__ import annotations

import bisect
import json
import multiprocessing
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain as chain_of
from itertools import repeat
from pathlib import Path
from typing import Any

from consentivr.core import chain
from consentivr.core.chain import Checkpoint, Finding, Link, Tampering
from consentivr.core.consent import NoticeVersion
from consentivr.core.evidence import CallSummary, Recording
from consentivr.core.turn import Turn
from consentivr.core.turns import NoticeAdded
from consentivr.ledger import jws
from consentivr.ledger.comparing import Passing, wrong_with_list
from consentivr.ledger.entry import CLOCK_TOLERANCE
from consentivr.ledger.errors import LedgerError
from consentivr.ledger.export import Export, read_export, segments
from consentivr.ledger.foreign import ForeignNames
from consentivr.ledger.manifest import call_of, hashes_of
from consentivr.ledger.search import Search
from consentivr.ledger.searching import Searching
from consentivr.ledger.signing import SignedCheckpoint, Verifier
from consentivr.ledger.stamping import Stamps
from consentivr.recordings import Elsewhere, Places, sha256_of


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
    backwards: list[tuple[int, float]] = field(default_factory=list)
    """Rows whose clock was behind that of a row before, and by how many seconds: a clock that was set, or a node's own,
    or rows that were kept back while the database failed."""
    calls: Mapping[str, tuple[int, int]] | None = None
    """Of an export: how many rows of each call it holds, and how many the ledger held; None where it does not say."""
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

    def and_head(self, head: SignedCheckpoint | None) -> Kept:
        """With what the head file keeps, which is unsigned where there was no key."""
        if head is None:
            return self
        if not head.signature:
            return Kept([*self.noted, head.checkpoint], self.signed)
        return Kept(self.noted, [*self.signed, head])

    def and_stamps(self, stamps: Stamps) -> Kept:
        """With what was stamped by an authority."""
        return Kept([*self.noted, *stamps.good], self.signed)


def verify_ledger(
    ledger: Searching, verifier: Verifier, kept: Kept = Kept(), progress: Callable[[int], None] | None = None
) -> Verified:
    """Verify the whole chain, against its own checkpoints and what was ``kept``. Raises LedgerError.

    Memory does not grow with the chain. With ``progress``, which is told of the number of rows now and then, it takes
    one processor at most.
    """
    own = ledger.checkpoints()
    signed = [*own, *kept.signed]
    good, forged = verifier.check(signed) if verifier else ([known.checkpoint for known in signed], [])
    checkpoints = [*kept.noted, *good]
    end = _if_whole(ledger, checkpoints) if progress is None else None
    if end is None:
        links = ledger.links()
        end = Counted(links if progress is None else _told(links, progress), ledger.location)
        end.findings = chain.verify(end, checkpoints)
    said = Verified(end.rows, end.findings + forged, backwards=end.backwards)
    said.checkpoint = f"{end.last.position}:{end.last.hash}"
    if verifier and not any(map(verifier.holds, own)):
        said.findings.append(Finding(min(1, said.rows), Tampering.UNSIGNED))
    said.findings += [*_verify_notices(ledger), *_verify_beside_the_chain(ledger)]
    said.findings += end.foreign.wrong(ledger.foreign_files())
    said.findings += wrong_with_list(ledger, end.doubtful)
    said.signed_rows = min(said.rows, max((known.position for known in good), default=0))
    return said


def _told(links: Iterable[Link], progress: Callable[[int], None]) -> Iterator[Link]:
    for number, row in enumerate(links):
        if number % TOLD_EACH == 0:
            progress(number)
        yield row


def _verify_notices(ledger: Searching) -> list[Finding]:
    """Every wording against its row in the chain, and against the decisions that name it."""
    kept = ledger.notices()
    findings, named = [], set()
    for row in ledger.read(Search(turn=Turn.NOTICE_ADDED.value)):
        assert row.position is not None
        named.add(digest := str(row.evidence["notice"]))
        if digest not in kept:
            findings.append(Finding(row.position, Tampering.NOTICE_REMOVED, digest))
        elif NoticeAdded.of(kept[digest]).evidence() != {**row.evidence, "notice": kept[digest].digest}:
            findings.append(Finding(row.position, Tampering.NOTICE_CHANGED, digest))
    findings += [Finding(0, Tampering.NOTICE_INSERTED, digest) for digest in sorted(kept.keys() - named)]
    wrong = {finding.about for finding in findings}
    for position, digest, duration_ms in ledger.notices_asked():
        said = _wrong_with_notice(kept.get(digest), digest, duration_ms)
        if said is not None and digest not in wrong:
            findings.append(Finding(position, said, digest))
    return findings


def _verify_beside_the_chain(ledger: Searching) -> list[Finding]:
    """Numbers and counts that no row stands for, and visits that decide twice."""
    findings = [Finding(row, Tampering.PERSONAL_INSERTED, channel) for channel, row in ledger.people_of_no_row()]
    kept, said = ledger.tallies()
    wrong = sorted(name for name in kept | said if kept.get(name) != said.get(name))
    findings += [Finding(0, Tampering.TALLY, name[:12]) for name in wrong]
    return findings + [Finding(row, Tampering.SECOND_DECISION, visit) for row, visit in ledger.second_decisions()]


def _verify_notices_of(rows: Iterable[Link], notices: Mapping[str, NoticeVersion | None]) -> list[Finding]:
    """The wordings that decisions among these rows name."""
    findings = []
    for row in rows:
        if row.content is not None and row.content["turn"] == Turn.DECISION:
            evidence = json.loads(row.content["evidence"])
            digest = evidence.get("notice")
            wrong = _wrong_with_notice(notices.get(digest), digest, evidence.get("notice_ms")) if digest else None
            if wrong is not None:
                findings.append(Finding(row.position, wrong, digest))
    return findings


def _second_decisions(rows: Iterable[Link]) -> list[Finding]:
    """There is one for each visit; where none is named, as in the rows of 0.1.0, that cannot be told."""
    seen: set[str] = set()
    findings = []
    for row in rows:
        if row.content is not None and row.content["turn"] == Turn.DECISION and (visit := row.content.get("visit")):
            if visit in seen:
                findings.append(Finding(row.position, Tampering.SECOND_DECISION, visit))
            seen.add(visit)
    return findings


def _wrong_with_notice(notice: NoticeVersion | None, digest: str, duration_ms: int | None) -> Tampering | None:
    """Of a wording that a decision names by its digest, with the length that it says."""
    if notice is None:
        return Tampering.NOTICE_REMOVED
    changed = notice.digest != digest or duration_ms not in (None, notice.duration_ms)
    return Tampering.NOTICE_CHANGED if changed else None


class Counted:
    """Rows on their way to being verified: how many, which came last, and their clocks."""

    def __init__(self, links: Iterable[Link], location: str | Path) -> None:
        self._links: Iterable[Link] | None = links
        self._location = location
        self.rows = 0
        self.before = self.last = Checkpoint(0, chain.GENESIS)
        """The row before them, as the first one names it, and the last one."""
        self.oldest, self.newest = "~", ""
        self.backwards: list[tuple[int, float]] = []
        self.findings: list[Finding] = []
        self.foreign = ForeignNames()
        self.doubtful: set[str] = set()
        """Calls of which the list may say something else."""

    def __iter__(self) -> Iterator[Link]:
        links, self._links = self._links or (), None
        passing = Passing(self._location)
        with closing(passing):
            for row in links:
                self.rows += 1
                self.last = Checkpoint(row.position, row.hash)
                self.foreign.note(row)
                passing.note(row)
                if row.content is not None:
                    self._look_at(row.position, str(row.content["at"]))
                yield row
        self.doubtful = passing.doubtful

    def _look_at(self, position: int, at: str) -> None:
        if at >= self.newest:
            self.newest = at
        elif _is_behind(at, self.newest):
            self.backwards.append((position, _seconds(at, self.newest)))
            self.newest = at
        self.oldest = min(self.oldest, at)


def _is_behind(at: str, newest: str) -> bool:
    return at < newest and _seconds(at, newest) > CLOCK_TOLERANCE.total_seconds()


def _seconds(earlier: str, later: str) -> float:
    """Between two times as the ledger has them; 0 when one is none."""
    try:
        return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
    except (TypeError, ValueError):
        return 0.0


TOLD_EACH = 1000
"""Rows, of a verification that tells how far it is."""

SIDE_BY_SIDE_ROWS = 100_000
"""So many rows are worth starting processes for."""


def _if_whole(ledger: Searching, checkpoints: Sequence[Checkpoint]) -> Counted | None:
    """The chain in stretches, by a process each. None unless all is well: whoever asks reads it in order then."""
    first, last = ledger.stored()
    processes = len(os.sched_getaffinity(0))
    if processes == 1 or last - first < SIDE_BY_SIDE_ROWS:
        return None
    starts = range(first, last + 1, (last - first) // processes + 1)
    ends = [*(start - 1 for start in starts[1:]), last]
    with ProcessPoolExecutor(len(starts), multiprocessing.get_context("spawn")) as pool:
        location = str(ledger.location)
        stretches = list(pool.map(_stretch, repeat(location), zip(starts, ends, strict=True), repeat(checkpoints)))
    whole = stretches[0]
    if whole.before.position or whole.before.hash != chain.GENESIS:
        return None
    for index, stretch in enumerate(stretches):
        is_last = index == len(stretches) - 1
        if any(is_last or finding.kind is not Tampering.TRUNCATED for finding in stretch.findings) or stretch.backwards:
            return None  # a checkpoint beyond its end is none of the stretch's
        if index and (stretch.before != whole.last or _is_behind(stretch.oldest, whole.newest)):
            return None
        if index:
            whole.rows += stretch.rows
            whole.last, whole.newest = stretch.last, max(whole.newest, stretch.newest)
            whole.foreign.go_on(stretch.foreign)
            whole.doubtful |= stretch.doubtful
    whole.findings = []
    return whole


def _stretch(location: str, stored: tuple[int, int], checkpoints: Sequence[Checkpoint]) -> Counted:
    """What is stored from the one number to the other, in a process of its own."""
    ledger = Searching(location, create=False, patience_s=5.0)
    try:
        links = ledger.links(stored=stored)
        first = next(links, None)
        if first is None:
            return Counted((), location)
        rows = Counted(chain_of((first,), links), location)
        rows.before = Checkpoint(first.position - 1, first.previous)
        rows.findings = chain.verify(rows, checkpoints, rows.before)
        return rows
    finally:
        ledger.close()


# --- an export, without the ledger -----------------------------------------------------------


def verify_export(path: Path, verifier: Verifier) -> Verified:
    """Verify a JSON export, an archive with recordings, or a vCon. Raises LedgerError when it is none of them.

    Nothing that it says of itself counts: a receipt is a row, a wording is what gives its digest. With keys everything
    must be signed.
    """
    export = read_export(path)
    try:
        return _verified(export, verifier)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise LedgerError(f"{path} is no export of consentivr: {error}") from error


def _verified(export: Export, verifier: Verifier) -> Verified:
    there = [*export.rows, *export.receipts]
    people = {row.content["channel_uuid"] for row in there if row.content and _is(row, Turn.ERASURE)}
    erased = chain.Ranges(pair for row in there if _is(row, Turn.ROWS_ERASED) for pair in _evidence(row)["rows"])
    with_receipts = [
        replace(
            row,
            person_erased=row.content is not None and row.content["channel_uuid"] in people,
            row_erased=row.position in erased,
        )
        for row in export.rows
    ]
    said = Verified(len(export.rows), chain.verify_excerpt(with_receipts))
    said.findings += chain.verify_excerpt(export.receipts)
    said.findings += _second_decisions(export.rows) + _verify_notices_of(export.rows, export.notices)
    used = {_evidence(row).get("notice") for row in export.rows if row.content is not None}
    for digest, notice in export.notices.items():
        if digest not in used or notice.digest != digest:
            kind = Tampering.NOTICE_CHANGED if digest in used else Tampering.NOTICE_INSERTED
            said.findings.append(Finding(0, kind, digest))
    _verify_manifest(said, export, verifier)
    if verifier:
        _verify_signatures(said, export, verifier)
        if export.vcon is not None and not (jws.is_signed(export.vcon) and jws.holds(export.vcon, verifier)):
            said.findings.append(Finding(0, Tampering.VCON))
    _verify_audio(said, export)
    said.findings += _wrong_paths(said, export)
    return said


def _wrong_paths(said: Verified, export: Export) -> list[Finding]:
    """Of other recorders' files; where rows are left out on purpose, also those that say that a path is forgotten."""
    names = ForeignNames()
    for row in export.rows:
        names.note(row)
    complete = said.calls is not None and all(here == all_ for here, all_ in said.calls.values())
    wrong = names.wrong((name, *file) for name, file in export.files.items())
    return [finding for finding in wrong if complete or finding.kind is not Tampering.PERSONAL_REMOVED]


def _is(row: Link, turn: Turn) -> bool:
    return row.content is not None and row.content.get("turn") == turn


def _evidence(row: Link) -> dict[str, Any]:
    assert row.content is not None
    said: dict[str, Any] = json.loads(row.content["evidence"])
    return said


def _verify_manifest(said: Verified, export: Export, verifier: Verifier) -> None:
    """Whether everything is here that was handed over, and nothing else."""
    manifest = export.manifest
    if manifest is None:
        if verifier:
            said.findings.append(Finding(0, Tampering.UNSIGNED, "no manifest says what was handed over"))
        return
    if verifier and manifest.signature is None:
        said.findings.append(Finding(0, Tampering.UNSIGNED, "the manifest"))
    elif verifier and not manifest.holds(verifier):
        said.findings.append(Finding(0, Tampering.SIGNATURE, "the manifest"))
    calls: dict[str, list[int]] = {}
    for row in export.rows:
        if (call := call_of(row)) is not None:
            calls.setdefault(call, []).append(row.position)
    said.calls = {call: (len(calls.get(call, ())), promised["rows"]) for call, promised in manifest.calls.items()}
    for rows, promised in ((export.rows, manifest.rows), (export.receipts, manifest.receipts)):
        here, there = sorted({row.position for row in rows}), chain.Ranges(promised)
        said.findings += [
            Finding(gone, Tampering.REMOVED)
            for first, last in promised
            if (gone := _first_missing(first, here[bisect.bisect_left(here, first) :])) <= last
        ]
        said.findings += [Finding(position, Tampering.INSERTED) for position in here if position not in there]
    hashes = {row.position: row.hash for row in (*export.rows, *export.receipts)}
    same_calls = {call: promised["here"] for call, promised in manifest.calls.items()} == {
        call: chain.to_ranges(here) for call, here in calls.items()
    }
    if hashes_of(hashes) != manifest.hashes or not same_calls:
        said.findings.append(Finding(0, Tampering.NOT_THE_MANIFEST, "rows"))
    if sorted(export.notices) != manifest.notices:
        said.findings.append(Finding(0, Tampering.NOT_THE_MANIFEST, "wordings"))
    if export.audio != manifest.audio:
        said.findings.append(Finding(0, Tampering.NOT_THE_MANIFEST, "recordings"))


def _first_missing(first: int, positions: Sequence[int]) -> int:
    for position in positions:
        if position > first:
            break
        first = position + 1
    return first


def _verify_signatures(said: Verified, export: Export, verifier: Verifier) -> None:
    there = [*export.rows, *export.receipts]
    known = {**export.digests, **{row.position: row.digest for row in there}}
    hashes = {row.position: row.hash for row in there}
    of_rows = {row.position for row in export.rows}
    unsigned = set(hashes)
    for checkpoint, segment in segments(hashes, export.checkpoints):
        unsigned -= set(segment)
        if not verifier.holds(checkpoint):
            said.findings.append(Finding(checkpoint.position, Tampering.SIGNATURE))
        elif chain.path_to(hashes[segment[0]], segment[0], known, checkpoint.checkpoint):
            said.signed_rows += len(of_rows.intersection(segment))
        else:
            said.findings.append(Finding(segment[0], Tampering.REWRITTEN))
    if unsigned:
        said.findings.append(Finding(min(unsigned), Tampering.UNSIGNED, f"{len(unsigned)} rows"))


_SEALS = frozenset({Turn.RECORDING_SEALED.value, Turn.RECORDING_ADOPTED.value, Turn.QUARANTINED.value})
"""Rows that say the hash of a file, or where it is now."""


def _verify_audio(said: Verified, export: Export) -> None:
    sealed: dict[str, tuple[int, str | None]] = {}

    def called(path: str) -> str:
        return Path(export.files[path][0] if path in export.files else path).name

    for row in export.rows:
        if row.content is not None and row.content.get("turn") in _SEALS:
            evidence = _evidence(row)
            was = called(evidence["path"])
            digest = evidence.get("sha256") or sealed.get(was, (0, None))[1]
            sealed[called(evidence["to"]) if "to" in evidence else was] = (row.position, digest)
    for name, digest in export.audio.items():
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
    checked: bool
    """Whether there was a key to check its signature with: else it says nothing."""
    notice_holds: bool
    """Whether the wording is the one that was asked."""
    audio: Mapping[str, str]
    """By path: 'holds', 'differs', 'absent', 'unreadable', or 'elsewhere', where nobody looked; without what was never
    sealed.
    """


def verify_call(ledger: Searching, call: CallSummary, places: Places, verifier: Verifier) -> VerifiedCall:
    """Verify the rows of one call, and its recordings. Raises LedgerError."""
    links = list(ledger.links(Search(visit=call.call)))
    first, last = links[0], links[-1]
    signed = ledger.checkpoint_from(last.position)
    findings = chain.verify_excerpt(links)
    if signed is not None and not (
        (not verifier or verifier.holds(signed))
        and chain.path_to(
            first.hash, first.position, ledger.digests(first.position, signed.position), signed.checkpoint
        )
    ):
        findings.append(Finding(signed.position, Tampering.SIGNATURE))
    findings += [Finding(row, Tampering.PERSONAL_INSERTED) for _, row in ledger.people_of_no_row(call.channel_uuid)]
    findings += _second_decisions(links)
    notices = _verify_notices_of(links, {call.notice: ledger.notice(call.notice)} if call.notice else {})
    return VerifiedCall(
        [*findings, *notices],
        {row.position: row.hash for row in links},
        signed,
        bool(verifier),
        not notices,
        _compare_audio(call, places),
    )


def _compare_audio(call: CallSummary, places: Places) -> dict[str, str]:
    """Whether each recording still is what was sealed."""
    return {one.path: _compared(one, places) for one in call.audio if one.sha256 is not None}


def _compared(recording: Recording, places: Places) -> str:
    try:
        return "holds" if sha256_of(places.file_of(recording.place)) == recording.sha256 else "differs"
    except Elsewhere:
        return "elsewhere"
    except FileNotFoundError:
        return "absent"
    except OSError:
        return "unreadable"
