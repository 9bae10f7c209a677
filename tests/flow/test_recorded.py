"""Recorded conversations: through our call, and beside the simulated switch."""

from __future__ import annotations

import contextlib
import json
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import gevent.queue
import gevent.socket
import pytest
from gevent.server import StreamServer

from consentivr.esl.codec import Decoder, Message
from consentivr.lab.caller import Caller
from consentivr.lab.laboratory import Laboratory
from consentivr.lab.switch import SimulatedSwitch
from tests.esl.peers import event, proven
from tests.recorded import NAMES, blocks, from_switch, messages, to_switch
from tests.waiting import until

# --- what the real switch said, through our call ---------------------------------------------

EXPECTED = {
    "granted": ("given", "consent_key"),
    "barge_in": ("given", "consent_key"),
    "invalid_then_granted": ("given", "consent_key"),
    "agent_hangup": ("given", "consent_key"),
    "withdrawn": ("given", "consent_key"),
    "masked": ("given", "consent_key"),
    "hangup_in_queue": ("given", "consent_key"),
    "queue_timeout": ("given", "consent_key"),
    "objected": ("refused", "objection_key"),
    "silence": ("not_obtained", "silence"),
    "hangup_in_prompt": ("not_obtained", "hangup"),
}
"""What became of each caller; from the queue on the watch of the switch follows, on another connection."""

OURS = {"answer", "play_and_get_digits", "record_session", "callcenter"}


class RecordedSwitch:
    """Plays the switch's half of a recording to our application, until we close the connection.

    The driver of the recordings sent other commands than we do, so a COMPLETE is held back until we
    have sent a command of that application, and then carries our Event-UUID, if we gave one. What we wait for and the
    driver did not - the end of the announcement that a yes is accepted, the begin of ``callcenter`` - is added.
    Everything else is as it was recorded.
    """

    def __init__(self, name: str, rename: Callable[[bytes], bytes] = lambda body: body) -> None:
        self.channel, *self.messages = messages(from_switch(name))
        self.raw_channel = from_switch(name).partition(b"\n\n")[0] + b"\n\n"
        self.rename = rename
        self.sent: list[str] = []
        self.let_go = False
        self._uuids: dict[str, list[str]] = {}
        self._wake = gevent.event.Event()

    def play(self, laboratory: Laboratory, chunk: int) -> None:
        address = laboratory.application.address
        with gevent.socket.create_connection(address, timeout=5) as sock:
            reader = gevent.spawn(self._read, sock)
            watched = laboratory.switch.core_uuid.encode()
            raw = self.raw_channel.replace(self.channel.headers["Core-UUID"].encode(), watched)
            connected = proven(raw.replace(b": 5003\n", b": 5000\n"), laboratory.configuration)
            self._send(sock, connected, chunk)
            for message in self.messages:
                if message.content_type == "text/event-json" and not self.let_go:
                    event = self._event(message)
                    if not self.let_go:
                        self._send(sock, event, chunk)
            if "callcenter" in self.sent:
                reader.join(5)
            reader.kill()

    def _event(self, message: Message) -> bytes:
        body, recorded = self.rename(message.body), message.event()
        application = recorded.get("Application")
        if recorded["Event-Name"] == "CHANNEL_EXECUTE_COMPLETE" and application in OURS:
            while not self._uuids.get(application) and not self.let_go:
                self._wake.clear()
                assert self._wake.wait(3), f"we never sent {application}: {self.sent}"
            if not self.let_go:
                body = body.replace(recorded["Application-UUID"].encode(), self._uuids[application].pop(0).encode())
        return b"Content-Length: %d\nContent-Type: text/event-json\n\n%s" % (len(body), body)

    @staticmethod
    def _send(sock: gevent.socket.socket, data: bytes, chunk: int) -> None:
        for start in range(0, len(data), chunk):
            sock.sendall(data[start : start + chunk])

    def _read(self, sock: gevent.socket.socket) -> None:
        buffer = b""
        with contextlib.suppress(ConnectionError):
            while data := sock.recv(65536):
                buffer += data
                *whole, buffer = buffer.split(b"\n\n")
                for command in whole:
                    self._obey(sock, command.decode())
        self.let_go = True
        self._wake.set()

    def _obey(self, sock: gevent.socket.socket, text: str) -> None:
        if text != "connect":
            kind = b"api/response\nContent-Length: 4\n\n+OK\n" if text.startswith("api") else b"command/reply"
            reply = b"\nReply-Text: +OK\n\n" if kind == b"command/reply" else b""
            sock.sendall(b"Content-Type: " + kind + reply)
        found = re.search("execute-app-name: (.*)", text)
        self.sent.append(found[1] if found else text)
        if not found:
            return
        event_uuid = re.search("Event-UUID: (.*)", text)
        named = event_uuid[1] if event_uuid else str(uuid.uuid4())  # as the switch does
        about = {"Unique-ID": self.channel.headers["Unique-ID"], "Application": found[1], "Application-UUID": named}
        if found[1] == "callcenter":
            sock.sendall(event("CHANNEL_EXECUTE", **about))
        if "/accepted.wav" in text:
            sock.sendall(event("CHANNEL_EXECUTE_COMPLETE", **about))
        else:
            self._uuids.setdefault(found[1], []).append(named)
            self._wake.set()


def as_we_ask(name: str) -> RecordedSwitch:
    """A recording with our variable; where the driver asked twice in one command the end comes twice, as for us."""
    switch = RecordedSwitch(name, lambda body: body.replace(b"consent_digit", b"consent_key_1"))
    if name == "silence":
        ended = next(m for m in switch.messages if b'"play_and_get_digits"' in m.body and b"COMPLETE" in m.body)
        switch.messages.insert(switch.messages.index(ended), ended)
    return switch


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("chunk", [1 << 20, 701], ids=["whole", "chunks"])
def test_a_recorded_call_is_decided_as_the_caller_wanted(laboratory: Laboratory, name: str, chunk: int) -> None:
    switch = as_we_ask(name)
    switch.play(laboratory, chunk)
    decision, reason = EXPECTED[name]
    turns = ["arrived", "decision"] + (["call_ended"] if reason == "hangup" else [])
    until(lambda: len(laboratory.rows()) == len(turns) and laboratory.application.calls == 0)
    rows = laboratory.rows()
    assert [row.turn for row in rows] == turns
    assert (rows[1].evidence["decision"], rows[1].evidence["reason"]) == (decision, reason)
    assert ("record_session" in switch.sent) == (decision == "given")
    assert ("callcenter" in switch.sent) == (reason != "hangup")
    if reason != "hangup":
        assert switch.let_go, "the caller is in the queue: nothing more to say"
        assert switch.sent[-1].startswith("api sched_del"), "the watchdog goes last"


def test_a_caller_with_a_name_in_latin_1_is_asked_like_anybody_else(laboratory: Laboratory) -> None:
    switch = RecordedSwitch(
        "granted",
        lambda body: body.replace(b"consent_digit", b"consent_key_1").replace(b"Mustermann", b"M\xfcstermann"),
    )
    switch.play(laboratory, 1 << 20)
    assert [row.evidence.get("decision") for row in laboratory.rows()] == [None, "given"]
    assert "record_session" in switch.sent


@pytest.mark.parametrize("name", ["granted", "silence"])
def test_the_connection_breaks_anywhere_in_a_recorded_call(laboratory: Laboratory, name: str) -> None:
    """Cut behind every event from our first command on: each visit has one decision, a recording only behind a yes."""
    events = [message for message in as_we_ask(name).messages if message.content_type == "text/event-json"]
    ours = [message.event().get("Application") in OURS for message in events].index(True)
    cuts = range(ours + 1, len(events))
    recorded = []

    def visits(turn: str) -> list[str | None]:
        return [row.visit for row in laboratory.rows() if row.turn == turn]

    for number, kept in enumerate(cuts, 1):
        switch = as_we_ask(name)
        switch.messages = events[:kept]
        switch.play(laboratory, 1 << 20)
        until(lambda: len(visits("decision")) == number and laboratory.application.calls == 0)  # noqa: B023
        assert visits("decision") == visits("arrived")
        recorded.append("record_session" in switch.sent)
    decisions = [row.evidence["decision"] for row in laboratory.rows() if row.turn == "decision"]
    assert len(set(visits("decision"))) == len(cuts)
    assert all(decision == "given" for decision, began in zip(decisions, recorded, strict=True) if began)
    assert set(recorded) == ({True, False} if name == "granted" else {False})


# --- the simulated switch beside the real one ------------------------------------------------

DIALPLAN = """
<context><extension name="after"><condition field="destination_number" expression="^after-consent$"/>
<condition field="${consent_handled}" expression="^true$"><action application="log" data="handled"/>
<action application="hangup" data="NORMAL_CLEARING"/></condition></extension>
<extension name="consent"><condition field="destination_number" expression="^5003$">
<action application="set" data="consent_no_record=true"/>
<action application="sched_transfer" data="+60 after-consent XML public"/>
<action application="socket" data="HOST async full"/>
<action application="transfer" data="after-consent XML public"/></condition></extension></context>
"""

CALLERS = {
    "granted": Caller(keys={1: ("1", 1300)}),
    "barge_in": Caller(keys={1: ("1", 300)}),
    "invalid_then_granted": Caller(keys={1: ("5", 1300), 2: ("1", 1300)}),
    "objected": Caller(keys={1: ("9", 1300)}),
    "silence": Caller(),
    "hangup_in_prompt": Caller(hangs_up=("play_and_get_digits", 1, 200)),
    "hangup_in_queue": Caller(keys={1: ("1", 1300)}, waits_ms=60_000, hangs_up=("callcenter", 1, 500)),
    "agent_hangup": Caller(keys={1: ("1", 1300)}, agent_hangs_up=True),
    "queue_timeout": Caller(keys={1: ("1", 1300)}, agent=None),
}
"""Those without commands in the middle of the talk."""


def driver(name: str, sounds: Path, folder: Path) -> Callable[[gevent.socket.socket, object], None]:
    """Sends the recorded driver's commands, each execution when the one before has completed."""
    commands = [command for command in to_switch(name) if not command.startswith("api")]

    def adapt(command: str) -> str:
        command = re.sub(r"/srv/pbxla/sounds/\w+\.wav", str(sounds / "de/8000/question.wav"), command)
        return command.replace("/srv/pbxla/recordings", str(folder))

    def events(sock: gevent.socket.socket) -> Iterator[dict]:
        decoder = Decoder()
        while data := sock.recv(65536):
            decoder.feed(data)
            while (message := decoder.next_message()) is not None:
                if message.content_type == "text/event-json":
                    yield message.event()

    def drive(sock: gevent.socket.socket, _peer: object) -> None:
        incoming = events(sock)
        for command in commands:
            sock.sendall(adapt(command).encode() + b"\n\n")
            event_uuid = re.search("Event-UUID: (.*)", command)
            while event_uuid:
                event = next(incoming, None)
                if event is None or event.get("Application-UUID") == event_uuid[1]:
                    break
        for _ in incoming:
            pass

    return drive


def sequence(name: str) -> list[tuple[str, str]]:
    """What the real switch reported, by event and application."""
    found = []
    for message in messages(from_switch(name)):
        if message.content_type == "text/event-json":
            event = message.event()
            found.append((event["Event-Name"], event.get("Application", "")))
    return found


def without_park(events: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """CHANNEL_PARK comes before or after the first COMPLETE, on the real switch too."""
    return [event for event in events if event[0] != "CHANNEL_PARK"]


@pytest.mark.parametrize("name", sorted(CALLERS))
def test_the_simulated_switch_tells_what_the_real_one_told(name: str, sounds: Path, tmp_path: Path) -> None:
    server = StreamServer(("127.0.0.1", 0), driver(name, sounds, tmp_path))
    server.start()
    dialplan = DIALPLAN.replace("HOST", f"127.0.0.1:{server.server_port}")
    templates = {"support@default": "${consent_record_file}", "short@default": None}
    switch = SimulatedSwitch(dialplan, templates, {}, speed=20)
    channel = switch.call("5003", CALLERS[name])
    channel.greenlet.join(20)
    server.stop()
    first = channel.events.index(("CHANNEL_PARK", ""))
    assert without_park(channel.events[first:]) == without_park(sequence(name))


def test_every_real_event_is_what_our_filters_and_our_reading_rest_on() -> None:
    """Decision 8: the channel's UUID in all, an application's name where one ends and nowhere else, the name first."""
    for name in NAMES:
        for message in messages(from_switch(name)):
            if message.content_type == "text/event-json":
                event = message.event()
                assert event["Unique-ID"]
                assert ("Application" in event) == (event["Event-Name"] == "CHANNEL_EXECUTE_COMPLETE")
                assert next(iter(event)) == "Event-Name"


def test_the_recordings_have_both_directions() -> None:
    for name in NAMES:
        assert {direction for direction, _ in blocks(name)} == {"<<<", ">>>"}


def test_the_simulated_channel_looks_like_the_real_one(laboratory: Laboratory) -> None:
    """Each header that a real ``connect`` brings is in the simulated one, of the same kind."""
    real = dict(messages(from_switch("granted"))[0].headers)
    seen: list[dict] = []

    def look(sock: gevent.socket.socket, _peer: object) -> None:
        decoder = Decoder()
        sock.sendall(b"connect\n\n")
        while (message := decoder.next_message()) is None:
            decoder.feed(sock.recv(65536))
        seen.append(dict(message.headers))

    server = StreamServer(("127.0.0.1", 0), look)
    server.start()
    laboratory.use_switch(f"127.0.0.1:{server.server_port}")
    laboratory.call(Caller())
    server.stop()
    only_real = {"variable_last_sched_id", "variable_current_application_data"}
    assert set(real) - set(seen[0]) <= only_real
    json.dumps(seen[0])
