"""The access log: who may see which rows, how far they are found, what is said of a ledger that is not whole."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from consentivr.console import Chain
from consentivr.console.verifying import Verifying
from consentivr.core.turn import ACCESS, Turn
from consentivr.custody import Retention, note_statistics
from consentivr.ledger import CONSOLE, Entry, HeadFile, Search, make_key, schema
from consentivr.ledger.accesses import Accesses, accesses, place
from consentivr.ledger.migrations.versions import v0006_access_log
from consentivr.recordings import Places
from tests.console.people import console
from tests.ledgers import UUIDS, entry, opened, sql, whole

NOW = datetime.now(timezone.utc)


def done(days: float, turn: Turn, by: str = "olga", about: str = CONSOLE, **evidence: Any) -> Entry:
    said = {"by": by, "role": "officer", **evidence}
    return Entry(about, turn.value, "", "", "", said, None, NOW - timedelta(days=days))


@pytest.fixture
def ledger_there(location: str | Path) -> str | Path:
    with opened(location) as ledger:
        ledger.append([entry(n, decision="given") for n in range(3)])
        ledger.append([done(400, Turn.SIGNED_IN, "carl", how="password"), done(380, Turn.SIGNED_IN)])
        ledger.append([done(9 - n / 10, Turn.PERSON_SHOWN, why=f"a complaint {n}", about=UUIDS[0]) for n in range(60)])
        played = {"agent": "anna@example", "purpose": "training", "path": "/r/x.wav", "request": "r-1"}
        ledger.append([done(1, Turn.RECORDING_PLAYED, "sven", UUIDS[1], **played)])
        account = {"by": "root", "role": "shell", "account": "olga", "roles": ["officer"]}
        ledger.append([Entry(CONSOLE, "account_changed", "", "", "", account, None, NOW)])
        note_statistics(ledger, "count by agent", "works agreement", "root")
    return location


@pytest.fixture
def browser(tmp_path: Path, ledger_there: str | Path) -> Iterator[Any]:
    chain = Chain(str(ledger_there), HeadFile(tmp_path / "head"))
    with console(tmp_path, ledger_there, chain=chain) as made:
        yield made


def opened_by(browser: Any, role: str) -> Any:
    reader = browser(role)
    reader.get("/access")
    assert reader.post("/access/open", why="the council asked").status_code == 303
    return reader


def turns(location: str | Path, turn: Turn) -> list[Entry]:
    with opened(location) as ledger:
        return list(ledger.read(Search(turn=turn.value)))


def test_the_index_is_of_just_these_turns() -> None:
    assert set(v0006_access_log._TURNS) == {turn.value for turn in (*ACCESS, Turn.AGENTS_COUNTED)}


@pytest.mark.parametrize("role", ["officer", "council"])
def test_it_opens_to_whoever_says_why(browser: Any, ledger_there: str | Path, role: str) -> None:
    reader = browser(role)
    assert "recording was played" not in reader.get("/access").text
    assert reader.get("/access.json").status_code == 403
    empty = reader.post("/access/open", why="  ")
    assert empty.status_code == 400
    assert "Write why" in empty.text
    assert turns(ledger_there, Turn.ACCESS_OPENED) == []
    opened_by(browser, role)
    assert turns(ledger_there, Turn.ACCESS_OPENED)[0].evidence["why"] == "the council asked"
    assert reader.get("/access.json").status_code == 403, "it is open to that session alone"


@pytest.mark.parametrize("role", ["agent", "supervisor", "admin"])
def test_others_see_their_own_rows_only(browser: Any, role: str) -> None:
    reader = browser(role)
    assert reader.get("/access").location == "/access/mine"
    assert reader.get("/access.json").status_code == 403
    assert reader.post("/access/open", why="curious").status_code == 403
    rows = reader.get("/access/mine.json").json["rows"]
    assert rows
    assert {row["by"] for row in rows} == {{"agent": "anna", "supervisor": "sven", "admin": "adam"}[role]}


def test_everything_is_there_a_page_at_a_time(browser: Any) -> None:
    reader = opened_by(browser, "officer")
    page = reader.get("/access").text
    assert "somebody counted or listed by agent" in page
    assert "shell" in page, "who changed an account has no role here"
    assert 'rel="next"' in page
    following = page.split('rel="next"')[0].rpartition('href="')[2].partition('"')[0].replace("&amp;", "&")
    assert "signed in" in reader.get(following).text
    all_ = reader.get("/access.json").json
    assert len(all_["rows"]) > 64
    assert all_["next"] is None


def test_no_agent_is_named_to_anybody_else(browser: Any) -> None:
    reader = opened_by(browser, "council")
    assert "anna@example" not in reader.get("/access").text
    assert "anna@example" not in reader.get("/access.json").text


def test_what_is_taken_away_is_a_row_first(browser: Any, ledger_there: str | Path) -> None:
    reader = opened_by(browser, "council")
    lines = reader.get("/access.csv?turn=recording_played").text.splitlines()
    assert len(lines) == 2
    assert "training" in lines[1]
    (row,) = turns(ledger_there, Turn.HANDED_OVER)
    assert row.evidence == {"by": "carl", "role": "council", "what": "access_log", "form": "csv", "rows": 1}


def test_filters(browser: Any) -> None:
    reader = opened_by(browser, "officer")

    def found(query: str) -> list[Any]:
        return list(reader.get(f"/access.json?{query}").json["rows"])

    assert {row["by"] for row in found("by=sven")} == {"sven"}
    assert [row["turn"] for row in found("turn=recording_played")] == ["recording_played"]
    long_ago = (NOW - timedelta(days=390)).date()
    assert [row["by"] for row in found(f"until={long_ago}")] == ["carl"]
    assert "carl" not in {row["by"] for row in found(f"since={long_ago}")}
    wrong = reader.get("/access?since=yesterday&turn=decision&after=x")
    assert wrong.status_code == 200
    assert wrong.text.count("this is not understood") == 3


def test_pages_follow_each_other_without_a_gap(location: str | Path) -> None:
    with opened(location) as ledger:
        same = [done(1, Turn.SIGNED_IN, by=f"p{n}") for n in range(7)]
        ledger.append([*same, entry(0, decision="given"), done(2, Turn.SIGNED_IN, by="p7")])
        seen: list[str] = []
        after = None
        while True:
            rows, broken = accesses(ledger, Accesses(after=after), 3)
            assert broken == []
            if not rows:
                break
            seen += [row.evidence["by"] for row in rows]
            after = place(rows[-1])
        assert sorted(seen) == [f"p{n}" for n in range(8)]
        assert seen[-1] == "p7"


def test_a_row_that_was_changed_is_told(browser: Any, ledger_there: str | Path) -> None:
    with sql(ledger_there) as connection:
        if isinstance(ledger_there, Path):
            connection.execute("DROP TRIGGER entry_no_update")
        else:
            connection.execute("DROP TRIGGER entry_no_update ON entry")
        connection.execute(
            "UPDATE entry SET evidence = replace(evidence, 'training', 'fun') WHERE turn = 'recording_played'"
        )
    page = opened_by(browser, "officer").get("/access").text
    assert "This row is not as it was written" in page


def test_a_tail_that_was_cut_is_told(browser: Any, tmp_path: Path, ledger_there: str | Path) -> None:
    reader = opened_by(browser, "council")
    assert "not seen" in reader.get("/access").text
    with opened(ledger_there) as ledger:
        kept = ledger.head()
    HeadFile(tmp_path / "head").write(kept)
    assert "is in the ledger" in reader.get("/access").text
    HeadFile(tmp_path / "head").write(kept.__class__(kept.position + 100, kept.hash, kept.at, "", ""))
    assert f"knows row {kept.position + 100}" in " ".join(reader.get("/access").text.split())


def test_all_rows_are_verified_beside(tmp_path: Path, location: str | Path) -> None:
    key = make_key(tmp_path / "key")
    with opened(location, signer=key) as ledger:
        ledger.append([entry(n, decision="given") for n in range(5)])
        HeadFile(tmp_path / "head").write(ledger.sign() or ledger.head())
        ledger.append([entry(9, decision="given")])
    verifying = Verifying(Chain(str(location), HeadFile(tmp_path / "head"), key.public_pem.encode()))
    assert verifying.start()
    assert not verifying.start(), "one at a time"
    verifying.wait(60)
    assert verifying.last is not None
    assert verifying.last.is_good, verifying.last
    assert verifying.last.rows == 6
    with sql(location) as connection:
        connection.execute("UPDATE checkpoint SET signature = '00'")
    verifying.start()
    verifying.wait(60)
    assert not verifying.last.is_good
    assert [finding.position for finding in verifying.last.findings] == [5]


def test_without_a_ledger_it_says_that_it_could_not(tmp_path: Path) -> None:
    verifying = Verifying(Chain(str(tmp_path / "none"), HeadFile(tmp_path / "head")))
    verifying.start()
    verifying.wait(60)
    assert verifying.last is not None
    assert "no ledger" in (verifying.last.failed or "")
    assert not Verifying(None).start()


def test_rows_of_no_call_are_erased_with_a_receipt(tmp_path: Path, ledger_there: str | Path) -> None:
    (tmp_path / "recordings").mkdir()

    def run(**how: Any) -> Any:
        with opened(ledger_there) as ledger:
            return Retention(ledger, Places(tmp_path / "recordings"), {}, access_days=365, **how).run()

    assert run(dry_run=True).accesses_erased == 2
    assert run().accesses_erased == 2
    assert run().accesses_erased == 0
    whole(ledger_there)
    with opened(ledger_there) as ledger:
        assert [row.evidence["by"] for row in ledger.read(Search(turn="signed_in"))] == []
        assert len(list(ledger.read(Search(channel=UUIDS[0])))) == 61, "those of a call go with it"
        (receipt,) = ledger.read(Search(turn="rows_erased"))
        assert receipt.evidence["why"] == "retention: 365 days"


def test_the_index_is_of_the_rows_that_are_asked_for(tmp_path: Path) -> None:
    with opened(tmp_path / "ledger.sqlite3"):
        pass
    with sql(tmp_path / "ledger.sqlite3") as connection:
        query = "SELECT sql FROM sqlite_master WHERE name IN ('ix_entry_access', 'ix_entry_access_by')"
        made = [row[0] for row in connection.execute(query)]
    assert len(made) == 2
    assert all(one.endswith(f"WHERE {schema.ACCESS}") for one in made), (
        "a turn more or less, and a database reads every row"
    )
