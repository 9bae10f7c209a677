"""The end of sd_notify(3) at which systemd listens."""

from __future__ import annotations

import socket


class Systemd:
    """Hears what is said at ``address``, a path, or a name that begins with @."""

    def __init__(self, address: str) -> None:
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sock.bind(address.replace("@", "\0", 1))
        self._sock.setblocking(False)

    def heard(self) -> list[str]:
        """Since it was asked last."""
        found = []
        while True:
            try:
                found.append(self._sock.recv(4096).decode())
            except BlockingIOError:
                return found

    def close(self) -> None:
        self._sock.close()
