"""Handing over what the ledger knows of a call, a caller or a span of time (GDPR art. 15, 20).

The JSON form carries the chain's hashes, and the digests that lead from its rows to the next signed
checkpoint: it is verified without the ledger, and tells of nobody else's calls.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from consentivr.core.chain import Link, canonical
from consentivr.core.consent import NoticeVersion
from consentivr.core.foreign import NAMED
from consentivr.core.turn import Turn
from consentivr.ledger import jws
from consentivr.ledger.errors import LedgerError
from consentivr.ledger.manifest import Manifest, call_of, of_export
from consentivr.ledger.search import Search
from consentivr.ledger.searching import Searching
from consentivr.ledger.signing import SignedCheckpoint

FORMAT = "consentivr-ledger-export-1"
IN_ARCHIVE = "export.json"
"""The export's name in an archive."""
RECORDINGS = "recordings/"
"""Where recordings lie in an archive; what else lies in it is a letter."""

_MEMBERS = {"format", "rows", "files", "receipts", "notices", "proof", "manifest"}

_CSV_COLUMNS = (
    "position",
    "at",
    "channel_uuid",
    "turn",
    "line",
    "queue",
    "mode",
    "visit",
    "caller_id_number",
    "evidence",
    "hash",
)

# --- writing ---------------------------------------------------------------------------------


def write_json(out: TextIO, ledger: Searching, search: Search, audio: Mapping[str, str] | None = None) -> int:
    """Rows with their hashes, numbers with the key of their commitment, wordings, receipts, the way to a checkpoint,
    and a manifest of all that, signed if the ledger has a key.

    ``audio`` is the SHA-256 of each recording that comes along, by its file's name. Returns the number of rows. Memory
    does not grow with the rows' content.
    """
    out.write('{\n"format": ' + json.dumps(FORMAT) + ',\n"rows": [')
    hashes: dict[int, str] = {}
    calls: dict[str, list[int]] = {}
    digests: set[str] = set()
    names: set[str] = set()
    forgotten: set[str] = set()
    for row in ledger.links(search):
        out.write(",\n" if hashes else "\n")
        out.write(json.dumps(_as_dict(row), ensure_ascii=False))
        if row.content is not None:
            names.update(NAMED.findall(row.content["evidence"]))
        hashes[row.position] = row.hash
        call = call_of(row)
        if row.content is not None and call is not None:
            calls.setdefault(call, []).append(row.position)
            digests.add(json.loads(row.content["evidence"]).get("notice"))
            if row.person_erased:
                forgotten.add(row.content["channel_uuid"])
    receipts = [row for row in _receipts_of(ledger, sorted(forgotten)) if row.position not in hashes]
    notices = {digest: notice for digest in sorted(digests - {None}) if (notice := ledger.notice(digest))}
    receipt_hashes = {row.position: row.hash for row in receipts}
    manifest = of_export(ledger, hashes, calls, receipt_hashes, notices, audio or {})
    tail = {
        "files": _files_of(ledger, names),
        "receipts": [_as_dict(row) for row in receipts],
        "notices": {digest: dict(vars(notice)) for digest, notice in notices.items()},
        "proof": _proof(ledger, [*hashes, *receipt_hashes]),
        "manifest": dict(vars(manifest)),
    }
    out.write("\n],\n" + json.dumps(tail, indent=1, ensure_ascii=False)[2:] + "\n")
    return len(hashes)


def _receipts_of(ledger: Searching, channels: Sequence[str]) -> Iterator[Link]:
    """Of people's erasure. Those of rows need no search: an erased row is only in an export of them all."""
    for channel in channels:
        yield from ledger.links(Search(channel=channel, turn=Turn.ERASURE.value))


def write_csv(out: TextIO, links: Iterable[Link]) -> int:
    """One line for each row; for a spreadsheet. A value that a spreadsheet would compute is quoted with '."""
    writer = csv.writer(out)
    writer.writerow(_CSV_COLUMNS)
    rows = 0
    for rows, row in enumerate(links, 1):  # noqa: B007 - the number is the result
        number = row.personal[1] if row.personal else ""
        values = {**dict.fromkeys(_CSV_COLUMNS, ""), **(row.content or {}), "position": row.position}
        values |= {"caller_id_number": number, "hash": row.hash}
        writer.writerow([_harmless(str(values[column])) for column in _CSV_COLUMNS])
    return rows


def _as_dict(row: Link) -> dict[str, Any]:
    said = dict(row.content or {"position": row.position})
    if row.content is not None:
        said["evidence"] = json.loads(said["evidence"])
    return {
        **said,
        "previous": row.previous,
        "digest": row.digest,
        "key": row.key,
        "hash": row.hash,
        "person_erased": row.person_erased,
        "row_erased": row.row_erased,
        "caller": {"key": row.personal[0], "caller_id_number": row.personal[1]} if row.personal else None,
    }


def _files_of(ledger: Searching, names: AbstractSet[str]) -> dict[str, dict[str, str]]:
    """Path and key of the other recorders' files that rows name."""
    files = ledger.foreign_files() if names else ()
    return {name: {"path": path, "key": key} for name, path, key in files if name in names}


def _proof(ledger: Searching, positions: Sequence[int]) -> dict[str, Any]:
    """For each row the first checkpoint at or after it, and the digests of the rows between that are not exported."""
    signed = ledger.checkpoints()
    exported = set(positions)
    digests: dict[int, str] = {}
    used: list[SignedCheckpoint] = []
    for checkpoint, segment in segments(positions, signed):
        used.append(checkpoint)
        between = ledger.digests(segment[0] + 1, checkpoint.position)
        digests |= {position: digest for position, digest in between.items() if position not in exported}
    return {
        "checkpoints": [dict(checkpoint.__dict__) for checkpoint in used],
        "digests": {str(position): digest for position, digest in sorted(digests.items())},
    }


def segments(
    positions: Iterable[int], signed: Sequence[SignedCheckpoint]
) -> Iterator[tuple[SignedCheckpoint, list[int]]]:
    """Positions by the first checkpoint at or after them."""
    waiting = sorted(positions)
    for checkpoint in sorted(signed, key=lambda checkpoint: checkpoint.position):
        segment = [position for position in waiting if position <= checkpoint.position]
        if segment:
            yield checkpoint, segment
            waiting = waiting[len(segment) :]


def _harmless(value: str) -> str:
    return "'" + value if value[:1] in "=+-@" else value


# --- reading it again -------------------------------------------------------------------------


@dataclass(frozen=True)
class Export:
    """What an export holds: rows, the signed checkpoints after them, and the digests that lead there."""

    rows: Sequence[Link]
    receipts: Sequence[Link]
    """Rows that others rest on, and that were not asked for."""
    checkpoints: Sequence[SignedCheckpoint]
    digests: Mapping[int, str]
    audio: Mapping[str, str]
    """SHA-256 of each recording that came along, by its file's name."""
    notices: Mapping[str, NoticeVersion]
    manifest: Manifest | None
    """None in an export of 0.1.0."""
    vcon: Mapping[str, Any] | None = None
    """As it was read, when it is one: signed or not."""
    files: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Path and key of other recorders' files, by the names that rows have for them."""


def read_export(path: Path) -> Export:
    """Read a JSON export, an archive with recordings, or a vCon. Raises LedgerError when it is none of them."""
    try:
        data, audio, document = _read(path)
        if not data.keys() <= _MEMBERS:
            raise ValueError(f"it has members that no export has: {', '.join(sorted(data.keys() - _MEMBERS))}")
        return Export(
            [_link(row) for row in data["rows"]],
            [_link(row) for row in data.get("receipts", [])],
            [SignedCheckpoint(**checkpoint) for checkpoint in data["proof"]["checkpoints"]],
            {int(position): digest for position, digest in data["proof"]["digests"].items()},
            audio,
            {digest: NoticeVersion(**notice) for digest, notice in data["notices"].items()},
            Manifest(**data["manifest"]) if "manifest" in data else None,
            document,
            {name: (str(file["path"]), str(file["key"])) for name, file in data.get("files", {}).items()},
        )
    except (OSError, ValueError, KeyError, TypeError, StopIteration, zipfile.BadZipFile) as error:
        raise LedgerError(f"{path} is no export of consentivr: {error}") from error


def _read(path: Path) -> tuple[dict[str, Any], dict[str, str], dict[str, Any] | None]:
    """The export, the SHA-256 of each recording that came with it, and the vCon that it came in."""
    document = None
    audio: dict[str, str] = {}
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            data = _parsed(archive.read(IN_ARCHIVE))
            names = [Path(name).name for name in archive.namelist()]
            if len(set(names)) < len(names):
                raise ValueError("it holds several files of one name")
            for name in archive.namelist():
                if name.startswith(RECORDINGS):
                    with archive.open(name) as file:
                        digest = hashlib.sha256()
                        while block := file.read(1 << 20):
                            digest.update(block)
                    audio[Path(name).name] = digest.hexdigest()
    else:
        data = _parsed(path.read_text(encoding="utf-8"))
    if jws.is_signed(data) or "vcon" in data:
        document = data
        said = json.loads(jws.content(data)) if jws.is_signed(data) else data
        data = next(one["body"] for one in said["attachments"] if one.get("purpose") == FORMAT)
        for dialog in said["dialog"]:
            if "body" in dialog and dialog["type"] == "recording":
                content = base64.urlsafe_b64decode(dialog["body"] + "=" * (-len(dialog["body"]) % 4))
                audio[dialog["filename"]] = hashlib.sha256(content).hexdigest()
    if data["format"] != FORMAT:
        raise ValueError(f"its format is not {FORMAT}")
    return data, audio, document


def _parsed(text: str | bytes) -> Any:
    """JSON in which no member is there twice: one reader would see the first, another the last."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("a member is there twice")
        return found

    return json.loads(text, object_pairs_hook=once)


def _link(row: dict[str, Any]) -> Link:
    apart = ("previous", "digest", "key", "hash", "person_erased", "row_erased", "caller")
    content = {name: value for name, value in row.items() if name not in apart}
    caller = row["caller"]
    said = row["key"] is not None or content.keys() != {"position"}  # an erased row says nothing
    if "evidence" in content:
        content["evidence"] = canonical(content["evidence"]).decode("ascii")
    return Link(
        row["position"],
        row["previous"],
        row["hash"],
        row["digest"],
        row["key"],
        content if said else None,
        (caller["key"], caller["caller_id_number"]) if caller else None,
        person_erased=bool(row["person_erased"]),
        row_erased=bool(row["row_erased"]),
    )
