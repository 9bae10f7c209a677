"""What a person asked for, and until when it must be answered (GDPR art. 12(3)): pure, so that every date can be tried.

No number is in here: a request names one of the calls, by which the person is found again while the number is kept.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import Enum
from typing import Any, Protocol

from consentivr.core.turn import Turn


class Wish(str, Enum):
    """What a person may ask for."""

    ACCESS = "access"
    """GDPR art. 15."""
    ERASURE = "erasure"
    """Art. 17."""
    WITHDRAWAL = "withdrawal"
    """Art. 7(3)."""
    RECTIFICATION = "rectification"
    """Art. 16."""
    RESTRICTION = "restriction"
    """Art. 18."""
    PORTABILITY = "portability"
    """Art. 20."""
    OBJECTION = "objection"
    """Art. 21."""


class Answer(str, Enum):
    """What became of a request."""

    DONE = "done"
    IN_PART = "in_part"
    REFUSED = "refused"
    """The person was told why, and where to complain (art. 12(4))."""
    DROPPED = "dropped"
    """The person took it back, or it was noted twice."""


MONTHS = 1
FURTHER_MONTHS = 2


def months_after(day: date, months: int) -> date:
    """The same day of a later month, or its last day where it has no such day (Regulation 1182/71, art. 3(2)(c)).

    A term that ends on a weekend or a holiday runs on to the next working day (art. 3(4)); nobody is told to count on
    that here.
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


@dataclass(frozen=True)
class PersonRequest:
    """One request. ``received_on`` is the day on which it reached the house."""

    name: str
    wishes: tuple[Wish, ...]
    received_on: date
    found: int = 0
    """How many calls there were of the number that it was about."""
    call: str | None = None
    reference: str | None = None
    extended_because: str | None = None
    answered: Answer | None = None

    @property
    def due_on(self) -> date:
        """The last day for an answer: one month, or three when it was extended."""
        return months_after(self.received_on, MONTHS if self.extended_because is None else MONTHS + FURTHER_MONTHS)

    def days_left(self, today: date) -> int:
        """Until the last day; less than 0 when it is over."""
        return (self.due_on - today).days

    def may_be_extended(self, today: date) -> bool:
        """Once, and the person learns of it within the first month."""
        return self.answered is None and self.extended_because is None and today <= self.due_on


class Row(Protocol):
    """What is read of a row."""

    @property
    def turn(self) -> str: ...
    @property
    def at(self) -> datetime: ...
    @property
    def evidence(self) -> Mapping[str, Any]: ...


TURNS = (Turn.REQUEST_RECEIVED, Turn.REQUEST_EXTENDED, Turn.REQUEST_ANSWERED)


def requests_of(rows: Iterable[Row]) -> list[PersonRequest]:
    """Of rows as they were written; the next one due first, then what is answered, the newest first."""
    found: dict[str, PersonRequest] = {}
    for row in rows:
        said = row.evidence
        name = str(said.get("request"))
        if row.turn == Turn.REQUEST_RECEIVED:
            found[name] = PersonRequest(
                name,
                tuple(map(Wish, said["wishes"])),
                date.fromisoformat(said["received_on"]),
                said.get("found", 0),
                said.get("call"),
                said.get("reference"),
            )
        elif name in found and row.turn == Turn.REQUEST_EXTENDED:
            found[name] = replace(found[name], extended_because=str(said["why"]))
        elif name in found and row.turn == Turn.REQUEST_ANSWERED:
            found[name] = replace(found[name], answered=Answer(said["answer"]))
    still = sorted((one for one in found.values() if one.answered is None), key=lambda one: one.due_on)
    over = sorted((one for one in found.values() if one.answered), key=lambda one: one.received_on, reverse=True)
    return [*still, *over]
