"""The command line as an administrator meets it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import get_args

import pytest
import yaml
from click.testing import CliRunner, Result
from pydantic import BaseModel

from consentivr.cli import main
from consentivr.config import Configuration, load
from consentivr.lab.caller import Caller
from consentivr.lab.event_socket import SimulatedEventSocket
from consentivr.lab.laboratory import Laboratory, simulated_switch
from consentivr.ledger import Ledger
from consentivr.resources import room_for_calls, room_to_turn_away
from tests.ledgers import as_administrator

pytestmark = pytest.mark.slow


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.fixture
def event_socket(configure: Callable[..., Configuration]) -> Iterator[SimulatedEventSocket]:
    """A switch whose event socket lets us in."""
    made = SimulatedEventSocket(simulated_switch(configure(), speed=20), "ClueCon")
    yield made
    made.cut()


@pytest.fixture
def path(configure: Callable[..., Configuration], tmp_path: Path, event_socket: SimulatedEventSocket) -> Path:
    data = configure().model_dump(mode="json", exclude_none=True)
    data["switches"][0]["address"] = "{}:{}".format(*event_socket.address)
    data["ledger"] |= {"path": str(tmp_path / "ledger.sqlite3"), "head_file": str(tmp_path / "ledger.head")}
    data["recordings"]["folder"] = str(tmp_path / "recordings")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        data["service"]["listen"] = f"127.0.0.1:{probe.getsockname()[1]}"
    file = tmp_path / "consentivr.yaml"
    file.write_text(yaml.safe_dump(data), encoding="utf-8")
    return file


def test_check_finds_what_has_no_end(path: Path) -> None:
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    data["numbers"] = {"country": "DE"}
    del data["queues"]["support"]["retention"]["refusals_days"]
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    found = {one["what"]: one for one in json.loads(run("check", "-c", str(path), "--json").stdout)}
    assert (found["retention support"]["level"], found["numbers"]["level"]) == ("warning", "good")
    data["queues"]["support"]["retention"] = {"audio_days": 90}
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    done = run("check", "-c", str(path), "--json")
    assert done.exit_code == 1
    found = {one["what"]: one for one in json.loads(done.stdout)}
    assert found["retention support"]["level"] == "bad"
    assert "queues.support.retention" in found["retention support"]["said"]


def test_check_is_good(path: Path) -> None:
    done = run("check", "-c", str(path))
    assert done.exit_code == 0, done.output
    assert "bad" not in done.output
    well = [line for line in done.output.splitlines() if line.startswith("here: well: ")]
    assert len(well) == 1, "one line for what is well"
    assert all(word in well[0] for word in ("sounds", "ledger", "switch 127.0.0.1:", "port"))
    found = {one["what"]: one for one in json.loads(run("check", "-c", str(path), "--json").stdout)}
    assert "is free" in found["port"]["said"]
    assert "lets us in" in next(one["said"] for what, one in found.items() if what.startswith("switch "))
    assert found["ledger"]["said"].startswith("there is none yet: 'serve' begins one in ")
    assert not Path(yaml.safe_load(path.read_text())["ledger"]["path"]).exists(), "a look makes nothing"


def test_a_finding_tells_why_how_to_mend_it_and_where(path: Path) -> None:
    data = yaml.safe_load(path.read_text())
    data["queues"]["support"]["retention"] = {"audio_days": 90}
    path.write_text(yaml.safe_dump(data))
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if text == "    retention:")
    done = run("check", "-c", str(path), "--no-port")
    assert done.exit_code == 1
    said = done.output.partition("bad: retention support")[2].splitlines()[1:4]
    assert [text.split()[0] for text in said] == ["why:", "mend:", "where:"]
    assert said[2].strip() == f"where: {path}:{line} - queues.support.retention"


def test_check_finds(path: Path, configure: Callable[..., Configuration]) -> None:
    configuration = yaml.safe_load(path.read_text())
    configuration["sounds"]["folder"] = "/nowhere"
    configuration["ledger"]["path"] = "/dev/null/ledger"
    path.write_text(yaml.safe_dump(configuration))
    host, port = configuration["service"]["listen"].split(":")
    with socket.socket() as taken:
        taken.bind((host, int(port)))
        taken.listen()
        done = run("check", "-c", str(path), "--json")
    assert done.exit_code == 1
    findings = {finding["what"]: finding for finding in json.loads(done.output)}
    assert findings["sound de/8000/question"]["level"] == "bad"
    assert "prompts build" in findings["sound de/8000/question"]["mend"]
    assert findings["ledger"]["level"] == "bad"
    assert "cannot be listened on" in findings["port"]["said"]


def test_check_finds_what_others_may_read(path: Path, tmp_path: Path) -> None:
    ledger, recordings = tmp_path / "ledger.sqlite3", tmp_path / "recordings"
    Ledger(ledger).close()
    assert run("check", "-c", str(path), "--no-port").exit_code == 0
    assert ledger.stat().st_mode & 0o777 == 0o600
    copy = tmp_path / "ledger.sqlite3.bak"
    copy.write_bytes(ledger.read_bytes())
    copy.chmod(0o640)
    ledger.chmod(0o604)
    recordings.mkdir()
    recordings.chmod(0o755)
    done = run("check", "-c", str(path), "--no-port", "--json")
    assert done.exit_code == 1
    found = {finding["what"]: finding for finding in json.loads(done.output) if finding["level"] == "bad"}
    assert found["mode of ledger.sqlite3"]["said"] == f"{ledger}: others than its owner may read or change it (0004)"
    assert found["mode of ledger.sqlite3"]["mend"] == f"run 'chmod 600 {ledger}'"
    assert "(0040)" in found["mode of ledger.sqlite3.bak"]["said"]
    assert "has mode 0755" in found["recordings"]["said"]
    assert f"chmod 2770 {recordings}" in found["recordings"]["mend"]
    assert len(found) == 3
    for file, mode in ((ledger, 0o600), (copy, 0o600), (recordings, 0o2770)):
        file.chmod(mode)
    assert run("check", "-c", str(path), "--no-port").exit_code == 0


def test_check_looks_at_every_file_that_is_its_owners_alone(path: Path, tmp_path: Path) -> None:
    """Whatever the configuration calls a file of secrets, and the head of the chain."""
    data = yaml.safe_load(path.read_text())
    data["ledger"]["signing_key"] = "x"
    data["http"] = {"listen": "127.0.0.1:8185", "token_file": "x"}
    data["agents"] = {"line": {"number": "5099", "announcements": {"number": "a", "pin": "b", "wording": "1 or 2"}}}
    data["console"] = {
        "listen": "127.0.0.1:8188",
        "address": "https://consent.example",
        "certificate": "x",
        "groups": {"data protection": {"roles": ["officer"]}},
        "oidc": {"issuer": "https://id.example", "client_id": "consentivr"},
    }
    data["recordings"]["former_folders"] = [str(tmp_path / "former")]
    (tmp_path / "former").mkdir(mode=0o755)
    private = {
        ("console", "accounts_file"),
        ("console", "certificate_key"),
        ("console", "oidc", "client_secret_file"),
        ("ledger", "signing_key"),
        ("ledger", "head_file"),
        ("http", "token_file"),
        ("http", "tokens_file"),
        ("service", "secret_file"),
        ("agents", "line", "pins_file"),
        ("switches", "password_file"),
    }
    for *sections, name in private:
        section = data
        for one in sections:
            section = section.setdefault(one, {})
        file = tmp_path / f"private-{name}"
        file.write_text("x")
        file.chmod(0o640)
        (section[0] if isinstance(section, list) else section)[name] = str(file)
    path.write_text(yaml.safe_dump(data))
    found = {one["what"]: one for one in json.loads(run("check", "-c", str(path), "--no-port", "--json").output)}
    for *_, name in private:
        assert found[f"mode of private-{name}"]["level"] == "bad", name
    assert "has mode 0755" in found["recordings"]["said"]
    named = {name for section in _sections(Configuration) for name in section.model_fields}
    secret = {name for name in named if re.search("key$|_file$|secret|password|token|pins|head", name)}
    pressed = {"consent_key", "objection_key", "agree_key", "decline_key", "details_key", "key"}
    read_by_all = {"document_file"}
    assert secret - pressed - read_by_all == {name for *_, name in private}


def _sections(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """A model, and those of its members."""
    yield model
    for field in model.model_fields.values():
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _sections(kind)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"address": "127.0.0.1:1"},
            "conversations cannot be followed, so nothing is recorded",
        ),
        ({"password_file": "/nowhere/x"}, "No such file"),
    ],
)
def test_check_finds_a_switch_that_cannot_be_watched(path: Path, change: dict[str, str], said: str) -> None:
    configuration = yaml.safe_load(path.read_text())
    configuration["switches"][0] |= change
    path.write_text(yaml.safe_dump(configuration))
    done = run("check", "-c", str(path), "--json", "--no-port")
    assert done.exit_code == 1
    (found,) = [finding for finding in json.loads(done.output) if finding["what"].startswith("switch ")]
    assert found["level"] == "bad"
    assert said in found["said"]


def test_serve_says_what_to_do_without_a_password(path: Path, tmp_path: Path) -> None:
    configuration = yaml.safe_load(path.read_text())
    open_to_all = tmp_path / "password"
    open_to_all.write_text("ClueCon")
    open_to_all.chmod(0o644)
    for file, said in (("/nowhere/x", "No such file"), (str(open_to_all), "chmod 600")):
        configuration["switches"][0]["password_file"] = file
        path.write_text(yaml.safe_dump(configuration))
        done = run("serve", "-c", str(path))
        assert done.exit_code == 2
        assert said in done.output
        assert "see 'switches'" in done.output


def test_keys_of_the_first_version_are_named(path: Path) -> None:
    configuration = yaml.safe_load(path.read_text())
    configuration["guard"] = configuration.pop("switches")[0]
    path.write_text(yaml.safe_dump(configuration))
    done = run("check", "-c", str(path), "--no-port")
    assert done.exit_code == 0, done.output
    assert "'guard' is now 'switches'" in done.stderr


@pytest.fixture
def few_descriptors() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_descriptors_are_made_room_for(few_descriptors: None) -> None:
    assert room_for_calls(500) == 500
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 1700
    assert room_for_calls(500) == 500
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 1700, "enough as it was"
    assert room_to_turn_away(500) == 1000
    assert room_for_calls(1500) == 1500
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 2700
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY:
        assert room_for_calls(hard) == hard - 200


def test_check_warns_of_too_few_descriptors(path: Path) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY or hard > 100_000:
        pytest.skip("there is no end of descriptors here")
    configuration = yaml.safe_load(path.read_text())
    configuration["service"]["max_connections"] = hard
    path.write_text(yaml.safe_dump(configuration))
    done = run("check", "-c", str(path), "--no-port")
    assert done.exit_code == 0, "it serves, but not so many"
    assert "raise LimitNOFILE" in done.output


def test_check_warns_of_a_question_that_does_not_tell_the_way_back(path: Path) -> None:
    data = yaml.safe_load(path.read_text())
    data["announcements"]["de"]["question"] = "Ja ist die 1.| Zurück mit Stern und 9."
    path.write_text(yaml.safe_dump(data, allow_unicode=True))
    found = {one["said"] for one in json.loads(run("check", "-c", str(path), "--no-port", "--json").output)
             if one["what"] == "question of line support" and one["level"] == "warning"}  # fmt: skip
    assert len(found) == 2
    assert any("before the key 9 was named" in said for said in found)
    assert any("before hearing that *9 takes it back" in said for said in found)


def test_audio_that_says_something_else_is_not_spoken(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    copy = f"import sys, shutil; shutil.copy('{sounds_of(path)[0]}', sys.argv[1])"
    speaker = f'{sys.executable} -c "{copy}" {{output}}'
    done = run("prompts", "build", "-c", str(path), "--out", str(folder), "--program", speaker)
    assert done.exit_code == 0, done.output
    data = yaml.safe_load(path.read_text())
    data["sounds"]["folder"] = str(folder)
    data["announcements"]["de"]["welcome"] = "Etwas anderes"
    path.write_text(yaml.safe_dump(data, allow_unicode=True))
    done = run("check", "-c", str(path), "--no-port")
    assert done.exit_code == 1
    assert done.output.count("was made from another text") == 2
    done = run("serve", "-c", str(path))
    assert done.exit_code != 0
    assert "run 'consentivr prompts build'" in done.output


def sounds_of(path: Path) -> list[Path]:
    return sorted(Path(yaml.safe_load(path.read_text())["sounds"]["folder"]).rglob("question.wav"))


def test_mistakes_exit_with_2(path: Path) -> None:
    path.write_text(path.read_text().replace("lines:", "lnes:"))
    for verb in (["check"], ["serve"], ["render", "--out", "/nowhere/x"], ["ledger", "list"], ["prompts", "build"]):
        done = run(*verb, "-c", str(path))
        assert done.exit_code == 2
        assert "did you mean 'lines'?" in done.output
    assert run("check", "-c", "/nowhere.yaml").exit_code == 2
    assert run("no-such-verb").exit_code == 2


def test_render_writes_and_compares(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "conf"
    assert run("render", "-c", str(path), "--out", str(out), "--diff").exit_code == 1
    assert not out.exists()
    done = run("render", "-c", str(path), "--out", str(out))
    assert done.exit_code == 0
    assert done.output.count("written:") == 3
    assert run("render", "-c", str(path), "--out", str(out), "--diff").exit_code == 0
    assert run("render", "-c", str(path), "--out", "/dev/null/x").exit_code == 2


def test_serve_says_why_it_will_not(path: Path) -> None:
    data = yaml.safe_load(path.read_text())
    data["sounds"]["folder"] = "/nowhere"
    path.write_text(yaml.safe_dump(data))
    done = run("serve", "-c", str(path))
    assert done.exit_code == 2
    assert "question.wav is missing" in done.output


def test_serve_refuses_a_taken_port_and_a_bad_ledger(path: Path) -> None:
    data = yaml.safe_load(path.read_text())
    host, port = data["service"]["listen"].split(":")
    with socket.socket() as taken:
        taken.bind((host, int(port)))
        taken.listen()
        done = run("serve", "-c", str(path))
    assert done.exit_code == 2
    assert "cannot listen" in done.output
    data["ledger"] |= {"path": "/dev/null/ledger", "head_file": str(path.with_name("another.head"))}
    path.write_text(yaml.safe_dump(data))
    assert "cannot be opened" in run("serve", "-c", str(path)).output


def test_ledger_list_and_show(path: Path, tmp_path: Path) -> None:
    assert run("ledger", "list", "-c", str(path)).exit_code == 2, "there is none yet"
    with Laboratory(load(path), tmp_path, speed=20) as laboratory:
        channel = laboratory.call(Caller(keys={1: ("1", 1200)}))
        laboratory.settle()
    done = run("ledger", "list", "-c", str(path))
    assert done.exit_code == 0
    assert "consent_key" in done.output
    assert "23125000" not in done.output, "P8: no number unless asked for"
    assert "23125000" in run("ledger", "list", "-c", str(path), "--numbers").output
    rows = json.loads(run("ledger", "list", "-c", str(path), "--json", "--turn", "decision").output)
    assert [row["evidence"]["decision"] for row in rows] == ["given"]
    assert "caller_id_number" not in rows[0]

    done = run("ledger", "show", "-c", str(path), channel.uuid, "--numbers")
    assert "notice" in done.output
    assert "caller: +493023125000" in done.output
    shown = json.loads(run("ledger", "show", "-c", str(path), channel.uuid, "--json").output)
    assert len(shown["entries"]) == 7
    assert next(iter(shown["notices"].values()))["text"] == "Text"
    assert run("ledger", "show", "-c", str(path), "unknown").exit_code == 1


def test_p7_what_a_caller_sent_does_not_steer_the_terminal(path: Path, tmp_path: Path) -> None:
    with Laboratory(load(path), tmp_path, speed=20) as laboratory:
        channel = laboratory.call(Caller(number="\x1b]0;pwned\x07\x1b[31m", agent="\x1b[2J"))
        laboratory.settle()
    for arguments in (["list", "--numbers"], ["show", channel.uuid, "--numbers"]):
        output = run("ledger", arguments[0], "-c", str(path), *arguments[1:]).output
        assert "pwned" in output
        assert not {"\x1b", "\x07"} & set(output)


def test_ledger_verify_and_erase(path: Path, tmp_path: Path) -> None:
    with Laboratory(load(path), tmp_path, speed=20) as laboratory:
        recorded = laboratory.call(Caller(keys={1: ("1", 1200)}))
        other = laboratory.call(Caller(number="+493023125001", keys={1: ("9", 1200)}))
        laboratory.settle()
    done = run("ledger", "verify", "-c", str(path))
    assert done.exit_code == 0, done.output
    assert "16 rows, whole" in done.output, "twelve, and four wordings"
    kept = done.output.strip().rpartition(" ")[2]

    file = Path(next(iter(recorded.recorded)))
    assert run("ledger", "erase", "-c", str(path), "--caller", "+493023125000").exit_code == 1, (
        "asked, and not confirmed"
    )
    assert file.exists()
    done = run("ledger", "erase", "-c", str(path), "--caller", "+493023125000", "--yes")
    assert done.exit_code == 0, done.output
    assert str(file) in done.output
    assert "erased: 1 call(s), 1 recording(s)" in done.output
    assert not file.exists()
    listed = run("ledger", "list", "-c", str(path), "--numbers").output
    assert "23125000" not in listed
    assert "23125001" in listed
    assert run("ledger", "verify", "-c", str(path), "--checkpoint", kept).exit_code == 0
    assert run("ledger", "erase", "-c", str(path), "--caller", "+493023125000", "--yes").exit_code == 1
    assert run("ledger", "erase", "-c", str(path), "--channel", other.uuid, "--yes").exit_code == 0
    assert run("ledger", "erase", "-c", str(path)).exit_code == 2
    assert run("ledger", "verify", "-c", str(path), "--checkpoint", "x").exit_code == 2

    with sqlite3.connect(tmp_path / "ledger.sqlite3") as connection:
        connection.executescript("DROP TRIGGER entry_no_update; UPDATE entry SET turn = 'x' WHERE position = 6")
    connection.close()
    done = run("ledger", "verify", "-c", str(path))
    assert done.exit_code == 1
    assert "row 6: changed" in done.output
    found = json.loads(run("ledger", "verify", "-c", str(path), "--json").output)
    assert found["findings"][0] == {"position": 6, "kind": "changed", "about": ""}
    assert [one["kind"] for one in found["findings"][1:]] == ["line of the list of calls that no row stands for"]


def test_ledger_export_verifies_on_its_own(path: Path, tmp_path: Path) -> None:
    with Laboratory(load(path), tmp_path, speed=20) as laboratory:
        first = laboratory.call(Caller(number="+493023125001", keys={1: ("1", 1200)}))
        laboratory.call(Caller(number="+493023125002", keys={1: ("9", 1200)}))
        laboratory.call(Caller(number="+493023125001", keys={1: ("9", 1200)}))
        laboratory.settle()
    out = tmp_path / "export.json"
    done = run("ledger", "export", "-c", str(path), "--caller", "+493023125001", "--out", str(out))
    assert done.exit_code == 0, done.output
    assert out.stat().st_mode & 0o777 == 0o600
    data = json.loads(out.read_text())
    assert {row["caller"]["caller_id_number"] for row in data["rows"]} == {"+493023125001"}
    assert len({row["channel_uuid"] for row in data["rows"]}) == 2
    assert next(iter(data["notices"].values()))["text"] == "Text"
    done = run("ledger", "verify", "--export", str(out))
    assert done.exit_code == 0, done.output
    assert f"{len(data['rows'])} rows, whole" in done.output

    data["rows"][0]["evidence"]["decision"] = "refused"
    out.write_text(json.dumps(data))
    done = run("ledger", "verify", "--export", str(out))
    assert done.exit_code == 1
    assert f"row {data['rows'][0]['position']}: changed" in done.output
    out.write_text("{}")
    assert run("ledger", "verify", "--export", str(out)).exit_code == 2
    assert run("ledger", "export", "-c", str(path), "--out", str(out)).exit_code == 2, "nothing is overwritten"

    table = run("ledger", "export", "-c", str(path), "--channel", first.uuid, "--format", "csv").stdout.splitlines()
    assert table[0].startswith("position,at,channel_uuid,turn")
    assert len(table) == 8
    assert "'+493023125001" in table[1], "a spreadsheet must not compute a number"
    assert run("ledger", "export", "-c", str(path), "--until", "2001-01-01").exit_code == 1
    assert run("ledger", "export", "-c", str(path), "--since", "2001-01-01").exit_code == 0
    erased = run("ledger", "erase", "-c", str(path), "--caller", "+493023125001", "--yes")
    assert erased.exit_code == 0
    after = run("ledger", "export", "-c", str(path)).stdout
    assert "23125001" not in after
    out.write_text(after)
    assert run("ledger", "verify", "--export", str(out)).exit_code == 0


def test_example_and_schema() -> None:
    example = run("config", "example").output
    assert yaml.safe_load(example)["lines"]
    assert json.loads(run("config", "schema").output)["properties"]["lines"]


def test_demo_tells_and_sums_up(tmp_path: Path) -> None:
    done = run("demo", "--keep", str(tmp_path), "--speed", "20")
    assert done.exit_code == 0, done.output
    assert "A caller who presses 1:" in done.output
    table = done.output[done.output.index("ledger row") :]
    for words in (
        "given         consent_key",
        "refused       objection_key",
        "not_obtained  silence",
        "not_obtained  hangup",
    ):
        assert words in table
    assert len(list(tmp_path.rglob("*.wav"))) == 2


def test_version_and_module() -> None:
    done = subprocess.run([sys.executable, "-m", "consentivr", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("consentivr, version ")


# --- the ledger as evidence ------------------------------------------------------------------


@pytest.fixture
def signed(path: Path, tmp_path: Path) -> tuple[Path, Path, str, str]:
    """A configuration with a signing key, its public key, a recorded call and one that was refused."""
    key, public = tmp_path / "ledger.key", tmp_path / "ledger.pub"
    made = subprocess.run(
        [sys.executable, "-m", "consentivr", "ledger", "keygen", "--out", str(key)],
        capture_output=True,
        text=True,
        check=True,
    )
    public.write_text(made.stdout)
    data = yaml.safe_load(path.read_text())
    data["ledger"]["signing_key"] = str(key)
    data["queues"]["support"]["retention"] = {"audio_days": 0, "rows_days": 10}
    path.write_text(yaml.safe_dump(data))
    recordings = Path(data["recordings"]["folder"])
    recordings.mkdir()
    recordings.chmod(0o2770)
    with Laboratory(load(path), tmp_path, speed=20) as laboratory:
        yes = laboratory.call(Caller(keys={1: ("1", 1200)}))
        no = laboratory.call(Caller(number="+493023125001", keys={1: ("9", 1200)}))
        laboratory.settle()
    return path, public, yes.uuid, no.uuid


Signed = tuple[Path, Path, str, str]


def test_ledger_calls_and_count(signed: Signed) -> None:
    path, _, yes, no = signed
    table = run("ledger", "calls", "-c", str(path)).output
    assert yes in table
    assert "23125000" not in table, "P8"
    assert "23125000" in run("ledger", "calls", "-c", str(path), "--numbers").output
    (found,) = json.loads(run("ledger", "calls", "-c", str(path), "--json", "--decision", "refused").output)
    assert (found["channel_uuid"], found["no_recorder_at"] is not None) == (no, True)
    assert "caller_id_number" not in found
    today = f"{datetime.now(timezone.utc):%Y-%m-%d}"
    for arguments, expected in (
        (["--caller", "+493023125000"], [yes]),
        (["--queue", "support@default"], [yes, no]),
        (["--day", today], [yes, no]),
        (["--until", today], []),
        (["--since", f"{today}T00:00:00", "--line", "support", "--decision", "given"], [yes]),
    ):
        found = json.loads(run("ledger", "calls", "-c", str(path), "--json", *arguments).output)
        assert [call["channel_uuid"] for call in found] == expected, arguments
    counted = json.loads(run("ledger", "count", "-c", str(path), "--json", "--by", "queue", "--by", "day").output)
    assert counted == [
        {"queue": "support@default", "day": today, "decision": decision, "calls": 1}
        for decision in ("given", "refused")
    ]
    assert "50.0 %" in run("ledger", "count", "-c", str(path)).output


def test_nothing_is_counted_or_listed_by_agent_without_an_agreement_and_with_one_it_is_a_row(signed: Signed) -> None:
    path, _, yes, no = signed
    queries = (["count", "--by", "agent"], ["calls", "--agent", "1001@default"], ["list", "--agent", "1001@default"])
    for query in (*queries, ["export", "--agent", "1001@default"]):
        refused = run("ledger", *query, "-c", str(path))
        assert refused.exit_code == 2, query
        assert "87(1)" in refused.output
    counted = ["ledger", "list", "-c", str(path), "--turn", "agents_counted", "--json"]
    assert json.loads(run(*counted).output) == []
    data = yaml.safe_load(path.read_text())
    data["agents"]["statistics"] = {"agreement": "works agreement of 2026-11-01"}
    path.write_text(yaml.safe_dump(data))
    found = json.loads(run("ledger", "calls", "-c", str(path), "--agent", "1001@default", "--json").output)
    assert [call["channel_uuid"] for call in found] == [yes, no]
    assert "1001@default" in run("ledger", "count", "-c", str(path), "--by", "agent", "--decision", "given").output
    said = [row["evidence"] for row in json.loads(run(*counted).output)]
    assert [one["query"] for one in said] == [
        "ledger calls --agent 1001@default", "ledger count --by agent --decision given",
    ]  # fmt: skip
    assert {one["agreement"] for one in said} == {"works agreement of 2026-11-01"}
    assert all(one["by"] for one in said)
    assert run("ledger", "verify", "-c", str(path)).exit_code == 0


def test_an_agent_agrees_to_something(path: Path, tmp_path: Path) -> None:
    form = tmp_path / "form.pdf"
    form.write_bytes(b"I agree")
    for wrong in (
        [],
        ["--document", str(form), "--wording", "form"],
        ["--document", str(tmp_path / "no")],
        ["--wording", ""],
    ):
        assert run("agents", "agree", "-c", str(path), "1001@default", *wrong).exit_code == 2, wrong
    assert run("agents", "agree", "-c", str(path), "1001@default", "--document", str(form)).exit_code == 0
    assert run("agents", "agree", "-c", str(path), "1002@default", "--wording", "form-2026-10").exit_code == 0
    first, second = json.loads(run("agents", "list", "-c", str(path), "--json").output)
    assert first["to"] == hashlib.sha256(b"I agree").hexdigest()
    assert (second["to"], second["by"]) == ("form-2026-10", "administrator")


def test_ledger_checkpoints_are_kept_elsewhere(signed: Signed, tmp_path: Path) -> None:
    path, public, _, _ = signed
    elsewhere = tmp_path / "elsewhere.jsonl"
    elsewhere.write_text(run("ledger", "checkpoint", "-c", str(path), "--all").output)
    verify = ["ledger", "verify", "-c", str(path)]
    done = run(*verify, "--public-key", str(public), "--checkpoint", str(elsewhere))
    assert done.exit_code == 0, done.output
    assert "16 of them lead to a checkpoint" in done.output
    assert "not verified; name --public-key" in run(*verify).output
    with sqlite3.connect(tmp_path / "ledger.sqlite3") as connection:
        connection.executescript(
            "DROP TRIGGER entry_no_delete; DELETE FROM entry WHERE position > 10; DELETE FROM checkpoint; "
            "DELETE FROM caller WHERE channel_uuid NOT IN (SELECT channel_uuid FROM entry)"
        )
    (tmp_path / "ledger.head").unlink()
    connection.close()
    assert "leaves out" not in (said := run(*verify).output)
    assert "list of calls" in said, "which has calls of the tail"
    assert run("ledger", "repair", "-c", str(path)).exit_code == 0
    assert run(*verify).exit_code == 0, "a cut tail is whole in itself"
    done = run(*verify, "--public-key", str(public), "--checkpoint", str(elsewhere))
    assert done.exit_code == 1
    assert "row 11: truncated" in done.output
    elsewhere.write_text(elsewhere.read_text().replace('"position": 16', '"position": 10'))
    done = run(*verify, "--public-key", str(public), "--checkpoint", str(elsewhere))
    assert "not of this key" in done.output
    assert run(*verify, "--public-key", str(elsewhere)).exit_code == 2


def test_ledger_hands_over(signed: Signed, tmp_path: Path) -> None:
    path, public, yes, _ = signed
    for number, arguments in enumerate((["--audio"], ["--audio", "--format", "vcon"], ["--format", "vcon"])):
        out = tmp_path / f"export{number}"
        done = run("ledger", "export", "-c", str(path), "--channel", yes, "--out", str(out), *arguments)
        assert done.exit_code == 0, done.output
        done = run("ledger", "verify", "--export", str(out), "--public-key", str(public))
        assert done.exit_code == 0, done.output
        assert "7 of them lead to a checkpoint" in done.output
    assert run("ledger", "export", "-c", str(path), "--audio").exit_code == 2
    out = tmp_path / "two.vcon"
    assert run("ledger", "export", "-c", str(path), "--format", "vcon", "--out", str(out)).exit_code == 2
    assert not out.exists(), "no half file stays behind"
    for language in ("de", "en"):
        sheet = tmp_path / f"{language}.html"
        done = run("ledger", "sheet", "-c", str(path), yes, "--language", language, "--out", str(sheet))
        assert done.exit_code == 0, done.output
        assert yes in sheet.read_text()
        assert sheet.stat().st_mode & 0o777 == 0o600
    assert run("ledger", "sheet", "-c", str(path), "unknown", "--out", str(tmp_path / "no.html")).exit_code == 1


def test_hold_retention_and_release(signed: Signed, tmp_path: Path) -> None:
    path, _, yes, _ = signed
    (file,) = (tmp_path / "recordings").rglob("*.wav")
    assert run("ledger", "hold", "-c", str(path), yes, "--why", "lawsuit").exit_code == 0
    assert run("ledger", "hold", "-c", str(path), "unknown", "--why", "lawsuit").exit_code == 1
    done = run("ledger", "erase", "-c", str(path), "--channel", yes, "--yes")
    assert done.exit_code == 1
    assert "legal hold" in done.output
    assert "1 calls kept by a legal hold" in run("retention", "run", "-c", str(path)).output
    assert file.exists()
    assert run("ledger", "release", "-c", str(path), yes, "--why", "over").exit_code == 0
    done = run("retention", "run", "-c", str(path), "--dry-run")
    assert "1 recordings erased" in done.output
    assert file.exists()
    stray = file.with_name("stray.wav")
    stray.write_bytes(b"x")
    os.utime(stray, (1, 1))
    done = run("retention", "run", "-c", str(path), "--json")
    assert done.exit_code == 1, "someone should look"
    report = json.loads(done.output[done.output.index("{") :])
    assert report["audio_erased"] == [str(file)]
    assert report["quarantined"] == [str(stray)]
    assert not file.exists()
    assert run("ledger", "verify", "-c", str(path)).exit_code == 0


def test_migrate_and_copy(signed: Signed, tmp_path: Path) -> None:
    path, _, yes, _ = signed
    assert "as before" in run("ledger", "migrate", "-c", str(path)).output
    copy = tmp_path / "copy.sqlite3"
    done = run("ledger", "copy", "-c", str(path), str(copy))
    assert done.exit_code == 0, done.output
    assert "16 rows, the copy is whole" in done.output
    assert run("ledger", "copy", "-c", str(path), str(copy)).exit_code == 2, "it is not empty"
    data = yaml.safe_load(path.read_text())
    data["ledger"]["path"] = str(copy)
    path.write_text(yaml.safe_dump(data))
    assert yes in run("ledger", "calls", "-c", str(path)).output


def test_serve_refuses_a_key_that_others_may_read(signed: Signed) -> None:
    path, _, _, _ = signed
    Path(yaml.safe_load(path.read_text())["ledger"]["signing_key"]).chmod(0o644)
    assert "chmod 600" in run("serve", "-c", str(path)).output
    findings = {f["what"]: f for f in json.loads(run("check", "-c", str(path), "--json", "--no-port").output)}
    assert "chmod 600" in findings["ledger"]["said"]
    assert run("ledger", "calls", "-c", str(path)).exit_code == 0, "reading needs no key"
    assert run("ledger", "checkpoint", "-c", str(path)).exit_code == 2


def test_a_lost_ledger_is_a_finding(signed: Signed) -> None:
    path, *_ = signed
    data = yaml.safe_load(path.read_text())
    ledger = Path(data["ledger"]["path"])
    assert json.loads(Path(data["ledger"]["head_file"]).read_text())["position"] == 16
    as_administrator(ledger, "DELETE FROM entry WHERE position > 10", "DELETE FROM checkpoint")
    done = run("ledger", "verify", "-c", str(path))
    assert (done.exit_code, "row 11: truncated" in done.output) == (1, True), done.output
    ledger.unlink()
    for verb in (["serve"], ["check"], ["ledger", "verify"]):
        done = run(*verb, "-c", str(path))
        assert done.exit_code != 0
        assert "there is no ledger at" in done.output
        assert "--new-ledger" in done.output
    assert not ledger.exists()
    Path(data["ledger"]["head_file"]).unlink()
    assert run("check", "-c", str(path)).exit_code == 0
    assert not ledger.exists(), "'serve' begins one, not a look"
    Ledger(ledger).close()
    done = run("ledger", "verify", "-c", str(path))
    assert (done.exit_code, "row 1: empty" in done.output) == (1, True), done.output
