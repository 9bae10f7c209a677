"""The lab's sipp callers, against an answering machine: they really send the keys they are named after."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.switch.uas import AnsweringMachine

SCENARIOS = Path(__file__).parents[2] / "lab" / "sipp"

pytestmark = pytest.mark.sipp


@pytest.mark.parametrize(("name", "keys"), [("press_1", "1"), ("press_9", "9"), ("press_nothing", "")])
def test_a_caller_presses(tmp_path: Path, name: str, keys: str) -> None:
    machine = AnsweringMachine()
    scenario = (SCENARIOS / f"{name}.xml").read_text()
    quick = tmp_path / f"{name}.xml"
    quick.write_text(scenario.replace('"6000"', '"300"').replace('"18000"', '"1500"').replace('"45000"', '"500"'))
    command = ["sipp", f"127.0.0.1:{machine.port}", "-sf", str(quick), "-s", "5000", "-i", "127.0.0.1", "-m", "1"]
    done = subprocess.run(
        [*command, "-nostdin", "-timeout", "20s"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert machine.keys == keys
    assert machine.methods[0] == "INVITE"
    assert machine.methods[-1] == "BYE"
    assert "INVITE sip:5000@127.0.0.1" in machine.invite
