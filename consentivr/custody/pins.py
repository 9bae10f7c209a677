"""Agents' PINs: hashed, and wrong ones counted, slowed and locked.

A PIN has few digits, so no hash protects it from somebody who can read the file: that is why only its owner can.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from consentivr.core.enrolling import Proof
from consentivr.files import new_private, open_private, read_private

SHORTEST = 6
"""Digits of a PIN, at least."""

LOCKED_AFTER = 10
"""So many wrong ones in a row lock a number until its PIN is set anew."""

_LONGEST_PAUSE_S = 60.0
_SCRYPT: dict[str, int] = {"n": 2**15, "r": 8, "p": 1, "maxmem": 64 * 1024 * 1024}


class Pins:
    """The file of PINs, by the number that an agent types. Blocks: hashing takes a tenth of a second."""

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        """``now``: Unix time, in seconds."""
        self._path = path
        self._now = now

    def set(self, agent: str, number: str, pin: str) -> None:
        """Give an agent a PIN; what was counted against the number is forgotten, and an older number of the agent.

        Raises ValueError when either is no such thing or the number is somebody else's; OSError.
        """
        if not number.isascii() or not number.isdigit() or len(number) > 12:
            raise ValueError("a number is 1 to 12 digits")
        if not pin.isascii() or not pin.isdigit() or not SHORTEST <= len(pin) <= 12:
            raise ValueError(f"a PIN is {SHORTEST} to 12 digits")
        if len(set(pin)) == 1 or pin in "01234567890123456789" or pin in "98765432109876543210" or pin == number:
            raise ValueError("this PIN is the first that anybody would try")
        with self._opened() as known:
            if number in known and known[number]["agent"] != agent:
                raise ValueError(f"the number {number} is {known[number]['agent']}'s")
            for old in [one for one, entry in known.items() if entry["agent"] == agent]:
                del known[old]
            salt = secrets.token_bytes(16)
            known[number] = {"agent": agent, "salt": salt.hex(), "hash": _hash(pin, salt), "wrong": 0, "wrong_at": 0.0}

    def check(self, number: str, pin: str) -> tuple[Proof, str]:
        """Whether this number has this PIN, and whose the number is, if anybody's. Raises OSError.

        After each wrong one in a row the number rests twice as long, up to a minute; meanwhile nothing is looked at.
        """
        with self._opened() as known:
            entry = known.get(number)
            if entry is None:
                _hash(pin, b"nobody's number takes as long")
                return Proof.WRONG, ""
            rests = min(_LONGEST_PAUSE_S, 2.0 ** (entry["wrong"] - 1)) if entry["wrong"] else 0.0
            since = self._now() - entry["wrong_at"]
            if entry["wrong"] >= LOCKED_AFTER or 0 <= since < rests:
                return Proof.LOCKED, str(entry["agent"])
            if hmac.compare_digest(_hash(pin, bytes.fromhex(entry["salt"])), entry["hash"]):
                entry["wrong"] = 0
                return Proof.PROVEN, str(entry["agent"])
            entry["wrong"] += 1
            entry["wrong_at"] = self._now()
            return Proof.WRONG, str(entry["agent"])

    @contextmanager
    def _opened(self) -> Iterator[dict[str, dict[str, Any]]]:
        """What is known, by one process at a time; written back when it was changed."""
        lock = open_private(self._path.with_name(f"{self._path.name}.lock"), os.O_RDWR)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            before = read_private(self._path) if self._path.exists() else b"{}"
            known: dict[str, dict[str, Any]] = json.loads(before)
            yield known
            after = json.dumps(known, indent=1).encode()
            if after != before:
                temporary = self._path.with_name(f".{self._path.name}.new")
                temporary.unlink(missing_ok=True)
                with new_private(temporary) as file:
                    file.write(after)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(self._path)
        finally:
            os.close(lock)


def _hash(pin: str, salt: bytes) -> str:
    return hashlib.scrypt(pin.encode(), salt=salt, **_SCRYPT).hex()
