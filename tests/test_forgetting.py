"""What was erased is in no file: after a kill between the erasure and its cleaning, and behind PostgreSQL's tables."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from alembic import command
from click.testing import CliRunner

from consentivr.cli import main
from consentivr.config import Configuration
from consentivr.ledger.databases import open_database
from consentivr.ledger.migrate import migrations
from tests.ledgers import UUIDS, entry, opened, sql, whole
from tests.postgres import Server

Location = str | Path

NUMBER = "+493023125999"
_KILLED = """
import os, signal, sys
from consentivr.cli import main
from consentivr.ledger import Ledger
Ledger.overwrite_freed = lambda self: os.kill(os.getpid(), signal.SIGKILL)
main()
"""


def _holding(location: Location, server: Server | None, text: str) -> list[str]:
    """The files that hold it."""
    if server is not None:
        return [file.name for file in server.files_with(text.encode())]
    assert isinstance(location, Path)
    return [file.name for file in location.parent.glob(f"{location.name}*") if text.encode() in file.read_bytes()]


def _server(location: Location, request: pytest.FixtureRequest) -> Server | None:
    return None if isinstance(location, Path) else request.getfixturevalue("postgres")


def test_an_erasure_that_was_killed_is_finished_by_the_next(
    location: Location, configure: Callable[..., Configuration], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    server = _server(location, request)
    data = configure().model_dump(mode="json", exclude_none=True)
    data["ledger"] |= {"path": str(location)} if isinstance(location, Path) else {"url": location}
    path = tmp_path / "consentivr.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    with opened(location) as ledger:
        ledger.append(
            [entry(number, caller=NUMBER if number == 7 else f"+4930231250{number:02}") for number in range(20)]
        )
    erase = ["ledger", "erase", "-c", str(path), "--caller", NUMBER, "--yes"]
    killed = subprocess.run([sys.executable, "-c", _KILLED, *erase], check=False, capture_output=True, timeout=60)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with opened(location) as ledger:
        assert ledger.channels_of(NUMBER) == []
        assert _holding(location, server, NUMBER), "the kill left it somewhere, or this test tells nothing"
    again = CliRunner().invoke(main, erase)
    assert (again.exit_code, "what was erased before is overwritten" in again.output) == (1, True), again.output
    assert _holding(location, server, NUMBER) == []
    assert whole(location) == 21


def test_serve_empties_the_log_that_a_kill_left(tmp_path: Path) -> None:
    from consentivr.ledger import LedgerWriter

    location = tmp_path / "ledger.sqlite3"
    with opened(location) as ledger:
        ledger.append([entry(0, caller=NUMBER)])
        ledger.erase_people([UUIDS[0]], {})
        assert _holding(location, None, NUMBER)
        writer = LedgerWriter(location)
        writer.start()
        assert _holding(location, None, NUMBER) == []
        writer.stop()


def test_postgresql_keeps_no_samples_of_numbers(postgres: Server) -> None:
    """Those that a ledger of an older schema has are gone with its migration, and their space with the next erasure."""
    location = postgres.new()
    database = open_database(location, patience_s=5, create=True)
    config = migrations()
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
    with sql(location) as connection:
        for number in range(500):
            key = f"{number:064x}"
            connection.execute("INSERT INTO caller VALUES (%s, %s, %s)", (UUIDS[number], NUMBER, key))
        connection.execute("ANALYZE")
        assert NUMBER in _samples(connection)
        with database.engine.begin() as ours:
            config.attributes["connection"] = ours
            command.upgrade(config, "head")
        assert NUMBER not in _samples(connection)
        connection.execute("ANALYZE")
        assert NUMBER not in _samples(connection)
    database.close()
    with opened(location) as ledger:
        ledger.append([entry(number, caller=NUMBER) for number in range(500)])
        ledger.erase_people(UUIDS[:500], {"why": "request"})
        assert postgres.files_with(NUMBER.encode())
        assert ledger.overwrite_freed() is None
        assert "pg_wal" in (ledger.beyond or "")
    assert postgres.files_with(NUMBER.encode()) == []


def _samples(connection: object) -> str:
    return str(connection.execute("SELECT * FROM pg_stats WHERE tablename = 'caller'").fetchall())  # type: ignore[attr-defined]


def test_postgresql_forgets_rows_in_its_samples_at_once_and_in_its_table_when_told(postgres: Server) -> None:
    """``beyond`` says so."""
    location = postgres.new()
    secret = "what-was-said"
    with opened(location) as ledger:
        ledger.append([entry(number, caller=None, why=secret) for number in range(200)])
        ledger.analyze()
        ledger.erase_rows(UUIDS[:200], {})
        assert ledger.overwrite_freed() is None
        with sql(location) as connection:
            assert secret not in str(connection.execute("SELECT * FROM pg_stats").fetchall())
            (table,) = connection.execute("SELECT pg_relation_filepath('entry')").fetchone()
            assert {file.name for file in postgres.files_with(secret.encode())} <= {Path(table).name}
            connection.execute("VACUUM (FULL) entry")
        assert "VACUUM (FULL) entry" in (ledger.beyond or "")
    assert postgres.files_with(secret.encode()) == []
