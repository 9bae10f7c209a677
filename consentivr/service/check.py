"""Whether ``serve`` could work: looked at, and told with what to do."""

from __future__ import annotations

import glob
import os
import pwd
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from consentivr.config import Configuration, wording
from consentivr.config.model import SAMPLE_RATES
from consentivr.config.service import Switch
from consentivr.core.enrolling import AgentAnnouncement
from consentivr.esl.errors import ESLError
from consentivr.esl.inbound import InboundConnection, Login
from consentivr.esl.peer import is_told, user_of
from consentivr.files import open_to_others, read_secret
from consentivr.ledger import Ledger, LedgerError, check_head
from consentivr.privacy import missing
from consentivr.prompts import AudioProblem, inspect, written_for
from consentivr.resources import room_for_calls
from consentivr.service.build import CannotServe, dialplan_secret, head_file, peer_users, signer, sounds_folder, stamper


@dataclass(frozen=True)
class Finding:
    """One thing that ``consentivr check`` looked at."""

    what: str
    level: Literal["good", "warning", "bad"]
    said: str


def check(configuration: Configuration, *, port: bool = True) -> list[Finding]:
    """Whether ``serve`` could work: sound files, ledger, recordings folder, port."""
    findings = _check_sounds(configuration)
    findings += _check_questions(configuration)
    findings.append(_check_ledger(configuration))
    findings += _check_private(configuration)
    findings.append(_check_numbers(configuration))
    findings += _check_retention(configuration)
    findings += check_agents_line(configuration)
    findings += _check_privacy(configuration)
    findings += _check_recordings(configuration)
    findings += [_check_switch(configuration, switch) for switch in configuration.switches]
    findings.append(_check_secret(configuration))
    findings.append(_check_descriptors(configuration))
    if port:
        findings.append(_check_port(configuration))
    return findings


def _check_sounds(configuration: Configuration) -> list[Finding]:
    folder = sounds_folder(configuration)
    findings, heard = [], configuration.heard_files()
    for (language, stem), text in sorted(configuration.sound_files().items()):
        for rate in SAMPLE_RATES:
            what = f"sound {language}/{rate}/{stem}"
            try:
                spoken = inspect(folder, language, rate, stem, text)
            except AudioProblem as problem:
                findings.append(Finding(what, "bad", str(problem)))
                continue
            if " " in spoken.path:
                findings.append(Finding(what, "bad", "its path has a blank, where FreeSWITCH ends it: move it"))
            elif written_for(Path(spoken.path), text, heard.get((language, stem))) is False:
                why = "how much of it must be heard was measured for other keys: run 'consentivr prompts build'"
                findings.append(Finding(what, "warning", why))
            else:
                findings.append(
                    Finding(what, "good", f"{spoken.duration_ms / 1000:.1f} s, version {spoken.notice.digest[:12]}")
                )
    return findings


def _check_questions(configuration: Configuration) -> list[Finding]:
    """Both keys and the way back are told before the yes (GDPR art. 7(3))."""
    findings = []
    for name, line in configuration.lines.items():
        if not configuration.queues[line.queue].recording.mode.asks:
            continue
        what = f"question of line {name}"
        back = configuration.question_of(name).withdrawal_keys
        untold = configuration.untold_of(name)
        if not untold:
            findings.append(Finding(what, "good", f"names both keys, and the way back ({back})"))
        for key in untold:
            said = f"a caller may agree before the key {key} was named"
            if key == back:
                said = (
                    f"a caller may agree before hearing that {back} takes it back; GDPR art. 7(3) wants it told before"
                )
            findings.append(Finding(what, "warning", f"{said}: see docs/admin.md, Announcements"))
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


def check_agents_line(configuration: Configuration) -> list[Finding]:
    """The line on which agents agree: its wording names its keys, and somebody has a PIN."""
    line = configuration.agents.line
    if line is None:
        return []
    findings = []
    text, language = line.announcements[AgentAnnouncement.WORDING], line.language or configuration.language
    keys = (line.agree_key, line.decline_key)
    untold = [key for key in keys if next(wording.places(text, language, key), None) is None]
    if untold:
        findings.append(Finding("agents.line", "warning", f"'wording' does not name the key {' and '.join(untold)}"))
    file = line.pins_file
    if not file.exists():
        findings.append(
            Finding("agents' PINs", "warning", f"no agent has one yet: 'consentivr agents pin set' ({file})")
        )
    return findings


def private_files(configuration: Configuration) -> list[Path]:
    """What nobody but its owner may read, as far as it is there: keys and secrets, the ledger, what lies beside it."""
    line = configuration.agents.line
    named = [
        configuration.ledger.signing_key,
        configuration.ledger.head_file,
        configuration.http.token_file,
        configuration.http.tokens_file,
        configuration.service.secret_file,
        line.pins_file if line else None,
    ]
    named += [switch.password_file for switch in configuration.switches]
    files = [file for file in named if file is not None]
    if configuration.ledger.url is None:
        ledger = configuration.ledger.path
        files += sorted(ledger.parent.glob(f"{glob.escape(ledger.name)}*"))  # WAL, shared memory, leases, copies
    return [path for path in files if path.is_file()]


def _check_private(configuration: Configuration) -> list[Finding]:
    files = private_files(configuration)
    findings = []
    for path in files:
        if others := open_to_others(path):
            said = f"{path}: others than its owner may read or change it ({others:04o}): run 'chmod 600 {path}'"
            findings.append(Finding(f"mode of {path.name}", "bad", said))
    return findings or [Finding("modes", "good", f"{len(files)} files of ledger and secrets are their owner's alone")]


def _check_numbers(configuration: Configuration) -> Finding:
    country = configuration.numbers.country
    if country is None:
        return Finding("numbers", "warning", "+49..., 0049... and 0... count as three people: see numbers.country")
    return Finding("numbers", "good", f"are read as in {country}; withheld ones are not kept")


def _check_retention(configuration: Configuration) -> list[Finding]:
    """What is kept without an end is kept too long (GDPR art. 5(1)(e))."""
    findings = []
    for name, queue in configuration.queues.items():
        terms = queue.retention.terms()
        what = f"retention {name}"
        if terms.rows_days is None:
            said = f"what is known of its calls is kept for ever: see queues.{name}.retention, audio_days and rows_days"
            findings.append(Finding(what, "bad", said))
        elif terms.refusals_days is None:
            said = f"a refusal is kept as long as a yes, {terms.rows_days} days: see refusals_days"
            findings.append(Finding(what, "warning", said))
        else:
            said = f"recordings {terms.audio_days} days, rows {terms.rows_days}, refusals {terms.refusals_days}"
            findings.append(Finding(what, "good", said))
    return findings


def _check_privacy(configuration: Configuration) -> list[Finding]:
    """What the documents of 'consentivr privacy' want and do not find."""
    gaps = missing(configuration)
    if not gaps:
        return [Finding("privacy", "good", "'consentivr privacy' has everything that its documents want")]
    return [Finding(f"privacy.{name}", "warning", f"is missing: {what}") for name, what in gaps.items()]


def _check_recordings(configuration: Configuration) -> list[Finding]:
    recordings = configuration.recordings
    folders = [recordings.folder, *recordings.former_folders]
    findings = [
        Finding(
            "recordings",
            "bad",
            f"{folder} has mode {stat.S_IMODE(folder.stat().st_mode):04o}: everybody on this machine can get at the "
            f"recordings: run 'chmod 2770 {folder}'. FreeSWITCH's user writes there and consentivr's seals and erases: "
            "the best is one user for both, else a group that both are in ('chgrp')",
        )
        for folder in folders
        if folder.is_dir() and open_to_others(folder) & stat.S_IRWXO
    ]
    return findings or [_check_folder(folders[0])]


def _check_folder(folder: Path) -> Finding:
    if folder.is_dir() and not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        said = f"{folder}: recordings cannot be sealed and erased; run as FreeSWITCH's user, or see docs/admin.md"
        return Finding("recordings", "bad", said)
    if folder.is_dir():
        return Finding("recordings", "good", f"{folder} is there; FreeSWITCH's user must be able to write to it")
    return Finding(
        "recordings", "warning", f"{folder} is not there yet: make it, with mode 2770, for FreeSWITCH's user"
    )


def _check_switch(configuration: Configuration, switch: Switch) -> Finding:
    what = f"switch {switch.address}"
    try:
        users = peer_users(configuration)
    except CannotServe:
        users = None  # said elsewhere
    try:
        connection = InboundConnection(switch.address, Login(read_secret(switch.password_file), switch.user))
        connection.connect()
        runs_as = user_of(connection.sock.getpeername(), connection.sock.getsockname()) if is_told() else None
        connection.stop()
    except (OSError, ESLError) as error:
        said = (
            f"{error}; conversations cannot be followed, so nothing is recorded: see event_socket.conf.xml, 'switches'"
        )
        return Finding(what, "bad", said)
    if runs_as is not None and users is not None and runs_as not in users:
        name = pwd.getpwuid(runs_as).pw_name
        said = f"it runs as {name}, whose calls would be refused: set service.peer_user to {name}"
        return Finding(what, "bad", said)
    return Finding(what, "good", "its event socket lets us in")


def _check_secret(configuration: Configuration) -> Finding:
    try:
        secret, users = dialplan_secret(configuration), peer_users(configuration)
    except CannotServe as error:
        return Finding("peers", "bad", str(error))
    if secret is None or users is None:
        what = "prove nothing (service.secret_file)" if secret is None else "may be any user's (service.peer_user)"
        return Finding("peers", "warning", f"calls {what}: whoever reaches service.listen can play a switch")
    if not is_told():
        return Finding("peers", "warning", "users are not told apart: this kernel does not say whose a connection is")
    return Finding("peers", "good", "calls are taken of FreeSWITCH's user, with the dialplan's secret")


def _check_descriptors(configuration: Configuration) -> Finding:
    wanted = configuration.service.max_connections
    room = room_for_calls(wanted)
    if room < wanted:
        return Finding("descriptors", "warning" if room else "bad", too_few(wanted, room))
    return Finding("descriptors", "good", f"enough for service.max_connections, {wanted} calls")


def too_few(wanted: int, room: int) -> str:
    return (
        f"service.max_connections is {wanted}, but the system allows this process {room} calls at once: raise "
        "LimitNOFILE in its systemd unit, or 'ulimit -n'"
    )


def _check_port(configuration: Configuration) -> Finding:
    host, port = configuration.service.listen
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
