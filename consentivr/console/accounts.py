"""Local accounts: a file of who may sign in, with which roles; of passwords only what argon2 makes of them."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import argon2

from consentivr.core.roles import Account, Role
from consentivr.files import make_folder, read_private, replace_private

SHORTEST = 12
"""Characters of a password (NIST SP 800-63B wants 8 at least)."""

LONGEST = 256

HASHER = argon2.PasswordHasher()
"""Argon2id, as RFC 9106 recommends it where memory is short: 64 MiB."""

AT_ONCE = 2
"""Passwords that are proven at the same time: each takes that memory, and a processor, meanwhile."""


class AccountsUnreadable(OSError):
    """Nobody can be known. The message says what to do."""


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
        self._proving = threading.Semaphore(AT_ONCE)
        self._nobodys = HASHER.hash("nobody's")

    def all(self) -> list[Known]:
        """Everybody, by name. Raises AccountsUnreadable."""
        return [known for _, known in sorted(self._read().items())]

    def known(self, name: str) -> Known | None:
        """What the file says of that name, also when it is closed. Raises AccountsUnreadable."""
        return self._read().get(name)

    def proven(self, name: str, password: str) -> Known | None:
        """The account whose password this is; None for every reason alike, after the same work.

        Raises AccountsUnreadable.
        """
        known = self._read().get(name)
        password_hash = known.password_hash if known else None
        try:
            with self._proving:
                HASHER.verify(password_hash or self._nobodys, password[:LONGEST])
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return None
        return known if known and password_hash and not known.disabled else None

    def put(self, account: Account, password: str | None = None) -> None:
        """A new account, or other roles for one; with a password, that one from now on. What was closed is open again.

        Raises OSError, ValueError.
        """
        if password is not None:
            check_password(password)
        before = self._read().get(account.name)
        kept = before.password_hash if before else None
        self._write(Known(account, HASHER.hash(password) if password is not None else kept))

    def disable(self, name: str) -> None:
        """Close it: its password is forgotten. Raises OSError; KeyError when there is none."""
        self._write(replace(self._read()[name], password_hash=None, disabled=True))

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Whoever else changes accounts waits meanwhile. Raises OSError."""
        make_folder(self._path.parent)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _write(self, known: Known) -> None:
        everybody = {**self._read(), known.account.name: known}
        make_folder(self._path.parent)
        replace_private(self._path, json.dumps([_written(one) for one in everybody.values()], indent=1).encode())

    def _read(self) -> dict[str, Known]:
        with self._lock:
            try:
                found = self._path.stat()
                seen = (found.st_mtime_ns, found.st_ino, found.st_size)
                if seen != self._seen:
                    self._known = {one.account.name: one for one in map(_known, json.loads(read_private(self._path)))}
                    self._seen = seen
            except FileNotFoundError:
                return {}
            except OSError as error:
                raise AccountsUnreadable(str(error)) from None
            except (ValueError, KeyError, TypeError) as error:
                raise AccountsUnreadable(
                    f"{self._path} holds no accounts: {error}; restore it from the backup"
                ) from None
            return self._known


def check_password(password: str) -> None:
    """Raises ValueError when it cannot be one."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise ValueError(f"a password has {SHORTEST} to {LONGEST} characters")


def account(
    name: str, roles: Iterable[str], queues: Iterable[str] = (), agent: str | None = None, person: str | None = None
) -> Account:
    """Of its parts as they are written. Raises ValueError."""
    for what, text in (("an account's", name), ("a person's", name if person is None else person)):
        if not (1 <= len(text) <= 80 and text.isprintable() and text == text.strip()):
            raise ValueError(f"{what} name has 1 to 80 characters that can be seen, and none of the ends is a blank")
    return Account(name, frozenset(map(Role, roles)), frozenset(queues), agent, person)


def _known(said: dict[str, Any]) -> Known:
    who = account(said["name"], said["roles"], said["queues"], said["agent"], said.get("person"))
    return Known(who, said["password"], said["disabled"])


def _written(known: Known) -> dict[str, Any]:
    who = known.account
    return {
        "name": who.name,
        "roles": sorted(who.roles),
        "queues": sorted(who.queues),
        "agent": who.agent,
        "person": who.person,
        "password": known.password_hash,
        "disabled": known.disabled,
    }
