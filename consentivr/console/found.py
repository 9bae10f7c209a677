"""Whom somebody looked for: kept on the server, in the session, and gone with it. No address has the number."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from consentivr.custody import ErasedPerson, Withdrawal

MOST = 20
"""People whose pages one session has open; the oldest goes."""


@dataclass
class Found:
    """A number that somebody looked for, and what has been done about it since."""

    number: str
    why: str
    request: str | None = None
    """The name of what the person asked for."""
    identity: str = ""
    """How it was made sure that it is the person who asks (GDPR art. 12(6))."""
    erasing: tuple[str, ...] = ()
    """The channels whose erasure was ordered here: it goes on with them, also when the number finds them no more."""
    erased: ErasedPerson | None = None
    taken_back: Withdrawal | None = None
    unreached: dict[str, str] = field(default_factory=dict)
    """Calls under way that went on, and why."""
    to_do: list[str] = field(default_factory=list)
    """What is left to somebody else, in the words of the database."""


def remember(people: dict[str, Found], found: Found) -> str:
    """The name of its page."""
    while len(people) >= MOST:
        del people[next(iter(people))]
    handle = secrets.token_urlsafe(16)
    people[handle] = found
    return handle
