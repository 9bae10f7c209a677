"""FREESWITCH.md, section 6, row by row: what greenswitch does, and what our session does instead.

Each test named ``bare`` shows the defect on greenswitch itself; without the guard ours would behave
the same, so a greenswitch that mends a row shows here too.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import resource
import time
from pathlib import Path

import gevent
import gevent.socket
import pytest
from greenswitch import esl as bare

from consentivr.esl.connection import Refused
from consentivr.esl.errors import (
    ESLError,
    LocalProtocolError,
    RemoteProtocolError,
    SessionClosed,
    WaitTimedOut,
)
from consentivr.esl.server import OutboundServer
from consentivr.esl.session import OutboundSession
from tests.esl.peers import CONNECT_REPLY, OK, complete, connected, event, pair, within

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
"""greenswitch leaves its sockets to the garbage collector."""


def bare_session() -> tuple[bare.OutboundSession, gevent.socket.socket]:
    ours, theirs = gevent.socket.socketpair()
    return bare.OutboundSession(("127.0.0.1", 0), ours), theirs


def is_blocked(what: object, seconds: float = 0.3) -> bool:
    try:
        within(seconds, what)  # type: ignore[arg-type]
    except AssertionError:
        return True
    except BaseException:
        return False
    return False


# --- A: end of stream inside a body ----------------------------------------------------------


def test_a_bare_reads_for_ever_after_the_end() -> None:
    class Ended:
        reads = 0

        def read(self, length: int) -> bytes:
            self.reads += 1
            if self.reads > 1000:
                raise StopIteration
            return b""

    logging.disable(logging.WARNING)
    try:
        with pytest.raises(StopIteration):
            bare.ESLProtocol._read_socket(Ended(), 10)
    finally:
        logging.disable(logging.NOTSET)


def test_a_ours_ends() -> None:
    with connected() as (session, switch):
        switch.sendall(b"Content-Length: 500\nContent-Type: text/event-json\n\n{")
        switch.close()
        with pytest.raises(RemoteProtocolError):
            within(1, session.receive)


# --- B: forged headers -----------------------------------------------------------------------

FORGED = b"Caller-Caller-ID-Name: Bob%0Avariable_forged%3A%20granted\n"


def test_b_bare_is_forged() -> None:
    assert bare.ESLEvent(FORGED.decode()).headers["variable_forged"] == "granted"


def test_b_ours_is_not() -> None:
    with pair() as (session, switch):
        switch.sendall(FORGED + CONNECT_REPLY)
        data = session.connect()
        assert "variable_forged" not in data
        assert data["Caller-Caller-ID-Name"] == "Bob\nvariable_forged: granted"


# --- C: waits by name ------------------------------------------------------------------------


def test_c_bare_takes_another_prompts_complete() -> None:
    session, switch = bare_session()
    waiting = gevent.spawn(session.playback, "/s/second.wav")
    gevent.sleep(0.02)
    body = b"Event-Name: CHANNEL_EXECUTE_COMPLETE\nvariable_current_application: playback\nApplication-UUID: first\n\n"
    switch.sendall(OK + b"Content-Length: %d\nContent-Type: text/event-plain\n\n%s" % (len(body), body))
    waiting.join(1)
    assert waiting.value.headers["Application-UUID"] == "first", "released by the wrong prompt"
    switch.close()


def test_c_ours_waits_for_its_own() -> None:
    with connected() as (session, switch):
        first, second = session.playback("/s/first.wav"), session.playback("/s/second.wav")
        switch.sendall(OK + OK + complete(first) + event("DTMF") + complete(second))
        found = within(1, lambda: session.wait_for_complete(second, 1))
        assert found["Application-UUID"] == second
        assert [session.receive(1)["Event-Name"] for _ in range(2)] == ["CHANNEL_EXECUTE_COMPLETE", "DTMF"]


# --- D: a handler of one's own ---------------------------------------------------------------


def test_d_bare_hangs_with_a_handler_of_ones_own() -> None:
    session, switch = bare_session()
    session.register_handle("CHANNEL_EXECUTE_COMPLETE", lambda event: None)
    waiting = gevent.spawn(session.playback, "/s/a.wav")
    gevent.sleep(0.02)
    body = b"Event-Name: CHANNEL_EXECUTE_COMPLETE\nvariable_current_application: playback\n\n"
    switch.sendall(OK + b"Content-Length: %d\nContent-Type: text/event-plain\n\n%s" % (len(body), body))
    waiting.join(0.3)
    assert not waiting.ready()
    waiting.kill()
    switch.close()


def test_d_ours_does_not_depend_on_handlers() -> None:
    with connected() as (session, switch):
        with pytest.raises(NotImplementedError):
            session.register_handle("CHANNEL_EXECUTE_COMPLETE", lambda event: None)
        asked = session.playback("/s/a.wav")
        switch.sendall(OK + complete(asked))
        assert within(1, lambda: session.wait_for_complete(asked, 1))


# --- E: a line break -------------------------------------------------------------------------


def test_e_bare_sends_a_second_command() -> None:
    session, switch = bare_session()
    gevent.spawn(session.call_command, "playback", "/a.wav\n\napi shutdown")
    assert switch.recv(65536).count(b"\n\n") == 2
    switch.close()


def test_e_ours_refuses() -> None:
    with connected() as (session, switch):
        for bad in ("/a.wav\n\napi shutdown", "/a.wav\rx"):
            with pytest.raises(LocalProtocolError):
                session.playback(bad)
        with pytest.raises(LocalProtocolError):
            session.api("status\n\napi shutdown")
        with pytest.raises(LocalProtocolError):
            session.send("linger\n\nexit")
        switch.settimeout(0.05)
        with pytest.raises(TimeoutError):
            switch.recv(1)


# --- F: None as a word -----------------------------------------------------------------------


def test_f_bare_sends_none() -> None:
    session, switch = bare_session()
    gevent.spawn(session.play_and_get_digits, 1, 1, 1, 5000, "#", "/q.wav", variable="key", digits_regex="[19]")
    assert b"None" in switch.recv(65536)
    switch.close()


def test_f_ours_has_a_value_for_everything() -> None:
    with connected() as (session, switch):
        session.play_and_get_digits(prompt_file="/q.wav", variable="key", digits_regex="[19]", timeout_ms=5000)
        session.flush()
        sent = switch.recv(65536).decode()
        assert "None" not in sent
        assert "execute-app-arg: 1 1 1 5000 # /q.wav silence_stream://10 key [19] 5000\n" in sent
        with pytest.raises(LocalProtocolError):
            session.play_and_get_digits(prompt_file="/a b.wav", variable="key", digits_regex="[19]", timeout_ms=1)


# --- G: send, not sendall --------------------------------------------------------------------

LONG = 4_000_000


def received(switch: gevent.socket.socket, enough: int) -> int:
    total = 0
    switch.settimeout(0.5)
    try:
        while total < enough:
            data = switch.recv(1 << 20)
            if not data:
                break
            total += len(data)
    except TimeoutError:
        pass
    return total


def test_g_bare_sends_a_part() -> None:
    session, switch = bare_session()
    gevent.spawn(session.send, "x" * LONG)
    gevent.sleep(0.05)
    assert received(switch, LONG) < LONG
    switch.close()


def test_g_ours_sends_all() -> None:
    with connected() as (session, switch):
        reader = gevent.spawn(received, switch, LONG)
        session.api("x" * LONG)
        session.flush()
        reader.join(5)
        assert reader.value > LONG


# --- H: waiters of a dead connection ---------------------------------------------------------


@pytest.mark.parametrize("last_words", [b"", OK], ids=["before the reply", "after the reply"])
def test_h_bare_blocks_for_ever(last_words: bytes) -> None:
    session, switch = bare_session()
    waiting = gevent.spawn(session.playback, "/s/a.wav")
    gevent.sleep(0.02)
    switch.sendall(last_words)
    switch.close()
    waiting.join(0.3)
    assert not waiting.ready()
    waiting.kill()


@pytest.mark.parametrize("last_words", [b"", OK], ids=["before the reply", "after the reply"])
def test_h_ours_wakes(last_words: bytes) -> None:
    with connected() as (session, switch):
        asked = session.playback("/s/a.wav")
        session.flush()
        switch.recv(65536)
        switch.sendall(last_words)
        switch.close()
        with pytest.raises(SessionClosed):
            within(1, lambda: session.wait_for_complete(asked))


def test_h_ours_takes_a_lingering_notice_for_what_it_is() -> None:
    notice = b"Content-Type: text/disconnect-notice\nContent-Disposition: %s\nContent-Length: 0\n\n"
    with connected() as (session, switch):
        switch.sendall(notice % b"linger" + event("CHANNEL_HANGUP_COMPLETE") + notice % b"disconnect")
        assert session.receive(1)["Event-Name"] == "CHANNEL_HANGUP_COMPLETE"
        with pytest.raises(SessionClosed):
            within(1, session.receive)


# --- I: BaseException on time-out, leaked waiter ---------------------------------------------


def test_i_bare_raises_past_except_exception() -> None:
    session, switch = bare_session()
    waiting = gevent.spawn(lambda: session.call_command("playback", "/a.wav", block=True, response_timeout=0.05))
    gevent.sleep(0.01)
    switch.sendall(OK)
    waiting.join(1)
    assert isinstance(waiting.exception, gevent.Timeout)
    assert not isinstance(waiting.exception, Exception)
    assert session.expected_events["CHANNEL_EXECUTE_COMPLETE"], "the waiter is leaked"
    switch.close()


def test_i_ours_is_an_ordinary_exception() -> None:
    with connected() as (session, switch):
        asked = session.playback("/a.wav")
        switch.sendall(OK)
        with pytest.raises(WaitTimedOut):
            session.wait_for_complete(asked, 0.05)
        assert issubclass(WaitTimedOut, Exception)
        switch.sendall(complete(asked))
        assert session.wait_for_complete(asked, 1), "a late answer is still there for who asks again"


# --- J: connect ------------------------------------------------------------------------------

REFUSED = b"Content-Type: command/reply\nReply-Text: -ERR no\n\n"


def test_j_bare_accepts_an_error_and_waits_for_ever() -> None:
    session, switch = bare_session()
    switch.sendall(REFUSED)
    session.connect()
    assert session._outbound_connected
    silent, other = bare_session()
    assert is_blocked(silent.connect)
    switch.close()
    other.close()


def test_j_ours_refuses_and_has_a_deadline() -> None:
    with pair() as (session, switch):
        switch.sendall(REFUSED)
        with pytest.raises(RemoteProtocolError):
            session.connect()
    with pair() as (session, _), pytest.raises(WaitTimedOut):
        within(1, lambda: session.connect(timeout=0.05))


# --- K, L, M, P, Q: the server ---------------------------------------------------------------


def dial(server: OutboundServer) -> gevent.socket.socket:
    return gevent.socket.create_connection(server.address, timeout=5)


def start(application: object, **options: object) -> OutboundServer:
    server = OutboundServer(("127.0.0.1", 0), application, **options)  # type: ignore[arg-type]
    server.start()
    return server


def bare_server(application: type, **options: object) -> tuple[bare.OutboundESLServer, gevent.Greenlet]:
    probe = gevent.socket.socket()
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
    probe.close()
    server = bare.OutboundESLServer("127.0.0.1", port, application, **options)
    listening = gevent.spawn(server.listen)
    gevent.sleep(0.05)
    return server, listening


class Holds:
    running = 0

    def __init__(self, session: object) -> None:
        pass

    def run(self) -> None:
        Holds.running += 1
        gevent.sleep(60)


def test_k_bare_admits_more_than_its_maximum() -> None:
    Holds.running = 0
    server, listening = bare_server(Holds, max_connections=1)
    peers = []
    for _ in range(10):
        peer = gevent.socket.create_connection(("127.0.0.1", server.bound_port))
        peers.append(peer)
    gevent.sleep(0.3)
    for peer in peers:
        peer.sendall(CONNECT_REPLY)
    gevent.sleep(0.3)
    assert Holds.running > 1
    listening.kill()
    server.server.close()
    for peer in peers:
        peer.close()


def given_back(peer: gevent.socket.socket) -> None:
    """An exit before the call is parked is forgotten by the switch."""
    said = within(1, lambda: peer.recv(1000))
    assert said.startswith(b"connect\n\n")
    assert b"exit" not in said
    peer.sendall(b"Content-Type: text/event-json\n\nEvent-Name: CHANNEL_EXECUTE_COMPLETE\n\n")
    assert within(1, lambda: peer.recv(100)) == b"exit\n\n"


def test_k_ours_gives_the_rest_back_at_once() -> None:
    held = []

    def hold(session: OutboundSession) -> None:
        held.append(session)
        gevent.sleep(60)

    server = start(hold, max_connections=1)
    peers = [dial(server) for _ in range(10)]
    gevent.sleep(0.1)
    assert (len(held), server.calls) == (1, 1)
    given_back(peers[5])
    server.stop()


def test_l_bare_ends_when_descriptors_run_out(monkeypatch: pytest.MonkeyPatch) -> None:
    server, listening = bare_server(Holds)

    def no_descriptors() -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(server, "server", type("Full", (), {"accept": staticmethod(no_descriptors)})())
    listening.join(1)
    assert isinstance(listening.exception, OSError)


def test_l_ours_goes_on() -> None:
    served = []
    server = start(lambda session: served.append(session.connect()))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    first = gevent.socket.socket()
    last = gevent.socket.socket()
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (last.fileno() + 1, hard))
        first.connect(server.address)
        gevent.sleep(0.2)
        assert not served, "no descriptor was left for this connection"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    first.sendall(CONNECT_REPLY)
    deadline = time.monotonic() + 5
    while not served and time.monotonic() < deadline:
        gevent.sleep(0.05)
    assert served
    server.stop()
    last.close()


def test_m_bare_leaves_the_call_open_and_silent() -> None:
    class Broken:
        def __init__(self, session: object) -> None:
            raise KeyError("no such line")

    server, listening = bare_server(Broken)
    peer = gevent.socket.create_connection(("127.0.0.1", server.bound_port), timeout=0.5)
    peer.sendall(CONNECT_REPLY)
    peer.recv(100)
    hub_says_nothing = gevent.get_hub().NOT_ERROR
    gevent.get_hub().NOT_ERROR = (*hub_says_nothing, KeyError)
    try:
        with pytest.raises(TimeoutError):
            peer.recv(1)
    finally:
        gevent.get_hub().NOT_ERROR = hub_says_nothing
    listening.kill()
    server.server.close()
    peer.close()


def test_m_ours_closes() -> None:
    def broken(session: OutboundSession) -> None:
        raise KeyError("no such line")

    server = start(broken)
    peer = dial(server)
    given_back(peer)
    peer.shutdown(gevent.socket.SHUT_WR)
    assert within(1, lambda: peer.recv(1)) == b""
    server.stop()


# --- N: what is not UTF-8, or has no Content-Type --------------------------------------------

STRANGE = [b"\xff\xfe: \xff\n\n", b"Reply-Text: +OK\n\n"]


@pytest.mark.parametrize("strange", STRANGE, ids=["not utf-8", "no content-type"])
def test_n_bare_leaves_waiters_hanging(strange: bytes) -> None:
    session, switch = bare_session()
    hub_says_nothing = gevent.get_hub().NOT_ERROR
    gevent.get_hub().NOT_ERROR = (*hub_says_nothing, KeyError)
    try:
        waiting = gevent.spawn(session.send, "connect")
        gevent.sleep(0.02)
        switch.sendall(strange)
        waiting.join(0.3)
        assert not waiting.ready()
        waiting.kill()
    finally:
        gevent.get_hub().NOT_ERROR = hub_says_nothing
        switch.close()


@pytest.mark.parametrize("strange", STRANGE, ids=["not utf-8", "no content-type"])
def test_n_ours_says_whose_fault_it_is(strange: bytes) -> None:
    with connected() as (session, switch):
        switch.sendall(strange)
        with pytest.raises(RemoteProtocolError):
            within(1, lambda: session.wait_for_complete("x", 1))


def test_p_bare_waits_for_calls_without_a_deadline() -> None:
    server, listening = bare_server(Holds)
    peer = gevent.socket.create_connection(("127.0.0.1", server.bound_port))
    gevent.sleep(0.15)
    peer.sendall(CONNECT_REPLY)
    gevent.sleep(0.05)
    server.stop()
    listening.join(0.5)
    assert not listening.ready()
    listening.kill()
    peer.close()


def test_p_ours_stops() -> None:
    server = start(lambda session: gevent.sleep(60))
    peer = dial(server)
    gevent.sleep(0.05)
    within(3, server.stop)
    assert within(1, lambda: peer.recv(1)) == b""


def test_q_bare_polls() -> None:
    server, listening = bare_server(Holds)
    gevent.sleep(0.12)
    waits = []
    for _ in range(8):
        began = time.monotonic()
        peer = gevent.socket.create_connection(("127.0.0.1", server.bound_port))
        peer.recv(1)
        waits.append(time.monotonic() - began)
        peer.close()
    assert sum(waits) / len(waits) > 0.02
    listening.kill()
    server.server.close()


def test_q_ours_serves_a_burst_at_once_and_in_full() -> None:
    server = start(lambda session: session.connect())
    peers = [dial(server) for _ in range(300)]
    assert all(peer.recv(7) == b"connect" for peer in peers)
    server.stop()
    for peer in peers:
        peer.close()


def test_q_the_accept_queue_is_deep() -> None:
    """Fill it while nobody accepts: connecting must not block (FREESWITCH.md, section 1)."""
    server = start(lambda session: session.connect())
    deep = int(Path("/proc/sys/net/core/somaxconn").read_text())
    server._server.stop_accepting()
    peers = []
    for _ in range(min(deep, 1000)):
        peer = gevent.socket.socket()
        peer.settimeout(2)
        peer.connect(server.address)
        peers.append(peer)
    server._server.start_accepting()
    assert all(peer.recv(7) == b"connect" for peer in peers)
    server.stop()
    for peer in peers:
        peer.close()


def test_an_accepted_socket_does_not_wait_and_notices_a_switch_that_vanished() -> None:
    seen = []
    asked = [
        (gevent.socket.IPPROTO_TCP, gevent.socket.TCP_NODELAY),
        (gevent.socket.SOL_SOCKET, gevent.socket.SO_KEEPALIVE),
    ]
    server = start(lambda session: seen.extend(session.sock.getsockopt(*option) for option in asked))
    with gevent.socket.create_connection(server.address) as switch:
        assert switch.recv(1) == b""
    server.stop()
    assert all(seen)
    assert len(seen) == len(asked)


def test_r_bare_folds_a_body_into_the_last_header() -> None:
    folded = bare.ESLEvent("Event-Name: X\nContent-Length: 5\n\nhello").headers
    assert folded["Content-Length"] != "5"


def test_r_ours_keeps_the_body_apart() -> None:
    with connected() as (session, switch):
        switch.sendall(event("X", _body="hello\nEvent-Name: Y"))
        found = session.receive(1)
        assert (found["Event-Name"], found["_body"]) == ("X", "hello\nEvent-Name: Y")


def test_s_bare_logs_the_callers_number(caplog: pytest.LogCaptureFixture) -> None:
    session, switch = bare_session()
    session.session_data = {"Caller-Caller-ID-Number": "+493023125000"}
    with caplog.at_level(logging.INFO):
        session.on_hangup(None)
    assert "+493023125000" in caplog.text
    switch.close()


def test_s_ours_logs_no_number(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
    with caplog.at_level(logging.DEBUG), connected() as (session, switch):
        switch.sendall(event("CHANNEL_HANGUP", **{"Caller-Caller-ID-Number": "+493023125000"}))
        session.receive(1)
        with pytest.raises(NotImplementedError):
            session.on_hangup(None)
    assert "+493023125000" not in caplog.text + "".join(capsys.readouterr())


# --- what else the session promises ----------------------------------------------------------


def test_commands_leave_in_one_piece_and_in_order() -> None:
    with connected() as (session, switch):
        session.call_command("answer")
        session.playback("/a.wav")
        session.set_variables({"a": "1", "b": ""})
        with pytest.raises(WaitTimedOut):
            session.receive(0.02)
        sent = switch.recv(65536).decode()
        assert re.findall("execute-app-name: (.*)", sent) == ["answer", "playback", "multiset"]
        assert "execute-app-arg: ^^|a=1|b=\n" in sent


def test_a_refused_command_is_an_event() -> None:
    with connected() as (session, switch):
        session.call_command("answer")
        switch.sendall(b"Content-Type: command/reply\nReply-Text: -ERR invalid session id [x]\n\n")
        assert session.receive(1) == Refused("sendmsg answer"), "a type of its own, and without arguments"


def test_a_reply_to_nothing_is_refused() -> None:
    with connected() as (session, switch):
        switch.sendall(OK)
        with pytest.raises(RemoteProtocolError):
            session.receive(1)


def test_other_kinds_of_peer_are_refused() -> None:
    with connected() as (session, switch):
        switch.sendall(b"Content-Type: auth/request\n\n")
        with pytest.raises(RemoteProtocolError):
            session.receive(1)


def test_send_waits_for_its_own_reply() -> None:
    with connected() as (session, switch):
        session.call_command("answer")
        switch.sendall(OK + event("DTMF") + b"Content-Type: command/reply\nReply-Text: +OK will linger\n\n")
        assert session.send("linger 5").reply_text == "+OK will linger"
        assert session.receive(1)["Event-Name"] == "DTMF"


def test_blocking_commands_wait() -> None:
    with connected() as (session, switch):
        waiting = gevent.spawn(session.call_command, "playback", "/a.wav", True, 1)
        asked = re.search(rb"Event-UUID: (\S+)", switch.recv(65536))
        assert asked
        switch.sendall(OK + complete(asked[1].decode()))
        waiting.join(1)
        assert waiting.value == asked[1].decode()


def test_a_separator_in_a_variable_is_refused() -> None:
    with connected() as (session, _):
        with pytest.raises(LocalProtocolError):
            session.set_variables({"a": "1|b=2"})
        with pytest.raises(LocalProtocolError):
            session.api("uuid_setvar x y ${system(ls)}")


def test_nothing_is_sent_after_the_end() -> None:
    with connected() as (session, _):
        assert session.uuid == "26c9d23f-fed1-4cfe-b05e-66ccabca7936"
        session.raise_if_disconnected()
        session.stop()
        for command in (lambda: session.call_command("answer"), lambda: session.receive(1), session.flush):
            if command == session.flush:
                command()
            else:
                with pytest.raises(SessionClosed):
                    command()
        with pytest.raises(bare.OutboundSessionHasGoneAway):
            session.raise_if_disconnected()


def test_a_peer_that_is_not_allowed_is_closed() -> None:
    called = []
    server = start(called.append, allowed_peers=[ipaddress.IPv4Network("10.1.2.0/24")])
    assert within(1, lambda: dial(server).recv(1)) == b""
    assert called == []
    server.stop()


@pytest.mark.parametrize("method", ["start_event_handlers", "receive_events", "process_events"])
def test_greenswitchs_second_greenlet_is_gone(method: str) -> None:
    with connected() as (session, _):
        with pytest.raises(NotImplementedError):
            getattr(session, method)()
        with pytest.raises(NotImplementedError):
            session.register_expected_event("CHANNEL_EXECUTE_COMPLETE", "a", "b", None)


def test_every_error_is_of_one_family() -> None:
    for kind in (LocalProtocolError, RemoteProtocolError, SessionClosed, WaitTimedOut):
        assert issubclass(kind, ESLError)
