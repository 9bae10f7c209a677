"""A real FreeSWITCH on loopback around what we render: for the tests and for ``make lab``."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import time
from pathlib import Path

import gevent
import gevent.socket

from consentivr.config import Configuration
from consentivr.esl.codec import Decoder, Message, encode
from consentivr.rendering import render_lab, write
from consentivr.resources import shipped
from consentivr.service.build import queues, rendered

ADDRESS = "127.0.0.1"

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


def find_freeswitch() -> str | None:
    """The binary: where CONSENTIVR_FREESWITCH points, or on PATH; None without one."""
    return os.environ.get("CONSENTIVR_FREESWITCH") or shutil.which("freeswitch")


def free_port(kind: int = gevent.socket.SOCK_STREAM) -> int:
    """A port on loopback that nobody uses now."""
    with gevent.socket.socket(gevent.socket.AF_INET, kind) as probe:
        probe.bind((ADDRESS, 0))
        return int(probe.getsockname()[1])


class EventSocket:
    """An inbound event socket for ``api`` commands, one after the other."""

    def __init__(self, port: int, password: str, timeout: float = 10.0) -> None:
        self._sock = gevent.socket.create_connection((ADDRESS, port), timeout=timeout)
        self._decoder = Decoder()
        self._receive("auth/request")
        self._sock.sendall(encode(f"auth {password}"))
        if not self._receive("command/reply").reply_text.startswith("+OK"):
            raise ConnectionError("FreeSWITCH refused the event socket's password")

    def api(self, command: str) -> str:
        """Run an API command; raises ConnectionError when FreeSWITCH is gone."""
        self._sock.sendall(encode(f"api {command}"))
        return self._receive("api/response").body.decode("utf-8", "replace").strip()

    def start(self, command: str) -> None:
        """Start an API command that may take long, such as a call that nobody answers; its result is lost."""
        self._sock.sendall(encode(f"bgapi {command}"))
        self._receive("command/reply")

    def close(self) -> None:
        """Hang up the event socket."""
        self._sock.close()

    def _receive(self, content_type: str) -> Message:
        while True:
            message = self._decoder.next_message()
            if message is None:
                data = self._sock.recv(65536)
                if not data:
                    raise ConnectionError("FreeSWITCH closed the event socket")
                self._decoder.feed(data)
            elif message.content_type == content_type:
                return message


class NativeSwitch:
    """A FreeSWITCH process with one agent for each queue. Use it with ``with``.

    Raises FileNotFoundError without a binary, TimeoutError when it does not come up.
    """

    def __init__(self, configuration: Configuration, folder: Path) -> None:
        binary = find_freeswitch()
        if binary is None:
            raise FileNotFoundError("no FreeSWITCH: put it on PATH, or point CONSENTIVR_FREESWITCH at it")
        self._binary = Path(binary)
        self.folder = folder
        self.sip_port = free_port(gevent.socket.SOCK_DGRAM)
        self.event_socket_port = free_port()
        self.password = secrets.token_hex(16)
        self.agents = {
            f"{1001 + index}@default": queue.name for index, queue in enumerate(queues(configuration).values())
        }
        write_configuration(
            configuration,
            folder,
            sip_port=self.sip_port,
            event_socket_port=self.event_socket_port,
            event_socket_password=self.password,
            agents=self.agents,
        )

    def __enter__(self) -> NativeSwitch:
        command = [str(self._binary), "-nonat", "-nf", "-nc"]
        for option in ("conf", "log", "db", "run", "sounds"):
            (self.folder / option).mkdir(parents=True, exist_ok=True)
            command += [f"-{option}", str(self.folder / option)]
        for modules in (self._binary.parent / "mod", self._binary.parent.parent / "lib" / "freeswitch" / "mod"):
            if modules.is_dir():
                command += ["-mod", str(modules)]
                break
        with (self.folder / "freeswitch.out").open("wb") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 30
        while True:
            try:
                self._socket = EventSocket(self.event_socket_port, self.password)
                if "sofia" in self.api("show modules") and "RUNNING" in self.api("sofia status"):
                    return self
            except OSError:
                pass
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._process.kill()
                said = (self.folder / "freeswitch.out").read_text(errors="replace")[-2000:]
                raise TimeoutError(f"FreeSWITCH does not come up; see {self.folder}/log: {said}")
            gevent.sleep(0.2)

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def api(self, command: str) -> str:
        """Run an API command."""
        return self._socket.api(command)

    def agents_wait(self, *, available: bool = True) -> None:
        """Put every agent in the state for the next call."""
        for agent in self.agents:
            self.api(f"callcenter_config agent set status {agent} {'Available' if available else 'Logged Out'}")
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
        self._socket.start(f"originate {{{variables}}}sofia/lab/{number}@{ADDRESS}:{self.sip_port} &park()")
        return caller_uuid

    def channels(self) -> list[dict[str, str]]:
        """The channels that exist now."""
        rows: list[dict[str, str]] = json.loads(self.api("show channels as json")).get("rows", [])
        return rows

    def recorders(self, channel_uuid: str) -> str:
        """What records on a leg: the negative proof (FREESWITCH.md, section 4)."""
        return "\n".join(line for line in self.api(f"uuid_buglist {channel_uuid}").splitlines() if "record" in line)


def write_configuration(
    configuration: Configuration,
    folder: Path,
    *,
    sip_port: int,
    event_socket_port: int,
    event_socket_password: str,
    agents: dict[str, str],
    address: str = ADDRESS,
) -> None:
    """Render our XML and the switch around it below ``folder``."""
    write(folder / "rendered", rendered(configuration))
    text = render_lab(
        shipped("freeswitch_xml"),
        {
            "rendered": folder / "rendered",
            "base": folder,
            "context": configuration.freeswitch.context,
            "modules": MODULES,
            "rtp_start": 20000,
            "address": address,
            "sip_port": sip_port,
            "event_socket_port": event_socket_port,
            "event_socket_password": event_socket_password,
            "agents": [
                {"name": agent, "extension": f"lab-agent{agent.partition('@')[0]}", "queue": queue}
                for agent, queue in agents.items()
            ],
        },
    )
    write(folder / "conf", {"freeswitch.xml": text})
