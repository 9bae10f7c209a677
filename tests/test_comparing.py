"""The list of calls is held against the rows: whatever it says else is found, and put right."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from consentivr.cli import main
from consentivr.core.chain import Finding, Tampering
from consentivr.ledger import Ledger, Verifier, comparing
from consentivr.ledger.comparing import put_right
from consentivr.ledger.schema import listed, taken
from consentivr.ledger.verification import verify_ledger
from tests.ledgers import UUIDS, entry, opened, sql
from tests.lives import a_life

CALLS = 60


@pytest.fixture
def lived(location: str | Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Ledger, str | Path]]:
    """Calls of which some rows come long after the others, compared a few at a time."""
    monkeypatch.setattr(comparing, "_ROWS_AT_ONCE", 7)
    chance = random.Random(15)
    with opened(location) as ledger:
        lives = [a_life(chance, number) for number in range(CALLS)]
        cuts = [chance.randrange(len(life) + 1) for life in lives]
        for life, cut in zip(lives, cuts, strict=True):
            ledger.append(life[:cut])
        for life, cut in zip(lives, cuts, strict=True):
            ledger.append(life[cut:])
        assert found(ledger) == []
        yield ledger, location


def found(ledger: Ledger) -> list[Finding]:
    """But that nobody kept the wording of these calls."""
    said = verify_ledger(ledger, Verifier([])).findings
    return [one for one in said if one.kind is not Tampering.NOTICE_REMOVED]


def table(ledger: Ledger) -> list[list[Any]]:
    with ledger.reading() as connection:
        return [sorted(map(tuple, connection.execute(sa.select(one)))) for one in (listed, taken)]


def test_each_false_line_is_found_as_what_it_is_and_put_right(lived: tuple[Ledger, str | Path]) -> None:
    ledger, location = lived
    before = table(ledger)
    where = {line[2]: line[1] for line in before[0]}
    changes = {
        1: ("decision = 'x', held = NOT held", "decision, held"),
        2: ("masked = NOT masked", "masked"),
        3: ("unsealed = NOT unsealed", "unsealed"),
        4: ("held = NOT held", "held"),
        5: ("reason = NULL", "reason"),
        6: ("queue = 'x', line = 'x'", "line, queue"),
    }
    expected = set()
    with sql(location) as connection:
        for first, (change, columns) in changes.items():
            for name in UUIDS[first:CALLS:9]:
                connection.execute(f"UPDATE listed SET {change} WHERE call = '{name}'")
                expected.add(Finding(where[name], Tampering.LIST_CHANGED, f"{name}: {columns}"))
        connection.execute("INSERT INTO listed SELECT at, position + 1000000, 'none', queue, line, language, decision, "
                           f"reason, notice, held, masked, unsealed FROM listed WHERE call = '{UUIDS[9]}'")  # fmt: skip
        connection.execute(f"DELETE FROM taken WHERE position = {where[UUIDS[7]]}")
        connection.execute(f"DELETE FROM listed WHERE call = '{UUIDS[7]}'")
    expected |= {
        Finding(0, Tampering.LIST_INSERTED, "none"),
        Finding(where[UUIDS[7]], Tampering.LIST_REMOVED, UUIDS[7]),
    }
    assert set(found(ledger)) == expected
    assert put_right(ledger) == len(expected)
    assert (table(ledger), found(ledger), put_right(ledger)) == (before, [], 0)


def test_two_lines_that_were_exchanged_are_put_right(lived: tuple[Ledger, str | Path]) -> None:
    ledger, location = lived
    before = table(ledger)
    with sql(location) as connection:
        for old, new in ((UUIDS[1], "x"), (UUIDS[2], UUIDS[1]), ("x", UUIDS[2])):
            connection.execute(f"UPDATE listed SET call = '{new}' WHERE call = '{old}'")
    said = found(ledger)
    assert {(one.kind, one.about.partition(":")[0]) for one in said} == {
        (Tampering.LIST_CHANGED, name) for name in UUIDS[1:3]
    }
    assert put_right(ledger) == 2
    assert (table(ledger), found(ledger)) == (before, [])


def test_an_emptied_list_is_found_and_filled_again(lived: tuple[Ledger, str | Path]) -> None:
    ledger, location = lived
    before = table(ledger)
    with sql(location) as connection:
        connection.execute("DELETE FROM listed")
    said = found(ledger)
    assert {one.about for one in said if one.kind is Tampering.LIST_REMOVED} == set(UUIDS[:CALLS])
    with sql(location) as connection:
        connection.execute("DELETE FROM taken")
    assert {(one.kind, one.about) for one in found(ledger)} == {
        (Tampering.LIST_REMOVED, name) for name in UUIDS[:CALLS]
    }
    assert put_right(ledger) == CALLS
    assert (table(ledger), found(ledger)) == (before, [])


def test_verify_and_repair_say_it_without_anybodys_name(tmp_path: Path) -> None:
    location = tmp_path / "ledger.sqlite3"
    with opened(location) as ledger:
        ledger.append([entry(number, decision="given") for number in range(3)])
        ledger.append([entry(1, "agent_answered", agent="1001@default")])
    with sql(location) as connection:
        connection.execute(f"DELETE FROM listed WHERE call = '{UUIDS[0]}'")
        connection.execute("UPDATE taken SET agent = '1002@default'")
    path = tmp_path / "consentivr.yaml"
    path.write_text(f"""
language: de
ledger: {{path: {location}, head_file: {tmp_path / "head.json"}}}
switches: [{{address: "127.0.0.1:8021", password_file: /dev/null}}]
lines: {{support: {{number: "5000", queue: support}}}}
queues: {{support: {{name: support@default, recording: {{mode: permanent_opt_out}}}}}}
""")
    done = CliRunner().invoke(main, ["ledger", "verify", "-c", str(path)])
    assert done.exit_code == 1, done.output
    assert f"row 1: call that the list of calls leaves out ({UUIDS[0]})" in done.output
    assert f"row 2: list of calls says what the rows do not ({UUIDS[1]}: agent)" in done.output
    assert "100" not in done.output.replace(UUIDS[0], "").replace(UUIDS[1], "")
    done = CliRunner().invoke(main, ["ledger", "repair", "-c", str(path)])
    assert (done.exit_code, done.output) == (0, "the list of calls was put right for 2 calls\n")
    done = CliRunner().invoke(main, ["ledger", "verify", "-c", str(path)])
    assert done.exit_code == 0, done.output
