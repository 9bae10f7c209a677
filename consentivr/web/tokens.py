"""Who may ask over HTTP: each agent with a token of its own, of which we keep only the hash.

A token has 256 random bits, so that a plain SHA-256 of it can be neither guessed nor looked up.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from consentivr.files import make_folder, read_private, replacing

SHARED = "http"
"""Who asked, as the rows say it, with the token that everybody shares."""

_LINE = re.compile(r"(\S{1,80}) ([0-9a-f]{64})")


@dataclass(frozen=True)
class Asker:
    """Whoever has shown a token: an agent, or (None) anybody with the shared one."""

    agent: str | None

    @property
    def by(self) -> str:
        """As the rows say it."""
        return SHARED if self.agent is None else f"{SHARED}:{self.agent}"


class Tokens:
    """A file with a line for each agent: its name, and the SHA-256 of its token."""

    def __init__(self, path: Path, shared: str | None = None) -> None:
        """``shared`` is a token that all may use."""
        self._path = path
        self._shared = shared
        self._read: tuple[int, int, int] | None = None
        self._agents: dict[str, str] = {}

    def asker(self, token: str) -> Asker | None:
        """Whose token it is; None when it is nobody's. The file may change at any time. Raises OSError."""
        if self._shared is not None and hmac.compare_digest(token.encode(), self._shared.encode()):
            return Asker(None)
        agent = self._by_hash().get(_hash(token))
        return None if agent is None else Asker(agent)

    def agents(self) -> list[str]:
        """Who has one. Raises OSError."""
        return sorted(self._by_hash().values())

    def new(self, agent: str) -> str:
        """A token for an agent, in place of the one before. Raises OSError; ValueError when the name cannot be one."""
        token = secrets.token_urlsafe(32)
        if not _LINE.fullmatch(f"{agent} {_hash(token)}"):
            raise ValueError("an agent's name has no blanks, and at most 80 characters")
        make_folder(self._path.parent)
        self._write({**self._without(agent), _hash(token): agent})
        return token

    def revoke(self, agent: str) -> bool:
        """Whether the agent had one. Raises OSError."""
        left = self._without(agent)
        if len(left) == len(self._by_hash()):
            return False
        self._write(left)
        return True

    def _without(self, agent: str) -> dict[str, str]:
        return {hashed: name for hashed, name in self._by_hash().items() if name != agent}

    def _write(self, agents: dict[str, str]) -> None:
        with replacing(self._path, 0o600) as temporary:
            temporary.write_text("".join(f"{name} {hashed}\n" for hashed, name in agents.items()), encoding="utf-8")

    def _by_hash(self) -> dict[str, str]:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return {}
        seen = (found.st_mtime_ns, found.st_ino, found.st_mode)
        if seen != self._read:
            lines = [_LINE.fullmatch(line) for line in read_private(self._path).decode().splitlines()]
            if None in lines:
                raise OSError(f"{self._path}: line {lines.index(None) + 1} is no agent and hash")
            self._agents = {line[2]: line[1] for line in lines if line}
            self._read = seen
        return self._agents


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
