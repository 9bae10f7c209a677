"""One call, from the switch's first word to its last: an event in, ``step()``, actions out.

The decisions are made in ``core.dialogue``; the words of the wire are made in ``esl``. This file
only says which words an action needs, and which event some words mean.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property
from typing import Any

import structlog

from consentivr.core import dialogue
from consentivr.core.consent import AnswerOutcome, Attempt
from consentivr.core.dialogue import AgentAsked, AgentWish, Announcement, CallPolicy, Leg, Phase, State
from consentivr.core.evidence import Turn
from consentivr.esl.codec import Event as SwitchEvent
from consentivr.esl.codec import recorders_of
from consentivr.esl.errors import ESLError, RemoteProtocolError, WaitTimedOut
from consentivr.esl.session import OutboundSession
from consentivr.ledger import Entry, LedgerUnavailable, LedgerWriter
from consentivr.prompts import Spoken
from consentivr.recordings import is_channel_uuid, recording_path

log = structlog.get_logger(__name__)

CONNECT_SECONDS = 5.0
"""How long a peer may take to hand over a call."""

SLACK_SECONDS = 5.0
"""How much later than expected a question may come back."""

_AGENT_ASKED, _OTHER_LEG = "AGENT_ASKED", "OTHER_LEG"
"""Names of events that do not come over the call's own socket."""

_UNHEEDED = ("sched_cancel", "answer", "multiset", "record_session", "socket")
"""Applications whose end tells us nothing; where a question need not be heard to its end, nor does "playback"."""

_UNDECIDED = (Phase.ARRIVING, Phase.ASKING, Phase.DECIDING)

Event = Mapping[str, Any]


@dataclass(frozen=True)
class Line:
    """A number that callers dial, ready to serve. ``sounds`` by sample rate in Hz, then announcement."""

    name: str
    policy: CallPolicy
    queue_name: str
    context: str
    fallback: str
    answer_timeout_ms: int
    hear_to_end: bool
    recordings_folder: str
    stereo: bool
    pause_max_s: float
    sounds: Mapping[int, Mapping[Announcement, Spoken]]

    @cached_property
    def watchdog_s(self) -> int:
        """After so many seconds without a word of ours the switch takes the call to the queue.

        Long enough for every announcement and every attempt; the queue's own waiting is not in it.
        """
        spoken = max(self.sounds.values(), key=lambda sounds: sum(sound.duration_ms for sound in sounds.values()))
        once = sum(sound.duration_ms for sound in spoken.values())
        question = spoken[Announcement.QUESTION].duration_ms if Announcement.QUESTION in spoken else 0
        complaints = max(
            (spoken[a].duration_ms for a in (Announcement.NO_INPUT, Announcement.WRONG_KEY) if a in spoken), default=0
        )
        attempt = question + complaints + self.answer_timeout_ms
        return 15 + (once + attempt * self.policy.max_attempts) // 1000

    def sounds_at(self, rate: int) -> Mapping[Announcement, Spoken]:
        """The announcements for a channel of this sample rate."""
        return self.sounds[max((known for known in self.sounds if known <= rate), default=min(self.sounds))]


class Call:
    """One call. ``run`` returns when nothing is left to do for it."""

    def __init__(
        self,
        session: OutboundSession,
        lines: Mapping[str, Line],
        ledger: LedgerWriter,
        commit_timeout: float,
        seal: Callable[[Entry], None] = lambda recorded: None,
        erase: Callable[[Entry, tuple[str, ...], str], None] = lambda about, paths, why: None,
        alarm: Callable[[Entry], None] = lambda incident: None,
        known: MutableMapping[str, Call] | None = None,
    ) -> None:
        """``seal`` gets the row of each recording that has stopped, ``erase`` the files that must not be (and
        why), ``alarm`` the row of each forbidden recording.

        While it is served, the call is in ``known`` by the UUIDs of its legs: the caller's, and every other
        that it was bridged to.
        """
        self._session = session
        self._lines = lines
        self._ledger = ledger
        self._commit_timeout = commit_timeout
        self._seal = seal
        self._erase = erase
        self._alarm = alarm
        self._known = {} if known is None else known
        self._resume_at: float | None = None
        self._state = State()
        self._awaited: dict[str, Callable[[Event], dialogue.Event | None]] = {}
        self._times: list[dict[str, str]] = []
        self._legs: dict[str, Leg | None] = {}
        self._other_legs: set[str] = set()
        self._deadline: float | None = None
        self._ours_until = float("inf")
        self._question_heard = True
        self._failed = False

    def run(self) -> None:
        """Serve the call. Raises ESLError when the peer is no FreeSWITCH with one of our lines."""
        self._learn(self._session.connect(CONNECT_SECONDS))
        self._known[self._uuid] = self
        try:
            self._serve()
        finally:
            self._awaited.clear()  # it refers to this call, which would then be garbage to be looked for
            for leg in (self._uuid, *self._other_legs):
                if self._known.get(leg) is self:
                    del self._known[leg]

    def _serve(self) -> None:
        self._take(dialogue.Arrived())
        while self._state.phase is not Phase.ENDED:
            event = self._next_event()
            if event is not None:
                self._take(event)

    def _learn(self, channel: Mapping[str, str]) -> None:
        """Keep what we need of the channel; the rest is let go."""
        self._arrived_at = _now()
        self._day = datetime.now(timezone.utc).date()
        self._uuid = channel.get("Unique-ID", "")
        if not is_channel_uuid(self._uuid):
            raise RemoteProtocolError("the channel has no valid UUID")
        line = self._lines.get(channel.get("Caller-Destination-Number", ""))
        if line is None:
            raise RemoteProtocolError("no line has this destination number: render and reload the dialplan")
        self._line = line
        self._sounds = line.sounds_at(_number(channel.get("Channel-Read-Codec-Rate")) or 8000)
        self._caller = channel.get("Caller-Caller-ID-Number", "")[:64] or None
        self._log = log.bind(channel=self._uuid, line=line.name)

    # --- from outside: the agent's desktop, the guard --------------------------------------------

    @property
    def channel_uuid(self) -> str:
        """The caller's leg."""
        return self._uuid

    def overhear(self, event: Event) -> None:
        """Something happened on another leg of this call."""
        self._session.inject({"Event-Name": _OTHER_LEG, "Event": event})

    @property
    def agent(self) -> str | None:
        """Who talks to the caller now, once that is known."""
        return self._state.agent.name if self._state.agent else None

    def ask(self, wish: AgentWish, by: str) -> bool:
        """The agent wants something of the recorder. False when that means nothing now, or is not allowed."""
        _, actions = dialogue.step(self._line.policy, self._state, AgentAsked(wish, by))
        if actions:
            self._session.inject({"Event-Name": _AGENT_ASKED, "Wish": wish.value, "By": by})
        return bool(actions)

    # --- an event in -------------------------------------------------------------------------

    def _next_event(self) -> dialogue.Event | None:
        due = self._deadline
        if self._resume_at is not None and (due is None or self._resume_at < due):
            due = self._resume_at
        try:
            event = self._session.receive(None if due is None else max(0.0, due - time.monotonic()))
        except WaitTimedOut:
            if due == self._resume_at:
                # Card data are read out in seconds: a pause that nobody ends is one that was forgotten.
                self._resume_at = None
                return AgentAsked(AgentWish.RESUME, "timer")
            self._deadline = None
            return dialogue.TimedOut()
        except ESLError as error:
            self._log.warning("connection lost", why=str(error))
            return dialogue.Disconnected()
        return self._meaning(event)

    def _meaning(self, event: Event) -> dialogue.Event | None:
        """What an event of the switch means to the dialogue; None for what means nothing."""
        name = event["Event-Name"]
        if name == _AGENT_ASKED:
            return AgentAsked(AgentWish(event["Wish"]), event["By"])
        if name == _OTHER_LEG:
            return self._meaning_elsewhere(event["Event"])
        if name == "API_ANSWER":
            return self._answer_of_api(event["Command"], event["Body"])
        if name == "COMMAND_REFUSED":
            return None if event["Command"].startswith("api") else dialogue.Failed(f"refused: {event['Command']}")
        if not isinstance(event, SwitchEvent) or not event.is_of(self._uuid):
            return None
        if name == "CHANNEL_EXECUTE_COMPLETE":
            understand = self._awaited.pop(event.get("Application-UUID", ""), None)
            return understand(event) if understand else None
        if name == "RECORD_START":
            return dialogue.RecorderStarted(event.get("Record-File-Path", ""))
        if name == "RECORD_STOP":
            return _stopped(event, None)
        if name == "DTMF":
            return dialogue.KeyPressed(event.get("DTMF-Digit", ""), _moment_ms(event))
        if name == "CHANNEL_BRIDGE":
            return dialogue.Bridged(event.get("Other-Leg-Unique-ID") or event.get("Bridge-B-Unique-ID") or None)
        if name == "CHANNEL_UNBRIDGE":
            return dialogue.Unbridged()
        if name == "CHANNEL_HANGUP":
            return dialogue.HungUp(event.get("Hangup-Cause", ""))
        if name == "CHANNEL_HANGUP_COMPLETE":
            return dialogue.ChannelGone(event.get("Hangup-Cause", ""), event.get("variable_cc_agent") or None)
        return None

    def _meaning_elsewhere(self, event: Event) -> dialogue.Event | None:
        """The same for another leg, of which the guard told."""
        name, leg = event["Event-Name"], event.get("Unique-ID", "")
        if not is_channel_uuid(leg):
            return None
        if name == "RECORD_START":
            return dialogue.RecorderStarted(event.get("Record-File-Path", ""), leg)
        if name == "RECORD_STOP":
            return _stopped(event, leg)
        if name == "DTMF" and leg == self._state.leg:
            return dialogue.KeyPressed(event.get("DTMF-Digit", ""), _moment_ms(event), by_agent=True)
        return None

    def _question_played(self, event: Event) -> None:
        self._question_heard = event.get("Application-Response") == "FILE PLAYED"

    def _answer(self, event: Event, number: int, variable: str) -> dialogue.Event:
        """FREESWITCH.md, section 3: what ``play_and_get_digits`` leaves on the channel."""
        key = event.get(f"variable_{variable}", "")
        wrong_key = event.get(f"variable_{variable}_invalid", "")
        result = event.get("variable_read_result", "")
        sound = self._sounds.get(Announcement.QUESTION)
        whole = sound.duration_ms if sound else None
        self._deadline = None
        self._times[-1]["answered_at"] = _now()
        if event.get("Answer-State") == "hangup":
            attempt = Attempt(AnswerOutcome.HUNG_UP)
        elif result not in ("success", "failure") or not self._question_heard:
            attempt = Attempt(AnswerOutcome.NOT_ASKED)
        elif result == "success" and key in (self._line.policy.consent_key, self._line.policy.objection_key):
            attempt = Attempt(AnswerOutcome.KEY, key, whole if self._line.hear_to_end else self._heard_ms(event))
        elif key or wrong_key:
            attempt = Attempt(AnswerOutcome.WRONG_KEY, (wrong_key or key)[:1])
        else:
            attempt = Attempt(AnswerOutcome.SILENCE, None, whole)
        return dialogue.Answered(number, attempt)

    def _heard_ms(self, event: Event) -> int | None:
        position = _number(event.get("variable_playback_last_offset_pos"))
        sound = self._sounds.get(Announcement.QUESTION)
        if position is None or sound is None:
            return None
        return min(position * 1000 // sound.rate, sound.duration_ms)

    def _answer_of_api(self, command: str, said: str) -> dialogue.Event | None:
        if command.startswith("uuid_buglist"):
            return self._leg_looked_at(command, said)
        if command.startswith("uuid_getvar"):
            return self._agent_named(command.split(" ")[1], said.strip())
        # uuid_record ... start: what records is told by RECORD_START alone, what does not by this.
        return None if said.startswith("+OK") else dialogue.RecorderRefused()

    def _agent_named(self, leg: str, said: str) -> dialogue.Event:
        """The answer to ``uuid_getvar ... cc_agent``, held against the register."""
        known = said not in ("", "_undef_") and not said.startswith("-ERR") and len(said) <= 200
        name = said if known and said.isprintable() else None
        agreed = False
        if name is not None and self._line.policy.agents_must_agree:
            agreed = self._ledger.agent_agreed(name, self._line.queue_name, self._commit_timeout)
        return dialogue.AgentIdentified(leg, name, agreed)

    def _leg_looked_at(self, command: str, said: str) -> dialogue.Event | None:
        """The answer to ``uuid_buglist``; an event once every leg has answered."""
        uuid = command.rpartition(" ")[2]
        self._legs[uuid] = Leg("caller" if uuid == self._uuid else "agent", uuid, recorders_of(said))
        legs = tuple(leg for leg in self._legs.values() if leg is not None)
        return dialogue.RecordersSeen(legs) if len(legs) == len(self._legs) else None

    def _queue_done(self, event: Event) -> dialogue.Event:
        """FREESWITCH.md, section 5: ``callcenter`` completes when the agent answers, or without one."""
        if event.get("variable_cc_cause") == "answered":
            return dialogue.AgentAnswered(event.get("variable_cc_agent_uuid") or None)
        return dialogue.QueueLeft(event.get("variable_cc_cancel_reason") or "NOT_JOINED")

    # --- step() ------------------------------------------------------------------------------

    def _take(self, event: dialogue.Event) -> None:
        before = self._state
        if before.phase in (Phase.ASKING, Phase.DECIDING) and time.monotonic() > self._ours_until:
            # We were stopped or starved for so long that the watchdog has the call: hands off.
            event = dialogue.Disconnected()
        self._state, actions = dialogue.step(self._line.policy, before, event)
        self._tell(event, before.phase, actions)
        leg = self._state.leg
        if leg is not None and leg not in self._other_legs:
            self._other_legs.add(leg)
            self._known[leg] = self
        try:
            for action in actions:
                self._perform(action)
        except Exception as error:
            if self._failed:
                raise
            self._failed = True
            self._log.exception("call failed; it goes on unrecorded")
            self._take(dialogue.Failed(type(error).__name__))

    def _tell(self, event: dialogue.Event, before: Phase, actions: tuple[dialogue.Action, ...]) -> None:
        """One line for an ordinary call, when it is decided; each step at debug. The ledger has the rest."""
        phase, consent = self._state.phase, self._state.consent
        if before in _UNDECIDED and phase not in _UNDECIDED:
            decision, reason = (consent.decision.value, consent.reason.value) if consent else (None, None)
            self._log.info(f"call {phase.value}", decision=decision, reason=reason, after=type(event).__name__)
        if actions and self._log.is_enabled_for(logging.DEBUG):
            then = [type(action).__name__ for action in actions]
            self._log.debug(type(event).__name__, phase=phase.value, then=then)

    # --- actions out -------------------------------------------------------------------------

    def _perform(self, action: dialogue.Action) -> None:
        session, line = self._session, self._line
        if isinstance(action, dialogue.TakeOver):
            session.decline(*_UNHEEDED, *(() if line.hear_to_end else ("playback",)))
            session.api(f"sched_del consentivr-{self._uuid}")
            session.execute("sched_cancel")
            moved = f"uuid_transfer {self._uuid} {line.fallback} XML {line.context}"
            session.api(f"sched_api +{line.watchdog_s} consentivr-{self._uuid} {moved}")
            self._ours_until = time.monotonic() + line.watchdog_s - 1
            session.execute("answer")
            session.set_variables({"playback_terminators": "none"})
        elif isinstance(action, dialogue.Play):
            sound = self._sounds.get(action.announcement)
            if sound is not None:
                session.execute("playback", sound.path)
        elif isinstance(action, dialogue.Ask):
            self._ask(action.number)
        elif isinstance(action, dialogue.Write):
            self._write(action)
        elif isinstance(action, dialogue.PermitRecording):
            session.set_variables(self._permission(self._recording_path()))
        elif isinstance(action, dialogue.StartRecording):
            session.execute("record_session", self._recording_path())
        elif isinstance(action, dialogue.RecordNow):
            self._record_now(self._recording_path(action.number), action.other_leg)
        elif isinstance(action, dialogue.Mask):
            for recorder in action.recorders:
                self._mask(recorder, action.on)
            self._resume_at = time.monotonic() + line.pause_max_s if action.on else None
        elif isinstance(action, dialogue.EraseRecordings):
            self._erase(self._entry(Turn.RECORDING_ERASED, {}), action.paths, action.why)
        elif isinstance(action, dialogue.Announce):
            sound = self._sounds.get(action.announcement)
            if sound is not None:
                session.api(f"uuid_broadcast {self._uuid} {sound.path} {'both' if action.both else 'aleg'}")
        elif isinstance(action, dialogue.IdentifyAgent):
            if is_channel_uuid(action.leg):
                session.api(f"uuid_getvar {action.leg} cc_agent", answer=True)
            else:
                self._take(dialogue.AgentIdentified(action.leg, None, agreed=False))
        elif isinstance(action, dialogue.StopRecording):
            session.api(f"uuid_setvar {self._uuid} consent_no_record true")
            session.api(f"uuid_setvar {self._uuid} consent_record_file /dev/null/no-record/{self._uuid}.wav")
            session.api(f"uuid_record {self._uuid} stop all")
            if action.other_leg is not None and is_channel_uuid(action.other_leg):
                session.api(f"uuid_setvar {action.other_leg} consent_no_record true")
                session.api(f"uuid_record {action.other_leg} stop all")
        elif isinstance(action, dialogue.LookForRecorders):
            legs = [self._uuid, action.other_leg or ""]
            self._legs = {uuid: None for uuid in legs if is_channel_uuid(uuid)}
            for uuid in self._legs:
                session.api(f"uuid_buglist {uuid}", answer=True)
        elif isinstance(action, dialogue.JoinQueue):
            if line.policy.mode.asks:
                session.hear_keys()
            session.api(f"sched_del consentivr-{self._uuid}")
            session.execute("sched_cancel")
            session.set_variables(self._for_the_agent() | {"consent_handled": "true"})
            self._awaited[session.call_command("callcenter", line.queue_name)] = self._queue_done
            self._deadline = None
        elif isinstance(action, dialogue.HangUp):
            session.execute("hangup", "NORMAL_CLEARING")
        elif isinstance(action, dialogue.Transfer):
            session.execute("transfer", f"{action.extension} XML {line.context}")
        elif isinstance(action, dialogue.LetGo):
            session.stop()

    def _for_the_agent(self) -> dict[str, str]:
        """What the agent hears before the bridge, and what a screen pop may show (FREESWITCH.md, section 5)."""
        consent = self._state.consent
        decision = consent.decision.value if consent else ""
        variables = {"cc_export_vars": "consent_no_record,consent_decision", "consent_decision": decision}
        may_be_recorded = self._state.permitted or self._state.durable
        whisper = Announcement.AGENT_RECORDED if may_be_recorded else Announcement.AGENT_NOT_RECORDED
        sound = self._sounds.get(whisper)
        return variables | ({"cc_outbound_announce": sound.path} if sound is not None else {})

    def _record_now(self, path: str, other_leg: str | None) -> None:
        """Start a recorder while ``callcenter`` waits or the talk goes on: there, only ``api`` is heard."""
        for name, value in self._permission(path).items():
            self._session.api(f"uuid_setvar {self._uuid} {name} {value}")
        if other_leg is not None and is_channel_uuid(other_leg):
            self._session.api(f"uuid_setvar {other_leg} consent_no_record false")
        self._session.api(f"uuid_record {self._uuid} start {path}", answer=True)

    def _mask(self, recorder: dialogue.Recorder, on: bool) -> None:
        """A recorder that cannot be named in a command is stopped instead: it must not hear what follows."""
        leg = recorder.leg or self._uuid
        path = recorder.path
        if path.isprintable() and " " not in path and "${" not in path:
            self._session.api(f"uuid_record {leg} {'mask' if on else 'unmask'} {path}")
        elif on:
            self._session.api(f"uuid_record {leg} stop all")

    def _permission(self, path: str) -> dict[str, str]:
        return {
            "RECORD_STEREO": "true" if self._line.stereo else "false",
            "RECORD_BRIDGE_REQ": "true",
            "consent_record_file": path,
            "consent_no_record": "false",
        }

    def _ask(self, number: int) -> None:
        session, line = self._session, self._line
        self._times.append({"asked_at": _now()})
        sound = self._sounds[Announcement.QUESTION]
        variable = f"consent_key_{number}"
        # An answer to an earlier question must not be taken for one to this (promise P2).
        session.set_variables({"read_result": "", "playback_last_offset_pos": "", variable: ""})
        prompt = sound.path
        if line.hear_to_end:
            self._question_heard = False
            self._awaited[session.playback(sound.path)] = self._question_played
            prompt = "silence_stream://10"
        asked = session.play_and_get_digits(
            prompt_file=prompt,
            variable=variable,
            digits_regex=f"[{line.policy.consent_key}{line.policy.objection_key}]",
            timeout_ms=line.answer_timeout_ms,
        )
        self._awaited[asked] = lambda event: self._answer(event, number, variable)
        expected_ms = sum(s.duration_ms for s in self._sounds.values()) + line.answer_timeout_ms
        self._deadline = time.monotonic() + expected_ms / 1000 + SLACK_SECONDS

    def _write(self, action: dialogue.Write) -> None:
        evidence = dict(action.evidence)
        if action.turn is Turn.DECISION:
            evidence["attempts"] = [
                {**attempt, **times} for attempt, times in zip(evidence["attempts"], self._times, strict=False)
            ]
            evidence |= {"arrived_at": self._arrived_at, **self._notice()}
        entry = self._entry(action.turn, evidence, action.tally)
        if not action.permits:
            try:
                self._ledger.submit(entry)
            except LedgerUnavailable as error:
                self._log.error("row lost", turn=entry.turn, why=str(error))
            if action.turn is Turn.RECORDING_STOPPED:
                self._seal(entry)
            if action.turn is Turn.FORBIDDEN_RECORDING:
                self._alarm(entry)
            return
        try:
            count = self._ledger.commit(entry, self._commit_timeout)
        except LedgerUnavailable as error:
            self._log.error("recording withheld", why=str(error))
            outcome: dialogue.Event = dialogue.CommitFailed(str(error))
        else:
            outcome = dialogue.Committed(count)
        self._take(outcome)

    def _entry(self, turn: Turn, evidence: dict[str, Any], tally: str | None = None) -> Entry:
        return Entry(
            channel_uuid=self._uuid,
            turn=turn.value,
            line=self._line.name,
            queue=self._line.queue_name,
            mode=self._line.policy.mode.value,
            evidence=evidence,
            caller_id_number=self._caller,
            tally=tally,
        )

    def _notice(self) -> dict[str, Any]:
        sound = self._sounds.get(Announcement.QUESTION if self._line.policy.mode.asks else Announcement.TOLD)
        if sound is None:
            return {}
        return {"notice": sound.notice.digest, "notice_ms": sound.duration_ms, "language": sound.language}

    def _recording_path(self, number: int = 1) -> str:
        """Of the recorder's n-th start; the day is that of the call's arrival."""
        return recording_path(self._line.recordings_folder, self._uuid, self._day, number)


def _now() -> str:
    """UTC, ISO 8601, in milliseconds."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def _stopped(event: Event, leg: str | None) -> dialogue.RecorderStopped:
    return dialogue.RecorderStopped(
        event.get("Record-File-Path", ""),
        _number(event.get("variable_record_ms")),
        event.get("variable_record_completion_cause") or None,
        leg,
    )


def _moment_ms(event: Event) -> int:
    """When the switch saw it, in milliseconds; else now."""
    return _number(event.get("Event-Date-Timestamp", "")[:-3], digits=15) or int(time.time() * 1000)


def _number(value: Any, digits: int = 9) -> int | None:
    whole = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= digits
    return int(value) if whole else None
