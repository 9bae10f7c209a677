"""Killed with -9 at random moments, on a full disk, without write access: P1-P4 hold, and the chain verifies."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import gevent.pool
import gevent.socket
import pytest

from consentivr.config import Configuration
from consentivr.core import chain
from consentivr.lab.caller import Caller
from consentivr.lab.laboratory import Laboratory
from consentivr.ledger import Ledger
from tests.esl.peers import OK, event
from tests.served import Served

ROUNDS = 12
CALLERS = 40
YES = Caller(keys={1: ("1", 1200)})


def agree(address: tuple[str, int], channel: str) -> bool:
    """A caller who agrees at once; whether the switch was told to record."""
    heard = b""
    with contextlib.suppress(OSError), gevent.socket.create_connection(address, timeout=5) as sock:
        sock.sendall(
            f"Unique-ID: {channel}\nCaller-Destination-Number: 5000\nCaller-Caller-ID-Number: %2B493023125000\n"
            "Content-Type: command/reply\nReply-Text: %2BOK%0A\n\n".encode()
        )
        while b"play_and_get_digits" not in heard:
            heard += sock.recv(65536) or b"play_and_get_digits"
        asked = re.search(rb"play_and_get_digits\nexecute-app-arg: .*\nEvent-UUID: (\S+)", heard)
        if asked is None:
            return False
        sock.sendall(OK * (heard.count(b"\n\n") - 1))
        headers = {"Unique-ID": channel, "Application-UUID": asked[1].decode(), "Answer-State": "answered"}
        headers |= {"variable_read_result": "success", "variable_consent_key_1": "1"}
        sock.sendall(event("CHANNEL_EXECUTE_COMPLETE", **headers))
        heard = b""
        while data := sock.recv(65536):
            heard += data
            if b"callcenter" in heard:
                break
    return b"record_session" in heard


def test_p1_killed_at_random_moments(configure: Callable[..., Configuration], tmp_path: Path) -> None:
    served = Served(configure(), tmp_path)
    chance = random.Random(20261123)
    told_to_record: set[str] = set()
    try:
        for _ in range(ROUNDS):
            pool = gevent.pool.Pool(CALLERS)

            def call() -> None:
                while True:
                    channel = str(uuid.uuid4())
                    if agree(("127.0.0.1", served.port), channel):
                        told_to_record.add(channel)

            for _ in range(CALLERS):
                pool.spawn(call)
            gevent.sleep(chance.uniform(0.05, 0.6))
            served.signal(signal.SIGKILL)
            served.process.wait()
            gevent.sleep(0.05)
            pool.kill()
            ledger = Ledger(tmp_path / "ledger.sqlite3")
            given = {row.channel_uuid for row in ledger.read(turn="decision") if row.evidence["decision"] == "given"}
            assert told_to_record <= given, "P1: a recording without its row"
            assert chain.verify(ledger.links()) == []
            ledger.close()
            served.start()
    finally:
        served.end()
    assert len(told_to_record) > 100


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MiB. Needs the right to mount."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("a small disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def recorded(laboratory: Laboratory, calls: int) -> list[bool]:
    channels = [laboratory.call(YES) for _ in range(calls)]
    assert all(channel.reached == ["support@default"] for channel in channels), "P4"
    return [bool(channel.recorded) for channel in channels]


def test_p3_a_full_disk(configure: Callable[..., Configuration], small_disk: Path, tmp_path: Path) -> None:
    with Laboratory(configure(commit_timeout_ms=200), tmp_path, speed=20) as _:
        pass
    shutil.move(tmp_path / "ledger.sqlite3", small_disk / "ledger.sqlite3")
    (tmp_path / "ledger.sqlite3").symlink_to(small_disk / "ledger.sqlite3")
    with Laboratory(configure(commit_timeout_ms=200), tmp_path, speed=20) as laboratory:
        assert recorded(laboratory, 1) == [True]
        filler = small_disk / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 4096)
        outcomes = recorded(laboratory, 8)
        assert outcomes[-1] is False, "unrecorded as soon as the row does not fit"
        assert "make room" in (laboratory.application.ledger.failure or "")
        filler.unlink()
        for _ in range(400):
            if laboratory.application.ledger.pending == 0:
                break
            gevent.sleep(0.02)
        assert recorded(laboratory, 1) == [True], "it recovers by itself"
        assert sum(row.turn == "decision" for row in laboratory.rows()) == 10, "and nothing is lost"
        ledger = Ledger(small_disk / "ledger.sqlite3")
        assert chain.verify(ledger.links()) == []
        ledger.close()


def test_the_clock_is_set_back(laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The chain is in the order of writing, whatever the clock says."""
    from datetime import datetime, timedelta, timezone

    assert recorded(laboratory, 1) == [True]

    class Earlier(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(timezone.utc) - timedelta(hours=1)

    monkeypatch.setattr("consentivr.ledger.store.datetime", Earlier)
    assert recorded(laboratory, 1) == [True]
    monkeypatch.undo()
    ledger = Ledger(laboratory.folder / "ledger.sqlite3")
    assert chain.verify(ledger.links()) == []
    rows = list(ledger.read())
    assert rows[-1].at < rows[0].at
    ledger.close()
