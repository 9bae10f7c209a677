"""Recordings that a dying switch left: completed when they are what we know, and left alone when they are not."""

from __future__ import annotations

import os
import struct
import time
import wave
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import soundfile

from consentivr import custody
from consentivr.core.evidence import summarize
from consentivr.core.retention import RetentionTerms
from consentivr.core.turn import Turn
from consentivr.ledger import CallRef, Ledger
from consentivr.recordings import Places, fingerprint, is_unfinished, repair, visit_of
from tests.ledgers import UUIDS, whole
from tests.recordings import BLOCK, NOW, QUEUE, unfinished


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [8000, 16000, 48000])
@pytest.mark.parametrize(("riff", "data"), [(8, 0), (0, 0), (0xFFFFFFFF, 0xFFFFFFFF), (36, 0), (236, 200)])
@pytest.mark.parametrize("blocks", [0, 1, 3])
def test_sizes_are_completed(tmp_path: Path, channels: int, rate: int, riff: int, data: int, blocks: int) -> None:
    file = tmp_path / "a.wav"
    sound = blocks * BLOCK + 3  # and a part of a frame
    file.write_bytes(unfinished(channels, rate, sound, riff=riff, data=min(data, sound) if data == 200 else data))
    file.chmod(0o640)
    before = file.stat()
    if blocks == 0 and data == 200:
        pytest.skip("a header that says more than there is")
    assert is_unfinished(file)
    assert repair(file)
    assert not is_unfinished(file)
    assert not repair(file), "once is enough"
    with wave.open(str(file)) as read:
        frames = sound // (2 * channels)
        assert (read.getnframes(), read.getnchannels(), read.getframerate()) == (frames, channels, rate)
    assert fingerprint(file).duration_ms == frames * 1000 // rate
    assert file.read_bytes()[44:] == unfinished(channels, rate, sound)[44 : 44 + frames * 2 * channels]
    assert (file.stat().st_ino, file.stat().st_mode) == (before.st_ino, before.st_mode)


@pytest.mark.parametrize("written", ["riff", "data"])
def test_what_was_interrupted_between_the_sizes_is_repaired_again(tmp_path: Path, written: str) -> None:
    file = tmp_path / "a.wav"
    done = {"riff": BLOCK + 36} if written == "riff" else {"data": BLOCK}
    file.write_bytes(unfinished(**done))
    assert repair(file)
    assert fingerprint(file).duration_ms == BLOCK * 1000 // 32000


def test_texts_before_the_sound(tmp_path: Path) -> None:
    text = struct.pack("<4sI", b"LIST", 26) + b"INFOISFT" + struct.pack("<I", 14) + b"libsndfile-1.2"
    file = tmp_path / "a.wav"
    file.write_bytes(unfinished(before=text))
    assert repair(file)
    assert soundfile.info(str(file)).frames == BLOCK // 4


def finished(tmp_path: Path, how: str) -> bytes:
    file = tmp_path / "whole.wav"
    with soundfile.SoundFile(file, "w", 8000, 2, "PCM_16") as sound:
        if how == "with texts":
            sound.title = "a"
        sound.buffer_write(bytes(range(200)), dtype="int16")
        if how == "with texts":
            sound.comment = "b" * 21
    return file.read_bytes()


LEFT_ALONE = {
    "finished": lambda folder: finished(folder, ""),
    "finished, with texts": lambda folder: finished(folder, "with texts"),
    "finished, cut by someone": lambda folder: finished(folder, "")[:-8],
    "finished, empty": lambda folder: unfinished(sound=0, riff=36),
    "8 bits": lambda folder: unfinished()[:34] + b"\x08" + unfinished()[35:],
    "three channels": lambda folder: unfinished(channels=3),
    "rates that contradict each other": lambda folder: unfinished()[:28] + b"\x01" + unfinished()[29:],
    "A-law": lambda folder: unfinished()[:20] + b"\x06" + unfinished()[21:],
    "a part that we do not know": lambda folder: unfinished(before=struct.pack("<4sI", b"bext", 2) + b"ab"),
    "something after the sound": lambda folder: unfinished(riff=BLOCK + 36, data=200),
    "no sound yet": lambda folder: unfinished()[:40],
    "no header yet": lambda folder: unfinished()[:20],
    "nothing": lambda folder: b"",
    "no WAV": lambda folder: b"payroll" * 100,
    "another container": lambda folder: b"RIFX" + unfinished()[4:],
}


@pytest.mark.parametrize("what", LEFT_ALONE)
def test_what_we_do_not_know_is_left_alone(tmp_path: Path, what: str) -> None:
    file = tmp_path / "a.wav"
    file.write_bytes(LEFT_ALONE[what](tmp_path))
    before = file.read_bytes()
    assert not is_unfinished(file)
    assert not repair(file)
    assert file.read_bytes() == before


def test_more_than_a_wav_can_say_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.wav"
    file.write_bytes(unfinished())
    os.truncate(file, 0xFFFFFFFF + 1)
    assert not repair(file)
    with pytest.raises(OSError, match="No such file"):
        repair(tmp_path / "none.wav")


def test_retention_repairs_before_it_seals(location: str | Path, tmp_path: Path) -> None:
    """The switch died: no recorder was seen to stop. One file may still be written."""
    ledger = Ledger(location)
    folder = tmp_path / "recordings"
    folder.mkdir()
    files = [folder / f"{UUIDS[number]}.wav" for number in range(3)]
    for number, file in enumerate(files):
        about = CallRef(f"{UUIDS[10 + number]}", UUIDS[number], "support", QUEUE, "caller_opt_in")
        file.write_bytes(unfinished())
        hours = 0 if number == 1 else 2
        os.utime(file, (time.time() - hours * 3600,) * 2)
        rows = [about.row(Turn.DECISION, {"decision": "given"}), about.row(Turn.RECORDING_STARTED, {"path": str(file)})]
        if number == 2:  # 0.1.0 saw the end, and could not seal it
            said = {"path": str(file), "why": "never finished"}
            rows += [about.row(Turn.RECORDING_STOPPED, {"path": str(file)}), about.row(Turn.RECORDING_SEALED, said)]
        ledger.append([replace(row, at=NOW - timedelta(hours=2)) for row in rows])
    dry = custody.Retention(ledger, Places(folder), {QUEUE: RetentionTerms()}, dry_run=True).run()
    assert all(is_unfinished(file) for file in files)
    report = custody.Retention(ledger, Places(folder), {QUEUE: RetentionTerms()}).run()
    assert replace(dry, dry_run=False) == report
    assert report.repaired == report.sealed == [str(files[0]), str(files[2])]
    assert not report.needs_attention
    assert is_unfinished(files[1]), "it may still be written"
    for number in (0, 2):
        (recording,) = summarize(ledger.call(UUIDS[number])).recordings
        assert recording.repaired
        assert recording.sha256 == fingerprint(files[number]).sha256
        assert [row.turn for row in ledger.call(UUIDS[number])][-2:] == ["recording_repaired", "recording_sealed"]
    again = custody.Retention(ledger, Places(folder), {QUEUE: RetentionTerms()}).run()
    assert again == custody.Report(dry_run=False)
    ledger.close()
    whole(location)


@pytest.mark.parametrize(
    ("stem", "visit"),
    [
        (UUIDS[0], UUIDS[0]),
        (f"{UUIDS[0]}-2", UUIDS[0]),
        (f"{UUIDS[0]}-1767225600", UUIDS[0]),
        (f"{UUIDS[0]}-x", None),
        (f"{UUIDS[0]}2", None),
        ("notes", None),
        ("", None),
    ],
)
def test_whose_a_file_is(stem: str, visit: str | None) -> None:
    assert visit_of(stem) == visit
