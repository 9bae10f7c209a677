"""Behind nginx, set up with the lines of docs/console.md: over its socket, and over an address.

Skipped without nginx; CONSENTIVR_REQUIRE_NGINX=1 fails instead.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPResponse, HTTPSConnection
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser
from structlog.testing import capture_logs

from consentivr.config import load
from consentivr.console.guard import COOKIE
from consentivr.core.turn import Turn
from consentivr.lab.console import PASSWORD, Console
from consentivr.ledger import Search
from consentivr.service.console import server
from tests.console.browser.screens import PROXIED, visitors
from tests.console.people import PEOPLE
from tests.ledgers import opened

pytestmark = pytest.mark.slow

NAME, PORT = PROXIED
SOCKET = "/run/consentivr-console/http.sock"
NAMES = {"user": "Remote-User", "groups": "Remote-Groups"}
GROUPS = {"dpo": {"roles": ["officer"]}}
DOCS = Path(__file__).parents[3] / "docs" / "console.md"
AROUND = """
daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events {{}}
http {{
  access_log off;
  ssl_protocols TLSv1 TLSv1.1 TLSv1.2;
  ssl_ciphers ALL:@SECLEVEL=0;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
{lines}
}}
"""
"""What a distribution's own nginx.conf has, and of TLS what an old one has."""

FORGED = {
    "Remote-User": "olga",
    "Remote_User": "olga",
    "Remote-Groups": "dpo",
    "Forwarded": f"for=203.0.113.9;host={NAME};proto=https",
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Host": "elsewhere.example",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Prefix": "/elsewhere",
    "X-Forwarded-User": "olga",
    "X-Real-IP": "203.0.113.9",
    "X-Original-URL": "/people",
}


class Proxied:
    """nginx before a console."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._trusting = ssl.create_default_context(cafile=str(console.certificate))
        self._trusting.check_hostname = False  # it is the certificate of the laboratory's console

    def asked(self, address: str, form: dict[str, str] | None = None, **headers: str) -> tuple[HTTPResponse, str]:
        """As a browser would, that can say what it wants in headers."""
        told = {"Host": NAME} | headers
        with closing(HTTPSConnection("127.0.0.1", PORT, context=self._trusting, timeout=10)) as connection:
            if form is None:
                connection.request("GET", address, headers=told)
            else:
                told["Content-Type"] = "application/x-www-form-urlencoded"
                connection.request("POST", address, urlencode(form), told)
            answered = connection.getresponse()
            return answered, answered.read().decode()


@contextmanager
def nginx(folder: Path, console: Console, lines: str) -> Iterator[Proxied]:
    program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program is None:
        if os.environ.get("CONSENTIVR_REQUIRE_NGINX") == "1":
            pytest.fail("there is no nginx on this machine, and CONSENTIVR_REQUIRE_NGINX wants it")
        pytest.skip(
            "no nginx on this machine: nobody tried docs/console.md's lines for it (apt-get install nginx-light)"
        )
    here = {
        "listen 443 ssl": f"listen 127.0.0.1:{PORT} ssl",
        f"/etc/ssl/{NAME}.pem": str(console.certificate),
        f"/etc/ssl/private/{NAME}.key": str(console.certificate.with_suffix(".key")),
    }
    for said, instead in here.items():
        assert lines.count(said) == 1, said
        lines = lines.replace(said, instead)
    (folder / "nginx.conf").write_text(AROUND.format(lines=lines))
    with (folder / "nginx.log").open("wb") as log:
        process = subprocess.Popen([program, "-p", folder, "-c", folder / "nginx.conf"], stderr=log)
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", PORT), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, (folder / "nginx.log").read_text()
                time.sleep(0.02)
        yield Proxied(console)
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture(scope="module", params=["socket", "address"])
def proxied(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    folder = tmp_path_factory.mktemp("nginx")
    with opened(folder / "ledger.sqlite3"):
        pass
    docs = DOCS.read_text(encoding="utf-8")
    (lines,) = re.findall(r"```nginx\n(server .*?)```", docs, re.S)
    over_socket, over_address = (f"proxy_pass http://{to};" for to in (f"unix:{SOCKET}", "127.0.0.1:8188"))
    assert lines.count(over_socket) == 1
    assert f"`{over_address}`" in docs
    said = {"address": f"https://{NAME}", "groups": GROUPS, "certificate": None, "certificate_key": None}
    if request.param == "socket":
        file = str(folder / "http.sock")
        console = Console(folder, PEOPLE.values(), console=said | {"listen": None, "socket": file, "proxy": NAMES})
        lines = lines.replace(SOCKET, file)
    else:
        console = Console(folder, PEOPLE.values(), console=said | {"proxy": NAMES | {"peers": ["127.0.0.1"]}})
        lines = lines.replace(over_socket, over_address.replace("8188", str(console.port)))
    served, shelf = server(load(console.configuration), console.configuration)
    served.start()
    try:
        with nginx(folder, console, lines) as made:
            yield made
    finally:
        served.stop()
        shelf.close()


def test_a_browser_signs_in(chromium: Browser, proxied: Proxied) -> None:
    with visitors(chromium, f"https://{NAME}") as open_one:
        olga = open_one("officer")
        page = olga.page
        assert page.url == f"https://{NAME}/today"
        cookies = page.context.cookies()
        assert {COOKIE} < {cookie["name"] for cookie in cookies}
        assert all(cookie["secure"] and cookie["httpOnly"] and cookie["sameSite"] == "Strict" for cookie in cookies)
        answer = page.goto("/people")
        assert answer is not None
        assert answer.status == 200
        assert answer.header_value("strict-transport-security") == "max-age=63072000"
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/sign-in*")
        assert olga.complaints == []


def test_what_a_browser_forges_passes_for_nothing(proxied: Proxied) -> None:
    answered, page = proxied.asked("/people", **FORGED)
    assert answered.status == 302
    assert answered.headers["Location"] == "/sign-in?to=%2Fpeople"
    assert answered.headers["Set-Cookie"] is None
    answered, page = proxied.asked("/sign-in", **FORGED)
    assert answered.status == 200
    assert "elsewhere" not in page + str(answered.headers)
    with capture_logs() as log:
        answered, page = proxied.asked("/sign-in", {"account": "olga", "password": "wrong"}, **FORGED)
    assert answered.status == 403
    assert [line["address"] for line in log] == ["127.0.0.1"], "who tries too often is whom nginx sees"
    with opened(proxied.console.folder / "ledger.sqlite3") as ledger:
        signed_in = list(ledger.read(Search(turn=Turn.SIGNED_IN.value)))
    assert not any(row.evidence["how"] == "proxy" for row in signed_in)


def test_a_session_is_its_browsers_whatever_is_forged_beside_it(proxied: Proxied) -> None:
    answered, _ = proxied.asked("/sign-in", {"account": "anna", "password": PASSWORD})
    cookie = str(answered.headers["Set-Cookie"]).partition(";")[0]
    assert proxied.asked("/calls", Cookie=cookie)[0].status == 200
    assert proxied.asked("/people", Cookie=cookie, **FORGED)[0].status == 403
    assert proxied.asked("/calls", Cookie=cookie, **FORGED)[0].status == 200


@pytest.mark.parametrize("host", ["elsewhere.example", "localhost", f"{NAME}.elsewhere.example"])
def test_another_name_is_refused(proxied: Proxied, host: str) -> None:
    answered, _ = proxied.asked("/sign-in", **{"Host": host, "X-Forwarded-Host": NAME})
    assert answered.status == 421


def test_a_form_of_another_page_is_refused(proxied: Proxied) -> None:
    form = {"account": "anna", "password": PASSWORD}
    assert proxied.asked("/sign-in", form, Origin="https://elsewhere.example")[0].status == 403
    assert proxied.asked("/sign-in", form, Origin=f"https://{NAME}")[0].status == 303


def test_old_tls_is_refused(proxied: Proxied) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLS"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", PORT), timeout=10) as there, pytest.raises(OSError):
        old.wrap_socket(there)
