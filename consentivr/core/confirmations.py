"""What was ordered is confirmed, or not, and what may be said then. Rules of ``conversation``."""

from __future__ import annotations

from dataclasses import replace

from consentivr.core import actions as do
from consentivr.core import events as ev
from consentivr.core.actions import TalkAction
from consentivr.core.policy import Announcement, TalkPolicy
from consentivr.core.recorders import FORBIDDEN, Result, judge, mine
from consentivr.core.state import TalkState
from consentivr.core.switchboard import Recorder
from consentivr.core.talk_turns import AgentStopped, CommandFailed, RecordingFailed, RecordingStopped, Tapped

WITHDRAWN = "consent withdrawn"


def silenced(policy: TalkPolicy, state: TalkState, event: ev.Silenced) -> Result:
    done = event.recorders
    state = state._replace(masking=_without(state.masking, done), failed=_without(state.failed, done))
    if event.stopped:
        state = state._replace(
            now=replace(
                state.now,
                recorders=_without(state.now.recorders, done),
                astray=_without(state.now.astray, done),
            ),
            stopping=_without(state.stopping, done),
        )
    else:
        there = tuple(r for r in done if r in state.now.recorders and r not in state.masked)
        state = state._replace(masked=(*state.masked, *there))
    state, settled = settle(state, event.took_ms)
    state, judged = judge(policy, state)
    return state, (*settled, *judged)


def sounding(policy: TalkPolicy, state: TalkState, event: ev.Sounding) -> Result:
    return judge(
        policy,
        state._replace(
            unmasking=_without(state.unmasking, event.recorders), mute=_without(state.mute, event.recorders)
        ),
    )


def not_done(policy: TalkPolicy, state: TalkState, event: ev.NotDone) -> Result:
    """What was ordered stays ordered: it is tried again by and by, not at once (``TryAgain``)."""
    if event.wanted == "start":
        state = state._replace(starting=None, start_failed=state.starting not in state.over)
        state, settled = settle(state, None)
        state, judged = judge(policy, state)
        return state, (do.Write(RecordingFailed(event.said)), *settled, *judged)
    row = CommandFailed(event.wanted, event.said, tuple(recorder.path for recorder in event.recorders))
    known = state.mute if event.wanted == "unmask" else state.failed
    new = _without(event.recorders, known)
    told: tuple[TalkAction, ...] = (do.Write(row),) if new else ()
    if event.wanted != "unmask":
        return state._replace(failed=(*state.failed, *new)), (*told, do.Alarm(row)) if new else ()
    there = tuple(r for r in event.recorders if r in state.now.recorders and r not in state.masked)
    return state._replace(
        unmasking=_without(state.unmasking, event.recorders),
        mute=(*state.mute, *_without(there, state.mute)),
        masked=(*state.masked, *there),
    ), told


def try_again(policy: TalkPolicy, state: TalkState, event: ev.TryAgain) -> Result:
    state, settled = ended_by_itself(state._replace(stopping=(), masking=()))
    state, judged = judge(policy, state)
    return state, (*settled, *judged)


def closed(policy: TalkPolicy, state: TalkState, event: ev.RecordingClosed) -> Result:
    if event.path in state.forbidden:
        state = state._replace(forbidden=tuple(path for path in state.forbidden if path != event.path))
        return state, (do.Erase((event.path,), FORBIDDEN, ours=False),)
    if event.path not in state.unclosed:
        return state, ()
    state = state._replace(unclosed=tuple(path for path in state.unclosed if path != event.path))
    row = RecordingStopped(event.path, event.duration_ms, event.completion_cause)
    erase = state.erase and event.path not in state.by_law
    after: TalkAction = do.Erase((event.path,), WITHDRAWN, ours=True) if erase else do.Seal(event.path)
    return state, (do.Write(row), after)


def listening_ended(policy: TalkPolicy, state: TalkState, event: ev.ListeningEnded) -> Result:
    """Whoever eavesdropped was to be hung up."""
    if event.gone:
        return state, (do.Write(Tapped("eavesdrop", event.on, ended=True)),)
    row = CommandFailed("end_listening", event.said, ())
    return state, (do.Write(row), do.Alarm(row))


def ended_by_itself(state: TalkState) -> Result:
    """What the switch would not stop is gone, and nobody else will say so."""
    there = (*state.now.recorders, *state.now.astray)
    left = tuple(recorder for recorder in state.failed if recorder in there)
    return (state, ()) if left == state.failed else settle(state._replace(failed=left), None)


def settle(state: TalkState, took_ms: int | None) -> Result:
    """What was to end has ended: only now it is said to."""
    actions: tuple[TalkAction, ...] = ()
    if state.stop_by is not None and not mine(state) and not state.stopping and state.starting is None:
        actions = (do.Write(AgentStopped(state.stop_by)),)
        state = state._replace(stop_by=None)
    sounding = state.now.recorders or state.now.astray or state.stopping or state.starting
    if state.withdrawal is not None and not sounding:
        row = replace(state.withdrawal, stopped_ms=took_ms)
        heard = any(party.kind != "listener" for party in state.now.parties)
        actions = (*actions, do.Write(row), do.Announce(Announcement.WITHDRAWN, both=heard))
        state = state._replace(withdrawal=None)
    return state, actions


def _without(recorders: tuple[Recorder, ...], those: tuple[Recorder, ...]) -> tuple[Recorder, ...]:
    return tuple(recorder for recorder in recorders if recorder not in those)
