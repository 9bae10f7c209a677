"""A whole day without a mouse: Tab, Enter and what one types lead everywhere, and where one is can be seen."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from consentivr.lab.console import PASSWORD
from tests.console.browser.screens import Someone
from tests.console.people import PEOPLE

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("role", PEOPLE)
def test_signing_in_going_everywhere_and_signing_out(someone: Callable[..., Someone], role: str) -> None:
    who = someone()
    page = who.page
    page.goto("/")
    expect(page.get_by_label("Account")).to_be_focused()
    page.keyboard.type(PEOPLE[role].name)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda address: "/sign-in" not in address)
    for name in page.locator("nav a").all_inner_texts():
        who.tab_to(name)
        page.keyboard.press("Enter")
        expect(page.locator("header nav a[aria-current=page]")).to_have_text(name, use_inner_text=True)
        page.wait_for_load_state()
        who.can_tab_through()
    who.tab_to("Sign out")
    page.keyboard.press("Enter")
    page.wait_for_url("**/sign-in*")


def test_the_first_tab_leads_past_the_menu(someone: Callable[..., Someone]) -> None:
    who = someone("officer")
    who.page.goto("/calls")
    who.page.keyboard.press("Tab")
    assert who.focused()["text"] == "To the content"
    who.page.keyboard.press("Enter")
    who.page.keyboard.press("Tab")
    assert who.page.evaluate("document.querySelector('main').contains(document.activeElement)")
