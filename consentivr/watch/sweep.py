"""Every few seconds: what the stream missed, what was not done, what was forgotten.

The switch's lists come from a database that it fills behind its events, so one list proves nothing: what two sweeps in
a row find otherwise than the switchboard has it, and the stream has not touched between them, is so.
"""

from __future__ import annotations

import time
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from consentivr import switch
from consentivr.core import events as ev
from consentivr.core.policy import AgentWish, Announcement
from consentivr.recordings import is_channel_uuid
from consentivr.watch.adopting import Channel
from consentivr.watch.returning import LIST_SECONDS, rows_of
from consentivr.watch.settling import LEFT_OVER_SECONDS
from consentivr.watch.visit import Visit

if TYPE_CHECKING:
    from consentivr.watch.following import Following

LOOK_SECONDS = 0.25
"""How exactly the times of pauses are kept."""

BEAT_SECONDS = 1.0
"""So often the switch is told that it is watched: what sounded since, if we die, is not kept."""

LEGS_AT_ONCE = 200
"""So many legs a sweep asks what listens to them; the next sweep goes on with the next."""

SOON_SECONDS = 1.0
"""The first rounds come so soon: what the lists did not know yet when the watch began, is known then."""

CLOSED_SECONDS = 2.0
"""A file that nothing records to for so long is complete, also when no event said so (it comes 1 s late at times)."""

_ASKED = (
    switch.VISIT,
    switch.LINE,
    switch.DECISION,
    switch.RECORD_FILE,
    switch.PAUSED,
    switch.JOINED,
    switch.JOINED_BEFORE,
    "cc_queue",
)


class Sweep:
    """Looks now and then."""

    def __init__(self, following: Following) -> None:
        self._following = following
        self._due = time.monotonic() + SOON_SECONDS
        self._soon = 2
        """Rounds that come soon: a difference is believed when it is found twice."""
        self._next_look = 0.0
        self._beat_due = 0.0
        self._left_over_due = time.monotonic() + LEFT_OVER_SECONDS
        self._under_way = False
        self._next_leg = 0
        self._odd: dict[tuple[str, ...], object] = {}
        """What the last sweep found otherwise than the switchboard has it, and how that had it."""
        self._odd_now: dict[tuple[str, ...], object] = {}
        self._asked: dict[str, tuple[str, str]] = {}
        """By channel, what it did when it was last looked at."""

    def now_and_then(self) -> None:
        """Called often; does something every ``House.sweep_s``."""
        now = time.monotonic()
        if now < self._next_look:
            return  # ten thousand visits cannot be looked at after each event
        self._next_look = now + LOOK_SECONDS
        if now >= self._beat_due and not self._following.returning.under_way:
            self._beat_due = now + BEAT_SECONDS
            self._following.connection.api(switch.watched_until(int(time.time() * 1000)), lambda said: None)
        for visit in list(self._following.visits.values()):
            if visit.resume_at is not None and visit.resume_at <= now:
                visit.resume_after(None)
                self._following.tell(visit, ev.AgentAsked(AgentWish.RESUME, "timer"))
            elif visit.remind_at is not None and visit.remind_at <= now:
                self._remind(visit)
        if now < self._due or self._under_way or self._following.returning.under_way:
            return
        for path in [path for path, since in self._following.vanished.items() if now - since > CLOSED_SECONDS]:
            if self._following.board.where(path):
                del self._following.vanished[path]  # it moved, or began again
            else:
                self._following.closed(path, None, None)
        self._under_way = True
        self._soon -= bool(self._soon)
        self._due = now + (SOON_SECONDS if self._soon else self._following.house.sweep_s)
        if now > self._left_over_due:
            self._left_over_due = now + LEFT_OVER_SECONDS
            self._following.beside(self._following.adopting.left_over)
        for visit in list(self._following.visits.values()):
            if visit.state.failed or visit.state.mute:
                self._following.tell(visit, ev.TryAgain())
        self._odd, self._odd_now = self._odd_now, {}
        self._following.connection.bgapi(switch.CHANNELS, self._channels, LIST_SECONDS)

    def _is_so(self, what: tuple[str, ...], known: object) -> bool:
        """Whether the sweep before found the same, with the switchboard as it is now."""
        self._odd_now[what] = known
        return what in self._odd and self._odd[what] == known

    def _remind(self, visit: Visit) -> None:
        """A pause stays until somebody ends it: the agent is told so, again and again."""
        visit.remind_after(self._following.house.remind_paused_s)
        sound = visit.sounds.get(Announcement.STILL_PAUSED)
        for party in visit.state.now.parties:
            if sound is not None and party.kind == "agent":
                self._following.connection.bgapi(switch.play_to(party.leg, sound.path, both=False), lambda said: None)

    # --- held against the switch's own lists -------------------------------------------------

    def _channels(self, said: str) -> None:
        following = self._following
        rows = rows_of(said, "uuid", "direction", "dest", "application", "application_data", "callstate")
        self._under_way = False
        if rows is None:
            return
        there = {row.get("uuid", ""): row for row in rows}
        for leg in {*following.board.legs(), *following.visits}:
            if leg not in there and is_channel_uuid(leg) and self._is_so(("gone", leg), following.board.partner(leg)):
                following.gone(leg, "")
        self._asked = {leg: known for leg, known in self._asked.items() if leg in there}
        for leg, row in there.items():
            does = (row.get("dest", ""), row.get("application", ""))
            visit = following.visits.get(leg)
            # Who was followed from the line's number on need not be asked, unless the caller went elsewhere.
            before = None if visit is None else (following.house.numbers.get(visit.ref.line, ""), does[1])
            new = self._asked.get(leg, before) != does or (visit is not None and visit.state.decision is None)
            if new and row.get("direction") == "inbound" and is_channel_uuid(leg):
                self._ask(leg)
            self._asked[leg] = does
            holds, known = row.get("callstate") == "HELD", following.board.is_on_hold(leg)
            if leg in following.board and holds != known and self._is_so(("holds", leg), known):
                following.refresh(following.board.held(leg, holds))
            if does[1] in ("eavesdrop", "three_way") and following.board.listens_to(leg) is None:
                target = row.get("application_data", "").strip()
                if any(tap.function == "eavesdrop" for tap in following.board.taps((target,))):
                    speaks = does[1] == "three_way"
                    following.refresh(following.board.listening(leg, target, speaks=speaks))
        following.connection.bgapi(switch.CALLS, self._bridges, LIST_SECONDS)
        self._legs()
        if following.board.conferences():
            following.connection.bgapi(switch.CONFERENCES, following.conferences_seen)

    def _ask(self, leg: str) -> None:
        """A caller whom nobody follows, or of whom no decision is known, or who went elsewhere: what is it now?"""
        said: dict[str, str] = {}

        def answer(name: str, text: str) -> None:
            said[name] = "" if text.strip() == "_undef_" or text.startswith("-ERR") else text.strip()
            if len(said) == len(_ASKED):
                self._told(Channel(leg, lambda name: said.get(name) or None), said["cc_queue"])

        for name in _ASKED:
            self._following.connection.api(switch.variable_of(leg, name), partial(answer, name))

    def _told(self, channel: Channel, queue: str) -> None:
        visit = self._following.visits.get(channel.uuid)
        if not queue or not channel.joined or not channel.decision:
            return
        same = visit is not None and visit.state.visit == channel.visit and visit.state.decision is not None
        if visit is None or not same or visit.ref.queue != queue:
            self._following.adopting.take_up(channel, queue, None)

    def _bridges(self, said: str) -> None:
        """Of whom we follow. Who consults is in two rows, and is left to the stream."""
        following, board = self._following, self._following.board
        rows = rows_of(said, "uuid", "b_uuid")
        if rows is None:
            return
        partners: dict[str, set[str]] = {}
        for a, b in [(row.get("uuid", ""), row.get("b_uuid", "")) for row in rows]:
            if a and b:
                partners.setdefault(a, set()).add(b)
                partners.setdefault(b, set()).add(a)
        for leg in list(following.visits):
            now, known = partners.get(leg, set()), board.partner(leg)
            if len(now) == 1:
                (partner,) = now
                found = partner != known and len(partners[partner]) == 1
                if found and self._is_so(("bridged", leg, partner), known):
                    following.refresh(board.bridged(leg, partner))
            elif not now and known is not None and self._is_so(("alone", leg), known):
                following.refresh(board.unbridged(leg, known))

    def _legs(self) -> None:
        """What listens to the legs of our rooms, so many at a time."""
        legs = sorted({leg for channel in self._following.visits for leg in self._following.board.room(channel)})
        legs = [leg for leg in legs if is_channel_uuid(leg)]
        if not legs:
            return
        start = self._next_leg % len(legs)
        for leg in islice((legs[start:] + legs[:start]), LEGS_AT_ONCE):
            self._following.connection.api(switch.taps_of(leg), partial(self._following.listed, leg))
        self._next_leg = start + LEGS_AT_ONCE
