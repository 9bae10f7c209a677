"""The three parts of ``consentivr check``, put together from the configuration: here, the switches, the law."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from consentivr.check import Answers, Finding, Level, Wanted, ask, door, judged, not_asked
from consentivr.check.asking import Connect
from consentivr.check.files import located, read, values
from consentivr.check.law import law
from consentivr.check.probe import probe
from consentivr.config import Configuration, lines_of
from consentivr.config.service import Switch
from consentivr.core.policy import RecordingMode
from consentivr.esl.errors import ESLError
from consentivr.esl.inbound import InboundConnection, Login
from consentivr.files import read_secret
from consentivr.service.build import queues
from consentivr.service.here import here
from consentivr.switch import GLOBALS


def check(configuration: Configuration, *, port: bool = True, live: bool = False) -> list[Finding]:
    """Everything; ``live`` asks the switches how they are set up."""
    findings = here(configuration, port=port)
    if live:
        findings += [finding for switch in configuration.switches for finding in of_switch(configuration, switch)]
    return findings + law(configuration)


def wanted_of(configuration: Configuration, switch: Switch) -> Wanted:
    """What the configuration wants of a switch."""
    made = queues(configuration).values()
    lines = [*configuration.lines, *(["agents"] if configuration.agents.line else [])]
    return Wanted(
        context=configuration.freeswitch.context,
        extensions=tuple(f"consentivr-{line}" for line in lines),
        hosts="|".join(map(str, configuration.service.hosts)),
        secret=_secret(configuration.service.secret_file),
        queues={queue.name: queue.record_template for queue in made},
        demanded=frozenset(queue.name for queue in made if queue.mode is RecordingMode.PERMANENT),
        users=tuple(configuration.agents.users),
        default_password=_secret(switch.password_file) == door.DEFAULT_PASSWORD,
        known=configuration.check.known,
    )


def _secret(file: Path | None) -> str | None:
    """None where there is none yet, or none that we may read: that is said elsewhere."""
    try:
        return None if file is None else read_secret(file)
    except OSError:
        return None


def connected(switch: Switch, login: Login | None = None) -> InboundConnection:
    """A connection that has signed in, by default as we do. Raises ESLError, OSError."""
    ours = login or Login(read_secret(switch.password_file), switch.user)
    connection = InboundConnection(switch.address, ours)
    connection.connect()
    return connection


def master(switch: Switch, connect: Connect) -> Connect:
    """With the password that may ask everything, for whoever can read it in the switch's own files; else ``connect``.

    The account that we serve with has few rights, and sees little. Raises ESLError, OSError.
    """
    if switch.user is None:
        return connect
    connection = connect()
    try:
        said = connection.send(f"api {GLOBALS}").body.decode("utf-8", "replace")
    finally:
        connection.stop()
    known = Answers({GLOBALS: said}).globals
    for password in values(read(Path(known.get("conf_dir", "/nowhere"))), door.PASSWORD, known):
        with_it = partial(connected, switch, Login(password))
        with contextlib.suppress(ESLError, OSError):
            with_it().stop()
            return with_it
    return connect


def of_switch(configuration: Configuration, switch: Switch) -> list[Finding]:
    """A switch as it is set up, row by row, with the places in its files where they can be read from here."""
    ours = wanted_of(configuration, switch)
    connect: Connect = partial(connected, switch)
    try:
        connect = master(switch, connect)
        answers = ask(connect, ours, partial(probe, connect))
    except (ESLError, OSError) as error:
        return [not_asked(str(switch.address), error)]
    return in_its_files(judged(answers, ours, str(switch.address)), answers)


def in_its_files(findings: Iterable[Finding], answers: Answers) -> list[Finding]:
    """With file and line, where the switch is on this machine and we may read its configuration."""
    folder = answers.globals.get("conf_dir")
    return list(findings) if not folder else located(findings, read(Path(folder)))


def in_our_file(findings: Iterable[Finding], file: Path) -> list[Finding]:
    """What is about our own configuration, with its line there."""
    line = lines_of(file)
    return [
        finding.at(str(file), line(finding.setting))
        if finding.setting and finding.file is None and finding.part in ("here", "law")
        else finding
        for finding in findings
    ]


def is_well(findings: Iterable[Finding]) -> bool:
    """Whether nothing is bad, and nothing was left unseen: silence is never good."""
    return not any(finding.level in (Level.BAD, Level.NOT_SEEN) for finding in findings)
