"""Who a leg is, in the switch's words: its variables, its events, its row in a list."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

from consentivr.lab.simulated import words

if TYPE_CHECKING:
    from consentivr.lab.simulated.bridges import Bridge
    from consentivr.lab.simulated.legs import Leg
    from consentivr.lab.switch import SimulatedSwitch


class Identity:
    """A channel and what is told of it."""

    direction = "outbound"
    dialplan = ""
    bridge: Bridge | None = None
    held = False

    def __init__(self, switch: SimulatedSwitch, number: str, name: str, variables: dict[str, str] | None) -> None:
        self.switch = switch
        self.number = number
        self.name = name or number
        self.uuid = str(uuid.uuid4())
        self.destination = number
        self.variables: dict[str, str] = dict(variables or {})
        self.answered = True
        self.state = "CS_EXCHANGE_MEDIA"
        self.application, self.application_data = "", ""
        self.other_leg = ""
        """The UUID that its events name as the other leg; it stays after a bridge that ended by hanging up."""
        self.cause = ""
        """Why it hangs up, as soon as it does."""
        self.hangup_cause: str | None = None
        self.created = time.time()
        self._base: dict[str, str] | None = None

    @property
    def ending(self) -> bool:
        """It hangs up, and tells so."""
        return bool(self.cause)

    @property
    def partner(self) -> Leg | None:
        """The other leg of its bridge."""
        raise NotImplementedError

    @property
    def channel_name(self) -> str:
        """Such as sofia/lab/1001@127.0.0.1."""
        return f"sofia/lab/{self.number}@127.0.0.1"

    @property
    def call_state(self) -> str:
        """As ``show channels`` says it."""
        return "HELD" if self.held else "ACTIVE" if self.answered else "RINGING"

    def own_variables(self) -> dict[str, str]:
        """Those that an outbound channel has of itself."""
        return {"direction": self.direction, "uuid": self.uuid, "channel_name": self.channel_name}

    def all_variables(self) -> dict[str, str]:
        """What ``uuid_dump`` shows as ``variable_...``."""
        return {**self.own_variables(), **self.variables}

    def value_of(self, variable: str) -> str | None:
        """A channel variable; None for one that is not set."""
        return self.variables.get(variable) or self.own_variables().get(variable)

    def set_variable(self, name: str, value: str) -> None:
        """An empty value unsets it."""
        if value:
            self.variables[name] = value
        else:
            self.variables.pop(name, None)

    def made_base(self) -> dict[str, str]:
        """The headers that stay the same while it is at one destination."""
        filled = {
            name: value.replace("@UUID@", self.uuid)
            .replace("@DESTINATION@", self.destination)
            .replace("@NAME@", self.name)
            .replace("@NUMBER@", self.number)
            if "@" in value
            else value
            for name, value in words.OF_THE_CHANNEL.items()
        }
        directions = [name for name in filled if name.endswith("-Direction")]
        return {**filled, **dict.fromkeys(directions, self.direction)}

    def headers(self, name: str, *, variables: bool = True) -> words.Event:
        """Of an event about this leg."""
        if self._base is None:
            self._base = self.made_base()
        headers: words.Event = {
            **self._base,
            "Event-Name": name,
            "Core-UUID": self.switch.core_uuid,
            "Event-Date-Timestamp": words.now(),
            "Channel-State": self.state,
            "Channel-Call-State": self.call_state,
            "Answer-State": "hangup" if self.ending else "answered" if self.answered else "ringing",
        }
        if self.other_leg:
            headers["Other-Leg-Unique-ID"] = self.other_leg
        if self.cause:
            headers["Hangup-Cause"] = self.cause
        if variables:
            headers |= {f"variable_{key}": value for key, value in self.all_variables().items()}
        return headers

    def event(self, name: str, extra: dict[str, str] | None = None) -> None:
        """Tell whoever listens. A key carries no variables (FREESWITCH.md, section 5)."""
        if self.switch.listeners and self.switch.alive:
            self.switch.publish({**self.headers(name, variables=name != "DTMF"), **(extra or {})})

    def row(self) -> dict[str, str]:
        """Of ``show channels as json``."""
        row = dict.fromkeys(words.CHANNEL_FIELDS, "")
        created = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(self.created))
        row |= {"uuid": self.uuid, "direction": self.direction, "created": created}
        row |= {"created_epoch": str(int(self.created)), "name": self.channel_name, "state": self.state}
        row |= {"cid_name": self.name, "cid_num": self.number, "ip_addr": "127.0.0.1", "dest": self.destination}
        row |= {"application": self.application, "application_data": self.application_data}
        row |= {"dialplan": self.dialplan, "context": "public", "read_codec": "PCMA", "read_rate": "8000"}
        row |= {"read_bit_rate": "64000", "write_codec": "PCMA", "write_rate": "8000", "write_bit_rate": "64000"}
        row |= {"presence_id": self.variables.get("presence_id", "")}
        row |= {"hostname": words.SWITCHNAME, "callstate": self.call_state}
        row |= {"initial_cid_name": self.name, "initial_cid_num": self.number, "initial_ip_addr": "127.0.0.1"}
        return row | {"initial_dest": self.destination, "call_uuid": self.bridge.a.uuid if self.bridge else ""}

    def execute(self, application: str, data: str = "") -> None:
        """Say that it executes an application; ``show channels`` says so from then on."""
        self.application, self.application_data = application, data
        named = {"Application": application, "Application-Data": data, "Application-UUID": str(uuid.uuid4())}
        self.event("CHANNEL_EXECUTE", named)

    def completed(self, application: str, data: str = "") -> None:
        """Say that an application has ended."""
        self.application, self.application_data = "", ""
        self.event("CHANNEL_EXECUTE_COMPLETE", {"Application": application, "Application-Data": data})
