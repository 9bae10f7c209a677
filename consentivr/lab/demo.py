"""The demonstration: what each kind of caller meets, on a simulated switch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gevent

from consentivr.config import Configuration
from consentivr.lab.caller import Caller
from consentivr.lab.laboratory import Laboratory
from consentivr.lab.switch import Channel

HEARD = 11000
"""Milliseconds after which whoever listens has heard the question of the sample: a yes before that is asked again."""

CALLERS = {
    "presses 1": Caller(keys={1: ("1", HEARD)}, talks_ms=6000),
    "presses 9": Caller(keys={1: ("9", 6000)}, talks_ms=4000),
    "says nothing": Caller(talks_ms=2000),
    "presses 5, then 1": Caller(keys={1: ("5", 3000), 2: ("1", HEARD)}, talks_ms=6000, agent_hangs_up=True),
    "hangs up in the question": Caller(hangs_up=("play_and_get_digits", 1, 2000)),
}


@dataclass(frozen=True)
class Outcome:
    """One line of the table at the end."""

    caller: str
    decision: str
    why: str
    recorded: str
    file: str
    ledger_row: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dict(self.__dict__)


def run(configuration: Configuration, folder: Path, tell: Callable[[str], None], speed: float = 10.0) -> list[Outcome]:
    """Play all callers, one after the other; ``tell`` gets each call's story as it happens."""

    def observe(channel: Channel, what: str) -> None:
        tell(f"  {channel.age_s:5.1f} s  {what}")

    outcomes = []
    (folder / "recordings").mkdir(mode=0o700, parents=True, exist_ok=True)  # callers' voices, whatever the umask
    with Laboratory(configuration, folder, speed=speed, observer=observe) as laboratory:
        laboratory.register("1001@default")
        for name, caller in CALLERS.items():
            tell(f"A caller who {name}:")
            channel = laboratory.call(caller)
            outcomes.append(_outcome(laboratory, channel, name))
    return outcomes


def _outcome(laboratory: Laboratory, channel: Channel, name: str) -> Outcome:
    for _ in range(100):
        rows = laboratory.rows(channel)
        if rows and rows[-1].turn == "call_ended":
            break
        gevent.sleep(0.02)
    decision = next(row for row in rows if row.turn == "decision")
    path, milliseconds = next(iter(channel.recorded.items()), ("", 0))
    return Outcome(
        caller=name,
        decision=decision.evidence["decision"],
        why=decision.evidence["reason"],
        recorded=f"{milliseconds / 1000:.1f} s" if path else "no",
        file=path,
        ledger_row=f"#{decision.position} of {decision.at:%H:%M:%S.%f}",
    )
