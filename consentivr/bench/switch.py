"""What the application costs on a real FreeSWITCH: processor time beside the switch's own, waits, memory.

Callers and agents are a second FreeSWITCH; neither its time nor this process's is counted. The log of the switch in the
middle is as detailed as FreeSWITCH's own sample configuration has it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import gevent

from consentivr.bench.figures import Figure, quantile
from consentivr.bench.machine import load_average, resident_kb, used_s
from consentivr.bench.stage import LINE, LUA, Stage, wait_until
from consentivr.bench.waits import STEPS, Moments

PARTS = ("cost", "waits", "memory")

IN_THE_QUEUE_S = 4.0
"""So long after its answer a call whose waits are measured is hung up: it is in the queue then."""

FRAME_MS = 20.0
COST_BUDGET = 0.10


@dataclass(frozen=True)
class Wanted:
    """``rounds`` of ``calls`` at ``rate`` a second, each of ``lasts_s`` seconds; ``waits`` calls each way; ``held``
    talks.
    """

    parts: Sequence[str] = PARTS
    calls: int = 150
    rate: float = 6.0
    lasts_s: float = 8.0
    rounds: int = 3
    waits: int = 15
    held: int = 200


def run(wanted: Wanted, tell: Callable[[str], None]) -> list[Figure]:
    """Measure. Raises FileNotFoundError without a FreeSWITCH, RuntimeError when a call does not go as it should."""
    figures: list[Figure] = []
    if "cost" in wanted.parts:
        figures += _on_stage(int(wanted.rate * wanted.lasts_s * 2) + 4, lambda stage: _cost(stage, wanted, tell))
    if "waits" in wanted.parts:
        figures += _on_stage(4, lambda stage: _waits(stage, wanted, tell), fine_clock=True)
    if "memory" in wanted.parts:
        figures += _on_stage(wanted.held + 20, lambda stage: _memory(stage, wanted, tell), quiet=True)
    return figures


def _on_stage(
    agents: int, measure: Callable[[Stage], list[Figure]], *, quiet: bool = False, fine_clock: bool = False
) -> list[Figure]:
    with (
        tempfile.TemporaryDirectory(prefix="consentivr-bench-") as folder,
        Stage(Path(folder).resolve(), agents, quiet=quiet, fine_clock=fine_clock) as stage,
    ):
        return measure(stage)


# --- processor time --------------------------------------------------------------------------


def _cost(stage: Stage, wanted: Wanted, tell: Callable[[str], None]) -> list[Figure]:
    tell(f"cost: {wanted.calls} calls of {wanted.lasts_s:g} s at {wanted.rate:g} a second, {wanted.rounds} rounds")
    _calls(stage, wanted, min(10, wanted.calls))  # whoever comes first pays for what is loaded late
    ours, theirs, loads = [], [], []
    for number in range(wanted.rounds):
        before = used_s(stage.serve.pid), used_s(stage.switch.pid), stage.recorded()
        _calls(stage, wanted, wanted.calls)
        application = used_s(stage.serve.pid) - before[0]
        switch = used_s(stage.switch.pid) - before[1]
        recorded = stage.recorded() - before[2]
        if recorded != wanted.calls:
            raise RuntimeError(f"{recorded} of {wanted.calls} calls were recorded: too slow a machine for this rate")
        ours.append(1000 * application / wanted.calls)
        theirs.append(1000 * switch / wanted.calls)
        loads.append(load_average())
        tell(f"  round {number + 1}: {ours[-1]:.1f} ms a call beside {theirs[-1]:.1f}")
    under = f"{wanted.calls} calls of {wanted.lasts_s:g} s, {wanted.rate:g} a second"
    ratios = [mine / its for mine, its in zip(ours, theirs, strict=True)]
    return [
        *_spread("processor time a call, consentivr", under, ours, "ms"),
        *_spread("processor time a call, FreeSWITCH", under, theirs, "ms"),
        *_spread("consentivr to FreeSWITCH", under, ratios, "times", at_most=COST_BUDGET),
        Figure("  load of the machine meanwhile, at most", under, max(loads), ""),
    ]


def _calls(stage: Stage, wanted: Wanted, calls: int) -> None:
    """Place them and wait until the last has ended."""
    for number in range(calls):
        gevent.spawn(stage.call, LINE, f"+4930{number:07d}", wanted.lasts_s)
        gevent.sleep(1 / wanted.rate)
    gevent.sleep(wanted.lasts_s)
    stage.wait_until_empty(60)
    gevent.sleep(1.0)  # the last rows, and the seal


def _spread(what: str, under: str, values: Sequence[float], unit: str, at_most: float | None = None) -> list[Figure]:
    known = sorted(values)
    return [
        Figure(f"{what}, median", under, quantile(known, 0.5), unit, at_most=at_most),
        Figure("  least", under, known[0], unit),
        Figure("  most", under, known[-1], unit),
    ]


# --- what a caller waits ---------------------------------------------------------------------


def _waits(stage: Stage, wanted: Wanted, tell: Callable[[str], None]) -> list[Figure]:
    if not stage.switch.has_module("mod_lua"):
        tell("waits: this FreeSWITCH has no mod_lua, so there is nothing to compare with: left out")
        return []
    tell(f"waits: {wanted.waits} calls each way")
    moments = Moments(stage)
    seen: dict[str, list[dict[str, float]]] = {LINE: [], LUA: []}
    try:
        for number in range(-1, wanted.waits):
            for line in seen:
                caller = f"+4940{number + 1:05d}{len(line):02d}"
                stage.call(line, caller, IN_THE_QUEUE_S)
                gevent.sleep(IN_THE_QUEUE_S)
                stage.wait_until_empty(20)
                if number >= 0:
                    seen[line].append(moments.steps_of(caller))
    finally:
        moments.stop()
    figures = []
    for step in STEPS:
        ours, lua = ([call[step] for call in seen[line]] for line in seen)
        mine, its = quantile(sorted(ours), 0.5), quantile(sorted(lua), 0.5)
        under = f"{wanted.waits} calls each"
        figures.append(Figure(f"{step}, consentivr, median", under, mine, "ms"))
        figures.append(Figure(f"{step}, Lua, median", under, its, "ms"))
        figures.append(Figure("  beyond Lua", under, mine - its, "ms", at_most=FRAME_MS))
    return figures


# --- memory ----------------------------------------------------------------------------------


def _memory(stage: Stage, wanted: Wanted, tell: Callable[[str], None]) -> list[Figure]:
    """Of each talk beyond the first half of them. There is no budget for it: of so few talks most of it is what SQLite
    and the lists of a sweep take. What thousands hold is measured by ``adoption``."""
    tell(f"memory: {wanted.held} talks held")
    alone = resident_kb(stage.serve.pid)
    first = wanted.held // 2
    before = _hold(stage, wanted, range(first))
    after = _hold(stage, wanted, range(first, wanted.held))
    under = f"{wanted.held} talks"
    each = (after - before) / (wanted.held - first)
    return [
        Figure("resident memory for each further held conversation", under, each, "kB"),
        Figure("  memory of the process before the first", under, alone / 1000, "MB"),
        Figure("  memory of the process with all of them", under, after / 1000, "MB"),
    ]


def _hold(stage: Stage, wanted: Wanted, numbers: range) -> int:
    """Let so many more callers come and stay; resident memory in kB, once two sweeps have looked at them."""
    for number in numbers:
        gevent.spawn(stage.call, LINE, f"+4960{number:07d}", 3600)
        gevent.sleep(1 / wanted.rate)
    wait_until(lambda: stage.talks >= numbers.stop, 120, f"the talk of all {numbers.stop} callers")
    gevent.sleep(12.0)
    return resident_kb(stage.serve.pid)
