"""Ten thousand calls: no greenlet, descriptor or memory stays behind."""

from __future__ import annotations

import gc
import re
import uuid
from collections.abc import Callable
from pathlib import Path

import gevent
import gevent.pool
import gevent.socket
import greenlet

from consentivr.config import Configuration
from consentivr.lab.laboratory import Laboratory
from consentivr.ledger import Ledger, Search
from tests.esl.peers import OK, event
from tests.served import Served

CALLS = 10_000
AT_ONCE = 50


def whole_call(address: tuple[str, int]) -> None:
    """A caller who agrees, talks and hangs up, as fast as the application can."""
    channel = str(uuid.uuid4())

    def say(name: str, **headers: str) -> bytes:
        return event(name, **{"Unique-ID": channel, "Answer-State": "answered", **headers})

    def completed(application: str, **headers: str) -> bytes:
        found = re.search(rb"execute-app-name: %s\n(?:.+\n)*?Event-UUID: (\S+)" % application.encode(), heard)
        assert found, heard
        return say("CHANNEL_EXECUTE_COMPLETE", **{"Application-UUID": found[1].decode(), **headers})

    with gevent.socket.create_connection(address, timeout=30) as sock:
        sock.sendall(
            f"Event-Name: CHANNEL_DATA\nUnique-ID: {channel}\nCaller-Destination-Number: 5000\n"
            "Caller-Caller-ID-Number: %2B493023125000\nContent-Type: command/reply\nReply-Text: %2BOK%0A\n\n".encode()
        )
        heard = b""
        while b"play_and_get_digits" not in heard:
            heard += more(sock)
        sock.sendall(
            OK * (heard.count(b"\n\n") - 1)
            + completed("play_and_get_digits", variable_read_result="success", variable_consent_key_1="1")
        )
        heard = b""
        while b"callcenter" not in heard:
            heard += more(sock)
        path = {"Record-File-Path": f"/recordings/{channel}.wav"}
        sock.sendall(
            OK * heard.count(b"\n\n")
            + say("RECORD_START", **path)
            + completed("callcenter", variable_cc_cause="answered")
            + say("CHANNEL_BRIDGE")
            + say("CHANNEL_HANGUP", **{"Hangup-Cause": "NORMAL_CLEARING"})
            + say("RECORD_STOP", **path)
            + say("CHANNEL_HANGUP_COMPLETE", **{"Hangup-Cause": "NORMAL_CLEARING"})
        )
        while sock.recv(65536):
            pass


def more(sock: gevent.socket.socket) -> bytes:
    data = sock.recv(65536)
    assert data, "the application closed the connection"
    return bytes(data)


def play(address: tuple[str, int], calls: int) -> None:
    pool = gevent.pool.Pool(AT_ONCE)
    for done in pool.imap_unordered(whole_call, [address] * calls):
        assert done is None
    gevent.sleep(0.3)


def test_no_descriptor_and_no_memory_stays_behind(configure: Callable[..., Configuration], tmp_path: Path) -> None:
    served = Served(configure(), tmp_path)
    process = Path("/proc") / str(served.process.pid)

    def measure() -> tuple[int, int]:
        resident = re.search(r"VmRSS:\s+(\d+)", (process / "status").read_text())
        assert resident
        return len(list((process / "fd").iterdir())), int(resident[1])

    try:
        play(("127.0.0.1", served.port), CALLS // 5)
        descriptors, resident = measure()
        play(("127.0.0.1", served.port), CALLS - CALLS // 5)
        after = measure()
    finally:
        served.end()
    assert after[0] <= descriptors + 1
    assert after[1] - resident < 4096, f"{after[1] - resident} kB more over {CALLS - CALLS // 5} calls"
    ledger = Ledger(tmp_path / "ledger.sqlite3")
    assert sum(1 for _ in ledger.read(Search(turn="call_ended"))) == CALLS
    ledger.close()


def test_no_greenlet_stays_behind(laboratory: Laboratory) -> None:
    def greenlets() -> int:
        gc.collect()
        return sum(isinstance(thing, greenlet.greenlet) for thing in gc.get_objects())

    play(laboratory.application.address, 200)
    before = greenlets()
    play(laboratory.application.address, 1000)
    assert laboratory.application.calls == 0
    assert greenlets() <= before + 2
