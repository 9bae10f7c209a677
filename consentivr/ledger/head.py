"""The head of the chain, kept in a file elsewhere: what the ledger must still hold when it is opened again.

A restored backup, a deleted file and a disk mounted over it are whole ledgers in themselves. Only what was kept
elsewhere tells that they are not the one that was written.
"""

from __future__ import annotations

import json
from pathlib import Path

from consentivr.core.turn import Turn
from consentivr.files import make_folder, read_private, replace_private
from consentivr.ledger.entry import NO_CALL, CallRef
from consentivr.ledger.errors import LedgerError, NoLedger
from consentivr.ledger.searching import Searching
from consentivr.ledger.signing import SignedCheckpoint, Signer
from consentivr.ledger.store import Ledger


class HeadFile:
    """A file that only its owner may read; it holds the newest checkpoint as JSON, unsigned where there is no key."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> SignedCheckpoint | None:
        """What was kept; None when nothing was. Raises LedgerError."""
        try:
            return SignedCheckpoint(**json.loads(read_private(self.path)))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise LedgerError(f"the ledger's head file {self.path} cannot be read: {error}") from None

    def write(self, checkpoint: SignedCheckpoint) -> None:
        """Keep it, on disk when this returns. Raises LedgerError."""
        try:
            make_folder(self.path.parent)
            replace_private(self.path, json.dumps(checkpoint.__dict__).encode("ascii") + b"\n")
        except OSError as error:
            raise LedgerError(
                f"the ledger's head file {self.path} cannot be written: {error.strerror or error}; make its folder, "
                "owned by the user that runs consentivr, or see ledger.head_file"
            ) from None

    def missing_in(self, ledger: Searching) -> str | None:
        """What of it a ledger does not hold. Raises LedgerError."""
        kept = self.read()
        if kept is None or kept.position == 0:
            return None
        found = ledger.hash_at(kept.position)
        if found == kept.hash:
            return None
        what = "is another one" if found else f"ends at row {ledger.head().position}"
        return f"the ledger {ledger.name} {what}: {self.known(kept)}"

    def known(self, kept: SignedCheckpoint) -> str:
        """For messages."""
        return f"{self.path} knows row {kept.position} of {kept.at[:19]} UTC, {kept.hash[:12]}..."


def check_head(location: str | Path, head_file: HeadFile) -> None:
    """Raises LedgerError when the ledger is not the one whose head was kept; makes nothing."""
    ledger = _of_kept(location, head_file)
    if ledger is None:
        return
    try:
        missing = head_file.missing_in(ledger)
    finally:
        ledger.close()
    if missing:
        raise LostLedger(missing)


def check_there(location: str | Path, head_file: HeadFile) -> None:
    """Raises LedgerError when a head was kept and there is no ledger at all."""
    ledger = _of_kept(location, head_file)
    if ledger is not None:
        ledger.close()


def _of_kept(location: str | Path, head_file: HeadFile) -> Ledger | None:
    """The ledger that should be there; None where no head was kept."""
    kept = head_file.read()
    if kept is None or kept.position == 0:
        return None
    try:
        return Ledger(location, create=False)
    except NoLedger as error:
        raise LostLedger(f"{error.what}: {head_file.known(kept)}") from None


def open_known(
    location: str | Path, head_file: HeadFile | None, signer: Signer | None, *, new_ledger: bool = False
) -> Ledger:
    """Open the ledger to write, a new one only where none was. Raises LedgerError.

    ``new_ledger``: begin one although another was there, or go on with what is left of it; a row says so.
    """
    kept = head_file.read() if head_file is not None else None
    try:
        if head_file is not None:
            check_head(location, head_file)
        if new_ledger and kept is not None and kept.position:
            raise LedgerError("--new-ledger is for another ledger than the one that was there: start without it")
    except LostLedger:
        if not new_ledger:
            raise
    ledger = Ledger(location, signer=signer)
    try:
        ledger.database.empty_log()
        if new_ledger:
            instead_of = {name: getattr(kept, name) for name in ("position", "hash", "at")} if kept else None
            begun = {"instead_of": instead_of, "found_rows": ledger.head().position}
            ledger.append([CallRef(NO_CALL, None, "", "", "").row(Turn.LEDGER_BEGUN, begun)])
        if head_file is not None:
            head_file.write(ledger.sign() or ledger.head())
    except BaseException:
        ledger.close()
        raise
    return ledger


class LostLedger(LedgerError):
    """It is not the ledger whose head was kept."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}. Rows are lost: put the ledger back that was there, or start 'consentivr serve --new-ledger' to "
            "go on without it"
        )
