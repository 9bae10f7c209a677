"""mod_callcenter: the application ``callcenter``, its events, and the talk that follows."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

from consentivr.lab.simulated import words
from consentivr.lab.simulated.applications import Applications
from consentivr.lab.simulated.bridges import start_bridge
from consentivr.lab.simulated.execution import FRAME_MS

if TYPE_CHECKING:
    from consentivr.lab.simulated.legs import Leg

CALLCENTER = "callcenter::info"


class Queueing(Applications):
    """A member of a queue."""

    agent: Leg | None = None
    """Who took the call last."""
    agent_name: str | None = None

    def _app_callcenter(self, argument: str) -> None:
        if argument not in self.switch.queues:
            return
        self.reached.append(argument)
        self.tell(f"waits in {argument}")
        self.variables |= {"cc_side": "member", "cc_member_uuid": str(uuid.uuid4()), "cc_queue": argument}
        self.variables["cc_queue_joined_epoch"] = str(int(time.time()))
        for name in ("cc_agent_found", "cc_agent_bridged"):
            self.variables.pop(name, None)
        self._tell_queue(self, "member-queue-start")
        self._noise(argument, 1)
        self.in_queue = True
        agent = None
        try:
            self.wait(self.caller.waits_ms)
            self.agent_name = self.caller.agents.get(argument, self.caller.agent)
            if self.agent_name is None:
                self._cancelled("TIMEOUT")
                return
            agent = self._offered(argument, self.agent_name)
            announcement = self.duration_ms(self.variables.get("cc_outbound_announce", ""))
            if announcement is not None:
                self.wait(announcement)
        except BaseException:
            if self.switch.alive:
                self._cancelled("BREAK_OUT")
                if agent is not None:
                    agent.hang_up("ORIGINATOR_CANCEL")
            raise
        finally:
            self.in_queue = False
        self.variables |= {"cc_cause": "answered", "cc_agent_uuid": agent.uuid, "cc_agent_found": "true"}
        self.agent, self.agent_waits = agent, True

    def _cancelled(self, why: str) -> None:
        self.variables |= {"cc_cause": "cancel", "cc_cancel_reason": why}
        self._tell_queue(self, "member-queue-end", **{"CC-Cause": "Cancel", "CC-Cancel-Reason": why})
        self._noise(self.variables["cc_queue"], 0)

    def _offered(self, queue: str, name: str) -> Leg:
        """The agent's leg, answered; the queue's own recorder has started."""
        for declines in self.caller.declined_by:
            self._tell_queue(None, "agent-offering", **{"CC-Agent": declines, "CC-Agent-Type": "callback"})
            self._tell_queue(None, "bridge-agent-fail", **{"CC-Agent": declines, "CC-Hangup-Cause": "USER_BUSY"})
        self._tell_queue(None, "agent-offering", **{"CC-Agent": name, "CC-Agent-Type": "callback"})
        variables = {
            "cc_queue": queue,
            "cc_queue_joined_epoch": self.variables["cc_queue_joined_epoch"],
            "cc_member_uuid": self.variables["cc_member_uuid"],
            "cc_member_session_uuid": self.uuid,
            "cc_member_pre_answer_uuid": self.variables["cc_member_uuid"],
            "cc_agent": name,
            "cc_agent_type": "callback",
            "cc_side": "agent",
        }
        exported = self.variables.get("cc_export_vars", "").split(",")
        variables |= {export: self.variables[export] for export in exported if export in self.variables}
        variables |= self.caller.agent_variables
        agent = self.switch.leg("agent", name.partition("@")[0], variables=variables)
        called = {"CC-Agent": name, "CC-Agent-System": "single_box", "CC-Agent-UUID": agent.uuid}
        called |= dict.fromkeys(("CC-Agent-Called-Time", "CC-Agent-Answered-Time"), str(int(time.time())))
        if self.caller.agent_recorder is not None:
            agent.record(self.caller.agent_recorder)
        self._tell_queue(agent, "bridge-agent-start", **called)

        visit = self._visit()
        core = self.switch.core_uuid

        def ended(cause: str) -> None:
            """The queue looks every 100 ms: by then the caller may be in another."""
            self.switch.later(0.08, tell, cause)

        def tell(cause: str) -> None:
            if self.switch.core_uuid == core:
                over = visit | called | {"CC-Hangup-Cause": cause}
                self._tell_queue(agent, "bridge-agent-end", **over)
                if "cc_agent_bridged" in agent.variables:
                    self._tell_queue(self, "member-queue-end", **over, **{"CC-Cause": "Terminated"})

        agent.on_gone.append(ended)
        template = self.switch.queues[queue]
        if template is not None:
            path = self.expand(template)
            self.variables["cc_record_filename"] = path
            self.record(path)
        return agent

    def _visit(self) -> dict[str, str]:
        return {
            "CC-Queue": self.variables["cc_queue"],
            "CC-Member-UUID": self.variables["cc_member_uuid"],
            "CC-Member-Session-UUID": self.uuid,
            "CC-Member-CID-Name": self.name,
            "CC-Member-CID-Number": self.number,
            "CC-Member-Joined-Time": self.variables["cc_queue_joined_epoch"],
        }

    def _tell_queue(self, about: Leg | None, action: str, **more: str) -> None:
        event = {"Event-Subclass": CALLCENTER, **self._visit(), "CC-Action": action, **more}
        if about is not None:
            about.event("CUSTOM", event)
        elif self.switch.listeners and self.switch.alive:
            self.switch.publish({**words.without_a_channel("CUSTOM", self.switch.core_uuid), **event})

    def _noise(self, queue: str, count: int) -> None:
        """What mod_callcenter tells besides."""
        if self.switch.listeners and self.switch.alive:
            event = words.without_a_channel("CUSTOM", self.switch.core_uuid) | {"Event-Subclass": CALLCENTER}
            counted = {"CC-Queue": queue, "CC-Action": "members-count", "CC-Count": str(count)}
            self.switch.publish({**event, **counted, "CC-Selection": "Single-Queue"})

    # --- the talk ----------------------------------------------------------------------------

    def talk(self) -> None:
        """The bridge begins after ``callcenter`` and ``socket`` are complete (FREESWITCH.md, section 5)."""
        agent, self.agent_waits = self.agent, False
        self.wait(FRAME_MS)
        if agent is None or not agent.up:
            return
        self.state, self.is_connected = "CS_SOFT_EXECUTE", True
        self.tell(f"talks to {self.agent_name}, {'recorded' if self.recorders else 'not recorded'}")
        self._noise(self.variables["cc_queue"], 0)
        start_bridge(self, agent)
        self.variables |= {"cc_agent": self.agent_name or "", "cc_agent_bridged": "true"}
        self.variables["cc_queue_answered_epoch"] = str(int(time.time()))
        agent.variables["cc_agent_bridged"] = "true"
        self.schedule_for("talk")
        self.later(self.caller.talks_ms, agent.hang_up if self.caller.agent_hangs_up else self.hang_up)
        self.stay_connected()
