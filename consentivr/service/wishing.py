"""Telling the ``serve`` that runs what somebody wishes of a conversation: over HTTP, as an agent's desktop does."""

from __future__ import annotations

import urllib.parse

from consentivr.config import Configuration
from consentivr.files import read_secret
from consentivr.web.client import ask

PATIENCE_S = 10

_SAID = {404: "'serve' does not follow it (any more)", 504: "the switch has not confirmed that it stopped"}


def wish(configuration: Configuration, channel_uuid: str, wanted: str) -> str | None:
    """Withdraw, start, stop or pause a recording under way; None once the switch was seen to do so, else why not."""
    http = configuration.http
    if http.listen is None or http.token_file is None:
        return "'serve' cannot be told without http.listen and http.token_file"
    path = f"/v1/calls/{urllib.parse.quote(channel_uuid)}/recording"
    try:
        token = read_secret(http.token_file)
        status, _ = ask(http.listen, "POST", path, {"wish": wanted}, token=token, seconds=PATIENCE_S)
    except OSError as error:
        return f"'serve' cannot be reached: {error}"
    return None if status == 200 else _SAID.get(status, f"'serve' answers {status}")
