"""Two wordings on trial: approved, asked by halves, ended; whatever is in doubt is asked as ever."""

from __future__ import annotations

import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import gevent
import pytest
import soundfile

from consentivr.config import Configuration
from consentivr.core.consent import Variant
from consentivr.core.trial import Plan, Why, variant_of
from consentivr.core.turn import Turn
from consentivr.esl.session import OutboundSession
from consentivr.lab.caller import Caller
from consentivr.lab.switch import Channel
from consentivr.ledger import CONSOLE, CallRef, Ledger, Search
from consentivr.ledger import trials as ledger_trials
from consentivr.prompts.audio import text_mark
from consentivr.service.build import planned
from tests.flow.talks import Talks, reload, written
from tests.ledgers import opened, whole
from tests.waiting import until

TOMORROW = date.today() + timedelta(1)
WORDING = "Ja: 1. Nein: 9. Widerruf mit Stern 9."


@pytest.fixture
def trial(configure: Callable[..., Configuration], tmp_path: Path, sounds: Path) -> Callable[..., Any]:
    """A laboratory whose line has a second wording, which nobody has approved; its sound is softer."""
    folder = tmp_path / "sounds"
    shutil.copytree(sounds, folder)
    for rate in ("8000", "16000"):
        question, _ = soundfile.read(str(folder / "de" / rate / "question.wav"))
        soundfile.write(str(folder / "de" / rate / "support-question-short.wav"), 0.5 * question, int(rate), "PCM_16")

    @contextmanager
    def make(*, until: date = TOMORROW, **how: Any) -> Iterator[Talks]:
        short = {"name": "short", "question": WORDING, "calls": 100, "until": until.isoformat()}
        with Talks(configure(sounds_folder=folder, **how), tmp_path, lines={"support": {"trial": short}}) as made:
            yield made

    return make


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What the switch is told to ask each channel with: the files' stems."""
    asked: dict[str, list[str]] = defaultdict(list)
    inherited = OutboundSession.play_and_get_digits

    def noting(session: OutboundSession, **how: Any) -> str:
        if "question" in how["prompt_file"]:
            asked[session.uuid].append(Path(how["prompt_file"]).stem)
        return inherited(session, **how)

    monkeypatch.setattr(OutboundSession, "play_and_get_digits", noting)
    return asked


def plan_of(made: Talks) -> Plan:
    (((plan, _),), silent) = planned(made.configuration)
    assert silent == []
    return plan


def note(made: Talks, turn: Turn, **said: Any) -> None:
    row = CallRef(CONSOLE, None, "", "", "").row(turn, {"by": "olga", "role": "officer", **said})
    with opened(made.configuration.ledger.location) as ledger:
        ledger.append([row])


def approve(made: Talks, **changes: Any) -> None:
    note(made, Turn.TRIAL_BEGUN, **plan_of(made).evidence() | changes)


def look(made: Talks) -> None:
    made.application._trials.look()


def calls(made: Talks, number: int, keys: dict[int, tuple[str, int]] | None = None) -> list[Channel]:
    """So many callers at once, whose calls are over."""
    script = {1: ("1", 1200)} if keys is None else keys
    channels = [made.switch.call("5000", Caller(keys=script, talks_ms=100)) for _ in range(number)]
    for channel in channels:
        assert channel.greenlet is not None
        channel.greenlet.join(20)
        until(lambda channel=channel: "call_ended" in made.turns(channel))
    return channels


def heard(made: Talks, channel: Channel) -> dict[str, Any]:
    (said,) = made.said(channel, "decision")
    return said


def test_each_caller_hears_one_of_both_and_the_row_says_which(
    trial: Callable[..., Any], played: dict[str, list[str]], location: str | Path
) -> None:
    with trial(ledger=location if isinstance(location, str) else "") as made:
        plan = plan_of(made)
        before = calls(made, 4)
        approve(made)
        look(made)
        after = calls(made, 12)
        for channel in before:
            assert heard(made, channel)["notice"] in plan.first
            assert "trial" not in heard(made, channel), "as if there were no trial"
        for channel in after:
            said, variant = heard(made, channel), variant_of("short", channel.uuid)
            assert (said["trial"], said["variant"]) == ("short", variant.value)
            assert said["notice"] in plan.wording(variant)
            assert played[channel.uuid] == ["support-question-short" if variant is Variant.B else "question"]
        with opened(made.configuration.ledger.location) as ledger:
            noted = {row.evidence["notice"] for row in ledger.read(Search(turn="notice_added"))}
            (known,) = ledger_trials.known(ledger).values()
            number = ledger_trials.asked(ledger, plan, known.begun_at)
        assert {*plan.first, *plan.second} <= noted, "every wording is in the chain before it is heard"
        assert sum(number.values()) == 12
        whole(made.configuration.ledger.location)


def test_a_yes_to_each_wording_counts_when_so_much_of_it_was_heard_as_was_measured(
    trial: Callable[..., Any], tmp_path: Path
) -> None:
    """Promise P2, for both."""
    with trial(min_heard_ms="null") as made:
        tried = made.configuration.tried("support")
        for rate in (8000, 16000):
            path = tmp_path / "sounds" / "de" / str(rate) / "support-question-short.wav"
            samples, _ = soundfile.read(str(path))
            with soundfile.SoundFile(str(path), "w", rate, 1, "PCM_16") as file:
                file.comment = text_mark(WORDING, tried.heard, 700)
                file.write(0.9 * samples)
        reload(made, written(made))
        approve(made)
        look(made)
        line = made.application._trials.lines["5000"]
        assert (line.policy.min_heard_ms, line.other.policy.min_heard_ms) == (1000, 700)
        for channel in calls(made, 6, {1: ("1", 850), 2: ("1", 850)}):
            first, least = heard(made, channel)["attempts"][0], line.asking(channel.uuid).policy.min_heard_ms
            assert first["outcome"] == ("too_early" if first["heard_ms"] < least else "key")


def test_who_is_asked_again_hears_the_same_wording(trial: Callable[..., Any], played: dict[str, list[str]]) -> None:
    with trial() as made:
        approve(made)
        look(made)
        for channel in calls(made, 6, {2: ("1", 1200)}):
            first, second = played[channel.uuid]
            assert first == second
            assert [one["outcome"] for one in heard(made, channel)["attempts"]] == ["silence", "key"]


@pytest.mark.parametrize(
    "change",
    [{"calls": 99}, {"until": "2030-01-01"}, {"wordings": {"a": ["x"], "b": ["y"]}}, {"line": "sales"}, {"trial": "x"}],
    ids=str,
)
def test_what_was_not_approved_exactly_so_is_not_asked(trial: Callable[..., Any], change: dict[str, Any]) -> None:
    with trial() as made:
        approve(made, **change)
        look(made)
        assert made.application._trials.lines == made.application._rules.lines


def test_it_ends_when_each_was_asked_often_enough(trial: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with trial() as made:
        approve(made)
        look(made)
        calls(made, 6)
        calls(made, 3, {2: ("9", 1200)})
        with opened(made.configuration.ledger.location) as ledger:
            (known,) = ledger_trials.known(ledger).values()
            number = ledger_trials.asked(ledger, known.plan, known.begun_at)
        assert known.ended is None
        monkeypatch.setattr("consentivr.ledger.trials.asked", lambda *_: dict.fromkeys(Variant, 100))
        look(made)
        look(made)
        until(lambda: made.application.ledger.pending == 0)
        with opened(made.configuration.ledger.location) as ledger:
            assert len(list(ledger.read(Search(turn="trial_ended")))) == 1
            (known,) = ledger_trials.known(ledger).values()
        assert known.ended is not None
        assert (known.ended.why, known.ended.by) == (Why.ASKED, "serve")
        counts = known.ended.counts
        assert (counts.a.asked, counts.b.asked) == (number[Variant.A], number[Variant.B])
        assert counts.a.asked + counts.b.asked == 9
        assert counts.a.understood + counts.b.understood == 6
        assert counts.a.again + counts.b.again == 3
        assert counts.misfits == 0
        for channel in calls(made, 3):
            assert "trial" not in heard(made, channel)


def test_it_ends_with_its_day_and_also_when_it_is_not_configured_any_more(trial: Callable[..., Any]) -> None:
    yesterday = date.today() - timedelta(1)
    with trial(until=yesterday) as made:
        approve(made)
        reload(made, written(made, lines={"support": {"trial": {"name": "another"}}}))
        look(made)
        until(lambda: made.application.ledger.pending == 0)
        with closing(Ledger(made.configuration.ledger.location)) as ledger:
            (known,) = ledger_trials.known(ledger).values()
        assert known.ended is not None
        assert known.ended.why is Why.DAY_OVER


def test_somebody_stopped_it_and_a_reload_takes_it_up_again(trial: Callable[..., Any]) -> None:
    with trial() as made:
        approve(made)
        look(made)
        assert made.application._trials._running == {"short"}
        reload(made, written(made))
        until(lambda: made.application._trials.lines != made.application._rules.lines, why="looked at again at once")
        counts = {"a": {}, "b": {}, "answers_differ": [0, 0, 1], "misfits": 0}
        note(made, Turn.TRIAL_ENDED, trial="short", why="stopped", reason="a complaint", counts=counts)
        look(made)
        assert made.application._trials.lines == made.application._rules.lines


def test_without_its_sound_nobody_is_asked_with_it_and_everybody_as_ever(
    trial: Callable[..., Any], tmp_path: Path
) -> None:
    with trial() as made:
        approve(made)
        (tmp_path / "sounds" / "de" / "8000" / "support-question-short.wav").unlink()
        said = reload(made, written(made))
        assert any(line["event"].startswith("a trial is left out") for line in said)
        look(made)
        assert [heard(made, channel)["decision"] for channel in calls(made, 3)] == ["given"] * 3


def test_whatever_is_in_doubt_is_asked_as_ever(trial: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with trial() as made:
        approve(made)
        look(made)
        trials = made.application._trials
        assert trials.lines != made.application._rules.lines
        monkeypatch.setattr(made.application.ledger, "_failure", "the disk is full")
        assert trials.lines == made.application._rules.lines, "what is not written is not on trial"
        monkeypatch.setattr(made.application.ledger, "_failure", None)
        assert trials.lines != made.application._rules.lines
        monkeypatch.setattr(trials, "_location", Path("/nowhere/ledger"))
        look(made)
        assert trials.lines == made.application._rules.lines


def test_a_call_does_not_wait_for_a_look(trial: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger that is slow to read holds up neither calls nor rows."""

    monkeypatch.setattr("consentivr.ledger.trials.known", lambda book: time.sleep(2) or {})
    with trial() as made:
        looking = gevent.spawn(look, made)
        gevent.sleep(0.05)
        assert [heard(made, channel)["decision"] for channel in calls(made, 2)] == ["given"] * 2
        assert not looking.ready(), "it was still looking"
        looking.kill()
