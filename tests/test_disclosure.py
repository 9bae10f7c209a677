"""What is handed over verifies on its own, holds what was asked for, and nobody else's calls."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import pytest

from consentivr import custody, disclosure
from consentivr.core import talk_turns, turns
from consentivr.core.chain import Tampering
from consentivr.core.consent import AnswerOutcome, Attempt, Consent, ConsentDecision, Notice, NoticeVersion, Reason
from consentivr.core.policy import RecordingMode
from consentivr.core.turn import Turn
from consentivr.core.verdict import Do, Verdict, VerdictReason
from consentivr.disclosure.words import WORDS
from consentivr.ledger import CallRef, Entry, Ledger, LedgerError, Search, Signer, Verifier, make_key
from consentivr.ledger.verification import verify_export
from consentivr.recordings import Places, quarantine
from tests.ledgers import NUMBER, UUIDS, as_administrator, opened
from tests.recordings import QUEUE, wav

NOTICE = NoticeVersion("de", "Dürfen wir <aufzeichnen>?", "ab" * 32, 4000)
OTHER = "+493023125777"


def yes(folder: Path, number: int, caller: str = NUMBER) -> list[Entry]:
    path = wav(folder, number)
    attempt = {"outcome": "key", "key": "1", "heard_ms": 3000, "asked_at": "2026-11-24T12:00:00.000+00:00"}
    decision = {
        "decision": "given",
        "reason": "consent_key",
        "notice": NOTICE.digest,
        "notice_ms": NOTICE.duration_ms,
        "purpose": "quality",
        "legal_basis": "consent, GDPR art. 6(1)(a)",
        "attempts": [{**attempt, "answered_at": "2026-11-24T12:00:03.000+00:00"}],
        "arrived_at": "2026-11-24T11:59:59.000+00:00",
    }
    turns = [
        ("decision", decision),
        ("recording_started", {"path": str(path)}),
        ("recording_stopped", {"path": str(path), "duration_ms": 1000}),
        ("call_ended", {"agent": "1001@default"}),
        ("recording_sealed", custody.seal(Places(folder), str(path))),
    ]
    return [Entry(UUIDS[number], turn, "support", QUEUE, "permanent_opt_out", said, caller) for turn, said in turns]


@pytest.fixture
def ledger(location: str | Path, signer: Signer, folder: Path) -> Iterator[Ledger]:
    """Calls 0 and 5 are one caller's, with other people's between; signed in the middle and at the end."""
    made = Ledger(location, signer=signer)
    made.add_notice(NOTICE)
    for number in range(8):
        made.append(yes(folder, number, NUMBER if number in (0, 5) else OTHER))
        if number == 3:
            made.sign()
    made.sign()
    yield made
    made.close()


def exported(
    ledger: Ledger,
    folder: Path,
    tmp_path: Path,
    form: str = "json",
    *,
    audio: bool = False,
    search: Search | None = None,
) -> Path:
    out = tmp_path / "export"
    with out.open("wb") as file:
        disclosure.hand_over(ledger, search or Search(caller=NUMBER), form, file, Places(folder), audio=audio)
    return out


def test_an_export_leads_to_signed_checkpoints_and_tells_of_nobody_else(
    ledger: Ledger, folder: Path, tmp_path: Path, signer: Signer
) -> None:
    out = exported(ledger, folder, tmp_path)
    said = verify_export(out, signer.verifier)
    assert (said.rows, said.signed_rows, said.findings) == (10, 10, [])
    text = out.read_text()
    assert NUMBER in text
    assert OTHER not in text
    assert UUIDS[1] not in text
    data = json.loads(text)
    assert [one["position"] for one in data["proof"]["checkpoints"]] == [21, 41]
    assert data["notices"][NOTICE.digest]["text"] == NOTICE.text
    assert verify_export(out, Verifier([])).signed_rows == 0, "without a key no signature counts"
    assert verify_export(out, make_key(tmp_path / "k2").verifier).findings[0].kind is Tampering.SIGNATURE


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda d: d["rows"][0]["evidence"].update(decision="refused"), Tampering.CHANGED),
        (lambda d: d["rows"][0].update(hash="00" * 32), Tampering.CHANGED),
        (lambda d: d["rows"].insert(0, d["rows"].pop(3)), Tampering.REORDERED),
        (lambda d: d["rows"][0]["caller"].update(caller_id_number=OTHER), Tampering.PERSONAL_CHANGED),
        (lambda d: d["rows"][0].update(caller=None), Tampering.PERSONAL_REMOVED),
        (lambda d: d["proof"]["digests"].pop("12"), Tampering.REWRITTEN),
        (lambda d: d["proof"]["checkpoints"][0].update(position=19), Tampering.SIGNATURE),
    ],
    ids=["changed", "rehashed", "reordered", "number", "no-number", "digest", "checkpoint"],
)
def test_an_export_that_was_tampered_with_is_found_out(
    ledger: Ledger, folder: Path, tmp_path: Path, signer: Signer, change: object, kind: Tampering
) -> None:
    out = exported(ledger, folder, tmp_path)
    data = json.loads(out.read_text())
    change(data)  # type: ignore[operator]
    out.write_text(json.dumps(data))
    assert kind in [finding.kind for finding in verify_export(out, signer.verifier).findings]


def test_a_forged_row_in_its_own_chain_is_not_signed_for(
    ledger: Ledger, folder: Path, tmp_path: Path, signer: Signer
) -> None:
    """Someone makes a whole ledger of their own, and takes our checkpoints along."""
    genuine = json.loads(exported(ledger, folder, tmp_path).read_text())
    forged = Ledger(tmp_path / "forged.sqlite3")
    forged.add_notice(NOTICE)
    forged.append([replace(row, evidence={**row.evidence, "decision": "given!"}) for row in yes(folder, 0)])
    out = exported(forged, folder, tmp_path, search=Search())
    forged.close()
    data = json.loads(out.read_text())
    assert verify_export(out, Verifier([])).findings == []
    data["proof"] = genuine["proof"]
    out.write_text(json.dumps(data))
    assert Tampering.REWRITTEN in [f.kind for f in verify_export(out, signer.verifier).findings]


def test_with_audio(ledger: Ledger, folder: Path, tmp_path: Path, signer: Signer) -> None:
    out = exported(ledger, folder, tmp_path, audio=True)
    said = verify_export(out, signer.verifier)
    assert (said.rows, said.recordings, said.findings) == (10, 2, [])
    with zipfile.ZipFile(out) as archive:
        names = sorted(archive.namelist())
        contents = {name: archive.read(name) for name in names}
    assert names == ["export.json", f"recordings/{UUIDS[0]}.wav", f"recordings/{UUIDS[5]}.wav"]
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content[:-2] + b"\1\1" if name.endswith(f"{UUIDS[5]}.wav") else content)
    kinds = [f.kind for f in verify_export(out, signer.verifier).findings]
    assert kinds == [Tampering.NOT_THE_MANIFEST, Tampering.AUDIO]
    path = folder / "2026" / "01" / "01" / f"{UUIDS[5]}.wav"
    path.unlink()
    with out.open("wb") as file:
        done = disclosure.hand_over(ledger, Search(caller=NUMBER), "json", file, Places(folder), audio=True)
    assert (done.recordings, done.left_out) == (1, {str(path): "No such file or directory"})


def test_recordings_that_were_moved_adopted_or_named_by_another_recorder(
    location: str | Path, folder: Path, tmp_path: Path, signer: Signer
) -> None:
    """What is handed over verifies, wherever it lies and whatever it was called; what has no seal is left out."""
    visit, moved = "7f0e2a11-5c1d-4d6e-9b59-00000000000a", tmp_path / "moved"
    about = CallRef(UUIDS[0], visit, "support", QUEUE, "permanent")
    foreign, plain, stray = wav(folder, 0).rename(folder / "law-03023125000.wav"), wav(folder, 1), wav(folder, 2)
    with opened(location, signer=signer) as book:
        book.append([about.row(Turn.DECISION, {"decision": "given", "reason": "consent_key"}, caller_id_number=NUMBER)])
        for path in (foreign, plain):
            book.append([about.row(Turn.RECORDING_STARTED, {"path": str(path)})])
            book.append([about.row(Turn.RECORDING_SEALED, custody.seal(Places(folder), str(path)))])
        unsealed = {"path": str(wav(folder, 3))}
        book.append([about.row(Turn.RECORDING_STARTED, unsealed)])
        put = quarantine(folder, stray)
        said = {"path": str(stray), "to": str(put)} | {"sha256": custody.seal(Places(folder), str(put))["sha256"]}
        book.append([CallRef(UUIDS[2], None, "", "", "").row(Turn.QUARANTINED, said)])
        (one,) = custody.quarantined(book, Places(folder))
        custody.adopt(book, Places(folder), one, visit, "made while we were down")
        book.sign()
        folder.rename(moved)
        places = Places(moved, former=(folder,))
        out = tmp_path / "out.zip"
        with out.open("wb") as file:
            done = disclosure.hand_over(book, Search(caller=NUMBER), "json", file, places, audio=True)
        assert (done.recordings, list(done.left_out)) == (3, [unsealed["path"]])
        assert verify_export(out, signer.verifier).findings == []


def test_a_vcon(ledger: Ledger, folder: Path, tmp_path: Path, signer: Signer) -> None:
    out = exported(ledger, folder, tmp_path, "vcon", audio=True, search=Search(channel=UUIDS[0]))
    said = verify_export(out, Verifier([]))
    assert (said.rows, said.recordings, said.findings) == (5, 1, [])
    with pytest.raises(ValueError, match="name one with --channel"):
        exported(ledger, folder, tmp_path, "vcon")
    (folder / "2026" / "01" / "01" / f"{UUIDS[0]}.wav").unlink()
    with (tmp_path / "again").open("wb") as file:
        done = disclosure.hand_over(ledger, Search(channel=UUIDS[0]), "vcon", file, Places(folder), audio=True)
    assert done.left_out
    assert verify_export(tmp_path / "again", signer.verifier).signed_rows == 5


def test_erased_rows_and_people_are_exported_as_such(
    ledger: Ledger, folder: Path, tmp_path: Path, signer: Signer
) -> None:
    ledger.erase_people([UUIDS[0]], {"why": "request"})
    ledger.erase_rows([UUIDS[1]], {"why": "retention"})
    ledger.sign()
    out = exported(ledger, folder, tmp_path, search=Search())
    said = verify_export(out, signer.verifier)
    assert (said.rows, said.signed_rows, said.findings) == (43, 43, [])
    table = exported(ledger, folder, tmp_path, "csv", search=Search()).read_text()
    assert len(table.splitlines()) == 44
    assert UUIDS[1] not in table


def test_nothing_and_nonsense(ledger: Ledger, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(disclosure.NothingThere):
        disclosure.hand_over(ledger, Search(channel="x"), "csv", io.BytesIO(), Places(folder), audio=False)
    nonsense = tmp_path / "nonsense"
    for text in ("", "{}", '{"vcon": "0.3.0", "dialog": [], "attachments": []}', "[]"):
        nonsense.write_text(text)
        with pytest.raises(LedgerError, match="no export of consentivr"):
            verify_export(nonsense, Verifier([]))


# --- on paper --------------------------------------------------------------------------------


@pytest.mark.parametrize("language", sorted(WORDS))
def test_the_sheet(ledger: Ledger, folder: Path, signer: Signer, language: str) -> None:
    page = disclosure.evidence_sheet(ledger, ledger.call(UUIDS[0]), Places(folder), signer.verifier, language)
    for part in (
        UUIDS[0],
        NUMBER,
        "1001@default",
        "Dürfen wir &lt;aufzeichnen&gt;?",
        "2026-11-24 11:59:59",
        signer.key_id,
    ):
        assert part in page, part
    for word in ("given", "whole", "audio_holds"):
        assert WORDS[language][word] in page
    assert "<aufzeichnen>" not in page, "P7: text is text"


def test_the_sheet_says_what_is_wrong(ledger: Ledger, folder: Path, tmp_path: Path) -> None:
    path = folder / "2026" / "01" / "01" / f"{UUIDS[0]}.wav"
    path.write_bytes(path.read_bytes()[:-2] + b"\1\1")
    other = make_key(tmp_path / "k2").verifier
    page = disclosure.evidence_sheet(ledger, ledger.call(UUIDS[0]), Places(folder), other, "en")
    assert WORDS["en"]["audio_differs"] in page
    assert Tampering.SIGNATURE.value in page
    path.unlink()
    assert WORDS["en"]["audio_absent"] in disclosure.evidence_sheet(
        ledger, ledger.call(UUIDS[0]), Places(folder), Verifier([]), "en"
    )
    ledger.erase_people([UUIDS[0]], {"why": "request", "audio": True})
    page = disclosure.evidence_sheet(ledger, ledger.call(UUIDS[0]), Places(folder), Verifier([]), "en")
    assert WORDS["en"]["unsigned"] in page
    assert WORDS["en"]["caller_erased"] in page
    assert NUMBER not in page


def test_the_sheet_calls_nothing_signed_that_nobody_checked(
    ledger: Ledger, folder: Path, location: str | Path, signer: Signer
) -> None:
    """Without a key to check with, also an invented signature looks like one."""
    rows = ledger.call(UUIDS[0])
    as_administrator(location, f"UPDATE checkpoint SET signature = '{'00' * 64}', key_id = 'invented'")
    for language, words in WORDS.items():
        page = disclosure.evidence_sheet(ledger, rows, Places(folder), Verifier([]), language)
        assert words["not_verified"] in page
        assert words["fits"] in page
        assert words["whole"] not in page
        assert words["signed"] not in page
        page = disclosure.evidence_sheet(ledger, rows, Places(folder), signer.verifier, language)
        assert words["broken"] in page
        assert words["signed"] not in page


def test_the_sheet_says_that_a_wording_is_another(ledger: Ledger, folder: Path, location: str | Path) -> None:
    rows = ledger.call(UUIDS[0])
    for change in ("text = 'Ja?'", "duration_ms = 9"):
        as_administrator(location, f"UPDATE notice SET {change}")
        page = disclosure.evidence_sheet(ledger, rows, Places(folder), Verifier([]), "en")
        assert WORDS["en"]["notice_differs"] in page
        assert Tampering.NOTICE_CHANGED.value in page


@pytest.mark.slow
@pytest.mark.parametrize("mode", RecordingMode)
@pytest.mark.parametrize("reason", Reason)
def test_the_sheet_has_words_for_everything(tmp_path: Path, folder: Path, mode: RecordingMode, reason: Reason) -> None:
    rows = {
        turn: Entry(UUIDS[0], turn.value, "l", QUEUE, mode.value, {"path": "/r/x.wav", "files": [], "why": "replaced"})
        for turn in Turn
        if turn is not Turn.ROWS_ERASED
    }
    attempts = [{"outcome": outcome.value, "key": None, "heard_ms": None} for outcome in AnswerOutcome]
    rows[Turn.WITHDRAWN] = replace(rows[Turn.WITHDRAWN], evidence={"reason": reason.value, "by": "command"})
    for decision in ConsentDecision:
        said = {"decision": decision.value, "reason": reason.value, "attempts": attempts}
        book = Ledger(tmp_path / f"{decision.value}.sqlite3")
        book.append([*({**rows, Turn.DECISION: replace(rows[Turn.DECISION], evidence=said)}).values()])
        for language in WORDS:
            assert UUIDS[0] in disclosure.evidence_sheet(
                book, book.call(UUIDS[0]), Places(folder), Verifier([]), language
            )
        book.close()


def test_the_sheet_looks_where_the_file_is_now(ledger: Ledger, folder: Path, tmp_path: Path) -> None:
    rows, moved = ledger.call(UUIDS[0]), tmp_path / "moved"
    folder.rename(moved)
    folder.mkdir()
    path = moved / "2026" / "01" / "01" / f"{UUIDS[0]}.wav"
    for places, word in (
        (Places(moved, former=(folder,)), "audio_holds"),
        (Places(moved), "audio_elsewhere"),
        (Places(folder), "audio_absent"),
    ):
        page = disclosure.evidence_sheet(ledger, rows, places, Verifier([]), "en")
        assert WORDS["en"][word] in page, word
    path.write_bytes(b"no sound at all")
    page = disclosure.evidence_sheet(ledger, rows, Places(moved, former=(folder,)), Verifier([]), "en")
    assert WORDS["en"]["audio_differs"] in page


def test_the_sheet_says_who_confirmed_a_statute_and_why_something_is_kept(tmp_path: Path) -> None:
    by_law = {"decision": "not_obtained", "reason": "legal_basis", "legal_basis": "HGB § 257"}
    taken_back = {"reason": "by_letter", "identity": "signature", "by": "command", "kept_because": "art. 17(3)(e)"}
    with_consent = {"decision": "given", "reason": "consent_key", "legal_basis": "consent, GDPR art. 6(1)(a)"}
    book = Ledger(tmp_path / "ledger.sqlite3")
    for number, rows in enumerate(
        (
            [("decision", by_law | {"confirmed_by": "A. <Adler>", "confirmed_on": "2026-11-01"})],
            [("decision", with_consent), ("withdrawn", taken_back)],
        )
    ):
        book.append([Entry(UUIDS[number], turn, "l", QUEUE, "permanent", said) for turn, said in rows])
    page = disclosure.evidence_sheet(book, book.call(UUIDS[0]), Places(tmp_path), Verifier([]), "en")
    assert "HGB § 257" in page
    assert "confirmed by A. &lt;Adler&gt;, 2026-11-01" in page
    page = disclosure.evidence_sheet(book, book.call(UUIDS[1]), Places(tmp_path), Verifier([]), "de")
    assert WORDS["de"]["was_taken_back"] in page
    assert WORDS["de"]["not_given"] not in page, "it was given, and then taken back"
    for said in ("schrieb es in einem Brief", "signature", "das Aufgezeichnete bleibt, weil: art. 17(3)(e)"):
        assert said in page
    book.close()


def test_every_member_of_every_row_has_a_word() -> None:
    attempts = (
        Attempt(AnswerOutcome.KEY, "1", 3000, "2026-11-24T12:00:00.000+00:00", "2026-11-24T12:00:03.000+00:00"),
    )
    consent = Consent(ConsentDecision.GIVEN, Reason.CONSENT_KEY, attempts)
    legs = (talk_turns.LegSeen("agent", UUIDS[0], (), ("eavesdrop",)),)
    verdict = Verdict(Do.RECORD, VerdictReason.CALLER_AGREED)
    rows = [
        turns.Decided(consent, verdict, "quality", "consent, GDPR art. 6(1)(a)", "2026-11-24T11:59:59.000+00:00",
                      Notice("ab" * 32, 4000, "de")),
        talk_turns.LookedForRecorders(legs),
        *(
            kind(**{field.name: None for field in fields(kind)})
            for kind in (*vars(turns).values(), *vars(talk_turns).values())
            if isinstance(kind, type) and issubclass(kind, turns.Row)
            if kind not in (turns.Row, turns.Decided, talk_turns.LookedForRecorders)
        ),
    ]  # fmt: skip
    for words in WORDS.values():
        for row in rows:
            evidence = row.evidence()
            inner = [name for value in evidence.values() if isinstance(value, dict) for name in value]
            inner += [name for value in evidence.values() if isinstance(value, list) for one in value for name in one]
            for member in {*evidence, *inner} - {"core", "withdrawn"}:
                assert f"said_{member}" in words, member
        assert {f"because_{reason.value}" for reason in VerdictReason} <= words.keys()
        assert {reason.value for reason in Reason if reason is not Reason.LEGAL_BASIS} <= words.keys()
        assert {f"outcome_{outcome.value}" for outcome in AnswerOutcome} <= words.keys()
        assert {f"said_{name}" for name in turns.Withdrawn.if_known} <= words.keys()


def test_what_a_row_says_is_told_in_words() -> None:
    attempt = {"outcome": "wrong_key", "key": "7", "heard_ms": None, "asked_at": "2026-11-24T12:00:00.000+00:00"}
    evidence = {
        "attempts": [attempt, {**attempt, "outcome": "key", "key": "1", "heard_ms": 3040}],
        "completion_cause": "empty-file",
        "verdict": {"record": False, "reason": "other_purpose"},
        "rows": [[3, 7], [9, 9]],
        "paths": ["/r/a.wav", "/r/b.wav"],
        "erase": True,
        "core": "x",
        "why": None,
        "unheard_of": {"a": 1},
    }
    assert disclosure.told(evidence, "de") == [
        (
            "wie gefragt wurde",
            [
                "1. gefragt: 2026-11-24 12:00:00 UTC, Ergebnis: Taste ohne Bedeutung, Taste: 7",
                "2. gefragt: 2026-11-24 12:00:00 UTC, Ergebnis: Taste, Taste: 1, von der Frage gehört: 3.0 s",
            ],
        ),
        ("was daraus folgte", ["wie: der Anrufer willigte in einen anderen Zweck ein, aufzeichnen: nein"]),
        ("zu löschen", ["ja"]),
        ("Dateien", ["/r/a.wav, /r/b.wav"]),
        ("wie die Aufzeichnung endete", ["nichts wurde aufgezeichnet: die Datei ist leer"]),
        ("Zeilen", ["3 - 7, 9"]),
        ("unheard of", ["a: 1"]),
    ]


def test_both_languages_say_the_same_things() -> None:
    assert WORDS["de"].keys() == WORDS["en"].keys()
    assert {f"turn_{turn.value}" for turn in Turn} <= WORDS["en"].keys()
