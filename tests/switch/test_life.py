"""P4, P11: callers come all the time while ``serve`` is told to reload, is restarted beside its standby, is killed."""

from __future__ import annotations

import pytest

from consentivr.bench.life import run

pytestmark = pytest.mark.freeswitch


@pytest.mark.parametrize("part", ["reload", "restart", "kill"])
def test_nobody_is_lost_and_nobody_is_recorded_who_has_not_agreed(part: str) -> None:
    """Every third agrees. What ``bench life`` measures at twenty callers a second, at three."""
    figures = run((part,), 3.0, print)
    told = {figure.what.removeprefix(f"{part}: ").strip(): figure for figure in figures}
    assert told["agreed"].value > 10
    assert not [figure.what for figure in figures if "NOT MET" in figure.budget]
