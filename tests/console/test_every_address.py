"""Every address of the console, by every method, as nobody, as each role, under a foreign name, without a form of ours.

The addresses are the application's own: a screen that comes is crawled without a word here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from werkzeug.test import TestResponse

from consentivr import metrics
from consentivr.console import sessions
from consentivr.console.guard import HEADERS, Needs
from consentivr.core.roles import RIGHTS, Right, Role
from consentivr.ledger import Entry, Ledger
from tests.console.people import HOST, PEOPLE, Browser, console
from tests.ledgers import NUMBER, UUIDS, entry

FOREIGN = "00000000-0000-4000-8000-000000000000"

ELSEWHERE = UUIDS[7]
"""A call of a queue that is nobody's here, and of no agent of ours."""

ENDS = {"signin.sign_out", "signin.again"}
"""Would end what the crawl goes on with: called without a form's token only."""


@dataclass(frozen=True)
class Address:
    endpoint: str
    method: str
    path: str
    needs: Needs

    @property
    def is_form(self) -> bool:
        return self.method not in ("GET", "HEAD")

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def addresses(app: Any, call: str = FOREIGN) -> Iterator[Address]:
    """Of every rule, with ``call`` wherever it wants to know which."""
    values = {"filename": "console.css", "form": "json", "number": 1, "variant": "a", "handle": "A" * 22}
    known = app.url_map.bind(HOST)
    with app.test_request_context(base_url=f"https://{HOST}"):
        for rule in app.url_map.iter_rules():
            path = app.url_for(rule.endpoint, **{name: values.get(name, call) for name in rule.arguments})
            for method in sorted((rule.methods or set()) - {"OPTIONS"}):
                assert known.match(path, method)[0] == rule.endpoint, f"{path} is none of {rule}: say above what fits"
                yield Address(rule.endpoint, method, path, app.view_functions[rule.endpoint].needs)


def asked(browser: Browser, address: Address, host: str = HOST, **form: str) -> TestResponse:
    data = form if address.is_form else None
    return browser.client.open(address.path, method=address.method, data=data, base_url=f"https://{host}")


def refusals() -> dict[str, float]:
    """What was counted, by why."""
    (counter,) = metrics.CONSOLE_REFUSED.collect()
    return {each.labels["why"]: each.value for each in counter.samples if each.name.endswith("_total")}


class Counted:
    """Whether what is done in it was refused, and why."""

    def __enter__(self) -> Counted:
        self._before = refusals()
        return self

    def __exit__(self, *exception: object) -> None:
        before, after = self._before, refusals()
        self.why = {why for why, value in after.items() if value > before.get(why, 0)}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("every")
    book = Ledger(folder / "ledger")
    given = {"decision": "given", "reason": "consent_key"}
    book.append([entry(n, **given) for n in range(3)])
    book.append([Entry(ELSEWHERE, "decision", "sales", "sales@default", "permanent_opt_out", given, NUMBER)])
    book.close()
    with console(folder, folder / "ledger") as made:
        yield made


def everything(place: Any, call: str = FOREIGN) -> list[Address]:
    found = list(addresses(place.app, call))
    assert len(found) > 40
    return found


# --- who is let in ---------------------------------------------------------------------------


def test_nobody_gets_in_without_a_session(place: Any) -> None:
    nobody = place()
    for address in everything(place):
        with Counted() as counted:
            answered = asked(nobody, address)
        if address.needs.right is None:
            assert answered.status_code in (200, 401, 403), address
            continue
        assert counted.why == {"session"}, address
        if address.is_form or address.needs.quiet or address.path.endswith((".json", ".csv")):
            assert answered.status_code == 401, address
        else:
            assert answered.status_code == 302, address
            assert answered.location.startswith("/sign-in?to="), address


def test_a_foreign_name_is_refused_everywhere(place: Any) -> None:
    olga = place("officer")
    for address in everything(place):
        for host in ("evil.example", f"{HOST}.evil.example", f"{HOST}:8443", "192.0.2.1"):
            with Counted() as counted:
                assert asked(olga, address, host).status_code == 421, address
            assert counted.why == {"host"}, address


@pytest.mark.parametrize("role", PEOPLE)
def test_a_role_gets_what_is_its_own_and_nothing_else(place: Any, role: str) -> None:
    person = place(role)
    for address in everything(place):
        if address.endpoint in ENDS or address.needs.right is None:
            continue
        with Counted() as counted:
            answered = asked(person, address, form_token=person.form_token)
        may = PEOPLE[role].may(address.needs.right)
        assert ("right" in counted.why) == (not may), f"{role}: {address}"
        assert (answered.status_code == 403 and "right" in counted.why) or may, f"{role}: {address}"
        assert answered.status_code < 500, f"{role}: {address}: {answered.text}"


@pytest.mark.parametrize("role", PEOPLE)
def test_a_form_that_is_not_ours_does_nothing(place: Any, role: str) -> None:
    person = place(role)
    elsewhere = [
        ({}, {}),
        ({}, {"form_token": "forged"}),
        ({"Sec-Fetch-Site": "cross-site"}, {"form_token": person.form_token}),
        ({"Sec-Fetch-Site": "same-site"}, {"form_token": person.form_token}),
        ({"Origin": "https://evil.example"}, {"form_token": person.form_token}),
        ({"Origin": f"http://{HOST}"}, {"form_token": person.form_token}),
        ({"Origin": "null"}, {"form_token": person.form_token}),
    ]
    for address in everything(place):
        if not address.is_form:
            continue
        for headers, form in elsewhere:
            with Counted() as counted:
                answered = person.client.open(
                    address.path, method=address.method, data=form, headers=headers, base_url=f"https://{HOST}"
                )
            assert answered.status_code == 403, f"{role}: {address} {headers}"
            assert counted.why == {"form"}, f"{role}: {address} {headers}"


def test_signing_in_from_another_page_is_refused(place: Any) -> None:
    """Else somebody could be signed in as the attacker, and work there."""
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
        answered = place().client.post(
            "/sign-in", data={"account": "olga", "password": "x"}, headers=headers, base_url=f"https://{HOST}"
        )
        assert answered.status_code == 403
        assert "form" in answered.text


def test_what_matters_is_done_by_who_was_proven_a_moment_ago(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    people = {role: place(role) for role in PEOPLE}
    monkeypatch.setattr(sessions, "PROVEN_S", -1)
    told = 0
    for address in everything(place):
        for role, person in people.items():
            if address.needs.again and address.needs.right and PEOPLE[role].may(address.needs.right):
                answered = asked(person, address, form_token=person.form_token)
                assert answered.status_code == 303, f"{role}: {address}"
                assert answered.location.startswith("/again?to="), f"{role}: {address}"
                told += 1
    assert told > 5


def test_other_methods_are_none(place: Any) -> None:
    olga = place("officer")
    for path in sorted({address.path for address in everything(place)}):
        for method in ("PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"):
            answered = olga.client.open(path, method=method, base_url=f"https://{HOST}")
            assert answered.status_code in (403, 405), f"{method} {path}"


# --- what is out of reach --------------------------------------------------------------------


@pytest.mark.parametrize("role", ["agent", "supervisor"])
def test_what_is_out_of_reach_is_as_if_it_were_not_there(place: Any, role: str) -> None:
    """Calls of other queues and agents: the same answer as to a name that nobody has."""
    person = place(role)
    foreign = {(a.endpoint, a.method): a for a in everything(place, FOREIGN)}
    for address in everything(place, ELSEWHERE):
        unknown = foreign[address.endpoint, address.method]
        if address.path == unknown.path or address.needs.right is None or address.is_form:
            continue
        if PEOPLE[role].may(address.needs.right):
            there, nowhere = asked(person, address), asked(person, unknown)
            assert there.status_code == nowhere.status_code, f"{role}: {address}"
            assert there.text.replace(ELSEWHERE, FOREIGN) == nowhere.text, f"{role}: {address}"


# --- what every answer has -------------------------------------------------------------------


def test_every_answer_has_the_headers_that_mozilla_wants(place: Any) -> None:
    people = [place(), place("officer"), place("admin")]
    for address in everything(place):
        for person in people:
            answered = asked(person, address)
            for name, value in HEADERS.items():
                assert answered.headers.get(name) == value, f"{address}: {name}"
            assert "Server" not in answered.headers or "Python" not in answered.headers["Server"]
            if address.endpoint != "static":
                assert answered.headers["Cache-Control"] == "no-store", address
            for cookie in answered.headers.getlist("Set-Cookie"):
                for word in ("Secure", "HttpOnly", "Path=/"):
                    assert word in cookie, f"{address}: {cookie}"
    refused = place().client.get("/", base_url="https://evil.example")
    assert refused.headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]


def test_no_page_has_a_script_or_a_style_of_its_own(place: Any) -> None:
    for role in PEOPLE:
        person = place(role)
        for address in everything(place, UUIDS[0]):
            if address.method == "GET" and (page := asked(person, address)).mimetype == "text/html":
                inline = re.findall(r"<script(?![^>]*src=)|<style|\sstyle=|\son[a-z]+=|javascript:", page.text)
                assert not inline, f"{role}: {address}: {inline}"


def test_no_number_is_in_an_address_or_in_the_log(place: Any) -> None:
    """Numbers go by POST only; nothing that people type or see is logged."""
    digits = NUMBER[3:]
    with structlog.testing.capture_logs() as log:
        for role in PEOPLE:
            person = place(role)
            for address in everything(place, UUIDS[0]):
                if address.endpoint in ENDS:
                    continue
                typed = {"number": NUMBER, "why": NUMBER, "reason": NUMBER, "form_token": person.form_token}
                answered = asked(person, address, **typed)
                assert digits not in answered.headers.get("Location", ""), f"{role}: {address}"
                assert not re.search(rf"(?:href|src|action)=\"[^\"]*{digits}", answered.text), f"{role}: {address}"
    assert digits not in repr(log)


# --- the matrix ------------------------------------------------------------------------------

MATRIX = """
                        agent supervisor officer council admin
calls.listed            yes   yes        yes     yes     -
call.one                yes   yes        yes     yes     -
call.person             -     yes        yes     -       -
call.hold               -     -          yes     -       -
call.sheet              -     yes        yes     -       -
call.withdraw           -     -          yes     -       -
listening.ask           yes   yes        yes     -       -
listening.decide        yes   -          yes     yes     -
listening.break_glass   -     -          yes     -       -
listening.play          yes   yes        yes     -       -
listening.sound         yes   yes        yes     -       -
listening.me            yes   -          -       -       -
people.look_for         -     -          yes     -       -
people.hold             -     -          yes     -       -
answers.hand_over       -     -          yes     -       -
answers.erase           -     -          yes     -       -
answers.withdraw        -     -          yes     -       -
numbers.numbers         -     yes        yes     yes     yes
trials.listed           -     yes        yes     yes     yes
trials.approve          -     -          yes     -       -
access_log.everybody    yes   yes        yes     yes     yes
access_log.handed_over  -     -          yes     yes     -
access_log.open_it      -     -          yes     yes     -
mine.agree              yes   -          -       -       -
mine.withdraw           yes   -          -       -       -
"""
"""Who sees and does what, written down once more: as the works council would read it."""


def test_who_does_what_is_as_it_was_agreed(place: Any) -> None:
    head, *lines = (line.split() for line in MATRIX.strip().splitlines())
    for endpoint, *cells in lines:
        right = place.app.view_functions[endpoint].needs.right
        agreed = {Role(role) for role, cell in zip(head, cells, strict=True) if cell == "yes"}
        assert RIGHTS[right] == agreed, endpoint


def test_every_right_is_needed_somewhere(place: Any) -> None:
    wanted = {address.needs.right for address in everything(place)}
    used = "".join(
        file.read_text("utf-8")
        for file in Path(metrics.__file__).parent.glob("console/**/*.*")
        if file.suffix in (".py", ".html")
    )
    assert [
        right for right in Right if right not in wanted and right.name not in used and right.value not in used
    ] == []
