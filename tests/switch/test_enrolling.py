"""An agent agrees by phone, on a real switch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import pytest

from consentivr.config import Configuration
from consentivr.core.enrolling import AgentAnnouncement
from consentivr.custody import Pins
from consentivr.ledger import REGISTER, Ledger, Search
from tests.switch.parts import Call, eventually
from tests.switch.world import World

pytestmark = pytest.mark.freeswitch

PIN = "271828"


def test_number_pin_wording_and_a_key(configure_once: Callable[..., Configuration], tmp_path: Path) -> None:
    Pins(tmp_path / "agents.pins").set("1001@default", "1001", PIN)

    def with_a_line(data: dict[str, Any]) -> None:
        texts = {announcement.value: announcement.value for announcement in AgentAnnouncement}
        data["agents"]["line"] = {
            "number": "5099", "pins_file": str(tmp_path / "agents.pins"), "announcements": texts,
        }  # fmt: skip

    with World(configure_once(), tmp_path, change=with_a_line) as world:
        for pin, key, row in ((PIN, "1", "agent_agreed"), (PIN, "9", "agent_withdrew"), ("000000", "1", "")):
            before = rows(world)
            call = world.call("5099")
            types(world, call, "1001#")
            types(world, call, f"{pin}#")
            if pin == PIN:
                world.asked(call)
                eventually(lambda: PIN not in world.switch.api(f"uuid_dump {call.leg}"))  # noqa: B023
                types(world, call, key, after=1.2)
                eventually(lambda: not world.exists(call.leg))  # noqa: B023 - waited for here
            else:
                gevent.sleep(1.0)
                world.end_call(call)
            assert [turn for turn, _ in rows(world)][len(before) :] == ([row] if row else [])
        assert {by for _, by in rows(world)} == {"phone"}
        assert PIN not in world.log, "nor in any log of ours"
        eventually(lambda: not world.switch.channels(), 3)
        assert not world.files


def types(world: World, call: Call, keys: str, after: float = 0.6) -> None:
    world.asked(call)
    gevent.sleep(after)
    world.outside.press(call.phone, keys)
    gevent.sleep(0.3 + 0.25 * len(keys))


def rows(world: World) -> list[tuple[str, str]]:
    ledger = Ledger(world.configuration.ledger.location)
    try:
        return [(row.turn, row.evidence["by"]) for row in ledger.read(Search(channel=REGISTER))]
    finally:
        ledger.close()
