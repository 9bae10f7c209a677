"""The console on the network: cheroot's threads, TLS where there is a certificate, or a Unix socket behind a proxy."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

from cheroot.ssl.builtin import BuiltinSSLAdapter
from cheroot.wsgi import Server as WSGIServer

from consentivr.console.folding import Folding

THREADS = 32
"""Slow browsers each hold one while they send and take."""

WAITING = 128
"""Connections that wait for a thread; cheroot's own 5 would turn away a house that comes to work at nine."""

KEPT = 500
"""Connections of browsers that may speak again: a new one costs a handshake."""

PATIENCE_S = 10
"""So long a browser may take to say something."""


class Server:
    """Serves ``application`` on an address, or below the path of a Unix socket. Port 0 takes a free one.

    ``certificate``: chain and key, each a file (PEM). ``folding`` works beside it.
    """

    def __init__(
        self,
        application: Any,
        listen: tuple[str, int] | Path,
        certificate: tuple[Path, Path] | None = None,
        folding: Folding | None = None,
    ) -> None:
        bind: Any = str(listen) if isinstance(listen, Path) else listen
        self._server = WSGIServer(bind, application, numthreads=THREADS, timeout=PATIENCE_S, server_name="consentivr")
        self._server.request_queue_size = WAITING
        self._server.keep_alive_conn_limit = KEPT
        self._server.max_request_header_size = 16 * 1024
        if certificate is not None:
            self._server.ssl_adapter = BuiltinSSLAdapter(str(certificate[0]), str(certificate[1]))
        self._folding = folding
        self._socket = listen if isinstance(listen, Path) else None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen; returns once it does. Raises OSError when it cannot."""
        before = os.umask(0o117) if self._socket is not None else None
        try:
            self._server.prepare()
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
