"""Promise P3 when the ledger fails: calls go on, unrecorded, and nothing is lost."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gevent
import pytest

from consentivr.asking.hearing import Hearing
from consentivr.config import Configuration
from consentivr.core import recorders
from consentivr.core.switchboard import Switchboard
from consentivr.lab.laboratory import Laboratory
from consentivr.ledger import Entry, Ledger, LedgerUnavailable, writer
from consentivr.watch import adopting
from tests.flow.calling import NO, YES, decision, rows, visits
from tests.waiting import until


def test_p3_a_locked_ledger(configure: Callable[..., Configuration], tmp_path: Path) -> None:
    with Laboratory(configure(commit_timeout_ms=100), tmp_path, speed=20) as laboratory:
        lock = sqlite3.connect(tmp_path / "ledger.sqlite3", isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        long = replace(YES, talks_ms=60_000)  # reading its rows waits for the lock as well
        channels = [laboratory.switch.call("5000", long) for _ in range(2)]
        gevent.joinall([channel.greenlet for channel in channels], timeout=30)
        assert all(channel.recorded == {} for channel in channels)
        assert all(channel.reached == ["support@default"] for channel in channels)
        lock.execute("ROLLBACK")
        lock.close()
        until(lambda: laboratory.application.ledger.pending == 0)
        for channel in channels:
            found = rows(laboratory, channel)
            assert list(found)[:3] == ["arrived", "decision", "recording_withheld"]
            assert {*found} >= {"agent_answered", "looked_for_recorders", "call_ended"}, "nothing is lost"
        assert len(laboratory.call(YES).recorded) == 1, "it recovers by itself"


def test_p3_a_slow_ledger(
    configure: Callable[..., Configuration], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    with Laboratory(configure(commit_timeout_ms=50), tmp_path, speed=20) as laboratory:
        ledger = laboratory.application.ledger._ledger
        assert ledger is not None
        append = ledger.append
        monkeypatch.setattr(ledger, "append", lambda batch: (time.sleep(0.3), append(batch))[1])
        channel = laboratory.call(YES)
        assert channel.recorded == {}
        assert channel.reached == ["support@default"]
        until(lambda: laboratory.application.ledger.pending == 0)
        withheld = next(row for row in laboratory.rows(channel) if row.turn == "recording_withheld")
        assert withheld.evidence == {"why": "not durable within 0.05 s"}


def test_p3_our_own_exception(laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(laboratory.application.ledger, "commit", broken)
    channel = laboratory.call(YES)
    assert channel.recorded == {}
    assert channel.reached == ["support@default"]


def test_p3_an_exception_in_the_question(laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Hearing, "answer", broken)
    channel = laboratory.call(YES)
    assert channel.recorded == {}
    assert channel.reached == ["support@default"]
    assert decision(laboratory, channel) == ("not_obtained", "application_failed")


def broken_once(real: Callable[..., Any]) -> Callable[..., Any]:
    calls = iter([True])

    def broken(*args: Any) -> Any:
        if next(calls, False):
            raise ZeroDivisionError
        return real(*args)

    return broken


def test_p9_an_exception_in_the_watch(laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    """It begins anew, and takes up the talk."""
    monkeypatch.setattr(Switchboard, "bridged", broken_once(Switchboard.bridged))
    channel = laboratory.call(replace(YES, talks_ms=40_000))
    assert channel.reached == ["support@default"]
    found = rows(laboratory, channel)
    assert found["adopted"].evidence["why"] == "taken up again"
    assert len(channel.recorded) == 1
    assert found["call_ended"].evidence["hangup_cause"] == "NORMAL_CLEARING"


def test_p5_the_ledger_hangs_while_a_conversation_is_taken_up(
    configure: Callable[..., Configuration], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever records a no is stopped all the same; a yes is silence until its row can be read, and no incident."""
    hung, back = threading.Event(), threading.Event()
    read = writer._rows_of_visits

    def hangs(ledger: Ledger, visits: Sequence[str]) -> list[list[Entry]]:
        if hung.is_set():
            back.wait(60)
        return read(ledger, visits)

    monkeypatch.setattr(writer, "_rows_of_visits", hangs)
    monkeypatch.setattr(adopting, "AGAIN_SECONDS", 0.2)
    foreign = tmp_path / "recordings" / "foreign.wav"
    # The register is waited for as long: who it does not name in time has not agreed, in this talk.
    with Laboratory(configure(commit_timeout_ms=10_000), tmp_path, speed=5) as laboratory:
        try:
            yes = laboratory.switch.call("5000", replace(YES, talks_ms=6_000_000))
            until(lambda: any(row.turn == "decision" for row in laboratory.rows(yes)))
            hung.set()  # reading it hangs, and nothing can be written any more
            until(lambda: yes.bugs_in_talk)
            no = laboratory.switch.call("5000", replace(NO, talks_ms=6_000_000))
            until(lambda: no.bugs_in_talk)
            no.record_without_asking(str(foreign))
            until(lambda: not no.recorders, 1.0)
            until(lambda: [recorder.masked for recorder in yes.recorders.values()] == [True], 1.0)
        finally:
            back.set()
        until(lambda: [recorder.masked for recorder in yes.recorders.values()] == [False])
        for channel in (no, yes):
            channel.hang_up()
            rows(laboratory, channel)
            visits(laboratory.rows(channel))
        said = rows(laboratory, yes)
        assert said["recording_masked"].evidence["why"] == "not_proven"
        assert "forbidden_recording" not in said
    assert not foreign.exists()


def test_p9_an_exception_in_one_conversation(laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its recorder is stopped, with an alarm; the others go on. Its end and its file are in the ledger all the same."""
    long = replace(YES, talks_ms=40_000)
    channel = laboratory.switch.call("5000", long)
    until(lambda: channel.bugs_in_talk)
    other = laboratory.switch.call("5000", long)
    until(lambda: other.bugs_in_talk)
    until(lambda: any(row.turn == "agent_answered" for row in laboratory.rows(channel)))
    monkeypatch.setattr(recorders, "decide", broken_once(recorders.decide))
    channel.agent_presses("*")
    channel.record_without_asking(str(laboratory.folder / "foreign.wav"))
    until(lambda: not channel.recorders)
    assert laboratory.application.status().incidents == 1
    channel.hang_up()
    found = rows(laboratory, channel)
    assert found["command_failed"].evidence["wanted"] == "judge"
    assert found["call_ended"].evidence["why"] == "a fault of consentivr: see its log"
    assert other.recorders
    other.greenlet.join(20)
    assert "command_failed" not in rows(laboratory, other)


def test_rows_do_not_pile_up_without_end(laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentivr.ledger.writer.MAX_PENDING", 0)
    channel = laboratory.call(YES)
    assert channel.recorded == {}
    assert channel.reached == ["support@default"]
    with pytest.raises(LedgerUnavailable):
        laboratory.application.ledger.commit(None, 1)  # type: ignore[arg-type]
