"""Lists of calls: what a line says is what its call's rows say, and pages stay where they are."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from consentivr.core.evidence import summarize
from consentivr.core.roles import Scope
from consentivr.ledger import Ledger
from consentivr.ledger.listing import Listed, Place, newest
from consentivr.ledger.schema import listed, taken
from tests.ledgers import UUIDS, entry, opened, sql
from tests.lives import NOON, a_life, call

ALL = Listed()
EVERYTHING = Scope(everything=True)


def pages(ledger: Ledger, wanted: Listed = ALL, scope: Scope = EVERYTHING, limit: int = 3) -> Iterator[list[str]]:
    after: Place | None = None
    while True:
        found, after = newest(ledger, wanted, scope, limit, after)
        yield found
        if after is None:
            return


def named(ledger: Ledger, wanted: Listed = ALL, scope: Scope = EVERYTHING) -> list[int]:
    return [UUIDS.index(name) for page in pages(ledger, wanted, scope) for name in page]


def lines(ledger: Ledger) -> dict[str, tuple[object, ...]]:
    with ledger.reading() as connection:
        found = connection.execute(sa.select(listed)).all()
    return {row.call: tuple(row) for row in found}


def agents(ledger: Ledger) -> dict[str, set[str]]:
    """Who took it, by call."""
    same = (taken.c.at == listed.c.at, taken.c.position == listed.c.position)
    found: dict[str, set[str]] = {}
    with ledger.reading() as connection:
        for call, agent in connection.execute(sa.select(listed.c.call, taken.c.agent).join(taken, sa.and_(*same))):
            found.setdefault(call, set()).add(agent)
        assert sum(map(len, found.values())) == len(connection.execute(sa.select(taken)).all())
    return found


def as_of(location: str | Path, version: str) -> None:
    """Make it a ledger of an older schema again."""
    with sql(location) as connection:
        for table in ("taken", *(["listed"] if version < "0007" else [])):
            connection.execute(f"DROP TABLE {table}")
        connection.execute(f"UPDATE alembic_version SET version_num = '{version}'")


@pytest.mark.parametrize("version", ["0006", "0007"])
def test_a_line_says_what_the_rows_say_now_and_after_an_upgrade(location: str | Path, version: str) -> None:
    chance = random.Random(14)
    with opened(location) as ledger:
        for number in range(200):
            life = a_life(chance, number)
            cut = chance.randrange(len(life) + 1)
            for some in chance.choice([[life[:cut], life[cut:]], [[row] for row in life]]):
                ledger.append(some)
        before, took = lines(ledger), agents(ledger)
        for name, line in before.items():
            rows = ledger.call(name)
            told = summarize(rows)
            assert took.get(name, set()) == {row.evidence.get("agent") for row in rows} - {None}
            missing = any(one.permitted and one.sha256 is None for one in told.audio)
            assert line[6:8] == (told.decision, told.reason)
            assert line[9:] == (told.held, bool(told.masked), missing), name
    as_of(location, version)
    assert Ledger.upgrade(location)[0] == version
    with opened(location) as ledger:
        assert (lines(ledger), agents(ledger)) == (before, took)


def test_pages_stay_where_they_are_while_calls_come_in(ledger: Ledger) -> None:
    ledger.append([call(number) for number in range(7)])
    turned = pages(ledger)
    seen = [next(turned)]
    ledger.append([call(number) for number in range(7, 12)])
    seen += list(turned)
    assert [UUIDS.index(name) for page in seen for name in page] == [6, 5, 4, 3, 2, 1, 0]


def test_calls_of_one_moment_are_each_on_one_page(ledger: Ledger) -> None:
    ledger.append([replace(call(number), at=NOON) for number in range(8)])
    assert named(ledger) == [7, 6, 5, 4, 3, 2, 1, 0]


def test_each_filter_and_all_of_them_find_what_fits(ledger: Ledger) -> None:
    ledger.append([call(0), call(1, "refused"), call(2, language="en"), call(3, reason="silence"), call(4, notice="x")])
    ledger.append([entry(0, "hold", why="court"), entry(2, "recording_masked", why="on_hold", parties=[], paths=[])])
    ledger.append([replace(call(5), queue="sales@default", line="sales")])
    assert named(ledger, Listed(decision="refused")) == [1]
    assert named(ledger, Listed(language="en")) == [2]
    assert named(ledger, Listed(reason="silence")) == [3]
    assert named(ledger, Listed(notice="x")) == [4]
    assert named(ledger, Listed(held=True)) == [0]
    assert named(ledger, Listed(masked=True)) == [2]
    assert named(ledger, Listed(unsealed=True)) == []
    assert named(ledger, Listed(queue="sales@default", line="sales")) == [5]
    assert named(ledger, Listed(queue="sales@default", line="support")) == []
    assert named(ledger, Listed(since=NOON + timedelta(seconds=2), until=NOON + timedelta(seconds=4))) == [3, 2]


def test_a_call_is_where_its_caller_arrived(ledger: Ledger) -> None:
    early = (NOON - timedelta(hours=1)).isoformat(timespec="milliseconds")
    ledger.append([call(0), call(1, arrived_at=early), call(2, arrived_at="yesterday")])
    assert named(ledger) == [2, 0, 1]
    assert named(ledger, Listed(until=NOON - timedelta(hours=1))) == []
    assert named(ledger, Listed(since=NOON - timedelta(hours=1), until=NOON)) == [1]


def test_nobody_finds_what_the_scope_does_not_cover(ledger: Ledger) -> None:
    ledger.append([call(0), replace(call(1), queue="sales@default"), call(2)])
    ledger.append([entry(2, "agent_answered", agent="1001@default"), entry(1, "call_ended", agent="1001@default")])
    assert named(ledger, scope=Scope()) == []
    assert named(ledger, scope=Scope(queues=frozenset({"sales@default"}))) == [1]
    assert named(ledger, scope=Scope(agent="1001@default")) == [2, 1]
    assert named(ledger, scope=Scope(queues=frozenset({"support@default"}), agent="1001@default")) == [2, 1, 0]


def test_a_transferred_call_is_in_the_list_of_each_who_took_it(ledger: Ledger) -> None:
    first, second = (Scope(agent=f"{name}@default") for name in (1001, 1002))
    ledger.append([call(number) for number in range(8)])
    for number in range(8):
        ledger.append([entry(number, "agent_answered", agent="1001@default")])
        if number % 2:
            ledger.append([entry(number, "agent_answered", agent="1002@default")])
        ledger.append([entry(number, "call_ended", agent=f"100{1 + number % 2}@default")])
    assert named(ledger, scope=first) == [7, 6, 5, 4, 3, 2, 1, 0]
    assert named(ledger, scope=second) == [7, 5, 3, 1]
    between = Listed(since=NOON + timedelta(seconds=2), until=NOON + timedelta(seconds=7), decision="given")
    assert named(ledger, between, second) == [5, 3]
    assert named(ledger, Listed(decision="refused"), second) == []


@pytest.mark.parametrize("at_once", [True, False])
def test_a_decision_that_is_written_last_says_what_was_before_it(ledger: Ledger, at_once: bool) -> None:
    """As that of a call during which we were down."""
    rows = [
        entry(0, "agent_answered", agent="1001@default"),
        entry(0, "recording_masked", why="on_hold", parties=[], paths=[]),
        entry(0, "recording_started", path="/r/0.wav"),
        entry(0, "hold", why="court"),
        call(0),
    ]
    for some in [rows] if at_once else [[row] for row in rows]:
        ledger.append(some)
    assert lines(ledger)[UUIDS[0]][9:] == (True, True, True)
    assert named(ledger, scope=Scope(agent="1001@default")) == [0]


def test_a_second_decision_makes_no_second_line(ledger: Ledger) -> None:
    ledger.append([call(0), call(0, "refused")])
    ledger.append([call(0, "refused")])
    assert named(ledger, Listed(decision="given")) == [0]


@pytest.mark.parametrize("number", [0, 1])
def test_the_line_goes_with_the_rows(location: str | Path, number: int) -> None:
    with opened(location) as ledger:
        ledger.append([call(0), call(1)])
        ledger.append([entry(one, "agent_answered", agent="1001@default") for one in (0, 1)])
        ledger.erase_rows([UUIDS[number]], {"why": "due"})
        assert named(ledger) == named(ledger, scope=Scope(agent="1001@default")) == [1 - number]
        assert agents(ledger) == {UUIDS[1 - number]: {"1001@default"}}
