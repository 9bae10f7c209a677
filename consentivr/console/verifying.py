"""Whether the whole ledger is genuine: looked at in a process of its own, of low priority, as pages go on."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from consentivr.console.settings import Chain
from consentivr.core.chain import Finding, Tampering
from consentivr.ledger import LedgerError, SignedCheckpoint, Verifier
from consentivr.ledger.searching import Searching
from consentivr.ledger.verification import Kept, Verified, verify_ledger

NICENESS = 15
MOST_FINDINGS = 50
"""So many are told; how many there are is told too."""


@dataclass(frozen=True)
class Outcome:
    """What came of it, when it ended (UTC), and how long it took. ``failed``: why nothing can be said."""

    at: datetime
    seconds: float
    rows: int = 0
    signed_rows: int = 0
    found: int = 0
    findings: tuple[Finding, ...] = ()
    failed: str | None = None

    @property
    def is_good(self) -> bool:
        """Whether all of it was looked at, and nothing is wrong."""
        return self.failed is None and self.found == 0


class Verifying:
    """One at a time, for everybody; what came of the last one is kept until the next."""

    def __init__(self, chain: Chain | None) -> None:
        self._chain = chain
        self._lock = threading.Lock()
        self._rows: Any = None
        self._thread: threading.Thread | None = None
        self.last: Outcome | None = None

    @property
    def is_running(self) -> bool:
        """Whether one is under way."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def progress(self) -> int:
        """Rows that were looked at so far."""
        return 0 if self._rows is None else int(self._rows.value)

    def start(self) -> bool:
        """Begin; False when one is under way, or nothing says where the ledger is. Returns at once."""
        with self._lock:
            if self.is_running or self._chain is None:
                return False
            context = multiprocessing.get_context("spawn")
            self._rows = context.Value("q", 0)
            self._thread = threading.Thread(target=self._run, args=(context, self._chain), daemon=True)
            self._thread.start()
            return True

    def wait(self, seconds: float) -> None:
        """Until it is over, or so long."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self, context: Any, chain: Chain) -> None:
        began = time.monotonic()
        ours, theirs = context.Pipe(duplex=False)
        try:
            # The head first: rows that are written meanwhile are in no head that was kept before.
            kept = chain.head_file.read()
            process = context.Process(target=_verify, args=(chain, kept, self._rows, theirs), daemon=True)
            process.start()
            theirs.close()
            said = ours.recv()
            process.join()
        except (EOFError, OSError, LedgerError) as error:
            said = str(error) or "it was ended"
        took, now = time.monotonic() - began, datetime.now(timezone.utc)
        if isinstance(said, Verified):
            some = tuple(said.findings[:MOST_FINDINGS])
            self.last = Outcome(now, took, said.rows, said.signed_rows, len(said.findings), some)
        else:
            self.last = Outcome(now, took, failed=said)


def _verify(chain: Chain, kept: SignedCheckpoint | None, rows: Any, answer: Any) -> None:
    """In its process."""
    os.nice(NICENESS)

    def progress(number: int) -> None:
        rows.value = number

    try:
        # Not read-only: those are for pages, and end what takes long.
        book = Searching(chain.location, create=False, patience_s=5.0)
        try:
            said = verify_ledger(book, Verifier([]), Kept().and_head(kept), progress)
            said.findings += _forged(book, chain)
        finally:
            book.close()
        answer.send(said)
    except (LedgerError, OSError) as error:
        answer.send(str(error))


def _forged(book: Searching, chain: Chain) -> list[Finding]:
    """Checkpoints that say they are of our key. Those of other nodes' keys, which nobody told us, are not judged."""
    if chain.public_key is None:
        return []
    ours = Verifier.of_pem(chain.public_key)
    mine = [one for one in book.checkpoints() if ours.knows(one.key_id)]
    return [Finding(one.position, Tampering.SIGNATURE) for one in mine if not ours.holds(one)]
