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
from consentivr.core.recording import RecordingMode, Verdict, verdict

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


def verdict_rows(mode: RecordingMode) -> list[str]:
    """One mode's lines of the table. A condition that changes nothing in what is left is shown as a dash."""
    conditions = ("durable", "agent_agreed", "is_nth", "agent_started")
    rows: list[str] = []

    def outcomes(decision: ConsentDecision, known: dict[str, bool]) -> list[Verdict]:
        left = [name for name in conditions if name not in known]
        return [
            verdict(mode, decision, **known, **dict(zip(left, values, strict=True)))
            for values in itertools.product((True, False), repeat=len(left))
        ]

    def split(decision: ConsentDecision, known: dict[str, bool]) -> None:
        for name in conditions:
            if name not in known and outcomes(decision, known | {name: True}) != outcomes(
                decision, known | {name: False}
            ):
                split(decision, known | {name: False})
                split(decision, known | {name: True})
                return
        (said,) = set(outcomes(decision, known))
        cells = [{True: "yes", False: "no", None: "-"}[known.get(name)] for name in conditions]
        shown = [f"`{mode.value}`", decision.value, *cells, "**yes**" if said.record else "no", said.reason.value]
        rows.append(f"| {' | '.join(shown)} |")

    for decision in ConsentDecision:
        split(decision, {})
    return rows


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
        "Of a talk, from what is known of caller and agent: every combination; what changes nothing is a dash.",
        "Precedence: statute, then the caller's no or silence, then the agent's missing consent, then the mode.",
        "",
        "| mode | decision | row durable | agent agreed | n-th call | agent started | recorded | because |",
        "|---|---|---|---|---|---|---|---|",
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


PAGES = {"dialogue.md": dialogue_page, "commands.md": commands_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
