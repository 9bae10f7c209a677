"""Two wordings on trial: who hears which, when it is over, what is counted of them."""

from __future__ import annotations

import hashlib
import uuid
from datetime import date, timedelta, timezone
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentivr.core.consent import AnswerOutcome, Attempt, Consent, ConsentDecision, Notice, OnTrial, Reason, Variant
from consentivr.core.measured import measure
from consentivr.core.shares import calls_needed, difference
from consentivr.core.statistics import wilson
from consentivr.core.trial import (
    NOBODYS_FAULT,
    NOTHING_KNOWN,
    Count,
    Counts,
    Plan,
    Why,
    counted,
    is_asked,
    over,
    trials,
    variant_of,
)
from consentivr.core.turn import Turn
from consentivr.core.turns import Decided
from consentivr.core.verdict import Do, Verdict, VerdictReason
from consentivr.ledger import CONSOLE, CallRef, Entry

A, B = Variant
DAY = date(2027, 3, 31)
PLAN = Plan("keys_first", "support", "support@default", "de", ("a8", "a16"), ("b8", "b16"), 100, DAY)
CHANNELS = {
    variant: [
        one for one in (str(uuid.UUID(int=number)) for number in range(400)) if variant_of(PLAN.trial, one) is variant
    ]
    for variant in Variant
}
CONSOLE_ROWS = CallRef(CONSOLE, None, "", "", "")


def channel(variant: Variant, after: int = 0) -> str:
    """A channel whose caller hears it."""
    return CHANNELS[variant][after]


def test_half_of_the_callers_hear_each_and_the_name_mixes_them_anew() -> None:
    channels = [str(uuid.UUID(int=number)) for number in range(4000)]
    one, other = ([variant_of(name, each) for each in channels] for name in ("one", "other"))
    for chosen in (one, other):
        assert abs(chosen.count(A) - 2000) < 4 * 32, "within four standard deviations"
    same = sum(first is second for first, second in zip(one, other, strict=True))
    assert abs(same - 2000) < 4 * 32, "another trial asks other halves"


@given(st.uuids())
def test_a_caller_hears_one_wording_and_it_can_be_recomputed_by_hand(one: uuid.UUID) -> None:

    first = hashlib.sha256(b"keys_first\0" + str(one).encode()).hexdigest()[0]
    assert variant_of("keys_first", str(one)) is (B if int(first, 16) >= 8 else A)


# --- begun, ended ----------------------------------------------------------------------------


def begun(plan: Plan = PLAN, **changes: Any) -> Entry:
    return CONSOLE_ROWS.row(Turn.TRIAL_BEGUN, {**plan.evidence(), "by": "olga", "role": "officer", **changes})


def ended(why: Why = Why.ASKED, **changes: Any) -> Entry:
    said = {"trial": PLAN.trial, "why": why.value, "counts": Counts().evidence(), "by": "serve", "role": "service"}
    return CONSOLE_ROWS.row(Turn.TRIAL_ENDED, said | changes)


def test_what_was_fixed_is_read_as_it_was_written() -> None:
    known = trials([begun()])["keys_first"]
    assert (known.plan, known.by, known.ended) == (PLAN, "olga", None)
    counts = Counts(Count(3, 2, 1, 1), Count(4, 4, 0, 0), misfits=1)
    over_now = trials([begun(), ended(Why.STOPPED, reason="a complaint", counts=counts.evidence())])["keys_first"].ended
    assert over_now is not None
    assert (over_now.why, over_now.by, over_now.reason) == (Why.STOPPED, "serve", "a complaint")
    assert over_now.counts == counts


def test_nobody_begins_a_trial_again_or_prolongs_it() -> None:
    longer = {"until": "2028-03-31", "calls": 10_000}
    known = trials([begun(), begun(**longer), ended(), begun(**longer), ended(Why.STOPPED)])["keys_first"]
    assert known.plan == PLAN
    assert known.ended is not None
    assert known.ended.why is Why.ASKED


@pytest.mark.parametrize("missing", PLAN.evidence())
def test_a_row_that_says_too_little_begins_nothing(missing: str) -> None:
    said = begun()
    del said.evidence[missing]
    assert trials([said, ended()]) == {}


CHANGES: list[dict[str, Any]] = [
    {"line": "sales"},
    {"queue": "sales@default"},
    {"language": "en"},
    {"wordings": {"a": ["a8", "a16"], "b": ["c8", "c16"]}},
    {"wordings": {"a": ["b8", "b16"], "b": ["a8", "a16"]}},
    {"calls": 101},
    {"until": "2027-04-01"},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_only_exactly_what_was_approved_is_asked(change: dict[str, Any]) -> None:
    assert is_asked(PLAN, trials([begun()]), DAY)
    assert not is_asked(PLAN, {}, DAY)
    assert not is_asked(PLAN, trials([begun(**change)]), DAY)
    assert not is_asked(PLAN, trials([begun(trial="another")]), DAY)
    assert not is_asked(PLAN, trials([begun(), ended()]), DAY)
    assert not is_asked(PLAN, trials([begun()]), DAY + timedelta(1))


def test_it_ends_when_each_was_asked_often_enough_or_its_day_is_over_and_by_nothing_else() -> None:
    for a, b, today in product((0, 99, 100, 5000), (0, 99, 100, 5000), (DAY, DAY + timedelta(1))):
        expected = Why.ASKED if a >= 100 and b >= 100 else Why.DAY_OVER if today > DAY else None
        assert over(PLAN, {A: a, B: b}, today) is expected
    assert over(PLAN, {}, DAY) is None


# --- counting --------------------------------------------------------------------------------


def decided(
    variant: Variant, *outcomes: str, after: int = 0, reason: Reason | None = None, heard_ms: int | None = 3000
) -> tuple[str, dict[str, Any]]:
    """A decision as the dialogue writes it; an outcome may name its key."""
    attempts = []
    for outcome in outcomes:
        word, _, key = outcome.partition(" ")
        attempts.append(Attempt(AnswerOutcome(word), key or None, heard_ms))
    last = outcomes[-1] if outcomes else ""
    word = {"key 1": ConsentDecision.GIVEN, "key 9": ConsentDecision.REFUSED}.get(last, ConsentDecision.NOT_OBTAINED)
    why = {"key 1": Reason.CONSENT_KEY, "key 9": Reason.OBJECTION_KEY}.get(last, Reason.SILENCE)
    notice = Notice(PLAN.wording(variant)[0], 3000, "de", on_trial=OnTrial(PLAN.trial, variant))
    consent = Consent(word, reason or why, tuple(attempts))
    said = Decided(consent, Verdict(Do.NOTHING, VerdictReason.NO_ANSWER), "training", None, None, notice).evidence()
    return channel(variant, after), said


CASES: list[tuple[tuple[str, ...], tuple[int, int, int]]] = [
    (("key 1",), (1, 0, 0)),
    (("key 9",), (1, 0, 0)),
    (("silence", "key 1"), (0, 0, 1)),
    (("wrong_key 5", "key 9"), (0, 0, 1)),
    (("too_early 1", "key 1"), (0, 0, 1)),
    (("silence", "silence"), (0, 0, 1)),
    (("silence",), (0, 0, 0)),
    (("hung_up",), (0, 0, 0)),
    ((), (0, 0, 0)),
    (("details 3", "key 1"), (1, 0, 0)),
    (("language 2", "language 4", "silence", "key 9"), (0, 0, 1)),
]


@pytest.mark.parametrize(("outcomes", "expected"), CASES, ids=str)
@pytest.mark.parametrize("variant", Variant)
def test_understood_is_an_answer_when_the_question_was_first_put(
    variant: Variant, outcomes: tuple[str, ...], expected: tuple[int, int, int]
) -> None:
    understood, cut_short, again = expected
    counts = counted(PLAN, [decided(variant, *outcomes)])
    one, other = (counts.a, counts.b) if variant is A else (counts.b, counts.a)
    assert one == Count(1, understood, cut_short, again)
    assert other == Count()


def test_a_yes_and_a_no_count_the_same() -> None:
    assert counted(PLAN, [decided(A, "key 1")]).a == counted(PLAN, [decided(A, "key 9")]).a


@pytest.mark.parametrize(("heard_ms", "cut"), [(None, 0), (3000, 0), (2800, 0), (2799, 1), (0, 1)])
def test_a_question_is_cut_short_when_a_key_ends_it(heard_ms: int | None, cut: int) -> None:
    assert counted(PLAN, [decided(A, "key 1", heard_ms=heard_ms)]).a.cut_short == cut


@pytest.mark.parametrize("reason", Reason)
def test_what_says_nothing_of_the_wording_is_not_counted(reason: Reason) -> None:
    counts = counted(PLAN, [decided(A, "not_asked", reason=reason)])
    assert counts.a.asked == (reason not in NOBODYS_FAULT)


def test_rows_that_say_the_wrong_wording_are_told_apart() -> None:
    right = decided(A, "key 1")
    other_half = channel(B), right[1]
    other_digest = right[0], right[1] | {"notice": "b8"}
    other_word = right[0], right[1] | {"variant": "b"}
    assert counted(PLAN, [right, other_half, other_digest, other_word]) == Counts(
        Count(1, 1), answers_differ=NOTHING_KNOWN, misfits=3
    )


@given(st.lists(st.tuples(st.sampled_from(Variant), st.sampled_from([case for case, _ in CASES])), max_size=30))
def test_whatever_callers_do_the_counts_fit_together_and_come_back(done: list[tuple[Variant, tuple[str, ...]]]) -> None:
    counts = counted(PLAN, [decided(variant, *outcomes) for variant, outcomes in done])
    for one, variant in ((counts.a, A), (counts.b, B)):
        assert one.asked == sum(each is variant for each, _ in done)
        assert one.understood + one.again <= one.asked
    low, high = counts.understood
    assert -1 <= low <= high <= 1
    by, least, most = counts.answers_differ
    assert counts.answers_differ == NOTHING_KNOWN or 0 <= least <= by <= most <= 1
    again = Counts.of(counts.evidence())
    assert (again.a, again.b) == (counts.a, counts.b)
    assert again.answers_differ == pytest.approx(counts.answers_differ, abs=1e-4)


def test_which_wording_has_more_of_a_yes_is_not_told() -> None:
    """Only whether they differ: the EDPB calls choosing by that deceptive design."""

    def of(yes_a: int, yes_b: int) -> Counts:
        return counted(
            PLAN,
            [
                decided(variant, "key 1" if number < yes else "key 9", after=number)
                for variant, yes in ((A, yes_a), (B, yes_b))
                for number in range(100)
            ],
        )

    assert of(90, 50) == of(50, 90)
    assert of(90, 50).answers_differ.low > 0.2
    assert of(70, 70).answers_differ.low == 0


def test_the_figures_of_all_calls_do_not_tell_the_wordings_of_a_trial_apart() -> None:
    """Who could see there how they are answered, would see it before the end, and which has more of a yes."""
    for variant in Variant:
        channel_uuid, said = decided(variant, "key 1")
        row = CallRef(channel_uuid, channel_uuid, PLAN.line, PLAN.queue, "permanent_opt_out").row(Turn.DECISION, said)
        measured = measure([row], timezone.utc)
        assert measured is not None
        assert measured.group.notice == ""
        assert (measured.group.line, measured.group.language, measured.tally.counts["yes"]) == ("support", "de", 1)


# --- how sure that is ------------------------------------------------------------------------


def test_bands_are_those_of_the_papers() -> None:
    """Newcombe 1998, tables I and II: Wilson's score (method 3), and the difference of two (method 10)."""
    for (of_them, number), expected in {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }.items():
        assert wilson(of_them, number) == pytest.approx(expected, abs=6e-5)
    for first, second, expected in (
        ((48, 80), (56, 70), (0.0524, 0.3339)),
        ((3, 10), (9, 10), (0.1705, 0.8090)),
        ((2, 7), (6, 7), (0.0582, 0.8062)),
        ((0, 29), (5, 56), (-0.0381, 0.1926)),
        ((0, 20), (0, 10), (-0.1611, 0.2775)),
        ((0, 10), (10, 10), (0.6075, 1.0)),
    ):
        assert difference(first, second) == pytest.approx(expected, abs=6e-5)
    assert wilson(0, 0) == (0.0, 1.0)


@given(st.integers(1, 5000), st.data())
def test_the_band_of_a_difference_is_around_it_and_narrows(number: int, data: st.DataObject) -> None:
    of_them = data.draw(st.integers(0, number))
    by = of_them / number - 2 / 7
    low, high = difference((2, 7), (of_them, number))
    assert -1 <= low <= by <= high <= 1
    narrower = difference((200, 700), (100 * of_them, 100 * number))
    assert narrower.high - narrower.low < high - low
    turned = difference((of_them, number), (0, 7)), difference((0, 7), (of_them, number))
    assert turned[0] == pytest.approx((-turned[1].high, -turned[1].low))


def test_how_many_calls_a_difference_needs() -> None:
    assert calls_needed(0.60, 0.65) == 1471, "about 1,500 each"
    assert calls_needed(0.65, 0.60) == calls_needed(0.60, 0.65)
    with pytest.raises(ValueError, match="the same"):
        calls_needed(0.6, 0.6)


def test_the_table_in_the_documentation_is_of_this_program() -> None:
    page = (Path(__file__).parents[2] / "docs" / "announcements.md").read_text(encoding="utf-8")
    for now in (50, 60, 70, 80, 90):
        needed = [f"{calls_needed(now / 100, (now + points) / 100):,}" for points in (2, 3, 5, 8)]
        assert f"| {now} % | {' | '.join(needed)} |" in page
