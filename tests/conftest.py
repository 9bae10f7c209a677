"""Fixtures for the flow tests: a configuration with short sounds, and a laboratory around it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import structlog

from consentivr.config import Configuration, loads
from consentivr.config.model import SAMPLE_RATES
from consentivr.core.enrolling import AgentAnnouncement
from consentivr.core.policy import Announcement
from consentivr.files import write_secret
from consentivr.lab.laboratory import Laboratory
from consentivr.lab.native import find_freeswitch
from consentivr.ledger import Ledger, Signer, make_key
from tests.ledgers import whole
from tests.postgres import Server, find_postgres

structlog.configure(logger_factory=structlog.ReturnLoggerFactory())


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    """A verb of the command line sets up the log of its process, which is ours."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


YAML = """
service: {{secret_file: {secret_file}}}
sounds: {{folder: {sounds}}}
ledger: {{commit_timeout_ms: {commit_timeout_ms}, numbers: {numbers}}}
agents: {{must_agree: {must_agree}}}
language: de
question: {{attempts: 2, answer_timeout_ms: 1000, hear_to_end: {hear_to_end}, min_heard_ms: {min_heard_ms}{keys}}}
switches: [{{address: "127.0.0.1:8021", password_file: {password_file}}}]
watch: {{sweep_s: 1}}
lines:
  support: {{number: "5000", queue: support}}
queues:
  support:
    name: support@default
    recording: {{mode: {mode}{legal_basis}{recording}}}
    retention: {{refusals_days: 30, audio_days: 90, rows_days: 1000}}
    unanswered: {{{unanswered}}}
announcements:
  de: {{{announcements}}}
"""


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every announcement as a hum of 400 ms, the question of 1 s, those of the agents' line of 300 ms."""
    folder = tmp_path_factory.mktemp("sounds")
    lengths = {announcement.value: 0.4 for announcement in Announcement} | {Announcement.QUESTION.value: 1.0}
    lengths |= {f"agents-{announcement.value}": 0.3 for announcement in AgentAnnouncement}
    for rate in SAMPLE_RATES:
        for name, seconds in lengths.items():
            path = folder / "de" / str(rate) / f"{name}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            hum = 0.3 * np.sin(2 * np.pi * 300 * np.arange(int(rate * seconds)) / rate)
            soundfile.write(str(path), hum, rate, subtype="PCM_16")
    return folder


@pytest.fixture(scope="session")
def event_socket_password(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that holds a switch's password, as ``switches`` wants it."""
    file = tmp_path_factory.mktemp("switch") / "event_socket.password"
    write_secret(file, "ClueCon")
    return file


@pytest.fixture
def configure(configure_once: Callable[..., Configuration]) -> Callable[..., Configuration]:
    return configure_once


@pytest.fixture(scope="session")
def configure_once(sounds: Path, event_socket_password: Path) -> Callable[..., Configuration]:
    """For what several tests share."""

    def make(
        mode: str = "permanent_opt_out",
        *,
        legal_basis: str = "",
        hear_to_end: bool = False,
        unanswered: str = "then: hangup",
        commit_timeout_ms: int = 2000,
        sounds_folder: Path = sounds,
        ledger: str | Path = "",
        must_agree: bool = False,
        recording: str = "",
        keys: str = "",
        min_heard_ms: int = 0,
        numbers: str = "all",
    ) -> Configuration:
        """``ledger``: a postgresql:// URL, instead of the laboratory's own file; ``keys``: more of ``question``."""
        made = loads(
            YAML.format(
                sounds=sounds_folder,
                mode=mode,
                legal_basis=f", legal_basis: {legal_basis}" if legal_basis else "",
                must_agree=str(must_agree).lower(),
                recording=recording,
                keys=keys,
                min_heard_ms=min_heard_ms,
                numbers=numbers,
                password_file=event_socket_password,
                secret_file=event_socket_password.with_name("dialplan.secret"),
                hear_to_end=str(hear_to_end).lower(),
                unanswered=unanswered,
                commit_timeout_ms=commit_timeout_ms,
                announcements=", ".join(f"{announcement.value}: Text" for announcement in Announcement),
            )
        )
        if not str(ledger).startswith("postgresql://"):
            return made
        return made.changed(ledger=made.ledger.changed(url=ledger))

    return make


@pytest.fixture
def laboratory(configure: Callable[..., Configuration], tmp_path: Path) -> Iterator[Laboratory]:
    with Laboratory(configure(), tmp_path, speed=20) as made:
        yield made


# --- both databases --------------------------------------------------------------------------


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if find_postgres() is None and os.environ.get("CONSENTIVR_REQUIRE_POSTGRESQL") != "1":
        pytest.skip("no PostgreSQL server on this machine")
    server = Server(tmp_path_factory.mktemp("postgres"))
    yield server
    server.end()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    """Where a new ledger may be: a path, or an empty database of PostgreSQL."""
    if request.param == "sqlite":
        return tmp_path / "ledger.sqlite3"
    server: Server = request.getfixturevalue("postgres")
    return server.new()


@pytest.fixture
def ledger(location: str | Path) -> Iterator[Ledger]:
    """A new one, which must be whole in the end."""
    made = Ledger(location)
    yield made
    made.close()
    whole(location)


# --- recordings ------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where recordings lie."""
    made = tmp_path / "recordings"
    made.mkdir()
    return made


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    """Signs a ledger."""
    return make_key(tmp_path / "key")


# --- a real FreeSWITCH -----------------------------------------------------------------------


WHOLE_CALLS = {"flow", "lab", "switch"}
"""Folders whose tests wait for calls: all of them are slow."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    required = os.environ.get("CONSENTIVR_REQUIRE_FREESWITCH") == "1"  # a skip is a failure: let them run and fail
    missing = {
        "freeswitch": None if find_freeswitch() else "no FreeSWITCH: not on PATH, CONSENTIVR_FREESWITCH not set",
        "sipp": None if shutil.which("sipp") else "no sipp on PATH",
    }
    for item in items:
        if item.path.parent.name in WHOLE_CALLS or "postgres" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
        for name, reason in missing.items():
            if reason and item.get_closest_marker(name) and not required:
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = [r for r in terminalreporter.stats.get("skipped", []) if "freeswitch" in r.keywords]
    ran = [r for r in terminalreporter.stats.get("passed", []) if "freeswitch" in r.keywords]
    failed = [r for r in terminalreporter.stats.get("failed", []) if "freeswitch" in r.keywords]
    terminalreporter.section("real FreeSWITCH")
    if skipped and not ran and not failed:
        terminalreporter.write_line(f"NOT RUN: {len(skipped)} tests on a real FreeSWITCH were skipped.", red=True)
    else:
        terminalreporter.write_line(f"{len(ran)} passed, {len(failed)} failed, {len(skipped)} skipped.")
