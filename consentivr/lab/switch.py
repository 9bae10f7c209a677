"""The simulated switch: executes the rendered dialplan, dials the application, tells what it sees.

Behaviour follows FREESWITCH.md; the order of events follows the recorded conversations.
"""

from __future__ import annotations

import json
import math
import re
import time
import uuid
from collections import deque
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gevent
import gevent.queue
import gevent.socket
import numpy as np
import soundfile

from consentivr.lab.caller import Caller
from consentivr.lab.dialplan import Dialplan, expand

_TEMPLATE: dict[str, str] = json.loads(resources.files(__package__).joinpath("channel.json").read_text("utf-8"))
_FRAME_MS = 20
_RATE = 8000
_MEDIA_BUG = (
    " <media-bug>\n  <function>session_record</function>\n  <target>{path}</target>\n"
    "  <thread-locked>0</thread-locked>\n </media-bug>\n"
)


class _HungUp(Exception):
    """The channel is going down."""


class _Transferred(Exception):
    """The channel goes on at another extension."""


class SimulatedSwitch:
    """A switch with one context. ``speed`` is how many simulated seconds pass in a real one.

    ``queues`` maps a queue's name to its record-template (None: it has none).
    """

    def __init__(
        self,
        dialplan: str,
        queues: dict[str, str | None],
        *,
        speed: float = 1.0,
        observer: Callable[[Channel, str], None] = lambda channel, what: None,
    ) -> None:
        self.observer = observer
        self.dialplan = Dialplan(dialplan)
        self.queues = queues
        self.speed = speed
        self.globals = {"consent_record_file": "/dev/null/no-record/never-asked.wav"}
        self.channels: list[Channel] = []
        """Calls that are up."""
        self.listeners: list[Callable[[dict[str, str]], None]] = []
        """Who hears every event of every leg: connections to the simulated event socket."""

    def call(self, destination: str, caller: Caller) -> Channel:
        """Place a call; returns at once. ``Channel.over`` tells when it has ended."""
        channel = Channel(self, destination, caller)
        self.channels.append(channel)
        channel.greenlet = gevent.spawn(channel.run)
        return channel

    def api(self, command: str) -> str:
        """What an API command answers that does not come over a call's own socket."""
        words = command.split(" ")
        if command == "show calls as json":
            rows = [{"uuid": channel.uuid, "b_uuid": channel.agent_leg} for channel in self.channels]
            return json.dumps({"row_count": len(rows)} | ({"rows": rows} if rows else {}))
        for channel in self.channels:
            if len(words) > 1 and words[1] in channel.legs:
                return channel.api(words)
        return "-ERR No such channel!\n"


class Channel:
    """A caller's leg: what happened to it is in ``story``, ``reached``, ``recorded`` and ``events``."""

    def __init__(self, switch: SimulatedSwitch, destination: str, caller: Caller) -> None:
        self.switch = switch
        self.destination = destination
        self.caller = caller
        self.uuid = str(uuid.uuid4())
        self.variables: dict[str, str] = {}
        self.events: list[tuple[str, str]] = []
        """(event name, application or '') of every event, sent or not."""
        self.applications: list[str] = []
        self.reached: list[str] = []
        """Queues entered, in order."""
        self.talked_ms = 0
        self.recorders: dict[str, float] = {}
        self._agent: str | None = None
        self._masks: dict[str, list[float]] = {}
        self.agent_masks: list[tuple[str, str]] = []
        self.broadcasts: list[tuple[str, str]] = []
        """(announcement, 'both' or 'aleg') of every one played into waiting or talk."""
        self.agent_recorders: list[str] = []
        """What something else records the agent's leg to."""
        self._agent_variables: dict[str, str] = {}
        self.recorded: dict[str, int] = {}
        """Path -> milliseconds of every recording that was kept."""
        self.bugs_in_talk: list[list[str]] = []
        """The recorders attached during each talk: the negative proof."""
        self.hangup_cause: str | None = None
        self.greenlet: gevent.Greenlet | None = None
        self._mail: gevent.queue.Queue = gevent.queue.Queue()
        self._commands: deque[tuple[str, str, str]] = deque()
        self._socket: gevent.socket.socket | None = None
        self._lingers = False
        self._subscribed = False
        self._unwanted = {"RECORD_START", "RECORD_STOP"}
        self._filters: list[tuple[str, str]] = []
        self._watchdog: gevent.Greenlet | None = None
        self._answered = False
        self._hanging_up = False
        self._state = "CS_EXECUTE"
        self._bridged_since: float | None = None
        self._bridged_ms = 0.0
        self._began = time.monotonic()
        self._timers: list[gevent.Greenlet] = []
        self._questions = 0
        self._in_queue = False
        self._bridge_due = False
        self.agent_leg = ""
        self._occurrences: dict[str, int] = {}

    @property
    def over(self) -> bool:
        """Whether the call has ended."""
        return self.hangup_cause is not None

    # --- outside influence -------------------------------------------------------------------

    def hang_up(self, cause: str = "NORMAL_CLEARING") -> None:
        """The caller hangs up now."""
        self._mail.put(("hangup", cause))

    def transfer_to(self, agent: str | None) -> None:
        """The agent hands the caller over to another one, or (None) to someone who is no agent."""
        self._mail.put(("handover", agent))

    def press(self, key: str) -> None:
        """The caller presses a key now."""
        self._mail.put(("dtmf", key))

    def agent_presses(self, key: str) -> None:
        """The agent presses a key now: an event of the agent's leg alone (section 5)."""
        self._agent_event("DTMF", {"DTMF-Digit": key, "DTMF-Duration": "2080", "DTMF-Source": "RTP"})

    def record_without_asking(self, path: str, *, agent: bool = False) -> None:
        """Another dialplan, or someone from outside, records this leg."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(b"RIFF")
        if agent:
            self.agent_recorders.append(path)
            self._agent_event("RECORD_START", {"Record-File-Path": path})
        else:
            self._start_recorder(path)

    @property
    def legs(self) -> list[str]:
        """The caller's channel, and the agent's while there is one."""
        return [self.uuid, self.agent_leg] if self.agent_leg else [self.uuid]

    def _tell(self, what: str) -> None:
        self.switch.observer(self, what)

    @property
    def age_s(self) -> float:
        """Simulated seconds since the call began."""
        return (time.monotonic() - self._began) * self.switch.speed

    # --- the life of a channel ---------------------------------------------------------------

    def run(self) -> None:
        """Route, execute, and go on wherever a transfer leads, until the channel is down."""
        cause = "NORMAL_CLEARING"
        try:
            while True:
                try:
                    actions = self.switch.dialplan.route(self.destination, self._all_variables())
                    if not actions:
                        cause = "NO_ROUTE_DESTINATION"
                        break
                    for action in actions:
                        self._execute(action.application, expand(action.data, self._all_variables()))
                        if self._bridge_due:
                            self._talk()
                    break
                except _Transferred as transfer:
                    self.destination = str(transfer)
        except _HungUp as hangup:
            cause = str(hangup)
        finally:
            self._go_down(cause)

    def _go_down(self, cause: str) -> None:
        for timer in self._timers:
            timer.kill(block=False)
        if self._watchdog is not None:
            self._watchdog.kill(block=False)
        self._hangup_event(cause)
        self._state = "CS_HANGUP"
        self._end_talk()
        for path in list(self.recorders):
            self._stop_recorder(path)
        self._state = "CS_REPORTING"
        self.hangup_cause = cause
        self._event("CHANNEL_HANGUP_COMPLETE", {"Hangup-Cause": cause, "variable_hangup_cause": cause})
        self._disconnect_notice("disconnect")
        self._close_socket()
        self.switch.channels.remove(self)

    def _hangup_event(self, cause: str) -> None:
        """Once; with ``linger`` the first notice follows at once, before the last events (section 2)."""
        if self._hanging_up:
            return
        self._hanging_up = True
        self._tell(f"the call ends ({cause})")
        self._event("CHANNEL_HANGUP", {"Hangup-Cause": cause, "Answer-State": "hangup"})
        if self._lingers:
            self._disconnect_notice("linger")

    def _all_variables(self) -> dict[str, str]:
        return {**self.switch.globals, "uuid": self.uuid, **self.variables}

    # --- executing applications --------------------------------------------------------------

    def _execute(self, application: str, argument: str, event_uuid: str | None = None) -> None:
        self.applications.append(application)
        self._schedule_for(application)
        if self.caller.drops_socket_at == len(self.applications) and self._socket is not None:
            self._drop_socket()
        self.variables["current_application"] = application
        self.variables["current_application_data"] = argument
        method = getattr(self, f"_app_{application}", None)
        if method is None:
            raise _HungUp("DESTINATION_OUT_OF_ORDER")
        extra: dict[str, str] = {}
        try:
            extra = method(argument) or {}
        except _Transferred:
            self._complete(application, argument, event_uuid, extra)
            raise
        except _HungUp as hangup:
            self._hangup_event(str(hangup))
            if application == "callcenter":
                self.variables.update(cc_cause="cancel", cc_cancel_reason="BREAK_OUT")
            self._complete(application, argument, event_uuid, {"Answer-State": "hangup"})
            raise
        self._complete(application, argument, event_uuid, extra)

    def _complete(self, application: str, argument: str, event_uuid: str | None, extra: dict[str, str]) -> None:
        self._event(
            "CHANNEL_EXECUTE_COMPLETE",
            {
                "Application": application,
                "Application-Data": argument,
                "Application-Response": "_none_",
                "Application-UUID": event_uuid or str(uuid.uuid4()),
                **extra,
            },
        )

    def _schedule_for(self, application: str) -> None:
        count = self._occurrences[application] = self._occurrences.get(application, 0) + 1
        hangs_up = self.caller.hangs_up
        if hangs_up is not None and hangs_up[:2] == (application, count):
            self._later(hangs_up[2], self.hang_up)

    def _later(self, milliseconds: float, what: Callable[..., None], *arguments: Any) -> gevent.Greenlet:
        timer = gevent.spawn_later(milliseconds / 1000 / self.switch.speed, what, *arguments)
        self._timers.append(timer)
        return timer

    def _wait(self, milliseconds: float | None, stops_at: str = "", ends_with: tuple[str, ...] = ()) -> str | None:
        """Let simulated time pass. Returns the key, or the other thing of ``ends_with``, that ended the wait.

        None when the time is over. Keys that do not end it are consumed.
        """
        until = None if milliseconds is None else time.monotonic() + milliseconds / 1000 / self.switch.speed
        while True:
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                gevent.sleep(0)
                left = 0.0
            try:
                kind, value = self._mail.get(block=left is None or left > 0, timeout=left)
            except gevent.queue.Empty:
                return None
            if kind == "hangup":
                self._hangup_event(value)
                raise _HungUp(value)
            if kind == "transfer":
                raise _Transferred(value)
            if kind == "dtmf":
                self._tell(f"presses {value}")
                self._event("DTMF", {"DTMF-Digit": value, "DTMF-Duration": "2080", "DTMF-Source": "RTP"})
                if value in stops_at:
                    return str(value)
            elif kind == "command" and not self._in_queue:
                # A sendmsg that arrives while callcenter waits is lost (FREESWITCH.md, section 2).
                self._commands.append(value)
            elif kind == "closed":
                self._close_socket()
            if kind == "handover":
                self._agent = value
            if kind in ends_with:
                return str(kind)

    def _app_set(self, argument: str) -> None:
        name, _, value = argument.partition("=")
        self._set(name, value)

    def _app_unset(self, argument: str) -> None:
        self._set(argument, "")

    def _app_multiset(self, argument: str) -> None:
        separator, pairs = (argument[2], argument[3:]) if argument.startswith("^^") else (" ", argument)
        for pair in pairs.split(separator):
            self._app_set(pair)

    def _set(self, name: str, value: str) -> None:
        if value:
            self.variables[name] = value
        else:
            self.variables.pop(name, None)

    def _app_log(self, argument: str) -> None:
        """Nothing to do: the switch's own log is not part of the simulation."""

    def _app_sched_transfer(self, argument: str) -> None:
        seconds, extension, *_ = argument.split(" ")
        self._app_sched_cancel("")
        self._watchdog = gevent.spawn_later(
            int(seconds) / self.switch.speed, lambda: self._mail.put(("transfer", extension))
        )

    def _app_sched_cancel(self, argument: str) -> None:
        if self._watchdog is not None:
            self._watchdog.kill(block=False)
            self._watchdog = None

    def _app_answer(self, argument: str) -> None:
        if not self._answered:
            self._wait(_FRAME_MS)
            self._answered = True
            self._event("CHANNEL_ANSWER", {})

    def _app_transfer(self, argument: str) -> None:
        raise _Transferred(argument.split(" ")[0])

    def _app_hangup(self, argument: str) -> None:
        raise _HungUp(argument or "NORMAL_CLEARING")

    def _duration_ms(self, path: str) -> int | None:
        if path.startswith("silence_stream://"):
            return int(path.rpartition("/")[2])
        try:
            information = soundfile.info(path)
        except (OSError, soundfile.LibsndfileError):
            return None
        return int(information.frames * 1000 // information.samplerate)

    def _play(self, path: str, stops_at: str) -> tuple[bool, str | None]:
        """Whether there was something to play, and the key that stopped it."""
        duration = self._duration_ms(path)
        if duration is None:
            return False, None
        if not path.startswith("silence_stream://"):
            self._tell(f"hears {Path(path).stem}")
        started = time.monotonic()
        key = self._wait(duration, stops_at)
        played = min(duration, (time.monotonic() - started) * 1000 * self.switch.speed) if key else duration
        self.variables["playback_ms"] = str(duration)
        self.variables["playback_last_offset_pos"] = str(int(played * _RATE / 1000))
        return True, key

    def _app_playback(self, argument: str) -> dict[str, str]:
        terminators = self.variables.get("playback_terminators", "*")
        played, _ = self._play(argument, "" if terminators == "none" else terminators)
        return {"Application-Response": "FILE PLAYED" if played else "FILE NOT FOUND"}

    def _app_play_and_get_digits(self, argument: str) -> None:
        _min, _max, tries, timeout, terminators, prompt, _error, variable, regex, _digit_timeout = argument.split(" ")
        self.variables.pop(variable, None)
        keys = "0123456789*#".replace(terminators, "")
        for _ in range(int(tries)):
            self._questions += 1
            if self._questions in self.caller.keys:
                key, after_ms = self.caller.keys[self._questions]
                self._later(after_ms, self.press, key)
            played, pressed = self._play(prompt, keys)
            if not played:
                return
            if pressed is None:
                pressed = self._wait(int(timeout), keys)
            if pressed is not None and re.fullmatch(regex, pressed):
                self.variables.update({variable: pressed, "read_result": "success"})
                return
            if pressed is not None:
                self.variables[f"{variable}_invalid"] = pressed
        self.variables["read_result"] = "failure"

    # --- recording ---------------------------------------------------------------------------

    def _app_record_session(self, argument: str) -> None:
        self._start_recorder(argument)

    def _start_recorder(self, path: str) -> None:
        if path.startswith("/dev/null/") or path in self.recorders:
            return
        self.recorders[path] = self._bridged_so_far()
        self._tell("the recorder is armed for the talk")
        self._event("RECORD_START", {"Record-File-Path": path})

    def _stop_recorder(self, path: str) -> None:
        duration = int(self._bridged_so_far() - self.recorders.pop(path))
        kept = duration > 0
        if kept:
            self.recorded[path] = duration
            _write_talk(Path(path), duration, self._masks.get(path, []))
        cause = "success-silence" if kept else "empty-file"
        self.variables.update(
            record_ms=str(duration), record_seconds=str(duration // 1000), record_completion_cause=cause
        )
        self._event("RECORD_STOP", {"Record-File-Path": path, "Record-Completion-Cause": cause})

    def _bridged_so_far(self) -> float:
        now = time.monotonic()
        running = 0.0 if self._bridged_since is None else (now - self._bridged_since) * 1000 * self.switch.speed
        return self._bridged_ms + running

    # --- the queue ---------------------------------------------------------------------------

    def _app_callcenter(self, argument: str) -> None:
        if argument not in self.switch.queues:
            return
        self.reached.append(argument)
        self._tell(f"waits in {argument}")
        self.variables.update(
            cc_side="member",
            cc_member_uuid=str(uuid.uuid4()),
            cc_queue=argument,
            cc_queue_joined_epoch=str(int(time.time())),
        )
        self._in_queue = True
        try:
            self._wait(self.caller.waits_ms)
        finally:
            self._in_queue = False
        if self.caller.agent is None:
            self.variables.update(cc_cause="cancel", cc_cancel_reason="TIMEOUT")
            return
        self.agent_leg, self._agent = str(uuid.uuid4()), self.caller.agent
        self.variables.update(cc_cause="answered", cc_agent_uuid=self.agent_leg)
        exported = self.variables.get("cc_export_vars", "").split(",")
        self._agent_variables = {name: self.variables[name] for name in exported if name in self.variables}
        self._agent_variables |= {"cc_queue": argument, "cc_member_session_uuid": self.uuid}
        self._bridge_due = True

    def _talk(self) -> None:
        """The bridge begins after ``callcenter`` and ``socket`` are complete (section 5)."""
        self._bridge_due = False
        self._wait(_FRAME_MS)
        self._state = "CS_SOFT_EXECUTE"
        self._bridged_since = time.monotonic()
        template = self.switch.queues[self.variables["cc_queue"]]
        if template is not None:
            path = expand(template.replace("${strftime(%Y/%m/%d)}", "by-law"), self._all_variables())
            self._start_recorder(path)
        self._tell(f"talks to {self.caller.agent}, {'recorded' if self.recorders else 'not recorded'}")
        legs = {"Bridge-A-Unique-ID": self.uuid, "Bridge-B-Unique-ID": self.agent_leg}
        self._event("CHANNEL_BRIDGE", {**legs, "Other-Leg-Unique-ID": self.agent_leg})
        self.bugs_in_talk.append(list(self.recorders))
        self.variables.update(cc_agent=self.caller.agent or "", cc_queue_answered_epoch=str(int(time.time())))
        self._schedule_for("talk")
        if self.caller.agent_hangs_up:
            self._later(self.caller.talks_ms, self._mail.put, ("agent", "hung up"))
        else:
            self._later(self.caller.talks_ms, self.hang_up)
        try:
            while self._wait(None, ends_with=("agent", "handover")) == "handover":
                self._end_talk()
                self._event("CHANNEL_UNBRIDGE", {"variable_bridge_hangup_cause": "NORMAL_CLEARING"})
                self._wait(_FRAME_MS)
                self.agent_leg = str(uuid.uuid4())
                self._agent_variables = {"cc_queue": self.variables["cc_queue"]}
                self._bridged_since = time.monotonic()
                self._event("CHANNEL_BRIDGE", {**legs, "Other-Leg-Unique-ID": self.agent_leg})
                self.bugs_in_talk.append(list(self.recorders))
        finally:
            self._end_talk()
            for path in list(self.agent_recorders):
                self._stop_agent_recorder(path)
            self.agent_leg = ""
            self._event("CHANNEL_UNBRIDGE", {"variable_bridge_hangup_cause": "NORMAL_CLEARING"})
            self._state = "CS_EXECUTE"

    def _end_talk(self) -> None:
        if self._bridged_since is not None:
            self._bridged_ms = self._bridged_so_far()
            self.talked_ms = int(self._bridged_ms)
            self._bridged_since = None

    # --- the outbound socket -----------------------------------------------------------------

    def _app_socket(self, argument: str) -> None:
        for endpoint in argument.split(" ")[0].split("|"):
            host, _, port = endpoint.rpartition(":")
            try:
                self._socket = gevent.socket.create_connection((host, int(port)), timeout=2)
                self._socket.settimeout(None)
                break
            except OSError:
                continue
        if self._socket is None:
            return
        gevent.spawn(self._read_commands, self._socket)
        try:
            self._wait(_FRAME_MS)
            self._event("CHANNEL_PARK", {})
            self._obey()
        finally:
            self._event("CHANNEL_UNPARK", {})

    def _obey(self) -> None:
        while self._socket is not None:
            if not self._commands:
                self._wait(None, ends_with=("command", "closed"))
                continue
            application, argument, event_uuid = self._commands.popleft()
            self._execute(application, expand(argument, self._all_variables()), event_uuid)
            if self._bridge_due:
                return

    def _read_commands(self, sock: gevent.socket.socket) -> None:
        buffer = b""
        try:
            while True:
                while b"\n\n" not in buffer:
                    data = sock.recv(65536)
                    if not data:
                        raise OSError
                    buffer += data
                block, _, buffer = buffer.partition(b"\n\n")
                self._command(block.decode("utf-8").strip("\n"))
        except (OSError, UnicodeDecodeError):
            self._mail.put(("closed", ""))

    def _command(self, block: str) -> None:
        command, *lines = block.split("\n")
        if command == "connect":
            self._send(self._channel_data())
        elif command.startswith("linger"):
            self._lingers = True
            self._reply("+OK will linger 10 seconds")
        elif command == "myevents json":
            self._subscribed = True
            self._reply("+OK Events Enabled")
        elif command.startswith("event json"):
            self._unwanted.difference_update(command.split(" ")[2:])
            self._reply("+OK event listener enabled json")
        elif command.startswith("nixevent"):
            self._unwanted.update(command.split(" ")[1:])
            self._reply("+OK events nixed")
        elif command.startswith("filter "):
            _, name, value = command.split(" ", 2)
            self._filters.append((name, value))
            self._reply(f"+OK filter added. [{name}]=[{value}]")
        elif command == "exit":
            self._reply("+OK bye")
            self._mail.put(("closed", ""))
        elif command == "sendmsg":
            headers = dict(line.split(": ", 1) for line in lines)
            self._reply("-ERR invalid session id" if self.over else "+OK")
            self._mail.put(
                (
                    "command",
                    (headers["execute-app-name"], headers.get("execute-app-arg", ""), headers.get("Event-UUID", "")),
                )
            )
        elif command.startswith("api "):
            body = self.api(command[4:].split(" ")).encode()
            self._send(b"Content-Type: api/response\nContent-Length: %d\n\n%s" % (len(body), body))
        else:
            self._reply("-ERR command not found")

    def api(self, words: list[str]) -> str:
        """What an API command about one of the legs answers."""
        if len(words) < 2 or words[1] not in self.legs or self.over:
            return "-ERR No such channel!\n"
        if words[0] == "uuid_buglist":
            recorders = self.recorders if words[1] == self.uuid else self.agent_recorders
            bugs = "".join(_MEDIA_BUG.format(path=path) for path in recorders)
            return f"<media-bugs>\n{bugs}</media-bugs>\n"
        if words[1] == self.agent_leg:
            return self._api_of_agent(words)
        if words[0] == "uuid_setvar":
            self._set(words[2], words[3] if len(words) > 3 else "")
            return "+OK\n"
        if words[0] == "uuid_getvar":
            return self.variables.get(words[2], "_undef_")
        if words[0] == "uuid_record" and words[2:] == ["stop", "all"]:
            for path in list(self.recorders):
                self._stop_recorder(path)
            return "+OK Success\n"
        if words[0] == "uuid_record" and words[2] == "start":
            self._start_recorder(words[3])
            return "+OK Success\n"
        if words[0] == "uuid_record" and words[2] in ("mask", "unmask") and words[3] in self.recorders:
            self._masks.setdefault(words[3], []).append(self._bridged_so_far() - self.recorders[words[3]])
            return "+OK Success\n"
        if words[0] == "uuid_broadcast":
            self.broadcasts.append((Path(words[2]).stem, words[3]))
            return "+OK Message sent\n"
        return "-USAGE\n"

    def _api_of_agent(self, words: list[str]) -> str:
        if words[0] == "uuid_getvar":
            known = {"cc_agent": self._agent or "_undef_", **self._agent_variables}
            return known.get(words[2], "_undef_")
        if words[0] == "uuid_setvar":
            self._agent_variables[words[2]] = words[3]
            return "+OK\n"
        if words[0] == "uuid_record" and words[2] in ("mask", "unmask"):
            self.agent_masks.append((words[2], words[3]))
            return "+OK Success\n"
        if words[0] == "uuid_record" and words[2:] == ["stop", "all"]:
            for path in list(self.agent_recorders):
                self._stop_agent_recorder(path)
            return "+OK Success\n"
        return "-USAGE\n"

    def _stop_agent_recorder(self, path: str) -> None:
        self.agent_recorders.remove(path)
        _write_talk(Path(path), 100, [])
        self._agent_event("RECORD_STOP", {"Record-File-Path": path, "variable_record_ms": "100"})

    def _agent_event(self, name: str, extra: dict[str, str]) -> None:
        variables = {f"variable_{key}": value for key, value in self._agent_variables.items()}
        legs = {"Unique-ID": self.agent_leg, "Other-Leg-Unique-ID": self.uuid}
        # A DTMF event of the agent's leg carries no such variables (FREESWITCH.md, section 5).
        event = {**self._base(), "Event-Name": name, **legs, **(variables if name != "DTMF" else {}), **extra}
        for listener in list(self.switch.listeners):
            listener(event)

    # --- what the application hears ----------------------------------------------------------

    def _event(self, name: str, extra: dict[str, str]) -> None:
        self.events.append((name, extra.get("Application", "")))
        on_socket = self._socket is not None and self._subscribed
        if name in self._unwanted:
            on_socket = False
        if not on_socket and not self.switch.listeners:
            return
        variables = {f"variable_{key}": value for key, value in self.variables.items()}
        event = {
            **self._base(),
            "Event-Name": name,
            "Channel-State": self._state,
            "Answer-State": "answered" if self._answered else "ringing",
            **variables,
            **extra,
        }
        for listener in list(self.switch.listeners):
            listener(event)
        if not on_socket or not self._passes(event):
            return
        body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        self._send(b"Content-Length: %d\nContent-Type: text/event-json\n\n%s" % (len(body), body))

    def _passes(self, event: dict[str, str]) -> bool:
        """With filters, what one of them names and none of the negative ones."""
        named = [value for name, value in self._filters if event.get(name) == value.lstrip("-")]
        return not any(value.startswith("-") for value in named) and (bool(named) or not self._filters)

    def _base(self) -> dict[str, str]:
        replacements = {
            "@UUID@": self.uuid,
            "@NUMBER@": self.caller.number,
            "@NAME@": self.caller.name,
            "@DESTINATION@": self.destination,
        }
        base = {}
        for key, value in _TEMPLATE.items():
            if "@" in value:
                for mark, text in replacements.items():
                    value = value.replace(mark, text)
            base[key] = value
        return {**base, **self.caller.headers, "Event-Date-Timestamp": str(time.time_ns() // 1000)}

    def _channel_data(self) -> bytes:
        """Plain and URL-encoded, but an existing ``%0A`` stays as it is (FREESWITCH.md, section 2)."""
        headers = self._base()
        headers |= {f"variable_{key}": value for key, value in self.variables.items()}
        headers["Event-Name"] = "CHANNEL_DATA"
        lines = [f"{key}: {_switch_url_encode(value)}" for key, value in headers.items()]
        lines += ["Content-Type: command/reply", "Reply-Text: %2BOK%0A", "Socket-Mode: async", "Control: full"]
        return ("\n".join(lines) + "\n\n").encode()

    def _disconnect_notice(self, disposition: str) -> None:
        self._send(
            f"Content-Type: text/disconnect-notice\nControlled-Session-UUID: {self.uuid}\n"
            f"Content-Disposition: {disposition}\nContent-Length: 0\n\n".encode()
        )

    def _reply(self, text: str) -> None:
        self._send(b"Content-Type: command/reply\nReply-Text: %s\n\n" % text.encode())

    def _send(self, data: bytes) -> None:
        if self._socket is not None:
            try:
                self._socket.sendall(data)
            except OSError:
                self._close_socket()

    def _drop_socket(self) -> None:
        self._close_socket()
        self._mail.put(("closed", ""))

    def _close_socket(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _switch_url_encode(value: str) -> str:
    return quote(value, safe="/:.,;!*()-_'%=?@&+ ".replace("%", "").replace(" ", "")).replace("%250A", "%0A")


def _write_talk(path: Path, duration_ms: int, masks_ms: list[float]) -> None:
    """Caller hums 400 Hz on the left, the agent 600 Hz on the right; zeros between every two of ``masks_ms``."""
    moments = np.arange(duration_ms * _RATE // 1000) / _RATE
    talk = np.stack([0.2 * np.sin(2 * math.pi * hertz * moments) for hertz in (400, 600)], axis=1)
    turns = [*masks_ms, duration_ms] if len(masks_ms) % 2 else masks_ms
    for begin, end in zip(turns[::2], turns[1::2], strict=True):
        talk[int(begin * _RATE / 1000) : int(end * _RATE / 1000)] = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(str(path), talk, _RATE, subtype="PCM_16")
