"""The player in a browser: it plays, by keyboard too, says what is silent, and what was heard is in the ledger."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from consentivr.core.turn import Turn
from consentivr.lab.console import Console
from consentivr.lab.history import write_sound
from consentivr.ledger import Search
from tests.console.browser.screens import NARROW, WIDE, Someone, visitors
from tests.console.listened import CALL, SECONDS, talk
from tests.console.people import PEOPLE
from tests.ledgers import opened
from tests.waiting import until

pytestmark = pytest.mark.slow

PICTURES = os.environ.get("CONSENTIVR_PICTURES")
"""A folder: put pictures of each page there."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("listening")
    path = folder / "recordings" / "2026" / "03" / "02" / f"{CALL}.wav"
    path.parent.mkdir(parents=True)
    write_sound(path, SECONDS, random.Random(1))
    with opened(folder / "ledger.sqlite3") as ledger:
        ledger.append(talk(CALL, path, "anna@example"))
    with Console(folder, PEOPLE.values()) as made:
        yield made


@pytest.fixture
def visitor(chromium: Browser, house: Console) -> Iterator[Callable[..., Someone]]:
    with visitors(chromium, house.address) as open_one:
        yield open_one


def rows(house: Console, turn: Turn) -> list[dict[str, Any]]:
    with opened(house.folder / "ledger.sqlite3") as ledger:
        return [row.evidence for row in ledger.read(Search(visit=CALL, turn=turn.value))]


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=str(Path(PICTURES) / f"listening-{name}.png"), full_page=True)


def approved(visitor: Callable[..., Someone], **how: Any) -> Page:
    """The page of a request of the supervisor's that the council approved."""
    supervisor = visitor("supervisor", **how)
    page = supervisor.page
    page.goto(f"/listening/ask?call={CALL}")
    page.get_by_label("Purpose").select_option("training")
    page.get_by_role("button", name="Ask to listen").press("Enter")
    page.wait_for_url("**/listening/*-*")
    if page.get_by_role("button", name="Open the player").count() == 0:
        council = visitor("council")
        council.page.goto("/listening")
        council.page.get_by_role("link", name="Look at it").first.press("Enter")
        council.page.get_by_role("button", name="Approve").press("Enter")
        council.page.get_by_text("approved").first.wait_for()
    page.reload()
    return page


def test_it_is_heard_by_keyboard(visitor: Callable[..., Someone], house: Console) -> None:
    page = approved(visitor)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.get_by_role("button", name="Open the player").press("Enter")
    slider = page.get_by_role("slider", name="Position")
    slider.wait_for()
    assert not page.locator("audio").evaluate("audio => audio.readyState"), "nothing is fetched before it is played"

    def at() -> float:
        return float(page.locator("audio").evaluate("audio => audio.currentTime"))

    page.keyboard.press(" ")
    page.wait_for_function("() => document.querySelector('audio').currentTime > 1")
    assert page.get_by_role("button", name="Pause").count() == 1
    page.keyboard.press(" ")
    assert page.get_by_role("button", name="Play").count() == 1
    slider.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert at() == pytest.approx(10, abs=0.3)
    assert slider.get_attribute("aria-valuetext") == "0:10 of 1:30, silent, the agent paused"
    page.keyboard.press("ArrowLeft")
    assert slider.get_attribute("aria-valuetext") == "0:05 of 1:30"
    page.keyboard.press("End")
    assert at() == pytest.approx(SECONDS, abs=0.3)
    page.keyboard.press("Home")
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    page.get_by_label("Speed").select_option("2")
    page.get_by_role("checkbox", name="Hear Agent").press(" ")
    page.get_by_role("button", name="Play").press("Enter")
    page.wait_for_function("() => document.querySelector('audio').currentTime > 36")  # more than one answer holds
    page.goto("/listening")
    until(lambda: rows(house, Turn.RECORDING_HEARD))
    (heard,) = rows(house, Turn.RECORDING_HEARD)
    assert heard["counted_by"] == "player"
    assert 6 <= heard["heard_s"] < 20
    assert len(rows(house, Turn.RECORDING_PLAYED)) == 1
    assert complaints == []
    page.go_back()
    assert page.get_by_role("button", name="Open the player").count() == 1, "left is closed"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
def test_everybody_can_read_it(visitor: Callable[..., Someone], viewport: Any, scheme: str) -> None:
    page = approved(visitor, viewport=viewport, color_scheme=scheme)
    who, name = Someone(page), f"{scheme}-{viewport['width']}"
    for step, press in (("request", None), ("player", "Open the player")):
        if press:
            page.get_by_role("button", name=press).click()
            page.get_by_role("slider").wait_for()
        who.is_accessible()
        who.fits()
        picture(page, f"{step}-{name}")
    for address in ("/listening", f"/listening/ask?call={CALL}"):
        page.goto(address)
        who.is_accessible()
        who.fits()
        picture(page, f"{address.strip('/').replace('/', '-').partition('?')[0]}-{name}")


def test_without_script_the_browsers_own_player_is_there(visitor: Callable[..., Someone]) -> None:
    page = approved(visitor, java_script_enabled=False)
    page.get_by_role("button", name="Open the player").click()
    assert page.locator("audio[controls]").is_visible()
    assert page.get_by_role("slider").count() == 0
    assert page.get_by_text("0:10 \N{EN DASH} 0:25: silent, the agent paused").is_visible()


def test_glass_is_broken_and_seen(visitor: Callable[..., Someone]) -> None:
    officer = visitor("officer").page
    officer.goto(f"/listening/ask?call={CALL}")
    officer.get_by_label("Purpose").nth(1).select_option("a complaint")
    officer.get_by_label("Why it cannot wait").fill("somebody was threatened in it")
    officer.get_by_role("button", name="Break the glass").click()
    officer.get_by_role("button", name="Open the player").wait_for()
    council = visitor("council")
    council.page.goto("/today")
    assert "new" in council.page.get_by_role("link", name="Listening").inner_text()
    council.page.goto("/listening")
    council.is_accessible()
    picture(council.page, "glass")
    council.page.get_by_role("button", name="I have seen it").first.click()
    council.page.get_by_role("heading", name="Listening").wait_for()
    assert "threatened" not in council.page.locator("main").inner_text()


def test_an_agent_reads_who_heard(visitor: Callable[..., Someone]) -> None:
    agent = visitor("agent")
    agent.page.goto("/listening/me")
    agent.is_accessible()
    picture(agent.page, "me")
    agent.page.get_by_role("link", name="Object").first.click()
    agent.is_accessible()
    agent.page.get_by_label("Why you object").fill("it was a private talk")
    agent.page.get_by_role("button", name="Object").click()
    agent.page.get_by_text("objected").first.wait_for()
