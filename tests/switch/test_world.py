"""The harness itself: each of its verbs does what its name says, by what the telephones hear."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import gevent
import pytest

from consentivr.config import Configuration
from consentivr.lab.listening import silence
from consentivr.lab.recording import Tap
from tests.switch.parts import Call, audible, eventually
from tests.switch.world import World

pytestmark = pytest.mark.freeswitch


@pytest.fixture(scope="module")
def shared(configure_once: Callable[..., Configuration], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Without ``consentivr serve``: calls reach the queue by the dialplan's fallback."""
    with World(configure_once(), tmp_path_factory.mktemp("world"), served=False) as made:
        yield made


@pytest.fixture
def world(shared: World) -> Iterator[World]:
    yield shared
    shared.settle()


def talk(world: World) -> Call:
    call = world.call()
    world.talking(call)
    return call


def test_a_call_is_a_talk_of_two(world: World) -> None:
    call = talk(world)
    assert world.heard_by(call.phone) == {"1001"}
    assert world.heard_by(world.phone_of(call.agent)) == {"caller"}
    assert world.connected(call.leg) == call.agent
    world.end_call(call)
    eventually(lambda: not world.switch.channels())


def test_music_until_an_agent_is_there(world: World) -> None:
    call = world.call(agents=False)
    world.queued(call)
    assert world.heard_by(call.phone) == {"music"}


def test_hold_and_resume(world: World) -> None:
    call = talk(world)
    world.hold(call.agent)
    gevent.sleep(0.2)
    assert "1001" not in world.heard_by(call.phone)
    world.resume(call.agent)
    gevent.sleep(0.2)
    assert world.heard_by(call.phone) == {"1001"}


def test_consult_and_hand_over(world: World) -> None:
    call = talk(world)
    world.consult(call)
    colleague = eventually(lambda: world.outside.legs_of("2001"))[0]
    gevent.sleep(0.3)
    assert world.heard_by(colleague) == {"1001"}
    assert "1001" not in world.heard_by(call.phone)
    world.hand_over(call)
    gevent.sleep(0.5)
    assert world.heard_by(call.phone) == {"2001"}


def test_a_colleague_declines(world: World) -> None:
    call = talk(world)
    world.outside.declines("2001")
    world.consult(call)
    gevent.sleep(1)
    assert world.heard_by(call.phone) == {"1001"}


def test_a_colleague_hangs_up_and_the_agent_is_back(world: World) -> None:
    call = talk(world)
    world.consult(call, directory=False)
    colleague = eventually(lambda: world.outside.legs_of("2001"))[0]
    gevent.sleep(0.3)
    world.outside.hang_up(colleague)
    gevent.sleep(0.5)
    assert world.heard_by(call.phone) == {"1001"}


def test_a_telephone_rings_before_it_answers(world: World) -> None:
    call = talk(world)
    world.outside.answers_after("2001", 1500)
    world.refer(call.agent, "2001")
    eventually(lambda: world.outside.legs_of("2001"))
    assert "2001" not in world.heard_by(call.phone)
    gevent.sleep(1.2)
    assert world.heard_by(call.phone) == {"2001"}


def test_an_agent_declines(world: World) -> None:
    world.outside.declines("1001")
    call = world.call()
    world.queued(call)
    assert world.heard_by(call.phone) == {"music"}


def test_the_caller_holds_and_the_agent_hangs_up(world: World) -> None:
    call = talk(world)
    world.hold(call.leg)
    gevent.sleep(0.2)
    assert world.dump(call.leg)["Channel-Call-State"] == "HELD"
    assert "caller" not in world.heard_by(world.phone_of(call.agent))
    world.hang_up(call.agent)
    eventually(lambda: not world.switch.channels())


def test_a_telephone_forwards(world: World) -> None:
    call = talk(world)
    world.outside.forwards("2001", "mobile")
    world.refer(call.agent, "2001")
    eventually(lambda: world.outside.legs_of("mobile"))
    gevent.sleep(0.3)
    assert world.heard_by(call.phone) == {"mobile"}


def test_keys_arrive_as_keys(world: World) -> None:
    call = talk(world)
    tap = Tap(world.switch.event_socket_port, world.switch.password, "DTMF")
    world.keys(call.agent, "*3")
    world.keys(call.leg, "9")
    eventually(lambda: len(tap.events) == 3)
    tap.close()
    assert [(event["Unique-ID"], event["DTMF-Digit"]) for event in tap.events if event["DTMF-Digit"] != "9"] == [
        (call.agent, "*"),
        (call.agent, "3"),
    ]
    assert [event["Unique-ID"] for event in tap.events if event["DTMF-Digit"] == "9"] == [call.leg]


def test_a_colleague_whom_others_record(world: World) -> None:
    call = talk(world)
    world.transfer(call.leg, "recorded-2001")
    eventually(lambda: world.outside.legs_of("2001"))
    gevent.sleep(0.7)
    world.end_call(call)
    eventually(lambda: world.elsewhere and audible(world.elsewhere[0]) == {"caller", "2001"})


@pytest.mark.parametrize("disabled", [False, True])
def test_a_telephone_switches_a_recording_on(world: World, disabled: bool) -> None:
    call = talk(world)
    if disabled:
        world.switch.api(f"uuid_setvar {call.agent} sip_disable_recording true")
    world.records(call.agent)
    gevent.sleep(0.5)
    assert bool(world.switch.recorders(call.agent)) is not disabled


def test_another_way_into_a_queue(world: World) -> None:
    call = talk(world)
    world.transfer(call.leg, "queue-sales")
    eventually(lambda: world.outside.legs_of("1002"))
    gevent.sleep(0.3)
    assert world.heard_by(call.phone) == {"1002"}


def test_displace(world: World) -> None:
    call = talk(world)
    world.displace(call.leg)
    assert "displace" in world.bugs(call.leg)
    gevent.sleep(0.2)
    assert world.heard_by(call.phone) == {"1001", "mobile"}
    assert world.heard_by(world.phone_of(call.agent)) == {"caller"}


def test_serve_comes_and_goes(world: World) -> None:
    world.start_serve()
    call = world.call()
    world.asked(call)
    world.kill_serve()
    assert not world.is_served
    world.talking(call)
    world.start_serve()
    world.stop_serve()
    assert not world.is_served


def test_refer(world: World) -> None:
    call = talk(world)
    world.refer(call.agent, "2001")
    eventually(lambda: world.outside.legs_of("2001"))
    gevent.sleep(0.3)
    assert world.heard_by(call.phone) == {"2001"}
    assert not world.outside.legs_of("1001")


def test_refer_with_replaces(world: World) -> None:
    call = talk(world)
    consultation = world.refer_attended(call, "2001")
    gevent.sleep(0.3)
    assert world.heard_by(consultation) == {"2001"}
    world.complete(call, consultation)
    gevent.sleep(0.7)
    assert world.heard_by(call.phone) == {"2001"}
    assert not world.outside.legs_of("1001")


def test_transfer_to_another_line(world: World) -> None:
    call = talk(world)
    world.transfer(call.leg, "5002")
    eventually(lambda: world.outside.legs_of("1002"))
    gevent.sleep(0.5)
    assert world.heard_by(call.phone) == {"1002"}


def test_eavesdrop(world: World) -> None:
    call = talk(world)
    leg = world.eavesdrop(call.leg, recorded=True)
    eventually(lambda: "eavesdrop" in world.bugs(call.leg))
    supervisor = world.phone_of(leg)
    assert world.heard_by(supervisor) == {"caller", "1001"}
    assert world.heard_by(call.phone) == {"1001"}
    world.hang_up(leg)
    gevent.sleep(0.3)
    assert audible(world.elsewhere[0]) >= {"caller", "1001"}


def test_three_way(world: World) -> None:
    call = talk(world)
    leg = world.three_way(call.leg)
    eventually(lambda: "eavesdrop" in world.bugs(call.leg))
    assert world.heard_by(world.phone_of(leg)) == {"caller", "1001"}
    assert world.heard_by(call.phone) == {"1001", "outsider"}
    assert world.heard_by(world.phone_of(call.agent)) == {"caller", "outsider"}


def test_intercept(world: World) -> None:
    call = talk(world)
    world.intercept(call.leg)
    eventually(lambda: not world.outside.legs_of("1001"))
    gevent.sleep(0.3)
    assert world.heard_by(call.phone) == {"2002"}


@pytest.mark.parametrize("recorded", [False, True])
def test_conference(world: World, recorded: bool) -> None:
    call = talk(world)
    world.conference(call, recorded=recorded)
    eventually(lambda: world.heard_by(call.phone) == {"1001"})
    files = [path for path in world.elsewhere if "conference" in path.name]
    assert bool(files) is recorded


def test_park_and_fetch(world: World) -> None:
    call = talk(world)
    world.park(call.leg)
    world.fetch("2002")
    gevent.sleep(0.3)
    assert world.heard_by(call.phone) == {"2002"}


def test_a_voice_message(world: World) -> None:
    call = talk(world)
    world.transfer(call.leg, "voicemail")
    gevent.sleep(1)
    world.end_call(call)
    assert audible(world.mailbox[0]) == {"caller"}
    assert silence(world.mailbox[0]) == [[]]


def test_the_switch_dies_and_comes_back(world: World) -> None:
    talk(world)
    world.kill_switch()
    world.outside.api("hupall")
    world.start_switch()
    call = talk(world)
    assert world.heard_by(call.phone) == {"1001"}
