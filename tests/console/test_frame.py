"""What every page of the console has: a guard, words in both languages, a form for programs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

import consentivr.console
from consentivr.console.application import MENU
from consentivr.console.words import SCREENS, WORDS
from consentivr.core.roles import RIGHTS, Account, Right, Role, unfit
from consentivr.ledger import Ledger, LedgerError
from consentivr.ledger.searching import Searching
from tests.console.people import HOST, PASSWORD, PEOPLE, console
from tests.ledgers import UUIDS, entry

CODE = Path(consentivr.console.__file__).parent


@pytest.fixture
def browser(tmp_path: Path, location: str | Path) -> Iterator[Any]:
    with_rows = Ledger(location)
    with_rows.append([entry(n, decision="given", reason="consent_key") for n in range(3)])
    with_rows.close()
    with console(tmp_path, location) as made:
        yield made


def test_both_languages_have_the_same_words_and_each_screen_its_own() -> None:
    for screen in SCREENS:
        name = screen.__name__.rpartition(".")[2]
        assert screen.WORDS["en"].keys() == screen.WORDS["de"].keys()
        assert all(word.startswith(f"{name}.") for word in screen.WORDS["en"]), name


def test_every_word_of_a_page_is_there() -> None:
    for file in (CODE / "templates").glob("*.html"):
        for word in re.findall(r'say\("([a-z_.]+)"\)', file.read_text()):
            assert word in WORDS["en"], f"{file.name}: {word}"


def test_who_may_do_what_is_said_of_every_right() -> None:
    assert RIGHTS.keys() == set(Right)
    sound = {Right.ASK_TO_LISTEN, Right.APPROVE_LISTENING, Right.BREAK_GLASS, Right.SEE_CALLS, Right.SEE_PERSON}
    assert not any(Role.ADMIN in RIGHTS[right] for right in sound), "an administrator hears nothing"


@pytest.mark.parametrize(("first", "second"), list(product(Role, Role)))
def test_an_administrator_is_nothing_else(first: Role, second: Role) -> None:
    refused = unfit({first, second}, {"q"}, "a")
    assert (refused is not None) == (Role.ADMIN in (first, second) and first != second)


@pytest.mark.parametrize(
    ("roles", "queues", "agent", "why"),
    [
        ([], [], None, "at least one role"),
        ([Role.AGENT], [], None, "which agent it is"),
        ([Role.SUPERVISOR], [], None, "of which queues"),
        ([Role.ADMIN, Role.OFFICER], [], None, "no other role"),
    ],
)
def test_what_nobody_can_be_is_refused(roles: list[Role], queues: list[str], agent: str | None, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Account("x", frozenset(roles), frozenset(queues), agent)


def test_a_scope_is_what_the_roles_give() -> None:
    supervisor = Account("s", frozenset({Role.SUPERVISOR}), frozenset({"a"}))
    both = Account("b", frozenset({Role.SUPERVISOR, Role.AGENT}), frozenset({"a"}), "anna")
    assert supervisor.scope.covers("a", None)
    assert not supervisor.scope.covers("b", "anna")
    assert both.scope.covers("b", "anna")
    assert Account("o", frozenset({Role.OFFICER})).scope.covers("b", None)
    assert not Account("x", frozenset({Role.ADMIN})).scope.covers("a", None)


def test_the_menu_leads_to_each_page_once() -> None:
    assert len({word for word, _, _ in MENU}) == len({address for _, address, _ in MENU}) == len(MENU)
    assert all(f"frame.{word}" in WORDS["en"] for word, _, _ in MENU)


def test_nobody_is_led_to_the_sign_in_page(browser: Any) -> None:
    nobody = browser()
    for address in ("/calls?line=a", "/no-such-page"):
        answered = nobody.get(address)
        assert answered.status_code == 302
        assert answered.location.startswith("/sign-in?to=")
    assert nobody.get("/calls.json").status_code == 401


def test_a_forged_host_is_refused(browser: Any) -> None:
    answered = browser().client.get("/sign-in", base_url="https://evil.example")
    assert answered.status_code == 421


def test_a_wrong_password_and_a_wrong_name_are_told_alike(browser: Any) -> None:
    nobody = browser()
    wrong = nobody.sign_in(PEOPLE["officer"], "wrong" * 4)
    unknown = nobody.client.post("/sign-in", data={"account": "x", "password": "y"}, base_url=f"https://{HOST}")
    assert wrong.status_code == unknown.status_code == 403
    assert wrong.text == unknown.text


def test_a_form_without_its_token_does_nothing(browser: Any) -> None:
    officer = browser("officer")
    right = officer.form_token
    officer.form_token = "forged"
    assert officer.post("/sign-out").status_code == 403
    officer.form_token = right
    assert officer.post("/sign-out").status_code == 303
    assert officer.get("/calls").status_code == 302


def test_whoever_signs_in_elsewhere_is_sent_nowhere_else(browser: Any) -> None:
    for address in ("https://evil.example/", "//evil.example", "/\\evil.example"):
        answered = browser().client.post(
            "/sign-in",
            data={"account": "olga", "password": PASSWORD, "to": address},
            base_url=f"https://{HOST}",
        )
        assert "evil" not in answered.location


def test_every_answer_has_the_headers_and_the_cookie_is_shut(browser: Any) -> None:
    answered = browser().sign_in(PEOPLE["officer"])
    assert "default-src 'none'" in answered.headers["Content-Security-Policy"]
    assert answered.headers["Cache-Control"] == "no-store"
    cookie = answered.headers["Set-Cookie"]
    assert cookie.startswith("__Host-")
    for word in ("Secure", "HttpOnly", "SameSite=Strict", "Path=/"):
        assert word in cookie


def test_a_page_is_also_there_for_programs(browser: Any) -> None:
    officer = browser("officer")
    page, data, lines = officer.get("/calls"), officer.get("/calls.json"), officer.get("/calls.csv")
    assert {row["call"] for row in data.json["rows"]} == set(UUIDS[:3])
    assert len(lines.text.splitlines()) == 4
    assert all(UUIDS[n] in page.text for n in range(3))
    assert all(
        '<html lang="de">' in officer.get("/calls", headers={"Accept-Language": "de-AT,de;q=0.9"}).text for _ in "1"
    )


def test_a_read_only_ledger_is_read_only(browser: Any, location: str | Path) -> None:
    book = Searching(location, create=False, read_only=True)
    try:
        with pytest.raises(LedgerError), book.reading() as connection:
            connection.exec_driver_sql("DELETE FROM caller")
    finally:
        book.close()
