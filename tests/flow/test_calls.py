"""Whole calls over TCP on the simulated switch: who is recorded, what the ledger says, where the caller ends."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import gevent
import pytest
import soundfile

from consentivr.asking import Line
from consentivr.config import Configuration
from consentivr.lab.caller import Caller
from consentivr.lab.laboratory import Laboratory
from tests.flow.calling import NO, YES, decision, rows
from tests.waiting import until


def test_yes_is_recorded_and_proven(laboratory: Laboratory) -> None:
    channel = laboratory.call(YES)
    found = rows(laboratory, channel)
    assert list(found)[:4] == ["arrived", "decision", "recording_started", "agent_answered"]
    assert sorted(list(found)[4:]) == ["call_ended", "recording_sealed", "recording_stopped"]
    assert {row.visit for row in found.values()} == {Path(next(iter(channel.recorded))).stem}, "the visit's own file"
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


def test_barge_in_and_how_much_was_heard(configure: Callable[..., Configuration], tmp_path: Path) -> None:
    """A key counts once enough of the question was heard; earlier the caller is asked again (promise P2)."""
    with Laboratory(configure(min_heard_ms=400), tmp_path, speed=20) as laboratory:
        channel = laboratory.call(Caller(keys={1: ("1", 500)}))
        heard = rows(laboratory, channel)["decision"].evidence["heard_ms"]
        assert 450 <= heard <= 750
        assert len(channel.recorded) == 1
        early = laboratory.call(Caller(keys={1: ("1", 50), 2: ("1", 900)}))
        outcomes = [attempt["outcome"] for attempt in rows(laboratory, early)["decision"].evidence["attempts"]]
        assert outcomes == ["too_early", "key"]
        never = laboratory.call(Caller(keys={1: ("1", 50), 2: ("1", 50)}))
        assert decision(laboratory, never) == ("not_obtained", "too_early")
        assert never.recorded == {}


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

STEPS_OF_A_YES = [
    "answer", "playback", "multiset", "flush_dtmf", "play_and_get_digits", "play_and_get_digits",
    "multiset", "record_session", "multiset", "callcenter",
]  # fmt: skip
"""The first ``play_and_get_digits`` asks; the second says that the yes is accepted, and hears a late 9."""
ASKING, ACCEPTED, PERMITTED = 5, 6, 7


def test_the_steps_are_those(laboratory: Laboratory) -> None:
    channel = laboratory.call(YES)
    dialplans = channel.applications.index("socket")
    assert set(channel.applications[:dialplans]) == {"set", "unset"}, "nothing is done to a caller before we are asked"
    assert channel.applications[dialplans + 1 :] == STEPS_OF_A_YES
    assert laboratory.application.calls == 0


def test_the_socket_is_closed_once_the_caller_is_in_the_queue(laboratory: Laboratory) -> None:
    channel = laboratory.switch.call("5000", Caller(keys={1: ("1", 1200)}, waits_ms=60_000, hangs_up=("talk", 1, 100)))
    until(lambda: channel.reached)
    until(lambda: channel.outbound is None)
    assert channel.in_queue
    assert laboratory.application.calls == 0
    until(lambda: laboratory.application.status().conversations == 1)
    laboratory.switch.speed = 2000
    assert "recording_sealed" in rows(laboratory, channel)


@pytest.mark.parametrize("number", range(1, len(STEPS_OF_A_YES) + 2))
@pytest.mark.parametrize("delay", [0, 5])
def test_a_hangup_at_every_step(laboratory: Laboratory, number: int, delay: int) -> None:
    application = [*STEPS_OF_A_YES, "talk"][number - 1]
    occurrence = STEPS_OF_A_YES[:number].count(application) or 1
    channel = laboratory.call(Caller(keys={1: ("1", 1200)}, hangs_up=(application, occurrence, delay)))
    assert channel.hangup_cause == "NORMAL_CLEARING"
    found = rows(laboratory, channel)
    given = found["decision"].evidence["decision"] == "given"
    assert given == (number > ASKING), "the decision is there whenever the caller has taken it"
    assert given or decision(laboratory, channel) == ("not_obtained", "hangup")
    assert not channel.recorded or given
    assert laboratory.application.ledger.failure is None
    until(lambda: laboratory.application.calls == 0 and laboratory.application.status().conversations == 0)


@pytest.mark.parametrize("number", range(1, len(STEPS_OF_A_YES) + 1))
def test_p4_a_dropped_socket_at_every_step(laboratory: Laboratory, number: int) -> None:
    """The dialplan takes the caller to the queue; the watch follows whoever is there, and writes the end."""
    before_us = laboratory.call(NO).applications.index("socket") + 1
    channel = laboratory.call(Caller(keys={1: ("1", 1200)}, drops_socket_at=before_us + number))
    assert channel.reached == ["support@default"], "the caller reaches the queue, once"
    found = rows(laboratory, channel)
    if number <= ASKING:
        assert decision(laboratory, channel) == ("not_obtained", "connection_lost")
    else:
        assert decision(laboratory, channel) == ("given", "consent_key")
    assert ("recording_withheld" in found) == (ASKING < number <= ACCEPTED), "not yet told that it is accepted"
    assert bool(channel.recorded) == (number >= PERMITTED), "the watch records whom the caller was told of"
    until(lambda: laboratory.application.calls == 0 and laboratory.application.status().conversations == 0)


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
    monkeypatch.setattr(Line, "watchdog_s", 2)
    laboratory.switch.speed = 0.9
    channel = laboratory.switch.call("5000", Caller(keys={1: ("1", 1000)}))
    until(lambda: "callcenter" in channel.applications)
    laboratory.switch.speed = 20
    channel.greenlet.join(20)
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


def test_many_at_once_agree_with_the_ledger(laboratory: Laboratory) -> None:
    scripts = [YES, NO, Caller(), Caller(keys={1: ("5", 100), 2: ("1", 200)})] * 10
    channels = [laboratory.switch.call("5000", script) for script in scripts]
    gevent.joinall([channel.greenlet for channel in channels], timeout=60)
    for channel, script in zip(channels, scripts, strict=True):
        agreed = "1" in [key for key, _ in script.keys.values()]
        assert (decision(laboratory, channel)[0] == "given") == agreed == bool(channel.recorded)
        assert channel.reached == ["support@default"]


# --- the negative proof ----------------------------------------------------------------------


def test_p5_what_records_the_agents_leg_of_a_no_is_stopped(laboratory: Laboratory) -> None:
    other = str(laboratory.folder / "agent.wav")
    laboratory.switch.faults.lose("RECORD_START", "MEDIA_BUG_START")  # nobody but who looks for it finds it
    channel = laboratory.switch.call("5000", Caller(keys={1: ("9", 500)}, talks_ms=4000, agent_recorder=other))
    channel.greenlet.join(20)
    assert channel.agent_recorders == [], "stopped on the agent's leg"
    found = rows(laboratory, channel)
    assert found["looked_for_recorders"].evidence["recorders"] == 1
    assert found["forbidden_recording"].evidence == {
        "path": other, "leg": "agent", "why": "caller_refused",
    }  # fmt: skip


def test_who_agreed_is_not_asked_about(laboratory: Laboratory) -> None:
    assert "looked_for_recorders" not in rows(laboratory, laboratory.call(YES))


@pytest.mark.parametrize("kept", ["given", "all", "never"])
def test_whose_number_is_kept(configure: Callable[..., Configuration], tmp_path: Path, kept: str) -> None:
    """GDPR art. 5(1)(c): by default of those who agreed, and of nobody else."""
    with Laboratory(configure(numbers=kept), tmp_path, speed=20) as laboratory:
        stored = {
            name: {row.caller_id_number for row in rows(laboratory, laboratory.call(caller)).values()}
            for name, caller in (("yes", YES), ("no", NO), ("silence", Caller()))
        }
    of_all, of_given = ({"+493023125000"} if kept in names else {None} for names in (("all",), ("all", "given")))
    assert stored == {"yes": of_given, "no": of_all, "silence": of_all}


def test_who_is_recorded_by_law_can_be_found(configure: Callable[..., Configuration], tmp_path: Path) -> None:
    configuration = configure("permanent", legal_basis="WpHG § 83", numbers="given")
    with Laboratory(configuration, tmp_path, speed=20) as laboratory:
        found = rows(laboratory, laboratory.call(Caller()))
    assert found["decision"].caller_id_number == "+493023125000"
