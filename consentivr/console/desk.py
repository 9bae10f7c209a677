"""What ``serve`` says of itself over HTTP. Where it cannot be asked nothing is said: silence is never good."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from consentivr.web.client import NotAsked, ask

PATIENCE_S = 4.0
"""A switch has three seconds to confirm what an agent wants."""

LOOK_S = 30.0
"""``serve`` gives a look at the switches twenty."""

GLANCE_S = 1.0
"""So long a page waits for what ``serve`` says of itself."""

FRESH_S = 1.5
"""So long what was seen is told to everybody who asks."""

ANSWERS = {200: "done", 404: "unknown", 409: "refused", 504: "unconfirmed"}


@dataclass(frozen=True)
class Seen:
    """How ``serve`` is. ``not_good``: what is not, by its name, and why, where a token let us ask. ``queues`` and
    ``looked`` as in ``web.Status``; None without a token.
    """

    not_good: Mapping[str, str] = field(default_factory=dict)
    queues: Mapping[str, Mapping[str, float]] | None = None
    looked: Mapping[str, float | None] | None = None


class Desk:
    """``serve`` at an address, for many threads. ``token`` reads the shared token; None: there is none to be read."""

    def __init__(self, address: tuple[str, int], token: Callable[[], str | None]) -> None:
        self._address = address
        self._token = token
        self._lock = threading.Lock()
        self._seen: tuple[float, Seen | None] | None = None

    def look(self) -> Seen | None:
        """How it is now, or was a moment ago; None: not seen."""
        with self._lock:
            if self._seen is None or time.monotonic() - self._seen[0] > FRESH_S:
                seen = self._look()
                self._seen = (time.monotonic(), seen)
            return self._seen[1]

    def talk_of(self, agent: str) -> Mapping[str, Any] | None:
        """The talk that an agent is in, as ``web.Talk``; None: none, or not seen."""
        status, said = self._ask("GET", _recording(agent), seconds=GLANCE_S)
        return said if status == 200 else None

    def ask(self, agent: str, wish: str, by: str) -> str:
        """What became of an agent's wish: done, unknown, refused, unconfirmed; or not_seen, when nobody was asked."""
        status, _ = self._ask("POST", _recording(agent), {"wish": wish, "by": by})
        # After an answer that did not come it may have been done all the same.
        return "unconfirmed" if status == 0 else ANSWERS.get(status, "not_seen")

    def look_at_switches(self) -> Sequence[Mapping[str, Any]]:
        """What ``serve`` finds on them now. Raises OSError."""
        status, said = self._ask("POST", "/v1/check", seconds=LOOK_S)
        findings = said.get("findings")
        if status == 200 and isinstance(findings, list):
            return findings
        raise OSError(
            "nobody is there, or there is no token: see http.listen and http.token_file"
            if status == -1
            else "it did not answer"
            if status == 0
            else f"it answers {status}: {said.get('error', 'nothing that is known here')}"
        )

    def _look(self) -> Seen | None:
        status, said = self._ask("GET", "/v1/status", seconds=GLANCE_S)
        if status == 200 and "not_good" in said:
            return Seen(said["not_good"], said.get("queues"), said.get("looked"))
        if status == 0:
            return None
        status, said = self._ask("GET", "/ready", with_token=False, seconds=GLANCE_S)
        return Seen(dict.fromkeys(said["not_good"], "")) if "not_good" in said else None

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, str] | None = None,
        *,
        with_token: bool = True,
        seconds: float | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """Status and answer; status 0 when none came, -1 when it was not asked."""
        token = self._token() if with_token else None
        if with_token and token is None:
            return -1, {}
        try:
            status, answer = ask(self._address, method, path, body, token=token, seconds=seconds or PATIENCE_S)
            said = json.loads(answer)
            return status, said if isinstance(said, dict) else {}
        except NotAsked:
            return -1, {}
        except (OSError, ValueError):
            return 0, {}


def _recording(agent: str) -> str:
    return f"/v1/agents/{quote(agent, safe='')}/recording"
