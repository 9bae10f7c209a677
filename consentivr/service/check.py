"""The three parts of ``consentivr check``, put together from the configuration: here, the switches, the law."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from consentivr.check import Answers, Finding, Level, Wanted, ask, judged
from consentivr.check.door import DEFAULT_PASSWORD
from consentivr.check.files import located, read
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


def check(configuration: Configuration, *, port: bool = True, live: bool = False) -> list[Finding]:
    """Everything; ``live`` asks the switches how they are set up."""
    findings = here(configuration, port=port)
    if live:
        findings += [finding for switch in configuration.switches for finding in of_switch(configuration, switch)]
    return findings + law(configuration)


def wanted_of(configuration: Configuration, switch: Switch) -> Wanted:
    """What the configuration wants of a switch."""
    made = queues(configuration).values()
    try:
        ours = read_secret(switch.password_file)
    except OSError:
        ours = ""
    return Wanted(
        queues={queue.name: queue.record_template for queue in made},
        demanded=frozenset(queue.name for queue in made if queue.mode is RecordingMode.PERMANENT),
        users=tuple(configuration.agents.users),
        default_password=ours == DEFAULT_PASSWORD,
        known=configuration.check.known,
    )


def connected(switch: Switch) -> InboundConnection:
    """A connection that has signed in. Raises ESLError, OSError."""
    connection = InboundConnection(switch.address, Login(read_secret(switch.password_file), switch.user))
    connection.connect()
    return connection


def of_switch(configuration: Configuration, switch: Switch) -> list[Finding]:
    """A switch as it is set up, row by row, with the places in its files where they can be read from here."""
    ours, connect = wanted_of(configuration, switch), partial(connected, switch)
    try:
        answers = ask(connect, ours, partial(probe, connect))
    except (ESLError, OSError) as error:
        said, mend = f"it lets nobody in: {error}", "see event_socket.conf.xml, and 'switches'"
        return [Finding("settings", Level.NOT_SEEN, said, mend, part=str(switch.address))]
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
