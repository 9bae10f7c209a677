"""Calls: who sees which, whose names, what is found when the evidence is not what it was, and what may be done."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from consentivr import custody
from consentivr.console import Chain, access, sessions
from consentivr.console.words import WORDS
from consentivr.core.chain import Tampering
from consentivr.core.consent import NoticeVersion
from consentivr.ledger import CONSOLE, NO_CALL, Entry, HeadFile, LedgerError, Signer
from consentivr.ledger.signing import SignedCheckpoint
from consentivr.recordings import Places
from tests.console.people import HOST, PEOPLE, QUEUE, Browser, console
from tests.ledgers import NUMBER, as_administrator, opened
from tests.recordings import wav

NOTICE = NoticeVersion("de", "Dürfen wir <aufzeichnen>?", "ab" * 32, 4000)
ANNA = "anna@example"
OTHER = "otto@example"
NOON = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)
VISITS = [f"7c1d6a10-0000-4000-8000-{number:012x}" for number in range(100)]
CHANNELS = [f"26c9d23f-fed1-4cfe-b05e-{number:012x}" for number in range(100)]
ROLES = tuple(PEOPLE)


def a_call(
    folder: Path, number: int, decision: str = "given", queue: str = QUEUE, agent: str = ANNA, **more: str
) -> list[Entry]:
    """Seven rows of a call that was recorded, or four of one that was not."""
    began = NOON + timedelta(minutes=number)

    def at(seconds: float) -> str:
        return (began + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")

    said = {
        "decision": decision,
        "reason": "consent_key" if decision == "given" else "objection_key",
        "key": "1",
        "heard_ms": 3000,
        "notice": NOTICE.digest,
        "notice_ms": NOTICE.duration_ms,
        "language": "de",
        "purpose": "quality",
        "legal_basis": "consent, GDPR art. 6(1)(a)",
        "arrived_at": at(0),
        "attempts": [{"outcome": "key", "key": "1", "heard_ms": 3000, "asked_at": at(1), "answered_at": at(4)}],
        **more,
    }
    turns: list[tuple[int, str, dict[str, Any]]] = [
        (0, "arrived", {"switch": "pbx-1", "core": "c", "asked": True}),
        (4, "decision", said),
    ]
    if decision == "given":
        path = wav(folder, number)
        turns += [
            (5, "recording_started", {"path": str(path), "leg": "caller"}),
            (9, "agent_answered", {"agent_uuid": CHANNELS[99], "agent": agent, "agent_agreed": True}),
            (60, "recording_stopped", {"path": str(path), "duration_ms": 1000}),
            (61, "call_ended", {"hangup_cause": "NORMAL_CLEARING", "agent": agent}),
            (62, "recording_sealed", custody.seal(Places(folder), str(path))),
        ]
    else:
        turns += [
            (9, "agent_answered", {"agent_uuid": CHANNELS[99], "agent": agent, "agent_agreed": True}),
            (61, "call_ended", {"hangup_cause": "NORMAL_CLEARING", "agent": agent}),
        ]
    return [
        Entry(
            *(CHANNELS[number], turn, "support", queue, "permanent_opt_out", evidence, NUMBER),
            at=began + timedelta(seconds=seconds),
            visit=VISITS[number],
        )
        for seconds, turn, evidence in turns
    ]


@pytest.fixture
def filled(location: str | Path, folder: Path, signer: Signer) -> str | Path:
    """0: Anna's in the supervisor's queue. 1: another agent's there. 2: Anna's in another queue. 3: a no."""
    with opened(location, signer=signer) as book:
        book.add_notice(NOTICE)
        book.append(a_call(folder, 0))
        book.append(a_call(folder, 1, agent=OTHER))
        book.append(a_call(folder, 2, queue="sales@default"))
        book.append(a_call(folder, 3, "refused", agent=OTHER))
        book.sign()
    return location


@pytest.fixture
def browser(tmp_path: Path, filled: str | Path, signer: Signer) -> Iterator[Any]:
    head = HeadFile(tmp_path / "head")
    chain = Chain(str(filled), head, signer.public_pem.encode())
    with console(tmp_path, filled, chain=chain) as made:
        made.head = head
        yield made


def listed(who: Browser, query: str = "") -> list[int]:
    answered = who.get(f"/calls.json{query}")
    assert answered.status_code == 200, answered.text
    return [VISITS.index(row["call"]) for row in answered.json["rows"]]


def turns(location: str | Path, number: int) -> list[Entry]:
    with opened(location) as book:
        return book.call(VISITS[number])


# --- who sees what ---------------------------------------------------------------------------

SEEN = {"agent": [2, 0], "supervisor": [3, 1, 0], "officer": [3, 2, 1, 0], "council": [3, 2, 1, 0]}


@pytest.mark.parametrize("role", SEEN)
def test_each_sees_the_calls_of_the_own_scope_and_no_other_is_there(browser: Any, role: str) -> None:
    who = browser(role)
    assert listed(who) == SEEN[role]
    page = who.get("/calls").text
    for number in range(4):
        assert (VISITS[number] in page) == (number in SEEN[role])
        expected = 200 if number in SEEN[role] else 404
        assert who.get(f"/calls/{VISITS[number]}").status_code == expected
        assert who.get(f"/calls/{VISITS[number]}.json").status_code == expected


def test_a_call_out_of_scope_is_as_if_it_were_not_there(browser: Any) -> None:
    supervisor = browser("supervisor")
    there, none = supervisor.get(f"/calls/{VISITS[2]}"), supervisor.get(f"/calls/{VISITS[50]}")
    assert there.status_code == none.status_code == 404
    told = [re.sub(r'value="[^"]*"', "", page.text) for page in (there, none)]
    assert told[0] == told[1]
    for action in ("person", "sheet"):
        assert supervisor.post(f"/calls/{VISITS[2]}/{action}", why="x", language="en").status_code == 404


def test_what_is_no_call_is_no_page(browser: Any) -> None:
    for name in (CONSOLE, NO_CALL, "register", "x"):
        assert browser("officer").get(f"/calls/{name}").status_code == 404


MATRIX = [
    ("GET", "", {"agent", "supervisor", "officer", "council"}),
    ("POST", "person", {"supervisor", "officer"}),
    ("POST", "hold", {"officer"}),
    ("GET", "sheet", {"supervisor", "officer"}),
    ("POST", "sheet", {"supervisor", "officer"}),
    ("GET", "withdrawal", {"officer"}),
    ("POST", "withdrawal", {"officer"}),
]


@pytest.mark.parametrize("role", ROLES)
def test_each_role_does_its_own_and_nothing_else(browser: Any, role: str) -> None:
    who = browser(role)
    for method, action, may in MATRIX:
        address = f"/calls/{VISITS[0]}" + (f"/{action}" if action else "")
        answered = who.get(address) if method == "GET" else who.post(address, why="a complaint", language="en")
        assert (answered.status_code == 403) == (role not in may), (role, method, action, answered.status_code)


def test_a_page_offers_what_the_role_may_do(browser: Any) -> None:
    offered = {"agent": 0, "council": 0, "supervisor": 2, "officer": 4}
    for role, actions in offered.items():
        page = browser(role).get(f"/calls/{VISITS[0]}").text
        found = [
            action for action in ("person", "hold", "sheet", "withdrawal") if f"/calls/{VISITS[0]}/{action}" in page
        ]
        assert len(found) == actions, (role, found)


def test_sheet_and_withdrawal_ask_for_the_password_again(
    browser: Any, filled: str | Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    officer = browser("officer")
    monkeypatch.setattr(sessions, "PROVEN_S", -1)
    for action in ("sheet", "withdrawal"):
        answered = officer.get(f"/calls/{VISITS[0]}/{action}")
        assert answered.status_code == 303
        assert answered.location.startswith("/again")
        assert officer.post(f"/calls/{VISITS[0]}/{action}", why="x").status_code == 303
    assert turns(filled, 0)[-1].turn == "recording_sealed"


# --- names -----------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["supervisor", "officer"])
def test_names_are_hidden_until_a_reason_is_given_which_is_a_row_first(
    browser: Any, filled: str | Path, role: str
) -> None:
    who, address = browser(role), f"/calls/{VISITS[1]}"
    for text in (who.get(address).text, who.get(f"{address}.json").text, who.get("/calls.csv").text):
        assert NUMBER not in text
        assert OTHER not in text
    assert who.post(f"{address}/person", why=" ").status_code == 400
    answered = who.post(f"{address}/person", why="a complaint")
    assert (answered.status_code, answered.location) == (303, address)
    row = turns(filled, 1)[-1]
    assert (row.turn, row.evidence["by"], row.evidence["why"]) == (
        "person_shown",
        PEOPLE[role].name,
        "a complaint",
    )
    assert NUMBER not in str(row.evidence)
    for text in (who.get(address).text, who.get(f"{address}.json").text, who.get("/calls.csv").text):
        assert NUMBER in text
        assert OTHER in text
    assert NUMBER not in who.get(f"/calls/{VISITS[0]}").text, "of this call alone"


def test_the_council_and_another_agent_never_see_them(browser: Any) -> None:
    council, agent = browser("council"), browser("agent")
    assert NUMBER not in council.get(f"/calls/{VISITS[0]}").text
    assert ANNA not in council.get(f"/calls/{VISITS[0]}").text
    own = agent.get(f"/calls/{VISITS[0]}").text
    assert NUMBER not in own
    assert ANNA in own, "one's own name is nobody's secret"


def test_whoever_looked_is_named_to_those_who_watch_over_it(browser: Any) -> None:
    browser("supervisor").post(f"/calls/{VISITS[0]}/person", why="a complaint")
    shown = WORDS["en"]["turn_person_shown"]
    for role, named in (("officer", True), ("council", True), ("agent", True), ("supervisor", True)):
        page = browser(role).get(f"/calls/{VISITS[0]}").text
        assert shown in page
        assert ("sven" in page.partition('id="course"')[2]) == named
    browser("officer").post(f"/calls/{VISITS[1]}/person", why="a complaint")
    page = browser("supervisor").get(f"/calls/{VISITS[1]}").text
    assert shown in page
    assert "olga" not in page


# --- the list --------------------------------------------------------------------------------


def test_the_list_is_filtered_by_its_address(browser: Any) -> None:
    officer = browser("officer")
    assert listed(officer, "?decision=refused") == [3]
    assert listed(officer, "?queue=sales@default") == [2]
    assert listed(officer, "?reason=consent_key&queue=support@default") == [1, 0]
    assert listed(officer, f"?wording={NOTICE.digest}") == [3, 2, 1, 0]
    assert listed(officer, "?language=fr") == []
    assert listed(officer, "?from=2026-11-24T12:01&to=2026-11-24T12:03") == [2, 1]
    assert listed(officer, "?from=2026-11-24&to=2026-11-24") == [3, 2, 1, 0], "a day is a whole day"
    assert listed(officer, "?to=2026-11-23") == []
    officer.post(f"/calls/{VISITS[1]}/hold", why="court")
    assert listed(officer, "?held=1") == [1]
    assert listed(officer, "?held=1&masked=1") == []


def test_a_call_leads_back_to_the_list_as_it_was_filtered(browser: Any) -> None:
    officer = browser("officer")
    where = f"https://{HOST}"
    for before, back in (
        (f"{where}/calls?decision=given", "/calls?decision=given"),
        (f"{where}/numbers?queue=a", "/calls"),
        ("https://elsewhere.example/calls?decision=given", "/calls"),
        ("", "/calls"),
    ):
        assert (
            f'<p class="back"><a href="{back}">' in officer.get(f"/calls/{VISITS[0]}", headers={"Referer": before}).text
        )


def test_a_form_s_empty_fields_leave_the_address(browser: Any) -> None:
    answered = browser("officer").get("/calls?queue=&decision=given&from=")
    assert (answered.status_code, answered.location) == (302, "/calls?decision=given")


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("from=yesterday", "calls.wrong_time"),
        ("from=2026-11-25&to=2026-11-24", "calls.wrong_order"),
        ("decision=maybe", "calls.wrong_choice"),
        ("after=1", "calls.wrong_after"),
    ],
)
def test_what_an_address_cannot_mean_is_said_at_its_field(browser: Any, query: str, word: str) -> None:
    answered = browser("officer").get(f"/calls?{query}")
    assert answered.status_code == 400
    assert WORDS["en"][word] in answered.text
    if word != "calls.wrong_after":
        assert 'aria-invalid="true"' in answered.text
    assert browser("officer").get(f"/calls.json?{query}").status_code == 400


def test_pages_follow_each_other_while_calls_come_in(browser: Any, filled: str | Path, folder: Path) -> None:
    with opened(filled) as book:
        for number in range(4, 60):
            book.append(a_call(folder, number, "refused"))
    officer = browser("officer")
    page = officer.get("/calls?queue=support@default")
    following = re.search(r'href="([^"]+)" rel="next"', page.text)
    assert following is not None
    with opened(filled) as book:
        for number in range(60, 70):
            book.append(a_call(folder, number, "refused"))
    first = [VISITS.index(name) for name in re.findall(r'href="/calls/([-0-9a-f]{36})"', page.text)]
    last = officer.get(following[1].replace("&amp;", "&"))
    second = [VISITS.index(name) for name in re.findall(r'href="/calls/([-0-9a-f]{36})"', last.text)]
    assert first == list(range(59, 9, -1))
    assert second == [9, 8, 7, 6, 5, 4, 3, 1, 0]
    assert "rel=next" not in officer.get("/calls.csv").headers.get("Link", "")


def test_a_table_goes_into_a_spreadsheet_without_its_names(browser: Any) -> None:
    rows = list(csv.DictReader(io.StringIO(browser("officer").get("/calls.csv?decision=given").text)))
    assert [row["call"] for row in rows] == [VISITS[2], VISITS[1], VISITS[0]]
    assert {row["caller"] for row in rows} == {row["agent"] for row in rows} == {"hidden"}
    assert {row["decision"] for row in rows} == {"given"}


# --- one call --------------------------------------------------------------------------------


def test_a_call_tells_its_decision_its_wording_its_course_and_that_all_of_it_is_whole(browser: Any) -> None:
    page = html.unescape(browser("officer").get(f"/calls/{VISITS[0]}").text)
    for text in ("AGREED to the recording", "Dürfen wir <aufzeichnen>?", NOTICE.digest, "3.0 s", "7 of 7"):
        assert text in page
    for turn in ("arrived", "decision", "recording_started", "agent_answered", "call_ended", "recording_sealed"):
        assert WORDS["en"][f"turn_{turn}"] in page
    assert WORDS["en"]["audio_holds"] in page
    assert WORDS["en"]["whole"] in page
    assert 'role="alert"' not in page
    assert "<audio" not in page


def test_a_channel_leads_to_its_visit(browser: Any) -> None:
    answered = browser("officer").get(f"/calls/{CHANNELS[1]}")
    assert (answered.status_code, answered.location) == (302, f"/calls/{VISITS[1]}")


def test_a_program_reads_the_same(browser: Any) -> None:
    told = browser("council").get(f"/calls/{VISITS[0]}.json").json
    assert told["decision"] == "given"
    assert (told["verified"]["good"], told["verified"]["rows"], told["verified"]["findings"]) == (7, 7, [])
    assert told["verified"]["recordings"] == ["holds"]
    assert [step["turn"] for step in told["course"]][:2] == ["arrived", "decision"]
    assert (told["caller_id_number"], told["agent"]) == ("hidden", "hidden")


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_changed_row_is_said_in_red_and_in_words(browser: Any, filled: str | Path, language: str) -> None:
    position = turns(filled, 0)[5].position
    as_administrator(
        filled,
        f"UPDATE entry SET evidence = replace(evidence, 'NORMAL_CLEARING', 'USER_BUSY') WHERE position = {position}",
    )
    page = browser("officer").get(f"/calls/{VISITS[0]}", headers={"Accept-Language": language}).text
    words = WORDS[language]
    assert f"6 {words['calls.of']} 7 {words['calls.verified']}" in page
    assert words["calls.tampered"] in page
    assert f"{words['row']} {position}: {words['calls.tampering_changed']}" in page
    assert f'<div class="alert" role="alert">{words["calls.tampered"]}' in page
    assert '<tr role="row" class="broken">' in page


def test_a_row_that_is_no_row_any_more_hides_no_other_call(browser: Any, filled: str | Path) -> None:
    position = turns(filled, 0)[3].position
    as_administrator(filled, f"UPDATE entry SET evidence = '[]' WHERE position = {position}")
    words = WORDS["en"]
    for role in ("officer", "supervisor"):
        who = browser(role)
        assert listed(who) == SEEN[role]
        assert words["calls.unreadable"] in who.get("/calls").text
        page = who.get(f"/calls/{VISITS[0]}")
        assert page.status_code == 409
        assert f"{words['row']} {position}: {words['calls.tampering_changed']}" in page.text
        assert who.post(f"/calls/{VISITS[0]}/person", why="x").status_code == 409
    assert browser("agent").get(f"/calls/{VISITS[0]}").status_code == 404


def test_a_file_that_is_another_one_is_said_and_one_that_is_gone(browser: Any, folder: Path) -> None:
    file = next(folder.rglob("*0.wav"))
    file.write_bytes(file.read_bytes() + b"\0")
    page = browser("officer").get(f"/calls/{VISITS[0]}").text
    assert f'<p class="alert" role="alert">{WORDS["en"]["audio_differs"]}' in page
    file.unlink()
    assert WORDS["en"]["audio_absent"] in browser("officer").get(f"/calls/{VISITS[0]}").text


def test_a_cut_tail_is_said_on_the_list_and_on_each_call(browser: Any, filled: str | Path) -> None:
    with opened(filled) as book:
        head = book.head()
    browser.head.write(head)
    officer = browser("officer")
    assert WORDS["en"]["calls.cut"] not in officer.get("/calls").text
    browser.head.write(SignedCheckpoint(head.position + 1000, "ab" * 32, head.at, "", ""))
    for address in ("/calls", f"/calls/{VISITS[0]}"):
        page = officer.get(address).text
        assert WORDS["en"]["calls.cut"] in page
        assert str(head.position + 1000) in page


def test_every_kind_of_tampering_has_its_words() -> None:
    for language in WORDS:
        for kind in Tampering:
            assert f"calls.tampering_{kind.name.lower()}" in WORDS[language]


# --- what may be done ------------------------------------------------------------------------


def test_a_sheet_is_noted_before_it_is_made(browser: Any, filled: str | Path, monkeypatch: pytest.MonkeyPatch) -> None:
    officer, address = browser("officer"), f"/calls/{VISITS[0]}/sheet"
    assert officer.post(address, why="", language="de").status_code == 400
    assert officer.post(address, why="court", language="fr").status_code == 400
    assert turns(filled, 0)[-1].turn == "recording_sealed"
    answered = officer.post(address, why="court", language="de")
    assert answered.headers["Content-Disposition"] == f"attachment; filename={VISITS[0]}-de.html"
    assert NUMBER in answered.text
    assert WORDS["de"]["title"] in answered.text
    row = turns(filled, 0)[-1]
    assert (row.turn, row.evidence) == (
        "handed_over",
        {"by": "olga", "role": "officer", "what": "sheet", "why": "court"},
    )

    def unwritable(*_: object, **__: object) -> None:
        raise LedgerError("the disk is full")

    monkeypatch.setattr(access, "note", unwritable)
    refused = officer.post(address, why="court", language="de")
    assert refused.status_code == 503
    assert NUMBER not in refused.text


def test_a_hold_is_put_and_released_with_a_reason(browser: Any, filled: str | Path) -> None:
    officer, address = browser("officer"), f"/calls/{VISITS[0]}"
    assert officer.post(f"{address}/hold", why="").status_code == 400
    officer.post(f"{address}/hold", why="court 4 O 12/26")
    assert turns(filled, 0)[-1].evidence == {"why": "court 4 O 12/26", "by": "olga"}
    assert WORDS["en"]["calls.hold_is"] in officer.get(address).text
    officer.post(f"{address}/hold", why="settled")
    assert [row.turn for row in turns(filled, 0)[-2:]] == ["hold", "hold_released"]


def test_a_yes_taken_back_by_letter_erases_what_was_recorded(browser: Any, filled: str | Path, folder: Path) -> None:
    officer, address = browser("officer"), f"/calls/{VISITS[0]}/withdrawal"
    assert "1</li>" in officer.get(address).text
    wrong = officer.post(address, how="fax", on="2999-01-01", identity="")
    assert wrong.status_code == 400
    for word in ("calls.wrong_choice", "calls.wrong_day", "calls.wrong_identity"):
        assert WORDS["en"][word] in wrong.text
    done = officer.post(address, how="letter", on="2026-11-25", identity="knew the time of the call")
    assert (done.status_code, done.location) == (303, f"/calls/{VISITS[0]}")
    row = next(row for row in turns(filled, 0) if row.turn == "withdrawn")
    assert {name: row.evidence[name] for name in ("reason", "declared_on", "identity", "by", "erase")} == {
        "reason": "by_letter",
        "declared_on": "2026-11-25",
        "identity": "knew the time of the call",
        "by": "olga",
        "erase": True,
    }
    assert not list(folder.rglob("*0.wav"))
    assert listed(officer, "?decision=withdrawn") == [0]
    assert WORDS["en"]["calls.withdrawal_none"] in officer.get(address).text


def test_a_yes_of_a_call_under_way_is_taken_back_by_whoever_watches_it(
    tmp_path: Path, location: str | Path, folder: Path
) -> None:
    with opened(location) as book:
        book.append(a_call(folder, 0)[:4])
    asked: list[str] = []
    form = {"how": "word", "on": "2026-11-25", "identity": "her voice"}
    with console(tmp_path, location, stop=lambda channel: asked.append(channel)) as browser:
        officer = browser("officer")
        assert WORDS["en"]["calls.withdrawal_live"] in officer.get(f"/calls/{VISITS[0]}/withdrawal").text
        assert officer.post(f"/calls/{VISITS[0]}/withdrawal", **form).status_code == 303
    assert asked == [CHANNELS[0]]
    with opened(location) as book:
        book.append([replace(row, visit=VISITS[1], channel_uuid=CHANNELS[1]) for row in a_call(folder, 1)[:4]])
    with console(tmp_path, location, stop=lambda channel: "'serve' cannot be reached") as browser:
        answered = browser("officer").post(f"/calls/{VISITS[1]}/withdrawal", **form)
    assert answered.status_code == 409
    assert "cannot be reached" in answered.text
    assert not any(row.turn == "withdrawn" for row in turns(location, 1))
