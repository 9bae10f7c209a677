"""Ten thousand calls: no greenlet, descriptor or memory stays behind, and nothing of them in the watch."""

from __future__ import annotations

import gc
import re
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gevent
import gevent.pool
import gevent.socket
import greenlet

from consentivr.config import Configuration
from consentivr.lab.event_socket import SimulatedEventSocket
from consentivr.lab.laboratory import password_file, with_switch
from consentivr.lab.simulated import words
from consentivr.lab.simulated.faults import Faults
from consentivr.ledger import Ledger
from consentivr.service.service import Application
from tests.esl.peers import OK, event, proven
from tests.flow.calling import visits
from tests.served import PASSWORD, Served
from tests.waiting import until

CALLS = 10_000
AT_ONCE = 50
COMMIT_MS = 10_000
"""A busy machine may take its time: a yes that is not proven would be another call than the one that is played."""
KINDS = ("yes", "no", "withdrawn", "foreign", "colleague", "conference", "listened", "held", "gives up", "hangs up")
"""What happens in a call: each in turn."""


class PassingSwitch:
    """A switch of calls that are over at once: what it tells is all that is told of a call, and it knows no channel."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.core_uuid = str(uuid.uuid4())
        self.faults = Faults()
        self.listeners: list[Callable[[words.Event], None]] = []
        Path(configuration.recordings.folder).mkdir(exist_ok=True)  # and nothing is ever in it

    def api(self, command: str) -> str:
        if command == "switchname":
            return words.SWITCHNAME
        if command.startswith("global_getvar"):
            return self.core_uuid
        if command.startswith("show"):
            return words.listing([])
        if command.startswith("conference"):
            return "[]"
        if command.startswith("uuid_exists"):
            return "false"
        return words.bug_list([]) if command.startswith("uuid_buglist") else "+OK\n"

    def tell(self, name: str, **headers: str) -> None:
        told = {"Event-Name": name, "Core-UUID": self.core_uuid, "Event-Date-Timestamp": words.now()}
        told |= {key.replace("_", "-") if not key.startswith("variable_") else key: headers[key] for key in headers}
        for listener in list(self.listeners):
            listener(told)

    def talk(self, caller: str, variables: dict[str, str], path: str, kind: str) -> None:
        """From the queue to the hang-up."""
        agent, other, member = (str(uuid.uuid4()) for _ in range(3))
        own = {f"variable_{name}": text for name, text in variables.items()}
        queue = {"Event_Subclass": "callcenter::info", "CC_Queue": "support@default", "CC_Member_UUID": member}
        queue |= {"CC_Member_Session_UUID": caller, "Unique_ID": caller}
        self.tell("CUSTOM", **queue, CC_Action="member-queue-start", **own)
        if kind == "gives up":
            self.tell("CUSTOM", **queue, CC_Action="member-queue-end", CC_Cause="Cancel", CC_Cancel_Reason="TIMEOUT")
        else:
            self.tell("CUSTOM", **queue, CC_Action="bridge-agent-start", CC_Agent="1001@default", CC_Agent_UUID=agent)
            self._connected(caller, agent, "CHANNEL_BRIDGE")
        bug = {"Unique_ID": caller, "Media_Bug_Function": "session_record", "Media_Bug_Target": path}
        if path:
            self.tell("MEDIA_BUG_START", **bug, **own)
        gevent.sleep(0.02)  # by then its rows are read
        getattr(self, f"_{kind.replace(' ', '_')}", lambda *legs: None)(caller, agent, other)
        if path:
            self.tell("RECORD_STOP", Unique_ID=caller, Record_File_Path=path, variable_record_ms="1000")
            self.tell("MEDIA_BUG_STOP", **bug)
        if kind != "gives up":
            self._connected(caller, agent, "CHANNEL_UNBRIDGE")
        for leg in (caller, agent, other):
            self.tell("CHANNEL_HANGUP_COMPLETE", Unique_ID=leg, Hangup_Cause="NORMAL_CLEARING")

    def _connected(self, a: str, b: str, name: str) -> None:
        self.tell(name, Unique_ID=a, Bridge_A_Unique_ID=a, Bridge_B_Unique_ID=b)

    def _withdrawn(self, caller: str, agent: str, other: str) -> None:
        for key in "*9":
            self.tell("DTMF", Unique_ID=caller, DTMF_Digit=key)

    def _foreign(self, caller: str, agent: str, other: str) -> None:
        self.tell("MEDIA_BUG_START", Unique_ID=agent, Media_Bug_Function="session_record", Media_Bug_Target="/x/y.wav")

    def _colleague(self, caller: str, agent: str, other: str) -> None:
        self._connected(caller, agent, "CHANNEL_UNBRIDGE")
        self._connected(caller, other, "CHANNEL_BRIDGE")
        self._connected(caller, other, "CHANNEL_UNBRIDGE")
        self._connected(caller, agent, "CHANNEL_BRIDGE")

    def _conference(self, caller: str, agent: str, other: str) -> None:
        room = {"Event_Subclass": "conference::maintenance", "Conference_Name": f"room-{caller[:8]}"}
        for leg in (caller, agent):
            self.tell("CUSTOM", **room, Action="add-member", Unique_ID=leg)
        for action in ("start-recording", "stop-recording"):
            self.tell("CUSTOM", **room, Action=action, Path=f"/x/{caller}.wav")

    def _listened(self, caller: str, agent: str, other: str) -> None:
        self.tell("CHANNEL_EXECUTE", Unique_ID=other, Application="eavesdrop", Application_Data=caller)
        self.tell("MEDIA_BUG_START", Unique_ID=caller, Media_Bug_Function="eavesdrop", Media_Bug_Target=caller)

    def _held(self, caller: str, agent: str, other: str) -> None:
        self.tell("CHANNEL_HOLD", Unique_ID=agent)


def whole_call(address: tuple[str, int], switch: PassingSwitch, kind: str) -> None:
    """A caller, as fast as the application can."""
    channel = str(uuid.uuid4())

    def say(name: str, **headers: str) -> bytes:
        return event(name, **{"Unique-ID": channel, "Answer-State": "answered", **headers})

    def completed(application: str, **headers: str) -> bytes:
        found = re.search(rb"execute-app-name: %s\n(?:.+\n)*?Event-UUID: (\S+)" % application.encode(), heard)
        assert found, heard
        return say("CHANNEL_EXECUTE_COMPLETE", **{"Application-UUID": found[1].decode(), **headers})

    with gevent.socket.create_connection(address, timeout=30) as sock:
        connected = (
            f"Event-Name: CHANNEL_DATA\nUnique-ID: {channel}\nCaller-Destination-Number: 5000\n"
            f"FreeSWITCH-Switchname: {words.SWITCHNAME}\nCore-UUID: {switch.core_uuid}\n"
            "Caller-Caller-ID-Number: %2B493023125000\nContent-Type: command/reply\nReply-Text: %2BOK%0A\n\n"
        )
        sock.sendall(proven(connected.encode(), switch.configuration))
        heard = until_heard(sock, b"play_and_get_digits")
        visit = re.search(rb"consent_visit=([^;\n]+)", heard)
        assert visit
        variables = {"consent_visit": visit[1].decode(), "consent_line": "support"}
        if kind == "hangs up":
            hangup = {"Hangup-Cause": "NORMAL_CLEARING"}
            sock.sendall(say("CHANNEL_HANGUP", **hangup) + say("CHANNEL_HANGUP_COMPLETE", **hangup))
            drain(sock)
            switch.tell("CHANNEL_HANGUP_COMPLETE", Unique_ID=channel, Hangup_Cause="NORMAL_CLEARING")
            return
        key = "9" if kind in ("no", "foreign", "conference", "listened") else "1"
        sock.sendall(
            OK * (heard.count(b"\n\n") - 1)
            + completed("play_and_get_digits", variable_read_result="success", variable_consent_key_1=key)
        )
        path = ""
        if key == "1":
            heard = until_heard(sock, b"play_and_get_digits")
            sock.sendall(OK * heard.count(b"\n\n") + completed("play_and_get_digits"))
        heard = until_heard(sock, b"callcenter")
        if key == "1":
            found = re.search(rb"consent_record_file=([^|\n]+)", heard)
            assert found
            path = variables["consent_record_file"] = found[1].decode()
        variables["consent_decision"] = "given" if key == "1" else "refused"
        sock.sendall(OK * heard.count(b"\n\n") + say("CHANNEL_EXECUTE", Application="callcenter"))
        drain(sock)
    switch.talk(channel, variables, path, kind)


def until_heard(sock: gevent.socket.socket, what: bytes) -> bytes:
    heard = b""
    while what not in heard or not heard.endswith(b"\n\n"):
        data = sock.recv(65536)
        assert data, "the application closed the connection"
        heard += data
    return heard


def drain(sock: gevent.socket.socket) -> None:
    while sock.recv(65536):
        pass


def play(address: tuple[str, int], switch: PassingSwitch, calls: int) -> None:
    pool = gevent.pool.Pool(AT_ONCE)
    for number in range(calls):
        pool.spawn(whole_call, address, switch, KINDS[number % len(KINDS)]).rawlink(_raise)
    pool.join(raise_error=True)


def _raise(done: gevent.Greenlet) -> None:
    assert done.exception is None, done.exception


def every_visit_is_whole(location: str | Path, calls: int) -> None:
    ledger = Ledger(location)
    rows = list(ledger.read())
    ledger.close()
    assert len(visits(rows)) == calls
    turns = Counter(row.turn for row in rows)
    assert turns["recording_started"] == turns["recording_stopped"]
    of_a_kind = calls // len(KINDS)
    assert turns["withdrawn"] == turns["queue_left"] == of_a_kind
    assert turns["forbidden_recording"] > 0, "those that ran until the rows of the visit were read"


def test_no_descriptor_and_no_memory_stays_behind(configure: Callable[..., Configuration], tmp_path: Path) -> None:
    served = Served(configure(commit_timeout_ms=COMMIT_MS), tmp_path)
    switch = PassingSwitch(served.configuration)
    served.event_socket.attach(switch)
    process = Path("/proc") / str(served.process.pid)
    address = ("127.0.0.1", served.port)

    def measure() -> tuple[int, int]:
        gevent.sleep(2)
        resident = re.search(r"VmRSS:\s+(\d+)", (process / "status").read_text())
        assert resident
        return len(list((process / "fd").iterdir())), int(resident[1])

    try:
        play(address, switch, CALLS // 5)
        descriptors, resident = measure()
        play(address, switch, CALLS - CALLS // 5)
        after = measure()
    finally:
        served.end()
    assert after[0] <= descriptors + 1
    # Caches grow to their bounds meanwhile: by 10 MB from 2,000 calls on, and after 28,000 nothing more comes
    # (docs/performance.md). How much of that falls into these calls differs.
    assert after[1] - resident < 10_000, f"{after[1] - resident} kB more over {CALLS - CALLS // 5} calls"
    every_visit_is_whole(served.configuration.ledger.location, CALLS)


@contextmanager
def serving(configuration: Configuration, folder: Path) -> Iterator[tuple[Application, PassingSwitch]]:
    switch = PassingSwitch(configuration)
    socket = SimulatedEventSocket(switch, PASSWORD)
    configuration = with_switch(configuration, socket.address, password_file(folder, PASSWORD))
    application = Application(configuration, listen=("127.0.0.1", 0))
    application.start()
    until(lambda: socket.connections == 2)
    yield application, switch
    application.stop()
    socket.cut()


def left_in(thing: Any) -> dict[str, int]:
    """How much each collection of an object holds."""
    names = getattr(thing, "__dict__", None) or {}
    return {name: len(held) for name, held in names.items() if isinstance(held, (dict, list, set, tuple)) and held}


def test_nothing_of_them_stays_behind_in_the_watch(configure: Callable[..., Configuration], tmp_path: Path) -> None:
    made = configure(commit_timeout_ms=COMMIT_MS)
    made = made.changed(
        ledger=made.ledger.changed(path=tmp_path / "ledger.sqlite3", head_file=tmp_path / "ledger.head"),
        recordings=made.recordings.changed(folder=tmp_path / "recordings"),
    )
    with serving(made, tmp_path) as (application, switch):

        def greenlets() -> int:
            gc.collect()
            return sum(isinstance(thing, greenlet.greenlet) for thing in gc.get_objects())

        def left() -> dict[str, dict[str, int]]:
            """What is told on the other connection may come after the end of its leg: a sweep finds that."""
            following = application._watches[0]._following
            assert following is not None
            parts = (following, following.board, following.people, following.adopting, following.adopting._settling)
            parts = (*parts, following._doing, following._doing._orders, following._sweep, following.returning)
            held = {type(part).__name__: left_in(part) for part in parts}
            held |= {
                "jobs": dict(following.connection._jobs),
                "beside": {str(one): 1 for one in following._beside if "_tick" not in str(one)},
            }
            return {name: sizes for name, sizes in held.items() if sizes}

        play(application.address, switch, 200)
        until(lambda: left() == {"Following": {"switch_name": 2}}, 20, left)
        before = greenlets()
        play(application.address, switch, 1000)
        until(lambda: left() == {"Following": {"switch_name": 2}}, 20, left)
        assert application.calls == 0
        until(lambda: greenlets() <= before + 2, 20, greenlets)  # a thread that has nothing to do ends by and by
    every_visit_is_whole(made.ledger.location, 1200)
