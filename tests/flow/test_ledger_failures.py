"""Promise P3 when the ledger fails: calls go on, unrecorded, and nothing is lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from consentivr.asking.hearing import Hearing
from consentivr.config import Configuration
from consentivr.core import recorders
from consentivr.core.switchboard import Switchboard
from consentivr.lab.caller import Caller
from consentivr.lab.laboratory import Laboratory
from consentivr.ledger import LedgerUnavailable
from tests.flow.calling import YES, decision, rows, until


def test_p3_a_locked_ledger(configure: Callable[..., Configuration], tmp_path: Path) -> None:
    with Laboratory(configure(commit_timeout_ms=100), tmp_path, speed=20) as laboratory:
        lock = sqlite3.connect(tmp_path / "ledger.sqlite3", isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        channels = [laboratory.call(YES) for _ in range(2)]
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


@pytest.mark.parametrize("where", ["decide", "Switchboard.bridged"])
def test_p3_an_exception_in_the_watch(laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """It begins anew, and takes up the talk: what it cannot judge is not lost to whoever can."""
    real, broken_times = {"decide": recorders.decide, "Switchboard.bridged": Switchboard.bridged}[where], 0

    def broken(*args: Any) -> Any:
        nonlocal broken_times
        broken_times += 1
        if broken_times == 1:
            raise ZeroDivisionError
        return real(*args)

    monkeypatch.setattr(recorders if where == "decide" else Switchboard, where.rpartition(".")[2], broken)
    channel = laboratory.call(Caller(keys={1: ("1", 1200)}, talks_ms=60_000))
    assert broken_times > 1
    assert channel.reached == ["support@default"]
    found = rows(laboratory, channel)
    assert bool(channel.recorded) == ("recording_sealed" in found)


def test_rows_do_not_pile_up_without_end(laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentivr.ledger.writer.MAX_PENDING", 0)
    channel = laboratory.call(YES)
    assert channel.recorded == {}
    assert channel.reached == ["support@default"]
    with pytest.raises(LedgerUnavailable):
        laboratory.application.ledger.submit(None)  # type: ignore[arg-type]
