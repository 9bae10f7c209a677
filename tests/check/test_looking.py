"""Asking a switch, and looking at it again and again, over a real socket to a switch that answers as it is told."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import gevent.socket
import pytest
from structlog.testing import capture_logs

from consentivr import switch
from consentivr.check import Answers, Level, ask, asking, judged, lookout, probe
from consentivr.check.lookout import Lookout
from consentivr.core.turn import Turn
from consentivr.esl.errors import ESLError
from consentivr.esl.inbound import InboundConnection, Login
from consentivr.lab.event_socket import SimulatedEventSocket
from consentivr.lab.simulated import words
from consentivr.lab.simulated.faults import Faults
from consentivr.ledger import LedgerWriter
from consentivr.watch import Alarm
from tests.check.saying import WANTED, WELL, answers, loaded
from tests.waiting import until

PASSWORD = "a secret of the house"


class Told:
    """A switch that answers what it is told to."""

    core_uuid = "26c9d23f-fed1-4cfe-b05e-66ccabca7936"

    def __init__(self) -> None:
        self.answers = dict(WELL)
        self.faults = Faults()
        self.listeners: list[Callable[[words.Event], None]] = []

    def api(self, command: str) -> str:
        answer = self.answers.get(command)
        return "-ERR Command not found!\n" if answer is None else answer

    def load(self) -> None:
        """It has read its configuration anew, and tells so."""
        for hear in list(self.listeners):
            hear(words.without_a_channel("RELOADXML", self.core_uuid))


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def socket(told: Told) -> Iterator[SimulatedEventSocket]:
    made = SimulatedEventSocket(told, PASSWORD)
    yield made
    made.cut()


@pytest.fixture
def connect(socket: SimulatedEventSocket) -> Callable[[], InboundConnection]:
    def made(password: str = PASSWORD) -> InboundConnection:
        connection = InboundConnection(socket.address, Login(password))
        connection.connect()
        return connection

    return made


Connect = Callable[..., InboundConnection]


def levels(connect: Connect) -> dict[str, Level]:
    return {one.what: one.level for one in judged(ask(connect, WANTED), WANTED, "pbx")}


def test_everything_is_asked_but_of_the_log(connect: Connect, socket: SimulatedEventSocket) -> None:
    found = levels(connect)
    assert {what for what, level in found.items() if level is not Level.GOOD} == {"14 log", "15 traces"}
    assert len(socket.commands) == len(set(socket.commands)), "nothing is asked twice"
    asked = {command.partition(" ")[0] for command in socket.commands}
    words_of_questions = "conference global_getvar json module_exists show sofia user_data user_exists xml_locate"
    assert asked == set(words_of_questions.split()), "and nothing is set"
    until(lambda: socket.connections == 0)


def test_what_is_refused_or_hangs_is_not_seen(connect: Connect, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    told.faults.refuse("^show api", "-ERR permission denied")
    assert levels(connect)["8 modules"] is Level.NOT_SEEN
    told.faults.hang("^conference")
    monkeypatch.setattr(asking, "ANSWER_SECONDS", 0.3)
    found = levels(connect)
    assert found["6 conferences"] is Level.NOT_SEEN
    assert found["1 queues"] is not Level.BAD


def test_a_switch_that_still_loads_is_not_judged(connect: Connect, told: Told) -> None:
    told.answers[switch.STATUS] = "FreeSWITCH (Version 1.10.12 64bit) is not ready\n"
    with pytest.raises(asking.NotReady):
        ask(connect, WANTED)
    told.answers[switch.STATUS] = "-ERR permission denied"
    assert levels(connect)["1 queues"] is Level.GOOD, "who may not ask that asks the rest"


def test_who_is_not_let_in_is_told(connect: Connect) -> None:
    with pytest.raises(ESLError, match="refused the password"):
        ask(lambda: connect("another"), WANTED)


# --- what must be looked for -----------------------------------------------------------------


def bound(url: str) -> Answers:
    info = f"<profile><profile-info><bind-url>{url}</bind-url></profile-info></profile>"
    return answers(**{switch.profile("internal"): info})


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sip:mod_sofia@127.0.0.1:5080;transport=udp", ("127.0.0.1", 5080)),
        ("sip:mod_sofia@127.0.0.1:5060;transport=udp,tcp", ("127.0.0.1", 5060)),
        ("sip:mod_sofia@[2001:db8::1]:5090;transport=udp", ("2001:db8::1", 5090)),
        ("sip:mod_sofia@192.0.2.7", ("192.0.2.7", 5060)),
        ("sips:mod_sofia@127.0.0.1:5061;transport=tls", None),
        ("", None),
    ],
)
def test_where_a_profile_hears(url: str, expected: tuple[str, int] | None) -> None:
    assert probe.address_of(bound(url), "internal") == expected


def test_who_may_not_listen_to_the_log_has_seen_nothing_of_it(connect: Connect) -> None:
    assert probe.probe(connect, answers()) == ""
    assert probe.probe(lambda: connect("another"), answers()) == ""


def test_a_profile_that_does_not_answer_is_not_said_to_be_silent(connect: Connect) -> None:
    """Nor one that hears no UDP."""
    with gevent.socket.socket(gevent.socket.AF_INET, gevent.socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        heard: list[bytes] = []

        def answer() -> None:
            while True:
                data, where = peer.recvfrom(4096)
                heard.append(data)
                if b"OPTIONS" in data and len(heard) == 1:
                    peer.sendto(b"SIP/2.0 200 OK\r\n\r\n", where)

        answering = gevent.spawn(answer)
        assert probe.is_answered(peer.getsockname(), "consentivr-1")
        assert not probe.is_answered(peer.getsockname(), "consentivr-2")
        assert not probe.is_answered(None, "consentivr-3")
        answering.kill()
    text = heard[0].decode()
    assert text.startswith("OPTIONS sip:127.0.0.1:")
    assert "Call-ID: consentivr-1\r\n" in text
    assert text.endswith("Content-Length: 0\r\n\r\n")


# --- again and again -------------------------------------------------------------------------


class Looked:
    """A lookout with its ledger and its alarm."""

    def __init__(self, connect: Connect, folder: Path) -> None:
        self.folder = folder
        self.ours = True
        self.ledger = LedgerWriter(folder / "ledger.sqlite3")
        self.ledger.start()
        script = f"import sys; open({str(folder / 'told')!r}, 'a').write(sys.stdin.read())"
        self.alarm = Alarm([sys.executable, "-S", "-c", script])
        self.lookout = Lookout("pbx", connect, WANTED, self.ledger, self.alarm, lambda: self.ours)
        self.lookout.start()

    @property
    def rows(self) -> list[dict[str, Any]]:
        self.ledger.settle(5)
        return [row.evidence for row in self.ledger.of_no_call(Turn.SWITCH_CHECKED)]

    @property
    def told(self) -> list[dict[str, Any]]:
        file = self.folder / "told"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def end(self) -> None:
        self.lookout.stop()
        self.alarm.stop(5)
        self.ledger.stop()


@pytest.fixture
def look(connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Looked]]:
    monkeypatch.setattr(lookout, "AGAIN_SECONDS", 0.05)
    monkeypatch.setattr(lookout, "SETTLE_SECONDS", 0.05)
    made: list[Looked] = []

    def begin() -> Looked:
        made.append(Looked(connect, tmp_path))
        return made[-1]

    yield begin
    for one in made:
        one.end()


SNAPSHOT = "8 modules: mod_snapshot"


def test_what_comes_and_what_goes_is_a_row_and_an_alarm(look: Callable[[], Looked], told: Told) -> None:
    looked = look()
    until(lambda: looked.rows)
    assert looked.rows == [
        {"switch": "pbx", "new": [], "gone": [], "findings": {}, "not_seen": ["14 log", "15 traces"]}
    ]
    assert looked.lookout.counts() == {"warning": 0, "bad": 0, "not seen": 2}
    told.answers[switch.MODULES] = loaded("mod_snapshot")
    told.load()
    until(lambda: len(looked.rows) == 2)
    assert looked.rows[1] == looked.rows[0] | {"new": [SNAPSHOT], "findings": {SNAPSHOT: "warning"}}
    assert looked.lookout.counts()["warning"] == 1
    told.load()
    gevent.sleep(0.5)
    assert len(looked.rows) == 2, "nothing is told twice"
    told.answers[switch.MODULES] = loaded()
    told.load()
    until(lambda: len(looked.rows) == 3)
    assert looked.rows[2] == looked.rows[0] | {"gone": [SNAPSHOT]}
    until(lambda: len(looked.told) == 2)
    assert looked.told == [
        {"finding": "switch_checked", "switch": "pbx", "new": {SNAPSHOT: "warning"}, "gone": []},
        {"finding": "switch_checked", "switch": "pbx", "new": {}, "gone": [SNAPSHOT]},
    ]


def test_what_is_not_seen_is_not_gone(look: Callable[[], Looked], told: Told) -> None:
    told.answers[switch.MODULES] = loaded("mod_snapshot")
    looked = look()
    until(lambda: len(looked.rows) == 1)
    told.answers[switch.MODULES] = None
    told.load()
    until(lambda: len(looked.rows) == 2)
    assert looked.rows[1]["gone"] == []
    assert looked.rows[1]["findings"] == {SNAPSHOT: "warning"}
    assert "8 modules" in looked.rows[1]["not_seen"]
    until(lambda: looked.told)
    gevent.sleep(0.7)
    assert len(looked.told) == 1, "a right that is lost is a row, and no alarm"


def test_another_process_goes_on_where_this_one_was(look: Callable[[], Looked], told: Told) -> None:
    told.answers[switch.MODULES] = loaded("mod_snapshot")
    first = look()
    until(lambda: len(first.rows) == 1)
    first.end()
    second = look()
    until(lambda: second.lookout.findings)
    gevent.sleep(0.2)
    assert len(second.rows) == 1
    second.ours = False
    told.load()
    until(lambda: not second.lookout.findings)
    assert second.lookout.counts() == {}, "who does not watch counts nothing"


def test_the_log_tells_how_to_mend_it_and_no_secret(look: Callable[[], Looked], told: Told) -> None:
    told.answers[switch.GLOBALS] = f"{WELL[switch.GLOBALS]}sensitive_dtmf=true\n"
    with capture_logs() as said:
        looked = look()
        until(lambda: looked.rows)
    (found,) = [line for line in said if line["event"] == "found on the switch"]
    assert (found["what"], found["level"]) == ("13 keys: sensitive_dtmf", "bad")
    assert "global_setvar sensitive_dtmf=false" in found["mend"]
    for secret in ("geheim", "1234", PASSWORD):
        assert secret not in f"{said} {looked.rows}"


def test_somebody_asks_for_a_look(
    look: Callable[[], Looked], told: Told, socket: SimulatedEventSocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = look()
    until(lambda: looked.rows)
    told.answers[switch.MODULES] = loaded("mod_snapshot")
    (found,) = [one for one in looked.lookout.look_now(5) if one.level is Level.WARNING]
    assert (found.what, found.part) == (SNAPSHOT, "pbx")
    assert looked.rows[-1]["new"] == [SNAPSHOT]
    both = gevent.joinall([gevent.spawn(looked.lookout.look_now, 5) for _ in range(2)])
    assert both[0].value is both[1].value, "one look for both"
    told.faults.hang("^conference")
    monkeypatch.setattr(asking, "ANSWER_SECONDS", 0.5)
    (late,) = looked.lookout.look_now(0.1)
    assert (late.what, late.level, late.said) == (
        "settings",
        Level.NOT_SEEN,
        "it cannot be asked: it has taken longer than 0 s",
    )
    assert len(looked.lookout.look_now(5)) > 1, "it went on"
    looked.ours = False
    (others,) = looked.lookout.look_now(5)
    assert others.said == "it cannot be asked: this process does not watch it"
    looked.ours = True
    socket.cut()
    (away,) = looked.lookout.look_now(5)
    assert (away.level, away.part) == (Level.NOT_SEEN, "pbx")
    assert len(looked.rows) == 3, "what could not be asked is no row"


def test_a_switch_that_is_away_is_looked_at_when_it_is_back(
    look: Callable[[], Looked], socket: SimulatedEventSocket
) -> None:
    socket.cut()
    looked = look()
    with capture_logs() as said:
        gevent.sleep(0.3)
    assert [line["event"] for line in said] == ["the switch cannot be looked at"], "once, not each time"
    assert looked.rows == []
    assert not looked.lookout.is_dead
    socket.listen()
    until(lambda: looked.rows)
