"""HTTP connections: few at once, none for long, and none that a call would need the descriptor of."""

from __future__ import annotations

from typing import Any

import gevent
import structlog
from gevent.pywsgi import WSGIServer

log = structlog.get_logger(__name__)

AT_ONCE = 50
"""Connections, a descriptor each: part of ``resources.DESCRIPTORS_BESIDE_CALLS``."""

UNKNOWN_SECONDS = 5.0
"""So long a connection may take until it has shown a good token, or was told that it has none."""

KNOWN_SECONDS = 30.0
"""So long the rest may take: reading the body, and a switch that is slow to confirm."""


class _Open:
    """One connection."""

    def __init__(self, sock: Any) -> None:
        self.sock = sock
        self.is_known = False
        self.until: gevent.Timeout | None = None
        """When its greenlet is given up."""

    def allow(self, seconds: float) -> None:
        """From now on; called by its greenlet."""
        self.cancel()
        self.until = gevent.Timeout.start_new(seconds)

    def cancel(self) -> None:
        """It is over."""
        if self.until is not None:
            self.until.close()


class BoundedServer(WSGIServer):  # type: ignore[misc]
    """gevent's, with ``AT_ONCE`` connections.

    When all places are taken, whoever has waited longest without a good token gives way to who comes: an agent's
    desktop is served however many idle connections there are.
    """

    def __init__(self, address: tuple[str, int], application: Any) -> None:
        super().__init__(address, application, log=None, error_log=None)
        self._open: dict[gevent.Greenlet, _Open] = {}

    def known(self) -> None:
        """The request of this greenlet has shown a good token."""
        place = self._open.get(gevent.getcurrent())
        if place is not None:
            place.is_known = True
            place.allow(KNOWN_SECONDS)

    def do_handle(self, sock: Any, peer: Any) -> None:
        """In the accept loop."""
        if len(self._open) >= AT_ONCE and not self._make_room():
            log.warning("HTTP connection turned away: too many at once", peer=peer[0])
            sock.close()
            return
        greenlet = gevent.Greenlet(self._serve, sock, peer)
        greenlet.start()
        self._open[greenlet] = _Open(sock)

    def stop(self, timeout: float | None = None) -> None:
        """And end whatever is open."""
        super().stop(timeout=timeout)
        gevent.killall(list(self._open), timeout=timeout)

    def _make_room(self) -> bool:
        """The descriptor is free at once, not when its greenlet has noticed."""
        for greenlet, place in self._open.items():
            if not place.is_known:
                del self._open[greenlet]
                place.cancel()
                place.sock.close()
                greenlet.kill(block=False)
                return True
        return False

    def _serve(self, sock: Any, peer: Any) -> None:
        place = self._open[gevent.getcurrent()]
        try:
            place.allow(UNKNOWN_SECONDS)
            self.handle(sock, peer)
        except gevent.Timeout as timeout:
            if timeout is not place.until:
                raise
        finally:
            place.cancel()
            self._open.pop(gevent.getcurrent(), None)
            sock.close()
