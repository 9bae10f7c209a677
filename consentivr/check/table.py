"""What defeats consent on a switch: each row is a question, what must be answered for it, and who judges the answers.

A row is good only when everything that it asks was answered, and nothing was found: that is seen to here, for all rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from consentivr import switch
from consentivr.check import door, evidence, leaks, listeners, ours, recorders
from consentivr.check.answers import GATEWAYS, SCRIPTS, Answers
from consentivr.check.finding import Finding, Level
from consentivr.check.found import Found, Wanted, shown

Judge = Callable[[Answers, Wanted], Iterator[Found]]
More = Callable[[Answers, Wanted], Iterable[str]]

_BOUND = tuple(switch.configuration(name) for name in (*SCRIPTS, *GATEWAYS))
"""Whether a module answers for the dialplan or the directory."""


def _nothing_more(answers: Answers, wanted: Wanted) -> list[str]:
    return []


def _each_profile(answers: Answers, wanted: Wanted) -> list[str]:
    return [switch.profile(name) for name in answers.profiles]


@dataclass(frozen=True)
class Row:
    """``more`` is asked when the rest was answered. ``as_loaded``: whether the switch tells what it has loaded; else
    what the next load gives is all that there is to see."""

    number: int
    name: str
    asks: tuple[str, ...]
    judge: Judge
    more: More = _nothing_more
    as_loaded: bool = True

    @property
    def title(self) -> str:
        return f"{self.number} {self.name}"

    def unseen(self, answers: Answers, wanted: Wanted) -> Mapping[str, str]:
        """What was not answered, and why; not where the module is not loaded that it is about."""
        asked = (*self.asks, *self.more(answers, wanted))
        missing = {command: why for command in asked if (why := answers.why_unseen(command)) is not None}
        return {command: why for command, why in missing.items() if means_something(command, answers)}

    def findings(self, answers: Answers, wanted: Wanted, part: str) -> Iterator[Finding]:
        """At least one."""
        found = list(self.judge(answers, wanted))
        for one in found:
            yield _finding(self, one, wanted, part)
        unseen = self.unseen(answers, wanted)
        if unseen:
            said = "; ".join(f"{_named(command)}: {why}" for command, why in sorted(unseen.items()))
            mend = "give the account of the check the rights for it, or look with 'consentivr check --live'"
            yield _finding(self, Found(Level.NOT_SEEN, "", said, mend, ""), wanted, part)
        elif not found:
            seen = (
                "nothing found"
                if self.as_loaded
                else "nothing found in what the next load gives; the loaded is not told"
            )
            yield Finding(self.title, Level.GOOD, seen, part=part)


def means_something(command: str, answers: Answers) -> bool:
    """Whether a question can be answered at all: not where the module is known not to be loaded."""
    module = switch.module_of(command)
    return module is None or answers.is_loaded(module) is not False


def _named(command: str) -> str:
    """A question, without what it is about where that is long."""
    return command if len(command) < 60 else command.partition("{")[0].strip() + " callcenter_config"


def _finding(row: Row, one: Found, wanted: Wanted, part: str) -> Finding:
    what = f"{row.title}: {shown(one.subject)}" if one.subject else row.title
    reason = wanted.known.get(what)
    if reason is not None:
        return Finding(what, Level.GOOD, one.said, setting=one.setting, part=part, known=reason)
    return Finding(what, one.level, one.said, one.mend, one.setting, part, element=one.element)


_DIALPLAN = (switch.DIALPLAN, switch.MODULES, *_BOUND)
_GLOBALS = (switch.GLOBALS,)

TABLE = (
    Row(0, "ours", (*_GLOBALS, *_DIALPLAN), ours.ours),
    Row(1, "queues", (switch.QUEUES, recorders.CALLCENTER, switch.MODULES), recorders.queues),
    Row(2, "agents", (switch.AGENTS, recorders.CALLCENTER, switch.MODULES, *_GLOBALS), recorders.agents),
    Row(
        3,
        "directory",
        (switch.DIRECTORY, switch.AGENTS, switch.MODULES, *_BOUND),
        recorders.directory,
        recorders.about_users,
    ),
    Row(4, "dialplan", _DIALPLAN, recorders.dialplan),
    Row(5, "telephones", (recorders.SOFIA, switch.MODULES), recorders.telephones, as_loaded=False),
    Row(
        6,
        "conferences",
        (recorders.CONFERENCE, switch.CONFERENCES, *_GLOBALS, *_DIALPLAN),
        recorders.conferences,
    ),
    Row(7, "fifo", (*_GLOBALS, *_DIALPLAN), recorders.fifo),
    Row(8, "modules", (switch.MODULES, switch.APIS), listeners.sound),
    Row(
        9,
        "elsewhere",
        (switch.QUEUES, recorders.CALLCENTER, recorders.SOFIA, recorders.CONFERENCE, *_GLOBALS, *_DIALPLAN),
        recorders.elsewhere,
    ),
    Row(10, "recorders", _GLOBALS, evidence.recorders),
    Row(11, "transfers", (*_GLOBALS, switch.DIRECTORY, *_DIALPLAN), evidence.follow),
    Row(
        12,
        "media",
        (switch.PROFILES, recorders.SOFIA, switch.MODULES, *_GLOBALS),
        evidence.media,
        _each_profile,
    ),
    Row(13, "keys", (recorders.SOFIA, *_GLOBALS, *_DIALPLAN), evidence.keys, as_loaded=False),
    Row(
        14,
        "log",
        (
            switch.LOG,
            switch.MODULES,
            *(switch.configuration(name) for name in ("switch", "logfile", "syslog", "graylog2")),
        ),
        leaks.log,
    ),
    Row(15, "traces", (recorders.SOFIA, switch.PROFILES, switch.MODULES, switch.LOG), leaks.traces),
    Row(16, "events", (switch.MODULES, listeners.MULTICAST), listeners.events),
    Row(
        17,
        "call records",
        (switch.MODULES, *(switch.configuration(name) for name in leaks.CALL_RECORDS.values())),
        leaks.call_records,
    ),
    Row(18, "event socket", (door.EVENT_SOCKET,), door.event_socket, door.access_lists),
)


def first_questions() -> list[str]:
    """What is loaded: much need not be asked of who has not the module."""
    commands = [command for row in TABLE for command in row.asks]
    modules = {module for command in commands if (module := switch.module_of(command)) is not None}
    asked = sorted({*modules, *listeners.TELL_EVENTS, *leaks.CALL_RECORDS})
    return [switch.MODULES, *(switch.is_loaded(module) for module in asked)]


def questions(answers: Answers) -> list[str]:
    """What is asked once it is known what is loaded."""
    commands = dict.fromkeys(command for row in TABLE for command in row.asks if command != switch.LOG)
    return [command for command in commands if means_something(command, answers)]


def more_questions(answers: Answers, wanted: Wanted) -> list[str]:
    """What is asked once that was answered; again, until there is nothing more."""
    return list(dict.fromkeys(command for row in TABLE for command in row.more(answers, wanted)))


def judged(answers: Answers, wanted: Wanted, part: str) -> list[Finding]:
    """All rows."""
    return [finding for row in TABLE for finding in row.findings(answers, wanted, part)]
