"""P11: nothing is forgotten when our process, or the switch, ends and begins again; on a real switch."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
import soundfile

from consentivr.config import Configuration
from tests.switch.parts import AGENT_KEYS, SALES, SUPPORT, audible, eventually, voices
from tests.switch.world import World

pytestmark = pytest.mark.freeswitch


def _soon(data: dict[str, Any]) -> None:
    data["agents"] |= {"keys": AGENT_KEYS}
    data["queues"]["sales"]["recording"] = {"mode": "off"}
    data["announcements"]["de"].pop("welcome")


@pytest.fixture(scope="module")
def shared(configure_once: Callable[..., Configuration], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(configure_once(), tmp_path_factory.mktemp("world"), change=_soon) as made:
        yield made


@pytest.fixture
def world(shared: World) -> Iterator[World]:
    if not shared.is_served:
        shared.start_serve()
    yield shared
    shared.settle()


def turns(world: World, call: Any) -> list[str]:
    return [row.turn for row in world.rows(call)]


def all_turns(world: World, channel: str) -> list[str]:
    """Also those of visits whose caller's number never came into the ledger."""
    return [row.turn for row in world.rows() if row.channel_uuid == channel]


HOW = pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["TERM", "KILL"])


@HOW
def test_a_talk_is_taken_up_again(world: World, how: signal.Signals) -> None:
    call = world.consenting("1")
    gevent.sleep(1)
    world.stop_serve(how)
    gevent.sleep(0.5)
    world.start_serve()
    eventually(lambda: "adopted" in turns(world, call), 5)
    gevent.sleep(0.5)
    world.keys(call.agent, "*3")
    eventually(lambda: "recording_paused" in turns(world, call), 3)
    gevent.sleep(0.5)
    world.keys(call.agent, "*4")
    eventually(lambda: "recording_resumed" in turns(world, call), 3)
    gevent.sleep(0.5)
    world.keys(call.leg, "*9")
    eventually(lambda: "withdrawn" in turns(world, call), 3)
    assert "session_record" not in world.bugs(call.leg)
    (withdrawn,) = [row.evidence for row in world.rows(call) if row.turn == "withdrawn"]
    assert withdrawn["stopped_ms"] < 200, "P6"
    world.end_call(call)
    eventually(lambda: turns(world, call).count("call_ended") == 1)
    eventually(lambda: turns(world, call).count("recording_erased") == 1)
    assert turns(world, call).count("decision") == 1


def test_p10_who_came_while_nobody_watched_is_in_no_file(world: World) -> None:
    call = world.consenting("1")
    gevent.sleep(1)
    world.kill_serve()
    outsider = world.three_way(call.leg)
    gevent.sleep(1)
    world.start_serve()
    eventually(lambda: "recording_masked" in turns(world, call), 5)
    world.hang_up(outsider)
    gevent.sleep(2)
    world.end_call(call)
    eventually(lambda: turns(world, call).count("call_ended") == 1)
    eventually(lambda: "recording_sealed" in turns(world, call))
    (file,) = world.files
    assert audible(file) == {"caller", "1001"}
    (sealed,) = [row.evidence for row in world.rows(call) if row.turn == "recording_sealed"]
    ((since, until),) = sealed["silenced"]
    assert 0 <= since < until < sealed["duration_ms"] / 1000


def test_p10_who_came_and_went_while_nobody_watched_is_in_no_file(world: World) -> None:
    """Nothing on the switch tells of it; before that the agent held, so that frames of the file were lost."""
    call = world.consenting("1")
    gevent.sleep(1)
    world.hold(call.agent)
    gevent.sleep(1.5)
    world.resume(call.agent)
    gevent.sleep(2)
    world.kill_serve()
    outsider = world.three_way(call.leg)
    gevent.sleep(1)
    world.hang_up(outsider)
    gevent.sleep(0.2)
    world.start_serve()
    eventually(lambda: "unwatched" in turns(world, call), 5)
    gevent.sleep(2)
    world.end_call(call)
    eventually(lambda: "recording_sealed" in turns(world, call))
    (file,) = world.files
    assert audible(file) == {"caller", "1001"}


@HOW
def test_the_caller_hangs_up_while_nobody_is_there(world: World, how: signal.Signals) -> None:
    call = world.consenting("1")
    gevent.sleep(1)
    world.stop_serve(how)
    world.end_call(call)
    world.start_serve()
    eventually(lambda: turns(world, call).count("call_ended") == 1, 30)
    eventually(lambda: turns(world, call).count("recording_sealed") == 1)
    (sealed,) = [row.evidence for row in world.rows(call) if row.turn == "recording_sealed"]
    assert sealed["sha256"]


def test_kill_while_the_caller_is_asked(world: World) -> None:
    call = world.call()
    world.asked(call)
    gevent.sleep(0.5)
    world.kill_serve()
    world.talking(call)
    assert "session_record" not in world.bugs(call.leg)
    world.start_serve()
    eventually(lambda: all_turns(world, call.leg).count("decision") == 1, 15)
    (decision,) = [row for row in world.rows() if row.channel_uuid == call.leg and row.turn == "decision"]
    assert (decision.evidence["decision"], decision.evidence["reason"]) == ("not_obtained", "application_failed")
    world.end_call(call)
    eventually(lambda: all_turns(world, call.leg).count("call_ended") == 1)
    gevent.sleep(4)
    assert all_turns(world, call.leg).count("decision") == all_turns(world, call.leg).count("call_ended") == 1
    assert world.files == []


def test_kill_while_the_caller_is_asked_who_then_hangs_up(world: World) -> None:
    call = world.call()
    world.asked(call)
    gevent.sleep(0.5)
    world.kill_serve()
    world.end_call(call)
    gevent.sleep(15)
    world.start_serve()
    eventually(lambda: all_turns(world, call.leg).count("call_ended") == 1, 15)
    assert all_turns(world, call.leg) == ["arrived", "decision", "call_ended"]


def test_term_lets_a_question_end(world: World) -> None:
    call = world.call()
    world.asked(call)
    assert world.process is not None
    world.process.send_signal(signal.SIGTERM)
    gevent.sleep(0.3)
    world.press(call, "1", after=0.8)
    world.talking(call)
    eventually(lambda: not world.is_served)
    world.start_serve()
    eventually(lambda: "agent_answered" in turns(world, call), 10)
    gevent.sleep(1.5)
    world.end_call(call)
    eventually(lambda: turns(world, call).count("call_ended") == 1)
    assert turns(world, call).count("decision") == 1
    assert world.by_turn(call)["decision"].evidence["decision"] == "given"
    # Two parts where the agent answered in the moment in which the first process ended: it could not be noted any more.
    assert set().union(*map(audible, world.files)) == {"caller", "1001"}


def test_nobody_answers_for_the_line(world: World) -> None:
    """The dialplan alone takes the caller to the queue; whoever comes back gives the visit its rows."""
    world.kill_serve()
    call = world.call()
    world.talking(call)
    world.start_serve()
    eventually(lambda: all_turns(world, call.leg).count("decision") == 1, 20)
    world.end_call(call)
    eventually(lambda: all_turns(world, call.leg).count("call_ended") == 1)
    assert world.files == []
    (decision,) = [row for row in world.rows() if row.channel_uuid == call.leg and row.turn == "decision"]
    assert decision.evidence["reason"] == "not_asked"


def test_the_switch_dies_in_a_recorded_talk(world: World) -> None:
    call = world.consenting("1")
    gevent.sleep(12)
    world.kill_switch()
    gevent.sleep(1)
    world.start_switch()
    eventually(lambda: turns(world, call).count("call_ended") == 1, 40)
    eventually(lambda: turns(world, call).count("recording_sealed") == 1)
    stopped = world.by_turn(call)["recording_stopped"].evidence
    assert stopped["completion_cause"] == "cut"
    (file,) = world.files
    assert soundfile.info(str(file)).duration > 4
    assert audible(file) == {"caller", "1001"}
    assert world.by_turn(call)["recording_sealed"].evidence["sha256"]


def test_the_talk_goes_on_in_a_queue_that_does_not_record(world: World) -> None:
    call = world.consenting("1", SUPPORT)
    gevent.sleep(1)
    before = call.agent
    world.transfer(call.leg, "queue-sales")
    eventually(lambda: world.switch.variable(call.leg, "cc_queue") == "sales@default")
    eventually(lambda: world.talking(call) != before)
    gevent.sleep(1.5)
    assert "session_record" not in world.bugs(call.leg)
    world.end_call(call)
    eventually(lambda: turns(world, call).count("call_ended") == 1)
    assert set().union(*map(audible, world.files)) == {"caller", "1001"}


def test_a_line_without_welcome_ignores_keys_of_a_menu_before_it(world: World) -> None:
    call = world.call(SALES)
    world.talking(call)
    world.switch.api(f"uuid_recv_dtmf {call.leg} 1")
    world.switch.api(f"uuid_transfer {call.leg} {SUPPORT} XML public")
    eventually(lambda: world.application(call.leg) == "play_and_get_digits")
    gevent.sleep(0.3)
    before = call.agent
    eventually(lambda: world.talking(call) != before, 30)
    decisions = [row.evidence for row in world.rows(call) if row.turn == "decision"]
    world.end_call(call)
    assert [row["decision"] for row in decisions] == ["not_obtained", "not_obtained"]
    assert world.files == []


def test_by_law_in_stereo(
    configure_once: Callable[..., Configuration], tmp_path_factory: pytest.TempPathFactory
) -> None:
    configuration = configure_once("permanent", legal_basis="MiFID II art. 16(7)")
    with World(configuration, tmp_path_factory.mktemp("law"), sales=False) as world:
        call = world.call()
        world.talking(call)
        gevent.sleep(1.5)
        world.end_call(call)
        eventually(lambda: turns(world, call).count("recording_sealed") == 1)
        (file,) = world.files
        left, right = voices(file)
        assert set(left) == {"caller"}
        assert set(right) == {"1001"}
        assert str(file) == world.by_turn(call)["recording_stopped"].evidence["path"]
