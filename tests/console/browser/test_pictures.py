"""The pictures of docs/console.md, which these tests make: they show the pages of today.

CONSENTIVR_PICTURES=docs/console makes them anew; without it, the words of each page are held against those that stood
on it when its picture was made.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from consentivr.lab.console import Console
from consentivr.lab.history import History, filled
from tests.console.browser.screens import NARROW, Someone
from tests.console.people import PEOPLE

pytestmark = pytest.mark.slow

DOCS = Path(__file__).parents[3] / "docs"
FOLDER = DOCS / "console"
SAYS = FOLDER / "pictures.json"
INTO = os.environ.get("CONSENTIVR_PICTURES")
MOST_BYTES = 150_000


@dataclass(frozen=True)
class Picture:
    """Of an address, as a role sees it; ``CALL`` in it is one whose recording is there."""

    name: str
    role: str
    address: str
    narrow: bool = False
    dark: bool = False


PICTURES = (
    Picture("calls", "officer", "/calls"),
    Picture("call", "supervisor", "/calls/CALL"),
    Picture("listening", "council", "/listening"),
    Picture("numbers", "council", "/numbers"),
    Picture("installation", "admin", "/installation"),
    Picture("phone", "officer", "/calls/CALL", narrow=True, dark=True),
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Always the same calls, until the last Wednesday: which words a page has depends on what there is to tell."""
    folder = tmp_path_factory.mktemp("pictures")
    noon = datetime.now(timezone.utc).replace(hour=12, minute=0, second=0, microsecond=0)
    until = noon - timedelta(days=(noon.weekday() - 2) % 7 or 7)
    filled(folder / "ledger.sqlite3", History(3000, until, folder=folder / "recordings"))
    with Console(folder, PEOPLE.values()) as console:
        yield console


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_a_picture_shows_the_page_of_today(someone: Callable[..., Someone], served: Console, picture: Picture) -> None:
    how = {"viewport": NARROW} if picture.narrow else {}
    page = someone(picture.role, color_scheme="dark" if picture.dark else "light", **how).page
    call = min(file.stem for file in (served.folder / "recordings").rglob("*.wav"))
    for _ in range(60):
        page.goto(picture.address.replace("CALL", call))
        if "Open this page again in a moment" not in page.locator("main").inner_text():
            break
        page.wait_for_timeout(1000)
    words = page.locator("main h1, main h2, main thead th, main label, main button").all_text_contents()
    said = list(dict.fromkeys(re.sub(r"\s+", " ", re.sub(r"\d+", "0", word)).strip() for word in words))
    if INTO:
        Path(INTO).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(INTO) / f"{picture.name}.png")
        known = json.loads(SAYS.read_text()) if SAYS.exists() else {}
        SAYS.write_text(json.dumps({**known, picture.name: said}, indent=1, sort_keys=True) + "\n")
    assert said == json.loads(SAYS.read_text())[picture.name], "make the picture anew: see the head of this file"


def test_every_picture_is_shown_and_small() -> None:
    page = (DOCS / "console.md").read_text()
    shown = re.findall(r"!\[[^\]]+\]\(console/([\w-]+)\.png\)", page)
    assert sorted(shown) == sorted(picture.name for picture in PICTURES)
    there = {file.stem: file.stat().st_size for file in FOLDER.glob("*.png")}
    assert there.keys() == set(shown)
    assert all(size < MOST_BYTES for size in there.values()), there
