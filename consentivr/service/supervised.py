"""What systemd is told of us: sd_notify(3), for a unit with ``Type=notify`` and ``WatchdogSec``."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, MutableMapping

import gevent
import structlog

log = structlog.get_logger(__name__)

BEATS = 3
"""So many in the time of systemd's watchdog."""


class Supervised:
    """By systemd, or by nobody: then whatever is said is not sent.

    What is told to us alone is taken out of the environment, so that no command of ours speaks in our name.
    """

    def __init__(self, environment: MutableMapping[str, str] = os.environ) -> None:
        self._address = environment.pop("NOTIFY_SOCKET", "").replace("@", "\0", 1)
        watched = environment.pop("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        microseconds = environment.pop("WATCHDOG_USEC", "")
        self.watchdog_s = int(microseconds) / 1e6 if watched and microseconds.isdigit() else None
        """So long a silence is taken for our death; None: nobody listens."""
        self._beating: gevent.Greenlet | None = None

    def ready(self) -> None:
        """It serves, from now on or again."""
        self._say("READY=1")

    def reloading(self) -> None:
        """It reads its configuration again; ``ready`` follows in any case."""
        self._say(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """It was told to end."""
        self._say("STOPPING=1")

    def beat(self, status: Callable[[], str]) -> None:
        """From now on until the process ends say that the hub turns, and ``status``, a line for people.

        In a greenlet: a hub that hangs lets nobody beat, and systemd ends the process and starts another.
        """
        if self.watchdog_s is not None:
            self._beating = gevent.spawn(self._beat, status, self.watchdog_s / BEATS)

    def _beat(self, status: Callable[[], str], every_s: float) -> None:
        while True:
            self._say(f"WATCHDOG=1\nSTATUS={status()}")
            gevent.sleep(every_s)

    def _say(self, what: str) -> None:
        """Never waits: what systemd does not take now is lost, and the next beat follows."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                sock.connect(self._address)
                sock.send(what.encode())
        except OSError as error:
            log.warning("systemd is not told", what=what.partition("\n")[0], why=str(error))
