"""What the events of a switch mean to the switchboard, and to the conversations on it: one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from consentivr import switch
from consentivr.asking.hearing import moment_ms, number_in
from consentivr.core.switchboard import Switchboard
from consentivr.esl.codec import Event

_EVENTS = (
    "RECORD_STOP",
    "MEDIA_BUG_START",
    "MEDIA_BUG_STOP",
    "DTMF",
    "CHANNEL_BRIDGE",
    "CHANNEL_UNBRIDGE",
    "CHANNEL_HOLD",
    "CHANNEL_UNHOLD",
    "CHANNEL_HANGUP_COMPLETE",
    "BACKGROUND_JOB",
)
"""A recorder is known by its media bug: ``RECORD_START`` comes for a caller's own message as well."""

_OF_QUEUES = ("member-queue-start", "member-queue-resume", "bridge-agent-start")
_OF_CONFERENCES = ("add-member", "del-member", "start-recording", "stop-recording")

SUBSCRIPTIONS = (
    f"event json {' '.join(_EVENTS)} CUSTOM callcenter::info conference::maintenance",
    *(f"filter Event-Name {name}" for name in _EVENTS),
    *(f"filter CC-Action {action}" for action in _OF_QUEUES),
    "filter CC-Cause Cancel",
    *(f"filter Action {action}" for action in _OF_CONFERENCES),
)
"""All of ``_EVENTS``, and of queues and conferences what means something here: an agent's states and a conference's
floor are most of what they tell."""

APPLICATIONS = ("att_xfer", "eavesdrop", "three_way")
"""What is heard of executions, on a connection of its own, because a filter is a connection's."""

EXECUTIONS = (
    "event json CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE",
    *(f"filter Application {application}" for application in APPLICATIONS),
)

_ENDS = ("MEDIA_BUG_STOP", "RECORD_STOP", "DTMF", "CHANNEL_HANGUP_COMPLETE")
"""What a visit must not miss whose rows are being read when it comes."""

_LISTENING = ("eavesdrop", "three_way")
_SPEAK, _BE_SILENT = ("1", "2", "3"), ("0",)
"""What an eavesdropper presses to be heard, and not to be any more."""


class Follower(Protocol):
    """Who follows conversations."""

    board: Switchboard

    def keeps(self, leg: str, what: Callable[[], None]) -> bool: ...
    def refresh(self, legs: set[str]) -> None: ...
    def arrived_in_queue(self, event: Event) -> None: ...
    def left_queue(self, event: Event) -> None: ...
    def agent_found(self, leg: str, agent: str, event: Event) -> None: ...
    def pressed(self, leg: str, key: str, at_ms: int) -> None: ...
    def recorder_found(self, leg: str, event: Event) -> bool: ...
    def recorder_gone(self, path: str) -> None: ...
    def closed(self, path: str, duration_ms: int | None, cause: str | None) -> None: ...
    def gone(self, leg: str, cause: str) -> None: ...


class Stream:
    """Hears events; every kind that is subscribed is in ``KINDS``."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self._board = follower.board

    def hear(self, event: Event) -> None:
        """One event of the switch."""
        name = event["Event-Name"]
        understand = KINDS.get(name)
        if understand is None:
            return
        if name in _ENDS or (name == "CUSTOM" and event.get("CC-Action") == "member-queue-end"):
            leg = event.get("CC-Member-Session-UUID") or event.get("Unique-ID", "")
            if self._follower.keeps(leg, lambda: self.hear(event)):
                return
        understand(self, event)

    # --- bridges and holds -------------------------------------------------------------------

    def bridge(self, event: Event) -> None:
        a, b = event.get("Bridge-A-Unique-ID", ""), event.get("Bridge-B-Unique-ID", "")
        if a and b:
            self._follower.refresh(self._board.bridged(a, b))

    def unbridge(self, event: Event) -> None:
        """The other leg's header names the new partner at times: only Bridge-A and -B tell who was bridged."""
        a, b = event.get("Bridge-A-Unique-ID", ""), event.get("Bridge-B-Unique-ID", "")
        self._follower.refresh(self._board.unbridged(a, b))

    def hold(self, event: Event) -> None:
        self._follower.refresh(self._board.held(event.get("Unique-ID", ""), event["Event-Name"] == "CHANNEL_HOLD"))

    # --- what listens ------------------------------------------------------------------------

    def tapped(self, event: Event) -> None:
        leg, on = event.get("Unique-ID", ""), event["Event-Name"] == "MEDIA_BUG_START"
        function = event.get("Media-Bug-Function", "")
        if function == switch.RECORDS:
            touched = self._board.recording(leg, event.get("Media-Bug-Target", ""), on)
            if not on:
                self._follower.recorder_gone(event.get("Media-Bug-Target", ""))
            if not on or self._follower.recorder_found(leg, event):
                self._follower.refresh(touched)
            return
        touched = self._board.tapped(leg, function, on)
        if function == "eavesdrop" and not on:
            for listener in self._board.listeners(leg):
                touched |= self._board.listening(listener, None, speaks=False)
        self._follower.refresh(touched)

    def executes(self, event: Event) -> None:
        """An eavesdropper is heard when it is a third party; who consults lets the caller wait from now on."""
        leg, application = event.get("Unique-ID", ""), event.get("Application", "")
        begins = event["Event-Name"] == "CHANNEL_EXECUTE"
        if application == "att_xfer":
            self._follower.refresh(self._board.held(leg, begins, why="consultation"))
        elif application in _LISTENING:
            target = event.get("Application-Data", "").strip() if begins else None
            self._follower.refresh(self._board.listening(leg, target, speaks=application == "three_way"))

    def closed(self, event: Event) -> None:
        self._follower.closed(
            event.get("Record-File-Path", ""),
            number_in(event.get("variable_record_ms")),
            event.get("variable_record_completion_cause") or None,
        )

    def key(self, event: Event) -> None:
        leg, key = event.get("Unique-ID", ""), event.get("DTMF-Digit", "")
        target = self._board.listens_to(leg)
        if target is not None and key in (*_SPEAK, *_BE_SILENT):
            self._follower.refresh(self._board.listening(leg, target, speaks=key in _SPEAK))
        self._follower.pressed(leg, key, moment_ms(event))

    # --- queues and conferences --------------------------------------------------------------

    def custom(self, event: Event) -> None:
        kind = event.get("Event-Subclass", "")
        if kind == "callcenter::info":
            self._queue(event)
        elif kind == "conference::maintenance":
            self._conference(event)

    def _queue(self, event: Event) -> None:
        action = event.get("CC-Action", "")
        if action in ("member-queue-start", "member-queue-resume"):
            self._follower.arrived_in_queue(event)
        elif action == "member-queue-end" and event.get("CC-Cause") == "Cancel":
            self._follower.left_queue(event)
        elif action == "bridge-agent-start":
            self._follower.agent_found(event.get("CC-Agent-UUID", ""), event.get("CC-Agent", ""), event)

    def _conference(self, event: Event) -> None:
        action, name = event.get("Action", ""), event.get("Conference-Name", "")
        leg, path = event.get("Unique-ID", ""), event.get("Path", "")
        if action == "add-member" and leg:
            self._follower.refresh(self._board.in_conference(leg, name))
        elif action == "del-member" and leg:
            self._follower.refresh(self._board.in_conference(leg, None))
        elif action in ("start-recording", "stop-recording"):
            on = action == "start-recording"
            self._follower.refresh(self._board.conference_recording(name, path, on))
            if not on:
                self._follower.closed(path, None, None)

    def gone(self, event: Event) -> None:
        self._follower.gone(event.get("Unique-ID", ""), event.get("Hangup-Cause", ""))


KINDS: Mapping[str, Callable[[Stream, Event], None]] = {
    "CHANNEL_BRIDGE": Stream.bridge,
    "CHANNEL_UNBRIDGE": Stream.unbridge,
    "CHANNEL_HOLD": Stream.hold,
    "CHANNEL_UNHOLD": Stream.hold,
    "MEDIA_BUG_START": Stream.tapped,
    "MEDIA_BUG_STOP": Stream.tapped,
    "RECORD_STOP": Stream.closed,
    "DTMF": Stream.key,
    "CUSTOM": Stream.custom,
    "CHANNEL_HANGUP_COMPLETE": Stream.gone,
    "CHANNEL_EXECUTE": Stream.executes,
    "CHANNEL_EXECUTE_COMPLETE": Stream.executes,
}
