"""Every mistake at once, with its place; YAML's traps; no value that could break out of the XML."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from consentivr.config import ConfigError, Configuration, Mistake, load, loads
from consentivr.core.policy import RecordingMode
from consentivr.resources import shipped

GOOD = """\
lines:
  support: {number: "5000", queue: support}
queues:
  support: {name: support@default}
announcements:
  de: {question: Dürfen wir}
"""


def mistakes(text: str) -> list[Mistake]:
    with pytest.raises(ConfigError) as caught:
        loads(text, "x.yaml")
    return caught.value.mistakes


def test_the_smallest_configuration() -> None:
    made = loads(GOOD)
    assert made.queues["support"].recording.mode is RecordingMode.PERMANENT_OPT_OUT
    assert made.policy("support").consent_key == "1"


def test_the_sample_is_valid_and_shows_the_defaults() -> None:
    sample = load(shipped("config") / "consentivr.yaml")
    for name, field in Configuration.model_fields.items():
        if not field.is_required() and name not in ("sounds", "retention"):
            assert getattr(sample, name) == field.get_default(call_default_factory=True), name


def test_the_sample_names_every_key() -> None:
    text = (shipped("config") / "consentivr.yaml").read_text(encoding="utf-8")
    schema = Configuration.model_json_schema()
    for model in [schema, *schema["$defs"].values()]:
        for key in model.get("properties", {}):
            assert re.search(rf"\b{key}\b", text), f"{key} is not in the sample"


def test_the_schema_describes_every_key_and_fits_the_sample() -> None:
    schema = Configuration.model_json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load((shipped("config") / "consentivr.yaml").read_text("utf-8")), schema)
    json.dumps(schema)


def test_all_mistakes_at_once_with_their_lines() -> None:
    found = mistakes(
        """\
service:
  listn: 127.0.0.1:8184
  max_connections: many
question:
  consent_key: 1
  objection_key: "1"
lines:
  support:
    number: 5000
queues: {}
announcements:
  de: {question: Darf ich, greeting: Hallo}
"""
    )
    assert [(mistake.line, mistake.key) for mistake in found] == [
        (2, "service.listn"),
        (3, "service.max_connections"),
        (5, "question.consent_key"),
        (8, "lines.support.queue"),
        (9, "lines.support.number"),
        (10, "queues"),
        (12, "announcements.de.greeting"),
    ]
    assert "did you mean 'listen'?" in str(found[0])
    assert str(found[1]) == "x.yaml:3: service.max_connections: a whole number is wanted, found 'many'"


@pytest.mark.parametrize(
    ("was", "put", "key", "said"),
    [
        ('"5000"', "0500", "lines.support.number", "octal number 320"),
        ('"5000"', "5000", "lines.support.number", 'write "5000" in quotes'),
        ('"5000"', "12:30", "lines.support.number", "base-60 number 750"),
        ('"5000"', "no", "lines.support.number", "YAML reads no as false"),
        ('"5000"', "1.5", "lines.support.number", "found the number 1.5"),
        ("name: support@default", "name: ", "queues.support.name", "a # starts a comment"),
        ("support@default", "2026-11-23", "queues.support.name", "a text is wanted"),
        ("Dürfen wir", "yes", "announcements.de.question", "YAML reads yes as true"),
        ("  de:", "  no:", "announcements.no", "YAML reads this key as False"),
        ("support: {number", "1: {number", "lines.1", "YAML reads this key as 1"),
        ("queue: support", "queue: suport", "lines.support.queue", "there is no queue 'suport'"),
        ("de: {question", "fr: {question", "lines.support", "no announcements in language 'de'"),
        ("question:", "welcome:", "lines.support", "no announcement 'question'"),
        ("support@default", "'support\"><x a=\"'", "queues.support.name", "letters, digits"),
        ("lines:", "question: {attempts: 0}\nlines:", "question.attempts", "greater than or equal to 1"),
        ("lines:", "question: {attempts: 2.5}\nlines:", "question.attempts", "found '2.5'"),
        ("lines:", "question: []\nlines:", "question", "keys of its own"),
        ("lines:", "question:\n  consent_key: #\nlines:", "question.consent_key", "a # starts a comment"),
        ("lines:", "recordings: {folder: relative}\nlines:", "recordings.folder", "absolute path"),
        ("lines:", "recordings: {folder: /with blank}\nlines:", "recordings.folder", "without blanks"),
        ("lines:", "recordings: {folder: /a/../b}\nlines:", "recordings.folder", "absolute path"),
        ("lines:", "service: {listen: localhost}\nlines:", "service.listen", "is not HOST:PORT"),
        ("lines:", "service: {listen: 'a b:80'}\nlines:", "service.listen", "neither a name nor an address"),
        ("lines:", "service: {allowed_peers: [localhost]}\nlines:", "service.allowed_peers.0", "not an address"),
        ("lines:", "service: {hosts: []}\nlines:", "service.hosts", "at least 1 item"),
        ("lines:", "language: Deutsch\nlines:", "language", "match pattern"),
        ("lines:", "question: {consent_key: '12'}\nlines:", "question.consent_key", "not one key"),
        ("lines:", "question: {consent_key: '9'}\nlines:", "question", "the same key"),
        ("lines:", "question: {late_consent_keys: '*9'}\nlines:", "question", "the same keys"),
        ("lines:", "question: {withdrawal_keys: '9'}\nlines:", "question.withdrawal_keys", "single keys are for"),
        ("lines:", "http: {listen: '127.0.0.1:8185'}\nlines:", "http", "go together"),
        ("lines:", "agents: {must_agree: maybe}\nlines:", "agents.must_agree", "found 'maybe'"),
        ("lines:", "lines: {}\nlines:", "lines", "stands in line 1 already"),
        ("lines:", "ledger: {url: 'mysql://x'}\nlines:", "ledger.url", "is not postgresql://"),
        ("lines:", "ledger: {url: 'postgresql://a:secret@b/c'}\nlines:", "ledger.url", "password file"),
        ("lines:", "ledger: {url: 'postgresql://b/c?password=x'}\nlines:", "ledger.url", "password file"),
        ("lines:", "retention: {daily_at: 12:30}\nlines:", "retention.daily_at", "12:30"),
        ("lines:", "retention: {daily_at: '24:00'}\nlines:", "retention.daily_at", "is not HH:MM"),
        ("lines:", "retention: {daily_at: [1]}\nlines:", "retention.daily_at", "is not HH:MM"),
        ("support@default", "support@default, retention: {rows_days: 1}", "queues.support.retention", "kept longer"),
        (
            "support@default",
            "support@default, retention: {audio_days: 2, rows_days: 1}",
            "queues.support.retention",
            "audio cannot be kept longer than the rows",
        ),
        ('"5000"', '"50 00"', "lines.support.number", "not a destination number"),
        ("  support: {name", "  Support-1: {name", "queues.Support-1", "small letter"),
    ],
)
def test_one_mistake(was: str, put: str, key: str, said: str) -> None:
    assert was in GOOD
    found = mistakes(GOOD.replace(was, put, 1))
    assert any(mistake.key == key and said in str(mistake) for mistake in found), [str(m) for m in found]


@pytest.mark.parametrize(
    ("recording", "said"),
    [
        ("{mode: permanent}", "needs a legal_basis"),
        ("{mode: permanent, legal_basis: ' '}", "needs a legal_basis"),
        ("{mode: permanent, legal_basis: consent of the caller}", "other than consent"),
        ("{mode: permanent, legal_basis: Einwilligung}", "other than consent"),
        ("{mode: permanent, legal_basis: Art. 6 (1) a GDPR}", "other than consent"),
        ("{mode: off, legal_basis: MiFID II}", "goes with mode 'permanent' only"),
        ("{mode: every_nth}", "'every' goes with mode 'every_nth'"),
        ("{mode: manual, every: 3}", "'every' goes with mode 'every_nth'"),
        ("{mode: every_nth, every: 1}", "greater than or equal to 2"),
        ("{mode: sometimes}", "'manual' is wanted"),
        ("{mode: yes}", "is wanted"),
        ("{purpose: '${system(ls)}'}", "variable"),
    ],
)
def test_recording_modes(recording: str, said: str) -> None:
    found = mistakes(GOOD.replace("name: support@default", f"name: support@default, recording: {recording}"))
    assert said in str(found[0])


def test_permanent_needs_the_announcement_that_tells() -> None:
    law = GOOD.replace("support@default", "support@default, recording: {mode: permanent, legal_basis: MiFID II}")
    assert "no announcement 'told'" in str(mistakes(law)[0])
    assert loads(law.replace("Dürfen wir", "Dürfen wir, told: Wir müssen.")).policy("support").mode.value == "permanent"


@pytest.mark.parametrize("written", ["off", "'off'"])
def test_off_is_off(written: str) -> None:
    made = loads(GOOD.replace("support@default", f"support@default, recording: {{mode: {written}}}"))
    assert made.policy("support").mode is RecordingMode.OFF


def test_two_lines_or_queues_must_differ() -> None:
    two = GOOD.replace("queues:", '  other: {number: "5000", queue: support}\nqueues:').replace(
        "announcements:", "  second: {name: support@default}\nannouncements:"
    )
    assert [mistake.key for mistake in mistakes(two)] == ["lines.other.number", "queues.second.name"]


def test_an_ending_with_transfer_names_an_extension() -> None:
    for unanswered in ("{then: transfer}", '{then: hangup, extension: "6000"}'):
        text = GOOD.replace("name: support@default", f"name: support@default, unanswered: {unanswered}")
        assert "'extension' goes with" in str(mistakes(text)[0])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1", "not YAML"),
        ("\tlines: x", "not YAML"),
        ("a: b: c", "not YAML"),
        ("", "lines: is missing"),
        ("- a", "keys of its own"),
        ("lines: &a {support: *a}", "an alias refers to something that holds it"),
        ("? [a, b]\n: 1", "unknown key"),
        ("lines: !!python/object/apply:os.system [ls]", "lines"),
        ("x: 2026-13-45", "not a value"),
    ],
)
def test_what_is_no_configuration_at_all(text: str, said: str) -> None:
    assert said in "\n".join(str(mistake) for mistake in mistakes(text))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="consentivr config example"):
        load(tmp_path / "missing.yaml")
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(binary)


def test_a_line_may_have_a_question_and_wordings_of_its_own() -> None:
    made = loads(
        GOOD.replace(
            "queue: support}",
            'queue: support, question: {consent_key: "5"}, announcements: {welcome: Hallo}}',
        )
    )
    assert made.policy("support").consent_key == "5"
    assert {stem for _, stem in made.sound_files()} == {"question", "support-welcome"}


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_configuration_or_a_list_of_mistakes(text: str) -> None:
    with contextlib.suppress(ConfigError):
        loads(text)
