"""What the recorders of a room may do, and what follows where they do something else.

``judge`` compares the verdict with what the switchboard shows, and answers with the difference.
"""

from __future__ import annotations

from consentivr.core import actions as do
from consentivr.core.actions import TalkAction
from consentivr.core.consent import ConsentDecision
from consentivr.core.policy import Outsiders, RecordingMode, TalkPolicy, Taps, WhileHeld
from consentivr.core.state import TalkState
from consentivr.core.switchboard import Recorder
from consentivr.core.talk_turns import ForbiddenRecording, Masked, Paused, Resumed, Tapped, Unmasked
from consentivr.core.verdict import Do, Permission, Verdict, VerdictReason, verdict

Result = tuple[TalkState, tuple[TalkAction, ...]]

FORBIDDEN = "not permitted"


def decide(policy: TalkPolicy, state: TalkState) -> Verdict:
    """What the recorders of the room may do now."""
    others = {party.permission for party in state.now.parties if party.kind != "listener"}
    if policy.outsiders is not Outsiders.SILENCE:
        others.discard(Permission.UNKNOWN)
    here = {party.leg for party in state.now.parties}
    agents = [noted for noted in state.noted if noted.leg in here]
    if any(not noted.proven for noted in agents):
        others.add(Permission.NOT_AGREED)
    said = verdict(
        policy.mode,
        state.decision or ConsentDecision.NOT_OBTAINED,
        durable=state.durable,
        purpose_agreed=state.purpose == policy.purpose,
        others=others,
        held=state.now.held and policy.while_held is WhileHeld.SILENCE,
        paused=state.paused,
        is_nth=all(noted.is_nth for noted in agents),
        agent_wants=not state.agent_stopped and (policy.mode is not RecordingMode.MANUAL or state.agent_started),
    )
    if said.reason is VerdictReason.NOT_PROVEN and state.unread:
        return Verdict(Do.MASK, said.reason)  # nothing is heard, and nothing is lost if the rows say yes
    if said.record and state.unwatching and policy.mode is not RecordingMode.PERMANENT:
        return Verdict(Do.MASK, VerdictReason.NOBODY_WATCHES)
    return said


def judge(policy: TalkPolicy, state: TalkState) -> Result:
    """What must be done now, and the state in which it is under way."""
    said = decide(policy, state)
    late = state.now.astray
    if said.do is not Do.STOP:
        late += tuple(recorder for recorder in state.now.recorders if _is_unwanted(state, recorder))
    state, left = stop(state, tuple(recorder for recorder in late if recorder not in state.stopping))
    state, acted = _ACTS[said.do](policy, state, said)
    if state.pause_by is not None and not state.paused and said.do in (Do.NOTHING, Do.STOP):
        state, over = resumed(state, ())
        acted = (*acted, *over)
    state, proof = _prove(policy, state, said)
    return state, (*left, *acted, *proof)


def _record(policy: TalkPolicy, state: TalkState, said: Verdict) -> Result:
    actions: tuple[TalkAction, ...] = ()
    again = tuple(recorder for recorder in state.masked if recorder not in state.stopping)
    if again:
        state = state._replace(masked=(), unmasking=(*state.unmasking, *again))
        actions = (do.Mask(again, on=False),)
    elif not state.masking and not state.unmasking:
        state, actions = _sound_is_so(state)
    heard = any(party.kind != "listener" for party in state.now.parties)
    ready = not state.awaited and _agents_noted(policy, state)
    if heard and ready and not mine(state) and not state.starting and not state.start_failed:
        if policy.mode is RecordingMode.PERMANENT:
            return state, actions  # the queue starts it, also when we are not there
        number = len(state.files) + 1
        path = f"{state.stem}{'' if number == 1 else f'-{number}'}.wav"
        state = state._replace(files=(*state.files, path), starting=path)
        actions = (*actions, do.Mark(True, ConsentDecision.GIVEN.value), do.StartRecorder(path))
    return state, actions


def _sound_is_so(state: TalkState) -> Result:
    """Everything that records hears again: say so."""
    state, actions = _end_span(state)
    if state.pause_by is not None:
        state, rows = resumed(state, tuple(recorder.path for recorder in state.now.recorders))
        actions = (*actions, *rows)
    return state, actions


def _agents_noted(policy: TalkPolicy, state: TalkState) -> bool:
    noted = {agent.leg for agent in state.noted}
    agents = [party.leg for party in state.now.parties if party.kind == "agent"]
    return not policy.starts_at_answer or (bool(agents) and noted >= set(agents))


def _mask(policy: TalkPolicy, state: TalkState, said: Verdict) -> Result:
    actions: tuple[TalkAction, ...] = ()
    if state.span is not None and state.span != said.reason.value:
        state, actions = _end_span(state)
    if said.reason is VerdictReason.OUTSIDER:
        state = state._replace(strangers=state.strangers | _strangers(state))
    silent = (*state.masked, *state.masking, *state.stopping)
    loud = tuple(recorder for recorder in state.now.recorders if recorder not in silent)
    if loud:
        return state._replace(masking=(*state.masking, *loud)), (*actions, do.Mask(loud, on=True))
    if not state.masking:
        state, rows = _silence_is_so(policy, state)
        actions = (*actions, *rows)
    return state, actions


def _silence_is_so(policy: TalkPolicy, state: TalkState) -> Result:
    """Everything that records hears silence now: say so, once for each reason."""
    actions: tuple[TalkAction, ...] = ()
    paths = tuple(recorder.path for recorder in state.masked)
    if state.pause_by is not None and state.paused:
        actions = (do.Write(Paused(state.pause_by, paths)), do.Remind(True))
        state = state._replace(pause_by=None)
    elif state.pause_by is not None:
        state, actions = resumed(state, ())
    said = decide(policy, state)
    if paths and state.span is None and said.do is Do.MASK and said.reason is not VerdictReason.PAUSED:
        about = tuple(sorted(_strangers(state)))
        actions = (*actions, do.Write(Masked(said.reason.value, about, paths)))
        state = state._replace(span=said.reason.value)
    return state, actions


def _end_span(state: TalkState) -> Result:
    if state.span is None:
        return state, ()
    row = Unmasked(state.span, tuple(sorted(state.strangers)))
    return state._replace(span=None, strangers=frozenset()), (do.Write(row),)


def resumed(state: TalkState, paths: tuple[str, ...]) -> Result:
    """The pause is over, and is said to be."""
    by = state.pause_by or ""
    return state._replace(pause_by=None), (do.Write(Resumed(by, paths)), do.Remind(False))


def _nothing(policy: TalkPolicy, state: TalkState, said: Verdict) -> Result:
    state, spoken = _end_span(state)
    state, actions = stop(state, tuple(recorder for recorder in mine(state) if recorder not in state.stopping))
    return state, (*spoken, *actions)


def _stop_all(policy: TalkPolicy, state: TalkState, said: Verdict) -> Result:
    """Whatever records is stopped; what did not begin with our word is an incident, and is erased (promise P5)."""
    state, spoken = _end_span(state)
    running = tuple(recorder for recorder in state.now.recorders if recorder not in state.stopping)
    foreign = [recorder for recorder in running if recorder.path not in state.unclosed]
    new = [recorder for recorder in foreign if recorder.path not in state.forbidden]
    state, stopped = stop(state, running)
    actions: tuple[TalkAction, ...] = (*stopped, *spoken)
    for recorder in new:
        row = ForbiddenRecording(recorder.path, _role(state, recorder), said.reason.value)
        actions += (do.Write(row), do.Alarm(row))
    paths = tuple(recorder.path for recorder in new)
    if paths:
        state = state._replace(forbidden=(*state.forbidden, *paths))
        actions += (do.Erase(paths, FORBIDDEN, ours=False),)
    state, tapped = _taps(policy, state)
    return state, (*actions, *tapped)


def stop(state: TalkState, recorders: tuple[Recorder, ...]) -> Result:
    """Order these to be stopped."""
    if not recorders:
        return state, ()
    state = state._replace(
        stopping=(*state.stopping, *recorders),
        masked=tuple(recorder for recorder in state.masked if recorder not in recorders),
        masking=tuple(recorder for recorder in state.masking if recorder not in recorders),
    )
    return state, (do.Stop(recorders),)


def _taps(policy: TalkPolicy, state: TalkState) -> Result:
    """What else listens to who did not agree: noted, told, or ended, as the house wants it."""
    state_taps = tuple(tap for tap in state.tapped if tap in state.now.taps)
    known = tuple(leg for leg in state.ended if leg in state.now.listeners)
    may_end = policy.taps is Taps.END and any(tap.function == "eavesdrop" for tap in state.now.taps)
    ends = tuple(leg for leg in state.now.listeners if leg not in known) if may_end else ()
    actions: tuple[TalkAction, ...] = ()
    for row in (Tapped(tap.function, tap.leg, ended=False) for tap in state.now.taps if tap not in state_taps):
        actions += (do.Write(row),)
        if policy.taps is not Taps.NOTE:
            actions += (do.Alarm(row),)
    on = next((tap.leg for tap in state.now.taps if tap.function == "eavesdrop"), "")
    actions += tuple(do.EndListening(leg, on) for leg in ends)
    return state._replace(tapped=state.now.taps, ended=(*known, *ends)), actions


def _prove(policy: TalkPolicy, state: TalkState, said: Verdict) -> Result:
    """Whoever did not agree has it in the ledger that nothing recorded the talk, for every room anew."""
    legs = frozenset(party.leg for party in state.now.parties)
    if said.do not in (Do.STOP, Do.NOTHING) or not legs or legs <= state.looked_at:
        return state, ()
    return state._replace(looked_at=state.looked_at | legs), (do.LookAtLegs((state.channel, *sorted(legs))),)


_ACTS = {Do.RECORD: _record, Do.MASK: _mask, Do.NOTHING: _nothing, Do.STOP: _stop_all}


def _strangers(state: TalkState) -> frozenset[str]:
    """The legs of whom nobody knows. Who eavesdrops is known a moment later than that somebody does."""
    return frozenset(
        party.leg for party in state.now.parties if party.permission is Permission.UNKNOWN and " " not in party.leg
    )


def mine(state: TalkState) -> tuple[Recorder, ...]:
    """Our recorders of this talk that run, and are not being stopped."""
    ours = tuple(recorder for recorder in state.now.recorders if recorder.path in state.files)
    return tuple(r for r in ours if not _is_unwanted(state, r) and r not in state.stopping)


def _is_unwanted(state: TalkState, recorder: Recorder) -> bool:
    """One of ours that must stop whatever the verdict is: its talk is over, or it began against the caller's word."""
    return recorder.path in state.over or (recorder.path in state.files and recorder.path in state.forbidden)


def _role(state: TalkState, recorder: Recorder) -> str:
    if recorder.leg is None:
        return "conference"
    if recorder.leg == state.channel:
        return "caller"
    return next((party.kind for party in state.now.parties if party.leg == recorder.leg), "other")
