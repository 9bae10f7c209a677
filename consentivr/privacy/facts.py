"""What the configuration says, as the documents tell it; what it does not say is a gap."""

from __future__ import annotations

from dataclasses import dataclass

import consentivr
from consentivr.config import Configuration, wording
from consentivr.config.values import written
from consentivr.core.policy import Announcement, RecordingMode


@dataclass(frozen=True)
class QueueFacts:
    """A queue: what its recordings are for, what they rest on, how long they stay."""

    name: str
    lines: tuple[str, ...]
    mode: str
    asks: bool
    by_law: bool
    purpose: str
    statute: str | None
    confirmed: str | None
    every: int | None
    audio_days: int | None
    rows_days: int | None
    refusals_days: int | None
    """Of who did not agree, where nothing was recorded."""
    told: bool
    """Whether callers hear that they are recorded, on each of its lines."""
    erase_withdrawn: bool
    kept_because: str | None


@dataclass(frozen=True)
class LineFacts:
    """A line: what its callers hear, and what they press."""

    name: str
    number: str
    queue: str
    says: str | None
    consent_key: str
    objection_key: str
    withdrawal_keys: str
    told_before: bool
    """Whether both keys and the way back are in the question before a yes counts, in every language."""
    further: tuple[tuple[str, str], ...]
    """The same question in the line's further languages: language, and what it says."""
    tried: str | None
    """Its second wording, where two are on trial."""
    details_key: str | None


@dataclass(frozen=True)
class Facts:
    """Everything that the documents say of this installation."""

    version: str
    controller: str | None
    contact: str | None
    dpo: str | None
    authority: str | None
    recipients: tuple[str, ...] | None
    third_countries: str | None
    """'' for none."""
    notice_at: str | None
    measures: tuple[str, ...]
    queues: tuple[QueueFacts, ...]
    lines: tuple[LineFacts, ...]
    must_agree: bool
    agents_line: str | None
    agents_hear: bool
    """Whether they are told before each talk, on every line, whether it may be recorded."""
    statistics: str | None
    agent_keys: tuple[tuple[str, str], ...]
    while_held: str
    outsiders: str
    taps: str
    database: str
    whose_number: str
    signed: bool
    posted: bool
    """Checkpoints, to somebody else's address."""
    stamped: bool
    """By a time stamping authority."""
    head_file: str
    commit_timeout_ms: int
    folder: str
    daily_at: str | None
    quarantine_days: int
    access_days: int
    http: bool
    shared_token: bool
    tells_somebody: bool
    allowed_peers: tuple[str, ...]
    peer_user: str | None
    """'*' for any; None: freeswitch, and the user that serves."""
    secret: bool
    """Whether the dialplan proves itself."""
    watchdog_s: int
    switches: int

    @property
    def asking(self) -> tuple[QueueFacts, ...]:
        """The queues whose callers are asked."""
        return tuple(queue for queue in self.queues if queue.asks)

    @property
    def by_law(self) -> tuple[QueueFacts, ...]:
        """The queues that record by law."""
        return tuple(queue for queue in self.queues if queue.by_law)

    @property
    def asked(self) -> tuple[LineFacts, ...]:
        """The lines whose callers are asked."""
        queues = {queue.name for queue in self.asking}
        return tuple(line for line in self.lines if line.queue in queues)

    @property
    def counts(self) -> bool:
        """Whether talks are counted for each agent (mode every_nth)."""
        return any(queue.every for queue in self.queues)


_TELLS = {Announcement.AGENT_RECORDED, Announcement.AGENT_NOT_RECORDED}


def facts_of(configuration: Configuration) -> Facts:
    """What this configuration says."""
    privacy, agents, ledger = configuration.privacy, configuration.agents, configuration.ledger
    queues = []
    lines = tuple(_line(configuration, name) for name in configuration.lines)
    for key, queue in configuration.queues.items():
        recording, confirmation = queue.recording, queue.recording.confirmation()
        refusals_days = queue.retention.refusals_days
        queues.append(
            QueueFacts(
                name=queue.name,
                lines=tuple(line.number for line in configuration.lines.values() if line.queue == key),
                mode=recording.mode.value,
                asks=recording.mode.asks,
                by_law=recording.mode is RecordingMode.PERMANENT,
                purpose=recording.purpose,
                statute=recording.legal_basis,
                confirmed=f"{confirmation.by}, {confirmation.on}" if confirmation else None,
                every=recording.every,
                audio_days=queue.retention.audio_days,
                rows_days=queue.retention.rows_days,
                refusals_days=queue.retention.rows_days if refusals_days is None else refusals_days,
                told=all(line.says for line in lines if line.queue == queue.name),
                erase_withdrawn=recording.erase_withdrawn,
                kept_because=recording.kept_because.strip(" .") if recording.kept_because else None,
            )
        )
    return Facts(
        version=consentivr.__version__,
        controller=privacy.controller,
        contact=privacy.contact,
        dpo=privacy.dpo,
        authority=privacy.authority,
        recipients=privacy.recipients,
        third_countries=privacy.transfers(),
        notice_at=privacy.notice_at,
        measures=privacy.measures,
        queues=tuple(queues),
        lines=lines,
        must_agree=agents.must_agree,
        agents_line=agents.line.number if agents.line else None,
        agents_hear=all(configuration.announcements_of(name).keys() >= _TELLS for name in configuration.lines),
        statistics=agents.statistics.agreement,
        agent_keys=tuple((wish.value, keys) for wish, keys in agents.keys.items()),
        while_held=configuration.talks.while_held.value,
        outsiders=configuration.talks.outsiders.value,
        taps=configuration.talks.taps.value,
        database="PostgreSQL" if ledger.url else "SQLite",
        whose_number=ledger.numbers.value,
        signed=ledger.signing_key is not None,
        posted=ledger.post_checkpoints_to is not None,
        stamped=ledger.time_stamp_url is not None,
        head_file=str(ledger.head_file),
        commit_timeout_ms=ledger.commit_timeout_ms,
        folder=str(configuration.recordings.folder),
        daily_at=written(configuration.retention.daily_at),
        quarantine_days=configuration.retention.quarantine_days,
        access_days=configuration.retention.access_days,
        http=configuration.http.listen is not None,
        shared_token=configuration.http.token_file is not None,
        tells_somebody=configuration.watch.command is not None,
        allowed_peers=tuple(map(written, configuration.service.allowed_peers)),
        peer_user=configuration.service.peer_user,
        secret=configuration.service.secret_file is not None,
        watchdog_s=configuration.freeswitch.connect_watchdog_s,
        switches=len(configuration.switches),
    )


def _line(configuration: Configuration, name: str) -> LineFacts:
    line, question = configuration.lines[name], configuration.question_of(name)
    mode = configuration.queues[line.queue].recording.mode
    said = configuration.announcements_of(name).get(Announcement.TOLD, ("", None))[1]
    return LineFacts(
        name=name,
        number=line.number,
        queue=configuration.queues[line.queue].name,
        says=wording.spoken(configuration.question_text(name)) if mode.asks else said,
        consent_key=question.consent_key,
        objection_key=question.objection_key,
        withdrawal_keys=question.withdrawal_keys,
        told_before=mode.asks
        and not any(configuration.asked(name, one).untold for one in configuration.spoken_on(name)),
        further=tuple(
            (one, wording.spoken(configuration.question_text(name, one))) for one in configuration.spoken_on(name)[1:]
        ),
        tried=wording.spoken(tried.text) if (tried := configuration.tried(name)) else None,
        details_key=question.details_key if mode.asks else None,
    )


_WANTED = {
    "controller": "who is responsible (GDPR art. 13(1)(a), 30(1)(a))",
    "contact": "how the controller is reached (art. 13(1)(a))",
    "dpo": "the data protection officer and how to reach them, or why there is none (art. 13(1)(b), 37)",
    "authority": "the supervisory authority (art. 13(2)(d), 33)",
    "recipients": "who gets recordings or evidence, [] for nobody (art. 13(1)(e), 30(1)(d))",
    "third_countries": "transfers to third countries, and on what, or 'none' (art. 13(1)(f), 30(1)(e))",
    "notice_at": "where callers find the whole notice (art. 13)",
}


def missing(configuration: Configuration) -> dict[str, str]:
    """What the documents want of the section ``privacy`` and do not find, and what it is."""
    return {name: what for name, what in _WANTED.items() if getattr(configuration.privacy, name) is None}
