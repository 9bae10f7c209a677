"""A ledger that was moved, deleted, replaced or restored is noticed, while it is written and when it is opened."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import gevent
import pytest

from consentivr.core.turn import Turn
from consentivr.ledger import HeadFile, Ledger, LedgerError, LedgerUnavailable, LedgerWriter, Search, make_key
from consentivr.ledger import writer as writing
from tests.ledgers import as_administrator, entry, opened, sql, whole
from tests.postgres import Server

Location = str | Path


@contextmanager
def writer(location: Location, head: HeadFile | None = None, **how: bool) -> Iterator[LedgerWriter]:
    made = LedgerWriter(location, head_file=head)
    made.start(**how)
    try:
        yield made
    finally:
        made.stop(1)


@pytest.fixture
def head(tmp_path: Path) -> HeadFile:
    return HeadFile(tmp_path / "elsewhere" / "ledger.head")


# --- while it is written ---------------------------------------------------------------------


def moved(file: Path) -> None:
    file.rename(file.with_name("moved"))


def restored(file: Path) -> None:
    """A copy takes its place, as by mv, by rsync, or by a disk that is mounted over it."""
    shutil.copy(file, file.with_name("copy"))
    file.with_name("copy").replace(file)


def linked(file: Path) -> None:
    file.with_name("second").hardlink_to(file)


@pytest.mark.parametrize("suffix", ["", "-wal"])
@pytest.mark.parametrize("harm", [moved, Path.unlink, restored, linked])
def test_a_file_that_is_taken_away_is_noticed_with_the_next_row(
    tmp_path: Path, harm: Callable[[Path], None], suffix: str
) -> None:
    location = tmp_path / "ledger.sqlite3"
    with writer(location) as made:
        made.commit(entry(0), 5)
        harm(tmp_path / f"ledger.sqlite3{suffix}")
        for number in (1, 2):
            with pytest.raises(LedgerUnavailable, match=r"moved, deleted, linked or replaced.*restore the ledger"):
                made.commit(entry(number), 5)
        assert made.failure is not None
        assert made.pending == 2


def test_a_file_that_is_put_back_is_written_again_and_nothing_twice(tmp_path: Path) -> None:
    location = tmp_path / "ledger.sqlite3"
    with writer(location) as made:
        made.commit(entry(0), 5)
        location.rename(tmp_path / "moved")
        with pytest.raises(LedgerUnavailable):
            made.commit(entry(1), 5)
        (tmp_path / "moved").rename(location)
        made.settle(10)
        made.commit(entry(2), 5)
    assert whole(location) == 3


def test_a_ledger_that_loses_rows_under_us_is_noticed(location: Location) -> None:
    """As of a standby that was behind when it took over, or a backup that was restored into the running database."""
    with writer(location) as made:
        for number in range(3):
            made.commit(entry(number), 5)
        as_administrator(location, "DELETE FROM entry WHERE position = 3")
        with pytest.raises(LedgerUnavailable, match="no longer holds row 3"):
            made.commit(entry(3), 5)
        with opened(location) as another, pytest.raises(LedgerUnavailable, match="no longer holds row 3"):
            another.append([entry(4), entry(5)])
            made.commit(entry(6), 5)


def test_a_database_that_was_made_anew_is_noticed(postgres: Server) -> None:
    location = postgres.new()
    name = location.rpartition("/")[2]
    with writer(location) as made:
        made.commit(entry(0), 5)
        with postgres.connect("postgres") as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
            connection.execute(f"CREATE DATABASE {name}")
        with pytest.raises(LedgerUnavailable):
            made.commit(entry(1), 5)
        Ledger(location).close()
        with pytest.raises(LedgerUnavailable):
            made.commit(entry(2), 5)
        gevent.sleep(0.2)
        assert made.failure is not None
        assert "no longer holds row 1" in made.failure


# --- when it is opened again -----------------------------------------------------------------


def test_the_head_is_kept_elsewhere_for_its_owner_only(
    location: Location, head: HeadFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "CHECKPOINT_SECONDS", 0.2)
    signer = make_key(tmp_path / "key")
    made = LedgerWriter(location, signer=signer, head_file=head)
    made.start()
    made.commit(entry(0), 5)
    gevent.sleep(0.5)
    kept = head.read()
    assert kept is not None
    assert (kept.position, signer.verifier.holds(kept)) == (1, True)
    assert head.path.stat().st_mode & 0o777 == 0o600
    made.note(entry(1))
    made.stop()
    kept = head.read()
    assert kept is not None
    assert kept.position == 2
    assert [path.name for path in head.path.parent.iterdir()] == ["ledger.head"], "nothing half written"


def emptied(location: Location) -> None:
    as_administrator(location, "DELETE FROM entry")


def cut(location: Location) -> None:
    as_administrator(location, "DELETE FROM entry WHERE position = 3")


def begun_anew(location: Location) -> None:
    emptied(location)
    with opened(location) as ledger:
        ledger.append([entry(number) for number in range(5)])


def absent(location: Location) -> None:
    if isinstance(location, Path):
        location.unlink()
        return
    with sql(location) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")


@pytest.mark.parametrize(
    ("harm", "said", "left"),
    [
        (emptied, "ends at row 0", 0),
        (cut, "ends at row 2", 2),
        (begun_anew, "is another one", 5),
        (absent, "no ledger", 0),
    ],
)
def test_another_ledger_than_the_one_that_was_there_is_begun_on_purpose_only(
    location: Location, head: HeadFile, harm: Callable[[Location], None], said: str, left: int
) -> None:
    with writer(location, head) as made:
        for number in range(3):
            made.commit(entry(number), 5)
    was = head.read()
    assert was is not None
    harm(location)
    for _ in range(2):
        with pytest.raises(LedgerError, match=f"{said}.*knows row 3.*--new-ledger"), writer(location, head):
            pass
        assert head.read() == was
    if harm is absent and isinstance(location, Path):
        assert not location.exists(), "nothing was made"
    with writer(location, head, new_ledger=True) as made:
        made.commit(entry(9), 5)
    with opened(location) as ledger:
        (row,) = ledger.read(Search(turn=Turn.LEDGER_BEGUN.value))
        assert row.evidence["instead_of"] == {"position": 3, "hash": was.hash, "at": was.at}
        assert row.evidence["found_rows"] == left
    assert whole(location) == left + 2
    with writer(location, head):
        pass
    with pytest.raises(LedgerError, match="start without it"), writer(location, head, new_ledger=True):
        pass


def test_a_head_that_cannot_be_kept_stops_the_start(location: Location, tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=r"make its folder.*ledger\.head_file"):
        LedgerWriter(location, head_file=HeadFile(Path("/proc/none/head"))).start()
    damaged = tmp_path / "damaged"
    damaged.touch(0o600)
    with pytest.raises(LedgerError, match="cannot be read"):
        LedgerWriter(location, head_file=HeadFile(damaged)).start()
