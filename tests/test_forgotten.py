"""One caller with all that was ever in the way of an erasure, killed at every step: nothing is left of the number."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from consentivr import custody
from consentivr.core.retention import RetentionTerms
from consentivr.core.turn import Turn
from consentivr.ledger import CallRef, Ledger, Verifier
from consentivr.ledger.schema import metadata
from consentivr.ledger.verification import verify_ledger
from consentivr.recordings import Places
from tests.ledgers import NUMBER, UUIDS

QUEUE = "support@default"

ERASE = """
import os, signal, sys
from pathlib import Path
from consentivr import custody
from consentivr.ledger import Ledger
from consentivr.recordings import Places

location, steps, new, old, others, *channels = sys.argv[1:]
left = [int(steps)]

def dying(function):
    def step(*args, **kwargs):
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return step

book = Ledger(location, patience_s=5.0)
Path.unlink, book.append, book.erase_people = dying(Path.unlink), dying(book.append), dying(book.erase_people)
done = custody.erase_calls(book, Places(Path(new), (Path(old),), (Path(others),)), channels, "request")
book.overwrite_freed()
sys.exit(0 if done.is_complete else 1)
"""


def house(location: str | Path, folder: Path) -> tuple[Places, list[str]]:
    """Calls of one caller: one on hold, one of a folder that was moved, one that another recorder heard, and strays."""
    old, new, others = folder / "old", folder / "new", folder / "others"
    for made in (old, others):
        made.mkdir()
    ledger = Ledger(location)
    for number in range(3):
        about = CallRef(UUIDS[number], UUIDS[number + 3], "support", QUEUE, "permanent_opt_out")
        path = old / f"{UUIDS[number + 3]}.wav"
        path.write_bytes(b"RIFF")
        rows = [
            about.row(Turn.DECISION, {"decision": "given"}, caller_id_number=NUMBER),
            about.row(Turn.RECORDING_STARTED, {"path": str(path)}),
            about.row(Turn.CALL_ENDED, {}),
        ]
        ledger.append(rows)
    custody.hold(ledger, UUIDS[3], "lawsuit")
    old.rename(new)
    stray = new / f"{NUMBER}-lost.wav"
    stray.write_bytes(b"RIFF")
    os.utime(stray, (1, 1))
    places = Places(new, (old,), (others,))
    custody.Retention(ledger, places, {QUEUE: RetentionTerms()}).run()
    foreign = others / f"{NUMBER}-monitor.wav"
    foreign.write_bytes(b"RIFF")
    ledger.append([about.row(Turn.FORBIDDEN_RECORDING, {"path": str(foreign)})])
    assert [one.was for one in custody.quarantined(ledger, places)] == [str(stray)]
    ledger.close()
    return places, UUIDS[:3]


def erase(location: str | Path, places: Places, channels: list[str], steps: int) -> int:
    folders = [str(places.folder), str(places.former[0]), str(places.others[0])]
    command = [sys.executable, "-c", ERASE, str(location), str(steps), *folders, *channels]
    return subprocess.run(command, check=False).returncode


def grep(location: str | Path, folder: Path) -> list[str]:
    """Where the number still is: names and contents of files, and every table."""
    digits = NUMBER.lstrip("+").encode()
    found = [str(path) for path in folder.rglob("*") if digits in os.fsencode(path.name)]
    found += [str(path) for path in folder.rglob("*") if path.is_file() and digits in path.read_bytes()]
    ledger = Ledger(location)
    with ledger.reading() as connection:
        for table in metadata.sorted_tables:
            found += [table.name for row in connection.execute(sa.select(table)) if digits.decode() in str(tuple(row))]
    ledger.close()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("steps", [*range(8), 100])
def test_killed_at_every_step(location: str | Path, tmp_path: Path, steps: int) -> None:
    places, channels = house(location, tmp_path)
    assert grep(location, tmp_path)
    first = erase(location, places, channels, steps)
    assert first == (1 if steps == 100 else -signal.SIGKILL), "the held call is left, or it was killed"
    ledger = Ledger(location)
    assert len(ledger.channels_of(NUMBER)) == (3 if steps == 0 else 1), "the number goes first; the held call keeps it"
    assert custody.hold(ledger, UUIDS[3], "over", release=True)
    ledger.close()
    assert erase(location, places, channels, 100) == 0
    assert grep(location, tmp_path) == []
    ledger = Ledger(location)
    assert verify_ledger(ledger, Verifier([])).findings == []
    assert [turn for turn in (row.turn for row in ledger.read()) if turn == Turn.ERASURE] == ["erasure"] * 3
    ledger.close()
