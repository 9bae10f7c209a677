"""What can happen to a room (``tests.core.room``): each move is a name, and what is told when it is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from consentivr.core import events as ev
from consentivr.core.consent import ConsentDecision
from consentivr.core.policy import AgentWish, RecordingMode, TalkPolicy
from consentivr.core.switchboard import Recorder
from tests.core.room import CALLER, CONFERENCE, Room

Move = Callable[[Room], None]
MOVES: dict[str, Move] = {}


def move(made: Move) -> Move:
    MOVES[made.__name__] = made
    return made


def _named(name: str, made: Move) -> None:
    MOVES[name] = made


def bridge(room: Room, leg: str) -> None:
    for one in (CALLER, leg):
        unbridge(room, one)
    room.board.bridged(leg, CALLER)
    room.refresh()


def unbridge(room: Room, leg: str) -> None:
    partner = room.board.partner(leg)
    if partner is not None:
        room.board.unbridged(leg, partner)
        room.refresh()


def gone(room: Room, leg: str) -> None:
    for path in room.board.recorders_on(leg):
        room.off(Recorder(path, leg))()
    room.board.gone(leg)
    room.refresh()


for _leg in ("anna", "bert", "carl", "nobody"):
    _named(f"{_leg} answers", lambda room, leg=_leg: bridge(room, leg))
    _named(f"anna hands over to {_leg}", lambda room, leg=_leg: _hand_over(room, leg))


def _hand_over(room: Room, leg: str) -> None:
    """An attended transfer, told as the switch tells it (FREESWITCH.md, section 7)."""
    if room.board.partner("anna") == CALLER and leg != "anna":
        _consult(room)
        unbridge(room, "anna")
        unbridge(room, CALLER)
        bridge(room, leg)
        gone(room, "anna")


def _consult(room: Room) -> None:
    if room.board.partner("anna") == CALLER:
        room.board.bridged("anna", "carl")
        room.refresh()


_named("anna consults", _consult)


@move
def declined(room: Room) -> None:
    if room.board.partner("anna") == "carl":
        gone(room, "carl")
        unbridge(room, CALLER)
        bridge(room, "anna")


@move
def talk_ends(room: Room) -> None:
    other = room.board.partner(CALLER)
    if other is not None:
        unbridge(room, CALLER)
        gone(room, other)


@move
def hold(room: Room) -> None:
    if room.board.partner(CALLER) is not None:
        room.board.held("anna", not room.board.holds("anna"))
        room.refresh()


for _leg in ("nobody", "friend", "foe", "carl", "bert"):
    _named(f"{_leg} joins", lambda room, leg=_leg: _join(room, leg))
    _named(f"{_leg} leaves", lambda room, leg=_leg: gone(room, leg))


def _join(room: Room, leg: str) -> None:
    room.board.listening(leg, CALLER, speaks=True)
    room.refresh()


@move
def ear_listens(room: Room) -> None:
    room.board.tapped(CALLER, "eavesdrop", True)
    room.board.listening("ear", CALLER, speaks=False)
    room.refresh()


@move
def ear_is_recorded(room: Room) -> None:
    room.board.recording("ear", "/theirs/ear.wav", True)
    room.refresh()


@move
def ear_leaves(room: Room) -> None:
    room.board.tapped(CALLER, "eavesdrop", False)
    gone(room, "ear")


@move
def to_conference(room: Room) -> None:
    unbridge(room, CALLER)
    for leg in (CALLER, "anna"):
        room.board.in_conference(leg, CONFERENCE)
        room.refresh()


@move
def from_conference(room: Room) -> None:
    room.board.in_conference(CALLER, None)
    room.refresh()


@move
def conference_is_recorded(room: Room) -> None:
    room.board.conference_recording(CONFERENCE, "/theirs/conference.wav", True)
    room.refresh()


def _foreign(room: Room, leg: str) -> None:
    if leg in room.board:
        room.board.recording(leg, f"/theirs/{leg}.wav", True)
        room.refresh()


for _leg in (CALLER, "anna"):
    _named(f"others record {_leg}", lambda room, leg=_leg: _foreign(room, leg))


@move
def a_recorder_ends_by_itself(room: Room) -> None:
    running = room.recorders()
    if running:
        room.off(running[0])()


@move
def a_recorder_moves_to_anna(room: Room) -> None:
    """``recording_follow_transfer``: it goes on, on another leg."""
    for recorder in room.recorders():
        if recorder.leg == CALLER and room.mine(recorder) and "anna" in room.board:
            room.board.recording(CALLER, recorder.path, False)
            room.board.recording("anna", recorder.path, True)
            if recorder in room.silent:
                room.silent |= {Recorder(recorder.path, "anna")}
            room.silent -= {recorder}
            room.stuck -= {recorder}
            room.refresh()
            return


for _wish in (AgentWish.START, AgentWish.STOP, AgentWish.PAUSE, AgentWish.RESUME):
    _named(_wish.value, lambda room, wish=_wish: room.tell(ev.AgentAsked(wish, "desktop")))


def _takes_back(room: Room) -> None:
    room.may = room.late = False


@move
def withdraw(room: Room) -> None:
    _takes_back(room)
    for key in "*9":
        room.tell(ev.KeyPressed(key, 0))


@move
def withdraw_by_word(room: Room) -> None:
    _takes_back(room)
    room.tell(ev.AgentAsked(AgentWish.WITHDRAW, "desktop"))


@move
def late_yes(room: Room) -> None:
    before = len(room.waiting)
    for key in "*1":
        room.tell(ev.KeyPressed(key, 0))
    room.late = room.late or len(room.waiting) > before


@move
def obey(room: Room) -> None:
    if room.orders:
        room.obey()


@move
def refuse(room: Room) -> None:
    if room.orders:
        room.refuse()


@move
def commit(room: Room) -> None:
    if room.waiting:
        room.commit()


@move
def commit_as_first(room: Room) -> None:
    if room.waiting:
        room.commit(count=1)


@move
def commit_fails(room: Room) -> None:
    if room.waiting:
        room.commit(done=False)


@move
def try_again(room: Room) -> None:
    room.tell(ev.TryAgain())


@move
def queue_gives_up(room: Room) -> None:
    if not room.state.talking:
        room.tell(ev.QueueGaveUp("TIMEOUT"))


@move
def channel_gone(room: Room) -> None:
    for path in room.board.recorders_on(CALLER):
        room.off(Recorder(path, CALLER))()
    room.board.gone(CALLER)
    room.tell(ev.ChannelGone("NORMAL_CLEARING"))


@move
def another_visit(room: Room) -> None:
    room.tell(ev.Superseded())


@move
def read_again_as_yes(room: Room) -> None:
    room.tell(ev.WordChanged(ConsentDecision.GIVEN, True, "quality"))


@move
def read_again_as_no(room: Room) -> None:
    if not room.late:  # what is read is older than a yes that is being written
        room.may = False
        room.tell(ev.WordChanged(ConsentDecision.WITHDRAWN, True, None))


_ASKS = TalkPolicy(RecordingMode.PERMANENT_OPT_OUT, "quality", late_consent_keys="*1")
_QUEUES = {
    "to a queue for another purpose": replace(_ASKS, purpose="training"),
    "to a queue that is off": replace(_ASKS, mode=RecordingMode.OFF),
    "to a queue by law": TalkPolicy(RecordingMode.PERMANENT, "law"),
    "to a queue that asks": _ASKS,
}


def _move_to(room: Room, policy: TalkPolicy) -> None:
    room.policy = policy
    room.tell(ev.QueueEntered("other"))


for _name, _policy in _QUEUES.items():
    _named(_name, lambda room, policy=_policy: _move_to(room, policy))
