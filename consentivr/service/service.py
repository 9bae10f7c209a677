"""The service: asking on one side, watching on the other, the ledger between them."""

from __future__ import annotations

from collections.abc import Callable

import structlog

import consentivr
from consentivr import metrics
from consentivr.asking import Call, proof
from consentivr.config import Configuration
from consentivr.core import events as ev
from consentivr.core.enrolling import AgentAnnouncement, Proof
from consentivr.core.policy import AgentWish, Announcement
from consentivr.custody import DailyRetention, DayFolders, Pins, Sealer
from consentivr.enrolling import Enrolment
from consentivr.esl.peer import is_told
from consentivr.esl.server import OutboundServer
from consentivr.esl.session import OutboundSession
from consentivr.ledger import LedgerError, LedgerWriter, lease_for
from consentivr.ledger.measuring import expect
from consentivr.resources import large_blocks_go_back, room_for_calls, room_to_turn_away
from consentivr.service.build import (
    CannotServe,
    agents_line,
    build_lines,
    dialplan_secret,
    head_file,
    house,
    peer_users,
    places,
    retain,
    signer,
    stamper,
    switches,
    tokens,
)
from consentivr.service.check import too_few
from consentivr.switch import VISIT
from consentivr.threads import Worker
from consentivr.watch import Alarm, Lease, Watch
from consentivr.web import Status, WebServer

log = structlog.get_logger(__name__)

ALARM_SECONDS = 5.0
"""So long, at the end, incidents that nobody was told of yet may take."""
CONNECT_SECONDS = 5.0
"""How long a peer may take to hand over a call."""

BLIND_SECONDS = 3.0
"""A switch that nobody has watched for so long is one on which nothing is recorded."""


class Application:
    """Started, it answers for every call that a switch hands over, and follows every conversation."""

    def __init__(
        self, configuration: Configuration, *, listen: tuple[str, int] | None = None, watch_only: bool = False
    ) -> None:
        """``listen`` instead of the configured address; port 0 takes a free one.

        ``watch_only``: take no calls, and stand by until no other process watches.
        """
        self._watch_only = watch_only
        self._lines = build_lines(configuration)
        self._agents_line = agents_line(configuration)
        self._pins = Pins(configuration.agents.line.pins_file) if configuration.agents.line else None
        self._hashing = Worker()
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
        self._secret = dialplan_secret(configuration)
        self._asked: dict[str, Call] = {}
        wanted = configuration.service.max_connections
        self._max_connections = room_for_calls(wanted)
        if self._max_connections < wanted:
            log.warning("too few descriptors", why=too_few(wanted, self._max_connections))
        if self._max_connections == 0:
            raise CannotServe(too_few(wanted, 0))
        self._web = None if watch_only else self._web_server(configuration)
        self._days = DayFolders(configuration.recordings.folder)
        self._sealer = Sealer(places(configuration), self.ledger)
        self._alarm = Alarm(configuration.watch.command)
        self._house = house(configuration, self._lines)
        self._watches = [
            Watch(
                address,
                login,
                self._house,
                self.ledger,
                self._sealer,
                self._alarm,
                self._lease(configuration, address),
            )
            for address, login in switches(configuration)
        ]
        daily_at = configuration.retention.daily_at
        self._retention = (
            DailyRetention(daily_at, lambda: retain(configuration)) if daily_at and not watch_only else None
        )
        self._server = OutboundServer(
            listen or configuration.service.listen,
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

    def _web_server(self, configuration: Configuration) -> WebServer | None:
        if configuration.http.listen is None:
            return None
        return WebServer(configuration.http.listen, self, tokens(configuration))

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
            for line in self._lines.values():
                for sounds in line.sounds.values():
                    for announcement in (Announcement.QUESTION, Announcement.TOLD):
                        if announcement in sounds:
                            self.ledger.add_notice(sounds[announcement].notice)
            for heard in self._agents_line.sounds.values() if self._agents_line else ():
                self.ledger.add_notice(heard[AgentAnnouncement.WORDING].notice)
        except LedgerError as error:
            raise CannotServe(str(error)) from error
        metrics.BUILD.info({"version": consentivr.__version__})
        for line in self._lines.values():
            expect(line.name)
        large_blocks_go_back()
        self._days.start()
        if not self._watch_only:
            self._listen()
        for watch in self._watches:
            watch.start()
        log.info(
            "standing by" if self._watch_only else "serving",
            address=None if self._watch_only else "{}:{}".format(*self.address),
            lines=[line.name for line in self._lines.values()],
        )

    def _listen(self) -> None:
        try:
            self._server.start()
        except OSError as error:
            self.ledger.stop()
            raise CannotServe(f"cannot listen: {error}; see service.listen") from error
        if self._web is not None:
            try:
                self._web.start()
            except OSError as error:
                self._server.stop()
                self.ledger.stop()
                raise CannotServe(f"cannot listen: {error}; see http.listen") from error
        if self._retention is not None:
            self._retention.start()

    def stop(self, grace: float = 0.0) -> None:
        """Take no more calls, let questions under way end within ``grace`` seconds, write the last rows, close.

        Conversations go on, and are taken up by the next process.
        """
        self._server.stop_listening()
        self._server.join(grace)
        for call in list(self._asked.values()):
            call.signal(ev.ServiceStops())
        self._server.join(1.0)
        self._server.stop()
        if self._web is not None:
            self._web.stop()
        if self._retention is not None:
            self._retention.stop()
        self._days.stop()
        for watch in self._watches:
            watch.stop()
        self._sealer.stop()
        self._alarm.stop(ALARM_SECONDS)
        self.ledger.stop()

    def _serve_call(self, session: OutboundSession) -> None:
        """Raises PeerRefused when the dialplan is not ours."""
        headers = session.connect(CONNECT_SECONDS)
        if self._secret is not None:
            proof.check(self._secret, headers)
        agents = self._agents_line
        if agents is not None and headers.get("Caller-Destination-Number") == agents.number:
            Enrolment(session, agents, self._check_pin, self.ledger, self._commit_timeout).run(headers)
            return
        call = Call(session, self._lines, self.ledger, self._commit_timeout, self._may_ask, self._is_watched)
        call.run(headers, self._asked)

    def _check_pin(self, number: str, pin: str) -> tuple[Proof, str]:
        assert self._pins is not None
        return self._hashing.run(self._pins.check, number, pin)

    def _may_ask(self, channel_uuid: str) -> bool:
        """Whether nobody asks or follows this channel, or a switch has it and does not say that it is on a visit.

        Whoever can reach our port can name any channel; the dialplan takes the old visit off before it dials us.
        """
        if channel_uuid not in self._asked and not any(watch.follows(channel_uuid) for watch in self._watches):
            return True
        said = [watch.variable_of(channel_uuid, VISIT) for watch in self._watches]
        return any(word == "_undef_" for word in said)

    def _is_watched(self) -> bool:
        """Whether somebody follows what will be recorded: this process, or the one that has the lease."""
        return all(watch.stands_by or watch.blind_for < BLIND_SECONDS for watch in self._watches)

    # --- for the agents' desktops ------------------------------------------------------------

    def ask_of_call(self, channel_uuid: str, wish: AgentWish, by: str, *, agent: str | None = None) -> str:
        """What became of a wish; see ``Watch.ask``. With ``agent`` only of a talk that this one is in."""
        return self._ask(lambda watch: watch.ask(wish, by, channel_uuid=channel_uuid, agent=agent))

    def ask_of_agent(self, agent: str, wish: AgentWish, by: str) -> str:
        """The same for the talk that an agent is in."""
        return self._ask(lambda watch: watch.ask(wish, by, agent=agent))

    def _ask(self, ask: Callable[[Watch], str]) -> str:
        for watch in self._watches:
            said = ask(watch)
            if said != "unknown":
                return said
        return "unknown"

    def status(self) -> Status:
        """How it is now."""
        return Status(
            self.calls,
            sum(watch.conversations for watch in self._watches),
            self.ledger.pending,
            self.ledger.failure,
            all(watch.blind_since is None or watch.stands_by for watch in self._watches),
            self._alarm.incidents,
            self._alarm.untold,
            self._server.refused,
        )

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
            metrics.WATCHED.labels("{}:{}".format(*watch.address)).set(watch.blind_since is None or watch.stands_by)
