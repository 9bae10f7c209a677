"""Who is heard in a room, and whether the register says that they agreed."""

from __future__ import annotations

from collections.abc import Callable

import gevent
import structlog

from consentivr import switch
from consentivr.core.events import Party
from consentivr.core.identity import agent_on
from consentivr.core.switchboard import Switchboard
from consentivr.core.verdict import Permission
from consentivr.esl.inbound import InboundConnection
from consentivr.ledger import LedgerWriter
from consentivr.recordings import is_channel_uuid
from consentivr.watch.house import House

log = structlog.get_logger(__name__)


class People:
    """Knows agents by their legs. What is not known yet is asked for, and ``found`` told when it is."""

    def __init__(
        self,
        connection: InboundConnection,
        house: House,
        ledger: LedgerWriter,
        board: Switchboard,
        found: Callable[[str], None],
        post: Callable[[Callable[[], None]], None],
    ) -> None:
        self._connection = connection
        self._house = house
        self._ledger = ledger
        self._board = board
        self._found = found
        self._post = post
        self._agents: dict[str, str | None] = {}
        """By leg; None: nobody known, or not known yet."""
        self._asking: set[str] = set()
        """Legs of which the switch was asked and has not answered."""
        self._agreed: dict[str, dict[str, Permission]] = {}
        """By leg, by queue."""

    def take(self, house: House) -> None:
        """Whoever is asked about from now on."""
        self._house = house

    def agent_found(self, leg: str, agent: str) -> None:
        """mod_callcenter says who it bridged."""
        self._agents[leg] = agent

    def agent_noted(self, leg: str, agent: str, queue: str, agreed: bool) -> None:
        """The ledger says who is on this leg, and what the register said when this talk began."""
        self._agents[leg] = agent
        self._agreed.setdefault(leg, {})[queue] = Permission.AGREED if agreed else Permission.NOT_AGREED

    def is_told(self, leg: str) -> bool:
        """Whether it is known who is on a leg, or that nobody can tell."""
        return (
            leg in self._agents
            and leg not in self._asking
            and Permission.UNKNOWN not in self._agreed.get(leg, {}).values()
        )

    def gone(self, leg: str) -> None:
        """The leg is down."""
        self._agents.pop(leg, None)
        self._asking.discard(leg)
        self._agreed.pop(leg, None)

    def party(self, leg: str, queue: str, must_agree: bool) -> Party:
        """Somebody who is no caller of ours."""
        if leg not in self._agents:
            self._agents[leg] = None
            self._ask_who(leg)
        agent = self._agents[leg]
        silent = self._board.is_silent(leg)
        if agent is None:
            return Party(leg, "listener" if silent else "unknown", None, Permission.UNKNOWN)
        permission = self._permission(leg, agent, queue) if must_agree else Permission.AGREED
        return Party(leg, "listener" if silent else "agent", agent, permission)

    def agent_on(self, leg: str) -> str | None:
        """The agent on a leg, if it is known to be one."""
        return self._agents.get(leg)

    def legs_of(self, agent: str) -> list[str]:
        """The legs on which an agent is."""
        return [leg for leg, name in self._agents.items() if name == agent]

    # --- inside ------------------------------------------------------------------------------

    def _ask_who(self, leg: str) -> None:
        if is_channel_uuid(leg):
            self._asking.add(leg)
            self._connection.bgapi(switch.dump(leg), lambda said: self._told(leg, said))

    def _told(self, leg: str, said: str) -> None:
        self._asking.discard(leg)
        agent = self._agent_in(said)
        if agent is not None and self._agents.get(leg, "") is None:
            self._agents[leg] = agent
        self._found(leg)  # after the name is known: else it is somebody of whom nobody can tell

    def _agent_in(self, said: str) -> str | None:
        return agent_on(switch.dumped(said), self._house.users)

    def _permission(self, leg: str, agent: str, queue: str) -> Permission:
        """Of this talk: asked once, so that a withdrawal counts from the next one on."""
        known = self._agreed.get(leg, {}).get(queue)
        if known is None:
            known = Permission.UNKNOWN
            self._agreed.setdefault(leg, {})[queue] = known
            gevent.spawn(self._ask_register, leg, agent, queue)
        return known

    def _ask_register(self, leg: str, agent: str, queue: str) -> None:
        agreed = self._ledger.agent_agreed(agent, queue, self._house.commit_timeout)
        self._post(lambda: self._registered(leg, queue, agreed))

    def _registered(self, leg: str, queue: str, agreed: bool) -> None:
        if leg in self._agreed:
            self._agreed[leg][queue] = Permission.AGREED if agreed else Permission.NOT_AGREED
            self._found(leg)
