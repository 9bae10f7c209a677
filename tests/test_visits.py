"""One channel, several visits to lines: each a call of its own in the ledger, and in all that becomes of it."""

from __future__ import annotations

import io
import json
import os
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import gevent
import pytest
import sqlalchemy as sa
import yaml
from alembic import command
from click.testing import CliRunner

from consentivr import custody, disclosure
from consentivr.cli import main
from consentivr.config import Configuration
from consentivr.core import chain
from consentivr.core.consent import NoticeVersion
from consentivr.core.evidence import summarize
from consentivr.core.retention import RetentionTerms
from consentivr.core.turn import Turn
from consentivr.disclosure.words import WORDS
from consentivr.ledger import CallRef, Ledger, LedgerError, LedgerWriter, Search, Verifier
from consentivr.ledger.entry import HASHED, as_text, hashed
from consentivr.ledger.migrate import migrations
from consentivr.ledger.opening import Opened
from consentivr.ledger.schema import SCHEMA
from consentivr.ledger.verification import verify_export, verify_ledger
from consentivr.recordings import Places, recording_path
from tests.ledgers import NUMBER, UUIDS, as_administrator, entry, opened, sql, whole
from tests.recordings import NOW, QUEUE, wav

Location = str | Path

SALES = "sales@default"
TERMS = {QUEUE: RetentionTerms(30, 100), SALES: RetentionTerms(300, 1000)}
VISITS = [f"7f0e2a11-5c1d-4d6e-9b59-{number:012x}" for number in range(2000)]


def about(number: int, visit: int | None, queue: str = QUEUE) -> CallRef:
    named = None if visit is None else VISITS[visit]
    return CallRef(UUIDS[number], named, queue.partition("@")[0], queue, "caller_opt_in")


def sound(folder: Path, visit: int, days: float = 1) -> Path:
    """A recording that is named after its visit."""
    path = Path(recording_path(str(folder), VISITS[visit], date(2026, 1, 1)))
    made = wav(folder, 19_000 + visit)
    made.rename(path)
    moment = (NOW - timedelta(days=days)).timestamp()
    os.utime(path, (moment, moment))
    return path


def visited(
    ledger: Ledger, number: int, visit: int | None, *, days: float = 1, queue: str = QUEUE, path: Path | None = None
) -> None:
    """A visit that ended so many days ago, recorded if there is a path."""
    ref, at = about(number, visit, queue), NOW - timedelta(days=days)
    decision = {"decision": "given" if path else "refused", "reason": "consent_key" if path else "objection_key"}
    rows = [
        ref.row(Turn.ARRIVED, {}),
        ref.row(Turn.DECISION, decision | {"attempts": []}, caller_id_number=NUMBER),
        *(ref.row(turn, {"path": str(path)}) for turn in (Turn.RECORDING_STARTED, Turn.RECORDING_STOPPED) if path),
        ref.row(Turn.CALL_ENDED, {"agent": "1001@default"}),
    ]
    ledger.append([replace(row, at=at) for row in rows])


def run(ledger: Ledger, folder: Path, *, dry_run: bool = False) -> custody.Report:
    return custody.Retention(ledger, Places(folder), TERMS, dry_run=dry_run).run()


# --- the schema ------------------------------------------------------------------------------


def made_under_0001(location: Location, calls: int) -> None:
    """A ledger as 0.1.0 wrote it: there was no column, and no word of it under the digest."""
    old = Opened(location, any_schema=True)
    with old.writes.begin() as connection:
        config = migrations()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        previous, key = chain.GENESIS, secrets.token_hex(32)
        for position in range(1, 2 * calls + 1):
            made = entry((position - 1) // 2, "call_ended" if position % 2 == 0 else "decision", decision="given")
            row = {
                "at": as_text(made.at),
                "channel_uuid": made.channel_uuid,
                "turn": made.turn,
                "line": made.line,
                "queue": made.queue,
                "mode": made.mode,
                "evidence": chain.canonical(made.evidence).decode(),
                "commitment": chain.commitment(key, NUMBER),
                "position": position,
            }
            row_key = secrets.token_hex(16)
            digest = chain.digest_of(row_key, row)
            after = chain.link(previous, position, digest)
            row |= {
                "submission": made.submission,
                "key": row_key,
                "digest": digest,
                "previous": previous,
                "hash": after,
            }
            names = ", ".join(row)
            values = ", ".join(f":{name}" for name in row)
            connection.execute(sa.text(f"INSERT INTO entry ({names}) VALUES ({values})"), row)
            previous = after
            if position % 2:
                person = {"channel_uuid": made.channel_uuid, "number": NUMBER, "key": key}
                connection.execute(sa.text("INSERT INTO caller VALUES (:channel_uuid, :number, :key)"), person)
    old.close()


def test_a_ledger_of_0_1_0_is_migrated_and_verifies(location: Location, tmp_path: Path) -> None:
    made_under_0001(location, 10)
    asked = NoticeVersion("de", "Dürfen wir?", "ab" * 32, 4000)
    with sql(location) as connection:
        for digest in (asked.digest, "changed before"):
            connection.execute(f"INSERT INTO notice VALUES ('{digest}', 'de', 'Dürfen wir?', '{'ab' * 32}', 4000)")
    with pytest.raises(LedgerError, match="run 'consentivr ledger migrate'"):
        Ledger(location)
    assert Ledger.upgrade(location) == ("0001", SCHEMA)
    assert whole(location) == 21, "and a row for a wording"
    with opened(location) as ledger:
        (unproven,) = verify_ledger(ledger, Verifier([])).findings
        assert (unproven.kind, unproven.about) == (chain.Tampering.NOTICE_INSERTED, "changed before")
        with sql(location) as connection:
            connection.execute("DELETE FROM notice WHERE digest = 'changed before'")
        ledger.add_notice(asked)
        assert whole(location) == 21, "noted once"
        assert [row.turn for row in ledger.call(UUIDS[3])] == ["decision", "call_ended"]
        assert len(list(ledger.calls(Search()))) == 10, "a channel is a call there"
        visited(ledger, 3, 0)
        assert [len(rows) for rows in ledger.calls_named(UUIDS[3])] == [2, 3]
        assert ledger.erase_rows([UUIDS[3]], {"why": "retention"}) == 2
        assert len(ledger.channels_of(NUMBER)) == 10, "the number is still needed"
        ledger.erase_people([UUIDS[4]], {"why": "request"})
        with (tmp_path / "export").open("wb") as file:
            disclosure.hand_over(ledger, Search(), "json", file, tmp_path, audio=False)
        said = verify_export(tmp_path / "export", Verifier([]))
        assert (said.rows, said.findings) == (26, [])
        with opened(tmp_path / "copy.sqlite3") as other:
            assert ledger.copy_to(other) == 26
            assert list(other.links()) == list(ledger.links())
    with sql(location) as connection:
        for statement in ("UPDATE entry SET visit = 'x'", "UPDATE entry SET visit = NULL", "DELETE FROM entry"):
            with pytest.raises(Exception, match="append-only"):
                connection.execute(statement)
    whole(location)


@pytest.mark.parametrize("change", ["'forged'", "NULL"])
@pytest.mark.parametrize("position", [1, 2])
def test_a_visit_is_under_the_digest(location: Location, change: str, position: int) -> None:
    """Given to a row that had none, changed, taken away."""
    with opened(location) as ledger:
        ledger.append([about(0, None).row(Turn.TAPPED, {}), about(0, 1).row(Turn.DECISION, {})])
        as_administrator(location, f"UPDATE entry SET visit = {change} WHERE position = {position}")
        findings = chain.verify(ledger.links())
        unchanged = position == 1 and change == "NULL"
        assert [(f.position, f.kind) for f in findings] == ([] if unchanged else [(position, chain.Tampering.CHANGED)])


def test_no_visit_is_not_said() -> None:
    assert "visit" not in hashed({**dict.fromkeys(HASHED, ""), "visit": None})
    assert hashed({**dict.fromkeys(HASHED, ""), "visit": "v"})["visit"] == "v"


# --- questions -------------------------------------------------------------------------------


def test_rows_are_told_apart_by_visit(ledger: Ledger) -> None:
    visited(ledger, 0, 0, days=3)
    visited(ledger, 1, 5, days=2.5)
    visited(ledger, 0, 1, days=2, queue=SALES)
    ledger.append([about(0, None).row(Turn.FORBIDDEN_RECORDING, {"path": "/x.wav", "leg": UUIDS[9]})])
    assert [rows[0].visit for rows in ledger.rows_of([UUIDS[0], UUIDS[1]])] == [VISITS[0], VISITS[1], None, VISITS[5]]
    assert [rows[0].call for rows in ledger.rows_of_visits([VISITS[1], UUIDS[0], UUIDS[1]])] == [VISITS[1], UUIDS[0]]
    assert [len(rows) for rows in ledger.calls_named(UUIDS[0])] == [3, 3, 1]
    assert [len(rows) for rows in ledger.calls_named(VISITS[0])] == [3]
    assert {row.visit for row in ledger.read(Search(visit=VISITS[1]))} == {VISITS[1]}
    assert ledger.calls_named("unknown") == []
    assert [summarize(rows).visit for rows in ledger.calls(Search())] == [VISITS[0], VISITS[5], VISITS[1]]
    assert [summarize(rows).visit for rows in ledger.calls(Search(queue=SALES))] == [VISITS[1]]
    assert len(list(ledger.calls(Search(agent="1001@default"), limit=2))) == 2
    assert ledger.count(["queue"], Search(agent="1001@default"))[-1] == (QUEUE, "refused", 2)
    assert ledger.visits(Search(queue=QUEUE), Turn.DECISION, without=[Turn.CALL_ENDED]) == []
    assert sorted(ledger.visits(Search(channel=UUIDS[0]))) == sorted([VISITS[0], VISITS[1], UUIDS[0]])
    assert ledger.call(VISITS[1])[0].about == about(0, 1, SALES)


def test_the_first_decision_of_a_visit_counts_and_a_second_is_shown(ledger: Ledger, folder: Path) -> None:
    visited(ledger, 0, 0)
    forged = {"decision": "given", "reason": "consent_key", "attempts": []}
    ledger.append([about(0, 0).row(Turn.DECISION, forged)])
    (rows,) = ledger.calls(Search(), limit=1)
    call = summarize(rows)
    assert (call.decision, call.decisions, call.visit) == ("refused", 2, VISITS[0])
    for language in WORDS:
        page = disclosure.evidence_sheet(ledger, rows, Places(folder), Verifier([]), language)
        assert WORDS[language]["refused"] in page
        assert f"{WORDS[language]['more_decisions']} 2" in page
        assert VISITS[0] in page


def test_open_visits_are_found(location: Location) -> None:
    with opened(location) as ledger:
        for number in range(1000):
            visited(ledger, number, number, days=3 if number < 600 else 0.1)
        young, old = NOW - timedelta(hours=2), NOW - timedelta(days=3)
        for number in range(1000, 1700):
            ref = about(number, number)
            rows = [ref.row(Turn.ARRIVED, {}), *([ref.row(Turn.DECISION, {})] if number % 2 else [])]
            ledger.append([replace(row, at=old if number < 1100 else young) for row in rows])
        ledger.append([entry(3000), about(3001, None).row(Turn.ARRIVED, {})])
    writer = LedgerWriter(location)
    writer.start()

    def write() -> None:
        for number in range(20):
            writer.commit(about(4000 + number, 1800).row(Turn.TAPPED, {}), 5)

    writing = gevent.spawn(write)
    found = [rows for portion in writer.open_visits(NOW - timedelta(days=1)) for rows in portion]
    assert [rows[0].visit for rows in found] == VISITS[1100:1700]
    assert [len(rows) for rows in found[:2]] == [1, 2]
    assert sum(map(len, writer.open_visits(NOW - timedelta(days=10)))) == 700
    assert [rows[0].visit for rows in writer.rows_of_visits(VISITS[:3])] == VISITS[:3]
    writing.get()
    ledger_inside = writer._ledger
    assert ledger_inside is not None
    ledger_inside.names_of_open_visits = _broken  # type: ignore[method-assign]
    with pytest.raises(LedgerError, match="gone"):
        list(writer.open_visits(NOW))
    writer.stop()


def _broken(_since: datetime) -> list[str]:
    raise LedgerError("gone")


def test_agents_are_asked_about_together(location: Location) -> None:
    with opened(location) as ledger:
        custody.agree(ledger, "1001@default", custody.AgreedTo(wording="test"))
        custody.agree(ledger, "1002@default", custody.AgreedTo(wording="test"), [SALES])
    writer = LedgerWriter(location)
    assert writer.agents_agreed(["1001@default"], QUEUE, 5) == frozenset(), "not started: a no"
    writer.start()
    everyone = ["1001@default", "1002@default", "1003@default"]
    assert writer.agents_agreed(everyone, QUEUE, 5) == {"1001@default"}
    assert writer.agents_agreed(everyone, SALES, 5) == {"1001@default", "1002@default"}
    assert writer.agent_agreed("1001@default", QUEUE, 5)
    assert not writer.agent_agreed("1002@default", QUEUE, 5)
    assert writer.agents_agreed(everyone, SALES, 0) == frozenset(), "not in time: a no"
    writer.stop()


# --- silence ---------------------------------------------------------------------------------


def test_spans_of_silence(ledger: Ledger, folder: Path) -> None:
    path = sound(folder, 0)
    ref = about(0, 0)
    rows = [
        ref.row(Turn.DECISION, {"decision": "given", "reason": "consent_key", "attempts": []}),
        ref.row(Turn.RECORDING_STARTED, {"path": str(path)}),
        ref.row(Turn.RECORDING_MASKED, {"why": "on_hold", "parties": ["agent"], "paths": [str(path)]}),
        ref.row(Turn.RECORDING_MASKED, {"why": "on_hold"}),
        ref.row(Turn.RECORDING_UNMASKED, {"why": "on_hold"}),
        ref.row(Turn.RECORDING_UNMASKED, {}),
        ref.row(Turn.RECORDING_MASKED, {"why": "third_party"}),
        ref.row(Turn.RECORDING_MASKED, {"why": "of another kind"}),
        ref.row(Turn.CALL_ENDED, {}),
        ref.row(Turn.RECORDING_MASKED, {"why": "lasts"}),
    ]
    at = [NOW + timedelta(minutes=minute) for minute in range(len(rows))]
    ledger.append([replace(row, at=moment) for row, moment in zip(rows, at, strict=True)])
    call = summarize(ledger.call(VISITS[0]))
    assert call.masked == (
        (at[2], at[4], "on_hold"),
        (at[6], at[7], "third_party"),
        (at[7], at[8], "of another kind"),
        (at[9], None, "lasts"),
    )
    assert json.loads(json.dumps(call.as_dict()))["masked"][3] == {
        "began": at[9].isoformat(timespec="microseconds"),
        "ended": None,
        "why": "lasts",
    }
    page = disclosure.evidence_sheet(ledger, ledger.call(VISITS[0]), Places(folder), Verifier([]), "en")
    assert WORDS["en"]["because_on_hold"] in page
    assert "of another kind" in page


# --- what becomes of it ----------------------------------------------------------------------


def test_retention_goes_by_visit_with_the_terms_of_its_queue(ledger: Ledger, folder: Path) -> None:
    short, long = sound(folder, 0, 150), sound(folder, 1, 150)
    visited(ledger, 0, 0, days=150, path=short)
    visited(ledger, 0, 1, days=150, path=long, queue=SALES)
    elsewhere = about(0, 1, QUEUE).row(Turn.AGENT_ANSWERED, {})  # the talk went on in the other queue
    stray = about(0, None, "").row(Turn.FORBIDDEN_RECORDING, {"path": str(folder / "none.wav")})
    ledger.append([replace(row, at=NOW - timedelta(days=150)) for row in (elsewhere, stray)])
    report = run(ledger, folder)
    assert (report.calls_erased, short.exists(), long.exists()) == ([VISITS[0]], False, True)
    assert [rows[0].call for rows in ledger.rows_of([UUIDS[0]])] == [VISITS[1], UUIDS[0]]
    assert ledger.channels_of(NUMBER) == [UUIDS[0]], "the other visit has it still"
    assert ledger.call(VISITS[1])[0].caller_id_number == NUMBER
    later = custody.Retention(ledger, Places(folder), TERMS, at=NOW + timedelta(days=1000)).run()
    assert later.calls_erased == [VISITS[1], UUIDS[0]], "what names no visit goes with the last one"
    assert len(list(ledger.read(Search(turn=Turn.ROWS_ERASED.value)))) == 2, "a receipt is kept for ever"
    assert ledger.channels_of(NUMBER) == []
    assert not long.exists()


@pytest.mark.parametrize("held", [0, 1])
def test_a_hold_of_one_visit_is_not_got_round(ledger: Ledger, folder: Path, held: int) -> None:
    paths = [sound(folder, number, 2000) for number in (0, 1)]
    for visit, path in enumerate(paths):
        visited(ledger, 0, visit, days=2000, path=path)
    shared = {"path": str(paths[held]), "leg": UUIDS[9]}
    found = about(0, 1 - held).row(Turn.FORBIDDEN_RECORDING, shared)
    ledger.append([replace(found, at=NOW - timedelta(days=2000))])
    assert custody.hold(ledger, VISITS[held], "lawsuit")
    report = run(ledger, folder)
    assert report.held == [VISITS[held]]
    assert report.calls_erased == []
    assert "on legal hold" in report.failed[0], "the other visit names a file of the held one"
    assert [path.exists() for path in paths] == [held == 0, held == 1]
    assert custody.erase_calls(ledger, Places(folder), [UUIDS[0]], "request").held == [VISITS[held]]
    assert ledger.channels_of(NUMBER) == [UUIDS[0]]
    assert custody.hold(ledger, UUIDS[0], "over", release=True), "by the channel: every visit that is held"
    assert not custody.hold(ledger, UUIDS[0], "over", release=True)
    assert sorted(run(ledger, folder).calls_erased) == VISITS[:2]
    assert not any(path.exists() for path in paths)


def test_rows_without_a_visit_stay_with_a_held_one(ledger: Ledger, folder: Path) -> None:
    visited(ledger, 0, 0, days=2000)
    file = wav(folder, 0, timedelta(days=2000))
    stray = about(0, None).row(Turn.FORBIDDEN_RECORDING, {"path": str(file)})
    ledger.append([replace(stray, at=NOW - timedelta(days=2000))])
    custody.hold(ledger, VISITS[0], "lawsuit")
    assert run(ledger, folder).calls_erased == []
    assert file.exists()
    assert len(ledger.call(UUIDS[0])) == 5


def test_a_held_call_keeps_its_file_from_another_persons_erasure(ledger: Ledger, folder: Path) -> None:
    path = sound(folder, 0)
    visited(ledger, 0, 0, path=path)
    visited(ledger, 1, 1)
    ledger.append([about(1, 1).row(Turn.FORBIDDEN_RECORDING, {"path": str(path)})])
    custody.hold(ledger, VISITS[0], "lawsuit")
    done = custody.erase_calls(ledger, Places(folder), [UUIDS[1]], "request")
    assert done.left == {VISITS[1]: {str(path): f"call {VISITS[0]} names it, and is on legal hold"}}
    assert (path.exists(), ledger.channels_of(NUMBER)) == (True, [UUIDS[0]])


def test_erasing_a_person_covers_every_visit(ledger: Ledger, folder: Path) -> None:
    paths = [sound(folder, number) for number in (0, 1)]
    for visit, path in enumerate(paths):
        visited(ledger, 0, visit, path=path)
    assert custody.erase_calls(ledger, Places(folder), [UUIDS[0]], "request").recordings == 2
    for visit in range(2):
        rows = ledger.call(VISITS[visit])
        assert [row.turn for row in rows[-2:]] == ["erasure", "audio_erased"]
        assert summarize(rows).caller_id_number is None
    assert ledger.channels_of(NUMBER) == []
    assert ledger.erase_rows([VISITS[0]], {"why": "retention"}) == 7
    ledger.append([about(0, 1).row(Turn.ADOPTED, {}, caller_id_number=NUMBER)])
    assert ledger.channels_of(NUMBER) == [], "no later turn brings it back"
    visited(ledger, 0, 2)
    assert ledger.channels_of(NUMBER) == [], "and no later visit of the same channel"
    assert ledger.call(VISITS[2])[1].turn == "decision"


def test_files_are_explained_by_visit_and_by_channel(ledger: Ledger, folder: Path) -> None:
    first = sound(folder, 0)
    names = [Path(recording_path(str(folder), VISITS[0], date(2026, 1, 1), number)) for number in (1, 2, 3)]
    queues_own = first.with_name(f"{UUIDS[0]}-1767225600.wav")
    for path in (*names[1:], queues_own):
        path.write_bytes(first.read_bytes())
        os.utime(path, (NOW.timestamp() - 7200,) * 2)
    visited(ledger, 0, 0, path=names[0])
    for path in (names[1], queues_own):
        recorded = (Turn.RECORDING_STARTED, Turn.RECORDING_STOPPED)
        ledger.append([about(0, 0).row(turn, {"path": str(path)}) for turn in recorded])
    report = run(ledger, folder)
    assert report.quarantined == [str(names[2])], "of this visit, and in none of its rows"
    (row,) = ledger.read(Search(turn=Turn.QUARANTINED.value))
    assert row.about == about(0, 0)
    assert sorted(report.sealed) == sorted(map(str, [names[0], names[1], queues_own])), "each file, not each call"


def test_what_is_handed_over_of_one_visit(ledger: Ledger, folder: Path, tmp_path: Path) -> None:
    visited(ledger, 0, 0)
    visited(ledger, 0, 1)
    with pytest.raises(ValueError, match="these are 2"):
        disclosure.hand_over(ledger, Search(channel=UUIDS[0]), "vcon", io.BytesIO(), Places(folder), audio=False)
    out = tmp_path / "vcon"
    with out.open("wb") as file:
        disclosure.hand_over(ledger, Search(visit=VISITS[1]), "vcon", file, Places(folder), audio=False)
    assert json.loads(out.read_text())["uuid"] == VISITS[1]
    said = verify_export(out, Verifier([]))
    assert (said.rows, said.findings) == (3, [])
    table = io.BytesIO()
    disclosure.hand_over(ledger, Search(channel=UUIDS[0]), "csv", table, Places(folder), audio=False)
    assert table.getvalue().decode().count(VISITS[0]) == 3


# --- the command line ------------------------------------------------------------------------


def test_the_command_line_takes_a_channel_or_a_visit(configure: Callable[..., Configuration], tmp_path: Path) -> None:
    data = configure().model_dump(mode="json", exclude_none=True)
    data["ledger"] |= {"path": str(tmp_path / "ledger.sqlite3"), "head_file": str(tmp_path / "ledger.head")}
    data["recordings"]["folder"] = str(tmp_path / "recordings")
    path = tmp_path / "consentivr.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")

    def ran(verb: str, *arguments: str, answer: str = "", exits: int = 0) -> str:
        done = CliRunner().invoke(main, ["ledger", verb, "-c", str(path), *arguments], input=answer)
        assert done.exit_code == exits, done.output
        return done.stdout if verb == "export" else done.output

    with opened(tmp_path / "ledger.sqlite3") as ledger:
        visited(ledger, 0, 0)
        visited(ledger, 0, 1, queue=SALES)
        ledger.append([about(0, 1, SALES).row(Turn.DECISION, {"decision": "given"})])
        visited(ledger, 1, 2)
    table = ran("calls").splitlines()
    assert [line.split()[3] for line in table[2:]] == VISITS[:3]
    assert "refused (2 rows)" in table[3]
    both = ran("show", UUIDS[0])
    assert both.startswith("2 visits")
    assert both.index(f"visit {VISITS[0]}, line support") < both.index(f"visit {VISITS[1]}, line sales")
    assert "2 rows decide: the first one counts" in both
    assert len(json.loads(ran("show", VISITS[0], "--json"))["entries"]) == 3
    assert len(json.loads(ran("list", "--channel", VISITS[1], "--json"))) == 4
    assert len(json.loads(ran("export", "--channel", VISITS[0]))["rows"]) == 3
    assert len(json.loads(ran("export", "--channel", UUIDS[0]))["rows"]) == 7
    page = tmp_path / "sheet.html"
    asked = ran("sheet", UUIDS[0], "--out", str(page), answer="3\n2\n")
    assert VISITS[0] in asked
    assert f"--channel {VISITS[1]}" in page.read_text()
    ran("sheet", VISITS[0], "--out", str(tmp_path / "other.html"))
    ran("hold", VISITS[1], "--why", "lawsuit")
    assert f"kept: {VISITS[1]} is on legal hold" in ran("erase", "--channel", VISITS[0], "--yes", exits=1)
    ran("release", UUIDS[0], "--why", "over")
    assert "erased: 2 call(s)" in ran("erase", "--channel", VISITS[0], "--yes")
    ran("erase", "--channel", "unknown", "--yes", exits=1)
    assert "second decision of one visit" in ran("verify", exits=1)


def test_a_number_goes_with_the_last_row_that_is_bound_to_it(ledger: Ledger, folder: Path) -> None:
    """An earlier refusal on the same channel, which stored none, does not keep the number of a yes."""
    refused = about(0, 0).row(Turn.DECISION, {"decision": "refused", "reason": "objection_key"})
    ledger.append([refused])
    visited(ledger, 0, 1)
    assert ledger.channels_of(NUMBER) == [UUIDS[0]]
    ledger.erase_rows([VISITS[1]], {"why": "retention"})
    assert ledger.channels_of(NUMBER) == []
    assert [row.turn for row in ledger.call(VISITS[0])] == ["decision"]
