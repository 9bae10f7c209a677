"""Who may hand over calls: FreeSWITCH's user on this machine, with a dialplan that knows the secret."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import gevent
import gevent.socket
import pytest
from structlog.testing import capture_logs

from consentivr.asking.proof import LONGEST_SECONDS, check, proof
from consentivr.config import Configuration
from consentivr.esl.errors import PeerRefused
from consentivr.esl.peer import is_told, user_of
from consentivr.esl.server import OutboundServer
from consentivr.lab.laboratory import Laboratory
from consentivr.service.build import CannotServe, dialplan_secret, peer_users
from consentivr.service.service import Application
from tests.esl.peers import CONNECT_REPLY, handed_over
from tests.flow.calling import YES, decision
from tests.strangers import NOBODY, dial

UUID = "26c9d23f-fed1-4cfe-b05e-66ccabca7936"

pytestmark = pytest.mark.skipif(not is_told(), reason="this kernel does not say whose a connection is")


def answered(address: tuple[str, int], said: bytes = b"") -> bytes:
    """What a peer is told until it is hung up on."""
    heard = b""
    with gevent.socket.create_connection(address, timeout=5) as peer:
        try:
            peer.sendall(said)
            while data := peer.recv(65536):
                heard += data
        except ConnectionError:
            pass
    return heard


# --- whose connection it is ------------------------------------------------------------------


@pytest.mark.parametrize(("listens", "dials"), [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("::", "127.0.0.1")])
def test_the_kernel_says_whose_it_is(listens: str, dials: str) -> None:
    family = gevent.socket.AF_INET6 if ":" in listens else gevent.socket.AF_INET
    with gevent.socket.socket(family) as listening:
        listening.bind((listens, 0))
        listening.listen()
        with gevent.socket.create_connection((dials, listening.getsockname()[1])) as dialling:
            ours, peer = listening.accept()
            with ours:
                assert user_of(peer[:2], ours.getsockname()[:2]) == os.geteuid()
                assert user_of((peer[0], 1), ours.getsockname()[:2]) is None
                dialling.close()
                gevent.sleep(0.05)
                assert user_of(peer[:2], ours.getsockname()[:2]) is None, "what nobody has open is nobody's, not root's"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_another_user_of_this_machine_is_refused() -> None:
    served: list[object] = []
    server = OutboundServer(("127.0.0.1", 0), served.append, peer_users=frozenset({0}))
    server.start()
    with capture_logs() as log:
        stranger = dial(*server.address, NOBODY)
        while not server.refused:
            gevent.sleep(0.01)
        stranger.kill()
        stranger.wait()
        ours = dial(*server.address, 0)
        while not served:
            gevent.sleep(0.01)
        ours.kill()
        ours.wait()
    server.stop()
    assert (len(served), server.refused) == (1, 1)
    (said,) = [line["why"] for line in log if line["event"] == "peer refused"]
    assert said == f"it belongs to the user {NOBODY}, who is not service.peer_user"


def test_who_may_is_in_the_configuration(configure: Callable[..., Configuration]) -> None:
    made = configure()

    def users(name: str | None) -> frozenset[int] | None:
        return peer_users(made.changed(service=made.service.changed(peer_user=name)))

    mine = users(None)
    assert mine is not None
    assert os.geteuid() in mine
    assert NOBODY not in mine
    assert users("nobody") == {NOBODY}
    assert users("*") is None
    with pytest.raises(CannotServe, match="no user 'nobody-here'"):
        users("nobody-here")


def test_a_kernel_that_says_nothing(
    configure: Callable[..., Configuration], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default calls are taken, with a word about it; not when the user was named."""
    monkeypatch.setattr("consentivr.service.service.is_told", lambda: False)
    with capture_logs() as log, Laboratory(configure(), tmp_path, speed=20) as laboratory:
        assert decision(laboratory, laboratory.call(YES)) == ("given", "consent_key")
    assert "users on this machine are not told apart" in str(log)
    made = laboratory.configuration
    service = made.service.model_copy(update={"peer_user": "nobody"})
    with pytest.raises(CannotServe, match="set service"):
        Application(made.model_copy(update={"service": service}))


# --- that it is our dialplan -----------------------------------------------------------------


def headers(secret: str, age: float = 0, **others: str) -> dict[str, str]:
    at = str(int(time.time() - age))
    said = {"Unique-ID": UUID, "variable_consent_called_at": at, "variable_consent_proof": proof(secret, UUID, at)}
    return said | others


def test_what_proves_it() -> None:
    check("s", headers("s"))
    check("s", headers("s", age=60 - LONGEST_SECONDS))


@pytest.mark.parametrize(
    "said",
    [
        dict,
        lambda: headers("other"),
        lambda: headers("s", variable_consent_proof=""),
        lambda: headers("s", variable_consent_proof="ä"),
        lambda: headers("s", variable_consent_called_at="1"),
        lambda: headers("s", **{"Unique-ID": UUID.replace("2", "3")}),
        lambda: headers("s", age=LONGEST_SECONDS + 60),
        lambda: headers("s", age=-LONGEST_SECONDS - 60),
        lambda: headers("s", variable_consent_called_at="x", variable_consent_proof=proof("s", UUID, "x")),
    ],
    ids=range(9),
)
def test_what_does_not(said: Callable[[], dict[str, str]]) -> None:
    with pytest.raises(PeerRefused):
        check("s", said())


def test_who_does_not_know_the_secret_is_refused_and_calls_go_on(laboratory: Laboratory) -> None:
    lines = b"Caller-Destination-Number: 5000\nCaller-Caller"
    with capture_logs() as log:
        heard = answered(laboratory.application.address, CONNECT_REPLY.replace(b"Caller-Caller", lines))
    assert heard.count(b"sendmsg") == 1, "what proves that it is parked, before it is given back"
    assert laboratory.application.status().refused == 1
    assert "does not know the secret" in str(log)
    assert laboratory.rows() == []
    assert decision(laboratory, laboratory.call(YES)) == ("given", "consent_key")


def test_a_dialplan_with_another_secret_loses_no_call(laboratory: Laboratory) -> None:
    laboratory.switch.globals["consent_secret"] = "another"
    channel = laboratory.call(YES)
    assert channel.reached == ["support@default"]
    assert not channel.recorded
    assert decision(laboratory, channel) == ("not_obtained", "not_asked"), "the watch has found the caller"
    assert laboratory.application.status().refused == 1


def test_nothing_of_it_stays_on_the_channel_or_comes_into_log_and_rows(laboratory: Laboratory) -> None:
    secret = dialplan_secret(laboratory.configuration)
    assert secret is not None
    told: list[str] = []
    laboratory.switch.listeners.append(lambda event: told.append(str(event)))
    with capture_logs() as log:
        channel = laboratory.call(YES)
        laboratory.settle()
    assert not {"consent_proof", "consent_called_at", "consent_secret"} & set(channel.variables)
    made = {found for event in told for found in re.findall(r"consent_proof\W+([0-9a-f]{32})", event)}
    assert len(made) == 1, "the switch tells of it until we have taken it off"
    rows = str([row.as_dict() for row in laboratory.rows(channel)])
    for word in (secret, *made):
        assert word not in str(log)
        assert word not in rows
    assert not any(secret in event for event in told)
    assert "consent_proof" not in told[-1]


def test_without_a_secret_nothing_is_proven(configure: Callable[..., Configuration], tmp_path: Path) -> None:
    with Laboratory(configure(), tmp_path, speed=20) as laboratory:
        assert handed_over(laboratory.configuration)
        laboratory.application._secret = None
        service = laboratory.configuration.service.changed(secret_file=None)
        laboratory.configuration = laboratory.configuration.changed(service=service)
        laboratory.use_switch("{}:{}".format(*laboratory.application.address))
        channel = laboratory.call(YES)
        assert "consent_secret" not in laboratory.switch.globals
        assert decision(laboratory, channel) == ("given", "consent_key")
