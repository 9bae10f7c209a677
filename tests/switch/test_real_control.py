"""Recording under control on a real FreeSWITCH: withdrawal, pause by the agent's keys, the guard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import numpy as np
import pytest
import soundfile
import yaml

from consentivr.config import Configuration
from tests.switch.test_real_switch import Lab, eventually

pytestmark = pytest.mark.freeswitch


@pytest.fixture
def lab(configure: Callable[..., Configuration], tmp_path: Path) -> Iterator[Lab]:
    """With a guard on the switch's own event socket, and keys for the agents."""
    made = Lab(configure(recording=", erase_withdrawn: true"), tmp_path)
    secret = tmp_path / "password"
    secret.write_text(made.switch.password)
    secret.chmod(0o600)
    data = yaml.safe_load(made.yaml.read_text())
    data["guard"] = {
        "address": f"127.0.0.1:{made.switch.event_socket_port}",
        "password_file": str(secret),
        "erase_below": [str(tmp_path / "elsewhere")],
    }
    data["agents"] |= {"keys": {"pause": "*3", "resume": "*4"}}
    made.yaml.write_text(yaml.safe_dump(data))
    with made.switch:
        made.serve()
        eventually(lambda: "guard watches" in (tmp_path / "serve.log").read_text())
        yield made
        made.end()


def press_star(lab: Lab, leg: str, key: str) -> None:
    for digit in ("*", key):
        lab.switch.api(f"uuid_recv_dtmf {leg} {digit}")
        gevent.sleep(0.2)


def test_p6_a_withdrawal_stops_and_erases(lab: Lab) -> None:
    far_end, number = lab.call()
    lab.press(far_end, number, "1")
    leg = lab.talking(number)
    gevent.sleep(1)
    assert lab.switch.recorders(leg)
    press_star(lab, leg, "9")
    eventually(lambda: not lab.switch.recorders(leg), 2)
    gevent.sleep(1)
    lab.hang_up(far_end)
    rows = lab.whole_rows(number)
    assert "withdrawn" in rows
    eventually(lambda: lab.files == [])


def test_the_agent_pauses(lab: Lab) -> None:
    far_end, number = lab.call()
    lab.press(far_end, number, "1")
    leg = lab.talking(number)
    agent = lab.switch.api(f"uuid_getvar {leg} cc_agent_uuid")
    gevent.sleep(2)
    press_star(lab, agent, "3")
    gevent.sleep(2)
    press_star(lab, agent, "4")
    gevent.sleep(2)
    lab.hang_up(far_end)
    rows = lab.whole_rows(number)
    assert rows["recording_paused"].evidence["by"] == "keys"
    samples, rate = soundfile.read(str(lab.files[0]))
    silent = np.abs(samples).max(axis=1) == 0
    assert 1.5 * rate < silent[int(1.5 * rate) : int(6 * rate)].sum() < 3.5 * rate


@pytest.mark.parametrize("which", ["caller", "agent"])
def test_p5_a_forbidden_recording_is_stopped_and_erased(lab: Lab, tmp_path: Path, which: str) -> None:
    far_end, number = lab.call()
    lab.press(far_end, number, "9")
    leg = lab.talking(number)
    target = leg if which == "caller" else lab.switch.api(f"uuid_getvar {leg} cc_agent_uuid")
    (tmp_path / "elsewhere").mkdir()
    file = tmp_path / "elsewhere" / "hostile.wav"
    lab.switch.api(f"uuid_record {target} start {file}")
    eventually(lambda: not lab.switch.recorders(target), 1)
    gevent.sleep(1.5)
    assert not file.exists()
    lab.hang_up(far_end)
    assert lab.whole_rows(number)["forbidden_recording"].evidence["leg"] == which
