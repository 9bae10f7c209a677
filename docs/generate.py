"""Writes what comes from the code: the dialogue's diagram, the command line's help, the settings, a sample of them,
who may do what at the console.

Run ``.venv/bin/python docs/generate.py`` after a change to either; the tests compare.
"""

from __future__ import annotations

import inspect
import itertools
import re
from collections import defaultdict, deque
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_origin

import click
import yaml
from pydantic.fields import FieldInfo

from consentivr.cli import main
from consentivr.config import load
from consentivr.config.model import Configuration
from consentivr.config.sample import commented
from consentivr.config.values import Section, written
from consentivr.console.words import WORDS
from consentivr.core import events as ev
from consentivr.core.actions import Ask
from consentivr.core.consent import AnswerOutcome, Attempt, ConsentDecision, Notice
from consentivr.core.dialogue import step
from consentivr.core.policy import LinePolicy, RecordingMode
from consentivr.core.roles import RIGHTS, Role
from consentivr.core.state import AskingState, Phase
from consentivr.core.turns import Withheld
from consentivr.core.verdict import Do, Permission, Verdict, verdict
from consentivr.service.build import FIXED

DOCS = Path(__file__).resolve().parent

_POLICY = LinePolicy(RecordingMode.PERMANENT_OPT_OUT, max_attempts=2, min_heard_ms=1, max_detours=1)
_OTHER = Notice("", 0, "en")
_EVENTS: dict[str, ev.AskingEvent] = {
    "call arrives": ev.Arrived(),
    "call arrives on a line with languages": ev.Arrived(offers=True),
    "greeted": ev.Greeted(),
    "greeted, language key": ev.Greeted(_OTHER),
    "objection key pressed": ev.CallerPressed("9"),
    "row durable": ev.Committed(Withheld("")),
    "row not durable": ev.CommitFailed(Withheld(""), ""),
    "announced": ev.Announced(),
    "in the queue": ev.Joined(),
    "caller hangs up": ev.HungUp(),
    "channel gone": ev.ChannelGone(""),
    "switch silent": ev.TimedOut(),
    "our failure": ev.Failed(""),
    "socket lost": ev.Disconnected(),
    "service stops": ev.ServiceStops(),
}
_ANSWERS = {
    "consent key": Attempt(AnswerOutcome.KEY, "1", 1),
    "consent key too early": Attempt(AnswerOutcome.KEY, "1", 0),
    "objection key": Attempt(AnswerOutcome.KEY, "9", 1),
    "wrong key": Attempt(AnswerOutcome.WRONG_KEY, "5", 0),
    "silence": Attempt(AnswerOutcome.SILENCE, None, 0),
    "details key": Attempt(AnswerOutcome.DETAILS, "3", 0),
    "language key": Attempt(AnswerOutcome.LANGUAGE, "2", 0),
    "prompt missing": Attempt(AnswerOutcome.NOT_ASKED),
    "hung up": Attempt(AnswerOutcome.HUNG_UP),
}


def events_in(state: AskingState) -> dict[str, ev.AskingEvent]:
    """Everything that can happen to a call, by its name in the diagram."""
    answers: dict[str, ev.AskingEvent] = {}
    for name, attempt in _ANSWERS.items():
        agreed = attempt.key == _POLICY.consent_key and state.pressed == _POLICY.objection_key
        notice = _OTHER if attempt.outcome is AnswerOutcome.LANGUAGE else None
        number = len(state.attempts) + 1
        answers["both keys, the objection last" if agreed else name] = ev.Answered(number, attempt, notice)
    return {**_EVENTS, **answers}


def transitions(policy: LinePolicy) -> dict[tuple[Phase, Phase], list[str]]:
    """From every reachable state: which events lead from phase to phase, or make us do something in the same."""
    start = AskingState()
    known, todo = {start}, deque([start])
    found: dict[tuple[Phase, Phase], set[str]] = defaultdict(set)
    while todo:
        state = todo.popleft()
        for name, event in events_in(state).items():
            after, actions = step(policy, state, event)
            if after.phase is not state.phase or actions:
                asked_again = after.phase is state.phase and any(isinstance(action, Ask) for action in actions)
                found[state.phase, after.phase].add(f"{name}, asked again" if asked_again else name)
            if after not in known:
                known.add(after)
                todo.append(after)
    phases = list(Phase)
    in_order = sorted(found.items(), key=lambda pair: [phases.index(phase) for phase in pair[0]])
    return {pair: sorted(names) for pair, names in in_order}


_BOTH: list[tuple[str, object]] = [("no", False), ("yes", True)]
_CONDITIONS: dict[str, list[tuple[str, object]]] = {
    "durable": _BOTH,
    "purpose_agreed": _BOTH,
    "others": [
        ("another caller said no", {Permission.REFUSED}),
        ("somebody unknown", {Permission.UNKNOWN}),
        ("an agent has not agreed", {Permission.NOT_AGREED}),
        ("all agreed", {Permission.AGREED}),
    ],
    "held": _BOTH[::-1],
    "paused": _BOTH[::-1],
    "is_nth": _BOTH,
    "agent_wants": _BOTH,
}
_SHOWN = {Do.RECORD: "**record**", Do.MASK: "silence", Do.NOTHING: "ours not", Do.STOP: "stop all"}


def verdict_rows(mode: RecordingMode) -> list[str]:
    """One mode's lines of the table. A condition that changes nothing in what is left is shown as a dash."""
    rows: list[str] = []

    def outcomes(decision: ConsentDecision, known: dict[str, tuple[str, object]]) -> list[Verdict]:
        choices = [[known[name]] if name in known else values for name, values in _CONDITIONS.items()]
        talks = ([value for _, value in chosen] for chosen in itertools.product(*choices))
        return [verdict(mode, decision, **dict(zip(_CONDITIONS, talk, strict=True))) for talk in talks]  # type: ignore

    def split(decision: ConsentDecision, known: dict[str, tuple[str, object]]) -> None:
        for name, values in _CONDITIONS.items():
            if name in known:
                continue
            following = [outcomes(decision, known | {name: value}) for value in values]
            if any(others != following[0] for others in following):
                for value in values:
                    split(decision, known | {name: value})
                return
        (said,) = set(outcomes(decision, known))
        cells = [known[name][0] if name in known else "-" for name in _CONDITIONS]
        shown = [f"`{mode.value}`", decision.value, *cells, _SHOWN[said.do], said.reason.value]
        rows.append(f"| {' | '.join(shown)} |")

    for decision in ConsentDecision:
        split(decision, {})
    return rows


def dialogue_page() -> str:
    """docs/dialogue.md."""
    lines = [
        "# The dialogue",
        "",
        "Generated from `consentivr/core/dialogue.py` and `verdict.py` by `docs/generate.py`; do not edit.",
        "",
        "A call on a queue that asks, with two attempts, and one for who wants details or another language. Whatever",
        "happens before the queue leads into it; `ended` is where the outbound socket is closed, and the watch goes on",
        "with the conversation.",
        "",
        "```mermaid",
        "stateDiagram-v2",
        "    [*] --> arriving",
    ]
    for (before, after), names in transitions(_POLICY).items():
        lines.append(f"    {before.value} --> {after.value}: {' / '.join(names)}")
    lines += [
        "    ended --> [*]",
        "```",
        "",
        "## The verdict",
        "",
        "Of a talk, from what is known of everybody who is heard: every combination; what changes nothing is a dash.",
        "Precedence: statute, then the caller's no or silence, then any party without permission, then the agent's",
        "missing consent, then hold and pause, then the mode. *Stop all*: whatever records is stopped. *Silence*:",
        "nothing starts, and what runs hears silence. *Ours not*: what others record with permission is theirs.",
        "",
        "| mode | decision | row durable | for this purpose | others | on hold | paused | n-th call | agent wants it"
        " | recorders | because |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for mode in RecordingMode:
        lines += verdict_rows(mode)
    return "\n".join(lines) + "\n"


def commands_page() -> str:
    """docs/commands.md."""
    parts = [
        "# The command line",
        "",
        "Generated from the program by `docs/generate.py`; do not edit. Exit 0 is good, 1 is a finding, 2 is a usage",
        "or configuration error.",
    ]

    def describe(command: click.Command, path: str, parent: click.Context | None) -> None:
        context = click.Context(command, info_name=path.rpartition(" ")[2], parent=parent, **command.context_settings)
        parts.extend(["", f"## {path}", "", "```", command.get_help(context).strip(), "```"])
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                inner = command.get_command(context, name)
                assert inner is not None
                describe(inner, f"{path} {name}", context)

    describe(main, "consentivr", None)
    return "\n".join(line.rstrip() for line in "\n".join(parts).splitlines()) + "\n"


def settings(section: type[Section] = Configuration, path: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every key of the configuration. ``*`` stands for a name of yours, ``[]`` for each item of a list."""
    for name, field in section.model_fields.items():
        yield f"{path}{name}", field
        container = container_of(field.annotation)
        mark = ".*" if container is dict else "[]" if container is tuple else ""
        for inner in sections_in(field.annotation):
            yield from settings(inner, f"{path}{name}{mark}.")


def sections_in(annotation: object) -> list[type[Section]]:
    """What stands below a key: none for a plain value."""
    if inspect.isclass(annotation) and issubclass(annotation, Section):
        return [annotation]
    return [section for kind in get_args(annotation) for section in sections_in(kind)]


def container_of(annotation: object) -> object:
    """``dict`` or ``tuple``, where a key holds several of something."""
    if get_origin(annotation) in (dict, tuple):
        return get_origin(annotation)
    return next((found for kind in get_args(annotation) if (found := container_of(kind))), None)


def default_of(field: FieldInfo) -> str:
    """As it would be written."""
    if field.is_required():
        return "must be given"
    value = written(field.get_default(call_default_factory=True))
    if value is None or value in ([], {}):
        return "-"
    text = str(value).lower() if isinstance(value, bool) else value
    told = yaml.safe_dump(text, default_flow_style=True, width=1000).removesuffix("\n...\n").strip()
    return f"`{told.strip(chr(39))}`"


def settings_page() -> str:
    """docs/settings.md."""
    lines = [
        "# Every setting",
        "",
        "Generated from the program by `docs/generate.py`; do not edit. The file is `/etc/consentivr/consentivr.yaml`",
        "(`--config` names another). `consentivr config example` prints one, `consentivr config schema`",
        "helps your editor, and `consentivr check` finds mistakes, each with its line. An unknown key is a mistake.",
        "",
        "`*` stands for a name of yours, `[]` for each item of a list. -: nothing, unless you say something.",
    ]
    for name, field in Configuration.model_fields.items():
        says = field.description or next((inspect.getdoc(section) for section in sections_in(field.annotation)), None)
        waits = ["A change waits for the next start of `serve`: see [running.md](running.md#a-new-configuration)."]
        lines += ["", f"## {name}", "", cell(says), *(["", *waits] if name in FIXED else [])]
        inner = [(path, each) for path, each in settings() if re.match(rf"{name}\b.*\.", path)]
        if inner:
            lines += ["", "| | as it is | |", "|---|---|---|"]
        elif field.default:
            lines += ["", f"As it is: {default_of(field)}."]
        for path, each in inner:
            told_before = path.startswith("lines.*.question.")
            if each.description and not told_before:
                lines.append(f"| `{path}` | {default_of(each)} | {cell(each.description)} |")
    return "\n".join(lines) + "\n"


def cell(text: str | None) -> str:
    """In one line of a table."""
    return " ".join((text or "").split()).replace("|", "\\|").replace("<", "&lt;")


def sample() -> str:
    """config/consentivr.yaml: its own values, with every key and what the model says of it."""
    return commented(load(DOCS.parent / "config" / "consentivr.yaml"))


def console_page() -> str:
    """docs/console.md: as it is, with who may do what."""
    words = WORDS["en"]
    lines = [f"| | {' | '.join(words[f'frame.{role.value}'] for role in Role)} |", "|---|" + "---|" * len(Role)]
    for right, roles in RIGHTS.items():
        cells = ["yes" if role in roles else "" for role in Role]
        lines.append(f"| {words[f'rights.{right.value}']} | {' | '.join(cells)} |")
    before, _, rest = (DOCS / "console.md").read_text(encoding="utf-8").partition("<!-- roles -->\n")
    return "\n".join([f"{before}<!-- roles -->", *lines, f"<!-- end -->{rest.partition('<!-- end -->')[2]}"])


PAGES = {
    "dialogue.md": dialogue_page,
    "commands.md": commands_page,
    "settings.md": settings_page,
    "console.md": console_page,
    "../config/consentivr.yaml": sample,
}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
