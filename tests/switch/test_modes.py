"""The six recording modes of a queue on a real switch, with agents who must have agreed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import pytest

from consentivr import custody
from consentivr.config import Configuration
from consentivr.ledger import Ledger
from tests.switch.parts import SUPPORT, audible, eventually
from tests.switch.world import World

pytestmark = pytest.mark.freeswitch


def _keys(data: dict[str, Any]) -> None:
    data["agents"] |= {"keys": {"start": "*1", "stop": "*2"}}


def agree(world: World, agent: str = "1001@default") -> None:
    ledger = Ledger(world.configuration.ledger.location)
    custody.agree(ledger, agent, custody.AgreedTo(wording="test"))
    ledger.close()


def talk(world: World, key: str, seconds: float = 1.5, keys: str = "") -> set[str]:
    """One call; who is heard in its recordings, nobody without one."""
    call = world.call(SUPPORT)
    if key:
        world.press(call, key)
    world.talking(call)
    gevent.sleep(0.5)
    if keys:
        world.keys(call.agent, keys)
    gevent.sleep(seconds)
    world.end_call(call)
    eventually(lambda: "call_ended" in world.by_turn(call))
    gevent.sleep(0.4)
    voices = set().union(*map(audible, world.files))
    world.settle()
    return voices


BOTH = {"caller", "1001"}


@pytest.mark.parametrize("mode", ["off", "caller_opt_in", "permanent_opt_out", "permanent", "every_nth", "manual"])
def test_a_mode(configure_once: Callable[..., Configuration], tmp_path: Path, mode: str) -> None:
    configuration = configure_once(
        mode,
        must_agree=True,
        legal_basis="MiFID II art. 16(7)" if mode == "permanent" else "",
        recording=", every: 2" if mode == "every_nth" else "",
    )
    with World(configuration, tmp_path, change=_keys, sales=False) as world:
        asks = mode not in ("off", "permanent")
        law = mode == "permanent"
        keys = "*1" if mode == "manual" else ""
        assert talk(world, "1" if asks else "", keys=keys) == (BOTH if law else set()), "the agent has not agreed"
        agree(world)
        if mode == "every_nth":
            assert talk(world, "1") == set()
        assert talk(world, "9" if asks else "", keys=keys) == (BOTH if law else set())
        assert talk(world, "1" if asks else "", keys=keys) == (set() if mode == "off" else BOTH)
        if mode == "manual":
            assert talk(world, "1") == set(), "nobody started it"
