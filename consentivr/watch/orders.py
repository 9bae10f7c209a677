"""Commands that matter: given, confirmed, and followed by something stronger when they fail.

Every command is a background job with a deadline, so a hung one holds up no other.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from consentivr import switch
from consentivr.core.switchboard import Recorder
from consentivr.esl.inbound import NO_ANSWER, InboundConnection

STEP_SECONDS = 0.4
"""How long one step may take before something stronger is tried."""

LOOK_AGAIN_SECONDS = 0.05
"""A leg that is hung up is there a little longer."""

Outcome = Callable[[bool, str, int], None]
"""Whether it is done, what the switch said last, and how long it took, in milliseconds."""


class Orders:
    """Gives them over one connection, in the greenlet that receives on it."""

    def __init__(self, connection: InboundConnection, later: Callable[[float, Callable[[], None]], None]) -> None:
        """``later`` does something so many seconds from now."""
        self._connection = connection
        self._later = later
        self._masking: dict[Recorder, deque[tuple[bool, Outcome]]] = {}
        """What is ordered of each recorder, in order; the first is under way."""

    def stop(self, recorder: Recorder, outcome: Outcome, *, may_end_leg: bool) -> None:
        """Stop a recorder, and see in the switch's own list that it is gone.

        By its name, then everything on its leg, then, where no call depends on it (``may_end_leg``: an eavesdropper),
        the leg itself.
        """
        if recorder.leg is None:
            steps = _of_conference(recorder)
        else:
            steps = [switch.stop_all_recorders(recorder.leg)]
            if switch.can_be_named(recorder.path):
                steps.insert(0, switch.stop_recorder(recorder.leg, recorder.path))
        leg = recorder.leg if may_end_leg else None
        self._climb(recorder, steps, leg, "", outcome, time.monotonic())

    def hang_up(self, leg: str, outcome: Outcome) -> None:
        """Hang up a leg, and see that it is gone."""
        began = time.monotonic()

        def look(said: str) -> None:
            self._connection.bgapi(switch.exists(leg), partial(looked, said), STEP_SECONDS)

        def looked(said: str, exists: str) -> None:
            if exists.strip() == "false":
                outcome(True, "", _since(began))
            elif time.monotonic() - began > STEP_SECONDS:
                outcome(False, said.strip(), _since(began))
            else:
                self._later(LOOK_AGAIN_SECONDS, partial(look, said))

        self._connection.bgapi(switch.hang_up(leg), look, STEP_SECONDS)

    def mask(self, recorder: Recorder, on: bool, outcome: Outcome) -> None:
        """Silence a recorder, or let it hear again: the switch's answer is all that can be seen of it.

        One at a time for each recorder: jobs run beside each other, and the switch may take the later one first.
        """
        if recorder.leg is None or not switch.can_be_named(recorder.path):
            outcome(False, "it cannot be masked", 0)
            return
        waiting = self._masking.setdefault(recorder, deque())
        waiting.append((on, outcome))
        if len(waiting) == 1:
            self._mask_next(recorder)

    def _mask_next(self, recorder: Recorder) -> None:
        on, outcome = self._masking[recorder][0]
        began = time.monotonic()

        def answered(said: str) -> None:
            self._masking[recorder].popleft()
            if self._masking[recorder]:
                self._mask_next(recorder)
            else:
                del self._masking[recorder]
            outcome(switch.is_done(said), said.strip(), _since(began))

        command = switch.mask_recorder(recorder.leg or "", recorder.path, on)
        self._connection.bgapi(command, answered, STEP_SECONDS)

    def start(self, leg: str, path: str, variables: dict[str, str], outcome: Outcome) -> None:
        """Set the variables that a recorder obeys, then start it."""
        began = time.monotonic()

        def set_(said: str) -> None:
            if not switch.is_done(said):
                outcome(False, said.strip(), _since(began))
                return
            self._connection.bgapi(
                switch.start_recorder(leg, path),
                lambda said: outcome(switch.is_done(said), said.strip(), _since(began)),
            )

        self._connection.bgapi(switch.set_variables(leg, variables), set_)

    def _climb(
        self, recorder: Recorder, steps: list[str], leg: str | None, said: str, outcome: Outcome, began: float
    ) -> None:
        """``leg`` is hung up when no step helps, if it may be."""
        if not steps and leg is not None:
            self.hang_up(leg, lambda gone, said, took_ms: outcome(gone, said, _since(began)))
            return
        if not steps:
            outcome(False, said.strip() or "no command can name it", _since(began))
            return

        def settled(gone: bool) -> None:
            if gone:
                outcome(True, "", _since(began))
            else:
                self._climb(recorder, steps[1:], leg, last[0], outcome, began)

        def looked(list_: str) -> None:
            if not list_.strip() and recorder.leg is not None:  # so it is of a leg that is gone
                exists = switch.exists(recorder.leg)
                self._connection.bgapi(exists, lambda said: settled(said.strip() == "false"), STEP_SECONDS)
            else:
                settled(_is_gone(recorder, list_))

        last = [""]

        def stopped(said: str) -> None:
            last[0] = said
            command = switch.CONFERENCES if recorder.leg is None else switch.taps_of(recorder.leg)
            self._connection.bgapi(command, looked, STEP_SECONDS)

        self._connection.bgapi(steps[0], stopped, STEP_SECONDS)


def _of_conference(recorder: Recorder) -> list[str]:
    name = recorder.conference or ""
    if not switch.is_conference_name(name):
        return []
    steps = [switch.stop_all_conference_recordings(name)]
    if switch.can_be_named(recorder.path):
        steps.insert(0, switch.stop_conference_recording(name, recorder.path))
    return steps


def _is_gone(recorder: Recorder, list_: str) -> bool:
    """Whether the switch's list has the recorder no longer. No answer, and what is no list, proves nothing; a leg that
    is gone (``-ERR``) records no more."""
    if list_ == NO_ANSWER:
        return False
    if recorder.leg is None:
        rooms = _rooms(list_)
        return rooms is not None and recorder.path not in recordings_of(list_).get(recorder.conference or "", ())
    bugs = switch.media_bugs(list_)
    return list_.startswith("-ERR") if bugs is None else (switch.RECORDS, recorder.path) not in bugs


def recordings_of(json_list: str) -> dict[str, tuple[str, ...]]:
    """The files that each conference is recorded to, from ``conference json_list``."""
    return {
        name: tuple(str(member.get("record_path")) for member in members if member.get("type") == "recording_node")
        for name, members in (_rooms(json_list) or {}).items()
    }


def members_of(json_list: str) -> dict[str, tuple[str, ...]] | None:
    """The legs in each conference; None when that is no such list."""
    rooms = _rooms(json_list)
    if rooms is None:
        return None
    return {
        name: tuple(str(member["uuid"]) for member in members if member.get("type") == "caller" and "uuid" in member)
        for name, members in rooms.items()
    }


def _rooms(json_list: str) -> dict[str, list[dict[str, Any]]] | None:
    try:
        rooms = json.loads(json_list)
    except ValueError:
        return None
    if not isinstance(rooms, list):
        return None
    return {str(room.get("conference_name")): list(room.get("members", ())) for room in rooms if isinstance(room, dict)}


def _since(began: float) -> int:
    return int((time.monotonic() - began) * 1000)
