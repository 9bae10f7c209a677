"""The verdict over every combination."""

from __future__ import annotations

import itertools

import pytest

from consentivr.core.consent import Consent, ConsentDecision, NoticeVersion, Reason
from consentivr.core.recording import RecordingMode, VerdictReason, is_forbidden, verdict

M, D, R = RecordingMode, ConsentDecision, VerdictReason
NO = {D.REFUSED: R.CALLER_REFUSED, D.NOT_OBTAINED: R.NO_ANSWER, D.WITHDRAWN: R.CALLER_WITHDREW}
EVERYTHING = list(itertools.product(M, D, *[(True, False)] * 4))


@pytest.mark.parametrize(("mode", "decision", "durable", "agreed", "nth", "started"), EVERYTHING)
def test_verdict(mode: M, decision: D, durable: bool, agreed: bool, nth: bool, started: bool) -> None:
    """Statute > caller > agent > mode, over every combination; written as a list of exceptions, not as the code is."""
    said = verdict(mode, decision, durable=durable, agent_agreed=agreed, is_nth=nth, agent_started=started)
    assert said.record == (said.reason in (R.LEGAL_BASIS, R.CALLER_AGREED))
    if said.reason is R.LEGAL_BASIS or mode is M.PERMANENT:
        assert (said.reason, mode) == (R.LEGAL_BASIS, M.PERMANENT)
    elif mode is M.OFF:
        assert said.reason is R.MODE_OFF
    elif decision in NO:
        assert said.reason is NO[decision]
    else:
        reasons = [
            *([R.NOT_PROVEN] if not durable else []),
            *([R.AGENT_NOT_AGREED] if not agreed else []),
            *([R.NOT_NTH] if mode is M.EVERY_NTH and not nth else []),
            *([R.NOT_STARTED] if mode is M.MANUAL and not started else []),
            R.CALLER_AGREED,
        ]
        assert said.reason is reasons[0]


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


FLAGS = ("true", "false", "", "_undef_", None)


@pytest.mark.parametrize(("one", "other", "queue"), [*itertools.product(FLAGS, FLAGS, ("by_law", "other", "", None))])
def test_p5_one_flag_forbids_but_on_a_queue_that_records_by_law(one: str, other: str, queue: str) -> None:
    flagged = one == "true" or other == "true"
    assert is_forbidden([one, other], [queue], frozenset({"by_law"})) == (flagged and queue != "by_law")
