"""What must be so of a room (``tests.core.room``), said once more and naively."""

from __future__ import annotations

from consentivr.core import talk_turns
from consentivr.core.consent import ConsentDecision
from consentivr.core.policy import Outsiders, RecordingMode, WhileHeld
from consentivr.core.verdict import Permission
from tests.core.room import CALLER, LEGS, PEOPLE, Room


def heard(room: Room) -> list[str]:
    """Who is heard beside the caller."""
    return [leg for leg in sorted(room.board.room(CALLER) - {CALLER}) if not room.board.is_silent(leg)]


def held(room: Room) -> bool:
    return room.board.waits(CALLER) or any(room.board.holds(leg) for leg in room.board.room(CALLER))


def expected(room: Room) -> tuple[str, str]:
    """What the recorders must do, and because of what (DESIGN.md, the precedence)."""
    policy, state = room.policy, room.state
    others = [PEOPLE[leg][2] for leg in heard(room)]
    paused = [("mask", "paused")] if state.paused else []
    if policy.mode is RecordingMode.PERMANENT:
        return (*paused, ("record", ""))[0]
    said = room.policy.mode.asks and room.may and room.agreed_to == policy.purpose
    unproven = room.unproven & set(heard(room))
    not_nth = policy.mode is RecordingMode.EVERY_NTH and room.not_nth & set(heard(room))
    idle = state.agent_stopped or (policy.mode is RecordingMode.MANUAL and not state.agent_started)
    unread = state.unread and state.decision is ConsentDecision.GIVEN and not state.durable
    against = [
        *([("mask", "unread")] if unread and policy.mode.asks else []),
        *([] if said else [("stop", "word")]),
        *([("stop", "caller")] if Permission.REFUSED in others else []),
        *([("mask", "outsider")] if Permission.UNKNOWN in others and policy.outsiders is Outsiders.SILENCE else []),
        *([("stop", "agent")] if Permission.NOT_AGREED in others or unproven else []),
        *([("mask", "on_hold")] if held(room) and policy.while_held is WhileHeld.SILENCE else []),
        *paused,
        *([("nothing", "nth")] if not_nth else []),
        *([("nothing", "agent")] if idle else []),
    ]
    return (*against, ("record", ""))[0]


def hold_always(room: Room) -> None:
    """Of the rows, at any moment."""
    kinds = [type(row) for row in room.rows]
    assert kinds.count(talk_turns.CallEnded) == (1 if room.over else 0)
    assert room.open(talk_turns.Masked, talk_turns.Unmasked) in (0, 1)
    assert room.open(talk_turns.Paused, talk_turns.Resumed) in (0, 1)
    started = [row.path for row in room.rows if isinstance(row, talk_turns.RecordingStarted)]
    ours = [path for path in started if path.startswith(room.state.stem)]
    assert len(set(ours)) == len(ours)
    assert set(room.sealed) <= set(started)
    stopped = [row.path for row in room.rows if isinstance(row, talk_turns.RecordingStopped)]
    assert set(stopped) <= set(started)
    sealed = [path for path in room.sealed if path.startswith(room.state.stem)]
    assert room.policy.erase_withdrawn or not set(sealed) & set(room.erased)
    assert len(set(sealed)) == len(sealed)


def hold_settled(room: Room) -> None:
    """Of the recorders and of what is said of them, when no order and no row is outstanding."""
    hold_always(room)
    if room.over:
        return
    assert {one.path for one in room.stuck} <= set(room.alarmed), "a refusal that nobody was told of"
    do, why = expected(room)
    running = set(room.board.recorders(room.board.room(CALLER)))
    mine = {one for one in running if room.mine(one)}
    loud = running - room.silent
    if do == "stop":
        assert running <= room.stuck, f"P5: recorded against {why}"
    if do == "mask":
        assert loud <= room.stuck, f"P10: recorded while {why}"
    if do == "nothing":
        assert mine <= room.stuck, f"recorded against {why}"
    astray = {one for one in room.board.recorders(LEGS) if room.mine(one)} - running
    assert astray <= room.stuck, "ours records somewhere else"
    if room.talked and not heard(room) and not held(room) and room.policy.mode is not RecordingMode.PERMANENT:
        assert mine <= room.stuck, "recorded, and the talk is over"
    assert room.mute <= set(room.state.mute), "silence that should not be, and nobody tries again"
    if not room.stuck and not room.mute:
        _hold_said(room, do, why, bool(running & room.silent))
        if do == "record":
            _hold_recorded(room, mine, loud)


def _hold_said(room: Room, do: str, why: str, silence: bool) -> None:
    assert room.state.withdrawal is None, "P6: nothing records, and nobody says so"
    span = do == "mask" and why != "paused"
    assert room.open(talk_turns.Masked, talk_turns.Unmasked) in ((1,) if span and silence else (0, 1) if span else (0,))
    if not room.state.paused:
        assert room.open(talk_turns.Paused, talk_turns.Resumed) == 0, "a pause that is over, and no row says so"
    elif do == "mask" and silence:
        assert room.open(talk_turns.Paused, talk_turns.Resumed) == 1, "a pause that no row tells of"


def _hold_recorded(room: Room, mine: set, loud: set) -> None:
    agents = [leg for leg in heard(room) if PEOPLE[leg][0] == "agent"]
    ready = bool(heard(room)) and (bool(agents) or not room.policy.starts_at_answer)
    if ready and room.policy.mode is not RecordingMode.PERMANENT and not room.state.start_failed:
        started = [one for one in mine if one.path.startswith(room.state.stem)]  # not what a queue by law began
        assert mine, "everybody agreed, and nothing records"
        assert len(started) <= 1, "two recorders for one talk"
    assert mine <= loud, "everybody agreed, and silence is recorded"
