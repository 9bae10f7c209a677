"""Following the conversations of one switch, for as long as one connection lasts: nothing of it outlives that.

An event comes in (``stream``), the switchboard changes, each conversation whose room is another now is judged anew
(``core.conversation``), and what follows is done (``doing``) and confirmed (``orders``). One greenlet does all of it;
what must be waited for - the ledger, the register - is waited for elsewhere, and posted.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import gevent
import gevent.pool
import structlog

from consentivr import switch
from consentivr.core import events as ev
from consentivr.core.consent import ConsentDecision
from consentivr.core.conversation import step
from consentivr.core.events import Party, Situation
from consentivr.core.switchboard import Recorder, Switchboard
from consentivr.core.talk_turns import CallEnded, Unwatched
from consentivr.core.verdict import Permission
from consentivr.custody import Sealer
from consentivr.esl.codec import Event
from consentivr.esl.inbound import InboundConnection
from consentivr.ledger import LedgerWriter
from consentivr.recordings import visit_of
from consentivr.watch.adopting import Adopting
from consentivr.watch.alarm import Alarm
from consentivr.watch.doing import Doing
from consentivr.watch.house import House
from consentivr.watch.orders import members_of, recordings_of
from consentivr.watch.people import People
from consentivr.watch.returning import Returning
from consentivr.watch.settling import UNSEALED_SECONDS
from consentivr.watch.stream import Stream
from consentivr.watch.sweep import Sweep
from consentivr.watch.visit import Visit

log = structlog.get_logger(__name__)

GONE_SECONDS = 1.0
"""So long after the switch knew nothing of a leg its end may still be told."""

FORMER_HOUSES = 20
"""So many are remembered, of configurations that were taken one after the other."""

TICK_SECONDS = 0.25
"""How exactly deadlines are kept when nothing happens."""


class Following:
    """``run`` ends with an ESLError, when the connection does."""

    def __init__(
        self,
        connection: InboundConnection,
        house: House,
        ledger: LedgerWriter,
        sealer: Sealer,
        alarm: Alarm,
        seen_until: float | None = None,
    ) -> None:
        """``seen_until``: when this process saw the switch last (Unix time, seconds), if it has."""
        self.connection = connection
        self.house = house
        """As it is now; ``house_at`` for a visit that may have begun before."""
        self._former: list[tuple[float, House]] = []
        """Until when (Unix time, seconds) another one was so, the oldest first."""
        self.ledger = ledger
        self.sealer = sealer
        self.alarm = alarm
        self.switch_name = ("", "")
        """The switch's own name, and that of its run."""
        self.began = time.time()
        self.watched_until = seen_until
        """Until when somebody watched before us, by our memory or the switch's; Unix time, seconds. None: unknown."""
        self.board = Switchboard()
        self.visits: dict[str, Visit] = {}
        """By the caller's leg."""
        self._by_name: dict[str, Visit] = {}
        self._owners: dict[str, Visit] = {}
        """By the path of each file that is theirs, until it is complete."""
        self.people = People(connection, house, ledger, self.board, self._found, self.post)
        self._stream = Stream(self)
        self._doing = Doing(self)
        self.adopting = Adopting(self)
        self.returning = Returning(self)
        self._sweep = Sweep(self)
        self.vanished: dict[str, float] = {}
        """Files that nothing records to any more, without a word of the stream so far; since when."""
        self._inbox: deque[Callable[[], None]] = deque()
        self._beside = gevent.pool.Group()

    def take(self, house: House) -> None:
        """From now on it is so; who arrived before is followed as it was then."""
        self._former = [*self._former[1 - FORMER_HOUSES :], (time.time(), self.house)]
        self.house = house
        self.people.take(house)

    def house_at(self, arrived: float) -> House:
        """As it was when a caller arrived (Unix time, seconds), as far as this connection goes back."""
        return next((house for until, house in self._former if arrived < until), self.house)

    def run(self) -> None:
        """Take up what is there, then follow."""
        self.returning.look_around()
        self.beside(self.adopting.unsealed, seconds=UNSEALED_SECONDS)
        self.beside(self._tick)
        while True:
            event = self.connection.receive()
            if isinstance(event, Event):
                self._stream.hear(event)
            while self._inbox:
                self._inbox.popleft()()
            self.connection.give_up_jobs()
            self._sweep.now_and_then()

    def _tick(self) -> None:
        """Beside: a deadline at each wait for an event would be set up and taken down for nothing, most often."""
        while True:
            gevent.sleep(TICK_SECONDS)
            self.connection.wake()

    def hear(self, event: Event) -> None:
        """An event from the other connection, on which executions are told."""
        self.post(lambda: self._stream.hear(event))

    def post(self, what: Callable[[], None]) -> None:
        """Do something in the greenlet of the watch. From any greenlet of the same hub."""
        self._inbox.append(what)
        self.connection.wake()

    def beside(self, what: Callable[..., None], *args: Any, seconds: float = 0.0) -> None:
        """Do something that waits in a greenlet of its own, so many seconds from now; it ends with this connection."""
        greenlet = gevent.Greenlet(what, *args)
        self._beside.add(greenlet)
        greenlet.start_later(seconds) if seconds else greenlet.start()

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """Do something in the greenlet of the watch, so many seconds from now."""
        self.beside(self.post, what, seconds=seconds)

    def fall_silent(self, seconds: float) -> None:
        """Before the watch ends: nothing of ours sounds while nobody watches, and that is in the ledger."""

        def silence() -> None:
            for visit in list(self.visits.values()):
                self.tell(visit, ev.WatchEnds())

        self.post(silence)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and (self._inbox or any(v.state.masking for v in self.visits.values())):
            gevent.sleep(0.01)

    def end(self) -> None:
        """Nothing of it goes on."""
        self._beside.kill()

    # --- conversations -----------------------------------------------------------------------

    def follow(self, visit: Visit) -> None:
        """From now on."""
        self.visits[visit.channel] = self._by_name[visit.state.visit] = visit
        for path in visit.state.files:
            self._owners.setdefault(path, visit)

    def tell(self, visit: Visit, event: ev.TalkEvent) -> bool:
        """Something happened to a conversation; whether anything follows from it."""
        before = visit.state.decision
        if visit.broken:
            if isinstance(event, (ev.ChannelGone, ev.Superseded)):
                cause = event.cause if isinstance(event, ev.ChannelGone) else None
                self.forget(visit, CallEnded(cause, None, "a fault of consentivr: see its log"))
            return False
        try:
            visit.state, actions = step(visit.policy, visit.state, event)
            for path in visit.state.files:
                self._owners.setdefault(path, visit)
            for action in actions:
                self._doing.perform(visit, action)
        except Exception:
            # One conversation must not take the others with it (promise P9), and when in doubt nothing is recorded.
            log.exception("a conversation failed; its recorders are stopped", channel=visit.channel)
            visit.broken = True
            self._doing.give_up(visit)
            return False
        visit.look()
        if visit.state.decision is not before:
            self.refresh(set(self.board.room(visit.channel)))
        return bool(actions)

    def refresh(self, legs: set[str]) -> None:
        """The rooms of these legs may be other than they were."""
        affected: dict[str, Visit] = {}
        for leg in legs:
            for member in self.board.room(leg):
                if member in self.visits:
                    affected[member] = self.visits[member]
            for path in self.board.recorders_on(leg):
                owner = self.owner_of(path)
                if owner is not None and self.visits.get(owner.channel) is owner:
                    affected[owner.channel] = owner
        for visit in affected.values():
            if self.adopting.is_reading(visit.channel, visit.state.visit):
                continue  # what was decided is about to be known, and then it is judged
            self.judge(visit)

    def judge(self, visit: Visit, *, first: bool = False) -> None:
        """Tell a conversation how its room is now, if that is news or for the ``first`` time. A recorder that is armed
        while the caller hears that the yes is accepted is not judged before somebody is talked to."""
        now = self.situation(visit)
        if (first or now != visit.state.now) and (now.parties or not visit.is_being_told):
            self.tell(visit, ev.Changed(now))

    def situation(self, visit: Visit) -> Situation:
        """The room of a caller as it is now."""
        board, channel = self.board, visit.channel
        room = board.room(channel)
        others = sorted(room - {channel})
        parties = [self._party(leg, visit) for leg in others]
        taps = tuple(board.taps(room))
        parties += [
            # Who listens here is not known yet, or never: whoever it is may be heard.
            Party(f"eavesdrops on {tap.leg}", "unknown", None, Permission.UNKNOWN)
            for tap in taps
            if tap.function == "eavesdrop" and not board.listeners(tap.leg)
        ]
        mine = visit.state.files
        return Situation(
            parties=tuple(parties),
            held=board.waits(channel) or any(board.holds(leg) for leg in room),
            recorders=tuple(
                recorder for recorder in board.recorders(room) if self.owner_of(recorder.path) in (None, visit)
            ),
            astray=tuple(Recorder(path, leg) for path in mine for leg in board.where(path) if leg not in room),
            taps=taps,
            listeners=tuple(leg for leg in others if board.listens_to(leg) is not None),
            known=all(leg in self.visits or self.people.is_told(leg) for leg in others),
        )

    def unwatched(self, paths: tuple[str, ...], last_row_at: datetime | None) -> Unwatched:
        """These ran, and nobody watched until now; when the last row was written somebody did, and in the end it may be
        that nobody knows more: what died with its switch was watched until then, or not."""
        since = self.watched_until
        if since is None and last_row_at is not None:
            since = last_row_at.timestamp()
        return Unwatched(None if since is None else _iso(since), _iso(time.time()), paths)

    def owner_of(self, path: str) -> Visit | None:
        """Whose file it is: a visit's own files have its name."""
        owner = self._owners.get(path)
        if owner is None:
            name = visit_of(path.rpartition("/")[2].rpartition(".")[0])
            owner = self._by_name.get(name or "")
            if owner is not None and not path.startswith(owner.state.stem):
                owner = None
        return owner

    def _party(self, leg: str, visit: Visit) -> Party:
        other = self.visits.get(leg)
        if other is None:
            return self.people.party(leg, visit.ref.queue, visit.policy.agents_must_agree)
        given = other.state.decision is ConsentDecision.GIVEN and other.state.durable
        agreed = given and other.state.purpose == visit.policy.purpose
        return Party(leg, "caller", None, Permission.AGREED if agreed else Permission.REFUSED)

    def _found(self, leg: str) -> None:
        self.refresh({leg})

    def listed(self, leg: str, list_: str) -> None:
        """The answer to ``uuid_buglist``; of a leg that is gone there is none, also where a list still has it."""
        if list_.startswith("-ERR") and leg in self.board:
            self.beside(self._still_there, leg, seconds=GONE_SECONDS)
        self.bugs_seen(leg, switch.media_bugs(list_))

    def _still_there(self, leg: str) -> None:
        """The stream would have told by now."""

        def exists(said: str) -> None:
            if said.strip() == "false" and (leg in self.visits or leg in self.board):
                self.gone(leg, "")

        self.post(lambda: self.connection.bgapi(switch.exists(leg), exists))

    def bugs_seen(self, leg: str, bugs: tuple[tuple[str, str], ...] | None) -> None:
        """What the switch says listens to a leg, held against what the stream told (None: it did not say)."""
        if bugs is None:
            return
        board = self.board
        there = {target for what, target in bugs if what == switch.RECORDS}
        touched: set[str] = set()
        for path in there.symmetric_difference(board.recorders_on(leg)):
            touched |= board.recording(leg, path, on=path in there)
            if path not in there:
                self.vanished[path] = time.monotonic()
        functions = {what for what, _ in bugs if what != switch.RECORDS}
        for function in functions.symmetric_difference(tap.function for tap in board.taps((leg,))):
            touched |= board.tapped(leg, function, on=function in functions)
        if touched:
            self.refresh(touched)

    def conferences_seen(self, said: str) -> None:
        """``conference json_list``, held against what the stream told."""
        board, touched = self.board, set()
        rooms, recorded = members_of(said), recordings_of(said)
        if rooms is None:
            return
        for name, legs in rooms.items():
            for leg in legs:
                if board.conference_of(leg) != name:
                    touched |= board.in_conference(leg, name)
        for name in {*board.conferences(), *recorded}:
            for path in set(recorded.get(name, ())).symmetric_difference(board.recordings_of(name)):
                touched |= board.conference_recording(name, path, on=path in recorded.get(name, ()))
        for leg in board.legs():
            name_now = board.conference_of(leg)
            if name_now is not None and leg not in rooms.get(name_now, ()):
                touched |= board.in_conference(leg, None)
        self.refresh(touched)

    # --- what the stream tells ---------------------------------------------------------------

    def arrived_in_queue(self, event: Event) -> None:
        self.adopting.from_queue(event)

    def keeps(self, leg: str, what: Callable[[], None]) -> bool:
        """Whether ``what`` happened too early: the visit on this leg is being read."""
        return self.adopting.keeps(leg, what)

    def left_queue(self, event: Event) -> None:
        visit = self.visits.get(event.get("CC-Member-Session-UUID", ""))
        if visit is not None and visit.member == event.get("CC-Member-UUID"):
            self.tell(visit, ev.QueueGaveUp(event.get("CC-Cancel-Reason", "")))

    def agent_found(self, leg: str, agent: str, event: Event) -> None:
        if event.get("variable_sip_redirected_to"):
            return  # it ended up elsewhere than dialled
        self.people.agent_found(leg, agent)
        visit = self.visits.get(event.get("CC-Member-Session-UUID", ""))
        if visit is not None:
            self._party(leg, visit)  # the register is asked before the first word
        self.refresh({leg})

    def recorder_found(self, leg: str, event: Event) -> bool:
        """Something records a leg that carries our word. False when the word must be read before it is judged: nobody
        follows the leg yet, whoever asks has just decided, or the caller is on another visit by now."""
        visit = self.visits.get(leg)
        if visit is not None and visit.is_known and self._is_on(visit, event):
            return True
        return not self.adopting.from_event(leg, event)

    def recorder_gone(self, path: str) -> None:
        """Its RECORD_STOP is due, or has come already."""
        owner = self._owners.get(path)
        if owner is not None and path in owner.state.unclosed:
            self.vanished[path] = time.monotonic()

    @staticmethod
    def _is_on(visit: Visit, event: Event) -> bool:
        """Whether the channel still is on this visit, by its own word."""
        return bool(event.get(f"variable_{switch.VISIT}", visit.state.visit) == visit.state.visit)

    def pressed(self, leg: str, key: str, at_ms: int) -> None:
        visit = self.visits.get(leg)
        if visit is not None:
            self.tell(visit, ev.KeyPressed(key, at_ms))
        elif self.people.agent_on(leg) is not None:
            for member in self.board.room(leg):
                if member in self.visits:
                    self.tell(self.visits[member], ev.KeyPressed(key, at_ms, by_agent=True))

    def closed(self, path: str, duration_ms: int | None, cause: str | None) -> None:
        self.vanished.pop(path, None)
        event = ev.RecordingClosed(path, duration_ms, cause)
        owner = self._owners.get(path)
        if owner is not None:
            self.tell(owner, event)
            if self.visits.get(owner.channel) is not owner:
                self._owners.pop(path, None)
            return
        for visit in list(self.visits.values()):
            if path in visit.state.forbidden:
                self.tell(visit, event)

    def gone(self, leg: str, cause: str) -> None:
        visit = self.visits.get(leg)
        touched = self.board.gone(leg)
        self.people.gone(leg)
        if visit is not None:
            self.tell(visit, ev.ChannelGone(cause))
        self.refresh(touched)

    def forget(self, visit: Visit, end: CallEnded) -> None:
        """A visit is over, as ``end`` says. Its files are its own until they are complete."""
        if self.visits.get(visit.channel) is visit:
            del self.visits[visit.channel]
        self._by_name.pop(visit.state.visit, None)
        if visit.broken or visit.state.decision is None or not visit.is_decided:
            self.adopting.over(visit, end)
        for path in visit.state.files:
            if path not in visit.state.unclosed:
                self._owners.pop(path, None)
        visit.look(over=True)

    # --- from outside ------------------------------------------------------------------------

    def ask(self, channel_uuid: str | None, agent: str | None) -> Visit | None:
        """The visit on a channel, or the one whose talk an agent is in; given both, only if it is the same."""
        if agent is None:
            return self.visits.get(channel_uuid or "")
        for leg in self.people.legs_of(agent):
            for member in self.board.room(leg):
                if member in self.visits and channel_uuid in (None, member):
                    return self.visits[member]
        return None


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="milliseconds")
