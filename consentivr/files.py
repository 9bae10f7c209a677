"""Files that only their owner may read, and files that are replaced whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


class NotPrivate(OSError):
    """Others than its owner may read a file. The message says what to do."""


# --- private ---------------------------------------------------------------------------------


def open_private(path: Path, flags: int) -> int:
    """A descriptor of a file that, if it is new, only its owner may read, whatever the umask; ``flags`` as of os.open.

    Made by root it belongs to whom its folder belongs: a command of the administrator's must not lock ``serve`` out.
    Raises OSError.
    """
    try:
        file = os.open(path, flags | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        if flags & os.O_EXCL:
            raise
        return os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.fchmod(file, 0o600)
    if os.geteuid() == 0:
        _as_its_folder(file, path.parent)
    return file


def _as_its_folder(file: int, folder: Path) -> None:
    """Owner and group, as far as the system lets us."""
    with contextlib.suppress(PermissionError):
        os.fchown(file, folder.stat().st_uid, folder.stat().st_gid)


def open_to_others(path: Path) -> int:
    """The bits by which others than its owner may do something with a file. Raises OSError."""
    return path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)


@contextmanager
def new_private(path: Path) -> Iterator[IO[bytes]]:
    """A new file that only its owner may read, gone again if it cannot be finished. Raises OSError, also when it is
    there already.
    """
    file = os.fdopen(open_private(path, os.O_WRONLY | os.O_EXCL), "wb")
    try:
        with file:
            yield file
    except BaseException:
        path.unlink()
        raise


def write_secret(path: Path, secret: str) -> None:
    """For ``read_secret``; what was there is replaced. Raises OSError."""
    with os.fdopen(open_private(path, os.O_WRONLY | os.O_TRUNC), "w", encoding="utf-8") as file:
        file.write(secret + "\n")


def read_private(path: Path) -> bytes:
    """What a file holds that only its owner can read. Raises OSError; NotPrivate when others can."""
    if open_to_others(path):
        raise NotPrivate(f"others than its owner may read {path}: run 'chmod 600 {path}'")
    return path.read_bytes()


def read_secret(path: Path, shortest: int = 1) -> str:
    """The line that such a file holds, ``shortest`` in characters. Raises OSError with a remedy."""
    secret = read_private(path).decode("utf-8").strip()
    if len(secret) < shortest or not secret.isprintable():
        raise OSError(f"{path} holds no secret of at least {shortest} characters in one line")
    return secret


def make_folder(path: Path) -> None:
    """A folder, and those above it, where they are missing; made by root they belong to whom the one above belongs.

    Raises OSError.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        for folder in reversed(missing):
            above = folder.parent.stat()
            os.chown(folder, above.st_uid, above.st_gid)


def kept_secret(path: Path) -> str:
    """The secret of such a file, which is made where there is none yet. Raises OSError with a remedy."""
    try:
        make_folder(path.parent)
        with new_private(path) as file:
            file.write(secrets.token_hex(32).encode() + b"\n")
    except FileExistsError:
        pass
    secret = read_secret(path, shortest=32)
    if not (secret.isascii() and secret.isalnum()):
        raise OSError(f"{path} holds something else than letters and digits: take it away, and a new one is made")
    return secret


# --- whole -----------------------------------------------------------------------------------


@contextmanager
def replacing(path: Path, mode: int = 0o644) -> Iterator[Path]:
    """A name to write to; what is there takes the place of ``path`` when it is complete and on disk.

    Made by root it belongs to whom its folder belongs. Raises OSError; ``path`` is as it was then.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        yield temporary
        os.fsync(descriptor)
        if os.geteuid() == 0:
            _as_its_folder(descriptor, path.parent)
        temporary.chmod(mode)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


def replace_private(path: Path, content: bytes) -> None:
    """Replace a file by one that only its owner may read; it is on disk when this returns. Raises OSError."""
    with replacing(path, 0o600) as temporary:
        temporary.write_bytes(content)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
