"""Who is signed in, on the server: a browser knows a random name of it, and nothing else."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass, field

from consentivr.console.accounts import Known
from consentivr.console.found import Found
from consentivr.core.roles import Account

LONGEST_S = 12 * 3600
"""However busy, somebody signs in again after so many seconds."""

PROVEN_S = 300
"""So long after a password somebody may listen, approve, erase and hand over; then it is asked for again."""

MOST = 10_000


@dataclass
class Session:
    """One browser of somebody who signed in. Times are of ``time.monotonic``."""

    account: Account
    known: Known | None
    """What the accounts file said of that name when the session began: once it says something else, it is over."""
    by: str
    """How: 'password', 'oidc', 'proxy'."""
    began: float
    seen: float
    proven: float
    form_token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    shown: dict[str, float] = field(default_factory=dict)
    """Calls whose number and agents this one asked to see, and until when."""
    people: dict[str, Found] = field(default_factory=dict)
    """Whom this one looked for, by the random names that their pages have."""

    log_open_until: float = 0.0
    """Until when everybody's rows of the access log are open to this one, who said why."""

    @property
    def is_proven(self) -> bool:
        """Whether the password, or the provider, was asked a moment ago."""
        return time.monotonic() - self.proven < PROVEN_S


class Sessions:
    """Of one process: they end with it. ``idle_s``: after so many seconds without a request one is over."""

    def __init__(self, idle_s: float) -> None:
        self._idle_s = idle_s
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()

    def begin(self, account: Account, known: Known | None, by: str, *, is_proven: bool = True) -> str:
        """The new session's name, for the cookie."""
        now, name = time.monotonic(), secrets.token_urlsafe(32)
        proven = now if is_proven else now - PROVEN_S
        with self._lock:
            for old in [key for key, session in self._sessions.items() if self._is_over(session, now)]:
                del self._sessions[old]
            while len(self._sessions) >= MOST:
                del self._sessions[next(iter(self._sessions))]
            self._sessions[name] = Session(account, known, by, now, now, proven)
        return name

    def of(self, name: str, *, quiet: bool = False) -> Session | None:
        """The session of that name, which is seen now, unless ``quiet``; None when there is none, or it is over."""
        now = time.monotonic()
        with self._lock:
            session = self._sessions.get(name)
            if session is None or self._is_over(session, now):
                self._sessions.pop(name, None)
                return None
            if not quiet:
                session.seen = now
            return session

    def end(self, name: str) -> None:
        """Signed out."""
        with self._lock:
            self._sessions.pop(name, None)

    def renew(self, name: str) -> str:
        """Somebody was proven once more: the same session, under another name. Raises KeyError when it is over."""
        new = secrets.token_urlsafe(32)
        with self._lock:
            session = self._sessions[new] = self._sessions.pop(name)
            session.proven = time.monotonic()
        return new

    def _is_over(self, session: Session, now: float) -> bool:
        return now - session.seen > self._idle_s or now - session.began > LONGEST_S
