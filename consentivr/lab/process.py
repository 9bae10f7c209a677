"""A FreeSWITCH process of the lab, and its event socket: what the switch and the outside world share."""

from __future__ import annotations

import ctypes
import json
import os
import random
import secrets
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import gevent
import gevent.lock
import gevent.socket

from consentivr.esl.codec import Decoder, Message, encode

ADDRESS = "127.0.0.1"
RTP_PORTS = 1200
"""Ports for media of one switch: 600 legs."""


def find_freeswitch() -> str | None:
    """The binary: where CONSENTIVR_FREESWITCH points, or on PATH; None without one."""
    return os.environ.get("CONSENTIVR_FREESWITCH") or shutil.which("freeswitch")


def free_port(kind: int = gevent.socket.SOCK_STREAM) -> int:
    """A port on loopback that nobody uses now."""
    with gevent.socket.socket(gevent.socket.AF_INET, kind) as probe:
        probe.bind((ADDRESS, 0))
        return int(probe.getsockname()[1])


def media_ports() -> int:
    """Where a switch's media ports begin: below those that the system hands out, elsewhere for each switch.

    FreeSWITCH tries a port before it uses it, so two labs that meet do no harm.
    """
    return random.SystemRandom().randrange(10_000, 32_000, RTP_PORTS)


@dataclass(frozen=True)
class Machine:
    """Where a process of the lab runs: its address, and what a command is put behind to run there.

    By default this machine's loopback. See ``tests/switch/machines.py`` for others.
    """

    address: str = ADDRESS
    within: tuple[str, ...] = ()


HERE = Machine()

_Process = TypeVar("_Process", bound="FreeSwitchProcess")


class EventSocket:
    """An inbound event socket for ``api`` commands, one after the other; greenlets may share it."""

    def __init__(self, port: int, password: str, timeout: float = 10.0, address: str = ADDRESS) -> None:
        self._sock = gevent.socket.create_connection((address, port), timeout=timeout)
        self._decoder = Decoder()
        self._turn = gevent.lock.BoundedSemaphore()
        self._receive("auth/request")
        self._sock.sendall(encode(f"auth {password}"))
        if not self._receive("command/reply").reply_text.startswith("+OK"):
            raise ConnectionError("FreeSWITCH refused the event socket's password")

    def api(self, command: str) -> str:
        """Run an API command; raises ConnectionError when FreeSWITCH is gone."""
        with self._turn:
            self._sock.sendall(encode(f"api {command}"))
            return self._receive("api/response").body.decode("utf-8", "replace").strip()

    def start(self, command: str) -> None:
        """Start an API command that may take long, such as a call that nobody answers; its result is lost."""
        with self._turn:
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


class FreeSwitchProcess:
    """One FreeSWITCH with everything below ``folder``, its configuration in ``folder/conf``. Use it with ``with``.

    Ports and the event socket's password are made up unless given. It is killed when the block ends, however it ends,
    and by the kernel when this process dies. Raises FileNotFoundError without a binary, TimeoutError when it does not
    come up.
    """

    def __init__(
        self,
        folder: Path,
        *,
        event_socket_port: int | None = None,
        password: str | None = None,
        sip_port: int | None = None,
        machine: Machine = HERE,
    ) -> None:
        binary = find_freeswitch()
        if binary is None:
            raise FileNotFoundError("no FreeSWITCH: put it on PATH, or point CONSENTIVR_FREESWITCH at it")
        self._binary = Path(binary)
        self._modules = _modules_of(self._binary)
        self.folder = folder
        self.machine = machine
        self.sip_port = sip_port or free_port(gevent.socket.SOCK_DGRAM)
        self.event_socket_port = event_socket_port or free_port()
        self.password = password or secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: EventSocket | None = None

    def has_module(self, name: str) -> bool:
        """Whether the module is there to be loaded; False where only the binary knows its modules' folder."""
        return self._modules is not None and (self._modules / f"{name}.so").exists()

    # --- its life --------------------------------------------------------------------------------

    def __enter__(self: _Process) -> _Process:
        self.launch()
        try:
            self.wait_until_up()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def launch(self) -> None:
        """Start the process; does not wait, so that two can come up at once."""
        command = [*self.machine.within, str(self._binary), "-nonat", "-nf", "-nc"]
        for option in ("conf", "log", "db", "run", "sounds"):
            (self.folder / option).mkdir(parents=True, exist_ok=True)
            command += [f"-{option}", str(self.folder / option)]
        if self._modules is not None:
            command += ["-mod", str(self._modules)]
        with (self.folder / "freeswitch.out").open("wb") as output:
            self._process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, preexec_fn=_die_with_parent
            )

    def wait_until_up(self, seconds: float = 30) -> None:
        """Until it takes calls: about 2 s."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self._socket = EventSocket(self.event_socket_port, self.password, address=self.machine.address)
                if "RUNNING" in self.api("sofia status"):
                    return
            except OSError:
                pass
            if not self.is_running or time.monotonic() > deadline:
                said = (self.folder / "freeswitch.out").read_text(errors="replace")[-2000:]
                raise TimeoutError(f"FreeSWITCH does not come up; see {self.folder}/log: {said}")
            gevent.sleep(0.05)

    @property
    def pid(self) -> int:
        """Of the process. Raises ConnectionError when it does not run."""
        if self._process is None:
            raise ConnectionError("FreeSWITCH does not run")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End it at once, as a crash does: what it records has no complete header."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    # --- its words -------------------------------------------------------------------------------

    @property
    def _open(self) -> EventSocket:
        if self._socket is None:
            raise ConnectionError("FreeSWITCH does not run")
        return self._socket

    def api(self, command: str) -> str:
        """Run an API command."""
        return self._open.api(command)

    def start(self, command: str) -> None:
        """Run an API command that may take long; its result is lost."""
        self._open.start(command)

    def variable(self, leg: str, name: str) -> str:
        """A channel variable; empty when it is not set or the leg is gone."""
        said = self.api(f"uuid_getvar {leg} {name}")
        return "" if said.startswith(("-ERR", "_undef_")) else said

    def channels(self) -> list[dict[str, str]]:
        """The channels that exist now."""
        return self._rows("show channels as json")

    def calls(self) -> list[dict[str, str]]:
        """The channels that are connected now: each row is one with its partner."""
        return [row for row in self._rows("show calls as json") if row.get("b_uuid")]

    def _rows(self, command: str) -> list[dict[str, str]]:
        rows: list[dict[str, str]] = json.loads(self.api(command)).get("rows", [])
        return rows


def _modules_of(binary: Path) -> Path | None:
    installed = binary.resolve().parent.parent
    for folder in (installed / "mod", installed / "lib" / "freeswitch" / "mod", binary.parent / "mod"):
        if (folder / "mod_sofia.so").exists():
            return folder
    return None


def _die_with_parent() -> None:
    """Linux's PR_SET_PDEATHSIG: no switch of the lab outlives who started it."""
    with_death = 1
    ctypes.CDLL(None).prctl(with_death, signal.SIGKILL)
