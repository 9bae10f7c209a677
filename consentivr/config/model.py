"""The one model of the configuration: validation, defaults, documentation and JSON schema."""

from __future__ import annotations

import ipaddress
import re
import zoneinfo
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Annotated, Literal, Optional

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    model_validator,
)

from consentivr.config import wording
from consentivr.core.callers import WhoseNumber
from consentivr.core.enrolling import AgentAnnouncement
from consentivr.core.policy import (
    AgentWish,
    Announcement,
    LinePolicy,
    Outsiders,
    RecordingMode,
    TalkPolicy,
    Taps,
    WhileHeld,
)
from consentivr.core.retention import RetentionTerms
from consentivr.core.statutes import Confirmation, refusal
from consentivr.numbers import COUNTRIES

SAMPLE_RATES = (8000, 16000)
"""Each announcement is kept at the rates of narrowband and wideband calls, in Hz."""


def _endpoint(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise ValueError("is not HOST:PORT, such as 127.0.0.1:8184")
    if not re.fullmatch(r"[A-Za-z0-9.\-]+|\[[0-9A-Fa-f:.]+\]", host):
        raise ValueError("has a host that is neither a name nor an address")
    return value


def _network(value: str) -> str:
    try:
        ipaddress.ip_network(value)
    except ValueError:
        raise ValueError("is not an address or a network, such as 127.0.0.1 or 10.0.0.0/24") from None
    return value


def _switch_word(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.@+\-]+", value):
        raise ValueError("may hold letters, digits and _ . @ + - only")
    return value


def _switch_text(value: str) -> str:
    if re.search(r"[\x00-\x1f\x7f]", value) or "${" in value or "$${" in value:
        raise ValueError("must not hold a control character or a ${variable}")
    return value


def _switch_path(value: str) -> str:
    if not value.startswith("/") or re.search(r"[\s'\"|!${}\x00-\x1f\x7f]", value) or ".." in value.split("/"):
        raise ValueError(
            "must be an absolute path without blanks, quotes, .. or any of | ! $ { } "
            "(FreeSWITCH ends a path at the first blank)"
        )
    return value.rstrip("/") or "/"


def _off_without_quotes(value: object) -> object:
    """YAML reads a bare ``off`` as false."""
    return RecordingMode.OFF if value is False else value


def _key(value: str) -> str:
    if not re.fullmatch(r"[0-9*]", value):
        raise ValueError("is not one key out of 0-9 and *")
    return value


def _number(value: str) -> str:
    if not re.fullmatch(r"\+?[0-9A-Za-z_.\-]+", value):
        raise ValueError("is not a destination number: digits or letters, with an optional + in front")
    return value


def _postgres_url(value: str) -> str:
    if not re.match(r"postgresql://[^\s]+$", value):
        raise ValueError("is not postgresql://USER@HOST/DATABASE")
    if re.search(r"://[^/@]*:[^/@]*@|password=", value):
        raise ValueError("must not hold a password: put it into libpq's password file (PGPASSFILE)")
    return value


def _time_of_day(value: object) -> object:
    if isinstance(value, int) and 0 <= value < 24 * 60:
        raise ValueError(f"was read as a number: quote it, such as '{value // 60:02d}:{value % 60:02d}'")
    if not isinstance(value, str) or not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
        raise ValueError("is not HH:MM, such as '03:30'")
    return value


def _day(value: object) -> object:
    """YAML reads 2026-11-28 as a day, and so does the schema."""
    try:
        day = value if isinstance(value, date) else date.fromisoformat(str(value))
    except ValueError:
        raise ValueError("is not a day, such as 2026-11-28") from None
    if day > datetime.now(timezone.utc).date():
        raise ValueError("is a day that has not come yet")
    return day


def _directory_user(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.+\-]+@[A-Za-z0-9_.\-]+", value):
        raise ValueError("is not user@domain, as in FreeSWITCH's directory")
    return value


def _name(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", value):
        raise ValueError("must be a small letter, then small letters, digits or _ (at most 40)")
    return value


def _key_sequence(value: str) -> str:
    if not re.fullmatch(r"\*[0-9#]", value):
        raise ValueError("is not * and one key, such as '*9': single keys are for other menus")
    return value


def _time_zone(value: str) -> str:
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is no time zone, such as Europe/Berlin") from None
    return value


def _norway_without_quotes(value: object) -> object:
    """YAML reads a bare ``NO`` as false."""
    return "NO" if value is False else value


def _country(value: str) -> str:
    if value not in COUNTRIES:
        raise ValueError("is no country with telephone numbers: two capital letters of ISO 3166, such as DE")
    return value


KeySequence = Annotated[StrictStr, AfterValidator(_key_sequence)]
Endpoint = Annotated[StrictStr, AfterValidator(_endpoint)]
PeerNetwork = Annotated[StrictStr, AfterValidator(_network)]
SwitchWord = Annotated[StrictStr, AfterValidator(_switch_word)]
SwitchText = Annotated[StrictStr, AfterValidator(_switch_text)]
SwitchPath = Annotated[StrictStr, AfterValidator(_switch_path)]
Key = Annotated[StrictStr, AfterValidator(_key)]
Number = Annotated[StrictStr, AfterValidator(_number)]


def _http_url(text: str) -> str:
    if not text.startswith(("http://", "https://")) or any(char.isspace() for char in text):
        raise ValueError("must be http://... or https://...")
    return text


HttpUrlText = Annotated[StrictStr, AfterValidator(_http_url)]
PostgresUrl = Annotated[StrictStr, AfterValidator(_postgres_url)]
TimeOfDay = Annotated[str, BeforeValidator(_time_of_day)]
Name = Annotated[StrictStr, AfterValidator(_name)]
Day = Annotated[date, BeforeValidator(_day)]
DirectoryUser = Annotated[StrictStr, AfterValidator(_directory_user)]
TimeZone = Annotated[StrictStr, AfterValidator(_time_zone)]
Country = Annotated[StrictStr, AfterValidator(_country), BeforeValidator(_norway_without_quotes)]
Language = Annotated[StrictStr, Field(pattern=r"^[a-z]{2,3}$")]
SpokenText = Annotated[StrictStr, Field(min_length=1, max_length=2000)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Service(_Section):
    """The process that FreeSWITCH connects to."""

    listen: Endpoint = Field("127.0.0.1:8184", description="Address and port that 'serve' listens on.")
    hosts: tuple[Endpoint, ...] = Field(
        ("127.0.0.1:8184",),
        min_length=1,
        description="Where the dialplan looks for it, tried in order. Keep these on loopback, or behind a "
        "TCP proxy there: a host that swallows connections blocks the caller for minutes.",
    )
    allowed_peers: tuple[PeerNetwork, ...] = Field(
        ("127.0.0.1",),
        min_length=1,
        description="Addresses or networks that may connect. The protocol has no password.",
    )
    peer_user: Optional[StrictStr] = Field(  # noqa: UP045 - pydantic on Python 3.10 evaluates this
        None,
        min_length=1,
        description="FreeSWITCH's user on this machine: connections of others are refused. Without it: 'freeswitch', "
        "where there is one, and the user that serves. '*': any.",
    )
    secret_file: Optional[StrictStr] = Field(  # noqa: UP045
        "/var/lib/consentivr/dialplan.secret",
        min_length=1,
        description="A secret by which the rendered dialplan proves that it calls; made by 'render' or 'serve' where "
        "it is missing. null: the dialplan proves nothing, and whoever else may connect can play a switch.",
    )
    max_connections: StrictInt = Field(
        2000, ge=1, le=100_000, description="Calls at once; one more goes to its queue at once, unrecorded."
    )


class LedgerSection(_Section):
    """The record of every decision."""

    path: StrictStr = Field("/var/lib/consentivr/ledger.sqlite3", min_length=1, description="The SQLite file.")
    url: Optional[PostgresUrl] = Field(  # noqa: UP045 - pydantic on Python 3.10 evaluates this
        None,
        description="Instead of the file: postgresql://USER@HOST[,HOST]/DATABASE, for several nodes. The password "
        "belongs into libpq's password file.",
    )
    signing_key: Optional[StrictStr] = Field(  # noqa: UP045
        None,
        min_length=1,
        description="Private key (Ed25519, PEM) that signs checkpoints; 'consentivr ledger keygen' makes one.",
    )
    head_file: StrictStr = Field(
        "/var/log/consentivr/ledger.head",
        min_length=1,
        description="Where 'serve' keeps the last checkpoint, and looks for it when it starts: a ledger that does not "
        "hold it was lost or replaced. On another disk than the ledger, and not in its backup.",
    )
    post_checkpoints_to: Optional[HttpUrlText] = Field(  # noqa: UP045
        None,
        description="http(s)://...: each checkpoint is posted there as JSON, and again until it is taken. Whoever "
        "keeps them can tell a cut tail and a rewritten chain.",
    )
    time_stamp_url: Optional[HttpUrlText] = Field(  # noqa: UP045
        None,
        description="http(s)://...: a time stamping authority (RFC 3161), asked once an hour while rows come. Needs "
        "time_stamp_roots, and 'consentivr[timestamps]'.",
    )
    time_stamp_roots: Optional[StrictStr] = Field(  # noqa: UP045
        None, min_length=1, description="Root certificates (PEM) that lead to the time stamping authority."
    )
    commit_timeout_ms: StrictInt = Field(
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
        return self.url or str(path_of(self.path))


class Numbers(_Section):
    """Callers' telephone numbers."""

    country: Optional[Country] = Field(  # noqa: UP045
        None,
        description="Where calls come in, such as DE: so that +49..., 0049... and 0... are one person. Without it they "
        "are three; nothing is guessed.",
    )


class RetentionSection(_Section):
    """When what is due is erased."""

    daily_at: Optional[TimeOfDay] = Field(  # noqa: UP045
        None, description="UTC, HH:MM: 'serve' erases daily what is due. Without it: 'consentivr retention run'."
    )
    quarantine_days: StrictInt = Field(
        90, ge=0, le=36_500, description="Days until a file in quarantine is erased (GDPR art. 5(1)(e))."
    )


class Recordings(_Section):
    """Where FreeSWITCH writes the recordings."""

    folder: SwitchPath = Field(
        "/var/lib/consentivr/recordings", description="Files go to YYYY/MM/DD/<channel uuid>.wav below it."
    )
    former_folders: tuple[SwitchPath, ...] = Field(
        (), description="Where recordings lay before they were moved to 'folder': rows still name those places."
    )
    stereo: StrictBool = Field(True, description="Caller on the left channel, agent on the right.")


class Sounds(_Section):
    """Where the announcements are."""

    folder: Optional[SwitchPath] = Field(  # noqa: UP045 - pydantic on Python 3.10 evaluates this
        None,
        description="Holds <language>/<rate>/<announcement>.wav. Without it the announcements that come with "
        "consentivr are used. FreeSWITCH must see it under the same path.",
    )


class FreeSwitch(_Section):
    """What the rendered XML needs to know of the switch."""

    context: SwitchWord = Field("public", description="The dialplan context in which the lines are called.")
    connect_watchdog_s: StrictInt = Field(
        20,
        ge=3,
        le=120,
        description="After so many seconds FreeSWITCH takes back a call that we accepted and did not handle.",
    )


class Question(_Section):
    """How callers are asked."""

    consent_key: Key = Field("1", description="The key that agrees.")
    objection_key: Key = Field("9", description="The key that objects.")
    attempts: StrictInt = Field(3, ge=1, le=10, description="How often the question is put at most.")
    answer_timeout_ms: StrictInt = Field(
        5000, ge=500, le=60_000, description="How long we wait for a key after the question's end."
    )
    hear_to_end: StrictBool = Field(False, description="Count a key only once the question has been heard to its end.")
    min_heard_ms: Optional[StrictInt] = Field(  # noqa: UP045
        None,
        ge=0,
        le=120_000,
        description="So much of the question must have been heard before a yes counts; who presses earlier is asked "
        "again. Without it: up to the mark | in the question's text, else until both keys have been named, as 'prompts "
        "build' measured it; in a file of your own by its share of the letters.",
    )
    withdrawal_keys: KeySequence = Field(
        "*9", description="Takes a yes back while waiting or talking. Name it in the announcement 'accepted'."
    )
    late_consent_keys: Optional[KeySequence] = Field(  # noqa: UP045
        None, description="Says yes after all, while waiting or talking. Name it in the announcement 'refused'."
    )

    @model_validator(mode="after")
    def _keys_differ(self) -> Question:
        if self.consent_key == self.objection_key:
            raise ValueError("consent_key and objection_key are the same key")
        if self.withdrawal_keys == self.late_consent_keys:
            raise ValueError("withdrawal_keys and late_consent_keys are the same keys")
        return self


class Statistics(_Section):
    """Counting by agent."""

    agreement: Optional[SwitchText] = Field(  # noqa: UP045
        None,
        min_length=3,
        description="The agreement that allows it, such as the works agreement and its day (BetrVG § 87(1) no. 6). "
        "Without it nothing is counted by agent; with it each such query is a row.",
    )


class AgentsLine(_Section):
    """The number on which agents agree to be recorded, or take it back."""

    number: Number = Field(..., description="The destination number in the dialplan. Quote it.")
    pins_file: StrictStr = Field(
        "/etc/consentivr/agents.pins",
        min_length=1,
        description="'consentivr agents pin set' and 'serve' write it.",
    )
    language: Optional[Language] = Field(None, description="Instead of the general 'language'.")  # noqa: UP045
    agree_key: Key = Field("1", description="The key that agrees, once the wording was heard to its end.")
    decline_key: Key = Field("9", description="The key that does not, or takes it back.")
    announcements: dict[AgentAnnouncement, SpokenText] = Field(
        ...,
        description="number, pin, wording; wrong, locked, agreed, declined, failed. Files: agents-<announcement>.wav.",
    )

    @model_validator(mode="after")
    def _what_is_needed(self) -> AgentsLine:
        if self.agree_key == self.decline_key:
            raise ValueError("agree_key and decline_key are the same key")
        for needed in (AgentAnnouncement.NUMBER, AgentAnnouncement.PIN, AgentAnnouncement.WORDING):
            if needed not in self.announcements:
                raise ValueError(f"'announcements' lacks '{needed.value}'")
        return self


class Agents(_Section):
    """The agents' side of a recording."""

    must_agree: StrictBool = Field(
        True,
        description="Record only talks with agents who are in the register ('consentivr agents'). False: you have made "
        "sure of their consent by other means, for each agent of every queue.",
    )
    users: dict[DirectoryUser, StrictStr] = Field(
        default_factory=dict,
        description="Agents by the user of FreeSWITCH's directory that is dialled to reach them, user@domain: so that "
        "a colleague who is consulted or takes over is known. Everybody else is an outsider.",
    )
    remind_paused_s: Optional[StrictInt] = Field(  # noqa: UP045
        120, ge=5, le=3600, description="So long after a pause began, and again, the agent hears that it goes on."
    )
    resume_after_s: Optional[StrictInt] = Field(  # noqa: UP045
        None, ge=5, le=3600, description="So long after a pause began it ends by itself. Without it: never."
    )
    keys: dict[AgentWish, KeySequence] = Field(
        default_factory=dict,
        description="What agents press in a talk for start, stop, pause and resume; withdraw: the caller said it.",
    )
    statistics: Statistics = Field(default_factory=Statistics)
    line: Optional[AgentsLine] = Field(None, description="Without it agents cannot agree by phone.")  # noqa: UP045

    @model_validator(mode="after")
    def _keys_differ(self) -> Agents:
        if len(set(self.keys.values())) < len(self.keys):
            raise ValueError("two of 'keys' are the same")
        return self


class Talks(_Section):
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


class Switch(_Section):
    """One FreeSWITCH: its event socket, over which conversations are followed."""

    address: Endpoint = Field("127.0.0.1:8021", description="Where its event socket listens.")
    password_file: StrictStr = Field(
        "/etc/consentivr/event_socket.password",
        min_length=1,
        description="A file that holds its password, readable by its owner only.",
    )


class Watch(_Section):
    """What follows from watching the switches."""

    erase_below: tuple[SwitchPath, ...] = Field(
        (), description="Besides recordings.folder: folders below which forbidden recordings of others are erased."
    )
    command: Optional[tuple[StrictStr, ...]] = Field(  # noqa: UP045
        None,
        min_length=1,
        description="A program and its arguments, run when there are incidents; it gets each as a line of JSON on its "
        "input, several at once when they come together.",
    )
    sweep_s: StrictInt = Field(
        5, ge=1, le=300, description="So often the switch's own lists are held against what it told."
    )


class Http(_Section):
    """The HTTP interface for agents' desktops and for monitoring."""

    listen: Optional[Endpoint] = Field(None, description="Address and port; without it there is none.")  # noqa: UP045
    tokens_file: StrictStr = Field(
        "/var/lib/consentivr/agents.tokens",
        min_length=1,
        description="The agents' tokens, hashed; 'consentivr agents token' writes it.",
    )
    token_file: Optional[StrictStr] = Field(  # noqa: UP045
        None,
        min_length=1,
        description="A file that holds one token for everybody besides, readable by its owner only. The rows do not "
        "say then which agent it was, and whoever has it may ask of every talk.",
    )

    @model_validator(mode="after")
    def _listens(self) -> Http:
        if self.listen is None and self.token_file is not None:
            raise ValueError("'token_file' goes with 'listen'")
        return self


class Unanswered(_Section):
    """What follows when the queue ends without an agent: the announcement 'unanswered', then this."""

    then: Literal["hangup", "transfer"] = Field("hangup", description="'hangup' or 'transfer'.")
    extension: Optional[Number] = Field(  # noqa: UP045
        None, description="With 'transfer': the extension, in the context of the lines."
    )

    @model_validator(mode="after")
    def _extension_goes_with_transfer(self) -> Unanswered:
        if (self.then == "transfer") != (self.extension is not None):
            raise ValueError("'extension' goes with 'then: transfer', and only with it")
        return self


class Retention(_Section):
    """How long a queue's calls are kept after their end. Without a number: for ever."""

    refusals_days: Optional[StrictInt] = Field(  # noqa: UP045
        None,
        ge=0,
        le=36_500,
        description="The same for calls of who did not agree, where nothing was recorded. Without it: rows_days.",
    )
    audio_days: Optional[StrictInt] = Field(  # noqa: UP045
        None, ge=0, le=36_500, description="Days until a call's recordings are erased."
    )
    rows_days: Optional[StrictInt] = Field(  # noqa: UP045
        None, ge=0, le=36_500, description="Days until the ledger forgets the call; not fewer than audio_days."
    )

    @model_validator(mode="after")
    def _rows_explain_audio(self) -> Retention:
        self.terms()
        return self

    def terms(self) -> RetentionTerms:
        """For core.retention."""
        return RetentionTerms(self.audio_days, self.rows_days, self.refusals_days)


class Recording(_Section):
    """How a queue records."""

    mode: Annotated[RecordingMode, BeforeValidator(_off_without_quotes)] = Field(
        RecordingMode.PERMANENT_OPT_OUT,
        description="off | caller_opt_in | permanent_opt_out | permanent | every_nth | manual.",
    )
    every: Optional[StrictInt] = Field(  # noqa: UP045
        None,
        ge=2,
        le=10_000,
        description="Only with 'every_nth', and required there: of each agent's consenting calls.",
    )
    erase_withdrawn: StrictBool = Field(
        True, description="Whether a yes that is taken back erases what was recorded (GDPR art. 17(1)(b))."
    )
    kept_because: Optional[SwitchText] = Field(  # noqa: UP045
        None,
        description="Only with 'erase_withdrawn: false', and required there: the other legal ground on which what was "
        "recorded is kept (GDPR art. 17(1)(b), 17(3)). It goes into the row of each withdrawal.",
    )
    purpose: SwitchText = Field("quality assurance", description="What the recordings are for (GDPR art. 5(1)(b)).")
    legal_basis: Optional[SwitchText] = Field(  # noqa: UP045
        None,
        description="Only with 'permanent', and required there: the statute that demands the recording, one of "
        "'consentivr privacy statutes'. Consent is no basis for a recording that the caller cannot decline.",
    )
    confirmed_by: Optional[SwitchText] = Field(  # noqa: UP045
        None,
        min_length=3,
        description="For a statute that is not in the list: who confirmed that it demands the recording. It goes, with "
        "the day, into every decision row.",
    )
    confirmed_on: Optional[Day] = Field(None, description="The day of that: YYYY-MM-DD.")  # noqa: UP045

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


class QueueConfiguration(_Section):
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
    max_wait_s: StrictInt = Field(0, ge=0, le=86_400, description="Seconds until the queue gives up; 0 is never.")
    max_wait_no_agent_s: StrictInt = Field(
        0, ge=0, le=86_400, description="The same while no agent is logged in; 0 is never."
    )
    unanswered: Unanswered = Field(default_factory=Unanswered)


class LineConfiguration(_Section):
    """One number that callers dial."""

    number: Number = Field(..., description="The destination number in the dialplan. Quote it.")
    queue: Name = Field(..., description="A key of 'queues'.")
    language: Optional[Language] = Field(None, description="Instead of the general 'language'.")  # noqa: UP045
    question: Optional[Question] = Field(None, description="Instead of the general 'question'.")  # noqa: UP045
    announcements: dict[Announcement, SpokenText] = Field(
        default_factory=dict,
        description="Wordings of this line's own; their files are called <line>-<announcement>.wav.",
    )


class Privacy(_Section):
    """What documents and letters to callers say of the house; what is left out stands there as a gap."""

    controller: Optional[SwitchText] = Field(None, description="Name and address (GDPR art. 4(7)).")  # noqa: UP045
    contact: Optional[SwitchText] = Field(None, description="How the controller is reached.")  # noqa: UP045
    dpo: Optional[SwitchText] = Field(  # noqa: UP045
        None, description="The data protection officer and how to reach them, or why there is none (art. 37)."
    )
    authority: Optional[SwitchText] = Field(  # noqa: UP045
        None, description="The supervisory authority (art. 55, 77)."
    )
    recipients: Optional[tuple[SwitchText, ...]] = Field(  # noqa: UP045
        None, description="Who gets recordings or evidence, processors too (art. 28); [] for nobody."
    )
    third_countries: Optional[SwitchText] = Field(  # noqa: UP045
        None, description="Transfers to third countries and on what they rest (art. 44 to 49), or 'none'."
    )
    notice_at: Optional[SwitchText] = Field(  # noqa: UP045
        None, description="Where callers find the whole notice (art. 13), such as an address of the web."
    )
    measures: tuple[SwitchText, ...] = Field(
        (), description="Measures of the house (art. 32) that this configuration cannot know: doors, disks, backups."
    )
    time_zone: TimeZone = Field("UTC", description="Of the times in letters, such as Europe/Berlin.")


class Configuration(_Section):
    """Everything an administrator can choose."""

    service: Service = Field(default_factory=Service)
    ledger: LedgerSection = Field(default_factory=LedgerSection)
    numbers: Numbers = Field(default_factory=Numbers)
    recordings: Recordings = Field(default_factory=Recordings)
    retention: RetentionSection = Field(default_factory=RetentionSection)
    agents: Agents = Field(default_factory=Agents)
    talks: Talks = Field(default_factory=Talks)
    switches: tuple[Switch, ...] = Field(
        (Switch(),),
        min_length=1,
        description="Every FreeSWITCH whose calls are handed to us. Required: after the question a conversation is "
        "followed over its event socket.",
    )
    watch: Watch = Field(default_factory=Watch)
    http: Http = Field(default_factory=Http)
    sounds: Sounds = Field(default_factory=Sounds)
    privacy: Privacy = Field(default_factory=Privacy)
    freeswitch: FreeSwitch = Field(default_factory=FreeSwitch)
    language: Language = Field("de", description="The language of lines that name none: a key of 'announcements'.")
    question: Question = Field(default_factory=Question)
    lines: dict[Name, LineConfiguration] = Field(..., min_length=1)
    queues: dict[Name, QueueConfiguration] = Field(..., min_length=1)
    announcements: dict[Language, dict[Announcement, SpokenText]] = Field(
        ...,
        min_length=1,
        description="For each language the wording of each announcement. All but 'question' may be left out.",
    )

    def line_policy(self, line_name: str, question_ms: int, heard_ms: int | None = None) -> LinePolicy:
        """How callers of a line are asked. In milliseconds, ``question_ms`` is how long its question lasts, and
        ``heard_ms`` after how much of it a caller knows what is asked, if that was measured."""
        recording = self.queues[self.lines[line_name].queue].recording
        question = self.question_of(line_name)
        talk = self.talk_policy(line_name, self.lines[line_name].queue)
        least = heard_ms if question.min_heard_ms is None else question.min_heard_ms
        return LinePolicy(
            mode=recording.mode,
            purpose=recording.purpose,
            legal_basis=recording.legal_basis,
            confirmed=recording.confirmation(),
            consent_key=question.consent_key,
            objection_key=question.objection_key,
            max_attempts=question.attempts,
            min_heard_ms=int(question_ms * self.enough_of(line_name)) if least is None else least,
            starts_at_answer=talk.starts_at_answer,
        )

    def talk_policy(self, line_name: str, queue_name: str) -> TalkPolicy:
        """What decides in a talk in a queue (a key of ``queues``), with a caller whom this line asked."""
        recording = self.queues[queue_name].recording
        question = self.question_of(line_name)
        return TalkPolicy(
            mode=recording.mode,
            purpose=recording.purpose,
            legal_basis=recording.legal_basis,
            confirmed=recording.confirmation(),
            every=recording.every or 1,
            erase_withdrawn=recording.erase_withdrawn,
            kept_because=recording.kept_because,
            withdrawal_keys=question.withdrawal_keys,
            late_consent_keys=question.late_consent_keys,
            agents_must_agree=self.agents.must_agree,
            agent_keys=tuple((keys, wish) for wish, keys in self.agents.keys.items()),
            while_held=self.talks.while_held,
            outsiders=self.talks.outsiders,
            taps=self.talks.taps,
        )

    def heard_of(self, line_name: str) -> str:
        """The beginning of the question after which a caller knows what is asked (promise P2): ``wording.heard``."""
        question = self.question_of(line_name)
        keys = (question.consent_key, question.objection_key)
        return wording.heard(self.question_text(line_name), self.language_of(line_name), keys, question.withdrawal_keys)

    def enough_of(self, line_name: str) -> float:
        """Its share of the question's letters, of 1: how long it lasts where nobody has measured it."""
        text = wording.spoken(self.question_text(line_name))
        return len(self.heard_of(line_name)) / max(1, len(text))

    def heard_files(self) -> dict[tuple[str, str], str]:
        """The same for each question's file, (language, file's stem); where lines differ in their keys the longest."""
        files: dict[tuple[str, str], str] = {}
        for name in self.lines:
            if Announcement.QUESTION in self.announcements_of(name):
                file = self.language_of(name), self.announcements_of(name)[Announcement.QUESTION][0]
                files[file] = max(files.get(file, ""), self.heard_of(name), key=len)
        return files

    def untold_of(self, line_name: str) -> list[str]:
        """The keys that its question does not name before a yes counts: ``wording.untold``."""
        question = self.question_of(line_name)
        keys = (question.consent_key, question.objection_key)
        return wording.untold(
            self.question_text(line_name), self.language_of(line_name), keys, question.withdrawal_keys
        )

    def question_text(self, line_name: str) -> str:
        """What a line's callers are asked, with the mark; empty where there is no question."""
        texts = self.announcements.get(self.language_of(line_name), {})
        own = self.lines[line_name].announcements
        return own.get(Announcement.QUESTION) or texts.get(Announcement.QUESTION, "")

    def question_of(self, line_name: str) -> Question:
        """How callers of a line are asked."""
        return self.lines[line_name].question or self.question

    def language_of(self, line_name: str) -> str:
        """The language of a line."""
        return self.lines[line_name].language or self.language

    def announcements_of(self, line_name: str) -> dict[Announcement, tuple[str, str]]:
        """For each announcement of a line its file's stem and its text."""
        line = self.lines[line_name]
        texts = {
            announcement: (announcement.value, wording.spoken(text))
            for announcement, text in self.announcements.get(self.language_of(line_name), {}).items()
        }
        own = {
            announcement: (f"{line_name}-{announcement.value}", wording.spoken(text))
            for announcement, text in line.announcements.items()
        }
        return {**texts, **own}

    def sound_files(self) -> dict[tuple[str, str], str]:
        """Every announcement in use, as (language, file's stem) -> text."""
        files = {
            (language, announcement.value): wording.spoken(text)
            for language, texts in self.announcements.items()
            for announcement, text in texts.items()
        }
        for name in self.lines:
            for stem, text in self.announcements_of(name).values():
                files[self.language_of(name), stem] = text
        if self.agents.line is not None:
            for announcement, text in self.agents.line.announcements.items():
                files[self.agents.line.language or self.language, f"agents-{announcement.value}"] = text
        return files

    def cross_check(self) -> list[tuple[tuple[str, ...], str, str]]:
        """Mistakes between sections, as (path, problem, hint)."""
        mistakes: list[tuple[tuple[str, ...], str, str]] = []
        numbers: dict[str, str] = {}
        if self.agents.line is not None and self.agents.line.number in [line.number for line in self.lines.values()]:
            mistakes.append((("agents", "line", "number"), "a line has this number already", ""))
        for name, line in self.lines.items():
            if line.queue not in self.queues:
                known = ", ".join(sorted(self.queues))
                mistakes.append((("lines", name, "queue"), f"there is no queue '{line.queue}'", f"known: {known}"))
            if line.number in numbers:
                mistakes.append(
                    (("lines", name, "number"), f"line '{numbers[line.number]}' has this number already", "")
                )
            numbers.setdefault(line.number, name)
            if self.language_of(name) not in self.announcements:
                known = ", ".join(sorted(self.announcements))
                mistakes.append(
                    (
                        ("lines", name),
                        f"there are no announcements in language '{self.language_of(name)}'",
                        f"known: {known}",
                    )
                )
            elif line.queue in self.queues:
                mode = self.queues[line.queue].recording.mode
                present = self.announcements_of(name)
                if mode.asks and Announcement.QUESTION not in present:
                    mistakes.append((("lines", name), "its language has no announcement 'question'", ""))
                if mode is RecordingMode.PERMANENT and Announcement.TOLD not in present:
                    mistakes.append(
                        (
                            ("lines", name),
                            "its queue records by law, but its language has no announcement 'told'",
                            "the caller must be told",
                        )
                    )
        names: dict[str, str] = {}
        for key, queue in self.queues.items():
            if queue.name in names:
                mistakes.append((("queues", key, "name"), f"queue '{names[queue.name]}' has this name already", ""))
            names.setdefault(queue.name, key)
        if self.ledger.time_stamp_url and not self.ledger.time_stamp_roots:
            said = "stamps that nobody can verify are worth nothing"
            mistakes.append((("ledger", "time_stamp_url"), said, "name the root certificates in time_stamp_roots"))
        return mistakes


def endpoint(value: str) -> tuple[str, int]:
    """HOST:PORT as a pair."""
    host, _, port = value.rpartition(":")
    return host.strip("[]"), int(port)


def path_of(value: str) -> Path:
    """A configured path."""
    return Path(value).expanduser()
