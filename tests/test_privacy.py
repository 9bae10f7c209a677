"""The documents of the data protection officer: complete, true to the configuration, the same in both languages."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from consentivr.cli import main
from consentivr.config import Configuration, announcing, load, loads
from consentivr.config.values import written
from consentivr.core.policy import Announcement
from consentivr.core.turn import Turn
from consentivr.disclosure.incidents import happened, summed_up
from consentivr.ledger import CallRef, Ledger, Search
from consentivr.privacy import DOCUMENTS, LANGUAGES, Document, Facts, document, facts_of, missing
from consentivr.resources import shipped

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=timezone.utc)
FULL = """
ledger: {signing_key: /etc/key}
retention: {daily_at: "03:30"}
watch: {command: [tell]}
agents: {keys: {pause: "*3"}}
privacy:
  controller: Beispiel GmbH
  contact: datenschutz@beispiel.example
  dpo: A. Adler
  authority: Landesbeauftragte
  recipients: []
  third_countries: none
  notice_at: https://beispiel.example/datenschutz
  measures: [disks are encrypted]
lines:
  support: {number: "5000", queue: support}
  orders: {number: "5002", queue: orders}
queues:
  support: {name: support@default, retention: {audio_days: 90, rows_days: 1095}}
  orders:
    name: orders@default
    recording: {mode: permanent, purpose: proof of orders, legal_basis: WpHG § 83}
    retention: {audio_days: 1827, rows_days: 1827}
  internal: {name: internal@default, recording: {mode: off}, retention: {audio_days: 0, rows_days: 30}}
announcements:
  de: {question: "Ja 1, nein 9, zurück mit *9.", told: Wir müssen.}
"""


@pytest.fixture
def full() -> Configuration:
    return loads(FULL)


def made(name: str, facts: Facts, language: str = "en") -> Document:
    return document(name, facts, language, NOW)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_full_configuration_leaves_no_gap(full: Configuration, name: str, language: str) -> None:
    one = made(name, facts_of(full), language)
    assert one.gaps == []
    for text in (one.text(), one.html()):
        assert "None" not in text
        assert "Beispiel GmbH" in text
    assert "<mark>" not in one.html()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_notice_has_every_language_that_callers_are_asked_in(language: str) -> None:
    text = FULL + "languages: {pl: {key: 4}}\nquestion: {details_key: 3}\n"
    told = " ".join(made("notice", facts_of(loads(text)), language).text().split())
    assert announcing.ours("pl")[Announcement.QUESTION].rstrip("|") in told
    assert {"en": "Key 3: controller", "de": "Taste 3: Verantwortlicher"}[language] in told
    untold = text.replace("announcements:", "announcements:\n  pl: {question: 'Tak 1, nie 9.', told: Tak.}")
    assert "MISSING: *9 in the question" in made("measures", facts_of(loads(untold))).gaps


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_notice_has_both_wordings_while_two_are_on_trial(language: str) -> None:
    data = written(loads(FULL))
    line = next(iter(data["lines"].values()))
    second = "Yes 1, no 9, back with *9.|"
    line["trial"] = {"name": "short", "question": second, "calls": 100, "until": "2027-03-31"}
    told = made("notice", facts_of(loads(yaml.safe_dump(data))), language).text()
    assert "Yes 1, no 9, back with *9." in " ".join(told.split())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_is_missing_is_a_marked_gap_in_either_form(name: str, language: str) -> None:
    one = made(name, facts_of(load(shipped("config") / "consentivr.yaml")), language)
    gap = f"{LANGUAGES[language].missing}: privacy.controller"
    assert gap in one.gaps
    assert f"<mark>{gap}</mark>" in one.html()
    assert f"[{gap}]" in one.text(1000)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_both_languages_have_the_same_sections_and_rows(full: Configuration, name: str) -> None:
    shapes = [
        [(block.kind, [len(row) for row in block.rows]) for block in made(name, facts_of(full), language).blocks
         if block.kind != "paragraph"]
        for language in LANGUAGES
    ]  # fmt: skip
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_row_of_a_table_has_a_cell_for_each_column(full: Configuration, name: str) -> None:
    for block in made(name, facts_of(full)).blocks:
        if block.kind == "table":
            assert len({len(row) for row in block.rows}) == 1, block.rows[0]


def test_what_is_configured_is_no_mark_and_no_html(full: Configuration) -> None:
    hostile = "a | b **c** <script>\n## d"
    facts = replace(facts_of(full), controller=hostile)
    usual = made("record", facts_of(full))
    for one in (made("record", facts), made("record", replace(facts, database="- x | y"))):
        assert [block.kind for block in one.blocks] == [block.kind for block in usual.blocks]
    assert "a | b **c** &lt;script&gt; ## d" in made("record", facts).html()
    assert "a | b **c** <script> ## d" in made("record", facts).text()


def test_the_documents_follow_the_configuration(full: Configuration) -> None:
    facts = facts_of(full)
    assert "blocked" in made("agreement", facts).text()
    assert "works agreement of 1 May" in made("agreement", replace(facts, statistics="works agreement of 1 May")).text()
    assert "is recorded" in made("measures", replace(facts, outsiders="allow")).text()
    assert "More is recorded than by default" in made("impact", replace(facts, outsiders="allow")).text()
    kept = replace(facts.queues[0], erase_withdrawn=False, kept_because="art. 17(3)(e)")
    notice = made("notice", replace(facts, queues=(kept, *facts.queues[1:]))).text(1000)
    assert "is kept on the ground of: art. 17(3)(e)" in notice.replace("\N{NO-BREAK SPACE}", " ")
    assert "What was recorded until then is erased" in made("notice", facts).text()
    untold = replace(facts.lines[0], told_before=False)
    assert "MISSING: *9 in the question" in made("measures", replace(facts, lines=(untold,))).gaps
    other = replace(facts.lines[0], number="5001", withdrawal_keys="*8")
    notice = made("notice", replace(facts, lines=(*facts.lines, other))).text(1000)
    assert "with the keys *9 (number 5000) or *8 (number 5001), or tell" in notice
    nothing = replace(facts, queues=facts.queues[2:])
    assert "Calls are not recorded" in made("notice", nothing).text()


@pytest.mark.parametrize(
    ("change", "name", "said", "by_default"),
    [
        ({"whose_number": "all"}, "notice", "also if you say no", "If you say no, it is not kept"),
        ({"whose_number": "never"}, "record", "No telephone numbers", "of callers who agree or are recorded by law"),
        ({"whose_number": "all"}, "retention", "that of all callers", "only that of callers who agree"),
        ({"quarantine_days": 7}, "retention", "is erased after 7 days", "is erased after 90 days"),
        ({"access_days": 7}, "retention", "the rest is erased after 7 days", "the rest is erased after 365 days"),
        ({"quarantine_days": 7}, "measures", "quarantine: 7 days", "quarantine: 90 days"),
        ({"peer_user": "fs"}, "measures", "only the user fs;", "only the user freeswitch and that of this service"),
        ({"secret": False}, "measures", "MISSING: service.secret_file", "proves itself with a secret"),
        ({"peer_user": "*"}, "impact", "MISSING: service.peer_user", "Connections of the switch's user only"),
        ({"http": True, "shared_token": True}, "measures", "besides a shared token", "not set up"),
        ({"posted": True, "stamped": True}, "measures", "sent to an address of somebody else's", "/ledger.head"),
        ({"agents_hear": True}, "agreement", "Before each call they hear", "they are not told on every line"),
        ({"agents_line": "5099"}, "agreement", "PIN, hashed only", "until it is taken back"),
        ({"third_countries": "Norway, art. 45"}, "notice", "outside of the EU: Norway", "outside of the EU: none"),
    ],
)
def test_each_document_follows_what_it_is_about(
    full: Configuration, change: dict[str, object], name: str, said: str, by_default: str
) -> None:
    facts = facts_of(full)
    texts = [made(name, one).text(1000).replace("\N{NO-BREAK SPACE}", " ") for one in (facts, replace(facts, **change))]
    assert [said in text for text in texts] == [False, True]
    assert by_default in texts[0]


def test_a_term_of_refusals_is_in_every_table_of_terms() -> None:
    facts = facts_of(loads(FULL.replace("rows_days: 1095}", "rows_days: 1095, refusals_days: 61}")))
    for name in ("notice", "record", "retention"):
        assert "61 days" in made(name, facts).text(1000), name
        assert "1095 days" in made(name, facts).text(1000), name


def test_no_transfer_is_said_in_the_language_of_the_document(full: Configuration) -> None:
    for name in ("notice", "record"):
        assert "none" not in made(name, facts_of(full), "de").text()


def test_what_is_missing_is_a_finding_of_check(full: Configuration) -> None:
    assert missing(full) == {}
    assert set(missing(loads(FULL.replace("dpo: A. Adler", "")))) == {"dpo"}
    assert set(missing(load(shipped("config") / "consentivr.yaml"))) == {
        "controller", "contact", "dpo", "authority", "recipients", "third_countries", "notice_at",
    }  # fmt: skip


def test_the_verbs(tmp_path: Path) -> None:
    file, out = tmp_path / "c.yaml", tmp_path / "record.html"
    file.write_text(FULL)
    done = CliRunner().invoke(main, ["privacy", "record", "-c", str(file), "--format", "html", "--out", str(out)])
    assert (done.exit_code, done.output) == (0, "")
    assert out.read_text().startswith("<!doctype html>")
    assert out.stat().st_mode & 0o077 == 0
    again = CliRunner().invoke(main, ["privacy", "record", "-c", str(file), "--out", str(out)])
    assert again.exit_code == 2, "nothing is overwritten"
    file.write_text(FULL.replace("dpo: A. Adler", ""))
    assert "1 gap(s): FEHLT: privacy.dpo" in CliRunner().invoke(
        main, ["privacy", "notice", "-c", str(file), "--language", "de"]
    ).output  # fmt: skip
    listed = CliRunner().invoke(main, ["privacy", "statutes"]).output
    assert "WpHG § 83" in listed
    assert json.loads(CliRunner().invoke(main, ["privacy", "statutes", "--json"]).output)[0]["callers"]


# --- incidents -------------------------------------------------------------------------------


def test_incidents_are_found_and_summed_up(location: str | Path) -> None:
    book = Ledger(location)
    first, second = (CallRef(f"c{n}", f"v{n}", "support", "support@default", "caller_opt_in") for n in (1, 2))
    book.append(
        [
            first.row(Turn.FORBIDDEN_RECORDING, {"path": "/r/a.wav", "leg": "agent", "why": "caller_refused"}),
            first.row(Turn.CALL_ENDED, {"hangup_cause": "NORMAL_CLEARING", "agent": None}),
            second.row(Turn.COMMAND_FAILED, {"wanted": "stop", "said": "-ERR", "paths": ["/r/a.wav"]}),
            second.row(Turn.FORBIDDEN_RECORDING, {"path": "/r/b.wav", "leg": "caller", "why": "caller_refused"}),
        ]
    )
    rows = happened(book, Search())
    book.close()
    assert [row.turn for row in rows] == ["forbidden_recording", "command_failed", "forbidden_recording"]
    assert [(one["turn"], one["rows"], one["visits"]) for one in summed_up(rows)] == [
        ("forbidden_recording", 2, 2),
        ("command_failed", 1, 1),
    ]


def test_a_report_says_until_when_and_how_many(tmp_path: Path) -> None:
    data = yaml.load(FULL, yaml.BaseLoader)
    data["ledger"] = {"path": str(tmp_path / "ledger.sqlite3")}
    file = tmp_path / "c.yaml"
    file.write_text(yaml.safe_dump(data))
    book = Ledger(tmp_path / "ledger.sqlite3")
    call = CallRef("c1", "v1", "support", "support@default", "caller_opt_in")
    book.append(
        [call.row(Turn.TAPPED, {"function": "eavesdrop", "leg": "agent", "ended": False}, caller_id_number="+4930123")]
    )
    book.close()
    options = ["-c", str(file), "--known-since", "2026-11-28T10:00"]
    for language, until in (("en", "by 2026-12-01 10:00 UTC"), ("de", "bis 2026-12-01 10:00 UTC")):
        said = CliRunner().invoke(main, ["incidents", "report", *options, "--language", language]).output
        assert until in " ".join(said.split())
        assert LANGUAGES[language].turns["tapped"] in " ".join(said.split())
        assert "4930123" not in said
    listed = CliRunner().invoke(main, ["incidents", "list", "-c", str(file)]).output
    assert "leg: the agent's" in listed, "in words"
    (row,) = json.loads(CliRunner().invoke(main, ["incidents", "list", "-c", str(file), "--json"]).output)
    assert (row["turn"], "caller_id_number" in row) == ("tapped", False)


def test_incidents_name_no_number_that_another_recorder_gave_its_file(tmp_path: Path) -> None:
    data = yaml.load(FULL, yaml.BaseLoader)
    data["ledger"] = {"path": str(tmp_path / "ledger.sqlite3")}
    file = tmp_path / "c.yaml"
    file.write_text(yaml.safe_dump(data))
    book = Ledger(tmp_path / "ledger.sqlite3")
    call = CallRef("c1", "v1", "support", "support@default", "caller_opt_in")
    book.append(
        [call.row(Turn.FORBIDDEN_RECORDING, {"path": "/pbx/03023125000.wav", "leg": "agent", "why": "outsider"})]
    )
    book.append([call.row(Turn.RECORDING_DIFFERS, {"path": "/r/x.wav", "why": "missing"})])
    book.close()
    for more in ([], ["--json"]):
        listed = CliRunner().invoke(main, ["incidents", "list", "-c", str(file), *more]).output
        assert "forbidden_recording" in listed
        assert "recording_differs" in listed
        assert "3125000" not in listed
