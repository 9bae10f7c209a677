"""Local accounts: a file of who may sign in, with which roles; of passwords only what argon2 makes of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import argon2

from consentivr.core.roles import Account, Role
from consentivr.files import make_folder, read_private, replace_private

SHORTEST = 12
"""Characters of a password (NIST SP 800-63B wants 8 at least)."""

LONGEST = 256


@dataclass(frozen=True)
class Known:
    """An account, what proves it, and whether it is closed. Without a hash it signs in elsewhere (OIDC, a proxy)."""

    account: Account
    password_hash: str | None = None
    disabled: bool = False


class Accounts:
    """The file may change at any time, by ``consentivr console user``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._known: dict[str, Known] = {}
        self._lock = threading.Lock()
        self._hasher = argon2.PasswordHasher()
        self._nobodys = self._hasher.hash("nobody's")

    def all(self) -> list[Known]:
        """Everybody, by name. Raises OSError."""
        return [known for _, known in sorted(self._read().items())]

    def of(self, name: str) -> Account | None:
        """The account of that name; None when there is none, or it is closed. Raises OSError."""
        known = self._read().get(name)
        return None if known is None or known.disabled else known.account

    def proven(self, name: str, password: str) -> Account | None:
        """The account whose password this is; None for every reason alike, after the same work. Raises OSError."""
        known = self._read().get(name)
        password_hash = known.password_hash if known else None
        try:
            self._hasher.verify(password_hash or self._nobodys, password[:LONGEST])
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return None
        return known.account if known and password_hash and not known.disabled else None

    def put(self, account: Account, password: str | None = None) -> None:
        """A new account, or other roles for one; with a password, that one from now on. Raises OSError, ValueError."""
        if password is not None and not SHORTEST <= len(password) <= LONGEST:
            raise ValueError(f"a password has {SHORTEST} to {LONGEST} characters")
        before = self._read().get(account.name)
        kept = before.password_hash if before else None
        self._write(account.name, Known(account, self._hasher.hash(password) if password else kept))

    def disable(self, name: str) -> bool:
        """Whether there was one that was open. Raises OSError."""
        known = self._read().get(name)
        if known is None or known.disabled:
            return False
        self._write(name, Known(known.account, None, disabled=True))
        return True

    def _write(self, name: str, known: Known) -> None:
        everybody = {**self._read(), name: known}
        make_folder(self._path.parent)
        replace_private(self._path, json.dumps([_written(one) for one in everybody.values()], indent=1).encode())

    def _read(self) -> dict[str, Known]:
        with self._lock:
            try:
                found = self._path.stat()
            except FileNotFoundError:
                return {}
            seen = (found.st_mtime_ns, found.st_ino, found.st_size)
            if seen != self._seen:
                try:
                    self._known = {one.account.name: one for one in map(_known, json.loads(read_private(self._path)))}
                except (ValueError, KeyError, TypeError) as error:
                    raise OSError(f"{self._path} holds no accounts: {error}; restore it from the backup") from None
                self._seen = seen
            return self._known


def account(name: str, roles: Iterable[str], queues: Iterable[str] = (), agent: str | None = None) -> Account:
    """Of its parts as they are written. Raises ValueError."""
    if not (1 <= len(name) <= 80 and name.isprintable() and not name.isspace()):
        raise ValueError("an account's name has 1 to 80 characters that can be seen")
    return Account(name, frozenset(map(Role, roles)), frozenset(queues), agent)


def _known(said: dict[str, Any]) -> Known:
    who = account(said["name"], said["roles"], said["queues"], said["agent"])
    return Known(who, said["password"], said["disabled"])


def _written(known: Known) -> dict[str, Any]:
    who = known.account
    return {
        "name": who.name,
        "roles": sorted(who.roles),
        "queues": sorted(who.queues),
        "agent": who.agent,
        "password": known.password_hash,
        "disabled": known.disabled,
    }
