"""Retention: what is due is erased, and every file is accounted for.

Files come before rows: whatever interrupts us, a row still explains each file that is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone

from consentivr.core.evidence import CallSummary, summarize
from consentivr.core.retention import Due, RetentionTerms, due
from consentivr.core.turn import Turn
from consentivr.custody.accounting import UNDER_WAY, Accounting
from consentivr.custody.checking import check_part
from consentivr.custody.files import erase_files
from consentivr.custody.holds import Holds
from consentivr.custody.quarantine import Refused, erase_quarantined, is_due, note_gone, quarantined
from consentivr.custody.report import Report
from consentivr.ledger import NO_CALLS, Entry, Ledger, Search
from consentivr.recordings import Places

_AT_ONCE = 500
_RECORDED = (Turn.RECORDING_STARTED, Turn.FORBIDDEN_RECORDING, Turn.QUARANTINED, Turn.RECORDING_ADOPTED)


class Retention:
    """One run: everything that is due is erased, and every file is accounted for.

    Safe to interrupt and to run again, also beside another run. Raises LedgerError when the ledger
    cannot be read or written.
    """

    def __init__(
        self,
        ledger: Ledger,
        places: Places,
        terms: Mapping[str, RetentionTerms],
        *,
        quarantine_days: int | None = None,
        access_days: int | None = None,
        dry_run: bool = False,
        at: datetime | None = None,
        progress: Callable[[str], None] = lambda what: None,
    ) -> None:
        """``terms`` by the queue's name in the ledger; ``quarantine_days`` until what lies in quarantine is erased, or
        None; ``access_days`` until the access log's rows of no call are, or None; ``at`` instead of the time now.
        """
        self._quarantine_days = quarantine_days
        self._access_days = access_days
        self._ledger = ledger
        self._places = places
        self._terms = terms
        self._now = at or datetime.now(timezone.utc)
        self._progress = progress
        self.report = Report(dry_run)
        self._gone: set[str] = set()

    def run(self) -> Report:
        """Do it."""
        self._holds = Holds(self._ledger)
        for queue in sorted(set(self._ledger.queues()) - set(self._terms)):
            self.report.failed.append(
                f"queue {queue} is in the ledger, and in no configuration: nothing of it was erased"
            )
        self._erase_asked()
        for queue, terms in self._terms.items():
            self._progress(f"queue {queue}")
            self._erase_rows(queue, terms)
            self._erase_audio(queue, terms)
        self._erase_register()
        self._erase_accesses()
        self._progress("recordings")
        accounting = Accounting(self._ledger, self._places, self.report, self._holds, self._gone, self._now)
        self._erase_quarantine()
        accounting.forbidden()
        accounting.recordings()
        accounting.files()
        self._check_audio()
        if not self.report.dry_run:
            self.report.left = self._ledger.overwrite_freed()
        self.report.beyond = self._ledger.beyond if self.report.calls_erased else None
        return self.report

    # --- what is due -------------------------------------------------------------------------

    def _erase_asked(self) -> None:
        """What a person asked for, or took back: whatever was in the way, or stopped us, then."""
        asked = [
            visit
            for turn in (Turn.ERASURE, Turn.WITHDRAWN)
            for visit in self._ledger.visits(Search(), turn, without=(Turn.AUDIO_ERASED,))
        ]
        for some in _portions(list(dict.fromkeys(asked))):
            calls = map(summarize, self._ledger.rows_of_visits(some))
            due = [call for call in calls if call.to_erase and not self._holds.keep(call)]
            self._erase_files([call for call in due if self._is_over(call)], "asked for", asked=True)

    def _erase_quarantine(self) -> None:
        days = self._quarantine_days
        if not self.report.dry_run:
            note_gone(self._ledger, self._places)
        for one in quarantined(self._ledger, self._places) if days is not None else ():
            if not is_due(one, days or 0, self._now) or str(one.file) in self._gone:
                continue
            try:
                if not self.report.dry_run:
                    erase_quarantined(self._ledger, one, self._holds, f"quarantine: {days} days")
                self.report.audio_erased.append(str(one.file))
                self._gone.update((str(one.file), one.was))
            except Refused:
                self.report.held.append(one.name)
            except OSError as error:
                self.report.failed.append(f"{one.file}: {error.strerror}")

    def _check_audio(self) -> None:
        try:
            rows, found = check_part(self._ledger, self._places, self._now)
        except OSError as error:
            self.report.failed.append(f"recordings cannot be checked: {error}")
            return
        self.report.differs += [one.said for one in found]
        if not self.report.dry_run:
            self._ledger.append(rows)

    def _is_over(self, call: CallSummary) -> bool:
        """A recording may still be written, and is erased as it ends."""
        return self._now - call.ended_at >= UNDER_WAY

    def _erase_rows(self, queue: str, terms: RetentionTerms) -> None:
        if terms.rows_from_days is None:
            return
        old = Search(queue=queue, until=self._now - timedelta(days=terms.rows_from_days))
        for calls in self._due(queue, self._ledger.visits(old), terms, Due.ROWS):
            why = f"retention: {terms.rows_said}"
            gone = [call.call for call in self._erase_files([*calls, *self._left_behind(calls)], why, forget=True)]
            self.report.calls_erased += gone
            if not self.report.dry_run:
                self.report.rows_erased += self._ledger.erase_rows(gone, {"why": why})

    def _erase_register(self) -> None:
        """An agent's agreement is kept as long as a call may rest on it."""
        self.report.agents_forgotten = self._ledger.former_agents()
        if self.report.agents_forgotten and not self.report.dry_run:
            why = {"why": "retention: no call of these agents is left"}
            self.report.rows_erased += self._ledger.erase_register(self.report.agents_forgotten, why)

    def _erase_accesses(self) -> None:
        if self._access_days is None:
            return
        until = self._now - timedelta(days=self._access_days)
        if self.report.dry_run:
            self.report.accesses_erased = self._ledger.count_accesses(until)
            return
        self.report.accesses_erased = self._ledger.erase_accesses(
            until, {"why": f"retention: {self._access_days} days"}
        )
        self.report.rows_erased += self.report.accesses_erased

    def _erase_audio(self, queue: str, terms: RetentionTerms) -> None:
        if terms.audio_days is None:
            return
        old = Search(queue=queue, until=self._now - timedelta(days=terms.audio_days))
        recorded = [
            visit for turn in _RECORDED for visit in self._ledger.visits(old, turn, without=(Turn.AUDIO_ERASED,))
        ]
        for calls in self._due(queue, list(dict.fromkeys(recorded)), terms, Due.AUDIO):
            self._erase_files(calls, f"retention: {terms.audio_days} days")

    def _due(self, queue: str, visits: Sequence[str], terms: RetentionTerms, what: Due) -> Iterator[list[CallSummary]]:
        """The calls of this queue for which ``what`` is due, in portions."""
        visits = [visit for visit in visits if visit not in NO_CALLS]
        for some in _portions(visits):
            calls = [summarize(rows) for rows in self._ledger.rows_of_visits(some)]
            ours = [call for call in calls if call.queue == queue]  # a talk may go on in another queue
            for call in ours:
                if call.held and call.call not in self.report.held:
                    self.report.held.append(call.call)
            found = [call for call in ours if due(call, terms, self._now) is what]
            apart = [call.channel_uuid for call in found if call.visit is None]
            kept = self._ledger.channels_with_visits(apart) if what is Due.ROWS else self._holds.channels
            found = [call for call in found if call.visit is not None or call.channel_uuid not in kept]
            if found:
                yield found

    def _left_behind(self, gone: Sequence[CallSummary]) -> list[CallSummary]:
        """Rows that name no visit, such as of a file that was found later: they go with their channel's last visit."""
        going = {call.call for call in gone}
        left: dict[str, list[CallSummary]] = {}
        channels = dict.fromkeys(call.channel_uuid for call in gone if call.visit is not None)
        for rows in self._ledger.rows_of(list(channels)):
            if rows[0].call not in going:
                left.setdefault(rows[0].channel_uuid, []).append(summarize(rows))
        return [
            call
            for others in left.values()
            for call in others
            if not any(other.visit is not None or other.held for other in others)
        ]

    def _erase_files(
        self, calls: Sequence[CallSummary], why: str, *, forget: bool = False, asked: bool = False
    ) -> list[CallSummary]:
        """Erase all that can be erased of these calls; returns those of which nothing is left. Others must wait, and
        say what was erased. With ``forget`` the rows of the former are erased next, and say nothing more; with
        ``asked`` only what was asked for is erased.
        """
        rows: list[Entry] = []
        done = []
        for call in calls:
            only = call.to_erase if asked else None
            files = erase_files(self._places, call, self._holds, only=only, dry_run=self.report.dry_run)
            paths = [recording.path for recording in (*files.erased, *files.gone)]
            self.report.audio_erased += paths
            self._gone.update(paths)
            self.report.failed += [f"call {call.call}: {path}: {left}" for path, left in files.left.items()]
            if not files.left:
                done.append(call)
            if files.left or not forget:
                rows += files.rows(why)
        if not self.report.dry_run:
            self._ledger.append(rows)
        return done


def _portions(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[start : start + _AT_ONCE] for start in range(0, len(names), _AT_ONCE))
