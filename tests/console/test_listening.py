"""Listening: one asks, another decides, a row before the first byte; and who heard me."""

from __future__ import annotations

import hashlib
import http.client
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import argon2
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from consentivr.console import listening, players
from consentivr.console.accounts import account
from consentivr.console.listening import AT_A_TIME
from consentivr.core.turn import Turn
from consentivr.ledger import Entry, Search
from consentivr.ledger.listening import requests
from tests.console.listened import CALL, SECONDS, talk, turn
from tests.console.people import HOST, PASSWORD, PEOPLE, Browser, console
from tests.ledgers import UUIDS, locked, opened

OTHERS, REFUSED = UUIDS[2], UUIDS[3]
CHEAP = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
ROLES = ("agent", "supervisor", "officer", "council", "admin")


class Scene:
    """A ledger with three calls, two of them recorded, and a console over it."""

    def __init__(self, folder: Path, location: str | Path) -> None:
        self.folder, self.location = folder, location
        self.path = self.record(CALL)
        self.content = self.path.read_bytes()
        with opened(location) as ledger:
            ledger.append([*talk(CALL, self.path, "anna@example"), *talk(OTHERS, self.record(OTHERS), "bela@example")])
            ledger.append([turn(REFUSED, Turn.DECISION, decision="refused", reason="objection_key")])

    def record(self, call: str) -> Path:
        path = self.folder / "recordings" / "2026" / "03" / "02" / f"{call}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(3).integers(-9000, 9000, (SECONDS * 8000, 2)).astype(np.int16)
        soundfile.write(str(path), noise, 8000, subtype="PCM_16")
        return path

    def append(self, *rows: Entry) -> None:
        with opened(self.location) as ledger:
            ledger.append(rows)

    def rows(self, turn: Turn) -> list[Entry]:
        with opened(self.location) as ledger:
            return list(ledger.read(Search(turn=turn.value)))


@pytest.fixture
def scene(tmp_path: Path, location: str | Path) -> Scene:
    return Scene(tmp_path, location)


@pytest.fixture
def browser(scene: Scene) -> Iterator[Any]:
    with console(scene.folder, scene.location) as made:
        yield made


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that sets the console's clock on."""

    def set_on(by: timedelta) -> None:
        for module in (listening, players):
            monkeypatch.setattr(module, "now", lambda: datetime.now(timezone.utc) + by)

    return set_on


def ask(who: Browser, call: str = CALL, purpose: str = "training") -> str:
    answered = who.post("/listening", call=call, purpose=purpose)
    assert answered.status_code == 303, answered.text
    return answered.location


def decide(who: Browser, request: str, approved: str = "yes") -> TestResponse:
    return who.post(f"{request}/decide", approved=approved)


def ticket(browser: Any, who: str = "supervisor", second: str = "officer") -> tuple[Browser, str]:
    """Somebody who may listen now, and the request's address."""
    asks = browser(who)
    request = ask(asks)
    assert decide(browser(second), request).status_code == 303
    return asks, request


def playing(browser: Any) -> tuple[Browser, str]:
    """Somebody with an open player, and its address."""
    asks, request = ticket(browser)
    answered = asks.post(f"{request}/1")
    assert (answered.status_code, answered.location) == (303, f"{request}/1")
    return asks, answered.location


def another(browser: Any, name: str, *roles: str, **more: Any) -> Browser:
    who = account(name, roles, **more)
    browser.accounts._hasher = CHEAP
    browser.accounts.put(who, PASSWORD)
    made: Browser = browser()
    assert made.sign_in(who).status_code == 303
    made.get("/listening")
    return made


# --- the whole way -----------------------------------------------------------------------------


def test_from_the_request_to_what_was_heard(browser: Any, scene: Scene) -> None:
    asks, request = ticket(browser)
    page = asks.get(request)
    assert "Open the player" in page.text
    assert asks.get(f"{request}/1.wav").status_code == 404, "nobody opened a player"
    assert scene.rows(Turn.RECORDING_PLAYED) == []
    asks.post(f"{request}/1")
    page = asks.get(f"{request}/1")
    assert page.text.count("<svg") == 2
    assert "0:10 \N{EN DASH} 0:25: silent, the agent paused" in page.text
    for part in (0, 1):
        got = asks.get(f"{request}/1.wav", headers={"Range": f"bytes={part * AT_A_TIME}-"})
        assert got.status_code == 206
        assert got.data == scene.content[part * AT_A_TIME : (part + 1) * AT_A_TIME]
    (played,) = scene.rows(Turn.RECORDING_PLAYED)
    assert played.visit == CALL
    assert played.evidence == {
        "request": request.rpartition("/")[2],
        "playing": played.evidence["playing"],
        "path": str(scene.path),
        "sha256": hashlib.sha256(scene.content).hexdigest(),
        "purpose": "training",
        "by": "sven",
        "role": "supervisor",
        "second": "olga",
        "agent": "anna@example",
    }
    assert asks.post(f"{request}/1/heard", heard_s="12.34").status_code == 204
    (heard,) = scene.rows(Turn.RECORDING_HEARD)
    sent_s = heard.evidence["sent_s"]
    assert sent_s == pytest.approx(2 * AT_A_TIME / 32_000, abs=4.2)
    assert heard.evidence["heard_s"] == 12.3
    assert heard.evidence["counted_by"] == "player"
    assert heard.evidence["playing"] == played.evidence["playing"]
    assert asks.get(f"{request}/1.wav").status_code == 404, "the player was closed"
    assert asks.get(f"{request}/1").location == request
    asks.post(f"{request}/1")
    assert len(scene.rows(Turn.RECORDING_PLAYED)) == 2, "a further opening is a further row"


def test_it_is_the_same_after_a_restart(scene: Scene) -> None:
    with console(scene.folder, scene.location) as browser:
        asks, address = playing(browser)
        assert asks.get(f"{address}.wav").data == scene.content
    (heard,) = scene.rows(Turn.RECORDING_HEARD)
    assert (heard.evidence["counted_by"], heard.evidence["heard_s"]) == ("bytes", SECONDS)
    with console(scene.folder, scene.location) as browser:
        asks = browser("supervisor")
        assert asks.get(f"{address}.wav").status_code == 404, "there is no byte without a row of its own"
        assert "Open the player" in asks.get(address.rpartition("/")[0]).text
        assert asks.post(address).status_code == 303
        assert asks.get(f"{address}.wav").data == scene.content


def test_no_more_was_heard_than_was_sent(browser: Any, scene: Scene) -> None:
    asks, address = playing(browser)
    asks.get(f"{address}.wav", headers={"Range": "bytes=0-99"})
    for nonsense in ("", "x", "inf", "nan", "-1"):
        asks.post(f"{address}/heard", heard_s=nonsense)
    assert scene.rows(Turn.RECORDING_HEARD) == []
    asks.post(f"{address}/heard", heard_s="80")
    asks.post(f"{address}/heard", heard_s="80")
    (heard,) = scene.rows(Turn.RECORDING_HEARD)
    assert heard.evidence["heard_s"] == heard.evidence["sent_s"] < 3


# --- who may what ------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_who_may_ask(browser: Any, scene: Scene, role: str) -> None:
    who = browser(role)
    answered = {call: who.post("/listening", call=call, purpose="training").status_code for call in (CALL, OTHERS)}
    form = {call: who.get(f"/listening/ask?call={call}").status_code for call in (CALL, OTHERS)}
    wanted = {"officer": (303, 303), "supervisor": (303, 404), "agent": (303, 404)}.get(role, (403, 403))
    assert tuple(answered.values()) == wanted
    assert tuple(form.values()) == tuple(200 if status == 303 else status for status in wanted)
    assert len(scene.rows(Turn.LISTENING_REQUESTED)) == wanted.count(303)


@pytest.mark.parametrize("approved", ["yes", "no"])
@pytest.mark.parametrize("role", ROLES)
def test_who_may_decide(browser: Any, scene: Scene, role: str, approved: str) -> None:
    request = ask(another(browser, "otto", "officer"))
    answered = decide(browser(role), request, approved)
    may = role in ("agent", "officer", "council")
    assert answered.status_code == (303 if may else 403)
    decided = [(row.evidence["by"], row.evidence["approved"]) for row in scene.rows(Turn.LISTENING_DECIDED)]
    assert decided == ([(PEOPLE[role].name, approved == "yes")] if may else [])
    again = decide(another(browser, "olaf", "officer"), request, "no")
    assert again.status_code == (409 if may else 303), "decided once"


@pytest.mark.parametrize("role", ["agent", "officer"])
def test_nobody_decides_for_oneself(browser: Any, scene: Scene, role: str) -> None:
    who = browser(role)
    request = ask(who)
    assert "Approve" not in who.get(request).text
    assert decide(who, request).status_code == 403
    assert scene.rows(Turn.LISTENING_DECIDED) == []


def test_nobody_decides_for_oneself_with_another_account(browser: Any, scene: Scene) -> None:
    """As long as it is said whose the accounts are, also on one side only."""
    named = another(browser, "otto", "officer", person="Otto Meier")
    request, broken = ask(named), named.post("/listening/break", call=CALL, purpose="training", why="a threat").location
    second = another(browser, "otto-council", "council", person="otto meier")
    assert "For you to decide" not in second.get("/listening").text
    assert "Approve" not in second.get(request).text
    refused = decide(second, request)
    assert refused.status_code == 403
    assert "never oneself" in refused.text
    assert second.post(f"{broken}/seen").status_code == 403
    assert scene.rows(Turn.LISTENING_DECIDED) + scene.rows(Turn.GLASS_SEEN) == []
    (row,) = scene.rows(Turn.LISTENING_REQUESTED)
    assert (row.evidence["by"], row.evidence["person"]) == ("otto", "Otto Meier")
    of_olga = ask(another(browser, "olga2", "officer", person="olga"), OTHERS)
    assert decide(browser("officer"), of_olga).status_code == 403
    assert decide(browser("council"), of_olga).status_code == 303


def test_an_agent_decides_on_own_calls_alone(browser: Any, scene: Scene) -> None:
    request = ask(browser("officer"), OTHERS)
    anna = browser("agent")
    assert anna.get(request).status_code == 404
    assert decide(anna, request).status_code == 404
    leads = another(browser, "lea", "agent", agent="lea@example")
    assert decide(leads, request).status_code == 404
    bob = another(browser, "bob", "agent", "supervisor", queues=["sales@default"], agent="bob@example")
    assert decide(bob, request).status_code == 404, "a supervisor of the queue asks, and does not approve"
    assert decide(another(browser, "bela", "agent", agent="bela@example"), request).status_code == 303


@pytest.mark.parametrize("role", ROLES)
def test_nobody_else_uses_a_ticket(browser: Any, scene: Scene, role: str) -> None:
    asks, request = ticket(browser, "officer", "council")
    asks.post(f"{request}/1")
    who = browser(role) if role != "officer" else another(browser, "otto", "officer")
    wanted = 403 if role in ("council", "admin") else 404
    assert who.post(f"{request}/1").status_code == wanted
    assert who.get(f"{request}/1.wav").status_code == wanted
    assert who.get(f"{request}/1").status_code == wanted
    assert who.post(f"{request}/1/heard", heard_s="3").status_code == (204 if wanted == 404 else wanted)
    assert len(scene.rows(Turn.RECORDING_PLAYED)) == 1
    assert scene.rows(Turn.RECORDING_HEARD) == []


def test_another_browser_of_the_same_person_opens_a_player_of_its_own(browser: Any, scene: Scene) -> None:
    _, address = playing(browser)
    elsewhere = browser("supervisor")
    assert elsewhere.get(f"{address}.wav").status_code == 404
    assert elsewhere.post(address).status_code == 303
    assert len(scene.rows(Turn.RECORDING_PLAYED)) == 2


@pytest.mark.parametrize("role", ROLES)
def test_who_sees_the_page_and_the_request(browser: Any, scene: Scene, role: str) -> None:
    request = ask(another(browser, "otto", "officer"), OTHERS)
    who = browser(role)
    assert who.get("/listening").status_code == (403 if role == "admin" else 200)
    sees = role in ("officer", "council")
    assert who.get(request).status_code == (200 if sees else 403 if role == "admin" else 404)
    if role != "admin":
        assert len(who.get("/listening.json").json["rows"]) == int(sees)
        assert ("For you to decide" in who.get("/listening").text) == sees
        assert len(who.get("/listening.csv").text.splitlines()) == 1 + sees


@pytest.mark.parametrize("address", ["/listening/break", "decide", "1"])
def test_what_matters_wants_the_password_again(
    browser: Any, scene: Scene, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    asks, request = ticket(browser, "officer", "council")
    monkeypatch.setattr("consentivr.console.sessions.PROVEN_S", -1)
    answered = asks.post(address if address.startswith("/") else f"{request}/{address}", call=CALL, approved="yes")
    assert answered.status_code == 303
    assert answered.location.startswith("/again?")
    assert scene.rows(Turn.RECORDING_PLAYED) + scene.rows(Turn.GLASS_BROKEN) == []


# --- asking ------------------------------------------------------------------------------------


def test_a_purpose_is_one_of_the_agreement(browser: Any, scene: Scene) -> None:
    answered = browser("supervisor").post("/listening", call=CALL, purpose="curiosity")
    assert answered.status_code == 400
    assert "aria-invalid" in answered.text
    assert scene.rows(Turn.LISTENING_REQUESTED) == []


def test_what_may_not_be_heard_is_not_asked_for(browser: Any, scene: Scene) -> None:
    officer = browser("officer")
    assert officer.post("/listening", call=REFUSED, purpose="training").status_code == 409
    scene.path.rename(scene.path.with_suffix(".away"))
    assert officer.post("/listening", call=CALL, purpose="training").status_code == 409
    assert officer.post("/listening/break", call=CALL, purpose="training", why="x").status_code == 409
    for nothing in ("", "register", "console", UUIDS[9]):
        assert officer.post("/listening", call=nothing, purpose="training").status_code == 404
    assert scene.rows(Turn.LISTENING_REQUESTED) == []


def test_the_same_is_not_asked_twice(browser: Any, scene: Scene) -> None:
    who = browser("supervisor")
    assert ask(who) == ask(who)
    assert ask(browser("agent")) != ask(who)
    assert len(scene.rows(Turn.LISTENING_REQUESTED)) == 2


# --- time, and what ends it --------------------------------------------------------------------


def test_after_a_quarter_of_an_hour_it_is_over(browser: Any, scene: Scene, later: Any) -> None:
    asks, address = playing(browser)
    later(timedelta(minutes=14, seconds=58))
    assert asks.get(f"{address}.wav").status_code == 200
    later(timedelta(minutes=15, seconds=1))
    assert asks.get(f"{address}.wav").status_code == 404
    assert asks.post(address).status_code == 404
    assert "heard, over" in asks.get(address.rpartition("/")[0]).text
    (heard,) = scene.rows(Turn.RECORDING_HEARD)
    assert heard.evidence["counted_by"] == "bytes"


def test_a_player_closes_itself(browser: Any, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "OPEN_FOR", timedelta(seconds=0.5))
    asks, address = playing(browser)
    asks.get(f"{address}.wav", headers={"Range": "bytes=0-9"})
    end = time.monotonic() + 10
    while not scene.rows(Turn.RECORDING_HEARD) and time.monotonic() < end:
        time.sleep(0.1)
    (heard,) = scene.rows(Turn.RECORDING_HEARD)
    assert heard.evidence["counted_by"] == "bytes"
    assert asks.get(f"{address}.wav").status_code == 404


def test_an_approval_that_nobody_used_lapses(browser: Any, later: Any) -> None:
    asks, request = ticket(browser)
    later(timedelta(days=2, hours=23))
    assert asks.post(f"{request}/1").status_code == 303
    other = ask(browser("agent"))
    decide(browser("council"), other)
    later(timedelta(days=5, hours=23, minutes=1))
    assert "lapsed" in browser("officer").get(other).text


@pytest.mark.parametrize("what", [Turn.WITHDRAWN, Turn.AUDIO_ERASED, Turn.ERASURE, Turn.RECORDING_ERASED])
def test_a_ticket_dies_with_the_yes(browser: Any, scene: Scene, what: Turn) -> None:
    asks, address = playing(browser)
    assert asks.get(f"{address}.wav").status_code == 200
    scene.append(turn(CALL, what, path=str(scene.path), erase=True))
    assert asks.get(f"{address}.wav").status_code == 404
    assert asks.get(address).status_code == 404
    assert asks.post(address).status_code == 404
    assert "Open the player" not in asks.get(address.rpartition("/")[0]).text


def test_what_is_quarantined_is_not_offered(browser: Any, scene: Scene) -> None:
    asks, address = playing(browser)
    scene.append(turn(CALL, Turn.QUARANTINED, path=str(scene.path), to=str(scene.folder / "q.wav"), why="x"))
    assert asks.get(f"{address}.wav").status_code == 404


# --- no byte without its row, and none that was not sealed -----------------------------------------


def test_a_locked_ledger_plays_nothing(browser: Any, scene: Scene) -> None:
    asks, request = ticket(browser)
    with locked(scene.location):
        assert asks.post(f"{request}/1").status_code == 503
        assert asks.get(f"{request}/1.wav").status_code == 404
    assert scene.rows(Turn.RECORDING_PLAYED) == []


@pytest.mark.parametrize("change", ["replaced", "missing"])
def test_another_file_is_not_played(browser: Any, scene: Scene, change: str) -> None:
    asks, request = ticket(browser)
    if change == "missing":
        scene.path.unlink()
    else:
        with scene.path.open("r+b") as file:
            file.seek(70_000)
            file.write(b"spliced")
    for _ in "12":
        answered = asks.post(f"{request}/1")
        assert answered.status_code == 409
        assert 'class="alert" role="alert"' in answered.text
        assert str(scene.path) in answered.text
        assert asks.get(f"{request}/1.wav").status_code == 404
    assert scene.rows(Turn.RECORDING_PLAYED) == []
    assert [row.evidence for row in scene.rows(Turn.RECORDING_DIFFERS)] == [{"path": str(scene.path), "why": change}]


def test_a_file_that_changes_while_it_is_played(browser: Any, scene: Scene) -> None:
    asks, address = playing(browser)
    with scene.path.open("r+b") as file:
        file.seek(AT_A_TIME + 5)
        file.write(b"spliced")
    assert asks.get(f"{address}.wav", headers={"Range": "bytes=0-99"}).data == scene.content[:100]
    answered = asks.get(f"{address}.wav", headers={"Range": f"bytes={AT_A_TIME}-"})
    assert answered.status_code == 409
    assert b"spliced" not in answered.data
    assert asks.get(f"{address}.wav").status_code == 404
    assert [row.evidence["why"] for row in scene.rows(Turn.RECORDING_DIFFERS)] == ["replaced"]


def test_another_file_under_its_name_is_never_sent(browser: Any, scene: Scene) -> None:
    asks, address = playing(browser)
    other = scene.path.with_suffix(".new")
    other.write_bytes(b"x" * len(scene.content))
    other.rename(scene.path)
    assert asks.get(f"{address}.wav").data == scene.content


# --- parts -------------------------------------------------------------------------------------


def test_every_part_is_the_part_that_was_asked_for(browser: Any, scene: Scene) -> None:
    asks, address = playing(browser)
    size = len(scene.content)
    numbers = st.one_of(st.integers(0, 70_000), st.integers(size - 70_000, size + 5), st.integers(0, 2 * size))

    @settings(deadline=None, max_examples=60)
    @given(st.tuples(st.one_of(st.none(), numbers), st.one_of(st.none(), numbers)))
    def check(wanted: tuple[int | None, int | None]) -> None:
        first, last = wanted
        header = f"bytes={'' if first is None else first}-{'' if last is None else last}"
        got = asks.get(f"{address}.wav", headers={"Range": header})
        assert got.headers["Cache-Control"] == "no-store"
        if (first is None and not last) or (first is not None and last is not None and last < first):
            assert (got.status_code, got.data) == (200, scene.content), "no range: it is not looked at"
            return
        start, stop = (first, size if last is None else last + 1) if first is not None else (size - (last or 0), size)
        start, stop = max(0, start), min(stop, size)
        if start >= stop:
            assert got.status_code == 416
            assert got.headers["Content-Range"] == f"bytes */{size}"
            return
        stop = min(stop, start + AT_A_TIME)
        assert got.status_code == 206
        assert got.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{size}"
        assert got.headers["Content-Length"] == str(stop - start)
        assert got.data == scene.content[start:stop]

    check()


def test_the_whole_and_what_else_is_asked(browser: Any, scene: Scene) -> None:
    asks, address = playing(browser)
    whole = asks.get(f"{address}.wav")
    assert (whole.status_code, whole.data) == (200, scene.content)
    assert whole.headers["Content-Type"] == "audio/wav"
    assert whole.headers["Accept-Ranges"] == "bytes"
    assert whole.headers["Content-Length"] == str(len(scene.content))
    part = {"Range": "bytes=5-9"}
    assert asks.get(f"{address}.wav", headers=part | {"If-Range": whole.headers["ETag"]}).status_code == 206
    assert asks.get(f"{address}.wav", headers=part | {"If-Range": '"other"'}).status_code == 200
    assert asks.get(f"{address}.wav", headers=part | {"If-Range": "Mon, 02 Mar 2026 09:00:00 GMT"}).status_code == 200
    for odd in ("bytes=0-4,9-12", "lines=1-2", "bytes", "bytes=a-b"):
        assert asks.get(f"{address}.wav", headers={"Range": odd}).data == scene.content
    assert len(scene.rows(Turn.RECORDING_PLAYED)) == 1, "one row for a playing, however it is fetched"


# --- broken glass ------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_who_breaks_the_glass(browser: Any, scene: Scene, role: str) -> None:
    who = browser(role)
    answered = who.post("/listening/break", call=CALL, purpose="a complaint", why="somebody is threatened")
    assert answered.status_code == (303 if role == "officer" else 403)
    if role == "officer":
        assert who.post(f"{answered.location}/1").status_code == 303
        assert who.get(f"{answered.location}/1.wav").status_code == 200
        (played,) = scene.rows(Turn.RECORDING_PLAYED)
        assert "second" not in played.evidence


def test_broken_glass_is_told_until_the_council_saw_it(browser: Any, scene: Scene) -> None:
    officer, council = browser("officer"), browser("council")
    for wrong in ({"why": " "}, {"why": "x", "purpose": "curiosity"}):
        said = {"call": CALL, "purpose": "a complaint"} | wrong
        assert officer.post("/listening/break", **said).status_code == 400
    request = officer.post("/listening/break", call=CALL, purpose="a complaint", why="a threat").location
    for _ in "12":
        assert "without a second person" in council.get("/listening").text
        assert "a threat" in council.get("/listening").text
    assert "without a second person" in council.get("/calls").text, "on every page"
    assert officer.post(f"{request}/seen").status_code == 403
    assert "I have seen it" not in officer.get(request).text
    for _ in "12":
        assert council.post(f"{request}/seen").status_code == 303
    assert len(scene.rows(Turn.GLASS_SEEN)) == 1
    assert "without a second person" not in council.get("/listening").text
    assert "carl" in officer.get(request).text


# --- who heard me ------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_who_sees_who_heard_them(browser: Any, scene: Scene, role: str) -> None:
    asks, address = playing(browser)
    assert asks.get(f"{address}.wav").data == scene.content
    asks.post(f"{address}/heard", heard_s="42")
    who = browser(role)
    answered = who.get("/listening/me.json")
    if role != "agent":
        assert answered.status_code == 403
        return
    (row,) = answered.json["rows"]
    assert (row["by"], row["role"], row["purpose"], row["second"]) == ("sven", "supervisor", "training", "olga")
    assert (row["heard_s"], row["counted_by"], row["objected"]) == (42, "player", False)
    page = who.get("/listening/me").text
    assert "supervisor" in page
    assert "0:42" in page
    assert another(browser, "bela", "agent", agent="bela@example").get("/listening/me.json").json["rows"] == []


def test_a_colleague_of_the_same_call_is_told_too(browser: Any, scene: Scene) -> None:
    scene.append(turn(CALL, Turn.AGENT_ANSWERED, agent="cora@example", agent_uuid="c", agent_agreed=True))
    playing(browser)
    cora = another(browser, "cora", "agent", agent="cora@example")
    assert len(cora.get("/listening/me.json").json["rows"]) == 1
    assert len(browser("agent").get("/listening/me.json").json["rows"]) == 1


def test_an_agent_objects(browser: Any, scene: Scene) -> None:
    _, address = playing(browser)
    request = address.rpartition("/")[0]
    anna = browser("agent")
    assert anna.get(f"{request}/object").status_code == 200
    assert anna.post(f"{request}/object", why="").status_code == 400
    for _ in "12":
        assert anna.post(f"{request}/object", why="It was <private>").status_code == 303
    (row,) = scene.rows(Turn.OBJECTED)
    assert (row.visit, row.evidence["by"], row.evidence["why"]) == (CALL, "anna", "It was <private>")
    assert anna.get("/listening/me.json").json["rows"][0]["objected"] is True
    for role in ("officer", "council"):
        assert "It was &lt;private&gt;" in browser(role).get("/listening").text
    assert "private" not in browser("supervisor").get("/listening").text
    bela = another(browser, "bela", "agent", agent="bela@example")
    assert bela.post(f"{request}/object", why="x").status_code == 404
    assert browser("officer").post(f"{request}/object", why="x").status_code == 403


def test_nobody_objects_to_what_nobody_heard(browser: Any) -> None:
    _, request = ticket(browser)
    assert browser("agent").post(f"{request}/object", why="x").status_code == 404


# --- many --------------------------------------------------------------------------------------


def test_the_list_goes_on_page_by_page(browser: Any, scene: Scene) -> None:
    rows = []
    for number in range(120):
        call, name = UUIDS[100 + number % 7], f"00000000-0000-4000-8000-{number:012x}"
        rows.append(turn(call, Turn.DECISION, decision="given", reason="consent_key")) if number < 7 else None
        said = {"request": name, "by": "sven", "role": "supervisor", "purpose": "training"}
        rows.append(turn(call, Turn.LISTENING_REQUESTED, **said))
    scene.append(*rows)
    who, address, seen = browser("supervisor"), "/listening.json", []
    while address:
        page = who.get(address).json
        seen += [row["request"] for row in page["rows"]]
        address = page["next"]
    assert seen == [f"00000000-0000-4000-8000-{number:012x}" for number in reversed(range(120))]
    with opened(scene.location) as book:
        assert len(requests(book, 1000)) == 120


def test_no_page_says_a_number_or_an_agents_name(browser: Any, scene: Scene) -> None:
    asks, address = playing(browser)
    for page in ("/listening", address, address.rpartition("/")[0], f"/listening/ask?call={CALL}"):
        text = asks.get(page).text
        assert "anna@example" not in text, page
        assert not re.search(r"\+49\d", text)


# --- killed ------------------------------------------------------------------------------------

CHILD = """
import os, signal, sys
from pathlib import Path
from consentivr.console import Books, Server
from tests.console.people import console

when, folder, location = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
append = Books.append

def dies(books, rows):
    played = any(row.turn == "recording_played" for row in rows)
    if played and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    append(books, rows)
    if played and when == "after":
        os.kill(os.getpid(), signal.SIGKILL)

Books.append = dies
with console(folder, location) as browser:
    server = Server(browser.app, ("127.0.0.1", 0))
    server.start()
    print(server.address[1], flush=True)
    signal.pause()
"""


class Wire:
    """A client on a socket, who keeps the cookie."""

    def __init__(self, port: int) -> None:
        self.port, self.cookie = port, ""

    def __call__(self, method: str, address: str, **form: str) -> tuple[int, bytes, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = {"Host": HOST, "Cookie": self.cookie, "Content-Type": "application/x-www-form-urlencoded"}
        connection.request(method, address, urlencode(form) if form else None, headers)
        answer = connection.getresponse()
        body = answer.read()
        self.cookie = self.cookie or (answer.headers.get("Set-Cookie") or "").partition(";")[0]
        return answer.status, body, answer.headers.get("Location") or ""


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after", "some time"])
def test_whoever_is_killed_leaves_no_byte_without_a_row(tmp_path: Path, when: str) -> None:
    location = tmp_path / "ledger.sqlite3"
    scene = Scene(tmp_path, location)
    with console(tmp_path, location) as browser:
        _, request = ticket(browser)
    for attempt in range(5 if when == "some time" else 1):
        before = len(scene.rows(Turn.RECORDING_PLAYED))
        command = [sys.executable, "-c", CHILD, when, str(tmp_path), str(location)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ})
        got = b""
        try:
            assert child.stdout is not None
            wire = Wire(int(child.stdout.readline()))
            assert wire("POST", "/sign-in", account="sven", password=PASSWORD)[0] == 303
            page = wire("GET", request)[1].decode()
            token = page.partition('name="form_token" value="')[2].partition('"')[0]
            if when == "some time":
                chance = random.Random(attempt)
                threading.Timer(chance.uniform(0.0, 0.08), child.kill).start()
            wire("POST", f"{request}/1", form_token=token)
            got = wire("GET", f"{request}/1.wav")[1]
        except (OSError, http.client.HTTPException) as died:
            got = getattr(died, "partial", b"")
        finally:
            child.kill()
            child.wait()
        rows = len(scene.rows(Turn.RECORDING_PLAYED)) - before
        assert child.returncode == -signal.SIGKILL
        assert rows or not got, "a byte without its row"
        if when != "some time":
            assert (rows, got) == ({"before": 0, "after": 1}[when], b"")
