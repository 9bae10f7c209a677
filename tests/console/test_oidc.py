"""Signing in at a provider of OpenID Connect that really is one: Canaille, in a process of its own."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
import requests
from werkzeug.test import TestResponse

from consentivr.console import oidc
from consentivr.console.trust import Group, Provider
from consentivr.core.roles import Role
from consentivr.ledger import CONSOLE, Ledger, Search
from tests.console import provider as canaille
from tests.console.people import HOST, Browser, console
from tests.ledgers import entry

BACK = f"https://{HOST}/oidc/back"
DPO = {"dpo": Group(frozenset({Role.OFFICER}))}


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if importlib.util.find_spec("canaille") is None:
        pytest.skip("needs canaille, which needs Python 3.11")
    port, file = free_port(), tmp_path_factory.mktemp("canaille") / "canaille.sqlite"
    process = subprocess.Popen(
        [sys.executable, canaille.__file__, str(port), BACK, str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield f"http://localhost:{port}"
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def place(tmp_path: Path, issuer: str) -> Iterator[Any]:
    """A console that believes that provider; nobody has an account in its file but the ones of people.py."""
    book = Ledger(tmp_path / "ledger")
    book.append([entry(1, decision="given", reason="consent_key")])
    book.close()
    told = Provider(issuer, canaille.CLIENT_ID, canaille.CLIENT_SECRET, ("openid", "profile", "groups"), name="name")
    with console(tmp_path, tmp_path / "ledger", provider=told, groups=DPO) as browser:
        for name in ("olga", "carl"):  # of the file, with passwords: nobody whom a provider could name
            (tmp_path / "accounts").write_text((tmp_path / "accounts").read_text().replace(f'"{name}"', f'"{name} K"'))
        yield SimpleNamespace(browser=browser, ledger=tmp_path / "ledger", issuer=issuer, accounts=browser.accounts)


def at_provider(address: str, name: str, there: requests.Session | None = None) -> str:
    """What somebody does there who signs in as ``name``; where the provider leads at the end."""
    time.sleep(1.1)  # of two access tokens in one second Canaille makes the same
    there = there or requests.Session()
    answered = there.get(address, allow_redirects=False)
    for _ in range(12):
        if answered.is_redirect:
            onward = urljoin(answered.url, answered.headers["Location"])
            if onward.startswith(f"https://{HOST}"):
                return onward
            answered = there.get(onward, allow_redirects=False)
            continue
        fields = {"login": name, "password": canaille.PASSWORD, "answer": "accept"}
        known = {field: value for field, value in fields.items() if f'name="{field}"' in answered.text}
        answered = there.post(answered.url, data=known, allow_redirects=False)
    raise AssertionError(answered.text)


def sign_in(client: Browser, name: str, there: requests.Session | None = None) -> TestResponse:
    started = client.get("/oidc?to=/calls")
    assert started.status_code == 302, started.text
    return client.get(at_provider(started.location, name, there).removeprefix(f"https://{HOST}"))


def rows(ledger: Path) -> list[tuple[str, str, str]]:
    book = Ledger(ledger, create=False)
    try:
        found = [(row.turn, row.evidence) for row in book.read(Search(channel=CONSOLE))]
    finally:
        book.close()
    return [(turn, said["by"], said.get("how") or said.get("why") or "") for turn, said in found]


def test_somebody_of_a_group_signs_in_with_its_role(place: Any) -> None:
    client = place.browser()
    assert "/oidc?to=" in client.get("/sign-in").text
    landed = sign_in(client, "olga")
    assert landed.status_code == 200
    assert 'content="0; url=/calls"' in landed.text
    page = client.get("/calls")
    assert page.status_code == 200
    assert "data protection officer" in page.text
    assert rows(place.ledger) == [("signed_in", "olga", "oidc")]
    book = Ledger(place.ledger, create=False)
    (row,) = book.read(Search(channel=CONSOLE))
    book.close()
    assert row.evidence["subject"] == "olga", "whatever name the provider gives tomorrow"
    cookie = next(value for value in landed.headers.getlist("Set-Cookie") if value.startswith("__Host-consentivr="))
    assert "SameSite=Strict" in cookie


def test_the_request_has_state_nonce_and_pkce(place: Any) -> None:
    asked = parse_qs(urlsplit(place.browser().get("/oidc").location).query)
    assert asked["response_type"] == ["code"]
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == [BACK]
    assert all(len(asked[name][0]) >= 20 for name in ("state", "nonce", "code_challenge"))


def test_who_has_no_group_of_ours_has_no_role(place: Any) -> None:
    client = place.browser()
    answered = sign_in(client, "nora")
    assert answered.status_code == 403
    assert "no role here" in answered.text
    assert client.get("/calls").status_code == 302
    assert rows(place.ledger) == [("sign_in_failed", "-", "no_role")]


def test_what_the_file_says_counts_first(place: Any) -> None:
    from consentivr.console.accounts import account

    place.accounts.put(account("nora", ["council"]))
    nora = place.browser()
    sign_in(nora, "nora")
    assert "works council" in nora.get("/calls").text
    place.accounts.disable("nora")
    assert nora.get("/calls").status_code == 302, "at once"
    assert sign_in(place.browser(), "nora").status_code == 403
    place.accounts.put(account("olga", ["officer"]), "a password of the file")
    assert sign_in(place.browser(), "olga").status_code == 403, "the name of a local account is not the provider's"


def test_an_answer_that_was_not_asked_for_is_refused(place: Any) -> None:
    """Another browser's answer (login CSRF), the same once more, another issuer's (RFC 9207), a forged state."""
    client, victim = place.browser(), place.browser()
    started = client.get("/oidc")
    back = at_provider(started.location, "olga").removeprefix(f"https://{HOST}")
    victim.get("/oidc")
    assert victim.get(back).status_code == 403
    assert client.get(back.replace("state=", "state=x")).status_code == 403
    issuer = parse_qs(urlsplit(back).query)["iss"][0]
    assert client.get(f"/oidc/back?code=x&state={parse_qs(urlsplit(back).query)['state'][0]}&iss=https://evil.example"
                      ).status_code == 403  # fmt: skip
    assert issuer == place.issuer
    assert client.get(back).status_code == 200
    assert client.get(back).status_code == 403, "once"
    assert client.get("/oidc/back?code=x&state=y").status_code == 403


def test_a_code_of_another_flow_is_of_no_use(place: Any) -> None:
    """PKCE: whoever has caught a code has not the secret that it was asked for with."""
    thief, client = place.browser(), place.browser()
    caught = parse_qs(urlsplit(at_provider(client.get("/oidc").location, "olga")).query)["code"][0]
    own = parse_qs(urlsplit(at_provider(thief.get("/oidc").location, "nora")).query)["state"][0]
    answered = thief.get(f"/oidc/back?code={caught}&state={own}")
    assert answered.status_code == 502
    assert thief.get("/calls").status_code == 302


def test_once_more_is_asked_of_the_provider_and_nobody_else_answers(place: Any) -> None:
    client, there = place.browser(), requests.Session()
    sign_in(client, "olga", there)
    assert "/oidc/again" in client.get("/again?to=/calls").text
    begun = client.get("/oidc/again?to=/calls")
    asked = parse_qs(urlsplit(begun.location).query)
    assert (asked["prompt"], asked["max_age"]) == (["login"], ["60"])
    landed = client.get(at_provider(begun.location, "olga", there).removeprefix(f"https://{HOST}"))
    assert "url=/oidc/proven?" in landed.text
    done = client.get("/oidc/proven?to=/calls")
    assert (done.status_code, done.location) == (302, "/calls")
    assert client.get("/oidc/proven?to=/calls").status_code == 403, "once"

    begun = client.get("/oidc/again?to=/calls")
    client.get(at_provider(begun.location, "nora").removeprefix(f"https://{HOST}"))
    assert client.get("/oidc/proven?to=/calls").status_code == 403, "it is somebody else"


def test_an_old_sign_in_is_not_once_more(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever takes prompt and max_age out of the address gets an older auth_time, or none."""
    client = place.browser()
    sign_in(client, "olga")
    with monkeypatch.context() as later:
        later.setattr(oidc, "time", SimpleNamespace(time=lambda: time.time() + 7200))
        begun = client.get("/oidc/again?to=/calls")
    assert client.get(at_provider(begun.location, "olga").removeprefix(f"https://{HOST}")).status_code == 403


def test_signing_out_leads_to_the_providers_own_end(place: Any) -> None:
    client = place.browser()
    sign_in(client, "olga")
    client.get("/calls")
    assert client.post("/sign-out").location == "/sign-in?out"
    assert "/oidc/out" in client.get("/sign-in?out").text
    ended = client.get("/oidc/out").location
    assert ended.startswith(f"{place.issuer}/oauth/end_session?client_id=consentivr")


def test_only_signatures_with_a_private_key_are_taken(place: Any, issuer: str) -> None:
    client = oidc._Client(Provider(issuer, "consentivr", "x"))
    assert (
        "none"
        in requests.get(f"{issuer}/.well-known/openid-configuration", timeout=10).json()[
            "id_token_signing_alg_values_supported"
        ]
    )
    taken = client.load_server_metadata()["id_token_signing_alg_values_supported"]
    assert taken
    assert not {"none", "HS256"} & set(taken)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"issuer": "https://evil.example"}, "evil.example"),
        ({"token_endpoint": "http://169.254.169.254/latest"}, "token_endpoint"),
        ({"jwks_uri": "file:///etc/passwd"}, "jwks_uri"),
    ],
)
def test_a_provider_that_leads_elsewhere_is_not_followed(
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, str], said: str
) -> None:
    ends = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    good = {"issuer": "https://id.example"} | {name: f"https://id.example/{name}" for name in ends}

    def answer(self: Any, method: str, url: str, **how: Any) -> Any:
        return SimpleNamespace(raise_for_status=lambda: None, json=lambda: good | changed)

    monkeypatch.setattr(oidc._Session, "request", answer)
    with pytest.raises(oidc.NotTheProvider, match=said):
        oidc._Client(Provider("https://id.example", "c", "s")).load_server_metadata()


def test_a_provider_that_does_not_answer_is_told_and_locals_still_sign_in(tmp_path: Path) -> None:
    Ledger(tmp_path / "ledger").close()
    told = Provider(f"http://localhost:{free_port()}", "c", "s")
    with console(tmp_path, tmp_path / "ledger", provider=told) as browser:
        answered = browser().get("/oidc")
        assert answered.status_code == 502
        assert "cannot say who you are" in answered.text
        assert browser("officer").get("/calls").status_code == 200
