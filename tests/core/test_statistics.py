"""Figures of many calls: shares and their certainty, quantiles, and that nothing is told of fewer than twenty."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from itertools import combinations
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentivr.core import figures, figures_of_promises, figures_of_wordings
from consentivr.core.consent import NoticeVersion
from consentivr.core.figures import Change, Cost, Step, YesRate
from consentivr.core.figures_of_promises import Guarded, Stock
from consentivr.core.figures_of_wordings import Wording
from consentivr.core.measured import Kept, Measured, measure
from consentivr.core.retention import RetentionTerms
from consentivr.core.statistics import (
    BIN_S,
    FEWEST,
    Block,
    Group,
    Tally,
    added,
    bin_of,
    blocks,
    coarse,
    quantile,
    share,
    week_of,
    wilson,
)

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = date(2026, 11, 23)
ASKING = Group("support@default", "support", "de", "caller_opt_in", "n1")


# --- shares and quantiles --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(0, 0, 0, 1), (0, 10, 0, 0.2775), (10, 10, 0.7225, 1), (50, 100, 0.4038, 0.5962), (81, 263, 0.2553, 0.3662)],
)
def test_wilson_as_the_literature_has_it(hits: int, of: int, low: float, high: float) -> None:
    """Newcombe 1998, table I: 81 of 263 is 0.2553 to 0.3662."""
    assert wilson(hits, of) == (pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5))


def test_there_are_not_more_hits_than_calls() -> None:
    with pytest.raises(ValueError, match="3 of 2"):
        wilson(3, 2)


@given(st.integers(1, 10_000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_wilson_holds_the_share_and_narrows_with_more(pair: tuple[int, int]) -> None:
    hits, of = pair
    low, high = wilson(hits, of)
    assert 0 <= low <= hits / of <= high <= 1
    wider = wilson(hits * 10, of * 10)
    assert wider[1] - wider[0] < high - low


@given(st.lists(st.floats(0, 290), min_size=FEWEST, max_size=200), st.floats(0, 1))
def test_a_quantile_is_within_a_bin_of_the_true_one(seconds: list[float], part: float) -> None:
    told = quantile(Counter(map(bin_of, seconds)), part)
    true = sorted(seconds)[max(0, math.ceil(part * len(seconds)) - 1)]
    assert told is not None
    assert abs(told - true) <= BIN_S + 1e-9


def test_of_too_few_there_is_no_quantile_and_no_share() -> None:
    assert quantile({3: FEWEST - 1}, 0.5) is None
    assert share(3, FEWEST - 1) is None
    assert share(5, FEWEST) == 0.25
    assert bin_of(-1) == 0
    assert bin_of(4000) == bin_of(9000)


@pytest.mark.parametrize(("count", "told"), [(0, 0), (1, None), (19, None), (20, 20), (29, 20), (30, 30), (1234, 1230)])
def test_what_is_told_coarsely(count: int, told: int | None) -> None:
    assert coarse(count) == told


def test_weeks_begin_on_mondays() -> None:
    assert week_of(MONDAY) == week_of(date(2026, 11, 29)) == MONDAY
    assert week_of(date(2026, 11, 22)) == date(2026, 11, 16)


# --- blocks ----------------------------------------------------------------------------------


def of_day(calls: int, yes: int = 0) -> Tally:
    return Tally(Counter(calls=calls, asked=calls, yes=yes))


def days(*calls: int, since: date = MONDAY) -> dict[Group, dict[date, Tally]]:
    return {ASKING: {since + timedelta(n): of_day(number) for n, number in enumerate(calls) if number}}


def sizes(told: list[Block]) -> list[tuple[date, date, int]]:
    return sorted((block.since, block.until, block.tally["calls"]) for block in told)


def test_a_day_is_a_block_once_it_is_over_and_has_enough() -> None:
    told, few = blocks(days(20, 19, 25), MONDAY + timedelta(2))
    assert sizes(told) == [(MONDAY, MONDAY, 20)]
    assert few == [], "the week is not over"


def test_the_rest_of_a_week_is_a_block_when_the_week_is_over() -> None:
    told, _ = blocks(days(20, 19, 1, 0, 5), MONDAY + timedelta(7))
    assert sizes(told) == [(MONDAY, MONDAY, 20), (MONDAY + timedelta(1), MONDAY + timedelta(6), 25)]


def test_what_is_too_little_for_four_weeks_is_told_to_be_left_out() -> None:
    first = date.fromordinal((MONDAY.toordinal() - 1) // 28 * 28 + 1)
    told, few = blocks(days(5, since=first), first + timedelta(28))
    assert told == []
    assert [one.until for one in few] == [first + timedelta(27)]
    told, few = blocks(days(*([3] * 28), since=first), first + timedelta(28))
    assert sizes(told) == [(first + timedelta(7 * n), first + timedelta(7 * n + 6), 21) for n in range(4)]
    told, few = blocks(days(*([3, 3, 0, 0, 0, 0, 0] * 4), since=first), first + timedelta(28))
    assert sizes(told) == [(first, first + timedelta(27), 24)]
    assert few == []


@settings(max_examples=60)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=40), st.data())
def test_no_difference_of_two_figures_is_of_fewer_than_twenty_calls(calls: list[int], data: st.DataObject) -> None:
    """Whatever two ranges somebody asks for, and on whichever days: what one has and the other has not is enough."""

    def told(today: int, since: int, until: int) -> dict[tuple[date, date], int]:
        found, _ = blocks(days(*calls), MONDAY + timedelta(today))
        ends = (MONDAY + timedelta(since), MONDAY + timedelta(until))
        return {
            (block.since, block.until): block.tally["calls"] for block in found if ends[0] <= block.until <= ends[1]
        }

    day = st.integers(0, len(calls) + 40)
    looks = [told(*data.draw(st.tuples(day, day, day))) for _ in range(4)]
    for one, other in combinations(looks, 2):
        for there, elsewhere in ((one, other), (other, one)):
            more = sum(there[block] for block in there.keys() - elsewhere.keys())
            assert more == 0 or more >= FEWEST
        assert all(one[block] == other[block] for block in one.keys() & other.keys()), "a block does not grow"


def test_every_call_is_in_one_block_or_left_out() -> None:
    first = date.fromordinal((MONDAY.toordinal() - 1) // 28 * 28 + 1)
    calls = [7, 0, 33, 1, 2, 3, 20, 0, 0, 1] + [19] * 18
    told, few = blocks(days(*calls, since=first), first + timedelta(200))
    assert sum(block.tally["calls"] for block in told) == sum(calls) - 13
    assert len(few) == 1, "7, 1, 2 and 3 of the first weeks' calls"


# --- one call --------------------------------------------------------------------------------


ARRIVED = datetime(2026, 11, 27, 9, 59, 50, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Row:
    turn: str
    after_s: float = 0
    evidence: dict = field(default_factory=dict)
    mode: str = "caller_opt_in"
    channel_uuid: str = "c"
    visit: str | None = "v"
    line: str = "support"
    queue: str = "support@default"
    caller_id_number: str | None = None

    @property
    def at(self) -> datetime:
        return ARRIVED + timedelta(seconds=self.after_s)


def moment(after_s: float) -> str:
    return (ARRIVED + timedelta(seconds=after_s)).isoformat()


def attempt(outcome: str, asked: float, answered: float, heard_ms: int | None, **more: str) -> dict:
    said = {"outcome": outcome, "asked_at": moment(asked), "answered_at": moment(answered), "key": None}
    return {**said, "heard_ms": heard_ms, **more}


def decision(
    *attempts: dict, decision: str = "given", reason: str = "consent_key", at: float = 12, **more: object
) -> Row:
    said: dict[str, object] = {
        "decision": decision,
        "reason": reason,
        "attempts": list(attempts),
        "arrived_at": moment(0),
    }
    said |= {"notice": "n1", "notice_ms": 6000, "language": "de"}
    return Row("decision", at, {**said, **more})


def measured(*rows: Row) -> Measured:
    found = measure(rows, BERLIN)
    assert found is not None
    return found


def told_of(*rows: Row) -> tuple[dict[str, int], dict[str, list[int]]]:
    tally = measured(*rows).tally
    return {what: count for what, count in tally.counts.items() if count}, {
        what: sorted(places) for what, places in tally.bins.items() if not what.startswith("hour")
    }


def test_a_yes_in_one_breath() -> None:
    call = measured(decision(attempt("key", 3, 8, 4000, key="1")))
    assert call.day == date(2026, 11, 27)
    assert call.group == ASKING
    counts, bins = told_of(decision(attempt("key", 3, 8, 4000, key="1")))
    assert counts == {
        "calls": 1, "asked": 1, "yes": 1, "queue": 1, "begun": 1, "cut_short": 1,
        "timed": 1, "speech_ms": 4000, "waiting_ms": 1000,
    }  # fmt: skip
    assert bins == {"began": [6], "first": [16], "cost": [10]}
    assert set(call.tally.binned("hour")) == set(call.tally.binned("hour_yes")) == {4 * 24 + 11}, "in Berlin"


def test_silence_and_then_a_no() -> None:
    counts, bins = told_of(
        decision(
            attempt("silence", 3, 13, 6000), attempt("key", 15, 20, 4500), decision="refused", reason="objection_key"
        )
    )
    assert counts["no"] == counts["to_end"] == 1
    assert (counts["speech_ms"], counts["waiting_ms"], counts["repeats_ms"]) == (6000, 4500, 6500)
    assert bins["cost"] == [34]


@pytest.mark.parametrize(
    ("reason", "end"),
    [("silence", "silence"), ("wrong_key", "wrong_key"), ("too_early", "wrong_key"), ("connection_lost", "fault")],
)
def test_how_calls_come_out(reason: str, end: str) -> None:
    counts, _ = told_of(decision(attempt("not_asked", 3, 3, None), decision="not_obtained", reason=reason))
    assert counts[end] == 1
    assert ("asked" in counts) is (end != "fault")
    assert "begun" not in counts


def test_hang_ups_before_in_and_after_the_question() -> None:
    gone, bins = told_of(decision(decision="not_obtained", reason="hangup", at=4.2))
    assert (gone, bins) == ({"calls": 1, "asked": 1, "hangup": 1}, {"gone": [8]})
    hung, bins = told_of(decision(attempt("hung_up", 3, 4.2, None), decision="not_obtained", reason="hangup", at=4.2))
    assert hung["begun"] == hung["cut_short"] == 1
    assert hung["speech_ms"] == 1200
    assert bins["hung"] == [8]
    later, bins = told_of(
        decision(
            attempt("silence", 3, 12, 6000), attempt("hung_up", 14, 15, None), decision="not_obtained", reason="hangup"
        )
    )
    assert later["hangup"] == 1
    assert not {"hung", "gone"} & bins.keys()


def test_the_first_putting_is_the_first_in_the_language_that_is_spoken() -> None:
    first = attempt("language", 3, 5, 2000)
    counts, _ = told_of(decision(first, attempt("key", 5, 12, 6000)))
    assert counts["to_end"] == 1
    counts, _ = told_of(decision(first, decision="not_obtained", reason="hangup"))
    assert not {"to_end", "cut_short"} & counts.keys()


def test_times_that_nobody_told_are_not_guessed() -> None:
    counts, bins = told_of(decision({"outcome": "key", "key": "1", "heard_ms": None}, notice_ms=None))
    assert counts == {"calls": 1, "asked": 1, "yes": 1, "queue": 1, "begun": 1}
    assert bins == {}
    assert measure([Row("arrived")], BERLIN) is None
    no_arrival = measured(decision(attempt("key", 3, 8, 4000), arrived_at=None, language=None))
    assert no_arrival.group.language == ""


def test_a_line_that_does_not_ask_says_how_long_callers_stay() -> None:
    off = decision(decision="not_obtained", reason="mode_off", at=0)
    off = Row("decision", 0, off.evidence, mode="off")
    left, bins = told_of(off, Row("call_ended", 7.2, mode="off"))
    assert bins == {"stayed": [14], "left": [14]}
    assert left == {"calls": 1}
    _, bins = told_of(off, Row("agent_answered", 9), Row("looked_for_recorders", 9, {"recorders": 0}))
    assert bins == {"stayed": [18]}
    assert told_of(off)[1] == {}


def test_proofs_incidents_and_what_nobody_watched() -> None:
    no = decision(attempt("key", 3, 8, 4000), decision="refused", reason="objection_key")
    talk = Row("agent_answered", 20)
    counts, _ = told_of(no, talk, Row("looked_for_recorders", 21, {"recorders": 0}), Row("tapped", 22))
    assert (counts["to_prove"], counts["proven"], counts["incidents"]) == (1, 1, 1)
    for seen in ([], [None], [0, 1]):
        rows = [Row("looked_for_recorders", 21, {"recorders": number}) for number in seen]
        assert "proven" not in told_of(no, talk, *rows)[0]
    yes = decision(attempt("key", 3, 8, 4000))
    started = Row("recording_started", 20, {"path": "/r/a.wav"})
    until = {"until": moment(25), "paths": ["/r/a.wav"]}
    for since, blind_ms in ((moment(23), 2000), (None, 5000)):
        counts, _ = told_of(yes, started, Row("unwatched", 26, {"since": since, **until}))
        assert counts["blind_ms"] == blind_ms
    assert "blind_ms" not in told_of(yes, Row("unwatched", 26, {"since": None, **until}))[0]
    counts, _ = told_of(yes, Row("recording_withheld", 12), Row("agreed_late", 30), Row("withdrawn", 40))
    assert counts["withheld"] == counts["late_yes"] == counts["taken_back"] == 1


def test_a_mode_that_we_do_not_know_is_only_counted() -> None:
    row = decision(attempt("key", 3, 8, 4000))
    counts, _ = told_of(Row("decision", 12, row.evidence, mode="of_tomorrow"))
    assert counts == {"calls": 1}


def test_what_is_left_of_a_call() -> None:
    yes = decision(attempt("key", 3, 8, 4000))
    started, ended = Row("recording_started", 20, {"path": "/r/a.wav"}), Row("call_ended", 60)
    on = date(2026, 11, 27)
    assert measured(yes, ended).kept is None
    assert measured(yes, started, ended).kept == Kept(on, kept=1)
    assert measured(yes, started, ended, Row("withdrawn", 90, {"erase": True})).kept == Kept(on, to_erase=1)
    assert measured(yes, started, ended, Row("hold", 90)).kept == Kept(on, held=1)
    assert measured(yes, ended, Row("hold", 90)).kept == Kept(on, held=1)
    away = Row("quarantined", 90, {"path": "/r/a.wav", "to": "/q/a.wav"})
    assert measured(yes, started, ended, away).kept == Kept(on, quarantined=1)


# --- the tables ------------------------------------------------------------------------------

LATER = ASKING._replace(notice="n2")
OFF = Group("hotline@default", "hotline", "", "off", "")


def block(group: Group, day: date, bins: dict[str, dict[int, int]] | None = None, **counts: int) -> Block:
    return Block(group, day, day, Tally(Counter(counts), {what: Counter(some) for what, some in (bins or {}).items()}))


def test_yes_by_week_with_its_certainty_and_the_new_wording() -> None:
    told = [
        block(ASKING, MONDAY, calls=60, asked=60, yes=30),
        block(LATER, MONDAY + timedelta(7), calls=40, asked=40, yes=30),
        block(ASKING._replace(queue="b", line="b"), MONDAY, calls=20, asked=19, fault=1, yes=3),
        block(OFF, MONDAY, calls=900),
    ]
    changed = figures.changes(told)
    assert changed == [Change("support@default", "support", "de", MONDAY + timedelta(7), "n1", "n2")]
    assert figures.yes_rates(told, "queue", changed) == [
        YesRate("support@default", MONDAY, 60, 30, 0.5, *wilson(30, 60), False),
        YesRate("support@default", MONDAY + timedelta(7), 40, 30, 0.75, *wilson(30, 40), True),
        YesRate("b", MONDAY, None, None, None, None, None, False),
    ]
    assert {row.of for row in figures.yes_rates(told, "language", changed)} == {"de"}
    assert {row.of for row in figures.yes_rates(told, "line", changed)} == {"support", "b"}


def test_hours_are_told_coarsely() -> None:
    bins = {"hour": {0: 47, 1: 19}, "hour_asked": {0: 47, 1: 19}, "hour_yes": {0: 29}}
    first, last = figures.twelve_weeks(MONDAY)
    assert (last - first).days == 83
    assert first.weekday() == 0
    assert last < MONDAY
    far = [block(ASKING, day, bins, calls=66) for day in (first - timedelta(1), last + timedelta(1))]
    told = figures.hours([block(ASKING, last, bins, calls=66), *far], MONDAY)
    assert len(told) == 168
    assert (told[0].calls, told[0].rate) == (40, 0.6)
    assert (told[1].calls, told[1].rate) == (None, None)
    assert told == figures.hours([block(ASKING, last, bins, calls=66)], MONDAY + timedelta(1)), "a day moves nothing"
    assert (told[167].weekday, told[167].hour, told[167].calls) == (6, 23, 0)


def test_the_way_of_calls() -> None:
    bins = {"began": {6: 80}, "gone": {2: 4, 9: 6}}
    told = [
        block(ASKING, MONDAY, bins, calls=100, asked=98, fault=2, yes=50, no=30, hangup=12, silence=6, begun=82,
              to_end=50, cut_short=32, queue=88, agent=70),
        block(OFF, MONDAY, calls=500, agent=400),
    ]  # fmt: skip
    assert [(step.step, step.calls) for step in figures.funnel(told)] == [
        ("answered", 100), ("fault", 2), ("left_before", 4), ("begun", 88), ("to_end", 50), ("cut_short", 38),
        ("yes", 50), ("no", 30), ("wrong_key", 0), ("silence", 6), ("hangup", 8), ("queue", 88), ("agent", 70),
    ]  # fmt: skip
    assert figures.funnel(told)[0] == Step("answered", 100, 1.0)
    assert figures.funnel(told[1:]) == []


def test_what_the_question_costs() -> None:
    told = [
        block(ASKING, MONDAY, {"cost": {10: 30, 20: 10}}, calls=40, asked=40, timed=40, speech_ms=160_000,
              waiting_ms=40_000, repeats_ms=100_000),
        block(ASKING, MONDAY + timedelta(1), {"cost": {10: 20}}, calls=20, asked=20, timed=20, speech_ms=100_000),
        block(ASKING, MONDAY + timedelta(7), {"cost": {1: 5}}, calls=20, asked=20, timed=5),
    ]  # fmt: skip
    first, second, whole = figures.costs(told)
    assert first == Cost(MONDAY, 60, pytest.approx(5.3), pytest.approx(10.2), pytest.approx(400 / 60 / 2),
                         pytest.approx(260 / 60), pytest.approx(40 / 60), pytest.approx(100 / 60))  # fmt: skip
    assert second == Cost(MONDAY + timedelta(7), None)
    assert (whole.week, whole.timed) == (None, 65)
    assert whole.minutes_a_day == pytest.approx(400 / 60 / 8)
    assert figures.costs([]) == []


NOTICE = NoticeVersion("de", "Dürfen wir? Ja: die 1. Nein: 9.", "f" * 64, 6000)


def test_sentences_are_as_long_as_their_letters() -> None:
    assert figures_of_wordings.sentences(NOTICE) == [
        ("Dürfen wir?", 0, 2.3),
        ("Ja: die 1.", 2.3, 4.3),
        ("Nein: 9.", 4.3, 6.0),
    ]
    assert figures_of_wordings.sentences(NoticeVersion("de", "", "f", 100)) == [("", 0, 0)]


def test_where_they_hang_up_beside_a_line_that_does_not_ask() -> None:
    asked = {"began": {6: 40}, "first": {16: 40}, "hung": {7: 3}, "gone": {2: 2, 12: 1}}
    off = {"stayed": {4: 10, 40: 90}, "left": {4: 5, 7: 0, 8: 9}}
    told = [
        block(ASKING, MONDAY, asked, calls=46, asked=46),
        block(ASKING._replace(notice="unknown"), MONDAY, asked, calls=20, asked=20),
        block(OFF, MONDAY, off, calls=100),
    ]
    rows = figures_of_wordings.leaving(told, {"n1": NOTICE})
    assert [(row.part, row.since, row.until, row.there, row.hung, row.off_there, row.off_hung) for row in rows] == [
        ("greeting", 0.0, 3.2, 46, 2, 100, 5),
        ("Dürfen wir?", 3.2, 5.5, 44, 3, 90, 9),
        ("Ja: die 1.", 5.5, 7.5, 41, 1, 90, 0),
        ("Nein: 9.", 7.5, 9.2, 40, 0, 90, 0),
        ("key", 9.2, 14.2, None, None, 90, 0),
    ]
    assert rows[1].rate == pytest.approx(3 / 44 * 1000)


def test_before_and_after_a_wording() -> None:
    told = [
        block(LATER, MONDAY + timedelta(7), calls=20, asked=20, yes=12, no=4),
        block(ASKING, MONDAY, calls=100, asked=100, yes=50, no=40, cut_short=30, taken_back=5),
        block(ASKING._replace(notice=""), MONDAY, calls=100, asked=100),
    ]
    assert figures_of_wordings.wordings(told) == [
        Wording("support", "de", "n1", MONDAY, MONDAY, 100, 0.5, 0.4, 0.1, 0.3, 0.1),
        Wording("support", "de", "n2", MONDAY + timedelta(7), MONDAY + timedelta(7), 20, 0.6, 0.2, 0.2, 0.0, None),
    ]


def test_whether_it_kept_its_word() -> None:
    told = [
        block(
            ASKING, MONDAY, calls=60, asked=60, yes=20, to_prove=25, proven=24, incidents=2, withheld=1, blind_ms=2500
        ),
        block(ASKING, MONDAY + timedelta(7), calls=30, asked=30, yes=19),
    ]
    assert figures_of_promises.guarded(told) == [
        Guarded(MONDAY, 60, 40, 2, 50.0, 25, 24, 0.96, 1, 2.5),
        Guarded(MONDAY + timedelta(7), 30, None, None, None, None, None, None, None, 0.0),
        Guarded(None, 90, 51, 2, pytest.approx(39.2157), 25, 24, 0.96, 1, 2.5),
    ]
    assert figures_of_promises.guarded([]) == []


def test_what_is_kept_until_when() -> None:
    today = date(2026, 11, 29)
    kept = {
        ("q", today - timedelta(90)): figures_of_promises.counted(Kept(today, kept=40)),
        ("q", today - timedelta(91)): figures_of_promises.counted(Kept(today, kept=40, to_erase=1)),
        ("q", today - timedelta(80)): figures_of_promises.counted(Kept(today, kept=20)),
        ("q", today): figures_of_promises.counted(Kept(today, kept=33, held=3, quarantined=20)),
        ("forever", today): figures_of_promises.counted(Kept(today, kept=100)),
        ("gone", today): figures_of_promises.counted(Kept(today, kept=7)),
        ("long", today): figures_of_promises.counted(Kept(today, kept=50)),
    }
    terms = {"q": RetentionTerms(90, 400), "forever": RetentionTerms(), "long": RetentionTerms(300, 400)}
    assert figures_of_promises.stock(kept, terms, today, stray=5) == [
        Stock("due", 40), Stock("within_7", 40), Stock("within_30", 20), Stock("within_90", 30), Stock("later", 50),
        Stock("no_term", 100), Stock("held", None), Stock("quarantined", 20),
    ]  # fmt: skip


def test_adding_only_what_is_wanted() -> None:
    one = Tally(Counter(calls=1), {"cost": Counter({1: 1}), "hour": Counter({2: 1})})
    assert added([one, one], ("cost",)) == Tally(Counter(calls=2), {"cost": Counter({1: 2})})
    assert added([one, one]).binned("hour") == {2: 2}
    assert added([]).binned("hour") == {}
