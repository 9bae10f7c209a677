"""That a call is handed over by the dialplan that we rendered, not by somebody else who reaches our port.

The dialplan knows a secret, and puts on the channel what can only be made with it, of this channel at this time. So
what stands in an event, a log or a record of the call is not the secret, and good for nothing else.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping

from consentivr.esl.errors import PeerRefused
from consentivr.switch import CALLED_AT, PROOF

LONGEST_SECONDS = 120.0
"""A proof is good for so long: until a host that swallows connections is given up, and for clocks that differ."""


def proof(secret: str, channel_uuid: str, called_at: str) -> str:
    """As the dialplan makes it; MD5 is all that it has, and enough: the secret has 256 bits, and stands last."""
    return hashlib.md5(f"{channel_uuid}:{called_at}:{secret}".encode()).hexdigest()  # noqa: S324


def check(secret: str, headers: Mapping[str, str]) -> None:
    """Look at what ``connect`` answered. Raises PeerRefused."""
    called_at, given = headers.get(f"variable_{CALLED_AT}", ""), headers.get(f"variable_{PROOF}", "")
    made = proof(secret, headers.get("Unique-ID", ""), called_at)
    if not hmac.compare_digest(made.encode(), given.encode("utf-8", "replace")):
        raise PeerRefused("its dialplan does not know the secret: render it with this configuration, and reloadxml")
    if not called_at.isdigit() or abs(time.time() - int(called_at)) > LONGEST_SECONDS:
        raise PeerRefused("what its dialplan proves was true at another time: are the clocks right?")
