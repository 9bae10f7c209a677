"""The lab without containers: FreeSWITCH, ``consentivr serve`` and three sipp callers on one loopback.

``make lab`` runs it. With ``--prepare FOLDER`` it only writes what the containers of
docker-compose.yml need: FreeSWITCH's configuration and the announcements.
"""

from __future__ import annotations

import argparse
import shutil
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


def prepare(folder: Path) -> None:
    """For the containers, which see ``folder`` as /lab."""
    configuration = load(HERE / "consentivr.yaml")
    write_configuration(
        configuration,
        folder,
        sip_port=5080,
        event_socket_port=8021,
        event_socket_password="lab-only",  # noqa: S106 - loopback of the lab's containers
        agents={"1001@default": ["support@default"]},
    )
    shutil.copytree(shipped("sounds"), folder / "sounds", dirs_exist_ok=True)
    for name in ("recordings", "db", "log", "run"):
        (folder / name).mkdir(exist_ok=True)
        (folder / name).chmod(0o777)


def localized(folder: Path) -> tuple[Path, Configuration]:
    """The lab's configuration with its files below ``folder`` and a free port."""
    text = (HERE / "consentivr.yaml").read_text(encoding="utf-8").replace("/lab/", f"{folder}/")
    data = yaml.safe_load(text)
    address = f"127.0.0.1:{free_port()}"
    data["service"] = {"listen": address, "hosts": [address]}
    path = folder / "consentivr.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    return path, load(path)


def run(folder: Path) -> int:
    """The three callers, one after the other; returns 0 when each was treated as it wanted."""
    path, configuration = localized(folder)
    shutil.copytree(shipped("sounds"), folder / "sounds", dirs_exist_ok=True)
    with NativeSwitch(configuration, folder) as switch:
        serve = subprocess.Popen([sys.executable, "-m", "consentivr", "serve", "--config", str(path)])
        try:
            time.sleep(2)
            for scenario in SCENARIOS:
                switch.agents_wait()
                subprocess.run(
                    ["sipp", f"127.0.0.1:{switch.sip_port}", "-sf", str(HERE / "sipp" / f"{scenario}.xml"),
                     "-s", "5000", "-i", "127.0.0.1", "-m", "1", "-nostdin", "-timeout", "120s"],
                    check=True, stdout=subprocess.DEVNULL,
                )  # fmt: skip
                print(f"{scenario}: the caller has hung up")
            time.sleep(2)
        finally:
            serve.terminate()
            serve.wait(15)
    ledger = Ledger(folder / "ledger.sqlite3")
    decisions = [row.evidence["decision"] for row in ledger.read(Search(turn="decision"))]
    ledger.close()
    files = sorted((folder / "recordings").rglob("*.wav"))
    print(f"decisions: {decisions}\nrecordings: {[str(file) for file in files]}")
    return 0 if decisions == ["given", "refused", "not_obtained"] and len(files) == 1 else 1


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
