"""How it is set up: no secret, files to administrators only, checks on demand, wordings that can be heard."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from consentivr.check import Finding, Level
from consentivr.config import Configuration, load
from consentivr.console import Chain
from consentivr.console import installation as screen
from consentivr.console.desk import Desk
from consentivr.console.looking import Looking
from consentivr.core.consent import NoticeVersion
from consentivr.custody import AgreedTo, agree, agreement
from consentivr.ledger import HeadFile, Search, make_key
from consentivr.service.installation import installation, look, sounds, values
from tests.console.people import console
from tests.console.rows import checked
from tests.ledgers import entry, opened

PAGES = ("", "/checks", "/history", "/configuration", "/wordings", "/checkpoints", "/register", "/accounts")


@pytest.fixture
def file(configure: Callable[..., Configuration], tmp_path: Path) -> Path:
    made = configure()
    said = made.model_dump(mode="json", exclude_none=True)
    said["watch"]["command"] = ["/bin/tell", "--password=s3cret"]
    said["ledger"] |= {"path": str(tmp_path / "of-serve.sqlite3"), "head_file": str(tmp_path / "of-serve.head")}
    said["agents"]["users"] = {"1001@pbx.example": "berta@example"}
    path = tmp_path / "consentivr.yaml"
    path.write_text(yaml.safe_dump(said))
    return path


@pytest.fixture
def there(location: str | Path, file: Path, tmp_path: Path) -> str | Path:
    key = make_key(tmp_path / "key")
    (tmp_path / "key.pub").write_text(key.public_pem)
    digests = sounds(load(file))
    with opened(location, signer=key) as ledger:
        ledger.append([entry(0, decision="given")])
        for digest, path in digests.items():
            if path.stem == "question":
                notice = NoticeVersion("de", "Text", hashlib.sha256(path.read_bytes()).hexdigest(), 1000)
                assert notice.digest == digest
                ledger.add_notice(notice)
        ledger.add_notice(NoticeVersion("de", "Ein früherer Wortlaut", "f" * 64, 900))
        agree(ledger, "berta@example", AgreedTo(wording="form-1"))
        ledger.append([agreement("anna@example", AgreedTo(wording="form-2"), by="console:anna")])
        ledger.append([checked({"mod_x is loaded": "bad", "y": "warning"}, ("dialplan",))])
        ledger.sign()
    return location


class Serve(Desk):
    """Looks at a switch when it is asked, or says why not."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 9), lambda: None)
        self.finds: list[dict[str, Any]] | OSError = []

    def look_at_switches(self) -> list[dict[str, Any]]:
        if isinstance(self.finds, OSError):
            raise self.finds
        return self.finds


@pytest.fixture
def serve() -> Serve:
    return Serve()


@pytest.fixture
def browser(tmp_path: Path, there: str | Path, file: Path, serve: Serve) -> Iterator[Any]:
    chain = Chain(str(there), HeadFile(tmp_path / "head"), (tmp_path / "key.pub").read_bytes())
    with console(tmp_path, there, chain=chain, installation=installation(load(file), file), desk=serve) as made:
        yield made


def checked_by(browser: Any) -> Looking:
    """What runs the check, for the tests to wait for."""
    cells = browser.app.view_functions["installation.check"].__closure__
    return next(cell.cell_contents for cell in cells if isinstance(cell.cell_contents, Looking))


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("role", ["admin", "officer", "council"])
def test_they_read_every_page(browser: Any, role: str) -> None:
    reader = browser(role)
    for page in PAGES:
        answered = reader.get(f"/installation{page}")
        assert answered.status_code == 200, page
        assert "s3cret" not in answered.text or role == "admin"
        if page:
            assert reader.get(f"/installation{page}.json").json["rows"] is not None
            assert reader.get(f"/installation{page}.csv").status_code == 200


@pytest.mark.parametrize("role", ["agent", "supervisor"])
def test_others_do_not(browser: Any, role: str) -> None:
    reader = browser(role)
    for page in PAGES:
        assert reader.get(f"/installation{page}").status_code == 403
    assert reader.get("/installation/sound/x").status_code == 403
    assert reader.post("/installation/register", why="curious").status_code == 403
    assert reader.post("/installation/check").status_code == 403
    assert reader.post("/verify").status_code == 403


def test_where_files_lie_is_for_administrators(browser: Any, file: Path) -> None:
    configuration = load(file)
    folder = str(configuration.recordings.folder)
    of = {row["setting"]: row for row in browser("admin").get("/installation/configuration.json").json["rows"]}
    assert of["recordings.folder"]["value"] == folder
    assert of["lines.support.number"] == {"setting": "lines.support.number", "value": "5000", "is_set": True}
    for role in ("officer", "council"):
        rows = browser(role).get("/installation/configuration.json").json["rows"]
        said = {row["setting"]: row["value"] for row in rows}
        assert said["recordings.folder"] == "hidden"
        assert said["watch.command"] == "hidden"
        assert said["agents.users.1001@pbx.example"] == "hidden"
        assert said["queues.support.recording.mode"] == "permanent_opt_out"


def test_no_password_of_an_address_is_told(configure: Callable[..., Configuration]) -> None:
    made = configure()
    made = made.changed(ledger=made.ledger.changed(post_checkpoints_to="https://olga:s3cret@witness.example/x"))
    said = {one.name: one.text for one in values(made)}
    assert said["ledger.post_checkpoints_to"] == "https://...@witness.example/x"
    assert said["switches[1].address"] == "127.0.0.1:8021"


def test_what_was_changed_in_the_file_since_is_told(browser: Any, file: Path) -> None:
    admin, officer = browser("admin"), browser("officer")
    assert "is the same now" in admin.get("/installation").text
    said = yaml.safe_load(file.read_text())
    said["queues"]["support"]["retention"]["audio_days"] = 7
    file.write_text(yaml.safe_dump(said))
    assert "queues.support.retention.audio_days</code>: 90 → 7" in words(admin.get("/installation").text)
    page = words(officer.get("/installation").text)
    assert "queues.support.retention.audio_days" in page
    assert "90 → 7" not in page
    file.write_text("lines: 5")
    assert "HAS MISTAKES" in officer.get("/installation").text


def test_a_wording_is_heard_as_the_ledger_means_it(browser: Any, file: Path) -> None:
    reader = browser("council")
    page = reader.get("/installation/wordings").text
    assert "Ein früherer Wortlaut" in page
    addresses = re.findall(r'src="(/installation/sound/[0-9a-f]+)"', page)
    assert len(addresses) == 2
    heard = reader.get(addresses[0], headers={"Range": "bytes=0-3"})
    assert heard.status_code == 206
    assert heard.data == b"RIFF"
    assert heard.mimetype == "audio/wav"
    assert reader.get("/installation/sound/" + "0" * 64).status_code == 404
    digest = addresses[0].rpartition("/")[2]
    path = sounds(load(file))[digest]
    before = path.read_bytes()
    try:
        path.write_bytes(before + b"x")
        assert reader.get(addresses[0]).status_code == 404, "it is another sound"
    finally:
        path.write_bytes(before)


def test_names_of_the_register_are_for_the_officer_with_a_reason(browser: Any, there: str | Path) -> None:
    officer = browser("officer")
    for role in ("admin", "council", "officer"):
        page = browser(role).get("/installation/register").text
        assert "berta" not in page
        assert "anna@example" not in page
        assert "console:anna" not in page
    officer.get("/installation/register")
    officer.post("/installation/register", why=" ")
    assert "berta" not in officer.get("/installation/register").text
    officer.post("/installation/register", why="an agent asked")
    assert "berta@example" in officer.get("/installation/register").text
    assert browser("council").post("/installation/register", why="x").status_code == 403
    with opened(there) as ledger:
        (row,) = ledger.read(Search(turn="person_shown"))
    assert row.evidence == {"by": "olga", "role": "officer", "what": "register", "why": "an agent asked"}


def test_the_looks_at_switches_and_the_check_stand_together(browser: Any) -> None:
    admin, council = browser("admin"), browser("council")
    page = words(admin.get("/installation").text)
    assert "not run since this console was started" in page
    assert "1 bad" in page
    assert council.post("/installation/check").status_code == 403
    assert admin.post("/installation/check").status_code == 303
    looking = checked_by(browser)
    looking.wait(60)
    assert looking.here.failed is None, looking.here.failed
    for reader in (admin, council):
        assert "All findings" in reader.get("/installation").text
    parts = {row["part"] for row in admin.get("/installation/checks.json").json["rows"]}
    assert parts == {"here", "law", "127.0.0.1:8021"}
    said = {row["said"] for row in council.get("/installation/checks.json").json["rows"] if row["part"] == "here"}
    assert said == {"hidden"}
    law = {row["said"] for row in council.get("/installation/checks.json").json["rows"] if row["part"] == "law"}
    assert law
    assert "hidden" not in law


SWITCH = "127.0.0.1:8021"


def on_switch(browser: Any, role: str) -> dict[str, tuple[str, str | None]]:
    """What is found on it, as somebody is told."""
    rows = browser(role).get("/installation/checks.json").json["rows"]
    return {row["what"]: (row["level"], row["said"]) for row in rows if row["part"] == SWITCH}


def test_serve_is_asked_to_look_at_the_switches(
    browser: Any, serve: Serve, monkeypatch: pytest.MonkeyPatch, there: str | Path
) -> None:
    looking = checked_by(browser)
    monkeypatch.setattr(looking, "_here", None)

    def look_now(*finds: tuple[str, Level, str]) -> None:
        serve.finds = [Finding(what, level, said, part=SWITCH).as_dict() for what, level, said in finds]
        assert browser("admin").post("/installation/check").status_code == 303
        looking.wait(10)

    known = {"mod_x is loaded": ("bad", None), "y": ("warning", None), "dialplan": ("not seen", None)}
    assert on_switch(browser, "admin") == known
    look_now(("1 queues", Level.GOOD, "well"), ("13 keys: x", Level.BAD, "/etc/freeswitch/x says so"))
    assert on_switch(browser, "admin") == {
        "1 queues": ("good", "well"),
        "13 keys: x": ("bad", "/etc/freeswitch/x says so"),
    }
    for role in ("officer", "council"):
        assert on_switch(browser, role) == {"1 queues": ("good", "hidden"), "13 keys: x": ("bad", "hidden")}
    page = words(browser("council").get("/installation").text)
    assert '1 bad</span> <span class="mark good">1 well' in page
    look_now(("settings", Level.NOT_SEEN, "it cannot be asked: refused"))
    assert on_switch(browser, "admin") == known | {"settings": ("not seen", "it cannot be asked: refused")}
    serve.finds = OSError("nobody is there")
    browser("admin").post("/installation/check")
    looking.wait(10)
    assert on_switch(browser, "admin") == known
    assert "THE SWITCHES WERE NOT LOOKED AT" in browser("council").get("/installation").text
    assert "nobody is there" not in browser("council").get("/installation").text
    assert "nobody is there" in browser("admin").get("/installation").text
    look_now(("1 queues", Level.GOOD, "well"))
    with opened(there) as ledger:
        ledger.append([checked({"z": "bad"})])
    assert on_switch(browser, "admin") == {"z": ("bad", None)}, "the ledger has newer"


@pytest.mark.parametrize("role", ["admin", "officer", "council"])
def test_what_changed_on_the_switches(
    browser: Any, role: str, there: str | Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(there) as ledger:
        ledger.append([checked({"y": "warning", "z": "bad"}, new=["z"], gone=["mod_x is loaded"])])
        ledger.append([checked({"z": "warning"}, switch="pbx-b:8021", new=["z"])])
        ledger.append([checked({"y": "warning"}, ("8 modules",), gone=["z"])])
    reader = browser(role)

    def told(address: str) -> tuple[list[tuple[str, ...]], str | None]:
        said = reader.get(address).json
        return [tuple(row[name] for name in ("part", "change", "level", "what")) for row in said["rows"]], said["next"]

    expected = [
        (SWITCH, "gone", "bad", "z"),
        (SWITCH, "not_seen", None, "8 modules"),
        ("pbx-b:8021", "found", "warning", "z"),
        (SWITCH, "found", "bad", "z"),
        (SWITCH, "gone", "bad", "mod_x is loaded"),
        (SWITCH, "seen", None, "dialplan"),
        (SWITCH, "not_seen", None, "dialplan"),
    ]
    assert told("/installation/history.json") == (expected, None)
    page = words(reader.get("/installation/history").text)
    assert page.index("not seen any more") < page.index("seen again")
    assert reader.get("/installation/history.csv").text.splitlines()[0] == "at,part,change,level,what"
    monkeypatch.setattr(screen, "LOOKS_IN_A_FILE", 2)
    found, following = told("/installation/history.json")
    assert following is not None
    older, end = told(following)
    assert (found + older, end) == (expected, None), "each is told once, and what a page ends with is known to the next"
    assert told("/installation/history.json?before=x")[0] == expected[:3]


def test_a_check_that_lasts_too_long_and_one_that_fails_are_told(file: Path, tmp_path: Path) -> None:
    with pytest.raises(TimeoutError, match="longer than 0 s"):
        look(file, 0.01)
    with pytest.raises(OSError, match=r"none\.yaml"):
        look(tmp_path / "none.yaml", 60)

    def late(seconds: float) -> Any:
        raise TimeoutError(f"it took longer than {seconds:.0f} s")

    looking = Looking(late, None)
    assert looking.start()
    looking.wait(10)
    assert looking.here is not None
    assert looking.here.failed == "it took longer than 60 s"
    assert not Looking(None, None).start()


def test_accounts_without_what_proves_them(browser: Any) -> None:
    page = browser("admin").get("/installation/accounts").text
    assert "anna@example" in page
    assert "argon2" not in page
    assert "anna@example" not in browser("council").get("/installation/accounts").text
