"""On paper: no menus, buttons and fields, and nothing of a table is cut off or left for the next page as a whole."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from consentivr.lab.console import Console
from tests.console.browser.screens import Someone

pytestmark = pytest.mark.slow

PAPER = {"width": 680, "height": 1010}
"""A4 between margins of 15 mm, in pixels of 1/96 inch."""

PAGES = ("/calls", "/calls/CALL", "/listening", "/today", "/people", "/numbers", "/access/mine", "/installation")

_CUT = "all => all.filter(one => one.scrollWidth > one.clientWidth || getComputedStyle(one).breakInside !== 'auto')"


def test_a_page_is_printed_as_one_reads_it(someone: Callable[..., Someone], served: Console) -> None:
    olga = someone("officer", viewport=PAPER, color_scheme="dark")
    page = olga.page
    page.emulate_media(media="print")
    call = min(file.stem for file in (served.folder / "recordings").rglob("*.wav"))
    for address in PAGES:
        page.goto(address.replace("CALL", call))
        olga.fits()
        assert page.locator("nav, button, .button, input, select, textarea").filter(visible=True).count() == 0, address
        assert page.eval_on_selector_all(".scroll", f"all => ({_CUT})(all).length") == 0, address
        if address != "/people":
            assert page.locator("main h1").evaluate("one => getComputedStyle(one).color") == "rgb(0, 0, 0)", address
