"""Numbers: what roles are told of, in three forms; counted beside the pages, and never of what was erased."""

from __future__ import annotations

import csv
import io
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from consentivr.console.drawn import Saying
from consentivr.console.folding import Folding
from consentivr.console.numbers import CHARTS, WrongRange, days_of
from consentivr.console.words import WORDS
from consentivr.core.statistics import FEWEST
from consentivr.core.turn import Turn
from consentivr.lab.history import History, fill
from consentivr.ledger import Entry, Ledger, Search
from tests.console.people import QUEUE, books, console
from tests.ledgers import UUIDS, opened

NOW = datetime(2026, 11, 27, 12, tzinfo=timezone.utc)
TODAY = date(2026, 11, 27)
DAY = datetime(2026, 11, 24, 9, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve weeks of a contact centre, read by many tests."""
    where = tmp_path_factory.mktemp("numbers") / "ledger.sqlite3"
    ledger = Ledger(where)
    fill(ledger, History(4000, until=datetime.now(timezone.utc), days=84))
    ledger.close()
    return where


@pytest.fixture(scope="module")
def counted(year: Path) -> Folding:
    return Folding(books(year), "Europe/Berlin")


@pytest.fixture
def browser(tmp_path: Path, year: Path, counted: Folding) -> Iterator[Any]:
    with console(tmp_path, year, folding=counted) as made:
        yield made


def decided(number: int, at: datetime = DAY, decision: str = "given", queue: str = QUEUE, **said: Any) -> Entry:
    reason = {"given": "consent_key", "refused": "objection_key"}[decision]
    evidence = {"decision": decision, "reason": reason, "attempts": [], "language": "de", "notice": "n", **said}
    made = Entry(UUIDS[number], "decision", "support", queue, "caller_opt_in", evidence, None, at)
    made.visit = UUIDS[number]
    return made


def folding(location: str | Path) -> Folding:
    return Folding(books(location), "Europe/Berlin")


def calls(of: Folding, now: datetime = NOW) -> dict[str, int]:
    """After one more folding: how many are told of, and how many said yes."""
    of.fold(now)
    assert of.folded is not None
    told = {"calls": 0, "yes": 0, "agent": 0}
    for block in of.folded.blocks:
        told = {what: number + block.tally[what] for what, number in told.items()}
    return told


# --- counting beside the pages ---------------------------------------------------------------


def test_what_was_counted_is_counted_on(location: str | Path) -> None:
    with opened(location) as ledger:
        ledger.append([decided(n) for n in range(30)])
    counts = folding(location)
    assert calls(counts) == {"calls": 30, "yes": 30, "agent": 0}
    with opened(location) as ledger:
        ledger.append([decided(n, decision="refused") for n in range(30, 35)])  # a row that came late
        ledger.append([decided(0).about.row(Turn.AGENT_ANSWERED, {"agent_uuid": "x"})])
        ledger.append([decided(n, at=NOW) for n in range(35, 70)])  # today
    assert calls(counts) == {"calls": 35, "yes": 30, "agent": 1}
    assert calls(counts) == {"calls": 35, "yes": 30, "agent": 1}
    assert calls(counts, NOW + timedelta(days=1)) == {"calls": 70, "yes": 65, "agent": 1}


def test_erased_calls_are_in_no_figure(location: str | Path) -> None:
    with opened(location) as ledger:
        ledger.append([decided(n) for n in range(60)])
        ledger.append([decided(n, at=DAY - timedelta(days=1), decision="refused") for n in range(60, 90)])
    counts = folding(location)
    assert calls(counts) == {"calls": 90, "yes": 60, "agent": 0}
    with opened(location) as ledger:
        ledger.erase_rows(UUIDS[:35], {"why": "retention"})
    assert calls(counts) == {"calls": 55, "yes": 25, "agent": 0}
    with opened(location) as ledger:
        ledger.erase_rows(UUIDS[60:90], {"why": "retention"})
        ledger.erase_rows(UUIDS[35:41], {"why": "retention"})
    assert calls(counts) == {"calls": 0, "yes": 0, "agent": 0}, "19 are left, of which nothing is told"


def test_another_ledger_in_its_place_is_read_anew(tmp_path: Path) -> None:
    where = tmp_path / "ledger.sqlite3"
    with opened(where) as ledger:
        ledger.append([decided(n) for n in range(40)])
    counts = folding(where)
    assert calls(counts)["yes"] == 40
    for left in tmp_path.glob("ledger.sqlite3*"):
        left.unlink()
    with opened(where) as ledger:
        ledger.append([decided(n, decision="refused") for n in range(25)])
    counts._books.close()
    counts._books = books(where)
    assert calls(counts) == {"calls": 25, "yes": 0, "agent": 0}


def test_a_second_decision_of_a_call_counts_no_call(location: str | Path) -> None:
    with opened(location) as ledger:
        ledger.append([decided(n) for n in range(20)])
        ledger.append([decided(0, at=DAY + timedelta(days=1), decision="refused")])
    assert calls(folding(location)) == {"calls": 20, "yes": 20, "agent": 0}


def test_files_of_nobody_in_quarantine(location: str | Path) -> None:
    from consentivr.ledger import NO_CALL, CallRef

    stray = CallRef(NO_CALL, None, "", "", "")
    with opened(location) as ledger:
        ledger.append([stray.row(Turn.QUARANTINED, {"path": f"/r/{n}.wav", "to": f"/q/{n}.wav"}) for n in range(3)])
        ledger.append([stray.row(Turn.RECORDING_ERASED, {"path": "/r/1.wav"})])
    counts = folding(location)
    calls(counts)
    assert counts.folded is not None
    assert counts.folded.stray == 2


def test_it_counts_by_itself_and_stops(tmp_path: Path) -> None:
    with opened(tmp_path / "ledger.sqlite3") as ledger:
        ledger.append([decided(n) for n in range(30)])
    counts = folding(tmp_path / "ledger.sqlite3")
    assert counts.folded is None
    counts.start()
    assert counts.runs
    for _ in range(600):
        if counts.folded is not None:
            break
        threading.Event().wait(0.1)
    counts.stop()
    assert counts.folded is not None
    assert counts.folded.blocks


def test_while_it_counts_for_the_first_time_the_page_says_so(tmp_path: Path, year: Path) -> None:
    counts = folding(year)
    counts._thread = threading.current_thread()  # begun, and not ready yet
    with console(tmp_path, year, folding=counts) as browser:
        officer = browser("officer")
        assert "for the first time" in officer.get("/numbers").text
        assert officer.get("/numbers/way.json").status_code == 503


def test_what_was_drawn_is_drawn_anew_once_it_was_counted_anew(tmp_path: Path) -> None:
    where = tmp_path / "ledger.sqlite3"
    with opened(where) as ledger:
        ledger.append([decided(n) for n in range(40)])
    counts = folding(where)
    counts.fold(NOW)
    counts._thread = threading.current_thread()
    with console(tmp_path, where, folding=counts) as browser:
        officer = browser("officer")
        address = "/numbers/yes?range=own&from=2026-11-24&to=2026-11-24"
        assert "(n = 40)" in officer.get(address).text
        with opened(where) as ledger:
            ledger.append([decided(n) for n in range(40, 43)])
        assert "(n = 40)" in officer.get(address).text
        counts.fold(NOW)
        assert "(n = 43)" in officer.get(address).text
        assert "(n = 43)" in browser("supervisor").get(address).text


def test_from_rows_to_tables(tmp_path: Path, location: str | Path) -> None:
    """Forty callers of one day, told by hand: a yes in five seconds, a no after a repeat, a hang-up."""

    def asked(number: int, decision: str, *attempts: tuple[str, float, float, int | None]) -> list[Entry]:
        begun = DAY + timedelta(minutes=number)
        said = [
            {
                "outcome": outcome,
                "key": None,
                "heard_ms": heard_ms,
                "asked_at": (begun + timedelta(seconds=since)).isoformat(),
                "answered_at": (begun + timedelta(seconds=until)).isoformat(),
            }
            for outcome, since, until, heard_ms in attempts
        ]
        row = decided(
            number, begun + timedelta(seconds=9), decision, attempts=said, arrived_at=begun.isoformat(), notice_ms=6000
        )
        return [row]

    rows: list[Entry] = []
    for number in range(24):
        rows += asked(number, "given", ("key", 2, 7, 4000))
        rows.append(rows[-1].about.row(Turn.RECORDING_STARTED, {"path": f"/r/{number}.wav"}))
    for number in range(24, 40):
        rows += asked(number, "refused", ("silence", 2, 10, 6000), ("key", 12, 16, 3000))
        rows.append(rows[-1].about.row(Turn.AGENT_ANSWERED, {"agent_uuid": "x"}))
        rows.append(rows[-1].about.row(Turn.LOOKED_FOR_RECORDERS, {"recorders": 0}))
    with opened(location) as ledger:
        ledger.append(rows)
    counts = folding(location)
    counts.fold(NOW)
    counts._thread = threading.current_thread()  # of that day
    with console(tmp_path, location, folding=counts) as browser:
        officer = browser("officer")

        def lines(name: str) -> list[str]:
            return officer.get(f"/numbers/{name}.csv?range=own&from=2026-11-24&to=2026-11-24").text.splitlines()[1:]

        assert lines("yes") == ["support@default,2026-11-23,40,24,0.6,0.446,0.7365,False"]
        assert [line.rpartition(",")[0] for line in lines("way")] == [
            "answered,40", "fault,0", "left_before,0", "begun,40", "to_end,16", "cut_short,24", "yes,24", "no,16",
            "wrong_key,0", "silence,0", "hangup,0", "queue,40", "agent,16",
        ]  # fmt: skip
        assert lines("cost") == [
            "2026-11-23,40,5.4167,14.375,2.8667,4.8,1.8,2.0",
            ",40,5.4167,14.375,5.7333,4.8,1.8,2.0",
        ]
        assert lines("wording") == ["support,de,n,2026-11-24,2026-11-24,40,0.6,0.4,0.0,0.6,0.0"]
        assert lines("guard")[1] == ",40,,,,,,,0,0.0"
        assert lines("stock")[5] == "no_term,20"


# --- the page --------------------------------------------------------------------------------


def test_every_chart_is_drawn_and_says_what_it_shows(browser: Any) -> None:
    officer = browser("officer")
    page = officer.get("/numbers").text
    for name in CHARTS:
        assert f'aria-labelledby="{name}-h"' in page
    drawings = [f"<svg{part.partition('</svg>')[0]}</svg>" for part in page.split("<svg")[1:]]
    assert len(drawings) > len(CHARTS)
    names = []
    for drawing in drawings:
        svg = ET.fromstring(drawing)
        assert svg.get("role") == "img"
        told = {element.get("id"): element.text for element in svg.iter() if element.get("id")}
        title, description = (svg.get("aria-labelledby") or "").split()
        assert told[title]
        assert told[description]
        names += list(told)
        assert "style" not in {name for element in svg.iter() for name in element.attrib}, "the policy forbids it"
    assert len(names) == len(set(names))
    assert "None" not in page.partition("<main")[2]
    german = officer.get("/numbers", headers={"Accept-Language": "de"}).text
    assert "Wer Ja sagt" in german
    assert "Neuer Wortlaut" in german or "neuer Wortlaut" in german


@pytest.mark.parametrize("name", CHARTS)
def test_each_chart_is_also_there_alone_and_for_programs(browser: Any, name: str) -> None:
    officer = browser("officer")
    alone = officer.get(f"/numbers/{name}").text
    assert alone.count('class="card figure"') == 1
    data = officer.get(f"/numbers/{name}.json?range=weeks").json["rows"]
    lines = list(csv.DictReader(io.StringIO(officer.get(f"/numbers/{name}.csv?range=weeks").text)))
    assert len(data) == len(lines) > 0
    assert list(lines[0]) == CHARTS[name].columns == list(data[0])


def test_no_figure_is_of_fewer_than_twenty(browser: Any) -> None:
    officer = browser("officer")
    for by in ("queue", "line", "language"):
        rows = officer.get(f"/numbers/yes.json?by={by}").json["rows"]
        assert all(row["asked"] is None or row["asked"] >= FEWEST for row in rows)
        assert all(row["yes"] is None for row in rows if row["asked"] is None)
    hours = officer.get("/numbers/hours.json").json["rows"]
    assert all(row["calls"] is None or row["calls"] % 10 == 0 for row in hours)
    assert all(row["rate"] is None for row in hours if row["calls"] is None)
    assert all(
        row["recordings"] is None or row["recordings"] % 10 == 0
        for row in officer.get("/numbers/stock.json").json["rows"]
    )


def test_the_figures_are_those_of_the_ledger(tmp_path: Path, location: str | Path) -> None:
    """Not of what the folding thinks: counted once more by hand, for all days that are over."""
    with opened(location) as ledger:
        fill(ledger, History(900, until=datetime.now(timezone.utc), days=20))
        start = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
        rows = [
            row for row in ledger.read(Search(turn="decision", until=start)) if row.mode not in ("off", "permanent")
        ]
    counts = Folding(books(location), "UTC")
    counts.fold()
    told = {(b.group, b.since, b.until) for b in counts.folded.blocks}
    for group, since, until in told:
        theirs = [
            row
            for row in rows
            if (row.queue, row.line, row.evidence.get("language") or "", row.evidence.get("notice") or "")
            == (group.queue, group.line, group.language, group.notice)
        ]
        by_day = [row for row in theirs if since <= row.at.date() <= until]
        block = next(b for b in counts.folded.blocks if (b.group, b.since, b.until) == (group, since, until))
        if since == until and group.mode not in ("off", "permanent"):
            assert block.tally["calls"] == len(by_day)
            assert block.tally["yes"] == sum(row.evidence["decision"] == "given" for row in by_day)
    assert told


def test_what_must_be_whole_is_not_rounded_up_to_it() -> None:
    saying = Saying(WORDS["en"].__getitem__, "en")
    assert saying.all_of(1.0) == "100.0%"
    assert saying.all_of(9999 / 10_000) == "⚠ 99.9%"
    assert saying.all_of(None) == "< 20"


# --- who is told what ------------------------------------------------------------------------


def test_who_is_told_of_which_queues(browser: Any) -> None:
    def queues(role: str) -> set[str]:
        return {row["of"] for row in browser(role).get("/numbers/yes.json").json["rows"]}

    everything = queues("officer")
    assert len(everything) > 1
    assert queues("supervisor") == {QUEUE}
    assert queues("council") == queues("admin") == everything
    assert browser("agent").get("/numbers").status_code == 403
    supervisor = browser("supervisor")
    others = sorted(everything - {QUEUE})[0]
    assert supervisor.get(f"/numbers/yes.json?queue={others}").json["rows"] == []
    assert others in browser("officer").get("/numbers").text
    assert others not in supervisor.get("/numbers").text
    assert others in browser("admin").get("/numbers").text
    assert browser().get("/numbers").status_code == 302


def test_a_queue_can_be_chosen(browser: Any) -> None:
    officer = browser("officer")
    rows = officer.get(f"/numbers/yes.json?queue={QUEUE}").json["rows"]
    assert {row["of"] for row in rows} == {QUEUE}


# --- ranges ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "since", "until"),
    [
        ({}, date(2026, 8, 29), TODAY),
        ({"range": "week"}, date(2026, 11, 23), TODAY),
        ({"range": "month"}, date(2026, 11, 1), TODAY),
        ({"range": "quarter"}, date(2026, 10, 1), TODAY),
        ({"range": "own", "from": "2026-02-01", "to": "2026-02-28"}, date(2026, 2, 1), date(2026, 2, 28)),
    ],
)
def test_ranges(wanted: dict[str, str], since: date, until: date) -> None:
    days = days_of(wanted, TODAY)
    assert (days.since, days.until) == (since, until)


@pytest.mark.parametrize(
    ("wanted", "word"),
    [
        ({"range": "own"}, "wrong_day"),
        ({"range": "own", "from": "2026-02-30", "to": "2026-03-01"}, "wrong_day"),
        ({"range": "own", "from": "2026-03-02", "to": "2026-03-01"}, "wrong_order"),
        ({"range": "decade"}, "wrong_range"),
    ],
)
def test_a_wrong_range_says_what_is_wrong(browser: Any, wanted: dict[str, str], word: str) -> None:
    with pytest.raises(WrongRange, match=word):
        days_of(wanted, TODAY)
    officer = browser("officer")
    page = officer.get("/numbers", query_string=wanted)
    assert page.status_code == 400
    assert 'id="wrong" role="alert"' in page.text
    assert 'class="card figure"' not in page.text
    assert officer.get("/numbers/yes.json", query_string=wanted).status_code == 400


def test_a_range_without_calls_says_so(browser: Any) -> None:
    page = browser("officer").get("/numbers?range=own&from=2020-01-01&to=2020-02-01")
    assert page.status_code == 200
    assert "not 20 such calls" in page.text


def test_a_chart_that_is_not_there(browser: Any) -> None:
    assert browser("officer").get("/numbers/agents").status_code == 404
