"""Retention: what is due is erased, and every file is accounted for.

Files come before rows: whatever interrupts us, a row still explains each file that is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

from consentivr.core.evidence import CallSummary, Turn, summarize
from consentivr.core.retention import Due, RetentionTerms, due
from consentivr.custody.accounting import Accounting
from consentivr.custody.report import Report
from consentivr.custody.rights import Holds
from consentivr.ledger import NO_CALL, CallRef, Entry, Ledger, Search
from consentivr.recordings import erase_audio

_AT_ONCE = 500


class Retention:
    """One run: everything that is due is erased, and every file is accounted for.

    Safe to interrupt and to run again, also beside another run. Raises LedgerError when the ledger
    cannot be read or written.
    """

    def __init__(
        self,
        ledger: Ledger,
        folder: Path,
        terms: Mapping[str, RetentionTerms],
        *,
        dry_run: bool = False,
        at: datetime | None = None,
        progress: Callable[[str], None] = lambda what: None,
    ) -> None:
        """``terms`` by the queue's name in the ledger; ``at`` instead of the time now."""
        self._ledger = ledger
        self._folder = folder
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
        for queue, terms in self._terms.items():
            self._progress(f"queue {queue}")
            self._erase_rows(queue, terms)
            self._erase_audio(queue, terms)
        self._erase_register()
        self._progress("recordings")
        accounting = Accounting(self._ledger, self._folder, self.report, self._holds, self._gone, self._now)
        accounting.recordings()
        accounting.files()
        if not self.report.dry_run:
            self.report.left = self._ledger.overwrite_freed()
        return self.report

    # --- what is due -------------------------------------------------------------------------

    def _erase_rows(self, queue: str, terms: RetentionTerms) -> None:
        if terms.rows_from_days is None:
            return
        old = Search(queue=queue, until=self._now - timedelta(days=terms.rows_from_days))
        for calls in self._due(queue, self._ledger.visits(old), terms, Due.ROWS):
            gone = [call.call for call in [*calls, *self._left_behind(calls)] if self._audio_gone(call)]
            self.report.calls_erased += gone
            if not self.report.dry_run:
                why = {"why": f"retention: {terms.rows_said}"}
                self.report.rows_erased += self._ledger.erase_rows(gone, why)

    def _erase_register(self) -> None:
        """An agent's agreement is kept as long as a call may rest on it."""
        self.report.agents_forgotten = self._ledger.former_agents()
        if self.report.agents_forgotten and not self.report.dry_run:
            why = {"why": "retention: no call of these agents is left"}
            self.report.rows_erased += self._ledger.erase_register(self.report.agents_forgotten, why)

    def _erase_audio(self, queue: str, terms: RetentionTerms) -> None:
        if terms.audio_days is None:
            return
        old = Search(queue=queue, until=self._now - timedelta(days=terms.audio_days))
        gone_already = (Turn.AUDIO_ERASED, Turn.ERASURE)
        recorded = [
            visit
            for turn in (Turn.RECORDING_STARTED, Turn.FORBIDDEN_RECORDING)
            for visit in self._ledger.visits(old, turn, without=gone_already)
        ]
        for calls in self._due(queue, list(dict.fromkeys(recorded)), terms, Due.AUDIO):
            gone = [call for call in calls if self._audio_gone(call)]
            if not self.report.dry_run:
                self._ledger.append([_audio_erased(call, f"retention: {terms.audio_days} days") for call in gone])

    def _due(self, queue: str, visits: Sequence[str], terms: RetentionTerms, what: Due) -> Iterator[list[CallSummary]]:
        """The calls of this queue for which ``what`` is due, in portions."""
        visits = [visit for visit in visits if visit != NO_CALL]
        for start in range(0, len(visits), _AT_ONCE):
            calls = [summarize(rows) for rows in self._ledger.rows_of_visits(visits[start : start + _AT_ONCE])]
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

    def _audio_gone(self, call: CallSummary) -> bool:
        """Erase a call's files; False when that fails, and the call must wait."""
        paths = [recording.path for recording in call.audio]
        holder = next((holder for path in paths if (holder := self._holds.of(path))), None)
        if holder is not None:
            self.report.failed.append(f"call {call.call}: it names a recording of {holder}, which is on legal hold")
            return False
        try:
            if not self.report.dry_run:
                erase_audio(self._folder, paths)
        except (OSError, ValueError) as error:
            self.report.failed.append(f"call {call.call}: {error}")
            return False
        self.report.audio_erased += paths
        self._gone.update(paths)
        return True


def _audio_erased(call: CallSummary, why: str) -> Entry:
    files = [{"path": recording.path, "sha256": recording.sha256} for recording in call.audio]
    return CallRef.of(call).row(Turn.AUDIO_ERASED, {"why": why, "files": files})
