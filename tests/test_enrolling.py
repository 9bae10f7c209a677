"""The line on which agents agree: PINs, and whole calls on the simulated switch."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import gevent
import gevent.socket
import pytest
import yaml
from click.testing import CliRunner

from consentivr.check import Level
from consentivr.check.law import agents_line
from consentivr.cli import main
from consentivr.config import ConfigError, Configuration, loads
from consentivr.config.agents import AgentsLine
from consentivr.core.enrolling import AgentAnnouncement, Proof
from consentivr.custody import Pins
from consentivr.esl.session import SUBSCRIPTIONS
from consentivr.files import NotPrivate
from consentivr.lab.caller import Caller
from consentivr.lab.laboratory import Laboratory
from consentivr.ledger import REGISTER, Ledger, Search
from consentivr.service.build import rendered
from consentivr.service.here import pins as check_pins
from consentivr.service.here import private_files
from tests.esl.peers import CONNECT_REPLY, OK, proven
from tests.waiting import until

pytestmark = pytest.mark.slow

PIN = "271828"
ANNA = "1001@default"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pins(tmp_path: Path, clock: Clock) -> Pins:
    made = Pins(tmp_path / "agents.pins", clock)
    made.set(ANNA, "1001", PIN)
    return made


# --- PINs ------------------------------------------------------------------------------------


def test_a_pin_is_hashed_and_the_file_is_private(pins: Pins, tmp_path: Path) -> None:
    file = tmp_path / "agents.pins"
    assert PIN not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    assert pins.check("1001", PIN) == (Proof.PROVEN, ANNA)
    assert pins.check("1002", PIN) == (Proof.WRONG, "")
    file.chmod(0o644)
    with pytest.raises(NotPrivate):
        pins.check("1001", PIN)


def test_wrong_ones_are_slowed_counted_over_restarts_and_locked(pins: Pins, tmp_path: Path, clock: Clock) -> None:
    for wrong in range(10):
        pins = Pins(tmp_path / "agents.pins", clock)
        assert pins.check("1001", "000000") == (Proof.WRONG, ANNA), wrong
        assert pins.check("1001", PIN) == (Proof.LOCKED, ANNA), "not even the right one, for a while"
        clock.now += min(60.0, 2.0**wrong)
    clock.now += 1e6
    assert pins.check("1001", PIN) == (Proof.LOCKED, ANNA)
    pins.set(ANNA, "1001", "314159")
    assert pins.check("1001", "314159") == (Proof.PROVEN, ANNA)


def test_the_right_one_ends_the_count(pins: Pins, clock: Clock) -> None:
    for _ in range(3 * 4):
        assert pins.check("1001", "000000")[0] is Proof.WRONG
        clock.now += 1.0
        assert pins.check("1001", PIN)[0] is Proof.PROVEN


@pytest.mark.parametrize(
    ("number", "pin", "said"),
    [
        ("1001a", PIN, "1 to 12 digits"),
        ("", PIN, "1 to 12 digits"),
        ("1002", "12345", "6 to 12 digits"),
        ("1002", "12345x", "6 to 12 digits"),
        ("1002", "111111", "the first that anybody would try"),
        ("1002", "345678", "the first that anybody would try"),
        ("271828", "271828", "the first that anybody would try"),
        ("1001", PIN, "1001@default's"),
    ],
)
def test_what_is_no_pin(pins: Pins, number: str, pin: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        pins.set("1002@default", number, pin)


def test_an_agent_has_one_number(pins: Pins) -> None:
    pins.set(ANNA, "77", PIN)
    assert pins.check("1001", PIN) == (Proof.WRONG, "")
    assert pins.check("77", PIN) == (Proof.PROVEN, ANNA)


# --- calls -----------------------------------------------------------------------------------


@pytest.fixture
def house(configure: Callable[..., Configuration], tmp_path: Path, pins: Pins) -> Configuration:
    line = AgentsLine(
        number="5099",
        pins_file=str(tmp_path / "agents.pins"),
        announcements={announcement: announcement.value for announcement in AgentAnnouncement},
    )
    made = configure()
    return made.changed(agents=made.agents.changed(line=line))


def register(laboratory: Laboratory) -> list[tuple[str, dict[str, object]]]:
    ledger = Ledger(laboratory.configuration.ledger.location, create=False)
    try:
        return [(row.turn, row.evidence) for row in ledger.read(Search(channel=REGISTER))]
    finally:
        ledger.close()


def keys(*typed: str) -> dict[int, tuple[str, int]]:
    return {number: (digits, 100) for number, digits in enumerate(typed, 1)}


def test_an_agent_agrees_by_phone_and_takes_it_back(house: Configuration, tmp_path: Path) -> None:
    with Laboratory(house, tmp_path / "lab", speed=20) as laboratory:
        for key, turn in (("1", "agent_agreed"), ("9", "agent_withdrew")):
            channel = laboratory.call(Caller(keys=keys("1001#", f"{PIN}#", key)), "5099")
            said, evidence = register(laboratory)[-1]
            assert (said, evidence["agent"], evidence["by"]) == (turn, ANNA, "phone")
            assert PIN not in str(channel.variables), "it goes into no call record"
            assert not {"consent_proof", "consent_called_at"} & set(channel.variables)
            assert channel.applications[-1] == "hangup"
        agreed = register(laboratory)[0][1]
        ledger = Ledger(laboratory.configuration.ledger.location, create=False)
        heard = ledger.notice(str(agreed["wording"]))
        ledger.close()
        assert heard is not None
        assert heard.text == "wording", "what was agreed to can be read"
        assert [said for said, _ in register(laboratory)] == ["agent_agreed", "agent_withdrew"]
        assert laboratory.rows() == [], "no visit, nothing else"


@pytest.mark.parametrize(
    "typed",
    [
        ("1001#", "000000#", "1001#", f"{PIN}#", "1"),
        ("1002#", f"{PIN}#", "1003#", f"{PIN}#", "1004#", f"{PIN}#"),
        ("1001#", f"{PIN}#", "5", "5", "5"),
        ("1001#", f"{PIN}#"),
        (),
    ],
    ids=["wrong, then at once right", "nobody's number", "another key", "silence", "nothing"],
)
def test_everything_else_changes_nothing(house: Configuration, tmp_path: Path, typed: tuple[str, ...]) -> None:
    with Laboratory(house, tmp_path / "lab", speed=50) as laboratory:
        channel = laboratory.call(Caller(keys=keys(*typed)), "5099")
        assert channel.over
        assert laboratory.rows() == []
        assert register(laboratory) == []


@pytest.mark.parametrize("occurrence", [1, 2, 3])
def test_who_hangs_up_has_said_nothing(house: Configuration, tmp_path: Path, occurrence: int) -> None:
    with Laboratory(house, tmp_path / "lab", speed=50) as laboratory:
        ends = ("play_and_get_digits", occurrence, 50)
        channel = laboratory.call(Caller(keys=keys("1001#", f"{PIN}#"), hangs_up=ends), "5099")
        assert channel.over
        until(lambda: laboratory.application.calls == 0, 3)
        assert laboratory.rows() == []
        assert register(laboratory) == []


def test_who_does_not_know_the_secret_is_asked_for_no_pin(house: Configuration, tmp_path: Path) -> None:
    said = CONNECT_REPLY.replace(b"Caller-Caller", b"Caller-Destination-Number: 5099\nCaller-Caller")
    with Laboratory(house, tmp_path / "lab", speed=20) as laboratory:
        for peer_says, let_in in ((said, False), (proven(said, laboratory.configuration), True)):
            with gevent.socket.create_connection(laboratory.application.address, timeout=5) as peer:
                peer.sendall(peer_says + OK * len(SUBSCRIPTIONS))
                heard = b""
                while b"sendmsg" not in heard and (data := peer.recv(65536)):
                    heard += data
            assert (b"gives this call back" in heard) is not let_in
        laboratory.switch.globals["consent_secret"] = "another"
        channel = laboratory.call(Caller(keys=keys("1001#", f"{PIN}#", "1")), "5099")
        assert channel.over
        assert not {"consent_proof", "consent_typed"} & set(channel.variables)
        assert laboratory.application.status().refused == 2
        assert register(laboratory) == []


def test_a_caller_is_asked_as_ever_beside_it(house: Configuration, tmp_path: Path) -> None:
    with Laboratory(house, tmp_path / "lab", speed=20) as laboratory:
        laboratory.call(Caller(keys={1: ("1", 1200)}))
        assert "decision" in [row.turn for row in laboratory.rows()]


def test_it_is_in_the_dialplan_only_where_it_is_configured(
    house: Configuration, configure: Callable[..., Configuration]
) -> None:
    (with_it,) = (text for name, text in rendered(house).items() if name.startswith("dialplan/"))
    (without,) = (text for name, text in rendered(configure()).items() if name.startswith("dialplan/"))
    assert 'expression="^5099$"' in with_it
    assert "consentivr-agents" not in without


# --- what an administrator does --------------------------------------------------------------


def test_a_pin_is_set_from_the_command_line(house: Configuration, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    data = house.model_dump(mode="json", exclude_none=True)
    file.write_text(yaml.safe_dump(data))
    ask = ["agents", "pin", "set", "-c", str(file), "1002@default"]
    done = CliRunner().invoke(main, ask, input="161803\n161803\n")
    assert done.exit_code == 0, done.output
    assert "161803" not in done.output
    assert Pins(tmp_path / "agents.pins").check("1002", "161803") == (Proof.PROVEN, "1002@default")
    assert CliRunner().invoke(main, ask, input="1\n1\n").exit_code == 2
    del data["agents"]["line"]
    file.write_text(yaml.safe_dump(data))
    assert "see agents.line" in CliRunner().invoke(main, ask, input="161803\n161803\n").output


def test_check_looks_at_the_pins_and_at_the_wording(house: Configuration, tmp_path: Path) -> None:
    assert [one.level for one in agents_line(house)] == [Level.WARNING], "its wording names no key"
    assert list(check_pins(house)) == []
    assert tmp_path / "agents.pins" in private_files(house)
    (tmp_path / "agents.pins").unlink()
    (missing,) = check_pins(house)
    assert "agents pin set" in missing.mend


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"number": "5000"}, "a line has this number already"),
        ({"announcements": {"number": "a", "pin": "b"}}, "lacks 'wording'"),
        ({"decline_key": "1"}, "the same key"),
    ],
)
def test_a_mistake_in_it(line: dict[str, object], said: str) -> None:
    good = {"number": "5099", "announcements": {"number": "a", "pin": "b", "wording": "c"}}
    text = """
lines: {support: {number: "5000", queue: support}}
queues: {support: {name: support@default}}
announcements: {de: {question: Ja}}
"""
    assert ("de", "agents-wording") in loads(text + f"agents: {json.dumps({'line': good})}").sound_files()
    with pytest.raises(ConfigError, match=said):
        loads(text + f"agents: {json.dumps({'line': {**good, **line}})}")
