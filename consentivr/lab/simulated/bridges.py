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

    def side(self, leg: Leg) -> str:
        """'a' or 'b'."""
        return "a" if leg is self.a else "b"


@dataclass(eq=False)
class Consultation:
    """An agent asks a colleague while the caller hears music; the caller's bridge stays."""

    agent: Leg
    colleague: Leg
    waiting: Bridge


def start_bridge(a: Leg, b: Leg, application: str = "uuid_bridge", cause: str = "NORMAL_CLEARING") -> None:
    """Connect two legs, as ``uuid_bridge A B``: what they were in ends, and who is left alone hangs up for ``cause``.

    Without an ``application`` nothing is said to be executed.
    """
    left = []
    for leg, new in ((a, b), (b, a)):
        bridge = leg.bridge
        if bridge is not None:
            other = bridge.other(leg)
            if other.bridge is bridge and other is not new:
                other.end_first(cause)
                left.append((other, bridge.side(other)))
            end_bridge(bridge, new)
        if leg.conference is not None:
            leg.conference.remove(leg)
        leg.is_parked = False
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
        leg.variables |= {"bridge_uuid": other.uuid, "signal_bond": other.uuid, "bridge_channel": other.channel_name}
    a.switch.note()
    a.event("CHANNEL_BRIDGE", {"Bridge-A-Unique-ID": a.uuid, "Bridge-B-Unique-ID": b.uuid})
    for leg in (a, b):
        leg.connected()


def end_bridge(bridge: Bridge, now: Leg | None = None) -> None:
    """End it. The event names whom A is with ``now`` as its other leg, and nobody if there is none."""
    for leg in (bridge.a, bridge.b):
        leg.variables |= {"bridge_hangup_cause": "NORMAL_CLEARING", "last_bridge_hangup_cause": "NORMAL_CLEARING"}
        leg.unbridged(bridge)
    bridge.a.switch.note()
    bridge.a.other_leg = now.uuid if now is not None else ""
    bridge.a.event("CHANNEL_UNBRIDGE", {"Bridge-A-Unique-ID": bridge.a.uuid, "Bridge-B-Unique-ID": bridge.b.uuid})


def consult(agent: Leg, colleague: Leg) -> None:
    """As ``att_xfer`` on the agent's leg, once the colleague has answered: no end of the caller's bridge."""
    waiting = agent.bridge
    assert waiting is not None, "the agent talks to nobody"
    agent.consultation = colleague.consultation = Consultation(agent, colleague, waiting)
    join(agent, colleague)


def end_consultation(leg: Leg, cause: str) -> None:
    """One of the two hangs up: the caller is connected with the other one, who is A."""
    consultation = leg.consultation
    assert consultation is not None
    agent, colleague, waiting = consultation.agent, consultation.colleague, consultation.waiting
    agent.consultation = colleague.consultation = None
    caller, inner = waiting.other(agent), agent.bridge
    waits = caller.bridge is waiting
    stays = colleague if leg is agent else agent
    if leg is colleague:
        colleague.gone(cause)
    if inner is not None:
        end_bridge(inner, colleague)
    if waits:
        end_bridge(waiting, stays)
    if leg is agent:
        agent.gone(cause)
    if waits and caller.up:
        stays.execute("uuid_bridge", caller.uuid)
        caller.execute("uuid_bridge", stays.uuid)
        join(stays, caller)
    else:
        stays.left_alone("a")
        if waits:
            caller.left_alone("a")


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
        for other in leg.listens_to:
            voices |= {other, *talking_to(other, taps=False)}
    voices.discard(leg)
    return voices
