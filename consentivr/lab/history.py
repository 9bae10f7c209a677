"""What a contact centre's ledger holds after a year: every kind of call, and of what became of its evidence.

The rows are the core's own, written by the ledger's own code, in the order of their times: the chain verifies. The
same ``seed`` makes the same calls. Numbers are those reserved for films.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import random
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy
import soundfile

from consentivr.core.consent import AnswerOutcome, Attempt, Consent, ConsentDecision, Notice, NoticeVersion, Reason
from consentivr.core.policy import RecordingMode
from consentivr.core.talk_turns import (
    AgentAnswered,
    CallEnded,
    CommandFailed,
    ForbiddenRecording,
    LegSeen,
    LookedForRecorders,
    Masked,
    Paused,
    RecordingStarted,
    RecordingStopped,
    Resumed,
    Tapped,
    Unmasked,
    Unwatched,
)
from consentivr.core.turn import Turn
from consentivr.core.turns import CONSENT_BASIS, Arrived, Decided, NoticeAdded, Row, Withdrawn
from consentivr.core.verdict import Do, Verdict, VerdictReason
from consentivr.custody import AgreedTo, agreement, withdrawal
from consentivr.ledger import CONSOLE, NO_CALL, CallRef, Entry, Ledger, Signer
from consentivr.ledger.appending import CHECKPOINT_ROWS
from consentivr.ledger.entry import as_text
from consentivr.recordings import fingerprint, recording_stem
from consentivr.resources import shipped

DAYS = 400
PURPOSE = "quality assurance"
SWITCH = "pbx-1"
CORE = "6f1f0f3e-0e0b-4d6c-9a53-7f4f3a2f8a11"

SOUNDS = 6
"""So many recordings are really there: of the first desk's first agent, among the ``NEWEST`` calls."""

NEWEST, APART = 72, timedelta(minutes=9)
"""So many calls came just now, and so far apart: somebody always looks at those."""

SHORT_S = (16, 40)
"""How long those take, in seconds: least and most."""

_BATCH = CHECKPOINT_ROWS
_RATE = 8000


@dataclass(frozen=True)
class Desk:
    """A line with its queue: how it records, its share of the calls, and the agents who take them."""

    line: str
    queue: str
    mode: RecordingMode
    share: float
    agents: tuple[str, ...]


DESKS = (
    Desk("support", "support@default", RecordingMode.PERMANENT_OPT_OUT, 0.50, ("anna@example", "bela@example")),
    Desk("sales", "sales@default", RecordingMode.CALLER_OPT_IN, 0.25, ("cem@example", "dora@example")),
    Desk("billing", "billing@default", RecordingMode.EVERY_NTH, 0.12, ("emil@example", "anna@example")),
    Desk("orders", "orders@default", RecordingMode.PERMANENT, 0.08, ("fritz@example",)),
    Desk("press", "press@default", RecordingMode.OFF, 0.05, ("gerda@example",)),
)

WORDINGS: dict[str, tuple[str, str]] = {
    "de": (
        "Dürfen wir dieses Gespräch zur Verbesserung der Qualität aufzeichnen? Ja: die 1. Nein: die 9.",
        "Dürfen wir aufzeichnen, um besser zu werden? Sie dürfen ablehnen. Ja: die 1. Nein: die 9.",
    ),
    "en": (
        "May we record this call to improve our service? Yes: press 1. No: press 9.",
        "May we record this call, to get better? You are free to say no. Yes: 1. No: 9.",
    ),
}
"""By language: at first, and from the middle on."""

_ANSWERS: Sequence[tuple[tuple[ConsentDecision, Reason], float]] = (
    ((ConsentDecision.GIVEN, Reason.CONSENT_KEY), 0.58),
    ((ConsentDecision.REFUSED, Reason.OBJECTION_KEY), 0.19),
    ((ConsentDecision.NOT_OBTAINED, Reason.SILENCE), 0.10),
    ((ConsentDecision.NOT_OBTAINED, Reason.HANGUP), 0.06),
    ((ConsentDecision.NOT_OBTAINED, Reason.WRONG_KEY), 0.03),
    ((ConsentDecision.NOT_OBTAINED, Reason.TOO_EARLY), 0.02),
    ((ConsentDecision.NOT_OBTAINED, Reason.CONNECTION_LOST), 0.01),
    ((ConsentDecision.NOT_OBTAINED, Reason.SWITCH_SILENT), 0.01),
)

_HOURS = (0, 0, 0, 0, 0, 0, 1, 3, 7, 10, 11, 9, 7, 8, 10, 9, 7, 5, 3, 2, 1, 0, 0, 0)
"""How busy each hour of a working day is, UTC."""

_VERDICTS = {
    ConsentDecision.GIVEN: Verdict(Do.RECORD, VerdictReason.CALLER_AGREED),
    ConsentDecision.REFUSED: Verdict(Do.STOP, VerdictReason.CALLER_REFUSED),
    ConsentDecision.NOT_OBTAINED: Verdict(Do.STOP, VerdictReason.NO_ANSWER),
}


def reserved_numbers() -> list[str]:
    """Telephone numbers that nobody has (Bundesnetzagentur, for films; Ofcom; 555-01xx)."""
    areas = ("3023125", "4066969", "6990009", "8999998")
    german = [f"+49{area}{n:03d}" for area in areas for n in range(1000)]
    mobile = [f"+49176040690{n:02d}" for n in range(100)]
    others = [*(f"+447700900{n:03d}" for n in range(1000)), *(f"+1202555{n:04d}" for n in range(100, 200))]
    return [*german, *mobile, *others]


@dataclass
class History:
    """Rows of ``calls`` calls, the last a moment before ``until``. With ``folder`` some of the newest talks have their
    sound there; the others' files were somewhere else.
    """

    calls: int
    until: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    days: int = DAYS
    folder: Path | None = None
    seed: int = 1

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)  # noqa: S311 - the same calls each time
        self._begins = self.until - timedelta(days=self.days)
        self._changes = self._begins + timedelta(days=self.days / 2)
        self._numbers = reserved_numbers()
        self._with_sound = 0

    def rows(self) -> Iterator[Entry]:
        """Everything, in the order of its times."""
        waiting: list[tuple[datetime, int, Entry]] = []
        order = itertools.count()
        beside = heapq.merge(self._house(), self._people(), key=lambda entry: entry.at)
        upcoming = next(beside, None)
        for moment in self._arrivals():
            while upcoming is not None and upcoming.at <= moment:
                heapq.heappush(waiting, (upcoming.at, next(order), upcoming))
                upcoming = next(beside, None)
            for entry in self._call(moment):
                if entry.at < self.until:
                    heapq.heappush(waiting, (entry.at, next(order), entry))
            while waiting and waiting[0][0] <= moment:
                yield heapq.heappop(waiting)[2]
        while waiting:
            yield heapq.heappop(waiting)[2]

    def notices(self) -> list[NoticeVersion]:
        """The wordings that the rows name."""
        return [self._wording(language, at) for language in WORDINGS for at in (self._begins, self._changes)]

    # --- when ------------------------------------------------------------------------------------

    def _arrivals(self) -> list[datetime]:
        """As busy hours and working days have it; more each month."""
        moments: list[datetime] = []
        while len(moments) < self.calls:
            day = int(self.days * self._chance.random() ** 0.9)
            at = (self._begins + timedelta(days=day)).replace(hour=0, minute=0, second=0, microsecond=0)
            if at.weekday() == 6 or (at.weekday() == 5 and self._chance.random() < 0.7):
                continue
            hour = self._chance.choices(range(24), _HOURS)[0]
            at += timedelta(hours=hour, seconds=self._chance.random() * 3600)
            if self._begins < at < self.until - timedelta(minutes=5):
                moments.append(at)
        for n in range(min(len(moments), NEWEST)):
            moments[n] = self.until - timedelta(minutes=7, seconds=self._chance.random() * 60) - n * APART
        return sorted(moments)

    # --- the house -------------------------------------------------------------------------------

    def _house(self) -> Iterator[Entry]:
        """The register and the wordings, the pre-flight and the nightly checks."""
        agents = sorted({agent for desk in DESKS for agent in desk.agents})
        for agent in agents:
            entry = agreement(agent, AgreedTo(wording="works agreement"), on=f"{self._begins:%Y-%m-%d}")
            yield _at(entry, self._begins)
        yield from self._worded(self._begins)
        found = {"switch": SWITCH, "new": [], "gone": [], "findings": {}, "not_seen": []}
        yield self._nobodys(Turn.SWITCH_CHECKED, found, self._begins)
        for day in range(1, self.days):
            night = (self._begins + timedelta(days=day)).replace(hour=3, minute=30, second=0)
            if self._changes - timedelta(days=1) < night <= self._changes:
                yield from self._worded(self._changes)
            if day % 7 == 0:
                checked = {"through": day, "compared": day, "recordings": 100, "differ": 0}
                yield self._nobodys(Turn.AUDIO_CHECKED, checked, night)
            if day == self.days * 3 // 4:
                yield _at(withdrawal("emil@example"), night)

    def _worded(self, at: datetime) -> Iterator[Entry]:
        for language in WORDINGS:
            yield self._nobodys(Turn.NOTICE_ADDED, NoticeAdded.of(self._wording(language, at)).evidence(), at)

    def _people(self) -> Iterator[Entry]:
        """What was done at the console on working days: the access log."""
        for day in range(1, self.days):
            morning = (self._begins + timedelta(days=day)).replace(hour=8, minute=0, second=0)
            if morning.weekday() > 4:
                continue
            for minutes, (name, role) in enumerate((("sven", "supervisor"), ("olga", "officer"), ("adam", "admin"))):
                if self._chance.random() < 0.8:
                    moment = morning + timedelta(minutes=7 * minutes)
                    yield self._consoles(Turn.SIGNED_IN, moment, by=name, role=role, how="password")
            if self._chance.random() < 0.1:
                moment = morning + timedelta(minutes=40)
                yield self._consoles(Turn.SIGN_IN_FAILED, moment, by="sven", role="", why="password", times=1)
            if self._chance.random() < 0.2:
                moment, found = morning + timedelta(hours=1), self._chance.randrange(4)
                said = {"by": "olga", "role": "officer", "found": found, "why": "a letter of that person"}
                yield self._consoles(Turn.PERSON_LOOKED_FOR, moment, **said)

    # --- one call --------------------------------------------------------------------------------

    def _call(self, at: datetime) -> list[Entry]:
        chance = self._chance
        desk = chance.choices(DESKS, [desk.share for desk in DESKS])[0]
        channel, visit = (str(uuid.UUID(int=chance.getrandbits(128), version=4)) for _ in range(2))
        about = CallRef(channel, visit, desk.line, desk.queue, desk.mode.value)
        caller = None if chance.random() < 0.04 else chance.choice(self._numbers)
        told = _Call(about, caller if desk.mode is RecordingMode.PERMANENT else None)
        told.say(at, Arrived(SWITCH, CORE))
        language = "de" if chance.random() < 0.8 else "en"
        notice = self._wording(language, at)
        at, consent = self._asked(desk, notice, at)
        if consent.decision is ConsentDecision.GIVEN:
            told.number = caller
        said = _VERDICTS[consent.decision]
        basis: str | None = CONSENT_BASIS
        if not desk.mode.asks:
            by_law = desk.mode is RecordingMode.PERMANENT
            said = Verdict(Do.RECORD, VerdictReason.LEGAL_BASIS) if by_law else Verdict(Do.STOP, VerdictReason.MODE_OFF)
            basis = "WpHG § 83(3)" if by_law else None
        heard = Notice(notice.digest, notice.duration_ms, language) if desk.mode is not RecordingMode.OFF else None
        told.say(at, Decided(consent, said, PURPOSE, basis, _text(told.began), heard))
        if consent.reason is Reason.HANGUP:
            return told.say(at, CallEnded("ORIGINATOR_CANCEL", None)).entries
        at += timedelta(seconds=chance.expovariate(1 / 40))
        if chance.random() < 0.05:
            return told.say(at, CallEnded("ORIGINATOR_CANCEL", None)).entries
        records = said.record and not (desk.mode is RecordingMode.EVERY_NTH and chance.random() < 0.66)
        self._talk(told, desk, consent, at, records)
        return told.entries

    def _asked(self, desk: Desk, notice: NoticeVersion, at: datetime) -> tuple[datetime, Consent]:
        """When it was decided, and what."""
        if not desk.mode.asks:
            reason = Reason.LEGAL_BASIS if desk.mode is RecordingMode.PERMANENT else Reason.MODE_OFF
            return at + timedelta(seconds=3), Consent(ConsentDecision.NOT_OBTAINED, reason)
        chance = self._chance
        (decision, reason), _ = chance.choices(_ANSWERS, [share for _, share in _ANSWERS])[0]
        if at >= self._changes and decision is ConsentDecision.NOT_OBTAINED and chance.random() < 0.3:
            decision, reason = ConsentDecision.REFUSED, Reason.OBJECTION_KEY  # the second wording is understood better
        attempts: list[Attempt] = []

        def put(outcome: AnswerOutcome, key: str | None, heard_ms: int) -> None:
            nonlocal at
            asked, at = at, at + timedelta(milliseconds=heard_ms + (3000 if outcome is AnswerOutcome.SILENCE else 400))
            attempts.append(Attempt(outcome, key, heard_ms, _text(asked), _text(at)))

        whole = notice.duration_ms
        part = int(whole * (0.55 + 0.45 * chance.random()))
        if reason in (Reason.SILENCE, Reason.WRONG_KEY, Reason.TOO_EARLY):
            outcome = AnswerOutcome(reason.value)
            key = {Reason.WRONG_KEY: "5", Reason.TOO_EARLY: "1"}.get(reason)
            for _ in range(3):
                put(outcome, key, whole if reason is not Reason.TOO_EARLY else 900)
        elif reason is Reason.HANGUP:
            put(AnswerOutcome.HUNG_UP, None, int(whole * chance.random()))
        elif reason in (Reason.CONSENT_KEY, Reason.OBJECTION_KEY):
            if chance.random() < 0.12:
                put(AnswerOutcome.SILENCE, None, whole)
            put(AnswerOutcome.KEY, "1" if reason is Reason.CONSENT_KEY else "9", part)
        else:
            at += timedelta(seconds=2)
        return at, Consent(decision, reason, tuple(attempts))

    def _talk(self, told: _Call, desk: Desk, consent: Consent, at: datetime, records: bool) -> None:
        chance = self._chance
        sounds = records and desk is DESKS[0] and self._may_sound(told.began)
        length_s = chance.uniform(*SHORT_S) if sounds else 20 + chance.expovariate(1 / 200)
        agent = desk.agents[0] if sounds else chance.choice(desk.agents)
        leg = str(uuid.UUID(int=chance.getrandbits(128), version=4))
        told.say(at, AgentAnswered(leg, agent, agent_agreed=True))
        ends = at + timedelta(seconds=length_s)
        folder = str(self.folder or "/var/lib/consentivr/recordings")
        path = f"{recording_stem(folder, told.about.visit or '', at.date())}.wav"
        if records:
            began = at + timedelta(milliseconds=120)
            told.say(began, RecordingStarted(path, "caller"))
            self._silences(told, began, length_s, path)
            if consent.decision is ConsentDecision.GIVEN and chance.random() < 0.012:
                ends = at + timedelta(seconds=length_s / 2)
                told.say(ends, Withdrawn(Reason.WITHDRAWAL_KEYS.value, "*9", "caller", erase=True, stopped_ms=180))
            told.say(ends, RecordingStopped(path, int((ends - began).total_seconds() * 1000), "NORMAL_CLEARING"))
        elif desk.mode is not RecordingMode.OFF:
            legs = (LegSeen("caller", told.about.channel_uuid, ()), LegSeen("agent", leg, ()))
            told.say(at + timedelta(seconds=1), LookedForRecorders(legs))
        self._incident(told, at + timedelta(seconds=2), path, records)
        told.say(max(ends, at + timedelta(seconds=length_s)), CallEnded("NORMAL_CLEARING", agent))
        if records:
            self._afterwards(told, path, ends, length_s, sounds)

    def _may_sound(self, began: datetime) -> bool:
        newest = self.until - NEWEST * APART < began
        return self.folder is not None and self._with_sound < SOUNDS and newest

    def _silences(self, told: _Call, began: datetime, length_s: float, path: str) -> None:
        """A hold, or a pause that the agent makes: the file has silence there."""
        kind = self._chance.random()
        since, till = (began + timedelta(seconds=length_s * share) for share in (0.3, 0.45))
        if kind < 0.08:
            parties = (told.about.channel_uuid,)
            told.say(since, Masked(VerdictReason.ON_HOLD.value, parties, (path,)))
            told.say(till, Unmasked(VerdictReason.ON_HOLD.value, parties))
        elif kind < 0.14:
            told.say(since, Paused("agent", (path,)))
            told.say(till, Resumed("agent", (path,)))

    def _incident(self, told: _Call, at: datetime, path: str, records: bool) -> None:
        """Now and then something listens or records that must not."""
        kind = self._chance.random()
        if kind < 0.0004 and not records:
            stray = path.replace(".wav", "-2.wav")
            told.say(at, ForbiddenRecording(stray, "agent", VerdictReason.CALLER_REFUSED.value))
            erased = {"path": stray, "why": "it must not be"}
            told.add(at + timedelta(seconds=1), Turn.RECORDING_ERASED, erased)
        elif kind < 0.0006:
            told.say(at, Tapped("eavesdrop", "agent", ended=True))
        elif kind < 0.0007 and records:
            told.say(at, CommandFailed("mask", "-ERR Cannot mask recording session!", (path,)))
        elif kind < 0.0009 and records:
            told.say(at, Unwatched(_text(at), _text(at + timedelta(seconds=4)), (path,)))

    def _afterwards(self, told: _Call, path: str, ended: datetime, length_s: float, sounds: bool) -> None:
        chance = self._chance
        at = ended + timedelta(seconds=0.3)
        if told.withdrawn:
            told.add(
                at, Turn.AUDIO_ERASED, {"why": "the yes was taken back", "files": [{"path": path, "sha256": None}]}
            )
            return
        if sounds:
            self._with_sound += 1
            seal = vars(write_sound(Path(path), length_s, chance))
        else:
            digest = hashlib.sha256(path.encode()).hexdigest()
            seal = {"sha256": digest, "channels": 2, "duration_ms": int(length_s * 1000)}
        if sounds or chance.random() > 0.002:  # else nobody has sealed it yet
            told.add(at, Turn.RECORDING_SEALED, {"path": path, **seal})
        kind = chance.random()
        if kind < 0.002:
            told.add(at + timedelta(days=2), Turn.HOLD, {"why": "a dispute over the contract"})
        elif kind < 0.004 and told.about.mode != RecordingMode.PERMANENT:
            later = at + timedelta(days=3)
            said = Withdrawn(Reason.BY_LETTER.value, None, "officer", erase=True, stopped_ms=None).evidence()
            told.add(later, Turn.WITHDRAWN, {**said, "declared_on": f"{later:%Y-%m-%d}"})
            gone = {"why": "the yes was taken back", "files": [{"path": path, "sha256": seal["sha256"]}]}
            told.add(later + timedelta(seconds=1), Turn.AUDIO_ERASED, gone)
        elif kind < 0.0042:
            told.add(at + timedelta(days=1), Turn.RECORDING_DIFFERS, {"path": path, "why": "replaced"})
        elif kind < 0.009:
            self._heard(told, path, seal["sha256"], at + timedelta(days=1))

    def _heard(self, told: _Call, path: str, sha256: str | None, at: datetime) -> None:
        """Somebody listened: asked and allowed by a second person, or alone; then it was played."""
        request, playing = (str(uuid.UUID(int=self._chance.getrandbits(128), version=4)) for _ in range(2))
        alone = self._chance.random() < 0.1
        who = {"by": "olga", "role": "officer"} if alone else {"by": "sven", "role": "supervisor"}
        asked = {**who, "request": request, "purpose": "training"}

        def named(turn: Turn, moment: datetime, evidence: dict[str, Any]) -> None:
            told.add(moment, turn, evidence)
            told.entries[-1].submission = f"{turn.value}-{request}"

        if alone:
            until = as_text(at + timedelta(minutes=15))
            named(Turn.GLASS_BROKEN, at, {**asked, "why": "the police asked for it today", "until": until})
        else:
            named(Turn.LISTENING_REQUESTED, at, asked)
            at += timedelta(minutes=20)
            decided = {"by": "carl", "role": "council", "request": request}
            if self._chance.random() < 0.2:
                return named(Turn.LISTENING_DECIDED, at, {**decided, "approved": False})
            until = as_text(at + timedelta(days=3))
            named(Turn.LISTENING_DECIDED, at, {**decided, "approved": True, "until": until})
        played = {**asked, "path": path, "sha256": sha256, "agent": told.agent, "playing": playing}
        told.add(at + timedelta(minutes=5), Turn.RECORDING_PLAYED, played | ({} if alone else {"second": "carl"}))
        heard = {**who, "request": request, "path": path, "playing": playing, "heard_s": 140.0, "counted_by": "player"}
        told.add(at + timedelta(minutes=8), Turn.RECORDING_HEARD, heard)
        return None

    def _wording(self, language: str, at: datetime) -> NoticeVersion:
        text = WORDINGS[language][at >= self._changes]
        return NoticeVersion(language, text, hashlib.sha256(text.encode()).hexdigest(), 60 * len(text))

    def _nobodys(self, turn: Turn, evidence: dict[str, Any], at: datetime) -> Entry:
        return _at(CallRef(NO_CALL, None, "", "", "").row(turn, evidence), at)

    def _consoles(self, turn: Turn, at: datetime, **evidence: Any) -> Entry:
        return _at(CallRef(CONSOLE, None, "", "", "").row(turn, evidence), at)


class _Call:
    """The rows of one call, as they come."""

    def __init__(self, about: CallRef, number: str | None) -> None:
        self.about, self.number = about, number
        self.entries: list[Entry] = []
        self.withdrawn = False
        self.agent: str | None = None

    @property
    def began(self) -> datetime:
        return self.entries[0].at

    def say(self, at: datetime, row: Row) -> _Call:
        self.withdrawn = self.withdrawn or isinstance(row, Withdrawn)
        self.agent = row.agent if isinstance(row, AgentAnswered) else self.agent
        return self.add(at, row.turn, row.evidence())

    def add(self, at: datetime, turn: Turn, evidence: dict[str, Any]) -> _Call:
        entry = self.about.row(turn, evidence, caller_id_number=self.number)
        self.entries.append(_at(entry, at))
        return self


def filled(
    location: str | Path,
    history: History,
    tell: Callable[[str], None] = lambda what: None,
    *,
    signer: Signer | None = None,
) -> int:
    """Write it into an empty ledger there, signed as ``serve`` does; returns the number of rows. Raises LedgerError."""
    ledger = Ledger(location, signer=signer)
    try:
        return fill(ledger, history, tell)
    finally:
        ledger.close()


def fill(ledger: Ledger, history: History, tell: Callable[[str], None] = lambda what: None) -> int:
    """The same with one that is open."""
    rows, written = history.rows(), 0
    while batch := list(itertools.islice(rows, _BATCH)):
        ledger.append(batch)
        written += len(batch)
        if written % 100_000 < _BATCH:
            tell(f"{written} rows ...")
    for notice in history.notices():
        ledger.add_notice(notice)
    ledger.analyze()
    return written


def write_sound(path: Path, length_s: float, chance: random.Random) -> Any:
    """A talk: the caller on the left, the agent on the right, in turns. The voices are those of our announcements.

    Returns its ``Fingerprint``.
    """
    sides = numpy.zeros((int(length_s * _RATE), 2), dtype="int16")
    voices = [_voice("en"), _voice("de")]
    place, side = 0, 1
    while place < len(sides):
        said = chance.choice(voices[side])[: len(sides) - place]
        sides[place : place + len(said), side] = said
        place += len(said) + int(0.4 * _RATE)
        side = 1 - side
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sides, _RATE, "PCM_16")
    return fingerprint(path)


def _voice(language: str) -> list[Any]:
    folder = shipped("sounds") / language / str(_RATE)
    names = ("refused", "accepted", "no_input", "not_obtained", "wrong_key")
    return [soundfile.read(folder / f"{name}.wav", dtype="int16")[0] for name in names]


def _at(entry: Entry, at: datetime) -> Entry:
    entry.at = at
    return entry


def _text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")
