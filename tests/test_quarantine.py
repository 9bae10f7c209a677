"""Quarantine has an end: by time, by hand, with its person, or back to the visit whose recording it is."""

from __future__ import annotations

import json
import os
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
from consentivr.ledger import CallRef, Ledger
from consentivr.recordings import Places
from tests.ledgers import NUMBER, UUIDS

QUEUE = "support@default"
NOW = datetime.now(timezone.utc)
ABOUT = CallRef(UUIDS[0], UUIDS[5], "support", QUEUE, "permanent_opt_out")


@pytest.fixture
def places(tmp_path: Path) -> Places:
    (tmp_path / "recordings").mkdir()
    return Places(tmp_path / "recordings")


def stray(places: Places, name: str) -> Path:
    """A file of yesterday that no row explains."""
    path = places.folder / name
    soundfile.write(str(path), np.zeros((8000, 2)), 8000, subtype="PCM_16")
    os.utime(path, ((NOW - timedelta(days=1)).timestamp(),) * 2)
    return path


def run(ledger: Ledger, places: Places, days: float = 0, **terms: int) -> custody.Report:
    return custody.Retention(
        ledger, places, {QUEUE: RetentionTerms(**terms)}, quarantine_days=90, at=NOW + timedelta(days=days)
    ).run()


def visit(ledger: Ledger, decision: str = "given") -> None:
    decided = ABOUT.row(Turn.DECISION, {"decision": decision}, caller_id_number=NUMBER)
    ledger.append([decided, ABOUT.row(Turn.CALL_ENDED, {})])


def test_it_ends_after_so_many_days(ledger: Ledger, places: Places) -> None:
    stray(places, "a.wav")
    assert run(ledger, places).needs_attention
    (one,) = custody.quarantined(ledger, places)
    unnamed = one.file.with_name("somebody put this here")
    unnamed.write_bytes(b"x")
    assert run(ledger, places, 89).audio_erased == []
    assert [found.why for found in custody.quarantined(ledger, places)] == ["no row explained it", "no row names it"]
    report = run(ledger, places, 91)
    assert sorted(report.audio_erased) == sorted([str(one.file), str(unnamed)])
    assert custody.quarantined(ledger, places) == []
    assert list(ledger.foreign_files()) == [], "nor is its name kept"
    assert run(ledger, places, 92) == custody.Report(dry_run=False)


def test_it_is_erased_with_its_person(ledger: Ledger, places: Places) -> None:
    visit(ledger)
    stray(places, f"{UUIDS[5]}.wav")
    stray(places, f"0{NUMBER[3:]}-monitor.wav")
    other = stray(places, "someone else.wav")
    run(ledger, places)
    assert len(custody.quarantined(ledger, places)) == 3
    done = custody.erase_calls(ledger, places, [UUIDS[0]], "request")
    assert (done.recordings, done.is_complete) == (2, True)
    assert [one.was for one in custody.quarantined(ledger, places)] == [str(other)]


def test_a_held_call_keeps_it(ledger: Ledger, places: Places) -> None:
    visit(ledger)
    stray(places, f"{UUIDS[5]}.wav")
    run(ledger, places)
    custody.hold(ledger, UUIDS[5], "lawsuit")
    (one,) = custody.quarantined(ledger, places)
    assert run(ledger, places, 91).audio_erased == []
    with pytest.raises(custody.Refused, match="legal hold"):
        custody.erase_quarantined(ledger, one, custody.Holds(ledger), "x")
    assert one.file.exists()


def test_a_recording_is_taken_back(ledger: Ledger, places: Places) -> None:
    visit(ledger)
    stray(places, "lost.wav")
    run(ledger, places)
    (one,) = custody.quarantined(ledger, places)
    place = custody.adopt(ledger, places, one, UUIDS[5], "made while we were down")
    assert place.name == f"{UUIDS[5]}.wav"
    (recording,) = summarize(ledger.call(UUIDS[5])).audio
    assert (recording.path, recording.duration_ms, recording.permitted) == (str(place), 1000, True)
    assert recording.sha256
    assert run(ledger, places) == custody.Report(dry_run=False), "explained like any other"
    place.unlink()
    assert run(ledger, places, 1).missing == [str(place)], "and missed like any other"
    report = run(ledger, places, 91, audio_days=90)
    assert report.audio_erased == [str(place)]


@pytest.mark.parametrize("decision", ["refused", "not_obtained"])
def test_nothing_is_taken_back_without_permission(ledger: Ledger, places: Places, decision: str) -> None:
    visit(ledger, decision)
    stray(places, "lost.wav")
    run(ledger, places)
    (one,) = custody.quarantined(ledger, places)
    for name, why in ((UUIDS[5], "nothing permits"), (UUIDS[9], "there is no visit")):
        with pytest.raises(custody.Refused, match=why):
            custody.adopt(ledger, places, one, name, "x")
    assert one.file.exists()


def test_the_command_line(configure: Callable[..., Configuration], tmp_path: Path) -> None:
    data = configure().model_dump(mode="json", exclude_none=True)
    data["ledger"]["path"] = str(tmp_path / "ledger.sqlite3")
    places = Places(tmp_path / "recordings")
    places.folder.mkdir()
    data["recordings"]["folder"] = str(places.folder)
    path = tmp_path / "consentivr.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")

    def ran(*arguments: str, exits: int = 0) -> str:
        done = CliRunner().invoke(main, ["retention", *arguments, "-c", str(path)])
        assert done.exit_code == exits, done.output
        return done.output

    book = Ledger(tmp_path / "ledger.sqlite3")
    visit(book)
    book.close()
    for name in ("a.wav", "b.wav"):
        stray(places, name)
    ran("run", exits=1)
    a, b = json.loads(ran("quarantine", "list", "--json"))
    assert ran("quarantine", "list").count(".wav") >= 4
    assert "erased" in ran("quarantine", "erase", a["name"], "--why", "nothing of ours")
    assert UUIDS[5] in ran("quarantine", "adopt", b["name"], "--visit", UUIDS[5], "--why", "ours")
    ran("quarantine", "erase", b["name"], "--why", "again", exits=1)
    ran("run")
