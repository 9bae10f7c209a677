"""Looks at a switch again and again while calls are served: at the start, every ten minutes, when it loads anew, and
when somebody asks for it.

A finding that is new is a row, a count and an alarm; so is one that is gone. What the account may not ask is not seen,
and what is not seen is not gone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import gevent
import gevent.lock
import structlog

from consentivr.check.asking import Connect, ask, not_asked
from consentivr.check.finding import Finding, Level
from consentivr.check.found import Wanted
from consentivr.check.table import judged
from consentivr.core.turn import Turn
from consentivr.core.turns import SwitchChecked
from consentivr.esl.errors import ESLError, WaitTimedOut
from consentivr.esl.inbound import InboundConnection
from consentivr.ledger import NO_CALL, CallRef, LedgerError, LedgerWriter
from consentivr.switch import LOADS
from consentivr.threads import Beside, Worker
from consentivr.watch import Alarm

log = structlog.get_logger(__name__)

EVERY_SECONDS = 600.0
SETTLE_SECONDS = 2.0
"""So long after a switch told that it loaded something it is looked at: it tells of each part of a module."""

AGAIN_SECONDS = 5.0
"""So long after it could not be reached, or another process watched it."""

ABOUT_NO_CALL = CallRef(NO_CALL, None, "", "", "")


class Lookout(Beside):
    """On one switch."""

    def __init__(
        self,
        address: str,
        connect: Connect,
        wanted: Wanted,
        ledger: LedgerWriter,
        alarm: Alarm,
        is_ours: Callable[[], bool],
    ) -> None:
        """``is_ours``: whether it is this process that watches the switch: several would tell the same."""
        self.address = address
        self.wanted = wanted
        self._connect = connect
        self._ledger = ledger
        self._alarm = alarm
        self._is_ours = is_ours
        self._looked_at: float | None = None
        self._reading = Worker()
        self._one_at_a_time = gevent.lock.BoundedSemaphore()
        self._asked_for: gevent.Greenlet | None = None
        self.findings: Sequence[Finding] = ()
        """What was found when it was last looked at."""
        self._known: tuple[dict[str, str], tuple[str, ...] | None] | None = None
        """What was told last: findings with their levels, and what was not seen; None: ask the ledger."""

    @property
    def is_ours(self) -> bool:
        """Whether this process looks."""
        return self._is_ours()

    @property
    def looked_s(self) -> float | None:
        """So many seconds ago it was looked at by this process; None: not yet."""
        return None if self._looked_at is None else round(time.monotonic() - self._looked_at, 1)

    def counts(self) -> dict[str, int]:
        """How many findings there are of each level that is not good; empty where another process looks."""
        levels = [finding.level for finding in self.findings]
        return {level.value: levels.count(level) for level in Level if levels and level is not Level.GOOD}

    def _run(self) -> None:
        why: str | None = None
        while True:
            try:
                if self._is_ours():
                    self._look_and_wait()
                    why = None
                else:
                    self.findings, self._known = (), None
            except (ESLError, OSError, LedgerError) as error:
                if str(error) != why:
                    why = str(error)
                    log.info("the switch cannot be looked at", switch=self.address, why=why)
            except Exception:
                log.exception("a look at the switch failed", switch=self.address)
            gevent.sleep(AGAIN_SECONDS)

    def _look_and_wait(self) -> None:
        """Until it is to be looked at again."""
        connection = self._connect()
        try:
            hears = self._hears(connection)
            self.look()
            try:
                connection.receive(EVERY_SECONDS)
            except WaitTimedOut:
                return
            if hears:
                gevent.sleep(SETTLE_SECONDS)
        finally:
            connection.stop()

    def _hears(self, connection: InboundConnection) -> bool:
        """Whether we may hear that something is loaded; else every ten minutes must do."""
        return connection.send(f"event json {' '.join(LOADS)}").is_accepted

    def look(self) -> None:
        """Once. Raises ESLError, OSError when it cannot be asked, LedgerError when the last look cannot be read."""
        with self._one_at_a_time:
            answers = ask(self._connect, self.wanted)
            self.findings = self._reading.run(judged, answers, self.wanted, self.address)
            self._looked_at = time.monotonic()
            self._tell(self.findings)

    def look_now(self, seconds: float) -> Sequence[Finding]:
        """Once more, for somebody who asks; who asks meanwhile is told what comes of the same look. What does not come
        within so many seconds is not seen; the look goes on then.
        """
        if self._asked_for is None or self._asked_for.ready():
            self._asked_for = gevent.spawn(self._found_now)
        try:
            found: Sequence[Finding] = self._asked_for.get(timeout=seconds)
        except gevent.Timeout:
            return [not_asked(self.address, f"it has taken longer than {seconds:.0f} s")]
        return found

    def _found_now(self) -> Sequence[Finding]:
        if not self._is_ours():
            return [not_asked(self.address, "this process does not watch it")]
        try:
            self.look()
        except (ESLError, OSError, LedgerError) as error:
            return [not_asked(self.address, error)]
        return self.findings

    def stop(self) -> None:
        """No more."""
        super().stop()
        if self._asked_for is not None:
            self._asked_for.kill()

    def _tell(self, findings: Sequence[Finding]) -> None:
        now = {one.what: one for one in findings if one.level in (Level.WARNING, Level.BAD)}
        unseen = tuple(sorted(one.what for one in findings if one.level is Level.NOT_SEEN))
        before, unseen_before = self._known or self._last()
        levels = {name: one.level.value for name, one in now.items()}
        levels |= {name: level for name, level in before.items() if name not in levels and _is_of(name, unseen)}
        new = tuple(sorted(name for name, level in levels.items() if before.get(name) != level))
        gone = tuple(sorted(name for name in before if name not in levels))
        self._known = levels, unseen
        if not new and not gone and unseen == unseen_before:
            return
        row = SwitchChecked(self.address, new, gone, levels, unseen)
        self._ledger.note(ABOUT_NO_CALL.row(row.turn, row.evidence()))
        for name in new:
            one = now[name]
            log.warning(
                "found on the switch",
                switch=self.address,
                what=name,
                level=one.level.value,
                why=one.said,
                mend=one.mend,
            )
        for name in gone:
            log.info("no longer found on the switch", switch=self.address, what=name)
        if unseen != unseen_before:
            log.info("not seen on the switch", switch=self.address, what=list(unseen))
        if new or gone:
            levels_of_new = {name: levels[name] for name in new}
            said = {"finding": Turn.SWITCH_CHECKED.value, "switch": self.address, "new": levels_of_new, "gone": gone}
            self._alarm.tell(said)

    def _last(self) -> tuple[dict[str, str], tuple[str, ...] | None]:
        """What the ledger says of this switch, whichever process looked: findings, and what was not seen."""
        rows = [row.evidence for row in self._ledger.of_no_call(Turn.SWITCH_CHECKED)]
        last = next((said for said in reversed(rows) if said["switch"] == self.address), None)
        return ({}, None) if last is None else (last["findings"], tuple(last["not_seen"]))


def _is_of(name: str, unseen: Sequence[str]) -> bool:
    """Whether a finding is of a row that was not seen."""
    return any(name == title or name.startswith(f"{title}: ") for title in unseen)
