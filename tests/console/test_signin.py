"""Signing in: how often, what is noted of it, and whom a proxy is believed."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from consentivr import metrics
from consentivr.console import limits
from consentivr.console.books import Books
from consentivr.console.failures import TOGETHER_S, Failures
from consentivr.console.limits import OF_A_BROWSER, OF_AN_ACCOUNT, OF_AN_ADDRESS, OF_BOTH, Attempts
from consentivr.console.trust import Group, Proxy
from consentivr.core.roles import Role
from consentivr.ledger import CONSOLE, Entry, Ledger, LedgerError, Search
from tests.console.people import HOST, PASSWORD, PEOPLE, Browser, books, console
from tests.ledgers import entry

STRANGER, OTHER = "192.0.2.1", "198.51.100.7"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    book = Ledger(tmp_path / "ledger")
    book.append([entry(1, decision="given", reason="consent_key")])
    book.close()
    return tmp_path / "ledger"


@pytest.fixture
def browser(tmp_path: Path, ledger: Path) -> Iterator[Any]:
    with console(tmp_path, ledger) as made:
        yield made


def rows(ledger: Path, turn: str) -> list[dict[str, Any]]:
    book = Ledger(ledger, create=False)
    try:
        return [dict(row.evidence) for row in book.read(Search(channel=CONSOLE)) if row.turn == turn]
    finally:
        book.close()


def attempt(client: Browser, name: str, password: str, address: str = STRANGER, **more: Any) -> TestResponse:
    return client.client.post(
        "/sign-in",
        data={"account": name, "password": password},
        base_url=f"https://{HOST}",
        environ_overrides={"REMOTE_ADDR": address},
        **more,
    )


# --- how often -------------------------------------------------------------------------------


def test_one_address_may_try_some_passwords_of_an_account_and_then_one_a_minute() -> None:
    clock = Clock()
    attempts = Attempts("key", clock)
    tried = [attempts.begin("olga", STRANGER) is not None for _ in range(OF_BOTH.at_once + 2)]
    assert tried == [True] * OF_BOTH.at_once + [False] * 2
    assert attempts.begin("olga", OTHER) is not None, "from elsewhere it goes on"
    clock.now += OF_BOTH.each_s
    assert attempts.begin("olga", STRANGER) is not None
    assert attempts.begin("olga", STRANGER) is None


def test_one_stranger_alone_does_not_use_up_an_accounts_attempts() -> None:
    """Who comes from elsewhere gets in, however long a stranger goes on."""
    clock = Clock()
    attempts = Attempts("key", clock)
    for _ in range(3600):
        attempts.begin("olga", STRANGER)
        clock.now += 1
    assert attempts.begin("olga", OTHER) is not None


def test_many_strangers_keep_nobody_out_of_a_browser_that_is_known() -> None:
    clock = Clock()
    attempts = Attempts("key", clock)
    cookie = attempts.cookie("olga")
    for number in range(200):
        attempts.begin("olga", f"192.0.2.{number}")
    assert attempts.begin("olga", OTHER) is None, "not from everywhere now"
    assert attempts.begin("olga", STRANGER, cookie) is not None
    clock.now += OF_AN_ACCOUNT.each_s
    assert attempts.begin("olga", OTHER) is not None, "and it ends by itself"


def test_a_known_browser_is_known_for_its_account_only_and_has_a_limit_too() -> None:
    attempts = Attempts("key", Clock())
    cookie = attempts.cookie("olga")
    tried = sum(attempts.begin("olga", "", cookie) is not None for _ in range(100))
    assert tried == OF_A_BROWSER.at_once
    for forged in (cookie + "x", Attempts("other key").cookie("olga"), ""):
        tried = sum(attempts.begin("sven", STRANGER, forged) is not None for _ in range(100))
        assert tried <= OF_BOTH.at_once


def test_one_address_may_not_try_many_accounts_and_ipv6_has_one_for_its_network() -> None:
    attempts = Attempts("key", Clock())
    assert sum(attempts.begin(f"n{n}", STRANGER) is not None for n in range(100)) == OF_AN_ADDRESS.at_once
    there = [f"2001:db8::{number:x}" for number in range(1, 100)]
    tried = sum(attempts.begin(f"m{n}", address) is not None for n, address in enumerate(there))
    assert tried == OF_AN_ADDRESS.at_once


def test_what_is_counted_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST", 50)
    attempts = Attempts("key", Clock())
    for number in range(1000):
        attempts.begin(f"{number}" * 1000, f"10.0.{number // 250}.{number % 250}")
    assert len(attempts._left) <= 50
    assert all(len(name) == 32 for name in attempts._left)


def test_whoever_tries_too_often_is_told_so_and_nobody_else(browser: Any, ledger: Path) -> None:
    nobody = browser()
    answers = [attempt(nobody, "olga", "wrong" * 4).status_code for _ in range(8)]
    assert answers == [403] * 5 + [429] * 3
    refused = attempt(nobody, "olga", PASSWORD)
    assert refused.status_code == 429, "also with the right one: the limit tells nothing"
    assert "Too many attempts" in refused.text
    assert refused.headers["Retry-After"] == "60"
    assert attempt(browser(), "olga", PASSWORD, OTHER).status_code == 303
    assert attempt(browser(), "sven", PASSWORD).status_code == 303


def test_good_sign_ins_are_not_counted(browser: Any) -> None:
    for _ in range(30):
        assert attempt(browser(), "olga", PASSWORD).status_code == 303


def test_the_password_once_more_has_a_limit_of_its_own(browser: Any) -> None:
    olga = browser("officer")
    answers = [olga.post("/again", password="wrong").status_code for _ in range(7)]
    assert answers == [403] * 5 + [429] * 2
    assert attempt(browser(), "olga", PASSWORD).status_code == 303


def test_the_address_that_is_forwarded_is_believed_of_the_proxy_alone(tmp_path: Path, ledger: Path) -> None:
    net = (ipaddress.ip_network("127.0.0.1"),)
    with console(tmp_path, ledger, proxy=Proxy(peers=net)) as browser:
        for number in range(40):  # each browser says what it likes, and the proxy adds who it is
            said = {"X-Forwarded-For": f"203.0.113.{number}, {STRANGER}"}
            attempt(browser(), "olga", "wrong" * 4, "127.0.0.1", headers=said)
        refused = attempt(browser(), "olga", PASSWORD, "127.0.0.1", headers={"X-Forwarded-For": STRANGER})
        assert refused.status_code == 429
        good = attempt(browser(), "olga", PASSWORD, "127.0.0.1", headers={"X-Forwarded-For": OTHER})
        assert good.status_code == 303
        assert attempt(browser(), "olga", PASSWORD, OTHER).status_code == 403, "who is not the proxy is not answered"
    with console(tmp_path, ledger) as browser:
        answers = [
            attempt(browser(), "olga", "wrong", headers={"X-Forwarded-For": f"203.0.113.{number}"}).status_code
            for number in range(7)
        ]
        assert answers[-1] == 429, "without a proxy it is not read"


# --- what is noted ---------------------------------------------------------------------------


def test_who_signs_in_and_who_cannot_is_in_the_access_log(browser: Any, ledger: Path) -> None:
    attempt(browser(), "olga", "wrong" * 4)
    attempt(browser(), "a secret typed into the wrong field", "x")
    browser("officer")
    assert rows(ledger, "sign_in_failed") == [
        {"by": "olga", "role": "officer", "why": "password", "times": 1},
        {"by": "-", "role": "-", "why": "password", "times": 1},
    ]
    assert rows(ledger, "signed_in") == [{"by": "olga", "role": "officer", "how": "password"}]


def test_a_flood_is_two_rows_for_each_account_and_reason(ledger: Path) -> None:
    clock, shelf = Clock(), books(ledger)
    failures = Failures(shelf, clock)
    for _ in range(5000):
        failures.note(PEOPLE["officer"], "password")
        failures.note(None, "often")
    assert len(rows(ledger, "sign_in_failed")) == 2
    failures.flush()
    assert len(rows(ledger, "sign_in_failed")) == 2, "it is not over yet"
    clock.now += TOGETHER_S
    failures.flush()
    told = rows(ledger, "sign_in_failed")
    assert [(row["by"], row["times"]) for row in told] == [("olga", 1), ("-", 1), ("olga", 4999), ("-", 4999)]
    failures.note(None, "often")
    failures.note(None, "often")
    failures.flush(all_of_it=True)
    assert [row["times"] for row in rows(ledger, "sign_in_failed")[4:]] == [1, 1], "also when the console ends"
    shelf.close()


def test_what_could_not_be_written_is_written_later() -> None:
    class Broken(Books):
        broken, told = True, 0

        def append(self, entries: Any) -> None:
            if self.broken:
                raise LedgerError("no")
            self.told += sum(row.evidence["times"] for row in entries if isinstance(row, Entry))

    shelf = Broken(None, None)  # type: ignore[arg-type]
    failures = Failures(shelf, Clock())
    with pytest.raises(LedgerError):
        failures.note(None, "password")
    failures.note(None, "password")
    with pytest.raises(LedgerError):
        failures.flush(all_of_it=True)
    shelf.broken = False
    failures.flush(all_of_it=True)
    assert shelf.told == 2


# --- a proxy that says who is there ----------------------------------------------------------

NAMING = Proxy(user="Remote-User", groups="Remote-Groups", agent="Remote-Agent")
GROUPS = {
    "dpo": Group(frozenset({Role.OFFICER})),
    "leads": Group(frozenset({Role.SUPERVISOR}), frozenset({"support@default"})),
    "agents": Group(frozenset({Role.AGENT})),
    "it": Group(frozenset({Role.ADMIN})),
}


@pytest.fixture
def behind(tmp_path: Path, ledger: Path) -> Iterator[Any]:
    """A console on a Unix socket, and who asks through it."""
    with console(tmp_path, ledger, proxy=NAMING, groups=GROUPS) as browser:

        def get(client: Browser, address: str, **headers: str) -> TestResponse:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return client.get(address, headers=named, environ_overrides={"REMOTE_ADDR": ""})

        get.browser = browser  # type: ignore[attr-defined]
        yield get


def test_whom_the_proxy_names_has_the_roles_of_the_groups(behind: Any, ledger: Path) -> None:
    lena = behind.browser()
    page = behind(lena, "/calls", Remote_User="lena", Remote_Groups="leads, staff")
    assert page.status_code == 200
    assert "lena" in page.text
    assert behind(lena, "/calls", Remote_User="lena", Remote_Groups="leads").status_code == 200
    assert [(row["by"], row["role"], row["how"]) for row in rows(ledger, "signed_in")] == [
        ("lena", "supervisor", "proxy")
    ], "one session, one row"


def test_the_file_counts_before_the_groups(behind: Any) -> None:
    assert "administrator" in behind(behind.browser(), "/again", Remote_User="adam", Remote_Groups="dpo").text
    behind.browser.accounts.disable("olga")
    assert behind(behind.browser(), "/calls", Remote_User="olga", Remote_Groups="dpo").status_code == 403


@pytest.mark.parametrize(
    ("groups", "why"), [("staff", "no_role"), ("", "no_role"), ("dpo,it", "unfit"), ("agents", "unfit")]
)
def test_who_has_no_role_is_told_so_and_noted(behind: Any, ledger: Path, groups: str, why: str) -> None:
    before = refused(why)
    answered = behind(behind.browser(), "/calls", Remote_User="lena", Remote_Groups=groups)
    assert answered.status_code == 403
    assert refused(why) == before + 1
    assert [row["why"] for row in rows(ledger, "sign_in_failed")] == [why]


def test_a_session_is_over_when_the_proxy_names_another_or_nobody(behind: Any) -> None:
    lena = behind.browser()
    behind(lena, "/calls", Remote_User="lena", Remote_Groups="leads")
    assert "lena" not in behind(lena, "/calls", Remote_User="dora", Remote_Groups="dpo").text
    assert behind(lena, "/calls").status_code == 302, "nobody is named: sign in"


def test_once_more_behind_a_proxy_is_a_password_of_ours_or_nothing(behind: Any) -> None:
    lena = behind.browser()
    page = behind(lena, "/again", Remote_User="lena", Remote_Groups="leads")
    assert "cannot ask you once more" in page.text
    assert 'type="password"' not in page.text
    assert 'type="password"' in behind(behind.browser(), "/again", Remote_User="olga").text


def test_the_header_from_somebody_else_is_refused_and_counted(tmp_path: Path, ledger: Path) -> None:
    listed = Proxy((ipaddress.ip_network("127.0.0.1"),), "Remote-User", "Remote-Groups")
    with console(tmp_path, ledger, proxy=listed, groups=GROUPS) as browser:
        said = {"Remote-User": "olga"}
        before = refused("peer")
        answered = browser().get("/calls", headers=said, environ_overrides={"REMOTE_ADDR": STRANGER})
        assert answered.status_code == 403
        assert refused("peer") == before + 1
        for address in ("127.0.0.1", "::ffff:127.0.0.1"):
            good = browser().get("/calls", headers=said, environ_overrides={"REMOTE_ADDR": address})
            assert good.status_code == 200


def refused(why: str) -> float:
    return metrics.CONSOLE_REFUSED.labels(why)._value.get()  # type: ignore[no-any-return]
