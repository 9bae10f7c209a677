"""Agents agree, and take it back, under their own login: the register's row says to what."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from consentivr.config import Configuration
from consentivr.console import Wording
from consentivr.core.consent import NoticeVersion
from consentivr.custody import AgreedTo, agree
from consentivr.ledger import REGISTER, Entry, Search
from consentivr.service import console as built
from consentivr.service.build import CannotServe
from tests.console.people import QUEUE, console
from tests.ledgers import opened

TEXT = "Ihre Gespräche werden aufgezeichnet. Einverstanden: die 1."
NOTICES = [NoticeVersion("de", TEXT, f"{n}" * 64, 900) for n in range(2)]


@pytest.fixture
def there(location: str | Path) -> str | Path:
    with opened(location) as ledger:
        for notice in NOTICES:
            ledger.add_notice(notice)
    return location


@pytest.fixture
def browser(tmp_path: Path, there: str | Path) -> Iterator[Any]:
    with console(tmp_path, there, wording=Wording(TEXT, "de", is_spoken=True), queues=(QUEUE, "sales@default")) as made:
        yield made


def register(location: str | Path) -> list[Entry]:
    with opened(location) as ledger:
        return list(ledger.read(Search(channel=REGISTER)))


def digest(text: str = TEXT) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_an_agent_agrees_to_the_wording_in_view_and_takes_it_back(browser: Any, there: str | Path) -> None:
    anna = browser("agent")
    page = anna.get("/mine").text
    assert TEXT in page
    assert "You have not agreed" in page
    assert anna.post("/mine/agree", to=digest(), queue=QUEUE).status_code == 303
    (row,) = register(there)
    assert row.evidence["agent"] == "anna@example"
    assert row.evidence["by"] == "console:anna"
    assert row.evidence["queues"] == [QUEUE]
    assert row.evidence["wording"] in {notice.digest for notice in NOTICES}
    with opened(there) as ledger:
        assert ledger.agent_agreed("anna@example", QUEUE)
        assert not ledger.agent_agreed("anna@example", "sales@default")
    page = anna.get("/mine").text
    assert "You have agreed" in page
    assert anna.post("/mine/withdraw").status_code == 303
    assert anna.post("/mine/withdraw").status_code == 303, "once more is no row more"
    assert [row.turn for row in register(there)] == ["agent_agreed", "agent_withdrew"]
    assert "You took it back" in anna.get("/mine").text
    assert [row["word"] for row in anna.get("/mine.json").json["rows"]] == ["agent_withdrew", "agent_agreed"]


def test_agreeing_wants_the_password_a_moment_ago_taking_back_does_not(
    browser: Any, there: str | Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = browser("agent")
    with opened(there) as ledger:
        agree(ledger, "anna@example", AgreedTo(wording="form-1"))
    monkeypatch.setattr("consentivr.console.sessions.PROVEN_S", 0)
    assert "/again" in anna.post("/mine/agree", to=digest(), queue=QUEUE).location
    assert anna.post("/mine/withdraw").location == "/mine"
    assert [row.turn for row in register(there)] == ["agent_agreed", "agent_withdrew"]


def test_nothing_is_ticked_beforehand_and_a_queue_must_be_chosen(browser: Any, there: str | Path) -> None:
    anna = browser("agent")
    assert " checked" not in anna.get("/mine").text
    for queues in ({}, {"queue": "no-such@default"}):
        answered = anna.post("/mine/agree", to=digest(), **queues)
        assert answered.status_code == 400
        assert "Choose at least one queue" in answered.text
    assert register(there) == []


def test_a_wording_that_was_changed_meanwhile_is_not_agreed_to(browser: Any, there: str | Path) -> None:
    answered = browser("agent").post("/mine/agree", to=digest("another"), queue=QUEUE)
    assert answered.status_code == 409
    assert "was changed since" in answered.text
    assert register(there) == []


@pytest.mark.parametrize("role", ["supervisor", "officer", "council", "admin"])
def test_nobody_agrees_for_somebody(browser: Any, there: str | Path, role: str) -> None:
    other = browser(role)
    assert other.get("/mine").status_code == 403
    assert other.post("/mine/agree", to=digest(), queue=QUEUE).status_code == 403
    assert other.post("/mine/withdraw").status_code == 403
    assert register(there) == []


def test_an_earlier_document_is_named_and_other_agents_are_not(tmp_path: Path, there: str | Path) -> None:
    with opened(there) as ledger:
        agree(ledger, "anna@example", AgreedTo.the_document(b"signed"))
        agree(ledger, "berta@example", AgreedTo(wording="form-1"))
    with console(tmp_path, there, wording=Wording("A document.", "en", is_spoken=False)) as browser:
        anna = browser("agent")
        page = anna.get("/mine").text
        assert hashlib.sha256(b"signed").hexdigest() in page
        assert "berta" not in page
        assert anna.post("/mine/agree", to=digest("A document."), queue=QUEUE).status_code == 303
        assert register(there)[-1].evidence["document"] == digest("A document.")
        assert anna.get("/mine").text.count("A document.") == 2


def test_without_a_wording_nobody_agrees(tmp_path: Path, there: str | Path) -> None:
    with console(tmp_path, there, must_agree=False) as browser:
        anna = browser("agent")
        page = anna.get("/mine").text
        assert "no wording to agree to" in page
        assert "whether or not you have agreed" in page
        assert anna.post("/mine/agree", to=digest(), queue=QUEUE).status_code == 409


def test_a_document_of_the_configuration(configure: Callable[..., Configuration], tmp_path: Path) -> None:
    file = tmp_path / "agreement.txt"
    file.write_text("Ich bin einverstanden.\n", encoding="utf-8")
    made = configure()
    assert built.settings(made).wording is None
    made = made.changed(agents=made.agents.changed(document_file=file))
    assert built.settings(made).wording == Wording("Ich bin einverstanden.", "de", is_spoken=False)
    file.write_bytes(b"\xff")
    with pytest.raises(CannotServe, match=r"agents\.document_file"):
        built.settings(made)
