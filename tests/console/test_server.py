"""The console on the network: what it listens on, who may open it, and what it takes."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from consentivr.console import Server
from consentivr.console.server import THREADS
from consentivr.files import NotPrivate

HELLO = b"hello from the console"


def application(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
    said = {name: environ.get(name, "") for name in ("HTTP_REMOTE_USER", "REMOTE_ADDR", "HTTP_X_FORWARDED_FOR")}
    start("200 OK", [("Content-Type", "text/plain")])
    return [HELLO, repr(said).encode()]


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def make(*arguments: Any, **more: Any) -> Server:
        server = Server(application, *arguments, **more)
        server.start()
        started.append(server)
        return server

    yield make
    for server in started:
        server.stop()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    chain, key = folder / "chain.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", chain],
        check=True, capture_output=True,
    )  # fmt: skip
    key.chmod(0o600)
    return chain, key


def asked(path: Path, *lines: str) -> bytes:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.connect(str(path))
        sock.sendall("\r\n".join(["GET / HTTP/1.1", "Host: x", "Connection: close", *lines, "", ""]).encode())
        return b"".join(iter(lambda: sock.recv(4096), b""))


def test_a_unix_socket_is_for_our_user_and_its_group(tmp_path: Path, serve: Callable[..., Server]) -> None:
    path = tmp_path / "http.sock"
    path.write_text("what a crash has left")
    serve(path)
    assert oct(path.stat().st_mode & 0o777) == "0o660"
    answered = asked(path)
    assert HELLO in answered
    assert b"'REMOTE_ADDR': ''" in answered


def test_its_group_is_as_configured(tmp_path: Path, serve: Callable[..., Server]) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives a socket to any group")
    serve(tmp_path / "http.sock", group="daemon")
    assert (tmp_path / "http.sock").stat().st_gid == __import__("grp").getgrnam("daemon").gr_gid
    with pytest.raises(OSError, match="there is no group nobody-s"):
        serve(tmp_path / "other.sock", group="nobody-s")
    waiting = [thread for thread in threading.enumerate() if thread.name.startswith("CP Server")]
    assert len(waiting) == THREADS, "of the one that serves; others would keep the process from ending"


def test_a_header_that_only_looks_like_the_proxys_is_dropped(tmp_path: Path, serve: Callable[..., Server]) -> None:
    """Remote_User and Remote-User are one name to WSGI; a proxy takes only the latter away."""
    serve(tmp_path / "http.sock")
    assert b"'HTTP_REMOTE_USER': ''" in asked(tmp_path / "http.sock", "Remote_User: olga")
    assert b"'HTTP_REMOTE_USER': 'olga'" in asked(tmp_path / "http.sock", "Remote-User: olga")


def test_with_a_certificate_it_speaks_tls_1_2_and_newer(
    serve: Callable[..., Server], certificate: tuple[Path, Path]
) -> None:
    port = serve(("127.0.0.1", 0), certificate).address[1]
    context = ssl.create_default_context(cafile=str(certificate[0]))
    connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=10)
    connection.request("GET", "/")
    assert HELLO in connection.getresponse().read()
    connection.close()

    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLS"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock, pytest.raises((ssl.SSLError, OSError)):
        old.wrap_socket(sock)


def test_a_key_that_others_may_read_or_that_is_none_is_refused(
    tmp_path: Path, serve: Callable[..., Server], certificate: tuple[Path, Path]
) -> None:
    chain, key = certificate
    open_key = tmp_path / "open.pem"
    open_key.write_bytes(key.read_bytes())
    open_key.chmod(0o640)
    with pytest.raises(NotPrivate, match="chmod 600"):
        serve(("127.0.0.1", 0), (chain, open_key))
    other = tmp_path / "other.pem"
    other.write_text("no key")
    other.chmod(0o600)
    with pytest.raises(OSError, match="no certificate and its key"):
        serve(("127.0.0.1", 0), (chain, other))


def test_what_is_too_long_is_refused(tmp_path: Path, serve: Callable[..., Server]) -> None:
    serve(tmp_path / "http.sock")
    answered = asked(tmp_path / "http.sock", "X-Long: " + "x" * 20_000)
    assert answered.startswith(b"HTTP/1.1 413")
    assert HELLO not in answered
