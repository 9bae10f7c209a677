"""A watch whose switch, ledger and time are in the hands of a test: nothing happens before ``work``, nothing waits."""

from __future__ import annotations

import heapq
import itertools
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import gevent
import pytest

from consentivr import switch
from consentivr.asking.line import Line
from consentivr.core.policy import Announcement, LinePolicy, RecordingMode, TalkPolicy
from consentivr.core.turn import Turn
from consentivr.ledger import CallRef, Entry, LedgerUnavailable
from consentivr.prompts import Spoken
from consentivr.watch.adopting import Channel
from consentivr.watch.following import Following
from consentivr.watch.house import House
from consentivr.watch.visit import Visit

CALLER, AGENT, OTHER, FOURTH = (f"{name}d9f23f0-fed1-4cfe-b05e-66ccabca7936" for name in "abcd")
"""Legs."""
VISIT, LATER = (f"{name}d9f23f0-fed1-4cfe-b05e-66ccabca7936" for name in "12")
"""Visits."""
SWITCH, CORE, LINE, QUEUE = "switch-a", "core-1", "support", "support@default"
SOUND = "/s/1.wav"
PORTION = 10
"""So many open visits the ledger gives at a time."""


def leg(number: int) -> str:
    """One of many."""
    return f"{number:08x}-fed1-4cfe-b05e-66ccabca7936"


def ago(seconds: float) -> datetime:
    return datetime.now(timezone.utc) - timedelta(seconds=seconds)


def rows(*turns: tuple[str, dict[str, Any]], visit: str = VISIT, channel: str = CALLER, old: float = 60) -> list[Entry]:
    """Rows of a visit that began so many seconds ago; by default it has arrived on this run of the switch."""
    said = turns if turns and turns[0][0] in ("arrived", "") else (ARRIVED, *turns)
    mode = RecordingMode.PERMANENT_OPT_OUT.value
    return [
        Entry(channel, turn, LINE, QUEUE, mode, evidence, at=ago(old) + timedelta(milliseconds=number), visit=visit)
        for number, (turn, evidence) in enumerate(said)
        if turn
    ]


Said = tuple[str, dict[str, Any]]
NO_ARRIVAL: Said = ("", {})
ARRIVED: Said = ("arrived", {"switch": SWITCH, "core": CORE})
ENDED: Said = ("call_ended", {"hangup_cause": "NORMAL_CLEARING"})


def decided(decision: str = "given") -> Said:
    return "decision", {"decision": decision, "purpose": "", "reason": "key"}


def file(number: int = 1, visit: str = VISIT) -> str:
    """The n-th recording of a visit."""
    return f"/r/day/{visit}-{number}.wav"


def started(number: int = 1) -> Said:
    return "recording_started", {"path": file(number), "leg": CALLER}


def stopped(number: int = 1) -> Said:
    return "recording_stopped", {"path": file(number), "duration_ms": 1000, "completion_cause": None}


class Switch:
    """Answers from tables as they are when it is asked; ``said`` is what it answers to a command instead."""

    def __init__(self) -> None:
        self.channels: dict[str, dict[str, str]] = {}
        self.variables: dict[str, dict[str, str]] = {}
        self.calls: list[tuple[str, str]] = []
        self.bugs: dict[str, list[tuple[str, str]]] = {}
        self.conferences: list[dict[str, Any]] = []
        self.said: dict[str, str] = {}
        self.commands: list[str] = []
        self.meanwhile: dict[str, Callable[[], None]] = {}
        """What happens between a command and its answer, once."""
        self.holds_back: tuple[str, ...] = ()
        """Commands that begin so are not answered."""
        self._waiting: deque[tuple[str, str, Callable[[str], None]]] = deque()

    def api(self, command: str, then: Callable[[str], None]) -> None:
        self.commands.append(command)
        self._waiting.append((command, self._answer(command), then))

    def bgapi(self, command: str, then: Callable[[str], None], seconds: float = 3.0) -> None:
        self.api(command, then)

    def wake(self) -> None:
        """Nobody sleeps."""

    def answers(self) -> bool:
        """The next command that is not held back; whether there was one."""
        for place, (command, answer, then) in enumerate(self._waiting):
            if not command.startswith(self.holds_back or ("\0",)):
                del self._waiting[place]
                self.meanwhile.pop(command, lambda: None)()
                then(answer)
                return True
        return False

    def asked(self, begins: str) -> list[str]:
        """What was asked so, in order."""
        return [command for command in self.commands if command.startswith(begins)]

    def _answer(self, command: str) -> str:
        if command in self.said:
            return self.said[command]
        if command == switch.CHANNELS:
            return _list({"uuid": leg, **row} for leg, row in self.channels.items())
        if command == switch.CALLS:
            return _list({"uuid": a, "b_uuid": b} for a, b in self.calls)
        if command == switch.CONFERENCES:
            return json.dumps(self.conferences)
        if command == switch.SWITCHNAME:
            return SWITCH
        if command == switch.CORE_UUID:
            return CORE
        verb, leg, *more = [*command.split(), "", ""]
        if leg not in self.channels:
            return "false" if verb == "uuid_exists" else "-ERR No such channel!\n"
        if verb == "uuid_exists":
            return "true"
        if verb == "uuid_getvar":
            partners = [b if a == leg else a for a, b in self.calls if leg in (a, b)]
            known = {switch.PARTNER: partners[0]} if partners else {}
            return {**known, **self.variables.get(leg, {})}.get(more[0], "_undef_")
        if verb == "uuid_buglist":
            bug = "<media-bug><function>{}</function><target>{}</target></media-bug>"
            return f"<media-bugs>{''.join(bug.format(*one) for one in self.bugs.get(leg, []))}</media-bugs>\n"
        if verb == "uuid_setvar_multi":
            pairs = [pair.partition("=") for pair in more[0].split(";")]
            self.variables.setdefault(leg, {}).update({name: value for name, _, value in pairs})
        return "+OK\n"


def _list(found: Iterable[dict[str, str]]) -> str:
    there = list(found)
    return json.dumps({"row_count": len(there), **({"rows": there} if there else {})})


class Rows:
    """The ledger: what is handed in can be read at once, unless a visit is ``behind`` or everything is ``down``."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.behind: set[str] = set()
        self.down = False
        self.questions: list[tuple[str, ...]] = []
        """The visits whose rows were asked for, question by question."""
        self.meanwhile: Callable[[], None] = lambda: None
        """Happens while rows are read."""

    def note(self, entry: Entry) -> None:
        self.entries.append(entry)

    def commit(self, entry: Entry, timeout: float) -> None:
        self.note(entry)

    def is_behind(self, visit: str) -> bool:
        return visit in self.behind

    def settle(self, timeout: float) -> None:
        """Nothing waits."""

    def rows_of_visits(self, visits: Sequence[str], within: float = 1.0) -> list[list[Entry]]:
        self._is_up()
        self.questions.append(tuple(visits))
        found = [[entry for entry in self.entries if entry.visit == visit] for visit in visits]
        self.meanwhile()
        return [entries for entries in found if entries]

    def open_visits(self, since: datetime) -> Iterator[list[list[Entry]]]:
        names = self.names_of_open_visits(since)
        for start in range(0, len(names), PORTION):
            yield self.rows_of_visits(names[start : start + PORTION])

    def names_of_open_visits(self, since: datetime) -> list[str]:
        self._is_up()
        names = dict.fromkeys(entry.visit for entry in self.entries if entry.visit and entry.at >= since)
        return [name for name in names if not {Turn.CALL_ENDED, Turn.DECISION} <= set(self.turns(name))]

    def names_of_stopped(self, since: datetime, until: datetime) -> list[str]:
        self._is_up()
        stops = [entry for entry in self.entries if entry.turn == Turn.RECORDING_STOPPED]
        return [entry.visit for entry in stops if entry.visit and since <= entry.at < until]

    def turns(self, visit: str = VISIT) -> list[str]:
        return [entry.turn for entry in self.entries if entry.visit == visit]

    def said(self, turn: str, visit: str = VISIT) -> list[dict[str, Any]]:
        """The evidence of each such row."""
        return [entry.evidence for entry in self.entries if (entry.visit, entry.turn) == (visit, turn)]

    def _is_up(self) -> None:
        if self.down:
            raise LedgerUnavailable("down")


class Sealer:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.sealed: list[tuple[str | None, str, bool]] = []
        self.erased: list[tuple[str | None, tuple[str, ...], str, bool]] = []

    def seal(self, about: CallRef, path: str, *, unwatched: bool = False) -> None:
        self.sealed.append((about.visit, path, unwatched))

    def erase(self, about: CallRef, paths: Sequence[str], why: str, *, ours: bool, since: float = 0.0) -> None:
        if paths:
            self.erased.append((about.visit, tuple(paths), why, ours))


class Clock:
    """Stands still."""

    def __init__(self) -> None:
        self.at = 1000.0

    def monotonic(self) -> float:
        return self.at

    def time(self) -> float:
        return datetime.now(timezone.utc).timestamp()


class Timed(Following):
    """What it does beside waits until its time has come."""

    def __init__(self, clock: Clock, *args: Any) -> None:
        self.clock = clock
        self.agenda: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = itertools.count()
        super().__init__(*args)

    def beside(self, what: Callable[..., None], *args: Any, seconds: float = 0.0) -> None:
        heapq.heappush(self.agenda, (self.clock.at + seconds, next(self._order), what, args))


class Desk:
    """One watch."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = Clock()
        for module in ("sweep", "following", "visit"):
            monkeypatch.setattr(f"consentivr.watch.{module}.time", self.clock)
        self.switch, self.ledger, self.sealer = Switch(), Rows(), Sealer()
        self.policies: dict[tuple[str, str], TalkPolicy] = {}
        self.decides(RecordingMode.PERMANENT_OPT_OUT)
        line = Line(
            LINE, LinePolicy(RecordingMode.PERMANENT_OPT_OUT), QUEUE, "", "", 1000, False, "/r", True, {8000: {}}
        )
        self.house = House(
            {LINE: line}, self.policies, "/r", stereo=True, numbers={LINE: "5000"}, sweep_s=5.0, remind_paused_s=30.0
        )
        alarm = _Alarm()
        self.incidents = alarm.told
        self.following = Timed(self.clock, self.switch, self.house, self.ledger, self.sealer, alarm)
        self.following.switch_name = (SWITCH, CORE)
        self.following.returning.under_way = False
        self.settling = self.following.adopting._settling
        self._beside: list[gevent.Greenlet] = []

    def decides(self, mode: RecordingMode, queue: str = QUEUE) -> None:
        """In a queue."""
        self.policies[LINE, queue] = TalkPolicy(mode, agents_must_agree=False)

    # --- time ----------------------------------------------------------------------------------

    def work(self) -> None:
        """Whatever can happen now."""
        following = self.following
        moved = True
        while moved:
            moved = False
            while following._inbox:
                following._inbox.popleft()()
                moved = True
            while following.agenda and following.agenda[0][0] <= self.clock.at:
                _, _, what, args = heapq.heappop(following.agenda)
                self._beside.append(gevent.spawn(what, *args))
                moved = True
            gevent.sleep(0)
            moved |= self.switch.answers() or bool(following._inbox)
        for done in [greenlet for greenlet in self._beside if greenlet.ready()]:
            self._beside.remove(done)
            done.get()

    def passes(self, seconds: float) -> None:
        """So much time, and what is due in it."""
        until = self.clock.at + seconds
        self.work()
        while self.following.agenda and self.following.agenda[0][0] <= until:
            self.clock.at = max(self.clock.at, self.following.agenda[0][0])
            self.work()
        self.clock.at = until
        self.work()

    def sweeps(self, times: int = 1) -> None:
        """Each with everything that it asks for."""
        for _ in range(times):
            self.passes(self.house.sweep_s)
            self.following._sweep.now_and_then()
            self.passes(0.1)

    def returns(self) -> None:
        """The watch begins, and looks around."""
        self.following.returning.under_way = True
        self.following.returning.look_around()
        self.work()

    # --- what there is -------------------------------------------------------------------------

    def has(self, leg: str, *, direction: str = "inbound", variables: dict[str, str] | None = None, **row: str) -> None:
        """A channel; a caller in the queue unless ``row`` says otherwise."""
        row = {"dest": "5000", "application": "callcenter", "callstate": "ACTIVE", **row}
        self.switch.channels[leg] = {"direction": direction, **row}
        self.switch.variables[leg] = dict(variables or {})

    def calls(self, visit: str = VISIT, *, decision: str | None = "given", joined: bool = True) -> dict[str, str]:
        """The variables of a caller's channel."""
        said = {switch.VISIT: visit, switch.LINE: LINE, "cc_queue": QUEUE}
        said |= {switch.DECISION: decision} if decision else {}
        return said | ({switch.JOINED: "1"} if joined else {})

    def follows(self, leg: str = CALLER, visit: str = VISIT, decision: str | None = "given") -> Visit:
        """A caller in the queue, of whom everything is known."""
        variables = self.calls(visit, decision=decision)
        self.has(leg, variables=variables)
        known = rows(*([decided(decision)] if decision else []), visit=visit, channel=leg)
        self.ledger.entries += known
        self.following.adopting.begin(Channel(leg, variables.get), QUEUE, f"member of {leg}", known, None)
        self.work()
        return self.following.visits[leg]

    def speaks(self, visit: Visit, announcement: Announcement) -> None:
        """There is such a sound."""
        visit.sounds = {**visit.sounds, announcement: Spoken(SOUND, "en", "", "", 1000, 8000)}

    @property
    def followed(self) -> dict[str, str]:
        """The visit on each leg."""
        return {leg: visit.state.visit for leg, visit in self.following.visits.items()}


class _Alarm:
    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []

    def raise_(self, about: CallRef, turn: Turn, evidence: dict[str, Any]) -> None:
        self.told.append((turn.value, evidence))
