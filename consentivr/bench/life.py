"""Real callers on a FreeSWITCH while ``serve`` is reloaded, restarted and killed: who is lost, who notices.

Callers and agents are a second FreeSWITCH. A third of the callers presses 1, a third 9, a third nothing.
"""

from __future__ import annotations

import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import gevent

from consentivr.bench.ears import Ears
from consentivr.bench.figures import Figure, spread
from consentivr.bench.stage import LINE, Stage
from consentivr.core.consent import ConsentDecision, Reason
from consentivr.core.turn import Turn
from consentivr.esl.codec import Event
from consentivr.ledger import Entry, Ledger
from consentivr.recordings import visit_of

PARTS = ("nothing", "reload", "restart", "kill")

LASTS_S = 8.0
"""So long after the answer a caller hangs up."""

HEARS_S = 1.0
"""So long a caller hears the question, then presses: late enough to count, however late the question came."""

AGENTS = 12
"""Few, so that the switches are not what is measured: most callers wait in the queue until they hang up."""

FIRST_S = 8.0
"""So long callers come before something happens to us, and after it is over."""

KEYS = ("1", "9", "")
WANTED = {
    "1": (ConsentDecision.GIVEN.value, Reason.CONSENT_KEY.value),
    "9": (ConsentDecision.REFUSED.value, Reason.OBJECTION_KEY.value),
    "": (ConsentDecision.NOT_OBTAINED.value, Reason.SILENCE.value),
}
ALARMS = (Turn.FORBIDDEN_RECORDING.value, Turn.COMMAND_FAILED.value, Turn.TAPPED.value)


@dataclass
class Caller:
    """As the switch saw it; times in milliseconds."""

    key: str
    came: float
    greeted: float | None = None
    """When something of ours was heard first."""
    queued: bool = False


def run(parts: Sequence[str], rate: float, tell: Callable[[str], None]) -> list[Figure]:
    """Measure at ``rate`` calls a second. Raises FileNotFoundError without a FreeSWITCH, RuntimeError."""
    figures = []
    for part in parts:
        with (
            tempfile.TemporaryDirectory(prefix="consentivr-bench-") as folder,
            Stage(Path(folder).resolve(), AGENTS, quiet=True) as stage,
        ):
            stage.start_standby()
            tell(f"{part}: {rate:g} callers a second")
            figures += _part(stage, part, rate)
    return figures


def _part(stage: Stage, part: str, rate: float) -> list[Figure]:
    callers = Callers(stage)
    happens = gevent.spawn(_beside_calls, WHAT_HAPPENS[part], stage)
    number = 0
    while not happens.ready():
        gevent.spawn(callers.call, f"+4930{number:07d}")
        number += 1
        gevent.sleep(1 / rate)
    happens.get()
    gevent.sleep(LASTS_S)
    stage.wait_until_empty(60)
    gevent.sleep(8.0)  # what a process left when it ended is settled by the next one
    callers.stop()
    return _told(part, f"{len(callers.seen)} callers, {rate:g} a second", callers.seen, _rows(stage), stage)


# --- what happens ----------------------------------------------------------------------------


def _beside_calls(happens: Callable[[Stage], None], stage: Stage) -> None:
    gevent.sleep(FIRST_S)
    happens(stage)
    gevent.sleep(FIRST_S)


def _nothing(stage: Stage) -> None:
    pass


def _reload(stage: Stage) -> None:
    """A broken file, then a good one."""
    good = stage.yaml.read_text()
    stage.yaml.write_text(good.replace("lines:", "lines: ["))
    stage.serve.send_signal(signal.SIGHUP)
    stage.wait_for_log("configuration not taken")
    gevent.sleep(2)
    stage.yaml.write_text(good)
    stage.serve.send_signal(signal.SIGHUP)
    stage.wait_for_log("configuration taken")


def _restart(stage: Stage) -> None:
    """``systemctl restart``: told to stop, waited for, started; and then the standby, as the unit does it."""
    stage.serve.send_signal(signal.SIGTERM)
    stage.start_serve()
    stage.standby.send_signal(signal.SIGTERM)
    stage.start_standby()


def _kill(stage: Stage) -> None:
    """A crash, a second, and another process."""
    stage.serve.kill()
    gevent.sleep(1.0)
    stage.start_serve()
    stage.standby.send_signal(signal.SIGTERM)
    stage.start_standby()


WHAT_HAPPENS = {"nothing": _nothing, "reload": _reload, "restart": _restart, "kill": _kill}

# --- what is seen ----------------------------------------------------------------------------


class Callers(Ears):
    """What became of every caller; by the channel on the switch in the middle."""

    def __init__(self, stage: Stage) -> None:
        self.seen: dict[str, Caller] = {}
        self._stage = stage
        self._legs: dict[str, str] = {}
        """Of a number, on the switch outside."""
        super().__init__(stage, "CHANNEL_CREATE CHANNEL_EXECUTE")

    def call(self, number: str) -> None:
        """One more, who presses a key when the question has been heard for a while."""
        self._legs[number] = self._stage.call(LINE, number, LASTS_S, key="")

    def _note(self, event: Event, at: float) -> None:
        leg, number = event.get("Unique-ID", ""), event.get("Caller-Caller-ID-Number", "")
        if event["Event-Name"] == "CHANNEL_CREATE":
            self.seen[leg] = Caller(KEYS[int(number[-7:]) % 3], at)
        elif event.get("Application") == "callcenter":
            self.seen[leg].queued = True
        elif event.get("Application") == "playback" and self.seen[leg].greeted is None:
            self.seen[leg].greeted = at
        elif event.get("Application") == "play_and_get_digits" and (key := self.seen[leg].key):
            gevent.spawn_later(HEARS_S, self._stage.outside.press, self._legs[number], key)


def _rows(stage: Stage) -> dict[str, list[Entry]]:
    """By channel."""
    found: dict[str, list[Entry]] = {}
    ledger = Ledger(stage.folder / "ledger.sqlite3")
    for row in ledger.read():
        found.setdefault(row.channel_uuid, []).append(row)
    ledger.close()
    return found


def _told(
    part: str, under: str, callers: dict[str, Caller], rows: dict[str, list[Entry]], stage: Stage
) -> list[Figure]:
    def count(leg: str, turn: Turn) -> int:
        return sum(row.turn == turn.value for row in rows.get(leg, []))

    decided = {
        leg: [
            (row.evidence["decision"], row.evidence["reason"])
            for row in rows.get(leg, [])
            if row.turn == Turn.DECISION.value
        ]
        for leg in callers
    }
    given = {row.visit for legs in rows.values() for row in legs if row.evidence.get("decision") == "given"}
    once = [leg for leg in callers if len(decided[leg]) == count(leg, Turn.ARRIVED) == count(leg, Turn.CALL_ENDED) == 1]
    asked = [leg for leg in once if decided[leg][0][1] in {reason for _, reason in WANTED.values()}]
    files = (stage.folder / "recordings").rglob("*.wav")
    recorded = {visit_of(path.stem) for path in files if "quarantine" not in path.parts}
    lost = [
        f"'{caller.key}': {[row.turn for row in rows.get(leg, [])]}"
        for leg, caller in callers.items()
        if not caller.queued
    ]
    otherwise = [
        f"'{callers[leg].key}': {'/'.join(decided[leg][0])}"
        for leg in asked
        if decided[leg][0] != WANTED[callers[leg].key]
    ]
    incidents = Counter(row.turn for legs in rows.values() for row in legs if row.turn in ALARMS)
    waits = [(caller.greeted - caller.came) / 1000 for caller in callers.values() if caller.greeted is not None]
    asks_all = 0 if part != "kill" else None
    return [
        Figure(" ".join([f"{part}: callers lost", *lost]), under, len(lost), "", at_most=0),
        Figure("  without exactly one arrival, decision and end", under, len(callers) - len(once), "", at_most=0),
        Figure("  not asked to the end", under, len(once) - len(asked), "", at_most=asks_all),
        Figure(" ".join(["  decided otherwise than they pressed", *otherwise]), under, len(otherwise), "", at_most=0),
        Figure(" ".join(["  incidents", *sorted(incidents)]), under, incidents.total(), "", at_most=0),
        Figure("  recorded without a yes", under, len(recorded - given), "", at_most=0),
        Figure("  agreed", under, len(given), ""),
        Figure("  of these with a recording", under, len(recorded & given), ""),
        *spread("  from the call to the first word", under, waits),
    ]
