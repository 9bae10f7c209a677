"""What somebody in the talk wants: keys, second thoughts (GDPR art. 7(3)), the agent's wishes.

Rules of ``conversation``, which says when they are asked for.
"""

from __future__ import annotations

from consentivr.core import actions as do
from consentivr.core import events as ev
from consentivr.core.actions import TalkAction
from consentivr.core.confirmations import WITHDRAWN, settle
from consentivr.core.consent import ConsentDecision, Reason
from consentivr.core.policy import AgentWish, RecordingMode, TalkPolicy
from consentivr.core.recorders import Result, decide, judge, mine
from consentivr.core.state import TalkState
from consentivr.core.talk_turns import AgentStarted
from consentivr.core.turns import AgreedLate, Withdrawn

SEQUENCE_MS = 3000
"""So close together the two keys of a sequence must be."""


def key(policy: TalkPolicy, state: TalkState, event: ev.KeyPressed) -> Result:
    """A * and one key after it mean something; whatever else is pressed is for others, and is not kept."""
    starred = state.agent_starred_ms if event.by_agent else state.starred_ms
    now = event.at_ms if event.key == "*" else None
    state = state._replace(agent_starred_ms=now) if event.by_agent else state._replace(starred_ms=now)
    if event.key == "*" or starred is None or not 0 <= event.at_ms - starred <= SEQUENCE_MS:
        return state, ()
    keys = f"*{event.key}"
    if event.by_agent:
        wish = dict(policy.agent_keys).get(keys)
        return agent_asked(policy, state, ev.AgentAsked(wish, "keys")) if wish else (state, ())
    if keys == policy.withdrawal_keys:
        return _withdraw(policy, state, Reason.WITHDRAWAL_KEYS, keys, "caller")
    if keys == policy.late_consent_keys:
        return _agree_late(policy, state, keys)
    return state, ()


def _withdraw(policy: TalkPolicy, state: TalkState, reason: Reason, keys: str | None, by: str) -> Result:
    """Everything is stopped first; the row follows when it is seen to be (promise P6)."""
    if state.decision is not ConsentDecision.GIVEN and not state.agreeing_late:
        return state, ()
    if policy.mode is RecordingMode.PERMANENT:
        # What the law demands goes on, and nothing is said to have ended; the next queue hears of it.
        row = Withdrawn(reason.value, keys, by, erase=False, stopped_ms=None, kept_because=policy.legal_basis)
        return state._replace(decision=ConsentDecision.WITHDRAWN, agreeing_late=False), (do.Write(row),)
    row = Withdrawn(reason.value, keys, by, policy.erase_withdrawn, stopped_ms=None, kept_because=policy.kept_because)
    state = state._replace(
        decision=ConsentDecision.WITHDRAWN, agreeing_late=False, withdrawal=row, erase=policy.erase_withdrawn
    )
    running = tuple(recorder for recorder in state.now.recorders if recorder not in state.stopping)
    state = state._replace(stopping=(*state.stopping, *running), masked=(), masking=())
    actions: tuple[TalkAction, ...] = (do.Stop(running),) if running else ()
    actions += (do.Mark(False, ConsentDecision.WITHDRAWN.value),)
    finished = tuple(path for path in state.files if path not in (*state.unclosed, *state.by_law))
    if policy.erase_withdrawn and finished:
        actions += (do.Erase(finished, WITHDRAWN, ours=True),)
    state, settled = settle(state, 0)
    state, judged = judge(policy, state)
    return state, (*actions, *settled, *judged)


def _agree_late(policy: TalkPolicy, state: TalkState, keys: str) -> Result:
    agreed = state.decision is ConsentDecision.GIVEN and state.durable and state.purpose == policy.purpose
    if not policy.mode.asks or state.decision is None or agreed or state.agreeing_late or state.withdrawal:
        return state, ()
    return state._replace(agreeing_late=True), (do.Write(AgreedLate(keys, policy.purpose), permits=True),)


def agent_asked(policy: TalkPolicy, state: TalkState, event: ev.AgentAsked) -> Result:
    """The agent may do what the mode allows (DESIGN.md, "Recording modes of a queue")."""
    wish = event.wish
    if wish is AgentWish.WITHDRAW:
        return _withdraw(policy, state, Reason.BY_WORD, None, event.by)
    if not state.talking:
        return state, ()
    if wish is AgentWish.START and policy.mode is RecordingMode.MANUAL and not mine(state):
        started = state._replace(agent_started=True, agent_stopped=False, start_failed=False)
        if not decide(policy, started).record:
            return state, ()
        started, actions = judge(policy, started)
        return started, (do.Write(AgentStarted(event.by)), *actions)
    recorded = mine(state) or state.starting is not None
    if wish is AgentWish.STOP and policy.mode is not RecordingMode.PERMANENT and recorded:
        return judge(policy, state._replace(agent_stopped=True, stop_by=event.by))
    if wish is AgentWish.PAUSE and not state.paused and (mine(state) or decide(policy, state).record):
        state, actions = judge(policy, _pause(state, event.by, on=True))
        return state, (do.Mark(paused=True), *actions)
    if wish is AgentWish.RESUME and state.paused:
        state, actions = judge(policy, _pause(state, event.by, on=False))
        return state, (do.Mark(paused=False), *actions)
    return state, ()


def _pause(state: TalkState, by: str, *, on: bool) -> TalkState:
    """A wish that is taken back before it is seen to be done has no row."""
    return state._replace(paused=on, pause_by=by if state.pause_by is None else None)
