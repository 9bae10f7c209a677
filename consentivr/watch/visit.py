"""A conversation that is followed: its state, and what the state machine need not know."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date

import gevent.event

from consentivr.core.consent import ConsentDecision
from consentivr.core.policy import Announcement, TalkPolicy
from consentivr.core.state import TalkState
from consentivr.ledger import CallRef
from consentivr.prompts import Spoken


class Visit:
    """One visit of a caller. Only the greenlet of its watch touches it."""

    __slots__ = (
        "began",
        "broken",
        "day",
        "is_decided",
        "member",
        "policy",
        "ref",
        "remind_at",
        "resume_at",
        "sounds",
        "state",
        "waiting",
    )

    def __init__(
        self,
        state: TalkState,
        ref: CallRef,
        policy: TalkPolicy,
        sounds: Mapping[Announcement, Spoken],
        day: date,
        began: float,
    ) -> None:
        """``day`` is that of the visit's arrival, ``began`` its moment (Unix time, seconds)."""
        self.state = state
        self.ref = ref
        self.policy = policy
        self.sounds = sounds
        self.day = day
        self.began = began
        self.broken = False
        """What follows from an event could not be said: nothing is recorded, and only its end is waited for."""
        self.is_decided = False
        """Whether the row of its decision was seen in the ledger: what a channel says can be of a row that was lost."""
        self.member: str | None = None
        """mod_callcenter's name for the caller's place in the queue: what is told late names an older one."""
        self.remind_at: float | None = None
        """When the agent is told that the pause goes on (time.monotonic); None: not at all."""
        self.resume_at: float | None = None
        """When the pause ends by itself, likewise."""
        self.waiting: list[tuple[Callable[[TalkState], bool], gevent.event.AsyncResult]] | None = None

    @property
    def channel(self) -> str:
        """The caller's leg."""
        return self.state.channel

    @property
    def is_known(self) -> bool:
        """Whether its decision is, with its proof where it is a yes: else what is told next may change that."""
        if self.state.decision is ConsentDecision.GIVEN and not self.state.durable:
            return False
        return self.is_decided and self.state.decision is not None

    @property
    def is_being_told(self) -> bool:
        """Whether a proven yes is being said to the caller: it counts once the channel says so, too."""
        unsaid = self.state.decision is ConsentDecision.GIVEN and not self.state.durable
        return self.is_decided and unsaid and self.member is None

    def moves_to(self, queue: str, policy: TalkPolicy) -> None:
        """The talk is in this queue from now on."""
        self.ref = replace(self.ref, queue=queue, mode=policy.mode.value)
        self.policy = policy

    def wait_for(self, is_so: Callable[[TalkState], bool]) -> gevent.event.AsyncResult:
        """A result that is set to True once ``is_so`` of the state."""
        result: gevent.event.AsyncResult = gevent.event.AsyncResult()
        self.waiting = [*(self.waiting or ()), (is_so, result)]
        self.look()
        return result

    def look(self, *, over: bool = False) -> None:
        """Tell who waits for what is so now; with ``over`` everybody else that it will not be."""
        if self.waiting is None:
            return
        left = []
        for is_so, result in self.waiting:
            if is_so(self.state):
                result.set(True)
            elif over:
                result.set(False)
            else:
                left.append((is_so, result))
        self.waiting = left or None

    def remind_after(self, seconds: float | None) -> None:
        """When the pause is to be reminded of; None: not at all."""
        self.remind_at = _in(seconds)

    def resume_after(self, seconds: float | None) -> None:
        """When the pause is to end by itself; None: not at all."""
        self.resume_at = _in(seconds)


def _in(seconds: float | None) -> float | None:
    return None if seconds is None else time.monotonic() + seconds
