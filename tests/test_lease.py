"""Who may watch: one at a time, for as long as it lives, on SQLite and on PostgreSQL (promise P11)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from consentivr.ledger.lease import _SILENT_PEER, FileLease, PostgresLease, lease_for
from tests.postgres import Server

HOLDER = """
import sys, time
from consentivr.ledger.lease import lease_for
lease = lease_for(sys.argv[1], "watch a:8021")
print(lease.take(), flush=True)
time.sleep(60)
"""

WHAT = "watch a:8021"


@pytest.fixture
def holder(location: str | Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has it."""
    command = [sys.executable, "-c", HOLDER, str(location)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        yield process
        process.kill()


def soon(is_so: Callable[[], bool], seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if is_so():
            return True
        time.sleep(0.02)
    return False


def test_one_has_it_and_gives_it_back(location: str | Path) -> None:
    first, second = lease_for(str(location), WHAT), lease_for(str(location), WHAT)
    assert not first.holds()
    assert first.take()
    assert first.take(), "whoever has it has it"
    assert (first.holds(), second.take(), second.holds()) == (True, False, False)
    first.release()
    first.release()
    assert not first.holds()
    assert soon(second.take)
    second.release()


def test_another_thing_is_another_lease(location: str | Path) -> None:
    first, other = lease_for(str(location), WHAT), lease_for(str(location), "watch b:8021")
    assert first.take()
    assert other.take()
    first.release()
    other.release()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_p11_it_ends_with_its_holder(location: str | Path, holder: subprocess.Popen[str], number: int) -> None:
    mine = lease_for(str(location), WHAT)
    assert not mine.take()
    holder.send_signal(number)
    assert soon(mine.take), "and is nobody's then"
    assert mine.holds()
    mine.release()


def test_a_holder_that_is_stopped_has_it_still(location: str | Path, holder: subprocess.Popen[str]) -> None:
    """It may go on in a moment: two watches would be worse than none."""
    mine = lease_for(str(location), WHAT)
    holder.send_signal(signal.SIGSTOP)
    time.sleep(0.1)
    assert not mine.take()
    holder.send_signal(signal.SIGCONT)


def test_a_child_does_not_inherit_it(tmp_path: Path) -> None:
    lease = FileLease(tmp_path / "l")
    assert lease.take()
    child = subprocess.Popen(["sleep", "30"], close_fds=False)
    lease.release()
    try:
        assert FileLease(tmp_path / "l").take()
    finally:
        child.kill()
        child.wait()


def test_a_file_of_its_own_that_only_its_owner_reads(tmp_path: Path) -> None:
    lease = lease_for(str(tmp_path / "ledger.sqlite3"), WHAT)
    assert lease.take()
    (file,) = tmp_path.iterdir()
    assert file.name.startswith("ledger.sqlite3.")
    assert file.suffix == ".lease"
    assert file.stat().st_mode & 0o777 == 0o600
    lease.release()
    assert file.exists(), "who takes it away could let two others have it"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        lease_for(str(tmp_path / "nowhere" / "ledger.sqlite3"), WHAT).take()


# --- PostgreSQL ------------------------------------------------------------------------------


def test_a_lost_connection_has_lost_it(postgres: Server) -> None:
    url = postgres.new()
    lease, other = PostgresLease(url, WHAT), PostgresLease(url, WHAT)
    assert lease.take()
    with postgres.connect(url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert soon(other.take)
    assert not lease.holds()
    assert not lease.take()
    other.release()
    assert soon(lease.take), "a new connection, when it is free"
    lease.release()


@pytest.mark.usefixtures("postgres")
def test_a_server_that_crashes_lets_go_of_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A server of its own: while it is down, its port is anybody's."""
    server = Server(tmp_path_factory.mktemp("crashes"))
    try:
        lease = PostgresLease(server.new(), WHAT)
        assert lease.take()
        server.stop()
        assert not lease.holds()
        with pytest.raises(OSError, match="does not answer"):
            lease.take()
        server.start()
        assert lease.take()
        lease.release()
    finally:
        server.end()


def test_a_holder_without_power_is_noticed(postgres: Server) -> None:
    """The server itself gives it up within seconds: its own defaults would wait for two hours."""
    url = postgres.new()
    lease = PostgresLease(url, WHAT)
    assert lease.take()
    said = [lease._connection.execute(f"SHOW {name}").fetchone()[0] for name, _ in _SILENT_PEER]
    assert said == [str(value) for _, value in _SILENT_PEER]
    lease.release()


def test_a_lock_on_a_standby_is_none(postgres: Server) -> None:
    """It would be another one: two nodes could both watch."""
    url = postgres.new()
    with postgres.connect(url) as connection:
        connection.execute("ALTER DATABASE " + url.rpartition("/")[2] + " SET default_transaction_read_only = on")
    with pytest.raises(OSError, match="does not answer"):
        PostgresLease(url, WHAT).take()


def test_two_nodes_may_name_the_same_servers_differently() -> None:
    assert PostgresLease("postgresql://a@b/c", WHAT)._key == PostgresLease("postgresql://a@b,d/c", WHAT)._key
    assert isinstance(lease_for(os.fspath("ledger.sqlite3"), WHAT), FileLease)
