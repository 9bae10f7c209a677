"""People: whoever asks is found, told, erased, taken back; and the number is in no address, no row and no log."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner
from werkzeug.test import TestResponse

from consentivr import custody
from consentivr.cli import main
from consentivr.core.evidence import summarize
from consentivr.core.requests import requests_of
from consentivr.ledger import CallRef, Ledger, LedgerUnavailable
from consentivr.recordings import Places
from tests.console.people import Browser, console
from tests.ledgers import NUMBER, UUIDS, opened, whole
from tests.persons import AT, CONTROLLER, NOTICE, QUEUE, VISITS, conversation, row_of

ENDS = "3125000"
"""Of the number; in none of what must not have it."""


STOPPED: list[str] = []


def stop(channel_uuid: str) -> str | None:
    STOPPED.append(channel_uuid)
    return "'serve' cannot be reached" if channel_uuid == UUIDS[6] else None


@pytest.fixture
def browser(tmp_path: Path, folder: Path, location: str | Path) -> Iterator[Any]:
    """Three calls of one person in three spellings, one of somebody whose number ends alike, one of nobody."""
    STOPPED.clear()
    with opened(location, country="DE") as ledger:
        ledger.add_notice(NOTICE)
        conversation(ledger, folder, 0)
        conversation(ledger, folder, 1, caller="03023125000")
        conversation(ledger, folder, 2, "refused", caller="00493023125000")
        conversation(ledger, folder, 3, caller="+4322313125000")
        conversation(ledger, folder, 4, "refused", caller=None)
    house = {"controller": CONTROLLER, "terms": CONTROLLER.terms, "stop": stop, "time_zone": "Europe/Berlin"}
    with console(tmp_path, location, country="DE", **house) as made:
        yield made
    whole(location)


@pytest.fixture
def officer(browser: Any) -> Browser:
    made: Browser = browser("officer")
    return made


def look_for(officer: Browser, number: str = "030 / 23 12 50 00", why: str = "request for access") -> str:
    """The address of the person's page, which is open then."""
    officer.get("/people")
    answered = officer.post("/people", number=number, why=why)
    assert answered.status_code == 303, answered.text
    officer.get(answered.location)
    return str(answered.location)


def rows_of(location: str | Path, *turns: str) -> list[Any]:
    with opened(location) as ledger:
        return [row for row in ledger.read() if row.turn in turns]


def field(page: TestResponse, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page.text)
    assert found, name
    return found[1]


def recordings(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.wav"))


# --- looking for somebody --------------------------------------------------------------------


def test_nobody_else_answers_people(browser: Any, location: str | Path) -> None:
    handle = "a" * 22
    seen = ["/people", "/people.json", "/people.csv", f"/people/{handle}", "/people/requests/x"]
    seen += [f"/people/{handle}/{what}" for what in ("answer", "erase", "withdraw")]
    done = ["/people", *(f"/people/requests/x/{what}" for what in ("person", "extend", "answer"))]
    done += [f"/people/{handle}/{what}" for what in ("answer", "erase", "withdraw", "hold", "requests", "close")]
    for role in ("agent", "supervisor", "council", "admin"):
        somebody = browser(role)
        assert {somebody.get(address).status_code for address in seen} == {403}, role
        assert {somebody.post(address, number=NUMBER, why="x").status_code for address in done} == {403}, role
    assert rows_of(location, "person_looked_for", "ordered", "handed_over") == []


def test_a_person_is_found_in_any_spelling(officer: Browser, location: str | Path) -> None:
    for number in (NUMBER, "0049 30 23125000", "(030) 23125-000", "493023125000"):
        address = look_for(officer, number)
        page = officer.get(address)
        assert all(VISITS[n] in page.text for n in range(3)), number
        assert "+49 30 23125000" in page.text
        assert VISITS[3] not in page.text
        assert VISITS[4] not in page.text
        assert "+4322313125000" in page.text, "ends alike: shown apart"
        data = officer.get(f"{address}.json").json
        assert {row["call"] for row in data["rows"]} == set(VISITS[:3])
        assert ENDS not in json.dumps(data)
        assert officer.get(f"{address}.csv").text.count("\n") == 4
    said = {"by": "olga", "role": "officer", "found": 3, "why": "request for access"}
    assert [row.evidence for row in rows_of(location, "person_looked_for")] == [said] * 4


def test_a_withheld_number_is_nobodys(officer: Browser, location: str | Path) -> None:
    for number in ("anonymous", "Unknown", "0000000000", ""):
        answered = officer.post("/people", number=number, why="x")
        assert answered.status_code == 422
        assert ("nobody&#39;s number" in answered.text) == bool(number)
    assert rows_of(location, "person_looked_for") == []


def test_where_a_number_is_kept_it_may_not_be_written(officer: Browser, location: str | Path) -> None:
    for why in ("called from 030-23125000", "tel. 23125000", ""):
        assert officer.post("/people", number=NUMBER, why=why).status_code == 422
    address = look_for(officer)
    officer.get(f"{address}/erase")
    assert officer.post(f"{address}/hold", call=VISITS[0], what="hold", why_held="of 3023125000").status_code == 422
    noted = officer.post(f"{address}/requests", wishes="access", received_on="2026-11-02", reference="x 3023125000")
    assert noted.status_code == 422
    assert "The number must not stand in here" in noted.text
    assert (
        officer.post(f"{address}/answer", paper="letter.txt", identity="of 23125000", language="en").status_code == 422
    )
    assert [row.turn for row in rows_of(location, "hold", "request_received", "handed_over")] == []


def test_the_number_is_in_no_address_no_row_and_no_log(
    officer: Browser, location: str | Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with structlog.testing.capture_logs() as log:
        address = look_for(officer)
        officer.post(f"{address}/requests", wishes="access", received_on="2026-11-02")
        officer.get(f"{address}/erase")
        page = officer.get(address)
        for kind in ("letter.html", "letter.txt", "archive.zip"):
            handed = officer.post(f"{address}/answer", paper=kind, identity="called back", language="de")
            assert handed.status_code == 200
            assert ENDS not in str(handed.headers)
    assert ENDS not in str(log) + "".join(capsys.readouterr())
    assert ENDS not in "".join(re.findall(r'(?:href|action|src)="([^"]*)"', page.text)) + address
    assert ENDS not in page.text.partition("<title>")[2].partition("</title>")[0], "titles go into the history"
    for row in rows_of(location, "person_looked_for", "request_received", "handed_over", "ordered"):
        assert ENDS not in json.dumps(row.evidence), row.turn


def test_a_page_is_its_sessions_own(browser: Any, officer: Browser) -> None:
    address = look_for(officer)
    assert browser("officer").get(address).status_code == 404
    assert officer.get(address).status_code == 200
    officer.post(f"{address}/close")
    gone = officer.get(address)
    assert (gone.status_code, "is closed" in gone.text) == (404, True)


def test_a_ledger_that_takes_no_row_shows_nobody(officer: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise LedgerUnavailable("no space left")

    officer.get("/people")
    monkeypatch.setattr(Ledger, "append", refuse)
    answered = officer.post("/people", number=NUMBER, why="x")
    assert answered.status_code == 503
    assert VISITS[0] not in answered.text


def test_many_calls_come_in_pages(officer: Browser, location: str | Path) -> None:
    with opened(location, country="DE") as ledger:
        for n in range(100, 170):
            about = CallRef(UUIDS[n], f"4{UUIDS[n][1:]}", "support", QUEUE, "permanent_opt_out")
            said = {"decision": "given", "reason": "consent_key"}
            ledger.append([row_of(about, "decision", said, AT, NUMBER)])
    address = look_for(officer)
    first = officer.get(f"{address}.json").json
    second = officer.get(first["next"].replace("?", "?")).json
    names = [row["call"] for page in (first, second) for row in page["rows"]]
    assert (len(names), len(set(names)), second["next"]) == (73, 73, None)
    assert names[0] == f"4{UUIDS[169][1:]}", "the newest first"


# --- what they asked for ---------------------------------------------------------------------


def test_a_request_is_watched_until_it_is_answered(officer: Browser, location: str | Path) -> None:
    address = look_for(officer)
    today = date.today()
    for wrong in ({"received_on": (today + timedelta(days=2)).isoformat()}, {"received_on": "x"}, {"wishes": ""}):
        form = {"wishes": "access", "received_on": "2026-01-31", **wrong}
        assert officer.post(f"{address}/requests", **form).status_code == 422
    on = today - timedelta(days=3)
    assert officer.post(
        f"{address}/requests", wishes="access", received_on=on.isoformat(), reference="DS 7/26"
    ).location
    (row,) = rows_of(location, "request_received")
    assert row.channel_uuid == "console"
    assert row.evidence["wishes"] == ["access"]
    assert (row.evidence["found"], row.evidence["call"], row.evidence["reference"]) == (3, VISITS[2], "DS 7/26")
    name = row.evidence["request"]
    (listed,) = officer.get("/people.json").json["rows"]
    assert listed["due_on"] == row.evidence["due_on"] == str(requests_of([row])[0].due_on)
    assert listed["days_left"] == (date.fromisoformat(listed["due_on"]) - today).days
    page = officer.get(f"/people/requests/{name}")
    assert "DS 7/26" in page.text
    assert officer.post(f"/people/requests/{name}/extend", why_longer="").status_code == 422
    assert officer.post(f"/people/requests/{name}/extend", why_longer="70 recordings to be heard").status_code == 303
    assert officer.post(f"/people/requests/{name}/extend", why_longer="again").status_code == 422
    (longer,) = rows_of(location, "request_extended")
    assert officer.get("/people.json").json["rows"][0]["due_on"] == longer.evidence["due_on"] > listed["due_on"]
    letter = officer.post(f"{address}/answer", paper="delay.txt", identity="called back", language="en").text
    assert "The reason: 70 recordings to be heard." in " ".join(letter.split())
    assert "access to your data (Article 15 GDPR)" in " ".join(letter.split())
    assert officer.post(f"/people/requests/{name}/answer", answer="refused").status_code == 422, "and why?"
    assert officer.post(f"/people/requests/{name}/answer", answer="done").status_code == 303
    assert officer.post(f"/people/requests/{name}/answer", answer="done").status_code == 422
    (over,) = officer.get("/people.json").json["rows"]
    assert (over["answer"], over["days_left"]) == ("done", None)


def test_a_request_leads_back_to_the_person_while_the_number_is_kept(
    browser: Any, officer: Browser, location: str | Path, folder: Path
) -> None:
    officer.post(f"{look_for(officer)}/requests", wishes="erasure", received_on="2026-11-02")
    name = officer.get("/people.json").json["rows"][0]["request"]
    later = browser("officer")
    later.get(f"/people/requests/{name}")
    found = later.post(f"/people/requests/{name}/person")
    assert found.status_code == 303
    assert "+49 30 23125000" in later.get(found.location).text
    assert rows_of(location, "person_looked_for")[-1].evidence["request"] == name
    with opened(location, country="DE") as ledger:
        custody.erase_calls(ledger, Places(folder), ledger.channels_of(NUMBER), "request")
    much_later = browser("officer")
    much_later.get(f"/people/requests/{name}")
    gone = much_later.post(f"/people/requests/{name}/person")
    assert (gone.status_code, "not kept any more" in gone.text) == (422, True)


def test_a_request_outlives_the_access_log_until_it_is_answered(officer: Browser, location: str | Path) -> None:
    officer.post(f"{look_for(officer)}/requests", wishes="access", received_on="2026-11-02")
    name = officer.get("/people.json").json["rows"][0]["request"]
    later = datetime.now(timezone.utc) + timedelta(days=2)
    with opened(location) as ledger:
        ledger.erase_accesses(later, {"why": "retention"})
    assert rows_of(location, "signed_in", "person_looked_for") == []
    assert [row["request"] for row in officer.get("/people.json").json["rows"]] == [name]
    officer.get(f"/people/requests/{name}")
    officer.post(f"/people/requests/{name}/answer", answer="done")
    with opened(location) as ledger:
        ledger.erase_accesses(later, {"why": "retention"})
    assert officer.get("/people.json").json["rows"] == []


# --- told and handed over --------------------------------------------------------------------


def test_nothing_leaves_before_it_is_said_who_asks(officer: Browser, location: str | Path) -> None:
    address = look_for(officer)
    for paper in ("letter.html", "letter.txt", "archive.zip", "receipt.txt"):
        refused = officer.post(f"{address}/answer", paper=paper, language="en")
        assert (refused.status_code, "Erika" in refused.text) == (422, False)
        assert "identity-wrong" in refused.text
    assert rows_of(location, "handed_over") == []


def test_the_letter_and_the_archive(officer: Browser, location: str | Path, tmp_path: Path) -> None:
    address = look_for(officer)
    form = {"identity": "called back", "language": "en", "to": "Erika Muster\r\n10115 Berlin"}
    letter = officer.post(f"{address}/answer", paper="letter.html", **form)
    assert letter.headers["Content-Disposition"] == "attachment; filename=letter.html"
    assert "Erika Muster<br>10115 Berlin" in letter.text
    assert "We hold 3 calls" in letter.text
    handed = officer.post(f"{address}/answer", paper="archive.zip", **form)
    assert handed.mimetype == "application/zip"
    archive = tmp_path / "person.zip"
    archive.write_bytes(handed.data)
    with zipfile.ZipFile(io.BytesIO(handed.data)) as made:
        names = {name.partition("/")[0] for name in made.namelist()}
        assert {row["visit"] for row in json.loads(made.read("export.json"))["rows"]} == set(VISITS[:3])
    assert names == {"letter.html", "letter.txt", "export.json", "recordings"}
    checked = CliRunner().invoke(main, ["ledger", "verify", "--export", str(archive)])
    assert checked.exit_code == 0, checked.output
    said = [row.evidence for row in rows_of(location, "handed_over")]
    assert [(one["what"], one["calls"], one["identity"]) for one in said] == [
        ("letter", 3, "called back"),
        ("archive", 3, "called back"),
    ]
    assert "Erika" not in json.dumps(said)


def test_what_is_not_in_an_archive_is_said_before_it_leaves(
    officer: Browser, location: str | Path, folder: Path
) -> None:
    recordings(folder)[0].unlink()
    address = look_for(officer)
    form = {"paper": "archive.zip", "identity": "called back", "language": "en"}
    asked = officer.post(f"{address}/answer", **form)
    assert (asked.status_code, "are not in it" in asked.text) == (422, True)
    assert rows_of(location, "handed_over") == []
    assert officer.post(f"{address}/answer", incomplete="yes", **form).status_code == 200


def test_who_is_not_there_is_told_so(officer: Browser) -> None:
    address = look_for(officer, "030 99999999")
    said = officer.post(f"{address}/answer", paper="letter.txt", identity="called back", language="de").text
    assert "keinen Anruf gespeichert" in " ".join(said.split())
    assert officer.post(f"{address}/answer", paper="archive.zip", identity="x", language="de").status_code == 404


# --- erased ----------------------------------------------------------------------------------


def erase(officer: Browser, address: str, **changes: str) -> TestResponse:
    page = officer.get(f"{address}/erase")
    count = re.search(r"Type (\d+),", page.text)
    form = {
        "seen": field(page, "seen"),
        "count": count[1] if count else "0",
        "identity": "called back",
        "why": "request of the person",
    }
    return officer.post(f"{address}/erase", **(form | changes))


def test_what_was_seen_is_what_is_erased(officer: Browser, location: str | Path, folder: Path) -> None:
    with opened(location) as ledger:
        custody.hold(ledger, VISITS[1], "lawsuit")
    address = look_for(officer)
    page = officer.get(f"{address}/erase").text
    assert "Type 2," in page, "one of three is held"
    assert page.count("the number, 1 recording(s)") == 1
    assert page.count("everything, for legal claims") == 1
    for wrong in ({"count": "3"}, {"count": ""}, {"seen": "0" * 64}, {"identity": ""}, {"why": ""}):
        assert erase(officer, address, **wrong).status_code == 422
    assert len(recordings(folder)) == 4 - 1, "nothing was erased"
    assert rows_of(location, "ordered", "erasure", "audio_erased") == []
    assert erase(officer, address).status_code == 303
    assert [VISITS[0] in str(path) for path in recordings(folder)] == [False, False]
    (ordered,) = rows_of(location, "ordered")
    first = min(row.position for row in rows_of(location, "erasure"))
    assert ordered.position < first, "noted before it is done"
    assert (ordered.evidence["what"], ordered.evidence["calls"]) == ("erase", 2)
    with opened(location, country="DE") as ledger:
        assert ledger.channels_of(NUMBER) == [UUIDS[1]], "what is held keeps its number"
        assert ledger.channels_of("+4322313125000") == [UUIDS[3]], "nobody else's"


def test_an_erasure_is_confirmed_with_a_receipt(officer: Browser, location: str | Path) -> None:
    address = look_for(officer)
    assert erase(officer, address).status_code == 303
    assert "3 call(s) without the number now, 2 recording(s) erased" in officer.get(address).text
    for language, said, row in (
        ("de", "alle Aufzeichnungen Ihrer Anrufe sind gelöscht", "Zeile"),
        ("en", "erased", "Row"),
    ):
        form = {"identity": "called back", "language": language, "to": "Erika Muster"}
        letter = officer.post(f"{address}/answer", paper="confirmation.txt", **form)
        assert said in " ".join(letter.text.split())
        assert "23125000" in letter.text, "the session knows it still"
        receipt = " ".join(officer.post(f"{address}/answer", paper="receipt.txt", **form).text.split())
        with opened(location) as ledger:
            for erased in rows_of(location, "erasure", "audio_erased"):
                assert f"{row} {erased.position}" in receipt
                assert str(ledger.hash_at(erased.position)) in receipt
    assert [one.evidence["what"] for one in rows_of(location, "handed_over")] == ["confirmation", "receipt"] * 2


def test_a_call_that_comes_in_meanwhile_is_not_erased_unseen(
    officer: Browser, location: str | Path, folder: Path
) -> None:
    address = look_for(officer)
    seen = field(officer.get(f"{address}/erase"), "seen")
    with opened(location, country="DE") as ledger:
        conversation(ledger, folder, 9)
    answered = erase(officer, address, seen=seen)
    assert (answered.status_code, "Something has changed" in answered.text) == (422, True)
    assert len(recordings(folder)) == 4


def test_an_erasure_that_is_killed_goes_on(
    officer: Browser, location: str | Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = look_for(officer)
    real, done = Ledger.append, []

    def dies(self: Ledger, rows: Any) -> Any:
        if any(row.turn == "audio_erased" for row in rows):
            done.append(rows)
            raise LedgerUnavailable("the machine stops here")
        return real(self, rows)

    monkeypatch.setattr(Ledger, "append", dies)
    died = erase(officer, address)
    assert (died.status_code, "Do it again" in died.text, len(done)) == (503, True, 1)
    monkeypatch.setattr(Ledger, "append", real)
    with opened(location, country="DE") as ledger:
        assert ledger.channels_of(NUMBER) == [], "the number goes first"
    assert len(recordings(folder)) == 2, "one file is gone, one is not"
    assert erase(officer, address).status_code == 303
    assert [str(path) for path in recordings(folder) if VISITS[3] not in str(path)] == []
    with opened(location) as ledger:
        assert [summarize(ledger.call(visit)).audio for visit in VISITS[:3]] == [(), (), ()]
    letter = officer.post(f"{address}/answer", paper="confirmation.txt", identity="x", language="en").text
    assert "are erased" in " ".join(letter.split())


def test_after_a_restart_nobody_is_found_and_the_nightly_run_goes_on(
    browser: Any, officer: Browser, location: str | Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = look_for(officer)

    def dies(_self: Places, _path: str) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(Places, "erase", dies)
    with pytest.raises(KeyboardInterrupt):
        erase(officer, address)
    monkeypatch.undo()
    later = browser("officer")
    address = look_for(later)
    assert "There is no call with this number" in later.get(f"{address}/erase").text
    assert erase(later, address).status_code == 303, "what was erased is overwritten"
    with opened(location) as ledger:
        custody.Retention(ledger, Places(folder), {}, at=AT.astimezone(timezone.utc) + timedelta(days=1)).run()
    assert [path for path in recordings(folder) if VISITS[3] not in str(path)] == []


# --- taken back, held ------------------------------------------------------------------------


def test_a_yes_is_taken_back(officer: Browser, location: str | Path, folder: Path) -> None:
    with opened(location) as ledger:
        custody.hold(ledger, VISITS[1], "lawsuit")
    address = look_for(officer)
    page = officer.get(f"{address}/withdraw")
    assert page.text.count("the yes, 1 recording(s)") == 1
    form = {"seen": field(page, "seen"), "how": "letter", "identity": "signature", "on": "2026-11-20"}
    for wrong in ({"how": "pigeon"}, {"identity": " "}, {"on": "2999-01-01"}, {"seen": "x"}):
        assert officer.post(f"{address}/withdraw", **(form | wrong)).status_code == 422
    assert rows_of(location, "withdrawn", "ordered") == []
    assert officer.post(f"{address}/withdraw", **form).status_code == 303
    said = [row.evidence for row in rows_of(location, "withdrawn")]
    assert [(one["reason"], one["by"], one["declared_on"]) for one in said] == [("by_letter", "olga", "2026-11-20")] * 2
    assert len(recordings(folder)) == 2, "one is on hold, one is somebody else's"
    shown = officer.get(address).text
    assert "2 call(s) taken back, 1 recording(s) erased" in shown
    assert "is on legal hold" in shown
    receipt = officer.post(f"{address}/answer", paper="receipt.txt", identity="x", language="en").text
    assert "On 20 November 2026 you took your consent back by letter." in " ".join(receipt.split())
    assert "There is no yes to take back" not in officer.get(f"{address}/withdraw").text, "the held one is to be erased"


def test_a_call_under_way_is_stopped_or_said_to_go_on(officer: Browser, location: str | Path) -> None:
    with opened(location, country="DE") as ledger:
        for n in (5, 6):
            about = CallRef(UUIDS[n], VISITS[n], "support", QUEUE, "permanent_opt_out")
            said = {"decision": "given", "reason": "consent_key"}
            ledger.append([row_of(about, "decision", said, AT, NUMBER)])
    address = look_for(officer)
    page = officer.get(f"{address}/withdraw")
    assert page.text.count("under way: will be stopped") == 2
    form = {"seen": field(page, "seen"), "how": "word", "identity": "on the telephone", "on": "2026-11-20"}
    assert officer.post(f"{address}/withdraw", **form).status_code == 303
    assert [UUIDS[5], UUIDS[6]] == STOPPED
    shown = officer.get(address).text
    assert "NOT STOPPED" in shown
    assert f"/calls/{VISITS[6]}" in shown
    with opened(location) as ledger:
        assert summarize(ledger.call(VISITS[5])).decision == "withdrawn"
        assert summarize(ledger.call(VISITS[6])).decision == "given", "nothing is said that is not so (P6)"


def test_chosen_calls_are_held_and_released(officer: Browser, location: str | Path) -> None:
    address = look_for(officer)
    assert officer.post(f"{address}/hold", what="hold", why_held="case 12/26").status_code == 422, "which?"
    stranger = {"call": VISITS[3], "what": "hold", "why_held": "case 12/26"}
    officer.post(f"{address}/hold", **stranger)
    assert rows_of(location, "hold", "ordered") == [], "nobody else's call"
    officer.post(f"{address}/hold", call=VISITS[0], what="hold", why_held="case 12/26")
    assert "legal hold" in officer.get(address).text
    officer.post(f"{address}/hold", call=VISITS[0], what="release", why_held="closed")
    said = rows_of(location, "hold", "hold_released")
    assert [(row.turn, row.visit, row.evidence) for row in said] == [
        ("hold", VISITS[0], {"why": "case 12/26", "by": "olga"}),
        ("hold_released", VISITS[0], {"why": "closed", "by": "olga"}),
    ]


def test_without_a_controller_no_letter_is_written(tmp_path: Path, location: str | Path, folder: Path) -> None:
    with opened(location) as ledger:
        conversation(ledger, folder, 0)
    with console(tmp_path, location, lacking="set privacy.controller") as browser:
        officer = browser("officer")
        address = look_for(officer, NUMBER)
        assert "set privacy.controller" in officer.get(f"{address}/answer").text
        said = officer.post(f"{address}/answer", paper="letter.txt", identity="x", language="de")
        assert (said.status_code, said.mimetype) == (422, "text/html")
