"""Receipts outlive what they are for: over simulated years, and where 0.1.0 erased them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from consentivr import custody, disclosure
from consentivr.cli import main
from consentivr.config import Configuration
from consentivr.core.chain import Tampering
from consentivr.core.consent import NoticeVersion
from consentivr.core.retention import RetentionTerms
from consentivr.core.turn import Turn
from consentivr.ledger import NO_CALL, REGISTER, CallRef, Entry, Ledger, LedgerError, Search, Verifier
from consentivr.ledger.export import read_export
from consentivr.ledger.repairing import receipts_in, reissue
from consentivr.ledger.schema import ERASED
from consentivr.ledger.verification import verify_ledger
from consentivr.recordings import Places
from tests.ledgers import NUMBER, UUIDS, as_administrator

pytestmark = pytest.mark.slow

QUEUE, BY_LAW = "support@default", "trading@default"
TERMS = {QUEUE: RetentionTerms(30, 100), BY_LAW: RetentionTerms(1800, 2600)}
BEGAN = datetime(2026, 1, 1, tzinfo=timezone.utc)


@pytest.fixture
def ledger(location: str | Path) -> Iterator[Ledger]:
    made = Ledger(location)
    yield made
    made.close()


def said(ledger: Ledger) -> list[Tampering]:
    return [finding.kind for finding in verify_ledger(ledger, Verifier([])).findings]


def call(number: int, at: datetime, queue: str = QUEUE, tally: str | None = None) -> list[Entry]:
    visit = UUIDS[number].replace("26c9d23f", "7f0e2a11")
    about = CallRef(UUIDS[number], visit, "support", queue, "every_nth")
    turns = (("arrived", {}), ("decision", {"decision": "refused"}), ("agent_answered", {"agent": "1001"}))
    rows = [about.row(Turn(turn), said, caller_id_number=NUMBER) for turn, said in (*turns, ("call_ended", {}))]
    return [replace(row, at=at, tally=tally if row.turn == "agent_answered" else None) for row in rows]


def test_eight_years_of_retention_and_whole_each_time(ledger: Ledger, tmp_path: Path) -> None:
    """Receipts get as old as rows that are due; stray files, the register, wordings and tallies among them."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    custody.agree(ledger, "1001@default", custody.AgreedTo(wording="test"))
    ledger.add_notice(NoticeVersion("de", "Dürfen wir?", "ab" * 32, 4000))
    number, erased = 0, 0
    for quarter in range(32):
        today = BEGAN + timedelta(days=91 * quarter)
        for queue in (QUEUE, QUEUE, BY_LAW):
            ledger.append(call(number, today, queue, tally="agent:1001@default"))
            number += 1
        if quarter % 8 == 0:
            custody.erase_calls(ledger, Places(folder), [UUIDS[number - 1]], "request")
            assert custody.hold(ledger, UUIDS[number - 2], "lawsuit")
            stray = folder / f"stray{quarter}.wav"
            stray.write_bytes(b"RIFF")
            os.utime(stray, (1, 1))
        for again in range(2):
            report = custody.Retention(ledger, Places(folder), TERMS, at=today + timedelta(days=90 + again)).run()
            erased += report.rows_erased
            assert said(ledger) == [], f"quarter {quarter}, run {again}"
    assert erased > 4 * 32
    receipts = list(ledger.read(Search(turn=Turn.ROWS_ERASED.value)))
    assert len(receipts) > 30, "the first is there as the last is"
    assert len(list(ledger.read(Search(turn=Turn.QUARANTINED.value)))) == 4
    assert ledger.agent_agreed("1001@default", QUEUE)
    (counted,) = ledger.append(call(number, today, tally="agent:1001@default")).counts.values()
    assert counted == number + 1


def test_what_proves_others_is_no_call(ledger: Ledger, tmp_path: Path) -> None:
    custody.agree(ledger, "1001@default", custody.AgreedTo(wording="test"))
    ledger.append(call(0, BEGAN))
    ledger.erase_rows(ledger.visits(Search(queue=QUEUE)), {"why": "retention"})
    for name in (NO_CALL, REGISTER):
        with pytest.raises(LedgerError, match="is no call"):
            custody.hold(ledger, name, "lawsuit")
        with pytest.raises(LedgerError, match="is no call"):
            custody.calls_of_person(ledger, [name])
        for erase in (ledger.erase_rows, ledger.erase_people):
            with pytest.raises(LedgerError, match="is no call"):
                erase([name], {"why": "x"})
    assert said(ledger) == []
    assert ledger.agent_agreed("1001@default", QUEUE)


# --- as 0.1.0 left it ------------------------------------------------------------------------


def forgotten_twice(ledger: Ledger, location: str | Path) -> None:
    """Calls 0 and 1 were forgotten in two runs; then 0.1.0 took its receipts for a call, and forgot them too."""
    receipts = [row.position for row in ledger.read(Search(turn=Turn.ROWS_ERASED.value))]
    empty = ", ".join(f"{name} = NULL" for name in ERASED)
    as_administrator(location, *(f"UPDATE entry SET {empty} WHERE position = {position}" for position in receipts))
    about = CallRef(NO_CALL, None, "", QUEUE, "")
    ledger.append([about.row(Turn.ROWS_ERASED, {"why": "r", "calls": 1, "rows": [[at, at] for at in receipts]})])


def test_lost_receipts_are_issued_anew_from_what_proves_them(
    ledger: Ledger, location: str | Path, tmp_path: Path
) -> None:
    for number in range(4):
        ledger.append(call(number, BEGAN))
    for number in range(2):
        ledger.erase_rows([call(number, BEGAN)[0].call], {"why": "retention: 100 days"})
    older = tmp_path / "older.json"
    with older.open("wb") as file:
        disclosure.hand_over(ledger, Search(), "json", file, Places(tmp_path), audio=False)
    forgotten_twice(ledger, location)
    assert set(said(ledger)) == {Tampering.ROW_ERASED}
    false = [
        replace(row, content={**row.content, "evidence": row.content["evidence"].replace("[", "[[1,99],", 1)})
        for row in read_export(older).rows
        if row.content and row.content["turn"] == "rows_erased"
    ]
    assert reissue(ledger, false) == 0, "what the chain does not prove is not believed"
    assert reissue(ledger, receipts_in(str(older))) == 8
    assert said(ledger) == []
    assert reissue(ledger, receipts_in(str(older))) == 0, "once"
    (first, _) = [row.evidence for row in ledger.read(Search(turn=Turn.ROWS_ERASED.value))][1:]
    assert (first["rows"], first["calls"]) == ([[1, 4]], 1)
    assert first["why"].startswith("retention: 100 days; receipt 17 was erased")


def test_the_command_repairs_from_a_backup(configured: tuple[Path, Path], tmp_path: Path) -> None:
    path, location = configured
    ledger = Ledger(location)
    for number in range(3):
        ledger.append(call(number, BEGAN))
    ledger.erase_rows([call(0, BEGAN)[0].call], {"why": "retention: 100 days"})
    ledger.overwrite_freed()
    shutil.copy(location, tmp_path / "backup.sqlite3")
    ledger.erase_rows([call(1, BEGAN)[0].call], {"why": "retention: 100 days"})
    forgotten_twice(ledger, location)
    ledger.close()

    def repair(older: Path) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["ledger", "repair", "-c", str(path), str(older)])
        return done.exit_code, done.output

    code, output = repair(tmp_path / "backup.sqlite3")
    assert code == 1
    assert "4 rows have a receipt again" in output
    assert "4 rows have none" in output, "the backup is older than their receipt"
    assert repair(tmp_path / "none")[0] == 2
    with pytest.raises(LedgerError, match="no export"):
        list(receipts_in(str(path)))


@pytest.fixture
def configured(configure: object, tmp_path: Path) -> tuple[Path, Path]:
    made: Configuration = configure()  # type: ignore[operator]
    data = made.model_dump(mode="json", exclude_none=True)
    location = tmp_path / "ledger.sqlite3"
    data["ledger"]["path"] = str(location)
    path = tmp_path / "consentivr.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    return path, location
