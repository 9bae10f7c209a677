"""An agent calls, proves who it is, hears a wording, and agrees or does not: rules and words, in one small file.

It shares no state with ``dialogue`` and ``conversation``: no caller is here, and nothing is recorded. Anything that
fails leaves the register as it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

ATTEMPTS = 3
"""So often in one call: who one is, and what one says to the wording."""


class AgentAnnouncement(str, Enum):
    """What agents hear. NUMBER, PIN and WORDING are needed; the others may be left out."""

    NUMBER = "number"
    PIN = "pin"
    WORDING = "wording"
    WRONG = "wrong"
    LOCKED = "locked"
    AGREED = "agreed"
    DECLINED = "declined"
    FAILED = "failed"
    """Nothing was changed: no answer, or the ledger could not be written."""


class Proof(Enum):
    """What a number and a PIN are worth."""

    PROVEN = "proven"
    WRONG = "wrong"
    LOCKED = "locked"
    """Not looked at: too many were wrong, or the last wrong one was a moment ago."""


class Phase(Enum):
    """Where such a call is."""

    ARRIVING = "arriving"
    NUMBER = "number"
    PIN = "pin"
    CHECKING = "checking"
    WORDING = "wording"
    WRITING = "writing"
    ENDED = "ended"


class EnrolState(NamedTuple):
    """What is remembered; a PIN is not."""

    phase: Phase = Phase.ARRIVING
    number: str = ""
    agent: str = ""
    attempts: int = 0
    agrees: bool = False


# --- what can happen -------------------------------------------------------------------------


@dataclass(frozen=True)
class Arrived:
    """An agent calls."""


@dataclass(frozen=True)
class Typed:
    """What was typed, on one's own leg; empty for nothing."""

    digits: str = field(repr=False)


@dataclass(frozen=True)
class Checked:
    """The PIN was looked at; ``agent`` is whose it is."""

    proof: Proof
    agent: str = ""


@dataclass(frozen=True)
class Written:
    """Whether the register's row is durable."""

    durable: bool


@dataclass(frozen=True)
class Lost:
    """Hung up, or the switch or we failed: nothing can be said any more, and the dialplan ends the call."""


Event = Arrived | Typed | Checked | Written | Lost

# --- what follows ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """Take the call."""


@dataclass(frozen=True)
class Ask:
    """Ask for digits: NUMBER and PIN for several, WORDING, once heard to its end, for one key."""

    what: AgentAnnouncement


@dataclass(frozen=True)
class Check:
    """Whether this number has this PIN."""

    number: str
    pin: str = field(repr=False)


@dataclass(frozen=True)
class Note:
    """Write the register's row: the agent agrees, or takes it back."""

    agent: str
    agrees: bool


@dataclass(frozen=True)
class Say:
    """Play it, if there is such an announcement."""

    what: AgentAnnouncement


@dataclass(frozen=True)
class HangUp:
    """The call is over."""


Action = Answer | Ask | Check | Note | Say | HangUp
Result = tuple[EnrolState, tuple[Action, ...]]


def step(agree_key: str, decline_key: str, state: EnrolState, event: Event) -> Result:
    """What follows from an event. What means nothing in a phase changes nothing."""
    if state.phase is Phase.ENDED:
        return state, ()
    if isinstance(event, Lost):
        return state._replace(phase=Phase.ENDED), ()
    if state.phase is Phase.ARRIVING and isinstance(event, Arrived):
        return state._replace(phase=Phase.NUMBER), (Answer(), Ask(AgentAnnouncement.NUMBER))
    if state.phase is Phase.NUMBER and isinstance(event, Typed):
        return state._replace(phase=Phase.PIN, number=event.digits), (Ask(AgentAnnouncement.PIN),)
    if state.phase is Phase.PIN and isinstance(event, Typed):
        return state._replace(phase=Phase.CHECKING), (Check(state.number, event.digits),)
    if state.phase is Phase.CHECKING and isinstance(event, Checked):
        return _checked(state, event)
    if state.phase is Phase.WORDING and isinstance(event, Typed):
        return _answered(agree_key, decline_key, state, event.digits)
    if state.phase is Phase.WRITING and isinstance(event, Written):
        said = AgentAnnouncement.AGREED if state.agrees else AgentAnnouncement.DECLINED
        return _end(state, said if event.durable else AgentAnnouncement.FAILED)
    return state, ()


def _checked(state: EnrolState, event: Checked) -> Result:
    if event.proof is Proof.PROVEN:
        return state._replace(phase=Phase.WORDING, agent=event.agent, attempts=0), (Ask(AgentAnnouncement.WORDING),)
    if event.proof is Proof.LOCKED:
        return _end(state, AgentAnnouncement.LOCKED)
    attempts = state.attempts + 1
    if attempts == ATTEMPTS:
        return _end(state, AgentAnnouncement.WRONG)
    again = (Say(AgentAnnouncement.WRONG), Ask(AgentAnnouncement.NUMBER))
    return EnrolState(Phase.NUMBER, attempts=attempts), again


def _answered(agree_key: str, decline_key: str, state: EnrolState, key: str) -> Result:
    if key in (agree_key, decline_key):
        agrees = key == agree_key
        return state._replace(phase=Phase.WRITING, agrees=agrees), (Note(state.agent, agrees),)
    attempts = state.attempts + 1
    if attempts == ATTEMPTS:
        return _end(state, AgentAnnouncement.FAILED)
    return state._replace(attempts=attempts), (Ask(AgentAnnouncement.WORDING),)


def _end(state: EnrolState, said: AgentAnnouncement) -> Result:
    return state._replace(phase=Phase.ENDED), (Say(said), HangUp())
