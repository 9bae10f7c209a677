"""Killed with -9 at random moments, without a disk, without a server: P1-P4 hold, and the chain verifies."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import gevent
import gevent.pool
import pytest

from consentivr.config import Configuration
from consentivr.lab.caller import Caller
from consentivr.lab.laboratory import Laboratory
from consentivr.lab.switch import Channel
from consentivr.ledger import Search
from consentivr.service.build import retain
from tests.flow.calling import YES, visits
from tests.ledgers import locked, opened, sql, whole
from tests.postgres import Server
from tests.served import Served
from tests.waiting import until

CALLS = {"sqlite": 2000, "postgresql": 500}
CALLERS = 40
STOPS = 5
"""At least so often, also on a machine that is faster than we."""
HASTY = Caller(keys={1: ("1", 100)}, waits_ms=100, talks_ms=600)
COMMIT_MS, SPEED = 1000, 10
"""On a busy machine a commit that takes its time is no failure; and the watchdog, which comes after 28 simulated
seconds, takes no caller to the queue while the machine had no time for us (seen, at four times this speed)."""


def some_caller(chance: random.Random) -> Caller:
    """Half of them agree at once; the others say no, nothing, too late, or hang up; some talk for long."""
    keys = chance.choice(["1", "1", "1", "9", "", "5"])
    return Caller(
        keys={1: (keys, chance.randrange(50, 900))} if keys else {},
        waits_ms=chance.randrange(50, 400),
        talks_ms=chance.choice([600, 600, 2000, 60_000]),
        hangs_up=chance.choice([None] * 8 + [("play_and_get_digits", 1, 300), ("callcenter", 1, 50)]),
    )


def test_p1_killed_at_random_moments(
    configure: Callable[..., Configuration], tmp_path: Path, location: str | Path
) -> None:
    """2,000 callers; the process dies (KILL) or is told to stop (TERM) again and again, and begins anew among them.

    Every sound on disk has its committed yes; each visit one decision and one end; each recording is sealed or erased.
    """
    served = Served(configure(ledger=location), tmp_path, speed=30)
    wanted = CALLS["sqlite" if isinstance(location, Path) else "postgresql"]
    location = served.configuration.ledger.location
    location = Path(location) if "://" not in str(location) else location
    chance = random.Random(20261124)
    calls: list[Channel] = []
    stops = 0
    how = itertools.cycle([signal.SIGKILL, signal.SIGTERM, signal.SIGKILL])

    def callers() -> None:
        while len(calls) < wanted or stops < STOPS:
            channel = served.switch.call("5000", some_caller(chance))
            calls.append(channel)
            assert channel.greenlet is not None
            channel.greenlet.join(60)

    try:
        pool = gevent.pool.Pool(CALLERS)
        for _ in range(CALLERS):
            pool.spawn(callers)
        while len(pool):
            gevent.sleep(chance.uniform(1, 5))
            served.signal(next(how))
            served.gone(40)
            stops += 1
            served.start(watching=False)
        assert all(channel.over for channel in calls)
        until(lambda: not open_visits(location), 60)
        gevent.sleep(1)  # what ended last is sealed
        served.signal(signal.SIGTERM)
        served.gone(40)
    finally:
        served.end()
    whole(location)
    retain(served.configuration)
    reached = [channel for channel in calls if channel.reached or channel.hangup_cause == "NORMAL_CLEARING"]
    assert len(reached) == len(calls), "P4"
    elsewhere = [channel for channel in calls if channel.talked_ms and channel.reached != ["support@default"]]
    assert [channel.applications for channel in elsewhere] == [], "P4: once"
    with opened(location) as ledger:
        found = visits(list(ledger.read()), are_kept=False)
    given = {visit for visit, rows in found.items() if any(row.evidence.get("decision") == "given" for row in rows)}
    on_disk = {path.stem[:36] for path in (tmp_path / "recordings").rglob("*.wav")}
    assert on_disk <= given, "P1: a recording without its row"
    agreed = {channel.uuid for channel in calls if "1" in [key for key, _ in channel.caller.keys.values()]}
    assert {rows[0].channel_uuid for visit, rows in found.items() if visit in given} <= agreed, "P2"
    for rows in found.values():
        kept = {row.evidence["path"] for row in rows if row.turn in ("recording_sealed", "recording_erased")}
        for row in rows:
            if row.turn == "recording_started":
                path = Path(row.evidence["path"])
                assert str(path) in kept or not path.exists(), [row.turn for row in rows]
    assert len(on_disk) > len(calls) / 20
    assert stops >= 5


def open_visits(location: str | Path) -> list[str]:
    with opened(location) as ledger:
        return ledger.names_of_open_visits(datetime.now(timezone.utc) - timedelta(days=1))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MiB. Needs the right to mount."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("a small disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def recorded(laboratory: Laboratory, calls: int) -> list[bool]:
    channels = [laboratory.call(YES) for _ in range(calls)]
    assert all(channel.reached == ["support@default"] for channel in channels), "P4"
    return [bool(channel.recorded) for channel in channels]


def recovers(laboratory: Laboratory) -> None:
    until(lambda: laboratory.application.ledger.pending == 0, 60)
    assert recorded(laboratory, 1) == [True], "it recovers by itself"


def decisions(laboratory: Laboratory) -> int:
    return sum(row.turn == "decision" for row in laboratory.rows())


def test_p3_a_full_disk(configure: Callable[..., Configuration], small_disk: Path, tmp_path: Path) -> None:
    with Laboratory(configure(commit_timeout_ms=COMMIT_MS), tmp_path, speed=SPEED) as _:
        pass
    shutil.move(tmp_path / "ledger.sqlite3", small_disk / "ledger.sqlite3")
    (tmp_path / "ledger.sqlite3").symlink_to(small_disk / "ledger.sqlite3")
    with Laboratory(configure(commit_timeout_ms=COMMIT_MS), tmp_path, speed=SPEED) as laboratory:
        assert recorded(laboratory, 1) == [True]
        filler = small_disk / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 4096)
        outcomes = recorded(laboratory, 8)
        assert outcomes[-1] is False, "unrecorded as soon as the row does not fit"
        assert "make room" in (laboratory.application.ledger.failure or "")
        filler.unlink()
        recovers(laboratory)
        assert decisions(laboratory) == 10, "and nothing is lost"
    assert whole(small_disk / "ledger.sqlite3") >= 40


def test_p3_a_read_only_database(configure: Callable[..., Configuration], location: str | Path, tmp_path: Path) -> None:
    """A file that SQLite may no longer write; a server that takes no writes, as a standby after a failover."""
    with Laboratory(configure(commit_timeout_ms=COMMIT_MS, ledger=location), tmp_path, speed=SPEED) as laboratory:
        assert recorded(laboratory, 1) == [True]
        _set_read_only(laboratory, location, "on")
        assert recorded(laboratory, 2) == [False, False]
        failure = laboratory.application.ledger.failure or ""
        assert "write access" in failure or "promote a server" in failure
        _set_read_only(laboratory, location, "off")
        recovers(laboratory)
        assert decisions(laboratory) == 4, "and nothing is lost"
        whole(tmp_path / "ledger.sqlite3" if isinstance(location, Path) else location)


def _set_read_only(laboratory: Laboratory, location: str | Path, how: str) -> None:
    if isinstance(location, Path):
        # What a read-only file system gives, SQLITE_READONLY; one with open files cannot be remounted here.
        ledger = laboratory.application.ledger._ledger
        assert ledger is not None
        with ledger.engine.connect() as connection:
            connection.exec_driver_sql(f"PRAGMA query_only = {how}")
        return
    with sql(location) as connection:
        connection.execute("SET default_transaction_read_only = off")
        name = connection.execute("SELECT current_database()").fetchone()[0]
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {how}")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name = 'consentivr'"
        )


@pytest.mark.parametrize("seconds", [float(os.environ.get("CONSENTIVR_LOCKED_SECONDS", "3"))])
def test_p3_a_lock_held_for_long(
    configure: Callable[..., Configuration], location: str | Path, tmp_path: Path, seconds: float
) -> None:
    with Laboratory(configure(commit_timeout_ms=COMMIT_MS, ledger=location), tmp_path, speed=SPEED) as laboratory:
        assert recorded(laboratory, 1) == [True]
        real = tmp_path / "ledger.sqlite3" if isinstance(location, Path) else location
        calls = 0
        with locked(real):
            until = datetime.now(timezone.utc) + timedelta(seconds=seconds)
            while datetime.now(timezone.utc) < until:
                assert recorded(laboratory, 1) == [False]
                calls += 1
        assert "locked" in (laboratory.application.ledger.failure or "")
        recovers(laboratory)
        assert decisions(laboratory) == calls + 2
    whole(real)


def test_p3_a_server_stopped_and_started_under_load(
    configure: Callable[..., Configuration], postgres: Server, tmp_path: Path
) -> None:
    """Crashed, not shut down; then silent (SIGSTOP). Callers go on meanwhile, and no answered row is lost."""
    url = postgres.new()
    with Laboratory(configure(commit_timeout_ms=COMMIT_MS, ledger=url), tmp_path, speed=SPEED) as laboratory:
        calls: list[Channel] = []
        accepting = True

        def callers() -> None:
            while accepting:
                channel = laboratory.switch.call("5000", HASTY)
                calls.append(channel)
                channel.greenlet.join(30)

        def go_on(what: str) -> None:
            before = len(calls)
            until(lambda: len(calls) > before + 20, 20, lambda: f"{len(calls) - before} calls {what}")

        def records() -> None:
            before = len(calls)
            until(lambda: any(channel.recorded for channel in calls[before:]), 30)

        pool = gevent.pool.Pool(20)
        for _ in range(20):
            pool.spawn(callers)
        records()
        _in_a_thread(postgres.stop)
        go_on("without it")
        _in_a_thread(postgres.start)
        records()
        postgres.signal(signal.SIGSTOP)
        go_on("while it hangs")
        postgres.signal(signal.SIGCONT)
        records()
        accepting = False
        pool.join(60)
        recovers(laboratory)
        assert all(channel.over and channel.reached for channel in calls), "P4"
        recorded_calls = {channel.uuid for channel in calls if channel.recorded}
    with opened(url) as ledger:
        given = {row.channel_uuid for row in ledger.read(Search(decision="given"))}
    assert recorded_calls <= given
    assert given == {channel.uuid for channel in calls if "play_and_get_digits" in channel.applications} | (
        given - {channel.uuid for channel in calls}
    ), "every yes is in it, also those that came while it was away"
    assert 0 < len(recorded_calls) < len(calls)
    whole(url)


def _in_a_thread(what: Callable[[], None]) -> None:
    """While the calls go on in this one."""
    thread = threading.Thread(target=what)
    thread.start()
    while thread.is_alive():
        gevent.sleep(0.02)


def test_the_clock_is_set_back(laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The chain is in the order of writing, whatever the clock says."""
    assert recorded(laboratory, 1) == [True]

    class Earlier(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(timezone.utc) - timedelta(hours=1)

    monkeypatch.setattr("consentivr.ledger.entry.datetime", Earlier)
    assert recorded(laboratory, 1) == [True]
    monkeypatch.undo()
    path = laboratory.folder / "ledger.sqlite3"
    whole(path)
    with opened(path) as ledger:
        rows = list(ledger.read())
        assert rows[-1].at < rows[0].at


def test_two_nodes_write_one_ledger(configure: Callable[..., Configuration], postgres: Server, tmp_path: Path) -> None:
    """One of them is killed under load; the chain is one, and the other goes on."""
    url = postgres.new()
    nodes = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        nodes.append(Served(configure(ledger=url), tmp_path / name, speed=SPEED))
    calls: list[tuple[int, Channel]] = []
    accepting = True

    def callers(node: int) -> None:
        while accepting:
            channel = nodes[node].switch.call("5000", HASTY)
            calls.append((node, channel))
            channel.greenlet.join(30)

    def recorded_on(node: int) -> int:
        return sum(bool(channel.recorded) for where, channel in list(calls) if where == node)

    try:
        pool = gevent.pool.Pool(40)
        for number in range(40):
            pool.spawn(callers, number % 2)
        until(lambda: min(map(recorded_on, (0, 1))) > 40, 60)
        nodes[0].signal(signal.SIGKILL)
        nodes[0].gone()
        before = recorded_on(1)
        until(lambda: recorded_on(1) > before + 20, 60)
        accepting = False
        pool.join(60)
    finally:
        for node in nodes:
            node.end()
    with opened(url) as ledger:
        given = {row.channel_uuid for row in ledger.read(Search(decision="given"))}
        links = list(ledger.links())
    for node in (0, 1):
        recorded_here = {channel.uuid for where, channel in calls if where == node and channel.recorded}
        assert len(recorded_here) > 20
        assert recorded_here <= given
    owners = [
        {channel.uuid: where for where, channel in calls}.get((link.content or {})["channel_uuid"]) for link in links
    ]
    turns_taken = sum(a != b for a, b in itertools.pairwise(owners))
    assert turns_taken > 20, "both wrote at the same time"
    whole(url)
