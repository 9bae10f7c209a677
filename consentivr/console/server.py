"""The console on the network: cheroot's threads, TLS where there is a certificate, or a Unix socket behind a proxy."""

from __future__ import annotations

import os
import shutil
import ssl
import threading
from pathlib import Path
from typing import Any

from cheroot.server import HeaderReader, HTTPConnection, HTTPRequest
from cheroot.ssl.builtin import BuiltinSSLAdapter
from cheroot.wsgi import Server as WSGIServer

from consentivr.console.folding import Folding
from consentivr.files import NotPrivate, open_to_others

THREADS = 32
"""Slow browsers each hold one while they send and take."""

WAITING = 128
"""Connections that wait for a thread; cheroot's own 5 would turn away a house that comes to work at nine."""

KEPT = 500
"""Connections of browsers that may speak again: a new one costs a handshake."""

PATIENCE_S = 10
"""So long a browser may take to say something."""


class _WithoutUnderscores(HeaderReader):
    """Remote_User would be the same as Remote-User to the application, and not to a proxy that takes that away."""

    def _allow_header(self, key_name: str | bytes) -> bool:
        # cheroot's own DropUnderscoreHeaderReader looks for a text in bytes, or the other way round (11.1.2).
        name = key_name.decode("latin-1") if isinstance(key_name, bytes) else key_name
        return "_" not in name and bool(super()._allow_header(key_name))  # type: ignore[misc]


class _Request(HTTPRequest):
    header_reader = _WithoutUnderscores()


class _Connection(HTTPConnection):
    RequestHandlerClass = _Request


class Server:
    """Serves ``application`` on an address, or below the path of a Unix socket. Port 0 takes a free one.

    ``certificate``: chain and key, each a file (PEM); the key is its owner's alone. ``group``: of the Unix socket,
    which that group and our user alone can open. ``folding`` works beside it.
    """

    def __init__(
        self,
        application: Any,
        listen: tuple[str, int] | Path,
        certificate: tuple[Path, Path] | None = None,
        folding: Folding | None = None,
        group: str | None = None,
    ) -> None:
        bind: Any = str(listen) if isinstance(listen, Path) else listen
        self._server = WSGIServer(bind, application, numthreads=THREADS, timeout=PATIENCE_S, server_name="consentivr")
        self._server.request_queue_size = WAITING
        self._server.keep_alive_conn_limit = KEPT
        self._server.max_request_header_size = 16 * 1024
        self._server.ConnectionClass = _Connection
        self._certificate = certificate
        self._folding = folding
        self._socket = listen if isinstance(listen, Path) else None
        self._group = group
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen; returns once it does. Raises OSError when it cannot, with what to do."""
        if self._certificate is not None:
            self._server.ssl_adapter = _speaks_tls(*self._certificate)
        before = os.umask(0o117) if self._socket is not None else None
        try:
            self._server.prepare()
            if self._socket is not None and self._group is not None:
                shutil.chown(self._socket, group=self._group)
        except BaseException as error:
            self._server.stop()  # its threads wait already, and would keep the process from ending
            if isinstance(error, LookupError):
                raise OSError(f"there is no group {self._group}: see console.socket_group") from None
            if isinstance(error, PermissionError) and self._group is not None:
                why = f"{error}: our user has to be in the group {self._group}, see console.socket_group"
                raise OSError(why) from None
            raise
        finally:
            if before is not None:
                os.umask(before)
        self._thread = threading.Thread(target=self._server.serve, name="console", daemon=True)
        self._thread.start()
        if self._folding is not None:
            self._folding.start()

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens, once started on an address."""
        return self._server.bind_addr[0], self._server.bind_addr[1]

    def stop(self) -> None:
        """Close; requests under way are answered."""
        if self._folding is not None:
            self._folding.stop()
        self._server.stop()
        if self._thread is not None:
            self._thread.join(timeout=10)


def _speaks_tls(chain: Path, key: Path) -> BuiltinSSLAdapter:
    if open_to_others(key):
        raise NotPrivate(f"others than its owner may read {key}: run 'chmod 600 {key}'")
    try:
        adapter = BuiltinSSLAdapter(str(chain), str(key))
    except ssl.SSLError as error:
        raise OSError(f"{chain} and {key} are no certificate and its key (PEM): {error.reason or error}") from None
    adapter.context.minimum_version = ssl.TLSVersion.TLSv1_2
    return adapter
