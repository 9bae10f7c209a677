"""What a plan may say: each step tells itself, knows whether it is done, does it, and undoes it.

Undoing takes back what setup itself wrote, and nothing that somebody changed since.
"""

from __future__ import annotations

import contextlib
import stat
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, ClassVar

from consentivr.config import load
from consentivr.core.turn import Turn
from consentivr.custody import AgreedTo, agree
from consentivr.ledger import LedgerError
from consentivr.recordings import make_days
from consentivr.service.build import open_ledger
from consentivr.setup.edits import Edit
from consentivr.setup.facts import Switch
from consentivr.setup.machine import CannotDo, Machine, flush_folder, rights_of, text_of

PACKAGED = Path("/lib/systemd/system")
"""Where the Debian package brings our units."""


class Left(Exception):
    """A step is not undone, because somebody has changed what it made. The message says what to do by hand."""


class Kept(Exception):
    """Something stays on purpose: it is evidence, or an administrator's own. The message says what."""


@dataclass(frozen=True)
class Here:
    """Where steps are done: this machine, and the running switch, if it is reached."""

    machine: Machine
    switch: Switch | None = None

    def api(self, command: str) -> str:
        """Ask the switch. Raises CannotDo when it refuses, or is not there."""
        if self.switch is None:
            raise CannotDo("the switch is not reached")
        said = self.switch.api(command)
        if said.startswith("-ERR"):
            raise CannotDo(f"the switch refuses '{command}': {said}")
        return said


class Step(ABC):
    """One thing to be done. A dataclass of plain values."""

    of_switch: ClassVar[bool] = False
    """It tells the running switch: it is undone when all files are as they were."""
    follows: ClassVar[bool] = False
    """It only lets the switch know of what was done before; once more does no harm."""

    @property
    @abstractmethod
    def says(self) -> str:
        """For the plan: what and where."""

    @property
    def short(self) -> str:
        """The same in a few words, when it is done."""
        return self.says

    @abstractmethod
    def is_done(self, here: Here) -> bool:
        """Whether nothing is left to do."""

    def before(self, here: Here) -> dict[str, Any]:
        """What ``undo`` must know."""
        return {}

    @abstractmethod
    def do(self, here: Here) -> None:
        """Raises OSError, CannotDo."""

    @abstractmethod
    def undo(self, here: Here, before: dict[str, Any]) -> None:
        """Also where it was begun and never done. Raises Left, Kept, OSError, CannotDo."""

    def as_fields(self) -> dict[str, Any]:
        """For the journal."""
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]


# --- this machine ----------------------------------------------------------------------------


@dataclass(frozen=True)
class MakeUser(Step):
    """A system user without a shell."""

    name: str
    home: str

    @property
    def says(self) -> str:
        return f"make the system user {self.name}, who cannot log in"

    def is_done(self, here: Here) -> bool:
        return here.machine.has_user(self.name)

    def do(self, here: Here) -> None:
        here.machine.run("useradd", "--system", "--user-group", "--home-dir", self.home, "--no-create-home",
                         "--shell", "/usr/sbin/nologin", self.name)  # fmt: skip

    def undo(self, here: Here, before: dict[str, Any]) -> None:
        if not here.machine.has_user(self.name):
            return
        if Path(self.home).exists() and any(Path(self.home).iterdir()):
            raise Kept(f"the user {self.name} stays: what is in {self.home} is this user's. "
                       f"When you do not need that any more: rm -r {self.home} && userdel {self.name}")  # fmt: skip
        here.machine.run("userdel", self.name)


@dataclass(frozen=True)
class JoinGroup(Step):
    """A user who can give files to the switch's group."""

    user: str
    group: str

    @property
    def says(self) -> str:
        return f"put {self.user} into the group {self.group}: both must be able to get at the recordings"

    def is_done(self, here: Here) -> bool:
        return here.machine.is_in_group(self.user, self.group)

    def do(self, here: Here) -> None:
        here.machine.run("usermod", "--append", "--groups", self.group, self.user)

    def undo(self, here: Here, before: dict[str, Any]) -> None:
        if here.machine.has_user(self.user) and here.machine.is_in_group(self.user, self.group):
            here.machine.run("gpasswd", "--delete", self.user, self.group)


@dataclass(frozen=True)
class MakeFolder(Step):
    """A folder, of whom and for whom."""

    path: str
    mode: int
    owner: str
    group: str

    @property
    def says(self) -> str:
        return f"make the folder {self.path}, mode {self.mode:04o}, of {self.owner} and the group {self.group}"

    @property
    def short(self) -> str:
        return f"make the folder {self.path}"

    def is_done(self, here: Here) -> bool:
        return Path(self.path).is_dir() and rights_of(Path(self.path)) == (self.mode, self.owner, self.group)

    def before(self, here: Here) -> dict[str, Any]:
        path = Path(self.path)
        return {"rights": rights_of(path)} if path.is_dir() else {}

    def do(self, here: Here) -> None:
        here.machine.make_folder(Path(self.path), self.mode, self.owner, self.group)

    def undo(self, here: Here, before: dict[str, Any]) -> None:
        path = Path(self.path)
        if not path.is_dir():
            return
        if "rights" in before:
            if rights_of(path) == (self.mode, self.owner, self.group):
                mode, owner, group = before["rights"]
                here.machine.make_folder(path, mode, owner, group)
        elif any(path.iterdir()):
            raise Kept(f"{path} stays: there is something in it")
        else:
            path.rmdir()


@dataclass(frozen=True)
class MakeDays(Step):
    """The folders in which recordings will lie."""

    folder: str

    @property
    def says(self) -> str:
        return (
            f"make the folders of the next days below {self.folder}, so that both may write and erase there "
            "('serve' goes on with it)"
        )

    @property
    def short(self) -> str:
        return "make the folders of the next days"

    def is_done(self, here: Here) -> bool:
        return (Path(self.folder) / f"{datetime.now(timezone.utc):%Y/%m/%d}").is_dir()

    def do(self, here: Here) -> None:
        make_days(Path(self.folder), datetime.now(timezone.utc).date())

    def undo(self, here: Here, before: dict[str, Any]) -> None:
        """Recordings stay."""
        for path in sorted(Path(self.folder).glob("[0-9]*/**/"), reverse=True):
            with contextlib.suppress(OSError):
                path.rmdir()


@dataclass(frozen=True)
class WriteFile(Step):
    """A file of ours. With ``keep`` one that is there already is left alone."""

    path: str
    text: str
    mode: int
    owner: str | None
    """None, and ``group`` as well: as its folder."""
    group: str | None
    what: str
    keep: bool = False

    @property
    def says(self) -> str:
        whose = f", of {self.owner}" if self.owner else ""
        return f"write {self.path}, mode {self.mode:04o}{whose}: {self.what}"

    @property
    def short(self) -> str:
        return f"write {self.path}"

    def is_done(self, here: Here) -> bool:
        path = Path(self.path)
        if self.keep:
            return path.exists()
        return path.exists() and text_of(path) == self.text and stat.S_IMODE(path.stat().st_mode) == self.mode

    def before(self, here: Here) -> dict[str, Any]:
        path = Path(self.path)
        made = [str(folder) for folder in path.parents if not folder.exists()]
        if not path.exists():
            return {"folders": made}
        return {"text": text_of(path), "rights": rights_of(path), "folders": made}

    def do(self, here: Here) -> None:
        path = Path(self.path)
        for folder in reversed([folder for folder in path.parents if not folder.exists()]):
            above = rights_of(folder.parent)
            here.machine.make_folder(folder, 0o750, above[1], above[2])
        here.machine.write(path, self.text, self.mode, self.owner, self.group)

    def undo(self, here: Here, before: dict[str, Any]) -> None:
        path = Path(self.path)
        if path.exists() and text_of(path) != before.get("text"):
            if text_of(path) != self.text:
                said = f"{path} was changed since setup wrote it, and stays as it is: {self.what}"
                raise Kept(said) if self.keep else Left(f"{said}. Take it away by hand, if it is not needed")
            if "text" in before:
                mode, owner, group = before["rights"]
                here.machine.write(path, before["text"], mode, owner, group)
            else:
                path.unlink()
                flush_folder(path.parent)
        for folder in before["folders"]:
            with contextlib.suppress(OSError):
                Path(folder).rmdir()


@dataclass(frozen=True)
class WriteUnit(WriteFile):
    """A file of systemd's, which it reads again."""

    def is_done(self, here: Here) -> bool:
        """Also where the package has brought the very same."""
        brought = PACKAGED / Path(self.path).name
        by_package = brought.exists() and not Path(self.path).exists() and text_of(brought) == self.text
        return by_package or super().is_done(here)

    def do(self, here: Here) -> None:
        """What runs is started anew."""
        super().do(here)
        here.machine.run("systemctl", "daemon-reload")
        path = Path(self.path)
        unit = path.name if path.parent.suffix != ".d" else path.parent.stem
        here.machine.run("systemctl", "try-restart", unit, seconds=120)

    def undo(self, here: Here, before: dict[str, Any]) -> None:
        super().undo(here, before)
        here.machine.run("systemctl", "daemon-reload")


@dataclass(frozen=True)
class EditFile(Step):
    """A line or two in a file of the switch's; ``old`` and ``new`` are an Edit's."""

    path: str
    old: str
    new: str
    what: str

    @property
    def says(self) -> str:
        taken = [line for line in self.old.splitlines() if line not in self.new.splitlines()]
        given = [line for line in self.new.splitlines() if line not in self.old.splitlines()]
        lines = [f"      - {line.strip()}" for line in taken] + [f"      + {line.strip()}" for line in given]
        return "\n".join([f"change {self.path}: {self.what}", *lines])

    @property
    def short(self) -> str:
        return f"change {self.path}"

    @property
    def _edit(self) -> Edit:
        return Edit(self.old, self.new)

    def is_done(self, here: Here) -> bool:
        return self.new in text_of(Path(self.path))

    def before(self, here: Here) -> dict[str, Any]:
        text = text_of(Path(self.path))
        return {"text": text, "after": self._edit.apply(text), "rights": rights_of(Path(self.path))}

    def do(self, here: Here) -> None:
        path = Path(self.path)
        here.machine.write(path, self._edit.apply(text_of(path)), *rights_of(path))

    def undo(self, here: Here, before: dict[str, Any]) -> None:
        path = Path(self.path)
        now = text_of(path) if path.exists() else None
        if now is None or now == before["text"]:
            return
        text = before["text"] if now == before["after"] else self._edit.take_back(now)
        if text is None:
            said = "was changed since, and what setup wrote is not found in it any more: take it out by hand"
            raise Left(f"{path} {said}:\n{self.says}")
        here.machine.write(path, text, *rights_of(path))


@dataclass(frozen=True)
class Enable(Step):
    """Units of systemd's that run from now on, and after each start of the machine."""

    units: tuple[str, ...] | list[str]

    @property
    def says(self) -> str:
        return f"start {' and '.join(self.units)}, now and whenever the machine starts"

    def is_done(self, here: Here) -> bool:
        try:
            here.machine.run("systemctl", "is-enabled", "--quiet", *self.units)
            here.machine.run("systemctl", "is-active", "--quiet", *self.units)
        except CannotDo:
            return False
        return True

    def do(self, here: Here) -> None:
        here.machine.run("systemctl", "enable", *self.units)
        here.machine.run("systemctl", "restart", *self.units, seconds=120)

    def undo(self, here: Here, before: dict[str, Any]) -> None:
        with contextlib.suppress(CannotDo):  # they may never have been enabled
            here.machine.run("systemctl", "disable", "--now", *self.units, seconds=120)


@dataclass(frozen=True)
class NoteAgreement(Step):
    """An agent of whom the administrator says that they have agreed to be recorded."""

    agent: str
    wording: str
    yaml: str

    @property
    def says(self) -> str:
        return f"note in the register that {self.agent} agreed to be recorded, to '{self.wording}'"

    def is_done(self, here: Here) -> bool:
        configuration = load(Path(self.yaml)) if Path(self.yaml).exists() else None
        if configuration is None:
            return False
        try:
            ledger = open_ledger(configuration)
        except LedgerError:
            return False
        try:
            newest = {row.evidence["agent"]: row.turn for row in ledger.register()}
        finally:
            ledger.close()
        return newest.get(self.agent) == Turn.AGENT_AGREED

    def do(self, here: Here) -> None:
        try:
            ledger = open_ledger(load(Path(self.yaml)), signs=True, create=True)
            try:
                agree(ledger, self.agent, AgreedTo(wording=self.wording))
            finally:
                ledger.close()
        except LedgerError as error:
            raise CannotDo(str(error)) from error

    def undo(self, here: Here, before: dict[str, Any]) -> None:
        raise Kept(
            f"the register says that {self.agent} agreed: 'consentivr agents withdraw {self.agent}' takes it back"
        )


# --- the running switch ----------------------------------------------------------------------


class Telling(Step):
    """The switch learns of what was changed before. Nobody can see whether it has: it is told again if need be."""

    of_switch: ClassVar[bool] = True
    follows: ClassVar[bool] = True

    def is_done(self, here: Here) -> bool:
        return False


@dataclass(frozen=True)
class ReadFiles(Telling):
    """It reads its configuration."""

    @property
    def says(self) -> str:
        return "tell the switch: reloadxml"

    def do(self, here: Here) -> None:
        here.api("reloadxml")

    def undo(self, here: Here, before: dict[str, Any]) -> None:
        if here.switch is not None:
            self.do(here)


@dataclass(frozen=True)
class ReloadModule(Telling):
    """A module reads its own."""

    name: str

    @property
    def says(self) -> str:
        return f"tell the switch: reload {self.name}"

    def do(self, here: Here) -> None:
        here.api(f"reload {self.name}")

    def undo(self, here: Here, before: dict[str, Any]) -> None:
        if here.switch is not None:
            here.api("reloadxml")
            self.do(here)


@dataclass(frozen=True)
class LoadModule(Step):
    """A module that is there and not loaded."""

    of_switch: ClassVar[bool] = True
    name: str

    @property
    def says(self) -> str:
        return f"tell the switch: load {self.name}"

    def is_done(self, here: Here) -> bool:
        return here.api(f"module_exists {self.name}") == "true"

    def do(self, here: Here) -> None:
        here.api(f"load {self.name}")

    def undo(self, here: Here, before: dict[str, Any]) -> None:
        if here.switch is not None and self.is_done(here):
            here.api(f"unload {self.name}")


@dataclass(frozen=True)
class LoadQueue(Telling):
    """mod_callcenter reads a queue; who waits in it stays in it."""

    name: str

    @property
    def says(self) -> str:
        return f"tell the switch: callcenter_config queue load (or reload) {self.name}"

    def before(self, here: Here) -> dict[str, Any]:
        return {"loaded": self._is_loaded(here)}

    def _is_loaded(self, here: Here) -> bool:
        return _has_queues(here) and f"\n{self.name}|" in f"\n{here.api('callcenter_config queue list')}"

    def do(self, here: Here) -> None:
        here.api(f"callcenter_config queue {'reload' if self._is_loaded(here) else 'load'} {self.name}")

    def undo(self, here: Here, before: dict[str, Any]) -> None:
        if here.switch is None or not self._is_loaded(here):
            return
        here.api("reloadxml")
        here.api(f"callcenter_config queue {'reload' if before['loaded'] else 'unload'} {self.name}")


@dataclass(frozen=True)
class AddAgent(Step):
    """An agent of a queue, who is kept in mod_callcenter's own database."""

    of_switch: ClassVar[bool] = True
    name: str
    contact: str
    queue: str

    @property
    def says(self) -> str:
        return f"tell the switch: {self.name} is an agent of {self.queue}, available, at {self.contact}"

    def is_done(self, here: Here) -> bool:
        return _has_queues(here) and f"\n{self.name}|" in f"\n{here.api('callcenter_config agent list')}"

    def do(self, here: Here) -> None:
        for command in (
            f"agent add {self.name} callback",
            f"agent set contact {self.name} {self.contact}",
            f"agent set status {self.name} Available",
            f"tier add {self.queue} {self.name} 1 1",
        ):
            here.api(f"callcenter_config {command}")

    def undo(self, here: Here, before: dict[str, Any]) -> None:
        if here.switch is None:
            raise Left(f"{self.name} is still an agent: callcenter_config agent del {self.name}")
        if _has_queues(here):
            with contextlib.suppress(CannotDo):
                here.api(f"callcenter_config tier del {self.queue} {self.name}")
            with contextlib.suppress(CannotDo):
                here.api(f"callcenter_config agent del {self.name}")


def _has_queues(here: Here) -> bool:
    return here.api("module_exists mod_callcenter") == "true"


KINDS: dict[str, type[Step]] = {
    kind.__name__: kind
    for kind in (
        MakeUser, JoinGroup, MakeFolder, MakeDays, WriteFile, WriteUnit, EditFile, Enable,
        NoteAgreement,
        ReadFiles, ReloadModule, LoadModule, LoadQueue, AddAgent,
    )
}  # fmt: skip
"""By their names in the journal."""
