"""Second thoughts, pauses, keys and desktops in a talk that the watch follows (promise P6)."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import gevent
import pytest
import yaml
from gevent import subprocess
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from consentivr.files import read_secret
from consentivr.lab.simulated.recorders import Recorder
from consentivr.web import Tokens
from tests.flow.talks import ALICE, BOB, NO, TOKEN, YES, Desktop, Talks, audible, masked_s, press, stays
from tests.waiting import until

Make = Callable[..., Talks]
LATE = {"question": {"late_consent_keys": "*1"}}


# --- second thoughts -------------------------------------------------------------------------


@pytest.mark.parametrize("erase", [False, True], ids=["stop", "erase"])
def test_p6_a_yes_is_taken_back_in_the_talk(talks: Make, erase: bool) -> None:
    kept = {} if erase else {"kept_because": "GDPR art. 17(3)(e), case 12/26"}
    made = talks(queues={"support": {"recording": {"erase_withdrawn": erase, **kept}}})
    channel = made.talking(YES)
    gevent.sleep(0.1)
    assert channel.recorders
    channel.record_without_asking(str(made.foreign()), agent=True)
    gevent.sleep(0.05)
    assert channel.agent_recorders, "who said yes may be recorded by others"
    press(channel, "*9")
    until(lambda: not channel.recorders and not channel.agent_recorders)
    (withdrawn,) = made.sees(channel, "withdrawn")
    assert withdrawn.pop("stopped_ms") < 1000
    assert withdrawn == {
        "withdrawn": True, "reason": "withdrawal_keys", "keys": "*9", "by": "caller", "erase": erase, **kept,
    }  # fmt: skip
    until(lambda: channel.broadcasts == [("withdrawn", "both")], why="both sides hear it")
    assert channel.variables["consent_no_record"] == "true"
    assert channel.variables["consent_decision"] == "withdrawn"
    (path,) = channel.recorded
    if erase:
        until(lambda: not Path(path).exists())
        made.sees(channel, "recording_erased")
    else:
        made.sees(channel, "recording_sealed")
        assert Path(path).exists()
    stays(lambda: not channel.recorders)
    made.ended(channel)


def test_p6_a_yes_is_taken_back_while_waiting(talks: Make) -> None:
    made = talks()
    channel = made.waiting(YES)
    press(channel, "*9")
    made.sees(channel, "withdrawn")
    until(lambda: channel.broadcasts == [("withdrawn", "aleg")])
    (sealed,) = made.sees(channel, "recording_sealed")
    assert "sha256" not in sealed, "there was no talk, so there is no file: nothing to miss, nothing erased"
    channel.tell_itself("transfer", "queue-sales")
    made.ended(channel)
    assert channel.recorded == {}


@pytest.mark.parametrize("keys", ["9", "*", "**", "*#", "19", "*19", "9*", "*5", "123456789*", "*8*8"])
def test_ordinary_digits_mean_nothing_and_are_not_kept(talks: Make, keys: str) -> None:
    made = talks(**LATE)
    channel = made.talking(YES)
    gevent.sleep(0.05)
    press(channel, keys)
    stays(lambda: len(channel.recorders) == 1)
    said = made.ended(channel)
    assert "withdrawn" not in said
    assert "DTMF" not in json.dumps([row.evidence for row in made.rows(channel)])


def test_a_star_and_a_nine_that_do_not_belong_together(talks: Make) -> None:
    made = talks()
    channel = made.talking(YES)
    press(channel, "*")
    gevent.sleep(3.2)
    press(channel, "9")
    stays(lambda: channel.recorders)
    made.ended(channel)


@pytest.mark.parametrize("when", ["waiting", "talking"])
@pytest.mark.parametrize("must_agree", [False, True])
def test_a_late_yes(talks: Make, when: str, must_agree: bool) -> None:
    made = talks(**LATE, agents={"must_agree": must_agree})
    made.register(ALICE)
    if when == "waiting":
        channel = made.switch.call("5000", _caller())
        until(lambda: channel.reached and made.follows(channel))
    else:
        channel = made.talking(NO)
    press(channel, "*1")
    until(lambda: channel.recorders and channel.bugs_in_talk)
    gevent.sleep(0.1)
    said = made.ended(channel)
    assert len(channel.recorded) == 1
    assert said.index("agreed_late") < said.index("recording_started"), "P1"
    assert channel.broadcasts[0][0] == "accepted"


@pytest.mark.parametrize("kept", ["given", "all", "never"])
def test_the_number_of_a_late_yes(talks: Make, kept: str) -> None:
    made = talks(**LATE, ledger={"numbers": kept})
    channel = made.talking(NO)
    before = [row.caller_id_number for row in made.rows(channel)]
    assert set(before) == ({"+493023125000"} if kept == "all" else {None}), "a refusal stores none"
    press(channel, "*1")
    until(lambda: channel.recorders)
    made.ended(channel)
    late = next(row for row in made.rows(channel) if row.turn == "agreed_late")
    assert late.caller_id_number == (None if kept == "never" else "+493023125000")


def _caller() -> object:
    from consentivr.lab.caller import Caller

    return Caller(keys=NO, waits_ms=6000, talks_ms=10_000_000)


def test_a_late_yes_is_not_offered_unless_configured(talks: Make) -> None:
    made = talks()
    channel = made.talking(NO)
    press(channel, "*1")
    stays(lambda: not channel.recorders)
    assert "agreed_late" not in made.ended(channel)


def test_back_and_forth(talks: Make) -> None:
    made = talks(**LATE)
    channel = made.talking(YES)
    for key, recorded in (("9", False), ("1", True), ("9", False), ("1", True)):
        gevent.sleep(0.05)
        press(channel, f"*{key}")
        until(lambda: bool(channel.recorders) == recorded)  # noqa: B023 - waited for here
        made.sees(channel, "agreed_late" if recorded else "withdrawn")
    gevent.sleep(0.1)
    said = made.ended(channel)
    assert len(channel.recorded) == 3, "nothing is overwritten"
    assert [int(path[-5]) for path in made.sealed(channel)] == [3], "what was taken back is erased"
    assert said.count("recording_erased") == 2
    assert said.count("withdrawn") == said.count("agreed_late") == 2


# --- pauses ----------------------------------------------------------------------------------


def test_a_pause_is_silence_in_the_file_until_somebody_ends_it(talks: Make) -> None:
    made = talks(agents={"remind_paused_s": None})
    channel = made.talking(YES)
    gevent.sleep(0.2)
    press(channel, "*3", agent=True)
    (paused,) = made.sees(channel, "recording_paused")
    assert paused["by"] == "keys"
    assert channel.variables["consent_paused"] == "true"
    gevent.sleep(0.5)
    assert "still_paused" not in [sound for sound, _ in channel.agent.broadcasts]
    press(channel, "5*4", agent=True)
    made.sees(channel, "recording_resumed")
    gevent.sleep(0.2)
    made.ended(channel)
    (path,) = channel.recorded
    assert 8 < masked_s(path) < 14, "half a second, twenty times as quick"
    assert audible(path) == {"caller", "agent"}


@pytest.mark.parametrize("how", ["reminded", "ends by itself"])
def test_a_pause_that_nobody_ends(talks: Make, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """The default: it stays, and the agent is told, again and again. Ending by itself is an explicit choice."""
    made = talks()
    house = made.application._rules.house
    object.__setattr__(house, "remind_paused_s", 0.5)
    object.__setattr__(house, "resume_after_s", 0.8 if how == "ends by itself" else None)
    channel = made.talking(YES)
    gevent.sleep(0.05)
    press(channel, "*3", agent=True)
    made.sees(channel, "recording_paused")
    if how == "reminded":
        until(lambda: channel.agent.broadcasts.count(("still_paused", "aleg")) >= 2, 5)
        assert channel.broadcasts == [], "the caller hears nothing of it"
        assert "recording_resumed" not in made.turns(channel)
        assert all(recorder.masked for recorder in channel.recorders.values())
    else:
        (resumed,) = made.sees(channel, "recording_resumed", seconds=5)
        assert resumed["by"] == "timer"
        assert not any(recorder.masked for recorder in channel.recorders.values())
        count = len(channel.agent.broadcasts)
        gevent.sleep(0.8)
        assert len(channel.agent.broadcasts) == count, "no reminder any more"
    made.ended(channel)


# --- keys ------------------------------------------------------------------------------------


def test_the_agents_keys_reach_every_recorder(talks: Make) -> None:
    made = talks()
    channel = made.talking(YES)
    other = str(made.foreign())
    channel.record_without_asking(other, agent=True)
    gevent.sleep(0.1)
    press(channel, "*3", agent=True)
    until(lambda: channel.agent_masks == [("mask", other)])
    (paused,) = made.sees(channel, "recording_paused")
    assert len(paused["paths"]) == 2, "every recorder of the call"
    press(channel, "*4", agent=True)
    until(lambda: channel.agent_masks[1:] == [("unmask", other)])
    made.sees(channel, "recording_resumed")
    press(channel, "*2", agent=True)
    until(lambda: not channel.recorders)
    said = made.ended(channel)
    assert said.count("agent_stopped") == 1


def test_the_caller_said_it_and_the_agent_enters_it(talks: Make) -> None:
    made = talks()
    channel = made.talking(YES)
    gevent.sleep(0.05)
    press(channel, "*7", agent=True)
    (withdrawn,) = made.sees(channel, "withdrawn")
    assert (withdrawn["reason"], withdrawn["by"], withdrawn["keys"]) == ("by_word", "keys", None)
    assert not channel.recorders
    made.ended(channel)


def test_the_callers_keys_are_not_the_agents(talks: Make) -> None:
    made = talks()
    channel = made.talking(YES)
    gevent.sleep(0.05)
    press(channel, "*2*3*7")
    press(channel, "*9", agent=True)
    stays(lambda: channel.recorders, 0.3)
    assert not {"withdrawn", "recording_paused", "agent_stopped"} & set(made.ended(channel))


# --- desktops --------------------------------------------------------------------------------


def test_an_agents_desktop(talks: Make) -> None:
    made = talks(desktops=True)
    desktop = Desktop(made)
    channel = made.talking(YES)
    gevent.sleep(0.05)
    pause = b'{"wish": "pause"}'
    target = f"/v1/calls/{channel.uuid}/recording"
    assert desktop.ask(target, pause, "wrong")[0] == 401
    for body in (b"x", b'{"wish": "erase"}', b"[]"):
        assert desktop.ask(target, body)[0] == 400
    assert desktop.ask(target, b'{"wish": "' + b"x" * 5000 + b'"}')[0] in (400, 413)
    assert desktop.ask("/v1/calls/unknown/recording", pause)[0] == 404
    assert desktop.ask(target)[0] == 405
    assert desktop.ask(target, pause) == (200, '{"done":true}\n')
    assert made.said(channel, "recording_paused"), "seen to be so before it was said"
    assert desktop.ask(target, pause)[0] == 409
    assert desktop.wishes(f"/v1/agents/{ALICE}/recording", "resume") == 200
    assert desktop.wishes("/v1/agents/nobody/recording", "pause") == 404
    assert desktop.ask("/health", None, "") == (200, '{"good":true}\n')
    assert desktop.ask("/ready", None, "") == (200, '{"not_good":[],"ready":true}\n')
    status = json.loads(desktop.ask("/v1/status")[1])
    assert (status["calls"], status["conversations"], status["watching"]) == (0, 1, True)
    metrics = desktop.ask("/metrics")[1]
    for line in ("consentivr_conversations_open 1.0", 'consentivr_switch_watched{switch="127.0.0.1:', '"} 1.0'):
        assert line in metrics
    assert desktop.ask("/nothing")[0] == 404
    assert desktop.wishes(channel, "withdraw") == 200
    assert not channel.recorders
    assert desktop.wishes(channel, "withdraw") == 409
    made.ended(channel)
    assert desktop.wishes(channel, "withdraw") == 404
    made.event_socket.cut()
    until(lambda: desktop.ask("/ready", None, "") == (503, '{"not_good":["switches"],"ready":false}\n'))
    assert desktop.ask("/health", None, "")[0] == 200, "another process would see no more"
    assert "nobody watches 127.0.0.1:" in desktop.ask("/v1/status")[1]
    assert desktop.wishes(channel, "withdraw") == 404


def test_an_agents_own_token(talks: Make) -> None:
    made = talks(desktops=True)
    desktop = Desktop(made)
    tokens = Tokens(made.folder / "agents.tokens", TOKEN)
    alices, bobs = tokens.new(ALICE), tokens.new(BOB)
    channel = made.talking(YES)
    gevent.sleep(0.05)
    target, pause, resume = f"/v1/calls/{channel.uuid}/recording", b'{"wish": "pause"}', b'{"wish": "resume"}'
    assert desktop.ask(target, pause, bobs)[0] == 404, "of this talk, to others, nothing is said"
    assert desktop.ask(f"/v1/agents/{ALICE}/recording", pause, bobs)[0] == 403
    assert desktop.ask(f"/v1/agents/{BOB}/recording", pause, bobs)[0] == 404, "in no talk"
    assert not made.said(channel, "recording_paused")
    assert desktop.ask(target, pause, alices)[0] == 200
    assert desktop.ask(f"/v1/agents/{ALICE}/recording", resume, alices)[0] == 200
    assert desktop.ask(target, pause)[0] == 200
    assert desktop.ask("/v1/status", None, bobs)[0] == 200
    assert [said["by"] for said in made.said(channel, "recording_paused")] == [f"http:{ALICE}", "http"]
    assert [said["by"] for said in made.said(channel, "recording_resumed")] == [f"http:{ALICE}"]
    assert tokens.revoke(ALICE)
    assert desktop.ask(target, resume, alices)[0] == 401
    made.ended(channel)


def test_a_wrong_token_is_counted_slow_and_told_of(talks: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentivr.web.server.WRONG_TOKEN_SECONDS", 0.3)
    made = talks(desktops=True)
    desktop = Desktop(made)
    began = time.monotonic()
    before = REGISTRY.get_sample_value("consentivr_http_refused_total") or 0.0
    with capture_logs() as log:
        assert desktop.ask("/v1/status", None, "not-a-good-token")[0] == 401
        assert desktop.ask("/v1/status", None, "\u00e4")[0] == 401
    assert time.monotonic() - began > 0.6
    assert [line["event"] for line in log].count("wrong token") == 2
    assert "not-a-good-token" not in str(log)
    assert f"consentivr_http_refused_total {before + 2}" in desktop.ask("/metrics")[1]


def test_a_pause_in_the_breath_of_a_resume_is_confirmed_for_itself(talks: Make) -> None:
    """200 says that nothing is heard: not that a pause before it once was so."""
    made = talks(desktops=True)
    desktop = Desktop(made)
    channel = made.recorded()
    assert desktop.wishes(channel, "pause") == 200
    (recorder,) = [bug for bug in channel.bugs if isinstance(bug, Recorder)]
    made.switch.faults.slow(" unmask ", 0.3)
    made.switch.faults.slow(" mask ", 0.1)
    before = len(channel.masked)
    resumed = gevent.spawn(desktop.wishes, channel, "resume")
    until(lambda: " unmask " in str(made.commands))
    assert desktop.wishes(channel, "pause") == 200
    assert [what for what, _ in channel.masked[before:]] == ["unmask", "mask"], (
        "it is silent, and stays so, when that is said"
    )
    resumed.kill()
    gevent.sleep(1)
    assert recorder.masked
    made.ended(channel)


def test_a_token_that_others_may_read_is_refused(tmp_path: Path) -> None:
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


def person(made: Talks, *what: str) -> subprocess.CompletedProcess[str]:
    """``consentivr person``, beside a running ``serve``."""
    data = made.configuration.model_dump(mode="json", exclude_none=True)
    data["http"]["listen"] = "{}:{}".format(*made.application._web.address)
    path = made.folder / "person.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    command = [sys.executable, "-m", "consentivr", "person", "+493023125000", what[0], "-c", str(path), *what[1:]]
    # gevent's own: beside its hub the plain one may find its child reaped already, and then calls it a success.
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_p6_a_withdrawal_by_word_reaches_the_call_under_way(talks: Make) -> None:
    made = talks(how={"recording": ", erase_withdrawn: true"}, desktops=True)
    channel = made.recorded()
    done = person(made, "withdraw", "--by", "word", "--identity", "told us on another line", "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert "taken back: 1 call(s)" in done.stdout
    assert not channel.recorders
    made.ended(channel)
    until(lambda: made.files() == [])
    by = sorted(said["by"] for said in made.said(channel, "withdrawn"))
    assert by == ["command", "http"], "who asked for it, and the watch, which saw it stop"


def test_p6_a_call_that_cannot_be_reached_is_not_said_to_be_withdrawn(talks: Make) -> None:
    made = talks(desktops=True)
    channel = made.recorded()
    made.application._web.stop()
    done = person(made, "withdraw", "--by", "word", "--identity", "told us on another line", "--yes")
    assert done.returncode == 1
    assert "NOT STOPPED" in done.stderr
    assert "withdrawn" not in made.turns(channel)
    made.ended(channel)
