"""The six modes, who counts, and the agents' consent; on the simulated switch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gevent
import gevent.pool
import pytest

from consentivr import custody, switch
from consentivr.config import Configuration
from consentivr.core.consent import ConsentDecision
from consentivr.core.policy import AgentWish, RecordingMode
from consentivr.core.verdict import Permission, verdict
from consentivr.lab.caller import Caller
from consentivr.lab.laboratory import Laboratory
from consentivr.lab.switch import Channel
from consentivr.ledger import Search
from tests.flow.talks import ALICE, BOB, NO, SILENCE, YES, Talks, stays
from tests.ledgers import opened, whole
from tests.served import Served
from tests.waiting import until

Configure = Callable[..., Configuration]
Make = Callable[..., Talks]


# --- the modes -------------------------------------------------------------------------------


@pytest.mark.parametrize("registered", [True, False], ids=["agent-agreed", "agent-not-agreed"])
@pytest.mark.parametrize("keys", [YES, NO, SILENCE], ids=["yes", "no", "silence"])
@pytest.mark.parametrize("mode", RecordingMode)
def test_every_mode_and_decision(
    configure: Configure, tmp_path: Path, mode: RecordingMode, keys: dict, registered: bool
) -> None:
    law = mode is RecordingMode.PERMANENT
    configuration = configure(
        mode.value,
        legal_basis="MiFID II art. 16(7)" if law else "",
        must_agree=True,
        recording=", every: 2" if mode is RecordingMode.EVERY_NTH else "",
    )
    with Laboratory(configuration, tmp_path, speed=20) as laboratory:
        if registered:
            laboratory.register(ALICE)
        recorded = [bool(laboratory.call(Caller(keys=keys, talks_ms=4000)).recorded) for _ in range(2)]
        laboratory.settle()
        turns = [row.turn for row in laboratory.rows()]
    decision = {"1": ConsentDecision.GIVEN, "9": ConsentDecision.REFUSED}.get(
        keys.get(1, ("", 0))[0], ConsentDecision.NOT_OBTAINED
    )
    for number, was in enumerate(recorded, 1):
        said = verdict(
            mode,
            decision,
            durable=True,
            purpose_agreed=True,
            others=(Permission.AGREED if registered else Permission.NOT_AGREED,),
            held=False,
            paused=False,
            is_nth=number % 2 == 0,
            agent_wants=mode is not RecordingMode.MANUAL,
        )
        assert was == said.record, (number, said)
    files = list((tmp_path / "recordings").rglob("*.wav"))
    assert len(files) == sum(recorded)
    assert turns.count("arrived") == turns.count("decision") == turns.count("call_ended") == 2
    assert "forbidden_recording" not in turns
    whole(tmp_path / "ledger.sqlite3")


def test_every_nth_over_two_processes_and_three_agents(
    configure: Configure, tmp_path: Path, location: str | Path
) -> None:
    """100 calls: of each agent's consenting calls exactly every third is recorded, whichever process had it."""
    configuration = configure("every_nth", recording=", every: 3", ledger=location)
    nodes = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        nodes.append(Served(configuration, tmp_path / name, speed=20, ledger_path=location))
    calls: list[Channel] = []

    def call(number: int) -> None:
        agent = ["1001", "1002", "1003"][number * 7 % 3]
        keys = {1: ("1" if number % 5 else "9", 1200)}
        channel = nodes[number % 2].switch.call("5000", Caller(keys=keys, agent=agent, waits_ms=100, talks_ms=20_000))
        calls.append(channel)
        channel.greenlet.join(60)

    try:
        pool = gevent.pool.Pool(10)
        for number in range(100):
            pool.spawn(call, number)
        pool.join(120)
        gevent.sleep(0.5)
    finally:
        for node in nodes:
            node.end()
    with opened(location) as ledger:
        answered = [row for row in ledger.read(Search(turn="agent_answered")) if "count" in row.evidence]
    counts: dict[str, list[int]] = {}
    for row in answered:
        counts.setdefault(row.evidence["agent"], []).append(row.evidence["count"])
    assert sum(map(len, counts.values())) == 80
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in counts.values()), "none twice, none left out"
    due = {row.channel_uuid for row in answered if row.evidence["count"] % 3 == 0}
    assert {channel.uuid for channel in calls if channel.recorded} == due
    whole(location)


def test_manual_is_started_and_stopped_by_the_agent(talks: Make) -> None:
    made = talks("manual")
    channel = made.talking(YES)
    ask = made.application.ask_of_call
    assert ask(channel.uuid, AgentWish.PAUSE, "http") == "refused", "nothing is recorded yet"
    assert channel.recorders == {}
    for files in (1, 2):
        assert ask(channel.uuid, AgentWish.START, "http") == "done"
        assert channel.recorders
        gevent.sleep(0.05)
        assert ask(channel.uuid, AgentWish.START, "http") == "refused", "it runs already"
        assert ask(channel.uuid, AgentWish.STOP, "http") == "done"
        assert not channel.recorders
        assert ask(channel.uuid, AgentWish.STOP, "http") == "refused"
        until(lambda: len(channel.recorded) == files)  # noqa: B023 - waited for here
    assert made.application.ask_of_agent(ALICE, AgentWish.START, "http") == "done"
    gevent.sleep(0.05)
    said = made.ended(channel)
    assert said.count("agent_started") == 3
    assert said.count("agent_stopped") == 2
    stem = made.rows(channel)[0].visit
    names = sorted(Path(path).name for path in channel.recorded)
    assert names == [f"{stem}-2.wav", f"{stem}-3.wav", f"{stem}.wav"], "each start has a file of its own"
    refused = made.talking(NO)
    assert ask(refused.uuid, AgentWish.START, "http") == "refused", "the caller's no comes first"
    made.ended(refused)
    assert refused.recorded == {}
    assert ask("unknown", AgentWish.START, "http") == "unknown"
    assert ask(channel.uuid, AgentWish.START, "http") == "unknown", "it is over"


def test_what_is_recorded_by_law_is_left_alone(talks: Make) -> None:
    made = talks("permanent", how={"legal_basis": "MiFID II art. 16(7)"})
    channel = made.talking(SILENCE)
    until(lambda: channel.recorders)
    channel.record_without_asking(str(made.foreign()), agent=True)
    channel.agent.hold()
    stays(lambda: channel.recorders and channel.agent_recorders and not channel.masked, 0.3)
    channel.agent.unhold()
    ask = made.application.ask_of_call
    assert ask(channel.uuid, AgentWish.STOP, "http") == "refused"
    assert ask(channel.uuid, AgentWish.PAUSE, "http") == "done"
    assert ask(channel.uuid, AgentWish.RESUME, "http") == "done"
    made.ended(channel)
    assert made.incidents == 0


# --- the agents' consent ---------------------------------------------------------------------


def test_the_callers_yes_stays_for_an_agent_who_agreed(talks: Make) -> None:
    """From one who has not agreed to one who has, and on to someone who is no agent."""
    made = talks(agents={"must_agree": True, "users": {}})
    made.register(BOB)
    channel = made.talking(YES)
    stays(lambda: channel.recorders == {}), "Alice has not agreed"
    channel.transfer("queue-sales")
    until(lambda: channel.recorders)
    gevent.sleep(0.1)
    made.switch.bridge(made.switch.leg("outsider", "1099"), channel)
    until(lambda: all(recorder.masked for recorder in channel.recorders.values()))
    stays(lambda: all(recorder.masked for recorder in channel.recorders.values()))
    made.ended(channel)
    assert len(channel.recorded) == 1
    agents = [(said["agent"], said["agent_agreed"]) for said in made.said(channel, "agent_answered")]
    assert agents == [(ALICE, False), (BOB, True)]


def test_an_agent_takes_it_back(configure: Configure, tmp_path: Path) -> None:
    with Laboratory(configure(must_agree=True), tmp_path, speed=20) as laboratory:
        laboratory.register(ALICE)
        caller = Caller(keys=YES, talks_ms=4000)
        assert laboratory.call(caller).recorded
        with opened(tmp_path / "ledger.sqlite3") as ledger:
            assert custody.take_back(ledger, ALICE)
            assert not custody.take_back(ledger, ALICE)
            custody.agree(ledger, BOB, custody.AgreedTo(wording="test"), ["other@default"])
        assert laboratory.call(caller).recorded == {}, "from the next talk on"
        elsewhere = Caller(keys=YES, talks_ms=4000, agent=BOB)
        assert laboratory.call(elsewhere).recorded == {}, "agreed for another queue only"


def test_a_register_that_cannot_be_read_records_nobody(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Laboratory(configure(must_agree=True), tmp_path, speed=20) as laboratory:
        laboratory.register(ALICE)
        ledger = laboratory.application.ledger._ledger
        assert ledger is not None

        def broken(*_: object) -> bool:
            raise OSError("the disk is gone")

        monkeypatch.setattr(ledger, "agents_agreed", broken)
        assert laboratory.call(Caller(keys=YES, talks_ms=4000)).recorded == {}


def test_the_agent_hears_and_sees_what_was_decided(configure: Configure, tmp_path: Path) -> None:
    with Laboratory(configure(), tmp_path, speed=20) as laboratory:
        for keys, whisper, decision in ((YES, "agent_recorded", "given"), (NO, "agent_not_recorded", "refused")):
            channel = laboratory.call(Caller(keys=keys))
            assert Path(channel.variables["cc_outbound_announce"]).stem == whisper
            assert channel.variables["consent_decision"] == decision
            exported = channel.variables["cc_export_vars"].split(",")
            ours = {"consent_no_record", "consent_decision", "sip_disable_recording", *switch.UNTOLD_DIGITS}
            assert ours | set(switch.NEUTRAL) == set(exported)
