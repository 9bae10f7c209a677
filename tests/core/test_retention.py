"""A call told from its rows, and what is due of it, over every combination."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone

import pytest

from consentivr.core.evidence import AFTERWARDS, CallSummary, Recording, summarize
from consentivr.core.retention import Due, RetentionTerms, due
from consentivr.core.turn import Turn

NOON = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Row:
    turn: str
    evidence: dict = field(default_factory=dict)
    minute: int = 0
    channel_uuid: str = "a"
    line: str = "support"
    queue: str = "support@default"
    mode: str = "permanent_opt_out"
    caller_id_number: str | None = "+493023125000"
    visit: str | None = None

    @property
    def at(self) -> datetime:
        return NOON + timedelta(minutes=self.minute)


CALL = [
    Row("decision", {"decision": "given", "reason": "consent_key", "notice": "abc", "purpose": "q"}),
    Row("recording_started", {"path": "/r/a.wav"}, 1),
    Row("agent_answered", {"agent_uuid": "b"}, 2),
    Row("recording_stopped", {"path": "/r/a.wav", "duration_ms": 3000}, 3),
    Row("call_ended", {"agent": "1001@default", "hangup_cause": "NORMAL_CLEARING"}, 4),
    Row("recording_sealed", {"path": "/r/a.wav", "sha256": "ff", "channels": 2, "duration_ms": 3018}, 5),
]


def test_a_call_is_told_from_its_rows() -> None:
    call = summarize(CALL)
    assert (call.decision, call.reason, call.agent, call.notice) == ("given", "consent_key", "1001@default", "abc")
    assert (call.started_at, call.ended_at) == (NOON, NOON + timedelta(minutes=4)), "sealing makes it no younger"
    (recording,) = call.audio
    assert recording == Recording(
        "/r/a.wav",
        NOON + timedelta(minutes=1),
        duration_ms=3018,
        channels=2,
        sha256="ff",
        stopped=True,
        sealed=True,
    )
    assert call.as_dict()["recordings"][0]["started_at"] == "2026-11-24T12:01:00.000000+00:00"
    assert call.as_dict()["held"] is False
    with pytest.raises(ValueError, match="at least one row"):
        summarize([])


@pytest.mark.parametrize("turn", sorted(AFTERWARDS))
def test_what_comes_afterwards_makes_a_call_no_younger(turn: Turn) -> None:
    assert summarize([*CALL, Row(turn.value, {}, 999)]).ended_at == NOON + timedelta(minutes=4)


def test_holds_erasures_and_proofs() -> None:
    assert summarize([*CALL, Row("hold")]).held
    assert not summarize([*CALL, Row("hold"), Row("hold_released")]).held
    erased = summarize([*CALL, Row("audio_erased", {}, 9)])
    assert erased.audio == ()
    assert erased.recordings[0].erased_at == NOON + timedelta(minutes=9)
    forgotten = summarize([*CALL, Row("erasure", {"audio": True}, 9)])
    assert (forgotten.caller_id_number, forgotten.audio) == (None, ())
    assert summarize([*CALL, Row("erasure", {"audio": False}, 9)]).audio, "only the number was erased"
    assert summarize([CALL[0], Row("looked_for_recorders", {"recorders": 0}, 2)]).no_recorder_at
    assert summarize([CALL[0], Row("looked_for_recorders", {"recorders": None}, 2)]).no_recorder_at is None
    forbidden = summarize([CALL[0], Row("forbidden_recording", {"path": "/r/x.wav"})])
    assert not forbidden.recordings[0].permitted
    assert summarize([CALL[0], Row("recording_sealed", {"path": "/r/unknown.wav"})]).recordings == ()


@pytest.mark.parametrize(
    ("audio_days", "rows_days", "age", "held", "audio"),
    list(itertools.product([None, 0, 90], [None, 0, 90, 1000], [0, 89, 90, 999, 1000], [False, True], [False, True])),
)
def test_what_is_due(audio_days: int | None, rows_days: int | None, age: int, held: bool, audio: bool) -> None:
    if rows_days is not None and (audio_days is None or audio_days > rows_days):
        with pytest.raises(ValueError, match="cannot be kept longer"):
            RetentionTerms(audio_days, rows_days)
        return
    call = CallSummary("a", "l", "q", "m", NOON, NOON, held=held)
    if audio:
        call = replace(call, recordings=(Recording("/r/a.wav", NOON),))
    said = due(call, RetentionTerms(audio_days, rows_days), NOON + timedelta(days=age))
    if held:
        assert said is Due.NOTHING
    elif rows_days is not None and age >= rows_days:
        assert said is Due.ROWS
    else:
        assert said is (Due.AUDIO if audio and audio_days is not None and age >= audio_days else Due.NOTHING)


@pytest.mark.parametrize("decision", ["given", "withdrawn", "refused", "not_obtained"])
@pytest.mark.parametrize("reason", ["", "legal_basis"])
@pytest.mark.parametrize("recorded", [False, True])
def test_a_refusal_has_a_term_of_its_own(decision: str, reason: str, recorded: bool) -> None:
    call = CallSummary("a", "l", "q", "m", NOON, NOON, decision=decision, reason=reason)
    if recorded:
        call = replace(call, recordings=(Recording("/r/a.wav", NOON, permitted=False, erased_at=NOON),))
    terms = RetentionTerms(90, 1000, refusals_days=30)
    refusal = decision in ("refused", "not_obtained") and not reason and not recorded
    assert due(call, terms, NOON + timedelta(days=29)) is Due.NOTHING
    assert due(call, terms, NOON + timedelta(days=30)) is (Due.ROWS if refusal else Due.NOTHING)
    assert due(call, replace(terms, refusals_days=None), NOON + timedelta(days=999)) is Due.NOTHING
    assert due(call, terms, NOON + timedelta(days=1000)) is Due.ROWS
    assert due(replace(call, held=True), terms, NOON + timedelta(days=1000)) is Due.NOTHING


def test_a_yes_taken_back_with_erasure_makes_the_audio_due_at_once() -> None:
    call = CallSummary("a", "l", "q", "m", NOON, NOON, recordings=(Recording("/r/a.wav", NOON),), erase=True)
    assert due(call, RetentionTerms(), NOON) is Due.AUDIO
    assert due(replace(call, held=True), RetentionTerms(), NOON) is Due.NOTHING
    assert due(replace(call, recordings=()), RetentionTerms(), NOON) is Due.NOTHING


def test_what_was_not_known_when_the_first_row_was_written_is_told_by_a_later_one() -> None:
    call = summarize([Row("tapped", queue="", line=""), Row("tapped", queue="sales@default", line="sales")])
    assert (call.queue, call.line) == ("sales@default", "sales")


def test_a_call_that_moved_while_it_was_asked_belongs_to_where_it_arrived() -> None:
    call = summarize([Row("tapped", queue="other@default"), Row("arrived", queue="sales@default", line="sales")])
    assert (call.queue, call.line) == ("sales@default", "sales")
    call = summarize([*CALL, Row("arrived", queue="other@default")])
    assert call.queue == "support@default"


def test_the_first_decision_of_a_call_counts_and_others_are_counted() -> None:
    call = summarize([Row("decision", {"decision": "given"}), Row("decision", {"decision": "refused"})])
    assert (call.decision, call.decisions) == ("given", 2)


def test_silence_is_told_in_spans_each_with_its_reason() -> None:
    hold, outsider = {"why": "on_hold"}, {"why": "outsider"}
    rows = [
        Row("recording_masked", hold, 1),
        Row("recording_masked", hold, 2),
        Row("recording_masked", outsider, 3),
        Row("recording_unmasked", outsider, 4),
        Row("recording_unmasked", outsider, 5),
        Row("recording_masked", hold, 6),
        Row("call_ended", {}, 7),
    ]
    spans = [(span.why, span.began.minute, span.ended and span.ended.minute) for span in summarize(rows).masked]
    assert spans == [("on_hold", 1, 3), ("outsider", 3, 4), ("on_hold", 6, 7)]
    assert summarize(rows[:1]).masked[0].ended is None


def test_a_file_that_was_repaired_says_so() -> None:
    started = Row("recording_started", {"path": "/r/a.wav"})
    assert summarize([started, Row("recording_repaired", {"path": "/r/a.wav"})]).recordings[0].repaired
    assert not summarize([started, Row("tapped", {"path": "/r/a.wav"})]).recordings[0].repaired


def test_a_yes_that_is_taken_back_given_again_and_erased_is_told_so() -> None:
    call = summarize([*CALL, Row("withdrawn", {"erase": True}, 6)])
    assert (call.decision, call.erase, call.withdrawn_at) == ("withdrawn", True, NOON + timedelta(minutes=6))
    call = summarize([*CALL, Row("withdrawn", {"erase": True}, 6), Row("agreed_late", {}, 7)])
    assert (call.decision, call.reason, call.erase) == ("given", "late_consent_keys", False)
    call = summarize([*CALL, Row("recording_erased", {"path": "/r/a.wav"}, 8)])
    assert call.audio == ()
    assert (call.call, summarize([Row("tapped", visit="v")]).call) == ("a", "v")
