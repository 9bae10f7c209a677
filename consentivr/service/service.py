"""The service: asking on one side, watching on the other, the ledger between them."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gevent
import structlog

import consentivr
from consentivr import metrics
from consentivr.asking import Call, proof
from consentivr.check.lookout import Lookout
from consentivr.config import ConfigError, Configuration, load
from consentivr.core import events as ev
from consentivr.core.enrolling import Proof
from consentivr.core.policy import AgentWish
from consentivr.custody import DailyRetention, DayFolders, Sealer
from consentivr.enrolling import Enrolment
from consentivr.esl.peer import is_told
from consentivr.esl.server import OutboundServer
from consentivr.esl.session import OutboundSession
from consentivr.ledger import LedgerError, LedgerWriter, lease_for
from consentivr.ledger.measuring import expect
from consentivr.resources import large_blocks_go_back, room_for_calls, room_to_turn_away
from consentivr.service.build import (
    CannotServe,
    Rules,
    dialplan_secret,
    fixed,
    head_file,
    peer_users,
    retain,
    rules,
    signer,
    stamper,
    switches,
    tokens,
)
from consentivr.service.check import connected, wanted_of
from consentivr.service.here import too_few
from consentivr.service.surroundings import Surroundings
from consentivr.service.trials import Trials
from consentivr.switch import VISIT
from consentivr.threads import Worker
from consentivr.watch import Alarm, Lease, Watch
from consentivr.watch.visit import Visit
from consentivr.web import QueueNow, Status, Talk, Tokens, WebServer

log = structlog.get_logger(__name__)

ALARM_SECONDS = 5.0
"""So long, at the end, incidents that nobody was told of yet may take."""
CONNECT_SECONDS = 5.0
"""How long a peer may take to hand over a call."""

HTTP_PAUSE_S = 0.5
"""So often it is seen whether HTTP can be served."""

LOOK_SECONDS = 20.0
"""So long whoever asks for a look at the switches waits for it at most."""

BLIND_SECONDS = 3.0
"""A switch that nobody has watched for so long is one on which nothing is recorded."""


class Application:
    """Started, it answers for every call that a switch hands over, and follows every conversation."""

    def __init__(
        self, configuration: Configuration, *, listen: tuple[str, int] | None = None, standby: bool = False
    ) -> None:
        """``listen`` instead of the configured address; port 0 takes a free one.

        ``standby``: for another process on this machine, on an address of its own, without daily retention, and with
        HTTP only while it watches.
        """
        self._standby = standby
        self._rules = rules(configuration)
        self._hashing = Worker()
        self._reading = Worker()
        self._reload_failed: str | None = None
        self._stopping = False
        self._commit_timeout = configuration.ledger.commit_timeout_ms / 1000
        try:
            key, authority = signer(configuration), stamper(configuration)
        except LedgerError as error:
            raise CannotServe(str(error)) from error
        self.ledger = LedgerWriter(
            configuration.ledger.location,
            signer=key,
            slow_s=max(1.0, self._commit_timeout),
            head_file=head_file(configuration),
            post_to=configuration.ledger.post_checkpoints_to,
            stamper=authority,
        )
        self._trials = Trials(configuration.ledger.location, self.ledger)
        self._trials.take(self._rules)
        self._secret = dialplan_secret(configuration)
        self._asked: dict[str, Call] = {}
        wanted = configuration.service.max_connections
        self._max_connections = room_for_calls(wanted)
        if self._max_connections < wanted:
            log.warning("too few descriptors", why=too_few(wanted, self._max_connections))
        if self._max_connections == 0:
            raise CannotServe(too_few(wanted, 0))
        self._tokens = tokens(configuration) if configuration.http.listen else None
        self._web: WebServer | None = None
        self._opening: gevent.Greenlet | None = None
        self._days = DayFolders(configuration.recordings.folder)
        self._sealer = Sealer(self._rules.places, self.ledger)
        self._alarm = Alarm(configuration.watch.command)
        self._surroundings = Surroundings(self._rules.sounds, _disks(configuration))
        self._watches = [
            Watch(
                address,
                login,
                self._rules.house,
                self.ledger,
                self._sealer,
                self._alarm,
                self._lease(configuration, address),
            )
            for address, login in switches(configuration)
        ]
        self._lookouts = [
            Lookout(
                str(switch.address),
                partial(connected, switch),
                wanted_of(configuration, switch),
                self.ledger,
                self._alarm,
                partial(_watches, watch),
            )
            for switch, watch in zip(configuration.switches, self._watches, strict=True)
        ]
        self._retention = self._daily_retention()
        self._server = OutboundServer(
            listen or (configuration.service.standby if standby else configuration.service.listen),
            self._serve_call,
            allowed_peers=configuration.service.allowed_peers,
            peer_users=self._peer_users(configuration),
            max_connections=self._max_connections,
            turned_away_at_once=room_to_turn_away(self._max_connections),
        )

    @staticmethod
    def _peer_users(configuration: Configuration) -> frozenset[int] | None:
        users = peer_users(configuration)
        if users is None or is_told():
            return users
        if configuration.service.peer_user is not None:
            raise CannotServe("this kernel does not say whose a connection is: set service.peer_user to '*'")
        log.warning("users on this machine are not told apart: this kernel does not say whose a connection is")
        return None

    @staticmethod
    def _lease(configuration: Configuration, address: tuple[str, int]) -> Lease:
        return lease_for(configuration.ledger.location, "watch {}:{}".format(*address))

    def _daily_retention(self) -> DailyRetention | None:
        daily_at = self._rules.configuration.retention.daily_at
        if daily_at is None or self._standby:
            return None
        return DailyRetention(daily_at, lambda: retain(self._rules.configuration))

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return self._server.address

    @property
    def calls(self) -> int:
        """Calls that are being asked."""
        return self._server.calls

    @property
    def recorded(self) -> int:
        """Conversations that are recorded now."""
        return sum(watch.recorded for watch in self._watches)

    def start(self, *, new_ledger: bool = False) -> None:
        """Open the ledger, note the announcements' versions, watch, listen.

        ``new_ledger``: begin a ledger, or go on with what is left of one, although another should be there. Raises
        CannotServe; nothing is left open then.
        """
        try:
            self.ledger.start(new_ledger=new_ledger)
            self._note_wordings(self._rules)
        except LedgerError as error:
            self.ledger.stop()
            raise CannotServe(str(error)) from error
        metrics.BUILD.info({"version": consentivr.__version__})
        metrics.RELOADED.set(1)
        large_blocks_go_back()
        self._days.start()
        self._surroundings.start()
        self._trials.start()
        self._listen()
        for watch in self._watches:
            watch.start()
        for lookout in self._lookouts:
            lookout.start()
        log.info(
            "serving",
            address="{}:{}".format(*self.address),
            standby=self._standby,
            lines=[line.name for line in self._rules.lines.values()],
        )

    def _note_wordings(self, rules: Rules) -> None:
        """Before anybody is asked with one. Raises LedgerError."""
        for spoken in rules.wordings:
            try:
                is_new = self.ledger.add_notice(spoken.notice)
            except LedgerError as error:
                raise LedgerError(f"{spoken.path}: {error}") from error
            if is_new:
                log.info("callers hear a new wording", path=spoken.path, notice=spoken.notice.digest[:12])
        for line in rules.lines.values():
            expect(line.name)

    def reload(self, path: Path) -> None:
        """Take a configuration, and the announcements, for callers who arrive from now on.

        What cannot change while we serve stays, and is named in the log. On any error everything stays as it is: the
        log says why, and so does ``not_good``. Others go on meanwhile.
        """
        before = self._rules
        try:
            wanted = self._reading.run(load, path, lambda text: log.warning("configuration", said=text))
            configuration, waiting = fixed(before.configuration, wanted)
            found = self._reading.run(rules, configuration)
            self._note_wordings(found)
        except Exception as error:
            self._reload_failed = str(error)
            metrics.RELOADED.set(0)
            foreseen = isinstance(error, (ConfigError, CannotServe, LedgerError))
            log.error("configuration not taken: the one before goes on", why=str(error), exc_info=not foreseen)
            return
        self._rules, self._reload_failed = found, None
        self._trials.take(found)
        for watch in self._watches:
            watch.take(found.house)
        for switch, lookout in zip(configuration.switches, self._lookouts, strict=True):
            lookout.wanted = wanted_of(configuration, switch)
        self._sealer.places = found.places
        self._alarm.take(configuration.watch.command)
        self._surroundings.sounds = found.sounds
        self._surroundings.look()
        if configuration.retention.daily_at != before.configuration.retention.daily_at:
            self._begin_retention()
        metrics.RELOADED.set(1)
        metrics.RESTART_WANTED.set(len(waiting))
        if waiting:
            log.warning("settings wait for the next start", settings=waiting)
        log.info("configuration taken", lines=[line.name for line in found.lines.values()])

    def _begin_retention(self) -> None:
        if self._retention is not None:
            self._retention.stop()
        self._retention = self._daily_retention()
        if self._retention is not None:
            self._retention.start()

    def _listen(self) -> None:
        try:
            self._server.start()
        except OSError as error:
            self.ledger.stop()
            raise CannotServe(f"cannot listen: {error}; see service.listen") from error
        if self._tokens is not None:
            self._opening = gevent.spawn(self._open_http, self._tokens)
            gevent.sleep(0)
        if self._retention is not None:
            self._retention.start()

    def _open_http(self, tokens: Tokens) -> None:
        """Now, or as soon as the port is free. A standby has it while it watches: only who watches can do what a
        desktop asks for, and only one of the two can have the port."""
        taken = False
        address = self._rules.configuration.http.listen
        assert address is not None
        while True:
            wanted = not self._standby or any(watch.blind_since is None for watch in self._watches)
            if wanted and self._web is None:
                web = WebServer(address, self, tokens)
                try:
                    web.start()
                except OSError as error:
                    if not taken:
                        log.warning("http.listen is taken; it is tried again and again", why=str(error))
                    taken = True
                else:
                    self._web, taken = web, False
            elif not wanted and self._web is not None:
                self._close_http()
            gevent.sleep(HTTP_PAUSE_S)

    def _close_http(self) -> None:
        if self._web is not None:
            self._web.stop()
            self._web = None

    def stop(self, grace: float = 0.0) -> None:
        """Take no more calls, let questions under way end within ``grace`` seconds, write the last rows, close.

        Conversations go on, and are taken up by the next process.
        """
        self._stopping = True
        self._server.stop_listening()
        self._server.join(grace)
        for call in list(self._asked.values()):
            call.signal(ev.ServiceStops())
        self._server.join(1.0)
        self._server.stop()
        if self._opening is not None:
            self._opening.kill()
        self._close_http()
        if self._retention is not None:
            self._retention.stop()
        self._days.stop()
        for lookout in self._lookouts:
            lookout.stop()
        for watch in self._watches:
            watch.stop()
        self._surroundings.stop()
        self._trials.stop()
        self._sealer.stop()
        self._alarm.stop(ALARM_SECONDS)
        self.ledger.stop()

    def _serve_call(self, session: OutboundSession) -> None:
        """Raises PeerRefused when the dialplan is not ours."""
        headers = session.connect(CONNECT_SECONDS)
        if self._secret is not None:
            proof.check(self._secret, headers)
        agents = self._rules.agents_line
        if agents is not None and headers.get("Caller-Destination-Number") == agents.number:
            Enrolment(session, agents, self._check_pin, self.ledger, self._commit_timeout).run(headers)
            return
        call = Call(session, self._trials.lines, self.ledger, self._commit_timeout, self._may_ask, self._is_watched)
        call.run(headers, self._asked)

    def _check_pin(self, number: str, pin: str) -> tuple[Proof, str]:
        assert self._rules.pins is not None
        return self._hashing.run(self._rules.pins.check, number, pin)

    def _may_ask(self, channel_uuid: str) -> bool:
        """Whether nobody asks or follows this channel, or a switch has it and does not say that it is on a visit.

        Whoever can reach our port can name any channel; the dialplan takes the old visit off before it dials us.
        """
        if channel_uuid not in self._asked and not any(watch.follows(channel_uuid) for watch in self._watches):
            return True
        said = [watch.variable_of(channel_uuid, VISIT) for watch in self._watches]
        return any(word == "_undef_" for word in said)

    def _is_watched(self, core: str) -> bool:
        """Whether somebody follows what will be recorded on the switch whose run this is: this process, or the one that
        has the lease. A switch that is gone says nothing of the others."""
        known = [watch for watch in self._watches if watch.core == core]
        asked = known or [watch for watch in self._watches if watch.blind_since is not None]
        return any(watch.stands_by or watch.blind_for < BLIND_SECONDS for watch in asked)

    # --- for the agents' desktops ------------------------------------------------------------

    def ask_of_call(self, channel_uuid: str, wish: AgentWish, by: str, *, agent: str | None = None) -> str:
        """What became of a wish; see ``Watch.ask``. With ``agent`` only of a talk that this one is in."""
        return self._ask(lambda watch: watch.ask(wish, by, channel_uuid=channel_uuid, agent=agent))

    def ask_of_agent(self, agent: str, wish: AgentWish, by: str) -> str:
        """The same for the talk that an agent is in."""
        return self._ask(lambda watch: watch.ask(wish, by, agent=agent))

    def talk_of(self, agent: str) -> Talk | None:
        """The talk that an agent is in; None: none that is followed here."""
        for watch in self._watches:
            visit = watch.visit_of(agent)
            if visit is not None:
                now = visit.state.now
                recorded = bool(now.recorders) and not visit.state.masked
                return Talk(visit.ref.queue, visit.began, recorded, visit.state.paused, now.held)
        return None

    def _ask(self, ask: Callable[[Watch], str]) -> str:
        for watch in self._watches:
            said = ask(watch)
            if said != "unknown":
                return said
        return "unknown"

    def look_at_switches(self) -> list[dict[str, Any]]:
        """What is found now on each of them, as ``consentivr check --live --json`` tells it."""
        looks = [gevent.spawn(lookout.look_now, LOOK_SECONDS) for lookout in self._lookouts]
        return [finding.as_dict() for look in looks for finding in look.get()]

    def status(self) -> Status:
        """How it is now."""
        return Status(
            self.calls,
            sum(watch.conversations for watch in self._watches),
            self.ledger.pending,
            all(watch.blind_since is None or watch.stands_by for watch in self._watches),
            self._alarm.incidents,
            self._alarm.untold,
            self._server.refused,
            self._not_good(),
            self._queues(),
            {lookout.address: lookout.looked_s for lookout in self._lookouts if lookout.is_ours},
        )

    def _queues(self) -> dict[str, QueueNow]:
        now: dict[str, QueueNow] = {}
        for call in self._asked.values():
            now.setdefault(call.queue, QueueNow()).asked += 1
        for visit in (visit for watch in self._watches for visit in watch.visits):
            if visit.channel not in self._asked:
                _count(now.setdefault(visit.ref.queue, QueueNow()), visit)
        return now

    def _not_good(self) -> dict[str, str]:
        """What is not as it should be, by its name in ``Status``, and why."""
        wrong = dict(self._surroundings.wrong)
        dead = [name for name, part in self._parts() if part.is_dead]
        if dead:
            wrong["process"] = f"a fault of ours, see the log: {', '.join(dead)} ended"
        if self.ledger.failure is not None:
            wrong["ledger"] = self.ledger.failure
        blind = [watch.name for watch in self._watches if not watch.stands_by and watch.blind_for >= BLIND_SECONDS]
        if blind:
            every = len(blind) == len(self._watches)
            wrong["switches" if every else "some_switches"] = f"nobody watches {', '.join(blind)}"
        if self._reload_failed is not None:
            wrong["configuration"] = self._reload_failed
        if self._stopping:
            wrong["stopping"] = "it was told to end"
        return wrong

    def _parts(self) -> list[tuple[str, LedgerWriter | Lookout | Sealer | Surroundings | Trials | Watch]]:
        """What must go on as long as we serve."""
        watches = [(f"the watch of {watch.name}", watch) for watch in self._watches]
        return [
            ("the ledger", self.ledger),
            ("sealing", self._sealer),
            ("looking around", self._surroundings),
            ("looking at trials", self._trials),
            *watches,
            *((f"looking at {lookout.address}", lookout) for lookout in self._lookouts),
        ]

    def in_a_line(self) -> str:
        """The same, for people."""
        now = self.status()
        wrong = f"; not good: {', '.join(sorted(now.not_good))}" if now.not_good else ""
        return f"{now.calls} asked, {now.conversations} followed, {self.recorded} recorded{wrong}"

    def measure(self) -> None:
        """Bring the gauges up to date."""
        metrics.QUESTIONS_OPEN.set(self.calls)
        metrics.QUESTIONS_AT_MOST.set(self._max_connections)
        metrics.CONVERSATIONS_OPEN.set(sum(watch.conversations for watch in self._watches))
        metrics.CONVERSATIONS_RECORDED.set(self.recorded)
        metrics.ROWS_PENDING.set(self.ledger.pending)
        metrics.WRITABLE.set(self.ledger.failure is None)
        metrics.WATCHED.clear()
        for watch in self._watches:
            metrics.WATCHED.labels(watch.name).set(watch.blind_since is None or watch.stands_by)
        metrics.FINDINGS.clear()
        for lookout in self._lookouts:
            for level, number in lookout.counts().items():
                metrics.FINDINGS.labels(lookout.address, level).set(number)


def _count(queue: QueueNow, visit: Visit) -> None:
    state = visit.state
    if not state.now.talking:
        queue.waiting += 1
        queue.longest_wait_s = max(queue.longest_wait_s, round(time.time() - visit.began, 1))
        return
    queue.talking += 1
    queue.recorded += bool(state.now.recorders)
    queue.paused += state.paused


def _watches(watch: Watch) -> bool:
    """Whether this process watches the switch now."""
    return watch.blind_since is None


def _disks(configuration: Configuration) -> dict[str, Path]:
    """What lies where, for ``Surroundings``."""
    disks = {"recordings": Path(configuration.recordings.folder)}
    return disks if configuration.ledger.url else disks | {"ledger": configuration.ledger.path}
