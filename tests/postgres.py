"""A PostgreSQL server of the tests' own, from the binaries of this machine."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
from pathlib import Path

import psycopg

from consentivr.lab.native import free_port

_NUMBERS = itertools.count(1)


def find_postgres() -> Path | None:
    """The folder of the server's programs."""
    on_path = shutil.which("postgres")
    if on_path:
        return Path(on_path).resolve().parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None, key=lambda folder: float(folder.parent.name))


class Server:
    """A server on loopback that keeps its promises (fsync on). ``new`` gives the address of an empty ledger."""

    def __init__(self, folder: Path) -> None:
        programs = find_postgres()
        assert programs is not None
        self._programs = programs
        self._data = folder / "data"
        self._log = folder / "postgres.log"
        self.port = free_port()
        if os.geteuid() == 0:
            # PostgreSQL does not run as root, and its user must come through every folder above.
            shutil.chown(folder, "postgres")
            for above in [folder, *folder.parents]:
                with contextlib.suppress(PermissionError):
                    above.chmod(above.stat().st_mode | 0o011)
        self._do("initdb", "-D", str(self._data), "-U", "consentivr", "--auth=trust", "-E", "UTF8", "--locale=C")
        self.start()

    def _do(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        subprocess.run(command, check=True, capture_output=True, cwd="/", timeout=120)

    def start(self, more: str = "") -> None:
        options = (
            f"{more} -p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=50"
        )
        self._do("pg_ctl", "-D", str(self._data), "-l", str(self._log), "-o", options, "-w", "start")

    def stop(self, mode: str = "immediate") -> None:
        """``immediate`` is a crash."""
        self._do("pg_ctl", "-D", str(self._data), "-m", mode, "-w", "stop")

    def signal(self, number: int) -> None:
        """To every process of the server."""
        main = int((self._data / "postmaster.pid").read_text().split()[0])
        children = subprocess.run(["pgrep", "-P", str(main)], check=False, capture_output=True, text=True).stdout
        for process in [main, *map(int, children.split())]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)

    def new(self, like: str = "") -> str:
        """``like``: the address of a ledger that nobody is connected to, of which this is to be a copy."""
        name = f"ledger{next(_NUMBERS)}"
        template = f" TEMPLATE {like.rpartition('/')[2]}" if like else ""
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name}{template}")
        return f"postgresql://consentivr@127.0.0.1:{self.port}/{name}"

    def connect(self, url: str) -> psycopg.Connection:
        if "://" not in url:
            url = f"postgresql://consentivr@127.0.0.1:{self.port}/{url}"
        return psycopg.connect(url, autocommit=True)

    def files_with(self, text: bytes) -> list[Path]:
        """The files of the server that hold this, once everything is written to them; without its write-ahead log."""
        with self.connect("postgres") as connection:
            connection.execute("CHECKPOINT")
        found = []
        for file in self._data.rglob("*"):
            with contextlib.suppress(FileNotFoundError):  # of a table that was just written anew
                if file.is_file() and "pg_wal" not in file.parts and text in file.read_bytes():
                    found.append(file)
        return found

    def end(self) -> None:
        with contextlib.suppress(Exception):
            self.signal(signal.SIGCONT)
        with contextlib.suppress(subprocess.CalledProcessError):
            self.stop()
