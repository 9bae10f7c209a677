"""A plan is done step by step, each noted before it is begun; and undone the other way round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from consentivr.setup.facts import CannotAsk
from consentivr.setup.journal import Begun, Journal
from consentivr.setup.machine import CannotDo, rights_of
from consentivr.setup.steps import KINDS, EditFile, Here, Kept, Left, Step, WriteFile


def pending(steps: Sequence[Step], here: Here, journal: Journal) -> list[Step]:
    """What is left to do of a plan. Raises OSError, CannotDo, CannotAsk."""
    begun = journal.begun()
    last = max((n for n, step in enumerate(begun) if step.kind in (WriteFile.__name__, EditFile.__name__)), default=-1)
    told = [(step.kind, step.fields) for step in begun[last + 1 :] if step.done]
    return [
        step
        for step in steps
        if ((type(step).__name__, step.as_fields()) not in told if step.follows else not step.is_done(here))
    ]


def do(steps: Sequence[Step], here: Here, journal: Journal, tell: Callable[[str], None]) -> None:
    """Do what is not done yet. Raises OSError, CannotDo, CannotAsk; what was done by then can be undone, or gone on
    with."""
    written = {step.fields["path"]: step for step in journal.begun() if step.kind == WriteFile.__name__}
    left = pending(steps, here, journal)
    told = any(not step.follows for step in left)
    for step in steps:
        if not (step in left or (step.follows and told)):
            _take_over(step, written, journal)
            continue
        number = journal.begin(type(step).__name__, step.as_fields(), step.before(here))
        step.do(here)
        journal.done(number)
        tell(step.short)


def undo(here: Here, journal: Journal, tell: Callable[[str], None]) -> list[str]:
    """Undo all that was begun: first what starts and stops us, and files, then what the switch was told.

    Returns what is left, and why; it stays in the journal. Raises OSError, ValueError when that cannot be read.
    """
    begun = [(step, _step_of(step)) for step in reversed(journal.begun())]
    left = []
    for noted, step in sorted(begun, key=lambda pair: pair[1].of_switch):
        try:
            step.undo(here, noted.before)
        except Kept as why:
            tell(f"kept: {why}")
            journal.undone(noted)
            continue
        except (Left, CannotDo, CannotAsk, OSError) as error:
            left.append(str(error))
            continue
        journal.undone(noted)
        tell(f"undone: {step.short}")
    if not left:
        journal.end()
    return left


def _take_over(step: Step, written: dict[str, Begun], journal: Journal) -> None:
    """A file that 'consentivr render' has written anew since is setup's all the same, and undone with it."""
    known = written.get(step.path) if isinstance(step, WriteFile) and not step.keep else None
    if known is not None and known.fields["text"] != step.as_fields()["text"]:
        rights = rights_of(Path(known.fields["path"]))
        journal.begin(known.kind, step.as_fields(), {"text": known.fields["text"], "rights": rights, "folders": []})


def _step_of(begun: Begun) -> Step:
    return KINDS[begun.kind](**begun.fields)
