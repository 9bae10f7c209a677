"""Accounts as the administrator makes them at a shell, and as a console that runs takes them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from consentivr.cli import main
from consentivr.config import load
from consentivr.console.accounts import Accounts, account
from consentivr.core.roles import Role
from consentivr.ledger import CONSOLE, Ledger, Search
from tests.console.people import PASSWORD, PEOPLE, QUEUE, Browser, console
from tests.ledgers import entry

User = Callable[..., Result]


@pytest.fixture
def user(tmp_path: Path) -> User:
    """``consentivr console user``, with a password on its standard input."""
    example = Path(__file__).parents[2] / "config" / "consentivr.yaml"
    text = example.read_text("utf-8").replace("/var/lib/consentivr", str(tmp_path))
    text = text.replace("  # accounts_file:", "  accounts_file:") if "  # accounts_file:" in text else text
    (tmp_path / "c.yaml").write_text(text, "utf-8")

    def run(*arguments: str, password: str = PASSWORD) -> Result:
        command = ["console", "user", arguments[0], "-c", str(tmp_path / "c.yaml"), *arguments[1:]]
        return CliRunner().invoke(main, command, input=f"{password}\n")

    return run


def kept(tmp_path: Path) -> Accounts:
    return Accounts(load(tmp_path / "c.yaml").console.accounts_file)


def rows(tmp_path: Path) -> list[dict[str, Any]]:
    book = Ledger(load(tmp_path / "c.yaml").ledger.location, create=False)
    try:
        return [dict(row.evidence) for row in book.read(Search(channel=CONSOLE))]
    finally:
        book.close()


def test_an_account_is_made_changed_and_closed_and_each_is_a_row(tmp_path: Path, user: User) -> None:
    assert user("add", "sven", "--role", "supervisor", "--queue", QUEUE).exit_code == 0
    assert (kept(tmp_path)._path.stat().st_mode & 0o777) == 0o600
    assert PASSWORD not in kept(tmp_path)._path.read_text()
    sven = kept(tmp_path).proven("sven", PASSWORD)
    assert sven is not None
    assert (sven.account.roles, sven.account.queues) == ({Role.SUPERVISOR}, {QUEUE})

    assert user("role", "sven", "--role", "agent", "--agent", "1001@default").exit_code == 0
    assert user("password", "sven", password="another battery horse").exit_code == 0
    assert kept(tmp_path).proven("sven", PASSWORD) is None
    sven = kept(tmp_path).proven("sven", "another battery horse")
    assert sven is not None
    assert (sven.account.roles, sven.account.agent) == ({Role.AGENT}, "1001@default")

    assert user("disable", "sven").exit_code == 0
    assert kept(tmp_path).proven("sven", "another battery horse") is None
    assert user("disable", "sven").exit_code == 1
    told = rows(tmp_path)
    assert [row["what"] for row in told] == ["added", "role", "password", "disabled"]
    assert all(row["account"] == "sven" and row["role"] == "shell" and row["by"] for row in told)
    assert (told[0]["roles"], told[0]["queues"]) == (["supervisor"], [QUEUE])
    assert not any("battery" in json.dumps(row) for row in told)

    listed = user("list", "--json")
    assert json.loads(listed.stdout)[0]["signs_in"] == "no"
    assert user("role", "sven", "--role", "officer").exit_code == 0
    assert "elsewhere" in user("list").stdout


def test_whose_an_account_is(tmp_path: Path, user: User) -> None:
    assert user("add", "olga", "--role", "officer").exit_code == 0
    assert user("add", "olga2", "--role", "council", "--person", "olga").exit_code == 0
    assert user("role", "olga2", "--role", "officer").exit_code == 0
    known = kept(tmp_path).known("olga2")
    assert known is not None
    assert known.account.person == "olga", "it stays until it is said otherwise"
    assert [row.get("person") for row in rows(tmp_path)] == [None, "olga", "olga"]
    listed = json.loads(user("list", "--json").stdout)
    assert [(one["account"], one["person"]) for one in listed] == [("olga", "olga"), ("olga2", "olga")]
    assert user("role", "olga2", "--role", "officer", "--person", "Olga Meier").exit_code == 0
    assert "Olga Meier" in user("list").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "a", "--role", "agent"], "which agent"),
        (["add", "a", "--role", "supervisor"], "of which queues"),
        (["add", "a", "--role", "supervisor", "--queue", "sales@default"], "--queue sales@default is none"),
        (["add", "a", "--role", "officer", "--queue", QUEUE], "--queue is for --role supervisor"),
        (["add", "a", "--role", "officer", "--agent", "1"], "--agent is for --role agent"),
        (["add", "a", "--role", "admin", "--role", "officer"], "an administrator has no other role"),
        (["add", "a"], "--role"),
        (["add", " a", "--role", "officer"], "characters that can be seen"),
        (["add", "a", "--role", "officer", "--person", ""], "a person's name"),
        (["add", "olga", "--role", "officer"], "olga has an account"),
        (["role", "nobody", "--role", "officer"], "nobody has no account"),
        (["password", "nobody"], "nobody has no account"),
        (["disable", "nobody"], "nobody has no account"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_changes(
    tmp_path: Path, user: User, arguments: list[str], said: str
) -> None:
    user("add", "olga", "--role", "officer")
    before = kept(tmp_path).all(), rows(tmp_path)
    refused = user(*arguments)
    assert refused.exit_code == 2
    assert said in refused.stderr
    assert (kept(tmp_path).all(), rows(tmp_path)) == before


def test_a_short_password_is_refused(tmp_path: Path, user: User) -> None:
    refused = user("add", "olga", "--role", "officer", password="short")
    assert refused.exit_code == 2
    assert "12 to 256 characters" in refused.stderr
    assert kept(tmp_path).all() == []


def test_two_who_change_accounts_at_once_lose_nothing(tmp_path: Path) -> None:
    def add(number: int) -> None:
        accounts = Accounts(tmp_path / "accounts")
        with accounts.changing():
            accounts.put(account(f"n{number}", ["officer"]))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Accounts(tmp_path / "accounts").all()) == 20


# --- a console that runs ---------------------------------------------------------------------


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    book = Ledger(tmp_path / "ledger")
    book.append([entry(1, decision="given", reason="consent_key")])
    book.close()
    with console(tmp_path, tmp_path / "ledger") as made:
        yield made


def test_a_session_ends_when_its_account_changes(tmp_path: Path, browser: Any) -> None:
    at_a_shell = Accounts(tmp_path / "accounts")
    changes: list[Callable[[], None]] = [
        lambda: at_a_shell.put(account("olga", ["council"])),
        lambda: at_a_shell.put(account("olga", ["officer"]), "another battery horse"),
        lambda: at_a_shell.disable("olga"),
    ]
    for change in changes:
        at_a_shell.put(PEOPLE["officer"], PASSWORD)
        olga, carl = browser("officer"), browser("council")
        assert olga.get("/calls").status_code == 200
        change()
        assert olga.get("/calls").status_code == 302, "the session is over"
        assert carl.get("/calls").status_code == 200, "others go on"
    assert Browser(browser.app.test_client()).sign_in(PEOPLE["officer"]).status_code == 403


def test_a_session_gets_another_name_whenever_somebody_is_proven(browser: Any) -> None:
    """Whoever knew the name before, or gave it to the browser, knows nothing now (session fixation)."""
    olga = browser("officer")

    def name() -> str:
        cookie = olga.client.get_cookie("__Host-consentivr", "console.example")
        assert cookie is not None
        return str(cookie.value)

    before = name()
    assert olga.post("/again", password=PASSWORD).status_code == 303
    after = name()
    assert after != before
    stolen = Browser(browser.app.test_client())
    stolen.client.set_cookie("__Host-consentivr", before, domain="console.example", secure=True)
    assert stolen.get("/calls").status_code == 302
    assert olga.get("/calls").status_code == 200


def test_nobody_is_let_in_while_the_accounts_cannot_be_read(tmp_path: Path, browser: Any) -> None:
    olga = browser("officer")
    (tmp_path / "accounts").chmod(0o644)
    (tmp_path / "accounts").write_text("no accounts")
    for answered in (olga.get("/calls"), Browser(browser.app.test_client()).sign_in(PEOPLE["officer"])):
        assert answered.status_code == 503
        assert "accounts cannot be read" in answered.text
