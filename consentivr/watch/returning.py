"""Looking around: what is going on when the watch begins, or is back after it was blind.

All of it is asked of the switch and of the ledger; nothing is remembered from before.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from consentivr import switch
from consentivr.core.adoption import told
from consentivr.ledger import Entry, LedgerError
from consentivr.recordings import is_channel_uuid
from consentivr.watch.adopting import Channel
from consentivr.watch.settling import YOUNG

if TYPE_CHECKING:
    from consentivr.watch.following import Following

log = structlog.get_logger(__name__)

OPEN_SINCE = timedelta(days=2)
"""A visit that began before is not looked for any more."""

LIST_SECONDS = 20.0
_VARIABLES = (
    switch.VISIT,
    switch.LINE,
    switch.DECISION,
    switch.RECORD_FILE,
    switch.PAUSED,
    switch.JOINED,
    switch.JOINED_BEFORE,
)


class Returning:
    """Begins with ``look_around``; the rest follows from answers."""

    def __init__(self, following: Following) -> None:
        self._following = following
        self._channels: dict[str, dict[str, str]] = {}

    def look_around(self) -> None:
        """Ask for everything. Answers come while the stream is heard already."""
        connection = self._following.connection
        connection.api(switch.SWITCHNAME, self._named)
        connection.api(switch.CORE_UUID, self._core)
        connection.bgapi(switch.CHANNELS, self._listed, LIST_SECONDS)

    def _named(self, said: str) -> None:
        self._following.switch_name = (said.strip(), "")

    def _core(self, said: str) -> None:
        core = "" if said.startswith("-ERR") else said.strip()
        self._following.switch_name = (self._following.switch_name[0], core)

    def _listed(self, said: str) -> None:
        rows = rows_of(said)
        if rows is None:
            log.error(
                "the switch does not list its channels: load mod_commands, or see event_socket.conf", said=said[:80]
            )
            return
        self._channels = {row["uuid"]: row for row in rows if is_channel_uuid(row.get("uuid", ""))}
        for leg, row in self._channels.items():
            if row.get("callstate") == "HELD":
                self._following.board.held(leg, True)
        self._following.connection.bgapi(switch.CALLS, self._bridges, LIST_SECONDS)

    def _bridges(self, said: str) -> None:
        pairs = [(row.get("uuid", ""), row.get("b_uuid", "")) for row in rows_of(said) or ()]
        pairs = [(a, b) for a, b in pairs if is_channel_uuid(a) and is_channel_uuid(b)]
        times: dict[str, int] = {}
        for pair in pairs:
            for leg in pair:
                times[leg] = times.get(leg, 0) + 1
        # A leg in two rows consults: its partner is who it talks to now, and the other one waits for it.
        plain = [pair for pair in pairs if all(times[leg] == 1 for leg in pair)]
        board = self._following.board
        for a, b in plain:
            if board.partner(a) is None and board.partner(b) is None:  # else the stream has told more since
                board.bridged(a, b)
        twice = [pair for pair in pairs if pair not in plain]
        for leg in {leg for leg, count in times.items() if count > 1}:
            mine = [pair for pair in twice if leg in pair]
            command = switch.variable_of(leg, "signal_bond")
            self._following.connection.api(command, partial(self._consults, mine))
        self._following.connection.bgapi(switch.CONFERENCES, self._conferences)
        self._following.beside(self._read)

    def _consults(self, pairs: list[tuple[str, str]], bond: str) -> None:
        board = self._following.board
        for a, b in sorted(pairs, key=lambda pair: bond.strip() in pair):
            board.bridged(a, b)

    def _conferences(self, said: str) -> None:
        self._following.conferences_seen(said)

    # --- the ledger --------------------------------------------------------------------------

    def _read(self) -> None:
        """In a greenlet of its own. The rows of whoever had the switch before us are waited for."""
        ledger = self._following.ledger
        asked = datetime.now(timezone.utc)
        try:
            ledger.settle(1.0)
            visits = ledger.open_visits(asked - OPEN_SINCE)
        except LedgerError as error:
            log.error("the ledger cannot be read: conversations are taken up without their rows", why=str(error))
            visits = []
        self._following.post(lambda: self._take_up(visits, asked))

    def _take_up(self, visits: list[list[Entry]], asked: datetime) -> None:
        following = self._following
        newest: dict[str, list[Entry]] = {}
        for rows in visits:
            if _is_of(rows, following.switch_name[0]):
                channel = rows[0].channel_uuid
                if channel in newest:
                    following.adopting.orphan(newest[channel], "another visit began")
                newest[channel] = rows
        for channel, rows in newest.items():
            if channel in self._channels and _core(rows) in ("", following.switch_name[1]):
                self._ask(channel, rows)
            elif channel not in following.visits and asked - rows[0].at > YOUNG:
                following.adopting.orphan(rows, "the channel was gone")
            elif channel not in following.visits:
                following.adopting.young(rows, "the channel was gone")
        for channel in self._channels:
            if channel not in newest and self._channels[channel].get("direction") == "inbound":
                self._ask(channel, [])
        self._channels = {}

    def _ask(self, leg: str, rows: list[Entry]) -> None:
        """The channel's own words, then what listens to it."""
        connection = self._following.connection
        if rows:
            self._look_at(leg)  # answered before the words are: what records is known when the visit is taken up
        waits = "waiting" if self._channels[leg].get("application") == "callcenter" else None
        said: dict[str, str] = {}

        def answer(name: str, text: str) -> None:
            said[name] = "" if text.strip() == "_undef_" or text.startswith("-ERR") else text.strip()
            if len(said) == len(_VARIABLES):
                self._told(leg, rows, said, waits)

        for name in _VARIABLES:
            connection.api(switch.variable_of(leg, name), partial(answer, name))

    def _told(self, leg: str, rows: list[Entry], said: dict[str, str], waits: str | None) -> None:
        following = self._following
        channel = Channel(leg, lambda name: said.get(name) or None)
        if not channel.line or leg in following.visits:
            return
        if not channel.visit and not channel.joined:
            if told(rows).decided:
                following.adopting.orphan(rows, "another visit began")
            return  # on its way to the question: whoever asks names the visit
        if rows and rows[0].visit == channel.visit:
            following.adopting.begin(channel, "", waits, rows, why="taken up again")
        else:
            if rows:
                following.adopting.orphan(rows, "another visit began")
            following.adopting.take_up(channel, "", waits)
            self._look_at(leg)

    def _look_at(self, leg: str) -> None:
        """What records and hears everybody in this room."""
        for other in self._following.board.room(leg):
            self._look_at_leg(other)

    def _look_at_leg(self, leg: str) -> None:
        if is_channel_uuid(leg):
            self._following.connection.api(switch.taps_of(leg), partial(self._following.listed, leg))


def rows_of(said: str) -> list[dict[str, Any]] | None:
    """The rows of a list in JSON; None when it is no such list."""
    try:
        found = json.loads(said)
    except ValueError:
        return None
    rows = found.get("rows", []) if isinstance(found, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else None


def _is_of(rows: list[Entry], name: str) -> bool:
    return any(row.evidence.get("switch") == name for row in rows if row.turn == "arrived")


def _core(rows: list[Entry]) -> str:
    return next((str(row.evidence.get("core", "")) for row in rows if row.turn == "arrived"), "")
