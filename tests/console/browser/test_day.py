"""Everybody's day before a real browser: what each comes for, done as a page lets one do it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from consentivr.core.evidence import summarize
from consentivr.core.turn import Turn
from consentivr.lab.console import Console
from consentivr.ledger import Entry
from tests.console.browser.screens import NARROW, Someone
from tests.ledgers import opened

pytestmark = pytest.mark.slow


def rows_of(served: Console, call: str) -> list[Entry]:
    with opened(served.folder / "ledger.sqlite3", create=False) as ledger:
        return ledger.call(call)


def until(page: Page, script: str) -> None:
    """Playwright's own waiting wants what our content security policy forbids."""
    for _ in range(200):
        if page.evaluate(script):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never: {script}")


@pytest.fixture
def heard(served: Console) -> str:
    """A call whose recording is there, and that nobody has asked for yet."""
    for file in sorted((served.folder / "recordings").rglob("*.wav"), reverse=True):
        rows = rows_of(served, file.stem)
        if summarize(rows).decision == "given" and not any(row.turn == Turn.LISTENING_REQUESTED for row in rows):
            return file.stem
    raise AssertionError("every recording was asked for")


def test_one_asks_another_approves_it_sounds_and_the_agent_sees_it(
    someone: Callable[..., Someone], served: Console, heard: str
) -> None:
    sven = someone("supervisor").page
    sven.goto(f"/calls/{heard}")
    sven.get_by_label("What for").select_option("training")
    sven.get_by_role("button", name="Ask to listen").click()
    request = sven.url
    assert "to be decided" in sven.locator("h1").inner_text()

    carl = someone("council")
    carl.page.goto(request)
    carl.is_accessible()
    carl.page.get_by_role("button", name="Approve").click()
    assert "approved" in carl.page.locator("h1").inner_text()

    sven.goto(request)
    sven.get_by_role("button", name="Open the player").click()
    assert [row for row in rows_of(served, heard) if row.turn == Turn.RECORDING_PLAYED], "noted before it sounds"
    sven.get_by_role("button", name="Play", exact=True).click()
    until(sven, "document.querySelector('audio').currentTime > 1.5")
    sven.keyboard.press("Space")
    until(sven, "document.querySelector('audio').paused")
    sven.get_by_role("link", name="Back to the request").click()
    sven.wait_for_load_state()
    told = [row.evidence["heard_s"] for row in rows_of(served, heard) if row.turn == Turn.RECORDING_HEARD]
    assert len(told) == 1
    assert 1 <= told[0] < 10

    anna = someone("agent")
    anna.page.goto("/listening/me")
    anna.is_accessible()
    mine = anna.page.get_by_role("row").filter(has_text="sven").first
    assert "training" in mine.inner_text()
    mine.get_by_role("link", name="Object").click()
    anna.page.get_by_label("Why you object").fill("it was not for training")
    anna.page.get_by_role("button", name="Object").click()
    assert any(row.turn == Turn.OBJECTED for row in rows_of(served, heard))


def test_a_player_is_for_everybody(someone: Callable[..., Someone], heard: str) -> None:
    olga = someone("officer", viewport=NARROW)
    olga.page.goto(f"/calls/{heard}")
    olga.page.get_by_label("What for").select_option("training")
    olga.page.get_by_role("button", name="Ask to listen").click()
    request = olga.page.url
    carl = someone("council")
    carl.page.goto(request)
    carl.page.get_by_role("button", name="Approve").click()
    olga.page.goto(request)
    olga.page.get_by_role("button", name="Open the player").click()
    olga.page.get_by_role("button", name="Play", exact=True).wait_for()
    olga.is_accessible()
    olga.fits()
    olga.can_tab_through()
    assert olga.complaints == []


def test_the_officer_sees_a_number_with_a_reason_and_holds_a_call(
    someone: Callable[..., Someone], served: Console, heard: str
) -> None:
    olga = someone("officer")
    page = olga.page
    page.goto(f"/calls/{heard}")
    assert "hidden" in page.locator("main").inner_text()
    card = page.locator("form", has_text="Number and agent")
    card.get_by_label("Reason").fill("a letter of that person")
    card.get_by_role("button").click()
    assert "anna@example" in page.locator("main").inner_text()
    assert "+4" not in page.url
    assert [row.evidence["why"] for row in rows_of(served, heard) if row.turn == Turn.PERSON_SHOWN]
    card = page.locator("form", has_text="Legal hold")
    card.get_by_label("Reason").fill("a dispute")
    card.get_by_role("button", name="Hold").click()
    olga.is_accessible()
    assert summarize(rows_of(served, heard)).held
    card.get_by_label("Reason").fill("it is settled")
    card.get_by_role("button", name="Release").click()
    assert not summarize(rows_of(served, heard)).held
    page.get_by_role("link", name="Make the sheet").click()
    olga.is_accessible()


def test_filters_stand_in_the_address_and_go_along(someone: Callable[..., Someone]) -> None:
    who = someone("officer", java_script_enabled=False)
    page = who.page
    page.goto("/calls")
    page.get_by_label("Decision").select_option("refused")
    page.get_by_role("button", name="Filter").click()
    assert "decision=refused" in page.url
    assert "AGREED" not in page.locator("tbody").inner_text()
    first = page.locator("tbody tr").first.inner_text()
    page.get_by_role("link", name="Older").click()
    assert "decision=refused" in page.url
    assert page.locator("tbody tr").first.inner_text() != first
    page.get_by_role("button", name="Deutsch").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Anrufe"
    assert "decision=refused" in page.url, "another language is the same page"


def test_what_one_may_not_is_not_offered_and_is_refused(someone: Callable[..., Someone], heard: str) -> None:
    carl = someone("council").page
    carl.goto(f"/calls/{heard}")
    assert carl.get_by_role("button", name="Show for 15 minutes").count() == 0
    assert carl.get_by_role("button", name="Hold").count() == 0
    adam = someone("admin").page
    answer = adam.goto(f"/calls/{heard}")
    assert answer is not None
    assert answer.status == 403
    assert "Your role does not do this." in adam.locator("main").inner_text()
