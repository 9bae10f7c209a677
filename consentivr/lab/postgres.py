"""A PostgreSQL server of the lab's own, from the binaries of this machine: for the tests and for ``make lab``."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from consentivr.lab.process import HERE, Machine, free_port

if TYPE_CHECKING:
    import psycopg

_NUMBERS = itertools.count(1)


def find_postgres() -> Path | None:
    """The folder of the server's programs."""
    on_path = shutil.which("postgres")
    if on_path:
        return Path(on_path).resolve().parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None, key=lambda folder: float(folder.parent.name))


class Server:
    """A server on loopback, or on another machine of the lab, that keeps its promises (fsync on). ``new`` gives the
    address of an empty ledger; ``end`` it. Raises FileNotFoundError without the programs."""

    def __init__(self, folder: Path, machine: Machine = HERE) -> None:
        programs = find_postgres()
        if programs is None:
            raise FileNotFoundError("no PostgreSQL server on this machine: install postgresql")
        self._programs = programs
        self._machine = machine
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
        with (self._data / "pg_hba.conf").open("a") as access:
            access.write("host all all 198.51.100.0/24 trust\n")
        self.start()

    def _do(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        subprocess.run([*self._machine.within, *command], check=True, capture_output=True, cwd="/", timeout=120)

    def start(self, more: str = "") -> None:
        """With ``more`` options."""
        options = (
            f"{more} -p {self.port} -c listen_addresses={self._machine.address} -c unix_socket_directories=''"
            " -c max_connections=50"
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
        return f"postgresql://consentivr@{self._machine.address}:{self.port}/{name}"

    def connect(self, url: str) -> psycopg.Connection:
        """To a ledger, or to a database by its name; each statement by itself."""
        import psycopg

        if "://" not in url:
            url = f"postgresql://consentivr@{self._machine.address}:{self.port}/{url}"
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
        """At once, whatever it does."""
        with contextlib.suppress(Exception):
            self.signal(signal.SIGCONT)
        with contextlib.suppress(subprocess.CalledProcessError):
            self.stop()
