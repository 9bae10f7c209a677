"""Rooms of mod_conference (FREESWITCH.md, section 7)."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING

from consentivr.lab.simulated import words
from consentivr.lab.simulated.bridges import voice_of
from consentivr.lab.simulated.recorders import Audible, Recorder

if TYPE_CHECKING:
    from consentivr.lab.simulated.legs import Leg
    from consentivr.lab.switch import SimulatedSwitch

MAINTENANCE = "conference::maintenance"
_FLAGS = (
    "can_hear", "can_see", "can_speak", "hold", "mute_detect", "talking", "has_video", "video_bridge", "has_floor",
    "is_moderator", "end_conference", "mandatory_member_end_conference", "pass_digits",
)  # fmt: skip
_TRUE = {"can_hear", "can_see", "can_speak"}


class Conference:
    """One room; it is gone once nobody is in it."""

    def __init__(self, switch: SimulatedSwitch, name: str) -> None:
        self.switch = switch
        self.name = name
        self.uuid = str(uuid.uuid4())
        self.members: list[Leg] = []
        self.recorders: dict[str, Recorder] = {}
        self._by_itself: set[str] = set()
        self.recorded: dict[str, int] = {}
        """Path -> milliseconds of every recording that was kept."""
        self._ids: dict[Leg, int] = {}
        self._began = time.time()
        switch.conferences[name] = self
        self._tell("conference-create")

    def _headers(self) -> dict[str, str]:
        return {
            "Event-Subclass": MAINTENANCE,
            "Conference-Name": self.name,
            "Conference-Domain": "127.0.0.1",
            "Conference-Size": str(len(self.members)),
            "Conference-Ghosts": "0",
            "Conference-Profile-Name": "default",
            "Conference-Unique-ID": self.uuid,
        }

    def _tell(self, action: str, **more: str) -> None:
        """Something of the room, not of a leg."""
        if self.switch.listeners and self.switch.alive:
            event = words.without_a_channel("CUSTOM", self.switch.core_uuid)
            self.switch.publish({**event, **self._headers(), "Action": action, **more})

    def _tell_of(self, leg: Leg, action: str) -> None:
        member = {"Hear": "true", "See": "true", "Speak": "true", "Talking": "false", "Hold": "false"}
        member |= {"Member-ID": str(self._ids[leg]), "Member-Type": "member", "Member-Ghost": "false"}
        leg.event("CUSTOM", {**self._headers(), **member, "Action": action})

    def add(self, *legs: Leg) -> None:
        """They leave their bridges and come in, one after the other; who is left alone hangs up."""
        left = [gone for leg in legs for gone in leg.disconnect()]
        for leg in legs:
            leg.execute("conference", f"{self.name}@default")
            self.members.append(leg)
            self._ids[leg] = len(self._ids) + 1
            leg.conference = self
            self.switch.note()
            self._tell_of(leg, "add-member")
            leg.taken()
        for other, side in left:
            if other not in legs:
                other.left_alone(side)

    def remove(self, leg: Leg) -> None:
        """It leaves; nothing else happens to it."""
        self.members.remove(leg)
        leg.conference = None
        self.switch.note()
        self._tell_of(leg, "del-member")
        if not self.members:
            for path in list(self.recorders):
                self.stop_recording(path)
            self.switch.conferences.pop(self.name, None)
            self._tell("conference-destroy")

    def record(self, path: str, *, by_itself: bool = False) -> bool:
        """Everybody into one file: no RECORD_START, no media bug. False when the file cannot be created.

        ``by_itself``: the profile's auto-record.
        """

        def audible() -> Audible:
            return frozenset().union(*(voice_of(member) for member in self.members)), frozenset(), True

        try:
            self.recorders[path] = recorder = Recorder(path, False, lambda: self.switch.now_ms, audible)
        except OSError:
            self._tell("start-recording", Path=path, Error="File could not be opened for recording")
            return False
        self.switch.recording.add(recorder)
        self._by_itself |= {path} if by_itself else set()
        self._tell("start-recording", Path=path)
        return True

    def stop_recording(self, path: str) -> bool:
        """False when nothing records there."""
        recorder = self.recorders.pop(path, None)
        if recorder is None:
            return False
        self.switch.recording.discard(recorder)
        duration = recorder.finish()
        if duration:
            self.recorded[path] = duration
        more = {"Other-Recordings": "true" if self.recorders else "false", "Milliseconds-Elapsed": str(duration)}
        self._tell("stop-recording", Path=path, **more)
        return True

    def norecord(self, which: str) -> str:
        """``conference NAME norecord``; what it answers."""
        said, count = "", 0
        for path in list(self.recorders) if which == "all" else [which]:
            if not self.stop_recording(path):
                said += f"-ERR non-existant recording '{path}'\n"
            elif path in self._by_itself:
                said += f"Stopped AUTO recording file {path} (Auto Recording Now Disabled)\n"
            else:
                said += f"Stopped recording file {path}\n"
                count += which != "all"
        return f"{said}+OK Stopped recording {count} file{'' if count == 1 else 's'}\n"

    def described(self) -> dict[str, object]:
        """Of ``conference json_list``."""
        age = int(time.time() - self._began)
        members: list[dict[str, object]] = [
            {"type": "recording_node", "record_path": path, "join_time": age} for path in self.recorders
        ]
        members += [
            {
                "type": "caller",
                "id": self._ids[leg],
                "flags": {flag: flag in _TRUE for flag in _FLAGS},
                "uuid": leg.uuid,
                "caller_id_name": leg.name,
                "caller_id_number": leg.number,
                "join_time": age,
                "last_talking": 0,
                "energy": 100,
                "volume_in": 0,
                "volume_out": 0,
                "output-volume": 0,
                "input-volume": 0,
            }
            for leg in reversed(self.members)
        ]
        return {
            "conference_name": self.name,
            "member_count": len(self.members),
            "ghost_count": 0,
            "rate": 8000,
            "run_time": age,
            "conference_uuid": self.uuid,
            "running": True,
            "recording": bool(self.recorders),
            "variables": {},
            "members": members,
        }


def json_list(conferences: list[Conference]) -> str:
    """``conference json_list``."""
    return json.dumps([conference.described() for conference in conferences], indent="\t", ensure_ascii=False)
