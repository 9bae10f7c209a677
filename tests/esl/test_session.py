"""What only a session of ours does; the rows of FREESWITCH.md, section 6, are in test_greenswitch_rows.py."""

from __future__ import annotations

from consentivr.esl.session import SUBSCRIPTIONS
from tests.esl.peers import CONNECT_REPLY, OK, connected, pair


def test_the_call_is_taken_and_subscribed_in_one_go() -> None:
    with pair() as (session, switch):
        switch.sendall(CONNECT_REPLY + OK * len(SUBSCRIPTIONS))
        channel = session.connect()
        assert switch.recv(65536).decode().split("\n\n")[:-1] == ["connect", *SUBSCRIPTIONS]
        assert channel["Caller-Caller-ID-Number"] == "+493023125000"
        assert session.session_data == {"Unique-ID": session.uuid}, "a waiting call does not weigh 160 headers"


def test_keys_are_heard_from_the_beginning_and_recorders_are_not() -> None:
    """The last word counts (promise P2), so each key is told; recorders and bridges are the watch's."""
    declined = next(command for command in SUBSCRIPTIONS if command.startswith("nixevent")).split()
    assert "DTMF" not in declined
    assert {"RECORD_START", "RECORD_STOP", "CHANNEL_BRIDGE", "CHANNEL_UNBRIDGE"} <= set(declined)
    assert "myevents json" in SUBSCRIPTIONS, "promise P7: never plain events"


def test_events_that_nobody_needs_are_declined() -> None:
    with connected() as (session, switch):
        session.decline("answer", "multiset")
        session.flush()
        assert switch.recv(65536).decode().split("\n\n")[:-1] == [
            f"filter Unique-ID {session.uuid}",
            "filter Application -answer",
            "filter Application -multiset",
        ]
