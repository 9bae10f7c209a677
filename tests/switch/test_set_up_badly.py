"""A switch that is set up against us, while calls are served: what is recorded all the same, and who is told of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import pytest
import soundfile

from consentivr.config import Configuration
from consentivr.core.turn import Turn
from consentivr.esl.codec import Event
from consentivr.esl.inbound import InboundConnection, Login
from consentivr.ledger import Ledger, Search
from consentivr.switch import NEUTRAL
from tests.switch.parts import audible, eventually
from tests.switch.world import World

pytestmark = pytest.mark.freeswitch

AGAINST_US = {
    "RECORD_ANSWER_REQ": "true",
    "RECORD_APPEND": "true",
    "RECORD_CHECK_BRIDGE": "true",
    "RECORD_FINAL_TIMEOUT_MS": "100",
    "RECORD_HANGUP_ON_ERROR": "true",
    "RECORD_INITIAL_TIMEOUT_MS": "100",
    "RECORD_MIN_SEC": "600",
    "RECORD_PRE_BUFFER_FRAMES": "1",
    "RECORD_READ_ONLY": "true",
    "RECORD_SILENCE_THRESHOLD": "30000",
    "RECORD_STEREO_SWAP": "true",
    "RECORD_TOGGLE_ON_REPEAT": "true",
    "RECORD_USE_THREAD": "false",
    "RECORD_WRITE_ONLY": "true",
    "enable_file_write_buffering": "false",
    "media_bug_answer_req": "true",
    "record_sample_rate": "16000",
    "recording_follow_transfer": "true",
}


def set_globally(world: World) -> None:
    assert set(AGAINST_US) == set(NEUTRAL)
    for name, value in AGAINST_US.items():
        world.switch.api(f"global_setvar {name}={value}")


def is_whole(path: Path, seconds: float) -> None:
    """As if nothing were set: the rate of the call, the caller on the left, the agent on the right, nothing cut off."""
    sound = soundfile.info(str(path))
    assert (sound.samplerate, sound.channels) == (8000, 2)
    assert sound.duration >= seconds
    assert audible(path, 0) == {"caller"}
    assert audible(path, 1) == {"1001"}


def test_10_no_global_variable_changes_a_recording_of_ours(
    configure_once: Callable[..., Configuration], tmp_path: Path
) -> None:
    with World(configure_once(), tmp_path) as world:
        set_globally(world)
        call = world.consenting("1")
        on_the_agents_leg = {name: world.switch.variable(call.agent, name) for name in NEUTRAL}
        gevent.sleep(2.5)
        world.end_call(call)
        eventually(lambda: world.files)
        assert on_the_agents_leg == NEUTRAL
        eventually(lambda: "recording_sealed" in {row.turn for row in world.rows()})
        is_whole(world.files[0], 2)


def test_10_nor_one_by_law_while_we_are_away(configure_once: Callable[..., Configuration], tmp_path: Path) -> None:
    configuration = configure_once("permanent", legal_basis="WpHG § 83")
    with World(configuration, tmp_path, served=False) as world:
        set_globally(world)
        call = world.call()
        world.talking(call)
        gevent.sleep(2.5)
        world.end_call(call)
        eventually(lambda: world.files)
        gevent.sleep(0.5)
        is_whole(world.files[0], 2)


def test_17_what_is_pressed_is_crossed_out_in_call_records(
    configure_once: Callable[..., Configuration], tmp_path: Path
) -> None:
    with World(configure_once(), tmp_path) as world:
        records = InboundConnection(("127.0.0.1", world.switch.event_socket_port), Login(world.switch.password))
        records.connect("event json CHANNEL_HANGUP_COMPLETE")
        call = world.consenting("1")
        world.keys(call.leg, "4711")
        world.keys(call.agent, "0815")
        gevent.sleep(2)
        world.end_call(call)
        digits = {}
        while len(digits) < 2:
            event = records.receive(10)
            assert isinstance(event, Event)
            if event["Unique-ID"] in (call.leg, call.agent):
                digits[event["Unique-ID"]] = event["variable_digits_dialed"]
        records.stop()
        assert digits == {call.leg: "XXXXX", call.agent: "XXXX"}


# --- who is told -----------------------------------------------------------------------------


def checked(world: World) -> list[dict[str, Any]]:
    ledger = Ledger(world.configuration.ledger.location)
    try:
        return [row.evidence for row in ledger.read(Search(turn=Turn.SWITCH_CHECKED.value))]
    finally:
        ledger.close()


def test_serve_tells_of_what_comes_and_of_what_goes(
    configure_once: Callable[..., Configuration], tmp_path: Path
) -> None:
    told = tmp_path / "told"

    def tell(data: dict[str, Any]) -> None:
        data["watch"]["command"] = ["/bin/sh", "-c", f"cat >> {told}"]

    with World(configure_once(), tmp_path, change=tell) as world:
        eventually(lambda: len(checked(world)) == 1, 30)
        (first,) = checked(world)
        address = str(world.configuration.switches[0].address)
        assert first["switch"] == address
        assert first["findings"]["5 telephones: lab"] == "warning"
        assert set(first["new"]) == set(first["findings"])
        assert first["not_seen"] == ["14 log", "15 traces"], "this account may do all, but serve listens to no log"

        world.switch.api("global_setvar sensitive_dtmf=true")
        world.switch.api("reloadxml")
        eventually(lambda: len(checked(world)) == 2, 30)
        assert (checked(world)[1]["new"], checked(world)[1]["gone"]) == (["13 keys: sensitive_dtmf"], [])
        assert "13 keys: sensitive_dtmf" in world.log

        world.stop_serve()
        world.start_serve()
        gevent.sleep(9)
        assert len(checked(world)) == 2, "what is known is not told again after a restart"

        world.switch.api("global_setvar sensitive_dtmf=")
        world.switch.api("reloadxml")
        eventually(lambda: len(checked(world)) == 3, 30)
        assert (checked(world)[2]["new"], checked(world)[2]["gone"]) == ([], ["13 keys: sensitive_dtmf"])

        lines = eventually(lambda: [*map(json.loads, told.read_text().splitlines())][2:] and told.read_text(), 10)
        said = [json.loads(line) for line in lines.splitlines()]
        assert [one["finding"] for one in said] == ["switch_checked"] * 3
        assert said[1] == {
            "finding": "switch_checked",
            "switch": address,
            "new": {"13 keys: sensitive_dtmf": "bad"},
            "gone": [],
        }
        assert said[2]["gone"] == ["13 keys: sensitive_dtmf"]
        for secret in (world.switch.password, world.configuration.service.secret_file.read_text().strip()):
            assert secret not in world.log + str(checked(world)) + lines
