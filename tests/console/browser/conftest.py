"""The console as people meet it: Chromium, and 'consentivr console' in a process of its own, over a year of calls.

Skipped without Chromium; CONSENTIVR_REQUIRE_BROWSER=1 fails instead. CONSENTIVR_CALLS: so many calls (125000 is what a
busy house has).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timezone

import pytest
from playwright.sync_api import Browser, sync_playwright

from consentivr.lab.console import Console
from consentivr.lab.history import History, filled
from consentivr.ledger import make_key
from tests.console.browser.screens import PROXIED, Someone, visitors
from tests.console.people import PEOPLE

CALLS = int(os.environ.get("CONSENTIVR_CALLS", "3000"))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """It finds ``PROXIED`` at its port of this machine."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        if os.environ.get("CONSENTIVR_REQUIRE_BROWSER") == "1":
            pytest.fail("there is no chromium on this machine, and CONSENTIVR_REQUIRE_BROWSER wants it")
        pytest.skip("no chromium on this machine: nobody looked at the console's pages (apt-get install chromium)")
    there = "--host-resolver-rules=MAP {}:443 127.0.0.1:{}".format(*PROXIED)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", there])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("console")
    history = History(CALLS, datetime.now(timezone.utc), folder=folder / "recordings")
    filled(folder / "ledger.sqlite3", history, signer=make_key(folder / "ledger.key"))
    with Console(folder, PEOPLE.values()) as console:
        yield console


@pytest.fixture
def someone(chromium: Browser, served: Console) -> Iterator[Callable[..., Someone]]:
    """Of the console of ``served``: see ``visitors``."""
    with visitors(chromium, served.address) as open_one:
        yield open_one
