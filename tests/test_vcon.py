"""A call as a vCon: by the draft's own schema, signed, and nothing in it can be exchanged unseen."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import soundfile
from cryptography import x509
from joserfc import jws as joserfc
from joserfc.jwk import OKPKey

from consentivr import custody
from consentivr.core.chain import Tampering
from consentivr.core.consent import NoticeVersion
from consentivr.core.turn import Turn
from consentivr.disclosure import hand_over
from consentivr.ledger import CallRef, Ledger, Search, Signer, make_key
from consentivr.ledger.export import FORMAT
from consentivr.ledger.verification import verify_export
from consentivr.recordings import Places
from tests.ledgers import NUMBER, UUIDS

SCHEMA = json.loads((Path(__file__).parent / "schemas" / "vcon_unsigned_0.4.0.json").read_text())
BEGAN = datetime(2026, 11, 28, 9, tzinfo=timezone.utc)
VISIT = UUIDS[5]
ANNA, BEN = UUIDS[1], UUIDS[2]
NOTICE = NoticeVersion("de", "Dürfen wir aufzeichnen? 1 ist ja.", "ab" * 32, 4000)


def at(seconds: float) -> str:
    return (BEGAN + timedelta(seconds=seconds)).isoformat()


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return make_key(tmp_path / "key.pem")


@pytest.fixture
def ledger(location: str | Path, signer: Signer) -> Iterator[Ledger]:
    made = Ledger(location, signer=signer)
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "recordings").mkdir()
    return tmp_path / "recordings"


def decided(**more: Any) -> dict[str, Any]:
    return {"decision": "given", "reason": "consent_key", "purpose": "Qualität", "notice": NOTICE.digest, **more}


def asked(key: str | None, seconds: float) -> dict[str, Any]:
    heard = {"outcome": "key", "key": key, "heard_ms": 3000}
    return {**heard, "asked_at": at(seconds), **({"answered_at": at(seconds + 3)} if key else {})}


def written(ledger: Ledger, *turns: tuple[float, Turn, dict[str, Any]], mode: str = "permanent_opt_out") -> None:
    about = CallRef(UUIDS[0], VISIT, "support", "support@default", mode)
    ledger.add_notice(NOTICE)
    rows = [about.row(turn, said, caller_id_number=NUMBER) for _, turn, said in turns]
    for row, (seconds, _, _) in zip(rows, turns, strict=True):
        row.at = BEGAN + timedelta(seconds=seconds)
    ledger.append(rows)
    ledger.sign()


def talked(ledger: Ledger, folder: Path) -> Path:
    """Asked twice, two talks, on hold in between, taken back in the second."""
    path = folder / f"{VISIT}.wav"
    soundfile.write(str(path), np.zeros((8000 * 5, 2)), 8000, subtype="PCM_16")
    written(
        ledger,
        (0, Turn.ARRIVED, {}),
        (9, Turn.DECISION, decided(attempts=[asked(None, 1), asked("1", 5)])),
        (20, Turn.AGENT_ANSWERED, {"agent_uuid": ANNA, "agent": "anna@default", "agent_agreed": True}),
        (20, Turn.RECORDING_STARTED, {"path": str(path)}),
        (30, Turn.RECORDING_MASKED, {"why": "on_hold", "parties": [UUIDS[0]], "paths": [str(path)]}),
        (35, Turn.RECORDING_UNMASKED, {"why": "on_hold", "parties": [UUIDS[0]]}),
        (50, Turn.AGENT_ANSWERED, {"agent_uuid": BEN, "agent": "ben@default", "agent_agreed": True}),
        (60, Turn.WITHDRAWN, {"reason": "withdrawal_keys", "keys": "*9", "by": "caller", "erase": False}),
        (60, Turn.RECORDING_STOPPED, {"path": str(path), "duration_ms": 5000}),
        (61, Turn.RECORDING_SEALED, custody.seal(Places(folder), str(path))),
        (70, Turn.CALL_ENDED, {"agent": "ben@default"}),
    )
    return path


def exported(ledger: Ledger, folder: Path, signer: Signer | None = None) -> dict[str, Any]:
    """As a ledger hands it over that was opened to sign, or not."""
    ledger.signer, signs = signer, ledger.signer
    out = io.BytesIO()
    hand_over(ledger, Search(visit=VISIT), "vcon", out, Places(folder), audio=True)
    ledger.signer = signs
    return dict(json.loads(out.getvalue()))


def checked(vcon: dict[str, Any]) -> dict[str, Any]:
    """By the draft's schema and by what it says besides."""
    jsonschema.validate(vcon, SCHEMA, format_checker=jsonschema.FormatChecker())
    assert vcon["vcon"] == "0.4.0"
    parties, dialogs = len(vcon["parties"]), vcon["dialog"]
    for dialog in dialogs:
        known = {"type", "start", *SCHEMA["definitions"]["Dialog"]["properties"]}
        assert set(dialog) <= known
        if dialog["type"] == "transfer":
            assert not {"parties", "originator", "mediatype", "filename", "body", "encoding"} & set(dialog)
            assert {dialog[role] for role in ("transferee", "transferor", "transfer_target")} <= set(range(parties))
            assert not set(dialog["original"]) & set(dialog["target_dialog"])
        assert ("body" in dialog) == ("encoding" in dialog) == ("mediatype" in dialog)
        for event in dialog.get("party_history", ()):
            assert event["party"] < parties
            assert ("button" in event) == (event["event"] == "keydown")
    for attachment in vcon["attachments"]:
        assert attachment["party"] < parties
        assert attachment["dialog"] < len(dialogs)
        assert set(attachment) <= set(SCHEMA["definitions"]["Attachment"]["properties"])
    return vcon


def attached(vcon: dict[str, Any], purpose: str) -> Any:
    (found,) = (one for one in vcon["attachments"] if one["purpose"] == purpose)
    return found["body"]


def test_a_call_with_a_transfer(ledger: Ledger, folder: Path) -> None:
    path = talked(ledger, folder)
    vcon = checked(exported(ledger, folder))
    assert vcon["uuid"] == VISIT
    assert [(party.get("tel"), party.get("name")) for party in vcon["parties"]] == [
        (NUMBER, None),
        (None, "anna@default"),
        (None, "ben@default"),
        (None, "support"),
    ]
    first, second, talk, taken_over, transfer = vcon["dialog"]
    assert [dialog["type"] for dialog in vcon["dialog"]] == ["text", "text", "recording", "recording", "transfer"]
    assert (first["body"], first["parties"], first.get("party_history")) == (NOTICE.text, [3, 0], None)
    assert second["party_history"] == [{"party": 0, "time": at(8), "event": "keydown", "button": "1"}]
    assert (talk["start"], talk["parties"], talk["duration"]) == (at(20), [0, [1]], 5.0)
    content = base64.urlsafe_b64decode(talk["body"] + "==")
    assert content == path.read_bytes()
    hashed = base64.urlsafe_b64encode(hashlib.sha512(content).digest()).decode().rstrip("=")
    assert talk["content_hash"] == f"sha512-{hashed}"
    assert [(event["party"], event["event"], event["time"]) for event in talk["party_history"]] == [
        (1, "join", at(20)),
        (0, "hold", at(30)),
        (0, "unhold", at(35)),
        (1, "drop", at(50)),
    ]
    assert ("body" in taken_over, taken_over["parties"]) == (False, [0, 2])
    assert [event.get("button") or event["event"] for event in taken_over["party_history"]] == [
        "join",
        "*",
        "9",
        "drop",
    ]
    assert transfer == {
        "type": "transfer",
        "start": at(50),
        "transferee": 0,
        "transferor": 1,
        "transfer_target": 2,
        "original": [2],
        "target_dialog": [3],
    }
    assert attached(vcon, "silence in the recording") == [{"start": at(30), "end": at(35), "why": "on_hold"}]


def test_the_basis_is_what_holds_now(ledger: Ledger, folder: Path) -> None:
    talked(ledger, folder)
    vcon = exported(ledger, folder)
    assert vcon["extensions"] == ["lawful_basis"]
    basis = attached(vcon, "lawful_basis")
    assert (basis["lawful_basis"], basis["expiration"]) == ("consent", None)
    grant = {"purpose": "recording", "granted": False, "granted_at": at(60), "conditions": ["Qualität"]}
    assert basis["purpose_grants"] == [grant], "taken back"
    (proof,) = basis["proof_mechanisms"]
    assert proof["proof_type"] == "external_system"
    assert proof["proof_data"]["checkpoint"] == asdict(ledger.checkpoints()[-1])


@pytest.mark.parametrize(
    ("said", "basis", "granted"),
    [
        (decided(), "consent", True),
        (decided(decision="refused", reason="objection_key"), "consent", False),
        (decided(decision="not_obtained", reason="no_answer"), "consent", False),
        (
            decided(decision="not_obtained", reason="legal_basis", legal_basis="MiFID II art. 16(7)"),
            "legal_obligation",
            True,
        ),
    ],
)
def test_what_permits_it(ledger: Ledger, folder: Path, said: dict[str, Any], basis: str, granted: bool) -> None:
    written(ledger, (0, Turn.DECISION, said), (1, Turn.CALL_ENDED, {}))
    told = attached(checked(exported(ledger, folder)), "lawful_basis")
    (grant,) = told["purpose_grants"]
    assert (told["lawful_basis"], grant["granted"]) == (basis, granted)
    assert ("MiFID II art. 16(7)" in grant["conditions"]) == (basis == "legal_obligation")


def test_back_in_the_queue_is_no_transfer(ledger: Ledger, folder: Path) -> None:
    answered = {"agent_uuid": ANNA, "agent": "anna@default"}
    written(
        ledger,
        (0, Turn.DECISION, decided()),
        (1, Turn.AGENT_ANSWERED, answered),
        (2, Turn.QUEUE_LEFT, {"why": "x"}),
        (3, Turn.AGENT_ANSWERED, {"agent_uuid": BEN, "agent": None}),
        (4, Turn.CALL_ENDED, {}),
    )
    vcon = checked(exported(ledger, folder))
    assert [dialog["type"] for dialog in vcon["dialog"]] == ["text", "recording", "recording"]
    assert vcon["parties"][2] == {"type": "person"}, "somebody whose name is not known"


def test_it_is_signed_so_that_others_can_verify_it(ledger: Ledger, folder: Path, signer: Signer) -> None:
    talked(ledger, folder)
    document = exported(ledger, folder, signer)
    ((one,), payload) = (document["signatures"], document["payload"])
    certificate = x509.load_der_x509_certificate(base64.b64decode(one["header"]["x5c"][0]))
    key = OKPKey.import_key(signer.public_pem)
    assert certificate.public_key().public_bytes_raw() == key.public_key.public_bytes_raw()  # type: ignore[union-attr]
    certificate.verify_directly_issued_by(certificate)
    registry = joserfc.JWSRegistry(algorithms=["Ed25519"], strict_check_header=False)  # the draft's own header: uuid
    registry.max_payload_length = len(payload)
    read = joserfc.deserialize_json(document, key, registry=registry)
    vcon = checked(json.loads(read.payload))
    assert one["header"]["uuid"] == vcon["uuid"] == VISIT
    assert json.loads(base64.urlsafe_b64decode(payload + "==")) == vcon


def findings(tmp_path: Path, document: dict[str, Any], signer: Signer) -> list[Tampering]:
    path = tmp_path / "export"
    path.write_text(json.dumps(document))
    return [finding.kind for finding in verify_export(path, signer.verifier).findings]


def test_nothing_in_it_is_exchanged_unseen(ledger: Ledger, folder: Path, tmp_path: Path, signer: Signer) -> None:
    talked(ledger, folder)
    document = exported(ledger, folder, signer)
    assert findings(tmp_path, document, signer) == []
    payload = json.loads(base64.urlsafe_b64decode(document["payload"] + "=="))

    def number(vcon: Any) -> None:
        vcon["parties"][0]["tel"] = "+4930000000"

    def status(vcon: Any) -> None:
        attached(vcon, "lawful_basis")["purpose_grants"][0]["granted"] = True

    def terms(vcon: Any) -> None:
        vcon["dialog"][0]["body"] = "another wording"

    def sound(vcon: Any) -> None:
        vcon["dialog"][2]["body"] = vcon["dialog"][2]["body"][:-8] + "AAAABBBB"

    for change in (number, status, terms, sound):
        vcon = json.loads(json.dumps(payload))
        change(vcon)
        encoded = base64.urlsafe_b64encode(json.dumps(vcon).encode()).decode().rstrip("=")
        assert Tampering.VCON in findings(tmp_path, {**document, "payload": encoded}, signer), change
        assert Tampering.VCON in findings(tmp_path, vcon, signer), "taken out of its signature"
    other = make_key(tmp_path / "other.pem")
    from consentivr.ledger import jws

    assert Tampering.VCON in findings(tmp_path, jws.sign(payload, other), signer), "signed by somebody else"
    (signature,) = document["signatures"]
    for broken in ({"header": {}}, {"protected": "bm9uZQ"}, {"signature": "AAAA"}, {"header": {"x5c": ["AAAA"]}}):
        assert Tampering.VCON in findings(tmp_path, {**document, "signatures": [{**signature, **broken}]}, signer)
    assert Tampering.VCON in findings(tmp_path, {**document, "signatures": []}, signer)


def test_the_sound_is_held_against_its_seal_also_without_a_signature(
    ledger: Ledger, folder: Path, tmp_path: Path, signer: Signer
) -> None:
    talked(ledger, folder)
    vcon = exported(ledger, folder)
    path = tmp_path / "export"
    path.write_text(json.dumps(vcon))
    said = verify_export(path, signer.verifier)
    assert (said.recordings, [finding.kind for finding in said.findings]) == (1, [Tampering.UNSIGNED, Tampering.VCON])
    vcon["dialog"][2]["body"] = "AAAA"
    assert Tampering.AUDIO in findings(tmp_path, vcon, signer)
    assert attached(vcon, FORMAT)["rows"]
