"""A leg: one channel of the switch, whoever speaks on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from consentivr.lab.simulated.bridges import Bridge, Consultation, end_bridge, end_consultation, heard_on, voice_of
from consentivr.lab.simulated.listened import Listened
from consentivr.lab.simulated.recorders import Audible, Recorder, Tap

if TYPE_CHECKING:
    from consentivr.lab.simulated.conferences import Conference
    from consentivr.lab.switch import SimulatedSwitch

PITCHES = {"caller": 400, "agent": 600, "colleague": 800, "outsider": 1000, "eavesdropper": 1200, "other caller": 500}
"""At which a leg hums, in Hz, by its role."""

_DTMF = {"DTMF-Duration": "2080", "DTMF-Source": "RTP"}


class Leg(Listened):
    """A leg without a dialplan of its own: an agent, a colleague, a supervisor, a voice from outside.

    What happens to it happens at once, in the greenlet of whoever calls.
    """

    def __init__(
        self, switch: SimulatedSwitch, role: str, number: str, name: str = "", variables: dict[str, str] | None = None
    ) -> None:
        """It is answered, and hangs up by itself when whoever it is connected with leaves."""
        super().__init__(switch, number, name, variables)
        self.role = role
        self.pitch = PITCHES[role]
        self.up = True
        self.conference: Conference | None = None
        self.is_parked = False
        self.consultation: Consultation | None = None
        self.listens_to: list[Leg] = []
        """Which legs it taps."""
        self.on_gone: list[Callable[[str], None]] = []
        """Called with the cause once it has hung up."""
        self._bridged_since: float | None = None
        self._bridged_ms = 0.0

    def appear(self) -> None:
        """Be there."""
        self.switch.legs[self.uuid] = self
        self.event("CHANNEL_CREATE")
        if self.answered:
            self.event("CHANNEL_ANSWER")

    @property
    def partner(self) -> Leg | None:
        """The other leg of its bridge."""
        return self.bridge.other(self) if self.bridge else None

    def audible(self) -> Audible:
        """Who is to be heard in a recording of this leg: on the left itself, on the right what it hears."""
        return voice_of(self), heard_on(self), True

    # --- what it does ------------------------------------------------------------------------

    def press(self, key: str) -> None:
        """Press a key now."""
        self.event("DTMF", {"DTMF-Digit": key, **_DTMF})

    def press_record(self, path: str) -> bool:
        """Its telephone asks for a recording (``Record: on``): obeyed unless this leg's own variable forbids it."""
        return self.value_of("sip_disable_recording") != "true" and self.record(path)

    def hold(self) -> None:
        """Put the other side on hold: the bridge stays (FREESWITCH.md, section 7)."""
        self.held = True
        self.switch.note()
        self.event("CHANNEL_HOLD")
        if self.partner is not None:
            self.partner.execute("playback", "local_stream://moh")

    def unhold(self) -> None:
        """And back."""
        self.held = False
        self.switch.note()
        self.event("CHANNEL_UNHOLD")

    # --- being connected ---------------------------------------------------------------------

    @property
    def talked_ms(self) -> int:
        """How long it was bridged, until now, in simulated milliseconds."""
        since = self._bridged_since
        return int(self._bridged_ms + (0.0 if since is None else self.switch.now_ms - since))

    def bridged(self, to: Bridge) -> None:
        """A bridge of this leg has begun."""
        self.bridge = to
        self.other_leg = to.other(self).uuid
        self._bridged_since = self._bridged_since or self.switch.now_ms

    def unbridged(self, was: Bridge) -> None:
        """One has ended; it may not be the one it is in now."""
        if self.bridge is was:
            self.bridge = None
            self.variables.pop("signal_bond", None)
            self._bridged_ms, self._bridged_since = float(self.talked_ms), None

    def left_alone(self, side: str) -> None:
        """Whoever it was bridged to is gone; ``side`` is its own in that bridge, 'a' or 'b'."""
        if self.up and self.bridge is None and self.conference is None and not self.is_parked:
            self.hang_up()

    def connected(self) -> None:
        """A bridge was told."""

    def taken(self) -> None:
        """It was connected to somebody while it did something else."""

    def transfer(self, extension: str) -> None:
        """As ``uuid_transfer``: it leaves, and is heard of no more."""
        self.hang_up()

    def hang_up(self, cause: str = "NORMAL_CLEARING") -> None:
        """End, and tell in the order of a real switch: of a bridge's end after the leg's own, unless it is A."""
        if self.ending or not self.switch.alive:
            return
        self.tell_hangup(cause)
        if self.consultation is not None:
            end_consultation(self, cause)
            return
        bridge = self.bridge
        if bridge is not None and bridge.a is self:
            end_bridge(bridge, bridge.b)
        if self.conference is not None:
            self.conference.remove(self)
        self.gone(cause)
        if bridge is not None:
            other = bridge.other(self)
            if bridge.b is self:
                end_bridge(bridge, self)
            other.left_alone(bridge.side(other))

    def end_first(self, cause: str) -> None:
        """Hang up because the other side is taken away: before the bridge's end is told."""
        if not self.ending:
            self.tell_hangup(cause)
            self.gone(cause)

    def tell_hangup(self, cause: str) -> None:
        """Once."""
        self.cause = cause
        self.event("CHANNEL_HANGUP")

    def disconnect(self) -> list[tuple[Leg, str]]:
        """Leave bridge and conference without hanging up; returns who is left alone, and on which side."""
        left: list[tuple[Leg, str]] = []
        bridge = self.bridge
        if bridge is not None:
            other = bridge.other(self)
            end_bridge(bridge, other if self.ending else None)
            left.append((other, bridge.side(other)))
        if self.conference is not None:
            self.conference.remove(self)
        self.is_parked = False
        return left

    def gone(self, cause: str) -> None:
        """What follows the end of the connection: nothing listens any more, the channel is forgotten."""
        self.up = False
        self.hangup_cause = cause
        self.state = "CS_HANGUP"
        self.switch.note()
        for leg in list(self.listens_to):
            for tap in [bug for bug in leg.bugs if isinstance(bug, Tap) and bug.by is self]:
                leg.untap(tap)
        listening = [bug.by for bug in self.bugs if isinstance(bug, Tap) and bug.by is not None]
        for recorder in list(self.messages):
            self.end_message(recorder)
        for bug in list(self.bugs):
            self.stop_recording(bug.path) if isinstance(bug, Recorder) else self.untap(bug)
        self.state = "CS_REPORTING"
        self.event("CHANNEL_HANGUP_COMPLETE", {"variable_hangup_cause": cause})
        self.switch.legs.pop(self.uuid, None)
        for by in listening:
            by.hang_up()
        for tell in self.on_gone:
            tell(cause)

    def tap(self, function: str, target: str, by: Leg | None = None, *, heard: bool = False) -> Tap:
        """Let something listen that is no recorder, or a leg that is ``heard`` by the others or not."""
        tap = Tap(function, target, by, heard)
        self.bugs.append(tap)
        if by is not None:
            by.listens_to.append(self)
        self.switch.note()
        self.tell_of_bug("START", tap)
        return tap

    def untap(self, tap: Tap) -> None:
        """It listens no more."""
        self.bugs.remove(tap)
        if tap.by is not None:
            tap.by.listens_to.remove(self)
        self.switch.note()
        self.tell_of_bug("STOP", tap)
