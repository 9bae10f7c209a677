"""Whose visit it is when a caller arrives while the watch begins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from consentivr import switch
from consentivr.config import Configuration
from consentivr.lab.caller import Caller
from consentivr.lab.laboratory import Laboratory
from consentivr.watch.adopting import Channel

UUID = "26c9d23f-fed1-4cfe-b05e-66ccabca7936"


@pytest.mark.parametrize(
    ("joined", "before", "is_so"),
    [("", "", False), ("12", "", True), ("12", "12", False), ("34", "12", True), ("", "12", False)],
)
def test_whether_a_caller_was_in_a_queue_since_the_arrival_on_the_line(joined: str, before: str, is_so: bool) -> None:
    """The rendered dialplan asks the same of the same two variables (decision 3)."""
    said = {switch.LINE: "support", switch.JOINED: joined, switch.JOINED_BEFORE: before}
    assert Channel(UUID, lambda name: said.get(name) or None).joined is is_so


def test_p11_a_caller_who_arrives_while_the_watch_begins_has_one_visit(
    configure: Callable[..., Configuration], tmp_path: Path
) -> None:
    """Seen: the watch took such a channel for one that nobody asked, and gave it another visit."""
    for number in range(6):
        folder = tmp_path / str(number)
        folder.mkdir()
        with Laboratory(configure(), folder, speed=20) as laboratory:
            channel = laboratory.call(Caller(keys={1: ("1", 1200)}))
            laboratory.settle()
            rows = laboratory.rows(channel)
        assert [row.turn for row in rows].count("arrived") == 1
        assert len({row.visit for row in rows}) == 1
        assert "forbidden_recording" not in [row.turn for row in rows]
