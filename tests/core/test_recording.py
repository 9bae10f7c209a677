"""The verdict over every combination."""

from __future__ import annotations

import itertools

import pytest

from consentivr.core.consent import Consent, ConsentDecision, NoticeVersion, Reason
from consentivr.core.recording import RecordingMode, VerdictReason, verdict

M, D, R = RecordingMode, ConsentDecision, VerdictReason
ASKING = (M.CALLER_OPT_IN, M.PERMANENT_OPT_OUT)
EXPECTED = {
    **{(M.PERMANENT, d, durable): (True, R.LEGAL_BASIS) for d in D for durable in (True, False)},
    **{(M.OFF, d, durable): (False, R.MODE_OFF) for d in D for durable in (True, False)},
    **{(m, D.REFUSED, durable): (False, R.CALLER_REFUSED) for m in ASKING for durable in (True, False)},
    **{(m, D.NOT_OBTAINED, durable): (False, R.NO_ANSWER) for m in ASKING for durable in (True, False)},
    **{(m, D.GIVEN, False): (False, R.NOT_PROVEN) for m in ASKING},
    **{(m, D.GIVEN, True): (True, R.CALLER_AGREED) for m in ASKING},
}


@pytest.mark.parametrize(("mode", "decision", "durable"), list(itertools.product(M, D, (True, False))))
def test_verdict(mode: M, decision: D, durable: bool) -> None:
    said = verdict(mode, decision, durable=durable)
    assert (said.record, said.reason) == EXPECTED[mode, decision, durable]


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
