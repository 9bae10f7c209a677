"""The lab without containers: FreeSWITCH, ``consentivr serve`` and three sipp callers on one loopback.

``make lab`` runs it. With ``--prepare FOLDER`` it only writes what the containers of
docker-compose.yml need: FreeSWITCH's configuration and the announcements.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from consentivr.config import Configuration, load
from consentivr.lab.native import NativeSwitch, find_freeswitch, free_port, write_configuration
from consentivr.ledger import Ledger, Search
from consentivr.resources import shipped

HERE = Path(__file__).resolve().parent
SCENARIOS = ("press_1", "press_9", "press_nothing")
AGENTS = {f"{number}@default": ["support@default"] for number in (1001, 1002, 1003)}


def prepare(folder: Path) -> None:
    """For the containers, which see ``folder`` as /lab."""
    configuration = load(HERE / "consentivr.yaml")
    write_configuration(
        configuration,
        folder,
        sip_port=5080,
        event_socket_port=8021,
        event_socket_password="lab-only",  # noqa: S106 - loopback of the lab's containers
        agents=AGENTS,
    )
    for file in folder.rglob("*.xml"):
        file.chmod(0o644)  # in its container FreeSWITCH may be any user
    shutil.copytree(shipped("sounds"), folder / "sounds", dirs_exist_ok=True)
    for name in ("recordings", "db", "log", "run"):
        (folder / name).mkdir(exist_ok=True)
        (folder / name).chmod(0o777)


def localized(folder: Path) -> tuple[Path, Configuration]:
    """The lab's configuration with its files below ``folder`` and a free port."""
    text = (HERE / "consentivr.yaml").read_text(encoding="utf-8").replace("/lab/", f"{folder}/")
    data = yaml.safe_load(text)
    address = f"127.0.0.1:{free_port()}"
    data["service"] |= {"listen": address, "hosts": [address]}
    path = folder / "consentivr.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    return path, load(path)


def run(folder: Path) -> int:
    """The three callers at once, an agent for each; returns 0 when each was treated as it wanted."""
    path, configuration = localized(folder)
    shutil.copytree(shipped("sounds"), folder / "sounds", dirs_exist_ok=True)
    with NativeSwitch(configuration, folder, agents=AGENTS) as switch:
        serve = subprocess.Popen([sys.executable, "-m", "consentivr", "serve", "--config", str(path)])
        try:
            wait_until_served(configuration)
            callers = {scenario: call(scenario, switch.sip_port) for scenario in SCENARIOS}
            for scenario, caller in callers.items():
                if caller.wait(120) != 0:
                    print(f"{scenario}: sipp failed", file=sys.stderr)
                    return 1
                print(f"{scenario}: the caller has hung up")
            time.sleep(2)
        finally:
            serve.terminate()
            serve.wait(15)
    ledger = Ledger(folder / "ledger.sqlite3")
    decisions = sorted(row.evidence["decision"] for row in ledger.read(Search(turn="decision")))
    ledger.close()
    files = sorted((folder / "recordings").rglob("*.wav"))
    print(f"decisions: {decisions}\nrecordings: {[str(file) for file in files]}")
    return 0 if decisions == ["given", "not_obtained", "refused"] and len(files) == 1 else 1


def wait_until_served(configuration: Configuration, seconds: float = 30) -> None:
    """Until consentivr takes calls; raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            socket.create_connection(configuration.service.listen, timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
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
        return 0
    missing = [name for name, found in [("freeswitch", find_freeswitch()), ("sipp", shutil.which("sipp"))] if not found]
    if missing:
        print(f"the lab needs {' and '.join(missing)} on this machine; see docs/lab.md", file=sys.stderr)
        return 2
    return run(Path(tempfile.mkdtemp(prefix="consentivr-lab-")))


if __name__ == "__main__":
    sys.exit(main())
