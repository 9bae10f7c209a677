"""The administrator's command: told of every incident, and never run so often that it harms the calls."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import gevent
import pytest
from structlog.testing import capture_logs

from consentivr.core.turn import Turn
from consentivr.ledger import CallRef
from consentivr.watch import Alarm
from consentivr.watch.alarm import TOGETHER, WAITING_AT_MOST, WORKERS
from tests.waiting import until

ABOUT = CallRef("26c9d23f-fed1-4cfe-b05e-66ccabca7936", "visit", "support", "support@default", "permanent_opt_out")

COMMAND = """
import pathlib, sys, time, uuid
folder, seconds = pathlib.Path(sys.argv[1]), float(sys.argv[2])
running = folder / f"{uuid.uuid4()}.running"
running.touch()
said = sys.stdin.read()
time.sleep(seconds)
running.rename(running.with_suffix(".told"))
running.with_suffix(".told").write_text(said)
sys.exit(int(sys.argv[3]))
"""


def command(folder: Path, seconds: float = 0, code: int = 0) -> list[str]:
    return [sys.executable, "-S", "-c", COMMAND, str(folder), str(seconds), str(code)]


def told(folder: Path) -> list[list[dict]]:
    """Of each process the incidents."""
    files = sorted(folder.glob("*.told"), key=lambda path: path.stat().st_mtime)
    return [[json.loads(line) for line in file.read_text().splitlines()] for file in files]


def burst(alarm: Alarm, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        alarm.raise_(ABOUT, Turn.FORBIDDEN_RECORDING, {"number": number})


def test_one_incident_is_one_line(tmp_path: Path) -> None:
    alarm = Alarm(command(tmp_path))
    burst(alarm, 1)
    until(lambda: told(tmp_path))
    alarm.stop(5)
    assert told(tmp_path) == [
        [
            {
                "incident": "forbidden_recording",
                "channel_uuid": ABOUT.channel_uuid,
                "visit": "visit",
                "line": "support",
                "queue": "support@default",
                "number": 0,
            }
        ]
    ]


def test_a_burst_is_gathered(tmp_path: Path) -> None:
    alarm = Alarm(command(tmp_path))
    burst(alarm, 150)
    until(lambda: sum(map(len, told(tmp_path))) == 150)
    alarm.stop(5)
    assert len(told(tmp_path)) == 2
    assert {len(each) for each in told(tmp_path)} == {TOGETHER, 150 - TOGETHER}
    assert sorted(one["number"] for each in told(tmp_path) for one in each) == list(range(150))
    assert alarm.incidents == 150
    assert alarm.untold == 0


def test_slow_ones_are_few_and_what_cannot_wait_is_counted(tmp_path: Path) -> None:
    alarm = Alarm(command(tmp_path, seconds=1))
    most = 0
    with capture_logs() as log:
        burst(alarm, WAITING_AT_MOST + 70)
        while alarm._waiting or alarm._busy:
            most = max(most, len(list(tmp_path.glob("*.running"))))
            gevent.sleep(0.05)
    alarm.stop(5)
    lines = [one for each in told(tmp_path) for one in each]
    assert most == WORKERS
    assert len([line for line in lines if "number" in line]) == WAITING_AT_MOST
    assert [line for line in lines if "number" not in line] == [{"incident": "left_out", "count": 70}]
    assert alarm.untold == 70
    assert "watch.command is too slow" in str(log)


@pytest.mark.parametrize("how", ["is not there", "fails", "hangs"])
def test_a_command_that_does_not_tell(tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentivr.watch.alarm.COMMAND_SECONDS", 1.0)
    words = {"is not there": ["/nowhere/x"], "fails": command(tmp_path, code=3), "hangs": command(tmp_path, 60)}[how]
    alarm = Alarm(words)
    with capture_logs() as log:
        burst(alarm, 3)
        until(lambda: alarm.untold == 3)
    (said,) = [line for line in log if line["event"] == "watch.command failed"]
    assert said["incidents"] == 3
    if how == "hangs":
        assert said["why"] == "no end after 1 s"
    burst(alarm, 1)
    until(lambda: alarm.untold == 4)
    alarm.stop(1)


def test_at_the_end_what_waits_is_told(tmp_path: Path) -> None:
    alarm = Alarm(command(tmp_path))
    burst(alarm, 2)
    alarm.stop(10)
    assert [len(each) for each in told(tmp_path)] == [2]


def test_without_a_command_it_is_counted(tmp_path: Path) -> None:
    alarm = Alarm(None)
    with capture_logs() as log:
        burst(alarm, 2)
    alarm.stop(1)
    assert (alarm.incidents, alarm.untold, len(log)) == (2, 0, 2)
