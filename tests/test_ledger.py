"""The ledger: append-only, durable when it says so, many rows in one commit, clear about what is wrong."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import gevent
import pytest

from consentivr.core.consent import NoticeVersion
from consentivr.ledger import Entry, Ledger, LedgerError, LedgerUnavailable, LedgerWriter

UUIDS = [f"26c9d23f-fed1-4cfe-b05e-{number:012x}" for number in range(1000)]


def entry(number: int = 0, turn: str = "decision", **evidence: object) -> Entry:
    return Entry(UUIDS[number], turn, "support", "support@default", "permanent_opt_out", evidence, "+493023125000")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "new" / "ledger.sqlite3")
    written = [entry(0, decision="given", text="Ä 😀 ' \" ; --"), entry(1), entry(0, "call_ended")]
    ledger.append(written)
    read = list(ledger.read())
    assert [row.seq for row in read] == [1, 2, 3]
    assert [(row.at, row.turn, row.evidence) for row in read] == [(e.at, e.turn, e.evidence) for e in written]
    assert [row.turn for row in ledger.read(UUIDS[0])] == ["decision", "call_ended"]
    assert [row.seq for row in ledger.read(limit=2)] == [2, 3]
    assert [row.seq for row in ledger.read(turn="decision")] == [1, 2]
    assert read[0].as_dict()["caller_id_number"] == "+493023125000"
    ledger.close()


def test_rows_are_neither_changed_nor_deleted(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite3")
    ledger.append([entry()])
    ledger.close()
    with sqlite3.connect(tmp_path / "ledger.sqlite3") as connection:
        for statement in ("UPDATE entry SET turn = 'x'", "DELETE FROM entry"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                connection.execute(statement)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_every_connection_waits_for_the_disk(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite3")
    with ledger._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2, "FULL"
        assert connection.exec_driver_sql("PRAGMA secure_delete").scalar() == 1
    ledger.close()


def test_a_notice_is_kept_once(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite3")
    notice = NoticeVersion("de", "Dürfen wir?", "ab" * 32, 1000)
    ledger.add_notice(notice)
    ledger.add_notice(notice)
    assert ledger.notice(notice.digest) == notice
    assert ledger.notice("unknown") is None
    ledger.close()


def test_what_cannot_be_opened_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="start 'consentivr serve' once"):
        Ledger(tmp_path / "missing.sqlite3", create=False)
    damaged = tmp_path / "damaged.sqlite3"
    damaged.write_bytes(b"not a database" * 1000)
    with pytest.raises(LedgerError, match="restore it from the backup"):
        Ledger(damaged)
    with pytest.raises(LedgerError, match="cannot be opened"):
        Ledger(Path("/dev/null/ledger.sqlite3"))
    newer = tmp_path / "newer.sqlite3"
    with sqlite3.connect(newer) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(LedgerError, match="newer consentivr"):
        Ledger(newer)


def test_check_writable_leaves_nothing(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite3")
    ledger.check_writable()
    ledger.check_writable()
    assert ledger.notice("-") is None
    lock = sqlite3.connect(tmp_path / "ledger.sqlite3", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerError, match="end the program that holds the file locked"):
        ledger.check_writable()
    with pytest.raises(LedgerUnavailable):
        ledger.append([entry()])
    with pytest.raises(LedgerUnavailable):
        ledger.add_notice(NoticeVersion("de", "x", "y", 1))
    lock.close()
    ledger.close()


# --- the writer ------------------------------------------------------------------------------


def test_rows_that_wait_share_a_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = LedgerWriter(tmp_path / "ledger.sqlite3")
    writer.start()
    assert writer._ledger is not None
    batches: list[int] = []
    append = writer._ledger.append
    monkeypatch.setattr(writer._ledger, "append", lambda batch: (batches.append(len(batch)), append(batch)))
    waiting = [gevent.spawn(writer.commit, entry(number), 5) for number in range(300)]
    gevent.joinall(waiting, timeout=10, raise_error=True)
    assert sum(batches) == 300
    assert len(batches) < 30, "group commit"
    ledger = Ledger(tmp_path / "ledger.sqlite3")
    assert len(list(ledger.read())) == 300
    ledger.close()
    writer.stop()


def test_commit_returns_only_when_another_process_would_see_the_row(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path / "ledger.sqlite3")
    writer.start()
    reader = sqlite3.connect(tmp_path / "ledger.sqlite3")
    for number in range(20):
        writer.commit(entry(number), 5)
        assert reader.execute("SELECT count(*) FROM entry").fetchone() == (number + 1,)
    reader.close()
    writer.stop()


def test_a_failing_disk_refuses_at_once_keeps_the_rows_and_recovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = LedgerWriter(tmp_path / "ledger.sqlite3")
    writer.start()
    assert writer._ledger is not None
    append = writer._ledger.append

    def full(_batch: object) -> None:
        raise LedgerUnavailable("database or disk is full; make room on its disk")

    monkeypatch.setattr(writer._ledger, "append", full)
    with pytest.raises(LedgerUnavailable, match="make room"):
        writer.commit(entry(0), 5)
    with pytest.raises(LedgerUnavailable, match="make room"), gevent.Timeout(0.05):
        writer.commit(entry(1), 5)
    writer.submit(entry(2))
    assert writer.pending == 3
    assert "disk is full" in (writer.failure or "")
    monkeypatch.setattr(writer._ledger, "append", append)
    writer.stop()
    ledger = Ledger(tmp_path / "ledger.sqlite3")
    assert [row.channel_uuid for row in ledger.read()] == UUIDS[:3]
    ledger.close()


def test_a_writer_that_was_never_started_stops() -> None:
    LedgerWriter(Path("/nowhere")).stop()
