"""What happens in a talk on a real switch: telephones hold, refer, press keys; the switch connects, parks, confers."""

from __future__ import annotations

from consentivr.lab.native import DOMAIN
from consentivr.lab.outside import PHONES
from tests.switch.looking import Looking
from tests.switch.parts import Call, eventually, within


class Acting(Looking):
    """The verbs of ``World`` for a call that is there."""

    # --- what telephones do ---------------------------------------------------------

    def hold(self, leg: str) -> None:
        """The telephone at this leg (``call.agent``, ``call.leg``) puts the other on hold."""
        self.outside.hold(self.phone_of(leg))

    def resume(self, leg: str) -> None:
        """And takes the other back."""
        self.outside.resume(self.phone_of(leg))

    def keys(self, leg: str, keys: str) -> None:
        """The telephone at this leg presses keys in the talk."""
        self._press(self.phone_of(leg), leg, keys)

    def _press(self, phone: str, leg: str, keys: str) -> None:
        """Once more where the switch made no key of the packets, as it happens on a busy machine: people do so too."""
        before = self.keys_heard(leg)
        self.outside.press(phone, keys)
        if not within(0.5, lambda: self.keys_heard(leg) > before):
            self.outside.press(phone, keys)

    def records(self, leg: str) -> None:
        """The telephone at this leg asks the switch to record it: INFO, to ``elsewhere``."""
        self.outside.records(self.phone_of(leg))

    def hang_up(self, leg: str) -> None:
        """The telephone at this leg hangs up."""
        self.outside.hang_up(self.phone_of(leg))

    def end_call(self, call: Call) -> None:
        """The caller hangs up; returns once the caller's leg is gone."""
        self.outside.hang_up(call.phone)
        eventually(lambda: not self.exists(call.leg))

    def refer(self, leg: str, number: str) -> None:
        """The telephone at this leg sends the other to a number: blind transfer by REFER."""
        self.outside.refer(self.phone_of(leg), number)

    def refer_attended(self, call: Call, number: str) -> str:
        """The agent's telephone holds the caller and calls a number, to join the two: REFER with Replaces.

        Returns the consultation's leg on the telephone; ``complete`` it.
        """
        phone = self.phone_of(call.agent)
        self.outside.hold(phone)
        consultation = self.outside.dial("1001", number)
        eventually(lambda: self.outside.variable(consultation, "endpoint_disposition") == "ANSWER")
        eventually(lambda: self.leg_of(consultation))
        return consultation

    def complete(self, call: Call, consultation: str) -> None:
        """The second half of ``refer_attended``: the telephone is out of both calls."""
        self.outside.refer_attended(self.phone_of(call.agent), consultation)
        eventually(lambda: not self.exists(call.agent))
        self.outside.hang_up(consultation)

    def dial(self, phone: str, number: str) -> str:
        """A telephone dials a number of the switch in the middle; returns its leg outside."""
        return self.outside.dial(phone, number)

    # --- what the switch in the middle does -----------------------------------------

    def consult(self, call: Call, colleague: str = "2001", *, directory: bool = True) -> None:
        """The agent's side calls a colleague, ``att_xfer``; the caller hears music meanwhile."""
        target = f"user/{colleague}@{DOMAIN}" if directory else self.telephone(colleague)
        self.switch.api(f"uuid_broadcast {call.agent} att_xfer::{target} aleg")

    def telephone(self, name: str) -> str:
        """How the switch in the middle dials a telephone past its directory."""
        return f"sofia/lab/phone-{name}@127.0.0.1:{self.outside.sip_port}"

    def hand_over(self, call: Call) -> None:
        """The consulting agent hangs up: caller and colleague are connected."""
        self.hang_up(call.agent)

    def transfer(self, leg: str, number: str, option: str = "") -> None:
        """``uuid_transfer`` of a leg; ``option`` may be -both or -bleg."""
        self.switch.api(f"uuid_transfer {leg} {f'{option} ' if option else ''}{number} XML public")

    def eavesdrop(self, leg: str, who: str = "supervisor", *, recorded: bool = False) -> str:
        """Somebody dials in and listens to a leg; ``recorded`` on the listener's own leg, to ``elsewhere``."""
        return self._joined(who, f"eavesdrop-{'recorded-' if recorded else ''}{leg}")

    def displace(self, leg: str, hertz: int = PHONES["mobile"]) -> None:
        """A tap that nobody dials in for: a hum is mixed into what a leg hears."""
        self.switch.api(f"uuid_displace {leg} start tone_stream://%(1000,0,{hertz});loops=-1 0 mux")

    def three_way(self, leg: str, who: str = "outsider") -> str:
        """Somebody dials in and talks along."""
        return self._joined(who, f"three-way-{leg}")

    def intercept(self, leg: str, who: str = "2002") -> str:
        """Somebody dials in and gets the leg; who was connected to it is hung up."""
        return self._joined(who, f"intercept-{leg}")

    def conference(self, call: Call, name: str = "room", *, recorded: bool = False) -> None:
        """Caller and agent move into a conference."""
        number = f"conference-{'recorded-' if recorded else ''}{name}"
        self.transfer(call.leg, number, "-both")
        eventually(lambda: self.application(call.leg) == "conference")

    def park(self, leg: str, space: str = "8001") -> None:
        """Park a leg in the valet's lot."""
        self.transfer(leg, f"valet-{space}")
        eventually(lambda: self.application(leg) == "valet_park")

    def fetch(self, who: str, space: str = "8001") -> str:
        """Somebody dials the lot and gets who is parked there."""
        return self._joined(who, f"valet-{space}")

    def _joined(self, who: str, number: str) -> str:
        phone = self.outside.dial(who, number)
        return eventually(lambda: self.leg_of(phone))
