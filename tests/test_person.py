"""What a caller may ask for: a letter, the data, erasure, a yes taken back (GDPR art. 7, 15, 17)."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from consentivr import custody
from consentivr.cli import main
from consentivr.config import ConfigError, loads
from consentivr.core.callers import WhoseNumber
from consentivr.core.consent import Reason
from consentivr.core.evidence import CallSummary, summarize
from consentivr.disclosure import Confirmation, Letter
from consentivr.disclosure.letter_words import WORDS
from consentivr.ledger import CallRef, Ledger
from consentivr.recordings import Places
from consentivr.resources import shipped
from tests.ledgers import NUMBER, UUIDS, opened, whole
from tests.persons import AT, CONTROLLER, NOTICE, QUEUE, VISITS, conversation, row_of


@pytest.fixture
def ledger(location: str | Path) -> Iterator[Ledger]:
    with opened(location, country="DE") as made:
        made.add_notice(NOTICE)
        yield made
    whole(location)


# --- the letter ------------------------------------------------------------------------------


def test_both_languages_have_the_same_words_and_one_for_each_answer() -> None:
    assert WORDS["de"].keys() == WORDS["en"].keys()
    for reason in Reason:
        assert f"answer_{reason.value}" in WORDS["en"] or reason.value in WORDS["en"], reason
    assert "not_said" in WORDS["en"], "how a yes was taken back can be lost with a process (core.adoption)"
    for whose in WhoseNumber:
        assert f"kept_{whose.value}" in WORDS["en"]
    for name, text in WORDS["en"].items():
        placeholders = [part.partition("}")[0] for part in text.split("{")[1:]]
        others = [part.partition("}")[0] for part in WORDS["de"][name].split("{")[1:]]
        assert sorted(placeholders) == sorted(others), name


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (
            "de",
            (
                "2. November 2026, 10:30:00 Uhr",
                "5000 (support)",
                "Um 10:30:05 Uhr haben Sie die 1 gedrückt und damit in die Aufzeichnung eingewilligt.",
                "1 min 23 s; vorhanden",
                "Aufzeichnung: 31. Januar 2027",
                "Eintrag über den Anruf: 1. November 2029",
                "Sie und eine Person aus unserem Haus",
                "Schulung",
                "Aufsicht X",
                "Art. 77 DSGVO",
            ),
        ),
        ("en", ("2 November 2026, 10:30:00", "you pressed 1, and so agreed", "Article 77 GDPR", "Aufsicht X")),
    ],
)
def test_the_letter_says_what_article_15_wants(
    ledger: Ledger, folder: Path, language: str, words: tuple[str, ...]
) -> None:
    conversation(ledger, folder, 0)
    conversation(ledger, folder, 1, "refused", "03023125000")
    conversation(ledger, folder, 2, caller="+493023125001")
    letter = Letter(ledger, "0049 30 231-25000", CONTROLLER, Places(folder), language)
    assert [call.call for call, _ in letter.calls] == VISITS[:2]
    text = " ".join(letter.render("txt").split())
    for word in words:
        assert word in text
    page = letter.render("html")
    assert "Muster &amp; Söhne GmbH" in page
    assert "&lt;aufzeichnen&gt;" in page, "P7: what others wrote is no code"
    assert "http" not in page, "nothing from outside"
    assert "1001@default" not in page + text, "art. 15(4)"


def test_a_letter_of_nothing_says_so(ledger: Ledger, folder: Path) -> None:
    conversation(ledger, folder, 0)
    letter = Letter(ledger, "+493099999", CONTROLLER, Places(folder), "de")
    text = " ".join(letter.render("txt").split())
    assert "keinen Anruf gespeichert" in text
    assert "Art. 11 DSGVO" in text, "whose number is not kept cannot be found"
    assert letter.calls == []


def test_the_letter_of_what_became_of_a_call(ledger: Ledger, folder: Path) -> None:
    path = conversation(ledger, folder, 0)
    calls = [summarize(rows) for rows in ledger.calls_named(VISITS[0])]
    custody.withdraw(ledger, Places(folder), calls, Reason.BY_MAIL, "asked back", date(2026, 11, 5), kept_because={})
    assert not path.exists()
    text = " ".join(Letter(ledger, NUMBER, CONTROLLER, Places(folder), "en").render("txt").split())
    assert "On 5 November 2026 you took your consent back by e-mail." in text
    assert "How we made sure that it was you: asked back." in text
    assert "erased on" in text
    assert "It ended: 2 November 2026, 10:33:00" in text, "taking it back makes the call no younger"
    custody.hold(ledger, VISITS[0], "lawsuit")
    text = " ".join(Letter(ledger, NUMBER, CONTROLLER, Places(folder), "en").render("txt").split())
    assert "Kept until: further notice" in text


def test_the_letter_says_who_looked_at_the_call_when_and_what_for(ledger: Ledger, folder: Path) -> None:
    """And not by whom (CJEU C-579/21)."""
    conversation(ledger, folder, 0)
    (rows,) = ledger.calls_named(VISITS[0])
    said = {"by": "olga", "role": "officer"}
    ledger.append(
        [
            row_of(rows[0].about, "recording_played", {**said, "purpose": "training"}, AT + timedelta(days=1)),
            row_of(rows[0].about, "person_shown", {**said, "why": "a complaint"}, AT + timedelta(days=2)),
        ]
    )
    text = " ".join(Letter(ledger, NUMBER, CONTROLLER, Places(folder), "en").render("txt").split())
    assert "on 3 November 2026, 10:30:00 somebody of our house heard the recording, for: training" in text
    assert "on 4 November 2026, 10:30:00 somebody of our house saw your number, for: a complaint" in text
    assert "olga" not in text


def test_the_letter_of_a_call_recorded_by_law(ledger: Ledger, folder: Path) -> None:
    conversation(ledger, folder, 0, "not_obtained", reason="legal_basis", legal_basis="WpHG § 83")
    text = " ".join(Letter(ledger, NUMBER, CONTROLLER, Places(folder), "de").render("txt").split())
    assert "Was Ihnen gesagt wurde" in text
    assert "WpHG § 83; Art. 6 Abs. 1 lit. c DSGVO" in text


# --- erased, and seen before -----------------------------------------------------------------


def test_what_would_be_erased_is_what_is(ledger: Ledger, folder: Path) -> None:
    """Also where one visit on hold keeps the number of another, a file is gone, and one is out of reach."""
    paths = [conversation(ledger, folder, number) for number in range(4)]
    custody.hold(ledger, VISITS[1], "lawsuit")
    about = CallRef(UUIDS[1], VISITS[9], "support", QUEUE, "permanent_opt_out")
    ledger.append([row_of(about, "decision", {"decision": "refused", "reason": "objection_key"}, AT)])
    paths[2].unlink()
    elsewhere = folder.parent / "elsewhere.wav"
    elsewhere.write_bytes(b"RIFF")
    third = CallRef(UUIDS[3], VISITS[3], "support", QUEUE, "permanent_opt_out")
    ledger.append([row_of(third, "recording_started", {"path": str(elsewhere)}, AT)])
    would = custody.would_erase(ledger, Places(folder), UUIDS[:4])
    assert all(path.exists() for path in (paths[0], paths[1], paths[3])), "nothing was done"
    assert ledger.channels_of(NUMBER) == UUIDS[:4]
    done = custody.erase_calls(ledger, Places(folder), UUIDS[:4], "request")
    assert done == would
    assert (done.calls, done.recordings, done.gone, done.held) == (3, 2, 1, [VISITS[1]])
    assert [call.number for call in done.becomes if call.call.call == VISITS[9]] == [False]
    assert list(done.left) == [VISITS[3]]


def test_what_would_be_taken_back_is_what_is(ledger: Ledger, folder: Path) -> None:
    paths = [conversation(ledger, folder, number) for number in range(3)]
    custody.hold(ledger, VISITS[1], "lawsuit")
    found = custody.to_take_back(ledger, UUIDS[:3])
    would = custody.would_withdraw(ledger, Places(folder), found.calls, kept_because={})
    assert all(path.exists() for path in paths)
    how = (Reason.BY_LETTER, "signature", date(2026, 11, 5))
    assert custody.withdraw(ledger, Places(folder), found.calls, *how, kept_because={}) == would


# --- a yes taken back ------------------------------------------------------------------------


def test_a_yes_taken_back_by_letter(ledger: Ledger, folder: Path) -> None:
    paths = [conversation(ledger, folder, number) for number in range(3)]
    custody.hold(ledger, VISITS[1], "lawsuit")
    calls = [summarize(rows) for rows in ledger.rows_of(UUIDS[:3])]
    done = custody.withdraw(
        ledger, Places(folder), calls, Reason.BY_LETTER, "signature", date(2026, 11, 5), kept_because={}
    )
    assert done.calls == VISITS[:3], "the yes ends, whatever is kept"
    assert done.erased == [str(paths[0]), str(paths[2])]
    assert list(done.left) == [str(paths[1])]
    assert [path.exists() for path in paths] == [False, True, False]
    row = next(row for row in ledger.call(VISITS[0]) if row.turn == "withdrawn")
    assert row.evidence == {
        "reason": "by_letter",
        "identity": "signature",
        "declared_on": "2026-11-05",
        "erase": True,
        "by": "command",
        "withdrawn": True,
    }
    custody.hold(ledger, VISITS[1], "over", release=True)
    calls = [summarize(rows) for rows in ledger.rows_of(UUIDS[:3])]
    assert {call.decision for call in calls} == {"withdrawn"}
    again = custody.withdraw(ledger, Places(folder), calls, Reason.BY_LETTER, "x", date(2026, 11, 6), kept_because={})
    assert (again.calls, again.erased, again.left) == ([], [str(paths[1])], {}), "what was held is erased, once"


# --- the command -----------------------------------------------------------------------------


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.fixture
def path(location: str | Path, folder: Path, tmp_path: Path) -> Path:
    data = yaml.safe_load((shipped("config") / "consentivr.yaml").read_text(encoding="utf-8"))
    data["privacy"] = {"controller": "Muster GmbH, Weg 1", "recipients": [], "third_countries": "none"}
    data["numbers"] = {"country": "DE"}
    data["ledger"] |= {"url" if isinstance(location, str) else "path": str(location)}
    data["recordings"]["folder"] = str(folder)
    data["queues"]["support"]["recording"]["erase_withdrawn"] = True
    made = tmp_path / "consentivr.yaml"
    made.write_text(yaml.safe_dump(data), encoding="utf-8")
    with opened(location) as ledger:
        ledger.add_notice(NOTICE)
        conversation(ledger, folder, 0)
        conversation(ledger, folder, 1, caller="03023125000")
        conversation(ledger, folder, 2, "refused", caller="+493023125001")
    return made


def test_report_and_export(path: Path, tmp_path: Path) -> None:
    out, archive = tmp_path / "letter.html", tmp_path / "person.zip"
    done = run("person", "030 23125000", "report", "-c", str(path), "--to", "Erika Muster", "--out", str(out))
    assert done.exit_code == 0, done.output
    assert "2 call(s), 2 recording(s)" in done.output
    assert "Erika Muster" in out.read_text(encoding="utf-8")
    assert out.stat().st_mode & 0o777 == 0o600
    assert run("person", NUMBER, "report", "-c", str(path), "--out", str(out)).exit_code == 2, "it is there already"
    assert run("person", NUMBER, "report", "-c", str(path), "--out", str(tmp_path / "x.pdf")).exit_code == 2
    done = run("person", "004930 23125000", "export", "-c", str(path), "--language", "en", "--out", str(archive))
    assert done.exit_code == 0, done.output
    with zipfile.ZipFile(archive) as made:
        names = made.namelist()
        assert "Copies are enclosed" in made.read("letter.txt").decode()
        data = json.loads(made.read("export.json"))
    assert {name.partition("/")[0] for name in names} == {"letter.html", "letter.txt", "export.json", "recordings"}
    assert {row["visit"] for row in data["rows"]} == set(VISITS[:2])
    assert run("ledger", "verify", "--export", str(archive)).exit_code == 0, "a letter beside it is no recording"
    done = run("person", "030 99", "export", "-c", str(path), "--out", str(tmp_path / "y.zip"))
    assert (done.exit_code, (tmp_path / "y.zip").exists()) == (1, False)


def test_erase_shows_first_and_then_does_it(path: Path, location: str | Path, folder: Path) -> None:
    with opened(location) as ledger:
        custody.hold(ledger, VISITS[1], "lawsuit")
    done = run("person", "03023125000", "erase", "-c", str(path))
    assert done.exit_code == 0, done.output
    assert "number and 1 recording(s) erased" in done.output
    assert "kept, with the number: legal hold" in done.output
    assert len(list(folder.rglob("*.wav"))) == 2, "nothing was erased"
    with opened(location) as ledger:
        custody.hold(ledger, VISITS[1], "over", release=True)
    assert run("person", "03023125000", "erase", "-c", str(path), "--yes").exit_code == 0
    assert list(folder.rglob("*.wav")) == []
    with opened(location, country="DE") as ledger:
        assert ledger.channels_of(NUMBER) == []
        assert ledger.channels_of("+493023125001") == UUIDS[2:3], "nobody else's"
    assert run("person", "03023125000", "erase", "-c", str(path)).exit_code == 1
    assert whole(location)


@pytest.mark.parametrize(
    ("language", "complete", "in_part"),
    [
        ("de", "alle Aufzeichnungen Ihrer Anrufe sind gelöscht", "alles, auch Ihre Nummer: Der Anruf wird zur"),
        ("en", "all recordings of your calls are erased", "everything, your number too: the call is needed"),
    ],
)
def test_an_erasure_is_confirmed_with_what_is_left_and_why(
    path: Path, location: str | Path, tmp_path: Path, language: str, complete: str, in_part: str
) -> None:
    what = ("person", "03023125000", "erase", "-c", str(path), "--language", language)
    assert run(*what, "--out", str(tmp_path / "x.txt")).exit_code == 2, "nothing is confirmed that was not done"
    assert run(*what, "--yes", "--out", str(tmp_path / "x.pdf")).exit_code == 2
    with opened(location) as ledger:
        custody.hold(ledger, VISITS[1], "lawsuit")
    out = tmp_path / "part.txt"
    done = run(*what, "--yes", "--to", "Erika Muster", "--out", str(out))
    assert done.exit_code == 1, done.output
    text = " ".join(out.read_text(encoding="utf-8").split())
    assert "Erika Muster" in text
    assert in_part in text
    assert complete not in text
    with opened(location) as ledger:
        custody.hold(ledger, VISITS[1], "over", release=True)
    out = tmp_path / "whole.html"
    done = run(*what, "--yes", "--out", str(out))
    assert (done.exit_code, "it holds the number" in done.output) == (0, True), done.output
    assert out.stat().st_mode & 0o777 == 0o600
    page = out.read_text(encoding="utf-8")
    assert complete in page
    assert in_part not in page
    assert "23125000" in page
    out = tmp_path / "nothing.txt"
    done = run(*what, "--yes", "--out", str(out))
    assert (done.exit_code, out.exists()) == (0, True), "there is nothing any more, and that is an answer too"
    assert whole(location)


def test_the_receipt_of_an_erasure_is_written_with_it(path: Path, location: str | Path, tmp_path: Path) -> None:
    what, out = ("person", "03023125000", "erase", "-c", str(path)), tmp_path / "receipt.txt"
    assert run(*what, "--receipt", str(out)).exit_code == 2, "nothing is proven that was not done"
    assert run(*what, "--yes", "--receipt", str(tmp_path / "x.pdf")).exit_code == 2
    assert run(*what, "--yes", "--receipt", str(out), "--out", str(out)).exit_code == 2
    with opened(location, country="DE") as ledger:
        assert len(ledger.channels_of(NUMBER)) == 2, "nothing was done yet"
    done = run(*what, "--yes", "--language", "en", "--out", str(tmp_path / "letter.txt"), "--receipt", str(out))
    assert (done.exit_code, done.output.count("it holds the number")) == (0, 2), done.output
    text = out.read_text(encoding="utf-8")
    assert out.stat().st_mode & 0o777 == 0o600
    with opened(location) as ledger:
        rows = [row for visit in VISITS[:2] for row in ledger.call(visit) if row.turn in ("erasure", "audio_erased")]
        assert len(rows) == 4
        for row in rows:
            assert f"Row {row.position}: " in text
            assert str(ledger.hash_at(row.position)) in text
    assert text.count("Your telephone number was erased") == 2


def test_the_receipt_of_what_was_taken_back(path: Path, location: str | Path, tmp_path: Path) -> None:
    out = tmp_path / "receipt.html"
    what = ("person", "03023125000", "receipt", "-c", str(path), "--language", "en", "--out", str(out))
    assert (run(*what).exit_code, out.exists()) == (1, False), "nothing was taken back"
    said = ("--by", "mail", "--identity", "asked back", "--yes")
    assert run("person", "03023125000", "withdraw", "-c", str(path), *said).exit_code == 0
    done = run(*what, "--to", "Erika Muster")
    assert (done.exit_code, "2 call(s)" in done.output) == (0, True), done.output
    page = out.read_text(encoding="utf-8")
    assert "Erika Muster" in page
    with opened(location) as ledger:
        for visit in VISITS[:2]:
            (row,) = [row for row in ledger.call(visit) if row.turn == "withdrawn"]
            assert str(ledger.hash_at(row.position)) in page
    assert run(*what[:-1], str(tmp_path / "x.pdf")).exit_code == 2


def test_a_confirmation_names_what_is_still_there(tmp_path: Path) -> None:
    """A number that a held visit of the same channel keeps, and files that could not be erased."""
    with opened(tmp_path / "ledger.sqlite3") as ledger:
        folder = tmp_path / "recordings"
        conversation(ledger, folder, 0)
        conversation(ledger, folder, 1)
        calls = [summarize(rows) for rows in ledger.rows_of(UUIDS[:2])]
    second = replace(calls[1], channel_uuid=UUIDS[0], visit=VISITS[2])
    became = [
        custody.ErasedCall(calls[0], number=False, held=False, left={"a.wav": "Permission denied"}),
        custody.ErasedCall(calls[1], number=True, held=False, left={"b.wav": "call x names it, and is on legal hold"}),
        custody.ErasedCall(second, number=False, held=True),
    ]
    said = Confirmation(NUMBER, None, CONTROLLER, "en", became).render("txt")
    text = " ".join(said.split())
    assert "your number: it belongs to this call and to another" in text
    assert "a recording that also belongs to another call" in text
    assert "a recording that this system could not erase by itself yet" in text
    assert "Not everything could be erased" in text
    assert text.count("Entry about the call: 1 November 2029") == 2, "and not of the held one"


def test_a_recording_that_is_kept_after_a_withdrawal_has_its_ground(
    path: Path, location: str | Path, folder: Path, tmp_path: Path
) -> None:
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    data["queues"]["support"]["recording"] |= {"erase_withdrawn": False, "kept_because": "art. 17(3)(e), case 12/26"}
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    what = ("person", "03023125000", "withdraw", "-c", str(path), "--by", "letter", "--identity", "signature")
    assert "1 recording(s) kept: art. 17(3)(e), case 12/26" in run(*what).output
    assert run(*what, "--yes").exit_code == 0
    assert len(list(folder.rglob("*.wav"))) == 2
    with opened(location) as ledger:
        row = next(row for row in ledger.call(VISITS[0]) if row.turn == "withdrawn")
    assert (row.evidence["erase"], row.evidence["kept_because"]) == (False, "art. 17(3)(e), case 12/26")
    out = tmp_path / "letter.txt"
    assert run("person", NUMBER, "report", "-c", str(path), "--out", str(out)).exit_code == 0
    assert "seither bleibt die Aufzeichnung aufgrund von: art. 17(3)(e), case 12/26" in " ".join(
        out.read_text(encoding="utf-8").split()
    )
    assert run(*what, "--yes").exit_code == 1, "nothing is left to take back"


def test_what_another_queue_recorded_by_law_stays(ledger: Ledger, folder: Path) -> None:
    """Of the same visit: no yes was its ground, so none that is taken back ends it (art. 17(3)(b))."""
    path = conversation(ledger, folder, 0)
    lawful = path.with_name(f"{VISITS[0]}-2.wav")
    lawful.write_bytes(path.read_bytes())
    law = CallRef(UUIDS[0], VISITS[0], "support", "law@default", "permanent")
    sealed = custody.seal(Places(folder), str(lawful))
    ledger.append(
        [
            row_of(law, "recording_started", {"path": str(lawful)}, AT + timedelta(minutes=1)),
            row_of(law, "recording_stopped", {"path": str(lawful), "duration_ms": 1000}, AT + timedelta(minutes=2)),
            row_of(law, "recording_sealed", sealed | {"path": str(lawful)}, AT + timedelta(minutes=2)),
        ]
    )

    def call() -> CallSummary:
        (rows,) = ledger.rows_of(UUIDS[:1])
        return summarize(rows)

    done = custody.withdraw(ledger, Places(folder), [call()], Reason.BY_MAIL, "x", date(2026, 11, 5), kept_because={})
    assert (done.erased, list(done.kept), done.left) == ([str(path)], [str(lawful)], {})
    assert not path.exists()
    assert [recording.path for recording in call().audio] == [str(lawful)]
    assert call().to_erase == ()
    retain = custody.Retention(ledger, Places(folder), {}, at=AT + timedelta(days=10)).run()
    assert str(lawful) not in retain.audio_erased
    assert lawful.exists()


def test_what_a_queue_without_a_ground_recorded_is_erased(ledger: Ledger, folder: Path) -> None:
    """Also when the configuration does not know the queue any more: the law decides the default (art. 17(1)(b))."""
    path = conversation(ledger, folder, 0)
    calls = [summarize(rows) for rows in ledger.rows_of(UUIDS[:1])]
    custody.withdraw(
        ledger, Places(folder), calls, Reason.BY_MAIL, "x", date(2026, 11, 5), kept_because={"sales@default": "y"}
    )
    assert not path.exists()


def test_a_recording_that_was_moved_is_found(path: Path, folder: Path, tmp_path: Path) -> None:
    moved, key = tmp_path / "moved", tmp_path / "ledger.key"
    folder.rename(moved)
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    public = tmp_path / "ledger.pub"
    public.write_text(run("ledger", "keygen", "--out", str(key)).stdout)
    data["recordings"] |= {"folder": str(moved), "former_folders": [str(folder)]}
    data["ledger"]["signing_key"] = str(key)
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    archive = tmp_path / "person.zip"
    done = run("person", NUMBER, "export", "-c", str(path), "--out", str(archive))
    assert (done.exit_code, "2 call(s), 2 recording(s)" in done.output) == (0, True), done.output
    with zipfile.ZipFile(archive) as made:
        assert "Datei recordings/" in " ".join(made.read("letter.txt").decode().split())
    done = run("ledger", "verify", "--export", str(archive), "--public-key", str(public))
    assert done.exit_code == 0, done.output


def test_withdraw_shows_first_and_then_does_it(path: Path, location: str | Path, folder: Path) -> None:
    what = ("person", "03023125000", "withdraw", "-c", str(path), "--by", "mail", "--identity", "asked back")
    assert run(*what[:-2]).exit_code == run(*what[:-1], " ").exit_code == 2, "how it was checked must be said"
    done = run(*what)
    assert (done.exit_code, len(list(folder.rglob("*.wav")))) == (0, 2), done.output
    done = run(*what, "--yes", "--on", "2026-11-20")
    assert "taken back: 2 call(s), 2 recording(s) erased" in done.output
    assert (done.exit_code, list(folder.rglob("*.wav"))) == (0, [])
    assert run(*what, "--yes").exit_code == 1, "there is nothing left to take back"
    assert run("person", "+493023125001", *what[2:]).exit_code == 1, "who refused has none"
    with opened(location) as ledger:
        said = [row.evidence["declared_on"] for row in ledger.call(VISITS[0]) if row.turn == "withdrawn"]
    assert said == ["2026-11-20"]
    assert whole(location)


def test_a_call_under_way_that_cannot_be_reached_is_said_to_go_on(path: Path, location: str | Path) -> None:
    about = CallRef(UUIDS[5], VISITS[5], "support", QUEUE, "permanent_opt_out")
    with opened(location) as ledger:
        ledger.append([row_of(about, "decision", {"decision": "given", "reason": "consent_key"}, AT, NUMBER)])
    done = run("person", NUMBER, "withdraw", "-c", str(path), "--by", "word", "--identity", "on the telephone", "--yes")
    assert done.exit_code == 1
    assert f"NOT STOPPED: call {VISITS[5]} is under way" in done.output
    with opened(location) as ledger:
        assert summarize(ledger.call(VISITS[5])).decision == "given", "nothing is said that is not so (P6)"
        assert summarize(ledger.call(VISITS[0])).decision == "withdrawn"


@pytest.mark.parametrize("number", ["anonymous", "unknown", "0000000000", " "])
def test_nobodys_number(path: Path, number: str) -> None:
    done = run("person", number, "erase", "-c", str(path), "--yes")
    assert (done.exit_code, "nobody's number" in done.output) == (2, True)


def test_who_answers_must_be_known(path: Path, tmp_path: Path) -> None:
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    del data["privacy"]["controller"], data["privacy"]["recipients"]
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    done = run("person", NUMBER, "report", "-c", str(path), "--out", str(tmp_path / "a.txt"))
    assert (done.exit_code, "privacy.controller, privacy.recipients" in done.output) == (2, True)
    data["privacy"]["time_zone"] = "Mars/Olympus"
    with pytest.raises(ConfigError, match="is no time zone"):
        loads(yaml.safe_dump(data))
    data["privacy"], data["numbers"] = {}, {"country": "XX"}
    with pytest.raises(ConfigError, match="two capital letters"):
        loads(yaml.safe_dump(data))
    data["numbers"] = {"country": "NO"}
    assert loads(yaml.safe_dump(data).replace("'NO'", "NO")).numbers.country == "NO", "Norway, without quotes"
