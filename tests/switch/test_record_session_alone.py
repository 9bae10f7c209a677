"""What becomes of a caller's word where a dialplan asks and says ``record_session``, and nothing else is there.

docs/why-not-record-session.md tells it, and names beside each test the one of what consentivr does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest

from consentivr.config import Configuration
from consentivr.lab.listening import silence
from tests.switch.parts import Call, audible, eventually, voices
from tests.switch.world import World

pytestmark = pytest.mark.freeswitch

ALONE = """
      <extension name="alone"><condition field="destination_number" expression="^7000$">
        <action application="answer"/>
        <action application="sleep" data="1000"/>
        <action application="play_and_get_digits" data="1 1 1 2000 # QUESTION silence_stream://1 said [19]"/>
        <action application="transfer" data="alone-${said} XML public"/>
      </condition></extension>
      <extension name="alone-yes"><condition field="destination_number" expression="^alone-1$">
        <action application="set" data="RECORD_STEREO=true"/>
        <action application="record_session" data="BASE/alone/${uuid}.wav"/>
        <action application="callcenter" data="support@default"/>
      </condition></extension>
      <extension name="alone-no"><condition field="destination_number" expression="^alone-">
        <action application="callcenter" data="support@default"/>
      </condition></extension>
"""
"""As somebody would write it."""

QUESTION = "tone_stream://%(2000,0,350)"


@pytest.fixture(scope="module")
def shared(configure_once: Callable[..., Configuration], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(configure_once(), tmp_path_factory.mktemp("world"), served=False) as made:
        conf = made.folder / "conf" / "freeswitch.xml"
        added = ALONE.replace("BASE", str(made.folder)).replace("QUESTION", QUESTION)
        mark = '<extension name="lab-user">'
        assert mark in conf.read_text()
        conf.write_text(conf.read_text().replace(mark, added + mark))
        made.switch.api("reloadxml")
        yield made


@pytest.fixture
def world(shared: World) -> Iterator[World]:
    yield shared
    shared.settle()


def said(world: World, key: str, *, agents: bool = True) -> Call:
    """A caller who was asked so, and talks with the agent (or waits)."""
    call = world.call("7000", agents=agents)
    world.press(call, key)
    if agents:
        world.talking(call)
        gevent.sleep(1)
    return call


def file_of(world: World, call: Call) -> Path:
    """Of a call that is over."""
    if world.exists(call.leg):
        world.end_call(call)
    gevent.sleep(0.3)
    return world.folder / "alone" / f"{call.leg}.wav"


def recorded(world: World, call: Call) -> bool:
    return "session_record" in world.bugs(call.leg)


def seconds_of(path: Path, who: str) -> float:
    return sum(until - since for channel in voices(path) for since, until in channel.get(who, []))


def test_a_key_from_before_the_question_is_a_yes(world: World) -> None:
    call = world.call("7000")
    eventually(lambda: world.application(call.leg) == "sleep")
    gevent.sleep(0.3)
    world.outside.press(call.phone, "1")
    world.talking(call)
    assert recorded(world, call)


def test_both_keys_in_the_same_breath_are_a_yes(world: World) -> None:
    call = world.call("7000")
    world.press(call, "1")
    world.outside.press(call.phone, "9")
    world.talking(call)
    assert recorded(world, call)


def test_the_wait_is_in_the_file(world: World) -> None:
    call = said(world, "1", agents=False)
    world.queued(call)
    gevent.sleep(2)
    assert {"caller", "music"} <= audible(file_of(world, call))


def test_nothing_takes_it_back(world: World) -> None:
    call = said(world, "1")
    world.outside.press(call.phone, "*9")
    gevent.sleep(1.5)
    assert recorded(world, call)
    assert file_of(world, call).exists()


def test_no_on_the_next_line_is_not_heard(world: World) -> None:
    call = said(world, "1")
    world.transfer(call.leg, "7000")
    world.press(call, "9")
    world.talking(call)
    gevent.sleep(1)
    assert recorded(world, call)


def test_the_callers_room_is_in_the_file_while_the_agent_holds(world: World) -> None:
    call = said(world, "1")
    world.hold(call.agent)
    gevent.sleep(2)
    world.resume(call.agent)
    gevent.sleep(1)
    path = file_of(world, call)
    assert seconds_of(path, "caller") > 3, "also of the two seconds in which nobody listens"
    assert silence(path)[0] == []


def test_whoever_comes_after_the_agent_is_in_the_file(world: World) -> None:
    call = said(world, "1")
    world.refer(call.agent, "2002")
    eventually(lambda: "2002" in world.heard_by(call.phone))
    gevent.sleep(1)
    assert "2002" in audible(file_of(world, call))


def test_whoever_joins_is_in_the_file(world: World) -> None:
    call = said(world, "1")
    world.three_way(call.leg)
    gevent.sleep(2)
    assert "outsider" in audible(file_of(world, call))


def test_who_said_no_is_in_a_colleagues_file(world: World) -> None:
    call = said(world, "9")
    world.consult(call)
    leg = eventually(lambda: world.leg_of(eventually(lambda: world.outside.legs_of("2001"))[0]))
    path = world.folder / "elsewhere" / "colleague.wav"
    path.parent.mkdir(exist_ok=True)
    world.switch.api(f"uuid_record {leg} start {path}")
    gevent.sleep(0.5)
    world.hand_over(call)
    eventually(lambda: world.connected(call.leg) == leg)
    gevent.sleep(1.5)
    world.end_call(call)
    gevent.sleep(0.3)
    assert "caller" in audible(path)


def test_who_said_no_is_in_a_conferences_file(world: World) -> None:
    call = said(world, "9")
    world.conference(call, recorded=True)
    gevent.sleep(2)
    world.outside.api("hupall")
    gevent.sleep(0.5)
    assert any("caller" in audible(path) for path in world.elsewhere)


def test_who_said_no_is_in_an_eavesdroppers_file(world: World) -> None:
    call = said(world, "9")
    spy = world.eavesdrop(call.leg, recorded=True)
    gevent.sleep(2)
    world.hang_up(spy)
    gevent.sleep(0.5)
    assert any("caller" in audible(path) for path in world.elsewhere)


def test_a_telephone_records_who_said_no(world: World) -> None:
    call = said(world, "9")
    world.records(call.agent)
    gevent.sleep(1)
    assert "session_record" in world.bugs(call.agent)


def test_a_global_variable_ends_the_talk_of_who_agreed(world: World) -> None:
    """A folder that is full or not there, and RECORD_HANGUP_ON_ERROR somewhere in vars.xml."""
    (world.folder / "alone").rename(world.folder / "moved")
    (world.folder / "alone").write_text("in the way")
    world.switch.api("global_setvar RECORD_HANGUP_ON_ERROR=true")
    try:
        call = world.call("7000")
        world.press(call, "1")
        eventually(lambda: not world.exists(call.leg), 5)
    finally:
        world.switch.api("global_setvar RECORD_HANGUP_ON_ERROR=")
        (world.folder / "alone").unlink()
        (world.folder / "moved").rename(world.folder / "alone")


def test_the_switch_dies_and_the_file_cannot_be_read(world: World) -> None:
    call = said(world, "1")
    gevent.sleep(10)
    path = world.folder / "alone" / f"{call.leg}.wav"
    world.kill_switch()
    gevent.sleep(0.5)
    world.start_switch()
    sizes = path.read_bytes()[:48]
    assert sizes[:4] != b"RIFF" or int.from_bytes(sizes[4:8], "little") + 8 != path.stat().st_size
