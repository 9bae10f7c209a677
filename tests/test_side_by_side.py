"""A long chain is verified by several processes at once, with the same result as in order."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from consentivr.core.chain import Checkpoint, Tampering
from consentivr.ledger import Verifier, verification
from consentivr.ledger.verification import Kept, Verified, verify_ledger
from tests.ledgers import UUIDS, as_administrator, entry, opened

pytestmark = pytest.mark.slow

Location = str | Path


def both(location: Location, monkeypatch: pytest.MonkeyPatch, *kept: Checkpoint) -> tuple[Verified, bool]:
    """What is found, whichever way; and whether the processes alone could tell."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2})
    with opened(location) as ledger:
        monkeypatch.setattr(verification, "SIDE_BY_SIDE_ROWS", 10**9)
        in_order = verify_ledger(ledger, Verifier([]), Kept(kept))
        monkeypatch.setattr(verification, "SIDE_BY_SIDE_ROWS", 10)
        assert verify_ledger(ledger, Verifier([]), Kept(kept)) == in_order
        return in_order, verification._if_whole(ledger, kept) is not None


def test_what_is_whole_is_found_whole_by_processes_alone(location: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(location) as ledger:
        ledger.append([entry(number) for number in range(60)])
        ledger.erase_people(UUIDS[:5], {})
        ledger.erase_rows(UUIDS[20:30], {})
        kept = [Checkpoint(position, ledger.hash_at(position) or "") for position in (1, 10, 40, 66)]
    said, alone = both(location, monkeypatch, *kept)
    assert (said.rows, said.findings, said.backwards, alone) == (66, [], [], True)
    said, alone = both(location, monkeypatch, Checkpoint(30, "ab" * 32), Checkpoint(99, "ab" * 32))
    assert [(one.position, one.kind) for one in said.findings] == [(30, Tampering.REWRITTEN), (67, Tampering.TRUNCATED)]
    assert not alone


@pytest.mark.parametrize("position", [1, 20, 21, 60])
def test_whatever_is_wrong_is_found_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, position: int) -> None:
    """Also where two stretches meet: they are of 20 rows."""
    location = tmp_path / "ledger.sqlite3"
    with opened(location) as ledger:
        ledger.append([entry(number) for number in range(60)])
    as_administrator(location, f"UPDATE entry SET turn = 'x' WHERE position = {position}")
    said, alone = both(location, monkeypatch)
    found = [(position, Tampering.CHANGED), (0, Tampering.LIST_INSERTED)]  # the list has the decision still
    assert ([(one.position, one.kind) for one in said.findings], alone) == (found, False)
    as_administrator(
        location,
        f"DELETE FROM entry WHERE position = {position}",
        f"DELETE FROM caller WHERE channel_uuid = '{UUIDS[position - 1]}'",
        f"DELETE FROM listed WHERE call = '{UUIDS[position - 1]}'",
    )
    said, alone = both(location, monkeypatch)
    assert alone is (position == 60)
    assert bool(said.findings) is (position < 60), "a cut tail is told by a checkpoint alone"


def test_a_clock_that_goes_back_where_two_stretches_meet_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = tmp_path / "ledger.sqlite3"
    ahead = datetime.now(timezone.utc) + timedelta(hours=1)
    with opened(location) as ledger:
        rows = [entry(number) for number in range(60)]
        ledger.append([replace(row, at=ahead) if index < 20 else row for index, row in enumerate(rows)])
    said, alone = both(location, monkeypatch)
    assert ([position for position, _ in said.backwards], said.findings, alone) == ([21], [], False)


def test_a_list_that_leaves_calls_out_is_found_either_way(location: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of a call whose rows are in two stretches."""
    with opened(location) as ledger:
        ledger.append([entry(number) for number in range(30)])
        ledger.append([entry(number, "hold", why="court") for number in range(30)])
    assert both(location, monkeypatch)[0].findings == []
    as_administrator(
        location,
        f"DELETE FROM listed WHERE call = '{UUIDS[3]}'",
        f"UPDATE listed SET held = NOT held WHERE call = '{UUIDS[25]}'",
        f"UPDATE listed SET decision = 'x' WHERE call = '{UUIDS[12]}'",
    )
    said, alone = both(location, monkeypatch)
    assert [(one.position, one.kind, one.about) for one in said.findings] == [
        (4, Tampering.LIST_REMOVED, UUIDS[3]),
        (13, Tampering.LIST_CHANGED, f"{UUIDS[12]}: decision"),
        (26, Tampering.LIST_CHANGED, f"{UUIDS[25]}: held"),
    ]
    assert alone, "the chain is whole"
