"""How callers are asked, and on which numbers: 'question', 'lines', 'sounds'."""

from __future__ import annotations

from pydantic import Field, model_validator

from consentivr.config.values import (
    Day,
    Key,
    KeySequence,
    Language,
    Name,
    Number,
    Prefix,
    Section,
    SpokenText,
    SwitchPath,
    Truth,
    Whole,
)
from consentivr.core.policy import Announcement


class Question(Section):
    """How callers are asked."""

    consent_key: Key = Field("1", description="The key that agrees.")
    objection_key: Key = Field("9", description="The key that objects.")
    details_key: Key | None = Field(
        None,
        description="The key that tells controller, retention, rights, and where to read more ('details'), and asks "
        "again. Needs privacy.controller, contact, notice_at, the queue's retention, and 'consentivr prompts build'.",
        examples=["3"],
    )
    attempts: Whole = Field(3, ge=1, le=10, description="How often the question is put at most.")
    answer_timeout_ms: Whole = Field(
        5000, ge=500, le=60_000, description="How long we wait for a key after the question's end."
    )
    hear_to_end: Truth = Field(False, description="Count a key only once the question has been heard to its end.")
    min_heard_ms: Whole | None = Field(
        None,
        ge=0,
        le=120_000,
        description="So much of the question must have been heard before a yes counts; who presses earlier is asked "
        "again. Without it: up to the mark | in the question's text, else until both keys have been named, as 'prompts "
        "build' measured it; in a file of your own by its share of the letters.",
        examples=[6000],
    )
    withdrawal_keys: KeySequence = Field(
        "*9", description="Takes a yes back while waiting or talking. Name it in the announcement 'question'."
    )
    late_consent_keys: KeySequence | None = Field(
        None,
        description="Says yes after all, while waiting or talking. Name it in the announcement 'refused'.",
        examples=["*1"],
    )

    @model_validator(mode="after")
    def _keys_differ(self) -> Question:
        if self.consent_key == self.objection_key:
            raise ValueError("consent_key and objection_key are the same key")
        if self.details_key in (self.consent_key, self.objection_key):
            raise ValueError("details_key is one of the two other keys")
        if self.withdrawal_keys == self.late_consent_keys:
            raise ValueError("withdrawal_keys and late_consent_keys are the same keys")
        return self


class FurtherLanguage(Section):
    """Another language in which callers can be asked."""

    key: Key | None = Field(
        None,
        description="Chooses it, while the greeting or the question plays; the announcement 'language' says so in the "
        "greeting. Without it no key does.",
        examples=["2"],
    )
    prefixes: tuple[Prefix, ...] = Field(
        (),
        description="Callers whose number begins so are asked in it; see numbers.country.",
        examples=[["+44", "+353"]],
    )


class LineLanguage(FurtherLanguage):
    """The same, of one line."""

    announcements: dict[Announcement, SpokenText] = Field(
        default_factory=dict, description="Wordings of this line's own in this language."
    )


class Trial(Section):
    """A second wording of a line's question, in the line's own language, which half of its callers hear."""

    name: Name = Field(
        ..., description="Used once: another trial has another name. Who hears which wording follows from it."
    )
    question: SpokenText = Field(
        ...,
        description="The second wording, with the mark |, both keys and the way back as in 'announcements'. Its file "
        "is called <line>-question-<name>.wav.",
    )
    calls: Whole = Field(
        1500,
        ge=100,
        le=1_000_000,
        description="The trial ends when each wording was asked so often. For how small a difference how many are "
        "needed: docs/announcements.md.",
    )
    until: Day = Field(..., description="Its last day, however often they were asked until then: YYYY-MM-DD.")


class LineConfiguration(Section):
    """One number that callers dial."""

    number: Number = Field(..., description="The destination number in the dialplan.")
    queue: Name = Field(..., description="A key of 'queues'.")
    language: Language | None = Field(None, description="Instead of the general 'language'.", examples=["en"])
    question: Question | None = Field(
        None, description="Instead of the general 'question'.", examples=[{"consent_key": "5"}]
    )
    languages: dict[Language, LineLanguage] | None = Field(
        None, description="Instead of the general 'languages'; {} for none.", examples=[{"en": {"key": "2"}}]
    )
    announcements: dict[Announcement, SpokenText] = Field(
        default_factory=dict,
        description="Wordings of this line's own; their files are called <line>-<announcement>.wav.",
        examples=[{"welcome": "Guten Tag beim Support."}],
    )
    trial: Trial | None = Field(
        None,
        description="Two wordings of the question, to see which one is understood better. It begins when the data "
        "protection officer has approved it at the console, and not before.",
        examples=[
            {
                "name": "keys_first",
                "question": "Eins für Ja, neun für Nein: Dürfen wir dieses Gespräch zur Qualitätssicherung "
                "aufzeichnen? Widerruf jederzeit mit Stern und neun.|",
                "calls": 1500,
                "until": "2027-03-31",
            }
        ],
    )


class Sounds(Section):
    """Where the announcements are."""

    folder: SwitchPath | None = Field(
        None,
        description="Holds <language>/<rate>/<announcement>.wav. Without it the announcements that come with "
        "consentivr are used. FreeSWITCH must see it under the same path.",
        examples=["/var/lib/consentivr/sounds"],
    )
