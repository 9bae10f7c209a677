"""Whether the user that serves can get at what serving needs, when root asks: root itself can get at everything."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterator
from pathlib import Path

from consentivr.check import Finding, Level
from consentivr.config import Configuration
from consentivr.service.build import OWN_USER


def reach(configuration: Configuration) -> Iterator[Finding]:
    """Nothing where somebody else than root asks, or where there is no such user."""
    try:
        user = pwd.getpwnam(OWN_USER)
    except KeyError:
        return
    if os.geteuid() != 0:
        return
    shut = [(path, how) for path, how in _needed(configuration) if not _can(user, path, how)]
    for path, how in shut:
        said = f"{OWN_USER}, who serves, may not {'write to' if how == '-w' else 'read'} {path}"
        yield Finding("user", Level.BAD, said, f"run 'chown {OWN_USER} {path}', or 'consentivr setup'")
    if not shut:
        yield Finding("user", Level.GOOD, f"{OWN_USER} can get at what it needs")


def _needed(configuration: Configuration) -> Iterator[tuple[Path, str]]:
    """What is there of it, and what is to be done with it, in the words of test(1)."""
    ledger, service = configuration.ledger, configuration.service
    if ledger.url is None:
        yield ledger.path.parent, "-w"
        yield ledger.path, "-w"
    yield ledger.head_file.parent, "-w"
    yield ledger.head_file, "-w"
    yield configuration.recordings.folder, "-w"
    console = configuration.console
    console_reads = (
        console.accounts_file,
        console.secret_file,
        console.certificate,
        console.certificate_key,
        console.oidc.client_secret_file if console.oidc else None,
    )
    read = (ledger.signing_key, service.secret_file, configuration.http.token_file, configuration.http.tokens_file)
    for path in (*read, *console_reads, *(switch.password_file for switch in configuration.switches)):
        if path is not None:
            yield path, "-r"


def _can(user: pwd.struct_passwd, path: Path, how: str) -> bool:
    """As that user, in a process of its own. What is not there yet is no matter of reach."""
    if not path.exists():
        return True
    groups = os.getgrouplist(user.pw_name, user.pw_gid)
    command = ["test", how, str(path)]
    done = subprocess.run(command, user=user.pw_uid, group=user.pw_gid, extra_groups=groups, check=False)
    return done.returncode == 0
