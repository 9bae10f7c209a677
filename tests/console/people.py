"""One account of each role, and a console that they sign in to, as tests want it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from consentivr.console import Books, Folding, Settings, application
from consentivr.console.accounts import Accounts, account
from consentivr.core.roles import Account
from consentivr.files import replace_private
from consentivr.ledger import Ledger
from consentivr.ledger.searching import Searching
from consentivr.recordings import Places

HOST = "console.example"
PASSWORD = "correct horse battery"
QUEUE = "support@default"

PEOPLE: dict[str, Account] = {
    "agent": account("anna", ["agent"], agent="anna@example"),
    "supervisor": account("sven", ["supervisor"], queues=[QUEUE]),
    "officer": account("olga", ["officer"]),
    "council": account("carl", ["council"]),
    "admin": account("adam", ["admin"]),
}
"""By role."""


def settings(folder: Path, **changes: Any) -> Settings:
    """Of a console that keeps everything in ``folder``."""
    made: dict[str, Any] = {
        "hosts": frozenset({HOST}),
        "accounts_file": folder / "accounts",
        "places": Places(folder / "recordings"),
        "purposes": ("training", "a complaint"),
        "queues": (QUEUE,),
        "lines": ("support",),
    }
    return Settings(**made | changes)


def books(location: str | Path, country: str | None = None) -> Books:
    """Of a ledger that is there."""

    def read() -> Searching:
        book = Searching(location, create=False, patience_s=5, read_only=True)
        book.country = country
        return book

    return Books(read, lambda: Ledger(location, create=False, patience_s=5, country=country))


class Browser:
    """A client who keeps cookies, and sends a form's token back as a page would."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.form_token = ""

    def sign_in(self, who: Account, password: str = PASSWORD) -> TestResponse:
        return self.client.post(
            "/sign-in", data={"account": who.name, "password": password}, base_url=f"https://{HOST}"
        )

    def get(self, address: str, **how: Any) -> TestResponse:
        response = self.client.get(address, base_url=f"https://{HOST}", **how)
        is_page = response.mimetype == "text/html"
        after = response.text.partition('name="form_token" value="')[2] if is_page else ""
        if after:
            self.form_token = after.partition('"')[0]
        return response

    def post(self, address: str, **form: str) -> TestResponse:
        data = {"form_token": self.form_token, **form}
        return self.client.post(address, data=data, base_url=f"https://{HOST}")


@cache
def everybodys_accounts() -> bytes:
    """The file of them. Argon2id takes its time, so it is made once."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "accounts"
        accounts = Accounts(file)
        for person in PEOPLE.values():
            accounts.put(person, PASSWORD)
        return file.read_bytes()


@contextmanager
def console(folder: Path, location: str | Path, *, folding: Folding | None = None, **changes: Any) -> Iterator[Any]:
    """A function that makes a browser of somebody, who is signed in; of nobody without a role."""
    told = settings(folder, **changes)
    accounts = Accounts(told.accounts_file)
    replace_private(told.accounts_file, everybodys_accounts())
    shelf = books(location, told.country)
    app = application(told, shelf, folding)

    def browser(role: str | None = None) -> Browser:
        made = Browser(app.test_client())
        if role is not None:
            assert made.sign_in(PEOPLE[role]).status_code == 303
            made.get("/")
            made.get("/calls" if role != "admin" else "/again")
        return made

    browser.app = app  # type: ignore[attr-defined]
    browser.accounts = accounts  # type: ignore[attr-defined]
    try:
        yield browser
    finally:
        shelf.close()
