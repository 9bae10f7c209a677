"""Promise P3 when the ledger fails: calls go on, unrecorded, and nothing is lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import gevent
import pytest

from consentivr.config import Configuration
from consentivr.lab.caller import Caller
from consentivr.lab.laboratory import Laboratory
from consentivr.ledger import LedgerUnavailable

YES = Caller(keys={1: ("1", 1200)})


def wait_for(what: Callable[[], bool]) -> None:
    for _ in range(500):
        if what():
            return
        gevent.sleep(0.02)
    raise AssertionError("it does not happen")


def test_p3_a_locked_ledger(configure: Callable[..., Configuration], tmp_path: Path) -> None:
    with Laboratory(configure(commit_timeout_ms=100), tmp_path, speed=20) as laboratory:
        lock = sqlite3.connect(tmp_path / "ledger.sqlite3", isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        channels = [laboratory.call(YES) for _ in range(2)]
        assert all(channel.recorded == {} for channel in channels)
        assert all(channel.reached == ["support@default"] for channel in channels)
        lock.execute("ROLLBACK")
        lock.close()
        wait_for(lambda: laboratory.application.ledger.pending == 0)
        for channel in channels:
            turns = [row.turn for row in laboratory.rows(channel)]
            assert turns == [
                "decision", "recording_withheld", "agent_answered", "looked_for_recorders", "call_ended",
            ], "nothing is lost"  # fmt: skip
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
        wait_for(lambda: laboratory.application.ledger.pending == 0)
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
    from consentivr.call import Call

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Call, "_answer", broken)
    channel = laboratory.call(YES)
    assert channel.recorded == {}
    assert channel.reached == ["support@default"]


def test_rows_do_not_pile_up_without_end(laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentivr.ledger.writer.MAX_PENDING", 0)
    channel = laboratory.call(YES)
    assert channel.recorded == {}
    assert channel.reached == ["support@default"]
    with pytest.raises(LedgerUnavailable):
        laboratory.application.ledger.submit(None)  # type: ignore[arg-type]
