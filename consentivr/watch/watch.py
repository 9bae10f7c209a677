"""The watch of one switch: connects, follows, and again, whenever the connection is lost; one at a time, by a lease."""

from __future__ import annotations

import time

import gevent
import gevent.event
import structlog

from consentivr import switch
from consentivr.core import events as ev
from consentivr.core.policy import AgentWish
from consentivr.core.state import TalkState
from consentivr.custody import Sealer
from consentivr.esl.codec import Event
from consentivr.esl.errors import ESLError
from consentivr.esl.inbound import InboundConnection, Login
from consentivr.ledger import LedgerWriter
from consentivr.watch.alarm import Alarm
from consentivr.watch.following import Following
from consentivr.watch.house import House
from consentivr.watch.lease import Lease
from consentivr.watch.stream import EXECUTIONS, SUBSCRIPTIONS
from consentivr.watch.visit import Visit

log = structlog.get_logger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
"""Seconds between two attempts to connect: the first, and what it grows to."""

LEASE_PAUSE_S = 0.5
SILENT_SECONDS = 2.0
"""So long at most the switch has to confirm that recorders are silent before we end."""
CONFIRM_SECONDS = 3.0
"""How long a desktop waits for the switch to confirm."""


class Watch:
    """Of one switch."""

    def __init__(
        self,
        address: tuple[str, int],
        login: Login,
        house: House,
        ledger: LedgerWriter,
        sealer: Sealer,
        alarm: Alarm,
        lease: Lease,
    ) -> None:
        self.address = address
        self.name = "{}:{}".format(*address)
        """Of the switch, in log and metrics."""
        self._login = login
        self._house = house
        self._ledger = ledger
        self._sealer = sealer
        self._alarm = alarm
        self._lease = lease
        self._greenlet: gevent.Greenlet | None = None
        self._following: Following | None = None
        self.blind_since: float | None = time.time()
        """Since when (Unix time, seconds) nothing is watched by this process; None while it watches."""
        self._seen_until: float | None = None
        """When this process saw the switch last; None: never."""
        self.stands_by = False
        """Whether another process watches this switch."""
        self.core = ""
        """Which run of the switch we have seen last, by its own word (Core-UUID)."""

    def take(self, house: House) -> None:
        """What is so for callers who arrive from now on."""
        self._house = house
        if self._following is not None:
            self._following.take(house)

    def start(self) -> None:
        """Begin; returns at once."""
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """End; another process may take over at once. What sounds is silent until then."""
        if self._following is not None:
            self._following.fall_silent(SILENT_SECONDS)
        if self._greenlet is not None:
            self._greenlet.kill()
        self._lease.release()

    @property
    def blind_for(self) -> float:
        """Seconds without sight."""
        return 0.0 if self.blind_since is None else time.time() - self.blind_since

    @property
    def conversations(self) -> int:
        """How many are followed now."""
        return len(self._following.visits) if self._following else 0

    @property
    def visits(self) -> list[Visit]:
        """Those that are followed now; nothing of them may be changed."""
        return list(self._following.visits.values()) if self._following else []

    def visit_of(self, agent: str) -> Visit | None:
        """The one whose talk an agent is in; nothing of it may be changed."""
        return self._following.ask(None, agent) if self._following else None

    @property
    def recorded(self) -> int:
        """How many of them are recorded now."""
        visits = self._following.visits.values() if self._following else ()
        return sum(bool(visit.state.now.recorders) for visit in visits)

    def _run(self) -> None:
        pause = FIRST_PAUSE_S
        why: str | None = None
        while True:
            connection = InboundConnection(self.address, self._login)
            try:
                connection.connect()
                pause, why = FIRST_PAUSE_S, None
                self._stand_by(connection)
                connection.subscribe(*SUBSCRIPTIONS)
                self._follow(connection)
            except (ESLError, OSError) as error:
                self.blind_since = self.blind_since or time.time()
                if str(error) != why:
                    why = str(error)
                    log.error("the watch is blind: see switches", switch=self.name, why=why)
            except Exception:
                self.blind_since = self.blind_since or time.time()
                log.exception("the watch failed; it begins anew", switch=self.name)
            finally:
                connection.stop()
            self._let_go()
            gevent.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _stand_by(self, connection: InboundConnection) -> None:
        """Until the lease is ours. Only who sees the switch takes it, and keeps nobody else from watching: it is asked
        something each time."""
        while True:
            self.core = connection.send(f"api {switch.CORE_UUID}").body.decode("utf-8", "replace").strip()
            if self._lease.take():
                self.stands_by = False
                return
            if not self.stands_by:
                log.info("another process watches this switch", switch=self.name)
            self.stands_by = True
            gevent.sleep(LEASE_PAUSE_S)

    def _let_go(self) -> None:
        """Without sight: the lease is for whoever has it, and ``stands_by`` says whether somebody has."""
        self._lease.release()
        try:
            self.stands_by = not self._lease.take()
        except OSError:
            self.stands_by = False
        self._lease.release()

    def _follow(self, connection: InboundConnection) -> None:
        """For the time of one connection; the other one, for executions, ends with it."""
        executions = InboundConnection(self.address, self._login)
        following = Following(connection, self._house, self._ledger, self._sealer, self._alarm, self._seen_until)
        beside = [
            gevent.spawn(self._listen, executions, connection, following),
            gevent.spawn(self._keep_lease, connection, following),
        ]
        try:
            blind = round(time.time() - (self.blind_since or time.time()), 1)
            log.info("watching", switch=self.name, blind_s=blind)
            self._following, self.blind_since = following, None
            following.run()
        finally:
            self._following = None
            self.blind_since = self._seen_until = time.time()
            gevent.killall(beside)
            following.end()
            executions.stop()

    def _listen(self, executions: InboundConnection, connection: InboundConnection, following: Following) -> None:
        try:
            executions.connect(*EXECUTIONS)
            while True:
                event = executions.receive()
                if isinstance(event, Event):
                    following.hear(event)
        except ESLError as error:
            log.error("the watch hears of no executions; it begins anew", why=str(error))
            connection.stop()
            following.post(lambda: None)

    def _keep_lease(self, connection: InboundConnection, following: Following) -> None:
        """Who has lost the lease must not act any more: somebody else may have it."""
        while self._lease.holds():
            gevent.sleep(LEASE_PAUSE_S)
        log.error("the lease on this switch is lost; somebody else may watch it", switch=self.name)
        connection.stop()
        following.post(lambda: None)

    @property
    def is_dead(self) -> bool:
        """Whether it ended, although it should go on."""
        return self._greenlet is not None and self._greenlet.ready()

    def follows(self, channel_uuid: str) -> bool:
        """Whether a conversation of this caller's leg is followed now."""
        return self._following is not None and channel_uuid in self._following.visits

    # --- from outside ------------------------------------------------------------------------

    def ask(self, wish: AgentWish, by: str, *, channel_uuid: str | None = None, agent: str | None = None) -> str:
        """What a desktop wants: ``unknown`` (no such conversation here), ``refused`` (means nothing now, or is not
        allowed), ``done`` (seen to be so), or ``unconfirmed``."""
        following = self._following
        visit = following.ask(channel_uuid, agent) if following else None
        if following is None or visit is None:
            return "unknown"
        outcome: gevent.event.AsyncResult = gevent.event.AsyncResult()

        def tell() -> None:
            if following.tell(visit, ev.AgentAsked(wish, by)):
                visit.wait_for(_SO[wish]).rawlink(lambda result: outcome.set("done" if result.value else "unconfirmed"))
            else:
                outcome.set("refused")

        following.post(tell)
        try:
            said: str = outcome.get(timeout=CONFIRM_SECONDS)
        except gevent.Timeout:
            return "unconfirmed"
        return said

    def variable_of(self, channel_uuid: str, name: str) -> str | None:
        """A channel's variable as the switch says it now; None when it does not say."""
        following = self._following
        if following is None:
            return None
        outcome: gevent.event.AsyncResult = gevent.event.AsyncResult()
        command = switch.variable_of(channel_uuid, name)
        following.post(lambda: following.connection.bgapi(command, outcome.set))
        try:
            said: str = outcome.get(timeout=CONFIRM_SECONDS)
        except gevent.Timeout:
            return None
        return None if said.startswith("-ERR") else said.strip()


def _settled(state: TalkState) -> bool:
    """Whether nothing is on its way to silence, or out of it: who resumes and pauses in one breath must not be told of
    the wish before."""
    return not (state.masking or state.unmasking or state.starting)


def _nothing_records(state: TalkState) -> bool:
    return state.withdrawal is None


_SO = {
    AgentWish.START: lambda state: not state.starting and bool(state.unclosed),
    AgentWish.STOP: lambda state: state.stop_by is None,
    AgentWish.PAUSE: lambda state: state.paused and state.pause_by is None and _settled(state),
    AgentWish.RESUME: lambda state: not (state.paused or state.pause_by or state.mute) and _settled(state),
    AgentWish.WITHDRAW: _nothing_records,
}
