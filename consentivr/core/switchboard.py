"""Who is connected to whom, who hears whom, what listens: a model of one switch, without a switch.

It is told what happened and answers questions; it decides nothing. Facts: FREESWITCH.md, section 7.

Three links make people hear one another: a *bridge* (two legs that are each other's partner), a *conference*, and
*listening* (an eavesdropper or a third party on a leg). All legs that such links connect are one *room*.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from consentivr.core.legs import Conference, Leg, changed


class Recorder(NamedTuple):
    """Something that records to ``path``: on a leg, or (``leg`` None) a conference."""

    path: str
    leg: str | None
    conference: str | None = None


class Tap(NamedTuple):
    """Something else that hears a leg, such as ``displace`` or a stream to elsewhere."""

    function: str
    leg: str


class Switchboard:
    """All legs of one switch. Each verb tells what happened, and says which legs' rooms it may have changed."""

    def __init__(self) -> None:
        self._legs: dict[str, Leg] = {}
        self._listeners: dict[str, set[str]] = {}
        self._conferences: dict[str, Conference] = {}
        self._where: dict[str, tuple[str, ...]] = {}
        """The legs that are recorded to a path."""

    def __len__(self) -> int:
        return len(self._legs)

    def __contains__(self, leg: str) -> bool:
        return leg in self._legs

    # --- what happened -----------------------------------------------------------------------

    def bridged(self, leg: str, other: str) -> set[str]:
        """Two legs hear each other. Whoever was one's partner before now waits (a consultation)."""
        touched = {leg, other}
        for one, new in ((leg, other), (other, leg)):
            left = self._turn(one, new)
            if left is not None:
                touched.add(left)
        return touched

    def unbridged(self, leg: str, other: str) -> set[str]:
        """Two legs hear each other no longer; a hold ends with its bridge. What is told late changes nothing."""
        if self.partner(leg) != other:
            return set()
        for one, partner in ((leg, other), (other, leg)):
            if self.partner(one) == partner:
                self._turn(one, None)
                self._legs[one].holds = ()
        return {leg, other}

    def held(self, leg: str, on: bool, why: str = "hold") -> set[str]:
        """A leg lets its partner wait, or takes it back; ``why`` tells a hold from a consultation that begins."""
        if leg not in self._legs and not on:
            return set()
        known = self._leg(leg)
        known.holds = changed(known.holds, why, on)
        return {leg}

    def recording(self, leg: str, path: str, on: bool) -> set[str]:
        """A recorder was attached to a leg, or taken off."""
        if not on and leg not in self._legs:
            return set()
        known = self._leg(leg)
        known.recorders = changed(known.recorders, path, on)
        self._where[path] = changed(self._where.get(path, ()), leg, on)
        if not self._where[path]:
            del self._where[path]
        return {leg}

    def tapped(self, leg: str, function: str, on: bool) -> set[str]:
        """Something other than a recorder was attached to a leg, or taken off."""
        if not on and leg not in self._legs:
            return set()
        known = self._leg(leg)
        known.taps = changed(known.taps, function, on)
        return {leg}

    def listening(self, leg: str, target: str | None, *, speaks: bool) -> set[str]:
        """A leg eavesdrops on another (None: no longer); ``speaks``: it can be heard there."""
        if target is None and leg not in self._legs:
            return set()
        known = self._leg(leg)
        before = known.listens_to
        if before is not None and before != target:
            self._listeners[before].discard(leg)
            if not self._listeners[before]:
                del self._listeners[before]
        known.listens_to, known.speaks = target, speaks
        if target is not None:
            self._leg(target)
            self._listeners.setdefault(target, set()).add(leg)
        return {leg, *(other for other in (before, target) if other is not None)}

    def in_conference(self, leg: str, conference: str | None) -> set[str]:
        """A leg joined a conference, or (None) left the one it was in."""
        if conference is None and leg not in self._legs:
            return set()
        known = self._leg(leg)
        touched = {leg}
        if known.conference is not None:
            room = self._conferences[known.conference]
            room.members.discard(leg)
            touched |= room.members
            if not room.members and not room.recordings:
                del self._conferences[known.conference]
        known.conference = conference
        if conference is not None:
            room = self._conferences.setdefault(conference, Conference())
            touched |= room.members
            room.members.add(leg)
        return touched

    def conference_recording(self, conference: str, path: str, on: bool) -> set[str]:
        """A conference is recorded to a file, or no longer."""
        room = self._conferences.get(conference)
        if room is None:
            if not on:
                return set()
            room = self._conferences[conference] = Conference()
        (room.recordings.add if on else room.recordings.discard)(path)
        if not room.members and not room.recordings:
            del self._conferences[conference]
        return set(room.members)

    def gone(self, leg: str) -> set[str]:
        """A leg is down."""
        known = self._legs.get(leg)
        if known is None:
            return set()
        for path in known.recorders:
            self.recording(leg, path, on=False)
        touched = self.unbridged(leg, known.partner or "") | self.in_conference(leg, None)
        touched |= self.listening(leg, None, speaks=False)
        for listener in list(self._listeners.get(leg, ())):
            touched |= self.listening(listener, None, speaks=False)
        for waiting in known.sought:
            touched |= self.unbridged(waiting, leg)
        del self._legs[leg]
        return touched - {leg}

    # --- questions ---------------------------------------------------------------------------

    def partner(self, leg: str) -> str | None:
        """The leg's partner in a bridge, also one that is elsewhere for a while."""
        known = self._legs.get(leg)
        return known.partner if known else None

    def waits(self, leg: str) -> bool:
        """Whether a leg's partner talks to somebody else: a consultation."""
        partner = self.partner(leg)
        return partner is not None and self.partner(partner) != leg

    def holds(self, leg: str) -> bool:
        """Whether a leg put its partner on hold."""
        known = self._legs.get(leg)
        return known is not None and bool(known.holds)

    def is_on_hold(self, leg: str) -> bool:
        """Whether it holds as a telephone does, which a consultation is not."""
        known = self._legs.get(leg)
        return known is not None and "hold" in known.holds

    def listens_to(self, leg: str) -> str | None:
        """The leg that this one eavesdrops on."""
        known = self._legs.get(leg)
        return known.listens_to if known else None

    def is_silent(self, leg: str) -> bool:
        """Whether a leg hears others but is not heard: an eavesdropper who does not speak."""
        known = self._legs.get(leg)
        return known is not None and known.listens_to is not None and not known.speaks

    def room(self, leg: str) -> frozenset[str]:
        """Everybody who hears, or is heard by, this leg; itself included."""
        found = {leg}
        todo = [leg]
        while todo:
            for other in self._links(todo.pop()):
                if other not in found:
                    found.add(other)
                    todo.append(other)
        return frozenset(found)

    def recorders(self, room: Iterable[str]) -> Iterator[Recorder]:
        """What records these legs, or a conference that one of them is in."""
        conferences = set()
        for leg in sorted(room):
            known = self._legs.get(leg)
            if known is None:
                continue
            yield from (Recorder(path, leg) for path in known.recorders)
            if known.conference is not None:
                conferences.add(known.conference)
        for name in sorted(conferences):
            yield from (Recorder(path, None, name) for path in sorted(self._conferences[name].recordings))

    def taps(self, room: Iterable[str]) -> Iterator[Tap]:
        """What else listens to these legs."""
        for leg in sorted(room):
            known = self._legs.get(leg)
            if known is not None:
                yield from (Tap(function, leg) for function in known.taps)

    def recorders_on(self, leg: str) -> tuple[str, ...]:
        """The files that this leg is recorded to."""
        known = self._legs.get(leg)
        return known.recorders if known else ()

    def where(self, path: str) -> tuple[str, ...]:
        """The legs that are recorded to this file."""
        return self._where.get(path, ())

    def listeners(self, leg: str) -> frozenset[str]:
        """Who eavesdrops on this leg."""
        return frozenset(self._listeners.get(leg, ()))

    def legs(self) -> tuple[str, ...]:
        """All legs that something is known of."""
        return tuple(self._legs)

    def conference_of(self, leg: str) -> str | None:
        """The conference that a leg is in."""
        known = self._legs.get(leg)
        return known.conference if known else None

    def recordings_of(self, conference: str) -> frozenset[str]:
        """The files that a conference is recorded to."""
        room = self._conferences.get(conference)
        return frozenset(room.recordings) if room else frozenset()

    def conferences(self) -> tuple[str, ...]:
        """The names of all conferences."""
        return tuple(sorted(self._conferences))

    # --- inside ------------------------------------------------------------------------------

    def _leg(self, leg: str) -> Leg:
        known = self._legs.get(leg)
        if known is None:
            known = self._legs[leg] = Leg()
        return known

    def _turn(self, leg: str, partner: str | None) -> str | None:
        """Give a leg another partner; the one that it had is returned."""
        known = self._leg(leg)
        left, known.partner = known.partner, partner
        if left is not None:
            self._legs[left].sought = changed(self._legs[left].sought, leg, False)
        if partner is not None:
            self._leg(partner).sought = changed(self._leg(partner).sought, leg, True)
        return left

    def _links(self, leg: str) -> Iterator[str]:
        known = self._legs.get(leg)
        if known is None:
            return
        if known.partner is not None and self.partner(known.partner) == leg:
            yield known.partner
        if known.listens_to is not None:
            yield known.listens_to
        yield from self._listeners.get(leg, ())
        if known.conference is not None:
            yield from self._conferences[known.conference].members
