"""``consentivr console`` in a process of its own, over the ledger of ``history``: for measurements and tests."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from consentivr.console.accounts import Accounts
from consentivr.core.policy import RecordingMode
from consentivr.core.roles import Account
from consentivr.files import write_secret
from consentivr.lab.history import DESKS, PURPOSE, Desk
from consentivr.lab.native import free_port
from consentivr.ledger import HeadFile, Ledger, Signer, make_key

if TYPE_CHECKING:
    from typing_extensions import Self

PASSWORD = "correct horse battery"  # noqa: S105 - of accounts that end with the test
NAME = "localhost"


class Console:
    """Everything lies in ``folder``, and ``ledger.sqlite3`` is there. Start with ``with``; ``people`` may sign in with
    ``PASSWORD``.
    """

    def __init__(self, folder: Path, people: Iterable[Account], **more: Any) -> None:
        """``more`` are sections of the configuration, instead of ours; of ``console`` what differs."""
        self.folder = folder
        self.port = free_port()
        self.address = f"https://{NAME}:{self.port}"
        self.certificate, key = _certificate(folder)
        signing = folder / "ledger.key"
        self._sign(Signer.of_file(signing) if signing.exists() else make_key(signing))
        write_secret(folder / "event_socket.password", "nobody's")
        self.configuration = folder / "console.yaml"
        ours = _configured(folder, (self.certificate, key), self.address)
        said = ours | more | {"console": ours["console"] | more.get("console", {})}
        self.configuration.write_text(yaml.safe_dump(said, allow_unicode=True), encoding="utf-8")
        self.accounts = Accounts(folder / "accounts")
        for person in people:
            self.accounts.put(person, PASSWORD)

    def _sign(self, signer: Signer) -> None:
        """As 'serve' would have."""
        ledger = Ledger(self.folder / "ledger.sqlite3", create=False, signer=signer)
        try:
            signed = ledger.sign()
        finally:
            ledger.close()
        if signed is not None:
            HeadFile(self.folder / "ledger.head").write(signed)

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "consentivr", "console", "serve", "--config", str(self.configuration)]
        with (self.folder / "console.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        trusting = ssl.create_default_context(cafile=str(self.certificate))
        for _ in range(600):
            try:
                with socket.create_connection((NAME, self.port), timeout=1) as there:
                    trusting.wrap_socket(there, server_hostname=NAME).close()
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.05)
            else:
                return self
        self.__exit__()
        raise RuntimeError(f"the console does not start: {self.log}")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)

    @property
    def log(self) -> str:
        """What it said so far."""
        return (self.folder / "console.log").read_text(encoding="utf-8")


def _configured(folder: Path, certificate: tuple[Path, Path], address: str) -> dict[str, Any]:
    port = address.rpartition(":")[2]
    return {
        "ledger": {
            "path": str(folder / "ledger.sqlite3"),
            "head_file": str(folder / "ledger.head"),
            "signing_key": str(folder / "ledger.key"),
        },
        "recordings": {"folder": str(folder / "recordings")},
        "service": {"secret_file": None},
        "numbers": {"country": "DE"},
        "switches": [{"address": "127.0.0.1:8021", "password_file": str(folder / "event_socket.password")}],
        "language": "de",
        "languages": {"en": {"prefixes": ["+44", "+1"]}},
        "queues": {desk.line: _queue(desk) for desk in DESKS},
        "lines": {desk.line: {"number": str(5000 + place), "queue": desk.line} for place, desk in enumerate(DESKS)},
        "console": {
            "listen": f"127.0.0.1:{port}",
            "address": address,
            "certificate": str(certificate[0]),
            "certificate_key": str(certificate[1]),
            "accounts_file": str(folder / "accounts"),
        },
    }


def _queue(desk: Desk) -> dict[str, Any]:
    recording: dict[str, Any] = {"mode": desk.mode.value, "purpose": PURPOSE}
    if desk.mode is RecordingMode.PERMANENT:
        recording["legal_basis"] = "WpHG § 83"
    if desk.mode is RecordingMode.EVERY_NTH:
        recording["every"] = 3
    return {
        "name": desk.queue,
        "recording": recording,
        "retention": {"refusals_days": 400, "audio_days": 90, "rows_days": 1095},
    }


def _certificate(folder: Path) -> tuple[Path, Path]:
    """Of ``NAME``, signed with its own key, for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_secret(folder / "console.key", key.private_bytes(pem, *plain).decode())
    (folder / "console.pem").write_bytes(made.public_bytes(pem))
    return folder / "console.pem", folder / "console.key"
