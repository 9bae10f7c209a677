"""Receipts that were themselves erased, as 0.1.0 did, are issued anew where an older copy proves them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import sqlalchemy as sa

from consentivr.core import chain
from consentivr.core.chain import Link, Ranges
from consentivr.core.turn import Turn
from consentivr.ledger.entry import HASHED, NO_CALL, CallRef
from consentivr.ledger.errors import LedgerError
from consentivr.ledger.export import read_export
from consentivr.ledger.opening import Opened
from consentivr.ledger.store import Ledger


def reissue(ledger: Ledger, older: Iterable[Link]) -> int:
    """Issue anew each receipt among the rows of an ``older`` copy that this ledger has lost.

    Proven is a receipt whose text gives, under its key, the digest that the chain still holds at its place. Rows that
    no such receipt names stay a finding. Returns the number of rows that have a receipt again. Raises LedgerError.
    """
    bare = {row.position for row in ledger.links() if row.content is None and not row.row_erased}
    repaired = 0
    for receipt in older:
        if not bare or receipt.content is None or receipt.content["turn"] != Turn.ROWS_ERASED or not receipt.key:
            continue
        if ledger.digests(receipt.position, receipt.position).get(receipt.position) != receipt.digest:
            continue
        if chain.digest_of(receipt.key, receipt.content) != receipt.digest:
            continue
        said = json.loads(receipt.content["evidence"])
        named = Ranges([*said["rows"], [receipt.position] * 2])
        found = {position for position in bare if position in named}
        if found:
            about = CallRef(NO_CALL, None, "", str(receipt.content["queue"]), "")
            why = {"why": f"{said['why']}; receipt {receipt.position} was erased, and is issued anew"}
            again = {**why, "calls": said["calls"], "rows": chain.to_ranges(found), "erased_at": receipt.content["at"]}
            ledger.append([about.row(Turn.ROWS_ERASED, again)])
            bare -= found
            repaired += len(found)
    return repaired


def receipts_in(source: str) -> Iterator[Link]:
    """The receipts in an older copy: a backup (a path, or a postgresql:// URL; of any version), or an export in JSON.

    Raises LedgerError.
    """
    if not source.startswith("postgresql://"):
        with_head = Path(source)
        if not with_head.is_file():
            raise LedgerError(f"there is no file {source}")
        with with_head.open("rb") as file:
            if not file.read(16).startswith(b"SQLite format 3"):
                yield from read_export(with_head).rows
                return
    backup = Opened(source, create=False, any_schema=True)
    try:
        with backup.reading() as connection:
            receipts = sa.text("SELECT * FROM entry WHERE turn = :turn")  # whatever columns that version has
            for row in connection.execute(receipts, {"turn": Turn.ROWS_ERASED.value}).mappings():
                content = {name: row[name] for name in HASHED if row.get(name) is not None or name == "commitment"}
                yield Link(row["position"], row["previous"], row["hash"], row["digest"], row["key"], content)
    finally:
        backup.close()
