"""How long a yes waits for its proof, how many rows a second fit, and how quick questions are on a full ledger."""

from __future__ import annotations

import io
import random
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import gevent
import gevent.pool

from consentivr.bench.figures import Figure, quantile, spread
from consentivr.core.evidence import summarize
from consentivr.core.retention import RetentionTerms
from consentivr.custody import Retention
from consentivr.ledger import Entry, Ledger, LedgerError, LedgerWriter, Search, Verifier, make_key
from consentivr.ledger.export import write_json
from consentivr.ledger.verification import verify_ledger
from consentivr.recordings import Places

QUEUE = "support@default"
_DAYS = 400
_DECISION = {
    "decision": "given",
    "reason": "consent_key",
    "key": "1",
    "heard_ms": 6006,
    "attempts": [
        {
            "outcome": "key",
            "key": "1",
            "heard_ms": 6006,
            "asked_at": "2026-11-24T03:48:29.534+00:00",
            "answered_at": "2026-11-24T03:48:30.449+00:00",
        }
    ],
    "verdict": {"record": True, "reason": "caller_agreed"},
    "purpose": "quality assurance",
    "legal_basis": "consent, GDPR art. 6(1)(a)",
    "arrived_at": "2026-11-24T03:48:29.534+00:00",
    "notice": "524db0adbc1d7c6e1bdc011eb833d9bfe3287ff0669b319fb314b126efbcca3a",
    "notice_ms": 12786,
    "language": "de",
}


def run(
    location: str | Path, *, rates: Sequence[int], seconds: float, rows: int, tell: Callable[[str], None]
) -> list[Figure]:
    """Measure an empty ledger at ``location``; it is left full. Raises LedgerError when it is not empty."""
    with tempfile.TemporaryDirectory() as folder:
        signer = make_key(Path(folder) / "key")
        ledger = Ledger(location, signer=signer)
        try:
            if list(ledger.read(limit=1)):
                raise LedgerError(f"{ledger.name} is not empty: measuring needs a new one")
        finally:
            ledger.close()
        writer = LedgerWriter(location, signer=signer, slow_s=60)
        writer.start()
        figures = []
        for rate in rates:
            tell(f"commits at {rate} calls a second ...")
            figures += _commits(writer, rate, seconds)
        tell("rows a second ...")
        figures += _throughput(writer)
        writer.stop(120)
        ledger = Ledger(location, signer=signer, patience_s=60)
        try:
            _fill(ledger, rows, tell)
            ledger.analyze()
            figures += _questions(ledger, rows, tell)
            figures += _erasures(ledger, Path(folder), rows, tell)
        finally:
            ledger.close()
    return figures


# --- the writer under load -------------------------------------------------------------------


def _call(moment: datetime, chance: random.Random) -> Iterator[Entry]:
    """The rows of one call: a third each agree, object, say nothing."""
    channel = str(uuid.UUID(int=chance.getrandbits(128), version=4))
    decision = chance.choice(["given", "refused", "not_obtained"])
    said = {**_DECISION, "decision": decision}
    number = f"+4930{chance.randrange(10**5):05d}"
    agent = f"{1000 + chance.randrange(50)}@default"
    path = f"/recordings/{moment:%Y/%m/%d}/{channel}.wav"
    rows: list[tuple[str, dict[str, Any]]] = [("decision", said)]
    if decision == "given":
        rows += [("recording_started", {"path": path}), ("agent_answered", {"agent_uuid": channel})]
        rows += [("recording_stopped", {"path": path, "duration_ms": 180_000})]
    else:
        rows += [("agent_answered", {"agent_uuid": channel}), ("looked_for_recorders", {"recorders": 0})]
    rows.append(("call_ended", {"hangup_cause": "NORMAL_CLEARING", "agent": agent}))
    if decision == "given":
        rows.append(("recording_sealed", {"path": path, "sha256": 64 * "a", "channels": 2, "duration_ms": 180_000}))
    for turn, evidence in rows:
        yield Entry(channel, turn, "support", QUEUE, "permanent_opt_out", evidence, number, moment)


def _commits(writer: LedgerWriter, rate: int, seconds: float) -> list[Figure]:
    """Calls at even intervals; each waits for its decision and hands in its other rows without waiting."""
    chance = random.Random(rate)
    waited: list[float] = []
    pool = gevent.pool.Pool()

    def call() -> None:
        decision, *later = _call(datetime.now(timezone.utc), chance)
        start = time.perf_counter()
        writer.commit(decision, 30)
        waited.append(time.perf_counter() - start)
        for entry in later:
            writer.note(entry)

    start = time.perf_counter()
    for number in range(int(rate * seconds)):
        due = start + number / rate
        gevent.sleep(max(0.0, due - time.perf_counter()))
        pool.spawn(call)
    pool.join()
    return spread("decision to durable", f"{rate} calls/s", waited)


def _throughput(writer: LedgerWriter, rows: int = 20_000) -> list[Figure]:
    chance = random.Random(0)
    entries: list[Entry] = []
    while len(entries) < rows:
        entries += _call(datetime.now(timezone.utc), chance)
    start = time.perf_counter()
    for entry in entries[:-1]:
        writer.note(entry)
    writer.commit(entries[-1], 120)
    return [Figure("rows written", "as fast as it goes", len(entries) / (time.perf_counter() - start), "rows/s")]


# --- a full ledger ---------------------------------------------------------------------------


def _fill(ledger: Ledger, rows: int, tell: Callable[[str], None]) -> None:
    chance = random.Random(1)
    batch: list[Entry] = []
    written = _length(ledger)
    begin = datetime.now(timezone.utc) - timedelta(days=_DAYS)
    while written < rows:
        moment = begin + timedelta(days=_DAYS * written / rows)
        while len(batch) < 5000:
            batch += _call(moment, chance)
        ledger.append(batch)
        written += len(batch)
        batch = []
        if written % 100_000 < 5000:
            tell(f"{written} rows ...")


def _length(ledger: Ledger) -> int:
    return next((row.position or 0 for row in ledger.read(limit=1)), 0)


def _questions(ledger: Ledger, rows: int, tell: Callable[[str], None]) -> list[Figure]:
    tell("questions ...")
    calls = list(ledger.calls(Search(), limit=1000))
    some = calls[500][0]
    number = some.caller_id_number
    day = some.at.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=30)
    one_day = Search(since=day, until=day + timedelta(days=1))
    channel = some.channel_uuid
    questions: dict[str, Callable[[], object]] = {
        "one call": lambda: ledger.call(channel),
        "the newest 50 rows": lambda: list(ledger.read(limit=50)),
        "the newest 50 calls": lambda: [summarize(found) for found in ledger.calls(Search(), limit=50)],
        "the calls of one caller": lambda: list(ledger.calls(Search(caller=number))),
        "the calls of one day": lambda: list(ledger.calls(one_day)),
        "the newest 50 calls of a queue": lambda: list(ledger.calls(Search(queue=QUEUE), limit=50)),
        "the newest 50 refusals": lambda: list(ledger.calls(Search(decision="refused"), limit=50)),
        "the newest 50 calls of an agent": lambda: list(ledger.calls(Search(agent="1007@default"), limit=50)),
        "decisions counted by day": lambda: ledger.count(["day"]),
        "decisions counted by hour of one day": lambda: ledger.count(["hour"], one_day),
        "decisions counted by queue": lambda: ledger.count(["queue"]),
        "decisions counted by agent": lambda: ledger.count(["agent"]),
        "export of one caller": lambda: write_json(io.StringIO(), ledger, Search(caller=number)),
        "checkpoint": lambda: ledger.sign(),
    }
    figures = []
    condition = f"{rows:,} rows"
    for what, ask in questions.items():
        taken = sorted(_timed(ask) for _ in range(5))
        figures.append(Figure(what, condition, quantile(taken, 0.5) * 1000, "ms"))
    tell("verify ...")
    taken_s = _timed(lambda: verify_ledger(ledger, Verifier([])))
    figures.append(Figure("verify the whole chain", condition, taken_s, "s"))
    return figures


def _erasures(ledger: Ledger, folder: Path, rows: int, tell: Callable[[str], None]) -> list[Figure]:
    condition = f"{rows:,} rows"
    tell("erase one caller ...")
    number = next(iter(ledger.calls(Search(), limit=1)))[0].caller_id_number or ""
    channels = ledger.channels_of(number)
    figures = [Figure("erase one caller", condition, _timed(lambda: ledger.erase_people(channels, {})), "s")]
    figures.append(Figure("overwrite what was freed", condition, _timed(ledger.overwrite_freed), "s"))
    tell("retention ...")
    terms = {QUEUE: RetentionTerms(_DAYS - 40, _DAYS - 40)}
    run_of_retention = Retention(ledger, Places(folder), terms)
    taken = _timed(lambda: run_of_retention.run())
    erased = len(run_of_retention.report.calls_erased)
    figures.append(Figure(f"retention run that erases {erased:,} calls", condition, taken, "s"))
    return figures


def _timed(what: Callable[[], object]) -> float:
    start = time.perf_counter()
    what()
    return time.perf_counter() - start
