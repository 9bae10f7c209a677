"""How the simulated switch spells what it says: headers of events, JSON, replies.

The headers are those of a recorded channel (``channel.json``), with a leg's own values filled in.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Any
from urllib.parse import quote

Event = dict[str, Any]
"""Its headers. All are text but a few variables that are lists, such as transfer_history."""

TEMPLATE: dict[str, str] = json.loads(resources.files("consentivr.lab").joinpath("channel.json").read_text("utf-8"))
"""Every header of a real inbound channel; a leg's own values are marked with @...@."""

OF_THE_CHANNEL = {name: value for name, value in TEMPLATE.items() if not name.startswith("variable_")}
VARIABLES = {name[9:]: value for name, value in TEMPLATE.items() if name.startswith("variable_")}

SWITCHNAME = TEMPLATE["FreeSWITCH-Switchname"]
_WITHOUT_CHANNEL = tuple(name for name in TEMPLATE if name.startswith(("FreeSWITCH-", "Core-UUID")))

CHANNEL_FIELDS = (
    "uuid", "direction", "created", "created_epoch", "name", "state", "cid_name", "cid_num", "ip_addr", "dest",
    "application", "application_data", "dialplan", "context", "read_codec", "read_rate", "read_bit_rate",
    "write_codec", "write_rate", "write_bit_rate", "secure", "hostname", "presence_id", "presence_data",
    "accountcode", "callstate", "callee_name", "callee_num", "callee_direction", "call_uuid", "sent_callee_name",
    "sent_callee_num", "initial_cid_name", "initial_cid_num", "initial_ip_addr", "initial_dest",
    "initial_dialplan", "initial_context",
)  # fmt: skip
"""The columns of ``show channels as json``."""

_CALL_FIELDS = (
    "uuid", "direction", "created", "created_epoch", "name", "state", "cid_name", "cid_num", "ip_addr", "dest",
    "presence_id", "presence_data", "accountcode", "callstate", "callee_name", "callee_num", "callee_direction",
    "call_uuid", "hostname", "sent_callee_name", "sent_callee_num",
)  # fmt: skip
_ABSENT_ON_B = {"call_uuid", "hostname"}


def call_row(a: Mapping[str, str], b: Mapping[str, str] | None) -> dict[str, str]:
    """A row of ``show calls as json``, from the rows of both channels; ``b`` is None while nobody is bridged."""
    row = {name: a[name] for name in _CALL_FIELDS}
    row |= {f"b_{name}": b[name] if b else "" for name in _CALL_FIELDS if name not in _ABSENT_ON_B}
    return row | {"call_created_epoch": a["created_epoch"] if b else ""}


def listing(rows: list[dict[str, str]]) -> str:
    """What ``show ... as json`` prints."""
    return as_json({"row_count": len(rows), "rows": rows}) + "\n" if rows else '{"row_count": 0}\n'


def as_json(value: object) -> str:
    """Compact, as FreeSWITCH prints events."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def bug_list(bugs: list[tuple[str, str]]) -> str:
    """What ``uuid_buglist`` prints of (function, target)."""
    listed = "".join(
        f" <media-bug>\n  <function>{function}</function>\n  <target>{target}</target>\n"
        "  <thread-locked>0</thread-locked>\n </media-bug>\n"
        for function, target in bugs
    )
    return f"<media-bugs>\n{listed}</media-bugs>\n"


def without_a_channel(name: str, core_uuid: str) -> Event:
    """The first headers of an event that belongs to no channel."""
    event: Event = {"Event-Name": name} | {header: TEMPLATE[header] for header in _WITHOUT_CHANNEL}
    return event | {"Core-UUID": core_uuid, "Event-Date-Timestamp": now()}


def now() -> str:
    """Unix time in microseconds."""
    return str(time.time_ns() // 1000)


def event_message(event: Mapping[str, Any]) -> bytes:
    """An event on the wire; a module's begins with its subclass, not with its name."""
    if "Event-Subclass" in event:
        event = {"Event-Subclass": event["Event-Subclass"], **event}
    body = as_json(event).encode("utf-8", "surrogatepass")
    return b"Content-Length: %d\nContent-Type: text/event-json\n\n%s" % (len(body), body)


def api_response(said: str) -> bytes:
    """The answer to ``api``."""
    body = said.encode("utf-8", "surrogatepass") or b"-ERR no reply\n"
    return b"Content-Type: api/response\nContent-Length: %d\n\n%s" % (len(body), body)


def reply(text: str) -> bytes:
    """The answer to any other command."""
    return b"Content-Type: command/reply\nReply-Text: %s\n\n" % text.encode("utf-8", "replace")


@lru_cache(maxsize=4096)
def switch_url_encode(value: str) -> str:
    """As FreeSWITCH does: an existing ``%0A`` stays as it is (FREESWITCH.md, section 2)."""
    return quote(value, safe="/:.,;!*()-_'=?@&+").replace("%250A", "%0A")
