"""What a caller decided, how we know, and which notice the decision answers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import NamedTuple


class ConsentDecision(str, Enum):
    """GDPR art. 4(11), art. 7: only an active yes is GIVEN; silence is NOT_OBTAINED, not REFUSED.

    WITHDRAWN is a yes that was taken back (art. 7(3)).
    """

    GIVEN = "given"
    REFUSED = "refused"
    NOT_OBTAINED = "not_obtained"
    WITHDRAWN = "withdrawn"


class Reason(str, Enum):
    """Why a decision is what it is."""

    CONSENT_KEY = "consent_key"
    OBJECTION_KEY = "objection_key"
    SILENCE = "silence"
    WRONG_KEY = "wrong_key"
    TOO_EARLY = "too_early"
    HANGUP = "hangup"
    COULD_NOT_ASK = "could_not_ask"
    SWITCH_SILENT = "switch_silent"
    APPLICATION_FAILED = "application_failed"
    CONNECTION_LOST = "connection_lost"
    SERVICE_STOPPED = "service_stopped"
    NOT_ASKED = "not_asked"
    MODE_OFF = "mode_off"
    LEGAL_BASIS = "legal_basis"
    WITHDRAWAL_KEYS = "withdrawal_keys"
    LATE_CONSENT_KEYS = "late_consent_keys"
    OBJECTION_AFTER_CONSENT = "objection_after_consent"
    BY_WORD = "by_word"
    BY_LETTER = "by_letter"
    BY_MAIL = "by_mail"


class AnswerOutcome(str, Enum):
    """How one putting of the question came back from the switch (FREESWITCH.md, section 3)."""

    KEY = "key"
    WRONG_KEY = "wrong_key"
    SILENCE = "silence"
    NOT_ASKED = "not_asked"
    HUNG_UP = "hung_up"
    TOO_EARLY = "too_early"
    """A yes before enough of the question had been heard."""
    DETAILS = "details"
    """The caller wanted to know more, was told, and is asked again."""
    LANGUAGE = "language"
    """The caller chose another language, and is asked again in it."""


DETOURS = frozenset({AnswerOutcome.DETAILS, AnswerOutcome.LANGUAGE})
"""What is no answer to the question, and no failure to answer it."""


class LanguageBy(str, Enum):
    """Why a caller hears a language."""

    LINE = "line"
    PREFIX = "prefix"
    """Of the caller's number."""
    VARIABLE = "variable"
    """Set on the channel before it came to us."""
    KEY = "key"
    """The caller's own choice."""


@dataclass(frozen=True)
class Attempt:
    """One putting of the question.

    ``heard_ms`` is how much of the question's audio was played before it ended or was interrupted
    by a key, in milliseconds; None when the switch did not say. ``asked_at`` is when the question began to
    sound, ``answered_at`` when it was over; UTC, ISO 8601. ``language``: of the question, on a line with several.
    """

    outcome: AnswerOutcome
    key: str | None = None
    heard_ms: int | None = None
    asked_at: str | None = None
    answered_at: str | None = None
    language: str | None = None


@lru_cache(maxsize=256)
def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


@dataclass(frozen=True)
class NoticeVersion:
    """The exact notice that a caller heard: language, wording, and the audio it was spoken with."""

    language: str
    text: str
    audio_sha256: str
    duration_ms: int

    @property
    def digest(self) -> str:
        """SHA-256 over language, text and audio hash: the version that evidence refers to."""
        return _sha256("\x00".join((self.language, self.text, self.audio_sha256)))


@dataclass(frozen=True)
class Consent:
    """A decision with its evidence."""

    decision: ConsentDecision
    reason: Reason
    attempts: tuple[Attempt, ...] = ()

    @property
    def key(self) -> str | None:
        """The key of the last attempt, if one was pressed."""
        return self.attempts[-1].key if self.attempts else None

    @property
    def heard_ms(self) -> int | None:
        """How much of the question the caller had heard when it was answered, in milliseconds."""
        return self.attempts[-1].heard_ms if self.attempts else None


class Variant(str, Enum):
    """Of two wordings on trial (``core.trial``): the line's own, and the other one."""

    A = "a"
    B = "b"


class OnTrial(NamedTuple):
    """Which one a caller hears, in the trial of this name."""

    trial: str
    variant: Variant


@dataclass(frozen=True)
class Notice:
    """The wording that this caller is asked or told with: digest (``NoticeVersion``), length, language and why it.

    ``wanted``: the language that the channel or the number asked for, where that is another one, which the line lacks.
    """

    digest: str
    duration_ms: int
    language: str
    by: LanguageBy = LanguageBy.LINE
    wanted: str | None = None
    on_trial: OnTrial | None = None
