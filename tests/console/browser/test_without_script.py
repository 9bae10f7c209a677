"""With JavaScript switched off everything is there but what must be live: tiles that change, and the player."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.console.browser.screens import Someone
from tests.console.people import PEOPLE

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("role", PEOPLE)
def test_every_screen_says_the_same(someone: Callable[..., Someone], role: str) -> None:
    with_script, without = someone(role), someone(role, java_script_enabled=False)
    for address in without.screens():
        with_script.page.goto(address)
        assert without.titles() == with_script.titles(), address
