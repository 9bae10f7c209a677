"""Writes the pages of docs/ that come from the code: the dialogue's diagram and the command line's help.

Run ``.venv/bin/python docs/generate.py`` after a change to either; the tests compare.
"""

from __future__ import annotations

import itertools
from collections import defaultdict, deque
from pathlib import Path

import click

from consentivr.cli import main
from consentivr.core import dialogue
from consentivr.core.consent import AnswerOutcome, Attempt, ConsentDecision
from consentivr.core.dialogue import CallPolicy, Phase, State, step
from consentivr.core.recording import RecordingMode, verdict

DOCS = Path(__file__).resolve().parent

_EVENTS: dict[str, dialogue.Event] = {
    "call arrives": dialogue.Arrived(),
    "row durable": dialogue.Committed(),
    "row not durable": dialogue.CommitFailed(""),
    "agent answers": dialogue.AgentAnswered(),
    "queue ends without agent": dialogue.QueueLeft(""),
    "channel gone": dialogue.ChannelGone(""),
    "switch silent": dialogue.TimedOut(),
    "our failure": dialogue.Failed(""),
    "socket lost": dialogue.Disconnected(),
    "caller hangs up": dialogue.HungUp(""),
}
_ANSWERS = {
    "consent key": Attempt(AnswerOutcome.KEY, "1"),
    "objection key": Attempt(AnswerOutcome.KEY, "9"),
    "wrong key": Attempt(AnswerOutcome.WRONG_KEY, "5"),
    "silence": Attempt(AnswerOutcome.SILENCE),
    "prompt missing": Attempt(AnswerOutcome.NOT_ASKED),
}


def transitions(policy: CallPolicy) -> dict[tuple[Phase, Phase], list[str]]:
    """From every reachable state: which events lead from phase to phase."""
    start = State()
    known, todo = {start}, deque([start])
    found: dict[tuple[Phase, Phase], set[str]] = defaultdict(set)
    while todo:
        state = todo.popleft()
        answers = {name: dialogue.Answered(len(state.attempts) + 1, attempt) for name, attempt in _ANSWERS.items()}
        for name, event in {**_EVENTS, **answers}.items():
            after, actions = step(policy, state, event)
            if after.phase is not state.phase or any(isinstance(action, dialogue.Ask) for action in actions):
                asked_again = after.phase is state.phase
                found[state.phase, after.phase].add(f"{name}, asked again" if asked_again else name)
            if after not in known:
                known.add(after)
                todo.append(after)
    return {pair: sorted(names) for pair, names in sorted(found.items())}


def dialogue_page() -> str:
    """docs/dialogue.md."""
    lines = [
        "# The dialogue",
        "",
        "Generated from `consentivr/core/dialogue.py` and `recording.py` by `docs/generate.py`; do not edit.",
        "",
        "A call on a queue that asks, with two attempts. Whatever happens before the queue leads into it.",
        "",
        "```mermaid",
        "stateDiagram-v2",
        "    [*] --> arriving",
    ]
    for (before, after), names in transitions(CallPolicy(RecordingMode.PERMANENT_OPT_OUT, max_attempts=2)).items():
        lines.append(f"    {before.value} --> {after.value}: {' / '.join(names)}")
    lines += [
        "    ended --> [*]",
        "```",
        "",
        "## The verdict",
        "",
        "| mode | decision | row durable | recorded | because |",
    ]
    lines.append("|---|---|---|---|---|")
    for mode, decision, durable in itertools.product(RecordingMode, ConsentDecision, (True, False)):
        said = verdict(mode, decision, durable=durable)
        yes = {True: "yes", False: "no"}
        lines.append(
            f"| `{mode.value}` | {decision.value} | {yes[durable]} | **{yes[said.record]}** | {said.reason.value} |"
        )
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


PAGES = {"dialogue.md": dialogue_page, "commands.md": commands_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
