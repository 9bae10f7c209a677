"""Where callers wait, and what is recorded of their talks: 'queues', 'talks'."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from consentivr.config.values import Number, PastDay, Section, SwitchText, SwitchWord, Truth, Whole
from consentivr.core.policy import Outsiders, RecordingMode, Taps, WhileHeld
from consentivr.core.retention import RetentionTerms
from consentivr.core.statutes import Confirmation, refusal


class Unanswered(Section):
    """What follows when the queue ends without an agent: the announcement 'unanswered', then this."""

    then: Literal["hangup", "transfer"] = Field("hangup", description="'hangup' or 'transfer'.")
    extension: Number | None = Field(
        None, description="With 'transfer': the extension, in the context of the lines.", examples=["6000"]
    )

    @model_validator(mode="after")
    def _extension_goes_with_transfer(self) -> Unanswered:
        if (self.then == "transfer") != (self.extension is not None):
            raise ValueError("'extension' goes with 'then: transfer', and only with it")
        return self


class Retention(Section):
    """How long a queue's calls are kept after their end. Without a number: for ever."""

    audio_days: Whole | None = Field(
        None, ge=0, le=36_500, description="Days until a call's recordings are erased.", examples=[90]
    )
    rows_days: Whole | None = Field(
        None,
        ge=0,
        le=36_500,
        description="Days until the ledger forgets the call; not fewer than audio_days.",
        examples=[1095],
    )
    refusals_days: Whole | None = Field(
        None,
        ge=0,
        le=36_500,
        description="The same for calls of who did not agree, where nothing was recorded. Without it: rows_days.",
        examples=[90],
    )

    @model_validator(mode="after")
    def _rows_explain_audio(self) -> Retention:
        self.terms()
        return self

    def terms(self) -> RetentionTerms:
        """For core.retention."""
        return RetentionTerms(self.audio_days, self.rows_days, self.refusals_days)


class Recording(Section):
    """How a queue records."""

    mode: RecordingMode = Field(
        RecordingMode.PERMANENT_OPT_OUT,
        description="off | caller_opt_in | permanent_opt_out | permanent | every_nth | manual.",
    )
    every: Whole | None = Field(
        None,
        ge=2,
        le=10_000,
        description="Only with 'every_nth', and required there: of each agent's consenting calls.",
        examples=[5],
    )
    erase_withdrawn: Truth = Field(
        True, description="Whether a yes that is taken back erases what was recorded (GDPR art. 17(1)(b))."
    )
    kept_because: SwitchText | None = Field(
        None,
        description="Only with 'erase_withdrawn: false', and required there: the other legal ground on which what was "
        "recorded is kept (GDPR art. 17(1)(b), 17(3)). It goes into the row of each withdrawal.",
        examples=["art. 17(3)(e): claims of a pending case"],
    )
    purpose: SwitchText = Field("quality assurance", description="What the recordings are for (GDPR art. 5(1)(b)).")
    legal_basis: SwitchText | None = Field(
        None,
        description="Only with 'permanent', and required there: the statute that demands the recording, one of "
        "'consentivr privacy statutes'. Consent is no basis for a recording that the caller cannot decline.",
        examples=["WpHG § 83"],
    )
    confirmed_by: SwitchText | None = Field(
        None,
        min_length=3,
        description="For a statute that is not in the list: who confirmed that it demands the recording. It goes, with "
        "the day, into every decision row.",
        examples=["A. Adler, data protection officer"],
    )
    confirmed_on: PastDay | None = Field(None, description="The day of that: YYYY-MM-DD.", examples=["2026-11-01"])

    @model_validator(mode="after")
    def _every_goes_with_every_nth(self) -> Recording:
        if (self.mode is RecordingMode.EVERY_NTH) != (self.every is not None):
            raise ValueError("'every' goes with mode 'every_nth', and only with it")
        return self

    @model_validator(mode="after")
    def _what_is_kept_has_a_ground(self) -> Recording:
        stated = self.kept_because is not None and bool(self.kept_because.strip())
        if self.mode.asks and not self.erase_withdrawn and not stated:
            raise ValueError(
                "'erase_withdrawn: false' needs 'kept_because': the legal ground on which a recording is kept although "
                "its consent was taken back (GDPR art. 17(1)(b))"
            )
        if self.kept_because is not None and (self.erase_withdrawn or not self.mode.asks):
            raise ValueError("'kept_because' goes with 'erase_withdrawn: false' in a mode that asks")
        return self

    @model_validator(mode="after")
    def _confirmed_by_somebody_on_a_day(self) -> Recording:
        if (self.confirmed_by is None) != (self.confirmed_on is None):
            raise ValueError("'confirmed_by' and 'confirmed_on' go together")
        return self

    @model_validator(mode="after")
    def _permanent_needs_a_statute(self) -> Recording:
        if self.mode is RecordingMode.PERMANENT:
            if self.legal_basis is None or not self.legal_basis.strip():
                raise ValueError("mode 'permanent' needs a legal_basis: the statute that demands the recording")
            if (why := refusal(self.legal_basis, self.confirmation() is not None)) is not None:
                raise ValueError(f"legal_basis {why}")
        elif self.legal_basis is not None or self.confirmed_by is not None:
            raise ValueError("legal_basis goes with mode 'permanent' only; elsewhere consent is the basis")
        return self

    def confirmation(self) -> Confirmation | None:
        """Who confirmed that the law demands the recording."""
        if self.confirmed_by is None or self.confirmed_on is None:
            return None
        return Confirmation(self.confirmed_by, self.confirmed_on)


class QueueConfiguration(Section):
    """One mod_callcenter queue."""

    name: SwitchWord = Field(..., description="Its name in mod_callcenter, such as support@default.")
    recording: Recording = Field(default_factory=Recording)
    retention: Retention = Field(default_factory=Retention)
    strategy: Literal[
        "ring-all",
        "longest-idle-agent",
        "round-robin",
        "top-down",
        "agent-with-least-talk-time",
        "agent-with-fewest-calls",
        "sequentially-by-agent-order",
        "random",
        "ring-progressively",
    ] = Field("longest-idle-agent", description="mod_callcenter's strategy.")
    music: SwitchText = Field("local_stream://moh", description="What waiting callers hear.")
    max_wait_s: Whole = Field(0, ge=0, le=86_400, description="Seconds until the queue gives up; 0 is never.")
    max_wait_no_agent_s: Whole = Field(
        0, ge=0, le=86_400, description="The same while no agent is logged in; 0 is never."
    )
    unanswered: Unanswered = Field(default_factory=Unanswered)


class Talks(Section):
    """What a recorder hears while a talk goes on."""

    while_held: WhileHeld = Field(
        WhileHeld.SILENCE, description="silence | record: while somebody is on hold, or waits for a consultation."
    )
    outsiders: Outsiders = Field(
        Outsiders.SILENCE,
        description="silence | announce | allow: while somebody is heard who is neither the caller nor a known agent. "
        "'announce' plays 'outsider' and records on; you need a basis for that, and for 'allow'.",
    )
    taps: Taps = Field(
        Taps.ALARM,
        description="note | alarm | end: when something else than a recorder listens to a caller who did not agree.",
    )
