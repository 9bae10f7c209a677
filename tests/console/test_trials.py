"""Trials of two wordings at the console: who approves what, what is shown when, what stands in the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from consentivr.console.settings import PlannedTrial
from consentivr.core.consent import NoticeVersion, Variant
from consentivr.core.trial import Counts, Plan, Why, counted, variant_of
from consentivr.core.turn import Turn
from consentivr.ledger import CONSOLE, CallRef, Entry, Search
from consentivr.ledger import trials as ledger_trials
from tests.console.people import PEOPLE, QUEUE, console
from tests.ledgers import UUIDS, opened

TODAY = datetime.now(timezone.utc).date()
TEXTS = {Variant.A: "Dürfen wir aufzeichnen? Ja: 1. Nein: 9.", Variant.B: "1 für Ja, 9 für Nein: Aufzeichnen?"}
NOTICES = {variant: NoticeVersion("de", text, variant.value * 64, 4000) for variant, text in TEXTS.items()}
SEES = ("supervisor", "officer", "council", "admin")


def plan(**changes: Any) -> Plan:
    made: dict[str, Any] = {
        "trial": "short",
        "line": "support",
        "queue": QUEUE,
        "language": "de",
        "first": (NOTICES[Variant.A].digest,),
        "second": (NOTICES[Variant.B].digest,),
        "calls": 100,
        "until": TODAY + timedelta(10),
    }
    return Plan(**made | changes)


def decided(number: int, *, understood: bool = True, yes: bool = True, **changes: Any) -> Entry:
    """A decision of a caller of the trial, who hears what the hash says."""
    variant = variant_of("short", UUIDS[number])
    first = {"outcome": "key" if understood else "silence", "key": "1" if understood else None, "heard_ms": 4000}
    again = {"outcome": "key", "key": "1", "heard_ms": 1000}
    said = {
        "decision": "given" if yes else "refused",
        "reason": "consent_key" if yes else "objection_key",
        "attempts": [first] if understood else [first, again],
        "notice": NOTICES[variant].digest,
        "notice_ms": 4000,
        "language": "de",
        "trial": "short",
        "variant": variant.value,
    }
    return Entry(UUIDS[number], "decision", "support", QUEUE, "permanent_opt_out", said | changes, None)


def halves(a: int, b: int) -> list[int]:
    """Numbers of callers: so many who hear each wording."""
    found: dict[Variant, list[int]] = {variant: [] for variant in Variant}
    for number, channel in enumerate(UUIDS):
        found[variant_of("short", channel)].append(number)
    return found[Variant.A][:a] + found[Variant.B][:b]


@contextmanager
def house(folder: Path, location: str | Path, *planned: Plan, kept_days: int | None = None, noted: bool = True) -> Any:
    """A console whose configuration has these trials."""
    sounds = {variant: folder / f"{variant.value}.wav" for variant in Variant}
    for number, path in enumerate(sounds.values()):
        soundfile.write(str(path), 0.1 * (number + 1) * np.sin(np.arange(8000) / 5), 8000, subtype="PCM_16")
    with opened(location) as ledger:
        for notice in NOTICES.values() if noted else ():
            ledger.add_notice(notice)
    trials = [PlannedTrial(one, kept_days, sounds) for one in planned]
    with console(folder, location, trials=lambda: (trials, [])) as made:
        yield made


@pytest.fixture
def browser(tmp_path: Path, location: str | Path) -> Iterator[Any]:
    with house(tmp_path, location, plan()) as made:
        yield made


def append(location: str | Path, *rows: Entry) -> None:
    with opened(location) as ledger:
        ledger.append(rows)


def console_row(turn: Turn, **said: Any) -> Entry:
    return CallRef(CONSOLE, None, "", "", "").row(turn, {"by": "olga", "role": "officer", **said})


def begun(one: Plan | None = None) -> Entry:
    return console_row(Turn.TRIAL_BEGUN, **(one or plan()).evidence())


def ended(counts: Counts, why: Why = Why.ASKED, **said: Any) -> Entry:
    return console_row(Turn.TRIAL_ENDED, trial="short", why=why.value, counts=counts.evidence(), **said)


def rows(location: str | Path, turn: Turn) -> list[dict[str, Any]]:
    with opened(location) as ledger:
        return [row.evidence for row in ledger.read(Search(turn=turn.value))]


def approve(officer: Any, name: str = "short") -> Any:
    """As somebody does who reads the page and presses the button."""
    page = officer.get(f"/trials/{name}/approve")
    fingerprint = page.text.partition('name="plan" value="')[2].partition('"')[0]
    return officer.post(f"/trials/{name}/approve", plan=fingerprint)


# --- who may -------------------------------------------------------------------------------------


ADDRESSES = ("/trials", "/trials.json", "/trials.csv", "/trials/short", "/trials/short.json", "/trials/short/a.wav")


def test_who_sees_it_and_who_does_not(browser: Any) -> None:
    for role in PEOPLE:
        somebody = browser(role)
        for address in ADDRESSES:
            assert somebody.get(address).status_code == (200 if role in SEES else 403), (role, address)
    nobody = browser()
    for address in ("/trials", "/trials/short", "/trials/short/approve", "/trials/short/stop"):
        assert nobody.get(address).status_code == 302


@pytest.mark.parametrize("role", [role for role in PEOPLE if role != "officer"])
def test_nobody_but_the_officer_approves_or_ends(browser: Any, location: str | Path, role: str) -> None:
    somebody = browser(role)
    assert approve(somebody).status_code == 403
    append(location, begun())
    assert somebody.post("/trials/short/stop", reason="x").status_code == 403
    assert rows(location, Turn.TRIAL_ENDED) == []
    if role in SEES:
        page = somebody.get("/trials/short").text
        assert "/approve" not in page
        assert "/stop" not in page


def test_approving_and_ending_ask_for_the_password_again(browser: Any, location: str | Path) -> None:
    officer = browser("officer")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("consentivr.console.sessions.PROVEN_S", -1)
        for answered in (officer.get("/trials/short/approve"), officer.post("/trials/short/approve", plan="x")):
            assert answered.status_code == 303
            assert answered.location.startswith("/again?")
    assert rows(location, Turn.TRIAL_BEGUN) == []


# --- from the plan to the result -----------------------------------------------------------------


def test_it_is_approved_as_it_was_shown_and_the_row_fixes_all_of_it(browser: Any, location: str | Path) -> None:
    officer = browser("officer")
    page = officer.get("/trials/short").text
    assert all(text in page for text in TEXTS.values())
    assert approve(officer).status_code == 303
    (said,) = rows(location, Turn.TRIAL_BEGUN)
    assert (said["by"], said["role"]) == ("olga", "officer")
    assert Plan.of(said) == plan()
    assert approve(officer).status_code == 409, "once"
    assert len(rows(location, Turn.TRIAL_BEGUN)) == 1


def test_before_the_end_only_how_many_is_told_wherever_one_looks(browser: Any, location: str | Path) -> None:
    append(location, begun())
    append(location, *(decided(number, understood=number % 2 == 0) for number in halves(40, 30)))
    for role in SEES:
        somebody = browser(role)
        (row,) = somebody.get("/trials.json").json["rows"]
        assert (row["state"], row["asked_a"], row["asked_b"]) == ("asked", 40, 30)
        assert somebody.get("/trials/short.json").json["rows"] == [
            {"wording": "a", "asked": 40, "calls": 100},
            {"wording": "b", "asked": 30, "calls": 100},
        ]
        assert "%" not in somebody.get("/trials/short").text.partition("<main")[2]


def test_after_the_end_it_says_which_was_understood_and_how_sure_that_is(browser: Any, location: str | Path) -> None:
    append(location, begun())
    calls = [decided(n, understood=i % 10 < 5, yes=i % 2 == 0) for i, n in enumerate(halves(200, 0))]
    calls += [decided(n, understood=i % 10 < 8, yes=i % 2 == 0) for i, n in enumerate(halves(0, 200))]
    append(location, *calls)
    with opened(location) as ledger:
        (trial,) = ledger_trials.known(ledger).values()
        said = ledger_trials.ending(ledger, trial, Why.ASKED)
    append(location, console_row(Turn.TRIAL_ENDED, **said))
    council = browser("council")
    a, b = council.get("/trials/short.json").json["rows"]
    assert (a["asked"], a["understood"], a["share"], a["again"]) == (200, 100, 0.5, 0.5)
    assert (b["asked"], b["understood"], b["share"]) == (200, 160, 0.8)
    assert a["low"] < 0.5 < a["high"] < b["low"] < 0.8 < b["high"]
    page = council.get("/trials/short", headers={"Accept-Language": "en"}).text
    assert "The second wording was understood better" in page
    assert "+30.0 points, in 95 of 100 cases between 20.8 and 38.5" in " ".join(page.split())
    assert "do not differ by more than chance" in page
    assert "50,0 %" in council.get("/trials/short", headers={"Accept-Language": "de"}).text
    csv = council.get("/trials/short.csv").text.splitlines()
    assert csv[0] == "wording,asked,understood,share,low,high,cut_short,again"


def test_no_page_tells_which_wording_has_more_of_a_yes(browser: Any, location: str | Path) -> None:
    told = []
    for swap in (False, True):
        calls = [(n, (i % 10 < 9) is not swap) for i, n in enumerate(halves(100, 0))]
        calls += [(n, (i % 10 < 9) is swap) for i, n in enumerate(halves(0, 100))]
        decisions = [(UUIDS[n], decided(n, yes=yes).evidence) for n, yes in calls]
        told.append(counted(plan(), decisions))
    assert told[0] == told[1]
    append(location, begun(), ended(told[0]))
    page = browser("officer").get("/trials/short", headers={"Accept-Language": "en"}).text
    assert "The answers differ" in page
    assert "80.0 points" in page


def test_of_few_calls_nothing_is_told(browser: Any, location: str | Path) -> None:
    decisions = [(UUIDS[n], decided(n).evidence) for n in halves(19, 100)]
    append(location, begun(), ended(counted(plan(), decisions), Why.DAY_OVER))
    officer = browser("officer")
    assert officer.get("/trials/short.json").json["rows"] == [
        {"wording": "a", "asked": 19, "calls": 100},
        {"wording": "b", "asked": 100, "calls": 100},
    ]
    page = officer.get("/trials/short", headers={"Accept-Language": "en"}).text
    assert "Fewer than 20 calls" in page
    assert "Fewer calls than planned" in page


def test_who_ends_it_early_says_why_and_nobody_begins_it_again(browser: Any, location: str | Path) -> None:
    officer = browser("officer")
    approve(officer)
    append(location, *(decided(number) for number in halves(30, 30)))
    officer.get("/trials/short/stop")
    assert officer.post("/trials/short/stop", reason="  ").status_code == 422
    assert rows(location, Turn.TRIAL_ENDED) == []
    assert officer.post("/trials/short/stop", reason=" callers\n complained ").status_code == 303
    (said,) = rows(location, Turn.TRIAL_ENDED)
    assert (said["by"], said["why"], said["reason"]) == ("olga", "stopped", "callers complained")
    assert said["counts"]["a"]["asked"] == said["counts"]["b"]["asked"] == 30
    assert officer.post("/trials/short/stop", reason="again").status_code == 303
    assert len(rows(location, Turn.TRIAL_ENDED)) == 1
    assert approve(officer).status_code == 409
    assert "callers complained" in officer.get("/trials/short").text


# --- what cannot be approved ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("why", "changes", "how"),
    [
        ("has not read", {}, {"noted": False}),
        ("day is over", {"until": TODAY - timedelta(1)}, {}),
        ("erased", {"until": TODAY + timedelta(30)}, {"kept_days": 30}),
    ],
)
def test_what_would_not_work_cannot_be_approved(
    tmp_path: Path, location: str | Path, why: str, changes: dict[str, Any], how: dict[str, Any]
) -> None:
    with house(tmp_path, location, plan(**changes), **how) as made:
        officer = made("officer")
        assert "/short/approve" not in officer.get("/trials/short").text
        page = officer.get("/trials/short/approve", headers={"Accept-Language": "en"})
        assert why in page.text
        assert approve(officer).status_code == 409
    assert rows(location, Turn.TRIAL_BEGUN) == []


def test_one_trial_at_a_time_on_a_line(tmp_path: Path, location: str | Path) -> None:
    with house(tmp_path, location, plan(), plan(trial="other"), plan(trial="elsewhere", line="sales")) as made:
        officer = made("officer")
        assert approve(officer).status_code == 303
        assert approve(officer, "other").status_code == 409
        assert approve(officer, "elsewhere").status_code == 303
        officer.post("/trials/short/stop", reason="done")
        assert approve(officer, "other").status_code == 303


def test_what_was_changed_since_it_was_shown_is_not_approved(tmp_path: Path, location: str | Path) -> None:
    with house(tmp_path, location, plan()) as made:
        officer = made("officer")
        assert officer.post("/trials/short/approve", plan="of another page").status_code == 409
    assert rows(location, Turn.TRIAL_BEGUN) == []


@pytest.mark.parametrize("changes", [{"calls": 99}, {"until": TODAY + timedelta(99)}, {"line": "sales"}])
def test_a_configuration_that_was_changed_since_says_so(
    tmp_path: Path, location: str | Path, changes: dict[str, Any]
) -> None:
    with house(tmp_path, location, plan(**changes)) as made:
        append(location, begun())
        (row,) = made("officer").get("/trials.json").json["rows"]
        assert row["state"] == "not_asked"
        assert (row["calls"], row["until"]) == (100, plan().until.isoformat()), "as it was approved"


def test_one_that_is_configured_no_more_is_still_told_of(tmp_path: Path, location: str | Path) -> None:
    with house(tmp_path, location) as made:
        append(location, begun(plan(until=date(2026, 1, 1))))
        officer = made("officer")
        assert officer.get("/trials.json").json["rows"][0]["state"] == "over"
        assert officer.get("/trials/short").status_code == 200
        assert officer.get("/trials/short/a.wav").status_code == 404
        assert officer.get("/trials/other").status_code == 404


def test_a_sound_is_that_of_the_wording(browser: Any, tmp_path: Path) -> None:
    officer = browser("officer")
    for variant in "ab":
        answered = officer.get(f"/trials/short/{variant}.wav")
        assert answered.data == (tmp_path / f"{variant}.wav").read_bytes()
        assert answered.mimetype == "audio/wav"
    assert officer.get("/trials/short/c.wav").status_code == 404
