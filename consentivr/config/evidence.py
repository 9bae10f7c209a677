"""What is kept, where and for how long: 'ledger', 'numbers', 'recordings', 'retention', 'privacy'."""

from __future__ import annotations

import zoneinfo
from pathlib import Path

from pydantic import Field

from consentivr.config.values import (
    Country,
    File,
    HttpUrl,
    PostgresUrl,
    Section,
    SwitchPath,
    SwitchText,
    TimeOfDay,
    TimeZone,
    Truth,
    Whole,
)
from consentivr.core.callers import WhoseNumber


class LedgerSection(Section):
    """The record of every decision."""

    path: File = Field(Path("/var/lib/consentivr/ledger.sqlite3"), description="The SQLite file.")
    url: PostgresUrl | None = Field(
        None,
        description="Instead of the file: postgresql://USER@HOST[,HOST]/DATABASE, for several nodes. The password "
        "belongs into libpq's password file.",
        examples=["postgresql://consentivr@db1,db2/consentivr"],
    )
    signing_key: File | None = Field(
        None,
        description="Private key (Ed25519, PEM) that signs checkpoints; 'consentivr ledger keygen' makes one.",
        examples=["/etc/consentivr/ledger.key"],
    )
    head_file: File = Field(
        Path("/var/log/consentivr/ledger.head"),
        description="Where 'serve' keeps the last checkpoint, and looks for it when it starts: a ledger that does not "
        "hold it was lost or replaced. On another disk than the ledger, and not in its backup.",
    )
    post_checkpoints_to: HttpUrl | None = Field(
        None,
        description="http(s)://...: each checkpoint is posted there as JSON, and again until it is taken. Whoever "
        "keeps them can tell a cut tail and a rewritten chain.",
        examples=["https://archive.example/consentivr"],
    )
    time_stamp_url: HttpUrl | None = Field(
        None,
        description="http(s)://...: a time stamping authority (RFC 3161), asked once an hour while rows come. Needs "
        "time_stamp_roots, and 'consentivr[timestamps]'.",
        examples=["https://tsa.example/tsr"],
    )
    time_stamp_roots: File | None = Field(
        None,
        description="Root certificates (PEM) that lead to the time stamping authority.",
        examples=["/etc/consentivr/tsa.pem"],
    )
    commit_timeout_ms: Whole = Field(
        500,
        ge=10,
        le=10_000,
        description="How long a caller who agreed waits for the row to be on disk; after that the call goes on "
        "unrecorded.",
    )

    numbers: WhoseNumber = Field(
        WhoseNumber.GIVEN,
        description="given | all | never: whose telephone number is kept. 'given': of who agreed (GDPR art. 7(1)), "
        "or is recorded by law.",
    )

    @property
    def location(self) -> str:
        """Where the ledger is: a path or a URL."""
        return self.url or str(self.path)


class Numbers(Section):
    """Callers' telephone numbers."""

    country: Country | None = Field(
        None,
        description="Where calls come in, such as DE: so that +49..., 0049... and 0... are one person. Without it they "
        "are three; nothing is guessed.",
        examples=["DE"],
    )


class Recordings(Section):
    """Where FreeSWITCH writes the recordings."""

    folder: SwitchPath = Field(
        Path("/var/lib/consentivr/recordings"), description="Files go to YYYY/MM/DD/<channel uuid>.wav below it."
    )
    former_folders: tuple[SwitchPath, ...] = Field(
        (), description="Where recordings lay before they were moved to 'folder': rows still name those places."
    )
    stereo: Truth = Field(True, description="Caller on the left channel, agent on the right.")


class RetentionSection(Section):
    """When what is due is erased."""

    daily_at: TimeOfDay | None = Field(
        None,
        description="UTC, HH:MM: 'serve' erases daily what is due. Without it: 'consentivr retention run'.",
        examples=["03:30"],
    )
    quarantine_days: Whole = Field(
        90, ge=0, le=36_500, description="Days until a file in quarantine is erased (GDPR art. 5(1)(e))."
    )
    access_days: Whole = Field(
        365,
        ge=1,
        le=36_500,
        description="Days until rows of the access log that are about no call are erased. The others go with their "
        "call's.",
    )


class Privacy(Section):
    """What documents and letters to callers say of the house; what is left out stands there as a gap."""

    controller: SwitchText | None = Field(
        None,
        description="Name and address (GDPR art. 4(7)).",
        examples=["Beispiel GmbH, Musterstraße 1, 12345 Musterstadt"],
    )
    contact: SwitchText | None = Field(
        None, description="How the controller is reached.", examples=["datenschutz@beispiel.example"]
    )
    dpo: SwitchText | None = Field(
        None,
        description="The data protection officer and how to reach them, or why there is none (art. 37).",
        examples=["A. Adler, datenschutz@beispiel.example"],
    )
    authority: SwitchText | None = Field(
        None,
        description="The supervisory authority (art. 55, 77).",
        examples=["Landesbeauftragte für den Datenschutz Musterland"],
    )
    recipients: tuple[SwitchText, ...] | None = Field(
        None,
        description="Who gets recordings or evidence, processors too (art. 28); [] for nobody.",
        examples=[["Musterhosting AG (processor)"]],
    )
    third_countries: SwitchText | None = Field(
        None,
        description="Transfers to third countries and on what they rest (art. 44 to 49), or 'none'.",
        examples=["none"],
    )
    notice_at: SwitchText | None = Field(
        None,
        description="Where callers find the whole notice (art. 13), such as an address of the web.",
        examples=["https://beispiel.example/datenschutz"],
    )
    measures: tuple[SwitchText, ...] = Field(
        (),
        description="Measures of the house (art. 32) that this configuration cannot know: doors, disks, backups.",
        examples=[["disks of the recordings are encrypted"]],
    )
    time_zone: TimeZone = Field(zoneinfo.ZoneInfo("UTC"), description="Of the times in letters, such as Europe/Berlin.")

    def transfers(self) -> str | None:
        """To third countries: '' for none, None where it is not said."""
        said = self.third_countries
        return "" if said is not None and said.strip().casefold() in ("none", "keine") else said
