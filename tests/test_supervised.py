"""What systemd is told: ready, reloading, stopping, and that the hub turns."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest
from structlog.testing import capture_logs

from consentivr.service.supervised import Supervised
from tests.systemd import Systemd


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "notify") if request.param == "path" else f"@consentivr-{os.getpid()}"


@pytest.fixture
def systemd(address: str) -> Iterator[Systemd]:
    made = Systemd(address)
    yield made
    made.close()


def test_it_is_told_and_nobody_else_can_speak_for_us(systemd: Systemd, address: str) -> None:
    environment = {"NOTIFY_SOCKET": address, "HOME": "/"}
    supervised = Supervised(environment)
    assert environment == {"HOME": "/"}
    assert supervised.watchdog_s is None
    supervised.ready()
    supervised.reloading()
    supervised.stopping()
    ready, reloading, stopping = systemd.heard()
    assert (ready, stopping) == ("READY=1", "STOPPING=1")
    first, second = reloading.splitlines()
    assert first == "RELOADING=1"
    assert abs(int(second.removeprefix("MONOTONIC_USEC=")) / 1e6 - time.monotonic()) < 5
    supervised.beat(lambda: "well")
    gevent.sleep(0.05)
    assert systemd.heard() == [], "nobody listens"


def test_a_hub_that_hangs_does_not_beat(systemd: Systemd, address: str) -> None:
    supervised = Supervised({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "150000", "WATCHDOG_PID": str(os.getpid())})
    assert supervised.watchdog_s == 0.15
    supervised.beat(lambda: "3 asked")
    gevent.sleep(0.3)
    beats = systemd.heard()
    assert len(beats) >= 3
    assert set(beats) == {"WATCHDOG=1\nSTATUS=3 asked"}
    time.sleep(0.3)  # the hub
    assert systemd.heard() == []
    gevent.sleep(0.1)
    assert systemd.heard(), "it turns again"


def test_another_process_is_watched() -> None:
    assert Supervised({"WATCHDOG_USEC": "150000", "WATCHDOG_PID": "1"}).watchdog_s is None


def test_nobody_listens(tmp_path: Path) -> None:
    with capture_logs() as log:
        Supervised({}).ready()
        Supervised({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()
    assert [line["event"] for line in log] == ["systemd is not told"]
