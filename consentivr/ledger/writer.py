"""Group commit: calls hand in rows, one worker thread commits them, many in one transaction.

While one batch is being written the next one collects, so no call waits for more than the batch
before its own. Rows of an ordinary call stay a moment, so that they share a commit. A row that cannot
be written is kept, in order, and tried again; a call that needs it durable is told at once that it is
not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import ParamSpec, TypeVar

import gevent
import gevent.event
import structlog

from consentivr import metrics
from consentivr.core.consent import NoticeVersion
from consentivr.core.turn import Turn
from consentivr.ledger.entry import CLOCK_TOLERANCE, NO_CALL, CallRef, Entry, as_text, now
from consentivr.ledger.errors import LedgerError, LedgerUnavailable
from consentivr.ledger.head import HeadFile, open_known
from consentivr.ledger.measuring import measure
from consentivr.ledger.search import Search
from consentivr.ledger.signing import SignedCheckpoint, Signer
from consentivr.ledger.stamping import Stamper, post
from consentivr.ledger.store import Ledger
from consentivr.ledger.witness import Witness
from consentivr.threads import Worker

log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

MAX_BATCH = 500
"""Rows in one transaction."""

MAX_PENDING = 100_000
"""Rows kept in memory while the disk refuses them; about 1 kB each."""

GATHER_SECONDS = 0.1
"""So long a row of ``CHRONICLE`` waits for company: a commit costs far more than a row."""

CHRONICLE = frozenset(
    {
        Turn.ARRIVED.value,
        Turn.RECORDING_STARTED.value,
        Turn.AGENT_ANSWERED.value,
        Turn.RECORDING_STOPPED.value,
        Turn.RECORDING_SEALED.value,
        Turn.CALL_ENDED.value,
    }
)
"""What an ordinary call brings, and what the switch or the next start would tell again. Everything else, above all what
somebody decided, is written at once unless somebody else's row is."""

READ_AT_ONCE = 200
"""Visits read in one go, while rows wait."""

CHECKPOINT_SECONDS = 10.0
"""So long a row waits for a signature: what is not signed yet can be cut off unseen."""

STAMP_SECONDS = 3600.0
"""A time stamping authority is asked not more often."""

WITNESS_SECONDS = 2.0
"""So long each place outside is waited for at the end, to be told of the last checkpoint."""

HUNG_SECONDS = 10.0
"""A statement that has not come back for so long is given up, and its connection with it."""

_RETRY_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)


class LedgerWriter:
    """Writes the ledger without blocking a call. To be used from one gevent hub.

    ``slow_s``: after so many seconds without an answer of the database no further call waits for it.
    """

    def __init__(
        self,
        location: str | Path,
        *,
        signer: Signer | None = None,
        slow_s: float = 1.0,
        head_file: HeadFile | None = None,
        post_to: str | None = None,
        stamper: Stamper | None = None,
    ) -> None:
        """``post_to``: an address that checkpoints are posted to."""
        self._location = location
        self._signer = signer
        self._head_file = head_file
        self._witnesses = [Witness("head file", head_file.write)] if head_file else []
        if post_to is not None:
            self._witnesses.append(Witness(post_to, partial(post, post_to)))
        if stamper is not None:
            self._witnesses.append(Witness("time stamp", stamper.stamp, note=self.note, every_s=STAMP_SECONDS))
        self._slow_s = slow_s
        self._worker = Worker()
        self._ledger: Ledger | None = None
        self._pending: deque[tuple[Entry, gevent.event.AsyncResult | None]] = deque()
        self._wake = gevent.event.Event()
        self._urgent = gevent.event.Event()
        self._idle = gevent.event.Event()
        self._idle.set()
        self._failure: str | None = None
        self._unsigned = gevent.event.Event()
        self._newest: datetime | None = None
        self._greenlets: list[gevent.Greenlet] = []

    def start(self, *, new_ledger: bool = False) -> None:
        """Open the ledger and start writing; ``new_ledger`` as of ``open_known``.

        Raises LedgerError when it cannot be opened, or is not the one that was there.
        """
        self._ledger = self._worker.run(
            open_known, self._location, self._head_file, self._signer, new_ledger=new_ledger
        )
        self._newest = self._worker.run(_newest_of, self._ledger)
        for witness in self._witnesses:
            witness.start()
        self._greenlets = [gevent.spawn(self._run), gevent.spawn(self._sign_what_waits)]

    def add_notice(self, notice: NoticeVersion) -> bool:
        """Keep a wording, and wait until it is durable; whether it is new."""
        assert self._ledger is not None
        return self._worker.run(self._ledger.add_notice, notice)

    @property
    def failure(self) -> str | None:
        """Why rows cannot be written now; None when they can."""
        return self._failure

    @property
    def is_dead(self) -> bool:
        """Whether it ended, although it should go on."""
        return any(greenlet.ready() for greenlet in self._greenlets)

    @property
    def pending(self) -> int:
        """Rows not yet durable."""
        return len(self._pending)

    def is_behind(self, visit: str) -> bool:
        """Whether rows of this visit may still wait, so that what is read of it is not all."""
        return self._failure is not None or any(entry.visit == visit for entry, _ in self._pending)

    def settle(self, timeout: float) -> None:
        """Wait until what is handed in is durable, or ``timeout`` seconds have passed."""
        self._idle.wait(timeout)

    def note(self, entry: Entry) -> None:
        """Hand in a row that nothing waits for; when memory for them is full, the log says that it is lost."""
        try:
            self._enqueue(entry, None)
        except LedgerUnavailable as error:
            _lost(entry, str(error))

    def commit(self, entry: Entry, timeout: float) -> int | None:
        """Hand in a row and wait until it is durable.

        ``timeout`` in seconds. Raises LedgerUnavailable at the deadline, or at once when the ledger
        is known to be failing. The row stays handed in either way: it tells what the caller decided,
        and a later row tells that no recording followed. Returns the count of a row with a tally.
        """
        durable: gevent.event.AsyncResult = gevent.event.AsyncResult()
        self._enqueue(entry, durable)
        if self._failure is not None:
            raise LedgerUnavailable(self._failure)
        try:
            with metrics.COMMIT_SECONDS.time():
                count: int | None = durable.get(timeout=timeout)
        except gevent.Timeout:
            raise LedgerUnavailable(f"not durable within {timeout:g} s") from None
        return count

    def agent_agreed(self, agent: str, queue: str, timeout: float) -> bool:
        """Whether the register says so; what cannot be found out in time is a no. ``timeout`` in seconds."""
        return agent in self.agents_agreed((agent,), queue, timeout)

    def agents_agreed(self, agents: Sequence[str], queue: str, timeout: float) -> frozenset[str]:
        """Those of these agents of whom the register says so; what cannot be found out in time is a no."""
        if self._ledger is None or self._failure is not None:
            return frozenset()
        asking = self._worker.start(self._ledger.agents_agreed, agents, queue)
        try:
            return asking.get(timeout)
        except gevent.Timeout:
            return frozenset()
        except Exception as error:
            log.error("the agents' register cannot be read; not recorded", why=str(error))
            return frozenset()

    def open_visits(self, since: datetime) -> Iterator[list[list[Entry]]]:
        """``Ledger.open_visits`` in portions, read between the appends: a row waits for one. Raises LedgerError."""
        names = self.names_of_open_visits(since)
        for start in range(0, len(names), READ_AT_ONCE):
            yield self.rows_of_visits(names[start : start + READ_AT_ONCE])

    def names_of_open_visits(self, since: datetime) -> list[str]:
        """``Ledger.names_of_open_visits``. Raises LedgerError."""
        return self._read(self._open.names_of_open_visits, since)

    def names_of_stopped(self, since: datetime, until: datetime) -> list[str]:
        """The visits of which a recording ended in this time (UTC). Raises LedgerError."""
        search = Search(since=since, until=until)
        return self._read(self._open.visits, search, Turn.RECORDING_STOPPED)

    def rows_of_visits(self, visits: Sequence[str], within: float = 2 * HUNG_SECONDS) -> list[list[Entry]]:
        """``Ledger.rows_of_visits``, in the same way. Raises LedgerError, also when it takes longer than ``within``
        seconds."""
        found: list[list[Entry]] = []
        with gevent.Timeout(within, LedgerUnavailable(f"the ledger has not answered for {within:g} s")):
            for start in range(0, len(visits), READ_AT_ONCE):
                found += self._read(_rows_of_visits, self._open, visits[start : start + READ_AT_ONCE])
        return found

    def of_no_call(self, turn: Turn) -> list[Entry]:
        """The rows of this turn that are of no call. Raises LedgerError."""
        return self._read(_of_no_call, self._open, turn)

    @property
    def _open(self) -> Ledger:
        if self._ledger is None:
            raise LedgerUnavailable("the ledger is closed")
        return self._ledger

    def _read(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What ``function`` returns or raises in the thread. A database that is silent for too long is given up."""
        reading = self._worker.start(function, *args, **kwargs)
        for _ in range(2):
            try:
                return reading.get(HUNG_SECONDS)
            except gevent.Timeout:
                if self._ledger is not None:
                    self._ledger.interrupt()
        raise LedgerUnavailable(f"the ledger has not answered for {2 * HUNG_SECONDS:g} s")

    def stop(self, timeout: float = 10.0) -> None:
        """Write what is handed in, then close. Rows that the disk refuses are named in the log."""
        if self._ledger is None:
            return
        self._idle.wait(timeout)
        gevent.killall(self._greenlets)
        if self._pending:
            log.error("rows lost", rows=len(self._pending), why=self._failure)
            metrics.ROWS_LOST.inc(len(self._pending))
        else:
            self._sign()
        for witness in self._witnesses:
            witness.stop(WITNESS_SECONDS)
        self._worker.run(self._ledger.close)
        self._ledger = None

    def _enqueue(self, entry: Entry, durable: gevent.event.AsyncResult | None) -> None:
        if len(self._pending) >= MAX_PENDING:
            raise LedgerUnavailable(f"{MAX_PENDING} rows already wait: {self._failure}")
        self._pending.append((entry, durable))
        self._idle.clear()
        self._wake.set()
        if durable is not None or entry.turn not in CHRONICLE or len(self._pending) >= MAX_BATCH:
            self._urgent.set()

    def _run(self) -> None:
        assert self._ledger is not None
        failures = 0
        while True:
            self._wake.wait()
            if self._pending:
                self._urgent.wait(GATHER_SECONDS)
            self._urgent.clear()
            batch, waiting = list(islice(self._pending, MAX_BATCH)), len(self._pending)
            if not batch:
                self._wake.clear()
                self._idle.set()
                continue
            counts: dict[str, int] = {}
            error = self._append([entry for entry, _ in batch], counts)
            if error is not None and not isinstance(error, LedgerError) and len(batch) > 1:
                # One of these rows cannot be written at all: it must not keep the others.
                batch = batch[:1]
                error = self._append([batch[0][0]], counts)
            if isinstance(error, LedgerError):
                self._refuse(str(error), failures)
                gevent.sleep(_RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)])
                failures += 1
                continue
            if self._failure is not None:
                log.info("ledger works again", rows=len(batch))
            failures, self._failure = 0, None
            self._settle(len(batch), error, counts)
            if waiting > len(batch):
                self._urgent.set()  # somebody may wait for one of these

    def _append(self, batch: list[Entry], counts: dict[str, int]) -> Exception | None:
        assert self._ledger is not None
        try:
            outcome = self._in_thread(self._ledger.append, batch)
        except Exception as error:
            return error
        counts.update(outcome.counts)
        metrics.TRANSACTIONS.inc()
        for entry in batch:
            measure(entry)
        self._look_at_clock()
        self._keep(outcome.checkpoint)
        self._unsigned.set()
        return None

    def _look_at_clock(self) -> None:
        """A row says so when it was set back since the last batch, or stands behind what is in the ledger."""
        moment = now()
        if self._newest is not None and self._newest - moment > CLOCK_TOLERANCE:
            said = {"seconds": (self._newest - moment).total_seconds(), "newest": as_text(self._newest)}
            log.error("the clock was set back", **said)
            self.note(CallRef(NO_CALL, None, "", "", "").row(Turn.CLOCK_SET_BACK, said))
        self._newest = moment

    def _sign(self) -> None:
        """Sign what is new; without a key, keep what it is."""
        assert self._ledger is not None
        try:
            self._keep(self._in_thread(self._ledger.sign if self._signer else self._ledger.head))
        except Exception as error:
            log.error("no checkpoint", why=str(error))

    def _keep(self, checkpoint: SignedCheckpoint | None) -> None:
        """Elsewhere, as the log is: whoever has it can tell a cut tail and a rewritten chain."""
        if checkpoint is None:
            return
        if checkpoint.signature:
            log.info("checkpoint", **checkpoint.__dict__)
        for witness in self._witnesses:
            witness.offer(checkpoint)

    def _sign_what_waits(self) -> None:
        while True:
            self._unsigned.wait()
            gevent.sleep(CHECKPOINT_SECONDS)
            self._unsigned.clear()
            self._sign()

    def _in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What ``function`` returns or raises. While the database is silent, no call waits for it."""
        running = self._worker.start(function, *args, **kwargs)
        waited = 0.0
        while True:
            try:
                return running.get(self._slow_s)
            except gevent.Timeout:
                waited += self._slow_s
                self._refuse(f"the ledger has not answered for {waited:g} s", int(waited > self._slow_s))
                if waited >= HUNG_SECONDS and self._ledger is not None:
                    self._ledger.interrupt()

    def _settle(self, rows: int, error: Exception | None, counts: Mapping[str, int]) -> None:
        for _ in range(rows):
            entry, durable = self._pending.popleft()
            if error is not None:
                _lost(entry, repr(error))
            if durable is not None and error is not None:
                durable.set_exception(LedgerUnavailable(f"the row cannot be written: {error!r}"))
            elif durable is not None:
                durable.set(counts.get(entry.submission))

    def _refuse(self, why: str, failures: int) -> None:
        if failures == 0:
            log.error("ledger cannot be written; calls go on unrecorded", why=why)
        self._failure = why
        for index, (entry, durable) in enumerate(self._pending):
            if durable is not None:
                durable.set_exception(LedgerUnavailable(why))
                self._pending[index] = (entry, None)


def _newest_of(ledger: Ledger) -> datetime | None:
    return next((row.at for row in ledger.read(limit=1)), None)


def _rows_of_visits(ledger: Ledger, visits: Sequence[str]) -> list[list[Entry]]:
    return list(ledger.rows_of_visits(visits))


def _of_no_call(ledger: Ledger, turn: Turn) -> list[Entry]:
    return list(ledger.read(Search(channel=NO_CALL, turn=turn.value)))


def _lost(entry: Entry, why: str) -> None:
    metrics.ROWS_LOST.inc()
    log.error("row lost", channel=entry.channel_uuid, visit=entry.visit, turn=entry.turn, why=why)
