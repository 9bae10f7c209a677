"""Whole calls over TCP on the simulated switch: who is recorded, what the ledger says, where the caller ends."""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import gevent
import pytest
import soundfile

from consentivr.asking import Line
from consentivr.config import Configuration
from consentivr.lab.caller import Caller
from consentivr.lab.laboratory import Laboratory
from consentivr.lab.switch import Channel
from consentivr.ledger import Entry
from tests.esl.peers import CONNECT_REPLY, OK, event

YES, NO = Caller(keys={1: ("1", 1200)}), Caller(keys={1: ("9", 1200)})


def rows(laboratory: Laboratory, channel: Channel) -> dict[str, Entry]:
    """The call's rows by turn, once the last one is there."""
    for _ in range(200):
        found = {row.turn: row for row in laboratory.rows(channel)}
        if "call_ended" in found or "connection_lost" in found:
            return found
        gevent.sleep(0.01)
    raise AssertionError(f"the ledger does not end the call: {list(found)}")


def decision(laboratory: Laboratory, channel: Channel) -> tuple[str, str]:
    evidence = rows(laboratory, channel)["decision"].evidence
    return evidence["decision"], evidence["reason"]


def test_yes_is_recorded_and_proven(laboratory: Laboratory) -> None:
    channel = laboratory.call(YES)
    found = rows(laboratory, channel)
    assert list(found) == [
        "decision", "recording_started", "agent_answered", "recording_stopped", "call_ended", "recording_sealed",
    ]  # fmt: skip
    evidence = found["decision"].evidence
    assert (evidence["decision"], evidence["key"], evidence["heard_ms"]) == ("given", "1", 1000)
    assert evidence["verdict"] == {"record": True, "reason": "caller_agreed"}
    assert evidence["notice_ms"] == 1000
    assert evidence["language"] == "de"
    assert found["decision"].caller_id_number == "+493023125000"
    assert found["call_ended"].evidence == {"hangup_cause": "NORMAL_CLEARING", "agent": "1001@default"}

    (path,) = channel.recorded
    assert path == found["recording_started"].evidence["path"] == found["recording_stopped"].evidence["path"]
    information = soundfile.info(path)
    assert information.channels == 2
    stopped = found["recording_stopped"].evidence
    assert abs(information.frames / 8 - stopped["duration_ms"]) < 5
    assert abs(channel.talked_ms - stopped["duration_ms"]) < 100, "the talk, and only the talk"
    sealed = found["recording_sealed"].evidence
    assert sealed["sha256"] == hashlib.sha256(Path(path).read_bytes()).hexdigest()
    assert (sealed["channels"], sealed["rate"]) == (2, 8000)
    (attempt,) = evidence["attempts"]
    assert evidence["arrived_at"] <= attempt["asked_at"] <= attempt["answered_at"]
    assert (evidence["purpose"], evidence["legal_basis"]) == ("quality assurance", "consent, GDPR art. 6(1)(a)")
    assert channel.reached == ["support@default"]


@pytest.mark.parametrize(
    ("caller", "expected"),
    [
        (NO, ("refused", "objection_key")),
        (Caller(), ("not_obtained", "silence")),
        (Caller(keys={1: ("5", 100), 2: ("7", 100)}), ("not_obtained", "wrong_key")),
        (Caller(keys={1: ("5", 100)}), ("not_obtained", "silence")),
        (Caller(keys={1: ("#", 100), 2: ("9", 100)}), ("refused", "objection_key")),
    ],
    ids=["9", "silence", "wrong-keys", "wrong-then-silence", "hash-then-9"],
)
def test_p3_everything_else_is_unrecorded(laboratory: Laboratory, caller: Caller, expected: tuple[str, str]) -> None:
    channel = laboratory.call(caller)
    assert decision(laboratory, channel) == expected
    assert channel.recorded == {}
    assert channel.bugs_in_talk == [[]]
    assert channel.reached == ["support@default"]
    assert not list((laboratory.folder / "recordings").rglob("*.wav"))
    looked = rows(laboratory, channel)["looked_for_recorders"].evidence
    assert looked["recorders"] == 0, "the negative proof"
    assert [leg["leg"] for leg in looked["legs"]] == ["caller", "agent"]


def test_wrong_key_then_yes(laboratory: Laboratory) -> None:
    channel = laboratory.call(Caller(keys={1: ("5", 300), 2: ("1", 1200)}))
    evidence = rows(laboratory, channel)["decision"].evidence
    assert [attempt["outcome"] for attempt in evidence["attempts"]] == ["wrong_key", "key"]
    assert len(channel.recorded) == 1


def test_barge_in_and_how_much_was_heard(laboratory: Laboratory) -> None:
    channel = laboratory.call(Caller(keys={1: ("1", 500)}))
    heard = rows(laboratory, channel)["decision"].evidence["heard_ms"]
    assert 450 <= heard <= 750
    assert len(channel.recorded) == 1


def test_hear_to_end_ignores_a_key_in_the_question(configure: Callable[..., Configuration], tmp_path: Path) -> None:
    with Laboratory(configure(hear_to_end=True), tmp_path, speed=20) as laboratory:
        early = Caller(keys={})
        channel = laboratory.switch.call("5000", early)
        while channel.applications[-1:] != ["playback"] or channel.applications.count("playback") < 2:
            gevent.sleep(0.001)
        channel.press("1")
        channel.greenlet.join(20)
        assert decision(laboratory, channel) == ("not_obtained", "silence")

        after = laboratory.call(Caller(keys={1: ("1", 200)}))
        evidence = rows(laboratory, after)["decision"].evidence
        assert (evidence["decision"], evidence["heard_ms"]) == ("given", 1000)


@pytest.mark.parametrize("hear_to_end", [False, True])
def test_p3_a_missing_prompt_is_could_not_ask(
    configure: Callable[..., Configuration], tmp_path: Path, sounds: Path, hear_to_end: bool
) -> None:
    import shutil

    folder = tmp_path / "sounds"
    shutil.copytree(sounds, folder)
    configuration = configure(hear_to_end=hear_to_end, sounds_folder=folder)
    with Laboratory(configuration, tmp_path, speed=20) as laboratory:
        for path in folder.rglob("question.wav"):
            path.unlink()
        channel = laboratory.call(Caller(keys={1: ("1", 5)}))
        assert decision(laboratory, channel) == ("not_obtained", "could_not_ask")
        assert channel.recorded == {}
        assert channel.reached == ["support@default"]


def test_agent_hangs_up_and_the_caller_is_not_queued_again(laboratory: Laboratory) -> None:
    channel = laboratory.call(Caller(keys={1: ("1", 1200)}, agent_hangs_up=True))
    assert channel.reached == ["support@default"]
    assert channel.hangup_cause == "NORMAL_CLEARING"
    assert "recording_stopped" in rows(laboratory, channel)


@pytest.mark.parametrize(
    ("unanswered", "last"), [("then: hangup", "hangup"), ('then: transfer, extension: "6000"', "transfer")]
)
def test_queue_time_out_plays_the_configured_ending(
    configure: Callable[..., Configuration], tmp_path: Path, unanswered: str, last: str
) -> None:
    with Laboratory(configure(unanswered=unanswered), tmp_path, speed=20) as laboratory:
        channel = laboratory.call(Caller(keys={1: ("1", 1200)}, agent=None))
        found = rows(laboratory, channel)
        assert found["queue_left"].evidence == {"why": "TIMEOUT"}
        assert channel.applications[-2:] == ["playback", last]
        assert channel.recorded == {}
        assert channel.recorders == {}


@pytest.mark.parametrize(
    ("mode", "legal_basis", "caller", "recorded", "reason"),
    [
        ("off", "", YES, 0, "mode_off"),
        ("caller_opt_in", "", YES, 1, "consent_key"),
        ("caller_opt_in", "", NO, 0, "objection_key"),
        ("permanent", "MiFID II art. 16(7)", NO, 1, "legal_basis"),
    ],
)
def test_modes(
    configure: Callable[..., Configuration],
    tmp_path: Path,
    mode: str,
    legal_basis: str,
    caller: Caller,
    recorded: int,
    reason: str,
) -> None:
    with Laboratory(configure(mode, legal_basis=legal_basis), tmp_path, speed=20) as laboratory:
        channel = laboratory.call(caller)
        assert decision(laboratory, channel)[1] == reason
        assert len(channel.recorded) == recorded
        assert channel.reached == ["support@default"]


def test_a_wideband_caller_hears_the_wideband_recording(laboratory: Laboratory) -> None:
    heard: list[str] = []
    laboratory.switch.observer = lambda channel, what: heard.append(what)
    channel = laboratory.call(Caller(keys={1: ("9", 1200)}, headers={"Channel-Read-Codec-Rate": "16000"}))
    assert channel.variables["current_application"]
    (notice,) = {rows(laboratory, channel)["decision"].evidence["notice"]}
    narrow = laboratory.call(NO)
    assert rows(laboratory, narrow)["decision"].evidence["notice"] != notice


# --- at every step ---------------------------------------------------------------------------

STEPS_IN_THE_DIALPLAN = ["set", "set", "set", "unset", "unset", "set", "set", "set", "set", "socket"]
STEPS_OF_A_YES = [
    "sched_cancel", "answer", "multiset", "playback", "multiset", "play_and_get_digits",
    "multiset", "playback", "record_session", "sched_cancel", "multiset", "callcenter",
]  # fmt: skip


def test_the_steps_are_those(laboratory: Laboratory) -> None:
    channel = laboratory.call(YES)
    start = len(STEPS_IN_THE_DIALPLAN)
    assert channel.applications[:start] == STEPS_IN_THE_DIALPLAN
    assert channel.applications[start : start + len(STEPS_OF_A_YES)] == STEPS_OF_A_YES


@pytest.mark.parametrize("number", range(1, len(STEPS_OF_A_YES) + 2))
@pytest.mark.parametrize("delay", [0, 5])
def test_a_hangup_at_every_step(laboratory: Laboratory, number: int, delay: int) -> None:
    application = [*STEPS_OF_A_YES, "talk"][number - 1]
    occurrence = STEPS_OF_A_YES[:number].count(application) or 1
    channel = laboratory.call(Caller(keys={1: ("1", 1200)}, hangs_up=(application, occurrence, delay)))
    assert channel.hangup_cause == "NORMAL_CLEARING"
    found = rows(laboratory, channel)
    assert found["decision"].position == min(row.position for row in found.values())
    if channel.recorded:
        assert found["decision"].evidence["decision"] == "given"
    assert laboratory.application.ledger.failure is None
    for _ in range(100):
        if laboratory.application.calls == 0:
            break
        gevent.sleep(0.01)
    assert laboratory.application.calls == 0


@pytest.mark.parametrize("number", range(1, len(STEPS_OF_A_YES) + 1))
def test_p4_a_dropped_socket_at_every_step(laboratory: Laboratory, number: int) -> None:
    before_socket = len(STEPS_IN_THE_DIALPLAN)
    channel = laboratory.call(Caller(keys={1: ("1", 1200)}, drops_socket_at=before_socket + number))
    assert channel.reached == ["support@default"], "the caller reaches the queue, once"
    found = rows(laboratory, channel)
    assert "connection_lost" in found
    if channel.recorded:
        assert found["decision"].evidence["decision"] == "given"
    else:
        assert STEPS_OF_A_YES[number - 1] not in ("callcenter",)


def test_p4_nobody_listens(laboratory: Laboratory) -> None:
    laboratory.use_switch("127.0.0.1:1")
    channel = laboratory.call(YES)
    assert channel.reached == ["support@default"]
    assert channel.recorded == {}
    assert channel.talked_ms > 0


def test_p4_the_next_host_is_tried(laboratory: Laboratory) -> None:
    host, port = laboratory.application.address
    laboratory.use_switch("127.0.0.1:1", f"{host}:{port}")
    assert len(laboratory.call(YES).recorded) == 1


def test_p4_accepted_and_hung_is_rescued_by_the_watchdog(laboratory: Laboratory) -> None:
    silent = gevent.socket.socket()
    silent.bind(("127.0.0.1", 0))
    silent.listen()
    laboratory.use_switch("{}:{}".format(*silent.getsockname()))
    channel = laboratory.call(YES)
    assert channel.reached == ["support@default"]
    assert channel.recorded == {}
    assert channel.talked_ms > 0


def test_p3_a_yes_that_we_read_too_late(laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    """We were stopped until the watchdog was due: the key is in the mail, the call is not ours any more."""
    monkeypatch.setattr(Line, "watchdog_s", 1)
    laboratory.switch.speed = 2
    channel = laboratory.call(Caller(keys={1: ("1", 200)}))
    assert channel.recorded == {}
    assert channel.reached == ["support@default"]
    assert decision(laboratory, channel) == ("not_obtained", "connection_lost")


def test_an_unknown_number_goes_to_its_queue(laboratory: Laboratory) -> None:
    channel = laboratory.call(Caller(keys={1: ("1", 100)}, headers={"Caller-Destination-Number": "4711"}))
    assert channel.reached == ["support@default"]
    assert channel.recorded == {}


def test_an_unanswered_call_ends_properly_without_us(laboratory: Laboratory) -> None:
    laboratory.use_switch("127.0.0.1:1")
    channel = laboratory.call(Caller(agent=None))
    assert channel.applications[-2:] == ["playback", "hangup"]


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
    assert Path(path).name == f"{yes.uuid}.wav"
    assert Path(path).is_relative_to(laboratory.folder / "recordings")


def test_many_at_once_agree_with_the_ledger(laboratory: Laboratory) -> None:
    scripts = [YES, NO, Caller(), Caller(keys={1: ("5", 100), 2: ("1", 200)})] * 10
    channels = [laboratory.switch.call("5000", script) for script in scripts]
    gevent.joinall([channel.greenlet for channel in channels], timeout=60)
    for channel, script in zip(channels, scripts, strict=True):
        agreed = "1" in [key for key, _ in script.keys.values()]
        assert (decision(laboratory, channel)[0] == "given") == agreed == bool(channel.recorded)
        assert channel.reached == ["support@default"]


# --- bad peers -------------------------------------------------------------------------------


TALKER = """
import socket, sys
peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
peer.sendall(bytes.fromhex(sys.argv[2]))
while True:
    peer.sendall(bytes.fromhex(sys.argv[3]) * 100)
"""


def test_p9_a_peer_that_never_stops_talking_starves_nobody(laboratory: Laboratory) -> None:
    hello = CONNECT_REPLY.replace(b"Caller-Caller", b"Caller-Destination-Number: 5000\nCaller-Caller") + OK * 4
    flood = event("DTMF", **{"DTMF-Digit": "1"})
    port = str(laboratory.application.address[1])
    command = [sys.executable, "-c", TALKER, port, hello.hex(), flood.hex()]
    talkers = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(2)]
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
    monkeypatch.setattr("consentivr.asking.call.CONNECT_SECONDS", 0.1)
    peers = [gevent.socket.create_connection(laboratory.application.address) for _ in range(60)]
    gevent.sleep(0.5)
    assert laboratory.application.calls == 0
    assert len(laboratory.call(YES).recorded) == 1
    for peer in peers:
        peer.close()


@pytest.mark.parametrize("number", [b"\xff%41", b"%ff%fe", b"%ED%B3%BF", b"%00"])
def test_p9_a_number_that_is_no_text_harms_nobody(laboratory: Laboratory, number: bytes) -> None:
    strange = CONNECT_REPLY.replace(b"Caller-Caller", b"Caller-Destination-Number: 5000\nCaller-Caller")
    with gevent.socket.create_connection(laboratory.application.address, timeout=5) as peer:
        peer.sendall(strange.replace(b"+493023125000", number) + OK * 4 + event("CHANNEL_HANGUP_COMPLETE"))
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


# --- the negative proof ----------------------------------------------------------------------


def test_p5_what_records_the_agents_leg_of_a_no_is_stopped(laboratory: Laboratory) -> None:
    other = str(laboratory.folder / "agent.wav")
    laboratory.switch.faults.lose("RECORD_START")  # nobody but who looks for it finds it
    channel = laboratory.switch.call("5000", Caller(keys={1: ("9", 500)}, talks_ms=4000, agent_recorder=other))
    channel.greenlet.join(20)
    assert channel.agent_recorders == [], "stopped on the agent's leg"
    found = rows(laboratory, channel)
    assert found["looked_for_recorders"].evidence["recorders"] == 1
    assert found["forbidden_recording"].evidence == {"path": other, "leg": "agent"}


def test_who_agreed_is_not_asked_about(laboratory: Laboratory) -> None:
    assert "looked_for_recorders" not in rows(laboratory, laboratory.call(YES))
