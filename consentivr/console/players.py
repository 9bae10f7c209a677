"""Players that are open: whoever opened one may hear one recording for a while. Its row was there before."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from consentivr.console import access
from consentivr.console.books import Books
from consentivr.console.sessions import Session
from consentivr.core.turn import Turn
from consentivr.ledger import CallRef, LedgerError
from consentivr.ledger.entry import now
from consentivr.recordings.compared import BLOCK_BYTES, Compared
from consentivr.recordings.peaks import Peaks

log = structlog.get_logger(__name__)


@dataclass(eq=False)
class Player:
    """One opening, named as its row is. ``until``: then it is closed (UTC)."""

    name: str
    session: Session
    request: str
    number: int
    about: CallRef
    path: str
    sound: Compared
    wave: Peaks
    until: datetime
    _sent: set[int] = field(default_factory=set)

    @property
    def sent_s(self) -> float:
        """So many seconds of it left the house, at most."""
        blocks = -(-self.sound.size // BLOCK_BYTES)
        return round(self.wave.duration_s * len(self._sent) / blocks, 1) if blocks else 0.0

    def read(self, start: int, stop: int) -> bytes:
        """Those bytes of it. Raises as ``Compared`` does."""
        piece = self.sound.read(start, stop - start)
        self._sent.update(range(start // BLOCK_BYTES, -(-stop // BLOCK_BYTES)))
        return piece


class Players:
    """Of one process: they end with it, and are opened anew, with a row of their own."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._open: dict[str, Player] = {}
        self._lock = threading.Lock()
        books.before_close.append(self.close)

    def begin(self, player: Player) -> None:
        """Its row is durable. One that the same session had open for the same recording is closed."""
        before = self.of(player.session, player.request, player.number)
        if before is not None:
            self.end(before)
        with self._lock:
            self._open[player.name] = player
        timer = threading.Timer((player.until - now()).total_seconds(), self.end, [player])
        timer.daemon = True
        timer.start()

    def of(self, session: Session, request: str, number: int) -> Player | None:
        """What this session has open of it; the sound of nothing else has an address."""
        with self._lock:
            for player in self._open.values():
                if player.session is session and (player.request, player.number) == (request, number):
                    return player
        return None

    def end(self, player: Player, heard_s: float | None = None) -> None:
        """Close it, with a row of how much was heard: what the browser says, but not more than was sent; what was
        sent, when it says nothing.
        """
        with self._lock:
            if self._open.pop(player.name, None) is None:
                return
        player.sound.close()
        sent_s = player.sent_s
        said = {
            "request": player.request,
            "playing": player.name,
            "path": player.path,
            "heard_s": sent_s if heard_s is None else round(min(heard_s, sent_s), 1),
            "sent_s": sent_s,
            "counted_by": "bytes" if heard_s is None else "player",
        }
        try:
            self._books.append([access.row(player.session.account, Turn.RECORDING_HEARD, player.about, **said)])
        except LedgerError as error:
            log.error("how much was heard is not in the ledger", why=str(error), playing=player.name, sent_s=sent_s)

    def close(self) -> None:
        """Every one of them."""
        with self._lock:
            players = list(self._open.values())
        for player in players:
            self.end(player)
