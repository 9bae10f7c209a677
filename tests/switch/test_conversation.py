"""A conversation moves on - to another line, a colleague, a conference, on hold - and the promise with it.

Each case of issue 11 on a real switch, with telephones outside; asserted on what the WAVs hold, the rows, the bugs.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest

from consentivr.config import Configuration
from consentivr.lab.listening import silence
from consentivr.lab.native import DOMAIN
from tests.switch.parts import AGENT_KEYS, SALES, Call, audible, eventually, voices
from tests.switch.world import World

pytestmark = pytest.mark.freeswitch


def _known(data: dict[str, Any]) -> None:
    """Colleague 2001 is an agent of ours, 2002 is nobody known; agents have keys."""
    data["agents"] |= {"users": {f"2001@{DOMAIN}": "2001@default"}, "keys": AGENT_KEYS}
    data["question"] |= {"min_heard_ms": 700}


@pytest.fixture(scope="module")
def shared(configure_once: Callable[..., Configuration], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(configure_once(), tmp_path_factory.mktemp("world"), change=_known, account=True) as made:
        yield made


@pytest.fixture
def world(shared: World) -> Iterator[World]:
    yield shared
    shared.settle()


def turns(world: World, call: Call) -> list[str]:
    return [row.turn for row in world.rows(call)]


def ended(world: World, call: Call, visits: int = 1) -> list[str]:
    """Hang up; the call's turns once every visit of it has ended."""
    if world.exists(call.leg):
        world.outside.hang_up(call.phone)
    eventually(lambda: turns(world, call).count("call_ended") == visits)
    gevent.sleep(0.6)
    said = turns(world, call)
    assert said.count("decision") == said.count("call_ended") == visits, said
    return said


def recorded(world: World, leg: str) -> bool:
    return "session_record" in world.bugs(leg)


def masked(path: Path) -> float:
    """Seconds of exact silence in both channels."""
    return sum(until - since for since, until in silence(path)[0])


def erased(world: World, call: Call, path: Path) -> None:
    eventually(lambda: not path.exists(), 3)
    gevent.sleep(0.3)  # the switch itself removes a file in which nothing was heard yet: then there is no receipt
    assert "forbidden_recording" in turns(world, call)


# --- another line ----------------------------------------------------------------------------


def test_yes_on_one_line_then_no_on_another(world: World) -> None:
    call = world.consenting("1")
    gevent.sleep(1)
    world.transfer(call.leg, SALES)
    world.press(call, "9")
    world.talking(call)
    gevent.sleep(1)
    assert not recorded(world, call.leg)
    assert not recorded(world, call.agent)
    said = ended(world, call, visits=2)
    assert said.count("recording_stopped") == said.count("recording_sealed") == 1
    (file,) = world.files
    assert audible(file) == {"caller", "1001"}


def test_no_on_one_line_then_yes_on_another(world: World) -> None:
    call = world.consenting("9")
    world.transfer(call.leg, SALES)
    world.press(call, "1")
    world.talking(call)
    gevent.sleep(1.5)
    said = ended(world, call, visits=2)
    (file,) = world.files
    assert audible(file) == {"caller", "1002"}
    assert "forbidden_recording" not in said


def test_yes_on_both_lines_is_two_talks_in_two_files(world: World) -> None:
    call = world.consenting("1")
    gevent.sleep(1.2)
    world.transfer(call.leg, SALES)
    world.press(call, "1")
    world.talking(call)
    gevent.sleep(1.2)
    ended(world, call, visits=2)
    sealed = {
        row.evidence["path"]: row.evidence["sha256"] for row in world.rows(call) if row.turn == "recording_sealed"
    }
    assert sorted(map(str, world.files)) == sorted(sealed)
    assert sorted(map(sorted, map(audible, world.files))) == [["1001", "caller"], ["1002", "caller"]]
    visits = {row.visit for row in world.rows(call)}
    assert {file.stem for file in world.files} == visits


# --- colleagues ------------------------------------------------------------------------------


def colleague(world: World, phone: str = "2001") -> str:
    """The colleague's leg on the switch in the middle, once it is answered."""
    leg = eventually(lambda: world.outside.legs_of(phone))[0]
    return eventually(lambda: world.leg_of(leg))


def record_elsewhere(world: World, leg: str, name: str = "foreign") -> Path:
    path = world.folder / "elsewhere" / f"{name}-{time.monotonic_ns()}.wav"
    path.parent.mkdir(exist_ok=True)
    said = world.switch.api(f"uuid_record {leg} start {path}")
    assert said.startswith("+OK"), said
    return path


@pytest.mark.parametrize("how", ["hand-over", "uuid_bridge", "pickup"])
def test_p5_who_said_no_comes_to_a_colleague_who_is_recorded(world: World, how: str) -> None:
    call = world.consenting("9")
    if how == "hand-over":
        world.consult(call)
        leg = colleague(world)
        path = record_elsewhere(world, leg)
        gevent.sleep(0.5)
        world.hand_over(call)
    elif how == "uuid_bridge":
        world.switch.start(f"originate user/2001@{DOMAIN} &park()")
        leg = colleague(world)
        path = record_elsewhere(world, leg)
        gevent.sleep(0.5)
        world.switch.api(f"uuid_bridge {leg} {call.leg}")
    else:
        world.switch.start(f"originate user/2001@{DOMAIN} &park()")
        leg = colleague(world)
        path = record_elsewhere(world, leg)
        gevent.sleep(0.5)
        world.switch.api(f"uuid_broadcast {leg} intercept::{call.leg} aleg")
    eventually(lambda: world.connected(call.leg) == leg)
    eventually(lambda: not recorded(world, leg), 1)
    erased(world, call, path)
    ended(world, call)


def test_an_agreed_colleague_takes_over_and_the_recording_goes_on(world: World) -> None:
    call = world.consenting("1")
    gevent.sleep(1)
    world.consult(call)
    colleague(world)
    gevent.sleep(1.5)
    world.hand_over(call)
    eventually(lambda: "2001" in world.heard_by(call.phone))
    gevent.sleep(1.5)
    ended(world, call)
    everybody = set().union(*map(audible, world.files))
    assert everybody == {"caller", "1001", "2001"}
    for file in world.files:
        for channel in voices(file):
            assert "music" not in channel


def test_an_unknown_colleague_is_not_heard(world: World) -> None:
    call = world.consenting("1")
    gevent.sleep(1)
    world.refer(call.agent, "2002")
    eventually(lambda: "2002" in world.heard_by(call.phone))
    gevent.sleep(1.5)
    ended(world, call)
    assert set().union(*map(audible, world.files)) == {"caller", "1001"}
    assert not any("2002" in audible(file, at_least=0.1) for file in world.files)


@pytest.mark.parametrize("how", ["busy", "answers and hangs up"])
def test_a_colleague_declines_and_the_agent_comes_back(world: World, how: str) -> None:
    call = world.consenting("1")
    gevent.sleep(1)
    if how == "busy":
        world.outside.declines("2001")
        world.consult(call)
        gevent.sleep(1)
    else:
        world.consult(call)
        leg = colleague(world)
        gevent.sleep(1.5)
        world.hang_up(leg)
    eventually(lambda: "1001" in world.heard_by(call.phone))
    gevent.sleep(0.5)
    assert recorded(world, call.leg), "recorded again"
    gevent.sleep(1.5)
    world.keys(call.agent, "*3")
    eventually(lambda: "recording_paused" in turns(world, call))
    ended(world, call)
    assert set().union(*map(audible, world.files)) == {"caller", "1001"}
    last = voices(world.files[-1])
    assert any(until - since > 1 for since, until in last[1].get("1001", []))


def test_p10_silence_while_the_agent_holds(world: World) -> None:
    call = world.consenting("1")
    gevent.sleep(1.5)
    world.hold(call.agent)
    gevent.sleep(2)
    world.resume(call.agent)
    gevent.sleep(1.5)
    said = ended(world, call)
    assert said.count("recording_masked") == said.count("recording_unmasked") == 1
    (file,) = world.files
    assert 1.2 < masked(file) < 2.4, "the switch loses some of it while it turns to music"
    assert "music" not in audible(file, at_least=0.1)


def test_p10_silence_while_the_agent_consults(world: World) -> None:
    call = world.consenting("1")
    gevent.sleep(1.5)
    world.outside.answers_after("2001", 1000)
    world.consult(call)
    gevent.sleep(3)
    leg = colleague(world)
    world.hang_up(leg)
    gevent.sleep(1.5)
    ended(world, call)
    heard = [span for file in world.files for span in voices(file)[0].get("caller", [])]
    assert sum(until - since for since, until in heard) < 4.2, "the caller's room is not in it while nobody listens"
    assert set().union(*map(audible, world.files)) == {"caller", "1001"}


# --- who joins -------------------------------------------------------------------------------


def test_p10_silence_while_an_outsider_is_in(world: World) -> None:
    call = world.consenting("1")
    gevent.sleep(1.5)
    outsider = world.three_way(call.leg)
    gevent.sleep(2)
    world.hang_up(outsider)
    gevent.sleep(1.5)
    ended(world, call)
    rows = world.rows(call)
    masks = [row.evidence for row in rows if row.turn == "recording_masked"]
    assert masks
    assert masks[-1]["why"] == "outsider"
    assert outsider in [row.evidence for row in rows if row.turn == "recording_unmasked"][-1]["parties"]
    (file,) = world.files
    assert 1.5 < masked(file) < 2.8
    assert "outsider" not in audible(file, at_least=0.1)


def test_p5_a_conference_that_records_who_said_no(world: World) -> None:
    call = world.consenting("9")
    world.conference(call, recorded=True)
    path = eventually(lambda: world.elsewhere)[0] if world.elsewhere else None
    eventually(lambda: "forbidden_recording" in turns(world, call), 2)
    (row,) = [row for row in world.rows(call) if row.turn == "forbidden_recording"]
    assert row.evidence["leg"] == "conference"
    erased(world, call, Path(row.evidence["path"]))
    assert path is None or not path.exists()
    assert '"recording": true' not in world.switch.api("conference json_list").replace('":true', '": true')
    ended(world, call)


def test_p5_an_eavesdropper_who_records(world: World) -> None:
    call = world.consenting("9")
    spy = world.eavesdrop(call.leg, recorded=True)
    eventually(lambda: "forbidden_recording" in turns(world, call), 2)
    eventually(lambda: not world.exists(spy) or not recorded(world, spy), 1)
    (row,) = [row for row in world.rows(call) if row.turn == "forbidden_recording"]
    erased(world, call, Path(row.evidence["path"]))
    gevent.sleep(0.5)
    assert world.elsewhere == []
    ended(world, call)


def test_p5_whatever_listens_is_named(world: World) -> None:
    call = world.consenting("9")
    world.eavesdrop(call.leg)
    world.switch.api(f"uuid_displace {call.agent} start tone_stream://%(200,800,333) 0 mux")
    eventually(lambda: turns(world, call).count("tapped") >= 2, 3)
    functions = {row.evidence["function"] for row in world.rows(call) if row.turn == "tapped"}
    assert functions == {"eavesdrop", "displace"}
    assert "forbidden_recording" not in turns(world, call)
    ended(world, call)


def test_a_voice_message_is_kept(world: World) -> None:
    call = world.consenting("9")
    world.transfer(call.leg, "voicemail")
    eventually(lambda: world.mailbox, 5)
    gevent.sleep(1.5)
    said = ended(world, call)
    assert "forbidden_recording" not in said
    assert "recording_started" not in said
    (message,) = world.mailbox
    assert audible(message) == {"caller"}


# --- pauses ----------------------------------------------------------------------------------


def test_a_pause_stays_through_a_transfer_until_somebody_resumes(world: World) -> None:
    call = world.consenting("1")
    gevent.sleep(1)
    world.keys(call.agent, "*3")
    eventually(lambda: "recording_paused" in turns(world, call))
    before = call.agent
    world.transfer(call.leg, "queue-sales")
    eventually(lambda: world.switch.variable(call.leg, "cc_queue") == "sales@default")
    eventually(lambda: world.talking(call) != before)
    gevent.sleep(1.5)
    world.keys(call.agent, "*4")
    eventually(lambda: "recording_resumed" in turns(world, call))
    gevent.sleep(1.5)
    ended(world, call)
    spans = [span for file in world.files for span in voices(file)[1].get("1002", [])]
    assert spans
    assert sum(until - since for since, until in spans) < 2.4, "not before somebody resumed"


def test_the_next_queues_own_recorder_does_not_write_the_first_file_again(world: World) -> None:
    call = world.consenting("1")
    gevent.sleep(1.5)
    before = call.agent
    world.transfer(call.leg, "queue-sales")
    eventually(lambda: world.switch.variable(call.leg, "cc_queue") == "sales@default")
    eventually(lambda: world.talking(call) != before)
    gevent.sleep(1.5)
    ended(world, call)
    sealed = [row.evidence for row in world.rows(call) if row.turn == "recording_sealed"]
    assert len(sealed) == len(world.files) == 2
    for said in sealed:
        assert hashlib.sha256(Path(said["path"]).read_bytes()).hexdigest() == said["sha256"]
    assert sorted(sorted(audible(file)) for file in world.files) == [["1001", "caller"], ["1002", "caller"]]


# --- the question ----------------------------------------------------------------------------


def test_p2_a_yes_before_enough_was_heard_is_asked_again(world: World) -> None:
    call = world.call()
    world.press(call, "1", after=0.1)
    gevent.sleep(0.4)
    world.press(call, "1", after=1.1)
    world.talking(call)
    ended(world, call)
    attempts = world.by_turn(call)["decision"].evidence["attempts"]
    assert [attempt["outcome"] for attempt in attempts] == ["too_early", "key"]


@pytest.mark.parametrize("gap", [0.0, 0.15])
def test_p2_both_keys_in_the_same_breath_are_a_no(world: World, gap: float) -> None:
    call = world.call()
    world.asked(call)
    gevent.sleep(1.1)
    world.outside.press(call.phone, "1")
    gevent.sleep(gap)
    world.outside.press(call.phone, "9")
    world.talking(call)
    gevent.sleep(1)
    assert not recorded(world, call.leg)
    said = ended(world, call)
    assert world.files == []
    decision = world.by_turn(call)["decision"].evidence["decision"]
    assert decision == "refused" or "withdrawn" in said


def test_keys_before_the_question_mean_nothing(world: World) -> None:
    call = world.call()
    eventually(lambda: world.application(call.leg) == "playback", 5)
    world.outside.press(call.phone, "1")
    world.talking(call)
    ended(world, call)
    assert world.by_turn(call)["decision"].evidence["decision"] == "not_obtained"
    assert world.files == []


# --- the recorder moves ----------------------------------------------------------------------


def test_a_recorder_that_moves_to_another_leg_is_followed(world: World) -> None:
    call = world.consenting("1")
    gevent.sleep(1)
    world.switch.api(f"uuid_setvar {call.leg} recording_follow_transfer true")
    world.switch.api(f"uuid_setvar {call.agent} recording_follow_transfer true")
    world.transfer(call.leg, "2002", "-bleg")
    gevent.sleep(1.5)
    legs = [row["uuid"] for row in world.switch.channels()]
    assert not any(recorded(world, leg) for leg in legs if leg != call.leg), "without the caller nothing is recorded"
    ended(world, call)
    assert not any("2002" in audible(file, at_least=0.1) for file in world.files)
    said = turns(world, call)
    assert said.count("recording_started") == said.count("recording_stopped")
