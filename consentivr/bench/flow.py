"""One call from the switch's side, from connecting to the last event, on both of its sockets."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import gevent
import gevent.event
import gevent.queue
import gevent.socket

from consentivr.bench.event_socket import EventSocket
from consentivr.bench.words import AGENT, AGENT_NAME, CHANNEL, EXECUTION, LINE, VISIT, Words

_OK = b"Content-Type: command/reply\nReply-Text: +OK\n\n"
_DONE = b"Content-Type: api/response\nContent-Length: 4\n\n+OK\n"
_DECLINES = b"filter Application -"
_SET = re.compile(rb"consent_(visit|decision|record_file)=([^|;\n]*)")
_RECORDED = (
    b"RIFF\x64\x06\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\x40\x06\0\0" + bytes(1600)
)
"""A recording of 0.1 s: there is something to seal."""


class Exchange:
    """What the calls of one switch share: its words, and its event socket."""

    def __init__(self) -> None:
        self.socket = EventSocket()
        self._words: dict[str, Words] = {}

    def words(self, folder: str = "/recordings") -> Words:
        """Those that name recordings in this folder, which is made."""
        if folder not in self._words:
            if self._words:
                Path(folder).mkdir(parents=True, exist_ok=True)
            self._words[folder] = Words(folder)
        return self._words[folder]


class Flow:
    """As in FreeSWITCH one greenlet replies to commands at once, another executes them one after the other.

    ``plan``: the ``key`` that the caller presses, ``step_s`` of each announcement and of the queue,
    ``talk_s`` of the talk, ``question_s`` of the question.
    """

    def __init__(self, exchange: Exchange, plan: dict[str, Any], held: Callable[[], None] | None = None) -> None:
        self._exchange = exchange
        self._watch = exchange.socket
        self._words = exchange.words()
        self._plan = plan
        self._held = held
        self._uuid, self._agent = str(uuid.uuid4()), str(uuid.uuid4())
        self._visit = VISIT
        self._decision = ""
        self._file: str | None = None
        self._plain = True
        self._unwanted: set[str] = set()
        self._declined: set[str] = set()
        self._to_execute: gevent.queue.SimpleQueue[bytes | None] = gevent.queue.SimpleQueue()
        self._decided_at: float | None = None
        self._let_go = False
        self.reaction_s: float | None = None
        self.release: gevent.event.Event | None = None

    def run(self, port: int) -> None:
        """Raises OSError when the application gives up."""
        leg = self._watch.arrive(self._uuid, "inbound")
        leg.variables = {"consent_line": LINE}
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
                    self._talk(reader)
                    return
            raise OSError("the application closed the connection")
        finally:
            self._watch.legs.pop(self._uuid, None)
            self._watch.legs.pop(self._agent, None)
            reader.kill()
            self._socket.close()

    # --- the call's own socket ---------------------------------------------------------------

    def _say(self, data: bytes) -> None:
        if data and not self._let_go:
            self._socket.sendall(data.replace(CHANNEL.encode(), self._uuid.encode()))

    def _read(self) -> None:
        buffer = b""
        try:
            while data := self._socket.recv(65536):
                if self._decided_at is not None:
                    self.reaction_s = time.perf_counter() - self._decided_at
                    self._decided_at = None
                *commands, buffer = (buffer + data).split(b"\n\n")
                self._say(b"".join([self._reply(command) for command in commands]))
                for command in commands:
                    if command.startswith(b"sendmsg"):
                        self._to_execute.put(command)
        except OSError:
            pass
        self._let_go = True
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
        if command.startswith(b"api uuid_setvar"):
            self._set(command)
        return _DONE if command.startswith(b"api ") else _OK

    def _event(self, name: str, **extra: str) -> bytes:
        return b"" if name in self._unwanted else self._words.event(self._plain, name, **extra)

    def _executes(self, application: str) -> bytes:
        wanted = application not in self._declined and "CHANNEL_EXECUTE" not in self._unwanted
        return self._words.executes(self._plain, application) if wanted else b""

    def _complete(self, application: str, **extra: str) -> bytes:
        return b"" if application in self._declined else self._words.complete(self._plain, application, **extra)

    def _execute(self, headers: dict[bytes, bytes]) -> bool:
        """Whether this was the queue, in which an agent has answered."""
        key, application = self._plan["key"], headers[b"execute-app-name"].decode()
        argument = headers.get(b"execute-app-arg", b"")
        execution = headers.get(b"Event-UUID", b"0" * 36)
        self._say(self._executes(application).replace(EXECUTION.encode(), execution))
        extra: dict[str, str] = {}
        before, after, asks = b"", b"", False
        if application == "multiset":
            self._set(argument)
        elif application == "answer":
            before = self._event("CHANNEL_ANSWER")
        elif application == "playback":
            gevent.sleep(self._plan["step_s"])
        elif application == "play_and_get_digits":
            variable, keys = argument.split(b" ")[7:9]
            asks = keys.startswith(b"[")
            gevent.sleep(self._plan.get("question_s", self._plan["step_s"]) if asks else self._plan["step_s"])
            if asks:
                extra = {f"variable_{variable.decode()}": key, "variable_read_result": "success"}
                extra |= {"variable_playback_last_offset_pos": "999999"}
                before = self._event("DTMF", DTMF__Digit=key)
                self._hear("DTMF", self._words.event(False, "DTMF", DTMF__Digit=key))
        elif application == "record_session":
            before = self._event("RECORD_START", Record__File__Path=self._words.recording)
            self._records(argument.decode())
        elif application == "callcenter":
            self._queue()
            extra = {"variable_cc_cause": "answered", "variable_cc_agent_uuid": AGENT}
            after = self._event("CHANNEL_UNPARK") + self._complete("socket")
            after += self._event("CHANNEL_BRIDGE", Other__Leg__Unique__ID=AGENT)
        done = self._complete(application, **extra)
        # Whoever only asks has closed the socket by then.
        with suppress(OSError) if application == "callcenter" else nullcontext():
            self._say(before + done.replace(EXECUTION.encode(), execution) + after)
        if asks:
            self._decided_at = time.perf_counter()
        return application == "callcenter"

    def _set(self, argument: bytes) -> None:
        leg = self._watch.legs[self._uuid]
        for name, value in _SET.findall(argument):
            word = value.decode()
            leg.variables[f"consent_{name.decode()}"] = word
            if name == b"visit":
                self._visit = word
            elif name == b"decision":
                self._decision = word
            elif not word.startswith("/dev/null/"):
                self._words = self._exchange.words(word.rpartition("/")[0])

    # --- what only the watch hears -----------------------------------------------------------

    def _hear(self, name: str, message: bytes, action: str = "") -> None:
        for mark, mine in ((CHANNEL, self._uuid), (VISIT, self._visit), (AGENT, self._agent)):
            message = message.replace(mark.encode(), mine.encode())
        self._watch.tell(name, message, action)

    def _hear_queue(self, *actions: str) -> None:
        for action in actions:
            agent = {"CC__Agent": AGENT_NAME, "CC__Agent__UUID": AGENT} if "agent" in action else {}
            self._hear("CUSTOM", self._words.queue(action, self._decision, **agent), action)

    def _watched(self, name: str, **extra: str) -> None:
        self._hear(name, self._words.watched(name, self._decision, **extra))

    def _records(self, path: str) -> None:
        """A yes that was announced: what we set on the channel says so already."""
        self._decision = "given"
        self._file = self._watch.legs[self._uuid].file = path
        if self._visit != VISIT:
            Path(path).write_bytes(_RECORDED)
        bug = {"Media__Bug__Function": "session_record", "Media__Bug__Target": self._words.recording}
        self._watched("MEDIA_BUG_START", **bug)

    def _queue(self) -> None:
        """Until an agent talks with the caller."""
        watch = self._watch
        watch.does(self._uuid, "inbound", "callcenter")
        self._hear_queue("member-queue-start", "members-count")
        gevent.sleep(self._plan["step_s"])
        watch.arrive(self._agent, "outbound").partner = None
        watch.legs[self._uuid].partner = self._agent
        self._hear_queue("agent-state-change", "agent-offering", "bridge-agent-start", "members-count")
        self._watched("CHANNEL_BRIDGE", Bridge__A__Unique__ID=CHANNEL, Bridge__B__Unique__ID=AGENT)
        self._hear_queue("agent-state-change")

    def _hangs_up(self) -> None:
        cause = {"Hangup__Cause": "NORMAL_CLEARING"}
        self._watch.legs[self._uuid].partner = self._watch.legs[self._uuid].file = None
        self._watched("CHANNEL_UNBRIDGE", Bridge__A__Unique__ID=CHANNEL, Bridge__B__Unique__ID=AGENT)
        self._watched("CHANNEL_HANGUP_COMPLETE", Unique__ID=AGENT, **cause)
        if self._file:
            self._watched("RECORD_STOP", Record__File__Path=self._words.recording, **_STOPPED)
            bug = {"Media__Bug__Function": "session_record", "Media__Bug__Target": self._words.recording}
            self._watched("MEDIA_BUG_STOP", **bug)
        self._watched("CHANNEL_HANGUP_COMPLETE", **cause)
        self._hear_queue("bridge-agent-end", "member-queue-end", "agent-state-change")

    # --- the talk, and its end ---------------------------------------------------------------

    def _talk(self, reader: gevent.Greenlet) -> None:
        """What the application says meanwhile is answered."""
        if self._held and self.release:
            self._held()
            self.release.wait()
        else:
            gevent.sleep(self._plan["talk_s"])
        self._hangs_up()
        if not self._let_go:
            with suppress(OSError):
                self._say_goodbye(reader)

    def _say_goodbye(self, reader: gevent.Greenlet) -> None:
        cause, stopped = {"Hangup__Cause": "NORMAL_CLEARING"}, {"Record__File__Path": self._words.recording, **_STOPPED}
        notice = "Content-Type: text/disconnect-notice\nContent-Disposition: {}\nContent-Length: 0\n\n"
        events = self._event("CHANNEL_HANGUP", **cause) + self._event("CHANNEL_UNBRIDGE")
        events += self._event("RECORD_STOP", **stopped) + self._event("CHANNEL_HANGUP_COMPLETE", **cause)
        self._say(events + notice.format("linger").encode() + notice.format("disconnect").encode())
        # FreeSWITCH closes then; what the application still says must not make that a reset.
        self._socket.shutdown(gevent.socket.SHUT_WR)
        reader.join(timeout=0.1)


_STOPPED = {"variable_record_ms": "12000", "variable_record_completion_cause": "success-silence"}
