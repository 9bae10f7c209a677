"""The verdict over every combination: what may be recorded, and what says so."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator

import pytest

from consentivr.core.consent import Consent, ConsentDecision, NoticeVersion, Reason
from consentivr.core.policy import RecordingMode, TalkPolicy
from consentivr.core.verdict import Do, Permission, Verdict, VerdictReason, verdict

M, D, R, P = RecordingMode, ConsentDecision, VerdictReason, Permission

STOPS = {
    R.MODE_OFF,
    R.CALLER_REFUSED,
    R.CALLER_WITHDREW,
    R.NO_ANSWER,
    R.NOT_PROVEN,
    R.OTHER_PURPOSE,
    R.OTHER_CALLER_REFUSED,
    R.AGENT_NOT_AGREED,
}
DOES = {
    **dict.fromkeys(STOPS, Do.STOP),
    **dict.fromkeys((R.OUTSIDER, R.ON_HOLD, R.PAUSED), Do.MASK),
    **dict.fromkeys((R.NOT_NTH, R.NOT_STARTED), Do.NOTHING),
    **dict.fromkeys((R.LEGAL_BASIS, R.CALLER_AGREED), Do.RECORD),
}
PARTIES = [frozenset(some) for size in range(len(P) + 1) for some in itertools.combinations(P, size)]
CONDITIONS = ("durable", "purpose_agreed", "held", "paused", "is_nth", "agent_wants")


def talks() -> Iterator[dict]:
    """Everything that may be so beside mode and word."""
    for others, *values in itertools.product(PARTIES, *[(True, False)] * len(CONDITIONS)):
        yield {"others": others, **dict(zip(CONDITIONS, values, strict=True))}


def exceptions(mode: RecordingMode, decision: ConsentDecision, talk: dict) -> list[VerdictReason]:
    """What is said against recording, by weight: statute > caller > other parties > agent > hold and pause > mode."""
    if mode is M.PERMANENT:
        return [R.PAUSED] if talk["paused"] else []
    no = {D.REFUSED: R.CALLER_REFUSED, D.NOT_OBTAINED: R.NO_ANSWER, D.WITHDRAWN: R.CALLER_WITHDREW}
    against = {
        R.MODE_OFF: mode is M.OFF,
        **{reason: decision is word for word, reason in no.items()},
        R.NOT_PROVEN: not talk["durable"],
        R.OTHER_PURPOSE: not talk["purpose_agreed"],
        R.OTHER_CALLER_REFUSED: P.REFUSED in talk["others"],
        R.OUTSIDER: P.UNKNOWN in talk["others"],
        R.AGENT_NOT_AGREED: P.NOT_AGREED in talk["others"],
        R.ON_HOLD: talk["held"],
        R.PAUSED: talk["paused"],
        R.NOT_NTH: mode is M.EVERY_NTH and not talk["is_nth"],
        R.NOT_STARTED: not talk["agent_wants"],
    }
    return [reason for reason, so in against.items() if so]


@pytest.mark.parametrize(("mode", "decision"), [*itertools.product(M, D)])
def test_the_heaviest_exception_decides(mode: RecordingMode, decision: ConsentDecision) -> None:
    allowed = R.LEGAL_BASIS if mode is M.PERMANENT else R.CALLER_AGREED
    for talk in talks():
        said = verdict(mode, decision, **talk)
        reason = (*exceptions(mode, decision, talk), allowed)[0]
        assert said == Verdict(DOES[reason], reason), talk
        assert said.record == (said.do is Do.RECORD)


@pytest.mark.parametrize("mode", [mode for mode in M if mode is not M.PERMANENT])
def test_p10_nobody_who_did_not_agree_is_recorded(mode: RecordingMode) -> None:
    """Whatever else is so: a sounding recorder needs everybody's yes. A statute alone stands above."""
    said = itertools.product(D, talks())
    recorded = [(decision, talk) for decision, talk in said if verdict(mode, decision, **talk).do is Do.RECORD]
    assert bool(recorded) == (mode is not M.OFF)
    for decision, talk in recorded:
        assert decision is D.GIVEN
        assert talk["durable"]
        assert talk["purpose_agreed"]
        assert talk["others"] <= {P.AGREED}
        assert not talk["held"]
        assert not talk["paused"]


def test_p5_whoever_else_is_there_a_callers_no_stops() -> None:
    for mode, decision, talk in itertools.product(M, D, talks()):
        if decision is not D.GIVEN and mode is not M.PERMANENT:
            assert verdict(mode, decision, **talk).do is Do.STOP


def test_nothing_permits_by_default() -> None:
    parameters = inspect.signature(verdict).parameters.values()
    assert all(parameter.default is inspect.Parameter.empty for parameter in parameters)
    assert {parameter.name for parameter in parameters} == {"mode", "decision", "others", *CONDITIONS}


def test_every_reason_and_every_deed_is_reached() -> None:
    said = {verdict(mode, decision, **talk) for mode, decision, talk in itertools.product(M, D, talks())}
    # Whether somebody watches is no question of the talk: core.recorders adds it.
    assert {one.reason for one in said} == set(R) - {R.NOBODY_WATCHES} == set(DOES)
    assert {one.do for one in said} == set(Do)


def test_where_an_agent_counts_a_yes_alone_arms_no_recorder() -> None:
    for mode, agree in itertools.product(M, (True, False)):
        policy = TalkPolicy(mode, agents_must_agree=agree)
        assert policy.starts_at_answer == (agree or mode in (M.EVERY_NTH, M.MANUAL))
        assert mode.asks == (mode not in (M.OFF, M.PERMANENT))


def test_a_notice_has_a_version_of_its_own_for_each_wording_language_and_audio() -> None:
    first = NoticeVersion("de", "Dürfen wir?", "ab" * 32, 1000)
    others = [
        NoticeVersion("en", "Dürfen wir?", "ab" * 32, 1000),
        NoticeVersion("de", "Dürfen wir", "ab" * 32, 1000),
        NoticeVersion("de", "Dürfen wir?", "cd" * 32, 1000),
    ]
    assert len({first.digest, *(other.digest for other in others)}) == 4
    assert first.digest == NoticeVersion("de", "Dürfen wir?", "ab" * 32, 2000).digest


def test_a_decision_that_nobody_was_asked_for_has_no_key() -> None:
    consent = Consent(D.NOT_OBTAINED, Reason.MODE_OFF)
    assert consent.key is None
    assert consent.heard_ms is None
