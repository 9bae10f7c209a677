"""The service: asking on one side, watching on the other, the ledger between them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import structlog

from consentivr.asking import Call
from consentivr.config import Configuration
from consentivr.config.model import endpoint, path_of
from consentivr.core import events as ev
from consentivr.core.enrolling import AgentAnnouncement, Proof
from consentivr.core.policy import AgentWish, Announcement
from consentivr.custody import DailyRetention, Pins, Sealer
from consentivr.enrolling import Enrolment
from consentivr.esl.server import OutboundServer
from consentivr.esl.session import OutboundSession
from consentivr.files import read_secret
from consentivr.ledger import LedgerError, LedgerWriter, lease_for
from consentivr.resources import large_blocks_go_back, room_for_calls
from consentivr.service.build import CannotServe, agents_line, build_lines, house, retain, signer, switches
from consentivr.service.check import too_few
from consentivr.switch import VISIT
from consentivr.threads import Worker
from consentivr.watch import Alarm, Lease, Watch
from consentivr.web import Status, WebServer

log = structlog.get_logger(__name__)

CONNECT_SECONDS = 5.0
"""How long a peer may take to hand over a call."""

BLIND_SECONDS = 3.0
"""A switch that nobody has watched for so long is one on which nothing is recorded."""


class Application:
    """Started, it answers for every call that a switch hands over, and follows every conversation."""

    def __init__(self, configuration: Configuration, *, listen: tuple[str, int] | None = None) -> None:
        """``listen`` instead of the configured address; port 0 takes a free one."""
        self._lines = build_lines(configuration)
        self._agents_line = agents_line(configuration)
        self._pins = Pins(path_of(configuration.agents.line.pins_file)) if configuration.agents.line else None
        self._hashing = Worker()
        self._commit_timeout = configuration.ledger.commit_timeout_ms / 1000
        try:
            key = signer(configuration)
        except LedgerError as error:
            raise CannotServe(str(error)) from error
        self.ledger = LedgerWriter(configuration.ledger.location, signer=key, slow_s=max(1.0, self._commit_timeout))
        self._asked: dict[str, Call] = {}
        self._max_connections = configuration.service.max_connections
        self._web = self._web_server(configuration)
        others = [path_of(path) for path in configuration.watch.erase_below]
        self._sealer = Sealer(Path(configuration.recordings.folder), self.ledger, others)
        self._alarm = Alarm(configuration.watch.command)
        self._house = house(configuration, self._lines)
        self._watches = [
            Watch(
                address,
                password,
                self._house,
                self.ledger,
                self._sealer,
                self._alarm,
                self._lease(configuration, address),
            )
            for address, password in switches(configuration)
        ]
        daily_at = configuration.retention.daily_at
        self._retention = DailyRetention(daily_at, lambda: retain(configuration)) if daily_at else None
        self._server = OutboundServer(
            listen or endpoint(configuration.service.listen),
            self._serve_call,
            allowed_peers=configuration.service.allowed_peers,
            max_connections=self._max_connections,
        )

    @staticmethod
    def _lease(configuration: Configuration, address: tuple[str, int]) -> Lease:
        return lease_for(configuration.ledger.location, "watch {}:{}".format(*address))

    def _web_server(self, configuration: Configuration) -> WebServer | None:
        if configuration.http.listen is None:
            return None
        try:
            token = read_secret(path_of(configuration.http.token_file or ""), shortest=16)
        except OSError as error:
            raise CannotServe(str(error)) from error
        return WebServer(endpoint(configuration.http.listen), self, token)

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

    def start(self) -> None:
        """Open the ledger, note the announcements' versions, watch, listen.

        Raises CannotServe; nothing is left open then.
        """
        try:
            self.ledger.start()
            for line in self._lines.values():
                for sounds in line.sounds.values():
                    for announcement in (Announcement.QUESTION, Announcement.TOLD):
                        if announcement in sounds:
                            self.ledger.add_notice(sounds[announcement].notice)
            for heard in self._agents_line.sounds.values() if self._agents_line else ():
                self.ledger.add_notice(heard[AgentAnnouncement.WORDING].notice)
        except LedgerError as error:
            raise CannotServe(str(error)) from error
        large_blocks_go_back()
        room = room_for_calls(self._max_connections)
        if room < self._max_connections:
            log.warning("too few descriptors", why=too_few(self._max_connections, room))
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
        for watch in self._watches:
            watch.start()
        log.info("serving", address="{}:{}".format(*self.address), lines=[line.name for line in self._lines.values()])

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
        for watch in self._watches:
            watch.stop()
        self._sealer.stop()
        self.ledger.stop()

    def _serve_call(self, session: OutboundSession) -> None:
        headers = session.connect(CONNECT_SECONDS)
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

    def ask_of_call(self, channel_uuid: str, wish: AgentWish, by: str) -> str:
        """What became of a wish; see ``Watch.ask``."""
        return self._ask(lambda watch: watch.ask(wish, by, channel_uuid=channel_uuid))

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
            self.ledger.rows,
            self.ledger.transactions,
        )
