"""A caller's channel, from the first extension to the hang-up."""

from __future__ import annotations

from pathlib import Path

from consentivr.lab.simulated.bridges import end_bridge, start_bridge
from consentivr.lab.simulated.execution import HungUp, Taken, Transferred
from consentivr.lab.simulated.queueing import Queueing


class Channel(Queueing):
    """What happened to it is in ``reached``, ``recorded``, ``applications`` and ``events``."""

    def tell(self, what: str) -> None:
        """For whoever watches the demonstration."""
        self.switch.observer(self, what)

    def run(self) -> None:
        """Route, execute, and go on wherever a transfer leads, until the channel is down."""
        cause = "NORMAL_CLEARING"
        try:
            while True:
                try:
                    if not self._follow_dialplan():
                        cause = "NO_ROUTE_DESTINATION"
                    break
                except Transferred:
                    self._let_go()
        except HungUp as hangup:
            cause = str(hangup)
        finally:
            if self.switch.alive:
                self._go_down(cause)

    def _follow_dialplan(self) -> bool:
        """False when there is no way from here."""
        actions = self.switch.dialplan.route(self.destination, self.known(), self.switch.function)
        for action in actions:
            try:
                self.execute_application(action.application, self.expand(action.data))
                if self.agent_waits:
                    self.talk()
            except Taken:
                self.agent_waits = False
                self.stay_connected()
            self._let_go()
        return bool(actions)

    def _let_go(self) -> None:
        """Whoever was connected with it hangs up."""
        left, self.left_behind = self.left_behind, []
        for leg, side in left:
            leg.left_alone(side)

    def _go_down(self, cause: str) -> None:
        self.stop_timers()
        self._app_sched_cancel("")
        self.tell_hangup(cause)
        bridge = self.bridge if self.bridge is not None and self.bridge.b is self else None
        if bridge is None:
            self.left_behind += self.disconnect()
        self.gone(cause)
        if bridge is not None:  # told on the other leg, after this one's own end
            end_bridge(bridge, self)
            self.left_behind.append((bridge.a, "a"))
        if self.outbound is not None:
            self.outbound.notice("disconnect")
            self.cut_socket()
        self._let_go()

    def vanish(self) -> None:
        """The switch dies."""
        self.stop_timers()
        if self.greenlet is not None:
            self.greenlet.kill()
        if self.outbound is not None:
            self.outbound.close()

    def connected(self) -> None:
        """A bridge was told."""
        self.bugs_in_talk.append(list(self.recorders))

    # --- what a test does to it, and asks ----------------------------------------------------

    @property
    def agent_leg(self) -> str:
        """The UUID of the agent's leg, while there is one."""
        return self.agent.uuid if self.agent is not None and self.agent.up else ""

    @property
    def agent_recorders(self) -> list[str]:
        """What records the agent's leg."""
        return list(self.agent.recorders) if self.agent is not None else []

    @property
    def agent_masks(self) -> list[tuple[str, str]]:
        """What was masked and unmasked on the agent's leg."""
        return self.agent.masked if self.agent is not None else []

    def agent_presses(self, key: str) -> None:
        """The agent presses a key now: an event of the agent's leg alone (FREESWITCH.md, section 5)."""
        assert self.agent is not None
        self.agent.press(key)

    def transfer_to(self, agent: str | None) -> None:
        """The agent hands the caller over to another one, or (None) to someone who is no agent."""
        variables = {"cc_queue": self.variables["cc_queue"]} | ({"cc_agent": agent} if agent else {})
        self.agent = self.switch.leg("agent", (agent or "1099").partition("@")[0], variables=variables)
        start_bridge(self, self.agent)

    def record_without_asking(self, path: str, *, agent: bool = False, told: bool = True) -> None:
        """Another dialplan, or someone from outside, records this leg; ``told``: whether events say so."""
        leg = self.agent if agent else self
        assert leg is not None
        leg.record(path, told=told)
        assert Path(path).exists()
