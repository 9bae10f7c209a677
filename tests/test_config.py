"""Every mistake at once, with its place; values as they are written; none that could break out of the XML."""

from __future__ import annotations

import contextlib
import copy
import json
import re
import time
from collections.abc import Iterator
from datetime import date
from datetime import time as clock
from pathlib import Path
from typing import Annotated, get_args

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from consentivr.config import ConfigError, Configuration, Mistake, announcing, load, loads, wording
from consentivr.config.sample import commented
from consentivr.config.schema import schema
from consentivr.config.values import Section, written
from consentivr.core.policy import AgentWish, Announcement, LinePolicy, Outsiders, RecordingMode, Taps, WhileHeld
from consentivr.core.statutes import Confirmation
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
    assert policy(made).consent_key == "1"
    assert [switch.address for switch in made.switches] == [("127.0.0.1", 8021)], "required: FreeSWITCH's own address"


def policy(made: Configuration, question_ms: int = 8000) -> LinePolicy:
    return made.line_policy("support", question_ms)


def test_the_sample_is_valid_and_shows_the_defaults() -> None:
    sample = load(shipped("config") / "consentivr.yaml")
    for name, field in Configuration.model_fields.items():
        if not field.is_required() and name not in ("sounds", "retention"):
            assert getattr(sample, name) == field.get_default(call_default_factory=True), name


def examples_of(model: type[Section]) -> Iterator[tuple[str, FieldInfo]]:
    """Every field of a section and of what is in it."""
    for name, field in model.model_fields.items():
        yield f"{model.__name__}.{name}", field
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, Section):
                yield from examples_of(kind)


def test_the_sample_names_every_key() -> None:
    text = (shipped("config") / "consentivr.yaml").read_text(encoding="utf-8")
    for name, field in examples_of(Configuration):
        key = name.partition(".")[2]
        assert re.search(rf"(?:^ *(?:# *)*(?:- )?|\{{|, ){key}:(?! null)", text, re.M), (
            f"{name} wants a value or an example"
        )
        assert field.description or isinstance(field.get_default(call_default_factory=True), Section), name


def test_an_example_of_the_sample_can_stand_there() -> None:
    examples = [(field, each) for _, field in examples_of(Configuration) for each in field.examples or ()]
    assert examples
    for field, example in examples:
        TypeAdapter(Annotated[field.annotation, field]).validate_python(written(example))


TRICKY = [
    "null",
    "~",
    "",
    "*9",
    "# no comment",
    "a: b",
    "yes",
    "0500",
    "- a",
    "x" * 300,
    "two  blanks " * 20,
    "ä: 'ö' \"ü\"",
]


@pytest.mark.parametrize("text", TRICKY)
def test_what_is_written_with_comments_is_read_as_the_same(text: str) -> None:
    made = loads(GOOD)
    queue = made.queues["support"].changed(recording={"mode": "every_nth", "every": 3, "purpose": text})
    made = made.changed(
        privacy=made.privacy.changed(controller=text, recipients=[text, "b"] * 30, measures=[text]),
        queues={"support": queue, "other": queue.changed(name="other@default")},
        lines={name: {"number": name, "queue": "support", "question": {"consent_key": "4"}} for name in ("a", "b")},
        service=made.service.changed(secret_file=None),
        agents=made.agents.changed(users={"a@b": text}),
        switches=[{"address": "a:1"}, {"address": "[::1]:2"}],
    )
    assert loads(commented(made)) == made


@given(st.text(max_size=200).filter(lambda text: text.isprintable()))
@settings(max_examples=25, deadline=None)
def test_any_text_is_read_as_it_was_written(text: str) -> None:
    made = loads(GOOD)
    made = made.changed(agents=made.agents.changed(users={"a@b": text}))
    assert loads(commented(made)) == made


def test_the_schema_describes_every_key_and_fits_the_sample() -> None:
    described = json.loads(json.dumps(schema()))
    jsonschema.Draft202012Validator.check_schema(described)
    jsonschema.validate(yaml.safe_load((shipped("config") / "consentivr.yaml").read_text("utf-8")), described)
    for unquoted in ('"5000"', "5000"), ('"03:30"', "12:30"), ("max_connections: 2000", "max_connections: 20"):
        text = (shipped("config") / "consentivr.yaml").read_text("utf-8").replace(*unquoted)
        jsonschema.validate(yaml.safe_load(text), described)
    service = described["$defs"]["Service"]["properties"]
    assert service["listen"]["default"] == "127.0.0.1:8184"
    assert service["allowed_peers"]["default"] == ["127.0.0.1"]


def test_all_mistakes_at_once_with_their_lines() -> None:
    found = mistakes(
        """\
service:
  listn: 127.0.0.1:8184
  max_connections: many
question:
  consent_key: 12
  objection_key: "1"
lines:
  support:
    number: 50 00
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
        ('"5000"', "12:30", "lines.support.number", "found: 12:30"),
        ('"5000"', "[5000]", "lines.support.number", "a text is wanted, found a list"),
        ('"5000"', "{a: b}", "lines.support.number", "a text is wanted, found a section"),
        ('"5000"', "!!int 5000", "lines.support.number", "has a tag, !!int (leave it out)"),
        ('"5000"', "null", "lines.support.number", "found nothing"),
        ("name: support@default", "name: ", "queues.support.name", "a # starts a comment"),
        ("  de:", "  NO:", "announcements.NO", "match pattern"),
        ("support: {number", "1: {number", "lines.1", "a small letter"),
        ("support: {number", "<<: {number", "lines.<<", "a small letter"),
        ("queue: support", "queue: suport", "lines.support.queue", "there is no queue 'suport'"),
        ("queue: support}", "queue: support, language: xx}", "lines.support", "no announcements in language 'xx'"),
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
        ("lines:", "question: {consent_key: 12}\nlines:", "question.consent_key", "not one key"),
        ("lines:", "question: {consent_key: '9'}\nlines:", "question", "the same key"),
        ("lines:", "question: {late_consent_keys: '*9'}\nlines:", "question", "the same keys"),
        ("lines:", "question: {withdrawal_keys: '9'}\nlines:", "question.withdrawal_keys", "single keys are for"),
        ("lines:", "http: {token_file: /x}\nlines:", "http", "goes with 'listen'"),
        ("lines:", "agents: {must_agree: maybe}\nlines:", "agents.must_agree", "found 'maybe'"),
        ("lines:", "lines: {}\nlines:", "lines", "stands in line 1 already"),
        ("lines:", "ledger: {url: 'mysql://x'}\nlines:", "ledger.url", "is not postgresql://"),
        ("lines:", "ledger: {url: 'postgresql://a:secret@b/c'}\nlines:", "ledger.url", "password file"),
        ("lines:", "ledger: {url: 'postgresql://b/c?password=x'}\nlines:", "ledger.url", "password file"),
        ("lines:", "retention: {daily_at: 24:00}\nlines:", "retention.daily_at", "is not HH:MM"),
        ("lines:", "retention: {daily_at: [1]}\nlines:", "retention.daily_at", "a text is wanted"),
        ("lines:", "ledger: {path: ''}\nlines:", "ledger.path", "names no file"),
        ("lines:", "ledger: {path: ~nobody-has-this-name/x}\nlines:", "ledger.path", "home is not known"),
        ("lines:", "recordings: {stereo: 1}\nlines:", "recordings.stereo", "true or false is wanted, found '1'"),
        ("support@default", "support@default, retention: {rows_days: 1}", "queues.support.retention", "kept longer"),
        (
            "support@default",
            "support@default, retention: {audio_days: 2, rows_days: 1}",
            "queues.support.retention",
            "audio cannot be kept longer than the rows",
        ),
        ("lines:", "switches: []\nlines:", "switches", "at least 1 item"),
        ("lines:", "switches: {address: '127.0.0.1:8021'}\nlines:", "switches", "a list is wanted"),
        ("lines:", "switches: [{address: localhost}]\nlines:", "switches.0.address", "is not HOST:PORT"),
        ("lines:", "switches: [{adress: 'a:1'}]\nlines:", "switches.0.adress", "did you mean 'address'?"),
        ("lines:", "talks: {while_held: music}\nlines:", "talks.while_held", "'record' is wanted"),
        ("lines:", "talks: {outsiders: yes}\nlines:", "talks.outsiders", "'silence', 'announce' or 'allow'"),
        ("lines:", "talks: {taps: [end]}\nlines:", "talks.taps", "'note', 'alarm' or 'end'"),
        ("lines:", "watch: {sweep_s: 0}\nlines:", "watch.sweep_s", "greater than or equal to 1"),
        ("lines:", "watch: {erase_below: [here]}\nlines:", "watch.erase_below.0", "absolute path"),
        ("lines:", "watch: {command: []}\nlines:", "watch.command", "at least 1 item"),
        ("lines:", "watch: {comand: [a]}\nlines:", "watch.comand", "did you mean 'command'?"),
        ("lines:", "agents: {users: {anna: 1001@default}}\nlines:", "agents.users.anna", "is not user@domain"),
        ("lines:", "agents: {remind_paused_s: 1}\nlines:", "agents.remind_paused_s", "greater than or equal to 5"),
        ("lines:", "agents: {resume_after_s: never}\nlines:", "agents.resume_after_s", "a whole number"),
        ("lines:", "agents: {keys: {withdraw: '5'}}\nlines:", "agents.keys.withdraw", "single keys are for"),
        ("lines:", "agents: {keys: {stop: '*1', pause: '*1'}}\nlines:", "agents", "two of 'keys' are the same"),
        ("lines:", "agents: {keys: {erase: '*1'}}\nlines:", "agents.keys.erase", "'withdraw' is wanted"),
        ("lines:", "question: {min_heard_ms: -1}\nlines:", "question.min_heard_ms", "greater than or equal to 0"),
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
        ("{mode: permanent, legal_basis: consent of the caller}", "who cannot decline has not agreed"),
        ("{mode: permanent, legal_basis: HGB § 257}", "needs 'confirmed_by' and 'confirmed_on'"),
        ("{mode: permanent, legal_basis: HGB § 257, confirmed_by: A. Adler}", "go together"),
        ("{mode: permanent, legal_basis: HGB § 257, confirmed_by: A, confirmed_on: 2026-02-30}", "is not a day"),
        ("{mode: permanent, legal_basis: HGB § 257, confirmed_by: Adler, confirmed_on: 2999-01-01}", "not come yet"),
        ("{mode: off, confirmed_by: Adler, confirmed_on: 2026-01-01}", "goes with mode 'permanent' only"),
        ("{mode: off, legal_basis: MiFID II art. 16(7)}", "goes with mode 'permanent' only"),
        ("{erase_withdrawn: false}", "needs 'kept_because'"),
        ("{erase_withdrawn: false, kept_because: ' '}", "needs 'kept_because'"),
        ("{kept_because: art. 17(3)(e)}", "goes with 'erase_withdrawn: false'"),
        ("{mode: off, erase_withdrawn: false, kept_because: art. 17(3)(e)}", "goes with 'erase_withdrawn: false'"),
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
    law = GOOD.replace("support@default", "support@default, recording: {mode: permanent, legal_basis: WpHG § 83}")
    assert "no announcement 'told'" in str(mistakes(law)[0])
    assert policy(loads(law.replace("Dürfen wir", "Dürfen wir, told: Wir müssen."))).mode.value == "permanent"


def test_another_statute_goes_with_who_confirmed_it_into_both_policies() -> None:
    said = "{mode: permanent, legal_basis: HGB § 257, confirmed_by: A. Adler, confirmed_on: 2026-11-01}"
    made = loads(
        GOOD.replace("name: support@default", f"name: support@default, recording: {said}").replace(
            "Dürfen wir", "Dürfen wir, told: Wir müssen."
        )
    )
    assert policy(made).confirmed == Confirmation("A. Adler", date(2026, 11, 1))
    assert made.talk_policy("support", "support").confirmed == policy(made).confirmed


@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_a_value_is_what_stands_there_in_quotes_or_not(quote: str) -> None:
    def q(text: str) -> str:
        return f"{quote}{text}{quote}"

    made = loads(
        f"""\
service: {{listen: {q("localhost:8184")}, allowed_peers: [{q("10.0.0.0/8")}], max_connections: {q("0100")}}}
retention: {{daily_at: {q("12:30")}}}
numbers: {{country: {q("NO")}}}
agents: {{must_agree: {q("no")}, users: {{{q("1001@d")}: {q("0x10")}}}}}
question: {{consent_key: {q("0")}}}
recordings: {{stereo: {q("On")}}}
lines: {{{q("yes")}: {{number: {q("0500")}, queue: {q("off")}, language: {q("no")}}}}}
queues: {{{q("off")}: {{name: {q("2026-11-23")}, recording: {{mode: {q("off")}}}}}}}
announcements: {{{q("no")}: {{question: {q("1e3")}, welcome: {q("true")}}}}}
"""
    )
    assert (made.service.listen, made.service.max_connections) == (("localhost", 8184), 100)
    assert list(map(str, made.service.allowed_peers)) == ["10.0.0.0/8"]
    assert made.retention.daily_at == clock(12, 30)
    assert made.numbers.country == "NO"
    assert (made.agents.must_agree, made.agents.users) == (False, {"1001@d": "0x10"})
    assert (made.question.consent_key, made.recordings.stereo) == ("0", True)
    assert (made.lines["yes"].number, made.lines["yes"].language) == ("0500", "no")
    assert made.queues["off"].name == "2026-11-23"
    assert made.queues["off"].recording.mode is RecordingMode.OFF
    assert made.question_text("yes") == "1e3"


def test_what_is_changed_is_read_as_from_a_file() -> None:
    sample = load(shipped("config") / "consentivr.yaml")
    assert sample.changed() == sample, "what is written of a value is read as the same value"
    service = sample.service.changed(listen="[::1]:80", allowed_peers=["10.0.0.0/8"])
    assert sample.changed(service=service).service.listen == ("::1", 80)
    assert str(service.listen) == "[::1]:80"
    with pytest.raises(ValueError, match="is not HOST:PORT"):
        sample.service.changed(listen="localhost")


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
        ("x: !!timestamp 2026-13-45", "has a tag, !!timestamp"),
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
    assert policy(made).consent_key == "5"
    assert {stem for _, stem in made.sound_files()} == {"question", "support-welcome"}


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_configuration_or_a_list_of_mistakes(text: str) -> None:
    with contextlib.suppress(ConfigError):
        loads(text)


# --- what was new in 0.2.0 -------------------------------------------------------------------

FIRST = """\
guard:
  address: 10.0.0.1:8021
  password_file: /etc/x
  erase_below: [/rec]
  command: [tell, officer]
agents: {must_agree: false, pause_max_s: 60}
"""


def test_a_configuration_of_the_first_version_is_read_and_named() -> None:
    said: list[str] = []
    made = loads(FIRST + GOOD, "old.yaml", said.append)
    (switch,) = made.switches
    assert (switch.address, switch.password_file) == (("10.0.0.1", 8021), Path("/etc/x"))
    assert (made.watch.erase_below, made.watch.command) == ((Path("/rec"),), ("tell", "officer"))
    assert made.agents.must_agree is False
    assert made.agents.resume_after_s is None, "a pause no longer ends by itself"
    assert len(said) == 2
    assert all(line.startswith("old.yaml: '") for line in said)
    assert "'switches'" in said[0]
    assert "stays until somebody resumes" in said[1]


def test_a_switch_that_is_named_comes_before_the_guards() -> None:
    both = "switches: [{address: '10.0.0.2:8021'}]\n" + FIRST + GOOD
    assert [switch.address for switch in loads(both).switches] == [("10.0.0.2", 8021)]


def test_a_mistake_in_a_list_is_one_mistake() -> None:
    found = mistakes("switches:\n  - {adress: 'a:1'}\n  - {address: 'b:x'}\n" + GOOD)
    assert [(mistake.line, mistake.key) for mistake in found] == [(2, "switches.0.adress"), (3, "switches.1.address")]


def test_todays_configuration_is_read_without_a_word() -> None:
    said: list[str] = []
    loads(GOOD, warn=said.append)
    load(shipped("config") / "consentivr.yaml", said.append)
    assert said == []


def test_what_decides_in_a_talk() -> None:
    more = (
        "talks: {while_held: record, outsiders: announce, taps: end}\n"
        "agents: {must_agree: false, keys: {withdraw: '*5'}}\n"
    )
    talk = loads(more + GOOD).talk_policy("support", "support")
    assert (talk.while_held, talk.outsiders, talk.taps) == (WhileHeld.RECORD, Outsiders.ANNOUNCE, Taps.END)
    assert talk.agent_keys == (("*5", AgentWish.WITHDRAW),)
    assert not talk.starts_at_answer
    usual = loads(GOOD).talk_policy("support", "support")
    assert (usual.while_held, usual.outsiders, usual.taps) == (WhileHeld.SILENCE, Outsiders.SILENCE, Taps.ALARM)
    assert usual.starts_at_answer


def test_the_queue_where_the_talk_is_decides() -> None:
    sales = "sales: {name: sales@default, recording: {mode: off, purpose: training}}"
    made = loads(GOOD.replace("name: support@default}", "name: support@default}\n  " + sales))
    assert made.talk_policy("support", "support").mode is RecordingMode.PERMANENT_OPT_OUT
    there = made.talk_policy("support", "sales")
    assert (there.mode, there.purpose, there.withdrawal_keys) == (RecordingMode.OFF, "training", "*9")


@pytest.mark.parametrize(
    ("question", "enough"),
    [
        ("Ja ist 1, nein ist 9.", 20 / 21),
        ("Ja ist 1, nein ist 9. Und noch viel mehr Text danach, der nicht zählt.", 20 / 70),
        ("Drücken Sie bitte eine Taste.", 1.0),
        ("Die 1 sagt ja.", 1.0),
        ("Raum 19 hat 91 Plätze.", 1.0),
        ("Dürfen wir? |Ja 1, nein 9.", 12 / 25),
        ("|Ja?", 0.0),
        ("Ja?|", 1.0),
    ],
)
def test_p2_how_much_must_be_heard(question: str, enough: float) -> None:
    made = loads(GOOD.replace("Dürfen wir", json.dumps(question, ensure_ascii=False)))
    assert made.asked("support").enough == pytest.approx(enough)
    assert policy(made, 10_000).min_heard_ms == int(10_000 * made.asked("support").enough)
    assert "|" not in made.sound_files()["de", "question"], "the mark is not spoken"
    assert "|" not in made.announcements_of("support")[Announcement.QUESTION][1]


@pytest.mark.parametrize(
    ("language", "question", "untold"),
    [
        ("de", "Ja: 1. Nein: 9. Zurück: Stern und dann die 9.", []),
        ("de", "Mit Sternchen neun nehmen Sie es zurück. Ja ist die Eins, nein die Neun.", []),
        ("de", "Ja ist die 1, zurück geht es mit *9.", ["9"]),
        ("de", "Ja ist die 1, nein die 9.", ["*9"]),
        ("de", "Ja ist die 1, nein die 9.| Zurück: Stern und 9.", ["*9"]),
        ("de", "Press one or nine, star nine to take it back.", ["1", "9", "*9"]),
        ("en", "Press one or nine, asterisk then nine to take it back.", []),
        ("en", "Stardust 19 and 91 *99", ["1", "9", "*9"]),
        ("fr", "Tapez 1 ou 9; *9 pour revenir.", []),
        ("fr", "Tapez 1 ou 9; étoile puis 9 pour revenir.", []),
        ("fr", "Tapez un ou neuf; étoile neuf pour revenir.", ["1", "9", "*9"]),
        ("pl", "Tak: 1, nie: 9, wycofanie: gwiazdka i 9 lub gwiazdkę i 9.", []),
        ("cs", "Ano 1, ne 9, zpět hvězdičkou a 9.", []),
        ("xx", "Ja 1, nee 9, sterretje 9.", ["*9"]),
        ("en", "", ["1", "9", "*9"]),
    ],
)
def test_which_keys_are_told_before_a_yes_counts(language: str, question: str, untold: list[str]) -> None:
    assert wording.untold(question, language, ("1", "9"), "*9") == untold


def test_p2_who_agrees_has_heard_the_way_back_where_the_question_tells_it() -> None:
    text = "Zurück mit Stern und 9. Ja ist die 1, nein die 9. Danke."
    assert wording.heard(text, "de", ("1", "9"), "*9") == text[: text.index(". Danke")]
    text = "Ja ist die 1, nein die 9. Zurück mit Stern und 9. Danke."
    assert wording.heard(text, "de", ("1", "9"), "*9") == text[: text.index(". Danke")]


@pytest.mark.parametrize("language", announcing.languages())
def test_our_wording_tells_both_keys_and_the_way_back_before_the_yes(language: str) -> None:
    made = loads(f"language: {language}\n" + GOOD.partition("announcements:")[0])
    assert made.question_text("support") == announcing.ours(language)[Announcement.QUESTION]
    assert made.question_text("support").endswith("|"), "heard to its end"
    assert made.asked("support").untold == []
    assert set(announcing.ours(language)) == set(Announcement), "nothing is left unsaid"


def test_a_language_of_the_configuration_is_its_own_alone() -> None:
    made = loads(GOOD)
    assert made.texts_in("de") == {Announcement.QUESTION: "Dürfen wir"}
    assert made.texts_in("en") == announcing.ours("en")
    assert made.texts_in("xx") == {}
    assert {language for language, _ in made.sound_files()} == {"de"}, "only what is in use"


def test_p2_how_much_must_be_heard_can_be_said() -> None:
    made = loads("question: {min_heard_ms: 1234}\n" + GOOD)
    assert policy(made).min_heard_ms == 1234
    assert policy(loads("question: {min_heard_ms: 0}\n" + GOOD)).min_heard_ms == 0


# --- languages, details ----------------------------------------------------------------------

SEVERAL = """\
language: de
languages: {de: {key: "4"}, en: {key: "2", prefixes: ["+44"]}}
lines:
  support: {number: "5000", queue: support}
  english: {number: "5001", queue: support, language: en, languages: {}}
  own:
    number: "5002"
    queue: support
    announcements: {question: "Eigene? 1, 9, *9"}
    languages: {en: {key: "5", announcements: {question: "Own? 1, 9, *9"}}, fr: {}}
queues: {support: {name: support@default, retention: {audio_days: 90, rows_days: 1095}}}
"""


def test_a_line_has_the_languages_that_are_named() -> None:
    made = loads(SEVERAL)
    assert made.spoken_on("support") == ["de", "en"]
    assert made.spoken_on("english") == ["en"]
    assert made.spoken_on("own") == ["de", "en", "fr"]
    assert made.announcements_of("support", "en")[Announcement.LANGUAGE] == ("language-2", "For English, press 2.")
    assert made.announcements_of("support")[Announcement.LANGUAGE][1] == "Für Deutsch drücken Sie die 4."
    assert made.announcements_of("own", "en")[Announcement.LANGUAGE] == ("language-5", "For English, press 5.")
    assert made.announcements_of("own", "en")[Announcement.QUESTION] == ("own-question", "Own? 1, 9, *9")
    assert Announcement.LANGUAGE not in made.announcements_of("own", "fr"), "it has no key"
    assert Announcement.LANGUAGE not in made.announcements_of("english")
    assert Announcement.DETAILS not in made.announcements_of("support")
    files = made.sound_files()
    assert {stem for language, stem in files if language == "en"} >= {
        "question",
        "own-question",
        "language-2",
        "language-5",
    }
    assert made.heard_files()["en", "own-question"] == "Own? 1, 9, *9"
    assert ("fr", "question") in files


@pytest.mark.parametrize(
    ("replaced", "by", "said"),
    [
        ('key: "2"', 'key: "1"', "the key 1 of language 'en' is consent_key already"),
        ('key: "2"', 'key: "4"', "the key 4 of language 'en' is that of 'de' already"),
        ('key: "2"', 'key: "#"', "is not one key"),
        ('["+44"]', '["44"]', "is not the beginning of an international number"),
        ("languages: {de:", "languages: {xx: {}, de:", "no announcements in language 'xx'"),
        ("queues:", 'question: {details_key: "4"}\nqueues:', "the key 4 of language 'de' is details_key already"),
        ("queues:", 'question: {details_key: "9"}\nqueues:', "details_key is one of the two other keys"),
        ("queues:", 'question: {details_key: "3"}\nqueues:', "'details' tells {controller}, which is not said"),
        (
            "queues:",
            "announcements: {en: {welcome: Hello}}\nqueues:",
            "its language 'en' has no announcement 'question'",
        ),
    ],
)
def test_mistakes_in_languages(replaced: str, by: str, said: str) -> None:
    assert said in "\n".join(map(str, mistakes(SEVERAL.replace(replaced, by))))


PRIVACY = "privacy: {controller: Muster GmbH, contact: d@muster.example, notice_at: https://muster.example/d}\n"


@pytest.mark.parametrize("language", announcing.languages())
def test_details_tell_controller_retention_rights_and_where_to_read_more(language: str) -> None:
    lines = GOOD.partition("announcements:")[0]
    kept = lines.replace("@default}", "@default, retention: {audio_days: 90, rows_days: 1095}}")
    made = loads(f'{PRIVACY}language: {language}\nquestion: {{details_key: "3"}}\n{kept}')
    stem, text = made.announcements_of("support")[Announcement.DETAILS]
    assert stem == "support-details"
    for fact in ("Muster GmbH", "90", "1095", "d@muster.example", "muster.example/d"):
        assert fact in text
    assert "https" not in text, "nobody says that"
    stem, asked = made.announcements_of("support")[Announcement.QUESTION]
    assert stem == "question-3"
    assert next(wording.places(asked, language, "3"), None), "the question tells of it"
    assert made.question_text("support").index("|") < made.question_text("support").index("3")
    assert made.asked("support").untold == []
    assert made.line_policy("support", 1000).details_key == "3"


def test_details_of_your_own() -> None:
    text = PRIVACY + 'question: {details_key: "3"}\n' + GOOD
    made = loads(text.replace("question: Dürfen wir", 'question: "Dürfen wir?", details: "Wir: {controller}"'))
    assert made.announcements_of("support")[Announcement.DETAILS] == ("support-details", "Wir: Muster GmbH")
    assert made.announcements_of("support")[Announcement.QUESTION] == ("question", "Dürfen wir?")
    wrong = text.replace("question: Dürfen wir", 'question: "Dürfen wir?", details: "Wir: {house}"')
    (found,) = map(str, mistakes(wrong))
    assert "'details' tells {house}, which is not said" in found
    assert "known: controller, contact" in found


# --- what would take for ever ----------------------------------------------------------------


def laughs(levels: int, each: int) -> str:
    """Each level repeats the one before so often."""
    lines = ["a0: &a0 [lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * each)}]" for n in range(1, levels)]
    return "\n".join(lines)


BIG = ", ".join(["x"] * 8000)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (laughs(10, 9), 4, "more than 20 aliases"),
        (laughs(40, 2), 12, "more than 20 aliases"),
        (f"a: &a [{BIG}]\nb: &b [*a, *a]\nc: [*b, *b, *b]", 1, "values, with those that its aliases"),
        ("[" * 100_000, 1, "more than 20 sections within one another"),
        ("{a: " * 100_000, 1, "more than 20 sections within one another"),
        ("a: " + "- " * 100_000, 1, "not YAML"),
        ("- " * 100_000, 1, "more than 20 sections within one another"),
        ("a: [" + "x," * 60_000 + "]", 1, "more than 50000 values"),
        ("#" * (1024 * 1024 + 1), 1, "more than 1048576 characters"),
    ],
    ids=range(9),
)
def test_what_would_take_for_ever_is_refused_at_once(text: str, line: int, said: str) -> None:
    began = time.process_time()
    (found,) = mistakes(text)
    assert said in found.problem
    assert found.line == line
    assert time.process_time() - began < 20


def test_a_file_without_an_end() -> None:
    with pytest.raises(ConfigError, match="more than 1048576"):
        load(Path("/dev/zero"))


def test_an_alias_or_two_are_read() -> None:
    made = loads(GOOD.replace("queue: support}", "queue: &queue support}").replace("{name:", "{music: *queue, name:"))
    assert made.queues["support"].music == "support"


def keys_of(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Of every section, as far down as there are any."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield (*path, key)
            yield from keys_of(each, (*path, key))


def test_nothing_in_any_place_is_a_mistake_or_a_default() -> None:
    everything = written(load(shipped("config") / "consentivr.yaml"))
    everything["agents"]["line"] = {
        "number": "1", "agree_key": "1", "announcements": {"number": "a", "pin": "b", "wording": "c"}
    }  # fmt: skip
    Configuration.model_validate(everything)
    for path in keys_of(everything):
        changed = copy.deepcopy(everything)
        section = changed
        for key in path[:-1]:
            section = section[key]
        section[path[-1]] = None
        with contextlib.suppress(ValidationError):
            Configuration.model_validate(changed)


# --- two wordings on trial -------------------------------------------------------------------

TRIED = "Zur Schulung aufzeichnen? Ja: 1. Nein: 9. Widerruf mit Stern 9.| Danke."


def on_trial(**changes: str) -> str:
    trial = {"name": "short", "question": f'"{TRIED}"', "until": "2027-03-31", **changes}
    written_so = ", ".join(f"{name}: {value}" for name, value in trial.items() if value)
    return GOOD.replace("queue: support}", f"queue: support, trial: {{{written_so}}}}}", 1)


def test_a_second_wording_has_a_file_and_a_beginning_of_its_own() -> None:
    made = loads(on_trial())
    tried = made.tried("support")
    assert tried is not None
    assert (tried.heard, tried.untold) == (TRIED.partition("|")[0], [])
    assert made.sound_files()["de", "support-question-short"] == TRIED.replace("|", "")
    assert made.heard_files()["de", "support-question-short"] == tried.heard
    assert made.sound_files()["de", "question"] == "Dürfen wir", "and the line's own is as before"
    assert made.line_policy("support", 6500, None, tried).min_heard_ms == int(6500 * tried.enough)
    assert made.lines["support"].trial == made.changed().lines["support"].trial, "written and read again"
    assert made.lines["support"].trial.calls == 1500  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("changes", "key", "problem"),
    [
        ({"question": "Dürfen wir"}, "question", "it is the wording that the line has"),
        ({"question": '"Ja: 1. Widerruf mit Stern 9.|"'}, "question", "may agree before the key 9 was named"),
        ({"question": '"Ja: 1. Nein: 9.| Widerruf mit Stern 9."'}, "question", "may agree before the key *9 was named"),
        ({"calls": "50"}, "calls", "greater than or equal to 100"),
        ({"until": "31.3.2027"}, "until", "is not a day"),
        ({"until": ""}, "until", "is missing"),
        ({"name": "Kurz!"}, "name", "must be a small letter"),
        ({"language": "en"}, "language", "unknown key"),
    ],
)
def test_mistakes_in_a_trial_are_told(changes: dict[str, str], key: str, problem: str) -> None:
    found = [one for one in mistakes(on_trial(**changes)) if one.key == f"lines.support.trial.{key}"]
    assert any(problem in one.problem for one in found), mistakes(on_trial(**changes))


def test_a_trial_needs_a_question_and_a_name_of_its_own() -> None:
    off = on_trial().replace("{name: support@default}", "{name: support@default, recording: {mode: off}}")
    assert "asks nobody" in mistakes(off)[0].problem
    line = next(line for line in on_trial().splitlines() if "support:" in line)
    twice = on_trial().replace(line, line + "\n" + line.replace("support:", "sales:", 1).replace("5000", "5001"))
    assert "has a trial of this name" in mistakes(twice)[0].problem
    details = on_trial() + "question: {details_key: 3}\n"
    assert any("the key 3 tells more" in one.problem for one in mistakes(details))
