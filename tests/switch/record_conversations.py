"""Makes ``tests/transcripts/*.inbound.esl`` and ``*.outbound.esl`` anew, on a real FreeSWITCH.

Not a test: run it by name, ``python -m pytest tests/switch/record_conversations.py``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import gevent
import pytest

from consentivr.config import Configuration
from consentivr.lab.recording import Conversation, Relay, Tap
from tests.recorded import FOLDER
from tests.switch.parts import SALES, Call, eventually
from tests.switch.world import World

pytestmark = pytest.mark.freeswitch

CALLER = "+4930123456"
LIMIT_BYTES = 300_000


class Recorder:
    """A world, and between the switch and serve a relay."""

    def __init__(self, configuration: Configuration, folder: Path, sounds: Path, *, keys: bool = False) -> None:
        self.replaced = {str(sounds): "/srv/lab/sounds", str(folder): "/srv/lab"}

        def change(data: dict) -> None:
            self.relay = Relay(int(data["service"]["listen"].rpartition(":")[2]))
            data["service"]["hosts"] = [f"127.0.0.1:{self.relay.port}"]
            data["queues"]["sales"] |= {"max_wait_s": 3, "unanswered": {"then": "hangup"}}
            if keys:
                data["agents"] |= {"keys": {"pause": "*3", "resume": "*4"}}

        self.world = World(configuration, folder, change=change, max_wait_s=5)

    @contextmanager
    def conversation(self, name: str) -> Iterator[Tap]:
        """What happens in the block becomes ``name``."""
        tap = Tap(self.world.switch.event_socket_port, self.world.switch.password)
        before = len(self.relay.conversations)
        gevent.sleep(0.1)
        yield tap
        gevent.sleep(0.7)
        self.world.settle()
        tap.close()
        self._write(f"{name}.inbound", tap.conversation)
        for index, conversation in enumerate(self.relay.conversations[before:]):
            self._write(f"{name}{f'-{index + 1}' if index else ''}.outbound", conversation)

    def _write(self, name: str, conversation: Conversation) -> None:
        text = conversation.text(self.replaced)
        assert len(text) < LIMIT_BYTES, f"{name} has {len(text)} bytes"
        (FOLDER / f"{name}.esl").write_bytes(text)

    def talk(self, key: str = "1") -> Call:
        call = self.world.consenting(key, number=CALLER)
        gevent.sleep(0.6)
        return call


@pytest.fixture(scope="module")
def recorder(
    configure_once: Callable[..., Configuration], tmp_path_factory: pytest.TempPathFactory, sounds: Path
) -> Iterator[Recorder]:
    configuration = configure_once(unanswered="then: transfer, extension: voicemail")
    made = Recorder(configuration, tmp_path_factory.mktemp("world"), sounds)
    with made.world:
        yield made
        made.relay.stop()


def sweep(tap: Tap, *legs: str) -> None:
    """What the watch asks from time to time."""
    for command in ("show channels as json", "show calls as json", "conference json_list"):
        tap.ask(command)
    for leg in legs:
        tap.ask(f"uuid_buglist {leg}")
        tap.ask(f"uuid_dump {leg} json")


@pytest.mark.parametrize(("name", "key"), [("yes", "1"), ("no", "9")])
def test_plain(recorder: Recorder, name: str, key: str) -> None:
    with recorder.conversation(name) as tap:
        call = recorder.talk(key)
        sweep(tap, call.leg, call.agent)
        recorder.world.end_call(call)


def test_hold(recorder: Recorder) -> None:
    with recorder.conversation("hold") as tap:
        call = recorder.talk()
        recorder.world.hold(call.agent)
        gevent.sleep(0.6)
        sweep(tap, call.leg)
        recorder.world.resume(call.agent)
        gevent.sleep(0.6)
        recorder.world.end_call(call)


def test_consultation_handed_over(recorder: Recorder) -> None:
    world = recorder.world
    with recorder.conversation("consultation_handed_over") as tap:
        call = recorder.talk()
        world.consult(call)
        colleague = world.leg_of(eventually(lambda: world.outside.legs_of("2001"))[0])
        gevent.sleep(0.6)
        sweep(tap, call.leg, colleague)
        world.hand_over(call)
        gevent.sleep(0.8)
        sweep(tap, call.leg, colleague)
        world.end_call(call)


def test_consultation_declined(recorder: Recorder) -> None:
    world = recorder.world
    with recorder.conversation("consultation_declined"):
        call = recorder.talk()
        world.outside.declines("2001")
        world.consult(call)
        gevent.sleep(1)
        world.end_call(call)


def test_consultation_and_the_colleague_hangs_up(recorder: Recorder) -> None:
    world = recorder.world
    with recorder.conversation("consultation_colleague_hangs_up") as tap:
        call = recorder.talk()
        world.consult(call)
        colleague = eventually(lambda: world.outside.legs_of("2001"))[0]
        gevent.sleep(0.6)
        world.outside.hang_up(colleague)
        gevent.sleep(0.8)
        sweep(tap, call.leg, call.agent)
        world.end_call(call)


def test_refer(recorder: Recorder) -> None:
    world = recorder.world
    with recorder.conversation("refer") as tap:
        call = recorder.talk()
        world.refer(call.agent, "2001")
        colleague = world.leg_of(eventually(lambda: world.outside.legs_of("2001"))[0])
        gevent.sleep(0.6)
        sweep(tap, call.leg, colleague)
        world.end_call(call)


def test_refer_with_replaces(recorder: Recorder) -> None:
    world = recorder.world
    with recorder.conversation("refer_attended") as tap:
        call = recorder.talk()
        consultation = world.refer_attended(call, "2001")
        gevent.sleep(0.5)
        world.complete(call, consultation)
        gevent.sleep(0.6)
        sweep(tap, call.leg)
        world.end_call(call)


def test_transfer_to_line_b(recorder: Recorder) -> None:
    world = recorder.world
    with recorder.conversation("line_b") as tap:
        call = recorder.talk()
        world.transfer(call.leg, SALES)
        world.press(call, "9")
        eventually(lambda: world.outside.legs_of("1002"))
        gevent.sleep(0.6)
        sweep(tap, call.leg)
        world.end_call(call)


@pytest.mark.parametrize("name", ["three_way", "eavesdrop_recorded", "intercept"])
def test_somebody_else(recorder: Recorder, name: str) -> None:
    world = recorder.world
    with recorder.conversation(name) as tap:
        call = recorder.talk()
        if name == "three_way":
            leg = world.three_way(call.leg)
        elif name == "intercept":
            leg = world.intercept(call.leg)
        else:
            leg = world.eavesdrop(call.leg, recorded=True)
        gevent.sleep(0.7)
        sweep(tap, call.leg, leg)
        if name != "intercept":
            world.hang_up(leg)
            gevent.sleep(0.4)
        world.end_call(call)


def test_conference_recorded(recorder: Recorder) -> None:
    world = recorder.world
    with recorder.conversation("conference_recorded") as tap:
        call = recorder.talk()
        world.conference(call, recorded=True)
        gevent.sleep(0.7)
        sweep(tap, call.leg)
        tap.ask(f"conference room norecord {world.elsewhere[0]}")
        gevent.sleep(0.3)
        world.end_call(call)


def test_voice_message_after_the_queue(recorder: Recorder) -> None:
    world = recorder.world
    with recorder.conversation("voice_message") as tap:
        call = world.call(agents=False, number=CALLER)
        world.press(call, "9")
        eventually(lambda: world.application(call.leg) == "record")
        gevent.sleep(0.6)
        sweep(tap, call.leg)
        world.end_call(call)


def test_queue_timeout(recorder: Recorder) -> None:
    world = recorder.world
    with recorder.conversation("queue_times_out"):
        call = world.call(SALES, agents=False, number=CALLER)
        world.press(call, "1")
        eventually(lambda: not world.exists(call.leg))


def test_pause_keys(
    configure_once: Callable[..., Configuration], tmp_path_factory: pytest.TempPathFactory, sounds: Path
) -> None:
    recorder = Recorder(configure_once(), tmp_path_factory.mktemp("keys"), sounds, keys=True)
    world = recorder.world
    with world, recorder.conversation("pause_keys") as tap:
        deadline = time.monotonic() + 10
        while "watching" not in world.log and time.monotonic() < deadline:
            gevent.sleep(0.1)
        call = recorder.talk()
        world.keys(call.agent, "*3")
        gevent.sleep(1)
        sweep(tap, call.leg)
        world.keys(call.agent, "*4")
        gevent.sleep(0.8)
        world.end_call(call)
    recorder.relay.stop()
