"""Today: tiles that move by themselves while an agent holds the own recording in hand; an incident and its clock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import gevent
import pytest
from playwright.sync_api import Browser, Page

from consentivr.config import Configuration
from consentivr.core.turn import Turn
from consentivr.files import write_secret
from consentivr.lab.caller import Caller
from consentivr.lab.console import PASSWORD, Console
from consentivr.lab.native import free_port
from consentivr.ledger import CallRef, Entry, Search
from tests.console.browser.screens import NARROW, Someone, visitors
from tests.console.people import PEOPLE, QUEUE
from tests.ledgers import UUIDS, opened
from tests.served import Served

pytestmark = pytest.mark.slow

FETCHED_ANEW_MS = 5000
ANNA = PEOPLE["agent"].agent


@contextmanager
def a_talk_of_anna(configuration: Configuration, folder: Path) -> Iterator[None]:
    """``serve``, and a switch with a call that she talks in. In a thread of its own, since Playwright's loop
    lets no other one go on.
    """
    begun, over, failed = threading.Event(), threading.Event(), []

    def go_on() -> None:
        served = Served(configuration, folder)
        try:
            call = served.switch.call("5000", Caller(keys={1: ("1", 1200)}, talks_ms=10_000_000, agent=ANNA))
            while not over.is_set():
                if any(row.turn == Turn.AGENT_ANSWERED for row in served.rows(call)):
                    begun.set()
                gevent.sleep(0.05)
        finally:
            served.end()

    def run() -> None:
        try:
            go_on()
        except BaseException as error:
            failed.append(error)
            begun.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert begun.wait(90), "nobody answers"
        assert not failed, failed
        yield
    finally:
        over.set()
        thread.join(30)


@pytest.fixture(scope="module")
def house(configure_once: Callable[..., Configuration], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("today")
    http = {"listen": f"127.0.0.1:{free_port()}", "token_file": folder / "http.token"}
    write_secret(http["token_file"], PASSWORD)
    made = configure_once("manual")
    with a_talk_of_anna(made.changed(http=made.http.changed(**http)), folder):
        told = {"listen": http["listen"], "token_file": str(http["token_file"])}
        with Console(folder, PEOPLE.values(), http=told) as console:
            yield console


@pytest.fixture
def visitor(chromium: Browser, house: Console) -> Iterator[Callable[..., Someone]]:
    with visitors(chromium, house.address) as open_one:
        yield open_one


def rows(house: Console, turn: Turn) -> list[Entry]:
    with opened(house.folder / "ledger.sqlite3", create=False) as ledger:
        return list(ledger.read(Search(turn=turn.value)))


def tile(page: Page, name: str) -> str:
    return page.locator(".tiles .card", has_text=name).locator("dd").inner_text()


def moved(page: Page, name: str, count: str) -> None:
    """Time passes on the page, and a tile says something else."""
    for _ in range(20):
        page.clock.run_for(FETCHED_ANEW_MS)
        page.wait_for_timeout(100)
        if tile(page, name) == count:
            return
    raise AssertionError(f"{name}: {tile(page, name)}")


def test_an_agent_holds_the_own_recording_in_hand_and_the_tiles_move(
    visitor: Callable[..., Someone], house: Console
) -> None:
    sven = visitor("supervisor")
    sven.page.clock.install()
    sven.page.goto("/today")
    sven.page.evaluate("window.isTheSamePage = true")
    moved(sven.page, "Talking", "1")
    assert (tile(sven.page, "Of these recorded"), tile(sven.page, "Paused")) == ("0", "0")
    sven.is_accessible()

    anna = visitor("agent", viewport=NARROW)
    page = anna.page
    page.goto("/today")
    own = page.locator("section", has_text="My talk")
    assert "is not recorded" in own.inner_text()
    assert "What callers said" not in page.locator("main").inner_text()
    for press, state, turn, (name, count) in (
        ("Start recording", "IS BEING RECORDED", Turn.RECORDING_STARTED, ("Of these recorded", "1")),
        ("Pause", "the recording is paused", Turn.RECORDING_PAUSED, ("Paused", "1")),
        ("Resume", "IS BEING RECORDED", Turn.RECORDING_RESUMED, ("Paused", "0")),
        ("Stop recording", "is not recorded", Turn.RECORDING_STOPPED, ("Of these recorded", "0")),
    ):
        before = len(rows(house, turn))
        page.get_by_role("button", name=press, exact=True).click()
        assert "Done: the telephone system was seen to do it." in page.get_by_role("alert").first.inner_text(), press
        assert state in own.inner_text(), press
        assert len(rows(house, turn)) == before + 1, press
        moved(sven.page, name, count)
    anna.is_accessible()
    anna.fits()
    assert sven.page.evaluate("window.isTheSamePage"), "not loaded anew"
    assert sven.page.get_by_role("button", name="Pause").count() == 0
    assert sven.complaints == []
    assert anna.complaints == []


@pytest.fixture
def incident(house: Console) -> None:
    """Two calls that nobody watched for a while, 70 hours ago."""
    at = datetime.now(timezone.utc) - timedelta(hours=70)
    made = [CallRef(f"x{uuid}", uuid, "support", QUEUE, "permanent_opt_out") for uuid in UUIDS[5:7]]
    found = [call.row(Turn.UNWATCHED, {}) for call in made]
    for row in found:
        row.at = at
    with opened(house.folder / "ledger.sqlite3", create=False) as ledger:
        ledger.append(found)


def test_an_incident_is_assessed_by_the_officer_alone(
    visitor: Callable[..., Someone], house: Console, incident: None
) -> None:
    sven = visitor("supervisor").page
    sven.goto("/today")
    assert sven.get_by_text("hour left").count() == 1
    assert sven.get_by_text("Assess").count() == 0
    token = sven.locator('input[name="form_token"]').first.input_value()
    form = {"form_token": token, "day": "", "turn": "unwatched", "queue": QUEUE, "risk": "none", "why": "x"}
    assert sven.request.post("/today/assess", form=form).status == 403

    olga = visitor("officer", viewport=NARROW)
    page = olga.page
    page.goto("/today")
    card = page.locator("section.card", has_text="hour left")
    assert "1 hour left" in card.inner_text()
    card.get_by_text("Assess", exact=True).click()
    card.get_by_label("a risk: to be told to the authority").check()
    card.get_by_label("Reason").fill("taken out of the files within the hour")
    olga.is_accessible()
    olga.fits()
    card.get_by_role("button", name="Assess all of these (2)").click()
    page.get_by_text("assessed: a risk").wait_for()
    olga.is_accessible()
    assert page.get_by_text("hour left").count() == 0
    assert [row.evidence["risk"] for row in rows(house, Turn.INCIDENT_ASSESSED)] == ["risk", "risk"]
    assert olga.complaints == []
