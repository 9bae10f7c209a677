"""The officer and the council before trials of two wordings: one planned, one under way, one that is over."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import soundfile
from playwright.sync_api import Browser

from consentivr.config import Configuration, load
from consentivr.core.consent import AnswerOutcome, Attempt, Consent, ConsentDecision, Notice, OnTrial, Reason
from consentivr.core.trial import Plan, Why, variant_of
from consentivr.core.turn import Turn
from consentivr.core.turns import Decided
from consentivr.core.verdict import Do, Verdict, VerdictReason
from consentivr.lab.console import Console
from consentivr.lab.history import History, filled
from consentivr.ledger import CONSOLE, CallRef, Entry, Ledger
from consentivr.ledger import trials as ledger_trials
from consentivr.prompts import inspect
from consentivr.resources import shipped
from consentivr.service.build import planned, sounds_folder
from tests.console.browser.screens import NARROW, WIDE, Someone, visitors
from tests.console.people import PEOPLE

pytestmark = pytest.mark.slow

NOW = datetime.now(timezone.utc)
WORDING = (
    "Eins für Ja, neun für Nein: Dürfen wir dieses Gespräch zur Qualitätssicherung aufzeichnen? Widerruf jederzeit mit "
    "Stern und neun.|"
)
TRIALS = {"support": "keys_first", "sales": "shorter", "billing": "politer"}
"""Under way, planned, over."""
PICTURES = os.environ.get("CONSENTIVR_PICTURES")
"""A folder: put pictures of each page there."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("trials")
    sounds = folder / "sounds"
    shutil.copytree(shipped("sounds"), sounds)
    for line, name in TRIALS.items():
        for rate in ("8000", "16000"):
            samples, _ = soundfile.read(str(sounds / "de" / rate / "question.wav"))
            soundfile.write(str(sounds / "de" / rate / f"{line}-question-{name}.wav"), samples * 0.9, int(rate))
    until = (NOW + timedelta(60)).date().isoformat()
    lines: dict[str, Any] = {
        line: {
            "number": str(5000 + place),
            "queue": line,
            "trial": {"name": name, "question": WORDING, "calls": 300, "until": until},
        }
        for place, (line, name) in enumerate(TRIALS.items())
    }
    filled(folder / "ledger.sqlite3", History(200, NOW))
    made = Console(folder, PEOPLE.values(), lines=lines, sounds={"folder": str(sounds)})
    _fill(load(made.configuration), folder / "ledger.sqlite3")
    with made:
        yield made


def _fill(configuration: Configuration, path: Path) -> None:
    """As 'serve' and the officer would have."""
    ledger = Ledger(path, create=False)
    try:
        folder = sounds_folder(configuration)
        for line in TRIALS:
            for stem, text in (
                ("question", configuration.sound_files()["de", "question"]),
                _tried(configuration, line),
            ):
                for rate in (8000, 16000):
                    ledger.add_notice(inspect(folder, "de", rate, stem, text).notice)
        for plan, _ in planned(configuration)[0]:
            if plan.line in ("support", "billing"):
                ledger.append([_row(Turn.TRIAL_BEGUN, **plan.evidence(), by="olga", role="officer")])
                ledger.append(list(_asked(plan, 600 if plan.line == "billing" else 250)))
        trial = ledger_trials.known(ledger)["politer"]
        said = ledger_trials.ending(ledger, trial, Why.ASKED)
        ledger.append([_row(Turn.TRIAL_ENDED, **said, by="serve", role="service")])
    finally:
        ledger.close()


def _tried(configuration: Configuration, line: str) -> tuple[str, str]:
    found = configuration.tried_file(line)
    assert found is not None
    return found


def _row(turn: Turn, **said: Any) -> Entry:
    return CallRef(CONSOLE, None, "", "", "").row(turn, said)


def _asked(plan: Plan, calls: int) -> Iterator[Entry]:
    """Of the second wording seven of ten are understood, of the first one six."""
    for number in range(calls):
        channel = str(uuid.UUID(int=number))
        variant = variant_of(plan.trial, channel)
        understood = number % 10 < (7 if variant.value == "b" else 6)
        attempt = Attempt(AnswerOutcome.KEY, "1", 6000) if understood else Attempt(AnswerOutcome.SILENCE, None, 8900)
        word = (
            (ConsentDecision.GIVEN, Reason.CONSENT_KEY)
            if understood
            else (ConsentDecision.NOT_OBTAINED, Reason.SILENCE)
        )
        notice = Notice(plan.wording(variant)[0], 8900, "de", on_trial=OnTrial(plan.trial, variant))
        verdict = Verdict(Do.STOP, VerdictReason.NO_ANSWER)
        said = Decided(Consent(*word, (attempt,)), verdict, "quality assurance", None, None, notice).evidence()
        yield CallRef(channel, channel, plan.line, plan.queue, "permanent_opt_out").row(Turn.DECISION, said)


@pytest.fixture
def visitor(chromium: Browser, house: Console) -> Iterator[Callable[..., Someone]]:
    with visitors(chromium, house.address) as open_one:
        yield open_one


PAGES = ("", "/keys_first", "/keys_first/stop", "/shorter", "/shorter/approve", "/politer")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
def test_each_page_can_be_read_by_everybody(visitor: Callable[..., Someone], viewport: Any, scheme: str) -> None:
    who = visitor("officer", viewport=viewport, color_scheme=scheme)
    for page in PAGES:
        who.page.goto(f"/trials{page}")
        assert who.page.locator("h1").count() == 1
        if PICTURES:
            name = f"trials{page.replace('/', '-')}-{scheme}-{viewport['width']}.png"
            who.page.screenshot(path=str(Path(PICTURES) / name), full_page=True)
        who.is_accessible()
        who.fits()
    assert who.complaints == []


def test_a_trial_from_its_approval_to_its_end_by_keyboard(visitor: Callable[..., Someone]) -> None:
    officer = visitor("officer")
    page = officer.page
    page.goto("/trials/shorter")
    page.get_by_role("link", name="Approve").press("Enter")
    page.get_by_role("button", name="Approve, and begin").press("Enter")
    page.get_by_text("under way").wait_for()
    page.get_by_role("link", name="End it early").press("Enter")
    page.get_by_label("Why it is ended early").fill("it was a test")
    page.get_by_role("button", name="End it").press("Enter")
    page.get_by_text("somebody ended it early: it was a test").wait_for()
    assert officer.complaints == []


def test_a_wording_can_be_heard(visitor: Callable[..., Someone]) -> None:
    council = visitor("council")
    council.page.goto("/trials/keys_first")
    for player in council.page.locator("audio").all():
        player.evaluate("player => player.play()")
        council.page.wait_for_function("player => player.currentTime > 0.2", arg=player.element_handle())
    assert council.complaints == []
