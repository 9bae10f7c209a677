"""A real FreeSWITCH on loopback around what we render: for the tests and for ``make lab``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from consentivr.config import Configuration
from consentivr.lab.process import (
    ADDRESS,
    HERE,
    RTP_PORTS,
    EventSocket,
    FreeSwitchProcess,
    Machine,
    find_freeswitch,
    free_port,
    media_ports,
)
from consentivr.rendering import render_lab, write
from consentivr.resources import shipped
from consentivr.service.build import queues, rendered

__all__ = ["ADDRESS", "Agent", "EventSocket", "NativeSwitch", "find_freeswitch", "free_port", "write_configuration"]

MODULES = (
    "mod_logfile",
    "mod_event_socket",
    "mod_sofia",
    "mod_loopback",
    "mod_commands",
    "mod_dptools",
    "mod_expr",
    "mod_hash",
    "mod_db",
    "mod_dialplan_xml",
    "mod_sndfile",
    "mod_native_file",
    "mod_tone_stream",
    "mod_local_stream",
    "mod_callcenter",
)
"""What a consent line needs of FreeSWITCH."""

MORE_MODULES = ("mod_conference", "mod_valet_parking", "mod_lua")
"""What the lab's other extensions need, loaded where present."""

DOMAIN = "lab.example"
"""Of the directory's users: they are dialled as ``user/2001@lab.example``."""


@dataclass(frozen=True)
class Agent:
    """An agent of mod_callcenter, with the telephone and the queues served."""

    name: str
    contact: str
    queues: tuple[str, ...]


@dataclass(frozen=True)
class User:
    """A user of the directory, and the telephone that rings."""

    name: str
    dial_string: str


class NativeSwitch(FreeSwitchProcess):
    """The switch in the middle. Use it with ``with``.

    ``agents`` are the agents' names with the queues that each serves, by default one for each queue. With ``outside``,
    the SIP port of an ``Outside`` on the same machine or its address and port, agents and ``colleagues`` are its
    telephones; without, agents hum on this switch.
    With ``fine_clock`` the time in its events moves by 1 ms instead of 20, which costs it something.
    Raises FileNotFoundError without a binary, TimeoutError when it does not come up.
    """

    def __init__(
        self,
        configuration: Configuration,
        folder: Path,
        *,
        agents: Mapping[str, Sequence[str]] | None = None,
        colleagues: Iterable[str] = (),
        outside: int | str | None = None,
        event_socket_port: int | None = None,
        password: str | None = None,
        sip_port: int | None = None,
        machine: Machine = HERE,
        fine_clock: bool = False,
    ) -> None:
        super().__init__(
            folder, event_socket_port=event_socket_port, password=password, sip_port=sip_port, machine=machine
        )
        if agents is None:
            agents = {f"{1001 + index}@default": [q.name] for index, q in enumerate(queues(configuration).values())}
        self.agents = dict(agents)
        write_configuration(
            configuration,
            folder,
            sip_port=self.sip_port,
            event_socket_port=self.event_socket_port,
            event_socket_password=self.password,
            agents=self.agents,
            colleagues=colleagues,
            outside=outside,
            modules=[*MODULES, *(module for module in MORE_MODULES if self.has_module(module))],
            address=machine.address,
            fine_clock=fine_clock,
        )

    def agents_wait(self, *names: str, available: bool = True) -> None:
        """Put every agent, or those named, in the state for the next call."""
        for agent in names or self.agents:
            self.api(f"callcenter_config agent set status {agent} {'Available' if available else quoted('Logged Out')}")
            self.api(f"callcenter_config agent set state {agent} Waiting")

    def call(self, number: str, caller_id: str, name: str = "Erika Mustermann") -> str:
        """Place a call over SIP and RTP; returns the UUID of the caller's far end, for keys and hangup.

        Does not wait for the answer, which takes as long as the watchdog when the application hangs.
        """
        caller_uuid = self.api("create_uuid")
        variables = (
            f"origination_uuid={caller_uuid},origination_caller_id_number={caller_id},"
            f"origination_caller_id_name='{name}',absolute_codec_string=PCMA"
        )
        self.start(f"originate {{{variables}}}sofia/lab/{number}@{self.machine.address}:{self.sip_port} &park()")
        return caller_uuid

    def recorders(self, channel_uuid: str) -> str:
        """What records on a leg: the negative proof (FREESWITCH.md, section 4)."""
        return "\n".join(line for line in self.api(f"uuid_buglist {channel_uuid}").splitlines() if "record" in line)


def quoted(word: str) -> str:
    """A word with a blank, for an API command (FREESWITCH.md, section 7)."""
    return f"'{word}'"


def write_configuration(
    configuration: Configuration,
    folder: Path,
    *,
    sip_port: int,
    event_socket_port: int,
    event_socket_password: str,
    agents: Mapping[str, Sequence[str]],
    colleagues: Iterable[str] = (),
    outside: int | str | None = None,
    modules: Sequence[str] = MODULES,
    address: str = ADDRESS,
    fine_clock: bool = False,
) -> None:
    """Render our XML and the switch around it below ``folder``."""
    write(folder / "rendered", rendered(configuration))
    for name in ("elsewhere", "mailbox"):
        (folder / name).mkdir(parents=True, exist_ok=True)

    world = outside if isinstance(outside, str) else f"{address}:{outside}"

    def telephone(name: str) -> str:
        if outside is None:
            return f"sofia/lab/lab-agent{name}@{address}:{sip_port}"
        return f"sofia/lab/phone-{name}@{world}"

    rtp_start = media_ports()
    text = render_lab(
        shipped("freeswitch_xml"),
        {
            "rendered": folder / "rendered",
            "base": folder,
            "fine_clock": fine_clock,
            "context": configuration.freeswitch.context,
            "contexts": dict.fromkeys(["public", "default", configuration.freeswitch.context]),
            "modules": modules,
            "rtp_start": rtp_start,
            "rtp_end": rtp_start + RTP_PORTS,
            "address": address,
            "sip_port": sip_port,
            "event_socket_port": event_socket_port,
            "event_socket_password": event_socket_password,
            "outside": world,
            "domain": DOMAIN,
            "agents": [
                Agent(agent, "[leg_timeout=10]" + telephone(agent.partition("@")[0]), tuple(served))
                for agent, served in agents.items()
            ],
            "users": [User(name, telephone(name)) for name in colleagues],
        },
    )
    write(folder / "conf", {"freeswitch.xml": text})
