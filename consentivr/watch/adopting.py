"""Taking up conversations: from the channel's own variables and the rows of the ledger, never from who asked.

When a caller joins a queue, when something records a leg that carries our word, when the watch begins, and whenever
its connection is back. A visit that nobody ended, and whose channel is gone, is ended here (promise P11).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import structlog

from consentivr import switch
from consentivr.core import adoption
from consentivr.core import events as ev
from consentivr.core.adoption import ChannelSays, Told
from consentivr.core.policy import Announcement, RecordingMode
from consentivr.core.talk_turns import Adopted, CallEnded
from consentivr.core.turn import Turn
from consentivr.core.turns import Arrived
from consentivr.ledger import CallRef, Entry, LedgerError
from consentivr.prompts import Spoken
from consentivr.recordings import is_channel_uuid, recording_stem
from consentivr.watch.settling import Settling
from consentivr.watch.visit import Visit

if TYPE_CHECKING:
    from consentivr.esl.codec import Event
    from consentivr.watch.following import Following

log = structlog.get_logger(__name__)

GATHER_SECONDS = 0.005
"""So long visits are gathered before their rows are read, all in one question."""

READ_SECONDS = 0.5
"""So long what happens to a caller may wait for the rows: whatever records a no is to be stopped within a second."""

AGAIN_SECONDS = 2.0
"""Then they are asked for once more, and again."""


class Channel:
    """What a channel says of itself."""

    __slots__ = ("decision", "file", "joined", "line", "paused", "rate", "uuid", "visit")

    def __init__(self, uuid_: str, get: Callable[[str], str | None]) -> None:
        """``get`` gives a variable of the channel by its name, without ``variable_``."""
        self.uuid = uuid_
        self.visit = get(switch.VISIT) or ""
        self.line = get(switch.LINE) or ""
        self.decision = get(switch.DECISION)
        self.file = get(switch.RECORD_FILE)
        self.paused = get(switch.PAUSED) == "true"
        self.joined = (get(switch.JOINED) or "") not in ("", get(switch.JOINED_BEFORE))
        """Whether it was in a queue since its arrival on the line."""
        self.rate = 8000

    @property
    def says(self) -> ChannelSays:
        """For the core."""
        return ChannelSays(self.decision, self.file if switch.is_recordable(self.file) else None, self.paused)


class Adopting:
    """Takes up conversations for one ``Following``."""

    def __init__(self, following: Following) -> None:
        self._following = following
        self._settling = Settling(following)
        self._reading: dict[str, tuple[Channel, str, str | None]] = {}
        """By channel: visits whose rows are being read; the queue, and mod_callcenter's name for the place in it."""
        self._kept: dict[str, list[Callable[[], None]]] = {}
        """By channel, likewise: what happened to it meanwhile."""
        self._awaited: set[str] = set()
        """Channels that are being asked which visit they are on."""
        self._gathering = False

    # --- one channel -------------------------------------------------------------------------

    def from_queue(self, event: Event) -> None:
        """A caller joined a queue: the event carries the channel's variables."""
        leg, queue = event.get("CC-Member-Session-UUID", ""), event.get("CC-Queue", "")
        channel = Channel(leg, lambda name: event.get(f"variable_{name}"))
        self.take_up(channel, queue, event.get("CC-Member-UUID"))

    def from_event(self, leg: str, event: Event) -> bool:
        """Any event of a leg that has a line's word; whether there is something to read."""
        channel = Channel(leg, lambda name: event.get(f"variable_{name}"))
        self.take_up(channel, "", None)
        return leg in self._reading

    def take_up(self, channel: Channel, queue: str, member: str | None) -> None:
        """Follow this visit from now on; another one of the same channel is over."""
        if not is_channel_uuid(channel.uuid) or not channel.line:
            return
        reading = self._reading.get(channel.uuid)
        if reading is not None and reading[0].visit == channel.visit:
            self._reading[channel.uuid] = channel, queue or reading[1], member or reading[2]
            return
        known = self._following.visits.get(channel.uuid)
        if known is not None and known.state.visit == channel.visit:
            self._goes_on(known, channel, queue, member)
            return
        if known is not None:
            self._following.tell(known, ev.Superseded())
        if not is_channel_uuid(channel.visit):
            if not queue and not channel.joined:
                return  # just arrived: whoever asks says in a moment which visit it is
            self._never_asked(channel)
        self._read_soon(channel, queue, member)

    def awaits(self, leg: str) -> None:
        """Whoever looks around is going to say what is on this channel."""
        self._awaited.add(leg)

    def awaits_no_longer(self, leg: str) -> None:
        """It is said, or being read."""
        self._awaited.discard(leg)
        if leg not in self._reading:
            self._tell_kept(leg)

    def is_reading(self, leg: str, visit: str | None) -> bool:
        """Whether the rows of this visit are being read, and it is followed in a moment."""
        return leg in self._reading and self._reading[leg][0].visit == visit

    def keeps(self, leg: str, what: Callable[[], None]) -> bool:
        """Whether ``what`` has to wait for the rows of a visit on this leg, which are being read."""
        if leg not in self._reading and leg not in self._awaited:
            return False
        self._kept.setdefault(leg, []).append(what)
        return True

    def _read_soon(self, channel: Channel, queue: str, member: str | None) -> None:
        self._reading[channel.uuid] = channel, queue, member
        if not self._gathering:
            self._gathering = True
            self._following.beside(self._read, seconds=GATHER_SECONDS)

    def _goes_on(self, visit: Visit, channel: Channel, queue: str, member: str | None) -> None:
        """The same visit, in another queue, or decided since it was read."""
        self._is_in(visit, queue, member)
        if not visit.is_known:
            self._read_soon(channel, queue, member)

    def _is_in(self, visit: Visit, queue: str, member: str | None) -> None:
        visit.member = member or visit.member
        if queue:
            house = self._following.house_at(visit.began)
            visit.moves_to(queue, house.policy(visit.ref.line, queue))
            self._following.tell(visit, ev.QueueEntered(queue))

    def _never_asked(self, channel: Channel) -> None:
        """The line was reached while nobody answered for it: this visit begins with us."""
        channel.visit = str(uuid.uuid4())
        command = switch.set_variables(channel.uuid, {switch.VISIT: channel.visit})
        self._following.connection.bgapi(command, lambda said: None)
        line = self._following.house.lines.get(channel.line)
        ref = CallRef(channel.uuid, channel.visit, channel.line, line.queue_name if line else "", _mode(line))
        self._following.ledger.note(
            ref.row(Turn.ARRIVED, Arrived(*self._following.switch_name, asked=False).evidence())
        )

    def _read(self) -> None:
        """In a greenlet of its own: the ledger may be slow."""
        self._gathering = False
        wanted = dict(self._reading)
        rows = self.read([channel.visit for channel, _, _ in wanted.values()])
        self._following.post(lambda: self._take_up_read(wanted, rows))

    def read(self, visits: Sequence[str]) -> Mapping[str, list[Entry]] | None:
        """Rows by visit; None when the ledger does not answer in time."""
        try:
            found = self._following.ledger.rows_of_visits(visits, READ_SECONDS)
        except LedgerError as error:
            log.error("a conversation is taken up without its rows: silence until they can be read", why=str(error))
            return None
        return {entries[0].call: entries for entries in found}

    def _take_up_read(
        self, wanted: Mapping[str, tuple[Channel, str, str | None]], rows: Mapping[str, list[Entry]] | None
    ) -> None:
        for leg, (read, _, _) in wanted.items():
            if leg not in self._reading or self._reading[leg][0].visit != read.visit:
                continue  # another visit began meanwhile, and is read next
            channel, queue, member = self._reading.pop(leg)
            known = self._following.visits.get(leg)
            if known is not None and known.state.visit == channel.visit:
                self._is_in(known, queue, member)
                if rows is None:
                    self._following.tell(known, ev.WordChanged(adoption.word(Told(), channel.says)[0], None, None))
                else:
                    self._learn(known, channel, rows.get(channel.visit, ()))
                self._following.refresh({leg})
            else:
                self.begin(channel, queue, member, None if rows is None else rows.get(channel.visit, []), why=None)
            if rows is None:
                self._following.beside(self._read_again, channel, seconds=AGAIN_SECONDS)
            self._tell_kept(leg)

    def _learn(self, visit: Visit, channel: Channel, rows: Sequence[Entry]) -> None:
        """What the rows say of a visit that is followed already."""
        told = adoption.told(rows)
        decision, durable = adoption.word(told, channel.says)
        visit.is_decided = told.decided
        visit.sounds = self._sounds(channel, told)
        self._following.tell(visit, ev.WordChanged(decision, durable, told.purpose))
        self._following.refresh({visit.channel})

    def _sounds(self, channel: Channel, told: Told) -> Mapping[Announcement, Spoken]:
        """In the language in which the caller was asked; until that is known, in the line's own."""
        line = self._following.house.lines.get(channel.line)
        spoken = line and (line.speaking(told.language) or line)
        return spoken.sounds_at(channel.rate) if spoken else {}

    def _read_again(self, channel: Channel) -> None:
        """In a greenlet of its own; the conversation goes on meanwhile."""
        rows = self.read([channel.visit])
        if rows is None:
            self._following.beside(self._read_again, channel, seconds=AGAIN_SECONDS)
            return

        def learn() -> None:
            visit = self._following.visits.get(channel.uuid)
            if visit is not None and visit.state.visit == channel.visit:
                self._learn(visit, channel, rows.get(channel.visit, ()))

        self._following.post(learn)

    def _tell_kept(self, leg: str) -> None:
        for kept in self._kept.pop(leg, ()):
            kept()

    def begin(
        self, channel: Channel, queue: str, member: str | None, known: list[Entry] | None, why: str | None
    ) -> Visit:
        """Follow a visit whose rows are ``known``, None while they cannot be read; ``why`` it had to be taken up late,
        if so.
        """
        following, rows = self._following, known or []
        began = rows[0].at if rows else datetime.now(timezone.utc)
        house = following.house_at(began.timestamp())
        line = house.lines.get(channel.line)
        queue = queue or (rows[-1].queue if rows else "") or (line.queue_name if line else "")
        policy = house.policy(channel.line, queue)
        stem = recording_stem(house.folder, channel.visit, began.date())
        told = adoption.told(rows)
        running = self._running(channel.uuid, stem)
        state = adoption.restored(channel.visit, channel.uuid, stem, queue, policy, told, channel.says, running)
        state = state._replace(unread=known is None)
        ref = CallRef(channel.uuid, channel.visit, channel.line, queue, policy.mode.value)
        visit = Visit(state, ref, policy, self._sounds(channel, told), began.date(), began.timestamp())
        visit.member = member
        visit.is_decided = told.decided
        if state.paused:
            visit.remind_after(following.house.remind_paused_s)
            visit.resume_after(following.house.resume_after_s)
        following.follow(visit)
        for row in rows:
            if row.turn == Turn.AGENT_ANSWERED and row.evidence.get("agent"):
                agreed = bool(row.evidence.get("agent_agreed"))
                following.people.agent_noted(row.evidence["agent_uuid"], row.evidence["agent"], row.queue, agreed)
        if known is not None and why is None and not told.arrived and not following.ledger.is_behind(channel.visit):
            why = "no row says that it arrived"  # were we to die now as well, the next one finds the visit by this row
        if why is not None:
            adopted = Adopted(why, *following.switch_name)
            following.ledger.note(ref.row(adopted.turn, adopted.evidence()))
        if why is not None:
            self._not_kept(visit, told, rows, running)
        if not told.decided:
            self._settling.later(visit)
        following.judge(visit, first=True)
        following.refresh(
            {leg for leg in following.board.room(channel.uuid) if leg in following.visits} - {channel.uuid}
        )
        return visit

    def _running(self, leg: str, stem: str) -> tuple[str, ...]:
        """What records under the name of this visit, also where the row of its beginning was lost with a process."""
        board = self._following.board
        recorders = board.recorders(board.room(leg))
        return tuple(dict.fromkeys(recorder.path for recorder in recorders if recorder.path.startswith(stem)))

    def _not_kept(self, visit: Visit, told: Told, rows: Sequence[Entry], running: tuple[str, ...]) -> None:
        """What ran and sounded while nobody watched is taken out of its file, unless it is recorded by law."""
        state = visit.state
        ran = tuple(dict.fromkeys((*told.unclosed, *running)))
        if ran and not (told.is_silent or state.paused or visit.policy.mode is RecordingMode.PERMANENT):
            visit.state = state._replace(unwatched=True)
            row = self._following.unwatched(ran, rows[-1].at if rows else None)
            self._following.ledger.note(visit.ref.row(row.turn, row.evidence()))
        for path in told.unclosed:
            if path not in running:
                self._following.recorder_gone(path)  # it ended meanwhile

    def over(self, visit: Visit, end: CallEnded) -> None:
        """A visit ended that nobody had decided: whoever asked may still have written it."""
        self._settling.over(visit.ref, end)

    def unsealed(self) -> None:
        """Recordings that had ended before we watched, and lost their seal. In a greenlet of its own."""
        self._settling.unsealed()

    def left_over(self) -> None:
        """Visits that nobody follows any more, or ever did. In a greenlet of its own."""
        self._settling.left_over()

    def orphan(self, rows: list[Entry], why: str) -> None:
        """A visit that nobody ended, and whose channel is gone."""
        self._settling.orphan(rows, why)

    def young(self, rows: list[Entry], why: str) -> None:
        """The same, of one that may have begun just now."""
        self._settling.young(rows, why)


def _mode(line: Any) -> str:
    return line.policy.mode.value if line else ""
