"""What each action of a conversation says to the switch, the ledger and the files: one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from consentivr import switch
from consentivr.core import actions as do
from consentivr.core import events as ev
from consentivr.core.actions import TalkAction
from consentivr.core.callers import keeps_number
from consentivr.core.foreign import withheld
from consentivr.core.switchboard import Recorder
from consentivr.core.talk_turns import CommandFailed, LegSeen
from consentivr.ledger import Entry, LedgerUnavailable
from consentivr.recordings import is_channel_uuid
from consentivr.watch.orders import Orders
from consentivr.watch.visit import Visit

if TYPE_CHECKING:
    from consentivr.watch.following import Following

log = structlog.get_logger(__name__)

BY_ITSELF_SECONDS = 0.01
"""A recorder whose talk is over ends with its leg, most often within milliseconds: what is there then is stopped. Alone
in the room it writes nothing meanwhile, and this is half a media frame."""


class Doing:
    """Does it, in the greenlet of the watch; what is confirmed comes back as an event of the conversation."""

    def __init__(self, following: Following) -> None:
        self._following = following
        self._connection = following.connection
        self._orders = Orders(following.connection, following.later)

    def perform(self, visit: Visit, action: TalkAction) -> None:
        """Begin it."""
        PERFORM[type(action)](self, visit, action)

    # --- the ledger --------------------------------------------------------------------------

    def write(self, visit: Visit, action: do.Write) -> None:
        row = action.row
        entry = visit.ref.row(row.turn, row.evidence(), tally=action.tally)
        if not action.permits:
            self._following.ledger.note(entry)
        elif keeps_number(self._following.house.whose_number, row):
            self._connection.bgapi(switch.dump(visit.channel), partial(self._commit_with_number, visit, row, entry))
        else:
            self._following.beside(self._commit, visit, row, entry)

    def _commit_with_number(self, visit: Visit, row: Any, entry: Entry, channel: str) -> None:
        """Whose yes comes in the talk was not kept before (``ledger.numbers``): the switch knows the number."""
        numbered = replace(entry, caller_id_number=switch.caller_id_number(switch.dumped(channel)))
        self._following.beside(self._commit, visit, row, numbered)

    def _commit(self, visit: Visit, row: Any, entry: Any) -> None:
        try:
            count = self._following.ledger.commit(entry, self._following.house.commit_timeout)
        except LedgerUnavailable as error:
            log.error("recording withheld", visit=entry.visit, turn=entry.turn, why=str(error))
            outcome: ev.TalkEvent = ev.CommitFailed(row, str(error))
        else:
            outcome = ev.Committed(row, count)
        self._following.post(lambda: self._tell(visit, outcome))

    def _tell(self, visit: Visit, event: ev.TalkEvent) -> None:
        """What was waited for, unless the visit is over."""
        if self._following.visits.get(visit.channel) is visit:
            self._following.tell(visit, event)
        elif isinstance(event, ev.NotDone) and event.wanted != "unmask":
            said = withheld({"said": event.said, "paths": [recorder.path for recorder in event.recorders]})["said"]
            log.error("a recorder of a visit that is over does not stop", channel=visit.channel, said=said)

    # --- recorders ---------------------------------------------------------------------------

    def start(self, visit: Visit, action: do.StartRecorder) -> None:
        house = self._following.house

        def outcome(done: bool, said: str, took_ms: int) -> None:
            if not done:
                self._tell(visit, ev.NotDone("start", said, (Recorder(action.path, visit.channel),)))

        variables = switch.permission(action.path, stereo=house.stereo)
        self._orders.start(visit.channel, action.path, variables, outcome)

    def stop(self, visit: Visit, action: do.Stop) -> None:
        for recorder in action.recorders:
            if recorder.leg is not None and recorder.path in visit.state.over and not visit.state.talking:
                later = partial(self._stop_if_there, visit, recorder)
                self._following.beside(self._following.post, later, seconds=BY_ITSELF_SECONDS)
            else:
                self._stop(visit, recorder, "stop")

    def _stop_if_there(self, visit: Visit, recorder: Recorder) -> None:
        if recorder.leg is not None and recorder.path in self._following.board.recorders_on(recorder.leg):
            self._stop(visit, recorder, "stop")

    def give_up(self, visit: Visit) -> None:
        """Stop whatever records a conversation that nobody can judge any more."""
        row = CommandFailed("judge", "a fault of consentivr: see its log", ())
        self._following.alarm.raise_(visit.ref, row.turn, row.evidence())
        self.write(visit, do.Write(row))
        for recorder in self._following.board.recorders(self._following.board.room(visit.channel)):
            self._stop(visit, recorder, "stop")

    def _stop(self, visit: Visit, recorder: Recorder, wanted: str) -> None:
        def outcome(done: bool, said: str, took_ms: int) -> None:
            if done:
                self._is_off(recorder)
                self._tell(visit, ev.Silenced((recorder,), stopped=True, took_ms=took_ms))
            else:
                self._tell(visit, ev.NotDone(wanted, said, (recorder,)))

        listens = recorder.leg is not None and self._following.board.listens_to(recorder.leg) is not None
        self._orders.stop(recorder, lambda *said: self._following.post(lambda: outcome(*said)), may_end_leg=listens)

    def _is_off(self, recorder: Recorder) -> None:
        """The switch's own list has it no longer: before any event says so."""
        board = self._following.board
        if recorder.leg is not None:
            touched = board.recording(recorder.leg, recorder.path, on=False)
        else:
            touched = board.conference_recording(recorder.conference or "", recorder.path, on=False)
        self._following.post(lambda: self._following.refresh(touched))

    def mask(self, visit: Visit, action: do.Mask) -> None:
        for recorder in action.recorders:
            self._mask(visit, recorder, action.on)

    def _mask(self, visit: Visit, recorder: Recorder, on: bool) -> None:
        def outcome(done: bool, said: str, took_ms: int) -> None:
            if not done and on:
                self._stop(visit, recorder, "mask")  # what cannot be silenced must not hear what follows
            elif not done:
                self._tell(visit, ev.NotDone("unmask", said, (recorder,)))
            elif on:
                self._tell(visit, ev.Silenced((recorder,), stopped=False, took_ms=took_ms))
            else:
                self._tell(visit, ev.Sounding((recorder,)))

        self._orders.mask(recorder, on, lambda *said: self._following.post(lambda: outcome(*said)))

    # --- channels ----------------------------------------------------------------------------

    def mark(self, visit: Visit, action: do.Mark) -> None:
        values: dict[str, str] = {}
        if action.record is False:
            values |= switch.refusal(visit.channel, action.decision or "")
        elif action.record is True:
            values |= {switch.NO_RECORD: "false", switch.DECISION: action.decision or ""}
        if action.paused is not None:
            values[switch.PAUSED] = "true" if action.paused else "false"
        if action.over:
            values[switch.RECORD_FILE] = switch.unrecordable(visit.channel)
        self._set(visit.channel, values)
        if action.record is not None:
            for party in visit.state.now.parties:
                if party.kind == "agent":
                    self._set(party.leg, {switch.NO_RECORD: values[switch.NO_RECORD]})

    def _set(self, leg: str, values: dict[str, str]) -> None:
        def said(answer: str) -> None:
            if not switch.is_done(answer) and not switch.is_no_channel(answer):
                log.warning("the channel's word is not set", channel=leg, said=answer.strip())

        self._connection.bgapi(switch.set_variables(leg, values), said)

    def announce(self, visit: Visit, action: do.Announce) -> None:
        sound = visit.sounds.get(action.announcement)
        if sound is not None:
            self._connection.bgapi(switch.play_to(action.leg or visit.channel, sound.path, both=action.both), _ignore)

    def end_listening(self, visit: Visit, action: do.EndListening) -> None:
        def outcome(gone: bool, said: str, took_ms: int) -> None:
            self._tell(visit, ev.ListeningEnded(action.on, gone, said))

        if is_channel_uuid(action.leg):
            self._orders.hang_up(action.leg, outcome)

    def look(self, visit: Visit, action: do.LookAtLegs) -> None:
        """The negative proof. What is found is told to the switchboard, as if the stream had: no event of the stream
        can overtake the answer of a plain ``api`` command."""
        kinds = {party.leg: party.kind for party in visit.state.now.parties} | {visit.channel: "caller"}
        legs = [leg for leg in action.legs if is_channel_uuid(leg)]
        seen: dict[str, LegSeen] = {}

        def looked(leg: str, list_: str) -> None:
            bugs = switch.media_bugs(list_)
            recorders = None if bugs is None else tuple(target for what, target in bugs if what == switch.RECORDS)
            taps = tuple(what for what, _ in bugs or () if what != switch.RECORDS)
            seen[leg] = LegSeen(kinds.get(leg, "other"), leg, recorders, taps)
            self._following.bugs_seen(leg, bugs)
            if len(seen) == len(legs):
                self._tell(visit, ev.LegsSeen(tuple(seen[leg] for leg in legs)))

        for leg in legs:
            self._connection.api(switch.taps_of(leg), partial(looked, leg))

    # --- files, people, the end --------------------------------------------------------------

    def seal(self, visit: Visit, action: do.Seal) -> None:
        self._following.sealer.seal(visit.ref, action.path, unwatched=visit.state.unwatched)

    def erase(self, visit: Visit, action: do.Erase) -> None:
        self._following.sealer.erase(visit.ref, action.paths, action.why, ours=action.ours, since=visit.began)

    def alarm(self, visit: Visit, action: do.Alarm) -> None:
        self._following.alarm.raise_(visit.ref, action.row.turn, action.row.evidence())

    def remind(self, visit: Visit, action: do.Remind) -> None:
        house = self._following.house
        visit.remind_after(house.remind_paused_s if action.on else None)
        visit.resume_after(house.resume_after_s if action.on else None)

    def forget(self, visit: Visit, action: do.Forget) -> None:
        self._following.forget(visit, action.end)


def _ignore(said: str) -> None:
    """Nothing depends on it."""


PERFORM: Mapping[type, Callable[[Doing, Visit, Any], None]] = {
    do.Write: Doing.write,
    do.StartRecorder: Doing.start,
    do.Stop: Doing.stop,
    do.Mask: Doing.mask,
    do.Mark: Doing.mark,
    do.Seal: Doing.seal,
    do.Erase: Doing.erase,
    do.Announce: Doing.announce,
    do.LookAtLegs: Doing.look,
    do.EndListening: Doing.end_listening,
    do.Alarm: Doing.alarm,
    do.Remind: Doing.remind,
    do.Forget: Doing.forget,
}
