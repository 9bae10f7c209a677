"""This machine: files with their owner and rights, its users, its programs."""

from __future__ import annotations

import grp
import os
import pwd
import stat
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path


class CannotDo(Exception):
    """The machine refuses. The message says what, and what it said."""


def text_of(path: Path) -> str:
    """A file's text, from which its bytes can be had again, whatever they are. Raises OSError."""
    return path.read_bytes().decode("utf-8", "surrogateescape")


class Machine:
    """What steps do to it. All raise OSError or CannotDo."""

    # --- files -------------------------------------------------------------------------------

    def write(self, path: Path, text: str, mode: int, owner: str | None = None, group: str | None = None) -> None:
        """Put a whole file in its place, durable; without owner and group they are those that it had, or its folder's.

        A link is followed: what it leads to is replaced.
        """
        path = path.resolve()
        like = path.stat() if path.exists() else path.parent.stat()
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(text.encode("utf-8", "surrogateescape"))
                file.flush()
                self._give(name, like, owner, group)
                os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        flush_folder(path.parent)

    def make_folder(self, path: Path, mode: int, owner: str | None, group: str | None) -> None:
        """Make a folder, or give one that is there to whom it shall belong."""
        path.mkdir(0o700, exist_ok=True)
        self._give(path, path.stat(), owner, group)
        path.chmod(mode)

    def _give(self, path: str | Path, like: os.stat_result, owner: str | None, group: str | None) -> None:
        if os.geteuid() != 0:
            return
        uid = pwd.getpwnam(owner).pw_uid if owner else like.st_uid
        gid = grp.getgrnam(group).gr_gid if group else like.st_gid
        os.chown(path, uid, gid)

    # --- users -------------------------------------------------------------------------------

    def has_user(self, name: str) -> bool:
        """Whether there is such a user."""
        try:
            pwd.getpwnam(name)
        except KeyError:
            return False
        return True

    def is_in_group(self, user: str, group: str) -> bool:
        """Whether a user is in a group, as its own or as a further one."""
        try:
            there = grp.getgrnam(group)
            return user in there.gr_mem or pwd.getpwnam(user).pw_gid == there.gr_gid
        except KeyError:
            return False

    # --- programs ----------------------------------------------------------------------------

    def run(self, *command: str, seconds: float = 60.0) -> str:
        """Run a program of the system's; what it said. Raises CannotDo when it fails."""
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CannotDo(f"'{' '.join(command)}': {error}") from error
        if done.returncode != 0:
            raise CannotDo(f"'{' '.join(command)}': {(done.stderr or done.stdout).strip() or done.returncode}")
        return done.stdout


def flush_folder(path: Path) -> None:
    """What was renamed or made in it is on disk when this returns."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def rights_of(path: Path) -> tuple[int, str, str]:
    """Mode, owner and group. Raises OSError."""
    there = path.stat()
    return stat.S_IMODE(there.st_mode), _name_of(pwd.getpwuid, there.st_uid), _name_of(grp.getgrgid, there.st_gid)


def _name_of(ask: Callable[[int], Sequence[object]], number: int) -> str:
    """The name of a user or a group; its number where it has none."""
    try:
        return str(ask(number)[0])
    except KeyError:
        return str(number)


def is_read_only(path: Path) -> bool:
    """Whether what is there, or the nearest folder above it, cannot be written to even by root."""
    while not path.exists():
        path = path.parent
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
