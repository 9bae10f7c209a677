"""A telephone world for the tests: a switch in the middle, telephones outside, and ``consentivr serve``.

The methods read like a scenario: ``call``, ``press``, ``talking``, ``hold``, ``consult``, ``hand_over`` ... What a test
does in a talk is in ``tests/switch/acting.py``, what it looks at in ``looking.py``.
"""

from __future__ import annotations

import re
import secrets
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gevent
import yaml

from consentivr.config import Configuration, load
from consentivr.lab.native import NativeSwitch, free_port
from consentivr.lab.outside import MUSIC, PHONES, Outside
from consentivr.lab.serving import serve
from consentivr.setup.plan import ACCOUNT
from consentivr.setup.texts import account_xml
from tests.served import localize
from tests.switch.acting import Acting
from tests.switch.parts import NUMBERS, SUPPORT, Call, add_sales, eventually

AGENTS: Mapping[str, Sequence[str]] = {"1001@default": ["support@default"], "1002@default": ["sales@default"]}
COLLEAGUES = ("2001", "2002")


class World(Acting):
    """Use it with ``with``: everything lies below ``folder`` and ends with the block, also after a failure.

    With ``account`` serve has no more rights on the switch than 'consentivr setup' gives it, else all.
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
        phones: Mapping[str, int] = PHONES,
        account: bool = False,
    ) -> None:
        self.folder = folder
        self.yaml = localize(configuration, folder, free_port(), music=MUSIC, max_wait_s=max_wait_s)
        event_socket_port, password, master = free_port(), secrets.token_hex(16), secrets.token_hex(16)
        data = yaml.safe_load(self.yaml.read_text())
        if sales:
            add_sales(data)
        address, secret = f"127.0.0.1:{event_socket_port}", str(self._secret(password))
        data["switches"] = [{"address": address, "password_file": secret}]
        if account:
            data["switches"][0]["user"] = ACCOUNT
        data["watch"] = {"erase_below": [str(folder / "elsewhere")], "sweep_s": 1}
        change(data)
        self.yaml.write_text(yaml.safe_dump(data))
        self.configuration = load(self.yaml)
        self.outside = Outside(folder / "outside", phones)
        self.switch = NativeSwitch(
            self.configuration,
            folder,
            agents=agents,
            colleagues=COLLEAGUES,
            outside=self.outside.sip_port,
            event_socket_port=event_socket_port,
            password=master if account else password,
        )
        if account:
            self._add_account(password)
        self.outside.central = self.switch.sip_port
        self._served = served
        self.process: subprocess.Popen[bytes] | None = None

    def _secret(self, password: str) -> Path:
        path = self.folder / "event_socket.password"
        path.write_text(password)
        path.chmod(0o600)
        return path

    def _add_account(self, password: str) -> None:
        """What we ask of the switch we ask with no more rights than 'consentivr setup' gives us."""
        path = self.folder / "conf" / "freeswitch.xml"
        account = re.sub(r"</?include>", "", account_xml(password))
        path.write_text(path.read_text().replace('<section name="directory">', f'<section name="directory">{account}'))

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
        """Start ``consentivr serve`` (again), until it serves and watches; its log is appended to ``serve.log``."""
        self.stop_serve(signal.SIGKILL)
        before = len(self.log)
        self.process = serve(self.yaml)
        begun = ("event='serving'", "event='watching'")
        eventually(lambda: all(word in self.log[before:] for word in begun) or not self.is_served, 60)
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
            self.outside.forwards(phone)
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
        withheld: bool = False,
    ) -> Call:
        """Somebody calls a line; returns once the switch has the call.

        ``agents`` says whether agents are there; None leaves them as they are, for several calls at once.
        """
        if agents is not None:
            self.switch.agents_wait(available=agents)
        number = number or next(NUMBERS)
        call = Call(number, self.outside.call(line, number, name=name, withheld=withheld))
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

    def asked(self, call: Call) -> None:
        """Wait until the question is put."""
        eventually(lambda: self.application(call.leg) == "play_and_get_digits")

    def press(self, call: Call, keys: str, after: float = 1.1) -> None:
        """The caller presses keys so many seconds after a question has begun."""
        self.asked(call)
        gevent.sleep(after)
        self._press(call.phone, call.leg, keys)

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
