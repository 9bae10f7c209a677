"""A year of a contact centre, made for the console's tests and measurements."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

from consentivr.core.consent import ConsentDecision
from consentivr.core.evidence import summarize
from consentivr.core.turn import Turn
from consentivr.custody import check_all
from consentivr.lab.history import DESKS, SOUNDS, History, fill
from consentivr.ledger import Ledger, Search
from consentivr.recordings import Places
from tests.ledgers import whole

CALLS = 3000


def test_a_year_is_whole_and_has_every_kind_of_call(tmp_path: Path, location: str | Path) -> None:
    ledger = Ledger(location)
    history = History(CALLS, folder=tmp_path / "recordings")
    rows = fill(ledger, history)
    assert whole(location) == rows
    calls = [summarize(found) for found in ledger.calls(Search())]
    assert len(calls) == CALLS
    assert {call.decision for call in calls} == {decision.value for decision in ConsentDecision}
    assert {call.queue for call in calls} == {desk.queue for desk in DESKS}
    assert any(call.held for call in calls)
    assert any(call.masked for call in calls)
    assert len({call.notice for call in calls if call.notice}) == 4
    turns = Counter(row.turn for row in ledger.read())
    assert turns[Turn.RECORDING_PLAYED] == turns[Turn.RECORDING_HEARD] > 0
    assert turns[Turn.AGENT_AGREED] > 0
    times = [row.at for row in ledger.read()]
    late = [later for earlier, later in pairwise(times) if later < earlier]
    assert late == [], "rows are in the order of their times"
    assert history.until - timedelta(hours=1) < max(call.started_at for call in calls) < history.until
    ledger.close()


def test_some_recordings_are_there_and_are_what_was_sealed(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    ledger = Ledger(tmp_path / "ledger.sqlite3")
    fill(ledger, History(300, folder=folder))
    there = set(map(str, folder.rglob("*.wav")))
    assert len(there) == SOUNDS
    differ = [one for _, found in check_all(ledger, Places(folder)) for one in found]
    ledger.close()
    assert differ, "the others are nowhere"
    assert not there & {one.path for one in differ}
