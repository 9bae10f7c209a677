"""How often somebody may try to sign in: nobody without end, and no stranger so that somebody is kept out for ever.

An attempt is counted by the account and the address that it comes from, by the account alone, and by the address
alone. A browser in which somebody has signed in before is known by a cookie, for that account only: its attempts have a
count of their own, which strangers do not touch (OWASP: device cookies). What is counted comes back with time.
"""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from itsdangerous import BadSignature, Signer

MOST = 20_000
"""Counts that are kept; of more those are forgotten that were asked for longest ago."""


@dataclass(frozen=True)
class Rate:
    """``at_once`` attempts, and one more every ``each_s`` seconds."""

    at_once: int
    each_s: float


OF_A_BROWSER = Rate(10, 30)
OF_BOTH = Rate(5, 60)
OF_AN_ACCOUNT = Rate(20, 30)
"""Of all strangers together: more in a minute than one address may try, so that one alone does not use them up."""
OF_AN_ADDRESS = Rate(20, 6)

Counted = list[tuple[bytes, Rate]]


class Attempts:
    """``key`` signs the cookies by which browsers are known."""

    def __init__(self, key: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._key, self._clock = key, clock
        self._left: OrderedDict[bytes, tuple[float, float]] = OrderedDict()  # how many, and when that was so
        self._lock = threading.Lock()

    def begin(self, account: str, address: str, browser: str = "") -> Counted | None:
        """One more attempt, for ``undo``; None when there were too many. ``browser``: the cookie that it shows."""
        known = self._is_known(account, browser)
        if known is not None:
            return self._take([(_name("browser", account, known), OF_A_BROWSER)])
        counted = [(_name("account", account), OF_AN_ACCOUNT)]
        if address:
            where = _net(address)
            counted += [(_name("both", account, where), OF_BOTH), (_name("address", where), OF_AN_ADDRESS)]
        return self._take(counted)

    def again(self, account: str) -> Counted | None:
        """The same, of somebody who is signed in: strangers have no part in it."""
        return self._take([(_name("again", account), OF_BOTH)])

    def undo(self, counted: Counted) -> None:
        """It was no failure."""
        with self._lock:
            for name, rate in counted:
                self._left[name] = (min(self._now(name, rate) + 1, rate.at_once), self._clock())

    def cookie(self, account: str) -> str:
        """For the browser in which somebody just signed in."""
        return self._signer(account).sign(secrets.token_urlsafe(16)).decode()

    def _is_known(self, account: str, browser: str) -> str | None:
        try:
            return self._signer(account).unsign(browser).decode()
        except BadSignature:
            return None

    def _signer(self, account: str) -> Signer:
        return Signer(self._key, salt=f"browser of {account}".encode("utf-8", "replace"))

    def _take(self, counted: Counted) -> Counted | None:
        with self._lock:
            if any(self._now(name, rate) < 1 for name, rate in counted):
                return None
            for name, rate in counted:
                self._left[name] = (self._now(name, rate) - 1, self._clock())
                self._left.move_to_end(name)
            while len(self._left) > MOST:
                self._left.popitem(last=False)
            return counted

    def _now(self, name: bytes, rate: Rate) -> float:
        left, at = self._left.get(name, (rate.at_once, 0.0))
        return min(rate.at_once, left + (self._clock() - at) / rate.each_s)


def _name(*parts: str) -> bytes:
    """Of the same length, whatever somebody types."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).digest()


def _net(address: str) -> str:
    """Of IPv6 the network: whoever has one address has 2^64 of them."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network(f"{found}/64", strict=False)) if found.version == 6 else str(found)
