"""What the plan rests on: the running switch is asked, not guessed at; and this machine is looked at."""

from __future__ import annotations

import grp
import json
import os
import pwd
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from consentivr.esl.errors import ESLError
from consentivr.esl.inbound import InboundConnection, Login
from consentivr.esl.peer import user_of
from consentivr.setup.machine import is_read_only, text_of


class CannotAsk(Exception):
    """The switch does not say what must be known. The message says what to do."""


@dataclass(frozen=True)
class SwitchFacts:
    """A running FreeSWITCH."""

    address: str
    version: str
    variables: Mapping[str, str]
    """Its global variables: where things are."""
    user: str
    group: str
    """As whom it runs."""
    modules: frozenset[str]
    """Those that are loaded."""
    installed: frozenset[str]
    """Those that could be."""
    queues: Mapping[str, str]
    """Those that are loaded, and by what each records (``record-template``)."""
    programmed: bool
    """Its dialplan and queues come from a program (FusionPBX: Lua and a database), not from files."""
    open_to_all: bool
    """Its event socket still has the password that everybody knows."""

    def folder(self, name: str) -> Path:
        """One of its folders, such as ``conf_dir``."""
        return Path(self.variables[name])


@dataclass(frozen=True)
class Facts:
    """The switch, and this machine."""

    switch: SwitchFacts
    has_systemd: bool
    """It is what starts and stops things here."""
    program: Path
    """This consentivr, to be named in a unit."""
    read_only: frozenset[Path]
    """Of the folders that something may have to be written to those that not even root can."""
    texts: Mapping[Path, str]
    """The switch's own files that a line may have to be added to, as far as they are there."""


PASSWORD = "ClueCon"  # noqa: S105 - FreeSWITCH's own, in every installation until it is changed

_ASKED_VARIABLES = ("conf_dir", "mod_dir", "run_dir")
EDITED = (
    "vars.xml",
    "autoload_configs/callcenter.conf.xml",
    "autoload_configs/modules.conf.xml",
    "autoload_configs/logfile.conf.xml",
)
"""Below the switch's ``conf_dir``."""


class Switch:
    """An event socket that is asked one thing after the other. Use it with ``with``. Raises CannotAsk."""

    def __init__(self, address: tuple[str, int], login: Login) -> None:
        self._connection = InboundConnection(address, login)
        try:
            self._connection.connect()
        except ESLError as error:
            raise CannotAsk(f"the event socket {address[0]}:{address[1]}: {error}") from error

    def __enter__(self) -> Switch:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.stop()

    def api(self, command: str, seconds: float = 30.0) -> str:
        """What an API command answers. Raises CannotAsk."""
        try:
            return self._connection.send(f"api {command}", seconds).body.decode("utf-8", "replace").strip()
        except ESLError as error:
            raise CannotAsk(f"'{command}': {error}") from error

    @property
    def uid(self) -> int | None:
        """Whose process it is; None when the kernel does not say, or it is on another machine."""
        try:
            return user_of(self._connection.sock.getpeername()[:2], self._connection.sock.getsockname()[:2])
        except OSError:
            return None


def ask_switch(switch: Switch, address: str, password: str) -> SwitchFacts:
    """Ask it where and what it is. Raises CannotAsk."""
    variables = dict(line.split("=", 1) for line in switch.api("global_getvar").splitlines() if "=" in line)
    if missing := [name for name in _ASKED_VARIABLES if name not in variables]:
        raise CannotAsk(f"the switch at {address} does not say what its {', '.join(missing)} is")
    if not Path(variables["conf_dir"]).is_dir():
        raise CannotAsk(f"the switch at {address} has its configuration in {variables['conf_dir']}, which is not here: "
                        "run 'consentivr setup' on its machine")  # fmt: skip
    uid = switch.uid
    if uid is None:
        raise CannotAsk(f"this kernel does not say as whom the switch at {address} runs")
    user = pwd.getpwuid(uid)
    modules = {name for name in _MODULES if switch.api(f"module_exists {name}") == "true"}
    has_queues = "mod_callcenter" in modules
    lua = switch.api("xml_locate configuration configuration name lua.conf")
    curl = switch.api("xml_locate configuration configuration name xml_curl.conf")
    return SwitchFacts(
        address,
        switch.api("version short"),
        variables,
        user.pw_name,
        _group(Path(variables["run_dir"]) / "freeswitch.pid", user),
        frozenset(modules),
        frozenset(name for name in _MODULES if (Path(variables["mod_dir"]) / f"{name}.so").exists()),
        _queues(switch) if has_queues else {},
        any(map(_PROGRAM.search, (lua, curl))),
        password == PASSWORD,
    )


NEEDED = ("mod_dptools", "mod_sndfile", "mod_tone_stream", "mod_callcenter")
"""Without them callers cannot be asked, or not queued."""

_MODULES = (*NEEDED, "mod_logfile")


_PROGRAM = re.compile(r'="xml-handler-bindings"[^>]*dialplan|="gateway-url"[^>]*bindings="[^"]*dialplan')
"""In lua.conf and xml_curl.conf: what answers for the dialplan."""


def _queues(switch: Switch) -> dict[str, str]:
    said = switch.api('json {"command":"callcenter_config","data":{"arguments":"queue list"}}')
    try:
        rows = json.loads(said)["response"] or ()
        return {str(row["name"]): str(row.get("record_template") or "") for row in rows}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CannotAsk(f"the switch does not say which queues mod_callcenter has: {said[:200]}") from None


def _group(pid_file: Path, user: pwd.struct_passwd) -> str:
    """The group that its files get: of its process, else its user's own."""
    try:
        status = Path(f"/proc/{int(pid_file.read_text())}/status").read_text(encoding="ascii", errors="replace")
        ids = dict(re.findall(r"^(Uid|Gid):\t\d+\t(\d+)", status, re.MULTILINE))
        gid = int(ids["Gid"]) if int(ids["Uid"]) == user.pw_uid else user.pw_gid
    except (OSError, ValueError, KeyError):
        gid = user.pw_gid
    return grp.getgrgid(gid).gr_name


def ask_machine(switch: SwitchFacts, folders: Sequence[Path]) -> Facts:
    """Look at this machine; ``folders`` are those that we shall write to."""
    conf = switch.folder("conf_dir")
    files = [conf / name for name in EDITED]
    return Facts(
        switch,
        Path("/run/systemd/system").is_dir() and shutil.which("systemctl") is not None,
        _program(),
        frozenset(folder for folder in (conf, *folders) if is_read_only(folder)),
        {path: text_of(path) for path in files if path.is_file() and os.access(path, os.R_OK)},
    )


def _program() -> Path:
    called = Path(sys.argv[0]).absolute()
    return called if called.name == "consentivr" else Path(sys.executable).with_name("consentivr")
