"""The event socket is cut and comes back, or is never there: promises P3, P4, P10 and P11 on the simulated switch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import gevent
import pytest

from consentivr.config import Configuration
from consentivr.lab.caller import Caller
from consentivr.lab.laboratory import Laboratory
from consentivr.lab.switch import Channel
from tests.flow.calling import NO, YES, decision, rows, visits
from tests.waiting import until

LONG_YES, LONG_NO = replace(YES, talks_ms=6_000_000), replace(NO, talks_ms=6_000_000)


def talk(laboratory: Laboratory, script: Caller) -> Channel:
    """In a talk that the watch follows."""
    channel = laboratory.switch.call("5000", script)
    until(lambda: channel.bugs_in_talk and "agent_answered" in turns(laboratory, channel))
    return channel


def turns(laboratory: Laboratory, channel: Channel) -> list[str]:
    return [row.turn for row in laboratory.rows(channel)]


def watching(laboratory: Laboratory) -> bool:
    return bool(laboratory.application.status().watching)


def ended(laboratory: Laboratory, channel: Channel) -> dict:
    channel.hang_up()
    channel.greenlet.join(20)
    assert channel.reached == ["support@default"]
    return rows(laboratory, channel)


def loses(laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch, *lost: str) -> None:
    """Rows of these turns never reach the ledger, as when a process dies with them."""
    ledger = laboratory.application.ledger
    enqueue = ledger._enqueue
    monkeypatch.setattr(ledger, "_enqueue", lambda row, durable: None if row.turn in lost else enqueue(row, durable))


@pytest.fixture
def soon_blind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentivr.service.service.BLIND_SECONDS", 0.1)


@pytest.fixture
def soon_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """A visit that may have begun just now is looked at once more."""
    from datetime import timedelta

    for where in ("settling", "returning"):
        monkeypatch.setattr(f"consentivr.watch.{where}.YOUNG", timedelta(seconds=0.3))


@pytest.mark.parametrize("dropped_only", [True, False], ids=["dropped", "cut for a while"])
def test_p11_the_event_socket_is_cut_in_the_middle_of_talks(laboratory: Laboratory, dropped_only: bool) -> None:
    yes, no = talk(laboratory, LONG_YES), talk(laboratory, LONG_NO)
    laboratory.event_socket.drop() if dropped_only else laboratory.event_socket.cut()
    if not dropped_only:
        until(lambda: not watching(laboratory))
        gevent.sleep(0.2)
        laboratory.event_socket.listen()
    until(lambda: "adopted" in turns(laboratory, yes) and "adopted" in turns(laboratory, no))
    assert len(yes.recorders) == 1, "goes on"
    foreign = laboratory.folder / "recordings" / "foreign.wav"
    no.record_without_asking(str(foreign))
    until(lambda: not no.recorders and not foreign.exists())
    yes.press("*")
    yes.press("9")
    until(lambda: not yes.recorders, 2)
    assert "withdrawn" in ended(laboratory, yes)
    assert "forbidden_recording" in ended(laboratory, no)
    assert laboratory.application.status().conversations == 0


def test_p11_a_talk_that_ended_while_nobody_watched(laboratory: Laboratory, soon_old: None) -> None:
    yes, no = talk(laboratory, LONG_YES), talk(laboratory, LONG_NO)
    laboratory.event_socket.cut()
    until(lambda: not watching(laboratory))
    for channel in (yes, no):
        channel.hang_up()
        channel.greenlet.join(20)
    laboratory.event_socket.listen()
    found = rows(laboratory, yes)
    assert found["call_ended"].evidence["why"] == "the channel was gone"
    assert found["recording_stopped"].evidence["completion_cause"] == "cut", "nobody told how it ended"
    assert found["recording_sealed"].evidence["sha256"]
    assert rows(laboratory, no)["call_ended"].evidence["why"] == "the channel was gone"


@pytest.mark.parametrize("script", [LONG_YES, LONG_NO], ids=["yes", "no"])
def test_p11_the_event_socket_is_cut_while_the_caller_is_asked(
    laboratory: Laboratory, soon_old: None, script: Caller
) -> None:
    """Back before anybody would call that blind: the answer counts."""
    channel = laboratory.switch.call("5000", script)
    until(lambda: "play_and_get_digits" in channel.applications)
    laboratory.event_socket.cut()
    gevent.sleep(0.05)
    laboratory.event_socket.listen()
    until(lambda: channel.bugs_in_talk)
    until(lambda: watching(laboratory) and laboratory.application.status().conversations == 1)
    if script is LONG_YES:
        until(lambda: channel.recorders)
    gevent.sleep(0.2)
    assert bool(channel.recorders) == (script is LONG_YES)
    found = ended(laboratory, channel)
    assert found["decision"].evidence["decision"] == ("given" if script is LONG_YES else "refused")


def test_p3_nobody_watches_the_switch(laboratory: Laboratory, soon_blind: None, soon_old: None) -> None:
    """Calls go on; a yes is not recorded, and the row says why. Once somebody watches, every visit has its end."""
    laboratory.event_socket.cut()
    until(lambda: not watching(laboratory))
    gevent.sleep(0.2)
    channels = [laboratory.switch.call("5000", script) for script in (YES, NO, Caller()) * 3]
    for channel in channels:
        channel.greenlet.join(30)
        assert channel.reached == ["support@default"]
        assert channel.recorded == {}
        assert channel.talked_ms > 0
    withheld = [row for row in laboratory.rows() if row.turn == "recording_withheld"]
    assert [row.evidence for row in withheld] == [{"why": "nobody watches the switch"}] * 3
    assert not laboratory.application.status().watching
    laboratory.event_socket.listen()
    until(lambda: watching(laboratory))
    for channel in channels:
        rows(laboratory, channel)
    assert len(laboratory.call(YES).recorded) == 1, "and it records again"


def test_p3_the_event_socket_was_never_there(
    configure: Callable[..., Configuration], tmp_path: Path, soon_blind: None
) -> None:
    laboratory = Laboratory(configure(), tmp_path, speed=20)
    laboratory.event_socket.cut()
    laboratory.application.start()
    try:
        laboratory.use_switch("{}:{}".format(*laboratory.application.address))
        gevent.sleep(0.2)
        channel = laboratory.call(YES)
        assert channel.reached == ["support@default"]
        assert channel.recorded == {}
        assert turns(laboratory, channel) == ["arrived", "decision", "recording_withheld"]
    finally:
        laboratory.application.stop()


def test_p11_again_and_again(laboratory: Laboratory, soon_old: None) -> None:
    """Thirty callers, and an event socket that breaks all the time: one decision and one end each, no caller lost."""
    scripts = [replace(script, talks_ms=20_000) for script in (YES, NO, Caller())] * 10
    channels = [laboratory.switch.call("5000", script) for script in scripts]
    while not all(channel.over for channel in channels):
        gevent.sleep(0.15)
        laboratory.event_socket.drop()
    for channel, script in zip(channels, scripts, strict=True):
        assert channel.reached == ["support@default"]
        assert not channel.recorded or script.keys == YES.keys
    until(lambda: watching(laboratory))
    for channel in channels:
        rows(laboratory, channel)
        assert (decision(laboratory, channel)[0] == "given") == (channel.caller.keys == YES.keys)
    assert len(visits(laboratory.rows())) == len(channels)


def test_p11_who_hangs_up_as_the_socket_breaks_has_an_end(
    laboratory: Laboratory, soon_old: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asked does not hear of it, and no queue tells of the caller: found by looking for what is left over."""
    for where in ("settling", "sweep"):
        monkeypatch.setattr(f"consentivr.watch.{where}.LEFT_OVER_SECONDS", 0.2)
    laboratory.event_socket.drop()  # with its new connection the watch counts anew
    until(lambda: watching(laboratory))
    channel = laboratory.switch.call("5000", LONG_YES)
    until(lambda: "play_and_get_digits" in channel.applications)
    channel.cut_socket()
    channel.hang_up()
    channel.greenlet.join(20)
    assert channel.reached == []
    assert decision(laboratory, channel) == ("not_obtained", "connection_lost")
    assert rows(laboratory, channel)["call_ended"].evidence["why"] == "the channel was gone"


def test_p11_who_asked_died_without_a_row_and_so_did_who_took_it_up(
    laboratory: Laboratory, soon_old: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is known of the visit but who took it up, for a moment; the caller has hung up before the third looks."""
    monkeypatch.setattr("consentivr.watch.settling.PATIENCE_SECONDS", 60.0)
    loses(laboratory, monkeypatch, "arrived", "decision")
    channel = laboratory.switch.call("5000", LONG_NO)
    until(lambda: "adopted" in turns(laboratory, channel) and "agent_answered" in turns(laboratory, channel))
    assert not {"arrived", "decision"} & set(turns(laboratory, channel))
    laboratory.event_socket.cut()
    until(lambda: not watching(laboratory))
    channel.hang_up()
    channel.greenlet.join(20)
    monkeypatch.undo()
    laboratory.event_socket.listen()
    until(lambda: "call_ended" in turns(laboratory, channel), 20)
    visits(laboratory.rows(channel))


def test_p10_what_nobody_saw_begin_or_end_is_erased(
    laboratory: Laboratory, soon_old: None, soon_blind: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watch was away for the whole talk: who was heard in it is known to nobody."""
    monkeypatch.setattr("consentivr.service.service.BLIND_SECONDS", 600.0)
    laboratory.event_socket.cut()
    until(lambda: not watching(laboratory))
    channel = laboratory.switch.call("5000", LONG_YES)
    until(lambda: bool(channel.recorders))
    (path,) = channel.recorders
    gevent.sleep(0.2)
    channel.hang_up()
    channel.greenlet.join(20)
    assert Path(path).exists()
    laboratory.event_socket.listen()
    until(lambda: "recording_erased" in turns(laboratory, channel))
    until(lambda: "call_ended" in turns(laboratory, channel))
    assert not Path(path).exists()
    visits(laboratory.rows(channel))
    (erased,) = [row.evidence for row in laboratory.rows(channel) if row.turn == "recording_erased"]
    assert erased == {"path": path, "why": "nobody saw it begin or end"}


def test_p11_a_seal_that_was_lost_with_the_process(laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentivr.watch.following.UNSEALED_SECONDS", 0.2)
    monkeypatch.setattr("consentivr.watch.sweep.BEAT_SECONDS", 0.0)
    sealer = laboratory.application._sealer
    monkeypatch.setattr(sealer, "seal", lambda *about, **how: None)
    channel = talk(laboratory, LONG_YES)
    channel.hang_up()
    until(lambda: "call_ended" in turns(laboratory, channel))
    assert "recording_sealed" not in turns(laboratory, channel)
    monkeypatch.undo()
    monkeypatch.setattr("consentivr.watch.following.UNSEALED_SECONDS", 0.2)
    laboratory.event_socket.drop()
    until(lambda: turns(laboratory, channel).count("recording_sealed") == 1)


def test_p11_who_was_ended_before_it_was_decided_and_nobody_lived_to_decide(
    laboratory: Laboratory, soon_old: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row of the decision was lost with who asked; who watched wrote the end, and died before the decision."""
    monkeypatch.setattr("consentivr.watch.settling.PATIENCE_SECONDS", 60.0)
    loses(laboratory, monkeypatch, "decision")
    channel = talk(laboratory, LONG_NO)
    channel.hang_up()
    channel.greenlet.join(20)
    until(lambda: "call_ended" in turns(laboratory, channel))
    assert "decision" not in turns(laboratory, channel)
    monkeypatch.undo()
    laboratory.event_socket.drop()
    until(lambda: "decision" in turns(laboratory, channel), 20)
    visits(laboratory.rows(channel))
