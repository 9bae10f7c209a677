"""What only a session of ours does; the rows of FREESWITCH.md, section 6, are in test_greenswitch_rows.py."""

from __future__ import annotations

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
