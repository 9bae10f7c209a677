"""The six modes, the agents' consent, second thoughts, the agent's wishes, transfers; on the simulated switch."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import gevent
import gevent.pool
import pytest
import soundfile

from consentivr.config import Configuration
from consentivr.core.consent import ConsentDecision
from consentivr.core.policy import AgentWish, RecordingMode
from consentivr.core.verdict import Permission, verdict
from consentivr.lab.caller import Caller
from consentivr.lab.laboratory import Laboratory
from consentivr.lab.switch import Channel
from consentivr.ledger import Search
from tests.ledgers import opened, whole
from tests.served import Served

YES = {1: ("1", 1200)}
NO = {1: ("9", 1200)}
ALICE, BOB = "1001@default", "1002@default"
Configure = Callable[..., Configuration]


def turns(laboratory: Laboratory, channel: Channel) -> list[str]:
    return [row.turn for row in laboratory.rows(channel)]


def until(what: Callable[[], object], seconds: float = 10) -> None:
    for _ in range(int(seconds / 0.005)):
        if what():
            return
        gevent.sleep(0.005)
    raise AssertionError("it does not happen")


def talking(laboratory: Laboratory, caller: Caller, talks: int = 1) -> Channel:
    channel = laboratory.switch.call("5000", caller)
    until(lambda: len(channel.bugs_in_talk) == talks)
    return channel


def ended(channel: Channel) -> Channel:
    channel.hang_up()
    channel.greenlet.join(20)
    assert channel.over
    return channel


# --- the modes -------------------------------------------------------------------------------


@pytest.mark.parametrize("registered", [True, False], ids=["agent-agreed", "agent-not-agreed"])
@pytest.mark.parametrize("keys", [YES, NO, {}], ids=["yes", "no", "silence"])
@pytest.mark.parametrize("mode", RecordingMode)
def test_every_mode_and_decision(
    configure: Configure, tmp_path: Path, mode: RecordingMode, keys: dict, registered: bool
) -> None:
    law = mode is RecordingMode.PERMANENT
    configuration = configure(
        mode.value,
        legal_basis="MiFID II" if law else "",
        must_agree=True,
        recording=", every: 2" if mode is RecordingMode.EVERY_NTH else "",
    )
    with Laboratory(configuration, tmp_path, speed=20) as laboratory:
        if registered:
            laboratory.register(ALICE)
        recorded = [bool(laboratory.call(Caller(keys=keys, talks_ms=1000)).recorded) for _ in range(2)]
    decision = {"1": ConsentDecision.GIVEN, "9": ConsentDecision.REFUSED}.get(
        keys.get(1, ("", 0))[0], ConsentDecision.NOT_OBTAINED
    )
    for number, was in enumerate(recorded, 1):
        agent = Permission.AGREED if registered else Permission.NOT_AGREED
        said = verdict(
            mode,
            decision,
            durable=True,
            purpose_agreed=True,
            others=(agent,),
            held=False,
            paused=False,
            is_nth=number % 2 == 0,
            agent_wants=mode is not RecordingMode.MANUAL,
        )
        assert was == said.record, (number, said)
    files = list((tmp_path / "recordings").rglob("*.wav"))
    assert len(files) == sum(recorded)
    whole(tmp_path / "ledger.sqlite3")


def test_every_nth_over_two_processes_and_three_agents(
    configure: Configure, tmp_path: Path, location: str | Path
) -> None:
    """100 calls: of each agent's consenting calls exactly every third is recorded, whichever process had it."""
    configuration = configure("every_nth", recording=", every: 3", ledger=location)
    nodes = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        nodes.append(Served(configuration, tmp_path / name, speed=40, ledger_path=location))
    calls: list[Channel] = []

    def call(number: int) -> None:
        agent = ["1001", "1002", "1003"][number * 7 % 3]
        keys = {1: ("1" if number % 5 else "9", 100)}
        channel = nodes[number % 2].switch.call("5000", Caller(keys=keys, agent=agent, waits_ms=100, talks_ms=20_000))
        calls.append(channel)
        channel.greenlet.join(60)

    try:
        pool = gevent.pool.Pool(10)
        for number in range(100):
            pool.spawn(call, number)
        pool.join(120)
        gevent.sleep(0.3)
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


def test_manual_is_started_and_stopped_by_the_agent(configure: Configure, tmp_path: Path) -> None:
    with Laboratory(configure("manual"), tmp_path, speed=20) as laboratory:
        channel = talking(laboratory, Caller(keys=YES, talks_ms=60_000))
        ask = laboratory.application.ask_of_call
        until(lambda: laboratory.application.ask_of_agent(ALICE, AgentWish.PAUSE, "http") != "unknown")
        assert ask(channel.uuid, AgentWish.PAUSE, "http") == "refused", "nothing is recorded yet"
        assert channel.recorders == {}
        assert ask(channel.uuid, AgentWish.START, "http") == "done"
        until(lambda: channel.recorders)
        gevent.sleep(0.05)
        assert ask(channel.uuid, AgentWish.START, "http") == "refused", "it runs already"
        assert ask(channel.uuid, AgentWish.STOP, "http") == "done"
        until(lambda: not channel.recorders)
        assert ask(channel.uuid, AgentWish.START, "http") == "done"
        until(lambda: channel.recorders)
        gevent.sleep(0.05)
        ended(channel)
        (visit,) = {row.visit for row in laboratory.rows(channel)}
        names = sorted(Path(path).name for path in channel.recorded)
        assert names == [f"{visit}-2.wav", f"{visit}.wav"], "a second start has a file of its own"
        refused = talking(laboratory, Caller(keys=NO, talks_ms=60_000))
        assert ask(refused.uuid, AgentWish.START, "http") == "refused", "the caller's no comes first"
        assert ended(refused).recorded == {}
        assert ask("unknown", AgentWish.START, "http") == "unknown"


# --- the agents' consent ---------------------------------------------------------------------


def test_an_agent_takes_it_back(configure: Configure, tmp_path: Path) -> None:
    from consentivr import custody

    with Laboratory(configure(must_agree=True), tmp_path, speed=20) as laboratory:
        laboratory.register(ALICE)
        assert laboratory.call(Caller(keys=YES)).recorded
        with opened(tmp_path / "ledger.sqlite3") as ledger:
            assert custody.take_back(ledger, ALICE)
            assert not custody.take_back(ledger, ALICE)
            custody.agree(ledger, BOB, ["other@default"])
        assert laboratory.call(Caller(keys=YES)).recorded == {}, "from the next talk on"
        assert laboratory.call(Caller(keys=YES, agent=BOB)).recorded == {}, "agreed for another queue only"


def test_a_register_that_cannot_be_read_records_nobody(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Laboratory(configure(must_agree=True), tmp_path, speed=20) as laboratory:
        laboratory.register(ALICE)
        ledger = laboratory.application.ledger._ledger
        assert ledger is not None

        def broken(*_: object) -> bool:
            raise OSError("the disk is gone")

        monkeypatch.setattr(ledger, "agent_agreed", broken)
        assert laboratory.call(Caller(keys=YES)).recorded == {}


def test_the_agent_hears_and_sees_what_was_decided(configure: Configure, tmp_path: Path) -> None:
    with Laboratory(configure(), tmp_path, speed=20) as laboratory:
        for keys, whisper, decision in ((YES, "agent_recorded", "given"), (NO, "agent_not_recorded", "refused")):
            channel = laboratory.call(Caller(keys=keys))
            assert Path(channel.variables["cc_outbound_announce"]).stem == whisper
            assert channel.variables["consent_decision"] == decision
            assert channel.variables["cc_export_vars"] == "consent_no_record,consent_decision,sip_disable_recording"


# --- second thoughts -------------------------------------------------------------------------


@pytest.mark.parametrize("erase", [False, True], ids=["stop", "erase"])
def test_p6_a_yes_is_taken_back_in_the_talk(configure: Configure, tmp_path: Path, erase: bool) -> None:
    configuration = configure(recording=f", erase_withdrawn: {str(erase).lower()}")
    with Laboratory(configuration, tmp_path, speed=20) as laboratory:
        channel = talking(laboratory, Caller(keys=YES, talks_ms=60_000))
        gevent.sleep(0.2)
        assert channel.recorders
        channel.press("*")
        channel.press("9")
        until(lambda: not channel.recorders)
        gevent.sleep(0.3)
        assert channel.broadcasts == [("withdrawn", "both")], "both sides hear it"
        assert channel.variables["consent_no_record"] == "true"
        ended(channel)
        (path,) = channel.recorded
        said = turns(laboratory, channel)
        assert said.count("withdrawn") == 1
        if erase:
            until(lambda: not Path(path).exists())
            until(lambda: "recording_erased" in turns(laboratory, channel))
        else:
            assert Path(path).exists()
        (withdrawn,) = [row for row in laboratory.rows(channel) if row.turn == "withdrawn"]
        said_so = {"withdrawn": True, "keys": "*9", "erase": erase, "by": "caller", "reason": "withdrawal_keys"}
        assert said_so.items() <= withdrawn.evidence.items()
        assert withdrawn.evidence["stopped_ms"] < 200


def test_p6_a_yes_is_taken_back_while_waiting(configure: Configure, tmp_path: Path) -> None:
    with Laboratory(configure(), tmp_path, speed=20) as laboratory:
        channel = laboratory.switch.call("5000", Caller(keys=YES, waits_ms=8000))
        until(lambda: channel.reached)
        gevent.sleep(0.05)
        channel.press("*")
        channel.press("9")
        channel.greenlet.join(20)
        assert channel.recorded == {}
        assert channel.bugs_in_talk == [[]], "the negative proof"
        assert channel.broadcasts == [("withdrawn", "aleg")]
        assert "looked_for_recorders" in turns(laboratory, channel)


@pytest.mark.parametrize("keys", ["9", "*", "**", "*#", "19", "*19", "9*", "*5", "123456789*", "*8*8"])
def test_ordinary_digits_mean_nothing_and_are_not_kept(configure: Configure, tmp_path: Path, keys: str) -> None:
    with Laboratory(configure(keys=', late_consent_keys: "*1"'), tmp_path, speed=20) as laboratory:
        channel = talking(laboratory, Caller(keys=YES, talks_ms=60_000))
        gevent.sleep(0.1)
        for key in keys:
            channel.press(key)
        gevent.sleep(0.1)
        assert len(channel.recorders) == 1
        ended(channel)
        assert "withdrawn" not in turns(laboratory, channel)
        assert "DTMF" not in json.dumps([row.evidence for row in laboratory.rows(channel)])


def test_a_star_and_a_nine_that_do_not_belong_together(configure: Configure, tmp_path: Path) -> None:
    with Laboratory(configure(), tmp_path, speed=2) as laboratory:
        channel = talking(laboratory, Caller(keys={1: ("1", 100)}, waits_ms=50, talks_ms=60_000))
        channel.press("*")
        gevent.sleep(3.2)
        channel.press("9")
        gevent.sleep(0.1)
        assert channel.recorders
        ended(channel)


@pytest.mark.parametrize("when", ["waiting", "talking"])
@pytest.mark.parametrize("must_agree", [False, True])
def test_a_late_yes(configure: Configure, tmp_path: Path, when: str, must_agree: bool) -> None:
    configuration = configure(keys=', late_consent_keys: "*1"', must_agree=must_agree)
    with Laboratory(configuration, tmp_path, speed=20) as laboratory:
        laboratory.register(ALICE)
        channel = laboratory.switch.call("5000", Caller(keys=NO, waits_ms=6000, talks_ms=60_000))
        until(lambda: channel.reached if when == "waiting" else channel.bugs_in_talk)
        gevent.sleep(0.05)
        channel.press("*")
        channel.press("1")
        until(lambda: channel.recorders)
        until(lambda: channel.bugs_in_talk)
        gevent.sleep(0.1)
        ended(channel)
        assert len(channel.recorded) == 1
        said = turns(laboratory, channel)
        assert said.index("agreed_late") < said.index("recording_started"), "P1"
        assert channel.broadcasts[0][0] == "accepted"


def test_a_late_yes_is_not_offered_unless_configured(configure: Configure, tmp_path: Path) -> None:
    with Laboratory(configure(), tmp_path, speed=20) as laboratory:
        channel = talking(laboratory, Caller(keys=NO, talks_ms=60_000))
        channel.press("*")
        channel.press("1")
        gevent.sleep(0.1)
        assert ended(channel).recorded == {}


def test_back_and_forth(configure: Configure, tmp_path: Path) -> None:
    with Laboratory(configure(keys=', late_consent_keys: "*1"'), tmp_path, speed=20) as laboratory:
        channel = talking(laboratory, Caller(keys=YES, talks_ms=60_000))
        for key, recorded in (("9", False), ("1", True), ("9", False), ("1", True)):
            gevent.sleep(0.05)
            channel.press("*")
            channel.press(key)
            until(lambda: bool(channel.recorders) == recorded)  # noqa: B023 - waited for here
        gevent.sleep(0.05)
        ended(channel)
        assert len(channel.recorded) == 3
        assert len({Path(path).name for path in channel.recorded}) == 3, "nothing is overwritten"


# --- pause -----------------------------------------------------------------------------------


def test_a_pause_is_silence_in_the_file(configure: Configure, tmp_path: Path) -> None:
    with Laboratory(configure(), tmp_path, speed=10) as laboratory:
        channel = talking(laboratory, Caller(keys=YES, talks_ms=60_000))
        ask = laboratory.application.ask_of_call
        gevent.sleep(0.2)
        assert ask(channel.uuid, AgentWish.PAUSE, "http") == "done"
        gevent.sleep(0.2)
        assert ask(channel.uuid, AgentWish.PAUSE, "http") == "refused"
        assert ask(channel.uuid, AgentWish.RESUME, "http") == "done"
        gevent.sleep(0.2)
        ended(channel)
        (path,) = channel.recorded
        samples, rate = soundfile.read(path)
        loud = abs(samples).max(axis=1) > 0.001
        seconds = [loud[int(rate * at) : int(rate * (at + 0.5))].mean() for at in (0.5, 2.7, 4.7)]
        assert seconds[0] > 0.9
        assert seconds[1] == 0.0, "exact zeros on both channels"
        assert seconds[2] > 0.9
        said = turns(laboratory, channel)
        assert said.index("recording_paused") < said.index("recording_resumed")


@pytest.mark.parametrize("chosen", [True, False], ids=["chosen", "by default"])
def test_a_forgotten_pause_ends_by_itself_only_where_that_was_chosen(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: bool
) -> None:
    with Laboratory(configure(), tmp_path, speed=20) as laboratory:
        for watch in laboratory.application._watches:
            house = watch._following.house
            monkeypatch.setitem(house.__dict__, "resume_after_s", 0.2 if chosen else None)
        channel = talking(laboratory, Caller(keys=YES, talks_ms=60_000))
        gevent.sleep(0.1)
        assert laboratory.application.ask_of_call(channel.uuid, AgentWish.PAUSE, "http") == "done"
        if chosen:
            until(lambda: "recording_resumed" in turns(laboratory, channel))
        gevent.sleep(0.7)
        ended(channel)
        resumed = [row.evidence["by"] for row in laboratory.rows(channel) if row.turn == "recording_resumed"]
        assert resumed == (["timer"] if chosen else [])


# --- HTTP ------------------------------------------------------------------------------------


def test_an_agents_desktop(configure: Configure, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("0123456789abcdef\n")
    token.chmod(0o600)
    configuration = configure()
    http = configuration.http.model_copy(update={"listen": "127.0.0.1:0", "token_file": str(token)})
    configuration = configuration.model_copy(update={"http": http})
    with Laboratory(configuration, tmp_path, speed=20) as laboratory:
        web = laboratory.application._web
        assert web is not None
        base = "http://{}:{}".format(*web.address)

        def ask(path: str, body: bytes | None = None, key: str = "0123456789abcdef") -> tuple[int, str]:
            headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
            request = urllib.request.Request(base + path, body, headers)
            try:
                with urllib.request.urlopen(request, timeout=5) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, error.read().decode()

        def asks(*arguments: object) -> tuple[int, str]:
            return gevent.get_hub().threadpool.apply(ask, arguments)

        channel = talking(laboratory, Caller(keys=YES, talks_ms=60_000))
        gevent.sleep(0.1)
        pause = b'{"wish": "pause"}'
        target = f"/v1/calls/{channel.uuid}/recording"
        assert asks(target, pause, "wrong")[0] == 401
        assert asks(target, b"x")[0] == 400
        assert asks(target, b'{"wish": "erase"}')[0] == 400
        assert asks(target, b"[]")[0] == 400
        assert asks(target, b'{"wish": "' + b"x" * 5000 + b'"}')[0] in (400, 413)
        assert asks("/v1/calls/unknown/recording", pause)[0] == 404
        assert asks(target)[0] == 405
        assert asks(target, pause) == (200, '{"done":true}\n')
        until(lambda: "recording_paused" in turns(laboratory, channel))
        assert asks(target, pause)[0] == 409
        assert asks("/v1/agents/nobody/recording", pause)[0] == 404
        assert asks("/health", None, "")[0] == 200
        assert json.loads(asks("/v1/status")[1])["conversations"] == 1
        assert "consentivr_conversations 1.0" in asks("/metrics")[1]
        assert "consentivr_ledger_transactions " in asks("/metrics")[1]
        assert asks("/nothing")[0] == 404
        ended(channel)


def test_a_token_that_others_may_read_is_refused(tmp_path: Path) -> None:
    from consentivr.resources import read_secret

    token = tmp_path / "token"
    token.write_text("0123456789abcdef")
    token.chmod(0o644)
    with pytest.raises(OSError, match="chmod 600"):
        read_secret(token, shortest=16)
    token.chmod(0o600)
    assert read_secret(token, shortest=16) == "0123456789abcdef"
    token.write_text("short")
    with pytest.raises(OSError, match="at least 16"):
        read_secret(token, shortest=16)
