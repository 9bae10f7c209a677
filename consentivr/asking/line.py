"""A number that callers dial, ready to serve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from consentivr.asking.languages import NEITHER, Languages
from consentivr.core.callers import WhoseNumber
from consentivr.core.consent import OnTrial, Variant
from consentivr.core.policy import Announcement, LinePolicy
from consentivr.core.trial import variant_of
from consentivr.prompts import Spoken

GREETING_TIMEOUT_MS = 1500
"""How long we wait for a key after the greeting: who knows it by then, knows it from the question too."""


@dataclass(frozen=True)
class Line:
    """How a line asks, in one language. ``sounds`` by sample rate in Hz, then announcement; times in milliseconds."""

    name: str
    policy: LinePolicy
    queue_name: str
    context: str
    fallback: str
    answer_timeout_ms: int
    hear_to_end: bool
    recordings_folder: str
    stereo: bool
    sounds: Mapping[int, Mapping[Announcement, Spoken]]
    whose_number: WhoseNumber = WhoseNumber.GIVEN
    language: str = ""
    languages: Languages = NEITHER
    further: Mapping[str, Line] = field(default_factory=dict)
    """The same line in its further languages."""
    on_trial: OnTrial | None = None
    """Which of two wordings its question is, while they are compared,"""
    other: Line | None = None
    """and the line with the second one, as the first has it."""

    def tried(self, trial: str, second: Line) -> Line:
        """The same line while the wording of ``second`` is on trial."""
        other = replace(second, on_trial=OnTrial(trial, Variant.B))
        return replace(self, on_trial=OnTrial(trial, Variant.A), other=other)

    def asking(self, channel_uuid: str) -> Line:
        """As this caller meets it: with one of two wordings from the first question to the last."""
        if self.on_trial is None or self.other is None:
            return self
        return self.other if variant_of(self.on_trial.trial, channel_uuid) is Variant.B else self

    def speaking(self, language: str | None) -> Line | None:
        """The same line in another language, or its own; None where it lacks that."""
        return self if language == self.language else self.further.get(language or "")

    @property
    def spoken(self) -> frozenset[str]:
        """Every language in which it can ask."""
        return frozenset({self.language, *self.further})

    @cached_property
    def watchdog_s(self) -> int:
        """After so many seconds without a word of ours the switch takes the call to the queue.

        Long enough for every announcement and every attempt; the queue's own waiting is not in it.
        """
        spoken = max(self.sounds.values(), key=lambda sounds: sum(sound.duration_ms for sound in sounds.values()))
        once = sum(sound.duration_ms for sound in spoken.values())
        question = spoken[Announcement.QUESTION].duration_ms if Announcement.QUESTION in spoken else 0
        complaints = max(
            (spoken[a].duration_ms for a in (Announcement.NO_INPUT, Announcement.WRONG_KEY) if a in spoken), default=0
        )
        attempt = question + complaints + self.answer_timeout_ms
        own = once + attempt * self.policy.max_attempts
        if self.further or self.policy.details_key:
            own += GREETING_TIMEOUT_MS + (attempt + self._longest(Announcement.DETAILS)) * self.policy.max_detours
        offers = sum(line._longest(Announcement.LANGUAGE) for line in self.further.values())
        return max(15 + (own + offers) // 1000, *(line.watchdog_s for line in self.further.values()), 0)

    def _longest(self, announcement: Announcement) -> int:
        return max(
            (sounds[announcement].duration_ms for sounds in self.sounds.values() if announcement in sounds), default=0
        )

    def sounds_at(self, rate: int) -> Mapping[Announcement, Spoken]:
        """The announcements for a channel of this sample rate."""
        return self.sounds[max((known for known in self.sounds if known <= rate), default=min(self.sounds))]

    def asking_s(self, sounds: Mapping[Announcement, Spoken]) -> float:
        """How long one putting of the question may take, in seconds, with whatever is played before it."""
        return (sum(sound.duration_ms for sound in sounds.values()) + self.answer_timeout_ms) / 1000
