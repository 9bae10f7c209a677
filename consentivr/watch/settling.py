"""Every visit has one decision and one end, also when nobody was there to write them (promise P11)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import structlog

from consentivr import switch
from consentivr.core import events as ev
from consentivr.core.adoption import Told, told
from consentivr.core.confirmations import WITHDRAWN
from consentivr.core.consent import Consent, ConsentDecision, Reason
from consentivr.core.evidence import summarize
from consentivr.core.policy import RecordingMode, TalkPolicy
from consentivr.core.recorders import FORBIDDEN
from consentivr.core.talk_turns import CallEnded, RecordingStopped
from consentivr.core.turn import Turn
from consentivr.core.turns import CONSENT_BASIS, Arrived, Decided, Row
from consentivr.core.verdict import Verdict, verdict
from consentivr.ledger import CallRef, Entry, LedgerError
from consentivr.recordings import recording_path
from consentivr.watch.visit import Visit

if TYPE_CHECKING:
    from consentivr.watch.following import Following

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 3.0
"""So long whoever asked has to hand in what they decided."""

YOUNG = timedelta(seconds=5)
"""A visit so young may be on a switch whose list was made before it: looked at once more."""

GATHER_SECONDS = 0.005
"""So long visits are gathered that are over, before their rows are read."""

UNSEEN = "nobody saw it begin or end"
UNSEALED_BEFORE = timedelta(minutes=1)
"""What ended so long at most before nobody watched may have lost its seal."""

UNSEALED_SECONDS = 15.0
"""So long whoever watched before us may still be sealing."""

LEFT_OVER_SECONDS = 60.0
"""So often it is looked for visits that nobody follows, and so old they are then."""

LEFT_OVER_SINCE = timedelta(hours=1)
"""Those that began before are left to the next start."""


class Settling:
    """Writes what is missing, after another look at the ledger."""

    def __init__(self, following: Following) -> None:
        self._following = following
        self._to_end: dict[str, tuple[CallRef, CallEnded, bool]] = {}
        """Visits that are over: where, the row that says so, and whether nobody followed them to their end."""

    def later(self, visit: Visit) -> None:
        """A visit that goes on, and that nobody has decided: in a while, unless somebody does."""
        self._following.beside(self._decide, visit, seconds=PATIENCE_SECONDS)

    def over(self, ref: CallRef, end: CallEnded) -> None:
        """A visit that is over, undecided as far as we know, or that nobody could judge to its end."""
        self._following.beside(self._end_soon, ref, end, False, seconds=PATIENCE_SECONDS)

    def orphan(self, rows: Sequence[Entry], why: str) -> None:
        """A visit whose channel is gone: what it recorded is as complete as it will be. Its rows may be older than what
        was written since: they are read once more."""
        known = told(rows)
        if not (known.ended and known.decided):
            self._gone(rows[-1].about, why)

    def _gone(self, ref: CallRef, why: str) -> None:
        self._end_soon(ref, CallEnded(None, None, why), orphaned=True)

    def _end_soon(self, ref: CallRef, end: CallEnded, orphaned: bool) -> None:
        if not self._to_end:
            self._following.beside(self._end_all, seconds=GATHER_SECONDS)
        self._to_end[ref.visit or ""] = ref, end, orphaned

    def _end_all(self) -> None:
        """In a greenlet of its own: all that wait, with one question."""
        to_end, self._to_end = self._to_end, {}
        behind = {visit: over for visit, over in to_end.items() if self._is_behind(over[0])}
        for over in behind.values():
            self._following.beside(self._end_soon, *over, seconds=YOUNG.total_seconds())
        now = [visit for visit, (ref, _, _) in to_end.items() if visit not in behind and not self._is_followed(ref)]
        try:
            rows = {entries[0].call: entries for entries in self._following.ledger.rows_of_visits(now)}
        except LedgerError as error:
            log.error("visits cannot be settled now; the next start does it", visits=len(now), why=str(error))
            return
        for visit in now:
            ref, end, orphaned = to_end[visit]
            if self._is_followed(ref):
                continue  # taken up while its rows were read
            known = told(rows.get(visit, ()))
            if known.ended:
                self._add_missing(ref, known)
            else:
                its = rows.get(visit, [])
                began, last = (its[0].at, its[-1].at) if its else 2 * (datetime.now(timezone.utc),)
                self._finish(known, ref, end, began, last, orphaned=orphaned)
                self._remove(ref, its)

    def _is_followed(self, ref: CallRef) -> bool:
        visit = self._following.visits.get(ref.channel_uuid)
        followed = visit is not None and visit.state.visit == ref.visit
        return followed or self._following.adopting.is_reading(ref.channel_uuid, ref.visit)

    def _finish(
        self, known: Told, ref: CallRef, end: CallEnded, began: datetime, last: datetime, *, orphaned: bool
    ) -> None:
        by_law = self._following.house.policy(ref.line, ref.queue).mode is RecordingMode.PERMANENT
        sounded = orphaned and bool(known.unclosed) and not known.is_silent and not by_law
        if sounded:
            self._write(ref, self._following.unwatched(known.unclosed, last))
        for path in known.unclosed:
            self._write(ref, RecordingStopped(path, None, "cut"))
            self._following.sealer.seal(ref, path, unwatched=sounded or known.unwatched)
        if orphaned and known.decision is ConsentDecision.GIVEN:
            self._following.sealer.erase(ref, self._of_no_row(known, ref, began), UNSEEN, ours=True)
        if known.decision is ConsentDecision.WITHDRAWN and known.erase:
            mine = tuple(path for path in known.files if path not in known.by_law)
            self._following.sealer.erase(ref, mine, WITHDRAWN, ours=True)
        self._add_missing(ref, known)
        self._write(ref, replace(end, agent=known.agent))

    def _of_no_row(self, known: Told, ref: CallRef, began: datetime) -> tuple[str, ...]:
        """Where the visit may have been recorded without anybody having seen it begin."""
        number = len(known.files)
        paths = (
            recording_path(self._following.house.folder, ref.visit or "", began.date(), further)
            for further in range(1, number + 3)
        )
        return tuple(path for path in paths if path not in known.files)

    def _remove(self, ref: CallRef, rows: Sequence[Entry]) -> None:
        """What was recorded without permission, and is there still."""
        if rows:
            left = [file.path for file in summarize(rows).audio if not file.permitted and not file.quarantined]
            self._following.sealer.erase(ref, left, FORBIDDEN, ours=False, since=rows[0].at.timestamp())

    def _add_missing(self, ref: CallRef, known: Told) -> None:
        """What was handed in and lost, with the last milliseconds of a process."""
        if not known.arrived:
            self._write(ref, Arrived(*self._following.switch_name))
        if not known.decided:
            self._write(ref, self._not_obtained(ref, known))

    def young(self, rows: Sequence[Entry], why: str) -> None:
        """The same for one that may have begun just now: in a while, when the switch does not know its channel."""
        self._following.beside(self._once_more, rows[0].about, why, seconds=YOUNG.total_seconds())

    def unsealed(self) -> None:
        """What had ended, and was not sealed yet when whoever watched before us died. In a greenlet of its own."""
        following = self._following
        if following.watched_until is None:
            return
        until = datetime.fromtimestamp(following.began, timezone.utc)
        since = datetime.fromtimestamp(following.watched_until, timezone.utc) - UNSEALED_BEFORE
        try:
            visits = following.ledger.rows_of_visits(following.ledger.names_of_stopped(since, until))
        except LedgerError as error:
            log.warning("it cannot be looked for recordings without a seal; 'retention run' does", why=str(error))
            return
        for rows in visits:
            ended = {row.evidence["path"] for row in rows if row.turn == Turn.RECORDING_STOPPED and row.at < until}
            unwatched = any(row.turn == Turn.UNWATCHED for row in rows)
            for recording in summarize(rows).audio:
                if recording.path in ended and recording.permitted and not recording.sealed:
                    following.sealer.seal(rows[-1].about, recording.path, unwatched=unwatched)

    def left_over(self) -> None:
        """Visits that nobody follows, and whose channel is gone: whoever asked lost the caller before the queue, or was
        so late that the caller was in the queue, on another visit, already. In a greenlet of its own."""
        following, now = self._following, datetime.now(timezone.utc)
        try:
            names = following.ledger.names_of_open_visits(now - LEFT_OVER_SINCE)
            followed = {visit.state.visit for visit in following.visits.values()}
            visits = following.ledger.rows_of_visits([name for name in names if name not in followed])
        except LedgerError as error:
            log.warning("it cannot be looked for visits that nobody follows", why=str(error))
            return
        for rows in visits:
            if (now - rows[0].at).total_seconds() > LEFT_OVER_SECONDS and is_of(rows, following.switch_name[0]):
                self._once_more(rows[0].about, "the channel was gone")

    def _once_more(self, ref: CallRef, why: str) -> None:
        def exists(said: str) -> None:
            visit = self._following.visits.get(ref.channel_uuid)
            if visit is not None and visit.state.visit != ref.visit:
                self._gone(ref, "another visit began")
            elif visit is None and said.strip() == "false":
                self._gone(ref, why)

        command = switch.exists(ref.channel_uuid)
        self._following.post(lambda: self._following.connection.bgapi(command, exists))

    # --- inside, in greenlets of their own ---------------------------------------------------

    def _decide(self, visit: Visit) -> None:
        """Only a caller in a queue has been decided about: whoever is still being asked is left alone."""
        if visit.is_decided or not (visit.member or visit.state.talking):
            return
        if self._is_behind(visit.ref):
            self.later(visit)
            return
        known = self._read(visit.ref)
        if known is None:
            self.later(visit)
            return
        visit.is_decided = True
        self._add_missing(visit.ref, known)
        if not known.decided and visit.state.decision is None:
            word = ev.WordChanged(ConsentDecision.NOT_OBTAINED, True, None)
            self._following.post(lambda: self._tell(visit, word))

    def _tell(self, visit: Visit, event: ev.WordChanged) -> None:
        if self._following.visits.get(visit.channel) is visit:
            self._following.tell(visit, event)

    def _is_behind(self, ref: CallRef) -> bool:
        """Whether whoever asked has written rows that cannot be read yet: a second decision would follow."""
        return self._following.ledger.is_behind(ref.visit or "")

    def _read(self, ref: CallRef) -> Told | None:
        try:
            (rows,) = self._following.ledger.rows_of_visits([ref.visit or ""]) or [[]]
        except LedgerError as error:
            log.error("a visit cannot be settled now; the next start does it", visit=ref.visit, why=str(error))
            return None
        return told(rows)

    def _not_obtained(self, ref: CallRef, known: Told) -> Decided:
        policy = self._following.house.policy(ref.line, ref.queue)
        reasons = {RecordingMode.OFF: Reason.MODE_OFF, RecordingMode.PERMANENT: Reason.LEGAL_BASIS}
        reason = reasons.get(policy.mode, Reason.APPLICATION_FAILED if known.asked else Reason.NOT_ASKED)
        return Decided(
            Consent(ConsentDecision.NOT_OBTAINED, reason),
            _said(policy),
            policy.purpose,
            policy.legal_basis or (CONSENT_BASIS if policy.mode.asks else None),
            None,
            None,
            policy.confirmed,
        )

    def _write(self, ref: CallRef, row: Row) -> None:
        self._following.ledger.note(ref.row(row.turn, row.evidence()))


def is_of(rows: Sequence[Entry], switch_name: str) -> bool:
    """Whether a visit was on this switch."""
    return told(rows).switch == switch_name


def _said(policy: TalkPolicy) -> Verdict:
    return verdict(
        policy.mode,
        ConsentDecision.NOT_OBTAINED,
        durable=True,
        purpose_agreed=True,
        others=(),
        held=False,
        paused=False,
        is_nth=True,
        agent_wants=True,
    )
