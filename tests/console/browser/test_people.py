"""Somebody asks what is known of them: the officer's way from a number to the receipt, and that nobody else goes it."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser, Page

from consentivr.cli import main
from consentivr.core.requests import PersonRequest, Wish
from consentivr.core.turn import Turn
from consentivr.lab.console import PASSWORD, Console
from consentivr.ledger import Entry
from consentivr.ledger.people import hashes_at
from tests.console.browser.screens import NARROW, Someone, visitors
from tests.console.people import PEOPLE
from tests.ledgers import NUMBER, opened
from tests.persons import NOTICE, VISITS, conversation

pytestmark = pytest.mark.slow

OTHER, ENDS_ALIKE = "+493023125111", "+4322313125000"
HOUSE = {
    "controller": "Muster GmbH, Musterstraße 1, 10115 Berlin",
    "recipients": ["Musterhosting AG (processor)"],
    "third_countries": "none",
    "time_zone": "Europe/Berlin",
}
PROXY = {"peers": ["127.0.0.1"], "user": "Remote-User"}
"""Whom it names is signed in without a password: what wants one again asks for it at once."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Three calls of ``NUMBER`` in three spellings, one of who has not agreed; one of each of two others."""
    folder = tmp_path_factory.mktemp("people")
    recordings = folder / "recordings"
    with opened(folder / "ledger.sqlite3", country="DE") as ledger:
        ledger.add_notice(NOTICE)
        conversation(ledger, recordings, 0)
        conversation(ledger, recordings, 1, caller="03023125000")
        conversation(ledger, recordings, 2, "refused", caller="00493023125000")
        conversation(ledger, recordings, 3, caller=ENDS_ALIKE)
        conversation(ledger, recordings, 4, caller=OTHER)
    with Console(folder, PEOPLE.values(), privacy=HOUSE, console={"proxy": PROXY}) as made:
        yield made


@pytest.fixture
def visitor(chromium: Browser, house: Console) -> Iterator[Callable[..., Someone]]:
    with visitors(chromium, house.address) as open_one:
        yield open_one


@pytest.fixture
def olga(visitor: Callable[..., Someone]) -> Someone:
    return visitor(extra_http_headers={"Remote-User": "olga"})


def rows(house: Console, turn: Turn) -> list[Entry]:
    with opened(house.folder / "ledger.sqlite3", create=False) as ledger:
        return [row for row in ledger.read() if row.turn == turn]


def hashes(house: Console, turn: Turn) -> list[str]:
    positions = [row.position or 0 for row in rows(house, turn)]
    with opened(house.folder / "ledger.sqlite3", create=False) as ledger:
        return list(hashes_at(ledger, positions).values())


def kept(house: Console) -> set[str]:
    """The visits whose recordings are on the disk."""
    return {file.stem for file in (house.folder / "recordings").rglob("*.wav")}


def look_for(page: Page, number: str) -> None:
    page.goto("/people")
    page.get_by_label("Telephone number").fill(number)
    page.get_by_label("Why").fill("request for access")
    page.get_by_role("button", name="Look").click()
    page.get_by_role("heading", name="Note a request").wait_for()


def asked_for(page: Page, received_on: str, *wishes: str) -> None:
    """Noted on the page of a person."""
    for wish in wishes:
        page.get_by_label(wish).check()
    page.get_by_label("Reached us on").fill(received_on)
    page.get_by_role("button", name="Note").click()
    page.get_by_text("Answer until").wait_for()


def identified(page: Page) -> None:
    page.get_by_label("How you made sure").fill("called back under the number")


def downloaded(page: Page, button: str, within: str) -> Path:
    with page.expect_download() as waiting:
        page.locator("dt", has_text=within).locator("+ dd").get_by_role("button", name=button).click()
    return Path(waiting.value.path())


def hold(page: Page, *visits: str, release: bool = False) -> None:
    for visit in visits:
        page.locator(f'input[value="{visit}"]').check()
    page.get_by_label("Why").fill("the contract is disputed" if not release else "it is settled")
    page.get_by_role("button", name="Release" if release else "Hold").click()
    page.wait_for_load_state()


def test_from_the_number_to_the_receipt(olga: Someone, house: Console) -> None:
    page, today = olga.page, datetime.now(timezone.utc).date()
    look_for(page, "030 / 23 12 50 00")
    olga.is_accessible()
    assert page.locator("h1").inner_text() == "+49 30 23125000"
    assert "3125000" not in page.url
    assert page.locator("tbody tr").count() == 3
    assert page.get_by_role("button", name=ENDS_ALIKE).is_visible(), "somebody else's, perhaps"
    person = page.url

    asked = PersonRequest("x", (Wish.ACCESS,), today - timedelta(days=3))
    asked_for(page, asked.received_on.isoformat(), "access (art. 15)", "erasure")
    assert f"{asked.due_on} {asked.days_left(today)} days" in " ".join(page.locator("main").inner_text().split())

    page.get_by_role("link", name="Answer", exact=True).click()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Name and address").fill("Erika Muster\n10115 Berlin")
    identified(page)
    olga.is_accessible()
    letter = downloaded(page, "To print", "The letter: what is known").read_text(encoding="utf-8")
    assert "Erika Muster" in letter
    archive = downloaded(page, "ZIP", "Letter, data and recordings")
    with zipfile.ZipFile(archive) as made:
        assert made.testzip() is None
        assert sum(name.endswith(".wav") for name in made.namelist()) == 2
    checked = CliRunner().invoke(main, ["ledger", "verify", "--export", str(archive)])
    assert checked.exit_code == 0, checked.output

    page.goto(person)
    hold(page, VISITS[0])
    page.get_by_role("link", name="Erase", exact=True).click()
    olga.is_accessible()
    first = page.get_by_role("row").filter(has=page.locator(f'a[href="/calls/{VISITS[0]}"]'))
    assert "everything, for legal claims" in first.inner_text()
    assert page.get_by_label("Type 2, the number of calls").is_visible()
    page.goto(person)
    hold(page, VISITS[1], VISITS[2])
    page.get_by_role("link", name="Erase", exact=True).click()
    olga.is_accessible()
    assert page.get_by_role("button", name="Erase", exact=True).count() == 0
    assert page.get_by_text("All of it is on legal hold").is_visible()
    page.goto(person)
    hold(page, *VISITS[:3], release=True)

    page.get_by_role("link", name="Erase", exact=True).click()
    identified(page)
    page.get_by_label("Type 3, the number of calls").fill("2")
    page.get_by_role("button", name="Erase", exact=True).click()
    olga.is_accessible()
    assert page.get_by_text("That is another number").is_visible()
    assert {VISITS[0], VISITS[1]} <= kept(house)
    page.get_by_label("Type 3, the number of calls").fill("3")
    page.get_by_role("button", name="Erase", exact=True).click()
    page.get_by_role("heading", name="Erased").wait_for()
    olga.is_accessible()
    assert not {VISITS[0], VISITS[1]} & kept(house)
    assert VISITS[3] in kept(house), "ends alike"

    page.get_by_role("link", name="Answer", exact=True).click()
    identified(page)
    olga.is_accessible()
    receipt = downloaded(page, "As text", "Receipt").read_text(encoding="utf-8")
    assert all(hash_ in receipt for hash_ in hashes(house, Turn.ERASURE))
    assert "Erasure" in downloaded(page, "As text", "confirms the erasure").read_text(encoding="utf-8")
    page.get_by_role("link", name="Close the request").click()
    olga.is_accessible()
    page.get_by_label("done", exact=True).check()
    page.get_by_role("button", name="Note").click()
    assert page.locator("tbody tr", has_text=asked.due_on.isoformat()).get_by_text("done").is_visible()
    (complaint,) = olga.complaints
    assert "status of 422" in complaint, "another number of calls"


def test_a_yes_is_taken_back_by_letter_that_came_long_ago(visitor: Callable[..., Someone], house: Console) -> None:
    olga = visitor("officer", viewport=NARROW)
    page = olga.page
    look_for(page, OTHER)
    asked_for(page, "2026-01-31", "withdrawal of consent")
    late = (datetime.now(timezone.utc).date() - datetime(2026, 2, 28).date()).days
    page.goto("/people")
    olga.is_accessible()
    olga.fits()
    assert f"{late} day(s) late" in page.locator("tbody tr", has_text="2026-02-28").inner_text()
    page.go_back()
    page.get_by_role("link", name="Take consent back").click()
    olga.is_accessible()
    olga.fits()
    page.get_by_label("by letter").check()
    page.get_by_label("When it reached you").fill("2026-11-20")
    identified(page)
    page.get_by_role("button", name="Take back (1)").click()
    page.get_by_role("heading", name="Taken back").wait_for()
    olga.is_accessible()
    olga.fits()
    assert VISITS[4] not in kept(house)
    (row,) = rows(house, Turn.WITHDRAWN)
    assert row.visit == VISITS[4]
    assert row.evidence["by"] == "olga"
    assert olga.complaints == []


@pytest.mark.parametrize("role", [role for role in PEOPLE if role != "officer"])
def test_nobody_else_answers_people(visitor: Callable[..., Someone], house: Console, role: str) -> None:
    page = visitor(role).page
    assert page.get_by_role("link", name="People").count() == 0
    answer = page.goto("/people")
    assert answer is not None
    assert answer.status == 403
    token = page.locator('input[name="form_token"]').first.input_value()
    form = {"form_token": token, "number": NUMBER, "why": "curious"}
    assert page.request.post("/people", form=form).status == 403
    assert {row.evidence["by"] for row in rows(house, Turn.PERSON_LOOKED_FOR)} <= {"olga"}
