"""Today: silence is never green; numbers of the own queues; incidents and their clock; an agent's own talk."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import gevent
import pytest

from consentivr.config import Configuration, load
from consentivr.console import Chain
from consentivr.console.desk import Desk, Seen
from consentivr.core.turn import Turn
from consentivr.files import write_secret
from consentivr.lab.caller import Caller
from consentivr.lab.native import free_port
from consentivr.ledger import CallRef, Entry, HeadFile, Search
from consentivr.ledger.today import since
from consentivr.service import console as built
from tests.console.people import PASSWORD, QUEUE, console
from tests.console.rows import checked
from tests.ledgers import UUIDS, opened
from tests.served import Served

NOW = datetime.now(timezone.utc)
AGENT = "anna@example"
WELL: dict[str, Any] = {
    "not_good": {},
    "queues": {
        QUEUE: {"asked": 1, "waiting": 2, "talking": 3, "recorded": 2, "paused": 1, "longest_wait_s": 65.0},
        "sales@default": {"asked": 10, "waiting": 0, "talking": 0, "recorded": 0, "paused": 0, "longest_wait_s": 0.0},
    },
    "looked": {"127.0.0.1:8021": 120.0},
}


class Told(Desk):
    """What ``serve`` says, for tests of the page; ``asked`` is what it was asked for."""

    def __init__(self, seen: Seen | None, answer: str = "done", talk: dict[str, Any] | None = None) -> None:
        super().__init__(("127.0.0.1", 9), lambda: None)
        self.seen, self.answer, self.talk = seen, answer, talk
        self.asked: list[tuple[str, str, str]] = []

    def look(self) -> Seen | None:
        return self.seen

    def talk_of(self, agent: str) -> dict[str, Any] | None:
        return self.talk if agent == AGENT else None

    def ask(self, agent: str, wish: str, by: str) -> str:
        self.asked.append((agent, wish, by))
        return self.answer


def row(turn: Turn, hours: float, queue: str = QUEUE, number: int = 0, **said: Any) -> Entry:
    about = CallRef(UUIDS[number], UUIDS[number], "support", queue, "permanent_opt_out")
    made = about.row(turn, said)
    made.at = NOW - timedelta(hours=hours)
    return made


@pytest.fixture
def there(location: str | Path) -> str | Path:
    with opened(location) as ledger:
        for number, (queue, decision) in enumerate(
            [(QUEUE, "given"), (QUEUE, "given"), (QUEUE, "refused"), ("sales@default", "not_obtained")]
        ):
            ledger.append([row(Turn.DECISION, 0, queue, number, decision=decision)])
        ledger.append([row(Turn.WITHDRAWN, 0, number=0)])
        ledger.append([row(Turn.DECISION, 30, QUEUE, 9, decision="given")])
        ledger.append([row(Turn.UNWATCHED, 70, number=5), row(Turn.UNWATCHED, 70, number=6)])
        ledger.append([row(Turn.FORBIDDEN_RECORDING, 80, "sales@default", 7, path="/x.wav")])
        ledger.append([row(Turn.FORBIDDEN_RECORDING, 24 * 20, number=8, path="/x.wav")])
    return location


@contextmanager
def shown(folder: Path, location: str | Path, desk: Any = None, **more: Any) -> Iterator[Any]:
    with console(folder, location, desk=desk, **more) as browser:
        yield browser


def words(text: str) -> str:
    return " ".join(text.split())


def lights_of(page: str) -> dict[str, str]:
    """Each light's word, by its title."""
    found = {}
    for item in page.split('class="lights"')[1].split("</ul>")[0].split("<li")[1:]:
        title = item.partition("<b>")[2].partition("</b>")[0]
        found[title] = item.partition('class="mark ')[2].partition('"')[0]
    return found


def test_what_is_not_seen_is_not_green(tmp_path: Path, there: str | Path) -> None:
    with shown(tmp_path, there) as browser:
        assert set(lights_of(browser("officer").get("/today").text).values()) == {"not_seen"}


def test_lights_say_what_serve_says(tmp_path: Path, there: str | Path) -> None:
    told = Told(Seen(**WELL))
    with shown(tmp_path, there, told) as browser:
        officer, admin = browser("officer"), browser("admin")
        page = officer.get("/today").text
        assert set(lights_of(page).values()) == {"good"}
        assert "looked at 2 min ago" in words(page)
        told.seen = Seen({"disk": "3 MB are left", "some_switches": "nobody watches b"}, None, None)
        found = lights_of(officer.get("/today").text)
        assert found["Room on the disks"] == "bad"
        assert found["Watch of the switches"] == "warn"
        assert found["How the switches are set up"] == "not_seen"
        assert found["Ledger"] == "good"
        assert "3 MB" in admin.get("/today").text
        assert "3 MB" not in officer.get("/today").text, "why may name a path"


@pytest.mark.parametrize(
    ("findings", "not_seen", "level"),
    [
        ({}, (), "good"),
        ({"a": "warning"}, (), "warn"),
        ({"a": "warning", "b": "bad"}, ("c",), "bad"),
        ({}, ("c",), "not_seen"),
    ],
)
def test_the_newest_look_at_a_switch_counts(
    tmp_path: Path, there: str | Path, findings: dict[str, str], not_seen: tuple[str, ...], level: str
) -> None:
    with opened(there) as ledger:
        ledger.append([checked({"old": "bad"}), checked(findings, not_seen)])
    with shown(tmp_path, there, Told(Seen(**WELL))) as browser:
        assert lights_of(browser("admin").get("/today").text)["How the switches are set up"] == level


def test_a_ledger_whose_tail_was_cut_is_not_good(tmp_path: Path, there: str | Path) -> None:
    head = HeadFile(tmp_path / "head")
    with opened(there) as ledger:
        kept = ledger.head()
    head.write(kept.__class__(kept.position + 5, kept.hash, kept.at, "", ""))
    with shown(tmp_path, there, Told(Seen(**WELL)), chain=Chain(str(there), head)) as browser:
        assert lights_of(browser("council").get("/today").text)["Ledger"] == "bad"


@pytest.mark.parametrize(
    ("role", "asked", "queues"),
    [
        ("supervisor", 1, {QUEUE}),
        ("officer", 11, {QUEUE, "sales@default"}),
        ("council", 11, {QUEUE, "sales@default"}),
        ("admin", 11, {QUEUE, "sales@default"}),
    ],
)
def test_each_sees_the_own_queues(tmp_path: Path, there: str | Path, role: str, asked: int, queues: set[str]) -> None:
    with shown(tmp_path, there, Told(Seen(**WELL))) as browser:
        reader = browser(role)
        page = words(reader.get("/today").text)
        assert f"<dt>Being asked</dt><dd>{asked}</dd>" in page
        assert "<dt>Longest wait</dt><dd>1:05</dd>" in page
        rows = {row["queue"]: row for row in reader.get("/today.json").json["rows"]}
        assert rows.keys() == queues
        said = {"given": 2, "refused": 1, "not_obtained": 0, "withdrawn": 1}
        assert rows[QUEUE] == {"queue": QUEUE, **said}, "yesterday's are not among them"
        assert ("a recording without permission" in page) == (role != "supervisor")


def test_the_part_that_is_fetched_anew_keeps_nobody_signed_in(tmp_path: Path, there: str | Path) -> None:
    with shown(tmp_path, there, Told(Seen(**WELL)), session_minutes=1 / 600) as browser:
        officer = browser("officer")
        for _ in range(4):
            time.sleep(0.04)
            answered = officer.get("/today/now")
        assert answered.status_code == 401
        assert answered.headers["HX-Refresh"] == "true"


def test_the_officer_assesses_and_the_clock_stops(tmp_path: Path, there: str | Path) -> None:
    with shown(tmp_path, there) as browser:
        officer = browser("officer")
        page = words(officer.get("/today").text)
        assert "1 hour left" in page
        assert "over since" in page
        assert page.index("over since") < page.index("hour left"), "whose clock ends first stands first"
        day = (NOW - timedelta(hours=70)).date().isoformat()
        form = {"day": day, "turn": "unwatched", "queue": QUEUE}
        assert officer.post("/today/assess", **form, risk="none", why=" ").status_code == 400
        assert officer.post("/today/assess", **form, risk="small", why="x").status_code == 400
        assert officer.post("/today/assess", **form, risk="none", why="taken out of the files").status_code == 303
        with opened(there) as ledger:
            rows = list(ledger.read(Search(turn="incident_assessed")))
            first, second = ledger.read(Search(turn="unwatched"))
        assert [one.evidence["row"] for one in rows] == [first.position, second.position]
        assert [one.call for one in rows] == [first.call, second.call], "they go with their calls"
        assert rows[0].evidence["why"] == "taken out of the files"
        page = words(officer.get("/today").text)
        assert "assessed: unlikely" in page
        assert "hour left" not in page
        officer.post("/today/assess", **form, risk="high", why="again")
        with opened(there) as ledger:
            assert len(list(ledger.read(Search(turn="incident_assessed")))) == 2


@pytest.mark.parametrize("role", ["agent", "supervisor", "council", "admin"])
def test_others_do_not_assess(tmp_path: Path, there: str | Path, role: str) -> None:
    with shown(tmp_path, there) as browser:
        reader = browser(role)
        assert 'action="/today/assess"' not in reader.get("/today").text
        assert reader.post("/today/assess", risk="none", why="x").status_code == 403


def test_an_agent_sees_the_own_talk_and_nothing_else(tmp_path: Path, there: str | Path) -> None:
    talk = {"queue": QUEUE, "since": time.time() - 65, "recorded": True, "paused": False, "held": False}
    told = Told(Seen(**WELL), talk=talk)
    with shown(tmp_path, there, told) as browser:
        anna = browser("agent")
        page = anna.get("/today").text
        assert "IS BEING RECORDED" in page
        assert "1:0" in page
        assert 'class="lights"' not in page
        assert "Incidents" not in page
        assert anna.get("/today.json").json["rows"] == []
        told.talk = None
        assert "in no talk now" in anna.get("/today/now").text
        told.seen = None
        assert "nobody can say" in anna.get("/today/now").text


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("done", "was seen to do it"),
        ("refused", "does not allow it"),
        ("unconfirmed", "NOT CONFIRMED"),
        ("unknown", "in no talk that is followed"),
        ("not_seen", "cannot be asked"),
    ],
)
def test_the_answer_is_told_in_words(tmp_path: Path, there: str | Path, answer: str, said: str) -> None:
    told = Told(Seen(**WELL), answer)
    with shown(tmp_path, there, told) as browser:
        anna = browser("agent")
        answered = anna.post("/today/recording", wish="pause")
        assert said in anna.get(answered.location).text
        assert told.asked == [(AGENT, "pause", "anna")]
        assert anna.post("/today/recording", wish="withdraw").status_code == 400
        assert browser("supervisor").post("/today/recording", wish="pause").status_code == 403


def test_a_day_is_counted_by_queue(there: str | Path) -> None:
    with opened(there) as ledger:
        assert since(ledger, NOW - timedelta(hours=40))[QUEUE] == {"given": 3, "refused": 1, "withdrawn": 1}


# --- serve itself ----------------------------------------------------------------------------


@contextmanager
def answering(status: int, body: bytes, seconds: float = 0) -> Iterator[tuple[str, int]]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(seconds)
            self.send_response(status)
            self.end_headers()
            with suppress(BrokenPipeError):
                self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield ("127.0.0.1", server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()


def test_without_serve_nothing_is_seen() -> None:
    desk = Desk(("127.0.0.1", free_port()), lambda: "token")
    assert desk.look() is None
    assert desk.ask(AGENT, "pause", "anna") == "not_seen"
    with pytest.raises(OSError, match="nobody is there"):
        desk.look_at_switches()


def test_what_is_no_answer_is_not_taken_for_one() -> None:
    with answering(200, b"<html>") as address:
        assert Desk(address, lambda: "token").look() is None
    with answering(200, b"{}") as address:
        assert Desk(address, lambda: "token").look() is None
        with pytest.raises(OSError, match="it answers 200: nothing that is known here"):
            Desk(address, lambda: "token").look_at_switches()


def test_a_serve_that_hangs_holds_up_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentivr.console.desk.GLANCE_S", 0.2)
    with answering(200, b"{}", seconds=1) as address:
        desk = Desk(address, lambda: "token")
        began = time.monotonic()
        assert [desk.look() for _ in range(20)] == [None] * 20
        assert time.monotonic() - began < 0.9, "one waits, for all"


def test_an_answer_that_does_not_come_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentivr.console.desk.PATIENCE_S", 0.2)
    with answering(200, b"{}", seconds=0.5) as address:
        assert Desk(address, lambda: "token").ask(AGENT, "pause", "anna") == "unconfirmed"


@pytest.mark.slow
def test_with_serve(configure: Callable[..., Configuration], tmp_path: Path) -> None:
    port = free_port()
    token = tmp_path / "http.token"
    write_secret(token, PASSWORD)
    made = configure()
    served = Served(made.changed(http=made.http.changed(listen=f"127.0.0.1:{port}", token_file=token)), tmp_path)
    try:
        gevent.sleep(1)
        desk = built.settings(load(served.yaml)).desk
        assert desk is not None
        beside = gevent.get_hub().threadpool.apply
        seen = beside(desk.look)
        assert seen.queues == {}
        assert seen.not_good == {}
        assert beside(desk.ask, (AGENT, "pause", "anna")) == "unknown"
        call = served.switch.call("5000", Caller(keys={1: ("1", 1200)}, talks_ms=1_000_000))
        for _ in range(2000):
            gevent.sleep(0.01)
            found = [row for row in served.rows(call) if row.turn == Turn.AGENT_ANSWERED] if call.recorders else []
            if found:
                break
        agent = found[0].evidence["agent"]
        gevent.sleep(2)
        assert beside(desk.talk_of, (agent,))["recorded"]
        assert beside(desk.ask, (agent, "pause", "anna")) == "done"
        seen = beside(desk.look)
        (queue,) = seen.queues.values()
        assert (queue["talking"], queue["recorded"], queue["paused"], queue["waiting"]) == (1, 1, 1, 0)
        for _ in range(200):
            if None not in beside(desk.look).looked.values():
                break
            gevent.sleep(0.1)
        assert list(beside(desk.look).looked) == [str(served.configuration.switches[0].address)]
        assert None not in beside(desk.look).looked.values(), "the switch was looked at"
        found = beside(desk.look_at_switches)
        assert {one["part"] for one in found} == {str(served.configuration.switches[0].address)}
        assert "1 queues" in {one["what"] for one in found}
        assert max(beside(desk.look).looked.values()) < 5
        assert beside(desk.talk_of, (agent,))["paused"]
        (paused,) = [row for row in served.rows(call) if row.turn == Turn.RECORDING_PAUSED]
        assert paused.evidence["by"] == "http:anna"
        without = beside(Desk(("127.0.0.1", port), lambda: None).look)
        assert without.not_good == {}
        assert without.queues is None
        with pytest.raises(OSError, match=r"http\.token_file"):
            beside(Desk(("127.0.0.1", port), lambda: None).look_at_switches)
    finally:
        served.end()
