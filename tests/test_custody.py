"""What becomes of the evidence afterwards: sealed, held, erased when due, every file accounted for."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from datetime import time as clock
from pathlib import Path
from typing import Any

import gevent
import pytest

from consentivr import custody
from consentivr.core.evidence import summarize
from consentivr.core.foreign import is_name
from consentivr.core.retention import RetentionTerms
from consentivr.core.turn import Turn
from consentivr.ledger import CallRef, Entry, Ledger, LedgerError, LedgerWriter, Search
from consentivr.ledger.entry import REGISTER
from consentivr.recordings import Places
from tests.ledgers import NUMBER, UUIDS
from tests.recordings import NOW, QUEUE, unfinished, wav

TERMS = {QUEUE: RetentionTerms(audio_days=90, rows_days=1000)}


def call(
    ledger: Ledger,
    folder: Path,
    number: int,
    days: float,
    *,
    recorded: bool = True,
    queue: str = QUEUE,
    decision: str = "given",
) -> Path:
    """A call that ended so many days ago."""
    at = NOW - timedelta(days=days)
    path = folder / "2026" / "01" / "01" / f"{UUIDS[number]}.wav"
    said = {"decision": decision}
    first = Entry(UUIDS[number], "decision", "support", queue, "permanent_opt_out", said, NUMBER, at)
    rows = [first]
    if recorded:
        path = wav(folder, number, timedelta(days=days))
        for turn in ("recording_started", "recording_stopped"):
            rows.append(Entry(UUIDS[number], turn, "support", queue, "permanent_opt_out", {"path": str(path)}, at=at))
    rows.append(Entry(UUIDS[number], "call_ended", "support", queue, "permanent_opt_out", at=at))
    ledger.append(rows)
    return path


def noted(agent: str, turn: Turn) -> Entry:
    """A row of the register."""
    return Entry(REGISTER, turn.value, "", "", "", {"agent": agent, "queues": []})


def run(ledger: Ledger, folder: Path, *, dry_run: bool = False, terms: dict | None = None) -> custody.Report:
    return custody.Retention(ledger, Places(folder), terms or TERMS, dry_run=dry_run).run()


def turns(ledger: Ledger, number: int) -> list[str]:
    return [row.turn for row in ledger.call(UUIDS[number])]


def test_what_is_due_is_erased_and_nothing_else(ledger: Ledger, folder: Path) -> None:
    young, old = call(ledger, folder, 0, 89), call(ledger, folder, 1, 91)
    ancient, unrecorded = call(ledger, folder, 2, 1001), call(ledger, folder, 3, 1001, recorded=False)
    dry = run(ledger, folder, dry_run=True)
    assert all(path.exists() for path in (young, old, ancient))
    assert ledger.visits(Search(), Turn.AUDIO_ERASED) == []
    report = run(ledger, folder)
    assert replace(dry, dry_run=False, rows_erased=6) == report, "a dry run says what a run does"
    assert sorted(report.audio_erased) == sorted(map(str, [old, ancient]))
    assert sorted(report.calls_erased) == UUIDS[2:4]
    assert report.sealed == [str(young)], "not sealed before, as after a crash"
    assert not report.needs_attention, report
    assert young.exists()
    assert not old.exists()
    assert not ancient.exists()
    assert not unrecorded.exists()
    assert turns(ledger, 0)[-1] == "recording_sealed"
    assert turns(ledger, 1)[-1] == "audio_erased"
    assert turns(ledger, 2) == []
    assert sorted(ledger.channels_of(NUMBER)) == UUIDS[:2]
    again = run(ledger, folder)
    assert again == custody.Report(dry_run=False), "a second run finds nothing to do"


def test_a_hold_keeps_everything_until_it_is_released(ledger: Ledger, folder: Path) -> None:
    path = call(ledger, folder, 0, 1001)
    assert custody.hold(ledger, UUIDS[0], "lawsuit 1")
    assert not custody.hold(ledger, UUIDS[0], "again"), "it is held already"
    report = run(ledger, folder)
    assert (report.held, report.calls_erased, path.exists()) == ([UUIDS[0]], [], True)
    kept = custody.erase_calls(ledger, Places(folder), [UUIDS[0]], "request")
    assert (kept.held, kept.calls, kept.is_complete, path.exists()) == ([UUIDS[0]], 0, False, True)
    assert custody.hold(ledger, UUIDS[0], "over", release=True)
    assert not custody.hold(ledger, "unknown", "x")
    assert run(ledger, folder).calls_erased == [UUIDS[0]]
    assert not path.exists()


@pytest.mark.parametrize("name", ["register", "-"])
def test_what_is_no_call_is_neither_held_nor_erased(ledger: Ledger, folder: Path, name: str) -> None:
    ledger.append([noted("1001@default", Turn.AGENT_AGREED)])
    ledger.append([CallRef("-", None, "", QUEUE, "").row(Turn.QUARANTINED, {"path": "/x"})])
    rows = len(list(ledger.read()))
    with pytest.raises(LedgerError, match=f"'{name}' is no call"):
        custody.hold(ledger, name, "lawsuit 1")
    with pytest.raises(LedgerError, match=f"'{name}' is no call"):
        custody.erase_calls(ledger, Places(folder), [name], "request")
    assert [row.evidence["agent"] for row in ledger.register()] == ["1001@default"]
    assert len(list(ledger.read())) == rows


def test_the_register_forgets_who_took_it_back_with_the_last_call(ledger: Ledger, folder: Path) -> None:
    ledger.append([noted(agent, Turn.AGENT_AGREED) for agent in ("1001@default", "1002@default", "1003@default")])
    call(ledger, folder, 0, 10, recorded=False)
    ledger.append([CallRef(UUIDS[0], None, "support", QUEUE, "").row(Turn.AGENT_ANSWERED, {"agent": "1002@default"})])
    ledger.append([noted(agent, Turn.AGENT_WITHDREW) for agent in ("1001@default", "1002@default")])
    assert run(ledger, folder, dry_run=True).agents_forgotten == ["1001@default"]
    assert run(ledger, folder).agents_forgotten == ["1001@default"]
    assert [row.evidence["agent"] for row in ledger.register()] == ["1002@default", "1003@default"]
    ledger.erase_rows([UUIDS[0]], {"why": "test"})
    assert run(ledger, folder).agents_forgotten == ["1002@default"]
    left = [row.evidence["agent"] for row in ledger.register()]
    assert left == ["1003@default"], "who agreed, and has no call yet, stays"
    assert run(ledger, folder).agents_forgotten == []


def test_a_refusal_goes_earlier_than_a_yes(ledger: Ledger, folder: Path) -> None:
    terms = {QUEUE: RetentionTerms(90, 1000, refusals_days=30)}
    for number, decision in enumerate(("refused", "not_obtained", "given")):
        call(ledger, folder, number, 31, recorded=False, decision=decision)
    call(ledger, folder, 3, 29, recorded=False, decision="refused")
    assert sorted(run(ledger, folder, terms=terms).calls_erased) == UUIDS[:2]
    (receipt,) = ledger.read(Search(turn="rows_erased"))
    assert receipt.evidence["why"] == "retention: 1000 days, refusals 30 days"
    assert run(ledger, folder, terms=terms).calls_erased == []


def test_interrupted_between_file_and_row_it_goes_on(
    ledger: Ledger, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [call(ledger, folder, number, 91) for number in range(5)]
    append = ledger.append

    def killed(batch: list[Entry]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ledger, "append", killed)
    with pytest.raises(KeyboardInterrupt):
        run(ledger, folder)
    assert not any(path.exists() for path in paths), "files first: no file is left without a row that explains it"
    monkeypatch.setattr(ledger, "append", append)
    report = run(ledger, folder)
    assert not report.missing
    assert all(turns(ledger, number)[-1] == "audio_erased" for number in range(5))


def test_a_file_that_no_row_explains_is_put_into_quarantine(ledger: Ledger, folder: Path) -> None:
    explained = call(ledger, folder, 0, 1)
    stray = wav(folder, 1)
    other = folder / "notes.txt"
    other.write_text("who put this here?")
    os.utime(other, (time.time() - 7200,) * 2)
    fresh = wav(folder, 2, timedelta(minutes=1))
    (folder / "link.wav").symlink_to("/etc/hostname")
    dry = run(ledger, folder, dry_run=True)
    assert sorted(dry.quarantined) == sorted(map(str, [stray, other]))
    assert stray.exists()
    report = run(ledger, folder)
    assert report.needs_attention
    assert explained.exists()
    assert fresh.exists(), "it may still be written"
    moved = folder / "quarantine" / stray.relative_to(folder)
    assert moved.exists()
    assert (folder / "quarantine").stat().st_mode & 0o777 == 0o700
    (row,) = ledger.call(UUIDS[1])
    assert (row.turn, row.evidence["to"]) == ("quarantined", str(moved))
    assert row.evidence["sha256"] == hashlib.sha256(moved.read_bytes()).hexdigest()
    assert not run(ledger, folder).quarantined, "what lies there stays there"
    stray_again = wav(folder, 1)
    assert "cannot be quarantined" in run(ledger, folder).failed[0], "nothing in quarantine is overwritten"
    assert stray_again.exists()


def test_a_recording_that_is_gone_without_an_erasure_is_reported(ledger: Ledger, folder: Path) -> None:
    path = call(ledger, folder, 0, 1)
    never = call(ledger, folder, 1, 1)
    never.unlink()
    said = custody.seal(Places(folder), str(never))
    ledger.append([Entry(UUIDS[1], "recording_sealed", "support", QUEUE, "x", said)])
    assert run(ledger, folder).missing == [], "the second one never was: the switch leaves no empty file"
    path.unlink()
    report = run(ledger, folder)
    assert report.missing == [str(path)]
    assert report.needs_attention


def test_a_path_that_leads_elsewhere_is_neither_read_nor_erased(ledger: Ledger, folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "payroll.wav"
    outside.write_bytes(b"x")
    at = NOW - timedelta(days=95)
    rows = [
        Entry(UUIDS[0], turn, "support", QUEUE, "x", {"path": str(outside)}, at=at)
        for turn in ("decision", "recording_started", "recording_stopped")
    ]
    ledger.append(rows)
    report = run(ledger, folder)
    assert outside.exists()
    assert "erase it by hand" in report.failed[0]
    assert custody.seal(Places(folder), str(outside)) == {"path": str(outside), "why": "not below recordings.folder"}


def test_a_queue_that_nobody_knows_is_named(ledger: Ledger, folder: Path) -> None:
    call(ledger, folder, 0, 5000, queue="old@default")
    report = run(ledger, folder)
    assert "queue old@default is in the ledger, and in no configuration" in report.failed[0]
    assert turns(ledger, 0)


def test_without_terms_everything_is_kept(ledger: Ledger, folder: Path) -> None:
    path = call(ledger, folder, 0, 30_000)
    assert not run(ledger, folder, terms={QUEUE: RetentionTerms()}).calls_erased
    assert path.exists()


def test_many_calls(ledger: Ledger, folder: Path) -> None:
    """More than fit into one portion."""
    ledger.append(
        [
            Entry(UUIDS[n], "decision", "s", QUEUE, "m", {"decision": "refused"}, NUMBER, NOW - timedelta(days=1200))
            for n in range(1200)
        ]
    )
    assert run(ledger, folder).rows_erased == 1200
    assert len(list(ledger.read(Search(turn="rows_erased")))) == 3


def test_a_person_is_forgotten_with_the_audio(ledger: Ledger, folder: Path) -> None:
    path = call(ledger, folder, 0, 1)
    other = call(ledger, folder, 1, 1)
    audio = custody.erase_calls(ledger, Places(folder), [UUIDS[0]], "request")
    assert (audio.calls, audio.recordings, audio.gone, audio.is_complete) == (1, 1, 0, True)
    assert not path.exists()
    assert other.exists()
    forgotten = summarize(ledger.call(UUIDS[0]))
    assert (forgotten.caller_id_number, forgotten.audio, forgotten.decision) == (None, (), "given")


def test_nothing_keeps_a_person_from_being_forgotten(ledger: Ledger, folder: Path, tmp_path: Path) -> None:
    """One held call, one path elsewhere, a folder that was moved: each is named, and keeps nothing else."""
    held, moved, plain = call(ledger, folder, 0, 1), call(ledger, folder, 1, 1), call(ledger, folder, 2, 1)
    foreign = tmp_path / "foreign.wav"
    foreign.write_bytes(b"RIFF")
    ledger.append([CallRef(UUIDS[2], None, "s", QUEUE, "m").row(Turn.FORBIDDEN_RECORDING, {"path": str(foreign)})])
    custody.hold(ledger, UUIDS[0], "lawsuit")
    renamed = tmp_path / "renamed"
    folder.rename(renamed)
    done = custody.erase_calls(ledger, Places(folder), UUIDS[:3], "request")
    assert ledger.channels_of(NUMBER) == [UUIDS[0]], "the number goes first, but for what is held"
    assert (done.held, done.recordings) == ([UUIDS[0]], 0)
    assert done.left == {
        UUIDS[1]: {str(moved): f"the folder {folder} is not there"},
        UUIDS[2]: {
            str(plain): f"the folder {folder} is not there",
            str(foreign): "it is in no folder that consentivr may touch: erase it by hand",
        },
    }
    places = Places(renamed, former=(folder,))
    done = custody.erase_calls(ledger, places, UUIDS[1:3], "request", said_gone=[str(foreign)])
    assert (done.recordings, done.left) == (2, {UUIDS[2]: {str(foreign): "it is there"}})
    foreign.unlink()
    done = custody.erase_calls(ledger, places, UUIDS[1:3], "request", said_gone=[str(foreign)])
    assert (done.gone, done.is_complete) == (1, True)
    assert [turn for turn in turns(ledger, 2) if "eras" in turn] == ["erasure", "recording_erased", "audio_erased"]
    assert custody.hold(ledger, UUIDS[0], "over", release=True)
    assert custody.erase_calls(ledger, places, [UUIDS[0]], "request").is_complete
    assert ledger.channels_of(NUMBER) == []
    assert [path.name for path in renamed.rglob("*.wav")] == [], held


@pytest.mark.parametrize("killed_at", ["number", "file", "row"])
def test_an_erasure_that_was_killed_goes_on(
    ledger: Ledger, folder: Path, monkeypatch: pytest.MonkeyPatch, killed_at: str
) -> None:
    path = call(ledger, folder, 0, 1)

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        if killed_at == "number":
            patched.setattr("consentivr.custody.rights.erase_files", killed)
        elif killed_at == "file":
            patched.setattr(Path, "unlink", killed)
        else:
            patched.setattr(ledger, "append", killed)
        custody.erase_calls(ledger, Places(folder), [UUIDS[0]], "request")
    assert ledger.channels_of(NUMBER) == []
    assert path.exists() is (killed_at != "row")
    report = custody.Retention(ledger, Places(folder), {QUEUE: RetentionTerms()}).run()
    assert (report.audio_erased, report.needs_attention, path.exists()) == ([str(path)], False, False)
    assert turns(ledger, 0)[-2:] == ["erasure", "audio_erased"]
    again = custody.Retention(ledger, Places(folder), {QUEUE: RetentionTerms()}).run()
    assert again == custody.Report(dry_run=False)


def test_recordings_that_were_moved_are_known_where_they_are(ledger: Ledger, folder: Path, tmp_path: Path) -> None:
    path = call(ledger, folder, 0, 1)
    folder.rename(tmp_path / "new")
    report = custody.Retention(ledger, Places(tmp_path / "new", former=(folder,)), TERMS).run()
    assert (report.sealed, report.quarantined, report.missing) == ([str(path)], [], [])


def test_p5_what_was_left_by_a_kill_is_removed(ledger: Ledger, folder: Path, tmp_path: Path) -> None:
    """Between the row of a forbidden recording and its erasure nothing is lost but time."""
    young, old, foreign, gone = (folder / "young.wav", folder / "old.wav", tmp_path / "x.wav", tmp_path / "gone.wav")
    about = CallRef(UUIDS[0], UUIDS[9], "s", QUEUE, "m")
    ledger.append([about.row(Turn.ARRIVED, {})])
    for path in (young, old, foreign):
        path.write_bytes(b"RIFF")
    os.utime(old, (1, 1))
    paths = list(map(str, (young, old, foreign, gone)))
    ledger.append([about.row(Turn.FORBIDDEN_RECORDING, {"path": path}) for path in paths])
    assert run(ledger, folder).audio_erased == [], "the visit is not over: its watch does it"
    ledger.append([about.row(Turn.CALL_ENDED, {})])
    dry = run(ledger, folder, dry_run=True)
    report = run(ledger, folder)
    assert replace(dry, dry_run=False) == report
    assert (report.audio_erased, report.quarantined) == ([str(young), str(gone)], [str(old)])
    assert [said for said in report.failed if str(foreign) in said and "by hand" in said]
    assert [foreign] == [path for path in (young, old, foreign) if path.exists()]
    rows = [(row.turn, row.evidence["path"], row.evidence.get("gone")) for row in ledger.call(UUIDS[9])[-3:]]
    assert [(turn, "gone with its file" if is_name(path) else path, gone) for turn, path, gone in rows] == [
        ("recording_erased", "gone with its file", None),
        ("quarantined", str(old), None),
        ("recording_erased", "gone with its file", True),
    ]
    assert len(run(ledger, folder).failed) == 1, "what is elsewhere is named until it is gone"


# --- sealing ---------------------------------------------------------------------------------


def test_a_recording_is_sealed_when_it_ends(location: str | Path, folder: Path) -> None:
    writer = LedgerWriter(location)
    writer.start()
    sealer = custody.Sealer(Places(folder), writer)
    path = wav(folder, 0)
    sealer.seal(CallRef(UUIDS[0], None, "support", QUEUE, "x"), str(path))
    sealer.seal(CallRef(UUIDS[1], None, "support", QUEUE, "x"), str(folder / "none.wav"))
    nonsense = folder / "nonsense.wav"
    nonsense.write_text("no sound")
    sealer.seal(CallRef(UUIDS[2], None, "support", QUEUE, "x"), str(nonsense))
    sealer.stop()
    writer.stop()
    ledger = Ledger(location)
    said = {row.channel_uuid: row.evidence for row in ledger.read()}
    ledger.close()
    assert said[UUIDS[0]]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert {"channels": 2, "rate": 8000, "duration_ms": 1000}.items() <= said[UUIDS[0]].items()
    assert said[UUIDS[1]]["why"] == "No such file or directory"
    assert "holds no sound" in said[UUIDS[2]]["why"]


def sealed(
    location: str | Path, folder: Path, do: Callable[[custody.Sealer], None]
) -> list[tuple[str, dict[str, Any]]]:
    """The rows that a sealer writes."""
    writer = LedgerWriter(location)
    writer.start()
    sealer = custody.Sealer(Places(folder, others=(folder.parent / "others",)), writer)
    do(sealer)
    sealer.stop()
    writer.stop()
    ledger = Ledger(location)
    rows = [(row.turn, dict(row.evidence)) for row in ledger.read()]
    ledger.close()
    return rows


ABOUT = CallRef(UUIDS[0], UUIDS[0], "support", QUEUE, "permanent_opt_out")


def test_p8_a_seal_does_not_hide_that_the_file_was_repaired(location: str | Path, folder: Path) -> None:
    broken, whole_one = folder / f"{UUIDS[0]}.wav", wav(folder, 1)
    broken.write_bytes(unfinished())
    rows = sealed(location, folder, lambda sealer: [sealer.seal(ABOUT, str(path)) for path in (broken, whole_one)])
    assert [(turn, said["path"]) for turn, said in rows] == [
        ("recording_repaired", str(broken)),
        ("recording_sealed", str(broken)),
        ("recording_sealed", str(whole_one)),
    ]
    assert all("sha256" in said for turn, said in rows if turn == "recording_sealed")


def test_p5_what_must_not_be_is_erased_and_what_may_be_evidence_is_put_away(location: str | Path, folder: Path) -> None:
    """Only what the visit of the incident can have made: younger than it, and of no visit by its name."""
    others = folder.parent / "others"
    others.mkdir()
    of_another, young, theirs, old, of_nobody = (
        wav(folder, 3),
        folder / "forbidden.wav",
        others / "forbidden.wav",
        folder / "old.wav",
        folder.parent / "elsewhere.wav",
    )
    for path in (young, theirs, old, of_nobody):
        path.write_bytes(b"RIFF")
    os.utime(old, (1, 1))
    now = time.time() - 60
    paths = [str(path) for path in (of_another, young, theirs, old, of_nobody, folder / "gone.wav")]
    rows = sealed(location, folder, lambda sealer: sealer.erase(ABOUT, paths, "not permitted", ours=False, since=now))
    assert [(turn, "gone with its file" if is_name(said["path"]) else said["path"]) for turn, said in rows] == [
        ("quarantined", str(of_another)),
        ("recording_erased", "gone with its file"),
        ("recording_erased", "gone with its file"),
        ("quarantined", str(old)),
    ]
    assert of_nobody.exists(), "a path that the switch names is no licence"
    assert not any(path.exists() for path in (of_another, young, theirs, old))
    assert len(list((folder / "quarantine").rglob("*.wav"))) == 2


def test_what_is_ours_is_erased_whatever_its_age(location: str | Path, folder: Path) -> None:
    mine = wav(folder, 0)
    rows = sealed(location, folder, lambda sealer: sealer.erase(ABOUT, [str(mine)], "consent withdrawn", ours=True))
    assert [turn for turn, _ in rows] == ["recording_erased"]
    assert not mine.exists()


def test_a_full_memory_costs_a_seal_and_no_call(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentivr.ledger.writer.MAX_PENDING", 0)
    writer = LedgerWriter(folder / "ledger")
    sealer = custody.Sealer(Places(folder), writer)
    sealer.seal(CallRef(UUIDS[0], None, "s", QUEUE, "x"), str(wav(folder, 0)))
    sealer.stop()
    assert writer.pending == 0


# --- every day -------------------------------------------------------------------------------


def test_the_time_of_day(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int] = []

    def once() -> custody.Report:
        ran.append(1)
        if len(ran) == 1:
            raise OSError("the disk is gone")
        return custody.Report(dry_run=False, missing=["x"] if len(ran) == 2 else [])

    daily = custody.DailyRetention(clock(3, 30), once)
    noon = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)
    assert daily.seconds_until_next(noon) == 15.5 * 3600
    assert daily.seconds_until_next(noon.replace(hour=3, minute=30)) == 24 * 3600
    assert daily.seconds_until_next(noon.replace(hour=3, minute=29)) == 60
    monkeypatch.setattr(daily, "seconds_until_next", lambda now: 0.01)
    daily.start()
    for _ in range(200):
        if len(ran) >= 3:
            break
        gevent.sleep(0.01)
    daily.stop()
    assert len(ran) >= 3, "an error one day is no reason to stop"
    json.dumps(custody.Report(dry_run=False).__dict__)


def test_what_is_on_hold_is_not_erased_in_the_middle_of_a_call(tmp_path: Path) -> None:
    """GDPR art. 17(3)(e): also where the caller took the yes back; retention erases it once the hold is released."""
    file = tmp_path / "held.wav"
    file.write_bytes(b"RIFF")
    writer = LedgerWriter(tmp_path / "ledger.sqlite3")
    writer.start()
    sealer = custody.Sealer(Places(tmp_path), writer)
    about = CallRef("c" * 8 + "-0000-0000-0000-000000000001", "d" * 8 + "-0000-0000-0000-000000000001", "l", "q", "off")
    for turn in (Turn.DECISION, Turn.HOLD):
        writer.note(about.row(turn, {"decision": "given"}))
    writer.settle(2)
    sealer.erase(about, [str(file)], "consent withdrawn", ours=True)
    sealer.stop()
    writer.stop()
    assert file.exists()
