"""A switch in small around one conversation, in which every move of the walks is made.

It is pure: the switchboard is the real one, recorders do what they are told when they are told to (``obey``), refuse,
or are late. What somebody who sees only rows, orders and the switch knows is kept beside it, and held against the
promises (``tests.core.promises``).
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from consentivr.core import actions as do
from consentivr.core import events as ev
from consentivr.core import talk_turns, turns
from consentivr.core.consent import ConsentDecision
from consentivr.core.conversation import step
from consentivr.core.policy import RecordingMode, TalkPolicy
from consentivr.core.state import TalkState
from consentivr.core.switchboard import Recorder, Switchboard
from consentivr.core.turns import Row
from consentivr.core.verdict import Permission
from tests.core.rows import hold_as_json

CALLER = "caller"
PEOPLE = {
    "anna": ("agent", "anna@x", Permission.AGREED),
    "bert": ("agent", "bert@x", Permission.AGREED),
    "carl": ("agent", "carl@x", Permission.NOT_AGREED),
    "nobody": ("unknown", None, Permission.UNKNOWN),
    "friend": ("caller", None, Permission.AGREED),
    "foe": ("caller", None, Permission.REFUSED),
    "ear": ("unknown", None, Permission.UNKNOWN),
}
LEGS = (CALLER, *PEOPLE)
CONFERENCE = "3000"
OPT_OUT = TalkPolicy(RecordingMode.PERMANENT_OPT_OUT, "quality", late_consent_keys="*1")
NTH = replace(OPT_OUT, mode=RecordingMode.EVERY_NTH, every=2)
Order = tuple[str, Recorder, bool]
"""What is to be done (start, stop, mask), to which recorder, and whether a mask is put on."""


@dataclass
class Room:
    policy: TalkPolicy
    state: TalkState
    events_first: bool = True
    """The switch's events come before its answer to the order that made them, or after."""
    board: Switchboard = field(default_factory=Switchboard)
    silent: frozenset[Recorder] = frozenset()
    """Recorders that hear silence, in truth."""
    stuck: frozenset[Recorder] = frozenset()
    """Recorders that did not obey when they were told to stop, or to be silent."""
    mute: frozenset[Recorder] = frozenset()
    """Recorders that did not obey when they were told to sound again."""
    orders: tuple[Order, ...] = ()
    waiting: tuple[Row, ...] = ()
    """Rows that something waits for."""
    rows: tuple[Row, ...] = ()
    sealed: tuple[str, ...] = ()
    erased: tuple[str, ...] = ()
    alarmed: tuple[str, ...] = ()
    may: bool = True
    """The caller's last word is a yes, and proven."""
    agreed_to: str | None = None
    late: bool = False
    """The caller said yes after all, and it is not proven yet."""
    unproven: frozenset[str] = frozenset()
    """Agents whose row could not be made durable."""
    not_nth: frozenset[str] = frozenset()
    talked: bool = False
    over: bool = False

    def copy(self) -> Room:
        new = object.__new__(Room)
        new.__dict__.update(self.__dict__)
        new.board = pickle.loads(pickle.dumps(self.board))
        return new

    def key(self) -> object:
        """What decides about everything that can still happen."""
        board = [self._of(leg) for leg in LEGS if leg in self.board]
        conferences = (self.board.conferences(), tuple(self.board.taps(LEGS)), tuple(self.board.recorders(LEGS)))
        memory = (
            self.silent,
            self.stuck,
            self.mute,
            self.orders,
            self.waiting,
            self.may,
            self.agreed_to,
            self.late,
            self.over,
        )
        memory += (self.unproven, self.not_nth, self.talked)
        told = (self.sealed, self.erased, self.alarmed, self.open(talk_turns.Masked, talk_turns.Unmasked))
        told += (self.open(talk_turns.Paused, talk_turns.Resumed),)
        state = self.state._replace(starred_ms=None, agent_starred_ms=None)
        return repr((self.policy, state, board, conferences, memory, told))

    def _of(self, leg: str) -> object:
        board = self.board
        listens = (board.listens_to(leg), board.is_silent(leg))
        return leg, sorted(board.room(leg)), board.partner(leg), board.holds(leg), listens, board.recorders_on(leg)

    # --- what the watch does ----------------------------------------------------------------------

    def situation(self) -> ev.Situation:
        room = self.board.room(CALLER)
        held = self.board.waits(CALLER) or any(self.board.holds(leg) for leg in room)
        parties = []
        for leg in sorted(room - {CALLER}):
            kind, name, permission = PEOPLE[leg]
            parties.append(ev.Party(leg, "listener" if self.board.is_silent(leg) else kind, name, permission))
        everywhere = self.board.recorders(leg for leg in LEGS if leg not in room)
        return ev.Situation(
            parties=tuple(parties),
            held=held,
            recorders=tuple(self.board.recorders(room)),
            astray=tuple(recorder for recorder in everywhere if recorder.path in self.state.files),
            taps=tuple(self.board.taps(room)),
            listeners=tuple(leg for leg in sorted(room - {CALLER}) if self.board.listens_to(leg) is not None),
        )

    def refresh(self) -> None:
        now = self.situation()
        if now != self.state.now and not self.over:
            self.tell(ev.Changed(now))

    def tell(self, event: ev.TalkEvent) -> None:
        if self.over and not isinstance(event, ev.RecordingClosed):
            return
        self.state, actions = step(self.policy, self.state, event)
        self.talked = (self.talked or self.state.talking) and self.policy.mode is not RecordingMode.PERMANENT
        noted = {agent.leg for agent in self.state.noted}
        self.unproven, self.not_nth = self.unproven & noted, self.not_nth & noted
        looked: list[tuple[str, ...]] = []
        for action in actions:
            self._perform(action, looked)
        for legs in looked:
            self.tell(
                ev.LegsSeen(tuple(talk_turns.LegSeen("other", leg, self.board.recorders_on(leg)) for leg in legs))
            )

    def open(self, begin: type[Row], end: type[Row]) -> int:
        """How many spans have begun, by the rows, and not ended."""
        kinds = [type(row) for row in self.rows]
        return kinds.count(begin) - kinds.count(end)

    def _perform(self, action: object, looked: list[tuple[str, ...]]) -> None:
        closing = isinstance(action, (do.Seal, do.Erase))
        closing = closing or (isinstance(action, do.Write) and isinstance(action.row, talk_turns.RecordingStopped))
        assert not self.over or closing, "nothing else follows the end"
        if isinstance(action, do.Write):
            hold_as_json([action.row])
            self._seen(action.row)
            self.rows = (*self.rows, action.row)
            self.waiting += (action.row,) if action.permits else ()
        elif isinstance(action, do.StartRecorder):
            self.orders += (("start", Recorder(action.path, CALLER), True),)
        elif isinstance(action, do.Stop):
            assert action.recorders
            self.orders += tuple(("stop", recorder, True) for recorder in action.recorders)
        elif isinstance(action, do.Mask):
            assert action.recorders
            self.orders += tuple(("mask", recorder, action.on) for recorder in action.recorders)
        elif isinstance(action, do.LookAtLegs):
            looked.append(action.legs)
        elif isinstance(action, do.EndListening):
            self.board.gone(action.leg)
        elif isinstance(action, do.Seal):
            self.sealed += (action.path,)
        elif isinstance(action, do.Erase):
            self.erased += action.paths
        elif isinstance(action, do.Alarm) and isinstance(action.row, talk_turns.CommandFailed):
            self.alarmed += action.row.paths
        elif isinstance(action, do.Forget):
            self.over = True

    def _seen(self, row: Row) -> None:
        """What must be so when a row says it."""
        if isinstance(row, turns.Withdrawn):
            assert not self.may
            starts = [order for order in self.orders if order[0] == "start"]
            running = self.recorders() if self.policy.mode is not RecordingMode.PERMANENT else ()
            assert not running, "P6: withdrawn, and something records"
            assert not starts or CALLER not in self.board, "P6: withdrawn, and a recorder is about to start"
        if isinstance(row, talk_turns.Masked):
            assert not [one for one in self.recorders() if one.path in row.paths and one not in self.silent]

    # --- what the switch does ---------------------------------------------------------------------

    def recorders(self) -> tuple[Recorder, ...]:
        """What records the caller, or to the caller's files, in truth."""
        room = self.board.room(CALLER)
        return tuple(r for r in self.board.recorders(LEGS) if r in (*self.board.recorders(room),) or self.mine(r))

    def mine(self, recorder: Recorder) -> bool:
        return recorder.path in self.state.files

    def runs(self, recorder: Recorder) -> bool:
        return recorder in tuple(self.board.recorders(LEGS))

    def off(self, recorder: Recorder) -> Callable[[], None]:
        """A recorder ends; what is returned tells of it."""
        if recorder.leg is None:
            self.board.conference_recording(recorder.conference or "", recorder.path, False)
        else:
            self.board.recording(recorder.leg, recorder.path, False)
        self.silent -= {recorder}
        self.stuck -= {recorder}
        self.mute -= {recorder}

        def told() -> None:
            self.refresh()
            self.tell(ev.RecordingClosed(recorder.path, 1000, None))

        return told

    def obey(self) -> None:
        """The oldest order is carried out, and its answer comes."""
        (what, recorder, on), self.orders = self.orders[0], self.orders[1:]
        if what == "start":
            if CALLER in self.board:
                self.board.recording(CALLER, recorder.path, True)
                self.refresh()
            return
        if what == "mask" and not on:
            if self.runs(recorder):
                self.silent -= {recorder}
                self.mute -= {recorder}
                self.tell(ev.Sounding((recorder,)))
            else:
                self.tell(ev.NotDone("unmask", "-ERR Cannot unmask recording session!", (recorder,)))
            return
        if what == "mask" and self.runs(recorder) and recorder.leg is not None:
            self.silent |= {recorder}
            self.stuck -= {recorder}
            self.tell(ev.Silenced((recorder,), stopped=False, took_ms=5))
            return
        told = self.off(recorder) if self.runs(recorder) else lambda: None
        if self.events_first:
            told()
        self.tell(ev.Silenced((recorder,), stopped=True, took_ms=5))
        if not self.events_first:
            told()

    def refuse(self) -> None:
        """The oldest order is not carried out, nor anything stronger."""
        (what, recorder, on), self.orders = self.orders[0], self.orders[1:]
        wanted = "unmask" if what == "mask" and not on else what
        if wanted in ("stop", "mask"):
            if not self.runs(recorder):
                self.tell(ev.Silenced((recorder,), stopped=True, took_ms=5))
                return
            self.stuck |= {recorder}
        if wanted == "unmask" and self.runs(recorder):
            self.mute |= {recorder}
        self.tell(ev.NotDone(wanted, "-ERR", (recorder,)))

    def commit(self, *, done: bool = True, count: int = 2) -> None:
        """The oldest row that is waited for is durable, or is not."""
        row, self.waiting = self.waiting[0], self.waiting[1:]
        if isinstance(row, turns.AgreedLate) and self.late:
            self.late = False
            self.may = self.may or done
            self.agreed_to = self.policy.purpose if done else self.agreed_to
        if isinstance(row, talk_turns.AgentAnswered) and row.agent_uuid in self.state.awaited:
            self.unproven = (self.unproven - {row.agent_uuid}) | (frozenset() if done else {row.agent_uuid})
            self.not_nth = (self.not_nth - {row.agent_uuid}) | ({row.agent_uuid} if count % 2 else frozenset())
        self.tell(ev.Committed(row, count) if done else ev.CommitFailed(row, "disk full"))

    def settle(self) -> None:
        """Everything that is outstanding is done."""
        for _ in range(50):
            if self.waiting:
                self.commit()
            elif self.orders:
                self.obey()
            else:
                return
        raise AssertionError("orders without end")


def new_room(policy: TalkPolicy, word: ConsentDecision = ConsentDecision.GIVEN, *, events_first: bool = True) -> Room:
    """A caller who waits in the queue; the asking has armed a recorder where a yes is enough."""
    given = word is ConsentDecision.GIVEN
    state = TalkState("visit", CALLER, "/r/visit", decision=word, durable=True, purpose="quality")
    room = Room(policy, state, events_first, may=given, agreed_to="quality")
    if given and not policy.starts_at_answer and policy.mode.asks:
        room.state = room.state._replace(files=("/r/visit.wav",))
        room.board.recording(CALLER, "/r/visit.wav", True)
        room.refresh()
    return room
