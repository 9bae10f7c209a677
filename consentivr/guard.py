"""Watches every channel of the switch for recorders, and stops those that nobody permitted (promise P5).

What concerns a call of ours is told to that call: it knows best, and decides as it decides everything
else. What is left - legs that this process does not know, because another process serves their call, or
served it once - is judged by the flag that travels with the legs.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import gevent
import gevent.subprocess
import structlog

from consentivr.core.recording import is_forbidden
from consentivr.esl.codec import recorders_of
from consentivr.esl.errors import ESLError
from consentivr.esl.inbound import InboundConnection
from consentivr.ledger import CallRef
from consentivr.recordings import is_channel_uuid

log = structlog.get_logger(__name__)

SUBSCRIPTIONS = ("event json RECORD_START RECORD_STOP DTMF CHANNEL_BRIDGE",)
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 10.0
"""Seconds between two attempts to connect: the first, and what it grows to."""

COMMAND_SECONDS = 30.0

Event = Mapping[str, Any]


class Watched(Protocol):
    """A call of ours."""

    @property
    def channel_uuid(self) -> str: ...
    def overhear(self, event: Event) -> None: ...


class Guard:
    """Connects, looks at every call, watches; and again, whenever the connection is lost.

    ``calls`` knows our calls by the UUIDs of their legs. ``statutory`` are the queues that record by law.
    ``found`` gets the evidence of each forbidden recording, ``erase`` the files.
    """

    def __init__(
        self,
        address: tuple[str, int],
        password: str,
        calls: Mapping[str, Watched],
        statutory: frozenset[str],
        found: Callable[[CallRef, dict[str, Any]], None],
        erase: Callable[[CallRef, tuple[str, ...], str], None],
    ) -> None:
        self.address = address
        self.password = password
        self.calls = calls
        self.statutory = statutory
        self.found = found
        self.erase = erase
        self._greenlet: gevent.Greenlet | None = None
        self.blind_since: float | None = time.time()
        """Since when (Unix time, seconds) nothing is watched; None while it watches."""

    def start(self) -> None:
        """Begin; returns at once."""
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """End."""
        if self._greenlet is not None:
            self._greenlet.kill()

    def _run(self) -> None:
        pause = FIRST_PAUSE_S
        why: str | None = None
        while True:
            connection = InboundConnection(self.address, self.password)
            try:
                connection.connect(*SUBSCRIPTIONS)
                pause, why = FIRST_PAUSE_S, None
                log.info("guard watches", blind_s=round(time.time() - (self.blind_since or time.time()), 1))
                self.blind_since = None
                try:
                    _Watch(connection, self).run()
                finally:
                    connection.stop()
            except ESLError as error:
                self.blind_since = self.blind_since or time.time()
                if str(error) != why:
                    why = str(error)
                    log.error("guard is blind: forbidden recordings of other legs are not seen", why=why)
            gevent.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)


class _Watch:
    """One connection's time: nothing of it outlives the connection."""

    def __init__(self, connection: InboundConnection, guard: Guard) -> None:
        self._connection = connection
        self._guard = guard
        self._asked: deque[Callable[[str], None]] = deque()  # answers come in the order of the questions
        self._stopping: dict[str, CallRef] = {}

    def run(self) -> None:
        """Look at all calls, then watch. Ends with an ESLError."""
        self._ask("show calls as json", self._look_at_calls)
        while True:
            event = self._connection.receive()
            name = event["Event-Name"]
            if name == "API_ANSWER":
                self._asked.popleft()(event["Body"])
            elif name in ("RECORD_START", "RECORD_STOP", "DTMF", "CHANNEL_BRIDGE"):
                self._hear(name, event)

    def _ask(self, command: str, understand: Callable[[str], None]) -> None:
        self._asked.append(understand)
        self._connection.api(command, answer=True)

    # --- after a time of blindness -----------------------------------------------------------

    def _look_at_calls(self, said: str) -> None:
        try:
            rows = json.loads(said).get("rows", [])
            pairs = [(row["uuid"], row.get("b_uuid") or "") for row in rows]
        except (ValueError, AttributeError, KeyError, TypeError):
            log.error("guard cannot read the list of calls: load mod_commands in FreeSWITCH")
            return
        for one, other in pairs:
            self._look_at(one, other)
            self._look_at(other, one)

    def _look_at(self, leg: str, other: str) -> None:
        """Whether something records this leg."""
        if is_channel_uuid(leg):
            self._ask(f"uuid_buglist {leg}", lambda said: self._seen(leg, other, said))

    def _seen(self, leg: str, other: str, said: str) -> None:
        for path in recorders_of(said) or ():
            self._hear(
                "RECORD_START",
                {
                    "Event-Name": "RECORD_START",
                    "Unique-ID": leg,
                    "Other-Leg-Unique-ID": other,
                    "Record-File-Path": path,
                },
            )

    # --- what happens now --------------------------------------------------------------------

    def _hear(self, name: str, event: Event) -> None:
        leg, other = event.get("Unique-ID", ""), event.get("Other-Leg-Unique-ID", "")
        call = self._guard.calls.get(leg) or self._guard.calls.get(other)
        if call is not None:
            if leg != call.channel_uuid:  # its own leg's events a call hears itself
                call.overhear(event)
        elif name == "RECORD_START":
            self._judge(leg, other, event)
        elif name == "RECORD_STOP":
            path = event.get("Record-File-Path", "")
            about = self._stopping.pop(path, None)
            if about is not None:  # the file is closed now: nothing writes it again
                self._guard.erase(about, (path,), "not permitted")
        elif name == "CHANNEL_BRIDGE":
            # Who declined may come together with someone who is being recorded already, on either side.
            self._look_at(leg, other)
            self._look_at(other, leg)

    def _judge(self, leg: str, other: str, event: Event) -> None:
        """A recorder on a leg of which nothing is known but what the legs say themselves."""
        if "variable_consent_no_record" in event or "variable_cc_queue" in event:
            flags, queues = [event.get("variable_consent_no_record", "")], [event.get("variable_cc_queue", "")]
            legs = [other]
        else:
            flags, queues, legs = [], [], [leg, other]

        def decide() -> None:
            if is_forbidden(flags, queues, self._guard.statutory):
                self._stop(leg, other, event)

        questions = [
            (f"uuid_getvar {uuid} {variable}", known)
            for uuid in legs
            if is_channel_uuid(uuid)
            for variable, known in (("consent_no_record", flags), ("cc_queue", queues))
        ]
        unanswered = len(questions)

        def note(known: list[str], said: str) -> None:
            nonlocal unanswered
            known.append(said.strip())
            unanswered -= 1
            if unanswered == 0:
                decide()

        for command, known in questions:
            self._ask(command, partial(note, known))
        if not questions:
            decide()

    def _stop(self, leg: str, other: str, event: Event) -> None:
        if not is_channel_uuid(leg):
            return
        self._connection.api(f"uuid_record {leg} stop all")
        # On the agent's leg mod_callcenter says whose call it is.
        callers = (event.get("variable_cc_member_session_uuid", ""), other, leg)
        caller = next(uuid for uuid in callers if is_channel_uuid(uuid))
        path = event.get("Record-File-Path", "")
        evidence = {"path": path, "leg": leg, "by": "guard"}
        about = CallRef(caller, None, "", event.get("variable_cc_queue", ""), "")
        self._stopping[path] = about
        self._guard.found(about, evidence)
        self._guard.erase(about, (path,), "not permitted")


class Alarm:
    """What follows a forbidden recording besides its row: the log, the count, the administrator's command."""

    def __init__(self, command: Sequence[str] | None) -> None:
        """``command`` gets the incident as JSON on its standard input."""
        self._command = command
        self.incidents = 0

    def raise_(self, about: CallRef, evidence: Mapping[str, Any]) -> None:
        """Returns at once."""
        self.incidents += 1
        log.error("forbidden recording stopped", channel=about.channel_uuid, queue=about.queue, **evidence)
        if self._command:
            where = {"channel_uuid": about.channel_uuid, "line": about.line, "queue": about.queue}
            where |= {"visit": about.visit} if about.visit is not None else {}
            gevent.spawn(self._run, list(self._command), {**where, **evidence})

    def _run(self, command: list[str], incident: dict[str, Any]) -> None:
        try:
            process = gevent.subprocess.Popen(command, stdin=gevent.subprocess.PIPE)
            try:
                process.communicate(json.dumps(incident).encode(), timeout=COMMAND_SECONDS)
            except gevent.subprocess.TimeoutExpired:
                process.kill()
                raise
            if process.returncode != 0:
                log.error("guard.command failed", exit=process.returncode)
        except (OSError, gevent.subprocess.SubprocessError) as error:
            log.error("guard.command failed", why=str(error))
