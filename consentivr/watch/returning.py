"""Looking around: what is going on when the watch begins, or is back after it was blind.

All of it is asked of the switch and of the ledger; nothing is remembered from before.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

import gevent.event
import structlog

from consentivr import switch
from consentivr.core.adoption import told
from consentivr.core.consent import ConsentDecision
from consentivr.ledger import Entry, LedgerError
from consentivr.recordings import is_channel_uuid
from consentivr.watch.adopting import Channel
from consentivr.watch.settling import YOUNG, is_of

if TYPE_CHECKING:
    from consentivr.watch.following import Following

log = structlog.get_logger(__name__)

OPEN_SINCE = timedelta(days=2)
"""A visit that began before is not looked for any more."""

LIST_SECONDS = 20.0
AT_ONCE = 64
"""So many visits are asked about at a time: a command that matters does not wait behind thousands."""

_WORDS = (switch.VISIT, switch.DECISION, switch.PAUSED, switch.PARTNER)
"""What only the channel says of a visit whose rows are known, and whom it talks to: the lists lag behind that."""

_VARIABLES = (*_WORDS, switch.LINE, switch.RECORD_FILE, switch.JOINED, switch.JOINED_BEFORE)


class Returning:
    """Begins with ``look_around``; the rest follows from answers."""

    def __init__(self, following: Following) -> None:
        self._following = following
        self._channels: dict[str, tuple[bool, bool]] = {}
        """Whether a channel is a caller's, and whether it waits in a queue."""
        self._to_ask: deque[tuple[str, list[Entry]]] = deque()
        self._to_look: deque[str] = deque()
        """Legs of others, whom who agreed talks to: when every visit is taken up."""
        self._asking = 0
        self._is_short = gevent.event.Event()
        """Of what is still to be asked: more may be read."""
        self._all_read = False
        self.under_way = True
        """Until every channel has been asked."""

    def look_around(self) -> None:
        """Ask for everything. Answers come while the stream is heard already."""
        connection = self._following.connection
        connection.api(switch.SWITCHNAME, self._named)
        connection.api(switch.CORE_UUID, self._core)
        connection.api(switch.WATCHED_UNTIL, self._watched)
        connection.bgapi(switch.CHANNELS, self._listed, LIST_SECONDS)

    def _named(self, said: str) -> None:
        self._following.switch_name = (said.strip(), "")

    def _core(self, said: str) -> None:
        core = "" if said.startswith("-ERR") else said.strip()
        self._following.switch_name = (self._following.switch_name[0], core)

    def _watched(self, said: str) -> None:
        at_ms = said.strip()
        if at_ms.isascii() and at_ms.isdigit():
            self._following.watched_until = max(int(at_ms) / 1000, self._following.watched_until or 0.0)

    def _listed(self, said: str) -> None:
        rows = rows_of(said, "uuid", "direction", "application", "callstate")
        if rows is None:
            log.error(
                "the switch does not list its channels: load mod_commands, or see event_socket.conf", said=said[:80]
            )
            self.under_way = False
            return
        for row in rows:
            if is_channel_uuid(row.get("uuid", "")):
                called, waits = row.get("direction") == "inbound", row.get("application") == "callcenter"
                self._channels[row["uuid"]] = called, waits
                if row.get("callstate") == "HELD":
                    self._following.board.held(row["uuid"], True)
        self._following.connection.bgapi(switch.CALLS, self._bridges, LIST_SECONDS)

    def _bridges(self, said: str) -> None:
        pairs = [(row.get("uuid", ""), row.get("b_uuid", "")) for row in rows_of(said, "uuid", "b_uuid") or ()]
        pairs = [(a, b) for a, b in pairs if is_channel_uuid(a) and is_channel_uuid(b)]
        times: dict[str, int] = {}
        for pair in pairs:
            for leg in pair:
                times[leg] = times.get(leg, 0) + 1
        # A leg in two rows consults: its partner is who it talks to now, and the other one waits for it.
        plain: list[tuple[str, str]] = []
        twice: list[tuple[str, str]] = []
        for pair in pairs:
            (plain if all(times[leg] == 1 for leg in pair) else twice).append(pair)
        board = self._following.board
        for a, b in plain:
            if board.partner(a) is None and board.partner(b) is None:  # else the stream has told more since
                board.bridged(a, b)
        for leg in {leg for leg, count in times.items() if count > 1}:
            mine = [pair for pair in twice if leg in pair]
            command = switch.variable_of(leg, switch.PARTNER)
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
        with_rows: set[str] = set()
        try:
            ledger.settle(1.0)
            for portion in ledger.open_visits(asked - OPEN_SINCE):
                with_rows.update(rows[0].channel_uuid for rows in portion)
                self._is_short.clear()
                self._following.post(partial(self._take_up, portion, asked))
                self._is_short.wait()
        except LedgerError as error:
            log.error("the ledger cannot be read: conversations are taken up without their rows", why=str(error))
        self._following.post(partial(self._take_up_others, with_rows))

    def _take_up(self, visits: list[list[Entry]], asked: datetime) -> None:
        following = self._following
        for rows in visits:
            channel = rows[0].channel_uuid
            if not is_of(rows, following.switch_name[0]):
                continue
            if channel in self._channels and told(rows).core in ("", following.switch_name[1]):
                self._to_ask.append((channel, rows))
                following.adopting.awaits(channel)
            elif channel in following.visits:
                self._is_another(rows)
            elif asked - rows[0].at > YOUNG:
                following.adopting.orphan(rows, "the channel was gone")
            else:
                following.adopting.young(rows, "the channel was gone")
        self._ask_more()

    def _take_up_others(self, with_rows: set[str]) -> None:
        """Callers of whom no row is known."""
        callers = [leg for leg, (called, _) in self._channels.items() if called and leg not in with_rows]
        self._to_ask.extend((leg, []) for leg in callers)
        self._all_read = True
        self._ask_more()

    def _is_another(self, rows: list[Entry]) -> None:
        """Their channel is followed already: in this visit, or in one that came after it."""
        if self._following.visits[rows[0].channel_uuid].state.visit != rows[0].visit:
            self._following.adopting.orphan(rows, "another visit began")

    # --- the channels ------------------------------------------------------------------------

    def _ask_more(self) -> None:
        while self._to_ask and self._asking < AT_ONCE:
            self._asking += 1
            leg, rows = self._to_ask.popleft()
            if rows:
                self._look_at((leg,))  # answered before the words are: it is known when the visit is taken up
                self._ask(leg, _WORDS, partial(self._told, rows))
            else:
                self._ask(leg, (switch.LINE,), self._has_line)
        if len(self._to_ask) < AT_ONCE:
            self._is_short.set()
        while self._all_read and self._to_look and self._asking < AT_ONCE:
            self._asking += 1
            self._look_at((self._to_look.popleft(),), self._looked)
        if self._all_read and not self._asking:
            self.under_way, self._channels = False, {}

    def _looked(self) -> None:
        self._asking -= 1
        self._ask_more()

    def _ask(self, leg: str, names: tuple[str, ...], then: Callable[[str, dict[str, str] | None], None]) -> None:
        """The channel's own words; ``then`` gets None when there is no such channel any more."""
        said: dict[str, str] = {}

        def answer(name: str, text: str) -> None:
            said[name] = text.strip()
            if len(said) == len(names):
                gone = any(map(switch.is_no_channel, said.values()))
                known = {name: text for name, text in said.items() if text != "_undef_" and not text.startswith("-ERR")}
                then(leg, None if gone else known)

        for name in names:
            self._following.connection.api(switch.variable_of(leg, name), partial(answer, name))

    def _talks_to(self, leg: str, partner: str) -> None:
        """The channel's own word, newer than any event that was heard, and than the lists."""
        board = self._following.board
        known = board.partner(leg)
        if is_channel_uuid(partner) and partner != known:
            board.bridged(leg, partner)
        elif not partner and known is not None:
            board.unbridged(leg, known)

    def _told(self, rows: list[Entry], leg: str, said: dict[str, str] | None) -> None:
        following = self._following
        if said is not None:
            self._talks_to(leg, said.get(switch.PARTNER, ""))
        if leg in following.visits:
            self._is_another(rows)
        elif said is None:
            following.adopting.orphan(rows, "the channel was gone")
        elif said.get(switch.VISIT) == rows[0].visit and switch.DECISION in said and not told(rows).decided:
            self._following.beside(self._read_once_more, rows, leg, said)
            return
        elif said.get(switch.VISIT) == rows[0].visit:
            self._begin(rows, leg, said)
        else:
            self._ask(leg, _VARIABLES, partial(self._told_all, rows))
            return
        self._asked(leg)

    def _read_once_more(self, rows: list[Entry], leg: str, said: dict[str, str]) -> None:
        """In a greenlet of its own: the channel says what was decided, and the rows are from before that."""
        visit = rows[0].visit or ""
        newer = (self._following.adopting.read([visit]) or {}).get(visit, rows)

        def begin() -> None:
            if leg not in self._following.visits:
                self._begin(newer, leg, said)
            self._asked(leg)

        self._following.post(begin)

    def _begin(self, rows: list[Entry], leg: str, said: dict[str, str]) -> None:
        following = self._following
        channel = Channel(leg, {switch.LINE: rows[0].line, **said}.get)
        visit = following.adopting.begin(channel, "", self._waits(leg), rows, why="taken up again")
        others = [other for other in following.board.room(leg) if other != leg and is_channel_uuid(other)]
        if visit.state.decision is ConsentDecision.GIVEN:
            self._to_look.extend(others)
        else:
            self._look_at(others)

    def _has_line(self, leg: str, said: dict[str, str] | None) -> None:
        if said and said.get(switch.LINE) and leg not in self._following.visits:
            self._ask(leg, _VARIABLES, partial(self._told_all, []))
        else:
            self._asked(leg)

    def _told_all(self, rows: list[Entry], leg: str, said: dict[str, str] | None) -> None:
        """The channel is on another visit than the rows, or there are none."""
        following = self._following
        if said is not None:
            self._talks_to(leg, said.get(switch.PARTNER, ""))
        channel = Channel(leg, (said or {}).get)
        arrives = not channel.visit and not channel.joined
        if rows and (not arrives or told(rows).decided):
            following.adopting.orphan(rows, "another visit began" if said else "the channel was gone")
        if channel.line and not arrives and leg not in following.visits:
            following.adopting.take_up(channel, "", self._waits(leg))
            self._look_at(self._following.board.room(leg))
        # Else it is on its way to the question: whoever asks names the visit.
        self._asked(leg)

    def _asked(self, leg: str) -> None:
        self._asking -= 1
        self._following.adopting.awaits_no_longer(leg)
        self._ask_more()

    def _waits(self, leg: str) -> str | None:
        return "waiting" if self._channels[leg][1] else None

    def _look_at(self, legs: Iterable[str], then: Callable[[], None] = lambda: None) -> None:
        """What records and hears them."""

        def looked(leg: str, list_: str) -> None:
            self._following.listed(leg, list_)
            then()

        for leg in legs:
            if is_channel_uuid(leg):
                self._following.connection.api(switch.taps_of(leg), partial(looked, leg))


def rows_of(said: str, *fields: str) -> list[dict[str, str]] | None:
    """These fields of the rows of a list in JSON; None when it is no such list.

    A row has forty fields: of twenty thousand channels all of them would take 60 MB.
    """

    def few(found: dict[str, Any]) -> dict[str, Any]:
        return found if "rows" in found else {name: str(found[name]) for name in fields if name in found}

    try:
        found = json.loads(said, object_hook=few)
    except ValueError:
        return None
    rows = found.get("rows", []) if isinstance(found, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else None
