"""A vCon signed with the ledger's key: general JSON serialization of RFC 7515, Ed25519 of RFC 9864."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding

from consentivr.ledger.signing import Signer, Verifier, key_id


def sign(vcon: Mapping[str, Any], signer: Signer) -> dict[str, Any]:
    """The signed form (draft-ietf-vcon-vcon-core, "Signed Form of vCon Object"): algorithm under the signature, the
    key's certificate beside it.
    """
    protected = _encoded(json.dumps({"alg": "Ed25519"}).encode())
    payload = _encoded(json.dumps(vcon, ensure_ascii=False).encode())
    certificate = base64.b64encode(signer.certificate.public_bytes(Encoding.DER)).decode("ascii")
    signature = {
        "header": {"x5c": [certificate], "uuid": vcon["uuid"]},
        "protected": protected,
        "signature": _encoded(signer.sign_bytes(f"{protected}.{payload}".encode())),
    }
    return {"payload": payload, "signatures": [signature]}


def is_signed(document: Mapping[str, Any]) -> bool:
    """Whether it is of that form."""
    return "payload" in document and "signatures" in document


def content(document: Mapping[str, Any]) -> bytes:
    """The vCon that is signed, whoever signed it: JSON. Raises ValueError."""
    return _decoded(document["payload"])


def holds(document: Mapping[str, Any], verifier: Verifier) -> bool:
    """Whether every signature is by one of the keys, over just this content."""
    return bool(document["signatures"]) and all(
        _holds(document["payload"], one, verifier) for one in document["signatures"]
    )


def _holds(payload: str, signature: Mapping[str, Any], verifier: Verifier) -> bool:
    try:
        if json.loads(_decoded(signature["protected"])) != {"alg": "Ed25519"}:
            return False
        der = base64.b64decode(signature["header"]["x5c"][0])
        key = x509.load_der_x509_certificate(der).public_key()
        signed = f"{signature['protected']}.{payload}".encode()
        return isinstance(key, Ed25519PublicKey) and verifier.signed(
            key_id(key), _decoded(signature["signature"]), signed
        )
    except (ValueError, KeyError, IndexError, TypeError):
        return False


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
