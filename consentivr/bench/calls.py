"""The call path under load, beside the same consent line on other libraries, in one run.

The server under test is a process of its own, the load another. Nothing else should run on the machine
meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from consentivr.bench.figures import Figure, quantile
from consentivr.bench.server import OURS, OURS_ON_POSTGRESQL, PEERS, Server, available, served

PARTS = ("flows", "reaction", "rising", "burst", "held")

STEP_S = 0.02
"""How long an announcement, an unmeasured question, the queue and the talk take: short, but not nothing, because what
FreeSWITCH says afterwards comes on its own."""

TALK_S = 0.2
"""How long a talk takes: long enough that a conversation is taken up before it ends."""

CONCURRENCY = 200
"""Calls at once where as many as possible are made."""

QUESTION_S = 2.0
"""How long a caller thinks where that matters: at 100 calls a second, 200 questions are under way."""

FRAME_MS = 20.0
"""One media frame: a caller hears nothing of a delay that is shorter (DESIGN.md)."""

PROBED_RATE = 20
"""Calls a second that are measured; the rest of a load comes from another process, whose own work would show."""

MEMORY_BUDGET_KB = 8.0

SAME = 1.1
"""So many times a cost counts as the same: two single measurements differ by more."""

HELD_BESIDE_PEERS = 1000
"""More calls than these only we hold."""


@dataclass(frozen=True)
class Wanted:
    """What to measure: ``seconds`` for each measurement, ``rounds`` of flows, ``rates`` in calls a second.

    ``url`` is an empty PostgreSQL database, for the ledger in the call path.
    """

    parts: Sequence[str] = PARTS
    seconds: float = 10.0
    rounds: int = 3
    rates: Sequence[int] = (10, 50, 100, 200, 300, 400, 500, 600)
    held: Sequence[int] = (100, 1000)
    bursts: Sequence[int] = (300,)
    url: str | None = None


@dataclass(frozen=True)
class Point:
    """One rate of the rising load: calls a second, the reaction's 50th, 99th and 99.9th percentile in ms."""

    name: str
    rate: int
    p50: float
    p99: float
    p999: float
    failed: int
    busy: float
    """Share of a core that the server used."""

    @property
    def keeps_up(self) -> bool:
        """Whether callers notice nothing."""
        return not self.failed and self.p99 <= FRAME_MS


@dataclass
class Measured:
    """Everything that was measured; ``points`` for a plot."""

    figures: list[Figure] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)


def run(wanted: Wanted, tell: Callable[[str], None]) -> Measured:
    """Measure ours and every installed peer, alternating. Raises RuntimeError when a server does not start."""
    names = [OURS, *available(PEERS)]
    measured = Measured()
    if "flows" in wanted.parts:
        measured.figures += _flows(names, wanted, tell)
    if "reaction" in wanted.parts:
        measured.figures += _reaction(wanted, tell)
    if "rising" in wanted.parts:
        for name in [OURS, *([OURS_ON_POSTGRESQL] if wanted.url else []), *names[1:]]:
            _rising(name, wanted, measured, tell)
    if "burst" in wanted.parts:
        measured.figures += [_burst(name, calls, tell) for name in names for calls in wanted.bursts]
    if "held" in wanted.parts:
        for name in names:
            measured.figures += _held(name, wanted, tell)
    return measured


def _plan(**more: Any) -> dict[str, Any]:
    return {"what": "flows", "key": "1", "step_s": STEP_S, "talk_s": TALK_S, **more}


def _flows(names: Sequence[str], wanted: Wanted, tell: Callable[[str], None]) -> list[Figure]:
    """Complete flows for each second of the server's CPU time: the median of the rounds, and their spread."""
    rates: dict[str, list[float]] = {name: [] for name in names}
    shares: dict[str, list[float]] = {name: [] for name in names}
    written: dict[str, float] = {}
    for number in range(wanted.rounds):
        for name in names:
            tell(f"{name}: flows, round {number + 1} of {wanted.rounds}")
            with served(name) as server:
                server.load(_plan(concurrency=CONCURRENCY, seconds=min(1.0, wanted.seconds)))
                server.settle()
                before, rows = server.cpu_s, server.rows
                said = server.load(_plan(concurrency=CONCURRENCY, seconds=wanted.seconds))
                server.settle()
                used, rows = server.cpu_s - before, server.rows - rows
            if said["failed"]:
                raise RuntimeError(f"{name}: {said['failed']} calls failed")
            rates[name].append(said["flows"] / used)
            written[name] = rows / said["flows"]
            shares[name].append(said["cpu_s"] / said["seconds"])
    figures = []
    for name in names:
        values = sorted(rates[name])
        middle = quantile(values, 0.5)
        figures.append(Figure("complete flows per CPU-second", name, middle, "flows"))
        figures.append(Figure("  spread over the rounds", name, 100 * (values[-1] - values[0]) / middle, "%"))
        figures.append(Figure("  the load's own share of a core", name, 100 * max(shares[name]), "%"))
        if name == OURS:
            figures.append(Figure("  rows in the ledger for each flow", name, written[name], "rows"))
        else:
            ratios = sorted(ours / theirs for ours, theirs in zip(rates[OURS], rates[name], strict=True))
            budget = 3.0 if name == "greenswitch" else None
            figures.append(
                Figure("ratio of flows", f"{OURS} to {name}", quantile(ratios, 0.5), "times", at_least=budget)
            )
            figures.append(Figure("  spread over the rounds", f"{OURS} to {name}", ratios[-1] - ratios[0], "times"))
    return figures


def _at_rate(server: Server, key: str, rate: int, seconds: float) -> tuple[list[float], float, int]:
    """Seconds from an answer's event to the next command, sorted; the 99th percentile of the probe's lag; failures."""
    rates = [min(rate, PROBED_RATE), max(0, rate - PROBED_RATE)]
    probe, *rest = server.loads(
        [_plan(key=key, question_s=QUESTION_S, rate=part, seconds=seconds) for part in rates if part]
    )
    return probe["reactions_s"], quantile(probe["lags_s"], 0.99), sum(said["failed"] for said in (probe, *rest))


def _reaction(wanted: Wanted, tell: Callable[[str], None]) -> list[Figure]:
    """From the answer's event to the next command, with 200 questions under way: the median of the rounds."""
    figures = []
    condition = "200 questions under way"
    for key, what in (("9", "a no"), ("1", "a yes, its row durable first")):
        rounds: list[list[float]] = []
        lags: list[float] = []
        for number in range(wanted.rounds):
            tell(f"{OURS}: reaction to {what}, round {number + 1} of {wanted.rounds}")
            with served(OURS, switches=2) as server:
                reactions, lag, _ = _at_rate(server, key, 100, wanted.seconds)
            rounds.append(reactions)
            lags.append(lag)
        for label, share in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)):
            values = sorted(quantile(reactions, share) * 1000 for reactions in rounds)
            budget = 2.0 if (key, label) == ("9", "p99") else None
            value = quantile(values, 0.5)
            figures.append(Figure(f"reaction to {what}, {label}", condition, value, "ms", at_most=budget))
            figures.append(Figure("  spread over the rounds", condition, values[-1] - values[0], "ms"))
        figures.append(Figure("  the load's own lag in it, p99", condition, max(lags) * 1000, "ms"))
    return figures


def _rising(name: str, wanted: Wanted, measured: Measured, tell: Callable[[str], None]) -> None:
    """The reaction to a yes at each rate, until callers would notice."""
    knee = 0
    for rate in sorted(wanted.rates):
        tell(f"{name}: {rate} calls a second")
        with served(name, wanted.url, switches=1 + (rate > PROBED_RATE)) as server:
            before, began = server.cpu_s, time.perf_counter()
            reactions, _, failed = _at_rate(server, "1", rate, wanted.seconds)
            busy = (server.cpu_s - before) / (time.perf_counter() - began)
            rows, transactions = server.rows, server.counted("consentivr_ledger_transactions")
        p50, p99, p999 = (quantile(reactions or [float("nan")], share) * 1000 for share in (0.5, 0.99, 0.999))
        point = Point(name, rate, p50, p99, p999, failed, busy)
        measured.points.append(point)
        condition = f"{name}, {rate} calls/s"
        for label, value in (("p50", p50), ("p99", p99), ("p99.9", p999)):
            measured.figures.append(Figure(f"yes to the next command, {label}", condition, value, "ms"))
        measured.figures.append(Figure("  share of a core", condition, 100 * busy, "%"))
        if transactions:
            measured.figures.append(Figure("  rows in a transaction", condition, rows / transactions, "rows"))
        if not point.keeps_up:
            break
        knee = rate
    measured.figures.append(Figure("knee: the last rate with a p99 of one media frame", name, knee, "calls/s"))


def _burst(name: str, calls: int, tell: Callable[[str], None]) -> Figure:
    tell(f"{name}: {calls} calls at once")
    with served(name) as server:
        said = server.load({"what": "burst", "calls": calls})
    value = said["seconds"] if said["first_commands"] == calls else float("nan")
    budget = {300: 0.1, 3000: 1.0}.get(calls) if name == OURS else None
    return Figure("burst: until each call got its first command", f"{name}, {calls} calls", value, "s", at_most=budget)


def _held(name: str, wanted: Wanted, tell: Callable[[str], None]) -> list[Figure]:
    """Memory for each call that is in its talk, and what one more call costs meanwhile.

    The servers stay while they are compared, in turns: minutes apart, the machine itself would differ more.
    """
    figures: list[Figure] = []
    with ExitStack() as stack:
        servers: dict[int, Server] = {}
        for calls in wanted.held:
            if name in PEERS and calls > HELD_BESIDE_PEERS:
                continue
            tell(f"{name}: {calls} calls held")
            server = servers[calls] = stack.enter_context(served(name))
            server.load(_plan(concurrency=5, seconds=1.0))
            server.settle()
            before = server.memory_kb
            there = server.load(_plan(what="hold", calls=calls, rate=200))["there"]
            used = (server.memory_kb - before) / there if there == calls else float("nan")
            budget = MEMORY_BUDGET_KB if name == OURS else None
            figures.append(Figure("memory per held call", f"{name}, {calls} calls", used, "kB", at_most=budget))
            if name == OURS:
                process = before / 1000
                figures.append(Figure("  memory of the process without them", f"{name}, {calls} calls", process, "MB"))
        rates: dict[int, list[float]] = {calls: [] for calls in servers}
        for number in range(wanted.rounds):
            for calls, server in servers.items():
                tell(f"{name}: one more call beside {calls}, round {number + 1} of {wanted.rounds}")
                cpu = server.cpu_s
                more = server.load(_plan(concurrency=20, seconds=min(5.0, wanted.seconds)))
                server.settle(calls)
                rates[calls].append(more["flows"] / (server.cpu_s - cpu))
    for calls, values in rates.items():
        middle = quantile(sorted(values), 0.5)
        figures.append(Figure("flows per CPU-second beside held calls", f"{name}, {calls} calls", middle, "flows"))
    if len(rates) > 1:
        fewest, most = min(rates), max(rates)
        costs = sorted(few / many for few, many in zip(rates[fewest], rates[most], strict=True))
        condition = f"{name}, beside {most} calls to beside {fewest}"
        budget = SAME if name == OURS else None
        cost = quantile(costs, 0.5)
        figures.append(Figure("ratio of what one more call costs", condition, cost, "times", at_most=budget))
        figures.append(Figure("  spread over the rounds", condition, costs[-1] - costs[0], "times"))
    return figures
