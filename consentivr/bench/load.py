"""Many FreeSWITCHes in one process, as cheap as they can be made: they must not be what is measured.

Every message is rendered once, from the headers of a recorded call, and only its UUIDs are filled in.
Run by ``bench.calls`` as ``python -m consentivr.bench.load '<JSON>'``; prints JSON.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import nullcontext, suppress
from importlib import resources
from typing import Any
from urllib.parse import quote

import gevent
import gevent.event
import gevent.pool
import gevent.queue
import gevent.socket

NUMBER = "5000"
_CHANNEL, _EXECUTION = "c" * 8 + "-cccc-4ccc-8ccc-" + "c" * 12, "e" * 8 + "-eeee-4eee-8eee-" + "e" * 12
_AGENT, _RECORDING = "a" * 8 + "-aaaa-4aaa-8aaa-" + "a" * 12, "/recordings/a.wav"
_OK = b"Content-Type: command/reply\nReply-Text: +OK\n\n"
_HEADERS = {
    "CHANNEL_BRIDGE": 207,
    "CHANNEL_HANGUP": 218,
    "CHANNEL_UNBRIDGE": 221,
    "RECORD_STOP": 226,
    "CHANNEL_HANGUP_COMPLETE": 304,
    "callcenter": 212,
    "socket": 210,
}
"""How many headers the events of a recorded call have, or the ends of its applications, once they are more than before
the queue; each is about 44 bytes."""

_DECLINES = b"filter Application -"
_DONE = b"Content-Type: api/response\nContent-Length: 4\n\n+OK\n"


class Words:
    """What a switch says, in JSON or plain, ready to be sent but for the UUIDs."""

    def __init__(self) -> None:
        template = json.loads(resources.files("consentivr.lab").joinpath("channel.json").read_text("utf-8"))
        self._base = {
            name: value.replace("@UUID@", _CHANNEL).replace("@DESTINATION@", NUMBER).replace("@NUMBER@", "+493012345")
            for name, value in template.items()
        }
        self._made: dict[tuple[Any, ...], bytes] = {}
        self.connected = self._connected()
        """The answer to ``connect``."""

    def _connected(self) -> bytes:
        lines = [f"{name}: {quote(value)}" for name, value in self._base.items()]
        lines += ["Content-Type: command/reply", "Reply-Text: %2BOK%0A"]
        return ("\n".join(lines) + "\n\n").encode()

    def event(self, plain: bool, name: str, **extra: str) -> bytes:
        """An event; dashes in names of ``extra`` are written as double underscores."""
        key = (plain, name, *sorted(extra.items()))
        if key not in self._made:
            headers = self._base | {"Event-Name": name, "Answer-State": "answered"}
            headers |= {label.replace("__", "-"): value for label, value in extra.items()}
            if name == "DTMF":
                headers = {label: value for label, value in headers.items() if not label.startswith("variable_")}
            for number in range(len(headers), _HEADERS.get(extra.get("Application", name), 0)):
                headers[f"variable_recorded_{number:03}"] = "c" * 16
            if plain:
                body = ("\n".join(f"{label}: {quote(value)}" for label, value in headers.items()) + "\n\n").encode()
                kind = b"plain"
            else:
                body, kind = json.dumps(headers, separators=(",", ":")).encode(), b"json"
            self._made[key] = b"Content-Length: %d\nContent-Type: text/event-%s\n\n%s" % (len(body), kind, body)
        return self._made[key]

    def complete(self, plain: bool, application: str, **extra: str) -> bytes:
        """The end of an application."""
        names = {"Application": application, "Application__UUID": _EXECUTION, "Application__Response": "_none_"}
        return self.event(plain, "CHANNEL_EXECUTE_COMPLETE", variable_current_application=application, **names, **extra)


class Flow:
    """One call from the switch's side, from connecting to the last event.

    As in FreeSWITCH one greenlet replies to commands at once, another executes them one after the other.
    """

    def __init__(self, words: Words, plan: dict[str, Any], held: Callable[[], None] | None = None) -> None:
        self._words = words
        self._plan = plan
        self._held = held
        self._uuid = str(uuid.uuid4()).encode()
        self._plain = True
        self._unwanted: set[str] = set()
        self._declined: set[str] = set()
        self._to_execute: gevent.queue.SimpleQueue[bytes | None] = gevent.queue.SimpleQueue()
        self._decided_at: float | None = None
        self.reaction_s: float | None = None
        self.release: gevent.event.Event | None = None

    def run(self, port: int) -> None:
        """Raises OSError when the application gives up."""
        self._socket = gevent.socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(gevent.socket.IPPROTO_TCP, gevent.socket.TCP_NODELAY, 1)
        reader = gevent.spawn(self._read)
        try:
            parked = False
            for command in iter(self._to_execute.get, None):
                if not parked:
                    self._say(self._event("CHANNEL_PARK"))
                    parked = True
                if self._execute(dict(line.split(b": ", 1) for line in command.split(b"\n")[1:])):
                    with suppress(OSError):  # ours has closed its socket: the question is over
                        self._talk(reader)
                    return
            raise OSError("the application closed the connection")
        finally:
            reader.kill()
            self._socket.close()

    def _say(self, data: bytes) -> None:
        if data:
            self._socket.sendall(data.replace(_CHANNEL.encode(), self._uuid))

    def _read(self) -> None:
        buffer = b""
        try:
            while data := self._socket.recv(65536):
                if self._decided_at is not None:
                    self.reaction_s = time.perf_counter() - self._decided_at
                    self._decided_at = None
                *commands, buffer = (buffer + data).split(b"\n\n")
                self._say(b"".join(self._reply(command) for command in commands))
                for command in commands:
                    if command.startswith(b"sendmsg"):
                        self._to_execute.put(command)
        except OSError:
            pass
        self._to_execute.put(None)

    def _reply(self, command: bytes) -> bytes:
        if command == b"connect":
            return self._words.connected
        if command.startswith(b"myevents json"):
            self._plain = False
        if command.startswith(b"nixevent"):
            self._unwanted.update(command.decode().split(" ")[1:])
        if command.startswith(b"event json"):
            self._unwanted.difference_update(command.decode().split(" ")[2:])
        if command.startswith(_DECLINES):
            self._declined.add(command[len(_DECLINES) :].decode())
        return _DONE if command.startswith(b"api ") else _OK

    def _event(self, name: str, **extra: str) -> bytes:
        return b"" if name in self._unwanted else self._words.event(self._plain, name, **extra)

    def _complete(self, application: str, **extra: str) -> bytes:
        return b"" if application in self._declined else self._words.complete(self._plain, application, **extra)

    def _execute(self, headers: dict[bytes, bytes]) -> bool:
        """Whether this was the queue, in which an agent has answered."""
        key, application = self._plan["key"], headers[b"execute-app-name"].decode()
        extra: dict[str, str] = {}
        before, after = b"", b""
        if application not in self._declined:
            execution = headers.get(b"Event-UUID", b"0" * 36)
            begins = {"Application": application, "Application__UUID": _EXECUTION}
            self._say(self._event("CHANNEL_EXECUTE", **begins).replace(_EXECUTION.encode(), execution))
        if application == "answer":
            before = self._event("CHANNEL_ANSWER")
        elif application == "playback":
            gevent.sleep(self._plan["step_s"])
        elif application == "play_and_get_digits":
            gevent.sleep(self._plan.get("question_s", self._plan["step_s"]))
            variable = headers[b"execute-app-arg"].split(b" ")[7].decode()
            extra = {f"variable_{variable}": key, "variable_read_result": "success"}
            before = self._event("DTMF", DTMF__Digit=key)
        elif application == "record_session":
            before = self._event("RECORD_START", Record__File__Path=_RECORDING)
        elif application == "callcenter":
            gevent.sleep(self._plan["step_s"])
            extra = {"variable_cc_cause": "answered", "variable_cc_agent_uuid": _AGENT}
            after = self._event("CHANNEL_UNPARK") + self._complete("socket")
            after += self._event("CHANNEL_BRIDGE", Other__Leg__Unique__ID=_AGENT)
        done = self._complete(application, **extra)
        with suppress(OSError) if application == "callcenter" else nullcontext():
            self._say(before + done.replace(_EXECUTION.encode(), headers.get(b"Event-UUID", b"0" * 36)) + after)
        if application == "play_and_get_digits":
            self._decided_at = time.perf_counter()
        return application == "callcenter"

    def _talk(self, reader: gevent.Greenlet) -> None:
        """The talk, and its end; what the application says meanwhile is answered."""
        if self._held and self.release:
            self._held()
            self.release.wait()
        else:
            gevent.sleep(self._plan["step_s"])
        cause, stopped = {"Hangup__Cause": "NORMAL_CLEARING"}, {"Record__File__Path": _RECORDING}
        stopped |= {"variable_record_ms": "12000", "variable_record_completion_cause": "success-silence"}
        notice = "Content-Type: text/disconnect-notice\nContent-Disposition: {}\nContent-Length: 0\n\n"
        events = self._event("CHANNEL_HANGUP", **cause) + self._event("CHANNEL_UNBRIDGE")
        events += self._event("RECORD_STOP", **stopped) + self._event("CHANNEL_HANGUP_COMPLETE", **cause)
        self._say(events + notice.format("linger").encode() + notice.format("disconnect").encode())
        # FreeSWITCH closes then; what the application still says must not make that a reset.
        try:
            self._socket.shutdown(gevent.socket.SHUT_WR)
        except OSError:
            return
        reader.join(timeout=0.1)


def flows(plan: dict[str, Any]) -> dict[str, Any]:
    """One flow after the other in ``concurrency`` greenlets; or ``rate`` a second, for ``seconds``."""
    words, reactions, failed = Words(), [], 0
    until = time.perf_counter() + plan["seconds"]

    def one() -> None:
        nonlocal failed
        flow = Flow(words, plan)
        try:
            flow.run(plan["port"])
        except OSError:
            failed += 1
        else:
            reactions.append(flow.reaction_s)

    def many() -> None:
        while time.perf_counter() < until:
            one()

    lags: list[float] = []

    def look_at_the_clock() -> None:
        while True:
            due = time.perf_counter() + 0.005
            gevent.sleep(0.005)
            lags.append(max(0.0, time.perf_counter() - due))

    clock = gevent.spawn(look_at_the_clock)
    began, cpu = time.perf_counter(), time.process_time()
    if plan.get("rate"):
        # Callers come at random, as they do: at even distances two loads would always or never meet.
        chance, due = random.Random(plan["rate"]), began
        under_way = gevent.pool.Group()
        while time.perf_counter() < until:
            under_way.spawn(one)
            due += chance.expovariate(plan["rate"])
            gevent.sleep(max(0.0, due - time.perf_counter()))
        under_way.join(timeout=30)
    else:
        gevent.joinall([gevent.spawn(many) for _ in range(plan["concurrency"])])
    clock.kill()
    known = [reaction for reaction in reactions if reaction is not None]
    return {
        "flows": len(reactions),
        "failed": failed,
        "seconds": time.perf_counter() - began,
        "cpu_s": time.process_time() - cpu,
        "reactions_s": sorted(known),
        "lags_s": sorted(lags),
    }


def burst(plan: dict[str, Any]) -> dict[str, Any]:
    """``calls`` connections at once: seconds until each got its first command."""
    began = time.perf_counter()
    moments: list[float] = []

    def one() -> None:
        with gevent.socket.create_connection(("127.0.0.1", plan["port"])) as sock:
            if sock.recv(65536):
                moments.append(time.perf_counter() - began)

    cpu = time.process_time()
    gevent.joinall([gevent.spawn(one) for _ in range(plan["calls"])], timeout=60)
    return {"first_commands": len(moments), "seconds": max(moments, default=0.0), "cpu_s": time.process_time() - cpu}


def hold(plan: dict[str, Any]) -> dict[str, Any]:
    """``calls`` talks; says when all are there, and ends them when its standard input ends."""
    words, release, there = Words(), gevent.event.Event(), 0
    everyone = gevent.event.Event()

    def arrived() -> None:
        nonlocal there
        there += 1
        if there == plan["calls"]:
            everyone.set()

    def one() -> None:
        flow = Flow(words, plan, arrived)
        flow.release = release
        flow.run(plan["port"])

    pool = gevent.pool.Group()
    for _ in range(plan["calls"]):
        pool.spawn(one)
        gevent.sleep(1 / plan["rate"])
    everyone.wait(timeout=60)
    print(json.dumps({"there": there}), flush=True)
    gevent.get_hub().threadpool.apply(sys.stdin.read)
    release.set()
    pool.join(timeout=60)
    return {"there": there}


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    wanted = json.loads(sys.argv[1])
    print(json.dumps({"flows": flows, "burst": burst, "hold": hold}[wanted["what"]](wanted)))
