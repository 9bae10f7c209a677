"""Recording under control on a real FreeSWITCH: withdrawal, pause by the agent's keys, the watch."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import gevent
import pytest

from consentivr.config import Configuration
from consentivr.lab.listening import silence, total
from tests.switch.parts import eventually, voices
from tests.switch.world import World

pytestmark = pytest.mark.freeswitch


@pytest.fixture(scope="module")
def shared(configure_once: Callable[..., Configuration], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """With keys for the agents."""

    def keys(data: dict) -> None:
        data["agents"] |= {"keys": {"pause": "*3", "resume": "*4"}}

    configuration = configure_once(recording=", erase_withdrawn: true")
    with World(configuration, tmp_path_factory.mktemp("world"), change=keys) as made:
        eventually(lambda: "watching" in made.log)
        yield made


@pytest.fixture
def world(shared: World) -> Iterator[World]:
    yield shared
    shared.settle()


def test_p6_a_withdrawal_stops_and_erases(world: World) -> None:
    call = world.consenting("1")
    gevent.sleep(0.5)
    assert world.switch.recorders(call.leg)
    world.keys(call.leg, "*9")
    eventually(lambda: not world.switch.recorders(call.leg), 2)
    gevent.sleep(1)
    world.end_call(call)
    assert "withdrawn" in world.whole(call)
    eventually(lambda: world.files == [])


def test_the_agent_pauses(world: World) -> None:
    call = world.consenting("1")
    gevent.sleep(1)
    world.keys(call.agent, "*3")
    gevent.sleep(2)
    world.keys(call.agent, "*4")
    gevent.sleep(1.5)
    world.end_call(call)
    assert world.whole(call)["recording_paused"].evidence["by"] == "keys"
    for channel in silence(world.files[0]):
        assert 1.2 < total(channel) < 3
    caller, agent = voices(world.files[0])
    assert len(caller["caller"]) == len(agent["1001"]) == 2


@pytest.mark.parametrize("which", ["caller", "agent"])
def test_p5_a_forbidden_recording_is_stopped_and_erased(world: World, which: str) -> None:
    call = world.consenting("9")
    target = call.leg if which == "caller" else call.agent
    file = world.folder / "elsewhere" / f"hostile-{which}.wav"
    world.switch.api(f"uuid_record {target} start {file}")
    eventually(lambda: not world.switch.recorders(target), 1)
    gevent.sleep(1.5)
    assert not file.exists()
    world.end_call(call)
    assert world.whole(call)["forbidden_recording"].evidence["leg"] == which
