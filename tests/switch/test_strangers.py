"""Who may hand over calls, on a real FreeSWITCH: its user, with the dialplan that knows the secret."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator

import gevent
import pytest

from consentivr.config import Configuration
from consentivr.esl.peer import is_told, user_of
from consentivr.lab.process import ADDRESS
from consentivr.service.build import dialplan_secret
from tests.strangers import NOBODY, dial
from tests.switch.parts import Call, eventually
from tests.switch.world import World

pytestmark = [
    pytest.mark.freeswitch,
    pytest.mark.skipif(not is_told(), reason="this kernel does not say whose a connection is"),
]


@pytest.fixture(scope="module")
def shared(configure_once: Callable[..., Configuration], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(configure_once(), tmp_path_factory.mktemp("world")) as made:
        eventually(lambda: "watching" in made.log)
        yield made


@pytest.fixture
def world(shared: World) -> Iterator[World]:
    yield shared
    shared.settle()


def reaches_the_queue_unrecorded(world: World) -> Call:
    call = world.call()
    world.talking(call)
    gevent.sleep(0.5)
    assert not world.switch.recorders(call.leg)
    world.end_call(call)
    return call


def test_a_proven_call_is_asked_and_nothing_of_the_proof_stays(world: World) -> None:
    world.switch.api("fsctl loglevel 7")
    call = world.call()
    world.asked(call)
    assert not world.switch.variable(call.leg, "consent_proof")
    assert not world.switch.variable(call.leg, "consent_called_at")
    world.press(call, "1")
    world.talking(call)
    eventually(lambda: world.switch.recorders(call.leg))
    dump = world.switch.api(f"uuid_dump {call.leg}")
    world.end_call(call)
    assert world.whole(call)["decision"].evidence["decision"] == "given"
    secret = dialplan_secret(world.configuration)
    assert secret is not None
    said = "".join(path.read_text(errors="replace") for path in (world.folder / "log").glob("*"))
    (made,) = set(re.findall(r"consent_proof\W+([0-9a-f]{32})\b", said))
    assert "consent_proof" not in dump
    for word in (secret, made):
        assert word not in world.log
        assert word not in str([row.as_dict() for row in world.rows()])
    assert secret not in said, "not even at level debug"


def test_the_file_with_the_secret_is_not_for_all(world: World) -> None:
    (file,) = (world.folder / "rendered" / "vars").iterdir()
    assert file.stat().st_mode & 0o777 == 0o640


def test_a_dialplan_with_another_secret(world: World) -> None:
    secret = dialplan_secret(world.configuration)
    world.switch.api("global_setvar consent_secret=other")
    try:
        reaches_the_queue_unrecorded(world)
    finally:
        world.switch.api(f"global_setvar consent_secret={secret}")
    assert "does not know the secret" in world.log


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_another_user_of_the_machine(world: World) -> None:
    stranger = dial(ADDRESS, world.configuration.service.listen.port, NOBODY)
    try:
        eventually(lambda: f"it belongs to the user {NOBODY}" in world.log, 5)
    finally:
        stranger.kill()
        stranger.wait()
    assert world.consenting("1").agent, "calls of the switch are taken"


def test_the_switch_of_another_user(configure: Callable[..., Configuration], world: World) -> None:
    """As if FreeSWITCH were not who is named: refused, and no call is lost."""
    text = world.yaml.read_text()
    world.yaml.write_text(text.replace("service:\n", "service:\n  peer_user: nobody\n"))
    try:
        world.start_serve()
        reaches_the_queue_unrecorded(world)
        assert f"it belongs to the user {os.geteuid()}" in world.log
    finally:
        world.yaml.write_text(text)
        world.start_serve()


def test_the_event_socket_says_who_the_switch_is(world: World) -> None:
    """What ``check`` goes by."""
    with gevent.socket.create_connection((ADDRESS, world.switch.event_socket_port)) as socket:
        socket.recv(100)
        assert user_of(socket.getpeername(), socket.getsockname()) == os.geteuid()
