"""What only a session of ours does; the rows of FREESWITCH.md, section 6, are in test_greenswitch_rows.py."""

from __future__ import annotations

import json

import pytest

from consentivr.esl.errors import WaitTimedOut
from tests.esl.peers import OK, connected


def complete(**headers: str) -> bytes:
    event = {
        "Event-Name": "CHANNEL_EXECUTE_COMPLETE",
        **{name.replace("_", "-"): text for name, text in headers.items()},
    }
    body = json.dumps(event, separators=(",", ":")).encode()
    return b"Content-Length: %d\nContent-Type: text/event-json\n\n%s" % (len(body), body)


def test_what_nobody_heeds_is_let_go_and_everything_else_arrives() -> None:
    with connected() as (session, switch):
        unheeded = session.call_command("answer", heeded=False)
        heeded = session.call_command("play_and_get_digits")
        switch.sendall(OK * 2 + complete(Application_UUID=unheeded) + complete(Application_UUID=heeded))
        assert session.receive(1)["Application-UUID"] == heeded
        switch.sendall(complete(Application_UUID=unheeded))
        assert session.receive(1)["Application-UUID"] == unheeded, "once"
        switch.sendall(complete(Application="x"))
        assert session.receive(1)["Application"] == "x"


def test_p7_a_callers_text_lets_no_event_go() -> None:
    with connected() as (session, switch):
        unheeded = session.call_command("answer", heeded=False)
        heeded = session.call_command("play_and_get_digits")
        text = f'x","Application-UUID":"{unheeded}"'
        switch.sendall(OK * 2 + complete(Caller_Caller_ID_Name=text, Application_UUID=heeded))
        assert session.receive(1)["Application-UUID"] == heeded
        with pytest.raises(WaitTimedOut):
            session.receive(0.05)
