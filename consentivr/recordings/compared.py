"""A recording that is handed out: opened once, compared with its seal, and no byte of it that was not compared."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import threading
from pathlib import Path

BLOCK_BYTES = 1 << 16


class NotAsSealed(Exception):
    """The file is not, or is no longer, what was sealed."""


class Compared:
    """An open file whose SHA-256 is ``sha256``. Many threads may read it.

    Whoever changes the file afterwards, where it lies, is found out: each block is compared with what it was when the
    whole was. Raises FileNotFoundError and other OSErrors, NotAsSealed.
    """

    def __init__(self, path: Path, sha256: str) -> None:
        self._lock = threading.Lock()
        self._is_open = True
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            found = os.fstat(self._descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise NotAsSealed(f"{path} is no file")
            self.size = found.st_size
            """In bytes."""
            self._blocks = self._compare(path, sha256)
        except BaseException:
            self.close()
            raise

    def _compare(self, path: Path, sha256: str) -> list[bytes]:
        whole, blocks = hashlib.sha256(), []
        for start in range(0, self.size, BLOCK_BYTES):
            block = self._block(start)
            whole.update(block)
            blocks.append(hashlib.sha256(block).digest())
        if whole.hexdigest() != sha256 or os.fstat(self._descriptor).st_size != self.size:
            raise NotAsSealed(f"{path} is not what was sealed")
        return blocks

    def read(self, start: int, length: int) -> bytes:
        """So many bytes from ``start``; fewer at the end. Raises NotAsSealed, OSError; ValueError once it is closed."""
        stop = min(start + length, self.size)
        first = start - start % BLOCK_BYTES
        got = b"".join(map(self._compared, range(first, stop, BLOCK_BYTES)))
        return got[start - first : stop - first] if stop > start else b""

    def _compared(self, start: int) -> bytes:
        block = self._block(start)
        if hashlib.sha256(block).digest() != self._blocks[start // BLOCK_BYTES]:
            raise NotAsSealed("it was changed after it had been compared")
        return block

    def _block(self, start: int) -> bytes:
        parts, length = [], min(BLOCK_BYTES, self.size - start)
        with self._lock:  # the number of a closed file is soon another file's
            if not self._is_open:
                raise ValueError("it is closed")
            while length and (part := os.pread(self._descriptor, length, start)):
                parts.append(part)
                start, length = start + len(part), length - len(part)
        return b"".join(parts)

    def as_file(self) -> io.BufferedReader:
        """For who wants to seek in it and read."""
        return io.BufferedReader(_Reader(self), BLOCK_BYTES)

    def close(self) -> None:
        """Close it; who reads it still is told."""
        with self._lock:
            if self._is_open:
                self._is_open = False
                os.close(self._descriptor)


class _Reader(io.RawIOBase):
    def __init__(self, compared: Compared) -> None:
        self._compared, self._at = compared, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        got = self._compared.read(self._at, len(buffer))
        buffer[: len(got)] = got
        self._at += len(got)
        return len(got)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._compared.size}[whence]
        return self._at
