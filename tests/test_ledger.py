"""The ledger: append-only, durable when it says so, many rows in one commit, clear about what is wrong."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import gevent
import pytest

from consentivr.core import chain
from consentivr.core.chain import Tampering
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


def test_a_row_that_cannot_be_written_keeps_nobody_elses(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path / "ledger.sqlite3")
    writer.start()
    good = [gevent.spawn(writer.commit, entry(number), 5) for number in range(5)]
    with pytest.raises(LedgerUnavailable, match="cannot be written"):
        writer.commit(replace(entry(5), caller_id_number="\udcff"), 5)
    gevent.joinall(good, raise_error=True, timeout=5)
    writer.commit(entry(6), 5)
    writer.stop()
    ledger = Ledger(tmp_path / "ledger.sqlite3")
    assert len(list(ledger.read())) == 6
    assert chain.verify(ledger.links()) == []
    ledger.close()


def test_a_writer_that_was_never_started_stops() -> None:
    LedgerWriter(Path("/nowhere")).stop()


# --- the chain -------------------------------------------------------------------------------


def test_what_is_appended_is_one_chain_over_restarts_and_processes(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    first, second = Ledger(path), Ledger(path)
    for number in range(20):
        (first if number % 3 else second).append([entry(number), entry(number, "call_ended")])
    first.close()
    second.close()
    again = Ledger(path)
    again.append([entry(30)])
    assert chain.verify(again.links()) == []
    assert [link.position for link in again.links()] == list(range(1, 42))
    again.close()


TAMPERINGS = {
    "UPDATE entry SET evidence = '{\"x\":1}' WHERE position = 3": (3, Tampering.CHANGED),
    "DELETE FROM entry WHERE position = 3": (3, Tampering.REMOVED),
    "UPDATE entry SET seq = CASE seq WHEN 3 THEN 103 WHEN 4 THEN 3 ELSE seq END WHERE seq IN (3, 4);"
    "UPDATE entry SET seq = 4 WHERE seq = 103": (3, Tampering.REORDERED),
    "UPDATE caller SET caller_id_number = '+493023125001'": (1, Tampering.PERSONAL_CHANGED),
    "DELETE FROM caller": (1, Tampering.PERSONAL_REMOVED),
    "INSERT INTO entry (at, channel_uuid, turn, line, queue, mode, evidence, position, previous, hash) "
    "SELECT at, channel_uuid, turn, line, queue, mode, evidence, 7, hash, previous FROM entry WHERE position = 6": (
        7, Tampering.CHANGED,
    ),
}  # fmt: skip


@pytest.mark.parametrize("sql", TAMPERINGS, ids=range(len(TAMPERINGS)))
def test_an_administrator_with_sql_is_found_out(tmp_path: Path, sql: str) -> None:
    path = tmp_path / "ledger.sqlite3"
    ledger = Ledger(path)
    ledger.append([entry(0), entry(0, "recording_started"), entry(0, "agent_answered"), entry(0, "call_ended")])
    ledger.append([entry(1), entry(1, "call_ended")])
    with sqlite3.connect(path) as connection:
        connection.executescript(f"DROP TRIGGER entry_no_update; DROP TRIGGER entry_no_delete; {sql};")
    connection.close()
    first = chain.verify(ledger.links())[0]
    assert (first.position, first.kind) == TAMPERINGS[sql]
    ledger.close()


def test_a_person_is_forgotten_and_the_chain_verifies(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    ledger = Ledger(path)
    for number in range(100):
        who = "+493023125999" if number == 42 else f"+4930231250{number % 40:02d}"
        ledger.append([replace(entry(number), caller_id_number=who), entry(number, "call_ended")])
    (channel,) = ledger.channels_of("+493023125999")
    ledger.erase([channel], {"why": "request"})
    assert ledger.channels_of("+493023125999") == []
    assert chain.verify(ledger.links()) == []
    assert [row.turn for row in ledger.read(channel)] == ["decision", "call_ended", "erasure"]
    ledger.append([replace(entry(42, "call_ended"), caller_id_number="+493023125999")])
    assert ledger.channels_of("+493023125999") == [], "a later turn does not bring it back"
    ledger.close()
    for file in tmp_path.iterdir():
        assert b"3023125999" not in file.read_bytes(), f"still in {file.name}"


def test_an_erasure_that_fails_erases_nothing(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite3")
    ledger.append([entry(0)])
    lock = sqlite3.connect(tmp_path / "ledger.sqlite3", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerUnavailable):
        ledger.erase([UUIDS[0]], {})
    lock.close()
    assert ledger.channels_of("+493023125000") == [UUIDS[0]]
    ledger.close()
