"""Two nodes, two switches, one PostgreSQL, Kamailio in front: each part ends in turn while calls run (docs/ha.md).

Skipped without root, FreeSWITCH, PostgreSQL, HAProxy and Kamailio; CONSENTIVR_REQUIRE_MACHINES=1 fails instead.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import gevent
import pytest

from consentivr.config import Configuration
from consentivr.lab.listening import heard
from consentivr.lab.outside import MUSIC
from consentivr.ledger import NO_CALLS, Entry
from tests.ledgers import opened, whole
from tests.switch.machines import Machines, missing
from tests.switch.parts import NUMBERS, SUPPORT, eventually

PITCHES = {"1": 400, "9": 1000, "": 1400}
"""What callers hum, by the key they press."""

PAUSE_S = 1.0
TALKS_S = 9.0
REACHES_S = 30.0
"""So long a caller may take to reach an agent: the dialplan's watchdog, and mod_callcenter's own rhythm."""


@dataclass
class Caller:
    """``lost``: gone before they hung up, or never with an agent; docs/ha.md says who may be."""

    number: str
    key: str
    dialled: float
    leg: str = ""
    switch: str = ""
    talked: float | None = None
    over: bool = False
    lost: bool = False
    may_be_lost: bool = False


class Callers:
    """They call once a second, press their key, talk, and hang up."""

    def __init__(self, machines: Machines) -> None:
        self.machines = machines
        self.all: list[Caller] = []
        self._by_number: dict[str, Caller] = {}
        self._random = random.Random(13)
        self._greenlets = [gevent.spawn(self._call_on), gevent.spawn(self._look)]

    def _call_on(self) -> None:
        while True:
            key = self._random.choices(list(PITCHES), [6, 2, 2])[0]
            self._greenlets.append(gevent.spawn(self.call, key))
            gevent.sleep(PAUSE_S)

    def call(self, key: str, talks_s: float = TALKS_S) -> Caller:
        """One caller, to the end of the call."""
        outside = self.machines.outside
        caller = Caller(next(NUMBERS), key, time.monotonic())
        self.all.append(caller)
        self._by_number[caller.number] = caller
        caller.leg = outside.call(SUPPORT, caller.number, hertz=PITCHES[key], timeout=30)
        presses = 0
        while caller.talked is None or time.monotonic() < caller.talked + talks_s:
            gevent.sleep(1.0)
            state = {row["uuid"]: row["callstate"] for row in outside.channels()}.get(caller.leg)
            if state is None or (caller.talked is None and time.monotonic() > caller.dialled + REACHES_S):
                caller.lost = True
                break
            if key and presses < 6 and caller.talked is None and state == "ACTIVE":
                outside.press(caller.leg, key)
                presses += 1
        outside.hang_up(caller.leg)
        caller.over = True
        return caller

    def _look(self) -> None:
        """Who talks, by the switches' own word."""
        while True:
            for name, switch in self.machines.switches.items():
                try:
                    pairs = switch.calls()
                except (OSError, ValueError):
                    continue
                for pair in pairs:
                    caller = self._by_number.get(pair["cid_num"])
                    if caller is not None and caller.talked is None:
                        caller.talked, caller.switch = time.monotonic(), name
            gevent.sleep(0.3)

    def end(self) -> None:
        """No more calls; those under way go on to their end."""
        gevent.kill(self._greenlets[0])
        gevent.joinall(self._greenlets[2:])
        gevent.kill(self._greenlets[1])


@pytest.fixture
def machines(configure: Callable[..., Configuration], tmp_path: Path) -> Iterator[Machines]:
    if lacks := missing():
        if os.environ.get("CONSENTIVR_REQUIRE_MACHINES"):
            pytest.fail(f"several machines need {lacks}")
        pytest.skip(f"SEVERAL MACHINES NOT TRIED: they need {lacks}")
    data = configure(ledger=tmp_path / "unused").model_dump(mode="json", exclude_none=True)
    data["queues"]["support"] |= {"music": MUSIC}
    with Machines(data, tmp_path) as made:
        yield made


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_each_part_ends_while_calls_run(machines: Machines) -> None:
    callers = Callers(machines)
    recorded = Recorded(machines)
    lost: dict[str, list[Caller]] = {}

    def phase(
        name: str,
        ends: Callable[[], object],
        comes_back: Callable[[], object],
        may_be_lost: Callable[[Caller, float, float], bool] = lambda caller, since, back: False,
    ) -> None:
        """``ends``, calls go on, ``comes_back``, and recordings begin again. Only who is named may be lost."""
        since = time.monotonic()
        ends()
        gevent.sleep(10)
        comes_back()
        back = time.monotonic()
        recorded.again()
        until = time.monotonic()
        gevent.sleep(3)
        its = [caller for caller in callers.all if since - TALKS_S - 5 < caller.dialled < until]
        eventually(lambda: all(caller.over or caller.talked for caller in its), 60)
        lost[name] = [caller for caller in its if caller.lost]
        for caller in lost[name]:
            caller.may_be_lost |= may_be_lost(caller, since, back)
        slowest = max((c.talked - c.dialled for c in its if c.talked and c.dialled > since), default=0)
        when = [round(caller.dialled - since, 1) for caller in lost[name]]
        print(
            f"{name}: {len(its)} callers, lost who dialled after {when} s, slowest to an agent {slowest:.1f} s, "
            f"recorded again {until - back:.1f} s after it was back"
        )

    recorded.again()
    gevent.sleep(5)
    asked = len(undecided(machines))
    phase("node 1 is told to stop", lambda: machines.kill("node1", signal.SIGTERM), lambda: machines.start("node1"))
    assert len(undecided(machines)) == asked, "who was being asked was asked to the end"
    phase("node 1 crashes", lambda: machines.kill("node1"), lambda: machines.start("node1"))
    # Node 2 watches both switches now. It goes for good: who talks is taken up by node 1, and can take the yes back.
    talks = [gevent.spawn(callers.call, "1", 45.0) for _ in range(4)]
    gevent.sleep(8)
    machines.at["node2"].unplug()
    machines.kill("node2")
    gone = time.monotonic()
    eventually(lambda: machines.log("node1").count("watching") >= 3, 30)
    print(f"node 2 is gone for good: watched again after {time.monotonic() - gone:.1f} s")
    long = [caller for caller in callers.all if caller.key == "1" and not caller.over and caller.dialled < gone - 6]
    for caller in long[:4]:
        machines.outside.press(caller.leg, "*9")
    eventually(lambda: Counter(row.turn for row in rows(machines))["withdrawn"] >= 2, 10)
    gevent.joinall(talks)
    machines.at["node2"].plug()
    machines.start("node2")
    phase(
        "the first HAProxy ends",
        lambda: machines.kill("haproxy-switch1"),
        lambda: machines.start("haproxy-switch1"),
    )
    phase("both nodes end", lambda: both(machines.kill), lambda: both(machines.start))
    phase("the database crashes", machines.database.stop, machines.database.start)
    phase(
        "Kamailio ends",
        lambda: machines.kill("kamailio"),
        lambda: machines.start("kamailio"),
        lambda caller, since, back: since - 0.1 < caller.dialled < back,
    )
    phase(
        "switch 1 crashes",
        machines.switches["switch1"].kill,
        lambda: machines.restart_switch("switch1"),
        lambda caller, since, back: caller.dialled < since + 0.1 and caller.switch != "switch2",
    )
    callers.end()
    assert not [caller for caller in callers.all if caller.lost and not caller.may_be_lost], lost
    every_visit_has_one_decision_and_one_end(machines)
    nobody_is_heard_who_has_not_agreed(machines)


def undecided(machines: Machines) -> list[Entry]:
    """Decisions of callers whose question was cut short."""
    cut = ("connection_lost", "service_stopped")
    return [row for row in rows(machines) if row.turn == "decision" and row.evidence["reason"] in cut]


def both(do: Callable[[str], None]) -> None:
    for node in ("node1", "node2"):
        do(node)


def rows(machines: Machines) -> list[Entry]:
    """In a thread: callers must not wait for the database."""

    def read() -> list[Entry]:
        with opened(machines.ledger) as ledger:
            return [row for row in ledger.read() if row.channel_uuid not in NO_CALLS]

    gevent.sleep(0.5)
    found: list[Entry] = gevent.get_hub().threadpool.apply(read)
    return found


class Recorded:
    """Whether recordings begin."""

    def __init__(self, machines: Machines) -> None:
        self._machines = machines

    def again(self, seconds: float = 45) -> None:
        """Wait for one on each switch that runs."""
        before = len(rows(self._machines))

        def begun() -> bool:
            new = [row for row in rows(self._machines)[before:] if row.turn == "recording_started"]
            return len(new) >= 2

        eventually(begun, seconds)


def every_visit_has_one_decision_and_one_end(machines: Machines) -> None:
    def unsettled() -> dict[str, Counter[str]]:
        turns: dict[str, Counter[str]] = {}
        for row in rows(machines):
            turns.setdefault(row.call, Counter())[row.turn] += 1
        return {visit: its for visit, its in turns.items() if its["decision"] != 1 or its["call_ended"] != 1}

    eventually(lambda: not unsettled(), 120)
    assert whole(machines.ledger)


def nobody_is_heard_who_has_not_agreed(machines: Machines) -> None:
    given = {row.call for row in rows(machines) if row.turn == "decision" and row.evidence["decision"] == "given"}
    files = list((machines.folder / "recordings").rglob("*.wav"))
    assert len(files) >= 10
    for file in files:
        voices = [key for channel in heard(file, PITCHES) for key, spans in channel.items() if spans]
        assert set(voices) <= {"1"}, file
        assert file.stem.rpartition("-")[0] in given or file.stem in given
    assert not list((machines.folder / "switch1" / "elsewhere").rglob("*.wav"))
