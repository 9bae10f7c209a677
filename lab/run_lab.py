"""The lab without containers: FreeSWITCH, ``consentivr serve``, PostgreSQL, Prometheus, and three sipp callers.

``make lab`` runs it. PostgreSQL and Prometheus are left out where they are not installed: then the ledger is a file,
and nobody looks at the metrics. With ``--prepare FOLDER`` it only writes what the containers of docker-compose.yml
need.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from consentivr.config import Configuration, load
from consentivr.files import open_to_others, read_secret, write_secret
from consentivr.lab.native import NativeSwitch, find_freeswitch, free_port, write_configuration
from consentivr.lab.postgres import Server, find_postgres
from consentivr.ledger import Ledger, Search
from consentivr.resources import shipped

HERE = Path(__file__).resolve().parent
SCENARIOS = ("press_1", "press_9", "press_nothing")
AGENTS = {f"{number}@default": ["support@default"] for number in (1001, 1002, 1003)}
WANTED = {"given": 1, "refused": 1, "not_obtained": 1}
OF_THE_SWITCH = ("db", "log", "run", "elsewhere", "mailbox")


def configured(folder: Path, changes: dict[str, Any]) -> Path:
    """Write the lab's configuration with its files below ``folder``, changed so far; what becomes None is left out."""
    data = yaml.safe_load((HERE / "consentivr.yaml").read_text(encoding="utf-8").replace("/lab/", f"{folder}/"))
    for name, section in changes.items():
        if isinstance(section, list):
            data[name] = [{**was, **new} for was, new in zip(data[name], section, strict=True)]
        else:
            data[name] = {key: value for key, value in {**data[name], **section}.items() if value is not None}
    path = folder / "consentivr.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    return path


# --- for the containers ----------------------------------------------------------------------


def prepare(folder: Path) -> None:
    """All that the containers need, which see ``folder`` as /lab."""
    path = configured(folder, {})
    configuration = load(path)
    for name in ("event_socket.password", "database.password"):
        if not (folder / name).exists():
            write_secret(folder / name, secrets.token_hex(16))
    write_secret(folder / "pgpass", f"*:*:*:consentivr:{read_secret(folder / 'database.password')}")
    write_configuration(
        configuration,
        folder,
        sip_port=5080,
        event_socket_port=8021,
        event_socket_password=read_secret(folder / "event_socket.password"),
        agents=AGENTS,
    )
    shutil.copytree(shipped("sounds"), folder / "sounds", dirs_exist_ok=True)
    monitoring(folder, path)
    for name in ("recordings", *OF_THE_SWITCH):
        (folder / name).mkdir(exist_ok=True)


def share(folder: Path) -> None:
    """Among the users of the containers (Dockerfile): consentivr owns everything, and its group reads; FreeSWITCH, in
    that group, owns where it writes. As root."""
    for path in [folder, *folder.rglob("*")]:
        of_the_switch = path.relative_to(folder).parts[:1] in [(name,) for name in OF_THE_SWITCH]
        shutil.chown(path, "freeswitch" if of_the_switch else "consentivr", "consentivr")
        if open_to_others(path):  # what is its owner's alone stays so
            path.chmod(0o2770 if path.is_dir() else 0o640)


def monitoring(folder: Path, configuration: Path) -> None:
    """What Prometheus needs: whom to ask, with which token, and what to raise an alarm for."""
    place = folder / "prometheus"
    place.mkdir(exist_ok=True)
    said = consentivr("agents", "token", "new", "prometheus", "--config", str(configuration))
    (place / "consentivr.token").write_text(said, encoding="utf-8")
    (place / "consentivr.rules.yaml").write_text(consentivr("config", "alerts"), encoding="utf-8")
    address = load(configuration).http.listen
    asked = {
        "job_name": "consentivr",
        "authorization": {"credentials_file": "consentivr.token"},
        "static_configs": [{"targets": [str(address)]}],
    }
    text = {"global": {"scrape_interval": "1s"}, "rule_files": ["consentivr.rules.yaml"], "scrape_configs": [asked]}
    (place / "prometheus.yml").write_text(yaml.safe_dump(text), encoding="utf-8")


def consentivr(*words: str) -> str:
    """What a verb of the command line prints. Raises subprocess.CalledProcessError."""
    command = [sys.executable, "-m", "consentivr", *words]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


# --- natively --------------------------------------------------------------------------------


def localized(folder: Path, database: str | None, event_socket_port: int) -> Path:
    """The lab's configuration with ports that are free, and this ledger, or a file."""
    address = f"127.0.0.1:{free_port()}"
    return configured(
        folder,
        {
            "service": {"listen": address, "hosts": [address]},
            "http": {"listen": f"127.0.0.1:{free_port()}"},
            "ledger": {"url": database} if database else {"url": None, "path": str(folder / "ledger.sqlite3")},
            "switches": [{"address": f"127.0.0.1:{event_socket_port}"}],
        },
    )


def run(folder: Path) -> int:
    """The three callers at once, an agent for each; returns 0 when each was treated as it wanted."""
    with contextlib.ExitStack() as parts:
        database = parts.enter_context(postgres(folder)) if find_postgres() else None
        password, event_socket_port = secrets.token_hex(16), free_port()
        path = localized(folder, database, event_socket_port)
        configuration = load(path)
        write_secret(Path(configuration.switches[0].password_file), password)
        shutil.copytree(shipped("sounds"), folder / "sounds", dirs_exist_ok=True)
        switch = parts.enter_context(
            NativeSwitch(configuration, folder, agents=AGENTS, event_socket_port=event_socket_port, password=password)
        )
        parts.enter_context(process(sys.executable, "-m", "consentivr", "serve", "--config", str(path)))
        wait_until_ready(configuration)
        prometheus = parts.enter_context(watched(folder, path)) if shutil.which("prometheus") else None
        callers = {scenario: call(scenario, switch.sip_port) for scenario in SCENARIOS}
        for scenario, caller in callers.items():
            if caller.wait(120) != 0:
                print(f"{scenario}: sipp failed", file=sys.stderr)
                return 1
            print(f"{scenario}: the caller has hung up")
        time.sleep(3)
        good = [decided(configuration), recorded(folder)]
        if prometheus is not None:
            good.append(measured(prometheus))
    return 0 if all(good) else 1


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A server, and the address of an empty ledger."""
    place = folder / "database"
    place.mkdir()
    server = Server(place)
    try:
        yield server.new()
    finally:
        server.end()


@contextlib.contextmanager
def process(*command: str) -> Iterator[None]:
    """A program, which is told to stop in the end."""
    with subprocess.Popen(command) as running:
        try:
            yield
        finally:
            running.terminate()


@contextlib.contextmanager
def watched(folder: Path, configuration: Path) -> Iterator[str]:
    """Prometheus, and the address where it answers."""
    monitoring(folder, configuration)
    address = f"127.0.0.1:{free_port()}"
    with process(
        "prometheus", "--log.level=warn", f"--web.listen-address={address}",
        f"--config.file={folder}/prometheus/prometheus.yml", f"--storage.tsdb.path={folder}/prometheus/data",
    ):  # fmt: skip
        yield address


def decided(configuration: Configuration) -> bool:
    """Whether each caller's decision is in the ledger."""
    ledger = Ledger(configuration.ledger.location)
    found = sorted(row.evidence["decision"] for row in ledger.read(Search(turn="decision")))
    ledger.close()
    print(f"decisions: {found}")
    return found == sorted(WANTED)


def recorded(folder: Path) -> bool:
    """Whether there is the one recording of who agreed."""
    files = sorted((folder / "recordings").rglob("*.wav"))
    print(f"recordings: {[str(file) for file in files]}")
    return len(files) == 1


def measured(prometheus: str) -> bool:
    """Whether Prometheus has counted the three decisions, and raises no alarm."""
    counts = {
        series["metric"]["decision"]: int(series["value"][1])
        for series in asked(prometheus, "query", query="consentivr_decisions_total > 0")["result"]
    }
    alerts = asked(prometheus, "alerts")["alerts"]
    firing = [alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"]
    print(f"measured: {counts}; alerts: {firing}")
    return counts == WANTED and not firing


def asked(prometheus: str, what: str, **words: str) -> Any:
    """What Prometheus answers."""
    address = f"http://{prometheus}/api/v1/{what}?{urllib.parse.urlencode(words)}"
    with urllib.request.urlopen(address, timeout=10) as answer:
        return json.load(answer)["data"]


def wait_until_ready(configuration: Configuration, seconds: float = 60) -> None:
    """Until consentivr takes calls, and the switch is watched; raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://{configuration.http.listen}/ready", timeout=2),
        ):
            return
        time.sleep(0.1)
    raise TimeoutError("consentivr does not come up")


def call(scenario: str, sip_port: int) -> subprocess.Popen[bytes]:
    """One sipp caller, with media ports of its own."""
    media = 40000 + 100 * SCENARIOS.index(scenario)
    command = [
        "sipp", f"127.0.0.1:{sip_port}", "-sf", str(HERE / "sipp" / f"{scenario}.xml"), "-s", "5000",
        "-i", "127.0.0.1", "-m", "1", "-nostdin", "-timeout", "120s", "-mp", str(media),
    ]  # fmt: skip
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prepare", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    if arguments.prepare:
        prepare(arguments.prepare)
        share(arguments.prepare)
        return 0
    missing = [name for name, found in [("freeswitch", find_freeswitch()), ("sipp", shutil.which("sipp"))] if not found]
    if missing:
        print(f"the lab needs {' and '.join(missing)} on this machine; see docs/lab.md", file=sys.stderr)
        return 2
    left_out = [
        name
        for name, there in [("PostgreSQL", find_postgres()), ("Prometheus", shutil.which("prometheus"))]
        if not there
    ]
    if left_out:
        print(f"left out, because not installed: {' and '.join(left_out)}")
    return run(Path(tempfile.mkdtemp(prefix="consentivr-lab-")))


if __name__ == "__main__":
    sys.exit(main())
