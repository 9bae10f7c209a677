"""What only a session of ours does; the rows of FREESWITCH.md, section 6, are in test_greenswitch_rows.py."""

from __future__ import annotations

from consentivr.esl.session import SUBSCRIPTIONS
from tests.esl.peers import connected


def test_events_that_nobody_needs_are_declined() -> None:
    with connected() as (session, switch):
        session.decline("answer", "multiset")
        session.flush()
        assert switch.recv(65536).decode().split("\n\n")[:-1] == [
            f"filter Unique-ID {session.uuid}",
            "filter Application -answer",
            "filter Application -multiset",
        ]


def test_keys_are_heard_from_when_they_are_asked_for() -> None:
    with connected() as (session, switch):
        session.hear_keys()
        session.flush()
        assert switch.recv(65536) == b"event json DTMF\n\n"
    assert any(command.startswith("nixevent") and command.endswith("DTMF") for command in SUBSCRIPTIONS)
