"""The ledger, in SQLite and PostgreSQL: append-only, durable when it says so, tamper-evident, able to forget."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import threading
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import gevent
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from consentivr.core import chain
from consentivr.core.chain import Checkpoint, Tampering
from consentivr.core.consent import NoticeVersion
from consentivr.core.turn import Turn
from consentivr.ledger import Entry, Ledger, LedgerError, LedgerUnavailable, LedgerWriter, Search, make_key
from consentivr.ledger.migrate import migrations
from consentivr.ledger.schema import SCHEMA, metadata
from tests.ledgers import NUMBER, UUIDS, as_administrator, entry, locked, opened, sql, whole
from tests.postgres import Server

Location = str | Path


def test_what_is_written_is_read(location: Location) -> None:
    with opened(location) as ledger:
        written = [entry(0, decision="given", text="Ä 😀 ' \" ; --"), entry(1), entry(0, "call_ended")]
        ledger.append(written)
        read = list(ledger.read())
        assert [row.position for row in read] == [1, 2, 3]
        assert [(row.at, row.turn, row.evidence) for row in read] == [(e.at, e.turn, e.evidence) for e in written]
        assert [row.turn for row in ledger.call(UUIDS[0])] == ["decision", "call_ended"]
        assert [row.position for row in ledger.read(limit=2)] == [2, 3]
        assert [row.position for row in ledger.read(Search(turn="decision"))] == [1, 2]
        assert read[0].as_dict()["caller_id_number"] == NUMBER


def test_what_no_database_can_store_costs_no_row(location: Location) -> None:
    with opened(location) as ledger:
        bad = "a\x00b\udcffc"
        ledger.append([replace(entry(0, decision="given", path=bad, more=[{bad: bad}]), caller_id_number=bad)])
        (row,) = ledger.read()
        assert row.evidence["path"] == "a\ufffdb\ufffdc"
        assert row.caller_id_number == "a\ufffdb\ufffdc"
    assert whole(location) == 1


def test_rows_are_neither_changed_nor_deleted(location: Location) -> None:
    with opened(location) as ledger:
        ledger.append([entry(decision="given")])
    statements = [
        "UPDATE entry SET turn = 'x'",
        "UPDATE entry SET evidence = NULL",
        "UPDATE entry SET hash = '00'",
        "DELETE FROM entry",
    ]
    with sql(location) as connection:
        for statement in [*statements, *([] if isinstance(location, Path) else ["TRUNCATE entry"])]:
            with pytest.raises(Exception, match="append-only"):
                connection.execute(statement)
    assert whole(location) == 1


def test_every_connection_waits_for_the_disk(location: Location) -> None:
    with opened(location) as ledger, ledger.engine.connect() as connection:
        if isinstance(location, Path):
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2, "FULL"
            assert connection.exec_driver_sql("PRAGMA secure_delete").scalar() == 1
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        else:
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
            assert connection.exec_driver_sql("SHOW fsync").scalar() == "on"


def test_a_notice_is_kept_once(location: Location) -> None:
    with opened(location) as ledger:
        notice = NoticeVersion("de", "Dürfen wir?", "ab" * 32, 1000)
        ledger.add_notice(notice)
        ledger.add_notice(notice)
        assert ledger.notice(notice.digest) == notice
        assert ledger.notice("unknown") is None


def test_what_cannot_be_opened_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="start 'consentivr serve' once"):
        Ledger(tmp_path / "missing.sqlite3", create=False)
    damaged = tmp_path / "damaged.sqlite3"
    damaged.write_bytes(b"not a database" * 1000)
    with pytest.raises(LedgerError, match="restore it from the backup"):
        Ledger(damaged)
    with pytest.raises(LedgerError, match="cannot be opened"):
        Ledger(Path("/dev/null/ledger.sqlite3"))
    ancient = tmp_path / "ancient.sqlite3"
    with sqlite3.connect(ancient) as connection:
        connection.execute("CREATE TABLE entry (seq INTEGER)")
    connection.close()
    with pytest.raises(LedgerError, match="before its first release"):
        Ledger(ancient)


def test_a_server_that_cannot_be_used_says_what_to_do(postgres: Server) -> None:
    with pytest.raises(LedgerError, match="see that the server runs"):
        Ledger("postgresql://consentivr@127.0.0.1:1/none")
    with pytest.raises(LedgerError, match="make the database"):
        Ledger(f"postgresql://consentivr@127.0.0.1:{postgres.port}/none")
    with pytest.raises(LedgerError, match="no address of PostgreSQL"):
        Ledger("postgresql://a b?x=y")
    url = postgres.new()
    with sql(url) as connection:
        connection.execute("CREATE ROLE guest LOGIN")
        connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    with pytest.raises(LedgerError, match="owner of the database"):
        Ledger(url.replace("consentivr@", "guest@"))
    with pytest.raises(LedgerError, match="holds no ledger"):
        Ledger(url, create=False)
    postgres.stop("fast")
    postgres.start("-c fsync=off")
    try:
        with pytest.raises(LedgerError, match="set fsync = on"):
            Ledger(url)
    finally:
        postgres.stop("fast")
        postgres.start()


def test_check_writable_leaves_nothing(location: Location) -> None:
    with opened(location) as ledger:
        ledger.check_writable()
        ledger.check_writable()
        assert ledger.notice("-") is None
        with locked(location), pytest.raises(LedgerUnavailable, match="locked"):
            ledger.append([entry()])
        assert whole(location) == 0


# --- schema ----------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*expression-based index")
def test_the_migrations_make_what_the_program_expects(location: Location) -> None:
    assert ScriptDirectory.from_config(migrations()).get_current_head() == SCHEMA
    with opened(location) as ledger, ledger.engine.connect() as connection:
        # Computed expressions are reflected in each database's own words; names and types still count.
        different = compare_metadata(MigrationContext.configure(connection), metadata)
        assert [change for change in different if "computed" not in str(change).lower()] == []


def test_an_older_and_a_newer_schema_are_refused_with_a_remedy(location: Location) -> None:
    with opened(location) as ledger:
        ledger.append([entry(decision="given")])
    for version, remedy in (("0000", "run 'consentivr ledger migrate'"), ("9999", "newer consentivr")):
        with sql(location) as connection:
            connection.execute(f"UPDATE alembic_version SET version_num = '{version}'")
        with pytest.raises(LedgerError, match=remedy):
            Ledger(location)
    with pytest.raises(LedgerError, match="newer consentivr"):
        Ledger.upgrade(location)


def test_upgrading_what_is_new_changes_nothing(location: Location) -> None:
    assert Ledger.upgrade(location) == (None, SCHEMA)
    with opened(location) as ledger:
        ledger.append([entry(decision="given")])
    assert Ledger.upgrade(location) == (SCHEMA, SCHEMA)
    assert whole(location) == 1


# --- the writer ------------------------------------------------------------------------------


def test_rows_that_wait_share_a_commit(location: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = LedgerWriter(location)
    writer.start()
    assert writer._ledger is not None
    batches: list[int] = []
    append = writer._ledger.append
    monkeypatch.setattr(writer._ledger, "append", lambda batch: (batches.append(len(batch)), append(batch))[1])
    waiting = [gevent.spawn(writer.commit, entry(number), 5) for number in range(300)]
    gevent.joinall(waiting, timeout=10, raise_error=True)
    assert sum(batches) == 300
    assert len(batches) < 30, "group commit"
    writer.stop()
    assert whole(location) == 300


def test_commit_returns_only_when_another_process_would_see_the_row(location: Location) -> None:
    writer = LedgerWriter(location)
    writer.start()
    with sql(location) as reader:
        for number in range(20):
            writer.commit(entry(number), 5)
            assert reader.execute("SELECT count(*) FROM entry").fetchone() == (number + 1,)
    writer.stop()


def test_a_failing_disk_refuses_at_once_keeps_the_rows_and_recovers(
    location: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = LedgerWriter(location)
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
    writer.note(entry(2))
    assert writer.pending == 3
    assert "disk is full" in (writer.failure or "")
    monkeypatch.setattr(writer._ledger, "append", append)
    writer.stop()
    with opened(location) as ledger:
        assert [row.channel_uuid for row in ledger.read()] == UUIDS[:3]


def test_a_row_that_cannot_be_written_keeps_nobody_elses(location: Location) -> None:
    writer = LedgerWriter(location)
    writer.start()
    good = [gevent.spawn(writer.commit, entry(number), 5) for number in range(5)]
    with pytest.raises(LedgerUnavailable, match="cannot be written"):
        writer.commit(replace(entry(5), evidence={"no": object()}), 5)
    gevent.joinall(good, raise_error=True, timeout=5)
    writer.commit(entry(6), 5)
    writer.stop()
    assert whole(location) == 6


def test_a_writer_that_was_never_started_stops() -> None:
    LedgerWriter(Path("/nowhere")).stop()


def test_a_silent_database_is_waited_for_once(location: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first call finds out; those after it are told at once, and all rows come through in the end."""
    writer = LedgerWriter(location, slow_s=0.1)
    writer.start()
    assert writer._ledger is not None
    append, goes_on = writer._ledger.append, threading.Event()
    monkeypatch.setattr(writer._ledger, "append", lambda batch: (goes_on.wait(10), append(batch))[1])
    with pytest.raises(LedgerUnavailable, match=r"not answered for 0\.1 s"):
        writer.commit(entry(0), 5)
    with pytest.raises(LedgerUnavailable, match="has not answered"), gevent.Timeout(0.05):
        writer.commit(entry(1), 5)
    goes_on.set()
    writer.stop()
    assert whole(location) == 2


def test_a_server_that_hangs_is_given_up_and_found_again(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentivr.ledger.writer.HUNG_SECONDS", 0.5)
    url = postgres.new()
    writer = LedgerWriter(url, slow_s=0.2)
    writer.start()
    writer.commit(entry(0), 5)
    postgres.signal(signal.SIGSTOP)
    try:
        for number in range(1, 5):
            with pytest.raises(LedgerUnavailable), gevent.Timeout(2):
                writer.commit(entry(number), 0.5)
        gevent.sleep(1)
    finally:
        postgres.signal(signal.SIGCONT)
    for _ in range(600):
        if writer.pending == 0:
            break
        gevent.sleep(0.02)
    writer.commit(entry(5), 5)
    writer.stop()
    assert whole(url) == 6, "nothing is lost, and nothing is there twice"


def test_rows_are_counted_over_nodes_and_restarts(location: Location) -> None:
    first, second = Ledger(location), Ledger(location)
    counts = []
    for number in range(30):
        rows = [replace(entry(number), tally=f"agent:{number % 3}"), entry(number, "call_ended")]
        node = first if number % 2 else second
        counts.append(list(node.append(rows).counts.values()))
    assert counts == [[number // 3 + 1] for number in range(30)]
    doubtful = replace(entry(50), tally="agent:0")
    assert first.append([doubtful]).counts == {doubtful.submission: 11}
    first._appending._in_doubt = True
    assert first.append([doubtful]).counts == {doubtful.submission: 11}, "counted once"
    assert first.call(UUIDS[50])[0].evidence["count"] == 11
    first.close()
    second.close()
    assert whole(location) == 61


def test_an_answer_that_was_lost_writes_nothing_twice(location: Location) -> None:
    with opened(location) as ledger:
        batch = [entry(0, decision="given"), entry(1)]
        ledger.append(batch)
        ledger._appending._in_doubt = True  # as if the connection had broken after the commit
        ledger.append([*batch, entry(2)])
    assert whole(location) == 3


# --- the chain -------------------------------------------------------------------------------


def test_what_is_appended_is_one_chain_over_restarts_and_processes(location: Location) -> None:
    first, second = Ledger(location), Ledger(location)
    for number in range(20):
        (first if number % 3 else second).append([entry(number), entry(number, "call_ended")])
    first.close()
    second.close()
    with opened(location) as again:
        again.append([entry(30)])
        assert [link.position for link in again.links()] == list(range(1, 42))
    assert whole(location) == 41


def test_two_writers_at_once_make_one_chain(location: Location) -> None:
    def write(start: int) -> None:
        with opened(location, patience_s=5.0) as ledger:
            for number in range(start, start + 200):
                ledger.append([entry(number), entry(number, "call_ended")])

    with opened(location):
        pass
    nodes = [threading.Thread(target=write, args=(start,)) for start in (0, 1000)]
    for node in nodes:
        node.start()
    for node in nodes:
        node.join()
    assert whole(location) == 800


COPY = "at, channel_uuid, turn, line, queue, mode, evidence, key, digest, previous, hash"
TAMPERINGS: dict[str, tuple[tuple[str, ...], tuple[int, Tampering]]] = {
    "a row is changed": (("UPDATE entry SET evidence = '{\"x\":1}' WHERE position = 3",), (3, Tampering.CHANGED)),
    "a row's time is changed": (("UPDATE entry SET at = '2001' WHERE position = 3",), (3, Tampering.CHANGED)),
    "a row is changed with its digest": (
        ("UPDATE entry SET evidence = '{\"x\":1}', digest = hash WHERE position = 3",),
        (3, Tampering.CHANGED),
    ),
    "a row is emptied": (
        (
            "UPDATE entry SET key = NULL, at = NULL, channel_uuid = NULL, turn = NULL, line = NULL, queue = NULL, "
            "mode = NULL, evidence = NULL, commitment = NULL, submission = NULL WHERE position = 3",
        ),
        (3, Tampering.ROW_ERASED),
    ),
    "a row is removed": (("DELETE FROM entry WHERE position = 3",), (3, Tampering.REMOVED)),
    "rows are swapped": (
        (
            "UPDATE entry SET seq = 103 WHERE seq = 3",
            "UPDATE entry SET seq = 3 WHERE seq = 4",
            "UPDATE entry SET seq = 4 WHERE seq = 103",
        ),
        (3, Tampering.REORDERED),
    ),
    "a number is changed": (
        ("UPDATE caller SET caller_id_number = '+493023125001'",),
        (1, Tampering.PERSONAL_CHANGED),
    ),
    "a number is removed": (("DELETE FROM caller",), (1, Tampering.PERSONAL_REMOVED)),
    "a row is added at the end": (
        (f"INSERT INTO entry (position, {COPY}) SELECT 7, {COPY} FROM entry WHERE position = 6",),
        (7, Tampering.CHANGED),
    ),
    "a row is renumbered": (("UPDATE entry SET position = 1000000 WHERE position = 3",), (1000000, Tampering.CHANGED)),
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_an_administrator_with_sql_is_found_out(location: Location, what: str) -> None:
    statements, finding = TAMPERINGS[what]
    with opened(location) as ledger:
        ledger.append([entry(0), entry(0, "recording_started"), entry(0, "agent_answered"), entry(0, "call_ended")])
        ledger.append([entry(1), entry(1, "call_ended")])
        as_administrator(location, *statements)
        first = chain.verify(ledger.links())[0]
        assert (first.position, first.kind) == finding


def test_what_only_a_checkpoint_tells(location: Location, tmp_path: Path) -> None:
    """A cut tail, an old copy, a chain computed anew."""
    signer = make_key(tmp_path / "key")
    with opened(location, signer=signer) as ledger:
        ledger.append([entry(number) for number in range(10)])
        kept = ledger.sign()
        assert kept is not None
        assert signer.verifier.holds(kept)
        as_administrator(location, "DELETE FROM entry WHERE position > 7", "DELETE FROM checkpoint")
        assert chain.verify(ledger.links()) == [], "the rest is whole in itself"
        assert chain.verify(ledger.links(), [kept.checkpoint])[0] == chain.Finding(8, Tampering.TRUNCATED)
    with opened(location) as ledger:
        ledger.append([entry(number, "forged") for number in range(10)])
        assert Tampering.REWRITTEN in [f.kind for f in chain.verify(ledger.links(), [kept.checkpoint])]


def test_checkpoints_are_signed_as_rows_come(location: Location, tmp_path: Path) -> None:
    signer = make_key(tmp_path / "key")
    with opened(location, signer=signer) as ledger:
        signed = [ledger.append([entry(number) for number in range(400)]) for _ in range(6)]
        assert [one.checkpoint and one.checkpoint.position for one in signed] == [None, None, 1200, None, 2000, None]
        last = ledger.sign()
        assert last is not None
        assert last.position == 2400
        assert ledger.sign() is None, "nothing is new"
        assert [one.position for one in ledger.checkpoints()] == [1200, 2000, 2400]
        good, forged = signer.verifier.check([*ledger.checkpoints(), replace(last, position=2399)])
        assert (len(good), forged) == (3, [chain.Finding(2399, Tampering.SIGNATURE)])
        other = make_key(tmp_path / "other")
        assert not other.verifier.holds(last)
        assert not signer.verifier.holds(replace(last, signature="xy"))
    with opened(location) as ledger:
        assert ledger.sign() is None, "without a key nothing is signed"
    assert whole(location) == 2400


# --- forgetting ------------------------------------------------------------------------------


def test_a_person_is_forgotten_and_the_chain_verifies(location: Location, tmp_path: Path) -> None:
    """One caller among 10,000 calls: the number is in no table, in no page of the file, in no export."""
    people = random.Random(1)
    mine = "+493023125999"
    with opened(location) as ledger:
        for start in range(0, 10_000, 500):
            rows = []
            for number in range(start, start + 500):
                who = mine if number in (42, 4242) else f"+4930{people.randrange(10**7):07d}0"
                rows += [entry(number, caller=who, decision="given"), entry(number, "call_ended", caller=who)]
            ledger.append(rows)
        channels = ledger.channels_of(mine)
        assert sorted(channels) == [UUIDS[42], UUIDS[4242]]
        ledger.erase_people(channels, {"why": "request"})
        assert ledger.overwrite_freed() is None
        assert ledger.channels_of(mine) == []
        assert [row.turn for row in ledger.call(UUIDS[42])] == ["decision", "call_ended", "erasure"]
        ledger.append([entry(42, "call_ended", caller=mine)])
        assert ledger.channels_of(mine) == [], "a later turn does not bring it back"
        assert not any(mine in repr(link) for link in ledger.links())
        if not isinstance(location, Path):
            (pages,) = _pages_of(location, "caller")
            assert b"3023125999" not in pages, "not in the table's file either"
    assert whole(location) == 20_003
    for file in tmp_path.iterdir():
        assert b"3023125999" not in file.read_bytes(), f"still in {file.name}"


def _pages_of(location: str, table: str) -> list[bytes]:
    with sql(location) as connection:
        return [
            bytes(row[0])
            for row in connection.execute(f"SELECT pg_read_binary_file(pg_relation_filepath('{table}'))").fetchall()
        ]


def test_an_erasure_that_fails_erases_nothing(location: Location) -> None:
    with opened(location) as ledger:
        ledger.append([entry(0)])
        with locked(location), pytest.raises(LedgerUnavailable):
            ledger.erase_people([UUIDS[0]], {})
        assert ledger.channels_of(NUMBER) == [UUIDS[0]]


def test_what_was_erased_stays_in_the_log_while_someone_reads_and_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    with opened(path) as ledger:
        ledger.append([entry(number) for number in range(10)])
        with sql(path) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM caller").fetchone()
            ledger.erase_people(UUIDS[:10], {"why": "request"})
            assert "someone is reading" in (ledger.overwrite_freed() or "")
            reader.execute("ROLLBACK")
        assert ledger.overwrite_freed() is None
    for file in tmp_path.iterdir():
        assert NUMBER[1:].encode() not in file.read_bytes(), file.name


def test_rows_are_erased_and_the_chain_verifies(location: Location, tmp_path: Path) -> None:
    with opened(location) as ledger:
        ledger.append([entry(number, turn) for number in range(50) for turn in ("decision", "call_ended")])
        assert ledger.erase_rows(UUIDS[10:20], {"why": "retention: 90 days"}) == 20
        assert ledger.erase_rows(UUIDS[10:20], {"why": "retention: 90 days"}) == 0, "a second run finds nothing"
        assert ledger.erase_rows(UUIDS[30:31], {"why": "retention: 90 days"}) == 2
        assert ledger.overwrite_freed() is None
        assert ledger.call(UUIDS[12]) == []
        (first, _) = ledger.read(Search(turn=Turn.ROWS_ERASED.value))
        assert (first.evidence["rows"], first.evidence["calls"], first.queue) == ([[21, 40]], 10, "support@default")
        assert len(ledger.channels_of(NUMBER)) == 39
        assert len(list(ledger.read())) == 80, "the rows that are left, and two receipts"
    assert whole(location) == 102
    if isinstance(location, Path):
        assert UUIDS[12].encode() not in location.read_bytes()
    as_administrator(location, "UPDATE entry SET evidence = '{}' WHERE turn = 'rows_erased'")
    with opened(location) as ledger:
        kinds = {finding.kind for finding in chain.verify(_without_receipts(ledger))}
        assert Tampering.ROW_ERASED in kinds


def _without_receipts(ledger: Ledger) -> list[chain.Link]:
    ledger._receipts = lambda _: (set(), chain.Ranges([]))  # type: ignore[method-assign]
    return list(ledger.links())


# --- copying ---------------------------------------------------------------------------------


def test_a_ledger_is_copied_without_loss(postgres: Server, tmp_path: Path) -> None:
    source, url = tmp_path / "ledger.sqlite3", postgres.new()
    notice = NoticeVersion("de", "Dürfen wir?", "ab" * 32, 1000)
    with opened(source, signer=make_key(tmp_path / "key")) as ledger, opened(url) as other:
        ledger.add_notice(notice)
        ledger.append([entry(number, turn) for number in range(600) for turn in ("decision", "call_ended")])
        ledger.erase_people(UUIDS[:3], {"why": "request"})
        ledger.erase_rows(UUIDS[5:9], {"why": "retention"})
        assert ledger.copy_to(other) == 1205
        assert list(other.links()) == list(ledger.links())
        assert other.checkpoints() == ledger.checkpoints()
        assert other.notice(notice.digest) == notice
        with pytest.raises(LedgerError, match="not empty"):
            ledger.copy_to(other)
        other.append([entry(700)])
    assert whole(url) == 1206
    with opened(url) as ledger, opened(tmp_path / "back.sqlite3") as other:
        assert ledger.copy_to(other) == 1206, "and back"


# --- questions -------------------------------------------------------------------------------


def test_what_is_asked_of_it(location: Location) -> None:
    noon = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)
    with opened(location) as ledger:
        for number in range(60):
            at = noon + timedelta(hours=number)
            decision = ["given", "refused", "not_obtained"][number % 3]
            queue = f"queue{number % 2}@default"
            made = Entry(UUIDS[number], "decision", "support", queue, "off", {"decision": decision}, at=at)
            ended = replace(made, turn="call_ended", evidence={"agent": f"100{number % 4}"}, submission=f"e{number}")
            ledger.append([made, ended])
        assert ledger.queues() == ["queue0@default", "queue1@default"]
        by_day = ledger.count(["day"])
        assert by_day[:3] == [("2026-11-24", decision, 4) for decision in ("given", "not_obtained", "refused")]
        assert sum(row[-1] for row in by_day) == 60
        assert ledger.count(["queue"], Search(decision="given")) == [
            ("queue0@default", "given", 10),
            ("queue1@default", "given", 10),
        ]
        assert ledger.count(["agent"], Search(decision="given", agent="1000")) == [("1000", "given", 5)]
        assert sum(row[-1] for row in ledger.count(["hour", "month", "line"])) == 60
        day = Search(since=noon, until=noon + timedelta(hours=3))
        assert [rows[0].channel_uuid for rows in ledger.calls(day)] == UUIDS[:3]
        assert [len(rows) for rows in ledger.calls(day)] == [2, 2, 2]
        assert [rows[0].channel_uuid for rows in ledger.calls(Search(), limit=2)] == UUIDS[58:60]
        mine = [rows[0].channel_uuid for rows in ledger.calls(Search(agent="1001", decision="given"))]
        assert mine == [UUIDS[number] for number in range(60) if number % 4 == 1 and number % 3 == 0]
        assert len(list(ledger.read(Search(queue="queue1@default", line="support")))) == 60
        assert len(list(ledger.links(Search(channel=UUIDS[3])))) == 2


# --- whose it is -----------------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o277])
def test_only_its_owner_reads_the_file_and_what_lies_beside_it(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with opened(tmp_path / "ledger.sqlite3") as ledger, opened(tmp_path / "copy.sqlite3") as copy:
            ledger.append([entry(decision="given")])
            ledger.copy_to(copy)
            modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    finally:
        os.umask(before)
    kinds = [name + more for name in ("ledger.sqlite3", "copy.sqlite3") for more in ("", "-wal", "-shm")]
    assert modes == dict.fromkeys(kinds, 0o600)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_makes_is_its_folders(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65533)
    with opened(tmp_path / "ledger.sqlite3") as ledger:
        ledger.append([entry(decision="given")])
        for path in tmp_path.iterdir():
            assert (path.stat().st_uid, path.stat().st_gid) == (65534, 65533), path


# --- keys ------------------------------------------------------------------------------------


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    from consentivr.ledger import Signer, Verifier

    path = tmp_path / "key"
    made = make_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert Signer.of_file(path).key_id == made.key_id
    with pytest.raises(LedgerError, match="not there yet"):
        make_key(path)
    path.chmod(0o640)
    with pytest.raises(LedgerError, match=r"run 'chmod 600"):
        Signer.of_file(path)
    with pytest.raises(LedgerError, match="keygen"):
        Signer.of_file(tmp_path / "none")
    nonsense = tmp_path / "nonsense"
    nonsense.write_text("x")
    nonsense.chmod(0o600)
    with pytest.raises(LedgerError, match="holds no private key"):
        Signer.of_file(nonsense)
    with pytest.raises(LedgerError, match="holds no public key"):
        Verifier.of_files([nonsense])
    public = tmp_path / "public"
    public.write_text(made.public_pem)
    checkpoint = made.sign(3, "ab" * 32, "2026")
    assert Verifier.of_files([public]).holds(checkpoint)
    assert checkpoint.checkpoint == Checkpoint(3, "ab" * 32)


def test_the_tables_say_what_they_are() -> None:
    tables = {"entry", "caller", "foreign_file", "listed", "taken", "notice", "checkpoint", "tally"}
    assert {table.name for table in metadata.sorted_tables} == tables
    assert isinstance(metadata.tables["entry"].c.decision.computed, sa.Computed)
