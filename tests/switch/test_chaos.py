"""Real calls at random - keys, transfers, holds, consultations, conferences, eavesdroppers - while ``serve`` is killed.

No caller is lost, nobody is heard in a file who has not agreed, each visit has one decision and one end, each file is
sealed or erased with its row. CONSENTIVR_CHAOS_CALLS makes it longer: 1000 takes a quarter of an hour.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gevent
import gevent.pool
import pytest

from consentivr.config import Configuration
from consentivr.lab.listening import heard
from consentivr.lab.native import DOMAIN
from consentivr.lab.outside import MUSIC_HZ, PHONES
from consentivr.ledger import Entry
from consentivr.recordings import visit_of
from tests.ledgers import whole
from tests.switch.parts import SALES, SUPPORT, Call, eventually
from tests.switch.world import World

pytestmark = [pytest.mark.freeswitch, pytest.mark.timeout(1800)]

CALLS = int(os.environ.get("CONSENTIVR_CHAOS_CALLS", "40"))
AT_ONCE = int(os.environ.get("CONSENTIVR_CHAOS_AT_ONCE", "12"))
AGENTS = {f"{1001 + index}@default": ["support@default", "sales@default"] for index in range(24)}
PITCH = {"1": 400, "9": 450, "": 1350}
"""Of callers, by what they press on the first line."""
FICKLE = 1450
"""Of callers who are asked on a second line as well, and may say something else there."""
FORBIDDEN = {"refused": 450, "silent": 1350, "2002": 900, "outsider": 950, "supervisor": 1100, "music": MUSIC_HZ}
"""Who must never be heard: also the queue's music, while somebody is on hold."""
TELEPHONES: Mapping[str, int] = {
    **PHONES,
    **{name.partition("@")[0]: 600 + 50 * (index % 4) for index, name in enumerate(AGENTS)},
}


def _open(data: dict[str, Any]) -> None:
    data["agents"] |= {"users": {f"2001@{DOMAIN}": "2001@default"}, "keys": {"pause": "*3", "resume": "*4"}}


class Caller:
    """One random call from INVITE to BYE; ``lost`` says why it did not get where it should."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self.world = world
        self.chance = chance
        self.key = chance.choice(["1", "1", "1", "9", "9", ""])
        self.fickle = chance.random() < 0.15
        self.lost: str | None = None
        self.did: list[str] = []
        self.conferences: list[str] = []
        self.call: Call | None = None

    def run(self) -> None:
        try:
            self._run()
        except AssertionError as error:
            self.lost = str(error)
        finally:
            if self.call is not None:
                self.world.outside.hang_up(self.call.phone)
            for name in self.conferences:  # an agent who stays in one takes no more calls
                self.world.switch.api(f"conference {name} hup all")

    def _run(self) -> None:
        world, chance = self.world, self.chance
        number = f"+4930231260{next(_NUMBERS):04d}"
        hertz = FICKLE if self.fickle else PITCH[self.key]
        self.call = call = Call(number, world.outside.call(SUPPORT, number, hertz=hertz))
        call.leg = eventually(lambda: world.leg_of(call.phone), 30)
        self._answer(self.key)
        call.agent = eventually(self._agent, 90)
        gevent.sleep(chance.uniform(0.5, 2))
        for _ in range(chance.randrange(3)):
            what = chance.choice(MOVES)
            self.did.append(what.__name__)
            what(self)
            gevent.sleep(chance.uniform(0.3, 1.5))

    def _agent(self) -> str:
        """The agent's leg, once they talk."""
        world, call = self.world, self.call
        assert call is not None
        assert world.exists(call.leg), "the caller's leg is gone before the talk"
        leg = world.switch.variable(call.leg, "cc_agent_uuid")
        return leg if leg and world.connected(leg) == call.leg else ""

    def _answer(self, key: str) -> None:
        """Press it in the question, if there is one: serve may be dead, and the dialplan takes the call."""
        world, call = self.world, self.call
        assert call is not None
        for _ in range(100):
            application = world.application(call.leg)
            if application == "play_and_get_digits":
                gevent.sleep(1.1)
                if key:
                    world.outside.press(call.phone, key)
                return
            if application == "callcenter":
                return
            gevent.sleep(0.05)

    # --- what happens in a talk; each ends with the caller somewhere ---------------------------

    def hold(self) -> None:
        self._quietly(lambda: self.world.hold(self.call.agent))
        gevent.sleep(self.chance.uniform(0.5, 2))
        self._quietly(lambda: self.world.resume(self.call.agent))

    def caller_holds(self) -> None:
        self._quietly(lambda: self.world.hold(self.call.leg))
        gevent.sleep(self.chance.uniform(0.5, 1.5))
        self._quietly(lambda: self.world.resume(self.call.leg))

    def consult(self) -> None:
        self.world.consult(self.call, self.chance.choice(["2001", "2002"]))
        gevent.sleep(self.chance.uniform(0.5, 2))
        self._quietly(lambda: self.world.hand_over(self.call))
        gevent.sleep(1)

    def refer(self) -> None:
        self._quietly(lambda: self.world.refer(self.call.agent, self.chance.choice(["2001", "2002"])))
        gevent.sleep(1.5)

    def other_line(self) -> None:
        if not self.fickle or not self.world.exists(self.call.leg):
            return
        self.world.transfer(self.call.leg, SALES)
        gevent.sleep(0.2)
        self._answer(self.chance.choice(["1", "9", ""]))
        gevent.sleep(2)

    def other_queue(self) -> None:
        self.world.transfer(self.call.leg, "queue-sales")
        gevent.sleep(3)

    def outsider(self) -> None:
        self._joins(lambda: self.world.three_way(self.call.leg))

    def spy(self) -> None:
        self._joins(lambda: self.world.eavesdrop(self.call.leg, recorded=self.chance.random() < 0.5))

    def conference(self) -> None:
        name = f"room{''.join(self.chance.choices('abcdefgh', k=6))}"
        self.conferences.append(name)
        self._quietly(lambda: self.world.conference(self.call, name, recorded=self.chance.random() < 0.5))
        gevent.sleep(1)

    def pause(self) -> None:
        self._quietly(lambda: self.world.keys(self.call.agent, "*3"))

    def withdraw(self) -> None:
        self.world.outside.press(self.call.phone, "*9")

    def _joins(self, join: Callable[[], str]) -> None:
        def joined() -> None:
            leg = join()
            gevent.sleep(self.chance.uniform(0.5, 2))
            self.world.hang_up(leg)

        self._quietly(joined)

    @staticmethod
    def _quietly(what: Callable[[], object]) -> None:
        """Somebody may have hung up before."""
        with contextlib.suppress(AssertionError):
            what()


MOVES = (
    Caller.hold,
    Caller.caller_holds,
    Caller.consult,
    Caller.refer,
    Caller.other_line,
    Caller.other_queue,
    Caller.outsider,
    Caller.spy,
    Caller.conference,
    Caller.pause,
    Caller.withdraw,
)
_NUMBERS = itertools.count()


def test_whatever_happens(configure_once: Callable[..., Configuration], tmp_path: Path) -> None:
    chance = random.Random(20261125)
    with World(configure_once(), tmp_path, agents=AGENTS, change=_open, phones=TELEPHONES, max_wait_s=0) as world:
        world.switch.agents_wait()
        callers = [Caller(world, random.Random(chance.random())) for _ in range(CALLS)]
        pool = gevent.pool.Pool(AT_ONCE)
        kills = Counter[str]()

        def kill() -> None:
            while True:
                gevent.sleep(chance.uniform(4, 12))
                how = chance.choice([signal.SIGKILL, signal.SIGTERM])
                kills[how.name] += 1
                world.stop_serve(how, 60)
                gevent.sleep(chance.uniform(0, 1.5))
                world.start_serve()

        killing = gevent.spawn(kill)
        for caller in callers:
            pool.spawn(caller.run)
            gevent.sleep(0.3)
        pool.join()
        killing.kill()
        world.start_serve()
        world.switch.api("hupall")
        eventually(lambda: not world.switch.channels(), 20)
        gevent.sleep(12)
        world.stop_serve(signal.SIGTERM)
        judge(world, callers, kills)


def judge(world: World, callers: list[Caller], kills: Counter[str]) -> None:
    lost = [(caller.call.leg[:8] if caller.call else "", caller.did, caller.lost) for caller in callers if caller.lost]
    visits: dict[str, list[Entry]] = defaultdict(list)
    for row in world.rows():
        if row.visit:
            visits[row.visit].append(row)
    wrong: list[str] = []
    turns = {visit: Counter(row.turn for row in rows) for visit, rows in visits.items()}
    for visit, said in turns.items():
        if said["decision"] != 1 or said["call_ended"] != 1:
            wrong.append(f"{visit}: {dict(said)}")
    recordings = world.folder / "recordings"
    for file in sorted(recordings.rglob("*.wav")):
        if "quarantine" in file.parts:
            continue
        rows = visits.get(visit_of(file.stem) or "", [])
        decision = next((row.evidence["decision"] for row in rows if row.turn == "decision"), None)
        if decision != "given":
            wrong.append(f"{file.name}: {decision}")
        if not any(row.turn == "recording_sealed" and row.evidence["path"] == str(file) for row in rows):
            wrong.append(f"{file.name}: not sealed: {dict(turns.get(visit_of(file.stem) or '', {}))}")
        wrong += [f"{file.name}: {who}" for who in forbidden_in(file)]
    wrong += [
        f"{file.name}: {who}"
        for file in sorted((world.folder / "elsewhere").rglob("*.wav"))
        for who in forbidden_in(file)
        if who in ("refused", "silent")
    ]
    print(
        f"{len(callers)} calls, {len(visits)} visits, {dict(kills)}, did {Counter(w for c in callers for w in c.did)}"
    )
    print(f"turns {sum((Counter(said) for said in turns.values()), Counter[str]())}")
    assert not wrong, "\n".join(wrong)
    assert not lost, lost
    whole(world.folder / "ledger.sqlite3")


def forbidden_in(file: Path) -> list[str]:
    if file.stat().st_size < 2000:
        return []
    found = []
    for index, channel in enumerate(heard(file, FORBIDDEN, join_s=0.2)):
        found += [
            f"{who} in channel {index}: {spans}"
            for who, spans in channel.items()
            if any(until - since >= 0.2 for since, until in spans)
        ]
    return found
