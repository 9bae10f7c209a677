"""Asking the ``serve`` that runs, over its HTTP."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping


class NotAsked(OSError):
    """Nobody is there who could have heard it."""


def ask(
    address: tuple[str, int],
    method: str,
    path: str,
    body: Mapping[str, str] | None = None,
    *,
    token: str | None = None,
    seconds: float,
) -> tuple[int, bytes]:
    """Status and answer. ``seconds`` are those of each step.

    Raises NotAsked; OSError when no answer came: what was asked for may have been done all the same.
    """
    headers = {"Content-Type": "application/json"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    connection = http.client.HTTPConnection(*address, timeout=seconds)
    try:
        try:
            connection.connect()
        except OSError as error:
            raise NotAsked(*error.args) from error
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            response = connection.getresponse()
            return response.status, response.read()
        except http.client.HTTPException as error:
            raise OSError(f"the answer breaks off or is none: {error!r}") from error
    finally:
        connection.close()
