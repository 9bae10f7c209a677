"""Who talks to callers, and how they agree: 'agents'."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, StrictStr, model_validator

from consentivr.config.values import (
    DirectoryUser,
    File,
    Key,
    KeySequence,
    Language,
    Number,
    Section,
    SpokenText,
    SwitchText,
    Truth,
    Whole,
)
from consentivr.core.enrolling import AgentAnnouncement
from consentivr.core.policy import AgentWish

_SPOKEN = {
    AgentAnnouncement.NUMBER: "Bitte geben Sie Ihre Nummer ein, dann die Raute.",
    AgentAnnouncement.PIN: "Bitte geben Sie Ihre PIN ein, dann die Raute.",
    AgentAnnouncement.WORDING: (
        "Ihre Gespräche werden zur Verbesserung der Qualität aufgezeichnet, wenn auch der Anrufer zustimmt. Das ist "
        "freiwillig, und Sie können es hier jederzeit zurücknehmen. Einverstanden: die 1. Nicht einverstanden: die 9."
    ),
    AgentAnnouncement.WRONG: "Das war nicht richtig.",
    AgentAnnouncement.LOCKED: "Bitte versuchen Sie es später, oder wenden Sie sich an die Verwaltung.",
    AgentAnnouncement.AGREED: "Danke. Ihre Einwilligung ist vermerkt.",
    AgentAnnouncement.DECLINED: "In Ordnung. Sie werden nicht aufgezeichnet.",
    AgentAnnouncement.FAILED: "Es wurde nichts geändert. Auf Wiederhören.",
}
"""An example, in German."""


class Statistics(Section):
    """Counting by agent."""

    agreement: SwitchText | None = Field(
        None,
        min_length=3,
        description="The agreement that allows it, such as the works agreement and its day (BetrVG § 87(1) no. 6). "
        "Without it nothing is counted by agent; with it each such query is a row.",
        examples=["works agreement of 2026-11-01"],
    )


class AgentsLine(Section):
    """The number on which agents agree to be recorded, or take it back."""

    number: Number = Field(..., description="The destination number in the dialplan.", examples=["5099"])
    pins_file: File = Field(
        Path("/var/lib/consentivr/agents.pins"),
        description="'consentivr agents pin set' and 'serve' write it.",
    )
    language: Language | None = Field(None, description="Instead of the general 'language'.", examples=["de"])
    agree_key: Key = Field("1", description="The key that agrees, once the wording was heard to its end.")
    decline_key: Key = Field("9", description="The key that does not, or takes it back.")
    announcements: dict[AgentAnnouncement, SpokenText] = Field(
        ...,
        description="number, pin, wording; wrong, locked, agreed, declined, failed. Files: agents-<announcement>.wav; "
        "after a change: 'consentivr prompts build'.",
        examples=[_SPOKEN],
    )

    @model_validator(mode="after")
    def _what_is_needed(self) -> AgentsLine:
        if self.agree_key == self.decline_key:
            raise ValueError("agree_key and decline_key are the same key")
        for needed in (AgentAnnouncement.NUMBER, AgentAnnouncement.PIN, AgentAnnouncement.WORDING):
            if needed not in self.announcements:
                raise ValueError(f"'announcements' lacks '{needed.value}'")
        return self


class Agents(Section):
    """The agents' side of a recording."""

    must_agree: Truth = Field(
        True,
        description="Record only talks with agents who are in the register ('consentivr agents agree'). false: "
        "you have made sure of their consent by other means, for each agent of every queue.",
    )
    users: dict[DirectoryUser, StrictStr] = Field(
        default_factory=dict,
        description="Agents by the user of FreeSWITCH's directory that is dialled to reach them, user@domain: so that "
        "a colleague who is consulted or takes over is known. Everybody else is an outsider.",
        examples=[{"1001@pbx.example": "1001@default"}],
    )
    remind_paused_s: Whole | None = Field(
        120, ge=5, le=3600, description="So long after a pause began, and again, the agent hears that it goes on."
    )
    resume_after_s: Whole | None = Field(
        None,
        ge=5,
        le=3600,
        description="So long after a pause began it ends by itself. Without it: never.",
        examples=[300],
    )
    keys: dict[AgentWish, KeySequence] = Field(
        default_factory=dict,
        description="What agents press in a talk for start, stop, pause and resume; withdraw: the caller said it.",
        examples=[{"start": "*1", "stop": "*2", "pause": "*3", "resume": "*4", "withdraw": "*5"}],
    )
    statistics: Statistics = Field(default_factory=Statistics)
    line: AgentsLine | None = Field(None, description="Without it agents cannot agree by phone.")
    document_file: File | None = Field(
        None,
        description="A text (UTF-8) that agents agree to at the console; its SHA-256 stands in the register. Without "
        "it: the wording of 'line'.",
        examples=["/etc/consentivr/agents-agreement.txt"],
    )

    @model_validator(mode="after")
    def _keys_differ(self) -> Agents:
        if len(set(self.keys.values())) < len(self.keys):
            raise ValueError("two of 'keys' are the same")
        return self
