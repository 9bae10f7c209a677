"""Every page that anybody can reach: axe-core finds nothing, in light and dark, wide and on a phone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from consentivr.console.application import MENU
from tests.console.browser.screens import NARROW, WIDE, Someone
from tests.console.people import PEOPLE

pytestmark = pytest.mark.slow

ROLES = [role for role, who in PEOPLE.items() if any(who.may(right) for _, _, rights in MENU for right in rights)]

LOOKS = [(WIDE, "light"), (NARROW, "dark")]
"""What fits is a matter of the width alone, and what can be read one of the colours."""


@pytest.mark.parametrize(("viewport", "scheme"), LOOKS, ids=["wide-light", "narrow-dark"])
@pytest.mark.parametrize("role", ROLES)
def test_every_screen(someone: Callable[..., Someone], role: str, viewport: dict[str, int], scheme: str) -> None:
    who = someone(role, viewport=viewport, color_scheme=scheme)
    for _ in who.screens():
        who.is_accessible()
        who.fits()
    assert who.complaints == []


@pytest.mark.parametrize(("viewport", "scheme"), LOOKS, ids=["wide-light", "narrow-dark"])
def test_signing_in(someone: Callable[..., Someone], viewport: dict[str, int], scheme: str) -> None:
    who = someone(viewport=viewport, color_scheme=scheme)
    who.page.goto("/sign-in")
    who.is_accessible()
    who.page.get_by_label("Account").fill("olga")
    who.page.get_by_label("Password").fill("wrong")
    who.page.get_by_role("button", name="Sign in").click()
    who.is_accessible()
    who.fits()
