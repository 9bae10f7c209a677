"""Ten thousand calls: no greenlet, descriptor or memory stays behind."""

from __future__ import annotations

import gc
import os
import re
import uuid
from pathlib import Path

import gevent
import gevent.pool
import gevent.socket
import greenlet

from consentivr.lab.laboratory import Laboratory
from tests.esl.peers import OK, event

CALLS = 10_000
AT_ONCE = 50


def whole_call(address: tuple[str, int]) -> None:
    """A caller who agrees, talks and hangs up, as fast as the application can."""
    channel = str(uuid.uuid4())

    def say(name: str, **headers: str) -> bytes:
        return event(name, **{"Unique-ID": channel, "Answer-State": "answered", **headers})

    def completed(application: str, **headers: str) -> bytes:
        found = re.search(
            rb"execute-app-name: %s\n(?:execute-app-arg.*\n)?Event-UUID: (\S+)" % application.encode(), heard
        )
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


def measure() -> tuple[int, int, int]:
    """Greenlets, open descriptors, resident memory in kB."""
    gevent.sleep(0.2)
    gc.collect()
    greenlets = sum(isinstance(thing, greenlet.greenlet) for thing in gc.get_objects())
    resident = re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())
    assert resident
    return greenlets, len(os.listdir("/proc/self/fd")), int(resident[1])  # noqa: PTH208


def test_nothing_grows_over_ten_thousand_calls(laboratory: Laboratory) -> None:
    pool = gevent.pool.Pool(AT_ONCE)

    def play(calls: int) -> None:
        for done in pool.imap_unordered(whole_call, [laboratory.application.address] * calls):
            assert done is None

    play(CALLS // 5)
    greenlets, descriptors, resident = measure()
    play(CALLS - CALLS // 5)
    after = measure()
    assert laboratory.application.calls == 0
    assert after[0] <= greenlets + 2
    assert after[1] <= descriptors + 1
    assert after[2] - resident < 4096, f"{after[2] - resident} kB more over {CALLS - CALLS // 5} calls"
    assert sum(row.turn == "call_ended" for row in laboratory.rows()) == CALLS
