"""Who is connected to whom, and who hears whom (FREESWITCH.md, section 7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from consentivr.lab.simulated.recorders import Tap

if TYPE_CHECKING:
    from consentivr.lab.simulated.legs import Leg


@dataclass(eq=False)
class Bridge:
    """Two legs; it is told on ``a``."""

    a: Leg
    b: Leg

    def other(self, leg: Leg) -> Leg:
        """Not this one."""
        return self.b if leg is self.a else self.a

    def headers(self) -> dict[str, str]:
        """Of CHANNEL_BRIDGE and CHANNEL_UNBRIDGE."""
        named = {"Bridge-A-Unique-ID": self.a.uuid, "Bridge-B-Unique-ID": self.b.uuid}
        return named | {"Other-Leg-Unique-ID": self.b.uuid}


@dataclass(eq=False)
class Consultation:
    """An agent asks a colleague while the caller hears music; the caller's bridge stays."""

    agent: Leg
    colleague: Leg
    waiting: Bridge


def start_bridge(a: Leg, b: Leg, application: str = "uuid_bridge") -> None:
    """Connect two legs, as ``uuid_bridge A B``: whatever they were in ends, and who is left alone hangs up.

    Without an ``application`` nothing is said to be executed.
    """
    left = []
    for leg in (a, b):
        if leg.bridge is not None:
            left.append(end_bridge(leg.bridge, leg))
        if leg.conference is not None:
            leg.conference.remove(leg)
    if application:
        a.execute(application, b.uuid)
        b.execute(application, a.uuid)
    join(a, b)
    for leg in (a, b):
        leg.taken()
    for other, side in left:
        other.left_alone(side)


def join(a: Leg, b: Leg) -> None:
    """The bridge itself."""
    bridge = Bridge(a, b)
    a.bridged(bridge)
    b.bridged(bridge)
    for leg, other in ((a, b), (b, a)):
        leg.variables |= {"bridge_uuid": other.uuid, "bridge_channel": other.channel_name}
    a.switch.note()
    a.event("CHANNEL_BRIDGE", bridge.headers())
    for leg in (a, b):
        leg.connected()


def end_bridge(bridge: Bridge, leg: Leg) -> tuple[Leg, str]:
    """End it; returns who is at its other end from ``leg``, and on which side, 'a' or 'b'."""
    cause = {"bridge_hangup_cause": "NORMAL_CLEARING", "last_bridge_hangup_cause": "NORMAL_CLEARING"}
    for side in (bridge.a, bridge.b):
        side.variables |= cause
    bridge.a.event("CHANNEL_UNBRIDGE", bridge.headers())
    bridge.a.unbridged(bridge)
    bridge.b.unbridged(bridge)
    bridge.a.switch.note()
    other = bridge.other(leg)
    return other, "a" if other is bridge.a else "b"


def consult(agent: Leg, colleague: Leg) -> None:
    """As ``att_xfer`` on the agent's leg: A=agent B=colleague, and no end of the caller's bridge."""
    waiting = agent.bridge
    assert waiting is not None, "the agent talks to nobody"
    agent.execute("att_xfer", f"sofia/lab/{colleague.number}@127.0.0.1")
    agent.consultation = colleague.consultation = Consultation(agent, colleague, waiting)
    join(agent, colleague)


def after_consultation(leg: Leg) -> None:
    """One of the two hangs up: the caller is connected with the other one, who is A."""
    consultation = leg.consultation
    if consultation is None:
        return
    agent, colleague, waiting = consultation.agent, consultation.colleague, consultation.waiting
    agent.consultation = colleague.consultation = None
    caller = waiting.other(agent)
    leg.up = False
    if agent.bridge is not None and agent.bridge.other(agent) is colleague:
        end_bridge(agent.bridge, agent)
    if caller.bridge is not waiting:
        return  # the caller went elsewhere meanwhile
    stays = colleague if leg is agent else agent
    end_bridge(waiting, agent)
    stays.execute("uuid_bridge", caller.uuid)
    caller.execute("uuid_bridge", stays.uuid)
    join(stays, caller)


def voice_of(leg: Leg) -> frozenset[int]:
    """What its own side adds: its pitch, or silence while it is away."""
    return frozenset({leg.pitch}) if leg.up and not leg.held else frozenset()


def heard_on(leg: Leg) -> frozenset[int]:
    """The pitches that are played to a leg; music is none."""
    return frozenset().union(*(voice_of(other) for other in talking_to(leg)))


def talking_to(leg: Leg, *, taps: bool = True) -> set[Leg]:
    """Whose voices reach a leg."""
    voices: set[Leg] = set()
    partner = leg.partner
    if partner is not None and partner.partner is leg:
        voices.add(partner)
    if leg.conference is not None:
        voices.update(member for member in leg.conference.members if member is not leg)
    if taps:
        for side in (leg, *voices):
            voices.update(bug.by for bug in side.bugs if isinstance(bug, Tap) and bug.by is not None and bug.heard)
        for other in leg.switch.legs.values():
            if any(isinstance(bug, Tap) and bug.by is leg for bug in other.bugs):
                voices |= {other, *talking_to(other, taps=False)}
    voices.discard(leg)
    return voices
