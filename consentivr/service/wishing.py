"""Telling the ``serve`` that runs what somebody wishes of a conversation: over HTTP, as an agent's desktop does."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request

from consentivr.config import Configuration
from consentivr.files import read_secret

PATIENCE_S = 10

_SAID = {404: "'serve' does not follow it (any more)", 504: "the switch has not confirmed that it stopped"}


def wish(configuration: Configuration, channel_uuid: str, wanted: str) -> str | None:
    """Withdraw, start, stop or pause a recording under way; None once the switch was seen to do so, else why not."""
    http = configuration.http
    if http.listen is None or http.token_file is None:
        return "'serve' cannot be told without http.listen and http.token_file"
    url = f"http://{http.listen}/v1/calls/{urllib.parse.quote(channel_uuid)}/recording"
    try:
        headers = {"Authorization": f"Bearer {read_secret(http.token_file)}", "Content-Type": "application/json"}
        asked = urllib.request.Request(url, json.dumps({"wish": wanted}).encode(), headers)
        with urllib.request.urlopen(asked, timeout=PATIENCE_S):  # noqa: S310
            return None
    except urllib.error.HTTPError as error:
        error.close()
        return _SAID.get(error.code, f"'serve' answers {error.code}")
    except OSError as error:
        return f"'serve' cannot be reached: {getattr(error, 'reason', error)}"
