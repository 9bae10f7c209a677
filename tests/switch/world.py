"""A telephone world for the tests: a switch in the middle, telephones outside, and ``consentivr serve``.

The methods read like a scenario: ``call``, ``press``, ``talking``, ``hold``, ``consult``, ``hand_over`` ... What a test
looks at afterwards is in ``tests/switch/looking.py``, which they extend.
"""

from __future__ import annotations

import secrets
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gevent
import yaml

from consentivr.config import Configuration, load
from consentivr.lab.native import DOMAIN, NativeSwitch, free_port
from consentivr.lab.outside import MUSIC, Outside
from tests.served import localize, serve
from tests.switch.looking import Looking
from tests.switch.parts import NUMBERS, SUPPORT, Call, add_sales, eventually

AGENTS: Mapping[str, Sequence[str]] = {"1001@default": ["support@default"], "1002@default": ["sales@default"]}
COLLEAGUES = ("2001", "2002")


class World(Looking):
    """Use it with ``with``: everything lies below ``folder`` and ends with the block, also after a failure.

    ``change`` may alter the configuration's data before it is written. With ``sales`` (default) there is a second line,
    5002, with the queue ``sales@default``. ``served=False`` leaves ``consentivr serve`` out: ``start_serve`` it later.
    """

    def __init__(
        self,
        configuration: Configuration,
        folder: Path,
        *,
        agents: Mapping[str, Sequence[str]] = AGENTS,
        change: Callable[[dict[str, Any]], None] = lambda data: None,
        sales: bool = True,
        served: bool = True,
        max_wait_s: int = 30,
    ) -> None:
        self.folder = folder
        self.yaml = localize(configuration, folder, free_port(), music=MUSIC, max_wait_s=max_wait_s)
        event_socket_port, password = free_port(), secrets.token_hex(16)
        data = yaml.safe_load(self.yaml.read_text())
        if sales:
            add_sales(data)
        data["switches"] = [{"address": f"127.0.0.1:{event_socket_port}", "password_file": str(self._secret(password))}]
        data["watch"] = {"erase_below": [str(folder / "elsewhere")], "sweep_s": 1}
        change(data)
        self.yaml.write_text(yaml.safe_dump(data))
        self.configuration = load(self.yaml)
        self.outside = Outside(folder / "outside")
        self.switch = NativeSwitch(
            self.configuration,
            folder,
            agents=agents,
            colleagues=COLLEAGUES,
            outside=self.outside.sip_port,
            event_socket_port=event_socket_port,
            password=password,
        )
        self.outside.central = self.switch.sip_port
        self._served = served
        self.process: subprocess.Popen[bytes] | None = None

    def _secret(self, password: str) -> Path:
        path = self.folder / "event_socket.password"
        path.write_text(password)
        path.chmod(0o600)
        return path

    # --- its life --------------------------------------------------------------------------------

    def __enter__(self) -> World:
        self.outside.launch()
        self.switch.launch()
        try:
            self.outside.wait_until_up()
            self.switch.wait_until_up()
            if self._served:
                self.start_serve()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Kill whatever runs."""
        self.stop_serve(signal.SIGKILL)
        self.switch.kill()
        self.outside.kill()

    def start_serve(self) -> None:
        """Start ``consentivr serve`` (again) and wait until it serves; its log is appended to ``serve.log``."""
        self.stop_serve(signal.SIGKILL)
        before = self.log.count("serving")
        self.process = serve(self.yaml)
        eventually(lambda: self.log.count("serving") > before or not self.is_served)
        assert self.is_served, self.log[-3000:]

    def stop_serve(self, how: signal.Signals = signal.SIGTERM, seconds: float = 30) -> None:
        """End serve: SIGTERM, or SIGKILL for a crash; waits until it is gone."""
        if self.process is not None and self.is_served:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(how)
            self.process.wait(seconds)

    def kill_serve(self) -> None:
        """As a crash or the kernel does."""
        self.stop_serve(signal.SIGKILL)

    @property
    def is_served(self) -> bool:
        """Whether serve runs."""
        return self.process is not None and self.process.poll() is None

    def kill_switch(self) -> None:
        """The switch in the middle crashes."""
        self.switch.kill()

    def start_switch(self) -> None:
        """And comes up again, on the same ports."""
        self.switch.launch()
        self.switch.wait_until_up()

    def settle(self) -> None:
        """Everybody hangs up; between the calls of tests that share a world."""
        for side in (self.outside, self.switch):
            side.api("hupall")
            eventually(lambda side=side: not side.channels())
        for phone in self.outside.phones:
            self.outside.declines(phone, whether=False)
            self.outside.answers_after(phone, 0)
        self.switch.agents_wait()
        self.earlier = frozenset(self.folder.rglob("*.wav"))

    # --- a call until the talk -------------------------------------------------------------------

    def call(
        self,
        line: str = SUPPORT,
        *,
        agents: bool | None = True,
        name: str = "Erika Mustermann",
        number: str | None = None,
    ) -> Call:
        """Somebody calls a line; returns once the switch has the call.

        ``agents`` says whether agents are there; None leaves them as they are, for several calls at once.
        """
        if agents is not None:
            self.switch.agents_wait(available=agents)
        number = number or next(NUMBERS)
        call = Call(number, self.outside.call(line, number, name=name))
        call.leg = eventually(lambda: self._leg_of(call))
        return call

    def _leg_of(self, call: Call) -> str:
        """The caller's leg on the switch in the middle; the leg to an agent has the same caller number."""
        legs = [
            row["uuid"]
            for row in self.switch.channels()
            if row["direction"] == "inbound" and call.number in (row["cid_num"], row["initial_cid_num"])
        ]
        return legs[0] if legs else ""

    def application(self, leg: str) -> str:
        """What a leg of the switch in the middle executes now; empty when it is gone."""
        return next((row["application"] for row in self.switch.channels() if row["uuid"] == leg), "")

    def asked(self, call: Call) -> None:
        """Wait until the question is put."""
        eventually(lambda: self.application(call.leg) == "play_and_get_digits")

    def press(self, call: Call, keys: str, after: float = 1.1) -> None:
        """The caller presses keys so many seconds after a question has begun."""
        self.asked(call)
        gevent.sleep(after)
        self.outside.press(call.phone, keys)

    def queued(self, call: Call) -> None:
        """Wait until the caller waits in a queue."""
        eventually(lambda: self.application(call.leg) == "callcenter")

    def talking(self, call: Call, seconds: float = 20) -> str:
        """Wait until an agent of mod_callcenter talks with the caller; returns the agent's leg, also ``call.agent``."""

        def bridged() -> str:
            leg = self.switch.variable(call.leg, "cc_agent_uuid")
            return leg if leg and self.connected(leg) == call.leg else ""

        call.agent = eventually(bridged, seconds)
        return call.agent

    def consenting(
        self, key: str = "1", line: str = SUPPORT, *, agents: bool | None = True, number: str | None = None
    ) -> Call:
        """A call whose caller presses the key and talks with the agent."""
        call = self.call(line, agents=agents, number=number)
        self.press(call, key)
        self.talking(call)
        return call

    # --- in the talk: what telephones do ---------------------------------------------------------

    def hold(self, leg: str) -> None:
        """The telephone at this leg (``call.agent``, ``call.leg``) puts the other on hold."""
        self.outside.hold(self.phone_of(leg))

    def resume(self, leg: str) -> None:
        """And takes the other back."""
        self.outside.resume(self.phone_of(leg))

    def keys(self, leg: str, keys: str) -> None:
        """The telephone at this leg presses keys in the talk."""
        self.outside.press(self.phone_of(leg), keys)

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

    # --- in the talk: what the switch in the middle does -----------------------------------------

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
