"""The ledger: one face for opening, searching, appending, erasing and copying.

Everything here blocks and belongs into a worker thread (``writer``) or into the command line. One
``Ledger`` must be used by one thread only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from consentivr.core.consent import NoticeVersion
from consentivr.ledger.appending import Appended, Appending
from consentivr.ledger.copying import copy
from consentivr.ledger.entry import Entry
from consentivr.ledger.erasing import Erasing
from consentivr.ledger.errors import LedgerError
from consentivr.ledger.searching import Searching
from consentivr.ledger.signing import SignedCheckpoint, Signer, Verifier
from consentivr.ledger.verification import verify_ledger


class Ledger(Searching):
    """An open ledger that is searched, continued, erased from and copied: a path, or a postgresql:// URL.

    ``patience_s`` is how many seconds a lock is waited for, ``country`` as in ``Opened``. Raises LedgerError with a
    remedy when it cannot be opened.
    """

    def __init__(
        self,
        location: str | Path,
        *,
        create: bool = True,
        patience_s: float = 0.25,
        signer: Signer | None = None,
        country: str | None = None,
    ) -> None:
        super().__init__(location, create=create, patience_s=patience_s)
        self.country = country
        self.signer = signer
        self._appending = Appending(self, signer)
        self._erasing = Erasing(self, self._appending)

    # --- appending ---------------------------------------------------------------------------

    def append(self, batch: Sequence[Entry]) -> Appended:
        """Write all rows in one transaction; they are durable when this returns.

        After an append whose answer was lost the same rows may be handed in again: none is written twice. Raises
        LedgerUnavailable; nothing of the batch was written then.
        """
        return self._appending.append(batch)

    def sign(self) -> SignedCheckpoint | None:
        """Sign what the chain is now; None without a key, and when nothing is there or new."""
        return self._appending.sign()

    def add_notice(self, notice: NoticeVersion) -> bool:
        """Keep the wording that decisions refer to by its digest; whether it is new."""
        return self._appending.add_notice(notice)

    def check_writable(self) -> None:
        """Raises LedgerError unless a row could be written now. Leaves nothing behind."""
        self._appending.check_writable()

    # --- erasing, with a receipt -------------------------------------------------------------

    def erase_people(self, channels: Sequence[str], evidence: dict[str, Any]) -> None:
        """Erase the personal data of channels and leave a receipt for each of their visits (GDPR art. 17).

        Raises LedgerUnavailable; nothing is erased then. ``overwrite_freed`` belongs to it.
        """
        self._erasing.people(channels, evidence)

    def erase_rows(self, visits: Sequence[str], evidence: dict[str, Any]) -> int:
        """Erase all rows of calls (as ``rows_of_visits`` names them); one receipt names the rows.

        Returns the number of rows. Calls of one queue belong into one receipt. Raises LedgerUnavailable.
        """
        return self._erasing.rows(visits, evidence)

    def erase_register(self, agents: Sequence[str], evidence: dict[str, Any]) -> int:
        """Erase what the register says of agents, with a receipt; returns the number of rows. Raises LedgerUnavailable.

        Only of whom no call is left: the others' recordings rest on it.
        """
        return self._erasing.register(agents, evidence)

    def erase_accesses(self, until: datetime, evidence: dict[str, Any]) -> int:
        """Erase the rows of the access log before ``until`` that are about no call, with a receipt; returns how many.
        Raises LedgerUnavailable.
        """
        return self._erasing.accesses(until, evidence)

    def count_accesses(self, until: datetime) -> int:
        """How many ``erase_accesses`` would erase. Raises LedgerError."""
        with self.reading() as connection:
            return len(self._erasing.accesses_before(connection, until))

    def overwrite_freed(self) -> str | None:
        """Overwrite what was erased where the database kept it; else what the operator must do for that."""
        return self._erasing.overwrite_freed()

    @property
    def beyond(self) -> str | None:
        """Where what was erased and overwritten may still be, out of our reach, and what ends that."""
        return self.database.beyond

    # --- the whole of it ---------------------------------------------------------------------

    def copy_to(self, other: Ledger, progress: Callable[[int], None] = lambda rows: None) -> int:
        """Copy everything into an empty ledger, and verify the copy; returns the number of rows.

        This ledger takes no rows meanwhile. Raises LedgerError; the other one is left empty then.
        """
        copy(self, other, progress)
        verified = verify_ledger(other, Verifier([]))
        if verified.findings:
            first = verified.findings[0]
            raise LedgerError(f"the copy is not whole: row {first.position}: {first.kind.value}")
        return verified.rows

    def analyze(self) -> None:
        """After many rows at once; a database that grows by and by does it by itself."""
        self.database.analyze()

    def interrupt(self) -> None:
        """From another thread: end a statement that has not come back for too long."""
        self.database.interrupt()
