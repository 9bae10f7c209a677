"""Whether ``serve`` could work: looked at, and told with what to do."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from consentivr.config import Configuration
from consentivr.config.model import SAMPLE_RATES, endpoint, path_of
from consentivr.esl.errors import ESLError
from consentivr.esl.inbound import InboundConnection
from consentivr.files import read_secret
from consentivr.ledger import Ledger, LedgerError, check_head
from consentivr.prompts import AudioProblem, inspect, written_for
from consentivr.resources import room_for_calls
from consentivr.service.build import head_file, signer, sounds_folder, stamper


@dataclass(frozen=True)
class Finding:
    """One thing that ``consentivr check`` looked at."""

    what: str
    level: Literal["good", "warning", "bad"]
    said: str


def check(configuration: Configuration, *, port: bool = True) -> list[Finding]:
    """Whether ``serve`` could work: sound files, ledger, recordings folder, port."""
    findings = _check_sounds(configuration)
    findings.append(_check_ledger(configuration))
    findings.append(_check_recordings(configuration))
    findings += [_check_switch(switch.address, switch.password_file) for switch in configuration.switches]
    findings.append(_check_descriptors(configuration))
    if port:
        findings.append(_check_port(configuration))
    return findings


def _check_sounds(configuration: Configuration) -> list[Finding]:
    folder = sounds_folder(configuration)
    findings = []
    for (language, stem), text in sorted(configuration.sound_files().items()):
        for rate in SAMPLE_RATES:
            what = f"sound {language}/{rate}/{stem}"
            try:
                spoken = inspect(folder, language, rate, stem, text)
            except AudioProblem as problem:
                findings.append(Finding(what, "bad", str(problem)))
                continue
            if written_for(Path(spoken.path), text) is False:
                findings.append(Finding(what, "warning", "its text was changed since: run 'consentivr prompts build'"))
            elif " " in spoken.path:
                findings.append(Finding(what, "bad", "its path has a blank, where FreeSWITCH ends it: move it"))
            else:
                findings.append(
                    Finding(what, "good", f"{spoken.duration_ms / 1000:.1f} s, version {spoken.notice.digest[:12]}")
                )
    return findings


def _check_ledger(configuration: Configuration) -> Finding:
    try:
        key = signer(configuration)
        stamper(configuration)
        check_head(configuration.ledger.location, head_file(configuration))
        ledger = Ledger(configuration.ledger.location)
        ledger.check_writable()
        ledger.close()
    except LedgerError as error:
        return Finding("ledger", "bad", str(error))
    signed = f"checkpoints are signed by {key.key_id}" if key else "checkpoints are not signed"
    return Finding("ledger", "good", f"{ledger.name} can be written; {signed}")


def _check_recordings(configuration: Configuration) -> Finding:
    folder = Path(configuration.recordings.folder)
    if folder.is_dir() and not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        said = f"{folder}: recordings cannot be sealed and erased; run as FreeSWITCH's user, or see docs/admin.md"
        return Finding("recordings", "bad", said)
    if folder.is_dir():
        return Finding("recordings", "good", f"{folder} is there; FreeSWITCH's user must be able to write to it")
    return Finding("recordings", "warning", f"{folder} is not there yet: make it, writable for FreeSWITCH's user")


def _check_switch(address: str, password_file: str) -> Finding:
    what = f"switch {address}"
    try:
        connection = InboundConnection(endpoint(address), read_secret(path_of(password_file)))
        connection.connect()
        connection.stop()
    except (OSError, ESLError) as error:
        said = (
            f"{error}; conversations cannot be followed, so nothing is recorded: see event_socket.conf.xml, 'switches'"
        )
        return Finding(what, "bad", said)
    return Finding(what, "good", "its event socket lets us in")


def _check_descriptors(configuration: Configuration) -> Finding:
    wanted = configuration.service.max_connections
    room = room_for_calls(wanted)
    if room < wanted:
        return Finding("descriptors", "warning", too_few(wanted, room))
    return Finding("descriptors", "good", f"enough for service.max_connections, {wanted} calls")


def too_few(wanted: int, room: int) -> str:
    return (
        f"service.max_connections is {wanted}, but the system allows this process {room} calls at once: raise "
        "LimitNOFILE in its systemd unit, or 'ulimit -n'"
    )


def _check_port(configuration: Configuration) -> Finding:
    host, port = endpoint(configuration.service.listen)
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        return Finding(
            "port", "bad", f"{configuration.service.listen} cannot be listened on: {error.strerror or error}"
        )
    return Finding("port", "good", f"{configuration.service.listen} is free")
