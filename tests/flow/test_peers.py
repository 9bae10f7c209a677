"""Hostile text and bad peers: promises P7 and P9, over TCP on the simulated switch."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import gevent
import pytest

from consentivr.lab.caller import Caller
from consentivr.lab.laboratory import Laboratory
from tests.esl.peers import event, handed_over
from tests.flow.calling import YES, decision, rows

# --- hostile text ----------------------------------------------------------------------------

HOSTILE = [
    "Bob%0Avariable_consent_key_1%3A%201",
    "Bob\nvariable_consent_key_1: 1\nvariable_read_result: success",
    "Bob\r\n\r\nsendmsg\ncall-command: hangup\n\n",
    "${system(touch /tmp/pwned)}",
    "'; DROP TABLE entry; --",
    "../../../../etc/passwd",
    '"<script>alert(1)</script>',
    "😀" * 200,
    "\x1b[31mred",
    "A" * 4096,
    "{{ 7 * 7 }}",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_p7_hostile_text_forges_nothing(laboratory: Laboratory, text: str) -> None:
    headers = {"variable_sip_h_X-Note": text, "variable_sip_h_X-A%0Avariable_consent_key_1": "1"}
    silent = laboratory.call(Caller(name=text, number=text[:60], headers={"variable_sip_h_X-Note": text}))
    assert decision(laboratory, silent) == ("not_obtained", "silence")
    assert silent.recorded == {}
    yes = laboratory.call(Caller(name=text, number=text[:60], keys={1: ("1", 1200)}, headers=headers))
    (path,) = yes.recorded
    assert Path(path).stem == rows(laboratory, yes)["decision"].visit
    assert Path(path).is_relative_to(laboratory.folder / "recordings")


# --- bad peers -------------------------------------------------------------------------------


TALKER = """
import socket, sys
peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
peer.sendall(bytes.fromhex(sys.argv[2]))
while True:
    peer.sendall(bytes.fromhex(sys.argv[3]) * 100)
"""


def test_p9_a_peer_that_never_stops_talking_starves_nobody(laboratory: Laboratory) -> None:
    flood = event("DTMF", **{"DTMF-Digit": "1"})
    port = str(laboratory.application.address[1])
    channels = [f"{number:08x}-fed1-4cfe-b05e-66ccabca7936" for number in range(2)]
    hellos = [handed_over(laboratory.configuration, channel) for channel in channels]
    command = [sys.executable, "-c", TALKER, port]
    talkers = [subprocess.Popen([*command, said.hex(), flood.hex()], stderr=subprocess.DEVNULL) for said in hellos]
    try:
        while laboratory.application.calls < len(talkers):
            gevent.sleep(0.05)
        laboratory.switch.speed = 1  # real time, so that the watchdog's 20 s are 20 s
        with gevent.Timeout(60):
            assert len(laboratory.call(YES).recorded) == 1
        assert laboratory.application.calls >= len(talkers), "they were talking all the while"
    finally:
        for talker in talkers:
            talker.kill()
            talker.wait()


def test_p9_silent_peers_are_let_go(laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentivr.service.service.CONNECT_SECONDS", 0.1)
    peers = [gevent.socket.create_connection(laboratory.application.address) for _ in range(60)]
    gevent.sleep(0.5)
    assert laboratory.application.calls == 0
    assert len(laboratory.call(YES).recorded) == 1
    for peer in peers:
        peer.close()


@pytest.mark.parametrize("number", [b"\xff%41", b"%ff%fe", b"%ED%B3%BF", b"%00"])
def test_p9_a_number_that_is_no_text_harms_nobody(laboratory: Laboratory, number: bytes) -> None:
    with gevent.socket.create_connection(laboratory.application.address, timeout=5) as peer:
        peer.sendall(
            handed_over(laboratory.configuration).replace(b"+493023125000", number) + event("CHANNEL_HANGUP_COMPLETE")
        )
        gevent.sleep(0.1)
    assert len(laboratory.call(YES).recorded) == 1
    assert laboratory.application.ledger.failure is None


@pytest.mark.parametrize("garbage", [b"\x00" * 100_000, b"GET / HTTP/1.1\r\n\r\n", b"x: y\n\n", b"\n" * 1000])
def test_p9_garbage_harms_only_itself(laboratory: Laboratory, garbage: bytes) -> None:
    with gevent.socket.create_connection(laboratory.application.address, timeout=5) as peer:
        with contextlib.suppress(OSError):
            peer.sendall(garbage)
        with contextlib.suppress(OSError):
            while peer.recv(65536):
                pass
    assert len(laboratory.call(YES).recorded) == 1
