"""The application and a simulated switch in one process, with everything in one folder."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import gevent

from consentivr import custody
from consentivr.config import Configuration
from consentivr.config.service import Switch
from consentivr.config.values import Address
from consentivr.files import write_secret
from consentivr.lab.caller import Caller
from consentivr.lab.event_socket import SimulatedEventSocket
from consentivr.lab.switch import Channel, SimulatedSwitch
from consentivr.ledger import NO_CALLS, Entry, Ledger, Search
from consentivr.service.build import queues, rendered
from consentivr.service.service import Application

if TYPE_CHECKING:
    from typing_extensions import Self


def simulated_switch(
    configuration: Configuration,
    *,
    speed: float,
    observer: Callable[[Channel, str], None] = lambda channel, what: None,
    more: str = "<context/>",
) -> SimulatedSwitch:
    """A simulated switch with the dialplan and the queues that we render, and ``more`` extensions."""
    files = rendered(configuration)
    dialplan = next(text for name, text in files.items() if name.startswith("dialplan/"))
    variables = ElementTree.fromstring(files["vars/consentivr.xml"])  # noqa: S314 - our own rendering
    known = dict(str(each.get("data")).split("=", 1) for each in variables)
    templates = {queue.name: queue.record_template for queue in queues(configuration).values()}
    return SimulatedSwitch(dialplan, templates, known, speed=speed, observer=observer, more=more)


def with_switch(configuration: Configuration, address: tuple[str, int], password_file: Path) -> Configuration:
    """The configuration, told where the switch's event socket is."""
    switch = Switch(address=str(Address(*address)), password_file=str(password_file))
    return configuration.changed(switches=(switch,))


def password_file(folder: Path, password: str) -> Path:
    """Written below ``folder``, readable by its owner only."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "event-socket-password"
    write_secret(file, password)
    return file


class Laboratory:
    """Start with ``with``; place calls with ``call``; read ``rows`` afterwards.

    The configuration's ledger and recordings are moved below ``folder``, where the password of the switch's
    ``event_socket`` is too.
    """

    def __init__(
        self,
        configuration: Configuration,
        folder: Path,
        *,
        speed: float = 50.0,
        observer: Callable[[Channel, str], None] = lambda channel, what: None,
        more: str = "<context/>",
    ) -> None:
        """``more`` are extensions of the dialplan besides ours, in XML."""
        self.folder = folder
        self.configuration = configuration.changed(
            ledger=configuration.ledger.changed(path=folder / "ledger.sqlite3", head_file=folder / "ledger.head"),
            service=configuration.service.changed(secret_file=folder / "dialplan.secret"),
            http=configuration.http.changed(tokens_file=folder / "agents.tokens"),
            recordings=configuration.recordings.changed(folder=folder / "recordings"),
        )
        self._speed, self._observer, self._more = speed, observer, more
        self.switch = simulated_switch(self.configuration, speed=speed, observer=observer, more=more)
        password = secrets.token_hex(16)
        self.event_socket = SimulatedEventSocket(self.switch, password)
        self.switch.sockets.append(self.event_socket)
        self.configuration = with_switch(self.configuration, self.event_socket.address, password_file(folder, password))
        self.application = Application(self.configuration, listen=("127.0.0.1", 0))

    def __enter__(self) -> Self:
        self.application.start()
        host, port = self.application.address
        self.use_switch(f"{host}:{port}")
        while not self.application.status().watching:
            gevent.sleep(0.001)
        return self

    def __exit__(self, *_: object) -> None:
        self.application.stop()
        self.event_socket.cut()

    def use_switch(self, *hosts: str) -> None:
        """Render the dialplan for these hosts and start a switch with it."""
        configuration = self.configuration.changed(service=self.configuration.service.changed(hosts=hosts))
        self.switch = simulated_switch(configuration, speed=self._speed, observer=self._observer, more=self._more)
        self.switch.sockets.append(self.event_socket)
        self.event_socket.attach(self.switch)

    def call(self, caller: Caller, destination: str | None = None) -> Channel:
        """One whole call; returns when it is over. Raises TimeoutError when it does not end."""
        channel = self.switch.call(destination or self.first_number, caller)
        assert channel.greenlet is not None
        channel.greenlet.join(timeout=60)
        if not channel.over:
            raise TimeoutError(f"the call does not end: {channel.applications}")
        return channel

    def settle(self, timeout: float = 5.0) -> None:
        """Wait until nobody is asked and no conversation is followed any more. Raises gevent.Timeout."""
        with gevent.Timeout(timeout):
            while self.application.calls or self.application.status().conversations:
                gevent.sleep(0.005)

    def register(self, *agents: str) -> None:
        """Put agents into the register: they have agreed to be recorded."""
        ledger = Ledger(self.configuration.ledger.location)
        try:
            for agent in agents:
                custody.agree(ledger, agent, custody.AgreedTo(wording="laboratory"))
        finally:
            ledger.close()

    @property
    def first_number(self) -> str:
        """The number of the first line."""
        return next(iter(self.configuration.lines.values())).number

    def rows(self, channel: Channel | None = None) -> list[Entry]:
        """What the ledger says, of one call or of all calls."""
        while self.application.ledger.pending and self.application.ledger.failure is None:
            gevent.sleep(0.001)
        ledger = Ledger(self.configuration.ledger.location, create=False)
        try:
            rows = ledger.read(Search(channel=channel.uuid if channel else None))
            return [row for row in rows if row.channel_uuid not in NO_CALLS]
        finally:
            ledger.close()
