"""What each action of the dialogue says to the switch: one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import structlog

from consentivr import switch
from consentivr.asking.channel import Channel
from consentivr.asking.hearing import LANGUAGE_KEY, Hearing
from consentivr.asking.line import GREETING_TIMEOUT_MS
from consentivr.core import actions as do
from consentivr.core import events as ev
from consentivr.core.actions import AskingAction
from consentivr.core.consent import AnswerOutcome, Attempt, ConsentDecision
from consentivr.core.policy import Announcement, LinePolicy
from consentivr.esl.session import OutboundSession
from consentivr.prompts import Spoken

log = structlog.get_logger(__name__)

UNHEEDED = (
    "sched_cancel",
    "answer",
    "multiset",
    "set",
    "flush_dtmf",
    "record_session",
    "socket",
)
"""Applications whose begin and end tell us nothing; nor does "playback" where a question need not be heard whole."""

SLACK_SECONDS = 5.0
"""How much later than expected the switch may report."""

EXPORTED = (switch.NO_RECORD, switch.DECISION, "sip_disable_recording", *switch.UNTOLD_DIGITS, *switch.NEUTRAL)
"""What the agent's leg carries as well."""


class Doing:
    """Says it. ``deadline_s`` is how long the switch may take for what was said last; None when nothing is awaited."""

    def __init__(self, session: OutboundSession, channel: Channel, hearing: Hearing) -> None:
        self._session = session
        self._channel = channel
        self._hearing = hearing
        self.deadline_s: float | None = None

    @property
    def policy(self) -> LinePolicy:
        """Of the line, in the language that is spoken now."""
        return self._channel.line.policy

    def perform(self, action: AskingAction) -> ev.AskingEvent | None:
        """Queue the words; the event when there is nothing to wait for."""
        return PERFORM[type(action)](self, action)

    def take_over(self, action: do.TakeOver) -> None:
        session, channel = self._session, self._channel
        line = channel.line
        session.decline(*UNHEEDED, *(() if line.hear_to_end else ("playback",)))
        # At once, not after what is executed: whoever finds the channel from here on knows that its visit has a row.
        variables = {
            switch.VISIT: channel.visit,
            "playback_terminators": "none",
            switch.PROOF: "",
            switch.CALLED_AT: "",
        }
        session.api(switch.set_variables(channel.uuid, variables))
        session.api(switch.no_watchdog(channel.uuid))
        session.api(switch.watchdog(channel.uuid, channel.base.watchdog_s, line.fallback, line.context))
        session.execute("answer")

    def play(self, action: do.Play) -> None:
        sound = self._channel.sounds.get(action.announcement)
        if sound is not None and action.skippable:
            # A key from before it ends nothing, such as the one that it answers.
            self._session.execute("flush_dtmf")
            self._play_until_a_key(sound)
        elif sound is not None:
            self._session.execute("playback", sound.path)

    def play_to_end(self, action: do.PlayToEnd) -> ev.AskingEvent | None:
        """Any key ends it; which one it was comes as an event of its own.

        Nothing is flushed before it: the switch tells of a key when something takes it, and of one that is flushed
        never. A no in the same breath as the yes would be lost, when it comes in the same media frame (promise P2).
        """
        sound = self._channel.sounds.get(action.announcement)
        if sound is None:
            return ev.Announced()
        played = self._play_until_a_key(sound)
        self._hearing.expect(played, lambda event: ev.Announced())
        self.deadline_s = sound.duration_ms / 1000 + SLACK_SECONDS
        return None

    def _play_until_a_key(self, sound: Spoken) -> str:
        """Returns its Event-UUID."""
        return self._session.play_and_get_digits(
            prompt_file=sound.path, variable="consent_skipped", digits_regex=".", timeout_ms=1
        )

    def greet(self, action: do.Greet) -> None:
        """What we say, and in each other language which key chooses it, in one go: a key ends all of it."""
        session, channel = self._session, self._channel
        spoken = [channel.sounds.get(Announcement.WELCOME)]
        for language in channel.offers.values():
            line = channel.base.speaking(language)
            spoken.append(line.sounds_at(channel.rate).get(Announcement.LANGUAGE) if line else None)
        paths = [sound.path for sound in spoken if sound is not None]
        session.set_variables({"read_result": "", LANGUAGE_KEY: ""})
        session.execute("flush_dtmf")
        asked = session.play_and_get_digits(
            prompt_file=switch.one_after_another(paths),
            variable=LANGUAGE_KEY,
            digits_regex=f"[{''.join(channel.offers)}]",
            timeout_ms=GREETING_TIMEOUT_MS,
        )
        self._hearing.expect(asked, self._hearing.greeted)
        self.deadline_s = (
            sum(sound.duration_ms for sound in spoken if sound) + GREETING_TIMEOUT_MS
        ) / 1000 + SLACK_SECONDS

    def speak(self, action: do.Speak) -> None:
        """Whoever has the call next is told as well."""
        self._channel = self._hearing.channel = self._channel.speaking(action.language)
        self._session.api(switch.set_variables(self._channel.uuid, {switch.LANGUAGE: action.language}))

    def ask(self, action: do.Ask) -> ev.AskingEvent | None:
        session, line, hearing = self._session, self._channel.line, self._hearing
        sound = self._channel.sounds[Announcement.QUESTION]
        if not sound.is_as_read():
            # Its wording and version go into the ledger: they must be those of what is played (promise P8).
            log.error("not asked: the question's file is another one than was read; reload", path=sound.path)
            return ev.Answered(action.number, Attempt(AnswerOutcome.NOT_ASKED))
        number, variable = action.number, f"consent_key_{action.number}"
        # An answer to an earlier question, or a key of a menu before us, must not be taken for one to this (P2).
        session.set_variables({"read_result": "", "playback_last_offset_pos": "", variable: ""})
        session.execute("flush_dtmf")
        prompt, sounding = sound.path, None
        if line.hear_to_end:
            hearing.question_plays()
            sounding = session.playback(sound.path)
            hearing.expect(sounding, hearing.question_follows)
            prompt = "silence_stream://10"
        asked = session.play_and_get_digits(
            prompt_file=prompt,
            variable=variable,
            digits_regex=f"[{line.policy.consent_key}{line.policy.objection_key}{line.policy.details_key or ''}"
            f"{''.join(self._channel.offers)}]",
            timeout_ms=line.answer_timeout_ms,
        )
        hearing.expect(asked, lambda event: hearing.answer(event, number, variable, sounding or asked))
        self.deadline_s = line.asking_s(self._channel.sounds) + SLACK_SECONDS
        return None

    def permit(self, action: do.PermitRecording) -> None:
        self._session.set_variables(switch.permission(self._channel.recording_path, stereo=self._channel.line.stereo))

    def arm(self, action: do.ArmRecorder) -> None:
        self._session.execute("record_session", self._channel.recording_path)

    def take_back(self, action: do.TakeBack) -> None:
        uuid = self._channel.uuid
        self._session.api(switch.set_variables(uuid, switch.refusal(uuid, ConsentDecision.WITHDRAWN.value)))
        self._session.api(switch.stop_all_recorders(uuid))

    def join(self, action: do.JoinQueue) -> None:
        """The watchdog goes last: until then the dialplan has the call if we die."""
        session, channel = self._session, self._channel
        session.set_variables(
            self._for_the_agent(action.word)
            | self._unanswered()
            | {
                switch.DECISION: action.word,
                switch.HANDLED: "true",
                "playback_terminators": channel.terminators,
            }
        )
        session.call_command("callcenter", channel.line.queue_name)
        session.api(switch.no_watchdog(channel.uuid))
        self.deadline_s = channel.line.asking_s(channel.sounds) + SLACK_SECONDS

    def let_go(self, action: do.LetGo) -> None:
        self._hearing.forget()
        self._session.stop()

    def _for_the_agent(self, word: str) -> dict[str, str]:
        """What the agent hears before the bridge, and what a screen pop may show (FREESWITCH.md, section 5)."""
        exports = ",".join(dict.fromkeys((*filter(None, self._channel.exports.split(",")), *EXPORTED)))
        given = word == ConsentDecision.GIVEN.value
        whisper = Announcement.AGENT_RECORDED if given else Announcement.AGENT_NOT_RECORDED
        sound = self._channel.sounds.get(whisper)
        return {"cc_export_vars": exports} | ({"cc_outbound_announce": sound.path} if sound is not None else {})

    def _unanswered(self) -> dict[str, str]:
        """What the dialplan plays after the queue; in the line's own language it knows it."""
        sound = self._channel.sounds.get(Announcement.UNANSWERED)
        return {switch.UNANSWERED: sound.path} if sound and self._channel.line is not self._channel.base else {}


PERFORM: Mapping[type, Callable[[Doing, Any], ev.AskingEvent | None]] = {
    do.TakeOver: Doing.take_over,
    do.Greet: Doing.greet,
    do.Speak: Doing.speak,
    do.Play: Doing.play,
    do.PlayToEnd: Doing.play_to_end,
    do.Ask: Doing.ask,
    do.PermitRecording: Doing.permit,
    do.ArmRecorder: Doing.arm,
    do.TakeBack: Doing.take_back,
    do.JoinQueue: Doing.join,
    do.LetGo: Doing.let_go,
}
"""Every action but ``Write``, which is the ledger's; a test compares."""
