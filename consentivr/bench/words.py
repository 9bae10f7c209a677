"""What a switch says, at the sizes of a real one: every message is rendered once, and only its UUIDs are filled in.

The sizes are those of FreeSWITCH 1.10.12 in an ordinary call over SIP: an event has everything that is known of the
channel, more and more as the call goes on.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any
from urllib.parse import quote

NUMBER = "5000"
LINE, QUEUE, AGENT_NAME = "support", "support@default", "1001@default"
CHANNEL, EXECUTION = "c" * 8 + "-cccc-4ccc-8ccc-" + "c" * 12, "e" * 8 + "-eeee-4eee-8eee-" + "e" * 12
AGENT, VISIT = "a" * 8 + "-aaaa-4aaa-8aaa-" + "a" * 12, "b" * 8 + "-bbbb-4bbb-8bbb-" + "b" * 12
"""What stands in a message for a call's own: the caller's leg, an execution, the agent's leg, the visit."""

_BYTES = {
    "CHANNEL_PARK": 6500,
    "CHANNEL_ANSWER": 6700,
    "CHANNEL_EXECUTE": 7150,
    "CHANNEL_EXECUTE_COMPLETE": 7270,
    "DTMF": 2216,
    "RECORD_START": 7495,
    "MEDIA_BUG_START": 7535,
    "member-queue-start": 7820,
    "members-count": 598,
    "agent-state-change": 583,
    "agent-offering": 841,
    "bridge-agent-start": 8133,
    "CHANNEL_UNPARK": 9700,
    "CHANNEL_BRIDGE": 9850,
    "CHANNEL_UNBRIDGE": 10470,
    "CHANNEL_HANGUP": 10300,
    "RECORD_STOP": 10670,
    "MEDIA_BUG_STOP": 10677,
    "CHANNEL_HANGUP_COMPLETE": 13400,
    "bridge-agent-end": 13635,
    "member-queue-end": 14243,
    "BACKGROUND_JOB": 600,
}
"""The body of an event in JSON, in bytes; of a custom one by its CC-Action."""


class Words:
    """Ready to be sent but for the UUIDs. ``folder`` is where the recordings of the day are."""

    def __init__(self, folder: str) -> None:
        self.recording = f"{folder}/{VISIT}.wav"
        template = json.loads(resources.files("consentivr.lab").joinpath("channel.json").read_text("utf-8"))
        self._base = {
            name: value.replace("@UUID@", CHANNEL).replace("@DESTINATION@", NUMBER).replace("@NUMBER@", "+493012345")
            for name, value in template.items()
        }
        self._made: dict[tuple[Any, ...], bytes] = {}
        self.connected = self._connected()
        """The answer to ``connect``."""

    def _connected(self) -> bytes:
        lines = [f"{name}: {quote(value)}" for name, value in self._base.items()]
        lines += ["Content-Type: command/reply", "Reply-Text: %2BOK%0A"]
        return ("\n".join(lines) + "\n\n").encode()

    def event(self, plain: bool, name: str, **extra: str) -> bytes:
        """An event of the caller's leg; dashes in names of ``extra`` are written as double underscores."""
        key = (plain, name, *sorted(extra.items()))
        if key not in self._made:
            headers = self._base | {"Event-Name": name, "Answer-State": "answered"}
            if name == "DTMF":
                headers = {label: value for label, value in headers.items() if not label.startswith("variable_")}
            self._made[key] = _message(plain, headers, _BYTES[name], _named(extra))
        return self._made[key]

    def complete(self, plain: bool, application: str, **extra: str) -> bytes:
        """The end of an application."""
        names = {"Application": application, "Application__UUID": EXECUTION, "Application__Response": "_none_"}
        return self.event(plain, "CHANNEL_EXECUTE_COMPLETE", variable_current_application=application, **names, **extra)

    def executes(self, plain: bool, application: str) -> bytes:
        """Its beginning."""
        return self.event(plain, "CHANNEL_EXECUTE", Application=application, Application__UUID=EXECUTION)

    # --- what only an inbound connection hears -----------------------------------------------

    def queue(self, action: str, decision: str, **extra: str) -> bytes:
        """``callcenter::info``; of a member with the channel's variables, so what we set on it too."""
        key = ("queue", action, decision, *sorted(extra.items()))
        if key not in self._made:
            headers = {"Event-Subclass": "callcenter::info", "Event-Name": "CUSTOM"}
            if _BYTES[action] > 5000:
                headers |= {**self._base, **self._ours(decision), "Event-Name": "CUSTOM"}
            last = {"CC-Queue": QUEUE, "CC-Action": action, "CC-Member-UUID": CHANNEL[::-1]}
            last |= {"CC-Member-Session-UUID": CHANNEL, **_named(extra)}
            self._made[key] = _message(False, headers, _BYTES[action], last)
        return self._made[key]

    def watched(self, name: str, decision: str, **extra: str) -> bytes:
        """An event of the caller's leg in the queue or after it, with what we set on it."""
        return self.event(False, name, **{f"variable_{k}": v for k, v in self._ours(decision, "").items()}, **extra)

    def _ours(self, decision: str, prefix: str = "variable_") -> dict[str, str]:
        given = decision == "given"
        return {
            f"{prefix}consent_visit": VISIT,
            f"{prefix}consent_line": LINE,
            f"{prefix}consent_decision": decision,
            f"{prefix}consent_no_record": "false" if given else "true",
            f"{prefix}consent_record_file": self.recording if given else f"/dev/null/no-record/{CHANNEL}.wav",
        }


def job_done(job: str, command: str, body: str) -> bytes:
    """The end of a background job."""
    headers = {"Event-Name": "BACKGROUND_JOB", "Job-UUID": job, "Job-Command": command.split(" ")[0]}
    return _message(False, headers, _BYTES["BACKGROUND_JOB"], {"_body": body})


def row(leg: str, direction: str, application: str) -> dict[str, str]:
    """Of ``show channels as json``: about 1 kB."""
    known = {
        "uuid": leg,
        "direction": direction,
        "created": "2026-11-25 13:21:42",
        "created_epoch": "1795613302",
        "name": "sofia/lab/+4930123456@127.0.0.1",
        "state": "CS_EXECUTE",
        "cid_name": "Erika Mustermann",
        "cid_num": "+4930123456",
        "dest": NUMBER,
        "application": application,
        "application_data": QUEUE,
        "callstate": "ACTIVE",
    }
    known |= {
        name: "" if "code" in name else "PCMA"
        for name in ("presence_id", "presence_data", "accountcode", "read_codec", "write_codec", "secure", "hostname")
    }
    rest = ("callee_name", "callee_num", "callee_direction", "call_uuid", "sent_callee_name", "sent_callee_num")
    known |= dict.fromkeys(rest, "Erika Mustermann")
    return known | {f"initial_{name}": known.get(name, "") for name in ("cid_name", "cid_num", "dest", "context")}


def _named(extra: dict[str, str]) -> dict[str, str]:
    return {label.replace("__", "-"): value for label, value in extra.items()}


def _message(plain: bool, headers: dict[str, str], size: int, last: dict[str, str]) -> bytes:
    """As one message, padded to ``size`` bytes of JSON; what an event is about comes ``last``, or stands in front."""
    front = {name: last[name] for name in last if name in headers or name in _IN_FRONT}
    headers |= front
    room = size - len(json.dumps(headers | last, separators=(",", ":")))
    padding = {f"variable_recorded_{number:03}": "c" * 16 for number in range(max(0, room) // 43)}
    headers = {
        **{name: headers[name] for name in ("Event-Subclass", "Event-Name") if name in headers},
        **front,
        **headers,
    }
    headers |= padding | {name: value for name, value in last.items() if name not in front}
    if plain:
        body = ("\n".join(f"{label}: {quote(value)}" for label, value in headers.items()) + "\n\n").encode()
        kind = b"plain"
    else:
        body, kind = json.dumps(headers, separators=(",", ":")).encode(), b"json"
    return b"Content-Length: %d\nContent-Type: text/event-%s\n\n%s" % (len(body), kind, body)


_IN_FRONT = ("Hangup-Cause", "Media-Bug-Function", "Media-Bug-Target", "Bridge-A-Unique-ID", "Bridge-B-Unique-ID")
"""Headers that FreeSWITCH writes before those of the channel."""
