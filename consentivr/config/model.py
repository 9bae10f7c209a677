"""The whole configuration, and what follows from it for a line, a queue, an announcement.

Each section stands in the file of its subject; a section's ``description`` is its documentation.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from consentivr.config import announcing, wording
from consentivr.config.agents import Agents
from consentivr.config.console import Console
from consentivr.config.evidence import LedgerSection, Numbers, Privacy, Recordings, RetentionSection
from consentivr.config.lines import FurtherLanguage, LineConfiguration, Question, Sounds
from consentivr.config.queues import QueueConfiguration, Talks
from consentivr.config.service import Check, FreeSwitch, Http, Service, Switch, Watch
from consentivr.config.values import Language, Name, Section, SpokenText
from consentivr.config.wording import Asked
from consentivr.core.policy import Announcement, LinePolicy, TalkPolicy

SAMPLE_RATES = (8000, 16000)
"""Each announcement is kept at the rates of narrowband and wideband calls, in Hz."""


class Configuration(Section):
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
    check: Check = Field(default_factory=Check)
    http: Http = Field(default_factory=Http)
    console: Console = Field(default_factory=Console)
    sounds: Sounds = Field(default_factory=Sounds)
    privacy: Privacy = Field(default_factory=Privacy)
    freeswitch: FreeSwitch = Field(default_factory=FreeSwitch)
    language: Language = Field("de", description="The language of lines that name none.")
    languages: dict[Language, FurtherLanguage] = Field(
        default_factory=dict,
        description="Further languages in which callers of every line can be asked. The channel's variable "
        "consent_language chooses one, then the caller's number, and a key after all. The line's own may be among "
        "them: its key leads back.",
        examples=[{"en": {"key": "2", "prefixes": ["+44", "+353"]}, "de": {"key": "4"}}],
    )
    question: Question = Field(default_factory=Question)
    lines: dict[Name, LineConfiguration] = Field(..., min_length=1, description="The numbers that callers dial.")
    queues: dict[Name, QueueConfiguration] = Field(
        ..., min_length=1, description="Where they wait, and whether their talks are recorded."
    )
    announcements: dict[Language, dict[Announcement, SpokenText]] = Field(
        default_factory=dict,
        description="What callers hear in words of your own, each language whole: what is left out there is not said, "
        "and only 'question' may not be. A language that is not here has our wording ('consentivr prompts texts'; to "
        "listen: 'consentivr prompts preview'). After a change run 'consentivr prompts build', or put a studio "
        "recording in the file's place. A | in 'question' marks where the caller knows what is asked; it is not "
        "spoken. Before it stand both keys and the way back (GDPR art. 7(3)).",
        examples=[
            {
                "de": {
                    "question": "Dürfen wir dieses Gespräch zur Schulung aufzeichnen? Für Ja drücken Sie die 1, für "
                    "Nein die 9. Widerruf jederzeit mit Stern 9.|",
                    "accepted": "Danke, wir dürfen aufzeichnen. Widerruf jederzeit mit Stern 9.",
                }
            }
        ],
    )

    def line_policy(
        self, line_name: str, question_ms: int, heard_ms: int | None = None, asked: Asked | None = None
    ) -> LinePolicy:
        """How callers of a line are asked, in its own language unless ``asked`` is another question. In milliseconds,
        ``question_ms`` is how long that lasts, and ``heard_ms`` after how much of it a caller knows what is asked, if
        it was measured."""
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
            details_key=question.details_key,
            max_attempts=question.attempts,
            min_heard_ms=int(question_ms * (asked or self.asked(line_name)).enough) if least is None else least,
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

    # --- what is said, in a line's own language unless another one is named ----------------------

    def asked(self, line_name: str, language: str | None = None) -> Asked:
        """A line's question."""
        return self._asked(line_name, self.question_text(line_name, language), language or self.language_of(line_name))

    def tried(self, line_name: str) -> Asked | None:
        """The second wording of it, in the line's own language, where there is one on trial."""
        trial = self.lines[line_name].trial
        return None if trial is None else self._asked(line_name, trial.question, self.language_of(line_name))

    def _asked(self, line_name: str, text: str, language: str) -> Asked:
        question = self.question_of(line_name)
        return Asked(text, language, (question.consent_key, question.objection_key), question.withdrawal_keys)

    def tried_file(self, line_name: str) -> tuple[str, str] | None:
        """The file's stem and the text of the second wording, as ``announcements_of`` has the first."""
        trial = self.lines[line_name].trial
        stem = f"{line_name}-{Announcement.QUESTION.value}"
        return None if trial is None else (f"{stem}-{trial.name}", wording.spoken(trial.question))

    def trial_kept_days(self, line_name: str) -> int | None:
        """After so many days rows of a trial on this line may be erased, of its calls or its own; None: never."""
        terms = self.queues[self.lines[line_name].queue].retention.terms()
        kept = (terms.rows_from_days, self.retention.access_days)
        return min((days for days in kept if days is not None), default=None)

    def heard_files(self) -> dict[tuple[str, str], str]:
        """What must be heard (``Asked.heard``) of each question's file, (language, file's stem); where lines differ in
        their keys the longest."""
        files: dict[tuple[str, str], str] = {}
        for name in self.lines:
            for language in self.spoken_on(name):
                if Announcement.QUESTION in (said := self.announcements_of(name, language)):
                    file = language, said[Announcement.QUESTION][0]
                    files[file] = max(files.get(file, ""), self.asked(name, language).heard, key=len)
            if (tried := self.tried(name)) and (made := self.tried_file(name)):
                files[tried.language, made[0]] = tried.heard
        return files

    def question_text(self, line_name: str, language: str | None = None) -> str:
        """What a line's callers are asked, with the mark; empty where there is no question."""
        spoken = language or self.language_of(line_name)
        if Announcement.QUESTION in (own := self.own_texts(line_name, spoken)):
            return own[Announcement.QUESTION]
        text = self.texts_in(spoken).get(Announcement.QUESTION, "")
        key = self.question_of(line_name).details_key
        return f"{text} {announcing.details_offer(spoken, key)}" if key and spoken not in self.announcements else text

    def question_of(self, line_name: str) -> Question:
        """How callers of a line are asked."""
        return self.lines[line_name].question or self.question

    def language_of(self, line_name: str) -> str:
        """The language of a line."""
        return self.lines[line_name].language or self.language

    def languages_of(self, line_name: str) -> Mapping[str, FurtherLanguage]:
        """What leads a line's callers to which language; the line's own may be among them, with a key to come back."""
        own = self.lines[line_name].languages
        return self.languages if own is None else own

    def spoken_on(self, line_name: str) -> list[str]:
        """Every language of a line, its own first."""
        return list(dict.fromkeys((self.language_of(line_name), *self.languages_of(line_name))))

    def texts_in(self, language: str) -> Mapping[Announcement, str]:
        """The wording in a language: the configuration's own, else ours; empty where there is none."""
        return self.announcements.get(language) or announcing.ours(language)

    def own_texts(self, line_name: str, language: str) -> Mapping[Announcement, str]:
        """Wordings of a line's own."""
        line = self.lines[line_name]
        if language == self.language_of(line_name):
            return line.announcements
        return line.languages[language].announcements if line.languages and language in line.languages else {}

    def announcements_of(self, line_name: str, language: str | None = None) -> dict[Announcement, tuple[str, str]]:
        """For each announcement of a line its file's stem and its text."""
        spoken = language or self.language_of(line_name)
        own = self.own_texts(line_name, spoken)
        said = {one: (one.value, text) for one, text in self.texts_in(spoken).items()}
        said |= {one: (f"{line_name}-{one.value}", text) for one, text in own.items()}
        question = self.question_of(line_name)
        if question.details_key is None:
            said.pop(Announcement.DETAILS, None)
        else:
            text = said[Announcement.DETAILS][1] if Announcement.DETAILS in said else self._our_details(spoken)
            told = announcing.filled(text, self._facts(line_name))
            said[Announcement.DETAILS] = f"{line_name}-{Announcement.DETAILS.value}", told
            if Announcement.QUESTION in said and Announcement.QUESTION not in own and spoken not in self.announcements:
                stem = f"{Announcement.QUESTION.value}-{question.details_key}"
                said[Announcement.QUESTION] = stem, self.question_text(line_name, spoken)
        way = self.languages_of(line_name).get(spoken)
        if way is None or way.key is None:
            said.pop(Announcement.LANGUAGE, None)
        elif Announcement.LANGUAGE in said:
            stem, text = said[Announcement.LANGUAGE]
            said[Announcement.LANGUAGE] = f"{stem}-{way.key}", announcing.filled(text, {"key": way.key})
        return {one: (stem, wording.spoken(text)) for one, (stem, text) in said.items()}

    def _our_details(self, language: str) -> str:
        return announcing.ours(language).get(Announcement.DETAILS, "")

    def _facts(self, line_name: str) -> dict[str, object]:
        """What 'details' tells; what the configuration does not say is missing."""
        retention, privacy = self.queues[self.lines[line_name].queue].retention, self.privacy
        known = {
            "controller": privacy.controller,
            "contact": privacy.contact,
            "notice_at": privacy.notice_at and announcing.as_said(privacy.notice_at),
            "audio_days": retention.audio_days,
            "rows_days": retention.rows_days,
        }
        return {name: value for name, value in known.items() if value is not None}

    def sound_files(self) -> dict[tuple[str, str], str]:
        """Every announcement in use, as (language, file's stem) -> text."""
        files: dict[tuple[str, str], str] = {}
        for name in self.lines:
            for language in self.spoken_on(name):
                for stem, text in self.announcements_of(name, language).values():
                    files[language, stem] = text
            if tried := self.tried_file(name):
                files[self.language_of(name), tried[0]] = tried[1]
        if self.agents.line is not None:
            for announcement, text in self.agents.line.announcements.items():
                files[self.agents.line.language or self.language, f"agents-{announcement.value}"] = text
        return files
