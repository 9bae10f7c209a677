"""When a person's request must be answered (GDPR art. 12(3))."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from typing import Any

import pytest

from consentivr.core.requests import Answer, PersonRequest, Wish, months_after, requests_of


@pytest.mark.parametrize(
    ("day", "months", "until"),
    [
        ("2026-11-05", 1, "2026-12-05"),
        ("2026-12-05", 1, "2027-01-05"),
        ("2027-01-31", 1, "2027-02-28"),
        ("2028-01-31", 1, "2028-02-29"),
        ("2028-01-30", 1, "2028-02-29"),
        ("2026-08-31", 1, "2026-09-30"),
        ("2026-02-28", 1, "2026-03-28"),
        ("2026-01-31", 3, "2026-04-30"),
        ("2026-10-31", 3, "2027-01-31"),
        ("2026-11-30", 3, "2027-02-28"),
        ("2026-12-31", 3, "2027-03-31"),
    ],
)
def test_a_month_ends_on_the_same_day_or_the_last_one(day: str, months: int, until: str) -> None:
    assert months_after(date.fromisoformat(day), months) == date.fromisoformat(until)


def test_a_request_is_due_after_a_month_and_when_extended_after_three() -> None:
    asked = PersonRequest("a", (Wish.ACCESS,), date(2026, 1, 31))
    assert asked.due_on == date(2026, 2, 28)
    assert [asked.days_left(date(2026, 2, day)) for day in (27, 28)] == [1, 0]
    assert asked.days_left(date(2026, 3, 1)) == -1
    assert asked.may_be_extended(date(2026, 2, 28))
    assert not asked.may_be_extended(date(2026, 3, 1)), "the person had to be told within the month"
    longer = PersonRequest("a", (Wish.ACCESS,), date(2026, 1, 31), extended_because="3,000 calls")
    assert longer.due_on == date(2026, 4, 30), "counted from the day of receipt, not from the shortened month"
    assert not longer.may_be_extended(date(2026, 2, 1)), "once"


@dataclass
class Said:
    turn: str
    evidence: dict[str, Any]
    at: datetime = field(default_factory=lambda: datetime.now(timezone.utc))


def received(name: str, on: str, **more: object) -> Said:
    return Said("request_received", {"request": name, "wishes": ["access"], "received_on": on, **more})


def test_rows_become_requests_and_what_is_due_next_comes_first() -> None:
    rows = [
        received("late", "2026-11-20", found=2, call="x", reference="12/26"),
        received("done", "2026-11-01"),
        received("soon", "2026-11-10"),
        Said("request_extended", {"request": "soon", "why": "many"}),
        Said("request_answered", {"request": "done", "answer": "refused"}),
        Said("request_answered", {"request": "of rows that are gone", "answer": "done"}),
        received("first", "2026-11-12"),
    ]
    found = requests_of(rows)
    assert [one.name for one in found] == ["first", "late", "soon", "done"]
    assert (found[1].found, found[1].call, found[1].reference) == (2, "x", "12/26")
    assert found[2].due_on == date(2027, 2, 10)
    assert [one.answered for one in found] == [None, None, None, Answer.REFUSED]
    assert not found[3].may_be_extended(date(2026, 11, 2))
