"""What the watch needs to know of the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from consentivr.asking.line import Line
from consentivr.core.callers import WhoseNumber
from consentivr.core.policy import RecordingMode, TalkPolicy


@dataclass(frozen=True)
class House:
    """Lines by their names, queues by mod_callcenter's names; times in seconds."""

    lines: Mapping[str, Line]
    policies: Mapping[tuple[str, str], TalkPolicy]
    """What decides in a talk, by the line that asked and the queue where it is."""
    folder: str
    """Where recordings lie."""
    stereo: bool
    numbers: Mapping[str, str] = field(default_factory=dict)
    """What callers dial to reach a line, by its name."""
    users: Mapping[str, str] = field(default_factory=dict)
    """Agents by the user of the directory (``user@domain``) that is dialled to reach them."""
    commit_timeout: float = 0.5
    sweep_s: float = 5.0
    remind_paused_s: float | None = None
    """So long after a pause began the agent is told that it goes on; again and again."""
    resume_after_s: float | None = None
    """So long after a pause began it ends by itself; None: never."""
    whose_number: WhoseNumber = WhoseNumber.GIVEN

    def policy(self, line: str, queue: str) -> TalkPolicy:
        """A queue or a line that we do not know permits nothing."""
        return self.policies.get((line, queue)) or TalkPolicy(RecordingMode.OFF)
