"""A conversation taken up again: what the ledger's rows and the channel say together.

Where the two differ, the stricter word holds: a row can be lost with the last milliseconds of a process, and a channel
can be older than a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from consentivr.core.consent import ConsentDecision
from consentivr.core.evidence import Row
from consentivr.core.policy import RecordingMode, TalkPolicy
from consentivr.core.state import AgentNoted, TalkState
from consentivr.core.turn import Turn
from consentivr.core.turns import Withdrawn


@dataclass(frozen=True)
class ChannelSays:
    """The variables of ours on a channel. ``file`` is where it may be recorded to, or None."""

    decision: str | None
    file: str | None
    paused: bool


class Told(NamedTuple):
    """What the rows of one visit say."""

    decision: ConsentDecision | None = None
    purpose: str | None = None
    queue: str = ""
    files: tuple[str, ...] = ()
    unclosed: tuple[str, ...] = ()
    by_law: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    paused: bool = False
    span: str | None = None
    unwatched: bool = False
    agent: str | None = None
    agents: tuple[tuple[str, int | None], ...] = ()
    """Of the last talk: the leg of each agent whose row there is, and its count."""
    erase: bool = False
    arrived: bool = False
    switch: str | None = None
    """On which switch it is, and in which run of it, by the row of its arrival, or else of who took it up."""
    core: str = ""
    asked: bool = True
    decided: bool = False
    language: str | None = None
    """In which the caller was asked or told."""
    ended: bool = False

    @property
    def is_silent(self) -> bool:
        """Whether what records, if anything does, hears silence."""
        return self.span is not None or self.paused


def told(rows: Iterable[Row]) -> Told:
    """Fold the rows of a visit, in their order."""
    known = Told()
    for row in rows:
        if row.queue and row.queue != known.queue:
            known = known._replace(queue=row.queue)
        fold = _FOLDS.get(row.turn)
        if fold is not None:
            known = fold(known, row)
    return known


def _arrived(known: Told, row: Row) -> Told:
    return _on_switch(known, row)._replace(arrived=True, asked=row.evidence.get("asked", True))


def _on_switch(known: Told, row: Row) -> Told:
    # A row of 0.1.0 names no switch.
    return known._replace(switch=row.evidence.get("switch", known.switch), core=row.evidence.get("core", known.core))


def _decided(known: Told, row: Row) -> Told:
    if known.decided:
        return known  # the first decision of a visit is its decision
    said = ConsentDecision(row.evidence["decision"])
    purpose, language = row.evidence.get("purpose"), row.evidence.get("language")
    return known._replace(decision=said, purpose=purpose, language=language, decided=True)


def _withdrawn(known: Told, row: Row) -> Told:
    return known._replace(decision=ConsentDecision.WITHDRAWN, erase=bool(row.evidence.get("erase")))


def _agreed_late(known: Told, row: Row) -> Told:
    purpose = row.evidence.get("purpose", known.purpose)
    return known._replace(decision=ConsentDecision.GIVEN, purpose=purpose, erase=False)


def _started(known: Told, row: Row) -> Told:
    path = str(row.evidence["path"])
    files = known.files if path in known.files else (*known.files, path)
    by_law = (*known.by_law, path) if row.mode == RecordingMode.PERMANENT.value else known.by_law
    return known._replace(files=files, unclosed=(*known.unclosed, path), by_law=by_law)


def _stopped(known: Told, row: Row) -> Told:
    return known._replace(unclosed=tuple(path for path in known.unclosed if path != row.evidence["path"]))


def _agent(known: Told, row: Row) -> Told:
    answered = (str(row.evidence.get("agent_uuid")), row.evidence.get("count"))
    return known._replace(agent=row.evidence.get("agent") or known.agent, agents=(*known.agents, answered))


def _forbidden(known: Told, row: Row) -> Told:
    return known._replace(forbidden=(*known.forbidden, str(row.evidence["path"])))


_FOLDS: dict[str, Callable[[Told, Row], Told]] = {
    Turn.ARRIVED.value: _arrived,
    Turn.ADOPTED.value: _on_switch,
    Turn.DECISION.value: _decided,
    Turn.WITHDRAWN.value: _withdrawn,
    Turn.AGREED_LATE.value: _agreed_late,
    Turn.RECORDING_STARTED.value: _started,
    Turn.RECORDING_STOPPED.value: _stopped,
    Turn.FORBIDDEN_RECORDING.value: _forbidden,
    Turn.RECORDING_PAUSED.value: lambda known, row: known._replace(paused=True),
    Turn.RECORDING_RESUMED.value: lambda known, row: known._replace(paused=False),
    Turn.RECORDING_MASKED.value: lambda known, row: known._replace(span=row.evidence.get("why")),
    Turn.RECORDING_UNMASKED.value: lambda known, row: known._replace(span=None),
    Turn.UNWATCHED.value: lambda known, row: known._replace(unwatched=True),
    Turn.AGENT_ANSWERED.value: _agent,
    Turn.CALL_ENDED.value: lambda known, row: known._replace(ended=True),
}


def word(known: Told, says: ChannelSays) -> tuple[ConsentDecision | None, bool]:
    """The caller's decision, and whether a yes is proven. None: nobody has decided.

    A yes counts only when both say it: the channel's word is set when the caller has heard that the yes is accepted,
    so who met our death in between is not recorded (promise P3).
    """
    if known.decision is ConsentDecision.GIVEN:
        if says.decision == ConsentDecision.WITHDRAWN.value:
            return ConsentDecision.WITHDRAWN, True
        return ConsentDecision.GIVEN, says.decision == ConsentDecision.GIVEN.value
    if known.decision is not None:
        return known.decision, True
    decisions = {decision.value: decision for decision in ConsentDecision}
    found = decisions.get(says.decision or "")
    return found, False


def restored(
    visit: str,
    channel: str,
    stem: str,
    queue: str,
    policy: TalkPolicy,
    known: Told,
    says: ChannelSays,
    running: tuple[str, ...] = (),
) -> TalkState:
    """The state of a conversation that goes on; ``stem`` is the path of its recordings, without their numbers, and
    ``running`` are those that something records to now."""
    nth = policy.mode is RecordingMode.EVERY_NTH
    noted = tuple(
        AgentNoted(leg, proven=True, is_nth=not nth or (count is not None and count % policy.every == 0))
        for leg, count in dict(known.agents).items()  # of two rows of a leg the later counts: it follows a late yes
    )
    decision, durable = word(known, says)
    found = () if says.file is None else (says.file,)
    files = tuple(dict.fromkeys((*known.files, *found, *running)))
    lost = decision is ConsentDecision.WITHDRAWN and known.decision is ConsentDecision.GIVEN
    return TalkState(
        visit=visit,
        channel=channel,
        stem=stem,
        queue=queue or known.queue,
        decision=decision,
        durable=durable,
        purpose=known.purpose,
        files=files,
        unclosed=known.unclosed,
        by_law=known.by_law,
        paused=known.paused or says.paused,
        span=known.span,
        forbidden=known.forbidden,
        agent=known.agent,
        noted=noted,
        was_silent=known.is_silent,
        unwatched=known.unwatched,
        erase=known.erase,
        withdrawal=Withdrawn("not_said", None, "channel", erase=False, stopped_ms=None) if lost else None,
    )
