"""A caller's channel: who it is, in the switch's words."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from consentivr.lab.caller import Caller
from consentivr.lab.simulated import words
from consentivr.lab.simulated.legs import Leg

if TYPE_CHECKING:
    from consentivr.lab.switch import SimulatedSwitch


class Inbound(Leg):
    """Every header of a recorded channel, and what the caller's script brings."""

    direction = "inbound"
    dialplan = "XML"

    def __init__(self, switch: SimulatedSwitch, destination: str, caller: Caller) -> None:
        super().__init__(switch, caller.role, caller.number, caller.name)
        self.name = caller.name
        self.destination = destination
        self.caller = caller
        self.answered = False
        self.state = "CS_EXECUTE"
        self.transfers: list[str] = []
        """Where it was sent on to, as FreeSWITCH notes it."""

    def go_to(self, extension: str) -> None:
        """From here on its events name another destination."""
        self.destination = extension
        self.transfers.append(f"{int(time.time())}:{self.uuid}:bl_xfer:{extension}/public/XML")
        self._base = None

    @property
    def channel_name(self) -> str:
        """As a recorded channel has it."""
        return words.TEMPLATE["Channel-Name"].replace("@NUMBER@", self.number)

    def own_variables(self) -> dict[str, str]:
        """All of a recorded channel, and what a hostile INVITE brings."""
        base = self._base = self._base or self.made_base()
        return {name[9:]: value for name, value in base.items() if name.startswith("variable_")}

    def all_variables(self) -> dict[str, str]:
        """The channel's own stand among its headers already."""
        return self.variables

    def made_base(self) -> dict[str, str]:
        """Of a recorded channel, and of the caller's script."""
        marks = {
            "@UUID@": self.uuid,
            "@NUMBER@": self.number,
            "@NAME@": self.name,
            "@DESTINATION@": self.destination,
        }
        base = {}
        for key, value in words.TEMPLATE.items():
            if "@" in value:
                for mark, text in marks.items():
                    value = value.replace(mark, text)
            base[key] = value
        return {**base, **self.caller.headers}

    def headers(self, name: str, *, variables: bool = True) -> words.Event:
        """Of an event about this channel."""
        headers = super().headers(name, variables=variables)
        if not variables:
            return {key: value for key, value in headers.items() if not key.startswith("variable_")}
        headers["variable_DP_MATCH"] = [self.destination, self.destination]
        if self.transfers:
            headers["variable_transfer_history"] = self.transfers if len(self.transfers) > 1 else self.transfers[0]
        return headers
