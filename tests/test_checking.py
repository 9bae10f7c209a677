"""A recording that is said to be there is there, is the one that was sealed, and is as long as the talk."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from click.testing import CliRunner

from consentivr import custody
from consentivr.cli import main
from consentivr.config import Configuration
from consentivr.core.evidence import summarize
from consentivr.core.retention import RetentionTerms
from consentivr.core.turn import Turn
from consentivr.custody.checking import EACH_DAYS
from consentivr.disclosure import evidence_sheet
from consentivr.disclosure.words import WORDS
from consentivr.ledger import CallRef, Entry, Ledger, Search, Verifier
from consentivr.recordings import Places
from tests.ledgers import UUIDS

QUEUE = "support@default"
NOW = datetime.now(timezone.utc)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    (tmp_path / "recordings").mkdir()
    return Places(tmp_path / "recordings")


def recorded(ledger: Ledger, places: Places, number: int, *, seconds: float = 5, talk: float = 5) -> Path:
    about = CallRef(UUIDS[number], UUIDS[number], "support", QUEUE, "permanent_opt_out")
    path = places.folder / f"{UUIDS[number]}.wav"
    soundfile.write(str(path), np.full((int(8000 * seconds), 2), number / 100), 8000, subtype="PCM_16")
    began = NOW - timedelta(minutes=10)
    turns = [
        (Turn.DECISION, {"decision": "given", "reason": "consent_key"}, 0.0),
        (Turn.RECORDING_STARTED, {"path": str(path)}, 0.0),
        (Turn.RECORDING_STOPPED, {"path": str(path), "duration_ms": None, "completion_cause": None}, talk),
        (Turn.RECORDING_SEALED, custody.seal(places, str(path)), talk),
        (Turn.CALL_ENDED, {}, talk),
    ]
    rows = [about.row(turn, said) for turn, said, _ in turns]
    for row, (_, _, at) in zip(rows, turns, strict=True):
        row.at = began + timedelta(seconds=at)
    ledger.append(rows)
    return path


def run(ledger: Ledger, places: Places, days: float = 0) -> custody.Report:
    return custody.Retention(ledger, places, {QUEUE: RetentionTerms()}, at=NOW + timedelta(days=days)).run()


def differing(ledger: Ledger) -> list[tuple[str, str]]:
    return [(row.call, row.evidence["why"]) for row in ledger.read(Search(turn=Turn.RECORDING_DIFFERS.value))]


def at_of(ledger: Ledger) -> list[Entry]:
    return list(ledger.read(Search(turn=Turn.AUDIO_CHECKED.value)))


def test_all_at_once(ledger: Ledger, places: Places) -> None:
    paths = [recorded(ledger, places, number) for number in range(4)]
    recorded(ledger, places, 4, seconds=0, talk=60)
    recorded(ledger, places, 5, seconds=30, talk=60)
    ((looked, found),) = custody.check_all(ledger, places)
    assert (looked, [(one.path, one.why) for one in found]) == (
        6,
        [(str(places.folder / f"{UUIDS[4]}.wav"), "empty"), (str(places.folder / f"{UUIDS[5]}.wav"), "length")],
    )
    assert found[1].more == {"talk_ms": 60_000, "file_ms": 30_000}
    paths[0].unlink()
    paths[1].write_bytes(paths[2].read_bytes())
    custody.erase_calls(ledger, places, [UUIDS[3]], "request")
    ((looked, found),) = custody.check_all(ledger, places)
    assert looked == 5, "what was erased is not missed"
    assert [one.why for one in found] == ["missing", "replaced", "empty", "length"]
    with pytest.raises(OSError, match="is not there"):
        list(custody.check_all(ledger, Places(places.folder / "unmounted")))


def test_an_empty_file_is_never_shown_with_the_talks_length(ledger: Ledger, places: Places) -> None:
    recorded(ledger, places, 0, seconds=0, talk=60)
    assert summarize(ledger.call(UUIDS[0])).audio[0].duration_ms == 0
    assert run(ledger, places).differs == [f"{places.folder}/{UUIDS[0]}.wav: empty, 0 ms of 60000 ms"]
    for language, words in WORDS.items():
        page = evidence_sheet(ledger, ledger.call(UUIDS[0]), places, Verifier([]), language)
        assert words["differs_empty"] in page
        assert "60.0" not in page


def test_a_part_each_night_what_was_looked_at_longest_ago_first(ledger: Ledger, places: Places) -> None:
    paths = [recorded(ledger, places, number) for number in range(10)]
    assert run(ledger, places).differs == []
    (row,) = at_of(ledger)
    assert row.evidence["recordings"] == 1, "a thirtieth, but at least one"
    run(ledger, places)
    assert len(at_of(ledger)) == 1, "once a night"
    for path in paths[:2]:
        path.write_bytes(paths[9].read_bytes())
    found = []
    for night in range(1, 11):
        found += [(night, said.rpartition(": ")[2]) for said in run(ledger, places, 1).differs]
    assert found == [(1, "replaced"), (10, "replaced")], "the first one was looked at before it was changed"
    assert differing(ledger) == [(UUIDS[1], "replaced"), (UUIDS[0], "replaced")]
    assert EACH_DAYS == 30


def test_the_command_line(configure: Callable[..., Configuration], tmp_path: Path) -> None:
    data = configure().model_dump(mode="json", exclude_none=True)
    data["ledger"]["path"] = str(tmp_path / "ledger.sqlite3")
    places = Places(tmp_path / "recordings")
    places.folder.mkdir()
    data["recordings"]["folder"] = str(places.folder)
    path = tmp_path / "consentivr.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    book = Ledger(tmp_path / "ledger.sqlite3")
    file = recorded(book, places, 0)
    book.close()

    def ran(*arguments: str, exits: int = 0) -> str:
        done = CliRunner().invoke(main, ["ledger", "verify", "-c", str(path), *arguments])
        assert done.exit_code == exits, done.output
        return done.output

    assert "1 recordings looked at, 0 findings" in ran("--audio")
    file.unlink()
    assert "recordings looked at" not in ran()
    assert f"{file}: missing" in ran("--audio", exits=1)
    said = json.loads(ran("--audio", "--json", exits=1).partition("{")[2].join(["{", ""]))
    assert said["recordings_differ"] == [{"call": UUIDS[0], "path": str(file), "why": "missing"}]
    ran("--audio", "--export", str(path), exits=2)
