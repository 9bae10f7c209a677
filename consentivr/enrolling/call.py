"""One call of an agent: an event in, ``core.enrolling.step``, actions out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from consentivr.core.enrolling import (
    Action,
    AgentAnnouncement,
    Answer,
    Arrived,
    Ask,
    Check,
    Checked,
    EnrolState,
    Event,
    HangUp,
    Lost,
    Note,
    Phase,
    Proof,
    Say,
    Typed,
    Written,
    step,
)
from consentivr.custody import AgreedTo, agreement, withdrawal
from consentivr.esl.codec import Event as ESLEvent
from consentivr.esl.errors import ESLError
from consentivr.esl.session import OutboundSession
from consentivr.ledger import LedgerUnavailable, LedgerWriter
from consentivr.prompts import Spoken
from consentivr.switch import CALLED_AT, PROOF

log = structlog.get_logger(__name__)

SLACK_SECONDS = 5.0
"""How much later than expected the switch may report."""

_TYPED = "consent_typed"
_TIMEOUT_MS = 8000


@dataclass(frozen=True)
class AgentLine:
    """The number that agents dial; ``sounds`` by sample rate in Hz, then announcement."""

    number: str
    agree_key: str
    decline_key: str
    sounds: Mapping[int, Mapping[AgentAnnouncement, Spoken]]

    def sounds_at(self, rate: str) -> Mapping[AgentAnnouncement, Spoken]:
        """For a channel of this sample rate, as the switch writes it."""
        wanted = int(rate) if rate.isascii() and rate.isdigit() and len(rate) < 7 else 8000
        return self.sounds[max((known for known in self.sounds if known <= wanted), default=min(self.sounds))]


class _HungUp(Exception):
    """The agent has."""


class Enrolment:
    """One call; ``run`` returns when it is over."""

    def __init__(
        self,
        session: OutboundSession,
        line: AgentLine,
        check: Callable[[str, str], tuple[Proof, str]],
        ledger: LedgerWriter,
        commit_timeout: float,
    ) -> None:
        """``check``: whose number and PIN this is, without blocking the hub."""
        self._session = session
        self._line = line
        self._check = check
        self._ledger = ledger
        self._commit_timeout = commit_timeout

    def run(self, headers: Mapping[str, str]) -> None:
        """Serve the call that ``connect`` handed over."""
        self._sounds = self._line.sounds_at(headers.get("Channel-Read-Codec-Rate", ""))
        state = EnrolState()
        event: Event = Arrived()
        while state.phase is not Phase.ENDED:
            state, actions = step(self._line.agree_key, self._line.decline_key, state, event)
            event = Lost()
            try:
                for action in actions:
                    event = self._perform(action) or event
            except _HungUp:
                event = Lost()
            except (ESLError, OSError) as error:
                log.warning("an agent's call ended early", why=str(error))
                event = Lost()

    def _perform(self, action: Action) -> Event | None:
        session = self._session
        if isinstance(action, Answer):
            session.execute("answer")
            session.set_variables({"playback_terminators": "none", PROOF: "", CALLED_AT: ""})
        elif isinstance(action, Ask):
            return Typed(self._ask(action.what))
        elif isinstance(action, Check):
            proof, agent = self._check(action.number, action.pin)
            if proof is not Proof.PROVEN:
                log.warning("an agent's PIN was not accepted", agent=agent or None, proof=proof.value)
            return Checked(proof, agent)
        elif isinstance(action, Note):
            return Written(self._note(action))
        elif isinstance(action, Say):
            self._play(action.what)
        elif isinstance(action, HangUp):
            session.wait_for_complete(session.call_command("hangup", "NORMAL_CLEARING"), SLACK_SECONDS)
        return None

    def _ask(self, what: AgentAnnouncement) -> str:
        """What is typed; of the wording one key, which counts only once it was heard to its end."""
        prompt, most = self._sounds[what].path, 12
        if what is AgentAnnouncement.WORDING:
            self._play(what)
            self._session.execute("flush_dtmf")
            prompt, most = "silence_stream://10", 1
        asked = self._session.play_and_get_digits(
            prompt_file=prompt,
            variable=_TYPED,
            digits_regex=f"[0-9*]{{1,{most}}}",
            timeout_ms=_TIMEOUT_MS,
            max_digits=most,
        )
        longest = self._sounds[what].duration_ms / 1000 + (most + 1) * _TIMEOUT_MS / 1000 + SLACK_SECONDS
        said = self._done(asked, longest)
        # What was typed stays on no channel: its variables go into call records of the switch.
        self._session.set_variables({_TYPED: "", f"{_TYPED}_invalid": ""})
        return said.get(f"variable_{_TYPED}", "") if said.get("variable_read_result") == "success" else ""

    def _play(self, what: AgentAnnouncement) -> None:
        sound = self._sounds.get(what)
        if sound is not None:
            self._done(self._session.playback(sound.path), sound.duration_ms / 1000 + SLACK_SECONDS)

    def _done(self, execution: str, seconds: float) -> ESLEvent:
        """Wait for its end; whoever has hung up says nothing more."""
        said = self._session.wait_for_complete(execution, seconds)
        if said.get("Answer-State") == "hangup":
            raise _HungUp
        return said

    def _note(self, action: Note) -> bool:
        wording = AgreedTo(wording=self._sounds[AgentAnnouncement.WORDING].notice.digest)
        row = agreement(action.agent, wording, by="phone") if action.agrees else withdrawal(action.agent, by="phone")
        try:
            self._ledger.commit(row, self._commit_timeout)
        except LedgerUnavailable as error:
            log.error("an agent's word is not in the register yet", why=str(error))
            return False
        return True
