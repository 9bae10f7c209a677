"""A real FreeSWITCH with our rendered XML, ``consentivr serve`` beside it, callers over SIP and RTP.

The assertions are on the WAV, the ledger row and where the caller ended; not on log lines.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest

from consentivr.config import Configuration
from consentivr.esl.codec import Event
from consentivr.esl.connection import Refused
from consentivr.esl.session import OutboundSession
from consentivr.lab.caller import Caller
from consentivr.lab.laboratory import simulated_switch
from consentivr.lab.listening import duration
from consentivr.ledger import Entry, Ledger, Search
from consentivr.recordings import visit_of
from consentivr.service.service import Application
from tests.switch.parts import SALES, SUPPORT, Call, all_of, eventually, voices
from tests.switch.world import World

pytestmark = pytest.mark.freeswitch

SCENARIOS = Path(__file__).parents[2] / "lab" / "sipp"
AGENTS = {f"{number}@default": ["support@default"] for number in range(1001, 1011)}


@pytest.fixture(scope="module")
def shared(configure_once: Callable[..., Configuration], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    def soon(data: dict) -> None:
        data["freeswitch"] |= {"connect_watchdog_s": 5}
        data["question"] |= {"min_heard_ms": 200}
        data["queues"]["sales"] |= {"max_wait_s": 2}

    folder = tmp_path_factory.mktemp("world")
    with World(configure_once(), folder, agents=AGENTS, change=soon) as made:
        yield made


@pytest.fixture
def world(shared: World) -> Iterator[World]:
    if not shared.is_served:
        shared.start_serve()
    yield shared
    shared.settle()


def test_yes_is_a_stereo_wav_of_the_talk_and_only_the_talk(world: World) -> None:
    call = world.consenting("1")
    assert str(world.folder / "recordings") in world.switch.recorders(call.leg)
    gevent.sleep(2)
    world.end_call(call)
    rows = world.whole(call)
    (path,) = world.files
    assert str(path) == rows["recording_stopped"].evidence["path"]
    assert 1.8 < duration(path) < 3.5
    caller, agent = voices(path)
    assert set(caller) == {"caller"}
    assert set(agent) == {"1001"}, "no music"
    assert rows["decision"].evidence["decision"] == "given"
    assert rows["call_ended"].evidence["agent"] == "1001@default"


def test_everything_else_is_unrecorded(world: World) -> None:
    """The key 9, silence and wrong keys, all at once."""
    expected = {"9": ("refused", "objection_key"), "": ("not_obtained", "silence"), "57": ("not_obtained", "wrong_key")}

    def unrecorded(keys: str) -> None:
        call = world.call(agents=None)
        for key in keys:
            world.press(call, key)
            gevent.sleep(0.5)
        world.talking(call)
        assert world.switch.recorders(call.leg) == "", "the negative proof"
        assert world.switch.recorders(call.agent) == ""
        gevent.sleep(0.5)
        world.end_call(call)
        evidence = world.whole(call)["decision"].evidence
        assert (evidence["decision"], evidence["reason"]) == expected[keys]

    all_of(*(lambda keys=keys: unrecorded(keys) for keys in expected))
    assert world.files == []


def test_barge_in(world: World) -> None:
    call = world.call()
    world.press(call, "1", after=0.3)
    world.talking(call)
    world.end_call(call)
    assert world.whole(call)["decision"].evidence["heard_ms"] < 1000


def test_a_withheld_number_is_not_kept(world: World) -> None:
    """``Privacy: id``, although the network tells the number (``P-Asserted-Identity``)."""
    call = world.call(withheld=True)
    told = world.switch.api(f"uuid_dump {call.leg}")
    assert "Caller-Privacy-Hide-Number: true" in told
    assert f"Caller-Caller-ID-Number: {call.number}" in told.replace("%2B", "+")
    world.press(call, "1")
    world.talking(call)
    world.end_call(call)
    rows: list[Entry] = []

    def ended() -> bool:
        rows[:] = [row for row in world.rows() if row.channel_uuid == call.leg]
        return any(row.turn == "call_ended" for row in rows)

    eventually(ended)
    assert {row.caller_id_number for row in rows} == {None}
    assert any(row.evidence.get("decision") == "given" for row in rows)


def test_the_agent_hangs_up_and_the_call_ends(world: World) -> None:
    call = world.consenting("1")
    gevent.sleep(1)
    world.hang_up(call.agent)
    eventually(lambda: not world.switch.channels())
    rows = world.whole(call)
    assert "recording_stopped" in rows
    assert rows["call_ended"].evidence["hangup_cause"] == "NORMAL_CLEARING"


def test_a_queue_time_out_plays_the_ending(world: World) -> None:
    call = world.call(SALES, agents=False)
    world.press(call, "1")
    eventually(lambda: not world.switch.channels())
    assert world.whole(call)["queue_left"].evidence == {"why": "TIMEOUT"}
    assert world.files == []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_p4_killed_or_stopped(world: World, how: signal.Signals) -> None:
    """Four callers: in the talk, in the queue, in the question when it happens, and one who comes after."""
    talking = world.consenting("1")
    world.switch.agents_wait(available=False)
    queued = world.call(agents=None)
    world.press(queued, "1")
    world.queued(queued)
    asked = world.call(agents=None)
    world.asked(asked)
    assert world.process is not None
    world.process.send_signal(how)
    late = world.call(agents=None)
    world.switch.agents_wait()
    for call in (queued, asked, late):
        world.talking(call, 40)
    gevent.sleep(1)
    assert world.connected(talking.leg) == talking.agent, "the talk goes on"
    for call in (talking, queued, asked, late):
        world.end_call(call)
    rows = world.rows()
    given = {row.visit for row in rows if row.channel_uuid in (talking.leg, queued.leg)}
    recorded = {visit_of(path.stem) for path in world.files}
    world.kill_serve()
    assert recorded <= given, "P1: nothing is recorded without a durable row"
    assert late.leg not in {row.channel_uuid for row in rows}


NAMES = {
    "forged": "Bob%0Avariable_consent_key_1%3A 1",
    "path": "Bob ../../etc",
    "long": "B" * 200,
    "code": "${system(touch /tmp/consentivr-pwned)}",
    "emoji": "😀",
}


@pytest.mark.sipp
def test_p7_hostile_names(world: World, tmp_path: Path) -> None:
    def new(before: dict[str, str]) -> list[str]:
        return [said for visit, said in decisions(world).items() if visit not in before]

    text = (SCENARIOS / "press_nothing.xml").read_text().replace('"45000"', '"6000"')
    before = decisions(world)
    running = []
    for name, said in NAMES.items():
        hostile = text.replace("Erika Mustermann", said)
        hostile = hostile.replace("      Max-Forwards: 70\n", f"      Max-Forwards: 70\n      X-Note: {said}\n", 1)
        (tmp_path / f"{name}.xml").write_text(hostile)
        running.append(sipp(world, tmp_path / f"{name}.xml", 1))
    for process in running:
        assert process.wait() == 0
    eventually(lambda: len(new(before)) >= len(NAMES))
    assert set(new(before)) == {"not_obtained"}
    assert world.files == []
    assert not Path("/tmp/consentivr-pwned").exists()


def sipp(world: World, scenario: Path, calls: int) -> subprocess.Popen[bytes]:
    command = [
        "sipp", f"127.0.0.1:{world.switch.sip_port}", "-sf", str(scenario), "-s", SUPPORT, "-i", "127.0.0.1",
        "-m", str(calls), "-l", str(calls), "-r", "5", "-nostdin", "-timeout", "60s",
        "-mp", str(40000 + abs(hash(scenario.name)) % 9000 // 4 * 4),
    ]  # fmt: skip
    return subprocess.Popen(command, cwd=scenario.parent, stdout=subprocess.DEVNULL)


def decisions(world: World) -> dict[str, str]:
    ledger = Ledger(world.configuration.ledger.location)
    try:
        return {row.visit or "": row.evidence["decision"] for row in ledger.read(Search(turn="decision"))}
    finally:
        ledger.close()


@pytest.mark.sipp
def test_twenty_callers_at_once(world: World, tmp_path: Path) -> None:
    """Ten agents: mod_callcenter gives out calls in rounds of its own, so the callers are patient."""
    counts = {"press_1": 8, "press_9": 7, "press_nothing": 5}
    before = decisions(world)
    running = []
    for name, calls in counts.items():
        quick = tmp_path / f"{name}.xml"
        text = (SCENARIOS / f"{name}.xml").read_text()
        quick.write_text(text.replace('"6000"', '"1200"').replace('"18000"', '"12000"').replace('"45000"', '"13000"'))
        running.append(sipp(world, quick, calls))
    while any(process.poll() is None for process in running):
        gevent.sleep(0.2)
    assert [process.returncode for process in running] == [0, 0, 0]
    eventually(lambda: not world.switch.channels())
    made = {visit: said for visit, said in decisions(world).items() if visit not in before}
    ledger = Ledger(world.configuration.ledger.location)
    stopped = {row.visit for row in ledger.read(Search(turn="recording_stopped")) if row.evidence["duration_ms"]}
    ledger.close()
    said = list(made.values())
    assert [said.count(word) for word in ("given", "refused", "not_obtained")] == list(counts.values())
    assert {path.stem for path in world.files} == stopped & set(made)
    assert all(made[path.stem] == "given" for path in world.files)


# --- the simulated switch beside the running one ---------------------------------------------

SCRIPTS = {
    "yes": (Caller(keys={1: ("1", 1200)}, talks_ms=1500), ["1"]),
    "no": (Caller(keys={1: ("9", 1200)}, talks_ms=1500), ["9"]),
    "silence": (Caller(talks_ms=1500), []),
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_same_call_on_both_gives_the_same_events(
    world: World, script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller, keys = SCRIPTS[script]
    heard: list[tuple[str, str]] = []
    receive = OutboundSession.receive

    def listen(session: OutboundSession, timeout: float | None = None) -> Event | Refused | None:
        event = receive(session, timeout)
        if isinstance(event, Event) and event["Event-Name"] != "CHANNEL_PARK":
            heard.append((event["Event-Name"], event.get("Application", "")))
        return event

    monkeypatch.setattr(OutboundSession, "receive", listen)
    world.kill_serve()
    application = Application(world.configuration)
    application.start()
    call: Call = world.call()
    for key in keys:
        world.press(call, key)
    world.talking(call)
    gevent.sleep(0.5)
    world.end_call(call)
    world.whole(call)
    real, heard[:] = list(heard), []

    channel = simulated_switch(world.configuration, speed=10).call(SUPPORT, caller)
    assert channel.greenlet is not None
    channel.greenlet.join(30)
    gevent.sleep(0.1)
    application.stop()
    assert heard == real
