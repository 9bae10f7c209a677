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
from consentivr.lab.simulated.bridges import consult, start_bridge
from consentivr.lab.simulated.channel import Channel
from consentivr.lab.simulated.commands import Commands
from consentivr.lab.simulated.conferences import Conference
from consentivr.lab.simulated.faults import Faults
from consentivr.lab.simulated.legs import Leg
from consentivr.lab.simulated.recorders import Recorder
from consentivr.lab.simulated.schedule import Schedule

if TYPE_CHECKING:
    from consentivr.lab.event_socket import SimulatedEventSocket

__all__ = ["Channel", "Leg", "SimulatedSwitch"]


class SimulatedSwitch:
    """A switch with one context. ``speed`` is how many simulated seconds pass in a real one.

    ``queues`` maps a queue's name to its record-template (None: it has none); ``more`` are extensions besides.
    """

    def __init__(
        self,
        dialplan: str,
        queues: dict[str, str | None],
        *,
        speed: float = 1.0,
        observer: Callable[[Channel, str], None] = lambda channel, what: None,
        more: str = "<context/>",
    ) -> None:
        self.observer = observer
        self.dialplan = Dialplan(dialplan, more)
        self.queues = queues
        self._speed, self._since, self._until_then_ms = speed, time.monotonic(), 0.0
        self.globals = {"consent_record_file": "/dev/null/no-record/never-asked.wav"}
        self.core_uuid = str(uuid.uuid4())
        self.alive = True
        self.legs: dict[str, Leg] = {}
        """Every channel that is up, by its UUID, in the order in which they came."""
        self.conferences: dict[str, Conference] = {}
        self.recording: set[Recorder] = set()
        self.listeners: list[Callable[[dict[str, str]], None]] = []
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
        """What ``${name(arguments)}`` becomes in the dialplan."""
        return self.api(f"{name} {arguments}").rstrip("\n")

    def publish(self, event: dict[str, str]) -> None:
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

    # --- what may happen ---------------------------------------------------------------------

    def bridge(self, a: Leg, b: Leg) -> None:
        """As ``uuid_bridge A B``: also two callers with one another; who is left alone hangs up."""
        start_bridge(a, b)

    def consult(self, agent: Leg, colleague: Leg | None = None) -> Leg:
        """The agent asks a colleague (``att_xfer``). Whoever hangs up first decides: the agent hands the caller over,
        the colleague declines."""
        colleague = colleague or self.leg("colleague", "1002")
        consult(agent, colleague)
        return colleague

    def listen_in(self, to: Leg, *, three_way: bool = False) -> Leg:
        """A supervisor listens (``eavesdrop``), or an outsider joins in and is heard (``three_way``)."""
        leg = self.leg("outsider" if three_way else "eavesdropper", "1003" if three_way else "1009")
        leg.execute("three_way" if three_way else "eavesdrop", to.uuid)
        to.tap("eavesdrop", to.uuid, leg, heard=three_way)
        return leg

    def intercept(self, taken: Leg) -> Leg:
        """A colleague picks the call up: told on the colleague's leg."""
        colleague = self.leg("colleague", "1002")
        colleague.execute("intercept", taken.uuid)
        start_bridge(colleague, taken)
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
