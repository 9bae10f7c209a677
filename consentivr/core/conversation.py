"""One visit after the question, as one state machine: ``step(policy, state, event) -> (state, actions)``.

Whatever happens, the same question follows: what may the recorders of this room do now, and how does that differ
from what they do? ``recorders.judge`` answers it; here stands what each event changes before, and what a confirmation
means after. A row that says that something is so is written when it is seen to be so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from consentivr.core import actions as do
from consentivr.core import events as ev
from consentivr.core.actions import TalkAction
from consentivr.core.confirmations import (
    closed,
    ended_by_itself,
    listening_ended,
    not_done,
    settle,
    silenced,
    sounding,
    try_again,
)
from consentivr.core.consent import ConsentDecision
from consentivr.core.policy import Announcement, Outsiders, RecordingMode, TalkPolicy
from consentivr.core.recorders import Result, decide, judge, mine
from consentivr.core.state import AgentNoted, TalkState
from consentivr.core.talk_turns import (
    AgentAnswered,
    CallEnded,
    CommandFailed,
    LookedForRecorders,
    QueueLeft,
    RecordingStarted,
)
from consentivr.core.turns import AgreedLate, Withheld
from consentivr.core.verdict import Do, Permission
from consentivr.core.wishes import agent_asked, key


def step(policy: TalkPolicy, state: TalkState, event: ev.TalkEvent) -> Result:
    """What follows from ``event``. ``policy`` is that of the queue where the talk is."""
    return _RULES[type(event)](policy, state, event)


# --- the room changes ------------------------------------------------------------------------


def _changed(policy: TalkPolicy, state: TalkState, event: ev.Changed) -> Result:
    before, now = state.now, event.now
    state = state._replace(now=now)
    state, actions = _recorders_seen(policy, state, before)
    if state.talking and not now.talking:
        state, marked = _talk_over(policy, state)
        actions += marked
    state, settled = ended_by_itself(state)
    actions += settled
    state = state._replace(talking=now.talking)
    state, noted = _note_agents(policy, state)
    actions += noted
    if _outsider_came(policy, before, now):
        actions += (do.Announce(Announcement.OUTSIDER, both=True),)
    state, judged = judge(policy, state)
    return state, (*actions, *judged)


def _recorders_seen(policy: TalkPolicy, state: TalkState, before: ev.Situation) -> Result:
    """Ours that began to record, known by their names; in a queue that records by law, whatever records the caller."""
    new = [recorder for recorder in state.now.recorders if recorder not in before.recorders]
    own = [
        recorder.path
        for recorder in new
        if recorder.path not in state.files
        and (
            recorder.path.startswith(state.stem)  # whoever asked armed it
            or (policy.mode is RecordingMode.PERMANENT and recorder.leg == state.channel)
        )
    ]
    state = state._replace(files=(*state.files, *own))
    if policy.mode is RecordingMode.PERMANENT:
        here = (recorder.path for recorder in new if recorder.path in state.files)
        state = state._replace(by_law=tuple(dict.fromkeys((*state.by_law, *here))))
    started = [recorder for recorder in new if recorder.path in state.files and recorder.path not in state.unclosed]
    if decide(policy, state).do is Do.STOP:
        started = []  # it began against the caller's word: not with ours
    there = state.now.recorders
    silent = tuple(recorder for recorder in new if state.was_silent and recorder.path in state.unclosed)
    state = state._replace(
        was_silent=state.was_silent and not silent,
        starting=None if any(recorder.path == state.starting for recorder in new) else state.starting,
        unclosed=(*state.unclosed, *(recorder.path for recorder in started)),
        masked=(*(recorder for recorder in state.masked if recorder in there), *silent),
        masking=tuple(recorder for recorder in state.masking if recorder in there),
        unmasking=tuple(recorder for recorder in state.unmasking if recorder in there),
        mute=tuple(recorder for recorder in state.mute if recorder in there),
        stopping=tuple(recorder for recorder in state.stopping if recorder in (*there, *state.now.astray)),
    )
    return state, tuple(do.Write(RecordingStarted(recorder.path, recorder.leg)) for recorder in started)


def _talk_over(policy: TalkPolicy, state: TalkState) -> Result:
    """The yes goes on to whoever is next, the recorder does not: left running, it would start again with the next
    bridge, whoever that is (FREESWITCH.md, section 4). Where the law demands it, it is the queue's to end."""
    by_law = policy.mode is RecordingMode.PERMANENT
    marks = () if by_law or set(state.files) <= set(state.over) else (do.Mark(over=True),)
    state = state._replace(
        noted=(),
        awaited=frozenset(),
        looked_at=frozenset(),
        agent_started=False,
        agent_stopped=False,
        start_failed=False,
        over=state.over if by_law else state.files,
    )
    return state, marks


def _note_agents(policy: TalkPolicy, state: TalkState) -> Result:
    """A row for each agent of the talk; where the agent decides too, the recorder waits for it."""
    known = {noted.leg for noted in state.noted} | state.awaited
    actions: list[TalkAction] = []
    for party in state.now.parties:
        if party.kind != "agent" or party.leg in known or party.permission is Permission.UNKNOWN:
            continue
        agreed = party.permission is Permission.AGREED
        row = AgentAnswered(party.leg, party.name, agreed)
        state = state._replace(agent=party.name or state.agent)
        if policy.starts_at_answer and state.decision is ConsentDecision.GIVEN and state.durable:
            counts = policy.mode is RecordingMode.EVERY_NTH and agreed and party.name is not None
            actions.append(do.Write(row, permits=True, tally=f"agent:{party.name}" if counts else None))
            state = state._replace(awaited=state.awaited | {party.leg})
        else:
            actions.append(do.Write(row))
            noted = AgentNoted(party.leg, proven=True, is_nth=policy.mode is not RecordingMode.EVERY_NTH)
            state = state._replace(noted=(*state.noted, noted))
    return state, tuple(actions)


def _outsider_came(policy: TalkPolicy, before: ev.Situation, now: ev.Situation) -> bool:
    unknown = {party.leg for party in now.parties if party.permission is Permission.UNKNOWN}
    new = unknown - {party.leg for party in before.parties}
    return policy.outsiders is Outsiders.ANNOUNCE and bool(new) and bool(now.recorders)


def _seen(policy: TalkPolicy, state: TalkState, event: ev.LegsSeen) -> Result:
    return state, (do.Write(LookedForRecorders(event.legs)),)


# --- rows that something waited for ----------------------------------------------------------


def _committed(policy: TalkPolicy, state: TalkState, event: ev.Committed) -> Result:
    if isinstance(event.row, AgentAnswered):
        is_nth = policy.mode is not RecordingMode.EVERY_NTH or (
            event.count is not None and event.count % policy.every == 0
        )
        return _agent_settled(policy, state, event.row.agent_uuid, proven=True, is_nth=is_nth)
    if not isinstance(event.row, AgreedLate) or not state.agreeing_late:
        return state, ()
    state = state._replace(
        agreeing_late=False, decision=ConsentDecision.GIVEN, durable=True, purpose=policy.purpose, erase=False
    )
    thanks = do.Announce(Announcement.ACCEPTED, both=state.talking)
    state, noted = _note_agents(policy, state._replace(noted=()))
    state, judged = judge(policy, state)
    return state, (do.Mark(True, ConsentDecision.GIVEN.value), *noted, *judged, thanks)


def _commit_failed(policy: TalkPolicy, state: TalkState, event: ev.CommitFailed) -> Result:
    withheld = do.Write(Withheld(event.why))
    if isinstance(event.row, AgentAnswered):
        state, actions = _agent_settled(policy, state, event.row.agent_uuid, proven=False, is_nth=False)
        return state, (withheld, *actions)
    if isinstance(event.row, AgreedLate) and state.agreeing_late:
        unavailable = do.Announce(Announcement.UNAVAILABLE, both=state.talking)
        return state._replace(agreeing_late=False), (withheld, unavailable)
    return state, ()


def _agent_settled(policy: TalkPolicy, state: TalkState, leg: str, *, proven: bool, is_nth: bool) -> Result:
    if leg not in state.awaited:
        return state, ()
    noted = (*state.noted, AgentNoted(leg, proven, is_nth))
    return judge(policy, state._replace(awaited=state.awaited - {leg}, noted=noted))


# --- the queue, the word, the end ------------------------------------------------------------


def _queue_entered(policy: TalkPolicy, state: TalkState, event: ev.QueueEntered) -> Result:
    return judge(policy, state._replace(queue=event.queue))


def _queue_gave_up(policy: TalkPolicy, state: TalkState, event: ev.QueueGaveUp) -> Result:
    state, marked = _talk_over(policy, state)
    state, judged = judge(policy, state)
    return state, (do.Write(QueueLeft(event.why)), *marked, *judged)


def _word_changed(policy: TalkPolicy, state: TalkState, event: ev.WordChanged) -> Result:
    """Only what nobody knew yet, its proof, or a stricter word: what was taken back does not come back by reading, and
    what the channel alone says is less than what is proven."""
    given, known, unread = ConsentDecision.GIVEN, state.decision, event.durable is None
    proven = known is not None and (known is not given or state.durable)
    if event.decision is None or (proven and (unread or event.decision is given)):
        return state._replace(unread=state.unread and unread), ()
    durable = bool(event.durable)
    state = state._replace(decision=event.decision, durable=durable, purpose=event.purpose, unread=unread)
    return judge(policy, state)


def _watch_ends(policy: TalkPolicy, state: TalkState, event: ev.WatchEnds) -> Result:
    """Silence until somebody watches again: whoever joins meanwhile must not be in the file (promise P10)."""
    return judge(policy, state._replace(unwatching=True))


def _superseded(policy: TalkPolicy, state: TalkState, event: ev.Superseded) -> Result:
    running = (*mine(state), *state.now.astray)
    actions: tuple[TalkAction, ...] = (do.Stop(running),) if running else ()
    if state.withdrawal is not None:
        paths = tuple(recorder.path for recorder in state.stopping)
        row = CommandFailed("stop", "another visit began before it was seen to be done", paths)
        actions += (do.Write(row), do.Alarm(row))
    return state, (*actions, *_ended(state, CallEnded(None, state.agent, "another visit began")))


def _gone(policy: TalkPolicy, state: TalkState, event: ev.ChannelGone) -> Result:
    state = state._replace(now=ev.Situation(), stopping=(), starting=None)
    state, settled = settle(state, None)
    rows = tuple(action for action in settled if isinstance(action, do.Write))
    return state, (*rows, *_ended(state, CallEnded(event.cause, state.agent)))


def _ended(state: TalkState, row: CallEnded) -> tuple[TalkAction, ...]:
    forget = do.Forget(row, undecided=state.decision is None)
    return (forget,) if forget.undecided else (do.Write(row), forget)


_RULES: dict[type, Callable[[TalkPolicy, TalkState, Any], Result]] = {
    ev.Changed: _changed,
    ev.KeyPressed: key,
    ev.AgentAsked: agent_asked,
    ev.Committed: _committed,
    ev.CommitFailed: _commit_failed,
    ev.Silenced: silenced,
    ev.ListeningEnded: listening_ended,
    ev.Sounding: sounding,
    ev.NotDone: not_done,
    ev.TryAgain: try_again,
    ev.RecordingClosed: closed,
    ev.LegsSeen: _seen,
    ev.QueueEntered: _queue_entered,
    ev.QueueGaveUp: _queue_gave_up,
    ev.WordChanged: _word_changed,
    ev.WatchEnds: _watch_ends,
    ev.Superseded: _superseded,
    ev.ChannelGone: _gone,
}
