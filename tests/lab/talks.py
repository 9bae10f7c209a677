"""Talks on a simulated switch without an application, and what it tells."""

from __future__ import annotations

from pathlib import Path

import gevent

from consentivr.lab.caller import Caller
from consentivr.lab.simulated.legs import Leg
from consentivr.lab.switch import Channel, SimulatedSwitch
from tests.waiting import until

SPEED = 20
QUEUE, OTHER = "support@default", "sales@default"
WATCHED = [
    "RECORD_START", "RECORD_STOP", "MEDIA_BUG_START", "MEDIA_BUG_STOP", "DTMF", "CHANNEL_BRIDGE", "CHANNEL_UNBRIDGE",
    "CHANNEL_HOLD", "CHANNEL_UNHOLD", "CHANNEL_HANGUP_COMPLETE", "CUSTOM",
]  # fmt: skip
"""What a watch subscribes to."""


class Told:
    """Every event of a switch, and the story that they tell to a watch."""

    def __init__(self, switch: SimulatedSwitch) -> None:
        self._switch = switch
        self._roles: dict[str, str] = {}
        self.events: list[dict] = []
        switch.listeners.append(self._hear)

    def _hear(self, event: dict) -> None:
        self._roles |= {leg.uuid: leg.role for leg in self._switch.legs.values()}
        self.events.append(event)

    def forget(self) -> None:
        self.events.clear()

    def of(self, name: str) -> list[dict]:
        """By name, or by the action of a module."""
        names = ("Event-Name", "CC-Action", "Action")
        return [event for event in self.events if name in [event.get(key) for key in names]]

    def role(self, uuid: str) -> str:
        return self._roles.get(uuid, "nobody")

    @property
    def story(self) -> list[str]:
        """Without what the queue says of an end, which may come up to 100 ms late."""
        return [self._line(event) for event in self.events if event["Event-Name"] in WATCHED and not _is_late(event)]

    def _line(self, event: dict) -> str:
        name, leg = event["Event-Name"], self.role(event.get("Unique-ID", ""))
        if name in ("CHANNEL_BRIDGE", "CHANNEL_UNBRIDGE"):
            one, other = (self.role(event[f"Bridge-{side}-Unique-ID"]) for side in "AB")
            assert event["Unique-ID"] == event["Bridge-A-Unique-ID"], "told on A"
            return f"{name[8:]} {one}-{other}"
        if name == "CUSTOM":
            return f"{event.get('CC-Action') or event['Action']} {leg}"
        if name.startswith("MEDIA_BUG"):
            return f"{name} {leg} {event['Media-Bug-Function']}"
        return f"{name.removeprefix('CHANNEL_')} {leg}"


def _is_late(event: dict) -> bool:
    if event.get("CC-Action") == "members-count":
        return True
    return event.get("CC-Action") in ("bridge-agent-end", "member-queue-end") and event.get("CC-Cause") != "Cancel"


def talking(switch: SimulatedSwitch, **script: object) -> tuple[Channel, Leg]:
    """A caller and an agent who talk, for as long as nothing else happens."""
    script = {"waits_ms": 100, "talks_ms": 10_000_000, **script}
    caller = switch.call("5000", Caller(**script))
    until(lambda: caller.bridge)
    assert caller.agent is not None
    return caller, caller.agent


def ended(caller: Channel) -> Channel:
    caller.hang_up()
    until(lambda: caller.over)
    return caller


def passes(switch: SimulatedSwitch, ms: float) -> None:
    """Let simulated milliseconds pass."""
    gevent.sleep(ms / 1000 / switch.speed)


def kept(leg: Leg) -> Path:
    """The one file that a leg's recorder kept."""
    (path,) = leg.recorded
    return Path(path)
