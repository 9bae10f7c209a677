"""What a row of the table found, before it has the row's name; and what several rows say alike."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from consentivr.check.finding import Element, Level

RECORDING = ("record_session", "record_fsv", "oreka_record", "snapshot", "uuid_record", "telecast", "httapi", "rayo")
"""Applications and commands that record, or let somebody else: in a dialplan, behind a key, in a variable."""
LISTENING = ("eavesdrop", "userspy", "uuid_eavesdrop")

_BEFORE, _AFTER = r"(?<![\w./-])", r"(?=$|[\s:,;'\"(}\])])"
RECORDS = re.compile(f"{_BEFORE}({'|'.join(RECORDING)}){_AFTER}")
LISTENS = re.compile(f"{_BEFORE}({'|'.join(LISTENING)}){_AFTER}")
RUNS_BY_ITSELF = re.compile(r"(?:execute|api)_on_\w+", re.ASCII)
"""Variables whose value is executed when something happens on a leg."""

ELSEWHERE = re.compile(r"([a-z][a-z0-9_+.-]*)://", re.IGNORECASE)
_STREAMS = frozenset({"tone_stream", "silence_stream", "local_stream", "file_string", "say", "phrase"})


@dataclass(frozen=True)
class Found:
    """Something that a row does not call good; ``subject`` tells it from the others of its row."""

    level: Level
    subject: str
    said: str
    mend: str
    setting: str
    element: Element | None = None


def bad(subject: str, said: str, mend: str, setting: str, element: Element | None = None) -> Found:
    return Found(Level.BAD, subject, said, mend, setting, element)


def warning(subject: str, said: str, mend: str, setting: str, element: Element | None = None) -> Found:
    return Found(Level.WARNING, subject, said, mend, setting, element)


def not_seen(subject: str, said: str, mend: str = "", setting: str = "") -> Found:
    return Found(Level.NOT_SEEN, subject, said, mend, setting)


@dataclass(frozen=True)
class Wanted:
    """What our configuration wants of a switch."""

    queues: Mapping[str, str | None] = field(default_factory=dict)
    """The ``record-template`` of each queue, by mod_callcenter's names; None for none."""
    demanded: frozenset[str] = frozenset()
    """Queues whose recording a statute demands."""
    users: tuple[str, ...] = ()
    """Users of the directory (``user@domain``) who are agents."""
    context: str = "public"
    extensions: tuple[str, ...] = ()
    """Of our lines, by their names in the dialplan; they stand in ``context`` and dial ``hosts``."""
    hosts: str = ""
    secret: str | None = field(default=None, repr=False)
    """By which the dialplan proves itself."""
    default_password: bool = False
    """Whether we sign in with the password that FreeSWITCH comes with."""
    known: Mapping[str, str] = field(default_factory=dict)
    """Findings that somebody answers for, by their names, with the reason."""


def shown(value: str) -> str:
    """A value of the switch's, short, without what may be a secret (in an address) or a number."""
    value = re.sub(r"([a-z0-9_+.-]+://)[^\s'\"]*", r"\1...", value, flags=re.IGNORECASE)
    value = re.sub(r"\d{5,}", "...", value)
    return value if len(value) <= 80 else f"{value[:77]}..."


def when(now: bool, next_: bool) -> str:
    """Whether something is so now, or comes with the next load."""
    if now and next_:
        return "now, and after the next load"
    return "as it is loaded now; the next load takes it away" if now else "not yet, but the next load brings it"


def leads_elsewhere(value: str) -> bool:
    """Whether a recording would go to where no file of ours is: an address."""
    return any(found[1].casefold() not in _STREAMS for found in ELSEWHERE.finditer(value))


def some(names: list[str]) -> str:
    """A few names, and how many there are."""
    return ", ".join(shown(name) for name in names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
