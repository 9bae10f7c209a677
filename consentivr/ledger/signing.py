"""Signed checkpoints: what the chain was, in words that only the holder of a key can say (Ed25519, RFC 8032)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consentivr.core.chain import Checkpoint, Finding, Tampering
from consentivr.files import NotPrivate, new_private, read_private
from consentivr.ledger.errors import LedgerError


@dataclass(frozen=True)
class SignedCheckpoint:
    """A position and its hash, when they were signed (UTC, ISO 8601), by which key, and the signature."""

    position: int
    hash: str
    at: str
    key_id: str
    signature: str

    @property
    def signed(self) -> bytes:
        """The bytes under the signature."""
        return f"consentivr checkpoint\n{self.position}\n{self.hash}\n{self.at}\n{self.key_id}\n".encode()

    @property
    def checkpoint(self) -> Checkpoint:
        """For ``core.chain.verify``."""
        return Checkpoint(self.position, self.hash)


class Verifier:
    """Public keys, by their id."""

    def __init__(self, keys: Iterable[Ed25519PublicKey]) -> None:
        self._keys = {key_id(key): key for key in keys}

    def __bool__(self) -> bool:
        return bool(self._keys)

    @classmethod
    def of_files(cls, paths: Iterable[Path]) -> Verifier:
        """Keys in PEM files. Raises LedgerError."""
        keys = []
        for path in paths:
            try:
                key = serialization.load_pem_public_key(path.read_bytes())
            except (OSError, ValueError) as error:
                raise LedgerError(f"{path} holds no public key: {error}") from None
            if not isinstance(key, Ed25519PublicKey):
                raise LedgerError(f"{path} holds a key of another kind than Ed25519")
            keys.append(key)
        return cls(keys)

    @classmethod
    def of_pem(cls, *keys: bytes) -> Verifier:
        """Of Ed25519 keys that were read before. Raises ValueError."""
        loaded = [serialization.load_pem_public_key(key) for key in keys]
        return cls(key for key in loaded if isinstance(key, Ed25519PublicKey))

    def knows(self, key_id: str) -> bool:
        """Whether that one is among them."""
        return key_id in self._keys

    def holds(self, checkpoint: SignedCheckpoint) -> bool:
        """Whether the signature is by one of the keys, over just this checkpoint."""
        try:
            return self.signed(checkpoint.key_id, bytes.fromhex(checkpoint.signature), checkpoint.signed)
        except ValueError:
            return False

    def signed(self, key_id: str, signature: bytes, content: bytes) -> bool:
        """Whether it is the signature of that one of the keys over ``content``."""
        key = self._keys.get(key_id)
        try:
            if key is None:
                return False
            key.verify(signature, content)
        except InvalidSignature:
            return False
        return True

    def check(self, checkpoints: Iterable[SignedCheckpoint]) -> tuple[list[Checkpoint], list[Finding]]:
        """The checkpoints that can be relied on, and a finding for each of the others."""
        good, findings = [], []
        for checkpoint in checkpoints:
            if self.holds(checkpoint):
                good.append(checkpoint.checkpoint)
            else:
                findings.append(Finding(checkpoint.position, Tampering.SIGNATURE))
        return good, findings


class Signer:
    """The private key of this node."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.key_id = key_id(key.public_key())

    @classmethod
    def of_file(cls, path: Path) -> Signer:
        """Read a key in PEM that nobody but its owner can read. Raises LedgerError with a remedy."""
        try:
            data = read_private(path)
        except NotPrivate as error:
            raise LedgerError(f"the signing key: {error}") from None
        except OSError as error:
            raise LedgerError(
                f"the signing key {path} cannot be read: {error.strerror}; make one with 'consentivr ledger keygen'"
            ) from None
        try:
            key = serialization.load_pem_private_key(data, password=None)
        except (ValueError, TypeError) as error:
            raise LedgerError(f"{path} holds no private key: {error}") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise LedgerError(f"{path} holds a key of another kind than Ed25519")
        return cls(key)

    def sign(self, position: int, hash_: str, at: str) -> SignedCheckpoint:
        """Sign what the chain is now."""
        unsigned = SignedCheckpoint(position, hash_, at, self.key_id, "")
        return SignedCheckpoint(position, hash_, at, self.key_id, self._key.sign(unsigned.signed).hex())

    def sign_bytes(self, content: bytes) -> bytes:
        """Ed25519 over ``content``."""
        return self._key.sign(content)

    @property
    def certificate(self) -> x509.Certificate:
        """The public key as a certificate of its own, for formats that ask for one; it names nobody, and says no more
        than the key. It has no end (RFC 5280, section 4.1.2.5).
        """
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"consentivr {self.key_id}")])
        made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self._key.public_key())
        made = made.serial_number(int(self.key_id, 16) or 1)
        made = made.not_valid_before(datetime(2000, 1, 1)).not_valid_after(datetime(9999, 12, 31, 23, 59, 59))
        return made.sign(self._key, None)

    @property
    def public_pem(self) -> str:
        """The public key, to be handed to whoever is to verify."""
        return public_pem(self._key.public_key())

    @property
    def verifier(self) -> Verifier:
        """Verifies what this key signed."""
        return Verifier([self._key.public_key()])


def make_key(path: Path) -> Signer:
    """Make a key and write it to a new file that only its owner can read. Raises LedgerError."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    try:
        with new_private(path) as file:
            file.write(pem)
    except OSError as error:
        raise LedgerError(f"cannot write {path}: {error.strerror}; name a file that is not there yet") from None
    return Signer(key)


def public_pem(key: Ed25519PublicKey) -> str:
    """A public key as text."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode("ascii")


def key_id(key: Ed25519PublicKey) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a public key."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:16]
