"""A caller's channel in the dialplan: applications one after the other, and what comes in between."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gevent
import gevent.queue

from consentivr.lab.caller import Caller
from consentivr.lab.dialplan import expand
from consentivr.lab.simulated.inbound import Inbound
from consentivr.lab.simulated.outbound import OutboundSocket

if TYPE_CHECKING:
    from consentivr.lab.simulated.legs import Leg
    from consentivr.lab.switch import SimulatedSwitch

FRAME_MS = 20

_STORY = {
    "CHANNEL_ANSWER", "CHANNEL_PARK", "CHANNEL_UNPARK", "CHANNEL_EXECUTE_COMPLETE", "CHANNEL_BRIDGE",
    "CHANNEL_UNBRIDGE", "DTMF", "RECORD_START", "RECORD_STOP", "CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE",
}  # fmt: skip


class HungUp(Exception):
    """The channel is going down."""


class Transferred(Exception):
    """The channel goes on at another extension."""


class Taken(Exception):
    """The channel was connected with somebody, whatever it did."""


class Execution(Inbound):
    """One greenlet owns the channel; everybody else writes to its mail."""

    def __init__(self, switch: SimulatedSwitch, destination: str, caller: Caller) -> None:
        super().__init__(switch, destination, caller)
        self.events: list[tuple[str, str]] = []
        """(event name, application or '') of what a call's own socket may be told, sent or not."""
        self.applications: list[str] = []
        self.reached: list[str] = []
        """Queues entered, in order."""
        self.bugs_in_talk: list[list[str]] = []
        """The recorders attached when each bridge began: the negative proof."""
        self.left_behind: list[tuple[Leg, str]] = []
        """Who hangs up once this channel is gone, or on its way."""
        self.greenlet: gevent.Greenlet | None = None
        self.outbound: OutboundSocket | None = None
        self.in_queue = False
        self.is_connected = False
        self._mail: gevent.queue.Queue = gevent.queue.Queue()
        self._timers: list[gevent.Greenlet] = []
        self._began = time.monotonic()
        self._occurrences: dict[str, int] = {}

    @property
    def over(self) -> bool:
        """Whether the call has ended."""
        return self.hangup_cause is not None

    @property
    def age_s(self) -> float:
        """Simulated seconds since the call began."""
        return (time.monotonic() - self._began) * self.switch.speed

    # --- outside influence -------------------------------------------------------------------

    def tell_itself(self, kind: str, value: object = "") -> None:
        """Write to its mail."""
        self._mail.put((kind, value))

    def hang_up(self, cause: str = "NORMAL_CLEARING") -> None:
        """The caller hangs up now."""
        self.tell_itself("hangup", cause)

    def press(self, key: str) -> None:
        """The caller presses a key now; it is told when an application takes it."""
        self.tell_itself("dtmf", key)

    def transfer(self, extension: str) -> None:
        """As ``uuid_transfer``: on to another extension, whatever it does."""
        self.tell_itself("transfer", extension)

    def end_first(self, cause: str) -> None:
        """A caller goes on in the dialplan instead: ``left_alone`` follows."""

    def taken(self) -> None:
        """It was connected to somebody while it did something else."""
        if not self.is_connected:
            self.tell_itself("taken")

    def left_alone(self, side: str) -> None:
        """Whoever it was bridged to is gone."""
        self.tell_itself("released", side)

    def cut_socket(self) -> None:
        """Its connection to the application breaks."""
        if self.outbound is not None:
            self.outbound.close()
            self.outbound = None
        self.tell_itself("closed", None)

    def socket_is_gone(self, outbound: OutboundSocket) -> None:
        """That connection is closed, here or there."""
        if outbound is not None and self.outbound is outbound:
            outbound.close()
            self.outbound = None

    def tell(self, what: str) -> None:
        """For whoever watches the demonstration."""

    # --- what is told of it ------------------------------------------------------------------

    def event(self, name: str, extra: dict[str, str] | None = None) -> None:
        """Tell whoever listens, and the call's own socket."""
        if not self.switch.alive:
            return
        if name in _STORY:
            self.events.append((name, (extra or {}).get("Application", "")))
        outbound = self.outbound if self.outbound is not None and self.outbound.wants(name) else None
        if outbound is None and not self.switch.listeners:
            return
        event = {**self.headers(name, variables=name != "DTMF"), **(extra or {})}
        if self.switch.listeners:
            self.switch.publish(event)
        if outbound is not None:
            outbound.hear(event)

    # --- executing ---------------------------------------------------------------------------

    def known(self) -> dict[str, str]:
        """What ``${...}`` may name."""
        profile = {"destination_number": self.destination, "caller_id_number": self.number, "uuid": self.uuid}
        return {**self.switch.globals, **self.own_variables(), **profile, **self.variables}

    def expand(self, text: str) -> str:
        """Variables and functions replaced."""
        return expand(text, self.known(), self.switch.function) if "${" in text else text

    def execute_application(self, application: str, argument: str, event_uuid: str | None = None) -> None:
        """Run one application to its end. Raises HungUp, Transferred or Taken when something else comes."""
        self.applications.append(application)
        self.schedule_for(application)
        if self.caller.drops_socket_at == len(self.applications) and self.outbound is not None:
            self.cut_socket()
        self.variables |= {"current_application": application, "current_application_data": argument}
        event_uuid = event_uuid or str(uuid.uuid4())
        self.application, self.application_data = application, argument
        named = {"Application": application, "Application-Data": argument, "Application-UUID": event_uuid}
        self.event("CHANNEL_EXECUTE", named)
        method = getattr(self, f"_app_{application}", None)
        if method is None:
            raise HungUp("DESTINATION_OUT_OF_ORDER")
        extra: dict[str, str] = {}
        try:
            extra = method(argument) or {}
        except HungUp as hangup:
            self.tell_hangup(str(hangup))
            extra = {"Answer-State": "hangup"}
            raise
        finally:
            self.event("CHANNEL_EXECUTE_COMPLETE", {**named, "Application-Response": "_none_", **extra})

    def tell_hangup(self, cause: str) -> None:
        """Once; with ``linger`` the first notice follows at once, before the last events (section 2)."""
        if self.ending:
            return
        self.tell(f"the call ends ({cause})")
        super().tell_hangup(cause)
        if self.outbound is not None and self.outbound.lingers:
            self.outbound.notice("linger")

    def schedule_for(self, application: str) -> None:
        count = self._occurrences[application] = self._occurrences.get(application, 0) + 1
        hangs_up = self.caller.hangs_up
        if hangs_up is not None and hangs_up[:2] == (application, count):
            self.later(hangs_up[2], self.hang_up)

    def later(self, milliseconds: float, what: Callable[..., None], *arguments: Any) -> None:
        """Do something in so many simulated milliseconds, if the call is still there."""
        self._timers.append(self.switch.later(milliseconds / 1000, what, *arguments))

    def stop_timers(self) -> None:
        """Nothing that was to come comes."""
        for timer in self._timers:
            timer.kill(block=False)

    # --- waiting -----------------------------------------------------------------------------

    def wait(
        self,
        milliseconds: float | None,
        stops_at: str = "",
        ends_with: tuple[str, ...] = (),
        *,
        takes_keys: bool = True,
    ) -> str | None:
        """Let simulated time pass. Returns the key, or the other thing of ``ends_with``, that ended the wait.

        None when the time is over. Keys that do not end it are consumed; without ``takes_keys`` any key ends it, and
        is left for the next application.
        """
        until = None if milliseconds is None else time.monotonic() + milliseconds / 1000 / self.switch.speed
        while True:
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                gevent.sleep(0)
                left = 0.0
            try:
                kind, value = self._mail.get(block=left is None or left > 0, timeout=left)
            except gevent.queue.Empty:
                return None
            if kind == "hangup":
                self._wait_for_the_consultation()
                self.tell_hangup(value)
                raise HungUp(value)
            if kind == "transfer":
                self.go_to(value)
                raise Transferred
            if kind == "taken" and not self.is_connected and (self.bridge or self.conference or self.is_parked):
                raise Taken
            if kind == "dtmf" and not takes_keys:
                self._mail.put((kind, value))
                return None
            if kind == "dtmf":
                self.tell(f"presses {value}")
                super().press(value)
                if value in stops_at:
                    return str(value)
            elif kind == "command" and not self.in_queue and self.outbound is not None:
                # A sendmsg that arrives while callcenter waits is lost (FREESWITCH.md, section 2).
                self.outbound.commands.append(value)
            elif kind == "closed":
                self.socket_is_gone(value)
            if kind in ends_with:
                return f"{kind} {value}" if kind == "released" else str(kind)

    def _wait_for_the_consultation(self) -> None:
        """A caller who hangs up while the agent consults is gone, but nothing is told of it until that ends."""
        while (agent := self.partner) is not None and agent.consultation is not None:
            self.up = False
            self.switch.note()
            self._mail.get()

    def forget_keys(self) -> None:
        """Keys that nobody has taken yet are gone, and not told."""
        waiting = [self._mail.get() for _ in range(self._mail.qsize())]
        for kind, value in waiting:
            if kind != "dtmf":
                self._mail.put((kind, value))
