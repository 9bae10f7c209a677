"""Names of other recorders' files may hold a number: kept apart, forgotten with the file, in no log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import structlog

from consentivr import custody
from consentivr.core.chain import Tampering
from consentivr.core.foreign import NAMED, paths_in, renamed, says_nobody, withheld
from consentivr.core.turn import Turn
from consentivr.disclosure import hand_over
from consentivr.ledger import CallRef, Ledger, Search, Verifier
from consentivr.ledger.schema import entries, foreign_files
from consentivr.ledger.verification import verify_export, verify_ledger
from consentivr.recordings import Places, quarantine
from consentivr.watch.alarm import Alarm
from tests.ledgers import NUMBER, UUIDS

ABOUT = CallRef(UUIDS[0], UUIDS[5], "support", "support@default", "m")
OURS = f"/r/2026/11/28/{UUIDS[0]}"


@pytest.mark.parametrize("path", [f"{OURS}.wav", f"{OURS}-2.wav", f"{OURS}-1795824000.wav", f"{UUIDS[0]}.mp3"])
def test_a_name_of_ours_says_nobody(path: str) -> None:
    assert says_nobody(path)


@pytest.mark.parametrize(
    "path",
    [
        f"{OURS}-1701234567.wav",  # a number, or a moment that is not of this day
        f"{OURS}-491701234567.wav",
        f"/r/2026/99/99/{UUIDS[0]}-1795824000.wav",
        f"/r/{UUIDS[0]}-1795824000.wav",
        f"/r/{NUMBER}/{UUIDS[0]}.wav",
        f"/r/0170-123-45/{UUIDS[0]}.wav",
        f"{OURS}.{NUMBER}",
        "/r/anna.wav",
        "",
    ],
)
def test_any_other_name_may_say_somebody(path: str) -> None:
    assert not says_nobody(path)


def test_where_rows_name_paths() -> None:
    said: dict[str, Any] = {
        "path": "/a.wav",
        "to": f"{OURS}.wav",
        "paths": ["/b.wav", f"{OURS}.wav"],
        "files": [{"path": "/c.wav"}],
        "said": "-ERR /a.wav is busy",
    }
    assert paths_in(said) == ["/a.wav", "/b.wav", "/c.wav"]
    assert renamed(said, {"/a.wav": "A", "/a": "wrong"})["said"] == "-ERR A is busy"
    assert not any(name in json.dumps(withheld(said)) for name in ("/a.wav", "/b.wav", "/c.wav"))
    assert withheld(said)["to"] == f"{OURS}.wav"


@pytest.fixture
def ledger(location: str | Path) -> Iterator[Ledger]:
    made = Ledger(location)
    yield made
    made.close()


def stored(ledger: Ledger) -> str:
    with ledger.reading() as connection:
        return "\n".join(
            connection.execute(sa.select(entries.c.evidence).where(entries.c.evidence.isnot(None))).scalars()
        )


def kept(ledger: Ledger) -> list[str]:
    return [path for _, path, _ in ledger.foreign_files()]


def test_rows_hold_a_commitment_and_are_read_with_the_path(ledger: Ledger) -> None:
    path = f'/others/{NUMBER} "new".wav'
    forbidden = ABOUT.row(Turn.FORBIDDEN_RECORDING, {"path": path, "leg": "caller", "why": "x"})
    failed = ABOUT.row(Turn.COMMAND_FAILED, {"wanted": "stop", "said": f"-ERR {path}", "paths": [path]})
    ledger.append([ABOUT.row(Turn.RECORDING_STARTED, {"path": f"{OURS}.wav"}), forbidden, failed])
    assert NUMBER not in stored(ledger)
    assert len(set(NAMED.findall(stored(ledger)))) == 1, "one file has one name"
    for read in (
        list(ledger.read()),
        ledger.call(UUIDS[5]),
        *ledger.rows_of_visits([UUIDS[5]]),
        *ledger.rows_of([UUIDS[0]]),
    ):
        assert [row.evidence.get("path") for row in read] == [f"{OURS}.wav", path, None]
        assert read[2].evidence["said"] == f"-ERR {path}"
    assert kept(ledger) == [path]
    assert not verify_ledger(ledger, Verifier([])).findings
    ledger.append([ABOUT.row(Turn.RECORDING_ERASED, {"why": "not permitted", "path": path})])
    assert kept(ledger) == [], "it goes with its file"
    assert NAMED.fullmatch(ledger.call(UUIDS[5])[1].evidence["path"])
    assert not verify_ledger(ledger, Verifier([])).findings


def test_the_path_is_forgotten_with_the_rows(ledger: Ledger) -> None:
    other = CallRef(UUIDS[0], UUIDS[6], "support", "support@default", "m")
    for about in (ABOUT, other):
        ledger.append([about.row(Turn.FORBIDDEN_RECORDING, {"path": f"/others/{NUMBER}.wav"})])
    assert len(kept(ledger)) == 1
    ledger.erase_rows([UUIDS[5]], {"why": "retention"})
    assert len(kept(ledger)) == 1, "another visit names it"
    ledger.erase_rows([UUIDS[6]], {"why": "retention"})
    assert kept(ledger) == []
    assert not verify_ledger(ledger, Verifier([])).findings


def test_an_export_has_the_path_and_proves_it(ledger: Ledger, tmp_path: Path) -> None:
    ledger.append([ABOUT.row(Turn.FORBIDDEN_RECORDING, {"path": "/others/a.wav"})])
    out = tmp_path / "export.json"
    with out.open("wb") as file:
        hand_over(ledger, Search(channel=UUIDS[0]), "json", file, Places(tmp_path), audio=False)
    assert verify_export(out, Verifier([])).findings == []
    data = json.loads(out.read_text())
    ((name, kept_apart),) = data["files"].items()
    assert (data["rows"][0]["evidence"]["path"], kept_apart["path"]) == (name, "/others/a.wav")
    for change in ({"path": "/others/b.wav"}, {"key": "00" * 32}, {"key": "no key"}):
        out.write_text(json.dumps({**data, "files": {name: {**kept_apart, **change}}}))
        assert [found.kind for found in verify_export(out, Verifier([])).findings] == [Tampering.PERSONAL_CHANGED]


@pytest.mark.parametrize("done", ["changed", "removed"])
def test_tampering_with_a_path_is_found(ledger: Ledger, done: str) -> None:
    ledger.append([ABOUT.row(Turn.FORBIDDEN_RECORDING, {"path": "/others/a.wav"})])
    change = foreign_files.update().values(path="/x") if done == "changed" else foreign_files.delete()
    with ledger.writing() as connection:
        connection.execute(change)
    (found,) = verify_ledger(ledger, Verifier([])).findings
    kinds = {"changed": Tampering.PERSONAL_CHANGED, "removed": Tampering.PERSONAL_REMOVED}
    assert (found.position, found.kind) == (1, kinds[done])


def test_a_file_with_the_number_in_its_name_is_erased_with_its_person(ledger: Ledger, tmp_path: Path) -> None:
    folder, file = tmp_path / "r", tmp_path / "others" / f"{NUMBER}.wav"
    for path in (folder, file.parent):
        path.mkdir()
    file.write_bytes(b"RIFF")
    ledger.append([ABOUT.row(Turn.FORBIDDEN_RECORDING, {"path": str(file)})])
    done = custody.erase_calls(ledger, Places(folder), [UUIDS[0]], "request")
    assert list(done.left[UUIDS[5]]) == [str(file)], "its path is needed to find it"
    done = custody.erase_calls(ledger, Places(folder, others=(file.parent,)), [UUIDS[0]], "request")
    assert (done.is_complete, kept(ledger), file.exists()) == (True, [], False)
    assert NUMBER not in stored(ledger)
    assert not verify_ledger(ledger, Verifier([])).findings


def test_neither_quarantine_nor_alarm_nor_log_names_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "2026" / f"{NUMBER}.{NUMBER}"
    file.parent.mkdir()
    file.write_bytes(b"RIFF")
    assert NUMBER not in str(quarantine(tmp_path, file))
    said = {"path": str(file), "leg": "caller", "why": "x"}
    with structlog.testing.capture_logs() as log:
        alarm = Alarm(["/bin/cat"])
        alarm.raise_(ABOUT, Turn.FORBIDDEN_RECORDING, said)
        alarm.stop(10)
    assert NUMBER not in json.dumps(log)
    told = capfd.readouterr().out
    assert "ledger show" in told
    assert NUMBER not in told
