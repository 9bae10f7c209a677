"""What both directions share: answers, refusals, being woken; and background jobs."""

from __future__ import annotations

import re
import time

import gevent
import gevent.socket
import pytest

from consentivr.esl.codec import Event
from consentivr.esl.connection import Refused
from consentivr.esl.errors import LocalProtocolError, RemoteProtocolError, SessionClosed, WaitTimedOut
from consentivr.esl.inbound import NO_ANSWER, InboundConnection, Login
from tests.esl.peers import OK, answer, connected, dialled, done, event, pair, within

ERR = b"Content-Type: command/reply\nReply-Text: -ERR no\n\n"


def job_of(sent: bytes) -> str:
    found = re.search(rb"Job-UUID: (\S+)\n\n", sent)
    assert found
    return found[1].decode()


# --- plain API commands ----------------------------------------------------------------------


def test_an_answer_goes_to_who_asked_in_the_order_of_asking() -> None:
    with connected() as (session, switch):
        said: list[tuple[str, str]] = []
        session.api("uuid_exists a", lambda text: said.append(("a", text)))
        session.api("uuid_exists b")
        session.api("uuid_exists c", lambda text: said.append(("c", text)))
        session.flush()
        switch.sendall(answer("true") + answer("nobody asked") + answer("fälse") + event("DTMF"))
        found = session.receive(1)
        assert isinstance(found, Event)
        assert said == [("a", "true"), ("c", "fälse")]


@pytest.mark.parametrize("reply", [ERR, OK], ids=["refused", "a reply where an answer belongs"])
def test_an_api_command_that_is_refused_is_answered_all_the_same(reply: bytes) -> None:
    with connected() as (session, switch):
        said: list[str] = []
        session.api("uuid_exists a", said.append)
        session.flush()
        switch.sendall(reply + event("DTMF"))
        session.receive(1)
        assert said == ["-ERR refused"]


def test_a_refusal_names_no_argument() -> None:
    with connected() as (session, switch):
        session.api("uuid_setvar secret")
        session.execute("set", "secret=1")
        switch.sendall(ERR + ERR)
        assert [session.receive(1), session.receive(1)] == [Refused("api uuid_setvar"), Refused("sendmsg set")]


def test_an_answer_may_ask_again() -> None:
    with connected() as (session, switch):
        said: list[str] = []

        def first(text: str) -> None:
            said.append(text)
            session.api("second", said.append)

        session.api("first", first)
        session.flush()
        switch.recv(65536)
        switch.sendall(answer("1"))
        with pytest.raises(WaitTimedOut):
            session.receive(0.05)
        assert switch.recv(65536) == b"api second\n\n"
        switch.sendall(answer("2") + event("DTMF"))
        session.receive(1)
        assert said == ["1", "2"]


# --- being woken -----------------------------------------------------------------------------


def test_who_waits_is_woken_and_loses_nothing() -> None:
    with connected() as (session, switch):
        waiting = gevent.spawn(session.receive, 5)
        gevent.sleep(0.02)
        session.wake()
        waiting.join(1)
        assert waiting.value is None
        switch.sendall(event("DTMF"))
        found = session.receive(1)
        assert isinstance(found, Event)


def test_a_wake_before_the_wait_is_not_lost() -> None:
    with connected() as (session, _):
        session.wake()
        session.wake()
        assert within(1, lambda: session.receive(5)) is None
        with pytest.raises(WaitTimedOut):
            session.receive(0.02)


def test_a_wake_costs_no_event_that_has_arrived() -> None:
    with connected() as (session, switch):
        switch.sendall(event("DTMF") + event("CHANNEL_HANGUP"))
        first = session.receive(1)
        session.wake()
        woken, second = session.receive(1), session.receive(1)
        assert isinstance(first, Event)
        assert woken is None
        assert isinstance(second, Event)
        with pytest.raises(WaitTimedOut):
            session.receive(0.02)


def test_who_is_woken_in_the_middle_of_a_message_gets_it_whole() -> None:
    data = event("DTMF", **{"DTMF-Digit": "9"})
    with connected() as (session, switch):
        waiting = gevent.spawn(session.receive, 5)
        gevent.sleep(0.02)
        switch.sendall(data[:40])
        gevent.sleep(0.02)
        session.wake()
        waiting.join(1)
        assert waiting.value is None
        switch.sendall(data[40:])
        found = session.receive(1)
        assert isinstance(found, Event)
        assert found["DTMF-Digit"] == "9"


def test_a_wake_does_not_interrupt_sending() -> None:
    """Row G: all bytes are sent, however slowly the switch takes them."""
    with connected() as (session, switch):
        session.api("x" * 3_000_000)
        sending = gevent.spawn(session.receive, 5)
        gevent.sleep(0.05)
        session.wake()
        gevent.sleep(0.05)
        assert not sending.ready(), "the switch has not taken it all"
        taken = 0
        while taken < 3_000_000:
            taken += len(switch.recv(1 << 20))
        assert taken == len("api \n\n") + 3_000_000
        sending.join(1)
        assert sending.value is None, "and then it is woken"


def test_a_wake_does_not_interrupt_connecting() -> None:
    with pair() as (session, switch):
        connecting = gevent.spawn(session.connect, 5)
        gevent.sleep(0.02)
        session.wake()
        gevent.sleep(0.02)
        assert not connecting.ready()
        switch.sendall(b"Unique-ID: u\nContent-Type: command/reply\nReply-Text: %2BOK%0A\n\n" + OK * 3)
        connecting.join(1)
        assert connecting.value["Unique-ID"] == "u"
        assert within(1, lambda: session.receive(5)) is None, "whoever receives next is"


def test_who_is_gone_can_be_woken() -> None:
    with connected() as (session, switch):
        switch.close()
        with pytest.raises(SessionClosed):
            session.receive(1)
        session.wake()
        gevent.sleep(0.01)


# --- background jobs -------------------------------------------------------------------------


def test_jobs_are_answered_in_whatever_order_they_end() -> None:
    with dialled("event json BACKGROUND_JOB") as (connection, switch):
        said: list[tuple[str, str]] = []
        jobs = []
        for name in ("first", "second"):
            connection.bgapi(f"uuid_dump {name}", lambda text, name=name: said.append((name, text)))
            connection.flush()
            sent = switch.recv(65536)
            assert sent.startswith(b"bgapi uuid_dump %s\nJob-UUID: " % name.encode())
            jobs.append(job_of(sent))
        switch.sendall(OK + OK + done(jobs[1], "+OK two\n") + done(jobs[0], "+OK one\n") + event("DTMF"))
        found = connection.receive(1)
        assert isinstance(found, Event)
        assert found["Event-Name"] == "DTMF", "the ends of jobs are no events for others"
        assert said == [("second", "+OK two\n"), ("first", "+OK one\n")]
        assert connection.job_due is None


def test_a_lost_answer_is_no_answer_after_its_deadline() -> None:
    with dialled() as (connection, switch):
        said: list[str] = []
        connection.bgapi("uuid_record a stop all", said.append, 0.05)
        connection.bgapi("uuid_dump b", said.append, 60)
        due = connection.job_due
        assert due is not None
        assert due - time.monotonic() < 0.06
        connection.flush()
        first, _ = re.findall(rb"Job-UUID: (\S+)\n\n", switch.recv(65536))
        connection.give_up_jobs()
        assert said == [], "it has time yet"
        gevent.sleep(0.06)
        connection.give_up_jobs()
        connection.give_up_jobs()
        assert said == [NO_ANSWER], "once, and the other has time yet"
        switch.sendall(OK + OK + done(first.decode(), "+OK late") + event("DTMF"))
        connection.receive(1)
        assert said == [NO_ANSWER], "what comes late is nobody's"


@pytest.mark.parametrize("name", ["consentivr-0", "", "somebody-elses"])
def test_the_end_of_a_job_that_is_not_ours_means_nothing(name: str) -> None:
    with dialled() as (connection, switch):
        switch.sendall(done(name, "+OK") + event("BACKGROUND_JOB") + event("DTMF"))
        found = connection.receive(1)
        assert isinstance(found, Event)
        assert found["Event-Name"] == "DTMF"


def test_a_job_that_is_refused_is_told_and_given_up_in_time() -> None:
    with dialled() as (connection, switch):
        said: list[str] = []
        connection.bgapi("uuid_dump a", said.append, 0.05)
        connection.flush()
        switch.sendall(ERR)
        assert connection.receive(1) == Refused("bgapi")
        gevent.sleep(0.06)
        connection.give_up_jobs()
        assert said == [NO_ANSWER]


def test_an_answer_that_gives_a_further_job_while_jobs_are_given_up() -> None:
    with dialled() as (connection, _):
        said: list[str] = []
        connection.bgapi("a", lambda text: connection.bgapi("b", said.append, 0.0), 0.0)
        connection.give_up_jobs()
        assert said == []
        connection.give_up_jobs()
        assert said == [NO_ANSWER]


@pytest.mark.parametrize("bad", ["uuid_dump a\nJob-UUID: x", "uuid_dump ${x}", "uuid_dump a\r"])
def test_p7_a_job_is_one_command(bad: str) -> None:
    with dialled() as (connection, switch):
        with pytest.raises(LocalProtocolError):
            connection.bgapi(bad, lambda text: None)
        assert connection.job_due is None, "what was not sent is not waited for"
        connection.flush()
        switch.settimeout(0.02)
        with pytest.raises(TimeoutError):
            switch.recv(1)


# --- dialling --------------------------------------------------------------------------------


def dial(talk: bytes, *subscriptions: str) -> None:
    listener = gevent.socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    connection = InboundConnection(listener.getsockname(), Login("hush-hush"))
    connecting = gevent.spawn(connection.connect, *subscriptions, timeout=0.3)
    switch, _ = listener.accept()
    switch.sendall(talk)
    try:
        connecting.get(timeout=2)
    finally:
        switch.close()
        listener.close()


@pytest.mark.parametrize(
    ("talk", "kind", "said"),
    [
        (
            b"Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n",
            RemoteProtocolError,
            "acl",
        ),
        (OK, RemoteProtocolError, "not sent"),
        (ERR, RemoteProtocolError, "not an inbound socket"),
        (b"Content-Type: auth/request\n\n" + ERR, RemoteProtocolError, "refused the password"),
        (b"Content-Type: auth/request\n\n" + OK + ERR, RemoteProtocolError, "refused 'event json ALL'"),
        (b"", WaitTimedOut, "in time"),
        (b"Content-Type: auth/request\n\n", WaitTimedOut, "in time"),
        (b"HTTP/1.0 200\n\n", RemoteProtocolError, "not a header"),
    ],
)
def test_j_who_cannot_get_in_hears_why(talk: bytes, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said) as caught:
        dial(talk, "event json ALL")
    assert "hush-hush" not in str(caught.value)


def test_j_nobody_there() -> None:
    with gevent.socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = probe.getsockname()
    with pytest.raises(SessionClosed, match="cannot connect"):
        InboundConnection(address, Login("x")).connect(timeout=0.5)


def test_what_was_never_connected_can_be_closed() -> None:
    InboundConnection(("127.0.0.1", 1), Login("x")).stop()


def test_greenswitchs_own_authentication_is_gone() -> None:
    with dialled() as (connection, _), pytest.raises(NotImplementedError):
        connection.authenticate()


def test_a_list_of_all_channels_is_not_too_large() -> None:
    with dialled() as (connection, switch):
        said: list[str] = []
        connection.api("show channels as json", said.append)
        connection.flush()
        sending = gevent.spawn(switch.sendall, answer("x" * 5_000_000) + event("DTMF"))
        connection.receive(5)
        sending.join(1)
        assert len(said[0]) == 5_000_000
