"""The simulated switch: executes the rendered dialplan, dials the application, tells what it sees.

Behaviour follows FREESWITCH.md; the order of events follows the recorded conversations. What may happen to a
call stands here and in ``simulated.legs``: every method does it at once, in the order of a real switch.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

import gevent

from consentivr.lab.caller import Caller
from consentivr.lab.dialplan import Dialplan
from consentivr.lab.simulated.bridges import consult, end_bridge, join, start_bridge
from consentivr.lab.simulated.channel import Channel
from consentivr.lab.simulated.commands import Commands
from consentivr.lab.simulated.conferences import Conference
from consentivr.lab.simulated.faults import Faults
from consentivr.lab.simulated.legs import Leg
from consentivr.lab.simulated.recorders import Recorder
from consentivr.lab.simulated.schedule import Schedule
from consentivr.lab.simulated.words import Event

if TYPE_CHECKING:
    from consentivr.lab.event_socket import SimulatedEventSocket

__all__ = ["Channel", "Leg", "SimulatedSwitch"]


class SimulatedSwitch:
    """A switch with one context. ``speed`` is how many simulated seconds pass in a real one.

    ``queues`` maps a queue's name to its record-template (None: it has none); ``variables`` are global;
    ``more`` are extensions besides.
    """

    def __init__(
        self,
        dialplan: str,
        queues: dict[str, str | None],
        variables: dict[str, str],
        *,
        speed: float = 1.0,
        observer: Callable[[Channel, str], None] = lambda channel, what: None,
        more: str = "<context/>",
    ) -> None:
        self.observer = observer
        self.dialplan = Dialplan(dialplan, more)
        self.queues = queues
        self._speed, self._since, self._until_then_ms = speed, time.monotonic(), 0.0
        self.globals = dict(variables)
        self.core_uuid = str(uuid.uuid4())
        self.alive = True
        self.legs: dict[str, Leg] = {}
        """Every channel that is up, by its UUID, in the order in which they came."""
        self.conferences: dict[str, Conference] = {}
        self.recording: set[Recorder] = set()
        self.listeners: list[Callable[[Event], None]] = []
        """Who hears every event of every leg: connections to the simulated event socket, and tests."""
        self.sockets: list[SimulatedEventSocket] = []
        self.faults = Faults()
        self.commands = Commands(self)
        self.schedule = Schedule(self.later, self.api)

    # --- time --------------------------------------------------------------------------------

    @property
    def speed(self) -> float:
        """How many simulated seconds pass in a real one."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        self._until_then_ms, self._since, self._speed = self.now_ms, time.monotonic(), speed

    @property
    def now_ms(self) -> float:
        """Simulated milliseconds since it began."""
        return self._until_then_ms + (time.monotonic() - self._since) * 1000 * self._speed

    def later(self, seconds: float, what: Callable[..., None], *arguments: object) -> gevent.Greenlet:
        """Do something in so many simulated seconds."""
        return gevent.spawn_later(seconds / self._speed, what, *arguments)

    # --- what it is asked and tells ----------------------------------------------------------

    def api(self, command: str) -> str:
        """Obey an API command; what it answers."""
        return self.commands.run(command)

    def function(self, name: str, arguments: str) -> str:
        """What ``${name(arguments)}`` becomes in the dialplan: the answer as it is, with its line break."""
        return self.api(f"{name} {arguments}")

    def publish(self, event: Event) -> None:
        """To whoever listens, unless the stream loses it."""
        if not self.faults.loses(event):
            for listener in list(self.listeners):
                listener(event)

    def note(self) -> None:
        """Who hears whom may have changed."""
        for recorder in self.recording:
            recorder.note()

    # --- who is there ------------------------------------------------------------------------

    @property
    def channels(self) -> list[Channel]:
        """Callers who are up."""
        return [leg for leg in self.legs.values() if isinstance(leg, Channel)]

    def call(self, destination: str, caller: Caller) -> Channel:
        """Place a call; returns at once. ``Channel.over`` tells when it has ended."""
        channel = Channel(self, destination, caller)
        channel.appear()
        channel.greenlet = gevent.spawn(channel.run)
        return channel

    def leg(self, role: str, number: str, name: str = "", variables: dict[str, str] | None = None) -> Leg:
        """Somebody else, answered: 'agent', 'colleague', 'outsider', 'eavesdropper', 'other caller'."""
        leg = Leg(self, role, number, name, variables)
        leg.appear()
        return leg

    def dialled(self, by: Leg, number: str = "2001", *, directory: bool = True, answers: bool = True) -> Leg:
        """A colleague whom another leg dials, through the directory or past it; both legs say so."""
        variables = {"originating_leg_uuid": by.uuid, "originator": by.uuid}
        if directory:
            dialed = {"dialed_user": number, "dialed_domain": "127.0.0.1"}
            by.variables |= dialed
            variables |= {**dialed, "presence_id": f"{number}@127.0.0.1"}
        leg = Leg(self, "colleague", number, variables=variables)
        leg.other_leg, leg.answered = by.uuid, answers
        leg.appear()
        return leg

    # --- what may happen ---------------------------------------------------------------------

    def bridge(self, a: Leg, b: Leg) -> None:
        """As ``uuid_bridge A B``: also two callers with one another; who is left alone hangs up."""
        start_bridge(a, b)

    def consult(self, agent: Leg, number: str = "2001", *, directory: bool = True) -> Leg:
        """The agent asks a colleague (``att_xfer``), who has answered. Whoever hangs up first decides: the agent hands
        the caller over, the colleague declines."""
        agent.execute("att_xfer", f"user/{number}@127.0.0.1" if directory else f"sofia/lab/{number}@127.0.0.1")
        colleague = self.dialled(agent, number, directory=directory)
        consult(agent, colleague)
        return colleague

    def consult_in_vain(self, agent: Leg, number: str = "2001") -> None:
        """The colleague is busy: nothing is told but the end of that leg, and of the application."""
        agent.execute("att_xfer", f"user/{number}@127.0.0.1")
        self.dialled(agent, number, answers=False).hang_up("USER_BUSY")
        agent.completed("att_xfer", f"user/{number}@127.0.0.1")

    def consult_redirected(self, agent: Leg) -> Leg:
        """The colleague's telephone forwards (302): the agent's leg dials anew, and the caller is alone.

        Returns whoever answers, a leg without a name of the directory.
        """
        agent.execute("att_xfer", "user/2001@127.0.0.1")
        self.dialled(agent, answers=False).hang_up("REDIRECTION_TO_NEW_DESTINATION")
        waiting = agent.bridge
        assert waiting is not None, "the agent talks to nobody"
        caller = waiting.other(agent)
        caller.is_parked, caller.state = True, "CS_RESET"
        end_bridge(waiting)
        other = self.dialled(agent, "2098", directory=False)
        join(agent, other)
        return other

    def second_line(self, agent: Leg, number: str = "2001") -> tuple[Leg, Leg]:
        """The agent's phone puts the caller on hold and calls a colleague by itself: its second leg, and the colleague.

        ``replace`` completes it; or the second leg hangs up, and the agent's ``unhold``.
        """
        agent.hold()
        second = self.leg("agent", agent.number)
        colleague = self.dialled(second, number)
        start_bridge(second, colleague, "")
        return second, colleague

    def replace(self, agent: Leg, second: Leg) -> None:
        """REFER with Replaces: the caller, as A, is with the colleague; the second leg is parked until it hangs up."""
        held, inner = agent.bridge, second.bridge
        assert held is not None, "the agent talks to nobody"
        assert inner is not None, "the second line is with nobody"
        caller, colleague = held.other(agent), inner.other(second)
        second.is_parked = True
        end_bridge(inner, colleague)
        agent.unhold()
        agent.end_first("NORMAL_CLEARING")
        end_bridge(held, colleague)
        join(caller, colleague)

    def refer(self, agent: Leg, extension: str) -> None:
        """The agent's phone sends the caller to another extension, and is gone."""
        bridge = agent.bridge
        assert bridge is not None, "the agent talks to nobody"
        agent.end_first("NORMAL_CLEARING")
        end_bridge(bridge)
        bridge.other(agent).transfer(extension)

    def listen_in(self, to: Leg, *, three_way: bool = False, by: Leg | None = None) -> Leg:
        """A supervisor listens (``eavesdrop``), or an outsider joins in and is heard (``three_way``)."""
        leg = by or self.leg("outsider" if three_way else "eavesdropper", "3001" if three_way else "3009")
        leg.execute("three_way" if three_way else "eavesdrop", to.uuid)
        to.tap("eavesdrop", to.uuid, leg, heard=three_way)
        return leg

    def intercept(self, taken: Leg) -> Leg:
        """A colleague picks the call up: told on the colleague's leg, A."""
        colleague = self.leg("colleague", "2002")
        colleague.execute("intercept", taken.uuid)
        start_bridge(colleague, taken, cause="PICKED_OFF")
        return colleague

    def park(self, leg: Leg, lot: str = "lot 8001") -> None:
        """Into a parking lot (``valet_park``); whoever it was with hangs up."""
        left = leg.disconnect()
        leg.is_parked = True
        leg.execute("valet_park", lot)
        leg.taken()
        for other, side in left:
            other.left_alone(side)

    def fetch(self, parked: Leg) -> Leg:
        """A colleague takes it out again: told on the parked leg, A."""
        colleague = self.leg("colleague", "2003")
        parked.is_parked = False
        join(parked, colleague)
        return colleague

    def conference(self, name: str) -> Conference:
        """A room, made if need be; ``add`` legs to it, ``record`` it."""
        return self.conferences.get(name) or Conference(self, name)

    def crash(self) -> None:
        """Gone, with all that it held: no event, files without an end, every connection dropped."""
        self.alive = False
        for recorder in self.recording:
            recorder.abandon()
        self.recording.clear()
        self.schedule.clear()
        for socket in self.sockets:
            socket.cut()
        for leg in list(self.legs.values()):
            if isinstance(leg, Channel):
                leg.vanish()
            leg.up, leg.hangup_cause = False, "SYSTEM_SHUTDOWN"
        self.legs.clear()
        self.conferences.clear()

    def come_back(self) -> None:
        """Started again: another core, no channels; the event sockets listen where they did."""
        self.core_uuid = str(uuid.uuid4())
        self.alive = True
        for socket in self.sockets:
            socket.listen()
