"""The listening side: who may connect, how many, and what happens to those who may not.

Rows K, L, M, P and Q of FREESWITCH.md, section 6.
"""

from __future__ import annotations

import contextlib
import functools
import ipaddress
from collections.abc import Callable, Sequence
from typing import Any

import gevent
import gevent.pool
import gevent.socket
import structlog
from gevent.server import StreamServer

from consentivr import metrics
from consentivr.esl.errors import ESLError, PeerRefused
from consentivr.esl.peer import user_of
from consentivr.esl.session import OutboundSession

log = structlog.get_logger(__name__)

BACKLOG = 4096
"""Depth of the accept queue: a full one blocks the switch for minutes (FREESWITCH.md, section 1)."""

PARK_SECONDS = 2.0
"""So long is waited at most for a call to be parked before it is given back.

The switch parks the channel a moment after it took our ``connect``. An ``exit`` or a close that came before is
forgotten then: the caller would wait for the watchdog (seen)."""

_PROVE_PARKED = (
    b"connect\n\nmyevents json\n\n"
    b"sendmsg\ncall-command: execute\nexecute-app-name: log\nexecute-app-arg: DEBUG consentivr gives this call back\n\n"
)
"""An application that only a parked channel executes; its end is told."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class _Listener(StreamServer):  # type: ignore[misc]
    """Hands each socket to ``admit`` in the accept loop, which must not wait (row Q: no polling).

    gevent keeps accepting when descriptors run out, with a growing pause (row L).
    """

    def __init__(self, address: tuple[str, int], admit: Callable[[Any, Any], None]) -> None:
        super().__init__(address, handle=admit, backlog=BACKLOG)
        self._admit = admit

    def init_socket(self) -> None:
        """Options that every accepted socket inherits (tcp(7)).

        Commands are small and must not wait for each other; a switch that vanished without a word is
        noticed within two minutes, also while a caller waits in the queue.
        """
        super().init_socket()
        self.socket.setsockopt(gevent.socket.IPPROTO_TCP, gevent.socket.TCP_NODELAY, 1)
        self.socket.setsockopt(gevent.socket.SOL_SOCKET, gevent.socket.SO_KEEPALIVE, 1)
        self.socket.setsockopt(gevent.socket.IPPROTO_TCP, gevent.socket.TCP_KEEPIDLE, 60)
        self.socket.setsockopt(gevent.socket.IPPROTO_TCP, gevent.socket.TCP_KEEPINTVL, 20)
        self.socket.setsockopt(gevent.socket.IPPROTO_TCP, gevent.socket.TCP_KEEPCNT, 3)

    def do_handle(self, sock: Any, peer: Any) -> None:
        """Instead of gevent's own, which closes the socket when its greenlet ends."""
        self._admit(sock, peer)


class OutboundServer:
    """Accepts connections of the switch and runs ``application(session)`` in a greenlet for each.

    - A peer outside ``allowed_peers`` is closed at once: the outbound socket has no authentication
      (FREESWITCH.md, section 2).
    - A call of one on this machine that belongs to none of ``peer_users``, if these are given, and each above
      ``max_connections``, is taken and given back in the same breath, because a connection that is merely closed would
      park the channel until the watchdog (section 1). So is one that ``application`` answers with PeerRefused.
    - Whatever else ``application`` raises is logged, and the socket is closed: the dialplan goes on (row M).
    """

    def __init__(
        self,
        address: tuple[str, int],
        application: Callable[[OutboundSession], None],
        *,
        allowed_peers: Sequence[Network] = (ipaddress.IPv4Network("127.0.0.1"),),
        peer_users: frozenset[int] | None = None,
        max_connections: int = 2000,
        turned_away_at_once: int = 1000,
    ) -> None:
        self._application = application
        self._allowed: tuple[Network, ...] = tuple(allowed_peers)
        self._is_allowed = functools.lru_cache(maxsize=256)(self._is_in_a_network)
        self._peer_users = peer_users
        self._max_connections = max_connections
        self._turned_away_at_once = turned_away_at_once
        self.refused = 0
        """Connections of whoever is no switch of ours."""
        self._calls = gevent.pool.Group()
        self._turned_away = gevent.pool.Group()
        self._server = _Listener(address, self._admit)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens, once started; port 0 is resolved then."""
        return self._server.server_host, self._server.server_port

    @property
    def calls(self) -> int:
        """Calls under way."""
        return len(self._calls)

    def start(self) -> None:
        """Listen. Returns once the port is bound; raises OSError when it is taken."""
        self._server.start()

    def serve_forever(self) -> None:
        """Listen until ``stop`` is called."""
        self._server.serve_forever()

    def stop_listening(self) -> None:
        """Take no more calls, but all that are connected: one that is closed unheard would not be asked."""
        with contextlib.suppress(OSError):  # no descriptor for one more
            while self._server.started and (connected := self._server.do_read()) is not None:
                self._server.do_handle(*connected)
        self._server.stop(timeout=0)

    def join(self, seconds: float) -> None:
        """Wait for the calls under way, but not longer."""
        self._calls.join(timeout=seconds)

    def stop(self) -> None:
        """Stop accepting and close what is left (row P).

        Closing is safe: callers in the queue or in a talk stay there, callers who are being asked go
        to the queue unrecorded (FREESWITCH.md, section 1).
        """
        self.stop_listening()
        self._calls.kill(timeout=1.0)
        self._turned_away.kill(timeout=1.0)

    def _admit(self, sock: gevent.socket.socket, peer: Any) -> None:
        if not self._is_allowed(peer[0]):
            self._refused(peer, "it is not in service.allowed_peers")
            sock.close()
        elif (stranger := self._stranger(sock, peer)) is not None:
            self._refused(peer, stranger)
            self._give_back(sock)  # if it is a switch after all, its caller does not wait for the watchdog
        elif len(self._calls) >= self._max_connections:
            metrics.TURNED_AWAY.inc()
            log.error("call turned away", calls=len(self._calls), hint="raise service.max_connections")
            self._give_back(sock)
        else:
            self._calls.spawn(self._run, OutboundSession(peer, sock))

    def _refused(self, peer: Any, why: str) -> None:
        self.refused += 1
        metrics.PEERS_REFUSED.inc()
        log.warning("peer refused", peer=peer[0], why=why)

    def _give_back(self, sock: gevent.socket.socket) -> None:
        if len(self._turned_away) >= self._turned_away_at_once:
            sock.close()
        else:
            self._turned_away.spawn(self._turn_away, sock)

    def _stranger(self, sock: gevent.socket.socket, peer: Any) -> str | None:
        """Why a peer on this machine is nobody whom we know; None when it is, or is on another machine."""
        if self._peer_users is None:
            return None
        try:
            uid = user_of(peer, sock.getsockname())
        except OSError as error:
            return f"the kernel does not say whose it is: {error}"
        if uid is None:
            return "its socket is gone already" if ipaddress.ip_address(peer[0]).is_loopback else None
        if uid not in self._peer_users:
            return f"it belongs to the user {uid}, who is not service.peer_user"
        return None

    def _is_in_a_network(self, host: str) -> bool:
        address = ipaddress.ip_address(host.partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._allowed)

    def _run(self, session: OutboundSession) -> None:
        try:
            self._application(session)
        except PeerRefused as error:
            self._refused(session.client_address, str(error))
            self._turn_away(session.sock)
        except ESLError as error:
            # It is gone, silent or no switch: there is nobody to give the call back to.
            metrics.DROPPED.inc()
            log.warning("call dropped to the dialplan", peer=session.client_address[0], why=str(error))
        except Exception:
            metrics.DROPPED.inc()
            log.exception("call dropped to the dialplan", peer=session.client_address[0])
            self._turn_away(session.sock)
        finally:
            session.stop()

    @staticmethod
    def _turn_away(sock: gevent.socket.socket) -> None:
        """Give a call back to its dialplan: not before it is parked, see ``PARK_SECONDS``."""
        try:
            sock.settimeout(PARK_SECONDS)
            sock.sendall(_PROVE_PARKED)
            _until(sock, b"CHANNEL_EXECUTE_COMPLETE")
            sock.sendall(b"exit\n\n")
            _until(sock)
        except OSError:
            pass
        finally:
            sock.close()


def _until(sock: gevent.socket.socket, words: bytes | None = None) -> None:
    """Read until ``words`` were read or the peer closed, ``PARK_SECONDS`` at most."""
    read = b""
    with gevent.Timeout(PARK_SECONDS, False):
        while words is None or words not in read:
            if not (data := sock.recv(65536)):
                return
            read = read[-64:] + data if words else b""
