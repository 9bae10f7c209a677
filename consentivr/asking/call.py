"""One outbound call, from the switch's first word until the queue has the caller: an event in, ``step()``, actions out.

The decisions are made in ``core.dialogue``; ``hearing`` says what words mean, ``doing`` which words an action needs.
Who follows the caller from there is the watch of the switch, which learns of the visit from the channel itself.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping

import structlog

from consentivr.asking.channel import Channel
from consentivr.asking.doing import Doing
from consentivr.asking.hearing import Hearing
from consentivr.asking.line import Line
from consentivr.core import actions as do
from consentivr.core import events as ev
from consentivr.core.callers import keeps_number
from consentivr.core.dialogue import step
from consentivr.core.state import AskingState, Phase
from consentivr.esl.errors import ESLError, RemoteProtocolError, WaitTimedOut
from consentivr.esl.session import OutboundSession
from consentivr.ledger import CallRef, LedgerUnavailable, LedgerWriter

log = structlog.get_logger(__name__)

_UNDECIDED = (Phase.ARRIVING, Phase.GREETING, Phase.ASKING, Phase.DECIDING, Phase.ANNOUNCING)


class Call:
    """One call. ``run`` returns when nothing is left to do for it."""

    def __init__(
        self,
        session: OutboundSession,
        lines: Mapping[str, Line],
        ledger: LedgerWriter,
        commit_timeout: float,
        may_ask: Callable[[str], bool],
        is_watched: Callable[[str], bool],
    ) -> None:
        """``may_ask``: whether a channel is new to us, or has arrived anew by the switch's own word.

        ``is_watched``: whether somebody will follow what is recorded on the switch of this run (Core-UUID). Nobody: a
        yes is not recorded.
        """
        self._session = session
        self._lines = lines
        self._ledger = ledger
        self._commit_timeout = commit_timeout
        self._may_ask = may_ask
        self._is_watched = is_watched
        self._state = AskingState()
        self._signals: deque[ev.AskingEvent] = deque()
        self._deadline: float | None = None
        self._ours_until = float("inf")
        self._failed = False
        self.queue = ""
        """Of its line, as mod_callcenter names it, once it is known."""

    def run(self, headers: Mapping[str, str], asked: dict[str, Call]) -> None:
        """Serve the call that ``connect`` handed over. ``asked`` are the calls under way, by channel.

        Raises ESLError when the peer is no FreeSWITCH with one of our lines,
        or hands over a channel that it has not.
        """
        channel = Channel.of(headers, self._lines, str(uuid.uuid4()))
        if not self._may_ask(channel.uuid):
            raise RemoteProtocolError("this channel is on a visit already, and the switch knows of no other")
        other = asked.get(channel.uuid)
        if other is not None:
            other.signal(ev.Disconnected())
        self.queue = channel.line.queue_name
        asked[channel.uuid] = self
        try:
            self._serve(channel)
        finally:
            if asked.get(channel.uuid) is self:
                del asked[channel.uuid]

    def signal(self, event: ev.AskingEvent) -> None:
        """Something happened that the switch does not tell. From any greenlet of the same hub."""
        self._signals.append(event)
        self._session.wake()

    def _serve(self, channel: Channel) -> None:
        self._hearing = Hearing(channel)
        self._doing = Doing(self._session, channel, self._hearing)
        self._ref = CallRef(channel.uuid, channel.visit, channel.line.name, channel.line.queue_name, channel.mode)
        self._core = channel.core
        self._caller_id_number = channel.caller_id_number
        self._whose_number = channel.line.whose_number
        self._log = log.bind(channel=channel.uuid, visit=channel.visit, line=channel.line.name)
        self._ours_until = time.monotonic() + channel.base.watchdog_s - 1
        if channel.chosen.wanted is not None:
            said = {"wanted": channel.chosen.wanted, "spoken": channel.line.language}
            self._log.warning("a language that the line does not speak", **said)
        offers = bool(channel.offers)
        self._take(ev.Arrived(channel.switch, channel.core, channel.arrived_at, channel.notice, offers))
        while self._state.phase is not Phase.ENDED:
            event = self._next_event()
            if event is not None:
                self._take(event)

    # --- an event in -------------------------------------------------------------------------

    def _next_event(self) -> ev.AskingEvent | None:
        if self._signals:
            return self._signals.popleft()
        due = self._deadline
        try:
            word = self._session.receive(None if due is None else max(0.0, due - time.monotonic()))
        except WaitTimedOut:
            self._deadline = None
            return ev.TimedOut()
        except ESLError as error:
            self._log.warning("connection lost", why=str(error))
            return ev.Disconnected()
        return None if word is None else self._hearing.meaning(word)

    def _take(self, event: ev.AskingEvent) -> None:
        """What follows from an event, and from what its actions bring at once."""
        following: deque[ev.AskingEvent] = deque([event])
        while following:
            event = following.popleft()
            before = self._state.phase
            if before in _UNDECIDED and time.monotonic() > self._ours_until:
                # We were stopped or starved for so long that the watchdog has the call: hands off.
                event = ev.Disconnected()
            self._state, actions = step(self._doing.policy, self._state, event)
            self._tell(event, before, actions)
            if isinstance(event, ev.Answered):
                self._deadline = None
            try:
                following.extend(filter(None, map(self._perform, actions)))
            except Exception as error:
                if self._failed:
                    raise
                self._failed = True
                self._log.exception("call failed; it goes on unrecorded")
                following = deque([ev.Failed(type(error).__name__)])

    def _tell(self, event: ev.AskingEvent, before: Phase, actions: tuple[do.AskingAction, ...]) -> None:
        """One line for an ordinary call, when it is decided; each step at debug. The ledger has the rest."""
        phase, consent = self._state.phase, self._state.consent
        if before in _UNDECIDED and phase not in _UNDECIDED:
            decision, reason = (consent.decision.value, consent.reason.value) if consent else (None, None)
            self._log.info(f"call {phase.value}", decision=decision, reason=reason, after=type(event).__name__)
        if actions and self._log.is_enabled_for(logging.DEBUG):
            then = [type(action).__name__ for action in actions]
            self._log.debug(type(event).__name__, phase=phase.value, then=then)

    # --- actions out -------------------------------------------------------------------------

    def _perform(self, action: do.AskingAction) -> ev.AskingEvent | None:
        if isinstance(action, do.Write):
            return self._write(action)
        outcome = self._doing.perform(action)
        if self._doing.deadline_s is not None:
            self._deadline = time.monotonic() + self._doing.deadline_s
            self._doing.deadline_s = None
        return outcome

    def _write(self, action: do.Write) -> ev.AskingEvent | None:
        row = action.row
        number = self._caller_id_number if keeps_number(self._whose_number, row) else None
        entry = self._ref.row(row.turn, row.evidence(), caller_id_number=number, tally=action.tally)
        if not action.permits:
            self._ledger.note(entry)
            return None
        try:
            count = self._ledger.commit(entry, self._commit_timeout)
            if self._is_watched(self._core):
                return ev.Committed(row, count)
            self._log.error("recording withheld: nobody watches the switch; see 'switches'")
            return ev.CommitFailed(row, "nobody watches the switch")
        except LedgerUnavailable as error:
            self._log.error("recording withheld", turn=entry.turn, why=str(error))
            return ev.CommitFailed(row, str(error))
