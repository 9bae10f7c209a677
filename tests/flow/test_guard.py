"""The guard: recorders that others start on calls whose caller did not agree; on the simulated switch (P5)."""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest
import soundfile
from consentivr.app import check
from structlog.testing import capture_logs

from consentivr.config import Configuration
from consentivr.core.dialogue import AgentWish
from consentivr.lab.caller import Caller
from consentivr.lab.event_socket import SimulatedEventSocket
from consentivr.lab.laboratory import Laboratory
from tests.flow.test_modes import NO, YES, ended, talking, turns, until
from tests.ledgers import whole

PASSWORD = "ClueCon"
Configure = Callable[..., Configuration]


class Guarded:
    """A laboratory whose application watches the switch."""

    def __init__(self, configuration: Configuration, folder: Path, *, speed: float = 20, **guard: object) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        secret = folder / "password"
        secret.write_text(PASSWORD + "\n")
        secret.chmod(0o600)
        self.elsewhere = folder / "elsewhere"
        section = configuration.guard.model_copy(
            update={
                "address": f"127.0.0.1:{self.port}",
                "password_file": str(secret),
                "erase_below": (str(self.elsewhere),),
                **guard,
            }
        )
        agents = configuration.agents.model_copy(
            update={
                "keys": {AgentWish.PAUSE: "*3", AgentWish.RESUME: "*4", AgentWish.STOP: "*2", AgentWish.START: "*1"}
            }
        )
        configuration = configuration.model_copy(update={"guard": section, "agents": agents})
        self.laboratory = Laboratory(configuration, folder, speed=speed)

    def __enter__(self) -> Guarded:
        self.laboratory.__enter__()
        self.watch()
        return self

    def __exit__(self, *_: object) -> None:
        self.laboratory.__exit__()

    def watch(self) -> None:
        self.socket = SimulatedEventSocket(self.laboratory.switch, PASSWORD, self.port)
        until(lambda: self.watches, seconds=15)

    @property
    def watches(self) -> bool | None:
        return self.laboratory.application.status().guard_watches

    @property
    def incidents(self) -> int:
        return self.laboratory.application.status().forbidden_recordings


@pytest.fixture
def guarded(configure: Configure, tmp_path: Path) -> Iterator[Guarded]:
    with Guarded(configure(), tmp_path) as made:
        yield made


def forget(laboratory: Laboratory) -> None:
    """As if another process served the calls."""
    laboratory.application._known.clear()


@pytest.mark.parametrize("known", [True, False], ids=["our call", "another process's call"])
@pytest.mark.parametrize("agent", [True, False], ids=["agent's leg", "caller's leg"])
def test_p5_a_forbidden_recording_is_stopped_and_erased(guarded: Guarded, agent: bool, known: bool) -> None:
    laboratory = guarded.laboratory
    took = []
    for number in range(10):
        channel = talking(laboratory, Caller(keys=NO, talks_ms=600_000))
        gevent.sleep(0.02)
        if not known:
            forget(laboratory)
        file = guarded.elsewhere / f"{number}.wav"
        began = time.monotonic()
        channel.record_without_asking(str(file), agent=agent)
        until(lambda: not channel.recorders and not channel.agent_recorders)  # noqa: B023 - waited for here
        took.append(time.monotonic() - began)
        until(lambda: not file.exists())  # noqa: B023
        legs = (
            channel.uuid,
            channel.agent.uuid,
        )  # this guard takes the other leg for the caller's, if it knows neither

        def rows() -> list[str]:
            return [row.turn for row in laboratory.rows() if row.channel_uuid in legs]  # noqa: B023

        until(lambda: "recording_erased" in rows())
        gevent.sleep(0.05)
        assert not file.exists()
        said = rows()
        assert said.count("forbidden_recording") >= 1
        ended(channel)
    assert max(took) < 1.0
    assert guarded.incidents >= 10
    whole(laboratory.folder / "ledger.sqlite3")


def test_p5_a_recording_that_the_caller_permitted_goes_on(guarded: Guarded) -> None:
    channel = talking(guarded.laboratory, Caller(keys=YES, talks_ms=60_000))
    gevent.sleep(0.1)
    assert len(channel.recorders) == 1
    forget(guarded.laboratory)
    channel.record_without_asking(str(guarded.elsewhere / "supervisor.wav"), agent=True)
    gevent.sleep(0.1)
    assert channel.agent_recorders, "the flag travels with the leg, and says that it may be recorded"
    ended(channel)
    assert guarded.incidents == 0


def test_p5_what_is_recorded_by_law_is_left_alone(configure: Configure, tmp_path: Path) -> None:
    with Guarded(configure("permanent", legal_basis="MiFID II"), tmp_path) as guarded:
        for known in (True, False):
            channel = talking(guarded.laboratory, Caller(talks_ms=60_000))
            if not known:
                forget(guarded.laboratory)
                channel.agent.variables["consent_no_record"] = "true"
            channel.record_without_asking(str(guarded.elsewhere / f"{known}.wav"), agent=True)
            gevent.sleep(0.1)
            assert channel.recorders
            assert channel.agent_recorders
            ended(channel)
        assert guarded.incidents == 0


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("agent", [True, False])
def test_p5_a_blind_guard_looks_at_everything_when_it_sees_again(guarded: Guarded, agent: bool, known: bool) -> None:
    laboratory = guarded.laboratory
    channel = talking(laboratory, Caller(keys=NO, talks_ms=600_000))
    gevent.sleep(0.05)
    if not known:
        channel.cut_socket()  # the call's own connection is gone as well
        gevent.sleep(0.05)
        forget(laboratory)
    guarded.socket.cut()
    until(lambda: guarded.watches is False)
    file = guarded.elsewhere / "x.wav"
    channel.record_without_asking(str(file), agent=agent)
    gevent.sleep(0.3)
    if agent or not known:
        assert channel.recorders or channel.agent_recorders, "nobody sees it"
    guarded.watch()
    until(lambda: not channel.recorders and not channel.agent_recorders)
    until(lambda: not file.exists())
    ended(channel)


def test_p5_a_leg_that_is_recorded_already_comes_together_with_who_declined(guarded: Guarded) -> None:
    channel = talking(guarded.laboratory, Caller(keys=NO, talks_ms=600_000))
    gevent.sleep(0.05)
    forget(guarded.laboratory)
    file = guarded.elsewhere / "before.wav"
    # It began before the guard connected, and before the bridge.
    channel.record_without_asking(str(file), agent=True, told=False)
    channel.event("CHANNEL_BRIDGE", {"Other-Leg-Unique-ID": channel.agent_leg})
    until(lambda: not channel.agent_recorders)
    until(lambda: not file.exists())
    ended(channel)


def test_the_officer_is_told(configure: Configure, tmp_path: Path) -> None:
    told = tmp_path / "told"
    program = f"import sys; open({str(told)!r}, 'w').write(sys.stdin.read())"
    with Guarded(configure(), tmp_path, command=(sys.executable, "-c", program)) as guarded:
        channel = talking(guarded.laboratory, Caller(keys=NO, talks_ms=60_000))
        gevent.sleep(0.05)
        channel.record_without_asking(str(guarded.elsewhere / "x.wav"), agent=True)
        until(lambda: told.exists() and told.read_text())
        assert json.loads(told.read_text())["channel_uuid"] == channel.uuid
        assert "+49" not in told.read_text()
        ended(channel)


@pytest.mark.parametrize("command", [("/nonexistent",), ("false",)])
def test_an_officer_who_cannot_be_told_is_logged(configure: Configure, tmp_path: Path, command: tuple) -> None:
    with capture_logs() as logs, Guarded(configure(), tmp_path, command=command) as guarded:
        channel = talking(guarded.laboratory, Caller(keys=NO, talks_ms=60_000))
        gevent.sleep(0.05)
        channel.record_without_asking(str(guarded.elsewhere / "x.wav"))
        until(lambda: not channel.recorders)
        gevent.sleep(0.3)
        ended(channel)
    assert "guard.command failed" in [line["event"] for line in logs]


def test_a_file_outside_the_allowed_folders_is_not_touched(guarded: Guarded, tmp_path: Path) -> None:
    """The switch names the path, and it is no licence to delete whatever it names."""
    precious = tmp_path / "precious.wav"
    channel = talking(guarded.laboratory, Caller(keys=NO, talks_ms=60_000))
    gevent.sleep(0.05)
    channel.record_without_asking(str(precious))
    until(lambda: not channel.recorders)
    gevent.sleep(0.2)
    assert precious.exists()
    assert "forbidden_recording" in turns(guarded.laboratory, channel)
    assert "recording_erased" not in turns(guarded.laboratory, channel)
    ended(channel)


def test_a_withdrawal_stops_what_records_the_agents_leg(guarded: Guarded) -> None:
    channel = talking(guarded.laboratory, Caller(keys=YES, talks_ms=60_000))
    gevent.sleep(0.1)
    channel.record_without_asking(str(guarded.elsewhere / "x.wav"), agent=True)
    gevent.sleep(0.1)
    assert channel.agent_recorders
    channel.press("*")
    channel.press("9")
    until(lambda: not channel.recorders and not channel.agent_recorders)
    ended(channel)


# --- the agent's keys ------------------------------------------------------------------------


def test_the_agents_keys(guarded: Guarded) -> None:
    channel = talking(guarded.laboratory, Caller(keys=YES, talks_ms=600_000))
    gevent.sleep(0.2)
    other = str(guarded.elsewhere / "x.wav")
    channel.record_without_asking(other, agent=True)
    gevent.sleep(0.1)
    for key in "*3":
        channel.agent_presses(key)
    until(lambda: channel.agent_masks == [("mask", other)])
    gevent.sleep(0.2)
    for key in "5*4":
        channel.agent_presses(key)
    until(lambda: channel.agent_masks[1:] == [("unmask", other)])
    gevent.sleep(0.2)
    for key in "*2":
        channel.agent_presses(key)
    until(lambda: not channel.recorders)
    gevent.sleep(0.1)
    ended(channel)
    said = turns(guarded.laboratory, channel)
    assert [turn for turn in said if "paused" in turn or "resumed" in turn or turn == "agent_stopped"] == [
        "recording_paused",
        "recording_resumed",
        "agent_stopped",
    ]
    paused = next(row for row in guarded.laboratory.rows(channel) if row.turn == "recording_paused")
    assert paused.evidence["by"] == "keys"
    assert len(paused.evidence["paths"]) == 2, "every recorder of the call"
    (path,) = channel.recorded
    samples, _ = soundfile.read(path)
    assert (abs(samples).max(axis=1) == 0).mean() > 0.2


def test_the_callers_keys_are_not_the_agents(guarded: Guarded) -> None:
    channel = talking(guarded.laboratory, Caller(keys=YES, talks_ms=600_000))
    gevent.sleep(0.1)
    for key in "*2*3":
        channel.press(key)
    for key in "*9":
        channel.agent_presses(key)
    gevent.sleep(0.2)
    assert channel.recorders, "an agent cannot take the caller's yes back, nor a caller pause"
    ended(channel)
    assert not {"withdrawn", "recording_paused", "agent_stopped"} & set(turns(guarded.laboratory, channel))


# --- connecting ------------------------------------------------------------------------------


def test_check_says_whether_the_guard_could_connect(guarded: Guarded, tmp_path: Path) -> None:
    configuration = guarded.laboratory.configuration

    def said() -> tuple[str, str]:
        finding = next(finding for finding in check(configuration, port=False) if finding.what == "guard")
        return finding.level, finding.said

    assert said()[0] == "good"
    (tmp_path / "password").write_text("wrong")
    assert said()[0] == "bad"
    assert "refused the password" in said()[1]
    (tmp_path / "password").chmod(0o644)
    assert "chmod 600" in said()[1]
    (tmp_path / "password").chmod(0o600)
    guarded.socket.cut()
    assert "cannot connect" in said()[1]


def test_health_says_when_the_guard_is_blind(guarded: Guarded) -> None:
    assert guarded.watches is True
    guarded.socket.cut()
    until(lambda: guarded.watches is False)
    guarded.watch()
    assert guarded.watches is True
